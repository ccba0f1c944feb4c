//! `@excludeWhenNull`.

use outflow_contract::expr::{Expr, Function};

use super::super::{Reader, is_missing};
use crate::tree::Node;

impl Reader<'_> {
    pub(super) fn at_exclude_when_null(&mut self, node: &Node) -> Expr {
        match self.value(node) {
            value if is_missing(&value) => value,
            value => Expr::Call { function: Function::ExcludeWhenNull, args: vec![value] },
        }
    }
}
