//! `@transform`: a mapping of what another mapping gives.
//!
//! Nearly always nothing of it is left when a record is mapped: a path of the inner mapping is followed into the expression that it
//! applies to, when the mapping is compiled.
//!
//! ```text
//! apply: { who: $.user, n: 1 }      mapping: { name: $.who.name, n: $.n }      compiled: { name: $.user.name, n: 1 }
//! ```
//!
//! Only what a path cannot be followed into (a directive that works out an object, say) is written out as text of its own, which the
//! output lends for the time, and read again. So is the whole of it where a costly part would be worked out more than once.

use outflow_contract::Result;
use outflow_contract::expr::{Expr, Path};
use serde_json::Value;

use super::super::bind::Bound;
use super::super::compile::{Asked, Compiler, Node, Scope, literal};
use super::super::json::{Piece, is_falsy, list_index};
use super::super::output::{JsonSource, Output};

/// What the messages call the text that is read again.
const NAME: &str = "@transform";

/// The directive over text, bound.
pub(crate) struct Transform<'a> {
    pub(crate) apply: Bound<'a>,
    /// It reads the text, and nothing else.
    pub(crate) mapping: Bound<'a>,
    /// Those of the mapping.
    pub(crate) sources: &'a [JsonSource],
}

/// Appends what the mapping makes of the text.
pub(crate) fn write<'a>(transform: &Transform<'a>, i: usize, out: &mut Output<'a>) -> bool {
    let start = out.buf.len();
    let written = transform.apply.write(i, out);
    out.rewrite(start, |text, out| {
        let root = written.then(|| Piece::unchecked(text));
        out.within(transform.sources, root, |inner| transform.mapping.write(i, inner))
    })
}

impl Compiler<'_> {
    /// The mapping of what `apply` gives.
    pub(crate) fn transform(&mut self, apply: &Expr, mapping: &Expr, scope: Scope<'_>) -> Result<Node> {
        let mut costly = 0;
        mapping.each_path(&mut |path| costly += usize::from(at(apply, &path.segments).is_some_and(is_costly)));
        if costly > 1 {
            let apply = self.node(apply, scope)?;
            return self.over_text(apply, mapping);
        }
        self.node(mapping, Scope::Applied { apply, outer: &scope })
    }

    /// The value at `segments` of what `apply` gives.
    pub(crate) fn applied(&mut self, apply: &Expr, segments: &[String], outer: Scope<'_>) -> Result<Node> {
        let Some((first, rest)) = segments.split_first() else { return self.node(apply, outer) };
        match apply {
            Expr::Path(base) => self.path(&Path { segments: [base.segments.as_slice(), segments].concat() }, outer),
            Expr::Literal(value) => Ok(value_at(value, segments).map_or(Node::Missing, literal)),
            Expr::Object(_) => part(apply, first).map_or(Ok(Node::Missing), |part| self.applied(part, rest, outer)),
            Expr::Array(_) => part(apply, first).map_or(Ok(Node::Missing), |item| self.item(item, rest, outer)),
            Expr::If { test, then, otherwise } => {
                let mut branch = |branch: &Option<Box<Expr>>| {
                    branch.as_ref().map(|branch| self.applied(branch, segments, outer).map(Box::new)).transpose()
                };
                let (then, otherwise) = (branch(then)?, branch(otherwise)?);
                Ok(Node::If { test: self.asked(test, outer)?, then, otherwise })
            }
            Expr::Transform { apply, mapping } => self.applied(mapping, segments, Scope::Applied { apply, outer: &outer }),
            Expr::Template(_) | Expr::Case { .. } | Expr::ArrayPath { .. } | Expr::Call { .. } => {
                let apply = self.node(apply, outer)?;
                self.over_text(apply, &Expr::Path(Path { segments: segments.to_vec() }))
            }
        }
    }

    /// The same of an item of a list, where what is missing is null.
    fn item(&mut self, item: &Expr, segments: &[String], outer: Scope<'_>) -> Result<Node> {
        let there = Asked::Exists(Box::new(self.node(item, outer)?));
        let then = Some(Box::new(self.applied(item, segments, outer)?));
        Ok(Node::If { test: there, then, otherwise: Some(Box::new(Node::Literal(b"null".to_vec()))) })
    }

    /// The mapping of what `apply` writes, read again as text.
    pub(crate) fn over_text(&mut self, apply: Node, mapping: &Expr) -> Result<Node> {
        let outside = self.enter();
        let scope = Scope::Json { depth: 0, name: NAME, id: 0 };
        let mapping = self.node(mapping, scope);
        let sources = self.leave(outside);
        Ok(Node::Transform { apply: Box::new(apply), mapping: Box::new(mapping?), sources })
    }
}

/// The part of an object or a list that the mapping draws.
fn part<'e>(expr: &'e Expr, segment: &str) -> Option<&'e Expr> {
    match expr {
        Expr::Object(members) => members.iter().rev().find(|(name, _)| name == segment).map(|(_, member)| member),
        Expr::Array(items) => list_index(segment).and_then(|index| items.get(index)),
        _ => None,
    }
}

/// The expression that a path leads to, or into.
fn at<'e>(expr: &'e Expr, segments: &[String]) -> Option<&'e Expr> {
    match (expr, segments) {
        (Expr::Object(_) | Expr::Array(_), [first, rest @ ..]) => at(part(expr, first)?, rest),
        _ => Some(expr),
    }
}

/// Is there anything in it that is better not worked out twice?
fn is_costly(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) | Expr::Path(_) | Expr::Template(_) => false,
        Expr::Object(members) => members.iter().any(|(_, member)| is_costly(member)),
        Expr::Array(items) => items.iter().any(is_costly),
        Expr::If { then, otherwise, .. } => [then, otherwise].into_iter().flatten().any(|branch| is_costly(branch)),
        Expr::Case { value, .. } => is_costly(value),
        Expr::ArrayPath { shape, .. } => shape.is_some(),
        Expr::Transform { apply, mapping } => is_costly(apply) || is_costly(mapping),
        Expr::Call { .. } => true,
    }
}

/// The value at `segments` of a constant, as a path finds it.
fn value_at<'v>(value: &'v Value, segments: &[String]) -> Option<&'v Value> {
    segments.iter().try_fold(value, |at, segment| match at {
        Value::Object(members) => members.get(segment),
        Value::Array(items) => items.get(list_index(segment)?),
        scalar => is_falsy(&scalar.to_string()).then_some(scalar),
    })
}
