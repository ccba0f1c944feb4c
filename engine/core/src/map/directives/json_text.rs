//! `@json`: a value to its JSON text, and back.
//!
//! Text that is no JSON stays as it is when it is read, and so does what is no text.

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::{Piece, unescaped};
use super::super::output::Output;
use super::super::scan::Problem;
use super::super::types::Told;
use super::super::write;

/// The directive in mode `encode`.
#[derive(Debug)]
pub(crate) struct Encode;

/// The directive in mode `decode`.
#[derive(Debug)]
pub(crate) struct Decode;

impl Work for Encode {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        if !write_arg(args, 0, i, out) {
            return false;
        }
        out.rewrite(start, |json, out| write::string(&mut out.buf, json));
        true
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        // Null is the text `null`; only what is never there gives nothing.
        args.first().map(|_| Told::text())
    }
}

impl Work for Decode {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        if !write_arg(args, 0, i, out) {
            return false;
        }
        if out.buf.get(start) != Some(&b'"') {
            return true;
        }
        out.rewrite(start, |json, out| {
            match Piece::parse(&unescaped(&json[1..json.len() - 1])) {
                Ok(piece) => piece.write(&mut out.buf),
                Err(Problem::Invalid(_)) => out.buf.extend_from_slice(json.as_bytes()),
                Err(problem @ Problem::TooDeep) => {
                    out.fail_given("@json", problem);
                    return false;
                }
            }
            true
        })
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.as_ref().map(|_| Told::Any)
    }
}
