//! JSON text to values, and back.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::number::Number;
use crate::value::Value;

impl Value {
    /// The value that a JSON text says; missing if it is none.
    pub fn from_json(text: &str) -> Self {
        match text.as_bytes() {
            b"null" => Self::Null,
            b"true" => Self::Bool(true),
            b"false" => Self::Bool(false),
            [b'-' | b'0'..=b'9', ..] => Self::Number(Number::written(text)),
            _ => serde_json::from_str(text).map_or(Self::Missing, Self::of),
        }
    }

    fn of(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(flag),
            Json::Number(number) => Self::Number(Number::written(number.as_str())),
            Json::String(text) => text.into(),
            Json::Array(items) => items.into_iter().map(Self::of).collect::<Vec<_>>().into(),
            Json::Object(members) => {
                Self::Object(Arc::new(members.into_iter().map(|(name, member)| (name.into(), Self::of(member))).collect()))
            }
        }
    }

    /// Its JSON text, on lines of their own if it is indented; `None` if it is missing. It breaks off behind so many bytes.
    pub(crate) fn json(&self, indent: &str, bytes_max: usize) -> Option<String> {
        if matches!(self, Self::Missing) {
            return None;
        }
        let mut writer = Writer { text: String::new(), indent, bytes_max };
        writer.value(self, 0);
        Some(writer.text)
    }
}

struct Writer<'i> {
    text: String,
    indent: &'i str,
    bytes_max: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        if self.text.len() > self.bytes_max {
            return;
        }
        match value {
            Value::Text(content) => self.string(content),
            Value::Number(number) if !number.value().is_finite() => self.text.push_str("null"),
            Value::Number(_) | Value::Bool(_) => self.text.push_str(&value.text()),
            Value::Missing | Value::Null => self.text.push_str("null"),
            // They are objects, to the reference.
            Value::Word(_) => self.text.push_str("{}"),
            Value::List(items) => self.all(['[', ']'], depth, items.iter(), |writer, item| writer.value(item, depth + 1)),
            Value::Object(members) => {
                let there = members.iter().filter(|(_, member)| !matches!(member, Value::Missing));
                self.all(['{', '}'], depth, there, |writer, (name, member)| {
                    writer.string(name);
                    writer.text.push_str(if writer.indent.is_empty() { ":" } else { ": " });
                    writer.value(member, depth + 1);
                });
            }
        }
    }

    fn string(&mut self, content: &str) {
        self.text.push_str(&Json::from(content).to_string());
    }

    fn all<T>(&mut self, [open, close]: [char; 2], depth: usize, all: impl Iterator<Item = T>, each: impl Fn(&mut Self, T)) {
        self.text.push(open);
        let mut empty = true;
        for one in all {
            if !std::mem::take(&mut empty) {
                self.text.push(',');
            }
            self.line(depth + 1);
            each(self, one);
            if self.text.len() > self.bytes_max {
                return;
            }
        }
        if !empty {
            self.line(depth);
        }
        self.text.push(close);
    }

    fn line(&mut self, depth: usize) {
        if !self.indent.is_empty() {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(self.indent, depth));
        }
    }
}
