//! Numbers: doubles, as in the reference, that keep the digits they came with until they are reckoned with.

use std::sync::Arc;

/// Whole numbers up to here are doubles of the same digits.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A number.
#[derive(Clone, Debug)]
pub struct Number {
    value: f64,
    /// As it is written, where a double would be written otherwise.
    digits: Option<Arc<str>>,
}

impl Number {
    /// The number that JSON writes so.
    pub fn written(text: &str) -> Self {
        let value = text.parse().unwrap_or(f64::NAN);
        let digits = (printed(value) != text && !text.contains(['e', 'E']) && text != "-0").then(|| text.into());
        Self { value, digits }
    }

    pub(crate) fn value(&self) -> f64 {
        self.value
    }

    /// The whole number that it is, to the last digit.
    pub(crate) fn whole(&self) -> Option<i128> {
        match &self.digits {
            Some(digits) => digits.parse().ok(),
            None => (self.value.fract() == 0.0 && self.value.abs() <= EXACT_MAX).then_some(self.value as i128),
        }
    }

    /// What `whole` makes of two whole numbers, to the last digit; what `double` makes of others.
    pub(crate) fn reckon(&self, other: &Self, whole: fn(i128, i128) -> Option<i128>, double: fn(f64, f64) -> f64) -> Self {
        let exact = self.whole().zip(other.whole()).and_then(|(one, other)| whole(one, other));
        exact.map_or_else(|| double(self.value, other.value).into(), Self::from)
    }

    /// As text.
    pub(crate) fn text(&self) -> Arc<str> {
        self.digits.clone().unwrap_or_else(|| printed(self.value).into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self { value, digits: None }
    }
}

impl From<i128> for Number {
    fn from(whole: i128) -> Self {
        let value = whole as f64;
        Self { value, digits: (value.abs() > EXACT_MAX).then(|| whole.to_string().into()) }
    }
}

#[allow(clippy::float_cmp, reason = "numbers are equal if they are one and the same double")]
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match self.whole().zip(other.whole()) {
            Some((one, other)) => one == other,
            None => self.value == other.value,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match self.whole().zip(other.whole()) {
            Some((one, other)) => Some(one.cmp(&other)),
            None => self.value.partial_cmp(&other.value),
        }
    }
}

/// As JavaScript prints it.
fn printed(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return if value.is_nan() { "NaN" } else { ["Infinity", "-Infinity"][usize::from(value < 0.0)] }.to_owned();
    }
    // The shortest digits that read back the same: `-1.25e-7`.
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = mantissa.replace('.', "");
    let point = exponent + 1;
    match usize::try_from(point) {
        Ok(point @ 1..=21) if digits.len() <= point => format!("{sign}{digits:0<point$}"),
        Ok(point @ 1..=21) => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        _ if (-5..=0).contains(&point) => format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        _ => format!("{sign}{mantissa}e{}{exponent}", if exponent < 0 { "" } else { "+" }),
    }
}

/// The number that a text says, as JavaScript reads it: NaN if it says none, 0 if nothing stands in it.
pub(crate) fn read(text: &str) -> f64 {
    let text = text.trim_matches(super::chars::is_space);
    if text.is_empty() {
        return 0.0;
    }
    let radix = |prefixes: [&str; 2], radix: u32| {
        let digits = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        let value = digits.chars().try_fold(0.0, |sum: f64, digit| Some(sum * f64::from(radix) + f64::from(digit.to_digit(radix)?)));
        Some(value.filter(|_| !digits.is_empty()).unwrap_or(f64::NAN))
    };
    if let Some(value) = radix(["0x", "0X"], 16).or_else(|| radix(["0o", "0O"], 8)).or_else(|| radix(["0b", "0B"], 2)) {
        return value;
    }
    match text.trim_start_matches(['+', '-']) {
        "Infinity" if text.len() <= "-Infinity".len() => {
            if text.starts_with('-') {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }
        }
        // Rust reads `inf` and `nan`, too.
        number if number.starts_with(|c: char| c.is_ascii_digit() || c == '.') => text.parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_javascript_prints_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (25.0, "25"),
            (-12.5, "-12.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e21, "1e+21"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1.5e300, "1.5e+300"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(printed(value), expected);
        }
    }

    #[test]
    fn digits_are_kept_and_reckoned_with_where_they_are_whole() {
        for text in ["9007199254740993", "12.10", "123456789012345678901234567890"] {
            assert_eq!(&*Number::written(text).text(), text);
        }
        assert_eq!(&*Number::written("1E2").text(), "100");
        let one = Number::from(1.0);
        let sum = Number::written("9007199254740993").reckon(&one, i128::checked_add, |a, b| a + b);
        assert_eq!(&*sum.text(), "9007199254740994");
        assert_ne!(Number::written("9007199254740993"), Number::written("9007199254740992"));
        assert_eq!(Number::written("12.10"), Number::written("12.1"));
    }

    #[test]
    fn texts_are_read_as_javascript_reads_them() {
        let cases = [
            (" 12.5\n", 12.5),
            ("", 0.0),
            ("1e3", 1000.0),
            ("0x1F", 31.0),
            ("-Infinity", f64::NEG_INFINITY),
            (".5", 0.5),
            ("5.", 5.0),
            ("+7", 7.0),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).to_bits(), f64::to_bits(expected), "{text}");
        }
        for text in ["12px", "inf", "nan", "0x", "--1", "1_000", "-"] {
            assert!(read(text).is_nan(), "{text}");
        }
    }
}
