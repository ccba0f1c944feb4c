//! A destination and a mapping to paste into `outflow.yml`, made from a descriptor: what is required stands there to be filled in,
//! what is optional in comments.
//!
//! Filled in, it passes `outflow check`. A place to fill in is a name between `<` and `>`, or a column named after its field.

use outflow_contract::destination::{Action, Descriptor, Field, FieldKind};
use outflow_contract::{Op, Selection};
use serde_json::Value;

const SELECTIONS: [Selection; 5] = [Selection::AddedOrUpdated, Selection::All, Selection::Added, Selection::Updated, Selection::Deleted];
/// A longer default is not worth a comment.
const DEFAULT_CHARS_MAX: usize = 100;

/// The YAML for one action of a destination.
pub(crate) fn yaml(descriptor: &Descriptor, action: &Action) -> String {
    let mut lines = Lines::default();
    let name = &descriptor.name;
    lines.push(0, "destinations:");
    lines.push(1, &format!("my_{}:", plain_name(name)));
    lines.push(2, &format!("type: {}", scalar(name)));
    settings(&descriptor.settings, name, &mut lines);
    lines.push(0, "mappings:");
    lines.push(1, &format!("my_model_to_{}:", plain_name(name)));
    lines.push(2, "model: my_model                          # one of your models");
    lines.push(2, &format!("destination: my_{}", plain_name(name)));
    lines.push(2, &format!("action: {}", scalar(&action.name)));
    records(action, &mut lines);
    match &action.fields {
        None => {
            lines.push(2, "fields: $.                               # every column; or { email: $.email, … }");
        }
        Some(declared) => fields(declared, name, &mut lines),
    }
    lines.text
}

/// YAML, line by line.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) text: String,
}

impl Lines {
    pub(crate) fn push(&mut self, level: usize, line: &str) {
        self.text.push_str(&format!("{}{line}\n", "  ".repeat(level)));
    }

    /// `key: value`, with what it is about behind it.
    pub(crate) fn entry(&mut self, level: usize, entry: &str, about: &str) {
        let indented = format!("{}{entry}", "  ".repeat(level));
        if about.is_empty() {
            self.text.push_str(&format!("{indented}\n"));
        } else {
            self.text.push_str(&format!("{indented:<44} # {}\n", one_line(about)));
        }
    }
}

fn settings(fields: &[Field], destination: &str, lines: &mut Lines) {
    if fields.is_empty() {
        return;
    }
    let required = fields.iter().any(is_wanted);
    lines.push(2, if required { "settings:" } else { "# settings:" });
    for field in fields {
        if is_wanted(field) {
            wanted_setting(field, destination, 3, lines);
        } else {
            lines.entry(3, &format!("# {}", optional(field, &setting_value(field, destination))), &field.description);
        }
    }
}

/// It must be given, for nothing else says what it is.
fn is_wanted(field: &Field) -> bool {
    field.required && field.default.is_none()
}

fn wanted_setting(field: &Field, destination: &str, level: usize, lines: &mut Lines) {
    let inner: Vec<&Field> = field.properties.iter().filter(|inner| is_wanted(inner)).collect();
    if field.kind == FieldKind::Object && !inner.is_empty() && !field.multiple {
        lines.entry(level, &format!("{}:", scalar(&field.name)), &field.description);
        for inner in inner {
            wanted_setting(inner, destination, level + 1, lines);
        }
        return;
    }
    lines.entry(level, &format!("{}: {}", scalar(&field.name), setting_value(field, destination)), &field.description);
}

/// Something of the right kind to begin with; secrets come from the environment.
fn setting_value(field: &Field, destination: &str) -> String {
    let one = match (field.kind, field.choices.first()) {
        _ if field.secret && !matches!(field.kind, FieldKind::Object) => {
            format!("\"${{env:{}_{}}}\"", plain_name(destination).to_uppercase(), plain_name(&field.name).to_uppercase())
        }
        (_, Some(choice)) => scalar(choice),
        (FieldKind::Number | FieldKind::Integer, _) => "1".to_owned(),
        (FieldKind::Boolean, _) => "true".to_owned(),
        (FieldKind::Object, _) => members(field, destination),
        (FieldKind::String | FieldKind::Datetime | FieldKind::StringOrObject, _) => format!("\"<{}>\"", field.name),
    };
    if field.multiple { format!("[{one}]") } else { one }
}

/// An object of what must be in it, or has a default.
fn members(field: &Field, destination: &str) -> String {
    let shown = field.properties.iter().filter(|inner| inner.required || inner.default.is_some());
    let member = |inner: &Field| optional(inner, &setting_value(inner, destination));
    let members: Vec<String> = shown.map(member).collect();
    if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
}

/// The entry of an optional field: with its default, where there is one.
fn optional(field: &Field, otherwise: &str) -> String {
    let default = field.default.as_ref().map(written).filter(|text| text.chars().count() <= DEFAULT_CHARS_MAX);
    format!("{}: {}", scalar(&field.name), default.unwrap_or_else(|| otherwise.to_owned()))
}

