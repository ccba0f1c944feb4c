//! Destinations, their settings, actions and fields.

use outflow_contract::destination::{Action, Descriptor, Field, FieldKind};

use super::cells::{Cell, pad};
use super::text::width as width_of;
use super::{Align, Console, Tone, cut, wrap};
use crate::skeleton::written;

/// A description gets at least so much room beside the other columns, or a line of its own.
const DESCRIPTION_MIN: usize = 30;
/// No column between the first one, which is a name, and the last one is wider.
const COLUMN_MAX: usize = 34;
/// A comment that has less room is left out.
const COMMENT_MIN: usize = 12;
/// Between two columns.
const GAP: usize = 2;

/// Every destination.
pub(crate) fn all(console: &Console, descriptors: &[Descriptor]) {
    let rows: Vec<Vec<String>> = descriptors
        .iter()
        .map(|descriptor| {
            let actions: Vec<&str> = descriptor.actions.iter().map(|action| action.name.as_str()).collect();
            vec![descriptor.name.clone(), descriptor.title.clone(), actions.join(", ")]
        })
        .collect();
    columns(console, &["type", "title", "actions"], &rows);
    console.line("");
    console.line("`outflow catalog TYPE` shows the settings of one; `outflow catalog TYPE ACTION` the fields of an action.");
}

/// One destination.
pub(crate) fn destination(console: &Console, descriptor: &Descriptor) {
    console.line(&format!("{}  {}", console.paint(Tone::Strong, &descriptor.name), descriptor.title));
    text(console, &descriptor.description);
    title(console, "settings");
    if descriptor.settings.is_empty() {
        console.line("  none");
    } else {
        fields(console, &descriptor.settings);
    }
    title(console, "actions");
    let rows: Vec<Vec<String>> =
        descriptor.actions.iter().map(|action| vec![action.name.clone(), takes(action), action.description.clone()]).collect();
    columns(console, &["action", "takes", "description"], &rows);
    if descriptor.actions.len() > 1 {
        console.line("");
        console.line(&format!("`outflow catalog {} ACTION` shows the fields of one.", descriptor.name));
    }
}

/// One action.
pub(crate) fn action(console: &Console, descriptor: &Descriptor, action: &Action) {
    let name = format!("{} {}", descriptor.name, action.name);
    console.line(&format!("{}  {}", console.paint(Tone::Strong, &name), action.title));
    text(console, &action.description);
    text(console, &format!("Takes records that were {}.", takes(action)));
    title(console, "fields");
    match &action.fields {
        None => console.line("  any: what the mapping gives is what is sent"),
        Some(declared) => {
            fields(console, declared);
            if declared.iter().any(|field| field.constant) {
                console.line("");
                text(console, "A constant is the same for every record: the mapping gives its value, not a column.");
            }
        }
    }
}

/// What to paste. Only a comment behind something is cut where the terminal ends.
pub(crate) fn paste(console: &Console, yaml: &str) {
    title(console, "to paste into outflow.yml, and fill in");
    console.line("");
    for line in yaml.lines() {
        let (code, comment) = match line.rfind(" # ") {
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        let is_comment = code.trim_start().starts_with('#');
        let code = if is_comment { console.paint(Tone::Faint, code) } else { code.to_owned() };
        let room = console.table_width().saturating_sub(width_of(line) - width_of(comment));
        let comment = if room > COMMENT_MIN { cut(comment, room) } else { String::new() };
        console.line(&format!("{code}{}", console.paint(Tone::Faint, &comment)));
    }
}

fn title(console: &Console, text: &str) {
    console.line("");
    console.line(&console.paint(Tone::Strong, text));
}

fn text(console: &Console, text: &str) {
    for line in wrap(text, console.width()) {
        console.line(&line);
    }
}

fn takes(action: &Action) -> String {
    let ops: Vec<&str> = action.ops.iter().map(|op| op.as_str()).collect();
    match ops.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => ops.join(""),
    }
}

fn fields(console: &Console, fields: &[Field]) {
    let mut rows = Vec::new();
    for field in fields {
        row(field, "", &mut rows);
    }
    columns(console, &["name", "type", "", "default", "description"], &rows);
}

/// A field, and those inside it.
fn row(field: &Field, path: &str, rows: &mut Vec<Vec<String>>) {
    let name = format!("{path}{}", field.name);
    let mut marks = Vec::new();
    marks.extend(field.required.then_some("required"));
    marks.extend(field.secret.then_some("secret"));
    marks.extend(field.constant.then_some("constant"));
    let default = field.default.as_ref().map(written).unwrap_or_default();
    let mut description = field.description.clone();
    for asked in asked(field) {
        description.push_str(&format!(" {asked}"));
    }
    rows.push(vec![name.clone(), kind(field), marks.join(", "), default, description]);
    for inner in &field.properties {
        row(inner, &format!("{name}."), rows);
    }
}

