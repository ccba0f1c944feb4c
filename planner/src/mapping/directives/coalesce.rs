//! `@coalesce`.

use outflow_contract::expr::{Expr, Own};
use serde_json::Value;

use super::super::{Reader, is_missing, missing};
use super::own::{call, find};
use crate::tree::Node;

const HELP: &str = "write `{ \"@coalesce\": [$.mobile, $.phone] }`, or `{ \"@coalesce\": { values: [$.mobile, $.phone], blank: true } }` to pass over empty text, too";

impl Reader<'_> {
    pub(super) fn at_coalesce(&mut self, node: &Node) -> Expr {
        let (values, blank) = if node.as_list().is_some() {
            (node, false)
        } else {
            let Some(members) = self.options(node, "@coalesce", &["values", "blank"], HELP) else { return missing() };
            let blank = self.flag(members, "@coalesce", "blank", false);
            let Some(values) = find(members, "values") else { return self.lacks(node, "@coalesce", "values", HELP) };
            (values, blank)
        };
        let Some(items) = values.as_list().filter(|items| !items.is_empty()) else {
            let came = if values.as_list().is_some() { "an empty one" } else { values.kind_name() };
            self.log.error(values.span, format!("`@coalesce` takes a list of values, and this is {came}")).help(HELP);
            return missing();
        };
        let mut args = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let arg = self.value(item);
            let always = is_always(&arg, blank);
            if !is_missing(&arg) {
                args.push(arg);
            }
            if let Some(next) = items.get(at + 1).filter(|_| always) {
                self.log
                    .warn(next.span, "this value is never taken: the one before it is always there")
                    .help("leave it out, or put the constant last");
                break;
            }
        }
        match args.as_slice() {
            [] => missing(),
            [only] if is_always(only, blank) => args.remove(0),
            _ => call(Own::Coalesce { blank }, args),
        }
    }
}

/// Is it a constant that is there?
fn is_always(arg: &Expr, blank: bool) -> bool {
    match arg {
        Expr::Literal(Value::String(text)) => !blank || !text.trim().is_empty(),
        Expr::Literal(value) => !value.is_null(),
        _ => false,
    }
}
