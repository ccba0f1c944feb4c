//! Columns for the fields of a mapping: a table, a block to paste, and what is still missing.

use outflow_contract::destination::FieldKind;
use outflow_planner::suggest::{Suggestion, Target, path_of};
use serde_json::{Map, Value, json};

use super::cells::visible;
use super::{Align, Console, Table, Tone, counted, records, wrap};
use crate::commands::suggest::{Found, Missing};
use crate::skeleton::{Lines, scalar};

/// From here on a suggestion hardly needs a second look.
const SURE: f64 = 0.85;

/// All of it, for people.
pub(crate) fn print(console: &Console, found: &Found<'_>) {
    let mapping = found.mapping;
    let about = format!(
        "action {} of {}; {}, {} looked at",
        mapping.action,
        found.kind,
        counted(found.columns.len() as u64, "column"),
        records(found.records as u64)
    );
    console.line(&format!("{}  {}", console.paint(Tone::Strong, &mapping.name), console.paint(Tone::Faint, &about)));
    console.line("");
    table(console, found);
    if found.suggestions.is_empty() {
        console.say(&nothing(found));
    } else {
        console.line("");
        console.say(if found.kept.iter().any(Option::is_some) {
            "Look at each line, and add them to the `fields` of the mapping:"
        } else {
            "Look at each line, and paste them into the mapping:"
        });
        console.line("");
        console.part(&console.clean(&block(found)));
    }
    missing(console, found);
}

fn nothing(found: &Found<'_>) -> String {
    let fields = format!("`outflow catalog {} {}` lists the fields", found.kind, found.mapping.action);
    if found.kept.iter().all(Option::is_some) {
        return "The mapping fills every field already.".to_owned();
    }
    format!("No column comes near enough to a field that is not filled yet. `--min-confidence` shows weaker ones; {fields}.")
}

/// Required fields first, and otherwise in the order in which the action declares them.
fn table(console: &Console, found: &Found<'_>) {
    let mut table = Table::new(&[("field", Align::Left), ("column", Align::Give), ("confidence", Align::Right), ("why", Align::Give)]);
    let mut rows = 0;
    for required in [true, false] {
        for (number, target) in found.targets.iter().enumerate().filter(|(_, target)| target.required == required) {
            let suggestion = found.suggestions.iter().find(|one| one.target == number);
            let Some(row) = row(console, found, target, number, suggestion) else { continue };
            table.row(row);
            rows += 1;
        }
    }
    if rows > 0 {
        table.print(console);
    }
}

fn row(
    console: &Console,
    found: &Found<'_>,
    target: &Target<'_>,
    number: usize,
    suggestion: Option<&Suggestion>,
) -> Option<Vec<(String, Option<Tone>)>> {
    let name = visible(&target.name());
    if let Some(kept) = &found.kept[number] {
        let column = kept.column.as_deref().map_or_else(|| "…".to_owned(), |column| visible(&console.clean(column)));
        let faint = Some(Tone::Faint);
        return Some(vec![(name, faint), (column, faint), ("kept".to_owned(), faint), ("filled already".to_owned(), faint)]);
    }
    let one = suggestion?;
    let required = if target.required { "required; " } else { "" };
    let tone = if one.confidence >= SURE { Tone::Good } else { Tone::Warn };
    let column = visible(&console.clean(&found.columns[one.column].name));
    Some(vec![(name, None), (column, None), (share(one.confidence), Some(tone)), (format!("{required}{}", one.why), None)])
}

fn share(confidence: f64) -> String {
    format!("{confidence:.2}")
}

