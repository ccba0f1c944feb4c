//! `@json`.

use outflow_contract::expr::{Expr, Function};

use super::super::{Reader, missing};
use super::condition::is_falsy;
use crate::nearest::nearest;
use crate::tree::Node;

const HELP: &str = "write `{ \"@json\": { mode: encode, value: $.column } }`";

impl Reader<'_> {
    pub(super) fn at_json(&mut self, node: &Node) -> Expr {
        if self.options(node, "@json", &["mode", "value"], HELP).is_none() {
            return missing();
        }
        let Some(mode) = node.member("mode") else { return self.lacks(node, "@json", "mode", HELP) };
        let function = match mode.value.as_str() {
            Some("encode") => Function::JsonEncode,
            Some("decode") => Function::JsonDecode,
            other => {
                let near = other.and_then(|other| nearest(&other.to_lowercase(), ["encode", "decode"]));
                self.log.error(mode.value.span, "the `mode` of `@json` is `encode` or `decode`").meant(near).help(HELP);
                return missing();
            }
        };
        // The reference asks whether the value is there as JavaScript does: null, 0, false and "" count as not there.
        let Some(value) = node.member("value").map(|member| &member.value).filter(|value| !is_falsy(value)) else {
            return self.lacks(node, "@json", "value", HELP);
        };
        let value = self.value(value);
        Expr::Call { function, args: vec![value] }
    }
}
