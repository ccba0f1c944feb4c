//! Scalars as text: the core schema of YAML 1.2, and where a quoted one ends.

use serde_json::Number;

use crate::tree::Data;

/// What a plain scalar is.
pub(super) enum Resolved {
    Data(Data),
    Text,
    /// Infinity or not a number, which JSON does not have.
    NoJson,
}

/// A plain scalar by the core schema.
pub(super) fn resolve(value: &str) -> Resolved {
    match value {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Data(Data::Null),
        "true" | "True" | "TRUE" => return Resolved::Data(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Resolved::Data(Data::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Resolved::NoJson,
        _ => {}
    }
    if matches!(value.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF") {
        return Resolved::NoJson;
    }
    number(value).map_or(Resolved::Text, |number| Resolved::Data(Data::Number(number)))
}

/// A number of the core schema with all its digits, written as JSON writes it.
fn number(text: &str) -> Option<Number> {
    if let Some(octal) = text.strip_prefix("0o").filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())) {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    if let Some(hex) = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (mantissa, ""),
    };
    let exponent_digits = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    let well_formed = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !well_formed || exponent_digits.is_some_and(|e| e.is_empty() || !digits(e)) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let mut json = format!("{sign}{}", if whole.is_empty() { "0" } else { whole });
    // `1.` and `1.0` are written with a point, so both stay numbers with a fraction.
    if mantissa.contains('.') {
        json.push('.');
        json.push_str(if fraction.is_empty() { "0" } else { fraction });
    }
    if let Some(exponent) = exponent {
        json.push('e');
        json.push_str(exponent);
    }
    serde_json::from_str(&json).ok()
}

/// The bytes of a quoted scalar, both quotes included.
pub(super) fn quoted_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let Some(quote) = bytes.first().copied().filter(|byte| matches!(byte, b'\'' | b'"')) else { return text.trim_end().len() };
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            // A doubled single quote is one quote of the text.
            byte if *byte == quote && quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}
