//! Scalars as JSON text.
//!
//! Every function appends to a buffer and allocates nothing else. Numbers look as JavaScript prints them, save that
//! integers and decimals keep all their digits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::block::{self, BLOCK};
use super::digits;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The high bit is set in the first byte of `word` that a JSON string cannot hold as it is; zero if there is none.
/// Bytes above the first hit may be set by mistake (the subtraction borrows), bytes below it never are.
fn special_bytes(word: u64) -> u64 {
    let equal = |byte: u8| {
        let x = word ^ (ONES * u64::from(byte));
        x.wrapping_sub(ONES) & !x
    };
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | equal(b'"') | equal(b'\\')) & HIGHS
}

/// Is there a byte in `block` that a JSON string cannot hold as it is?
#[inline]
fn has_special(block: &[u8; BLOCK]) -> bool {
    // All at once, for a loop that can end early looks at one byte at a time.
    block.iter().fold(false, |special, &byte| special || byte < 0x20 || byte == b'"' || byte == b'\\')
}

/// Can all of `bytes` stand in JSON strings as they are?
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks();
    !blocks.iter().any(has_special) && plain_prefix(rest) == rest.len()
}

/// How many bytes at the front of `bytes` stand in a JSON string as they are.
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes.get(at..).and_then(<[u8]>::first_chunk).is_some_and(|block| !has_special(block)) {
        at += BLOCK;
    }
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let special = special_bytes(u64::from_le_bytes(*chunk));
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    // The end of a longer text, with bytes before it that are known to be plain.
    if let Some(chunk) = bytes.last_chunk::<8>() {
        let special = special_bytes(u64::from_le_bytes(*chunk));
        return if special == 0 { bytes.len() } else { bytes.len() - 8 + (special.trailing_zeros() / 8) as usize };
    }
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

/// The content of a JSON string, without its quotes.
pub(crate) fn escaped(buf: &mut Vec<u8>, text: &str) {
    escaped_bytes(buf, text.as_bytes());
}

