//! A phone number as the digits to dial from anywhere, calling code first.
//!
//! | written | read as |
//! |---|---|
//! | `+47 912 34 567`, `0047 91234567` | international |
//! | `912 34 567`, with a calling code | national: the calling code goes in front, in place of the `0` that is dialled only at home |
//! | `4791234567` | what begins with the calling code, and is as long as a number with it, has it already |
//! | any, without a calling code | international, unless it begins with a single `0`: then nobody can tell |
//! | fewer than 7 digits, or more than 15 | no number |
//!
//! What is no number becomes nothing. An extension (`x12`, `ext. 12`, `#12`) is left out.
//!
//! Not here: whether a number exists. That takes the plans of all countries, a hundred times the size of this and as many times slower
//! than the hash; receivers compare digits, so that a number that does not exist simply meets none.

/// The fewest and the most digits of a number, calling code included: the most is E.164's.
const DIGITS_MIN: usize = 7;
const DIGITS_MAX: usize = 15;
/// Calling codes whose numbers all have so many digits, and what is dialled before them at home.
const ONE_LENGTH: [(&str, usize, &str); 13] = [
    ("1", 10, ""),
    ("7", 10, "8"),
    ("30", 10, ""),
    ("33", 9, "0"),
    ("34", 9, ""),
    ("45", 8, ""),
    ("47", 8, ""),
    ("48", 9, "0"),
    ("65", 8, ""),
    ("91", 10, "0"),
    ("351", 9, ""),
    ("420", 9, ""),
    ("852", 8, ""),
];
/// Calling codes whose numbers begin with a `0` that stays.
const KEEPS_ZERO: [&str; 6] = ["39", "225", "241", "242", "378", "379"];
/// Where no `0` tells a national number from one with its calling code, one with it has at least so many digits.
const WITH_CODE_MIN: usize = 11;

/// Appends the digits, after a `+` if wanted; nothing if it is no number.
pub(super) fn write(text: &str, calling_code: Option<&str>, plus: bool, buf: &mut Vec<u8>) {
    let before = buf.len();
    if plus {
        buf.push(b'+');
    }
    let start = buf.len();
    let international = digits(text, buf);
    let known = place_code(start, international, calling_code, buf);
    if !known || !(DIGITS_MIN..=DIGITS_MAX).contains(&(buf.len() - start)) {
        buf.truncate(before);
    }
}

/// Appends the digits, without an extension. Is there a `+` before them?
fn digits(text: &str, buf: &mut Vec<u8>) -> bool {
    let start = buf.len();
    let mut international = false;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let begun = buf.len() > start;
        match byte {
            b'0'..=b'9' => buf.push(byte),
            b'+' if !begun => international = true,
            // `+44 (0)20 …`: what is dialled at home, as a hint for those who are.
            b'(' if begun && international && bytes[at..].starts_with(b"(0)") => at += 2,
            b'#' | b';' | b',' if begun => break,
            byte if byte.is_ascii_alphabetic() && begun => break,
            _ => {}
        }
        at += 1;
    }
    international
}

/// Sees to it that the digits from `start` on begin with a calling code. False if nobody can tell which.
fn place_code(start: usize, international: bool, calling_code: Option<&str>, buf: &mut Vec<u8>) -> bool {
    if international || buf[start..].starts_with(b"00") {
        let zeros = buf[start..].iter().take_while(|digit| **digit == b'0').count();
        buf.drain(start..start + zeros);
        return true;
    }
    let Some(code) = calling_code else { return !buf[start..].starts_with(b"0") };
    let digits = &buf[start..];
    let has_code = digits.starts_with(code.as_bytes());
    if let Some((_, length, trunk)) = ONE_LENGTH.iter().find(|(known, ..)| *known == code) {
        let home = !trunk.is_empty() && digits.starts_with(trunk.as_bytes()) && digits.len() == trunk.len() + length;
        return match digits.len() {
            _ if home => put(start, trunk.len(), code, buf),
            count if count == *length => put(start, 0, code, buf),
            count => has_code && count == code.len() + length,
        };
    }
    if KEEPS_ZERO.contains(&code) {
        return (has_code && digits.len() >= WITH_CODE_MIN) || put(start, 0, code, buf);
    }
    if code == "36" && digits.starts_with(b"06") {
        return put(start, 2, code, buf);
    }
    let zero = usize::from(digits.starts_with(b"0"));
    has_code || put(start, zero, code, buf)
}

/// Puts the calling code in the place of the first digits.
fn put(start: usize, digits: usize, code: &str, buf: &mut Vec<u8>) -> bool {
    buf.splice(start..start + digits, code.bytes());
    true
}
