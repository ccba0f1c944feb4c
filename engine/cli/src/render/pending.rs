//! What waits for each destination: a line for each mapping, then the reasons with examples, and what to do.

use outflow_contract::report::Tally;
use outflow_engine::run::{Waiting, WaitingReason};

use super::show::others;
use super::sync::{Hint, moment, number, operations, print_hints};
use super::{Align, Console, Table, Tone, counted, cut, plain, records, wrap};

/// Identifiers that are shown for each reason.
const EXAMPLES: usize = 3;
/// For so many mappings it is said what to do.
const HINTS_MAX: usize = 3;

/// All of it.
pub(crate) fn print(console: &Console, all: &[Waiting]) {
    let right = Align::Right;
    let columns =
        [("mapping", Align::Give), ("added", right), ("updated", right), ("deleted", right), ("waiting", right), ("set aside", right)];
    let mut table = Table::new(&columns).drops(&["deleted", "updated", "added"]);
    for waiting in all {
        let Tally { added, updated, deleted, total } = waiting.pending.without(waiting.set_aside);
        let mut cells = vec![(waiting.mapping.clone(), Some(Tone::Strong))];
        cells.extend([added, updated, deleted].map(|n| number(n, None)));
        cells.push(number(total, Some(Tone::Warn)));
        cells.push(number(waiting.set_aside.total, None));
        table.row(cells);
    }
    table.print(console);
    for waiting in all {
        one(console, waiting);
    }
    print_hints(console, &hints(all));
}

fn one(console: &Console, waiting: &Waiting) {
    let mut remarks = Vec::new();
    if waiting.unsettled {
        remarks.push("a sync is under way or was interrupted: what became of it is not among this".to_owned());
    }
    if waiting.versions_ahead > 0 {
        let versions = counted(waiting.versions_ahead, "version");
        remarks.push(format!("{versions} of its model not looked at yet: its next sync sends what changed in between"));
    }
    if waiting.reasons.is_empty() && remarks.is_empty() {
        return;
    }
    console.line("");
    console.line(&console.paint(Tone::Strong, &waiting.mapping));
    for remark in remarks {
        for line in wrap(&remark, console.width() - 2) {
            console.line(&format!("  {line}"));
        }
    }
    waiting.reasons.iter().for_each(|reason| self::reason(console, reason));
}

fn reason(console: &Console, reason: &WaitingReason) {
    let aside = if reason.set_aside { " set aside" } else { "" };
    let others = others(reason.other_messages);
    let title = format!("{}{aside}: {}{others} ({})", records(reason.records), plain(&reason.message), plain(&reason.code));
    for line in wrap(&title, console.width() - 2) {
        console.line(&format!("  {}", console.paint(if reason.set_aside { Tone::Faint } else { Tone::Bad }, &line)));
    }
    let fact = |name: &str, value: &str| {
        let lines = wrap(value, console.width() - 14);
        for (i, line) in lines.iter().enumerate() {
            let label = if i == 0 { name } else { "" };
            console.line(&format!("    {}  {line}", console.paint(Tone::Faint, &format!("{label:<8}"))));
        }
    };
    fact("records", &operations(reason.operations));
    if let (Some(first), Some(last)) = (&reason.first_seen, &reason.last_seen) {
        let row =
            if reason.attempts > 1 { format!(", in up to {} in a row", counted(reason.attempts.into(), "sync")) } else { String::new() };
        fact("failed", &format!("{} to {}{row}", moment(first), moment(last)));
    }
    let ids: Vec<String> = reason.examples.iter().take(EXAMPLES).map(|record| plain(&record.id)).collect();
    fact("such as", &cut(&ids.join(", "), console.width() - 14));
    if let Some(payload) = reason.examples.iter().find_map(|record| record.payload.as_deref()) {
        fact("sent", &cut(&plain(payload), console.width() - 14));
    }
}

/// What to do about those that wait.
fn hints(all: &[Waiting]) -> Vec<Hint> {
    let mut hints = Vec::new();
    for Waiting { mapping, pending, set_aside, .. } in all.iter().filter(|waiting| waiting.pending.total > 0).take(HINTS_MAX) {
        let waits = pending.without(*set_aside).total;
        if waits > 0 {
            let what = if waits == 1 { "the record".to_owned() } else { format!("the {}", records(waits)) };
            hints.push(Hint::new(format!("outflow retry {mapping}"), format!("sends {what} again, without asking the source")));
            hints.push(Hint::new(format!("outflow retry {mapping} --acknowledge --all"), "sets aside what has failed, until it changes"));
        }
        if set_aside.total > 0 {
            hints.push(Hint::new(format!("outflow retry {mapping} --acknowledged"), "tries what is set aside, too"));
        }
    }
    hints
}
