//! Scalars with a unit: durations, rates, times of day and tolerances. Each is text to a value, or what is wrong with it.

use std::time::Duration;

use outflow_contract::plan::{RateLimit, Tolerance};
use serde_json::Number;

/// Longer durations are mistakes, and would overflow sums.
const DURATION_MAX: Duration = Duration::from_hours(24 * 366 * 100);
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// `500ms`, `30s`, `15m`, `1h`, `1d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a whole number and a unit: 500ms, 30s, 15m, 1h or 1d";
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = (&text[..split], text[split..].trim_start());
    if digits.is_empty() {
        return Err(FORM.to_owned());
    }
    if unit.is_empty() {
        return Err(format!("the unit is missing: did you mean `{digits}s` or `{digits}m`?"));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else { return Err(FORM.to_owned()) };
    let millis = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor)).map(Duration::from_millis);
    millis.filter(|duration| *duration <= DURATION_MAX).ok_or_else(|| "this is longer than a hundred years".to_owned())
}

/// A duration as a project writes it, in the largest unit that fits.
pub(crate) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    let fitting = UNITS.iter().rev().find(|(_, factor)| millis.is_multiple_of(u128::from(*factor)) && millis > 0);
    fitting.map_or("0s".to_owned(), |(unit, factor)| format!("{}{unit}", millis / u128::from(*factor)))
}

/// `100/s`, `100/m`, `100/h`.
pub(crate) fn rate(text: &str) -> Result<RateLimit, String> {
    let form = || "write a number of requests and a unit: 100/s, 100/m or 100/h".to_owned();
    let (requests, unit) = text.split_once('/').ok_or_else(form)?;
    let requests: u32 = requests.trim().parse().ok().filter(|requests| *requests > 0).ok_or_else(form)?;
    let per = match unit.trim() {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return Err(form()),
    };
    Ok(RateLimit { requests, per })
}

/// A count, a share with a point in it, or a percentage.
pub(crate) fn tolerance(number: Option<&Number>, text: Option<&str>) -> Result<Tolerance, String> {
    const FORM: &str = "write a count such as 10, or a share such as 0.01 or 1%";
    let share = |share: f64| if (0.0..=1.0).contains(&share) { Ok(Tolerance::Share(share)) } else { Err(FORM.to_owned()) };
    if let Some(count) = number.and_then(Number::as_u64) {
        return Ok(Tolerance::Count(count));
    }
    if let Some(value) = number.and_then(Number::as_f64) {
        return share(value);
    }
    let percent = text.and_then(|text| text.strip_suffix('%')).and_then(|text| text.trim().parse::<f64>().ok());
    percent.map_or(Err(FORM.to_owned()), |percent| share(percent / 100.0))
}

/// `09:00`, `9:30` or `9`: minutes after midnight.
pub(crate) fn time_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':').unwrap_or((text, "00"));
    let part = |text: &str, digits: std::ops::RangeInclusive<usize>, below: u16| {
        let plain = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<u16>().ok()).flatten().filter(|number| *number < below)
    };
    Some(part(hour, 1..=2, 24)? * 60 + part(minute, 2..=2, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(duration("1d"), Ok(Duration::from_hours(24)));
        assert_eq!(duration("30").unwrap_err(), "the unit is missing: did you mean `30s` or `30m`?");
        for wrong in ["", "s", "-1s", "1.5h", "1w", "1h30m", "99999999999999999999s", "18446744073709551615d", "40000d", "½s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for text in ["500ms", "90s", "15m", "1h", "2d", "0s"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_rate_is_a_number_of_requests_in_a_unit_of_time() {
        assert_eq!(rate("100/s"), Ok(RateLimit { requests: 100, per: Duration::from_secs(1) }));
        assert_eq!(rate("5 / m"), Ok(RateLimit { requests: 5, per: Duration::from_mins(1) }));
        for wrong in ["", "100", "0/s", "-1/s", "1/d", "1.5/s", "/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tolerance_is_a_count_or_a_share() {
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        assert_eq!(tolerance(Some(&number("10")), None), Ok(Tolerance::Count(10)));
        assert_eq!(tolerance(Some(&number("0.25")), None), Ok(Tolerance::Share(0.25)));
        assert_eq!(tolerance(Some(&number("1.0")), None), Ok(Tolerance::Share(1.0)));
        assert_eq!(tolerance(None, Some("1%")), Ok(Tolerance::Share(0.01)));
        assert!(tolerance(Some(&number("-1")), None).is_err());
        assert!(tolerance(Some(&number("1.5")), None).is_err());
        assert!(tolerance(None, Some("many")).is_err());
    }

    #[test]
    fn a_time_of_day_has_an_hour_and_may_have_minutes() {
        assert_eq!(time_of_day("09:00"), Some(540));
        assert_eq!(time_of_day("9"), Some(540));
        assert_eq!(time_of_day("23:59"), Some(1439));
        for wrong in ["24:00", "9:5", "9:60", "", ":", "009:00", "+9:00", "9am"] {
            assert_eq!(time_of_day(wrong), None, "{wrong}");
        }
    }
}
