//! A file that is one JSON array of objects, byte by byte: each object becomes a line of its own, as if it stood in NDJSON.
//!
//! Only as much of JSON is understood as it takes to find where an object ends; whoever reads the line checks the rest. Line breaks
//! inside an object become spaces: strings have none.

/// Where in the array a byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the bracket that opens it.
    Before,
    /// After that bracket.
    First,
    /// After a comma.
    Next,
    /// In an object, so many braces and brackets deep.
    Object(u32),
    /// In a string of an object of that depth.
    Text(u32),
    /// After a backslash in such a string.
    Escape(u32),
    /// After an object.
    Between,
    /// After the bracket that closes it.
    After,
}

/// What becomes of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Byte {
    /// It is between objects.
    Skip,
    /// It is part of an object, as this byte.
    Keep(u8),
    /// The same, and the object ends with it.
    Last(u8),
}

/// An array under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Array {
    place: Place,
}

impl Array {
    /// Before its first byte.
    pub(super) fn new() -> Self {
        Self { place: Place::Before }
    }

    /// What becomes of the next byte, or what is wrong with it.
    pub(super) fn step(&mut self, byte: u8) -> Result<Byte, &'static str> {
        let (place, kept) = match (self.place, byte) {
            (Place::Text(depth), b'"') => (Place::Object(depth), Byte::Keep(byte)),
            (Place::Text(depth), b'\\') => (Place::Escape(depth), Byte::Keep(byte)),
            (Place::Text(depth) | Place::Escape(depth), _) | (Place::Object(depth), b'"') => (Place::Text(depth), Byte::Keep(byte)),
            (Place::Object(depth), b'{' | b'[') => (Place::Object(depth.saturating_add(1)), Byte::Keep(byte)),
            (Place::Object(1), b'}' | b']') => (Place::Between, Byte::Last(byte)),
            (Place::Object(depth), b'}' | b']') => (Place::Object(depth - 1), Byte::Keep(byte)),
            (place @ Place::Object(_), b'\n' | b'\r') => (place, Byte::Keep(b' ')),
            (place @ Place::Object(_), _) => (place, Byte::Keep(byte)),
            (place, b' ' | b'\t' | b'\n' | b'\r') => (place, Byte::Skip),
            (Place::Before, b'[') => (Place::First, Byte::Skip),
            (Place::First | Place::Next, b'{') => (Place::Object(1), Byte::Keep(byte)),
            (Place::First | Place::Between, b']') => (Place::After, Byte::Skip),
            (Place::Between, b',') => (Place::Next, Byte::Skip),
            (Place::First | Place::Next, _) => return Err("the file is a JSON array, and this in it is not a JSON object"),
            (Place::After, _) => return Err("the file is a JSON array, and something comes after it"),
            (Place::Before | Place::Between, _) => return Err("the file is a JSON array, and a comma is missing"),
        };
        self.place = place;
        Ok(kept)
    }

    /// May the file end here?
    pub(super) fn is_whole(self) -> bool {
        self.place == Place::After
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<String>, &'static str> {
        let (mut array, mut lines, mut line) = (Array::new(), Vec::new(), String::new());
        for byte in text.bytes() {
            match array.step(byte)? {
                Byte::Skip => {}
                Byte::Keep(byte) => line.push(byte.into()),
                Byte::Last(byte) => {
                    line.push(byte.into());
                    lines.push(std::mem::take(&mut line));
                }
            }
        }
        if array.is_whole() { Ok(lines) } else { Err("cut off") }
    }

    #[test]
    fn each_object_of_an_array_becomes_a_line() {
        assert_eq!(lines("[]"), Ok(vec![]));
        assert_eq!(lines(" [ {\"a\":[{}]} ,\n{\"b\":\n\"]}\\\"{\"}\n]\n"), Ok(vec![r#"{"a":[{}]}"#.into(), r#"{"b": "]}\"{"}"#.into()]));
        for wrong in ["[1]", "[{}{}]", "[{},]", "[{}]x", "[{}", "[{\"a\":\"}]", "[[]]", "[,{}]"] {
            assert!(lines(wrong).is_err(), "{wrong}");
        }
    }
}