fn records(action: &Action, lines: &mut Lines) {
    let fits = |selection: &&Selection| Op::ALL.into_iter().all(|op| !selection.contains(op) || action.ops.contains(&op));
    let fitting: Vec<&str> = SELECTIONS.iter().filter(fits).map(|selection| selection.as_str()).collect();
    if let Some((first, others)) = fitting.split_first() {
        let about = if others.is_empty() { String::new() } else { format!("or {}", others.join(", ")) };
        lines.entry(2, &format!("records: {first}"), &about);
    }
}

fn fields(declared: &[Field], destination: &str, lines: &mut Lines) {
    if declared.is_empty() {
        lines.push(2, "fields: {}");
        return;
    }
    lines.push(2, "fields:");
    // The first field says whom or what a record is about; it stands there even where it is not always required.
    let first = declared.iter().find(|field| !field.constant).map(|field| field.name.as_str());
    let (wanted, others): (Vec<&Field>, Vec<&Field>) =
        declared.iter().partition(|field| field.required || first == Some(field.name.as_str()));
    if wanted.is_empty() {
        lines.push(3, "{}");
    }
    for field in wanted {
        wanted_field(field, destination, "", 3, lines);
    }
    for field in others {
        lines.entry(3, &format!("# {}", optional(field, &field_value(field, destination, ""))), &field.description);
    }
}

fn wanted_field(field: &Field, destination: &str, prefix: &str, level: usize, lines: &mut Lines) {
    let inner: Vec<&Field> = field.properties.iter().filter(|inner| is_wanted(inner)).collect();
    let plain = matches!(field.kind, FieldKind::Object) && !field.multiple && field.default.is_none();
    if plain && !inner.is_empty() {
        lines.entry(level, &format!("{}:", scalar(&field.name)), &field.description);
        let prefix = format!("{prefix}{}_", field.name);
        for inner in inner {
            wanted_field(inner, destination, &prefix, level + 1, lines);
        }
        return;
    }
    let given = field.default.as_ref().filter(|default| !reads_columns(default)).map(written);
    let value = given.unwrap_or_else(|| field_value(field, destination, prefix));
    lines.entry(level, &format!("{}: {value}", scalar(&field.name)), &field.description);
}

/// Does a default depend on columns that the model may not have?
fn reads_columns(default: &Value) -> bool {
    match default {
        Value::String(text) => text.starts_with("$."),
        Value::Array(items) => items.iter().any(reads_columns),
        Value::Object(members) => members.iter().any(|(key, value)| key.starts_with('@') || reads_columns(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A constant of the right kind; otherwise the column of the same name.
fn field_value(field: &Field, destination: &str, prefix: &str) -> String {
    if field.constant {
        return setting_value(field, destination);
    }
    format!("$.{}", column(&format!("{prefix}{}", field.name)))
}

/// `externalId` is the column `external_id`.
fn column(field: &str) -> String {
    let mut name = String::with_capacity(field.len() + 4);
    let mut last = '_';
    for c in field.chars() {
        if c.is_ascii_uppercase() && last.is_ascii_lowercase() {
            name.push('_');
        }
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
        last = c;
    }
    let name = name.trim_matches('_').to_owned();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("column_{name}") } else { name }
}

/// Letters, digits and underscores.
fn plain_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// A value in YAML, on one line; a directive that only names a path as that path.
pub(crate) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<String>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => match (members.len(), members.get("@path")) {
            (1, Some(Value::String(path))) if path.starts_with("$.") => scalar(path),
            _ => {
                let member = |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), written(value));
                format!("{{ {} }}", members.iter().map(member).collect::<Vec<String>>().join(", "))
            }
        },
        other => other.to_string(),
    }
}

/// Text in YAML, between quotes where it would mean something else without; what looks like a secret's place is none.
pub(crate) fn scalar(text: &str) -> String {
    const MEANT: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "-"];
    let plain = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./$@".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$' || c == '/')
        && !MEANT.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::from(text.replace("${", "$${")).to_string() }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_so_that_yaml_reads_them_back() {
        assert_eq!(written(&json!({ "@path": "$.user_id" })), "$.user_id");
        assert_eq!(written(&json!({ "@path": "$.a b" })), "\"$.a b\"");
        assert_eq!(
            written(&json!({ "@if": { "exists": { "@path": "$.a" }, "then": [1, null, "no"] } })),
            r#"{ "@if": { exists: $.a, then: [1, null, "no"] } }"#
        );
        assert_eq!([scalar("POST"), scalar("1.5"), scalar("${x}"), scalar("")], ["POST", "\"1.5\"", "\"$${x}\"", "\"\""]);
    }

    #[test]
    fn columns_are_named_as_warehouses_name_them() {
        let named = ["externalId", "email", "e-mail", "URLName", "2nd", "$x"].map(column);
        assert_eq!(named, ["external_id", "email", "e_mail", "urlname", "column_2nd", "x"]); // typos: on purpose
    }
}
