//! `outflow history`: past syncs, newest first, as far as the filters let them through.

use globset::{Glob, GlobMatcher};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};
use outflow_contract::clock::Clock;
use outflow_contract::report::{SyncReport, counted};
use outflow_contract::{Error, Result};
use outflow_engine::clock::SystemClock;
use outflow_ledger::history::History;
use outflow_planner::{Loaded, nearest};
use serde_json::json;

use crate::args::{Global, HistoryArgs};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, history};

/// The statuses of `--failed`.
const NOT_WELL: [&str; 5] = ["failed", "partial_success", "blocked", "paused", "cancelled"];

pub(crate) fn run(global: &Global, args: &HistoryArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    let store = project::open_state(&loaded)?;
    let filters = filters(&loaded, args, now())?;
    let syncs = History::of_all(store.as_ref())?;
    let mut syncs = syncs.map(|sync| sync.report);
    let oldest = filters.oldest;
    let new_enough = |report: &SyncReport| oldest.is_none_or(|oldest| started(report) >= oldest);
    // Ids and moments of starting sort alike: what comes after the first that is too old is so too.
    let mut wanted = syncs.by_ref().take_while(new_enough).filter(|report| filters.all(report));
    let reports: Vec<SyncReport> = wanted.by_ref().take(args.limit).collect();
    let more = wanted.next().is_some();
    if reports.is_empty() && args.limit > 0 {
        let why = why_none(&loaded, History::of_all(store.as_ref())?.map(|sync| sync.report), &filters)?;
        if console.is_json() {
            console.json(&json!({ "syncs": [], "more": false, "message": why }));
        } else {
            console.line(&why);
        }
    } else if console.is_json() {
        console.json(&json!({ "syncs": reports, "more": more }));
    } else {
        history::print(console, &reports, more);
    }
    Ok(Exit::Ok)
}

fn now() -> Timestamp {
    Timestamp::try_from(SystemClock::new().wall()).unwrap_or(Timestamp::MAX)
}

fn started(report: &SyncReport) -> Timestamp {
    report.started_at.parse().unwrap_or(Timestamp::MAX)
}

/// What a sync has to be to be listed.
struct Filters {
    list: Vec<Filter>,
    /// None that started before is listed.
    oldest: Option<Timestamp>,
}

/// An option that takes names: what was written, what it could mean, and what it is compared with.
type Named<'a> = (&'static str, &'a [String], Vec<String>, fn(&SyncReport) -> &str);

/// One option of the command line.
struct Filter {
    /// As it was written.
    shown: String,
    test: Box<dyn Fn(&SyncReport) -> bool>,
    /// The names that it could have meant, with the ones that were written.
    names: Option<(Vec<String>, Vec<String>)>,
}

impl Filters {
    fn all(&self, report: &SyncReport) -> bool {
        self.list.iter().all(|filter| (filter.test)(report))
    }
}

impl Filter {
    fn new(shown: String, test: impl Fn(&SyncReport) -> bool + 'static) -> Self {
        Self { shown, test: Box::new(test), names: None }
    }
}

fn filters(loaded: &Loaded, args: &HistoryArgs, now: Timestamp) -> Result<Filters> {
    let project = &loaded.project;
    let mut list = Vec::new();
    let known = |names: &mut dyn Iterator<Item = &String>| names.cloned().collect::<Vec<_>>();
    let of: [Named<'_>; 3] = [
        ("--mapping", &args.mapping, known(&mut project.mappings.iter().map(|mapping| &mapping.name)), |report| &report.mapping),
        ("--model", &args.model, known(&mut project.models.iter().map(|model| &model.name)), |report| &report.model),
        ("--destination", &args.destination, known(&mut project.destinations.iter().map(|d| &d.name)), |report| &report.destination),
    ];
    for (option, written, known, name_of) in of.into_iter().filter(|(_, written, ..)| !written.is_empty()) {
        let patterns = written.iter().map(|name| pattern(name)).collect::<Result<Vec<GlobMatcher>>>()?;
        let shown = format!("{option} {}", written.join(" "));
        let test = move |report: &SyncReport| patterns.iter().any(|pattern| pattern.is_match(name_of(report)));
        list.push(Filter { names: Some((known, written.to_vec())), ..Filter::new(shown, test) });
    }
    if !args.selecting.select.is_empty() || !args.selecting.exclude.is_empty() {
        let mappings = project::select(project, &args.selecting)?;
        let option = |name: &str, patterns: &[String]| (!patterns.is_empty()).then(|| format!("{name} {}", patterns.join(" ")));
        let shown = [option("--select", &args.selecting.select), option("--exclude", &args.selecting.exclude)];
        let shown = shown.into_iter().flatten().collect::<Vec<_>>().join(" ");
        list.push(Filter::new(shown, move |report| mappings.contains(&report.mapping)));
    }
    if args.failed {
        list.push(Filter::new("--failed".to_owned(), |report| NOT_WELL.contains(&report.status.as_str())));
    }
    if !args.status.is_empty() {
        let statuses = args.status.clone();
        let shown = format!("--status {}", statuses.join(","));
        list.push(Filter::new(shown, move |report| statuses.iter().any(|status| status == report.status.as_str())));
    }
    let oldest = args.since.as_deref().map(|text| moment("--since", text, now, false)).transpose()?;
    let newest = args.until.as_deref().map(|text| moment("--until", text, now, true)).transpose()?;
    if let (Some(since), Some(oldest)) = (&args.since, oldest) {
        list.push(Filter::new(format!("--since {since}"), move |report| started(report) >= oldest));
    }
    if let (Some(until), Some(newest)) = (&args.until, newest) {
        list.push(Filter::new(format!("--until {until}"), move |report| started(report) <= newest));
    }
    Ok(Filters { list, oldest })
}

