//! The mapping language as a tree: what the planner parses, and what the mapper compiles against a schema.
//!
//! The root of every [`Path`] is the record: its columns by name, and `__op`, `__segment_id`, `__sync_id`.
//! (`__timestamp`, the model's timestamp column, is told by the planner: nothing of it is left in an expression.)
//! Inside the shape of an [`Expr::ArrayPath`] the root is the item. "Missing" is not null: a missing member is left
//! out of an object and is `null` in an array.

use serde_json::Value;

/// The name of the record's identifier at the root.
pub const SEGMENT_ID: &str = "__segment_id";
/// The name of the record's operation at the root: `added`, `updated` or `deleted`.
pub const OP: &str = "__op";
/// The name of the running sync's id at the root.
pub const SYNC_ID: &str = "__sync_id";
/// The name of the model's timestamp column at the root, whatever its own name: only in mappings as they are written.
pub const TIMESTAMP: &str = "__timestamp";
/// The names at the root that are no columns.
pub const RESERVED_ROOTS: [&str; 4] = [SEGMENT_ID, OP, SYNC_ID, TIMESTAMP];

/// A mapping, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant: a scalar, or a whole tree without a directive in it. Also `@literal` of such.
    Literal(Value),
    /// An object; members that turn out missing are left out. In the order written.
    Object(Vec<(String, Expr)>),
    /// An array; members that turn out missing are `null`.
    Array(Vec<Expr>),
    /// `@path`: the value that is there, in its own type.
    Path(Path),
    /// `@template`: text with places in it. A missing or null value is the empty string.
    Template(Vec<TemplatePart>),
    /// `@if`.
    If {
        /// What is asked.
        test: Test,
        /// The value where it holds; missing if left out.
        then: Option<Box<Expr>>,
        /// The value where it does not; missing if left out.
        otherwise: Option<Box<Expr>>,
    },
    /// `@case`: strings changed to one case; other values as they are.
    Case {
        /// Upper rather than lower.
        upper: bool,
        /// The value.
        value: Box<Expr>,
    },
    /// `@arrayPath`: a list, or each of its items in a shape. A single object counts as a list of one when there is a shape.
    ArrayPath {
        /// Where the list is.
        root: Path,
        /// What each item becomes; the item is the root in there. `None` gives the items whole.
        shape: Option<Box<Expr>>,
    },
}

/// The question of an `@if`.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Neither missing nor null.
    Exists(Box<Expr>),
    /// Neither missing, null, `""`, `0`, `false` nor an empty list. (Written `blank:`, which the reference reads so.)
    NotBlank(Box<Expr>),
}

/// A piece of a `@template`.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplatePart {
    /// Text as it stands.
    Text(String),
    /// `{{ path }}`.
    Value(Path),
}

/// `a.b[0]['c']`: keys and indexes alike are kept as text, for `a.0` and `a[0]` mean the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The steps from the root; none is the root itself.
    pub segments: Vec<String>,
}

impl Path {
    /// The column, or reserved name, that the path starts from. `None` for the root itself.
    pub fn root(&self) -> Option<&str> {
        self.segments.first().map(String::as_str)
    }
}

/// The columns that an expression reads from the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// The root itself is read somewhere: every column.
    All,
    /// These, sorted and each once. Reserved names are not among them.
    Named(Vec<String>),
}

impl Expr {
    /// The columns that this expression reads: a change in any other column changes nothing in the payload.
    pub fn columns(&self) -> Columns {
        let mut names = std::collections::BTreeSet::new();
        if self.collect(&mut names) { Columns::All } else { Columns::Named(names.into_iter().collect()) }
    }

    /// Collects root names; true once the whole root is read.
    fn collect(&self, names: &mut std::collections::BTreeSet<String>) -> bool {
        let path = |path: &Path, names: &mut std::collections::BTreeSet<String>| match path.root() {
            None => true,
            Some(name) => {
                if !RESERVED_ROOTS.contains(&name) {
                    names.insert(name.to_owned());
                }
                false
            }
        };
        match self {
            Self::Literal(_) => false,
            Self::Object(members) => members.iter().fold(false, |all, (_, e)| e.collect(names) | all),
            Self::Array(items) => items.iter().fold(false, |all, e| e.collect(names) | all),
            Self::Path(p) => path(p, names),
            Self::Template(parts) => parts.iter().fold(false, |all, part| match part {
                TemplatePart::Text(_) => all,
                TemplatePart::Value(p) => path(p, names) | all,
            }),
            Self::If { test, then, otherwise } => {
                let (Test::Exists(asked) | Test::NotBlank(asked)) = test;
                let branches = [Some(asked), then.as_ref(), otherwise.as_ref()];
                branches.into_iter().flatten().fold(false, |all, e| e.collect(names) | all)
            }
            Self::Case { value, .. } => value.collect(names),
            // The shape's root is the item, so the list is all that it reads of the record.
            Self::ArrayPath { root, .. } => path(root, names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path { segments: text.split('.').filter(|s| !s.is_empty()).map(Into::into).collect() }
    }

    #[test]
    fn columns_are_those_that_the_record_is_read_by() {
        let expr = Expr::Object(vec![
            ("a".into(), Expr::Path(path("email"))),
            ("b".into(), Expr::ArrayPath { root: path("items"), shape: Some(Box::new(Expr::Path(path("sku")))) }),
            ("c".into(), Expr::Path(path("__segment_id"))),
            ("d".into(), Expr::Template(vec![TemplatePart::Value(path("address.city"))])),
        ]);
        assert_eq!(expr.columns(), Columns::Named(vec!["address".into(), "email".into(), "items".into()]));
        assert_eq!(Expr::Path(path("")).columns(), Columns::All);
    }
}
