//! `@split` and `@join`: a text to its parts, and parts to one text.
//!
//! | | gives |
//! |---|---|
//! | `@split` | a list of texts; of empty text an empty list |
//! | `@split` with `at` | the part at that place; missing if there is none |
//! | `@join` | text of all that is neither missing, null nor empty; missing if nothing is left |

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::{Piece, kind_of};
use super::super::output::Output;
use super::super::types::Told;
use super::super::write;
use super::scalar::{Taker, is_space};

/// `@split`.
#[derive(Debug)]
pub(crate) struct Split {
    taker: Taker,
    by: String,
    trim: bool,
    at: Option<i64>,
}

impl Split {
    pub(crate) fn new(by: &str, trim: bool, at: Option<i64>, place: &str) -> Self {
        Self { taker: Taker::new("@split", "text or another scalar", place), by: by.to_owned(), trim, at }
    }

    /// The part as it is given; `None` if it is not.
    fn part<'t>(&self, part: &'t str) -> Option<&'t str> {
        let part = if self.trim { part.trim_matches(is_space) } else { part };
        Some(part).filter(|part| !self.trim || !part.is_empty())
    }

    fn at<'t>(&self, text: &'t str, at: i64) -> Option<&'t str> {
        let place = usize::try_from(if at < 0 { -(at + 1) } else { at }).ok()?;
        let part = if at < 0 { text.rsplit(&*self.by).nth(place) } else { text.split(&*self.by).nth(place) };
        self.part(part?)
    }
}

impl Work for Split {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        self.taker.text(args, i, out, |text, _, out| {
            // An empty text has no parts, and not one that is empty.
            if let Some(at) = self.at {
                let part = self.at(text, at).filter(|_| !text.is_empty());
                return part.map(|part| write::string(&mut out.buf, part)).is_some();
            }
            out.buf.push(b'[');
            let start = out.buf.len();
            for part in text.split(&*self.by).filter(|_| !text.is_empty()).filter_map(|part| self.part(part)) {
                if out.buf.len() > start {
                    out.buf.push(b',');
                }
                write::string(&mut out.buf, part);
            }
            out.buf.push(b']');
            true
        })
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.as_ref()?;
        Some(if self.at.is_some() { Told::text() } else { Told::list(Some(Told::text())) })
    }
}

/// `@join`.
#[derive(Debug)]
pub(crate) struct Join {
    taker: Taker,
    /// What is put between, as it stands in a JSON string.
    by: Vec<u8>,
    items: bool,
}

impl Join {
    pub(crate) fn new(by: &str, items: bool, place: &str) -> Self {
        let mut escaped = Vec::new();
        write::escaped(&mut escaped, by);
        Self { taker: Taker::new("@join", "text and other scalars", place), by: escaped, items }
    }

    /// Puts what the buffer holds from `at` on, a JSON value, to the string that begins at `start`.
    fn put(&self, start: usize, at: usize, out: &mut Output<'_>) -> bool {
        let quoted = match &out.buf[at..] {
            b"null" | b"\"\"" => {
                out.buf.truncate(at);
                return true;
            }
            [b'{', ..] => return self.taker.refuse(out, kind_of("{")),
            [b'[', ..] => return self.taker.refuse(out, kind_of("[")),
            json => json.starts_with(b"\""),
        };
        if quoted {
            out.buf.pop();
            out.buf.remove(at);
        }
        if at > start + 1 {
            out.buf.splice(at..at, self.by.iter().copied());
        }
        let grown = out.buf.len() - start > out.value_bytes_max();
        if grown {
            out.fail_grown("@join");
        }
        !grown
    }

    /// Puts all items of the list that ends the buffer from `start` on into one string.
    fn all_items(&self, start: usize, out: &mut Output<'_>) -> bool {
        out.rewrite(start, |json, out| {
            out.buf.push(b'"');
            Piece::unchecked(json).items().all(|item| {
                let at = out.buf.len();
                item.write(&mut out.buf);
                self.put(start, at, out)
            })
        })
    }
}

impl Work for Join {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        let put = if self.items {
            if !write_arg(args, 0, i, out) {
                return false;
            }
            match &out.buf[start..] {
                b"null" => return true,
                [b'[', ..] => self.all_items(start, out),
                _ => {
                    out.buf.insert(start, b'"');
                    self.put(start, start + 1, out)
                }
            }
        } else {
            out.buf.push(b'"');
            (0..args.len()).all(|place| {
                let at = out.buf.len();
                !write_arg(args, place, i, out) || self.put(start, at, out)
            })
        };
        if !put || out.buf.len() == start + 1 {
            out.buf.truncate(start);
            return false;
        }
        out.buf.push(b'"');
        true
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.iter().any(Option::is_some).then(Told::text)
    }
}
