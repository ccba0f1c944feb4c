//! What a mapping says already: its fields stay as they are, and a column that one of them reads is not given away again.

use serde_json::Value;

use super::target::Target;
use outflow_contract::expr::Path;

/// A field that the mapping fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The column that it holds, where it holds nothing but a column.
    pub column: Option<String>,
}

/// For each target, what `written`, the `fields` of a mapping, says of it.
pub fn kept(targets: &[Target<'_>], written: &Value) -> Vec<Option<Kept>> {
    targets.iter().map(|target| of(target, written)).collect()
}

fn of(target: &Target<'_>, written: &Value) -> Option<Kept> {
    let mut value = written;
    for name in &target.path {
        // An object that is worked out as a whole has all of its members.
        if is_directive(value) {
            return Some(Kept { column: None });
        }
        value = value.get(name)?;
    }
    (target.field.allow_null || !value.is_null()).then(|| Kept { column: column(value) })
}

/// Is it worked out from the record?
fn is_directive(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.keys().any(|key| key.starts_with('@')),
        Value::String(text) => text.starts_with("$."),
        _ => false,
    }
}

/// The column that is the whole of a value: `$.email`, or the same as a directive.
fn column(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) if text.starts_with("$.") => text,
        Value::Object(members) if members.len() == 1 => members.get("@path")?.as_str()?,
        _ => return None,
    };
    match Path::parse(text).segments.as_slice() {
        [column] => Some(column.clone()),
        _ => None,
    }
}

/// The path of a column, as a mapping writes it.
pub fn path_of(column: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    if !column.is_empty() && column.chars().all(plain) {
        return format!("$.{column}");
    }
    let quote = if column.contains('\'') { '"' } else { '\'' };
    format!("$.[{quote}{column}{quote}]")
}

#[cfg(test)]
mod tests {
    use outflow_contract::destination::{Field, FieldKind};
    use serde_json::json;

    use super::super::target::targets;
    use super::*;

    #[test]
    fn what_a_mapping_fills_is_kept_with_the_column_that_it_reads() {
        let text = |name: &str| Field::new(name, FieldKind::String, "A text.");
        let address = Field::new("address", FieldKind::Object, "Where.").properties(vec![text("city"), text("zip")]);
        let declared = vec![text("email"), text("name"), text("plan"), text("phone"), address.clone()];
        let targets = targets(&declared);
        let written = json!({
            "email": "$.mail", "name": { "@template": "{{a}} {{b}}" }, "plan": null, "address": { "city": { "@path": "$.['a town']" } }
        });
        let some = |column: Option<&str>| Some(Kept { column: column.map(str::to_owned) });
        assert_eq!(kept(&targets, &written), [some(Some("mail")), some(None), None, None, some(Some("a town")), None]);
        let whole = kept(&targets, &json!({ "address": "$.address" }));
        assert_eq!(whole[4..], [some(None), some(None)]);
        assert_eq!(kept(&targets, &Value::Null), vec![None; 6]);
    }

    #[test]
    fn the_path_of_a_column_leads_to_it() {
        for column in ["email", "E-Mail", "first name", "a.b", "it's", "größe", "a[0]", "_id"] {
            assert_eq!(Path::parse(&path_of(column)).segments, [column], "{column}");
        }
        assert_eq!(path_of("email"), "$.email");
        assert_eq!(path_of("a.b"), "$.['a.b']");
    }
}
