//! Where each value of a mapped record comes from, in words.
//!
//! ```text
//! { user: $.id, traits: { name: { "@case": … $.name } } }  ──►  user         $.id
//!                                                               traits.name  @case of $.name
//! ```
//!
//! Objects that the mapping draws are gone into; everything else is one field, whatever it comes to.

use outflow_contract::expr::{Columns, Expr, Function, Path, TemplatePart, Test};
use serde_json::Value;

/// How long the text of a constant may be.
const CONSTANT_CHARS_MAX: usize = 40;

/// Where the value of one field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOrigin {
    /// The field, with the objects that it lies in: `traits.email`.
    pub field: String,
    /// What the mapping says: `$.email`, `@case of $.email`, `"constant"`.
    pub from: String,
    /// The columns that it is read from; every one where the whole record is.
    pub columns: Vec<String>,
    /// The project does not say so: it is what the action takes if nothing is said.
    pub is_default: bool,
    /// What it came to for this record, as JSON; `None` if it is missing.
    pub value: Option<String>,
}

/// Of each field of `fields`, in their order. `written`: what the project says. `mapped`: what became of it. `columns`: those of the model.
pub(super) fn origins(fields: &Expr, written: &Value, mapped: &Value, columns: &[&str]) -> Vec<FieldOrigin> {
    let mut found = Vec::new();
    let Expr::Object(members) = fields else {
        gather(fields, "", (Some(mapped), false), columns, &mut found);
        return found;
    };
    for (name, member) in members {
        let is_default = written.as_object().is_some_and(|written| !written.contains_key(name));
        gather(member, name, (mapped.get(name), is_default), columns, &mut found);
    }
    found
}

fn gather(expr: &Expr, field: &str, (value, is_default): (Option<&Value>, bool), columns: &[&str], found: &mut Vec<FieldOrigin>) {
    if let Expr::Object(members) = expr
        && !members.is_empty()
    {
        for (name, member) in members {
            let value = value.and_then(|value| value.get(name));
            gather(member, &format!("{field}.{name}"), (value, is_default), columns, found);
        }
        return;
    }
    let columns = match expr.columns() {
        Columns::All => columns.iter().map(|&column| column.to_owned()).collect(),
        // A template may ask for names that the model does not have.
        Columns::Named(names) => names.into_iter().filter(|name| columns.contains(&name.as_str())).collect(),
    };
    let value = value.map(Value::to_string);
    found.push(FieldOrigin { field: field.to_owned(), from: described(expr), columns, is_default, value });
}

/// What an expression says, on one line.
fn described(expr: &Expr) -> String {
    match expr {
        Expr::Literal(value) => constant(value),
        Expr::Path(path) => written(path),
        Expr::Object(_) => "an object".to_owned(),
        Expr::Array(items) if items.is_empty() => "[]".to_owned(),
        Expr::Array(items) => format!("a list of {}", all(items)),
        Expr::Template(parts) => {
            let paths = parts.iter().filter_map(|part| if let TemplatePart::Value(path) = part { Some(written(path)) } else { None });
            of("@template", &listed(paths))
        }
        Expr::If { test, then, otherwise } => {
            let (Test::Exists(asked) | Test::NotBlank(asked)) = test;
            let question = if matches!(test, Test::Exists(_)) { "exists" } else { "is not blank" };
            let branch = |branch: &Option<Box<Expr>>| branch.as_ref().map_or_else(|| "nothing".to_owned(), |expr| described(expr));
            format!("@if {} {question}: {}, else {}", described(asked), branch(then), branch(otherwise))
        }
        Expr::Case { value, .. } => of("@case", &described(value)),
        Expr::ArrayPath { root, .. } => of("@arrayPath", &written(root)),
        Expr::Transform { apply, .. } => of("@transform", &described(apply)),
        Expr::Call { function: function @ Function::Liquid { .. }, args } => of(function.directive(), &listed(read(args).map(written))),
        Expr::Call { function, args } => of(function.directive(), &all(args)),
    }
}

fn all(items: &[Expr]) -> String {
    listed(items.iter().map(described))
}

/// The paths that a template reads, without those that only lead to others.
fn read(args: &[Expr]) -> impl Iterator<Item = &Path> {
    let paths = || args.iter().filter_map(|arg| if let Expr::Path(path) = arg { Some(path) } else { None });
    let leads = |path: &Path, to: &Path| path.segments.len() < to.segments.len() && to.segments.starts_with(&path.segments);
    paths().filter(move |path| !paths().any(|to| leads(path, to)))
}

fn listed(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn of(directive: &str, what: &str) -> String {
    if what.is_empty() { directive.to_owned() } else { format!("{directive} of {what}") }
}

fn written(path: &Path) -> String {
    if path.segments.is_empty() { "the record".to_owned() } else { format!("$.{}", path.segments.join(".")) }
}

fn constant(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(CONSTANT_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(name: &str) -> Expr {
        Expr::Path(Path { segments: vec![name.to_owned()] })
    }

    #[test]
    fn each_field_tells_what_it_is_made_of_and_what_it_came_to() {
        let name = Expr::Case { upper: false, value: Box::new(path("name")) };
        let plan =
            Expr::If { test: Test::Exists(Box::new(path("plan"))), then: Some(Box::new(Expr::Literal(json!("paid")))), otherwise: None };
        let deeper = Expr::Path(Path { segments: vec!["name".to_owned(), "first".to_owned()] });
        let function =
            Function::Liquid { text: "{{ name.first }}{% if plan %}{% assign x = 1 %}{% endif %}{{ x }}".to_owned(), optional: vec![3] };
        let template = Expr::Call { function, args: vec![path("name"), deeper, path("plan"), path("x")] };
        let fields = Expr::Object(vec![
            ("user".into(), path("id")),
            ("traits".into(), Expr::Object(vec![("name".into(), name), ("plan".into(), plan)])),
            ("source".into(), Expr::Literal(json!("x".repeat(100)))),
            ("all".into(), Expr::Path(Path { segments: Vec::new() })),
            ("hello".into(), template),
        ]);
        let written = json!({ "user": "$.id", "traits": {}, "all": "$.", "hello": {} });
        let mapped = json!({ "user": 7, "traits": { "name": "ada" }, "source": "x", "all": {}, "hello": "" });
        let found = origins(&fields, &written, &mapped, &["id", "name", "plan"]);
        let told: Vec<(&str, &str, Option<&str>)> =
            found.iter().map(|origin| (origin.field.as_str(), origin.from.as_str(), origin.value.as_deref())).collect();
        let cut = format!("\"{}…", "x".repeat(39));
        let expected = [
            ("user", "$.id", Some("7")),
            ("traits.name", "@case of $.name", Some("\"ada\"")),
            ("traits.plan", "@if $.plan exists: \"paid\", else nothing", None),
            ("source", cut.as_str(), Some("\"x\"")),
            ("all", "the record", Some("{}")),
            ("hello", "@liquid of $.name.first, $.plan, $.x", Some("\"\"")),
        ];
        assert_eq!(told, expected);
        assert_eq!(found.iter().map(|origin| origin.is_default).collect::<Vec<_>>(), [false, false, false, true, false, false]);
        assert_eq!(found[5].columns, ["name", "plan"], "a name that is no column is none");
        assert_eq!((found[1].columns.clone(), found[4].columns.len()), (vec!["name".to_owned()], 3));
    }
}