/// What is asked of its value besides its type, in sentences.
fn asked(field: &Field) -> Vec<String> {
    let mut asked = Vec::new();
    if !field.choices.is_empty() {
        asked.push(format!("One of {}.", field.choices.join(", ")));
    }
    asked.extend(field.format.map(|format| format!("It is {}.", format.words())));
    let characters = if field.is_measured_in_characters() { " characters" } else { "" };
    match field.limits() {
        (Some(least), Some(most)) if least.total_cmp(&most).is_eq() => asked.push(format!("Exactly {least}{characters}.")),
        (Some(least), Some(most)) => asked.push(format!("From {least} to {most}{characters}.")),
        (Some(least), None) => asked.push(format!("At least {least}{characters}.")),
        (None, Some(most)) => asked.push(format!("At most {most}{characters}.")),
        (None, None) => {}
    }
    asked.extend(field.required_if.as_ref().map(|when| format!("Required where {}.", when.words())));
    asked
}

fn kind(field: &Field) -> String {
    let one = match field.kind {
        FieldKind::String => "text",
        FieldKind::Number => "number",
        FieldKind::Integer => "integer",
        FieldKind::Boolean => "boolean",
        FieldKind::Datetime => "datetime",
        FieldKind::Object => "object",
        FieldKind::StringOrObject => "text or object",
    };
    if field.multiple { format!("list of {one}") } else { one.to_owned() }
}

/// Aligned columns, empty ones left out, of which the last one is broken into lines.
fn columns(console: &Console, names: &[&str], rows: &[Vec<String>]) {
    let last = names.len() - 1;
    let shown: Vec<usize> = (0..names.len()).filter(|&i| rows.iter().any(|row| !row[i].is_empty())).collect();
    let widest = |i: usize| rows.iter().map(|row| width_of(&row[i])).chain([width_of(names[i])]).max().unwrap_or_default();
    let width = |i: usize| if i == 0 { widest(i) } else { widest(i).min(COLUMN_MAX) };
    let fixed: Vec<(usize, usize)> = shown.iter().filter(|&&i| i != last).map(|&i| (i, width(i))).collect();
    let taken = 2 + fixed.iter().map(|(_, width)| width + GAP).sum::<usize>();
    let beside = console.width().saturating_sub(taken) >= DESCRIPTION_MIN;
    let room = if beside { console.width() - taken } else { console.width().saturating_sub(8).max(DESCRIPTION_MIN) };
    let cells = |row: &[String], tone: &dyn Fn(usize) -> Option<Tone>| {
        let cell = |&(i, width): &(usize, usize)| pad(console, &Cell { text: row[i].clone(), tone: tone(i) }, width, Align::Left);
        fixed.iter().map(cell).collect::<Vec<String>>().join("  ")
    };
    let header: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let described = if beside { console.paint(Tone::Faint, names[last]) } else { String::new() };
    console.line(format!("  {}  {described}", cells(&header, &|_| Some(Tone::Faint))).trim_end());
    for row in rows {
        let before = cells(row, &|i| (i == 0).then_some(Tone::Strong));
        let lines = wrap(&row[last], room);
        if beside {
            let first = lines.first().map(String::as_str).unwrap_or_default();
            console.line(format!("  {before}  {first}").trim_end());
            lines.iter().skip(1).for_each(|line| console.line(&format!("{}{line}", " ".repeat(taken))));
        } else {
            console.line(format!("  {before}").trim_end());
            lines.iter().filter(|line| !line.is_empty()).for_each(|line| console.line(&format!("      {line}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outflow_contract::destination::{Condition, Format, RequiredIf};

    #[test]
    fn what_is_asked_of_a_value_besides_its_type_is_said() {
        let field = |kind| Field::new("f", kind, "");
        let when = RequiredIf::Any(vec![Condition::is("type", "track"), Condition::missing("id")]);
        let cases = [
            (field(FieldKind::String).format(Format::Email).maximum(254.0), vec!["It is an e-mail address.", "At most 254 characters."]),
            (field(FieldKind::String).minimum(3.0).maximum(3.0), vec!["Exactly 3 characters."]),
            (field(FieldKind::Number).minimum(-90.0).maximum(90.0), vec!["From -90 to 90."]),
            (field(FieldKind::Integer).minimum(1.5), vec!["At least 1.5."]),
            (
                field(FieldKind::String).choices(&["a", "b"]).required_if(when),
                vec!["One of a, b.", "Required where `type` is \"track\" or there is no `id`."],
            ),
            (field(FieldKind::Boolean), vec![]),
        ];
        for (field, said) in cases {
            assert_eq!(asked(&field), said);
        }
    }
}
