//! Dates, times, timestamps, durations and intervals as JSON strings.
//!
//! | type | text |
//! |---|---|
//! | date | `2024-06-01` |
//! | timestamp | `2024-06-01T10:20:30.456Z`: always UTC; one without a zone is taken as UTC |
//! | time | `10:20:30.456` |
//! | duration | `PT1H2M3.5S`, `-PT3S` |
//! | interval | `P1Y2M3DT4H5M6S`; where signs are mixed each part has its own: `P1DT-2S` |
//!
//! A fraction has 0, 3, 6 or 9 digits, as few as hold it. Years outside 0000 to 9999 have a sign and at least six digits.
//! No zone rules are needed and none are used: Arrow keeps the moment itself.

use arrow::datatypes::{IntervalDayTime, IntervalMonthDayNano, TimeUnit};

use super::block::{self, BLOCK};
use super::digits;
use super::write::integer;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT_DAYS: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const CYCLE_DAYS: i64 = 146_097;
/// So many days from 0000-03-01 on the arithmetic of 32 bits holds.
const SHORT_DAYS: u32 = 1 << 28;
/// Years that are written with four digits.
const SHORT_YEARS: std::ops::RangeInclusive<i64> = 0..=9999;
/// When they begin, and when they are over.
const SHORT_FROM_SECONDS: i64 = -719_528 * SECONDS_PER_DAY;
const SHORT_TO_SECONDS: i64 = 2_932_897 * SECONDS_PER_DAY;

/// How many of `unit` a second has.
pub(crate) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The year, month and day of a day counted from 1970-01-01, in the Gregorian calendar carried backwards too.
fn civil(days: i64) -> (i64, u8, u8) {
    // With years that begin in March the leap day is a year's last, and months need no table.
    let shifted = days + EPOCH_SHIFT_DAYS;
    match u32::try_from(shifted) {
        Ok(shifted) if shifted < SHORT_DAYS => civil_short(shifted),
        _ => civil_long(shifted),
    }
}

/// The same counted from 0000-03-01, by Neri and Schneider's "Euclidean affine functions": few multiplications, and nothing but 32 bits.
fn civil_short(shifted: u32) -> (i64, u8, u8) {
    let quarters = 4 * shifted + 3;
    let (century, day_of_century) = (quarters / CYCLE_DAYS as u32, quarters % CYCLE_DAYS as u32 / 4);
    let product = 2_939_745 * u64::from(4 * day_of_century + 3);
    let (year_of_century, day_of_year) = ((product >> 32) as u32, product as u32 / 2_939_745 / 4);
    let month_and_day = 2_141 * day_of_year + 197_913;
    let (month, day) = (month_and_day >> 16, (month_and_day & 0xffff) / 2_141);
    let after_december = day_of_year >= 306;
    let year = 100 * century + year_of_century + u32::from(after_december);
    (year.into(), (if after_december { month - 12 } else { month }) as u8, day as u8 + 1)
}

/// The same for any number of days.
fn civil_long(shifted: i64) -> (i64, u8, u8) {
    let cycle = shifted.div_euclid(CYCLE_DAYS);
    let day = shifted.rem_euclid(CYCLE_DAYS);
    // Take out the leap days passed: one in 1460 days, save each 36524, with the cycle's very last day put back.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * cycle + year + i64::from(month <= 2), month as u8, day_of_month as u8)
}

/// `2024-06-01`, of a year of four digits.
#[inline]
fn short_date((year, month, day): (i64, u8, u8)) -> [u8; 10] {
    let digits = digits::eight(year as u64 * 10_000 + u64::from(month) * 100 + u64::from(day));
    let [y0, y1, y2, y3, m0, m1, d0, d1] = digits;
    [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1]
}

/// `2024-06-01`, without quotes.
pub(crate) fn date_text(buf: &mut Vec<u8>, days: i64) {
    let civil = civil(days);
    if SHORT_YEARS.contains(&civil.0) {
        buf.extend_from_slice(&short_date(civil));
        return;
    }
    let (year, month, day) = civil;
    buf.extend_from_slice(format!("{year:+07}-{month:02}-{day:02}").as_bytes());
}

/// As few groups of three as hold it.
#[inline]
fn fraction_digits(nanos: u32) -> usize {
    match nanos {
        0 => 0,
        _ if nanos.is_multiple_of(1_000_000) => 3,
        _ if nanos.is_multiple_of(1_000) => 6,
        _ => 9,
    }
}