fn pattern(name: &str) -> Result<GlobMatcher> {
    let glob = Glob::new(name).map_err(|error| {
        Error::invalid(format!("the pattern `{name}` is not valid: {}", error.kind())).remedy("`*` stands for any letters, `?` for one")
    })?;
    Ok(glob.compile_matcher())
}

/// The moment that an option names: a day or a moment of RFC 3339, in UTC unless it says otherwise, or a time before `now`. A day
/// stands for its begin, or its end if `ends`.
fn moment(option: &str, text: &str, now: Timestamp, ends: bool) -> Result<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(at) = text.parse::<DateTime>() {
        let is_day = !text.contains(':');
        let at = if is_day && ends { at.date().to_datetime(jiff::civil::time(23, 59, 59, 999_999_999)) } else { at };
        if let Ok(at) = at.to_zoned(TimeZone::UTC) {
            return Ok(at.timestamp());
        }
    }
    let ago = text.parse::<Span>().ok().filter(|span| !span.is_zero());
    let ago = ago.and_then(|span| span.abs().to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let at = ago.and_then(|ago| now.checked_sub(ago).ok());
    at.ok_or_else(|| {
        Error::invalid(format!("`{option} {text}` is neither a moment nor a duration")).remedy(
            "write a day (2026-03-01), a moment (2026-03-01T12:30:00Z; UTC unless it says otherwise), or how long ago (2d, 6h, 30m)",
        )
    })
}

/// Which filter let none through. An error if it is for a name that nothing has.
fn why_none(loaded: &Loaded, reports: impl Iterator<Item = SyncReport>, filters: &Filters) -> Result<String> {
    // How many passed the first n filters.
    let mut passed = vec![0u64; filters.list.len() + 1];
    for report in reports {
        let passing = filters.list.iter().take_while(|filter| (filter.test)(&report)).count();
        passed.iter_mut().take(passing + 1).for_each(|n| *n += 1);
    }
    let emptying = passed.iter().position(|&n| n == 0).and_then(|first| first.checked_sub(1));
    let Some(i) = emptying else {
        unknown_names(loaded, &filters.list)?;
        return Ok("No sync has run yet. Start one with `outflow run`.".to_owned());
    };
    unknown_names(loaded, &filters.list[i..=i])?;
    let before: Vec<&str> = filters.list[..i].iter().map(|filter| filter.shown.as_str()).collect();
    let of = if before.is_empty() { String::new() } else { format!(" with {}", before.join(" ")) };
    let filter = &filters.list[i].shown;
    Ok(match passed[i] {
        1 => format!("No sync to list: the only one{of} does not fit {filter}."),
        n => format!("No sync to list: none of the {}{of} fits {filter}.", counted(n, "sync")),
    })
}

/// A name that the project does not know, and no sync had, is a slip.
fn unknown_names(loaded: &Loaded, filters: &[Filter]) -> Result<()> {
    for (known, written) in filters.iter().filter_map(|filter| filter.names.as_ref()) {
        for name in written {
            let glob = pattern(name)?;
            if known.iter().any(|known| glob.is_match(known)) {
                continue;
            }
            let names = || known.iter().map(String::as_str);
            let remedy = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("{} has none", loaded.project.name),
                None => format!("there are {}", outflow_planner::list(names())),
            };
            return Err(Error::invalid(format!("`{name}` is not in the project, and no sync had it")).remedy(remedy));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_a_time_of_it_or_so_long_ago() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let at = |text: &str, ends| moment("--since", text, now, ends).map(|at| at.to_string());
        for (text, begins) in [
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2026-03-01T12:30:00Z", "2026-03-01T12:30:00Z"),
            ("2026-03-01T12:30:00+02:00", "2026-03-01T10:30:00Z"),
            ("2026-03-01 12:30:00Z", "2026-03-01T12:30:00Z"),
            ("2026-03-01T12:30", "2026-03-01T12:30:00Z"),
            ("2d", "2026-03-08T12:00:00Z"),
            (" 6h ", "2026-03-10T06:00:00Z"),
            ("1w", "2026-03-03T12:00:00Z"),
            ("1h 30m", "2026-03-10T10:30:00Z"),
        ] {
            assert_eq!(at(text, false).unwrap(), begins, "{text}");
        }
        assert_eq!(at("2026-03-01", true).unwrap(), "2026-03-01T23:59:59.999999999Z");
        assert_eq!(at("2026-03-01T12:30", true).unwrap(), "2026-03-01T12:30:00Z");
        for wrong in ["", "yesterday", "2026-13-01", "5", "0s", "1mo", "999999999999w"] {
            assert!(at(wrong, false).is_err(), "{wrong}: {:?}", at(wrong, false));
        }
    }
}
