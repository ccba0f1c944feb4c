//! `@trim`: text without what stands at its ends.
//!
//! Whitespace goes, as Unicode and JavaScript have it; or any of some characters. What is no text stays as it is.

use memchr::memchr;

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::unescaped;
use super::super::output::Output;
use super::super::types::Told;
use super::super::write;
use super::scalar::is_space;

/// The directive.
#[derive(Debug)]
pub(crate) struct Trim {
    pub(crate) chars: Option<String>,
}

impl Trim {
    fn trimmed<'t>(&self, text: &'t str) -> &'t str {
        match &self.chars {
            None => text.trim_matches(is_space),
            Some(chars) => text.trim_matches(|c: char| chars.contains(c)),
        }
    }
}

impl Work for Trim {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let start = out.buf.len();
        if !write_arg(args, 0, i, out) {
            return false;
        }
        let [b'"', content @ .., b'"'] = &out.buf[start..] else { return true };
        if memchr(b'\\', content).is_some() {
            out.rewrite(start, |json, out| write::string(&mut out.buf, self.trimmed(&unescaped(&json[1..json.len() - 1]))));
            return true;
        }
        let text = std::str::from_utf8(content).unwrap_or_default();
        let kept = self.trimmed(text);
        // Both are of the same text, so the one's place in the other is the way between their starts.
        let (from, length) = (kept.as_ptr() as usize - text.as_ptr() as usize, kept.len());
        if length < text.len() {
            let content = start + 1;
            out.buf.copy_within(content + from..content + from + length, content);
            out.buf.truncate(content + length);
            out.buf.push(b'"');
        }
        true
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        match args.first()?.as_ref()? {
            // A moment is text in JSON, and may be none any more.
            Told::Is(data_type) if data_type.is_temporal() && self.chars.is_some() => Some(Told::text()),
            told => Some(told.clone()),
        }
    }
}
