//! `@template`: text with values in it.
//!
//! Null and missing values leave nothing. Strings stand as they are; numbers, booleans and moments as in JSON, without
//! quotes; objects and lists as compact JSON text. (The reference prints `[object Object]` there, which serves nobody.)

use super::super::bind::{Bound, Found};
use super::super::json::Piece;
use super::super::output::Output;
use super::super::route::Reached;
use super::super::write;

/// A piece of a template, bound.
pub(crate) enum BoundPart<'a> {
    /// Text, already escaped.
    Text(&'a [u8]),
    Value(Bound<'a>),
}

/// Appends the text as a JSON string.
pub(crate) fn write<'a>(parts: &[BoundPart<'a>], i: usize, out: &mut Output<'a>) {
    out.buf.push(b'"');
    for part in parts {
        match part {
            BoundPart::Text(text) => out.buf.extend_from_slice(text),
            BoundPart::Value(value) => write_part(value, i, out),
        }
    }
    out.buf.push(b'"');
}

/// Appends the content of a JSON string that stands for the value.
pub(crate) fn write_part<'a>(value: &Bound<'a>, i: usize, out: &mut Output<'a>) {
    match value {
        Bound::Value(leaf) => {
            let Reached::At(at) = leaf.reach(i, out) else { return };
            if let Some(text) = leaf.text(at, out) {
                write::escaped(&mut out.buf, text);
                return;
            }
            let start = out.buf.len();
            leaf.write_at(at, out);
            embed(start, out);
        }
        Bound::Json(leaf) => {
            if let Found::Piece(piece) = leaf.find(i, out) {
                write_piece(piece, out);
            }
        }
        _ => {
            let start = out.buf.len();
            if value.write(i, out) {
                embed(start, out);
            }
        }
    }
}

/// Appends the content of a JSON string that stands for the value.
pub(crate) fn write_piece(piece: Piece<'_>, out: &mut Output<'_>) {
    // A string's content is escaped already.
    if let Some(content) = piece.text().strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        out.buf.extend_from_slice(content.as_bytes());
        return;
    }
    let start = out.buf.len();
    piece.write(&mut out.buf);
    embed(start, out);
}

/// Turns the JSON value that the output holds from `start` on into the content of a JSON string.
fn embed(start: usize, out: &mut Output<'_>) {
    match out.buf.get(start) {
        Some(b'n') => out.buf.truncate(start),
        Some(b'"') => {
            out.buf.pop();
            out.buf.remove(start);
        }
        Some(b'{' | b'[') => {
            out.rewrite(start, |json, out| write::escaped(&mut out.buf, json));
        }
        _ => {}
    }
}
