//! What the directives share that work on one scalar: reading it as text, and saying that it is none.
//!
//! ```text
//! "Jane"  12  true  ──► the text, and on with it          null ──► null          missing ──► missing
//! {…}  […]  ─────────► the record fails: `wrong_value`, with the field's name and what came
//! ```
//!
//! Text in a column is handed over where it lies: nothing is escaped, copied or allocated on the way.

use super::super::bind::Bound;
use super::super::call::write_arg;
use super::super::json::{kind_of, unescaped};
use super::super::output::Output;
use super::super::route::Reached;

/// A directive that takes a scalar, at its place in the mapping.
#[derive(Debug)]
pub(crate) struct Taker {
    directive: &'static str,
    /// `text that is a number`.
    takes: &'static str,
    /// `field \`traits.age\``.
    place: String,
}

impl Taker {
    /// `place` is the way to the field in the mapping, empty at its root.
    pub(crate) fn new(directive: &'static str, takes: &'static str, place: &str) -> Self {
        Self { directive, takes, place: place_of(place) }
    }

    /// The record fails, for this is not what the directive takes. False, for nothing is written.
    #[cold]
    pub(crate) fn refuse(&self, out: &mut Output<'_>, came: &str) -> bool {
        let Self { directive, takes, place } = self;
        out.fail("wrong_value", || format!("{place}: `{directive}` takes {takes}, and this is {came}"));
        false
    }

    /// Hands the first argument to `each` as text, with whether it is text: other scalars are as in JSON. Null stays null, and what is
    /// missing stays missing.
    pub(crate) fn text<'a>(
        &self,
        args: &[Bound<'a>],
        i: usize,
        out: &mut Output<'a>,
        each: impl FnOnce(&str, bool, &mut Output<'a>) -> bool,
    ) -> bool {
        if let Some(Bound::Value(leaf)) = args.first() {
            match leaf.reach(i, out) {
                Reached::Missing => return false,
                Reached::Null => {
                    out.null();
                    return true;
                }
                Reached::At(at) => {
                    if let Some(text) = leaf.text(at, out) {
                        return each(text, true, out);
                    }
                }
            }
        }
        let start = out.buf.len();
        if !write_arg(args, 0, i, out) {
            return false;
        }
        match out.buf.get(start) {
            Some(b'n') => return true,
            Some(b'{' | b'[') => {
                let came = kind_of(if out.buf[start] == b'{' { "{" } else { "[" });
                out.buf.truncate(start);
                return self.refuse(out, came);
            }
            _ => {}
        }
        out.rewrite(start, |json, out| match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(content) => each(&unescaped(content), true, out),
            None => each(json, false, out),
        })
    }
}

/// What the messages call the place of a directive, by the way to it in the mapping.
pub(crate) fn place_of(way: &str) -> String {
    if way.is_empty() { "the payload".to_owned() } else { format!("field `{way}`") }
}

/// Is it whitespace, as Unicode and JavaScript have it?
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}
