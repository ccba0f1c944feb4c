//! The directives: what they are called, what they do, and how each is read.
//!
//! One file for each; a new one is a file, and a line in [`DIRECTIVES`], from which the schema and the messages are made.

mod array_path;
mod case;
mod coalesce;
mod condition;
mod date;
mod exclude_null;
mod flatten;
mod hash;
mod json_text;
mod liquid;
mod lookup;
mod merge;
mod number;
mod own;
mod replace;
mod split;
mod text;
pub(crate) mod transform;
mod trim;

use outflow_contract::expr::Expr;
use serde_json::Value;

use super::{Reader, is_missing, missing};
use crate::nearest::nearest;
use crate::tree::{Data, Member, Node};

/// A directive.
pub(crate) struct Directive {
    pub(crate) name: &'static str,
    /// What it does, with an example.
    pub(crate) description: &'static str,
    read: fn(&mut Reader<'_>, &Node) -> Expr,
}

const fn directive(name: &'static str, read: fn(&mut Reader<'_>, &Node) -> Expr, description: &'static str) -> Directive {
    Directive { name, description, read }
}

/// The text of a directive.
enum Said {
    /// As it is written.
    Text(String),
    /// Worked out from the record.
    Worked(Expr),
}

/// The directives of this version.
#[allow(clippy::redundant_closure_for_method_calls, reason = "a method of a reader of one lifetime is no function for all of them")]
pub(crate) const DIRECTIVES: &[Directive] = &[
    directive("@path", |reader, node| reader.at_path(node), "The value at a path, in its own type: \"$.address.city\"."),
    directive("@template", |reader, node| reader.at_template(node), "Text with paths in it: \"{{first_name}} {{last_name}}\"."),
    directive("@literal", |reader, node| reader.at_literal(node), "The value as it is: for text that looks like a path."),
    directive(
        "@if",
        |reader, node| reader.at_if(node),
        "A choice: { exists: $.plan, then: …, else: … }; `blank` instead of `exists` also takes empty values for nothing.",
    ),
    directive("@case", |reader, node| reader.at_case(node), "Text in one case: { operator: lower, value: $.email }."),
    directive("@arrayPath", |reader, node| reader.at_array_path(node), "A list, each item in a shape: [\"$.items\", { sku: $.sku }]."),
    directive(
        "@replace",
        |reader, node| reader.at_replace(node),
        "Text with one text in the place of another: { pattern: \" \", replacement: _, value: $.name }.",
    ),
    directive(
        "@flatten",
        |reader, node| reader.at_flatten(node),
        "An object of all that lies in a value, by the ways there: { separator: _, value: $.address }.",
    ),
    directive("@json", |reader, node| reader.at_json(node), "A value as JSON text, or back: { mode: encode, value: $.address }."),
    directive(
        "@merge",
        |reader, node| reader.at_merge(node),
        "One object of several: { direction: right, objects: [$.traits, { plan: $.plan }] }; of equal keys `right` keeps the last.",
    ),
    directive(
        "@transform",
        |reader, node| reader.at_transform(node),
        "A mapping of a mapped value: { apply: { who: $.user }, mapping: { name: $.who.name } }.",
    ),
    directive(
        "@excludeWhenNull",
        |reader, node| reader.at_exclude_when_null(node),
        "A value without its null members, and nothing at all if it is null: $.address.",
    ),
    directive(
        "@liquid",
        |reader, node| reader.at_liquid(node),
        "Text by a template of Liquid: \"{% if plan == 'pro' %}{{ name | upcase }}{% endif %}\".",
    ),
    directive(
        "@hash",
        |reader, node| reader.at_hash(node),
        "The hash of a value, normalised as its receiver asks: { as: email, value: $.email }.",
    ),
    directive("@coalesce", |reader, node| reader.at_coalesce(node), "The first value that is there: [$.mobile, $.phone]."),
    directive("@trim", |reader, node| reader.at_trim(node), "Text without whitespace at its ends: $.name."),
    directive(
        "@lookup",
        |reader, node| reader.at_lookup(node),
        "What stands for a value in a table: { value: $.plan, table: { p1: Pro, p2: Team }, default: Free }.",
    ),
    directive(
        "@date",
        |reader, node| reader.at_date(node),
        "A moment in another form: { value: $.joined, from: \"%d/%m/%Y\", to: iso, zone: Europe/Oslo }.",
    ),
    directive(
        "@number",
        |reader, node| reader.at_number(node),
        "The number that a text says: { value: $.amount, decimal: \",\", group: \".\" }.",
    ),
    directive("@split", |reader, node| reader.at_split(node), "The parts of a text: { value: $.tags, by: \",\", trim: true }."),
    directive("@join", |reader, node| reader.at_join(node), "One text of several: { values: [$.first_name, $.last_name], by: \" \" }."),
    directive(
        "@now",
        |reader, node| reader.at_now(node),
        "When the sync began that sent the record first: { to: date, zone: Europe/Oslo }.",
    ),
];

