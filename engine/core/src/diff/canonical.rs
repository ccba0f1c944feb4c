//! The canonical form of a value, as a class and two 64-bit words: equal values have equal ones, whatever type or encoding holds them.
//!
//! | values | are equal when | note |
//! |---|---|---|
//! | integers, decimals, floats | they are the same number | `1` = `1.0` = `1.00`, and the float 2⁶⁴ = the decimal 18446744073709551616; a float with a fraction equals no decimal: `0.5` in binary and `0.5` in decimal are told apart |
//! | floats | … and `-0.0` = `0.0`, every NaN = every NaN | infinities equal themselves only |
//! | booleans | same | never equal to numbers |
//! | text, text in any encoding | same bytes | `Utf8`, `LargeUtf8`, `Utf8View`, dictionary, run-end; NFC and NFD differ |
//! | binary | same bytes | never equal to text |
//! | timestamps with a zone | same instant | whatever unit and zone |
//! | timestamps without a zone | same wall time | never equal to those with a zone |
//! | dates | same day | `Date32`, `Date64`; a `Date64` with a part of a day equals no whole day |
//! | times, durations | same length | whatever unit |
//! | intervals | same months, days and nanoseconds | |
//! | structs | same members by name | a null member is as good as none |
//! | lists | same items in the same order | every list type |
//! | maps | same pairs, whatever their order | |
//! | JSON text, wherever the mark is | same content, whatever the order of keys and the white space | a null member is not the same as none; `1`, `"a"`, `true`, `null`, `[…]`, `{…}` equal the number, text, boolean, null, list, map; text that is no JSON, its bytes |
//! | null | both null | |
//!
//! The form is one to one within a class, but for bytes and nested values, whose words are keyed ([`super::mix`]).
//! Numbers are told by `(a, b)`:
//!
//! | number | a | b |
//! |---|---|---|
//! | whole, from -2⁶³ below 2⁶³ | itself | 0 |
//! | whole, from 2⁶³ below 2⁶⁴ | itself | [`LARGE`] |
//! | with at most 18 decimals and a whole part from -2⁶³ below 2⁶³ | the whole part, towards zero | the rest in units of 10⁻¹⁸, of the number's sign |
//! | float with a fraction, infinity, NaN | its bits | [`FLOAT`] |
//! | any other | its digits, as [`Class::Digits`] | |

#![allow(clippy::inline_always, reason = "a few instructions each, in loops over every value")]

/// The words of a value.
pub(super) type Words = (u64, u64);

/// Keeps values of different classes apart: each has its own salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Class {
    Number,
    Digits,
    Boolean,
    Text,
    Binary,
    Instant,
    Wall,
    Date,
    Time,
    Duration,
    Interval,
    Struct,
    List,
    Map,
}

impl Class {
    pub(super) const COUNT: usize = Self::Map as usize + 1;
}

/// Marks a float that is no decimal. Not the rest of any number: those are below 10¹⁸ either way.
const FLOAT: u64 = 1 << 62;
/// Marks a whole number that takes all 64 bits.
const LARGE: u64 = 1 << 61;
/// Decimals that words hold.
const PLACES: u32 = 18;
/// Every float from -2⁶³ up to, not including, 2⁶³ that has no fraction is exactly an i64.
const WHOLE: f64 = 9_223_372_036_854_775_808.0;

#[inline(always)]
pub(super) fn integer(value: i64) -> Words {
    (value as u64, 0)
}

#[inline(always)]
pub(super) fn unsigned(value: u64) -> Words {
    (value, (value >> 63) * LARGE)
}

/// `None`: the float is a whole number too large for words; it has digits ([`float_digits`]).
#[inline(always)]
pub(super) fn float(value: f64) -> Option<Words> {
    if value.abs() >= WHOLE && value.is_finite() {
        return None;
    }
    let whole = value as i64;
    // An infinity becomes the largest i64 above, which is another number.
    #[allow(clippy::float_cmp, reason = "equal is what is asked")]
    let is_whole = whole as f64 == value;
    let bits = if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { value.to_bits() };
    Some(if is_whole { integer(whole) } else { (bits, FLOAT) })
}

/// The number that a large float is, exactly.
#[cold]
pub(super) fn float_digits(value: f64) -> Number {
    number_text(&format!("{value:.0}")).unwrap_or(Number::Digits(String::new()))
}

/// A number in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// In words.
    Words(Words),
    /// `[-]digitsEexponent`, neither ends of the digits being zero.
    Digits(String),
}

