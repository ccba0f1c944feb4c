//! The members of JSON objects, for the directives that make one object of others.
//!
//! Values stay slices of the text that they came from: only keys are copied, and only where they are escaped or made.

use std::borrow::Cow;
use std::collections::HashMap;

use super::json::{Piece, unescaped};
use super::scan::Scanner;
use super::write;

/// An object in the making. Of equal keys the last counts, at the place of the first, as in JavaScript.
#[derive(Debug, Default)]
pub(crate) struct Members<'t> {
    entries: Vec<(Cow<'t, str>, Option<Piece<'t>>)>,
    places: HashMap<Cow<'t, str>, usize>,
}

impl<'t> Members<'t> {
    /// The members of an object that has been checked; none of any other value.
    pub(crate) fn of(object: Piece<'t>) -> Self {
        let mut members = Self::default();
        let mut scanner = Scanner::new(object.text());
        if !scanner.take(b'{') {
            return members;
        }
        scanner.space();
        // The text is known to be valid, so this ends at the closing brace and nowhere else.
        while let Some((key, value)) = member(&mut scanner) {
            members.set(unescaped(key), Some(value));
        }
        members
    }

    /// Sets a member; `None` takes it away.
    pub(crate) fn set(&mut self, key: Cow<'t, str>, value: Option<Piece<'t>>) {
        if let Some(&place) = self.places.get(&key) {
            self.entries[place].1 = value;
        } else {
            self.places.insert(key.clone(), self.entries.len());
            self.entries.push((key, value));
        }
    }

    /// Appends the object.
    pub(crate) fn write(self, buf: &mut Vec<u8>) {
        buf.push(b'{');
        let start = buf.len();
        for (key, value) in self {
            if buf.len() > start {
                buf.push(b',');
            }
            write::string(buf, &key);
            buf.push(b':');
            value.write(buf);
        }
        buf.push(b'}');
    }
}

impl<'t> IntoIterator for Members<'t> {
    type Item = (Cow<'t, str>, Piece<'t>);
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 't>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.entries.into_iter().filter_map(|(key, value)| Some((key, value?))))
    }
}

/// The next member: its key as it stands, and its value.
fn member<'t>(scanner: &mut Scanner<'t>) -> Option<(&'t str, Piece<'t>)> {
    let key = scanner.key().ok()?;
    let value = Piece::take_from(scanner)?;
    scanner.space();
    scanner.take(b',');
    scanner.space();
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<(String, String)> {
        let piece = Piece::parse(text).unwrap();
        Members::of(piece).into_iter().map(|(key, value)| (key.into_owned(), value.text().to_owned())).collect()
    }

    #[test]
    fn members_come_in_order_and_the_last_of_equal_keys_counts() {
        let found = members(r#" { "a" : 1 , "b\n": {"x": [1, 2]} ,"a":{}, "\u0061":"z" } "#);
        let expected = [("a", "\"z\""), ("b\n", "{\"x\": [1, 2]}")];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(members("{}").is_empty() && members("{ }").is_empty() && members("[1]").is_empty() && members("1").is_empty());
    }

    #[test]
    fn a_member_that_is_taken_away_is_not_written() {
        let mut object = Members::of(Piece::parse(r#"{"a": 1, "b" : [ 2 ]}"#).unwrap());
        object.set("a".into(), None);
        object.set("c\"".into(), Some(Piece::parse("3").unwrap()));
        let mut buf = Vec::new();
        object.write(&mut buf);
        assert_eq!(String::from_utf8(buf).unwrap(), r#"{"b":[2],"c\"":3}"#);
    }
}
