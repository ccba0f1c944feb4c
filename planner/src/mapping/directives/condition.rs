//! `@if`.

use outflow_contract::expr::{Expr, Test};
use serde_json::Value;

use super::super::{Reader, is_missing, missing};
use crate::tree::{Data, Node};

impl Reader<'_> {
    pub(super) fn at_if(&mut self, node: &Node) -> Expr {
        const HELP: &str = "write `{ \"@if\": { exists: $.column, then: …, else: … } }`";
        let Some(members) = self.options(node, "@if", &["exists", "blank", "then", "else"], HELP) else { return missing() };
        let find = |name: &str| members.iter().find(|member| member.key == name).map(|member| &member.value);
        // The reference asks whether the condition is there as JavaScript does: false and "" count as not there.
        let condition = |name| find(name).filter(|node| !is_falsy(node));
        let test = match (condition("exists"), condition("blank")) {
            (Some(asked), _) => Test::Exists(Box::new(self.value(asked))),
            (None, Some(asked)) => Test::NotBlank(Box::new(self.value(asked))),
            (None, None) => {
                self.log.error(node.span, "`@if` needs `exists` or `blank`").help(HELP);
                return missing();
            }
        };
        let then = find("then").map(|node| self.value(node)).filter(|expr| !is_missing(expr));
        let otherwise = find("else").filter(|node| !is_falsy(node)).map(|node| self.value(node)).filter(|expr| !is_missing(expr));
        let (Test::Exists(asked) | Test::NotBlank(asked)) = &test;
        let known = match &**asked {
            Expr::Literal(value) => Some(if matches!(test, Test::Exists(_)) { !value.is_null() } else { !is_blank(value) }),
            asked if is_missing(asked) => Some(false),
            _ => None,
        };
        match known {
            Some(true) => then.unwrap_or_else(missing),
            Some(false) => otherwise.unwrap_or_else(missing),
            None => Expr::If { test, then: then.map(Box::new), otherwise: otherwise.map(Box::new) },
        }
    }
}

/// False, null, zero or empty, as JavaScript sees it.
pub(super) fn is_falsy(node: &Node) -> bool {
    match &node.data {
        Data::Null => true,
        Data::Bool(value) => !value,
        Data::Number(value) => value.as_f64() == Some(0.0),
        Data::Text(text) => text.value.is_empty(),
        Data::List(_) | Data::Map(_) => false,
    }
}

/// What `blank` takes for nothing: null, false, 0, "", an empty list, and a list of one such text or null.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => match items.as_slice() {
            [] | [Value::Null] => true,
            [Value::String(text)] => text.is_empty(),
            _ => false,
        },
        Value::Object(_) => false,
    }
}
