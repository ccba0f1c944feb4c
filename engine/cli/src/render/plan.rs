//! What a run would send.

use outflow_contract::Op;
use outflow_engine::plan::{MappingPlan, Sample};

use super::sync::reason_in_words;
use super::text::{share, width};
use super::{Align, Console, Table, Tone, bytes, counted, cut, plain, records, seconds, thousands, wrap};

/// A line for each mapping, then samples.
pub(crate) fn print(console: &Console, plans: &[MappingPlan]) {
    let right = Align::Right;
    let mut columns = vec![("mapping", Align::Give), ("added", right), ("updated", right), ("deleted", right)];
    columns.extend([("requests", right), ("bytes", right)]);
    let limited = plans.iter().any(|plan| plan.seconds_at_rate_limit.is_some());
    columns.extend(limited.then_some(("at the rate limit", right)));
    let mut table = Table::new(&columns).drops(&["bytes", "at the rate limit", "requests"]);
    for plan in plans {
        let number = |n: u64| (thousands(n), (n == 0).then_some(Tone::Faint));
        let at_rate = plan.seconds_at_rate_limit.map_or_else(|| ("-".to_owned(), Some(Tone::Faint)), |s| (seconds(s), None));
        let mut cells = vec![
            (plan.mapping.clone(), Some(Tone::Strong)),
            number(plan.selected.added),
            number(plan.selected.updated),
            number(plan.selected.deleted),
            number(plan.requests),
            (bytes(plan.bytes), (plan.bytes == 0).then_some(Tone::Faint)),
        ];
        cells.extend(limited.then_some(at_rate));
        table.row(cells);
    }
    table.print(console);
    for plan in plans {
        details(console, plan);
    }
    console.line("");
    console.line("Nothing was sent, and nothing was changed.");
}

fn details(console: &Console, plan: &MappingPlan) {
    let mut remarks: Vec<String> = Vec::new();
    if plan.disabled {
        remarks.push("disabled: a run would send nothing, and the changes would wait".to_owned());
    }
    for refusal in &plan.refusals {
        let (refused, why, id) = (records(refusal.records), &refusal.message, &refusal.id);
        remarks.push(format!("{refused} would be refused before being sent: {why} (for example {id})"));
    }
    for (reason, &rejected) in &plan.rejections {
        remarks.push(format!("{} of the model not accepted: {}", records(rejected), reason_in_words(reason)));
    }
    if plan.set_aside.total > 0 {
        let are = if plan.set_aside.total == 1 { "is" } else { "are" };
        remarks.push(format!("{} {are} set aside, and would not be sent", records(plan.set_aside.total)));
    }
    if plan.skipped > 0 {
        remarks.push(format!("{} not for this mapping", counted(plan.skipped, "change")));
    }
    remarks.extend(plan.notices.iter().cloned());
    if remarks.is_empty() && plan.samples.is_empty() {
        return;
    }
    console.line("");
    console.line(&console.paint(Tone::Strong, &plan.mapping));
    for remark in remarks {
        for line in wrap(&plain(&remark), console.width() - 2) {
            console.line(&format!("  {line}"));
        }
    }
    for sample in &plan.samples {
        show(console, sample);
    }
}

fn show(console: &Console, sample: &Sample) {
    let (sign, tone) = match sample.op {
        Op::Added => ("+", Tone::Good),
        Op::Updated => ("~", Tone::Warn),
        Op::Deleted => ("-", Tone::Bad),
    };
    let id = cut(&plain(&sample.id), console.width() / 2);
    let room = console.width().saturating_sub(6 + width(&id));
    console.line(&format!(
        "  {} {id}  {}",
        console.paint(tone, sign),
        console.paint(Tone::Faint, &cut(&plain(&sample.payload), room.max(20)))
    ));
    for change in &sample.changes {
        let unused = if change.mapped { "" } else { "  (not mapped)" };
        let column = cut(&plain(&change.column), console.width() / 2);
        // What is before and what is after share the rest of the line.
        let room = console.width().saturating_sub(11 + width(&column) + width(unused)).max(24);
        let (before, after) = share(&plain(&change.before), &plain(&change.after), room);
        console.line(&format!("      {column}: {before} → {after}{unused}"));
    }
}
