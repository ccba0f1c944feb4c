//! `@date` and `@now`: a moment in another form.
//!
//! ```text
//! text or number ── from ──► moment ── to ──► text or number
//!                    └ zone: where it says none ┘ └ zone: where it is written
//! ```
//!
//! A day is the moment at which it begins in the zone. A time that a zone skips or has twice is the one that its clocks show first
//! after it, as RFC 5545 has it. Blank text is missing; what cannot be read fails the record.
//!
//! The rules of the zones are the system's, and those that are built in where the system has none.

use arrow::datatypes::{DataType, TimeUnit};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use outflow_contract::expr::{Dating, Form};
use outflow_contract::{Error, Result};

use super::super::bind::Bound;
use super::super::call::Work;
use super::super::output::Output;
use super::super::types::{Told, UTC};
use super::super::{temporal, write};
use super::scalar::{Taker, is_space};

const PARSER: DateTimeParser = DateTimeParser::new();
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
/// The most digits of a number of seconds or milliseconds: enough for every moment of the calendar, to the nanosecond.
const DIGITS_MAX: usize = 40;

/// The directive.
#[derive(Debug)]
pub(crate) struct Date {
    taker: Taker,
    from: Form,
    writer: Writer,
}

/// How a moment is written.
#[derive(Debug)]
pub(crate) struct Writer {
    to: Form,
    /// `None` is UTC.
    zone: Option<TimeZone>,
}

impl Date {
    pub(crate) fn new(options: &Dating, place: &str) -> Result<Self> {
        let takes = match options.from {
            Form::Iso => "text in ISO 8601",
            Form::Unix => "a number of seconds since 1970",
            Form::UnixMillis => "a number of milliseconds since 1970",
            Form::Date => "text that is a day, YYYY-MM-DD",
            Form::Pattern(_) => "text of the form that `from` says",
        };
        let writer = Writer::new(&options.to, options.zone.as_deref())?;
        Ok(Self { taker: Taker::new("@date", takes, place), from: options.from.clone(), writer })
    }

    fn read(&self, text: &str, is_text: bool) -> Option<Timestamp> {
        match &self.from {
            Form::Unix => number(text, NANOS_PER_SECOND),
            Form::UnixMillis => number(text, NANOS_PER_MILLI),
            _ if !is_text => None,
            Form::Iso => self.iso(text),
            Form::Date => {
                let date = PARSER.parse_date(text).ok().filter(|_| text.len() == "YYYY-MM-DD".len())?;
                self.writer.moment(date.at(0, 0, 0, 0))
            }
            Form::Pattern(pattern) => self.pattern(pattern, text),
        }
    }

    fn iso(&self, text: &str) -> Option<Timestamp> {
        if text.ends_with(']') {
            return PARSER.parse_zoned(text).ok().map(|zoned| zoned.timestamp());
        }
        let is_day = text.len() == "YYYY-MM-DD".len();
        let with_offset = if is_day { None } else { PARSER.parse_timestamp(text).ok() };
        with_offset.or_else(|| self.writer.moment(PARSER.parse_datetime(text).ok()?))
    }

    fn pattern(&self, pattern: &str, text: &str) -> Option<Timestamp> {
        let parts = BrokenDownTime::parse(pattern, text).ok()?;
        if let Some(moment) = parts.timestamp() {
            return Some(moment);
        }
        if parts.offset().is_some() {
            return parts.to_timestamp().ok();
        }
        if parts.iana_time_zone().is_some() {
            return parts.to_zoned().ok().map(|zoned| zoned.timestamp());
        }
        self.writer.moment(parts.to_datetime().ok()?)
    }
}

impl Writer {
    pub(crate) fn new(to: &Form, zone: Option<&str>) -> Result<Self> {
        let zone = zone.filter(|name| !name.eq_ignore_ascii_case("utc")).map(|name| {
            TimeZone::get(name).map_err(|error| Error::invalid(format!("`{name}` is not the name of a time zone")).caused_by(error))
        });
        Ok(Self { to: to.clone(), zone: zone.transpose()? })
    }