/// The words of 64-bit decimals of one scale, without a division.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    divisor: u64,
    /// ⌊2⁶³⁺ˡ / divisor⌋ + 1, where 2ˡ is the first power of two above the divisor: `n × magic >> 63 + l` is `n / divisor` for every
    /// n below 2⁶³ (Granlund and Montgomery 1994, theorem 4.2).
    magic: u64,
    shift: u32,
    unit: u64,
}

impl Scale {
    /// For 1 to 18 decimals.
    pub(super) fn new(scale: i8) -> Option<Self> {
        let scale = u32::try_from(scale).ok().filter(|scale| (1..=PLACES).contains(scale))?;
        let divisor = 10_u64.pow(scale);
        let l = 64 - divisor.leading_zeros();
        let magic = ((1_u128 << (63 + l)) / u128::from(divisor) + 1) as u64;
        Some(Self { divisor, magic, shift: l - 1, unit: 10_u64.pow(PLACES - scale) })
    }

    /// Of every value but the least i64.
    #[inline(always)]
    pub(super) fn words(&self, value: i64) -> Words {
        let (n, sign) = (value.unsigned_abs(), (value >> 63) as u64);
        let whole = ((u128::from(n) * u128::from(self.magic)) >> 64) as u64 >> self.shift;
        let rest = n.wrapping_sub(whole.wrapping_mul(self.divisor)).wrapping_mul(self.unit);
        ((whole ^ sign).wrapping_sub(sign), (rest ^ sign).wrapping_sub(sign))
    }
}

/// The number `unscaled / 10^scale`.
pub(super) fn decimal(mut unscaled: i128, mut scale: i32) -> Number {
    if unscaled == 0 {
        return Number::Words(integer(0));
    }
    while scale > PLACES as i32 && unscaled % 10 == 0 {
        (unscaled, scale) = (unscaled / 10, scale - 1);
    }
    while scale < 0 {
        match unscaled.checked_mul(10) {
            Some(larger) => (unscaled, scale) = (larger, scale + 1),
            None => break,
        }
    }
    if let Some(places) = u32::try_from(scale).ok().filter(|scale| *scale <= PLACES) {
        let divisor = 10_i128.pow(places);
        let (whole, rest) = (unscaled / divisor, unscaled % divisor);
        if let Ok(whole) = i64::try_from(whole) {
            return Number::Words((whole as u64, (rest * 10_i128.pow(PLACES - places)) as u64));
        }
        if let (Ok(whole), 0) = (u64::try_from(whole), rest) {
            return Number::Words(unsigned(whole));
        }
    }
    while unscaled % 10 == 0 {
        (unscaled, scale) = (unscaled / 10, scale - 1);
    }
    Number::Digits(format!("{unscaled}e{}", -i64::from(scale)))
}

/// A number as JSON or a wide decimal writes it. `None` if it is not one.
pub(super) fn number_text(text: &str) -> Option<Number> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return Some(Number::Words(integer(0)));
    }
    let trimmed = significant.trim_end_matches('0');
    let dropped = (significant.len() - trimmed.len()) as i32;
    let scale = (fraction.len() as i32).checked_sub(exponent)?.checked_sub(dropped)?;
    // 38 digits are what an i128 always holds; a number that is longer has no words.
    if trimmed.len() <= 38 {
        let unscaled: i128 = trimmed.parse().ok()?;
        return Some(decimal(if negative { -unscaled } else { unscaled }, scale));
    }
    let sign = if negative { "-" } else { "" };
    Some(Number::Digits(format!("{sign}{trimmed}e{}", -i64::from(scale))))
}

/// A moment or a length in units of `NANOS` nanoseconds: its 128-bit count of nanoseconds, whose upper half is given as what it differs by
/// from the sign of the lower one: by nothing from 1677 to 2262.
#[inline(always)]
pub(super) fn ticks<const NANOS: i64>(value: i64) -> Words {
    let nanos = i128::from(value) * i128::from(NANOS);
    let low = nanos as i64;
    (low as u64, ((nanos >> 64) as i64 ^ (low >> 63)) as u64)
}

