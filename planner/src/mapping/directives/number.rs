//! `@number`.

use outflow_contract::expr::{Expr, Numeral, Own};

use super::super::{Reader, missing};
use super::own::{call_one, find};
use crate::tree::Node;

const KEYS: [&str; 4] = ["value", "decimal", "group", "currency"];
const HELP: &str =
    "write `{ \"@number\": $.amount }`, or `{ \"@number\": { value: $.amount, decimal: \",\", group: \".\", currency: true } }`";

impl Reader<'_> {
    pub(super) fn at_number(&mut self, node: &Node) -> Expr {
        let Some((members, value)) = self.short_or_long(node, "@number", &KEYS, HELP) else { return missing() };
        let decimal = self.choice(members, "@number", "decimal", &[(".", '.'), (",", ',')], '.');
        let group = self.text_option(members, "@number", "group", 1, HELP);
        let currency = self.flag(members, "@number", "currency", false);
        let (Some(decimal), Some(group)) = (decimal, group) else { return missing() };
        let group = group.unwrap_or_default();
        let taken = group.chars().find(|c| c.is_alphanumeric() || matches!(c, '+' | '-') || *c == decimal);
        if let (Some(taken), Some(node)) = (taken, find(members, "group")) {
            self.log
                .error(node.span, format!("the `group` of `@number` has `{taken}` in it, which means something else in a number"))
                .help("name the characters that stand between digits and mean nothing, such as \",\", \".\", \"'\" or a space");
            return missing();
        }
        call_one(Own::Number(Numeral { decimal, group, currency }), value)
    }
}
