//! The mapping language: a tree of the project file to an expression of the contract.
//!
//! A mapping is any value. A mapping of keys in which one starts with `@` is a directive; everything else is copied,
//! with directives wherever they stand inside. A bare text that begins with `$.` is the path it looks like, except
//! inside `@literal`. Parts without a directive fold into constants here, so that nothing is worked out per record
//! that does not depend on it.
//!
//! ```text
//! { email: $.email, tier: { "@if": { exists: $.plan, then: paid } } }
//!      └─ Path(email)        └─ If { test: Exists(Path(plan)), then: Literal("paid") }
//! ```
//!
//! Every path is remembered with its place, so that a column that the query does not return can be shown where it is used.

mod directives;

pub(crate) use directives::DIRECTIVES;
pub(crate) use directives::transform::ROOT_DIRECTIVE;
use outflow_contract::expr::{Expr, OP, Path, RESERVED_ROOTS, TIMESTAMP, Test};
use serde_json::{Map, Value};

use crate::problem::{Log, Span};
use crate::tree::{Data, Node, Text};

/// A column that a mapping reads, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnUse {
    pub(crate) column: String,
    pub(crate) span: Span,
    /// The field whose default reads it, where the project does not say so itself.
    pub(crate) default_of: Option<String>,
}

/// What a mapping says of the record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    /// The columns that it reads.
    pub(crate) columns: Vec<ColumnUse>,
    /// The texts that stand for themselves outside `@literal`: one of them may be a path that lacks its `$.`.
    pub(crate) texts: Vec<(String, Span)>,
    /// Does anything depend on `$.__op`?
    pub(crate) op: bool,
}

/// What `$.__timestamp` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timestamp<'a> {
    /// This column.
    Column(&'a str),
    /// Nothing, for this model names no such column: an error wherever it is asked for.
    Absent(&'a str),
    /// Nothing, and nothing is said of it.
    Missing,
}

/// Turns `node` into an expression, reports what is wrong with it, and adds what it reads to `uses`.
pub(crate) fn parse(node: &Node, timestamp: Timestamp<'_>, uses: &mut Uses, log: &mut Log) -> Expr {
    let mut reader = Reader { timestamp, uses, log, literal: false, in_item: false };
    reader.root_directive(node.members()).unwrap_or_else(|| reader.value(node))
}

/// The value that is missing whatever the record: what a part that can never be there folds into.
fn missing() -> Expr {
    Expr::If { test: Test::NotBlank(Box::new(Expr::Literal(Value::Null))), then: None, otherwise: None }
}

/// Can this part never be there?
fn is_missing(expr: &Expr) -> bool {
    *expr == missing()
}

struct Reader<'a> {
    timestamp: Timestamp<'a>,
    uses: &'a mut Uses,
    log: &'a mut Log,
    /// Inside `@literal`: a text that looks like a path is a text.
    literal: bool,
    /// Inside the shape of an `@arrayPath` or the mapping of a `@transform`: paths start from the item, or from what it applies to.
    in_item: bool,
}

impl Reader<'_> {
    fn value(&mut self, node: &Node) -> Expr {
        match &node.data {
            Data::Null | Data::Bool(_) | Data::Number(_) => Expr::Literal(node.to_json()),
            Data::Text(text) => self.text(text, node.span),
            Data::List(items) => {
                let items: Vec<Expr> = items.iter().map(|item| self.value(item)).collect();
                fold_array(items)
            }
            Data::Map(members) if members.iter().any(|member| member.key.starts_with('@')) => self.directive(node),
            Data::Map(members) => fold_object(members.iter().map(|member| (member.key.clone(), self.value(&member.value))).collect()),
        }
    }

    fn text(&mut self, text: &Text, span: Span) -> Expr {
        // What the environment brings is data, never language.
        if text.value.starts_with("$.") && !self.literal && !text.is_interpolated() {
            return self.path(&text.value, span).map_or_else(missing, Expr::Path);
        }
        if !self.literal && !text.is_interpolated() {
            self.constant(&text.value, span);
        }
        Expr::Literal(Value::String(text.value.clone()))
    }

    /// A text that stands for itself. Was it meant to?
    fn constant(&mut self, text: &str, span: Span) {
        if text.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}")) {
            self.log
                .warn(span, "this text is sent as it stands, braces included: only `@template` and `@liquid` fill in places")
                .label("sent as it stands")
                .help("write `{ \"@template\": \"…\" }` round it; or `{ \"@literal\": \"…\" }` if the braces are meant");
        } else if !self.in_item {
            self.uses.texts.push((text.to_owned(), span));
        }
    }

    /// Reads a path, and remembers the column that it starts from. None if it can never lead anywhere.
    fn path(&mut self, text: &str, span: Span) -> Option<Path> {
        self.rooted(Path::parse(text), span)
    }

    /// The path from a column on, or from a reserved name that the engine knows.
    fn rooted(&mut self, mut path: Path, span: Span) -> Option<Path> {
        if path.root() != Some(TIMESTAMP) || self.in_item {
            self.uses(&path, span);
            return Some(path);
        }
        match self.timestamp {
            // That the query returns it is checked where the model names it.
            Timestamp::Column(column) => {
                column.clone_into(&mut path.segments[0]);
                Some(path)
            }
            Timestamp::Absent(model) => {
                self.log
                    .error(span, format!("`$.{TIMESTAMP}` is the model's timestamp column, and model `{model}` names none"))
                    .help(format!("add `timestamp: COLUMN` to the model `{model}`, or write the path of a column"));
                None
            }
            Timestamp::Missing => None,
        }
    }

    fn uses(&mut self, path: &Path, span: Span) {
        let Some(column) = path.root().filter(|_| !self.in_item) else { return };
        if column == "__before" {
            self.log
                .error(span, "`$.__before` is not available in this version")
                .help("a record's values before a change cannot be sent yet; use its present columns");
        } else if column == OP {
            self.uses.op = true;
        } else if !RESERVED_ROOTS.contains(&column) {
            self.uses.columns.push(ColumnUse { column: column.to_owned(), span, default_of: None });
        }
    }
}

/// An array, or a constant if all of it is constant. A member that can never be there is null in an array.
fn fold_array(items: Vec<Expr>) -> Expr {
    let items: Vec<Expr> = items.into_iter().map(|item| if is_missing(&item) { Expr::Literal(Value::Null) } else { item }).collect();
    let constants: Option<Vec<Value>> =
        items.iter().map(|item| if let Expr::Literal(value) = item { Some(value.clone()) } else { None }).collect();
    constants.map_or(Expr::Array(items), |values| Expr::Literal(Value::Array(values)))
}

/// An object, or a constant if all of it is constant. A member that can never be there is left out.
fn fold_object(members: Vec<(String, Expr)>) -> Expr {
    let members: Vec<(String, Expr)> = members.into_iter().filter(|(_, value)| !is_missing(value)).collect();
    let constants: Option<Map<String, Value>> = members
        .iter()
        .map(|(key, value)| if let Expr::Literal(value) = value { Some((key.clone(), value.clone())) } else { None })
        .collect();
    constants.map_or(Expr::Object(members), |values| Expr::Literal(Value::Object(values)))
}

#[cfg(test)]
mod tests;
