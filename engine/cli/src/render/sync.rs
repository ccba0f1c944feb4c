//! What all pictures of syncs have in common: their colours, figures and moments, and what to do next.

use outflow_contract::Op;
use outflow_contract::report::{Status, SyncReport, Tally};
use serde::Serialize;

use super::{Console, Tone, cut, records, text::width, thousands};

/// The colour of a status: green delivered, yellow in part, red failed.
pub(crate) fn tone(status: Status) -> Tone {
    match status {
        Status::Success => Tone::Good,
        Status::NoChanges | Status::Skipped => Tone::Faint,
        Status::PartialSuccess | Status::Paused => Tone::Warn,
        Status::Failed | Status::Blocked | Status::Cancelled => Tone::Bad,
    }
}

/// A count as a cell; zero is faint.
pub(crate) fn number(n: u64, tone: Option<Tone>) -> (String, Option<Tone>) {
    if n == 0 { ("0".to_owned(), Some(Tone::Faint)) } else { (thousands(n), tone) }
}

/// `2026-03-01 12:30:00Z` of an RFC 3339 text in UTC.
pub(crate) fn moment(text: &str) -> String {
    text.get(..19).map_or_else(|| text.to_owned(), |head| format!("{}Z", head.replace('T', " ")))
}

/// `2 added, 1 deleted`
pub(crate) fn operations(tally: Tally) -> String {
    let each = [(tally.added, Op::Added), (tally.updated, Op::Updated), (tally.deleted, Op::Deleted)];
    let told: Vec<String> = each.iter().filter(|(n, _)| *n > 0).map(|(n, op)| format!("{} {}", thousands(*n), op.as_str())).collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

/// Why records were rejected at extraction.
pub(crate) fn reason_in_words(reason: &str) -> &str {
    match reason {
        "null_id" => "the identifier is null",
        "duplicate_id" => "the identifier is shared",
        "record_too_large" => "over the limits of size",
        other => other,
    }
}

/// A command to copy, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Hint {
    pub(crate) command: String,
    pub(crate) why: String,
}

impl Hint {
    pub(crate) fn new(command: impl Into<String>, why: impl Into<String>) -> Self {
        Self { command: command.into(), why: why.into() }
    }
}

/// The commands that a message itself names as the way out.
fn named(message: &str) -> Vec<Hint> {
    let why = |command: &str| {
        Some(match command.split(' ').nth(1)? {
            "rename" if command.ends_with("--forget") => "ends what is remembered of the old one",
            "rename" => "carries over what was delivered",
            "reset" => "starts afresh, and sends every record again",
            "baseline" => "counts every record as delivered, and sends nothing",
            "resume" => "lets it run again",
            "pending" => "lists what waits, and why",
            "replay" if command.ends_with("--force") => "sends the older values, too",
            "replay" => "sends what was not acknowledged again",
            _ => return None,
        })
    };
    let mut hints: Vec<Hint> = Vec::new();
    for command in message.split('`').skip(1).step_by(2).filter(|part| part.starts_with("outflow ")) {
        if let Some(why) = why(command).filter(|_| hints.iter().all(|hint| hint.command != command)) {
            hints.push(Hint::new(command, why));
        }
    }
    hints
}

/// The commands that the report's message names.
pub(crate) fn named_in(report: &SyncReport) -> Vec<Hint> {
    report.message.as_deref().map(named).unwrap_or_default()
}

/// What to do after a sync that did not go well; nothing if it did.
pub(crate) fn mending(report: &SyncReport) -> Vec<Hint> {
    let mapping = &report.mapping;
    let run = format!("outflow run --select {mapping}");
    let failed = report.counts.failed.total;
    let named = named_in(report);
    if named.iter().any(|hint| hint.command.starts_with("outflow replay ")) {
        // What a replay did not send, or not get acknowledged, is no work of the next sync.
        return named;
    }
    match report.status {
        Status::Blocked => vec![Hint::new(format!("outflow plan --select {mapping}"), "what would be sent")],
        Status::Paused => vec![Hint::new(run, "goes on, once the limit allows it")],
        Status::Failed | Status::PartialSuccess | Status::Cancelled if failed > 0 => {
            let what = if failed == 1 { "record".to_owned() } else { records(failed) };
            vec![Hint::new(run, format!("tries the {what} again"))]
        }
        Status::Failed | Status::Cancelled => {
            if !named.is_empty() {
                return named;
            }
            if report.status == Status::Cancelled {
                return vec![Hint::new(run, "begins again: nothing is to be mended")];
            }
            vec![Hint::new("outflow check", "is it something in the project?"), Hint::new(run, "once it is mended")]
        }
        Status::PartialSuccess | Status::Skipped => named,
        Status::Success | Status::NoChanges => Vec::new(),
    }
}

/// Prints commands to copy, one below the other, each with a remark that a shell ignores.
pub(crate) fn print_hints(console: &Console, hints: &[Hint]) {
    let Some(widest) = hints.iter().map(|hint| width(&hint.command)).max() else { return };
    console.line("");
    for Hint { command, why } in hints {
        let padding = " ".repeat(widest.saturating_sub(width(command)));
        let room = console.table_width().saturating_sub(widest + 4);
        let remark = if room < 12 { String::new() } else { console.paint(Tone::Faint, &cut(&format!("# {why}"), room)) };
        console.line(format!("  {command}{padding}  {remark}").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_names_the_way_out_has_it_as_a_hint() {
        let message = "it is new; carry it over with `outflow rename old new`, or end it with `outflow rename old --forget`";
        let commands: Vec<String> = named(message).into_iter().map(|hint| hint.command).collect();
        assert_eq!(commands, ["outflow rename old new", "outflow rename old --forget"]);
        assert_eq!(named("run `outflow check`, or put `id` back"), []);
    }

    #[test]
    fn operations_are_told_as_far_as_there_are_any() {
        assert_eq!(operations(Tally { added: 2000, updated: 0, deleted: 1, total: 2001 }), "2,000 added, 1 deleted");
        assert_eq!(operations(Tally::default()), "none");
        assert_eq!(moment("2026-03-01T12:30:00.250Z"), "2026-03-01 12:30:00Z");
        assert_eq!(moment("soon"), "soon");
    }
}
