//! Text in quotes, with the escapes of JavaScript.

/// The length of the quoted text at the front, quotes included. What is not closed goes to the end.
pub(crate) fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return Some(at + 1);
        }
        escaped = c == '\\' && !escaped;
    }
    Some(text.len())
}

/// What a quoted text says.
pub(crate) fn content(quoted: &str) -> String {
    let mut chars = quoted.chars();
    // Its quotes; or the last character, if it was not closed.
    chars.next();
    chars.next_back();
    let chars: Vec<char> = chars.collect();
    let mut units: Vec<u16> = Vec::with_capacity(chars.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        let Some(&escape) = chars.get(at) else { break };
        let (code, used) = match escape {
            'b' => (8, 1),
            'f' => (12, 1),
            'n' => (10, 1),
            'r' => (13, 1),
            't' => (9, 1),
            'v' => (11, 1),
            'u' => {
                let (code, digits) = digits(&chars[at + 1..], 16, 4);
                (code, digits + 1)
            }
            '0'..='7' => digits(&chars[at..], 8, 3),
            other => {
                units.extend_from_slice(other.encode_utf16(&mut [0; 2]));
                at += 1;
                continue;
            }
        };
        units.push(code as u16);
        at += used;
    }
    String::from_utf16_lossy(&units)
}

/// The number of the first digits, at most so many, and how many there are.
fn digits(chars: &[char], radix: u32, digits_max: usize) -> (u32, usize) {
    let found: Vec<u32> = chars.iter().take(digits_max).map_while(|c| c.to_digit(radix)).collect();
    (found.iter().fold(0, |sum, digit| sum * radix + digit), found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_javascript() {
        let cases = [
            (r#""a\"b""#, "a\"b"),
            (r"'it\'s'", "it's"),
            (r#""\n\t\\\q""#, "\n\t\\q"),
            (r#""\u00e9\ud83d\ude00\u41""#, "é😀A"),
            (r#""\101\0""#, "A\0"),
            (r#""\ud83d""#, "\u{fffd}"),
            ("''", ""),
            ("\"é😀\"", "é😀"),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text), Some(text.len()), "{text}");
            assert_eq!(content(text), expected, "{text}");
        }
        assert_eq!(quoted("'a' 'b'"), Some(3));
        assert_eq!(quoted("'open"), Some(5));
        assert_eq!(content("'"), "");
        assert_eq!(quoted("a"), None);
    }
}
