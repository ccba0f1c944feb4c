//! What changed between two versions of a model: how much, then record by record, and column by column where one was updated.

use outflow_contract::report::Tally;
use outflow_contract::{Counts, Op};
use outflow_engine::compare::{Changed, ColumnChange, OtherColumns, Shown, Span};
use outflow_ledger::commit::{ModelCommit, VersionInfo};
use serde_json::{Map, Value, json};

use super::cells::{Cell, visible};
use super::sync::{moment, number, operations};
use super::text::{share, width};
use super::{Align, Console, Table, Tone, cut, plain};

/// A value of a record that is added or deleted is not shown wider.
const VALUE_MAX: usize = 40;
/// Before the columns of a record.
const INDENT: usize = 4;

/// What was found, but for the records.
pub(crate) struct Found<'a> {
    pub(crate) model: &'a str,
    pub(crate) head: &'a ModelCommit,
    pub(crate) span: Span,
    pub(crate) counts: Counts,
    pub(crate) columns: OtherColumns,
}

impl Found<'_> {
    /// When a version was made, if it is still kept.
    fn at(&self, version: u64) -> Option<&str> {
        self.head.versions.iter().find(|info| info.version == version).map(|info| info.at.as_str())
    }
}

/// What it is about, and the counts.
pub(crate) fn begin(console: &Console, found: &Found<'_>) {
    let Span { from, to } = found.span;
    let versions = match (from, to) {
        (0, _) => format!("nothing → version {to}"),
        (_, 0) => format!("version {from} → nothing"),
        _ => format!("version {from} → {to}"),
    };
    let direction = if found.span.is_backwards() { ", backwards" } else { "" };
    let moments: Vec<String> = [from, to].into_iter().filter_map(|version| found.at(version).map(moment)).collect();
    let title = console.paint(Tone::Strong, found.model);
    let line = format!("{title}  {versions}{direction}  {}", console.paint(Tone::Faint, &moments.join(" → ")));
    console.line(line.trim_end());
    if found.counts.total() == 0 {
        console.say(&nothing(found));
    } else {
        console.line(&operations(Tally::from(found.counts)));
    }
    let list = |names: &[String]| names.iter().map(|name| format!("`{}`", plain(name))).collect::<Vec<_>>().join(", ");
    for (names, what) in [(&found.columns.new, "has"), (&found.columns.dropped, "no longer has")] {
        if !names.is_empty() {
            console.say(&format!("Version {to} {what} {}, and is compared without.", list(names)));
        }
    }
    if found.counts.total() > 0 {
        console.line("");
    }
}

fn nothing(found: &Found<'_>) -> String {
    let (Span { from, to }, model) = (found.span, found.model);
    if from != to {
        return "No record differs: what changed in between has changed back.".to_owned();
    }
    let before = to.saturating_sub(1);
    // The first step that can be told is the one after what was dropped.
    let told = before >= found.head.dropped.through && to > 0;
    let hint = if told { format!(" `outflow diff {model} {before} {to}` shows what it changed.") } else { String::new() };
    format!("Both are version {to}: no record differs.{hint}")
}

/// One record: an updated one with a line for each column that differs, the others with their values.
pub(crate) fn record(console: &Console, found: &Found<'_>, record: &Changed) {
    let (sign, tone) = match record.op {
        Op::Added => ("+", Tone::Good),
        Op::Updated => ("~", Tone::Warn),
        Op::Deleted => ("-", Tone::Bad),
    };
    console.line(&format!("{} {}", console.paint(tone, sign), cut(&plain(&record.id), console.width() - 2)));
    if record.op == Op::Updated {
        record.changes.iter().for_each(|change| changed(console, change));
        return;
    }
    let is_id = |name: &String| found.head.id.as_slice() == std::slice::from_ref(name);
    let shown = record.columns.iter().zip(&record.values).filter(|(column, _)| !is_id(&column.name));
    let pairs = shown.map(|(column, value)| (cut(&visible(&column.name), VALUE_MAX), Cell::of(value, column.kind == "json")));
    for line in folded(console, pairs) {
        console.line(&format!("{}{line}", " ".repeat(INDENT)));
    }
}

fn changed(console: &Console, ColumnChange { column, before, after }: &ColumnChange) {
    let [(before, was), (after, is)] = [before, after].map(|Shown { value, kind }| (Cell::of(value, kind == "json").text, kind));
    // What looks the same differs by its type.
    let types = if before == after { format!("  ({was} → {is})") } else { String::new() };
    let column = cut(&visible(column), console.width() / 2);
    let room = console.width().saturating_sub(INDENT + width(&column) + 5 + width(&types)).max(24);
    let (before, after) = share(&before, &after, room);
    let indent = " ".repeat(INDENT);
    console.line(&format!("{indent}{column}: {} → {after}{types}", console.paint(Tone::Faint, &before)));
}

/// `name: value` one behind the other, as many in a line as have room.
fn folded(console: &Console, pairs: impl Iterator<Item = (String, Cell)>) -> Vec<String> {
    let room = console.width() - INDENT;
    let (mut lines, mut taken): (Vec<String>, usize) = (Vec::new(), 0);
    for (name, cell) in pairs {
        let value = cut(&cell.text, VALUE_MAX);
        let wide = width(&name) + 2 + width(&value);
        let value = cell.tone.map_or_else(|| value.clone(), |tone| console.paint(tone, &value));
        let pair = format!("{} {value}", console.paint(Tone::Faint, &format!("{name}:")));
        match lines.last_mut() {
            Some(line) if taken + 2 + wide <= room => {
                line.push_str(&format!("  {pair}"));
                taken += 2 + wide;
            }
            _ => {
                lines.push(pair);
                taken = wide;
            }
        }
    }
    lines
}

