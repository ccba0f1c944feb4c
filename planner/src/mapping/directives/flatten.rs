//! `@flatten`.

use outflow_contract::expr::{Expr, Function};

use super::super::{Reader, missing};
use crate::tree::Node;

const HELP: &str = "write `{ \"@flatten\": { separator: _, value: $.column } }`";

impl Reader<'_> {
    pub(super) fn at_flatten(&mut self, node: &Node) -> Expr {
        let Some(members) = self.options(node, "@flatten", &["separator", "value", "omitArrays"], HELP) else { return missing() };
        let Some(separator) = node.member("separator") else { return self.lacks(node, "@flatten", "separator", HELP) };
        let Some(separator) = separator.value.as_str().filter(|text| !text.is_empty()) else {
            let came = if separator.value.as_str().is_some() { "empty" } else { separator.value.kind_name() };
            self.log.error(separator.value.span, format!("the `separator` of `@flatten` is a text, and this is {came}")).help(HELP);
            return missing();
        };
        let omit_arrays = self.flag(members, "@flatten", "omitArrays", false);
        let Some(value) = node.member("value") else { return self.lacks(node, "@flatten", "value", HELP) };
        let value = self.value(&value.value);
        Expr::Call { function: Function::Flatten { separator: separator.to_owned(), omit_arrays }, args: vec![value] }
    }
}
