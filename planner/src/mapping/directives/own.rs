//! What the readers of our own directives share.

use outflow_contract::expr::{Expr, Function, Own};

use super::super::{Reader, is_missing, missing};
use crate::nearest::nearest;
use crate::tree::{Data, Member, Node};

/// The directive over its arguments.
pub(super) fn call(own: Own, args: Vec<Expr>) -> Expr {
    Expr::Call { function: Function::Own(own), args }
}

/// The same over one value: missing if that is.
pub(super) fn call_one(own: Own, value: Expr) -> Expr {
    if is_missing(&value) { missing() } else { call(own, vec![value]) }
}

pub(super) fn find<'n>(members: &'n [Member], key: &str) -> Option<&'n Node> {
    members.iter().find(|member| member.key == key).map(|member| &member.value)
}

/// Is it a mapping of keys, and no directive?
fn is_options(node: &Node) -> bool {
    node.as_map().is_some_and(|members| members.iter().all(|member| !member.key.starts_with('@')))
}

impl Reader<'_> {
    /// The option `key`, one of these names. `None` if it is another, which is said.
    pub(super) fn choice<T: Clone>(
        &mut self,
        members: &[Member],
        name: &str,
        key: &str,
        names: &[(&'static str, T)],
        default: T,
    ) -> Option<T> {
        let Some(node) = find(members, key) else { return Some(default) };
        let text = node.as_str();
        if let Some((_, value)) = names.iter().find(|(known, _)| Some(*known) == text) {
            return Some(value.clone());
        }
        let listed: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
        let near = text.and_then(|text| nearest(&text.to_lowercase(), listed.iter().copied()));
        let help = format!("`{key}` is one of {}", listed.join(", "));
        self.log.error(node.span, format!("`{name}` knows no such `{key}`")).meant(near).help(help);
        None
    }

    /// One value, not a list or an object: what a directive works on. `None` if it is another, which is said.
    pub(super) fn scalar(&mut self, node: &Node, what: &str, help: &str) -> Option<Expr> {
        if matches!(node.data, Data::List(_)) || is_options(node) {
            let message = format!("{what} is one value, and this is {}", node.kind_name());
            self.log.error(node.span, message).help(help);
            return None;
        }
        Some(self.value(node))
    }

    /// The options of a directive, with its `value`, which may also stand alone. `None` if there is none, or another kind, which is said.
    pub(super) fn short_or_long<'n>(
        &mut self,
        node: &'n Node,
        name: &str,
        keys: &[&'static str],
        help: &str,
    ) -> Option<(&'n [Member], Expr)> {
        if !is_options(node) {
            return Some((&[], self.scalar(node, &format!("what `{name}` takes"), help)?));
        }
        let members = self.options(node, name, keys, help)?;
        Some((members, self.value_of(node, members, name, help)?))
    }

    /// The member `value`. `None` if it is not there, or a list or an object, which is said.
    pub(super) fn value_of(&mut self, node: &Node, members: &[Member], name: &str, help: &str) -> Option<Expr> {
        let Some(value) = find(members, "value") else {
            self.lacks(node, name, "value", help);
            return None;
        };
        self.scalar(value, &format!("the `value` of `{name}`"), help)
    }

    /// The option `key`, a text of at least so many characters. `None` if it is another, which is said; `Some(None)` if it is not there.
    #[allow(clippy::option_option, reason = "what is refused is neither given nor left out")]
    pub(super) fn text_option(
        &mut self,
        members: &[Member],
        name: &str,
        key: &str,
        chars_min: usize,
        help: &str,
    ) -> Option<Option<String>> {
        let Some(node) = find(members, key) else { return Some(None) };
        match node.as_str() {
            Some(text) if text.chars().count() >= chars_min => Some(Some(text.to_owned())),
            text => {
                let came = if text.is_some() { "empty" } else { node.kind_name() };
                self.log.error(node.span, format!("the `{key}` of `{name}` is text, and this is {came}")).help(help);
                None
            }
        }
    }
}
