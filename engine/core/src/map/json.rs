//! JSON text, read without building values.
//!
//! A column of JSON text stays text all the way: one pass checks the grammar and notes where the wanted values lie
//! ([`walk`]), and those slices are copied to the payload. So big numbers keep their digits, and nothing is allocated.
//!
//! ```text
//! {"plan": "pro", "seats": [3, 5]}        paths: plan, seats.1, gone
//!          ^^^^^            ^             found: "pro", 5, —
//! ```
//!
//! Rules of a path: the last of equal keys counts; an index is a plain number (`0`, `12`); a step into `null`, `false`,
//! `0` or `""` gives that value itself, and into any other scalar nothing. This is what the reference does.
//!
//! Not here: numbers are never converted, and text outside the wanted values is checked but not kept.

use std::borrow::Cow;

use super::scan::{Problem, Scanner};
use super::write::plain_prefix;

/// A valid JSON value as it stands in some text, without the whitespace round it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    text: &'a str,
    /// No whitespace between its tokens: it can be copied as it is.
    compact: bool,
}

impl<'a> Piece<'a> {
    /// Checks a whole text.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Problem> {
        let mut scanner = Scanner::new(text);
        scanner.space();
        let start = scanner.at;
        scanner.spaced = false;
        scanner.skip()?;
        let piece = Self::since(&scanner, start);
        scanner.end()?;
        Ok(piece)
    }

    /// A text that was written here, and so is compact. What lies in it is checked when it is looked into.
    pub(crate) fn unchecked(text: &'a str) -> Self {
        Self { text, compact: true }
    }

    /// The value that comes next; `None` if there is none, or the text is not valid.
    pub(crate) fn take_from(scanner: &mut Scanner<'a>) -> Option<Self> {
        let start = scanner.at;
        scanner.spaced = false;
        scanner.skip().ok()?;
        Some(Self::since(scanner, start))
    }

    /// The value that `scanner` has just gone past.
    fn since(scanner: &Scanner<'a>, start: usize) -> Self {
        Self { text: scanner.since(start), compact: !scanner.spaced }
    }

    /// The value's text.
    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    /// Appends it without whitespace, which could break a line of NDJSON.
    pub(crate) fn write(self, buf: &mut Vec<u8>) {
        if self.compact {
            buf.extend_from_slice(self.text.as_bytes());
            return;
        }
        let mut rest = self.text.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            if first == b'"' {
                let end = string_end(rest);
                buf.extend_from_slice(&rest[..end]);
                rest = &rest[end..];
            } else {
                if !matches!(first, b' ' | b'\n' | b'\r' | b'\t') {
                    buf.push(first);
                }
                rest = tail;
            }
        }
    }

    /// The items of an array; none for any other value.
    pub(crate) fn items(self) -> Items<'a> {
        let mut scanner = Scanner::new(self.text);
        if scanner.take(b'[') {
            scanner.space();
        } else {
            scanner.at = self.text.len();
        }
        Items { scanner }
    }
}

/// The length of the string at the front of valid JSON, quotes included.
fn string_end(bytes: &[u8]) -> usize {
    let mut at = 1;
    loop {
        at += plain_prefix(bytes.get(at..).unwrap_or_default());
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            _ => return bytes.len(),
        }
    }
}

/// The items of an array that has been checked.
pub(crate) struct Items<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        // The text is known to be valid, so this ends at the closing bracket and nowhere else.
        let piece = Piece::take_from(&mut self.scanner)?;
        self.scanner.space();
        self.scanner.take(b',');
        self.scanner.space();
        Some(piece)
    }
}

/// The paths wanted from one text, as a tree.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    /// Where to put the value of this very place.
    slot: Option<usize>,
    children: Vec<(String, Option<usize>, Trie)>,
}

impl Trie {
    /// Adds a path and returns its slot; `slots` counts them.
    pub(crate) fn add(&mut self, segments: &[String], slots: &mut usize) -> usize {
        let Some((first, rest)) = segments.split_first() else {
            return *self.slot.get_or_insert_with(|| {
                *slots += 1;
                *slots - 1
            });
        };
        let place = self.children.iter().position(|(name, ..)| name == first).unwrap_or_else(|| {
            self.children.push((first.clone(), list_index(first), Self::default()));
            self.children.len() - 1
        });
        self.children[place].2.add(rest, slots)
    }