/// What stands below the records. `more`: there are others that were not asked for.
pub(crate) fn end(console: &Console, more: bool) {
    if more {
        console.line("");
        console.line(&console.paint(Tone::Faint, "There are more: --limit NUMBER shows so many of each, --all every one."));
    }
}

/// The versions, newest first.
pub(crate) fn versions(console: &Console, head: &ModelCommit, model: &str, listed: &[&VersionInfo]) {
    let right = Align::Right;
    let columns = [("version", right), ("extracted", Align::Left), ("added", right), ("updated", right), ("deleted", right)];
    let mut table = Table::new(&[columns.as_slice(), &[("values", Align::Left)]].concat());
    for info in listed {
        let mut cells = vec![(info.version.to_string(), Some(Tone::Strong)), (moment(&info.at), None)];
        cells.extend([info.counts.added, info.counts.updated, info.counts.deleted].map(|n| number(n, None)));
        cells.push(("kept".to_owned(), None));
        table.row(cells);
    }
    let (dropped, all) = (head.dropped.through, listed.len() == head.versions.len());
    if all && dropped > 0 {
        let which = if dropped == 1 { "1".to_owned() } else { format!("1 to {dropped}") };
        let none = || (String::new(), None);
        table.row(vec![(which, Some(Tone::Faint)), none(), none(), none(), none(), ("dropped".to_owned(), Some(Tone::Faint))]);
    }
    table.print(console);
    if !all {
        console.line(&console.paint(Tone::Faint, "There are older ones: --limit NUMBER shows more, --all every one."));
    } else if dropped > 0 {
        console.line("");
        console.say(&format!(
            "What `retention` has dropped cannot be compared any more; what came after it can: `outflow diff {model} {dropped}`."
        ));
    }
}

/// The same as a document.
pub(crate) fn versions_document(model: &str, head: &ModelCommit, listed: &[&VersionInfo]) -> Value {
    let version = |info: &&VersionInfo| json!({ "version": info.version, "at": info.at, "counts": Tally::from(info.counts), "kept": true });
    json!({
        "model": model,
        "newest": head.version,
        "dropped_through": head.dropped.through,
        "versions": listed.iter().map(version).collect::<Vec<Value>>(),
        "more": listed.len() < head.versions.len(),
    })
}

/// The document of `--output json`, written record by record.
pub(crate) struct Document<'a> {
    console: &'a Console,
    head: Value,
    records: u64,
}

impl<'a> Document<'a> {
    pub(crate) fn new(console: &'a Console, found: &Found<'_>, more: bool) -> Self {
        let Span { from, to } = found.span;
        let head = json!({
            "model": found.model,
            "from": from,
            "from_at": found.at(from),
            "to": to,
            "to_at": found.at(to),
            "backwards": found.span.is_backwards(),
            "counts": Tally::from(found.counts),
            "new_columns": found.columns.new,
            "dropped_columns": found.columns.dropped,
            "more": more,
        });
        Self { console, head, records: 0 }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.records > 0
    }

    /// Writes one more record.
    pub(crate) fn record(&mut self, record: &Changed) {
        if self.records == 0 {
            self.begin();
        }
        let comma = if self.records == 0 { "" } else { ",\n" };
        self.records += 1;
        // Within a string, JSON has no line breaks.
        let text = pretty(&document_of(record)).replace('\n', "\n    ");
        self.console.part(&format!("{comma}    {text}"));
    }

    fn begin(&self) {
        let head = pretty(&self.head);
        let open = head.trim_end_matches('}').trim_end();
        self.console.part(&format!("{open},\n  \"records\": [\n"));
    }

    /// Ends it, with what kept it from its end if something did.
    pub(crate) fn end(mut self, error: Option<Value>) {
        if self.records == 0 {
            if let Some(fields) = self.head.as_object_mut() {
                fields.insert("records".to_owned(), json!([]));
            }
            self.console.json(&self.head);
            return;
        }
        let error = error.map(|error| format!(",\n  \"error\": {}", pretty(&error).replace('\n', "\n  ")));
        self.console.line(&format!("\n  ]{}\n}}", error.unwrap_or_default()));
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

fn document_of(record: &Changed) -> Value {
    let values: Map<String, Value> = record.columns.iter().map(|column| column.name.clone()).zip(record.values.iter().cloned()).collect();
    let change = |change: &ColumnChange| json!({ "column": change.column, "before": change.before.value, "after": change.after.value });
    let changes: Vec<Value> = record.changes.iter().map(change).collect();
    json!({ "op": record.op, "id": record.id, "record": values, "changes": changes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_opens_for_its_records_whatever_is_in_it() {
        let head = pretty(&json!({ "a": { "b": {} }, "c": ["}"] }));
        assert!(head.ends_with("\n}"), "{head}");
        assert_eq!(head.trim_end_matches('}').trim_end(), &head[..head.len() - 2]);
    }
}
