//! What a run did: a line for each mapping, what is worth saying about them, the sum, and what to do next.

use std::time::Duration;

use outflow_contract::plan::Project;
use outflow_contract::report::{Status, SyncReport};
use serde_json::{Map, Value};

use super::sync::{Hint, mending, named_in, number, print_hints, reason_in_words, tone};
use super::text::width;
use super::{Align, Console, Table, Tone, counted, cut, plain, records, seconds, wrap};

/// For so many mappings it is said what to do; who has more begins with these.
const HINTS_MAX: usize = 4;
/// The identifiers of rejected records take no more columns than this.
const IDENTIFIERS_WIDTH: usize = 60;

/// All of it.
pub(crate) fn print(console: &Console, project: &Project, reports: &[SyncReport], elapsed: Duration) {
    if reports.is_empty() {
        return;
    }
    let by_operation = table(reports, true);
    // Where that is too wide, the operations are folded into one column.
    if by_operation.fits(console.table_width()) { by_operation } else { table(reports, false) }.print(console);
    if !console.is_quiet() {
        rejected(console, project, reports);
    }
    for report in reports {
        remarks(console, report);
    }
    if reports.len() > 1 {
        console.line("");
        sum(console, reports, elapsed);
    }
    print_hints(console, &hints(reports));
}

fn table(reports: &[SyncReport], by_operation: bool) -> Table {
    let right = Align::Right;
    let counts = if by_operation { ["added", "updated", "deleted"].as_slice() } else { ["delivered"].as_slice() };
    let mut columns = vec![("mapping", Align::Give), ("status", Align::Left)];
    columns.extend(counts.iter().map(|name| (*name, right)));
    columns.extend([("failed", right), ("requests", right), ("time", right)]);
    let mut table = Table::new(&columns).drops(if by_operation { &["requests"] } else { &["requests", "time"] });
    for report in reports {
        let delivered = report.counts.delivered;
        let counts = [delivered.added, delivered.updated, delivered.deleted];
        let counts = if by_operation { counts.as_slice() } else { &[delivered.total] };
        let mut cells = vec![(report.mapping.clone(), Some(Tone::Strong)), (report.status.as_str().to_owned(), Some(tone(report.status)))];
        cells.extend(counts.iter().map(|&n| number(n, Some(Tone::Good))));
        cells.push(number(report.counts.failed.total, Some(Tone::Bad)));
        cells.push(number(report.requests, None));
        cells.push((seconds(report.timing.total), None));
        table.row(cells);
    }
    table
}

/// What the extractions did not accept, once for each model. What the records hold is nobody's business in a log: at most their
/// identifiers are named.
fn rejected(console: &Console, project: &Project, reports: &[SyncReport]) {
    let mut told: Vec<&str> = Vec::new();
    for report in reports.iter().filter(|report| !report.rejected.is_empty()) {
        if told.contains(&report.model.as_str()) {
            continue;
        }
        told.push(&report.model);
        console.line("");
        console.line(&console.paint(Tone::Strong, &format!("model {}", report.model)));
        for (reason, rejected) in &report.rejected {
            let id = project.model(&report.model).map(|model| model.id.as_slice()).unwrap_or_default();
            let which = cut(&plain(&identifiers(id, &rejected.examples)), IDENTIFIERS_WIDTH);
            let which = if which.is_empty() { which } else { format!(", such as {which}") };
            let line = format!("{} not accepted: {}{which}", records(rejected.records), reason_in_words(reason));
            for part in wrap(&line, console.width() - 2) {
                console.line(&format!("  {part}"));
            }
        }
        for part in wrap(&format!("`outflow show {}` shows examples", report.mapping), console.width() - 2) {
            console.line(&console.paint(Tone::Faint, &format!("  {part}")));
        }
    }
}

/// The identifiers of these records, each once, as far as they have any.
fn identifiers(columns: &[String], examples: &[String]) -> String {
    let mut list: Vec<String> = Vec::new();
    for example in examples {
        let record: Option<Map<String, Value>> = serde_json::from_str(example).ok();
        let values: Option<Vec<String>> = record.and_then(|record| {
            columns.iter().map(|column| record.get(column).filter(|value| !value.is_null()).map(Value::to_string)).collect()
        });
        let id = values.filter(|values| !values.is_empty()).map(|values| values.join(" + "));
        list.extend(id.filter(|id| !list.contains(id)));
    }
    list.join(", ")
}

fn remarks(console: &Console, report: &SyncReport) {
    let mut lines: Vec<String> = report.message.iter().cloned().collect();
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

/// `3 syncs: 1 succeeded, 1 partial, 1 failed · 12,345 records delivered, 2 records failed · 3.4 s`
fn sum(console: &Console, reports: &[SyncReport], elapsed: Duration) {
    const WORDS: [(Status, &str); 8] = [
        (Status::Success, "succeeded"),
        (Status::NoChanges, "without changes"),
        (Status::PartialSuccess, "partial"),
        (Status::Failed, "failed"),
        (Status::Blocked, "blocked"),
        (Status::Paused, "paused"),
        (Status::Cancelled, "cancelled"),
        (Status::Skipped, "skipped"),
    ];
    // Each with how it is painted: what is measured has no colours.
    let mut statuses: Vec<(String, Option<Tone>)> = Vec::new();
    for (status, word) in WORDS {
        let n = reports.iter().filter(|report| report.status == status).count();
        if n > 0 {
            statuses.push((format!("{n} {word}"), Some(tone(status))));
        }
    }
    let delivered: u64 = reports.iter().map(|report| report.counts.delivered.total).sum();
    let failed: u64 = reports.iter().map(|report| report.counts.failed.total).sum();
    let mut outcome = vec![(format!("{} delivered", records(delivered)), (delivered > 0).then_some(Tone::Good))];
    outcome.extend((failed > 0).then(|| (format!("{} failed", records(failed)), Some(Tone::Bad))));
    let listed = |list: Vec<(String, Option<Tone>)>| {
        let last = list.len().saturating_sub(1);
        list.into_iter().enumerate().map(move |(i, (text, tone))| (format!("{text}{}", if i == last { " ·" } else { "," }), tone))
    };
    let mut parts = vec![(format!("{}:", counted(reports.len() as u64, "sync")), None)];
    parts.extend(listed(statuses).chain(listed(outcome)));
    parts.push((seconds(elapsed.as_secs_f64()), None));
    let mut used = 0;
    let mut line = String::new();
    for (part, tone) in parts {
        if used > 0 && used + 1 + width(&part) > console.width() {
            console.line(&line);
            "  ".clone_into(&mut line);
            used = 2;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        used += width(&part);
        line.push_str(&tone.map_or_else(|| part.clone(), |tone| console.paint(tone, &part)));
    }
    console.line(&line);
}

/// What to do about the mappings that did not succeed.
fn hints(reports: &[SyncReport]) -> Vec<Hint> {
    let mut hints: Vec<Hint> = Vec::new();
    let mut before: Vec<&str> = Vec::new();
    for report in reports {
        if !report.failures.is_empty() {
            let why = format!("{}, and what to do", counted(report.counts.failed.total, "failed record"));
            hints.push(Hint::new(format!("outflow show {}", report.mapping), why));
        } else if report.status == Status::Failed && named_in(report).is_empty() {
            before.push(&report.mapping);
        } else {
            hints.extend(mending(report));
        }
    }
    hints.truncate(HINTS_MAX);
    if !before.is_empty() {
        hints.push(Hint::new("outflow check", "is it something in the project?"));
        hints.push(Hint::new(format!("outflow run --select {}", before.join(" ")), "once it is mended"));
    }
    hints
}
