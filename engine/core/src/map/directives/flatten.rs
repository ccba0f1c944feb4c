//! `@flatten`: one object of all that lies in a value, by the ways there.
//!
//! ```text
//! { "a": { "b": 1 }, "c": [2, 3], "d": {} }      { "a.b": 1, "c.0": 2, "c.1": 3 }
//! ```
//!
//! As in the reference: empty objects and lists leave nothing, a scalar lies at the way `""`, an empty key leaves no step where a way
//! begins, what is missing gives `{}`, and of two members with one way the last counts.

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::Piece;
use super::super::members::Members;
use super::super::output::Output;
use super::super::types::Told;

/// The directive.
#[derive(Debug)]
pub(crate) struct Flatten {
    pub(crate) separator: String,
    pub(crate) omit_arrays: bool,
}

impl Flatten {
    /// Puts what lies in `piece`, at the way `prefix`, into `flat`. False once the ways alone come to more than `bytes_left` bytes.
    fn put<'t>(&self, prefix: &str, piece: Piece<'t>, flat: &mut Members<'t>, bytes_left: &mut usize) -> bool {
        let mut inner = |key: &str, piece: Piece<'t>| {
            let separator = if prefix.is_empty() { "" } else { self.separator.as_str() };
            let Some(left) = bytes_left.checked_sub(prefix.len() + separator.len() + key.len()) else { return false };
            *bytes_left = left;
            self.put(&format!("{prefix}{separator}{key}"), piece, flat, bytes_left)
        };
        match piece.text().as_bytes() {
            [b'{', ..] => Members::of(piece).into_iter().all(|(key, piece)| inner(&key, piece)),
            [b'[', ..] if !self.omit_arrays => piece.items().enumerate().all(|(at, piece)| inner(&at.to_string(), piece)),
            _ => {
                flat.set(prefix.to_owned().into(), Some(piece));
                true
            }
        }
    }
}

impl Work for Flatten {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        if !write_arg(args, 0, i, out) {
            out.buf.extend_from_slice(b"{}");
            return true;
        }
        out.rewrite(start, |json, out| {
            let piece = match Piece::parse(json) {
                Ok(piece) => piece,
                Err(problem) => {
                    out.fail_given("@flatten", problem);
                    return false;
                }
            };
            let (mut flat, mut bytes_left) = (Members::default(), out.value_bytes_max());
            if !self.put("", piece, &mut flat, &mut bytes_left) {
                out.fail_grown("@flatten");
                return false;
            }
            flat.write(&mut out.buf);
            true
        })
    }

    fn told(&self, _args: &[Option<Told>]) -> Option<Told> {
        Some(Told::Any)
    }
}
