//! `@split` and `@join`.

use outflow_contract::expr::{Expr, Own};
use serde_json::Number;

use super::super::{Reader, is_missing, missing};
use super::own::{call, call_one, find};
use crate::tree::Node;

const SPLIT: &str = "write `{ \"@split\": { value: $.tags, by: \",\", trim: true } }`, with `at: 0` for the first part alone";
const JOIN: &str = "write `{ \"@join\": { values: [$.first_name, $.last_name], by: \" \" } }`, or `values: $.tags` for the items of a list";

impl Reader<'_> {
    pub(super) fn at_split(&mut self, node: &Node) -> Expr {
        let Some(members) = self.options(node, "@split", &["value", "by", "trim", "at"], SPLIT) else { return missing() };
        let by = self.text_option(members, "@split", "by", 1, SPLIT);
        let trim = self.flag(members, "@split", "trim", false);
        let place = find(members, "at");
        let at = place.and_then(|node| node.as_number().and_then(Number::as_i64));
        if let Some(place) = place.filter(|_| at.is_none()) {
            let message = format!("the `at` of `@split` is a whole number, and this is {}", place.kind_name());
            self.log.error(place.span, message).help("count the parts from 0, or from the end with -1");
            return missing();
        }
        let value = self.value_of(node, members, "@split", SPLIT);
        match (by, value) {
            (Some(Some(by)), Some(value)) => call_one(Own::Split { by, trim, at }, value),
            (Some(None), _) => self.lacks(node, "@split", "by", SPLIT),
            _ => missing(),
        }
    }

    pub(super) fn at_join(&mut self, node: &Node) -> Expr {
        let Some(members) = self.options(node, "@join", &["values", "by"], JOIN) else { return missing() };
        let by = match self.text_option(members, "@join", "by", 0, JOIN) {
            Some(Some(by)) => by,
            Some(None) => return self.lacks(node, "@join", "by", JOIN),
            None => return missing(),
        };
        let Some(values) = find(members, "values") else { return self.lacks(node, "@join", "values", JOIN) };
        let Some(items) = values.as_list() else {
            return self
                .scalar(values, "the `values` of `@join`, where they are no list,", JOIN)
                .map_or_else(missing, |value| call_one(Own::Join { by, items: true }, value));
        };
        let args: Vec<Expr> = items.iter().map(|item| self.value(item)).filter(|item| !is_missing(item)).collect();
        if args.is_empty() { missing() } else { call(Own::Join { by, items: false }, args) }
    }
}