#[inline]
pub(super) fn interval(months: i32, days: i32, nanos: i64) -> Words {
    ((u64::from(months as u32) << 32) | u64::from(days as u32), nanos as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(words: Words) -> Number {
        Number::Words(words)
    }

    #[test]
    fn one_number_has_one_form() {
        let one = integer(1);
        assert_eq!(float(1.0), Some(one));
        assert_eq!(decimal(100, 2), words(one));
        assert_eq!(number_text("1.00"), Some(words(one)));
        assert_eq!(number_text("0.1e1"), Some(words(one)));
        assert_eq!(number_text("1."), Some(words(one)));
        assert_eq!(number_text("x"), None);
        assert_eq!(decimal(1, -3), words(integer(1000)));
        assert_eq!(number_text("1e3"), Some(words(integer(1000))));
        assert_eq!(number_text("12.50"), Some(decimal(1250, 2)));
        assert_eq!(number_text("1e300"), Some(Number::Digits("1e300".to_owned())));
        assert_eq!(decimal(10_i128.pow(38), -262), Number::Digits("1e300".to_owned()));
        assert_eq!(float(-0.0), Some(integer(0)));
        assert_eq!(float(f64::NAN), float(-f64::NAN));
        assert_ne!(words(float(0.5).unwrap()), decimal(5, 1));
        assert_ne!(float(f64::INFINITY), Some(integer(i64::MAX)));
    }

    #[test]
    fn a_large_float_is_the_number_that_it_is() {
        for power in [63, 64, 100, 120] {
            assert_eq!(float(2_f64.powi(power)), None);
            assert_eq!(float_digits(2_f64.powi(power)), decimal(1_i128 << power, 0));
            assert_eq!(float_digits(-2_f64.powi(power)), decimal(-(1_i128 << power), 0));
        }
        assert_eq!(float_digits(-WHOLE), words(integer(i64::MIN)));
        assert_eq!(float_digits(WHOLE), words(unsigned(1 << 63)));
        assert_ne!(float_digits(1e300), number_text("1e300").unwrap(), "the float is not that power of ten");
        assert!(matches!(float_digits(f64::MAX), Number::Digits(digits) if digits.len() > 300));
    }

    #[test]
    fn every_power_of_ten_divides_right_at_its_borders() {
        for scale in 1..=18 {
            let (by, divisor) = (Scale::new(scale).unwrap(), 10_i64.pow(scale as u32));
            for whole in [0, 1, 2, 9, 10, i64::MAX / divisor] {
                for n in (-2..=2).filter_map(|rest| whole.checked_mul(divisor)?.checked_add(rest)).chain([i64::MAX, i64::MAX - 1]) {
                    assert_eq!(words(by.words(n)), decimal(n.into(), scale.into()), "{n} / {divisor}");
                    assert_eq!(words(by.words(-n)), decimal((-n).into(), scale.into()), "-{n} / {divisor}");
                }
            }
        }
        assert!(Scale::new(0).is_none() && Scale::new(19).is_none() && Scale::new(-1).is_none());
    }

    #[test]
    fn a_moment_has_one_form_in_every_unit() {
        for second in [-1, 0, 1, 1_700_000_000, -9_300_000_000, 9_223_372_036, 9_223_372_037] {
            let expected = ticks::<1_000_000_000>(second);
            assert_eq!(ticks::<1_000_000>(second * 1_000), expected);
            assert_eq!(ticks::<1_000>(second * 1_000_000), expected);
            if let Some(nanos) = second.checked_mul(1_000_000_000) {
                assert_eq!(ticks::<1>(nanos), expected);
                assert_eq!(expected, integer(nanos));
            }
        }
        // The same lower half, another upper one.
        let wrapped = 1_i128 << 64;
        assert_eq!((wrapped % 1_000_000_000, ticks::<1_000_000_000>(i64::MAX).1 == 0), (709_551_616, false));
    }

    proptest! {
        #[test]
        fn division_by_multiplication_is_division(value in any::<i64>(), scale in 1_i8..=18) {
            prop_assume!(value != i64::MIN);
            prop_assert_eq!(words(Scale::new(scale).unwrap().words(value)), decimal(value.into(), scale.into()));
        }

        #[test]
        fn decimals_are_equal_just_if_they_are_the_same_number(a in any::<i128>(), b in any::<i128>(), s in 0_i32..38, shift in 0_u32..127) {
            let (a, b) = (a >> shift, b >> shift);
            prop_assert_eq!(decimal(a, s) == decimal(b, s), a == b);
            if let Some(tenfold) = a.checked_mul(10) {
                prop_assert_eq!(decimal(tenfold, s + 1), decimal(a, s));
            }
            prop_assert_eq!(number_text(&format!("{a}e{}", -s)), Some(decimal(a, s)));
        }

        #[test]
        fn ticks_lose_nothing(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(ticks::<1_000>(a) == ticks::<1_000>(b), a == b);
            prop_assert_eq!(ticks::<1_000_000_000>(a) == ticks::<1_000_000>(b), i128::from(a) * 1_000 == i128::from(b));
        }
    }
}
