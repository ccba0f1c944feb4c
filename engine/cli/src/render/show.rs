//! One sync in full: how it ended and why, where the time went, the records by operation, what failed and what to do about it.

use outflow_contract::report::{FailureGroup, FailureSample, SyncReport, Tally, Timing};
use serde_json::{Value, json};

use super::sync::{Hint, mending, moment, number, operations, print_hints, reason_in_words, tone};
use super::text::width;
use super::{Align, Console, Table, Tone, bytes, counted, fold, plain, records, seconds, thousands, wrap};

/// Samples of failed records that are shown for each reason.
const SAMPLES: usize = 3;
/// Lines of a payload.
const PAYLOAD_LINES: usize = 4;
/// Lines of an answer.
const ANSWER_LINES: usize = 8;
/// Columns of the bars of the timeline, where there is room for them.
const BAR_WIDTH: usize = 40;

/// The document of `--output json`: the report, with what follows from it.
pub(crate) fn document(report: &SyncReport) -> serde_json::Result<Value> {
    let mut document = serde_json::to_value(report)?;
    if let Some(fields) = document.as_object_mut() {
        let phases: Vec<Value> = phases(&report.timing)
            .into_iter()
            .map(|Phase { name, from, took, share }| json!({ "name": name, "from": from, "seconds": took, "share": share }))
            .collect();
        fields.insert("phases".to_owned(), phases.into());
        fields.insert("records_per_second".to_owned(), json!(rate(report)));
        fields.insert("next".to_owned(), json!(next(report)));
    }
    Ok(document)
}

/// Prints it.
pub(crate) fn print(console: &Console, report: &SyncReport) {
    head(console, report);
    console.line("");
    counts(console, report);
    // What never began took no time.
    if phases(&report.timing).iter().any(|phase| phase.took > 0.0) {
        console.line("");
        timeline(console, &report.timing);
    }
    rejected(console, report);
    for group in &report.failures {
        failure(console, group);
    }
    print_hints(console, &next(report));
}

/// What to do after it.
fn next(report: &SyncReport) -> Vec<Hint> {
    let mut hints = mending(report);
    hints.push(Hint::new(format!("outflow history --mapping {}", report.mapping), "its other syncs"));
    hints
}

/// Delivered records for each second of delivery; `None` where nothing was.
fn rate(report: &SyncReport) -> Option<u64> {
    let delivered = report.counts.delivered.total;
    (delivered > 0 && report.timing.deliver > 0.0).then(|| (delivered as f64 / report.timing.deliver).round() as u64)
}

fn head(console: &Console, report: &SyncReport) {
    let name = console.paint(Tone::Strong, &report.mapping);
    console.line(&format!("{name}  {}", console.paint(tone(report.status), report.status.as_str())));
    for text in report.message.iter().chain(&report.notices) {
        for line in wrap(&plain(text), console.width() - 2) {
            console.line(&format!("  {line}"));
        }
    }
    let version = report.version.map(|version| format!(", version {version}")).unwrap_or_default();
    let mut facts = vec![
        ("sync", report.sync_id.clone()),
        ("started", format!("{}, took {}", moment(&report.started_at), seconds(report.timing.total))),
        ("model", format!("{}{version}", report.model)),
        ("destination", report.destination.clone()),
    ];
    if report.requests > 0 {
        let again =
            if report.counts.retried > 0 { format!(", {} of them sent again", thousands(report.counts.retried)) } else { String::new() };
        facts.push(("requests", format!("{}{again}, {}", thousands(report.requests), bytes(report.bytes))));
    }
    if let Some(rate) = rate(report) {
        facts.push(("rate", format!("{}/s delivered", records(rate))));
    }
    console.line("");
    for (name, value) in facts {
        console.line(&format!("  {}  {value}", console.paint(Tone::Faint, &format!("{name:<12}"))));
    }
}

