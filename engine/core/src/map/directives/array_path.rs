//! `@arrayPath` with a shape: each item of a list, written in that shape.
//!
//! The shape is bound once to the array of all items, and a record's part of it is known from the list's offsets. A single
//! object counts as a list of one. A null list is null, a missing one missing; a missing item is null, as in any array.

use arrow::buffer::NullBuffer;

use super::super::bind::{Bound, Found, JsonLeaf};
use super::super::json::Piece;
use super::super::layout::Ranges;
use super::super::output::Output;
use super::super::route::{Reached, Way};

/// The directive over Arrow arrays, bound.
pub(crate) struct Items<'a> {
    pub(crate) way: Way<'a>,
    /// The nulls of the array at the way's end.
    pub(crate) nulls: Option<&'a NullBuffer>,
    pub(crate) null_is_missing: bool,
    /// `None` for a single object: then the item has its own index.
    pub(crate) ranges: Option<Ranges<'a>>,
    pub(crate) shape: Bound<'a>,
    /// The list's name, for messages.
    pub(crate) name: &'a str,
}

/// The directive over JSON text, bound.
pub(crate) struct JsonItems<'a> {
    pub(crate) json: JsonLeaf<'a>,
    /// How many JSON lists lie round this one.
    pub(crate) depth: usize,
    pub(crate) shape: Bound<'a>,
}

/// Appends the list; false if it is missing.
pub(crate) fn write<'a>(items: &Items<'a>, i: usize, out: &mut Output<'a>) -> bool {
    let at = match items.way.reach(i, out) {
        Reached::Missing => return false,
        Reached::At(at) if items.nulls.is_some_and(|nulls| nulls.is_null(at)) => {
            if items.null_is_missing {
                return false;
            }
            out.null();
            return true;
        }
        Reached::Null => {
            out.null();
            return true;
        }
        Reached::At(at) => at,
    };
    let range = items.ranges.as_ref().map_or(at..at + 1, |ranges| ranges.range(at));
    let (first, start) = (range.start, out.buf.len());
    out.buf.push(b'[');
    for item in range {
        if item > first {
            out.buf.push(b',');
        }
        if !items.shape.write(item, out) {
            out.null();
        }
    }
    out.buf.push(b']');
    let bytes = out.buf.len() - start;
    out.limit_value(items.name, bytes);
    true
}

/// Appends the list; false if it is missing. What is neither a list nor an object is written as it is.
pub(crate) fn write_json<'a>(items: &JsonItems<'a>, i: usize, out: &mut Output<'a>) -> bool {
    let piece = match items.json.find(i, out) {
        Found::Missing => return false,
        Found::Null => {
            out.null();
            return true;
        }
        Found::Piece(piece) => piece,
    };
    if piece.text().starts_with('[') {
        out.buf.push(b'[');
        for (at, item) in piece.items().enumerate() {
            if at > 0 {
                out.buf.push(b',');
            }
            write_item(items, item, i, out);
        }
        out.buf.push(b']');
    } else if piece.text().starts_with('{') {
        out.buf.push(b'[');
        write_item(items, piece, i, out);
        out.buf.push(b']');
    } else {
        piece.write(&mut out.buf);
    }
    true
}

fn write_item<'a>(items: &JsonItems<'a>, item: Piece<'a>, i: usize, out: &mut Output<'a>) {
    out.items.truncate(items.depth);
    out.items.push(item);
    if !items.shape.write(i, out) {
        out.null();
    }
    out.items.truncate(items.depth);
}