    /// The moment of a time of day in the zone.
    fn moment(&self, civil: jiff::civil::DateTime) -> Option<Timestamp> {
        self.zone.as_ref().unwrap_or(&TimeZone::UTC).to_timestamp(civil).ok()
    }

    fn zoned(&self, moment: Timestamp) -> Zoned {
        moment.to_zoned(self.zone.clone().unwrap_or(TimeZone::UTC))
    }

    /// Appends the moment as JSON. `None` if it cannot be written so.
    pub(crate) fn write(&self, moment: Timestamp, buf: &mut Vec<u8>) -> Option<()> {
        let nanos = moment.as_nanosecond();
        match (&self.to, &self.zone) {
            (Form::Unix, _) => write::integer(buf, nanos.div_euclid(NANOS_PER_SECOND)),
            (Form::UnixMillis, _) => write::integer(buf, nanos.div_euclid(NANOS_PER_MILLI)),
            (Form::Iso, None) => match i64::try_from(nanos) {
                Ok(nanos) => temporal::timestamp(buf, nanos, TimeUnit::Nanosecond),
                Err(_) => temporal::timestamp(buf, moment.as_microsecond(), TimeUnit::Microsecond),
            },
            (Form::Iso, Some(_)) => {
                let parts = BrokenDownTime::from(&self.zoned(moment));
                buf.push(b'"');
                parts.format("%Y-%m-%dT%H:%M:%S", &mut *buf).ok()?;
                temporal::fraction_text(buf, nanos.rem_euclid(NANOS_PER_SECOND) as u32);
                parts.format("%:z\"", buf).ok()?;
            }
            (Form::Date, _) => BrokenDownTime::from(&self.zoned(moment)).format("\"%Y-%m-%d\"", buf).ok()?,
            (Form::Pattern(pattern), _) => {
                let mut text = String::new();
                BrokenDownTime::from(&self.zoned(moment)).format(pattern, &mut text).ok()?;
                write::string(buf, &text);
            }
        }
        Some(())
    }

    /// The type of what is written.
    pub(crate) fn told(&self) -> Told {
        match self.to {
            Form::Iso => Told::Is(DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))),
            Form::Unix | Form::UnixMillis => Told::Is(DataType::Int64),
            Form::Date => Told::Is(DataType::Date32),
            Form::Pattern(_) => Told::text(),
        }
    }
}

