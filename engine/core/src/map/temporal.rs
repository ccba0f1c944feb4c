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

use super::write::integer;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT_DAYS: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const CYCLE_DAYS: i64 = 146_097;

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

fn two(value: i64) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// `2024-06-01`, without quotes.
fn date_text(buf: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        let ([a, b], [c, d]) = (two(year / 100), two(year));
        buf.extend_from_slice(&[a, b, c, d]);
    } else {
        let digits = format!("{year:+07}");
        buf.extend_from_slice(digits.as_bytes());
    }
    let ([a, b], [c, d]) = (two(i64::from(month)), two(i64::from(day)));
    buf.extend_from_slice(&[b'-', a, b, b'-', c, d]);
}

/// `.456`: 3, 6 or 9 digits, or nothing at all.
pub(crate) fn fraction_text(buf: &mut Vec<u8>, nanos: u32) {
    if nanos == 0 {
        return;
    }
    let mut digits = *b".000000000";
    let mut rest = nanos;
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let kept = if nanos.is_multiple_of(1_000_000) {
        3
    } else if nanos.is_multiple_of(1_000) {
        6
    } else {
        9
    };
    buf.extend_from_slice(&digits[..=kept]);
}

/// `10:20:30.456`, without quotes. Hours may pass 23.
fn clock_text(buf: &mut Vec<u8>, seconds: i64, nanos: u32) {
    let hours = seconds / 3_600;
    if hours > 99 {
        integer(buf, hours);
    } else {
        buf.extend_from_slice(&two(hours));
    }
    let ([a, b], [c, d]) = (two(seconds / 60 % 60), two(seconds % 60));
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
    let per_second = per_second(unit);
    let seconds = value.div_euclid(per_second);
    let nanos = value.rem_euclid(per_second) * (per_second_nanos() / per_second);
    let (days, clock) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        // As one piece: this is what nearly all of them are.
        let ([y0, y1], [y2, y3], [m0, m1], [d0, d1]) = (two(year / 100), two(year), two(month.into()), two(day.into()));
        let ([h0, h1], [n0, n1], [s0, s1]) = (two(clock / 3_600), two(clock / 60 % 60), two(clock % 60));
        let text = [b'"', y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1];
        buf.extend_from_slice(&text);
        fraction_text(buf, nanos as u32);
    } else {
        buf.push(b'"');
        date_text(buf, days);
        buf.push(b'T');
        clock_text(buf, clock, nanos as u32);
    }
    buf.extend_from_slice(b"Z\"");
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
    let (months_abs, total_seconds) = (months.unsigned_abs(), nanos.unsigned_abs() / 1_000_000_000);
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
    fn every_day_of_four_thousand_years_is_the_one_that_jiff_names() {
        let epoch = jiff::civil::date(1970, 1, 1);
        for days in -800_000..800_000_i64 {
            let expected = epoch + jiff::Span::new().days(days);
            let (year, month, day) = civil(days);
            assert_eq!((year, month, day), (i64::from(expected.year()), expected.month() as u8, expected.day() as u8));
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
