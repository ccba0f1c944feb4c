//! The directives: `@path`, `@template`, `@literal`, `@if`, `@case`, `@arrayPath`.

use outflow_contract::expr::{Expr, TemplatePart, Test};
use serde_json::Value;

use super::{Reader, is_missing, missing, template};
use crate::nearest::nearest;
use crate::tree::{Data, Member, Node};

/// The directives of this version, each with what it does.
pub(crate) const DIRECTIVES: [(&str, &str); 6] = [
    ("@path", "The value at a path, in its own type: \"$.address.city\"."),
    ("@template", "Text with paths in it: \"{{first_name}} {{last_name}}\"."),
    ("@literal", "The value as it is: for text that looks like a path."),
    ("@if", "A choice: { exists: $.plan, then: …, else: … }; `blank` instead of `exists` also takes empty values for nothing."),
    ("@case", "Text in one case: { operator: lower, value: $.email }."),
    ("@arrayPath", "A list, each item in a shape: [\"$.items\", { sku: $.sku }]."),
];
const KNOWN: [&str; 6] = ["@path", "@template", "@literal", "@if", "@case", "@arrayPath"];
const LATER: [&str; 7] = ["@replace", "@flatten", "@json", "@merge", "@transform", "@excludeWhenNull", "@liquid"];