fn counts(console: &Console, report: &SyncReport) {
    let right = Align::Right;
    let mut columns = vec![("records", Align::Left), ("added", right), ("updated", right), ("deleted", right)];
    columns.extend([("unchanged", right), ("total", right)]);
    let mut table = Table::new(&columns);
    let counts = &report.counts;
    let extracted = [counts.added, counts.updated, counts.deleted, counts.unchanged, counts.extracted].map(|n| number(n, None));
    table.row(std::iter::once(("extracted".to_owned(), None)).chain(extracted).collect());
    let rows = [
        ("selected", Some(counts.selected), None),
        ("delivered", Some(counts.delivered), Some(Tone::Good)),
        ("failed", Some(counts.failed), Some(Tone::Bad)),
        ("pending", counts.pending, Some(Tone::Warn)),
        ("set aside", Some(counts.set_aside), None),
    ];
    // Hardly ever is anything.
    let rows = rows.into_iter().filter(|(name, tally, _)| *name != "set aside" || tally.is_some_and(|tally| tally.total > 0));
    let nothing = || (String::new(), None);
    for (name, tally, tone) in rows {
        let cells = match tally {
            Some(Tally { added, updated, deleted, total }) => {
                let [added, updated, deleted, total] = [added, updated, deleted, total].map(|n| number(n, tone));
                [added, updated, deleted, nothing(), total]
            }
            None => [nothing(), nothing(), nothing(), nothing(), ("not known".to_owned(), Some(Tone::Faint))],
        };
        table.row(std::iter::once((name.to_owned(), None)).chain(cells).collect());
    }
    table.print(console);
    let mut rest = Vec::new();
    if counts.rejected > 0 {
        rest.push(format!("{} not accepted", records(counts.rejected)));
    }
    if counts.skipped > 0 {
        rest.push(format!("{} not for this mapping", counted(counts.skipped, "change")));
    }
    if !rest.is_empty() {
        console.line(&console.paint(Tone::Faint, &rest.join(", ")));
    }
}

/// A part of a sync's time.
struct Phase {
    name: &'static str,
    /// Seconds after the sync's begin.
    from: f64,
    /// Seconds.
    took: f64,
    /// Of the whole.
    share: f64,
}

/// The phases in their order; what lies between them is waiting, and comes last.
fn phases(timing: &Timing) -> Vec<Phase> {
    /// Less is not worth a line: seconds, and a share.
    const WAITING_MIN: (f64, f64) = (0.5, 0.02);
    let known = [("extract", timing.extract), ("plan", timing.plan), ("deliver", timing.deliver), ("commit", timing.commit)];
    let waiting = timing.total - known.iter().map(|(_, took)| took).sum::<f64>();
    let waited = (waiting >= WAITING_MIN.0 && waiting / timing.total >= WAITING_MIN.1).then_some(("waiting", waiting));
    let mut from = 0.0;
    let mut list = Vec::new();
    for (name, took) in known.into_iter().chain(waited) {
        let share = if timing.total > 0.0 { took / timing.total } else { 0.0 };
        list.push(Phase { name, from, took, share });
        from += took;
    }
    list
}

fn timeline(console: &Console, timing: &Timing) {
    let right = Align::Right;
    let mut table = Table::new(&[("phase", Align::Left), ("time", right), ("share", right), ("", Align::Left)]).drops(&[""]);
    for Phase { name, from, took, share } in phases(timing) {
        let tone = (took <= 0.0).then_some(Tone::Faint);
        let bar = bar(from, took, timing.total);
        table.row(vec![
            (name.to_owned(), None),
            (seconds(took), tone),
            (format!("{:.0} %", share * 100.0), tone),
            (bar, Some(Tone::Faint)),
        ]);
    }
    table.row(vec![("total".to_owned(), None), (seconds(timing.total), None), (String::new(), None), (String::new(), None)]);
    table.print(console);
}

/// A line where the phase was, as wide as its share; a short one still shows.
fn bar(from: f64, took: f64, total: f64) -> String {
    if total <= 0.0 || took <= 0.0 {
        return String::new();
    }
    let columns = |seconds: f64| (seconds / total * BAR_WIDTH as f64).round().clamp(0.0, BAR_WIDTH as f64) as usize;
    let start = columns(from).min(BAR_WIDTH - 1);
    let end = columns(from + took).max(start + 1);
    format!("{}{}", " ".repeat(start), "━".repeat(end - start))
}

fn rejected(console: &Console, report: &SyncReport) {
    for (reason, rejected) in &report.rejected {
        console.line("");
        let title = format!("{} not accepted: {}", records(rejected.records), reason_in_words(reason));
        console.line(&console.paint(Tone::Warn, &title));
        for example in rejected.examples.iter().take(SAMPLES) {
            for line in fold(example, console.width() - 2, 1) {
                console.line(&format!("  {line}"));
            }
        }
    }
}

