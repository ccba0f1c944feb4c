//! Can a text be read as a moment? Asked of values for fields that hold one, which keep the text as it is.
//!
//! ISO 8601 is told byte by byte, for nearly all moments come so; other usual forms are tried after it. A number in text is a
//! moment, too: seconds or milliseconds, as the receiver will have it.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::fmt::strtime::BrokenDownTime;

/// Forms besides ISO 8601 and RFC 2822 that are read everywhere.
const FORMS: [&str; 13] = [
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%a %b %d %Y",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d %I:%M:%S %p",
];

/// Does the text name a moment or a day?
pub(crate) fn is_moment(text: &str) -> bool {
    is_iso(text.as_bytes()) || is_number(text.trim()) || is_other(text.trim())
}

/// `2024-06-01`, `2024-06-01T10:20`, `2024-06-01 10:20:30.5+02:00` and the like.
fn is_iso(text: &[u8]) -> bool {
    let Some((date, time)) = text.split_at_checked(10) else { return false };
    let &[a, b, c, d, b'-', m1, m2, b'-', d1, d2] = date else { return false };
    let (Some(century), Some(year), Some(month), Some(day)) = (two(a, b), two(c, d), two(m1, m2), two(d1, d2)) else { return false };
    let days = match month {
        2 if is_leap(u32::from(century) * 100 + u32::from(year)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    if !(1..=days).contains(&day) {
        return false;
    }
    match time {
        [] => true,
        [b'T' | b't' | b' ', time @ ..] => is_time(time),
        _ => false,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// `10:20`, `10:20:30`, `10:20:30.456`, each with a zone or without.
fn is_time(text: &[u8]) -> bool {
    let &[h1, h2, b':', m1, m2, ref rest @ ..] = text else { return false };
    if !(below(h1, h2, 24) && below(m1, m2, 60)) {
        return false;
    }
    let &[b':', s1, s2, ref rest @ ..] = rest else { return is_zone(rest) };
    if !below(s1, s2, 60) {
        return false;
    }
    let [b'.' | b',', fraction @ ..] = rest else { return is_zone(rest) };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && is_zone(&fraction[digits..])
}

/// Nothing, `Z`, `+02:00`, `+0200`, `+02`.
fn is_zone(text: &[u8]) -> bool {
    match *text {
        [] | [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2] => below(h1, h2, 24),
        [b'+' | b'-', h1, h2, m1, m2] | [b'+' | b'-', h1, h2, b':', m1, m2] => below(h1, h2, 24) && below(m1, m2, 60),
        _ => false,
    }
}

fn two(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

fn below(tens: u8, ones: u8, limit: u8) -> bool {
    two(tens, ones).is_some_and(|number| number < limit)
}

/// `42`, `-7`, `1.5`.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_prefix('-').unwrap_or(text);
    number.split_once('.').map_or_else(|| digits(number), |(whole, fraction)| digits(whole) && digits(fraction))
}

#[cold]
fn is_other(text: &str) -> bool {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    // Longer than any of the forms: not worth the tries.
    if text.len() > 64 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let formed = |form: &str| BrokenDownTime::parse(form, text).is_ok_and(|parsed| parsed.to_date().is_ok());
    is_iso(text.as_bytes()) || text.parse::<DateTime>().is_ok() || rfc2822::parse(text).is_ok() || FORMS.iter().any(|form| formed(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_and_programs_write_for_a_moment_is_one() {
        for text in [
            "2024-06-15",
            "2024-06-15T12:00:00.000Z",
            "2024-06-15T12:00Z",
            "2024-06-15T12",
            "2024-06-15 12:00:00",
            "2024-06-15 12:00:00.123456+02",
            "2024-02-29t23:59:59-0330",
            "2024-06-15 12:00:00 UTC",
            "2024/06/15",
            "06/15/2024 10:00",
            "June 15, 2024",
            "15 Jun 2024",
            "Sat, 15 Jun 2024 12:00:00 GMT",
            "20240615",
            " 1718445600 ",
            "1718445600.5",
            "-7",
        ] {
            assert!(is_moment(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_day_of_any_calendar_is_no_moment() {
        for text in [
            "",
            " ",
            "abc",
            "true",
            "not a date",
            "2024-02-30T25:00:00Z",
            "2023-02-29",
            "2024-13-01",
            "2024-06-15T",
            "2024-06-15T12:00:00.",
            "2024-06-15X12:00",
            "2024-06-15T12:60",
            "10.0.0.1",
            "1e3",
            "123e4567-e89b-42d3-a456-426614174000",
            "jane@example.com",
            "https://example.com/a?b=c",
            "١٢",
        ] {
            assert!(!is_moment(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in ".*", near in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+Z-]{0,12}") {
            is_moment(&text);
            is_moment(&near);
        }
    }
}
