//! `@merge`.

use outflow_contract::expr::{Expr, Function};

use super::super::{Reader, is_missing, missing};
use crate::nearest::nearest;
use crate::tree::Node;

const HELP: &str = "write `{ \"@merge\": { direction: right, objects: [$.column, { name: $.name }] } }`: of equal keys, `right` keeps the last and `left` the first";

impl Reader<'_> {
    pub(super) fn at_merge(&mut self, node: &Node) -> Expr {
        if self.options(node, "@merge", &["direction", "objects"], HELP).is_none() {
            return missing();
        }
        let Some(direction) = node.member("direction") else { return self.lacks(node, "@merge", "direction", HELP) };
        let first_wins = match direction.value.as_str() {
            Some("left") => true,
            Some("right") => false,
            other => {
                let near = other.and_then(|other| nearest(&other.to_lowercase(), ["left", "right"]));
                self.log.error(direction.value.span, "the `direction` of `@merge` is `left` or `right`").meant(near).help(HELP);
                return missing();
            }
        };
        let Some(objects) = node.member("objects") else { return self.lacks(node, "@merge", "objects", HELP) };
        let Some(objects) = objects.value.as_list() else {
            let message = format!("the `objects` of `@merge` are a list, and this is {}", objects.value.kind_name());
            self.log.error(objects.value.span, message).help(HELP);
            return missing();
        };
        let args = objects.iter().filter_map(|object| self.object(object, "one of the `objects` of `@merge`", HELP));
        let args = args.filter(|arg| !is_missing(arg)).collect();
        Expr::Call { function: Function::Merge { first_wins }, args }
    }
}
