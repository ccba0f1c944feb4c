//! `@excludeWhenNull`: a value without its nulls.
//!
//! Null itself becomes missing, and the null members of objects go, however deep they lie; what lists hold stays, as in the reference.

use memchr::memmem;

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::Piece;
use super::super::members::Members;
use super::super::output::Output;
use super::super::types::Told;
use super::super::write;

/// The directive.
#[derive(Debug)]
pub(crate) struct ExcludeNull;

fn without_nulls(piece: Piece<'_>, buf: &mut Vec<u8>) {
    if !piece.text().starts_with('{') {
        piece.write(buf);
        return;
    }
    buf.push(b'{');
    let start = buf.len();
    for (key, value) in Members::of(piece).into_iter().filter(|(_, value)| value.text() != "null") {
        if buf.len() > start {
            buf.push(b',');
        }
        write::string(buf, &key);
        buf.push(b':');
        without_nulls(value, buf);
    }
    buf.push(b'}');
}

impl Work for ExcludeNull {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        if !write_arg(args, 0, i, out) {
            return false;
        }
        match &out.buf[start..] {
            b"null" => {
                out.buf.truncate(start);
                return false;
            }
            // Nearly always there is nothing to leave out.
            [b'{', inside @ ..] if memmem::find(inside, b"null").is_some() => {}
            _ => return true,
        }
        let written = out.rewrite(start, |json, out| Piece::parse(json).map(|piece| without_nulls(piece, &mut out.buf)));
        written.map_err(|problem| out.fail_given("@excludeWhenNull", problem)).is_ok()
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first().cloned().flatten()
    }
}
