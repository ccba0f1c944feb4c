//! `@coalesce`: the first of several values that is there.
//!
//! Null and what is missing are passed over, and text without anything but whitespace where that is asked for. Where none is left it is
//! null if one of them is null, and missing if all are.

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::unescaped;
use super::super::output::Output;
use super::super::types::Told;
use super::scalar::is_space;

/// The directive.
#[derive(Debug)]
pub(crate) struct Coalesce {
    pub(crate) blank: bool,
}

impl Work for Coalesce {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        let mut null = false;
        for at in 0..args.len() {
            if !write_arg(args, at, i, out) {
                continue;
            }
            let json = &out.buf[start..];
            let is_null = json == b"null";
            if !(is_null || self.blank && is_blank(json)) {
                return true;
            }
            null |= is_null;
            out.buf.truncate(start);
        }
        if null {
            out.null();
        }
        null
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.iter().cloned().fold(None, Told::either)
    }
}

/// Is this JSON text without anything but whitespace in it?
fn is_blank(json: &[u8]) -> bool {
    match json {
        // Nearly always the first character tells.
        [b'"', b'!'..=b'[' | b']'..=b'~', _, ..] => false,
        [b'"', content @ .., b'"'] => unescaped(std::str::from_utf8(content).unwrap_or_default()).chars().all(is_space),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_blank_if_there_is_nothing_but_whitespace_in_it() {
        for blank in [r#""""#, r#"" ""#, r#""\n\t""#, "\"\u{a0}\u{feff}\"", r#""\u0020""#] {
            assert!(is_blank(blank.as_bytes()), "{blank}");
        }
        for other in [r#""a""#, r#"" a""#, r#""\"""#, "0", "false", "[]", "null", r#""é""#, r#""!""#] {
            assert!(!is_blank(other.as_bytes()), "{other}");
        }
    }
}