/// The same of a text of which the bytes are given.
pub(crate) fn escaped_bytes(buf: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    loop {
        let plain = plain_prefix(rest);
        buf.extend_from_slice(&rest[..plain]);
        let Some(&byte) = rest.get(plain) else { return };
        match byte {
            b'"' => buf.extend_from_slice(b"\\\""),
            b'\\' => buf.extend_from_slice(b"\\\\"),
            b'\n' => buf.extend_from_slice(b"\\n"),
            b'\r' => buf.extend_from_slice(b"\\r"),
            b'\t' => buf.extend_from_slice(b"\\t"),
            0x08 => buf.extend_from_slice(b"\\b"),
            0x0c => buf.extend_from_slice(b"\\f"),
            other => {
                let (high, low) = (HEX[usize::from(other >> 4)], HEX[usize::from(other & 15)]);
                buf.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
        rest = &rest[plain + 1..];
    }
}

/// The same of a text that is the first `length` of `bytes`; what lies behind it may be anything.
#[inline]
pub(crate) fn content(buf: &mut Vec<u8>, bytes: &[u8], length: usize) {
    match block::first(bytes, length) {
        Some(block) if !has_special(block) || plain_prefix(&block[..length]) == length => block::put(buf, block, length),
        _ => escaped_bytes(buf, &bytes[..length]),
    }
}

/// A JSON string.
#[inline]
pub(crate) fn string(buf: &mut Vec<u8>, text: &str) {
    buf.push(b'"');
    escaped(buf, text);
    buf.push(b'"');
}

/// An integer, all digits.
#[inline]
pub(crate) fn integer(buf: &mut Vec<u8>, value: impl Into<i128>) {
    let value = value.into();
    if let Ok(value) = i64::try_from(value) {
        if value < 0 {
            buf.push(b'-');
        }
        digits::unsigned(buf, value.unsigned_abs());
    } else {
        buf.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// A double: the shortest text that reads back as the same number; `null` if it is not finite.
pub(crate) fn double(buf: &mut Vec<u8>, value: f64) {
    // Below 10^15 a whole number is its own shortest text. This also takes the sign from -0.
    if value.abs() < 1e15 && value.trunc().to_bits() == value.to_bits() {
        integer(buf, value as i64);
    } else if (1e-5..1e15).contains(&value.abs()) {
        // Neither whole nor with an exponent.
        buf.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_finite() {
        javascript_layout(buf, ryu::Buffer::new().format_finite(value));
    } else {
        buf.extend_from_slice(b"null");
    }
}

/// A single-precision number, by the same rules in its own precision: `0.1`, not `0.10000000149011612`.
pub(crate) fn single(buf: &mut Vec<u8>, value: f32) {
    const WHOLE_MAX: f32 = 16_777_216.0; // 2^24: above it, whole numbers have shorter texts than all their digits
    if value.abs() < WHOLE_MAX && value.trunc().to_bits() == value.to_bits() {
        integer(buf, value as i32);
    } else if value.is_finite() {
        javascript_layout(buf, ryu::Buffer::new().format_finite(value));
    } else {
        buf.extend_from_slice(b"null");
    }
}

/// Lays out a shortest text (`1.5e20`, `12.0`) as JavaScript does: an exponent only from 10^21 up and below 10^-6.
fn javascript_layout(buf: &mut Vec<u8>, text: &str) {
    let Some((mantissa, exponent)) = text.split_once('e') else {
        buf.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
        return;
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    buf.extend_from_slice(sign.as_bytes());
    if (0..21).contains(&exponent) && fraction.len() <= exponent as usize {
        buf.extend_from_slice(whole.as_bytes());
        buf.extend_from_slice(fraction.as_bytes());
        zeros(buf, exponent as usize - fraction.len());
    } else if (-6..0).contains(&exponent) {
        buf.extend_from_slice(b"0.");
        zeros(buf, exponent.unsigned_abs() as usize - 1);
        buf.extend_from_slice(whole.as_bytes());
        buf.extend_from_slice(fraction.as_bytes());
    } else {
        buf.extend_from_slice(mantissa.as_bytes());
        buf.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        integer(buf, exponent.unsigned_abs());
    }
}

/// A decimal: `value` with its point `scale` places from the right, by the rules of [`decimal`].
#[inline]
pub(crate) fn short_decimal(buf: &mut Vec<u8>, value: i128, scale: i8) {
    let places = usize::from(scale.unsigned_abs());
    match u64::try_from(value.unsigned_abs()) {
        Ok(magnitude) if (1..=digits::BEHIND_POINT_MAX).contains(&places) && scale > 0 => {
            let unit = 10_u64.pow(places as u32);
            if value < 0 {
                buf.push(b'-');
            }
            digits::unsigned(buf, magnitude / unit);
            buf.push(b'.');
            digits::behind_point(buf, magnitude % unit, places);
        }
        _ => decimal(buf, itoa::Buffer::new().format(value), scale),
    }
}

/// A decimal: `digits` (a sign is allowed) with its point `scale` places from the right. Trailing zeros are kept: they
/// are part of what the column says.
pub(crate) fn decimal(buf: &mut Vec<u8>, digits: &str, scale: i8) {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    buf.extend_from_slice(sign.as_bytes());
    let places = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        buf.extend_from_slice(digits.as_bytes());
        if digits != "0" {
            zeros(buf, places);
        }
    } else if digits.len() > places {
        let (whole, fraction) = digits.split_at(digits.len() - places);
        buf.extend_from_slice(whole.as_bytes());
        buf.push(b'.');
        buf.extend_from_slice(fraction.as_bytes());
    } else {
        buf.extend_from_slice(b"0.");
        zeros(buf, places - digits.len());
        buf.extend_from_slice(digits.as_bytes());
    }
}

/// Appends the bytes in hexadecimal, as a JSON string. Without branches or tables, so that the compiler makes vectors of it.
pub(crate) fn hexadecimal(buf: &mut Vec<u8>, bytes: &[u8]) {
    fn digit(nibble: u8) -> u8 {
        const LETTER: u8 = b'a' - b'0' - 10;
        nibble + b'0' + LETTER * u8::from(nibble > 9)
    }
    let start = buf.len() + 1;
    buf.resize(start + bytes.len() * 2 + 1, b'"');
    buf[start - 1] = b'"';
    for (pair, byte) in buf[start..].chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
}

/// Bytes as a string of padded standard base64.
pub(crate) fn base64(buf: &mut Vec<u8>, bytes: &[u8]) {
    buf.push(b'"');
    let start = buf.len();
    buf.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The space is exactly what the encoding takes, so it cannot fail; nothing would be kept if it did.
    let written = STANDARD.encode_slice(bytes, &mut buf[start..]).unwrap_or_default();
    buf.truncate(start + written);
    buf.push(b'"');
}

fn zeros(buf: &mut Vec<u8>, count: usize) {
    buf.resize(buf.len() + count, b'0');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut buf = Vec::new();
        write(&mut buf);
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_any_json_writer_does_wherever_the_odd_byte_stands() {
        for byte in 0..=0x7f_u8 {
            for before in 0..44 {
                let odd = format!("{}{}héllo wörld", "x".repeat(before), char::from(byte));
                assert_eq!(text(|b| string(b, &odd)), serde_json::to_string(&odd).unwrap(), "{byte} after {before}");
            }
        }
    }

    #[test]
    fn text_is_plain_if_nothing_in_it_is_escaped_wherever_it_stands() {
        for byte in 0..=0x7f_u8 {
            for at in 0..70 {
                let mut bytes = [b'x'; 70];
                bytes[at] = byte;
                let odd = byte < 0x20 || byte == b'"' || byte == b'\\';
                assert_eq!(is_plain(&bytes), !odd);
                assert_eq!(plain_prefix(&bytes), if odd { at } else { 70 });
            }
        }
    }

    #[test]
    fn integers_have_all_their_digits() {
        for value in [0, 7, -7, i128::from(i64::MIN), i128::from(i64::MAX), i128::from(u64::MAX), i128::MIN, i128::MAX] {
            assert_eq!(text(|b| integer(b, value)), value.to_string());
        }
    }

    #[test]
    fn doubles_are_printed_as_javascript_prints_them() {
        let cases = [
            (12.0, "12"),
            (-0.0, "0"),
            (12.5, "12.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000"),
            (1e16, "10000000000000000"),
            (1.5e20, "150000000000000000000"),
            (1e21, "1e+21"),
            (1.25e-7, "1.25e-7"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (-0.000_012_5, "-0.0000125"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|b| double(b, value)), expected);
        }
    }

    #[test]
    fn singles_keep_their_own_precision() {
        let cases = [(0.1, "0.1"), (16_777_215.0, "16777215"), (1e20, "100000000000000000000"), (1e-7, "1e-7"), (f32::INFINITY, "null")];
        for (value, expected) in cases {
            assert_eq!(text(|b| single(b, value)), expected);
        }
    }

    #[test]
    fn decimals_keep_every_digit() {
        let cases = [
            ("1250", 2, "12.50"),
            ("-5", 2, "-0.05"),
            ("-125", 0, "-125"),
            ("7", -3, "7000"),
            ("0", -3, "0"),
            ("0", 2, "0.00"),
            ("12", 2, "0.12"),
        ];
        for (digits, scale, expected) in cases {
            assert_eq!(text(|b| decimal(b, digits, scale)), expected);
            assert_eq!(text(|b| short_decimal(b, digits.parse().unwrap(), scale)), expected);
        }
        for value in [0, 1, -1, 99, -100, 12_345_678, i128::from(u64::MAX), -i128::from(u64::MAX) - 1, i128::MIN, i128::MAX] {
            for scale in -20..20 {
                assert_eq!(text(|b| short_decimal(b, value, scale)), text(|b| decimal(b, &value.to_string(), scale)), "{value} {scale}");
            }
        }
    }

    #[test]
    fn bytes_are_base64_with_padding() {
        let cases: [(&[u8], &str); 4] = [(b"", "\"\""), (b"a", "\"YQ==\""), (b"ab", "\"YWI=\""), (b"\xff\xfe\xfd", "\"//79\"")];
        for (bytes, expected) in cases {
            assert_eq!(text(|b| base64(b, bytes)), expected);
        }
    }
}
