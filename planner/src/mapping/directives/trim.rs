//! `@trim`.

use outflow_contract::expr::{Expr, Own};

use super::super::{Reader, missing};
use super::own::call_one;
use crate::tree::Node;

const HELP: &str = "write `{ \"@trim\": $.column }`, or `{ \"@trim\": { value: $.column, chars: \"-_\" } }`";

impl Reader<'_> {
    pub(super) fn at_trim(&mut self, node: &Node) -> Expr {
        let Some((members, value)) = self.short_or_long(node, "@trim", &["value", "chars"], HELP) else { return missing() };
        let Some(chars) = self.text_option(members, "@trim", "chars", 1, HELP) else { return missing() };
        call_one(Own::Trim { chars }, value)
    }
}