impl Reader<'_> {
    /// A mapping of keys of which one starts with `@`.
    pub(super) fn directive(&mut self, node: &Node) -> Expr {
        let mut keys = node.members().iter().filter(|member| member.key != "_metadata");
        let (Some(member), more) = (keys.next(), keys.next()) else { return missing() };
        if let Some(more) = more {
            let (directive, other) = if member.key.starts_with('@') { (member, more) } else { (more, member) };
            let message = format!("a directive stands alone, and `{}` has `{}` beside it", directive.key, other.key);
            self.log.error(directive.key_span, message).also(other.key_span, "beside it").help("put each directive under a key of its own");
            return missing();
        }
        let value = &member.value;
        match member.key.as_str() {
            "@path" => self.at_path(value),
            "@template" => self.at_template(value),
            "@literal" => self.at_literal(value),
            "@if" => self.at_if(value),
            "@case" => self.at_case(value),
            "@arrayPath" => self.at_array_path(value),
            name if LATER.contains(&name) => {
                let help = format!("this version has {}", KNOWN.join(", "));
                self.log.error(member.key_span, format!("`{name}` is not available in this version")).help(help);
                missing()
            }
            name => {
                self.log
                    .error(member.key_span, format!("there is no directive `{name}`"))
                    .label("unknown directive")
                    .meant(nearest(name, KNOWN.into_iter().chain(LATER)))
                    .help(format!("directives: {}", KNOWN.join(", ")));
                missing()
            }
        }
    }

    fn at_path(&mut self, node: &Node) -> Expr {
        match self.constant_text(node, "@path", "write `{ \"@path\": \"$.column\" }`") {
            Some(text) => self.path(&text, node.span).map_or_else(missing, Expr::Path),
            None => missing(),
        }
    }

    fn at_template(&mut self, node: &Node) -> Expr {
        let Some(text) = self.constant_text(node, "@template", "write `{ \"@template\": \"Hello {{name}}\" }`") else { return missing() };
        let parts: Vec<TemplatePart> = template::parse(&text)
            .into_iter()
            .filter_map(|part| match part {
                TemplatePart::Value(path) => self.rooted(path, node.span).map(TemplatePart::Value),
                text @ TemplatePart::Text(_) => Some(text),
            })
            .collect();
        match parts.as_slice() {
            [] => Expr::Literal(Value::String(String::new())),
            [TemplatePart::Text(text)] => Expr::Literal(Value::String(text.clone())),
            _ => Expr::Template(parts),
        }
    }

    fn at_literal(&mut self, node: &Node) -> Expr {
        let outside = std::mem::replace(&mut self.literal, true);
        let expr = self.value(node);
        self.literal = outside;
        expr
    }

    /// The text of a directive that takes one: written as it is, or a directive that comes to a constant text.
    fn constant_text(&mut self, node: &Node, name: &str, help: &str) -> Option<String> {
        if let Some(text) = node.as_str() {
            return Some(text.to_owned());
        }
        if node.members().iter().any(|member| member.key.starts_with('@')) {
            return match self.value(node) {
                Expr::Literal(Value::String(text)) => Some(text),
                // What is wrong with it has been said.
                expr if is_missing(&expr) => None,
                _ => {
                    let message = format!("`{name}` cannot be worked out from the record in this version");
                    self.log.error(node.span, message).help("write it as text");
                    None
                }
            };
        }
        self.log.error(node.span, format!("`{name}` takes text, and this is {}", node.kind_name())).help(help);
        None
    }

    fn at_if(&mut self, node: &Node) -> Expr {
        const HELP: &str = "write `{ \"@if\": { exists: $.column, then: …, else: … } }`";
        let Some(members) = self.options(node, "@if", &["exists", "blank", "then", "else"], HELP) else { return missing() };
        let find = |name: &str| members.iter().find(|member| member.key == name).map(|member| &member.value);
        // The reference asks whether the condition is there as JavaScript does: false and "" count as not there.
        let condition = |name| find(name).filter(|node| !is_falsy(node));
        let test = match (condition("exists"), condition("blank")) {
            (Some(asked), _) => Test::Exists(Box::new(self.value(asked))),
            (None, Some(asked)) => Test::NotBlank(Box::new(self.value(asked))),
            (None, None) => {
                self.log.error(node.span, "`@if` needs `exists` or `blank`").help(HELP);
                return missing();
            }
        };
        let then = find("then").map(|node| self.value(node)).filter(|expr| !is_missing(expr));
        let otherwise = find("else").filter(|node| !is_falsy(node)).map(|node| self.value(node)).filter(|expr| !is_missing(expr));
        let (Test::Exists(asked) | Test::NotBlank(asked)) = &test;
        let known = match &**asked {
            Expr::Literal(value) => Some(if matches!(test, Test::Exists(_)) { !value.is_null() } else { !is_blank(value) }),
            asked if is_missing(asked) => Some(false),
            _ => None,
        };
        match known {
            Some(true) => then.unwrap_or_else(missing),
            Some(false) => otherwise.unwrap_or_else(missing),
            None => Expr::If { test, then: then.map(Box::new), otherwise: otherwise.map(Box::new) },
        }
    }

    fn at_case(&mut self, node: &Node) -> Expr {
        const HELP: &str = "write `{ \"@case\": { operator: lower, value: $.column } }`";
        let Some(members) = self.options(node, "@case", &["operator", "value"], HELP) else { return missing() };
        let find = |name: &str| members.iter().find(|member| member.key == name);
        let operator = find("operator").map(|member| &member.value);
        let upper = match operator.and_then(Node::as_str) {
            Some("lower") => false,
            Some("upper") => true,
            other => {
                let span = operator.map_or(node.span, |node| node.span);
                let near = other.and_then(|other| nearest(&other.to_lowercase(), ["lower", "upper"]));
                self.log.error(span, "the `operator` of `@case` is `lower` or `upper`").meant(near).help(HELP);
                return missing();
            }
        };
        let Some(value) = find("value").map(|member| &member.value) else { return missing() };
        if matches!(value.data, Data::Bool(_) | Data::Number(_) | Data::List(_)) {
            let message = format!("the `value` of `@case` is text or a directive, and this is {}", value.kind_name());
            self.log.error(value.span, message).help(HELP);
            return missing();
        }
        match self.value(value) {
            // The reference leaves out an empty text that is written as it is.
            Expr::Literal(Value::String(text)) if text.is_empty() => missing(),
            Expr::Literal(Value::String(text)) => {
                Expr::Literal(Value::String(if upper { text.to_uppercase() } else { text.to_lowercase() }))
            }
            Expr::Literal(other) => Expr::Literal(other),
            value if is_missing(&value) => missing(),
            value => Expr::Case { upper, value: Box::new(value) },
        }
    }

    fn at_array_path(&mut self, node: &Node) -> Expr {
        const HELP: &str = "write `{ \"@arrayPath\": [\"$.items\", { sku: $.sku }] }`: the list, then what each item becomes";
        let Some(items) = node.as_list().filter(|items| (1..=2).contains(&items.len())) else {
            self.log.error(node.span, "`@arrayPath` takes a list of a path and, if wanted, a shape").help(HELP);
            return missing();
        };
        let root = self.constant_text(&items[0], "@arrayPath", HELP).and_then(|text| self.path(&text, items[0].span));
        let shape = items.get(1).filter(|shape| !shape.is_null());
        let shape = shape.map(|shape| {
            let is_path = shape.as_str().is_some_and(|text| text.starts_with("$."));
            if shape.as_map().is_none() && !is_path {
                let message = format!("the shape of `@arrayPath` is a mapping or a path, and this is {}", shape.kind_name());
                self.log.error(shape.span, message).help(HELP);
            }
            let outside = (std::mem::replace(&mut self.in_item, true), std::mem::replace(&mut self.literal, false));
            let expr = self.value(shape);
            (self.in_item, self.literal) = outside;
            expr
        });
        let shape = shape.filter(|shape| *shape != Expr::Literal(Value::Object(serde_json::Map::new())));
        match root {
            Some(root) => Expr::ArrayPath { root, shape: shape.map(Box::new) },
            None => missing(),
        }
    }

    /// The members of a directive that takes a mapping of these keys.
    fn options<'n>(&mut self, node: &'n Node, name: &str, keys: &[&'static str], help: &str) -> Option<&'n [Member]> {
        let Some(members) = node.as_map() else {
            self.log.error(node.span, format!("`{name}` takes a mapping, and this is {}", node.kind_name())).help(help);
            return None;
        };
        for member in members.iter().filter(|member| !keys.contains(&member.key.as_str())) {
            self.log
                .error(member.key_span, format!("`{name}` has no key `{}`", member.key))
                .meant(nearest(&member.key, keys.iter().copied()))
                .help(help);
        }
        Some(members)
    }
}

/// False, null, zero or empty, as JavaScript sees it.
fn is_falsy(node: &Node) -> bool {
    match &node.data {
        Data::Null => true,
        Data::Bool(value) => !value,
        Data::Number(value) => value.as_f64() == Some(0.0),
        Data::Text(text) => text.value.is_empty(),
        Data::List(_) | Data::Map(_) => false,
    }
}

/// What `blank` takes for nothing: null, false, 0, "", an empty list, and a list of one such text or null.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => match items.as_slice() {
            [] | [Value::Null] => true,
            [Value::String(text)] => text.is_empty(),
            _ => false,
        },
        Value::Object(_) => false,
    }
}