/// The suggestions as `fields:` of a mapping. What is left over stands there in comments: whether it goes anywhere is not for us to say.
fn block(found: &Found<'_>) -> String {
    let mut lines = Lines::default();
    lines.push(0, "fields:");
    let mut open: Vec<&str> = Vec::new();
    for one in &found.suggestions {
        let path = &found.targets[one.target].path;
        let Some((name, parents)) = path.split_last() else { continue };
        let same = parents.iter().zip(&open).take_while(|(a, b)| a == b).count();
        for (depth, parent) in parents.iter().enumerate().skip(same) {
            lines.push(depth + 1, &format!("{}:", scalar(parent)));
        }
        open = parents.to_vec();
        let value = scalar(&path_of(&found.columns[one.column].name));
        let unsure = if one.confidence < SURE { format!("{}, {}", share(one.confidence), one.why) } else { String::new() };
        lines.entry(path.len(), &format!("{}: {value}", scalar(name)), &unsure);
    }
    if let (Some(rest), false) = (found.rest, found.left.is_empty()) {
        let (Some((name, parents)), level) = (rest.path.split_last(), rest.path.len()) else { return lines.text };
        if parents.is_empty() {
            lines.entry(level, &format!("# {}:", scalar(name)), "columns that are left, for what may go there");
            for &column in &found.left {
                let column = &found.columns[column].name;
                lines.push(level, &format!("#   {}: {}", scalar(column), scalar(&path_of(column))));
            }
        }
    }
    lines.text
}

/// Required fields that have nothing, and what to do.
fn missing(console: &Console, found: &Found<'_>) {
    if found.missing.is_empty() {
        return;
    }
    console.line("");
    console.say("Required, and without a column:");
    for Missing { name, field } in &found.missing {
        let what_to_do = if field.constant {
            format!("It is the same for every record: write it, such as `{name}: …`.")
        } else if let Some(choice) = field.choices.first() {
            let (only, more) = (field.choices.len() == 1, if field.choices.len() > 6 { ", …" } else { "" });
            let choices = field.choices.iter().take(6).map(String::as_str).collect::<Vec<_>>().join(", ");
            let choices = if only { choice.clone() } else { format!("one of {choices}{more}") };
            format!("Write its value ({choices}), or have the model's query return it.")
        } else if matches!(field.kind, FieldKind::Object) {
            "Write what is in it, member by member.".to_owned()
        } else {
            format!("Have the model's query return it, such as `… AS {}`; or write a value.", field.name)
        };
        console.line(&format!("  {}", console.paint(Tone::Warn, &visible(name))));
        for line in wrap(&format!("{} {what_to_do}", field.description), console.table_width().saturating_sub(4)) {
            console.line(&format!("    {line}"));
        }
    }
}

/// All of it, for programs.
pub(crate) fn document(found: &Found<'_>) -> Value {
    let suggestions: Vec<Value> = found.suggestions.iter().map(|one| suggestion(found, one)).collect();
    let kept = found.targets.iter().zip(found.kept).filter_map(|(target, kept)| {
        let kept = kept.as_ref()?;
        Some(json!({ "field": target.name(), "path": target.path, "column": kept.column }))
    });
    let missing = found.missing.iter().map(|Missing { name, field }| {
        json!({
            "field": name,
            "type": field.kind,
            "constant": field.constant,
            "choices": field.choices,
            "description": field.description,
        })
    });
    let left: Vec<&str> = found.left.iter().map(|&column| found.columns[column].name.as_str()).collect();
    json!({
        "mapping": found.mapping.name,
        "model": found.mapping.model,
        "destination": found.mapping.destination,
        "type": found.kind,
        "action": found.mapping.action,
        "records": found.records,
        "min_confidence": found.confidence_min,
        "suggestions": suggestions,
        "kept": kept.collect::<Vec<Value>>(),
        "missing": missing.collect::<Vec<Value>>(),
        "columns_left": left,
        "fields": fields(found),
    })
}

fn suggestion(found: &Found<'_>, one: &Suggestion) -> Value {
    let (target, column) = (&found.targets[one.target], &found.columns[one.column]);
    json!({
        "field": target.name(),
        "path": target.path,
        "column": column.name,
        "value": path_of(&column.name),
        "confidence": (one.confidence * 100.0).round() / 100.0,
        "required": target.required,
        "why": one.why,
    })
}

/// The suggestions as the `fields` of a mapping.
fn fields(found: &Found<'_>) -> Value {
    let mut fields = Map::new();
    for one in &found.suggestions {
        put(&mut fields, &found.targets[one.target].path, path_of(&found.columns[one.column].name).into());
    }
    Value::Object(fields)
}

fn put(members: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [name] => drop(members.insert((*name).to_owned(), value)),
        [parent, rest @ ..] => {
            let inner = members.entry((*parent).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
