//! `@case`.

use outflow_contract::expr::Expr;
use serde_json::Value;

use super::super::{Reader, is_missing, missing};
use crate::nearest::nearest;
use crate::tree::Node;

impl Reader<'_> {
    pub(super) fn at_case(&mut self, node: &Node) -> Expr {
        const HELP: &str = "write `{ \"@case\": { operator: lower, value: $.column } }`";
        let Some(members) = self.options(node, "@case", &["operator", "value"], HELP) else { return missing() };
        let find = |name: &str| members.iter().find(|member| member.key == name);
        let operator = find("operator").map(|member| &member.value);
        let upper = match operator.and_then(Node::as_str) {
            Some("lower") => false,
            Some("upper") => true,
            other => {
                let span = operator.map_or(node.span, |node| node.span);
                let near = other.and_then(|other| nearest(&other.to_lowercase(), ["lower", "upper"]));
                self.log.error(span, "the `operator` of `@case` is `lower` or `upper`").meant(near).help(HELP);
                return missing();
            }
        };
        let Some(value) = self.text_value(members, "@case", HELP) else { return missing() };
        match value {
            // The reference leaves out an empty text that is written as it is.
            Expr::Literal(Value::String(text)) if text.is_empty() => missing(),
            Expr::Literal(Value::String(text)) => {
                Expr::Literal(Value::String(if upper { text.to_uppercase() } else { text.to_lowercase() }))
            }
            Expr::Literal(other) => Expr::Literal(other),
            value if is_missing(&value) => missing(),
            value => Expr::Case { upper, value: Box::new(value) },
        }
    }
}
