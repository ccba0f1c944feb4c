//! The mapping language as a tree: what the planner parses, and what the mapper compiles against a schema.
//!
//! The root of every [`Path`] is the record: its columns by name, and `__op`, `__segment_id`, `__sync_id`.
//! (`__timestamp`, the model's timestamp column, is told by the planner: nothing of it is left in an expression.)
//! Inside the shape of an [`Expr::ArrayPath`] the root is the item, and inside the mapping of an [`Expr::Transform`] what it applies
//! to. "Missing" is not null: a missing member is left out of an object and is `null` in an array.

mod function;
mod own;
mod path;
mod template;

use std::collections::BTreeSet;

pub use function::{Function, Replacement};
pub use own::{Algorithm, Dating, Encoding, Form, Hashing, Lookup, Normal, Numeral, Own};
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
    /// `@transform`: a mapping of a mapped value.
    Transform {
        /// The value, worked out from the record.
        apply: Box<Expr>,
        /// What becomes of it: it is the root in there.
        mapping: Box<Expr>,
    },
    /// Any directive that works out a value from others.
    Call {
        /// What it does.
        function: Function,
        /// What it does it with. Which is which is the function's to say.
        args: Vec<Expr>,
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
        let (mut names, mut all) = (BTreeSet::new(), false);
        self.each_path(&mut |path| match path.root() {
            None => all = true,
            Some(name) if RESERVED_ROOTS.contains(&name) => {}
            Some(name) => {
                names.insert(name.to_owned());
            }
        });
        if all { Columns::All } else { Columns::Named(names.into_iter().collect()) }
    }

    /// Hands over every path that starts from this expression's own root, and none that starts from an item or from what a transform
    /// applies to.
    pub fn each_path(&self, each: &mut dyn FnMut(&Path)) {
        match self {
            Self::Literal(_) => {}
            Self::Object(members) => members.iter().for_each(|(_, member)| member.each_path(each)),
            Self::Array(items) | Self::Call { args: items, .. } => items.iter().for_each(|item| item.each_path(each)),
            Self::Path(path) | Self::ArrayPath { root: path, .. } => each(path),
            Self::Template(parts) => {
                for part in parts {
                    if let TemplatePart::Value(path) = part {
                        each(path);
                    }
                }
            }
            Self::If { test, then, otherwise } => {
                let (Test::Exists(asked) | Test::NotBlank(asked)) = test;
                [Some(asked), then.as_ref(), otherwise.as_ref()].into_iter().flatten().for_each(|part| part.each_path(each));
            }
            Self::Case { value, .. } => value.each_path(each),
            Self::Transform { apply, .. } => apply.each_path(each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path { segments: text.split('.').filter(|s| !s.is_empty()).map(Into::into).collect() }
    }

    fn replace() -> Function {
        let replacements = vec![Replacement { pattern: "a".into(), with: "b".into() }];
        Function::Replace { replacements, global: true, ignore_case: false }
    }

    #[test]
    fn columns_are_those_that_the_record_is_read_by() {
        let expr = Expr::Object(vec![
            ("a".into(), Expr::Path(path("email"))),
            ("b".into(), Expr::ArrayPath { root: path("items"), shape: Some(Box::new(Expr::Path(path("sku")))) }),
            ("c".into(), Expr::Path(path("__segment_id"))),
            ("d".into(), Expr::Template(vec![TemplatePart::Value(path("address.city"))])),
            ("f".into(), Expr::Transform { apply: Box::new(Expr::Path(path("plan"))), mapping: Box::new(Expr::Path(path("gone"))) }),
            ("e".into(), Expr::Call { function: replace(), args: vec![Expr::Path(path("phone"))] }),
        ]);
        assert_eq!(expr.columns(), Columns::Named(["address", "email", "items", "phone", "plan"].map(String::from).to_vec()));
        assert_eq!(Expr::Path(path("")).columns(), Columns::All);
    }
}
