//! `@if`: one of two values, by whether a third exists or is blank.
//!
//! Blank is what the reference finds equal to the empty string: missing, null, `""`, `0`, `false`, and a list with nothing in
//! it, or nothing but one blank text, null or such a list: `[]`, `[""]`, `[null]`, `[[]]`. `" "` and `{}` are not blank.

use super::super::bind::{Bound, Found};
use super::super::json::is_zero;
use super::super::output::Output;
use super::super::route::Reached;

/// An `@if`, bound.
pub(crate) struct Choice<'a> {
    /// The question is whether the value is not blank, rather than whether it exists.
    pub(crate) not_blank: bool,
    pub(crate) asked: Bound<'a>,
    pub(crate) then: Option<Bound<'a>>,
    pub(crate) otherwise: Option<Bound<'a>>,
}

/// Appends the branch that applies; false if it is missing or there is none.
pub(crate) fn write<'a>(choice: &Choice<'a>, i: usize, out: &mut Output<'a>) -> bool {
    let branch = if holds(choice, i, out) { &choice.then } else { &choice.otherwise };
    branch.as_ref().is_some_and(|node| node.write(i, out))
}

fn holds<'a>(choice: &Choice<'a>, i: usize, out: &mut Output<'a>) -> bool {
    match &choice.asked {
        Bound::Value(leaf) => {
            let Reached::At(at) = leaf.reach(i, out) else { return false };
            if choice.not_blank && leaf.is_falsy(at, out) {
                return false;
            }
            // Text is not written out to be looked at: it may be long. Nor is what is known without.
            if leaf.is_text() {
                return true;
            }
            if let Some(there) = leaf.is_there(at, out) {
                return there;
            }
            probe(choice, out, |out| {
                leaf.write_at(at, out);
                true
            })
        }
        Bound::Json(leaf) => match leaf.find(i, out) {
            Found::Piece(piece) => is_there(piece.text(), choice.not_blank),
            Found::Null | Found::Missing => false,
        },
        other => probe(choice, out, |out| other.write(i, out)),
    }
}

/// Writes the value, looks at it, and takes it back.
fn probe<'a>(choice: &Choice<'a>, out: &mut Output<'a>, write: impl FnOnce(&mut Output<'a>) -> bool) -> bool {
    let start = out.buf.len();
    let written = write(out);
    let holds = written && is_there(std::str::from_utf8(&out.buf[start..]).unwrap_or_default(), choice.not_blank);
    out.buf.truncate(start);
    holds
}

/// Does a value of this JSON text exist, or is it not blank?
fn is_there(text: &str, not_blank: bool) -> bool {
    if not_blank { !is_blank(text) } else { text != "null" }
}

fn is_blank(text: &str) -> bool {
    if matches!(text, "null" | "false" | "\"\"") || is_zero(text) {
        return true;
    }
    // Only a list of at most one item can be blank, and whatever is in it must be blank as text.
    let mut inner = text;
    while let Some(item) = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        inner = item.trim_matches([' ', '\n', '\r', '\t']);
        if matches!(inner, "" | "null" | "\"\"") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_blank;

    #[test]
    fn blank_is_what_the_reference_takes_for_blank() {
        for blank in ["null", "false", "\"\"", "0", "-0.0", "0e3", "[]", "[null]", "[\"\"]", "[[]]", "[ [ null ] ]"] {
            assert!(is_blank(blank), "{blank}");
        }
        for there in ["true", "\" \"", "\"0\"", "1", "{}", "[0]", "[false]", "[null,null]", "[[],[]]", "[{}]", "[\" \"]"] {
            assert!(!is_blank(there), "{there}");
        }
    }
}
