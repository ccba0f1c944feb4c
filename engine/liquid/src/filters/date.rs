//! Filters of moments: strftime, as the reference has it, in English.
//!
//! Text that is no moment, and whatever else can be none, stays as it is. `now` and `today` are when the sync began, so that a record that
//! is sent again is the same.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Call;
use super::moment::{MILLIS_PER_DAY, calendar, clipped, day_of_year, parse};
use crate::budget::Budget;
use crate::problem::Failure;
use crate::value::Value;

type Made = Result<Value, Failure>;

const FORMAT: &str = "%A, %B %-e, %Y at %-l:%M %P %z";
const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A moment in a zone.
struct Moment {
    /// Since 1970.
    millis: i64,
    /// East of UTC.
    offset_seconds: i64,
    /// What `%Z` gives; the offset if it is empty.
    zone: String,
}

pub(super) fn date(call: &mut Call<'_>) -> Made {
    let Some(moment) = moment(call, call.arg(1))? else { return Ok(call.input.clone()) };
    let format = call.arg(0).plain();
    let format = if format.is_nil() { FORMAT.into() } else { format.text() };
    Ok(moment.format(&format, call.budget)?.into())
}

pub(super) fn to_xmlschema(call: &mut Call<'_>) -> Made {
    formatted(call, "%Y-%m-%dT%H:%M:%S%:z")
}

pub(super) fn to_rfc822(call: &mut Call<'_>) -> Made {
    formatted(call, "%a, %d %b %Y %H:%M:%S %z")
}

pub(super) fn to_string(call: &mut Call<'_>) -> Made {
    day(call, "%b")
}

pub(super) fn to_long_string(call: &mut Call<'_>) -> Made {
    day(call, "%B")
}

fn day(call: &mut Call<'_>, month: &str) -> Made {
    let format = match (&*call.arg_text(0), &*call.arg_text(1)) {
        ("ordinal", "US") => format!("{month} %-d%q, %Y"),
        ("ordinal", _) => format!("%-d%q {month} %Y"),
        _ => format!("%d {month} %Y"),
    };
    formatted(call, &format)
}

fn formatted(call: &mut Call<'_>, format: &str) -> Made {
    let Some(moment) = moment(call, Value::Missing)? else { return Ok(call.input.clone()) };
    Ok(moment.format(format, call.budget)?.into())
}

/// The moment that the input is, if it is one, in a zone: its name, or its minutes west of UTC.
fn moment(call: &mut Call<'_>, zone: Value) -> Result<Option<Moment>, Failure> {
    let seconds = |seconds: f64| clipped(seconds * 1000.0);
    let millis = match call.input.clone().plain() {
        Value::Missing | Value::Null => None,
        Value::Text(text) if matches!(&*text, "now" | "today") => (call.now)(),
        Value::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            seconds(text.parse().unwrap_or(f64::NAN))
        }
        Value::Number(number) => seconds(number.value()),
        Value::Bool(flag) => Some(i64::from(flag)),
        other => parse(&other.joined(",")),
    };
    let Some(millis) = millis else { return Ok(None) };
    let (offset_seconds, zone) = match zone {
        Value::Missing | Value::Null => (0, "UTC".to_owned()),
        Value::Text(name) => {
            let zone = TimeZone::get(&name).map_err(|_| call.fail(format!("`{name}` is not the name of a time zone")))?;
            let at = Timestamp::from_millisecond(millis).map_err(|_| call.fail("no zone reaches that year"))?;
            (zone.to_offset(at).seconds().into(), (*name).to_owned())
        }
        Value::Word(_) => (0, String::new()),
        other => ((other.number().value().clamp(-1e6, 1e6) * -60.0) as i64, String::new()),
    };
    Ok(Some(Moment { millis, offset_seconds, zone }))
}

/// What stands between `%` and the letter of a conversion.
#[derive(Default)]
struct Flags {
    upper: bool,
    change: bool,
    spaces: bool,
    zeros: bool,
    plain: bool,
    colon: bool,
    width: usize,
}

impl Flags {
    /// Reads them off the front.
    fn take(rest: &mut &str) -> Self {
        let mut flags = Self::default();
        let flag_of = |flags: &mut Self, c: char| {
            let flag = match c {
                '^' => &mut flags.upper,
                '#' => &mut flags.change,
                '_' => &mut flags.spaces,
                '0' => &mut flags.zeros,
                '-' => &mut flags.plain,
                ':' => &mut flags.colon,
                _ => return false,
            };
            *flag = true;
            true
        };
        let behind = rest.trim_start_matches(|c| flag_of(&mut flags, c));
        let digits = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        flags.width = if digits == 0 { 0 } else { behind[..digits].parse().unwrap_or(usize::MAX) };
        let behind = &behind[digits..];
        *rest = behind.strip_prefix(['E', 'O']).filter(|behind| !behind.is_empty()).unwrap_or(behind);
        flags
    }
}

