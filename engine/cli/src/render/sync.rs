//! Syncs: the table after a run, the history, one sync in full.

use outflow_contract::report::{FailureGroup, Status, SyncReport, Tally};

use super::{Align, Console, Table, Tone, bytes, counted, cut, plain, records, seconds, thousands, wrap};

/// Samples of failed records that are shown.
const SAMPLES: usize = 3;

fn tone(status: Status) -> Tone {
    match status {
        Status::Success => Tone::Good,
        Status::NoChanges | Status::Skipped => Tone::Faint,
        Status::PartialSuccess | Status::Paused => Tone::Warn,
        Status::Failed | Status::Blocked | Status::Cancelled => Tone::Bad,
    }
}

fn number(n: u64, tone: Option<Tone>) -> (String, Option<Tone>) {
    if n == 0 { ("0".to_owned(), Some(Tone::Faint)) } else { (thousands(n), tone) }
}

/// What a run did, a line for each mapping, and then what it is worth saying about them.
pub(crate) fn table(console: &Console, reports: &[SyncReport]) {
    let right = Align::Right;
    let mut table = Table::new(&[
        ("mapping", Align::Give),
        ("status", Align::Left),
        ("added", right),
        ("updated", right),
        ("deleted", right),
        ("failed", right),
        ("requests", right),
        ("time", right),
    ]);
    for report in reports {
        let delivered = report.counts.delivered;
        table.row(vec![
            (report.mapping.clone(), Some(Tone::Strong)),
            (report.status.as_str().to_owned(), Some(tone(report.status))),
            number(delivered.added, None),
            number(delivered.updated, None),
            number(delivered.deleted, None),
            number(report.counts.failed.total, Some(Tone::Bad)),
            number(report.requests, None),
            (seconds(report.timing.total), None),
        ]);
    }
    table.print(console);
    for report in reports {
        remarks(console, report);
    }
    if reports.iter().any(|report| !report.failures.is_empty()) {
        console.line("");
        console.line("`outflow show SYNC` shows the failed records and what to do about them.");
    }
}

fn remarks(console: &Console, report: &SyncReport) {
    let mut lines: Vec<String> = report.message.iter().cloned().collect();
    for (reason, rejected) in &report.rejected {
        let example = rejected.examples.first().map(|example| format!(", for example {}", cut(&plain(example), 90))).unwrap_or_default();
        lines.push(format!("{} not accepted: {}{example}", records(rejected.records), reason_in_words(reason)));
    }
    lines.extend(report.notices.iter().cloned());
    if lines.is_empty() {
        return;
    }
    console.line("");
    let name = console.paint(Tone::Strong, &report.mapping);
    let sync = if report.failures.is_empty() { String::new() } else { console.paint(Tone::Faint, &format!("  sync {}", report.sync_id)) };
    console.line(&format!("{name}{sync}"));
    for line in lines {
        for part in wrap(&plain(&line), console.width() - 2) {
            console.line(&format!("  {part}"));
        }
    }
}

fn reason_in_words(reason: &str) -> &str {
    match reason {
        "null_id" => "the identifier is null",
        "duplicate_id" => "the identifier is shared",
        "record_too_large" => "over the limits of size",
        other => other,
    }
}

/// A terminal narrower than this shows no column for the moment: a sync's id begins with it.
const MOMENT_WIDTH_MIN: usize = 106;

/// Past syncs, a line each.
pub(crate) fn history(console: &Console, reports: &[SyncReport]) {
    let right = Align::Right;
    let moments = console.table_width() >= MOMENT_WIDTH_MIN;
    let columns = [
        ("started", Align::Left),
        ("sync", Align::Left),
        ("mapping", Align::Give),
        ("status", Align::Left),
        ("delivered", right),
        ("failed", right),
        ("time", right),
    ];
    let mut table = Table::new(&columns[usize::from(!moments)..]);
    for report in reports {
        let mut cells = vec![
            (moment(&report.started_at), None),
            (report.sync_id.clone(), None),
            (report.mapping.clone(), Some(Tone::Strong)),
            (report.status.as_str().to_owned(), Some(tone(report.status))),
            number(report.counts.delivered.total, None),
            number(report.counts.failed.total, Some(Tone::Bad)),
            (seconds(report.timing.total), None),
        ];
        table.row(cells.split_off(usize::from(!moments)));
    }
    table.print(console);
}

