//! `@arrayPath`.

use outflow_contract::expr::{Expr, Path};
use serde_json::Value;

use super::super::{Reader, missing};
use super::Said;
use crate::tree::Node;

impl Reader<'_> {
    pub(super) fn at_array_path(&mut self, node: &Node) -> Expr {
        const HELP: &str = "write `{ \"@arrayPath\": [\"$.items\", { sku: $.sku }] }`: the list, then what each item becomes";
        let Some(items) = node.as_list().filter(|items| (1..=2).contains(&items.len())) else {
            self.log.error(node.span, "`@arrayPath` takes a list of a path and, if wanted, a shape").help(HELP);
            return missing();
        };
        let root = self.text_of(&items[0], "@arrayPath", HELP);
        let shape = items.get(1).filter(|shape| !shape.is_null());
        let shape = shape.map(|shape| {
            let is_path = shape.as_str().is_some_and(|text| text.starts_with("$."));
            if shape.as_map().is_none() && !is_path {
                let message = format!("the shape of `@arrayPath` is a mapping or a path, and this is {}", shape.kind_name());
                self.log.error(shape.span, message).help(HELP);
            }
            self.inside(|reader| reader.value(shape))
        });
        let shape = shape.filter(|shape| *shape != Expr::Literal(Value::Object(serde_json::Map::new())));
        let shape = shape.map(Box::new);
        match root {
            Some(Said::Text(text)) => self.path(&text, items[0].span).map_or_else(missing, |root| Expr::ArrayPath { root, shape }),
            // Not a path to the list, but the list.
            Some(Said::Worked(list)) if shape.is_none() => list,
            Some(Said::Worked(list)) => {
                let shaped = Expr::ArrayPath { root: Path::whole(), shape };
                Expr::Transform { apply: Box::new(list), mapping: Box::new(shaped) }
            }
            None => missing(),
        }
    }
}