/// `.456`: 3, 6 or 9 digits, or nothing at all.
pub(crate) fn fraction_text(buf: &mut Vec<u8>, nanos: u32) {
    if nanos == 0 {
        return;
    }
    let kept = fraction_digits(nanos);
    buf.push(b'.');
    buf.extend_from_slice(&digits::nine(nanos)[..kept]);
}

/// `10:20:30.456`, without quotes. Hours may pass 23.
fn clock_text(buf: &mut Vec<u8>, seconds: i64, nanos: u32) {
    let hours = seconds / 3_600;
    if hours > 99 {
        integer(buf, hours);
    } else {
        buf.extend_from_slice(&digits::two(hours as u32));
    }
    let ([a, b], [c, d]) = (digits::two((seconds / 60 % 60) as u32), digits::two((seconds % 60) as u32));
    buf.extend_from_slice(&[b':', a, b, b':', c, d]);
    fraction_text(buf, nanos);
}

/// A date, counted in days from 1970-01-01.
pub(crate) fn date(buf: &mut Vec<u8>, days: i64) {
    buf.push(b'"');
    date_text(buf, days);
    buf.push(b'"');
}

/// A date, counted in milliseconds from 1970-01-01; the time of day is left out.
pub(crate) fn date_millis(buf: &mut Vec<u8>, millis: i64) {
    date(buf, millis.div_euclid(SECONDS_PER_DAY * 1_000));
}

/// A timestamp, counted from 1970-01-01T00:00:00Z.
pub(crate) fn timestamp(buf: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    buf.push(b'"');
    timestamp_text(buf, value, unit);
    buf.push(b'"');
}

/// The same without quotes.
#[inline]
pub(crate) fn timestamp_text(buf: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    // Each with a constant of its own, for a division by what is known is none.
    let (seconds, nanos) = match unit {
        TimeUnit::Second => (value, 0),
        TimeUnit::Millisecond => (value.div_euclid(1_000), value.rem_euclid(1_000) * 1_000_000),
        TimeUnit::Microsecond => (value.div_euclid(1_000_000), value.rem_euclid(1_000_000) * 1_000),
        TimeUnit::Nanosecond => (value.div_euclid(1_000_000_000), value.rem_euclid(1_000_000_000)),
    };
    let (days, clock, nanos) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY) as u32, nanos as u32);
    let civil = civil(days);
    if !SHORT_YEARS.contains(&civil.0) {
        date_text(buf, days);
        buf.push(b'T');
        clock_text(buf, clock.into(), nanos);
        buf.push(b'Z');
        return;
    }
    // As one piece: this is what nearly all of them are.
    let [_, _, h0, h1, n0, n1, s0, s1] = digits::eight(u64::from(clock / 3_600 * 10_000 + clock / 60 % 60 * 100 + clock % 60));
    let mut text = [b'T'; BLOCK];
    text[..10].copy_from_slice(&short_date(civil));
    text[11..19].copy_from_slice(&[h0, h1, b':', n0, n1, b':', s0, s1]);
    let mut end = 19;
    if nanos > 0 {
        text[19] = b'.';
        text[20..29].copy_from_slice(&digits::nine(nanos));
        end = 20 + fraction_digits(nanos);
    }
    text[end] = b'Z';
    block::put(buf, &text, end + 1);
}

/// Are all of these moments in years of four digits?
pub(crate) fn are_short(values: &[i64], unit: TimeUnit) -> bool {
    let per_second = per_second(unit);
    let first = SHORT_FROM_SECONDS.saturating_mul(per_second);
    let last = SHORT_TO_SECONDS.checked_mul(per_second).map_or(i64::MAX, |end| end - 1);
    // All at once, so that the compiler makes vectors of it.
    values.iter().fold(true, |all, value| all && *value >= first && *value <= last)
}

fn per_second_nanos() -> i64 {
    per_second(TimeUnit::Nanosecond)
}

/// A time of day. Arrow allows none that is negative or a day long; if there is one it reads with a sign, or hours past 23.
pub(crate) fn time(buf: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    let per_second = per_second(unit);
    let magnitude = i128::from(value).abs();
    let seconds = (magnitude / i128::from(per_second)) as i64;
    let nanos = (magnitude % i128::from(per_second)) as i64 * (per_second_nanos() / per_second);
    buf.extend_from_slice(if value < 0 { b"\"-" } else { b"\"" });
    clock_text(buf, seconds, nanos as u32);
    buf.push(b'"');
}

