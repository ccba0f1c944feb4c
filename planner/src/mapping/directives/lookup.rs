//! `@lookup`.

use outflow_contract::expr::{Expr, Lookup, Own};
use serde_json::Value;

use super::super::{Reader, is_missing, missing};
use super::own::{call, find};
use crate::tree::{Member, Node};

const KEYS: [&str; 4] = ["value", "table", "default", "ignorecase"];
const HELP: &str = "write `{ \"@lookup\": { value: $.plan, table: { p1: Pro, p2: Team }, default: Free } }`";

impl Reader<'_> {
    pub(super) fn at_lookup(&mut self, node: &Node) -> Expr {
        let Some(members) = self.options(node, "@lookup", &KEYS, HELP) else { return missing() };
        let ignore_case = self.flag(members, "@lookup", "ignorecase", false);
        let Some(table) = find(members, "table") else { return self.lacks(node, "@lookup", "table", HELP) };
        let Some(entries) = table.as_map().filter(|entries| !entries.is_empty()) else {
            let came = if table.as_map().is_some() { "an empty one" } else { table.kind_name() };
            self.log.error(table.span, format!("the `table` of `@lookup` is a mapping, and this is {came}")).help(HELP);
            return missing();
        };
        let table = self.table(entries, ignore_case);
        let Some(value) = self.value_of(node, members, "@lookup", HELP) else { return missing() };
        let mut args = vec![value];
        args.extend(find(members, "default").map(|default| self.value(default)).filter(|default| !is_missing(default)));
        call(Own::Lookup(Lookup { table, ignore_case }), args)
    }

    /// The entries of a table: those that are wrong are said, and left out.
    fn table(&mut self, entries: &[Member], ignore_case: bool) -> Vec<(String, Value)> {
        let mut table: Vec<(String, Value)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = if ignore_case { entry.key.to_lowercase() } else { entry.key.clone() };
            if ignore_case && table.iter().any(|(known, _)| *known == key) {
                self.log
                    .error(entry.key_span, format!("`{}` is in the table already, but for its case", entry.key))
                    .help("leave one of them out, or `ignorecase`");
                continue;
            }
            match self.constant_of(&entry.value) {
                Some(value) => table.push((key, value)),
                None => {
                    self.log
                        .error(entry.value.span, "what stands in a `table` is the same for every record")
                        .help("put what is worked out from the record into `default`, or choose with `@if`");
                }
            }
        }
        table
    }

    /// A value without a path or a directive in it that depends on the record.
    fn constant_of(&mut self, node: &Node) -> Option<Value> {
        if node.as_str().is_some_and(|text| text.starts_with("$.")) {
            return None;
        }
        let outside = std::mem::replace(&mut self.literal, true);
        let value = self.value(node);
        self.literal = outside;
        if let Expr::Literal(value) = value { Some(value) } else { None }
    }
}