/// The moment so many units since 1970: `1717237230`, `1717237230.5`.
fn number(text: &str, unit_nanos: i128) -> Option<Timestamp> {
    let (minus, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || digits.len() > DIGITS_MAX || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let mut nanos = whole.parse::<i128>().ok()?.checked_mul(unit_nanos)?;
    let mut place = unit_nanos;
    for digit in fraction.bytes() {
        place /= 10;
        nanos += place * i128::from(digit - b'0');
    }
    Timestamp::from_nanosecond(if minus { -nanos } else { nanos }).ok()
}

impl Work for Date {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        self.taker.text(args, i, out, |text, is_text, out| {
            let text = text.trim_matches(is_space);
            if text.is_empty() {
                return false;
            }
            let start = out.buf.len();
            let written = self.read(text, is_text).and_then(|moment| self.writer.write(moment, &mut out.buf));
            if written.is_none() {
                out.buf.truncate(start);
                let came = match text {
                    "true" | "false" if !is_text => "true or false",
                    _ if is_text => "other text",
                    _ => "another number",
                };
                return self.taker.refuse(out, came);
            }
            true
        })
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.as_ref().map(|_| self.writer.told())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        let named = Form::NAMES.into_iter().find(|(name, _)| *name == text);
        named.map_or_else(|| Form::Pattern(text.to_owned()), |(_, form)| form)
    }

    fn dated(from: &str, to: &str, zone: Option<&str>, text: &str) -> Option<String> {
        let options = Dating { from: form(from), to: form(to), zone: zone.map(Into::into) };
        let date = Date::new(&options, "").unwrap();
        let mut buf = Vec::new();
        date.writer.write(date.read(text, text.contains(['-', 'T', ' ', '/', ':']) || from != "iso")?, &mut buf)?;
        Some(serde_json::from_slice::<serde_json::Value>(&buf).unwrap().to_string().trim_matches('"').to_owned())
    }

    #[test]
    fn a_moment_is_read_in_one_form_and_written_in_another() {
        let oslo = Some("Europe/Oslo");
        for (from, to, zone, text, expected) in [
            ("iso", "iso", None, "2024-06-01T10:20:30.456+02:00", "2024-06-01T08:20:30.456Z"),
            ("iso", "iso", None, "2024-06-01 10:20", "2024-06-01T10:20:00Z"),
            ("iso", "iso", oslo, "2024-06-01T10:20:30.4Z", "2024-06-01T12:20:30.400+02:00"),
            ("iso", "iso", oslo, "2024-01-01", "2024-01-01T00:00:00+01:00"),
            ("iso", "iso", None, "2024-06-01T10:20[Europe/Oslo]", "2024-06-01T08:20:00Z"),
            ("iso", "unix", None, "1969-12-31T23:59:58.500Z", "-2"),
            ("iso", "unix_ms", None, "2024-06-01T08:20:30.456Z", "1717230030456"),
            ("iso", "unix", oslo, "2024-06-01", "1717192800"),
            ("iso", "date", oslo, "2024-05-31T22:30:00Z", "2024-06-01"),
            ("iso", "%d/%m/%Y", None, "2024-06-01", "01/06/2024"),
            ("iso", "%B %-d, \"%Y\"", None, "2024-06-01", "June 1, \\\"2024\\"),
            ("unix", "iso", None, "1717230030", "2024-06-01T08:20:30Z"),
            ("unix", "iso", None, "-1.5", "1969-12-31T23:59:58.500Z"),
            ("unix_ms", "iso", None, "1717230030456.789", "2024-06-01T08:20:30.456789Z"),
            ("date", "iso", oslo, "2024-06-01", "2024-06-01T00:00:00+02:00"),
            ("%d.%m.%Y", "date", None, "01.06.2024", "2024-06-01"),
            ("%d.%m.%Y %H:%M", "iso", oslo, "01.06.2024 10:20", "2024-06-01T10:20:00+02:00"),
            ("%Y-%m-%d %H:%M:%S %z", "iso", None, "2024-06-01 10:20:30 +0200", "2024-06-01T08:20:30Z"),
            ("%s", "iso", None, "1717230030", "2024-06-01T08:20:30Z"),
            ("iso", "iso", None, "3024-06-01T10:20:30.123456Z", "3024-06-01T10:20:30.123456Z"),
        ] {
            assert_eq!(dated(from, to, zone, text).as_deref(), Some(expected), "{from} {to} {zone:?} {text}");
        }
    }

    #[test]
    fn what_is_no_moment_of_the_form_is_not_read() {
        for (from, text) in [
            ("iso", "01/06/2024"),
            ("iso", "2024-02-30"),
            ("iso", "1717230030"),
            ("iso", "2024-06-01T25:00Z"),
            ("unix", "1e9"),
            ("unix", "2024-06-01"),
            ("unix", ".5"),
            ("unix", "99999999999999999999999999999999999999999"),
            ("unix", "999999999999999"),
            ("date", "2024-06-01T10:00"),
            ("%d.%m.%Y", "1.13.2024"),
            ("%d.%m.%Y", "01.06.2024 10:20"),
        ] {
            assert_eq!(dated(from, "iso", None, text), None, "{from} {text}");
        }
    }

    #[test]
    fn a_time_that_a_zone_skips_is_the_one_its_clocks_show_then() {
        let oslo = Some("Europe/Oslo");
        assert_eq!(dated("iso", "iso", oslo, "2024-03-31T02:30:00").unwrap(), "2024-03-31T03:30:00+02:00");
        assert_eq!(dated("iso", "iso", oslo, "2024-10-27T02:30:00").unwrap(), "2024-10-27T02:30:00+02:00");
        assert!(Writer::new(&Form::Iso, Some("Europe/Olso")).is_err()); // typos: on purpose
    }
}