/// A length of time.
pub(crate) fn duration(buf: &mut Vec<u8>, value: i64, unit: TimeUnit) {
    period(buf, 0, 0, i128::from(value) * (NANOS_PER_SECOND / i128::from(per_second(unit))));
}

/// An interval in months.
pub(crate) fn interval_months(buf: &mut Vec<u8>, months: i32) {
    period(buf, months.into(), 0, 0);
}

/// An interval in days and milliseconds.
pub(crate) fn interval_day_time(buf: &mut Vec<u8>, value: IntervalDayTime) {
    period(buf, 0, value.days.into(), i128::from(value.milliseconds) * 1_000_000);
}

/// An interval in months, days and nanoseconds.
pub(crate) fn interval_month_day_nano(buf: &mut Vec<u8>, value: IntervalMonthDayNano) {
    period(buf, value.months.into(), value.days.into(), value.nanoseconds.into());
}

/// ISO 8601: one sign in front if all parts agree, else one on each part. Months and days are never turned into one another.
fn period(buf: &mut Vec<u8>, months: i64, days: i64, nanos: i128) {
    let negative = [months < 0, days < 0, nanos < 0];
    let positive = [months > 0, days > 0, nanos > 0];
    let all_negative = negative.contains(&true) && !positive.contains(&true);
    let part_sign = |buf: &mut Vec<u8>, negative: bool| {
        if negative && !all_negative {
            buf.push(b'-');
        }
    };
    buf.extend_from_slice(if all_negative { b"\"-P" } else { b"\"P" });
    // No length of time has more seconds than an `i64` counts.
    let (months_abs, total_seconds) = (months.unsigned_abs(), (nanos.unsigned_abs() / 1_000_000_000) as u64);
    let parts = [(months_abs / 12, b'Y', negative[0]), (months_abs % 12, b'M', negative[0]), (days.unsigned_abs(), b'D', negative[1])];
    for (value, letter, minus) in parts.into_iter().filter(|(value, ..)| *value != 0) {
        part_sign(buf, minus);
        integer(buf, value);
        buf.push(letter);
    }
    if nanos != 0 || (months == 0 && days == 0) {
        buf.push(b'T');
        let (hours, minutes, seconds) = (total_seconds / 3_600, total_seconds / 60 % 60, total_seconds % 60);
        for (value, letter) in [(hours, b'H'), (minutes, b'M')].into_iter().filter(|(value, _)| *value != 0) {
            part_sign(buf, negative[2]);
            integer(buf, value);
            buf.push(letter);
        }
        let fraction = (nanos.unsigned_abs() % 1_000_000_000) as u32;
        if seconds != 0 || fraction != 0 || total_seconds == 0 {
            part_sign(buf, negative[2]);
            integer(buf, seconds);
            fraction_text(buf, fraction);
            buf.push(b'S');
        }
    }
    buf.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut buf = Vec::new();
        write(&mut buf);
        serde_json::from_slice(&buf).unwrap()
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_the_one_that_jiff_names() {
        let epoch = jiff::civil::date(1970, 1, 1);
        for days in -800_000..2_932_897_i64 {
            let expected = epoch + jiff::Span::new().days(days);
            let (year, month, day) = civil(days);
            assert_eq!((year, month, day), (i64::from(expected.year()), expected.month() as u8, expected.day() as u8));
        }
        // Beyond what jiff knows, the short way agrees with the long one.
        for shifted in (0..SHORT_DAYS).step_by(997).chain([SHORT_DAYS - 1]) {
            assert_eq!(civil_short(shifted), civil_long(shifted.into()), "{shifted}");
        }
    }

    #[test]
    fn moments_of_four_digit_years_are_told_from_others() {
        for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            assert!(are_short(&[0, -1, 1_717_237_230], unit));
            let short = |value: i64| text(|b| timestamp(b, value, unit)).find('-') == Some(4);
            for days in [-719_529, -719_528, -1, 2_932_896, 2_932_897] {
                let Some(edge) = i64::checked_mul(days * SECONDS_PER_DAY, per_second(unit)) else { continue };
                for value in [edge - 1, edge, edge + 1] {
                    assert_eq!(are_short(&[0, value], unit), short(value), "{value} {unit:?}");
                }
            }
            assert_eq!(are_short(&[i64::MAX], unit), short(i64::MAX));
            assert_eq!(are_short(&[i64::MIN], unit), short(i64::MIN));
        }
    }

    #[test]
    fn timestamps_are_the_moment_that_jiff_reads_in_every_unit() {
        for seconds in [0, -1, 951_782_399, 1_717_237_230, -62_135_596_800, 253_402_207_199] {
            for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
                let Some(value) = i64::checked_mul(seconds, per_second(unit)) else { continue };
                let value = if unit == TimeUnit::Second { value } else { value + 7 };
                let parsed: jiff::Timestamp = text(|b| timestamp(b, value, unit)).parse().unwrap();
                assert_eq!(parsed.as_nanosecond() * i128::from(per_second(unit)), i128::from(value) * NANOS_PER_SECOND);
            }
        }
    }

    #[test]
    fn a_fraction_has_as_few_groups_of_three_digits_as_hold_it() {
        let at = |nanos: i64| text(|b| timestamp(b, 1_717_237_230_000_000_000 + nanos, TimeUnit::Nanosecond));
        assert_eq!(at(0), "2024-06-01T10:20:30Z");
        assert_eq!(at(456_000_000), "2024-06-01T10:20:30.456Z");
        assert_eq!(at(400_000_000), "2024-06-01T10:20:30.400Z");
        assert_eq!(at(456_789_000), "2024-06-01T10:20:30.456789Z");
        assert_eq!(at(456_789_012), "2024-06-01T10:20:30.456789012Z");
        assert_eq!(at(-1), "2024-06-01T10:20:29.999999999Z");
    }

    #[test]
    fn years_beyond_four_digits_have_a_sign() {
        assert_eq!(text(|b| date(b, 2_932_896)), "9999-12-31");
        assert_eq!(text(|b| date(b, 2_932_897)), "+010000-01-01");
        assert_eq!(text(|b| date(b, -719_529)), "-000001-12-31");
        assert_eq!(text(|b| date(b, -719_528)), "0000-01-01");
        // The widest values there are do not overflow.
        assert!(text(|b| timestamp(b, i64::MAX, TimeUnit::Second)).starts_with("+292277026596-12-04T"));
        assert!(text(|b| timestamp(b, i64::MIN, TimeUnit::Second)).starts_with("-292277022657-01-27T"));
        assert_eq!(text(|b| date_millis(b, -1)), "1969-12-31");
    }

    #[test]
    fn times_durations_and_intervals_are_iso_8601() {
        assert_eq!(text(|b| time(b, 37_230, TimeUnit::Second)), "10:20:30");
        assert_eq!(text(|b| time(b, 37_230_456, TimeUnit::Millisecond)), "10:20:30.456");
        assert_eq!(text(|b| duration(b, 3_723_500, TimeUnit::Millisecond)), "PT1H2M3.500S");
        assert_eq!(text(|b| duration(b, 0, TimeUnit::Second)), "PT0S");
        assert_eq!(text(|b| duration(b, -3, TimeUnit::Second)), "-PT3S");
        assert_eq!(text(|b| duration(b, -500, TimeUnit::Millisecond)), "-PT0.500S");
        assert_eq!(text(|b| duration(b, 3_600, TimeUnit::Second)), "PT1H");
        assert_eq!(text(|b| interval_months(b, 14)), "P1Y2M");
        assert_eq!(text(|b| interval_months(b, -14)), "-P1Y2M");
        assert_eq!(text(|b| interval_months(b, 0)), "PT0S");
        assert_eq!(text(|b| interval_day_time(b, IntervalDayTime::new(1, -2_000))), "P1DT-2S");
        let mixed = IntervalMonthDayNano::new(26, 3, 14_706_000_000_001);
        assert_eq!(text(|b| interval_month_day_nano(b, mixed)), "P2Y2M3DT4H5M6.000000001S");
    }

    #[test]
    fn durations_read_back_as_the_same_length() {
        for millis in [1, 999, 1_000, 59_999, 60_000, 3_599_999, 86_400_000, -86_399_001, 123_456_789_012] {
            let span: jiff::SignedDuration = text(|b| duration(b, millis, TimeUnit::Millisecond)).parse().unwrap();
            assert_eq!(span.as_millis(), i128::from(millis));
        }
    }
}
