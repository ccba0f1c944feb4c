//! The canonical form of a value, as two 64-bit words: equal values have equal words, whatever type or encoding holds them.
//!
//! | values | are equal when | note |
//! |---|---|---|
//! | integers, decimals, floats | they are the same number | `1` = `1.0` = `1.00`; a float with a fraction equals no decimal: `0.5` in binary and `0.5` in decimal are told apart |
//! | floats | … and `-0.0` = `0.0`, every NaN = every NaN | |
//! | booleans | same | never equal to numbers |
//! | text, text in any encoding | same bytes | `Utf8`, `LargeUtf8`, `Utf8View`, dictionary, run-end; NFC and NFD differ |
//! | binary | same bytes | never equal to text |
//! | timestamps with a zone | same instant | whatever unit and zone |
//! | timestamps without a zone | same wall time | never equal to those with a zone |
//! | dates | same day | `Date32`, `Date64` |
//! | times, durations | same length | whatever unit |
//! | intervals | same months, days and nanoseconds | |
//! | structs | same members by name | a null member is as good as none |
//! | lists | same items in the same order | every list type |
//! | maps | same pairs, whatever their order | |
//! | JSON text | same content, whatever the order of keys and the white space | a null member is not the same as none |
//! | null | both null | |
//!
//! The words of nested values are made by [`super::hash`], which knows how to walk them.

/// The words of a value: what a column's salt is mixed with.
pub(super) type Words = (u64, u64);

/// Keeps values of different classes apart.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(super) enum Class {
    Null = 0x9ae1_6a3b_2f90_404f,
    Decimal = 0xc3a5_c85c_97cb_3127,
    Float = 0xb492_b66f_be98_f273,
    Boolean = 0x5851_f42d_4c95_7f2d,
    Text = 0x1405_7b7e_f767_814f,
    Binary = 0x2545_f491_4f6c_dd1d,
    Instant = 0x9e37_79b9_7f4a_7c15,
    Wall = 0xbf58_476d_1ce4_e5b9,
    Date = 0x94d0_49bb_1331_11eb,
    Time = 0xd6e8_feb8_6659_fd93,
    Duration = 0xff51_afd7_ed55_8ccd,
    Interval = 0xc4ce_b9fe_1a85_ec53,
    Struct = 0x8764_000b_58a5_1f2f,
    List = 0xe703_7ed1_a0b4_28db,
    Map = 0xa076_1d64_78bd_642f,
    Pair = 0x589a_f2d8_93c1_37e1,
}

/// Folds the 128-bit product of two words: the mixing step of everything here.
#[inline]
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

#[inline]
pub(super) fn null() -> Words {
    (Class::Null as u64, Class::Null as u64)
}

#[inline]
pub(super) fn integer(value: i64) -> Words {
    (value as u64, value as u64)
}

#[inline]
pub(super) fn boolean(value: bool) -> Words {
    (Class::Boolean as u64, u64::from(value))
}

#[inline]
pub(super) fn float(value: f64) -> Words {
    // Every float from -2^63 up to, not including, 2^63 that has no fraction is exactly an i64.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value) {
        return integer(value as i64);
    }
    let bits = if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { value.to_bits() };
    (Class::Float as u64 ^ bits, bits.rotate_left(32))
}

/// A number of at most 38 digits: `unscaled / 10^scale`.
pub(super) fn decimal(mut unscaled: i128, mut scale: i32) -> Words {
    if unscaled == 0 {
        return integer(0);
    }
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    while scale < 0 {
        match unscaled.checked_mul(10) {
            Some(larger) => (unscaled, scale) = (larger, scale + 1),
            None => break,
        }
    }
    match i64::try_from(unscaled) {
        Ok(value) if scale == 0 => integer(value),
        _ => {
            let (high, low) = ((unscaled >> 64) as u64, unscaled as u64);
            (fold(high ^ Class::Decimal as u64, scale as u64 ^ Class::Float as u64) ^ low, low.rotate_left(32) ^ high ^ scale as u64)
        }
    }
}

/// A number as JSON or a wide decimal writes it. `None` if it is not one.
pub(super) fn number_text(text: &str, bytes: impl Fn(Class, &[u8]) -> Words) -> Option<Words> {
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
        return Some(integer(0));
    }
    let trimmed = significant.trim_end_matches('0');
    let dropped = (significant.len() - trimmed.len()) as i32;
    let scale = (fraction.len() as i32).checked_sub(exponent)?.checked_sub(dropped)?;
    // 38 digits are what an i128 always holds; a number that is longer is told by its digits.
    if trimmed.len() <= 38 && scale > -38 {
        let unscaled: i128 = trimmed.parse().ok()?;
        return Some(decimal(if negative { -unscaled } else { unscaled }, scale));
    }
    let sign = if negative { "-" } else { "" };
    Some(bytes(Class::Decimal, format!("{sign}{trimmed}e{}", -i64::from(scale)).as_bytes()))
}

/// A moment or a length: seconds and nanoseconds of the second.
#[inline]
pub(super) fn moment(class: Class, seconds: i64, nanos: i64) -> Words {
    (seconds as u64 ^ class as u64, (nanos as u64) << 32 ^ seconds as u64 ^ class as u64)
}

/// A moment counted in units of which a second has `per_second`.
#[inline]
pub(super) fn ticks(class: Class, value: i64, per_second: i64) -> Words {
    moment(class, value.div_euclid(per_second), value.rem_euclid(per_second) * (1_000_000_000 / per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_form() {
        let bytes = |_: Class, _: &[u8]| (1, 2);
        let one = integer(1);
        assert_eq!(float(1.0), one);
        assert_eq!(decimal(100, 2), one);
        assert_eq!(number_text("1.00", bytes), Some(one));
        assert_eq!(number_text("0.1e1", bytes), Some(one));
        assert_eq!(decimal(1, -3), integer(1000));
        assert_eq!(number_text("1e3", bytes), Some(integer(1000)));
        assert_eq!(number_text("12.50", bytes), Some(decimal(1250, 2)));
        assert_eq!(float(-0.0), integer(0));
        assert_eq!(float(f64::NAN), float(-f64::NAN));
        assert_ne!(float(0.5), decimal(5, 1));
        assert_ne!(float(9.3e18), integer(i64::MAX));
        assert_eq!(number_text("1.", bytes), Some(one));
        assert_eq!(number_text("x", bytes), None);
    }

    #[test]
    fn a_moment_has_one_form_in_every_unit() {
        let second = ticks(Class::Instant, -1, 1);
        assert_eq!(ticks(Class::Instant, -1_000, 1_000), second);
        assert_eq!(ticks(Class::Instant, -1_000_000_000, 1_000_000_000), second);
        assert_ne!(ticks(Class::Wall, -1, 1), second);
    }
}