    /// The child of a key as it stands in the text, escapes and all.
    fn member(&self, raw: &str) -> Option<&Self> {
        let key = unescaped(raw);
        self.children.iter().find(|(name, ..)| *name == *key).map(|(.., child)| child)
    }

    fn item(&self, index: usize) -> Option<&Self> {
        self.children.iter().find(|(_, at, _)| *at == Some(index)).map(|(.., child)| child)
    }

    /// Gives `piece` to every path that goes on below this place.
    fn fill<'a>(&self, piece: Option<Piece<'a>>, found: &mut [Option<Piece<'a>>]) {
        for (.., child) in &self.children {
            if let Some(place) = child.slot.and_then(|slot| found.get_mut(slot)) {
                *place = piece;
            }
            child.fill(piece, found);
        }
    }
}

/// The index that a segment means in a list: `0` or a number without leading zeros or sign.
pub(crate) fn list_index(segment: &str) -> Option<usize> {
    let plain = segment.bytes().all(|b| b.is_ascii_digit()) && (segment == "0" || !segment.starts_with('0'));
    if plain { segment.parse().ok() } else { None }
}

/// Checks `text` and finds the values of all paths of `trie` in one pass. `found` has a place for each slot, all `None`.
pub(crate) fn walk<'a>(text: &'a str, trie: &Trie, found: &mut [Option<Piece<'a>>]) -> Result<(), Problem> {
    let mut scanner = Scanner::new(text);
    scanner.space();
    scanner.walk(trie, found)?;
    scanner.end()
}

/// What a JSON value is, for messages.
pub(crate) fn kind_of(text: &str) -> &'static str {
    match text.as_bytes() {
        [b'"', ..] => "text",
        [b'{', ..] => "an object",
        [b'[', ..] => "a list",
        [b't' | b'f', ..] => "true or false",
        [b'n', ..] => "null",
        _ => "a number",
    }
}

/// Does a step into this scalar give the scalar itself?
pub(crate) fn is_falsy(text: &str) -> bool {
    matches!(text, "null" | "false" | "\"\"") || is_zero(text)
}

/// Is this number, in JSON, zero? `0`, `-0`, `0.00`, `0e5`.
pub(crate) fn is_zero(text: &str) -> bool {
    let number = text.as_bytes().first().is_some_and(|b| b.is_ascii_digit() || *b == b'-');
    number && text.bytes().take_while(|b| !matches!(b, b'e' | b'E')).all(|b| matches!(b, b'0' | b'-' | b'.'))
}

/// The text that the content of a JSON string stands for. A lone surrogate becomes U+FFFD.
pub(crate) fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let mut chars = escape.chars();
        match chars.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let (character, used) = unicode_escape(escape);
                text.push(character);
                rest = escape.get(used..).unwrap_or_default();
                continue;
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character of `uXXXX` or `uXXXX\uXXXX`, and how many bytes of `escape` it takes.
fn unicode_escape(escape: &str) -> (char, usize) {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(1) else { return (char::REPLACEMENT_CHARACTER, 5) };
    if let Some(character) = char::from_u32(first) {
        return (character, 5);
    }
    let second = if escape.get(5..7) == Some("\\u") { unit(7) } else { None };
    match second {
        Some(low @ 0xdc00..=0xdfff) if first < 0xdc00 => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11)
        }
        _ => (char::REPLACEMENT_CHARACTER, 5),
    }
}

