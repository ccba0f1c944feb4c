//! `@replace`: one text in the place of another.
//!
//! Numbers, `true` and `false` count as the text that they are in JSON; null, objects, lists and what is missing as the empty text,
//! as in the reference. What is put in may speak of what was found, as in JavaScript:
//!
//! | written | put in |
//! |---|---|
//! | `$$` | a dollar |
//! | `$&` | what was found |
//! | `` $` `` `$'` | the whole text before it, and behind it |
//!
//! The last two can make a text grow by its own square: it stops at `limits.value_bytes`, and the record fails.

use outflow_contract::expr::Replacement;

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::unescaped;
use super::super::output::Output;
use super::super::types::Told;
use super::super::write;

/// The directive.
#[derive(Debug)]
pub(crate) struct Replace {
    steps: Vec<Step>,
    global: bool,
    ignore_case: bool,
}

#[derive(Debug)]
struct Step {
    pattern: String,
    with: Vec<Put>,
}

/// A piece of what is put in.
#[derive(Debug, PartialEq)]
enum Put {
    Text(String),
    Found,
    Before,
    Behind,
}

impl Replace {
    pub(crate) fn new(replacements: &[Replacement], global: bool, ignore_case: bool) -> Self {
        let step = |one: &Replacement| Step { pattern: one.pattern.clone(), with: puts(&one.with) };
        Self { steps: replacements.iter().map(step).collect(), global, ignore_case }
    }

    /// `text` after one step; `None` once it is longer than `bytes_max`.
    fn step(&self, step: &Step, text: &str, bytes_max: usize) -> Option<String> {
        let mut made = String::with_capacity(text.len());
        let mut from = 0;
        while let Some((at, length)) = self.find(&text[from..], &step.pattern) {
            let (start, end) = (from + at, from + at + length);
            made.push_str(&text[from..start]);
            for put in &step.with {
                made.push_str(match put {
                    Put::Text(text) => text,
                    Put::Found => &text[start..end],
                    Put::Before => &text[..start],
                    Put::Behind => &text[end..],
                });
                if made.len() > bytes_max {
                    return None;
                }
            }
            from = end;
            if !self.global {
                break;
            }
        }
        made.push_str(&text[from..]);
        Some(made)
    }

    /// Where the pattern stands first, and how many bytes of the text it takes.
    fn find(&self, text: &str, pattern: &str) -> Option<(usize, usize)> {
        // An empty pattern, which the planner refuses, would be found for ever.
        if pattern.is_empty() {
            return None;
        }
        if !self.ignore_case {
            return text.find(pattern).map(|at| (at, pattern.len()));
        }
        text.char_indices().find_map(|(at, _)| same_start(&text[at..], pattern).map(|length| (at, length)))
    }
}

/// The bytes at the front of `text` that are the pattern but for their case.
fn same_start(text: &str, pattern: &str) -> Option<usize> {
    let (mut wanted, mut length) = (pattern.chars(), 0);
    let mut found = text.chars();
    loop {
        let Some(wanted) = wanted.next() else { return Some(length) };
        let found = found.next()?;
        if folded(found) != folded(wanted) {
            return None;
        }
        length += found.len_utf8();
    }
}

/// The one character that stands for all cases of it, as JavaScript's regular expressions have it.
fn folded(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if !one.is_ascii() && c <= '\u{ffff}' => one,
        _ => c,
    }
}

fn puts(with: &str) -> Vec<Put> {
    let mut puts = Vec::new();
    let mut text = String::new();
    let mut chars = with.chars().peekable();
    while let Some(c) = chars.next() {
        let special = match chars.peek().filter(|_| c == '$') {
            Some('$') => None,
            Some('&') => Some(Put::Found),
            Some('`') => Some(Put::Before),
            Some('\'') => Some(Put::Behind),
            _ => {
                text.push(c);
                continue;
            }
        };
        chars.next();
        match special {
            None => text.push('$'),
            Some(put) => {
                if !text.is_empty() {
                    puts.push(Put::Text(std::mem::take(&mut text)));
                }
                puts.push(put);
            }
        }
    }
    if !text.is_empty() {
        puts.push(Put::Text(text));
    }
    puts
}

impl Work for Replace {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        if !write_arg(args, 0, i, out) {
            out.buf.extend_from_slice(b"\"\"");
            return true;
        }
        let bytes_max = out.value_bytes_max();
        out.rewrite(start, |json, out| {
            let text = match json.as_bytes() {
                [b'"', ..] => unescaped(&json[1..json.len() - 1]),
                [b'n' | b'{' | b'[', ..] => "".into(),
                _ => json.into(),
            };
            let mut text = text.into_owned();
            for step in &self.steps {
                let Some(made) = self.step(step, &text, bytes_max) else {
                    out.fail_grown("@replace");
                    return false;
                };
                text = made;
            }
            write::string(&mut out.buf, &text);
            true
        })
    }

    fn told(&self, _args: &[Option<Told>]) -> Option<Told> {
        Some(Told::text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pattern: &str, with: &str, ignore_case: bool, text: &str) -> String {
        let replacements = [Replacement { pattern: pattern.to_owned(), with: with.to_owned() }];
        let replace = Replace::new(&replacements, true, ignore_case);
        replace.step(&replace.steps[0], text, 1_000).unwrap()
    }

    #[test]
    fn what_is_put_in_may_speak_of_what_was_found() {
        assert_eq!(replaced("b", "[$&]", false, "abc"), "a[b]c");
        assert_eq!(replaced("b", "$$&", false, "abc"), "a$&c");
        assert_eq!(replaced("b", "<$`|$'>", false, "abcb"), "a<a|cb>c<abc|>");
        assert_eq!(replaced("b", "$1$x$", false, "abc"), "a$1$x$c");
    }

    #[test]
    fn case_is_ignored_as_javascript_ignores_it() {
        assert_eq!(replaced("É", "e", true, "éÉ"), "ee");
        assert_eq!(replaced("Я", "r", true, "яЯ"), "rr");
        // No one character is the upper case of `ß`, and that of `ſ` is in ASCII.
        assert_eq!(replaced("ss", "x", true, "ßSS"), "ßx");
        assert_eq!(replaced("s", "x", true, "ſS"), "ſx");
    }

    #[test]
    fn a_text_that_grows_by_its_square_stops_at_the_limit() {
        let replacements = [Replacement { pattern: "a".to_owned(), with: "$`$'".to_owned() }];
        let replace = Replace::new(&replacements, true, false);
        assert_eq!(replace.step(&replace.steps[0], &"a".repeat(1_000), 10_000), None);
    }
}
