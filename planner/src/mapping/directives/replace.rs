//! `@replace`.

use outflow_contract::expr::{Expr, Function, Replacement};

use super::super::{Reader, missing};
use crate::tree::{Member, Node};

/// The most characters, as UTF-16 counts them, of a pattern or of what replaces it: the reference's limit.
const UNITS_MAX: usize = 10;
const KEYS: [&str; 7] = ["pattern", "replacement", "value", "ignorecase", "global", "pattern2", "replacement2"];
const HELP: &str = "write `{ \"@replace\": { pattern: \" \", replacement: _, value: $.column } }`";

impl Reader<'_> {
    pub(super) fn at_replace(&mut self, node: &Node) -> Expr {
        let Some(members) = self.options(node, "@replace", &KEYS, HELP) else { return missing() };
        let Some(first) = self.replacement(members, "pattern", "replacement") else {
            if members.iter().all(|member| member.key != "pattern") {
                return self.lacks(node, "@replace", "pattern", HELP);
            }
            return missing();
        };
        let second = self.replacement(members, "pattern2", "replacement2");
        let global = self.flag(members, "@replace", "global", true);
        let ignore_case = self.flag(members, "@replace", "ignorecase", false);
        if members.iter().all(|member| member.key != "value") {
            return self.lacks(node, "@replace", "value", HELP);
        }
        let Some(value) = self.text_value(members, "@replace", HELP) else { return missing() };
        let replacements = std::iter::once(first).chain(second).collect();
        Expr::Call { function: Function::Replace { replacements, global, ignore_case }, args: vec![value] }
    }

    /// A pattern with what replaces it. `None` if it is not there, or wrong, which is said.
    fn replacement(&mut self, members: &[Member], pattern: &str, with: &str) -> Option<Replacement> {
        let find = |key: &str| members.iter().find(|member| member.key == key);
        let with = find(with).map_or(Some(String::new()), |member| self.short(member, 0));
        let pattern = self.short(find(pattern)?, 1)?;
        Some(Replacement { pattern, with: with? })
    }

    fn short(&mut self, member: &Member, units_min: usize) -> Option<String> {
        let text = member.value.as_str();
        let units = text.map(|text| text.encode_utf16().count());
        if units.is_some_and(|units| (units_min..=UNITS_MAX).contains(&units)) {
            return text.map(ToOwned::to_owned);
        }
        let came = units.map_or_else(|| member.value.kind_name().to_owned(), |units| format!("one of {units}"));
        let message = format!("the `{}` of `@replace` is a text of {units_min} to {UNITS_MAX} characters, and this is {came}", member.key);
        self.log.error(member.value.span, message).help(HELP);
        None
    }
}
