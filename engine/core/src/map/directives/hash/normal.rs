//! What becomes of a text before it is hashed.
//!
//! Nearly all texts are ASCII: those are copied whole and put in lower case where they stand. The others go character by character, by
//! Unicode's rules and no language's own.
//!
//! Everything works on the end of the buffer: what is appended is the text to be hashed, and nothing at all if none is left.

use memchr::{memchr, memrchr};
use outflow_contract::expr::{Hashing, Normal};

use super::super::scalar::is_space;
use super::{phone, places};

/// Domains of Google's mail, where dots do not count.
const GOOGLE: [&[u8]; 2] = [b"gmail.com", b"googlemail.com"];

/// Appends the text as it is to be hashed.
pub(super) fn write(options: &Hashing, text: &str, buf: &mut Vec<u8>) {
    let start = buf.len();
    let calling_code = options.calling_code.as_deref();
    match options.normal {
        Normal::AsIs => buf.extend_from_slice(text.as_bytes()),
        Normal::Packed => packed(text, buf),
        Normal::Words => lower(text.trim_matches(is_space), is_punctuation, buf),
        Normal::Ascii => {
            buf.extend(text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()));
        }
        Normal::EmailGoogle => email(text, &GOOGLE, false, buf),
        Normal::EmailUid2 => email(text, &GOOGLE[..1], true, buf),
        Normal::EmailCanonical => email(text, &[], true, buf),
        Normal::PhoneE164 => phone::write(text, calling_code, true, buf),
        Normal::PhoneDigits => phone::write(text, calling_code, false, buf),
        Normal::State => {
            packed(text, buf);
            become_code(start, places::state, buf);
        }
        Normal::Country => country(text, buf),
        Normal::ZipShort => packed(text.split('-').next().unwrap_or_default(), buf),
        Normal::DateOfBirth => buf.extend(date_of_birth(text).into_iter().flatten()),
        Normal::Gender => {
            packed(text, buf);
            let letter: &[u8] = match &buf[start..] {
                b"m" | b"male" | b"man" | b"boy" => b"m",
                b"f" | b"female" | b"woman" | b"girl" => b"f",
                _ => b"",
            };
            buf.truncate(start);
            buf.extend_from_slice(letter);
        }
    }
}

/// Without any whitespace, in lower case.
fn packed(text: &str, buf: &mut Vec<u8>) {
    // All at once, for a loop that can end early looks at one byte at a time.
    let odd = text.bytes().fold(false, |odd, byte| odd || (byte <= b' ') || (byte >= 0x80));
    if odd {
        lower(text, is_space, buf);
    } else {
        let start = buf.len();
        buf.extend_from_slice(text.as_bytes());
        buf[start..].make_ascii_lowercase();
    }
}

/// In lower case, without the characters that `drop` takes.
fn lower(text: &str, drop: impl Fn(char) -> bool, buf: &mut Vec<u8>) {
    if text.is_ascii() {
        buf.extend(text.bytes().filter(|byte| !drop(char::from(*byte))).map(|byte| byte.to_ascii_lowercase()));
        return;
    }
    let kept = text.chars().filter(|c| !drop(*c));
    // The one letter whose lower case hangs on where it stands.
    if text.contains('Σ') {
        buf.extend_from_slice(kept.collect::<String>().to_lowercase().as_bytes());
        return;
    }
    let mut bytes = [0; 4];
    for c in kept.flat_map(char::to_lowercase) {
        buf.extend_from_slice(c.encode_utf8(&mut bytes).as_bytes());
    }
}

/// An e-mail address, packed and in lower case, with the part before the `@` shortened: without dots, and with `tags` without what
/// follows a `+`. At these domains only; anywhere if there are none.
fn email(text: &str, domains: &[&[u8]], tags: bool, buf: &mut Vec<u8>) {
    let start = buf.len();
    packed(text, buf);
    let Some(at) = memrchr(b'@', &buf[start..]).map(|at| start + at) else { return };
    if !domains.is_empty() && !domains.contains(&&buf[at + 1..]) {
        return;
    }
    let end = memchr(b'+', &buf[start..at]).filter(|_| tags).map_or(at, |plus| start + plus);
    let mut to = start;
    for from in start..end {
        if buf[from] != b'.' {
            buf[to] = buf[from];
            to += 1;
        }
    }
    buf.copy_within(at.., to);
    buf.truncate(buf.len() - (at - to));
}

/// The two letters of a country; nothing if there is none of that name.
fn country(text: &str, buf: &mut Vec<u8>) {
    let start = buf.len();
    lower(text, |c| !c.is_alphanumeric(), buf);
    become_code(start, places::country, buf);
    let is_code = matches!(&buf[start..], [a, b] if a.is_ascii_lowercase() && b.is_ascii_lowercase());
    if !is_code {
        buf.truncate(start);
    }
}

/// What the buffer holds from `start` on, as the code that `code` knows for it, if it knows one.
fn become_code(start: usize, code: fn(&str) -> Option<&'static str>, buf: &mut Vec<u8>) {
    if let Some(code) = std::str::from_utf8(&buf[start..]).ok().and_then(code) {
        buf.truncate(start);
        buf.extend_from_slice(code.as_bytes());
    }
}

/// `19850412`, of a day that begins with its year: `1985-04-12`, `1985/04/12T00:00:00Z`, `19850412`.
fn date_of_birth(text: &str) -> Option<[u8; 8]> {
    let (digits, rest) = match *text.trim_matches(is_space).as_bytes() {
        [a, b, c, d, one @ (b'-' | b'/' | b'.'), m1, m2, two, d1, d2, ref rest @ ..] if one == two => ([a, b, c, d, m1, m2, d1, d2], rest),
        [a, b, c, d, m1, m2, d1, d2, ref rest @ ..] => ([a, b, c, d, m1, m2, d1, d2], rest),
        _ => return None,
    };
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(rest, [] | [b'T' | b't' | b' ', ..]) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits[range].iter().fold(0_i16, |number, digit| number * 10 + i16::from(digit - b'0'));
    jiff::civil::Date::new(number(0..4), number(4..6) as i8, number(6..8) as i8).ok().map(|_| digits)
}

/// Is it punctuation, in the scripts that are in general use? Symbols, such as `+` and `$`, are none.
fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !"$+<=>^`|~".contains(c);
    }
    matches!(c,
        '¡' | '§' | '«' | '¶' | '·' | '»' | '¿'
        | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{2043}' | '\u{2045}'..='\u{2051}' | '\u{2053}'..='\u{205e}'
        | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{30fb}'
        | '\u{55a}'..='\u{55f}' | '\u{589}' | '\u{58a}' | '\u{5be}' | '\u{5f3}' | '\u{5f4}'
        | '\u{60c}' | '\u{61b}' | '\u{61f}' | '\u{66a}'..='\u{66d}' | '\u{6d4}' | '\u{964}' | '\u{965}'
    )
}