impl Moment {
    fn format(&self, format: &str, budget: &mut Budget) -> Result<String, Failure> {
        let (mut made, mut rest) = (String::new(), format);
        while let Some((before, behind)) = rest.split_once('%') {
            made.push_str(before);
            let mut after = behind;
            let flags = Flags::take(&mut after);
            let conversion = after.chars().next().filter(|c| *c != '\n');
            rest = conversion.map_or(after, |c| &after[c.len_utf8()..]);
            if let Some((conversion, part)) = conversion.and_then(|conversion| Some((conversion, self.part(conversion, &flags)?))) {
                budget.take(flags.width)?;
                made.push_str(&padded(part, conversion, &flags));
            } else {
                // It stands for itself.
                made.push('%');
                made.push_str(&behind[..behind.len() - rest.len()]);
            }
        }
        made.push_str(rest);
        Ok(made)
    }

    /// What a conversion gives; `None` if there is none of that letter.
    fn part(&self, conversion: char, flags: &Flags) -> Option<String> {
        let local = self.millis + self.offset_seconds * 1000;
        let (at, of_day) = (local.div_euclid(MILLIS_PER_DAY), local.rem_euclid(MILLIS_PER_DAY));
        let (year, month, day) = calendar(at);
        let (hour, minute, second, milli) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000);
        let hour_of_12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let weekday = (at + 4).rem_euclid(7);
        let month_name = MONTHS[(month - 1).clamp(0, 11) as usize];
        let weekday_name = WEEKDAYS[weekday as usize];
        let half = if hour < 12 { "AM" } else { "PM" };
        let week = |first: i64| (day_of_year(at) - 1 - (weekday - first).rem_euclid(7) + 7) / 7;
        let long_date = || format!("{month}/{day}/{year}");
        let long_time = || format!("{hour_of_12}:{minute:02}:{second:02} {half}");
        Some(match conversion {
            'a' => weekday_name[..3].to_owned(),
            'A' => weekday_name.to_owned(),
            'b' | 'h' => month_name[..3].to_owned(),
            'B' => month_name.to_owned(),
            'c' => format!("{}, {}", long_date(), long_time()),
            'C' => year.div_euclid(100).to_string(),
            'd' | 'e' => day.to_string(),
            'H' | 'k' => hour.to_string(),
            'I' | 'l' => hour_of_12.to_string(),
            'j' => day_of_year(at).to_string(),
            'L' => milli.to_string(),
            'm' => month.to_string(),
            'M' => minute.to_string(),
            'N' => {
                let width = if flags.width == 0 { 9 } else { flags.width };
                let milli = format!("{milli:03}");
                milli[..width.min(3)].to_owned()
            }
            'p' => half.to_owned(),
            'P' => half.to_lowercase(),
            'q' => ordinal(day).to_owned(),
            's' => self.millis.div_euclid(1000).to_string(),
            'S' => second.to_string(),
            'u' => (if weekday == 0 { 7 } else { weekday }).to_string(),
            'U' => week(0).to_string(),
            'w' => weekday.to_string(),
            'W' => week(1).to_string(),
            'x' => long_date(),
            'X' => long_time(),
            'y' => year.rem_euclid(100).to_string(),
            'Y' => year.to_string(),
            'z' => self.offset(flags.colon),
            'Z' if self.zone.is_empty() => self.offset(flags.colon),
            'Z' => self.zone.clone(),
            't' => "\t".to_owned(),
            'n' => "\n".to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }

    fn offset(&self, colon: bool) -> String {
        let minutes = self.offset_seconds.abs() / 60;
        let sign = if self.offset_seconds < 0 { '-' } else { '+' };
        format!("{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60)
    }
}

/// What follows the number of a day in English.
fn ordinal(day: i64) -> &'static str {
    match day % 10 {
        1 if day != 11 => "st",
        2 if day != 12 => "nd", // typos: on purpose
        3 if day != 13 => "rd",
        _ => "th",
    }
}

fn padded(part: String, conversion: char, flags: &Flags) -> String {
    let part = match flags {
        Flags { upper: true, .. } => part.to_uppercase(),
        Flags { change: true, .. } if part.contains(|c: char| c.is_ascii_lowercase()) => part.to_uppercase(),
        Flags { change: true, .. } => part.to_lowercase(),
        _ => part,
    };
    if conversion == 'N' {
        let width = if flags.width == 0 { 9 } else { flags.width };
        return part.clone() + &"0".repeat(width.saturating_sub(part.len()));
    }
    let usual = match conversion {
        'C' | 'd' | 'e' | 'H' | 'I' | 'k' | 'l' | 'm' | 'M' | 'S' | 'U' | 'W' | 'y' => 2,
        'j' | 'L' => 3,
        'Y' => 4,
        _ => 0,
    };
    let width = match flags.width {
        _ if flags.plain => 0,
        0 => usual,
        given => given,
    };
    let zeros = if flags.spaces { false } else { flags.zeros || !"aAbBceklpP".contains(conversion) };
    let missing = width.saturating_sub(part.chars().count());
    match part.strip_prefix('-') {
        _ if !zeros => format!("{}{part}", " ".repeat(missing)),
        Some(digits) => format!("-{}{digits}", "0".repeat(missing)),
        None => format!("{}{part}", "0".repeat(missing)),
    }
}
