//! What may be shown of a text: literal secrets and terminal control characters are overwritten byte for byte, so that
//! every place in the text stays where it was.

use std::ops::Range;

/// A key with one of these words in it has its value hidden, whatever the rest of the project says: a file that cannot
/// even be parsed is shown too.
const SECRET_WORDS: [&str; 9] =
    ["token", "secret", "password", "passwd", "api_key", "apikey", "private_key", "credential", "authorization"];

/// `text` with the ranges, and every value of a key that sounds secret, overwritten.
pub(crate) fn mask(text: String, ranges: impl Iterator<Item = Range<usize>>) -> String {
    let mut bytes = text.into_bytes();
    let mut hidden: Vec<Range<usize>> = ranges.collect();
    hidden.extend(secret_values(&bytes));
    for range in hidden {
        let end = range.end.min(bytes.len());
        for byte in bytes.get_mut(range.start..end).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b'*';
            }
        }
    }
    replace_controls(&mut bytes);
    // Ranges are those of whole strings, so this is text still; if one was not, its odd bytes are replaced.
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// `text` on one screen: control characters, which could steer a terminal, become `?`.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '?' } else { c }).collect()
}

fn replace_controls(bytes: &mut [u8]) {
    for at in 0..bytes.len() {
        match bytes[at] {
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => bytes[at] = b' ',
            b'\n' | b'\t' => {}
            0..0x20 | 0x7f => bytes[at] = b'?',
            // U+0080 to U+009F: controls of two bytes.
            0xc2 if bytes.get(at + 1).is_some_and(|next| (0x80..0xa0).contains(next)) => {
                bytes[at] = b'?';
                bytes[at + 1] = b'?';
            }
            _ => {}
        }
    }
}

/// The values in `some_token: value`, line by line, unless they refer to the environment or a file.
fn secret_values(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let lower = line.to_ascii_lowercase();
        let mut at = 0;
        while let Some(colon) = lower[at..].iter().position(|byte| *byte == b':').map(|n| n + at) {
            at = colon + 1;
            if !is_secret_key(&lower[..colon]) {
                continue;
            }
            let value = value_range(&lower, colon + 1);
            if !value.is_empty() && !lower[value.clone()].starts_with(b"${") {
                at = value.end;
                found.push(start + value.start..start + value.end);
            }
        }
        start += line.len();
    }
    found
}

/// Does the word before a colon sound secret?
fn is_secret_key(before: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'"' | b'\'');
    let start = before.iter().rposition(|byte| !word(byte)).map_or(0, |n| n + 1);
    let key: String = before[start..].iter().map(|byte| if *byte == b'-' { '_' } else { char::from(*byte) }).collect();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// The value after a colon on one line: to the closing quote, or to the comma, the brace or the end. Without the quotes.
fn value_range(line: &[u8], from: usize) -> Range<usize> {
    let start = from + line[from..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match line.get(start) {
        Some(quote @ (b'"' | b'\'')) => {
            let length = line[start + 1..].iter().position(|byte| byte == quote || *byte == b'\n');
            start + 1..length.map_or(line.len(), |length| start + 1 + length)
        }
        // Not a value: a nested mapping or list, or nothing.
        Some(b'{' | b'[' | b'\n' | b'\r' | b'|' | b'>') | None => start..start,
        Some(_) => {
            let length = line[start..].iter().position(|byte| matches!(byte, b',' | b'}' | b'\n' | b'\r')).unwrap_or(line.len() - start);
            start..start + line[start..start + length].trim_ascii_end().len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        mask(text.to_owned(), std::iter::empty())
    }

    #[test]
    fn the_value_of_a_key_that_sounds_secret_is_hidden_in_every_form() {
        assert_eq!(masked("  access_token: abc\n"), "  access_token: ***\n");
        assert_eq!(masked("{ Api-Key: \"a b\", url: x }"), "{ Api-Key: \"***\", url: x }");
        assert_eq!(masked("\"client_secret\": 'é'"), "\"client_secret\": '**'");
        assert_eq!(masked("token: ${env:TOKEN}"), "token: ${env:TOKEN}");
        assert_eq!(masked("{ token: abc }"), "{ token: *** }");
        assert_eq!(masked("url: http://x"), "url: http://x");
    }

    #[test]
    fn a_control_character_never_reaches_the_terminal() {
        assert_eq!(masked("a\u{1b}[31mb\u{85}\r\n\tc"), "a?[31mb?? \n\tc");
        assert_eq!(printable("a\u{1b}[31m\n"), "a?[31m\n");
    }

    #[test]
    fn a_given_range_is_hidden_without_moving_anything() {
        let text = "x: äöü\ny: 1";
        let hidden = mask(text.to_owned(), std::iter::once(3..9));
        assert_eq!(hidden, "x: ******\ny: 1");
    }
}
