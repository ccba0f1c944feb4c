//! Cron lines of five fields: `minute hour day-of-month month day-of-week`.
//!
//! A field is `*` or a list of numbers, names (months, days of the week) and ranges, each with a step if wanted. 0 and
//! 7 are Sunday. Where both day fields are restricted, a day that fits either of them fits, as in every cron.

use std::time::Duration;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY_MINUTES: u64 = 24 * 60;

struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Names for numbers from `min` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59, names: &[] },
    Field { name: "hour", min: 0, max: 23, names: &[] },
    Field { name: "day of the month", min: 1, max: 31, names: &[] },
    Field { name: "month", min: 1, max: 12, names: &MONTHS },
    Field { name: "day of the week", min: 0, max: 7, names: &WEEKDAYS },
];

/// The shortest time between two runs of `line`, or what is wrong with it.
pub(super) fn check(line: &str) -> Result<Duration, String> {
    let parts: Vec<&str> = line.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = parts[..] else {
        return Err(format!("it has {} fields and needs 5", parts.len()));
    };
    let mut sets = [0_u64; 5];
    for ((set, field), text) in sets.iter_mut().zip(&FIELDS).zip([minute, hour, day, month, weekday]) {
        *set = parse(text, field)?;
    }
    let [minutes, hours, days, months, weekdays] = sets;
    if weekday.starts_with('*') && !some_day_exists(days, months) {
        return Err("no month that it names has such a day".to_owned());
    }
    let restricted = |text: &str| !text.starts_with('*');
    let follows = match (restricted(day), restricted(weekday)) {
        (true, false) => days & (days >> 1) != 0 || (days & 2 != 0 && days >> 28 != 0),
        (false, true) => weekdays & (weekdays >> 1) != 0 || weekdays & 0b100_0001 == 0b100_0001,
        // Every day; or where either of the two is enough, the one may fall on the day after the other.
        (false, false) | (true, true) => true,
    };
    Ok(Duration::from_secs(60 * shortest_gap(minutes, hours, follows)))
}

/// Is there a month in the set that has a day of the set?
fn some_day_exists(days: u64, months: u64) -> bool {
    const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    LENGTHS.iter().zip(1..).any(|(length, month)| months & (1 << month) != 0 && days.trailing_zeros() <= *length)
}

/// Minutes between two runs at the least.
fn shortest_gap(minutes: u64, hours: u64, next_day_too: bool) -> u64 {
    let set = |bits: u64, max: u64| (0..=max).filter(move |n| bits & (1 << n) != 0);
    let times: Vec<u64> = set(hours, 23).flat_map(|hour| set(minutes, 59).map(move |minute| hour * 60 + minute)).collect();
    let within = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(DAY_MINUTES);
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return DAY_MINUTES };
    if next_day_too { within.min(DAY_MINUTES + first - last) } else { within }
}

fn parse(text: &str, field: &Field) -> Result<u64, String> {
    let wrong = |part: &str| format!("`{part}` is no {}, which is {} to {}", field.name, field.min, field.max);
    let mut set = 0_u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step = number(step).filter(|step| *step > 0).ok_or_else(|| format!("`{part}` has no step above 0"))?;
                (range, Some(step))
            }
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (field.min, field.max),
            Some((from, to)) => (value(from, field).ok_or_else(|| wrong(part))?, value(to, field).ok_or_else(|| wrong(part))?),
            None => {
                let from = value(range, field).ok_or_else(|| wrong(part))?;
                (from, if step.is_some() { field.max } else { from })
            }
        };
        if from > to {
            return Err(format!("`{part}` runs backwards"));
        }
        for n in (from..=to).step_by(step.unwrap_or(1) as usize) {
            // Both 0 and 7 are Sunday.
            set |= 1 << (if field.max == 7 { n % 7 } else { n });
        }
    }
    Ok(set)
}

fn value(text: &str, field: &Field) -> Option<u32> {
    let named = field.names.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at as u32 + field.min);
    named.or_else(|| number(text)).filter(|n| (field.min..=field.max).contains(n))
}

fn number(text: &str) -> Option<u32> {
    let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_often_it_runs_at_the_most() {
        let minutes = |line: &str| check(line).map(|gap| gap.as_secs() / 60);
        assert_eq!(minutes("0 9 * * mon"), Ok(1440));
        assert_eq!(minutes("*/15 * * * *"), Ok(15));
        assert_eq!(minutes("*/7 * * * *"), Ok(4));
        assert_eq!(minutes("* * * * *"), Ok(1));
        assert_eq!(minutes("0,50 8-17 * * 1-5"), Ok(10));
        assert_eq!(minutes("55 23 * * *"), Ok(1440));
        assert_eq!(minutes("0 0,23 * * *"), Ok(60));
        assert_eq!(minutes("0 0,23 1 * *"), Ok(1380));
        assert_eq!(minutes("0 0,23 1,31 * *"), Ok(60));
        assert_eq!(minutes("0 0,23 * * mon"), Ok(1380));
        assert_eq!(minutes("0 0,23 * * sat,sun"), Ok(60));
        assert_eq!(minutes("30 6 29 feb *"), Ok(1440));
        assert_eq!(minutes("0 0 * JAN-mar/2 SUN,7"), Ok(1440));
    }

    #[test]
    fn a_line_that_is_wrong_or_never_comes_true_is_refused() {
        assert_eq!(check("0 9 * *").unwrap_err(), "it has 4 fields and needs 5");
        assert_eq!(check("0 9 * * * *").unwrap_err(), "it has 6 fields and needs 5");
        assert_eq!(check("60 9 * * *").unwrap_err(), "`60` is no minute, which is 0 to 59");
        assert_eq!(check("0 9 30 2 *").unwrap_err(), "no month that it names has such a day");
        assert_eq!(check("0 9 * * fri-mon").unwrap_err(), "`fri-mon` runs backwards");
        for wrong in [
            "a * * * *",
            "*/0 * * * *",
            "1- * * * *",
            "0 24 * * *",
            "0 0 0 * *",
            "0 0 * 13 *",
            "0 0 * * 8",
            ", * * * *",
            "@daily",
            "+1 * * * *",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        assert!(check("0 9 30 2 mon").is_ok());
    }
}