/// `2026-03-01 12:30:00Z` of an RFC 3339 text.
fn moment(text: &str) -> String {
    text.get(..19).map_or_else(|| text.to_owned(), |head| format!("{}Z", head.replace('T', " ")))
}

/// One sync in full.
pub(crate) fn show(console: &Console, report: &SyncReport) {
    let strong = |text: &str| console.paint(Tone::Strong, text);
    console.line(&format!("{}  {}", strong(&report.mapping), console.paint(tone(report.status), report.status.as_str())));
    if let Some(message) = &report.message {
        for line in wrap(&plain(message), console.width() - 2) {
            console.line(&format!("  {line}"));
        }
    }
    let facts = [
        ("sync", report.sync_id.clone()),
        ("started", moment(&report.started_at)),
        ("model", format!("{}{}", report.model, report.version.map(|v| format!(", version {v}")).unwrap_or_default())),
        ("destination", report.destination.clone()),
        ("requests", format!("{}, {} sent again, {}", thousands(report.requests), thousands(report.counts.retried), bytes(report.bytes))),
    ];
    console.line("");
    for (name, value) in facts {
        console.line(&format!("  {}  {value}", console.paint(Tone::Faint, &format!("{name:<12}"))));
    }
    console.line("");
    counts(console, report);
    console.line("");
    phases(console, report);
    rejected(console, report);
    for group in &report.failures {
        failure(console, group);
    }
}

fn counts(console: &Console, report: &SyncReport) {
    let right = Align::Right;
    let mut table = Table::new(&[("records", Align::Left), ("added", right), ("updated", right), ("deleted", right), ("total", right)]);
    let counts = &report.counts;
    let changed = Tally {
        added: counts.added,
        updated: counts.updated,
        deleted: counts.deleted,
        total: counts.added + counts.updated + counts.deleted,
    };
    for (name, tally, tone) in [
        ("changed", changed, None),
        ("selected", counts.selected, None),
        ("delivered", counts.delivered, Some(Tone::Good)),
        ("failed", counts.failed, Some(Tone::Bad)),
    ] {
        let cells = [tally.added, tally.updated, tally.deleted, tally.total].map(|n| number(n, tone));
        table.row(std::iter::once((name.to_owned(), None)).chain(cells).collect());
    }
    table.print(console);
    let extracted = format!(
        "{} extracted, {} unchanged, {} rejected, {} not for this mapping",
        thousands(counts.extracted),
        thousands(counts.unchanged),
        thousands(counts.rejected),
        counted(counts.skipped, "change")
    );
    console.line(&console.paint(Tone::Faint, &extracted));
}

fn phases(console: &Console, report: &SyncReport) {
    let timing = &report.timing;
    let phases = [
        ("extract", timing.extract),
        ("plan", timing.plan),
        ("deliver", timing.deliver),
        ("commit", timing.commit),
        ("total", timing.total),
    ];
    let text: Vec<String> = phases.iter().map(|(name, s)| format!("{name} {}", seconds(*s))).collect();
    console.line(&text.join(" · "));
}

fn rejected(console: &Console, report: &SyncReport) {
    for (reason, rejected) in &report.rejected {
        console.line("");
        let title = format!("{} not accepted: {}", records(rejected.records), reason_in_words(reason));
        console.line(&console.paint(Tone::Warn, &title));
        for example in rejected.examples.iter().take(SAMPLES) {
            console.line(&format!("  {}", cut(&plain(example), console.width() - 2)));
        }
    }
}

fn failure(console: &Console, group: &FailureGroup) {
    console.line("");
    let title = format!("{} failed: {}", records(group.records), plain(&group.message));
    for line in wrap(&title, console.width()) {
        console.line(&console.paint(Tone::Bad, &line));
    }
    console.line(&format!("  {}  {}", console.paint(Tone::Faint, "code"), group.code));
    for (i, line) in wrap(&group.action, console.width() - 8).iter().enumerate() {
        let label = if i == 0 { console.paint(Tone::Good, "do") } else { "  ".to_owned() };
        console.line(&format!("  {label}    {line}"));
    }
    for sample in group.samples.iter().take(SAMPLES) {
        console.line(&format!("  {}  {} {}", console.paint(Tone::Faint, "for"), plain(&sample.id), sample.op.as_str()));
        if !sample.payload.is_empty() {
            console.line(&format!("       {}", cut(&plain(&sample.payload), console.width() - 7)));
        }
    }
}