/// Walking: the grammar, with an eye on the wanted paths.
impl<'a> Scanner<'a> {
    /// Checks one value, and notes those that `trie` wants. Recursive only as deep as the paths are long.
    fn walk(&mut self, trie: &Trie, found: &mut [Option<Piece<'a>>]) -> Result<(), Problem> {
        let start = self.at;
        let spaced_before = std::mem::replace(&mut self.spaced, false);
        match self.peek() {
            Some(b'{') if !trie.children.is_empty() => self.walk_members(trie, found)?,
            Some(b'[') if !trie.children.is_empty() => self.walk_items(trie, found)?,
            _ => {
                self.skip()?;
                let piece = Piece::since(self, start);
                if is_falsy(piece.text) {
                    trie.fill(Some(piece), found);
                }
            }
        }
        if let Some(place) = trie.slot.and_then(|slot| found.get_mut(slot)) {
            *place = Some(Piece::since(self, start));
        }
        self.spaced |= spaced_before;
        Ok(())
    }

    fn walk_members(&mut self, trie: &Trie, found: &mut [Option<Piece<'a>>]) -> Result<(), Problem> {
        self.open()?;
        self.space();
        if !self.take(b'}') {
            loop {
                let key = self.key()?;
                match trie.member(key) {
                    Some(child) => {
                        // An earlier member of that name no longer counts.
                        child.fill(None, found);
                        self.walk(child, found)?;
                    }
                    None => self.skip()?,
                }
                self.space();
                if !self.take(b',') {
                    break;
                }
                self.space();
            }
            self.expect(b'}')?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn walk_items(&mut self, trie: &Trie, found: &mut [Option<Piece<'a>>]) -> Result<(), Problem> {
        self.open()?;
        self.space();
        if !self.take(b']') {
            for index in 0.. {
                match trie.item(index) {
                    Some(child) => self.walk(child, found)?,
                    None => self.skip()?,
                }
                self.space();
                if !self.take(b',') {
                    break;
                }
                self.space();
            }
            self.expect(b']')?;
        }
        self.depth -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outflow_contract::limits::RECORD_DEPTH_MAX;

    fn get(text: &str, paths: &[&str]) -> Result<Vec<Option<String>>, Problem> {
        let (mut trie, mut slots) = (Trie::default(), 0);
        let places: Vec<usize> = paths
            .iter()
            .map(|path| {
                let segments: Vec<String> = path.split('.').filter(|s| !s.is_empty()).map(Into::into).collect();
                trie.add(&segments, &mut slots)
            })
            .collect();
        let mut found = vec![None; slots];
        walk(text, &trie, &mut found)?;
        let compact = |piece: Piece<'_>| {
            let mut buf = Vec::new();
            piece.write(&mut buf);
            String::from_utf8(buf).unwrap()
        };
        Ok(places.into_iter().map(|slot| found[slot].map(compact)).collect())
    }

    fn one(text: &str, path: &str) -> Option<String> {
        get(text, &[path]).unwrap().remove(0)
    }

    #[test]
    fn all_paths_are_found_in_one_pass() {
        let text = r#" {"plan": "pro", "seats": [3, {"n": 12345678901234567890.10}], "deep": {"a": {"b": null}}} "#;
        let found = get(text, &["plan", "seats.1.n", "seats.0", "gone", "deep.a.b", "deep", "", "seats.2", "plan"]).unwrap();
        let expected = [
            Some("\"pro\""),
            Some("12345678901234567890.10"),
            Some("3"),
            None,
            Some("null"),
            Some(r#"{"a":{"b":null}}"#),
            Some(r#"{"plan":"pro","seats":[3,{"n":12345678901234567890.10}],"deep":{"a":{"b":null}}}"#),
            None,
            Some("\"pro\""),
        ];
        assert_eq!(found, expected.map(|value| value.map(String::from)));
    }

    #[test]
    fn a_step_into_a_falsy_value_gives_it_and_into_another_scalar_nothing() {
        for falsy in ["null", "false", "0", "-0.0", "0e7", "\"\""] {
            assert_eq!(one(&format!(r#"{{"a":{falsy}}}"#), "a.b.c").as_deref(), Some(falsy));
        }
        for truthy in ["true", "1", "\"x\"", "0.1", "[]", "{}"] {
            assert_eq!(one(&format!(r#"{{"a":{truthy}}}"#), "a.b"), None);
        }
    }

    #[test]
    fn the_last_of_equal_keys_counts_even_if_it_has_less() {
        assert_eq!(one(r#"{"a":{"b":1},"a":{"b":2}}"#, "a.b").as_deref(), Some("2"));
        assert_eq!(one(r#"{"a":{"b":1},"a":{}}"#, "a.b"), None);
        assert_eq!(one(r#"{"a":{"b":1},"a":"x"}"#, "a.b"), None);
    }

    #[test]
    fn keys_are_compared_by_what_they_mean() {
        assert_eq!(one(r#"{"\u0061\n":1}"#, "a\n").as_deref(), Some("1"));
        assert_eq!(one(r#"{"😀":1}"#, "😀").as_deref(), Some("1"));
        assert_eq!(one(r#"{"\ud83d\ude00":1}"#, "😀").as_deref(), Some("1"));
    }

    #[test]
    fn an_index_is_a_plain_number() {
        for odd in ["01", "-1", "+1", "1.0", "*", "length", "99999999999999999999999"] {
            assert_eq!(get("[10,20]", &[odd]).unwrap(), [None], "{odd}");
        }
        assert_eq!(one("[10,20]", "1").as_deref(), Some("20"));
        assert_eq!(one(r#"{"0":"zero"}"#, "0").as_deref(), Some("\"zero\""));
    }

    #[test]
    fn exactly_the_texts_that_serde_json_takes_are_taken() {
        let texts = [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "01",
            "-",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1.5e-3",
            "-0",
            "nul",
            "null ",
            "nulls",
            "true,",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u00e9\"",
            "\"a\nb\"",
            "\"open",
            "\"\\",
            "[]]",
            "[[[]]]",
            "{\"a\":{\"b\":[1,{}]}}",
            "\u{feff}1",
            "\"\u{7f}\"",
            " [ 1 , { } , [ ] ] ",
            "[1}",
            "{\"a\":1]",
            "{\"a\":}",
            "[}",
            "{]",
            "\"\\\"\"",
            "1 1",
            "[\"a\" : 1]",
            "/* c */ 1",
            "NaN",
            "+1",
            "0x10",
            "{\"a\":1 \"b\":2}",
            "{1:2}",
        ];
        for text in texts {
            let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(Piece::parse(text).is_ok(), expected, "whole {text:?}");
            assert_eq!(get(text, &["a.b", "0.x"]).is_ok(), expected, "walked {text:?}");
        }
    }

    #[test]
    fn nesting_is_taken_up_to_the_limit_and_not_beyond() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Piece::parse(&nested(RECORD_DEPTH_MAX)).is_ok());
        assert_eq!(Piece::parse(&nested(RECORD_DEPTH_MAX + 1)).err(), Some(Problem::TooDeep));
        assert!(get(&nested(RECORD_DEPTH_MAX), &["0.0"]).is_ok());
        assert_eq!(get(&nested(RECORD_DEPTH_MAX + 1), &["0.0"]).err(), Some(Problem::TooDeep));
        let objects = format!("{}1{}", "{\"a\":".repeat(RECORD_DEPTH_MAX), "}".repeat(RECORD_DEPTH_MAX));
        assert!(Piece::parse(&objects).is_ok());
        // A hostile text far deeper than any stack is refused, not died of.
        assert_eq!(Piece::parse(&"[".repeat(10_000_000)).err(), Some(Problem::TooDeep));
    }

    #[test]
    fn whitespace_goes_but_strings_stay_as_they_are() {
        let mut buf = Vec::new();
        Piece::parse("\n{ \"a b\" :\t[ 1 ,\r\n\" x\\\" y \" ] }\n").unwrap().write(&mut buf);
        assert_eq!(String::from_utf8(buf).unwrap(), r#"{"a b":[1," x\" y "]}"#);
    }

    #[test]
    fn the_items_of_an_array_come_one_by_one() {
        let items: Vec<&str> = Piece::parse(r#"[ 1 , [2, 3] ,{"a":4}, "," ]"#).unwrap().items().map(Piece::text).collect();
        assert_eq!(items, ["1", "[2, 3]", "{\"a\":4}", "\",\""]);
        assert_eq!(Piece::parse("[ ]").unwrap().items().count(), 0);
        assert_eq!(Piece::parse("{\"a\":1}").unwrap().items().count(), 0);
    }

    #[test]
    fn escapes_are_read_as_serde_json_reads_them() {
        for raw in [r#""a\"\\\/\b\f\n\r\tz""#, r#""\u00e9\ud83d\ude00x""#, r#""""#, r#""ü\\u0041""#] {
            let expected: String = serde_json::from_str(raw).unwrap();
            assert_eq!(unescaped(&raw[1..raw.len() - 1]), expected);
        }
        assert_eq!(unescaped(r"\ud83dx"), "\u{fffd}x");
        assert_eq!(unescaped(r"\ude00\ud83d"), "\u{fffd}\u{fffd}");
    }
}