fn failure(console: &Console, group: &FailureGroup) {
    console.line("");
    let others = others(group.other_messages);
    let title = format!("{} failed: {}{others}", records(group.records), plain(&group.message));
    for line in wrap(&title, console.width()) {
        console.line(&console.paint(Tone::Bad, &line));
    }
    let fact = |name: &str, tone: Tone, lines: &[String]| {
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { name } else { "" };
            console.line(format!("  {}  {line}", console.paint(tone, &format!("{label:<8}"))).trim_end());
        }
    };
    fact("code", Tone::Faint, &[plain(&group.code)]);
    fact("records", Tone::Faint, &[operations(group.operations)]);
    if let Some(since) = since(group) {
        fact("since", Tone::Faint, &[since]);
    }
    fact("do", Tone::Good, &wrap(&group.action, console.width() - 12));
    let mut last_answer = None;
    for sample in group.samples.iter().take(SAMPLES) {
        show_sample(console, group, sample, last_answer);
        last_answer = sample.answer.as_deref();
    }
}

/// Of how many records of a group the message that stands for all of it is not theirs.
pub(crate) fn others(records: u64) -> String {
    if records == 0 { String::new() } else { format!(" ({} with other messages)", super::thousands(records)) }
}

/// Since when the record that failed longest does so; nothing if all of them are new.
fn since(group: &FailureGroup) -> Option<String> {
    let longest = group.samples.iter().filter(|sample| sample.attempts > 1).max_by_key(|sample| sample.attempts)?;
    let first = longest.first_seen.as_deref().map(moment).unwrap_or_default();
    Some(format!("{first}, in {} in a row", counted(longest.attempts.into(), "sync")))
}

fn show_sample(console: &Console, group: &FailureGroup, sample: &FailureSample, last_answer: Option<&str>) {
    const LABEL: usize = 7;
    let id = if sample.id.is_empty() { "a record" } else { &sample.id };
    let op = sample.op.as_str();
    let id = super::cut(&plain(id), console.width().saturating_sub(width(op) + 4));
    console.line(&format!("  {} {}", console.paint(Tone::Strong, &id), console.paint(Tone::Faint, op)));
    let room = console.width() - LABEL - 6;
    let mut parts: Vec<(&str, Vec<String>)> = Vec::new();
    if !sample.message.is_empty() && sample.message != group.message {
        parts.push(("reason", wrap(&plain(&sample.message), room)));
    }
    parts.push(("payload", fold(&sample.payload, room, PAYLOAD_LINES)));
    match sample.answer.as_deref() {
        Some(answer) if last_answer == Some(answer) => parts.push(("answer", vec!["the same".to_owned()])),
        Some(answer) => parts.push(("answer", fold(answer, room, ANSWER_LINES))),
        None => {}
    }
    for (name, lines) in parts {
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { name } else { "" };
            console.line(format!("    {}  {line}", console.paint(Tone::Faint, &format!("{label:<LABEL$}"))).trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeline_covers_the_whole_and_shows_the_shortest_phase() {
        let timing = Timing { extract: 3.0, plan: 0.001, deliver: 5.0, commit: 0.0, total: 10.0 };
        let phases = phases(&timing);
        assert_eq!(phases.iter().map(|phase| phase.name).collect::<Vec<_>>(), ["extract", "plan", "deliver", "commit", "waiting"]);
        assert!((phases.iter().map(|phase| phase.took).sum::<f64>() - 10.0).abs() < 1e-9);
        let bars: Vec<String> = phases.iter().map(|phase| bar(phase.from, phase.took, timing.total)).collect();
        assert_eq!(bars[0], "━".repeat(12));
        assert_eq!(bars[1], format!("{}━", " ".repeat(12)), "short, and still there");
        assert_eq!(bars[3], "");
        assert!(bars.iter().all(|bar| width(bar) <= BAR_WIDTH), "{bars:?}");
        assert_eq!(bar(10.0, 0.1, 10.0), format!("{}━", " ".repeat(39)), "not beyond the edge");
    }
}