fn names() -> impl Iterator<Item = &'static str> {
    DIRECTIVES.iter().map(|directive| directive.name)
}

fn listed() -> String {
    names().collect::<Vec<_>>().join(", ")
}

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
        let name = member.key.as_str();
        if let Some(directive) = DIRECTIVES.iter().find(|directive| directive.name == name) {
            return (directive.read)(self, &member.value);
        }
        self.log
            .error(member.key_span, format!("there is no directive `{name}`"))
            .label("unknown directive")
            .meant(nearest(name, names()))
            .help(format!("directives: {}", listed()));
        missing()
    }

    /// The member `value` of a directive that works on text: text, or a directive that may give text. `None` if it is neither, which is
    /// said, or is not there, which is not.
    fn text_value(&mut self, members: &[Member], name: &str, help: &str) -> Option<Expr> {
        let value = members.iter().find(|member| member.key == "value").map(|member| &member.value)?;
        if matches!(value.data, Data::Bool(_) | Data::Number(_) | Data::List(_)) {
            let message = format!("the `value` of `{name}` is text or a directive, and this is {}", value.kind_name());
            self.log.error(value.span, message).help(help);
            return None;
        }
        Some(self.value(value))
    }

    /// Says that the directive `name` lacks the key `key`.
    fn lacks(&mut self, node: &Node, name: &str, key: &str, help: &str) -> Expr {
        self.log.error(node.span, format!("`{name}` has no `{key}`")).label(format!("`{key}` is missing")).help(help);
        missing()
    }

    /// The option `key` of a directive, which is true or false.
    fn flag(&mut self, members: &[Member], name: &str, key: &str, default: bool) -> bool {
        let Some(member) = members.iter().find(|member| member.key == key) else { return default };
        member.value.as_bool().unwrap_or_else(|| {
            let message = format!("the `{key}` of `{name}` is true or false, and this is {}", member.value.kind_name());
            self.log.error(member.value.span, message).help(format!("write `{key}: {}`, or leave it out for `{key}: {default}`", !default));
            default
        })
    }

    /// A value that is an object or a directive. `None` if it is neither, which is said.
    fn object(&mut self, node: &Node, what: &str, help: &str) -> Option<Expr> {
        let is_path = node.as_str().is_some_and(|text| text.starts_with("$.")) && !self.literal;
        if node.as_map().is_none() && !is_path {
            let message = format!("{what} is a mapping, a path or a directive, and this is {}", node.kind_name());
            self.log.error(node.span, message).help(help);
            return None;
        }
        Some(self.value(node))
    }

    /// Reads what has another root than the record.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let outside = (std::mem::replace(&mut self.in_item, true), std::mem::replace(&mut self.literal, false));
        let value = read(self);
        (self.in_item, self.literal) = outside;
        value
    }

    /// The text of a directive that takes one. `None` if it is none and can never be, which is said.
    fn text_of(&mut self, node: &Node, name: &str, help: &str) -> Option<Said> {
        if let Some(text) = node.as_str() {
            return Some(Said::Text(text.to_owned()));
        }
        let came = if node.members().iter().any(|member| member.key.starts_with('@')) {
            match self.value(node) {
                Expr::Literal(Value::String(text)) => return Some(Said::Text(text)),
                // What is wrong with it has been said.
                expr if is_missing(&expr) => return None,
                Expr::Literal(other) => format!("this is always `{other}`"),
                expr => return Some(Said::Worked(expr)),
            }
        } else {
            format!("this is {}", node.kind_name())
        };
        self.log.error(node.span, format!("`{name}` takes text, and {came}")).help(help);
        None
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
