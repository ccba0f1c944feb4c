//! A project file as a tree in which every key and every value knows its place.
//!
//! The tree is what `yaml.rs` reads, `target.rs` merges, `interpolate.rs` fills in, and everything else checks.
//! A null is as good as absent for whoever asks for a member: `rate_limit:` with nothing after it sets nothing.

use serde_json::{Map, Number, Value};

use crate::problem::Span;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where it stands.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) data: Data,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A text.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The text itself: after interpolation, with the values in it.
    pub(crate) value: String,
    /// How it was written, where a value of the environment or of a file has been put in.
    pub(crate) written: Option<String>,
    /// Was it a literal block (`|`)? Then its lines are lines of the file.
    pub(crate) block: bool,
}

/// A member of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// An empty mapping without a place.
    pub(crate) fn empty() -> Self {
        Self { span: Span::default(), data: Data::Map(Vec::new()) }
    }

    /// A value of a descriptor, at the place that it belongs to.
    pub(crate) fn from_json(value: &Value, span: Span) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(value) => Data::Bool(*value),
            Value::Number(value) => Data::Number(value.clone()),
            Value::String(value) => Data::Text(Text { value: value.clone(), written: None, block: false }),
            Value::Array(items) => Data::List(items.iter().map(|item| Self::from_json(item, span)).collect()),
            Value::Object(members) => Data::Map(
                members
                    .iter()
                    .map(|(key, value)| Member { key: key.clone(), key_span: span, value: Self::from_json(value, span) })
                    .collect(),
            ),
        };
        Self { span, data }
    }

    /// The value as JSON, interpolated values included: never printed.
    pub(crate) fn to_json(&self) -> Value {
        self.json(|text| &text.value)
    }

    /// The value as JSON as it was written, without a secret in it.
    pub(crate) fn written_json(&self) -> Value {
        self.json(|text| text.written.as_ref().unwrap_or(&text.value))
    }

    fn json(&self, text: fn(&Text) -> &String) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(value) => Value::Number(value.clone()),
            Data::Text(value) => Value::String(text(value).clone()),
            Data::List(items) => items.iter().map(|item| item.json(text)).collect(),
            Data::Map(members) => {
                Value::Object(members.iter().map(|member| (member.key.clone(), member.value.json(text))).collect::<Map<_, _>>())
            }
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Data::Bool(value) = self.data { Some(value) } else { None }
    }

    pub(crate) fn as_number(&self) -> Option<&Number> {
        if let Data::Number(value) = &self.data { Some(value) } else { None }
    }

    /// A whole number, not negative.
    pub(crate) fn as_count(&self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    pub(crate) fn as_text(&self) -> Option<&Text> {
        if let Data::Text(text) = &self.data { Some(text) } else { None }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        self.as_text().map(|text| text.value.as_str())
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        if let Data::List(items) = &self.data { Some(items) } else { None }
    }

    pub(crate) fn as_map(&self) -> Option<&[Member]> {
        if let Data::Map(members) = &self.data { Some(members) } else { None }
    }

    /// The members of a mapping; none of anything else.
    pub(crate) fn members(&self) -> &[Member] {
        self.as_map().unwrap_or(&[])
    }

    /// The member of that name, nulls included.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members().iter().find(|member| member.key == name)
    }

    /// The value of that name, unless it is null.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.member(name).map(|member| &member.value).filter(|value| !value.is_null())
    }

    /// The text of that name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::as_str)
    }

    /// What it is, for a message.
    pub(crate) fn kind_name(&self) -> &'static str {
        match &self.data {
            Data::Null => "empty",
            Data::Bool(_) => "true or false",
            Data::Number(_) => "a number",
            Data::Text(_) => "text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// A scalar for a message, in back quotes: as it was written, so that no interpolated value is shown, and cut.
    pub(crate) fn shown(&self) -> String {
        const CHARS_MAX: usize = 60;
        let text = match &self.data {
            Data::Text(text) => text.written.clone().unwrap_or_else(|| text.value.clone()),
            Data::Null | Data::Bool(_) | Data::Number(_) => self.to_json().to_string(),
            Data::List(_) | Data::Map(_) => return self.kind_name().to_owned(),
        };
        let line = text.lines().next().unwrap_or("");
        let cut: String = line.chars().take(CHARS_MAX).collect();
        if cut.len() == text.len() { format!("`{cut}`") } else { format!("`{cut}…`") }
    }
}

impl Text {
    /// Is a value of the environment or of a file in it?
    pub(crate) fn is_interpolated(&self) -> bool {
        self.written.is_some()
    }
}
