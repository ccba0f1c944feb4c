//! `schedule`: an interval, days with a time, or a cron line.

use std::time::Duration;

use outflow_contract::plan::Schedule;

use super::{Context, cron, policy};
use crate::keys::DAYS;
use crate::nearest::nearest;
use crate::problem::Log;
use crate::scalar;
use crate::tree::Node;

const FORMS: &str =
    "write `{ every: 1h }`, or `{ days: [mon, thu], at: \"09:00\", timezone: Europe/Oslo }`, or `{ cron: \"0 9 * * mon\" }`";

/// The schedule, unless something is wrong with it.
pub(super) fn read(node: &Node, owner: &str, context: &Context<'_>, log: &mut Log) -> Option<Schedule> {
    node.as_map()?;
    let given: Vec<&str> = ["every", "days", "cron"].into_iter().filter(|name| node.get(name).is_some()).collect();
    let timezone = timezone(node, owner, log);
    match given[..] {
        [] => drop(
            log.error(node.span, format!("the schedule of {owner} does not say when")).label("needs `every`, `days` or `cron`").help(FORMS),
        ),
        [one] => {
            for (key, at_home) in [("at", &["days"][..]), ("timezone", &["days", "cron"][..])] {
                let stray = node.member(key).filter(|member| !member.value.is_null() && !at_home.contains(&one));
                if let Some(stray) = stray {
                    log.error(stray.key_span, format!("`{key}` of {owner} has no meaning beside `{one}`"))
                        .help(format!("it belongs to `{}`: leave it out", at_home.join("` and `")));
                }
            }
        }
        [first, second, ..] => {
            let span = node.member(second).map_or(node.span, |member| member.key_span);
            log.error(span, format!("the schedule of {owner} has both `{first}` and `{second}`")).help(FORMS);
            return None;
        }
    }
    match given[..] {
        ["every"] => every(node, owner, context, log),
        ["days"] => days(node, owner, timezone?, log),
        ["cron"] => cron_line(node, owner, timezone?, context, log),
        _ => None,
    }
}

fn timezone(node: &Node, owner: &str, log: &mut Log) -> Option<String> {
    let Some(given) = node.get("timezone") else { return Some("UTC".to_owned()) };
    let name = given.as_str().filter(|name| !name.is_empty())?;
    if jiff::tz::TimeZone::get(name).is_ok() {
        return Some(name.to_owned());
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    log.error(given.span, format!("`timezone` of {owner} is not known: {}", given.shown()))
        .meant(nearest(name, known.iter().map(String::as_str)))
        .help("write an IANA name, such as Europe/Oslo, America/New_York or UTC");
    None
}

fn every(node: &Node, owner: &str, context: &Context<'_>, log: &mut Log) -> Option<Schedule> {
    let every = policy::duration(node, "every")?;
    let span = node.get("every").map_or(node.span, |node| node.span);
    too_often(every, span, owner, context, log).then_some(Schedule::Every(every))
}

/// Reports an interval below the limit; true if it is not.
fn too_often(every: Duration, span: crate::problem::Span, owner: &str, context: &Context<'_>, log: &mut Log) -> bool {
    let min = Duration::from_secs(context.limits.interval_min_seconds);
    if every < min {
        let (every, min) = (scalar::duration_text(every), scalar::duration_text(min));
        log.error(span, format!("{owner} runs every {every}, and the shortest interval is {min}"))
            .help(format!("write {min} or more, or lower `limits.interval_min`"));
        return false;
    }
    true
}

fn days(node: &Node, owner: &str, timezone: String, log: &mut Log) -> Option<Schedule> {
    let given = node.get("days")?;
    let items = given.as_list().unwrap_or(std::slice::from_ref(given));
    if items.is_empty() {
        log.error(given.span, format!("`days` of {owner} is an empty list")).help("name at least one of mon, tue, wed, thu, fri, sat, sun");
        return None;
    }
    let mut days: Vec<u8> = Vec::new();
    for item in items {
        let day = DAYS.iter().position(|day| Some(*day) == item.as_str())? as u8;
        if days.contains(&day) {
            log.error(item.span, format!("`days` of {owner} names {} twice", item.shown())).help("keep one of them");
        } else {
            days.push(day);
        }
    }
    days.sort_unstable();
    let at_minutes = match node.get("at") {
        None => 0,
        Some(at) => {
            let minutes = scalar::time_of_day(at.as_str()?);
            if minutes.is_none() {
                log.error(at.span, format!("`at` of {owner} is no time of day: {}", at.shown()))
                    .help("write \"09:00\", from 00:00 to 23:59");
            }
            minutes?
        }
    };
    Some(Schedule::Days { days, at_minutes, timezone })
}

fn cron_line(node: &Node, owner: &str, timezone: String, context: &Context<'_>, log: &mut Log) -> Option<Schedule> {
    let given = node.get("cron")?;
    let line = given.as_str().filter(|line| !line.is_empty())?;
    match cron::check(line) {
        Ok(shortest) => too_often(shortest, given.span, owner, context, log).then(|| Schedule::Cron { line: line.to_owned(), timezone }),
        Err(what) => {
            log.error(given.span, format!("`cron` of {owner} is no cron line: {what}"))
                .help("five fields: minute, hour, day of the month, month, day of the week; \"0 9 * * mon\" is Mondays at 09:00");
            None
        }
    }
}
