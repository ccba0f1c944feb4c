//! `@path`, `@template` and `@literal`.

use outflow_contract::expr::{Expr, Function, Path, TemplatePart};
use serde_json::Value;

use super::super::{Reader, missing};
use super::Said;
use crate::tree::Node;

impl Reader<'_> {
    pub(super) fn at_path(&mut self, node: &Node) -> Expr {
        match self.text_of(node, "@path", "write `{ \"@path\": \"$.column\" }`") {
            Some(Said::Text(text)) => self.path(&text, node.span).map_or_else(missing, Expr::Path),
            Some(Said::Worked(text)) => worked(Function::PathOf, text),
            None => missing(),
        }
    }

    pub(super) fn at_template(&mut self, node: &Node) -> Expr {
        let text = match self.text_of(node, "@template", "write `{ \"@template\": \"Hello {{name}}\" }`") {
            Some(Said::Text(text)) => text,
            Some(Said::Worked(text)) => return worked(Function::TemplateOf, text),
            None => return missing(),
        };
        let parts: Vec<TemplatePart> = TemplatePart::parse(&text)
            .into_iter()
            .filter_map(|part| match part {
                TemplatePart::Value(path) => self.rooted(path, node.span).map(TemplatePart::Value),
                text @ TemplatePart::Text(_) => Some(text),
            })
            .collect();
        match parts.as_slice() {
            [] => Expr::Literal(Value::String(String::new())),
            [TemplatePart::Text(text)] => Expr::Literal(Value::String(text.clone())),
            _ => Expr::Template(parts),
        }
    }

    pub(super) fn at_literal(&mut self, node: &Node) -> Expr {
        let outside = std::mem::replace(&mut self.literal, true);
        let expr = self.value(node);
        self.literal = outside;
        expr
    }
}

/// What a text that is worked out from the record finds there.
pub(super) fn worked(function: Function, text: Expr) -> Expr {
    Expr::Call { function, args: vec![text, Expr::Path(Path::whole())] }
}
