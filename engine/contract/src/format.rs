//! The forms that the text of a field may have to have: those of JSON Schema that destinations ask for, as strictly as `ajv-formats`
//! reads them in its full mode, which is what the reference does.
//!
//! Nothing is trimmed, and nothing beyond ASCII is in any of them: ` a@b.example` and `zoë@b.example` are no e-mail addresses.

use std::net::Ipv4Addr;

use serde::Serialize;

/// A form of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An e-mail address.
    Email,
    /// A URI with its scheme.
    Uri,
    /// A day: `2024-06-15`.
    Date,
    /// A moment with its zone: `2024-06-15T12:00:00Z`.
    DateTime,
    /// A UUID.
    Uuid,
    /// Four numbers with dots between them.
    Ipv4,
}

impl Format {
    /// What a text of this form is, for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Uri => "a URI with its scheme",
            Self::Date => "a day such as 2024-06-15",
            Self::DateTime => "a moment with its zone such as 2024-06-15T12:00:00Z",
            Self::Uuid => "a UUID",
            Self::Ipv4 => "an IPv4 address",
        }
    }

    /// Has the text this form?
    pub fn fits(self, text: &str) -> bool {
        match self {
            Self::Email => is_email(text),
            Self::Uri => is_uri(text),
            Self::Date => is_date(text),
            Self::DateTime => is_date_time(text),
            Self::Uuid => is_uuid(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
        }
    }
}

fn is_email(text: &str) -> bool {
    let local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let label = |label: &str| {
        let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let Some((name, host)) = text.split_once('@') else { return false };
    name.split('.').all(|atom| !atom.is_empty() && atom.chars().all(local)) && host.contains('.') && host.split('.').all(label)
}

fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(named) {
        return false;
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !(is_uri_text(fragment, ":@/?") && is_uri_text(query, ":@/?")) {
        return false;
    }
    match hierarchy.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            is_authority(authority) && is_uri_text(path, ":@/")
        }
        None => !hierarchy.is_empty() && is_uri_text(hierarchy, ":@/"),
    }
}

/// `user@host:80`, each part of which may be left out.
fn is_authority(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').unwrap_or(("", text));
    let (host, port) = match host.strip_prefix('[') {
        Some(inner) => {
            let Some((address, port)) = inner.split_once(']') else { return false };
            let future = address.starts_with(['v', 'V']) && address.contains('.') && is_uri_text(address, ":");
            if !(future || address.parse::<std::net::Ipv6Addr>().is_ok()) {
                return false;
            }
            ("", port.strip_prefix(':').unwrap_or(port))
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    is_uri_text(user, ":") && is_uri_text(host, "") && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Nothing but what stands in a URI as it is, `%41`, and the characters of `more`.
fn is_uri_text(text: &str, more: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c) || more.contains(c);
    let mut pieces = text.split('%');
    let escaped = |piece: &str| match piece.as_bytes() {
        [a, b, ..] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit() && piece[2..].chars().all(plain),
        _ => false,
    };
    pieces.next().is_none_or(|first| first.chars().all(plain)) && pieces.all(escaped)
}

/// The number that exactly `digits` digits are.
fn number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(|c: char| matches!(c, 't' | 'T') || c.is_whitespace()) else { return false };
    is_date(date) && is_zoned_time(time)
}

/// `12:00:00.5Z`, `12:00:00+02:00`, `12:00:00-0330`, `12:00:00+02`. A second of 60 is one that was put in, at the end of a day in UTC.
fn is_zoned_time(text: &str) -> bool {
    let Some(at) = text.find(['z', 'Z', '+', '-']) else { return false };
    let (clock, zone) = text.split_at(at);
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else { return false };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let (Some(hour), Some(minute), Some(second)) = (number(hour, 2), number(minute, 2), number(second, 2)) else { return false };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) || hour > 23 || minute > 59 {
        return false;
    }
    let Some(offset) = offset_minutes(zone) else { return false };
    let in_utc = (i64::from(hour) * 60 + i64::from(minute) - offset).rem_euclid(24 * 60);
    second < 60 || (second == 60 && in_utc == 24 * 60 - 1)
}

/// The minutes that a zone is ahead of UTC.
fn offset_minutes(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, zone) = zone.strip_prefix('+').map(|zone| (1, zone)).or_else(|| zone.strip_prefix('-').map(|zone| (-1, zone)))?;
    let (hours, minutes) = zone.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { Some(0) } else { number(minutes.strip_prefix(':').unwrap_or(minutes), 2) };
    let (hours, minutes) = (number(hours, 2)?, minutes?);
    (hours <= 23 && minutes <= 59).then(|| sign * i64::from(hours * 60 + minutes))
}

fn is_uuid(text: &str) -> bool {
    let prefix = text.get(..9).filter(|prefix| prefix.eq_ignore_ascii_case("urn:uuid:"));
    let parts: Vec<&str> = text[prefix.map_or(0, str::len)..].split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: Format, fitting: &[&str], others: &[&str]) {
        for text in fitting {
            assert!(format.fits(text), "{text:?} is {}", format.words());
        }
        for text in others {
            assert!(!format.fits(text), "{text:?} is not {}", format.words());
        }
    }

    #[test]
    fn addresses_are_those_of_plain_hosts() {
        check(
            Format::Email,
            &["Jane@Example.com", "a.b+c@x-y.co", "a@1.2"],
            &[
                "", "a", "@b.c", "a@b", ".a@b.c", "a.@b.c", "a..b@c.d", "a@-b.c", "a@b-.c", "a@b.c.", "zoë@b.c", " a@b.c", "a@b@c.d",
                "a b@c.d",
            ],
        );
        check(Format::Ipv4, &["10.0.0.1", "255.255.255.255"], &["", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ", "1.5"]);
    }

    #[test]
    fn a_uri_has_a_scheme_and_something_behind_it() {
        check(
            Format::Uri,
            &[
                "https://example.com/a?b=c",
                "mailto:a@b.c",
                "urn:isbn:1",
                "a:/b",
                "file:///x",
                "http://u:p@h:80/%41#f",
                "http://[::1]:8/",
                "HTTP://H",
            ],
            &[
                "",
                "abc",
                "example.com",
                "1a:b",
                "a:",
                "http://a b",
                "http://ü",
                "http://h:x",
                "http://[::1",
                "a:b%4",
                "a:b%zz",
                "10.0.0.1",
                "a:b#c#d",
            ],
        );
    }

    #[test]
    fn days_and_moments_are_those_of_the_calendar() {
        check(
            Format::Date,
            &["2024-06-15", "2024-02-29"],
            &["", "2023-02-29", "2024-13-01", "2024-6-15", "2024-06-15 ", "2024-06-15T00:00:00Z"],
        );
        check(
            Format::DateTime,
            &[
                "2024-06-15T12:00:00Z",
                "2024-06-15 12:00:00.5+02:00",
                "2024-06-15t12:00:00z",
                "2024-06-15T12:00:00-0330",
                "2016-12-31T23:59:60Z",
            ],
            &[
                "2024-06-15",
                "2024-06-15T12:00:00",
                "2024-06-15T12:00Z",
                "2024-02-30T12:00:00Z",
                "2024-06-15T24:00:00Z",
                "2024-06-15T12:00:60Z",
            ],
        );
        check(
            Format::Uuid,
            &["123e4567-e89b-42d3-a456-426614174000", "urn:uuid:123E4567-e89b-42d3-a456-426614174000"],
            &["", "123e4567e89b42d3a456426614174000", "123e4567-e89b-42d3-a456-42661417400g", "x23e4567-e89b-42d3-a456-4266141740"],
        );
    }
}
