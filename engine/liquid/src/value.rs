//! Values, with JavaScript's and the language's ways to look at them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::chars;
use crate::number::{self, Number};

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Not there.
    Missing,
    /// `null` of the record.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// An object, its members in order.
    Object(Arc<Vec<(Arc<str>, Value)>>),
    /// A word of the language that compares in a way of its own.
    Word(Word),
}

/// `nil`, `empty` and `blank` as they are written in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Equals what is null or missing.
    Nil,
    /// Equals text, lists and objects in which nothing is.
    Empty,
    /// Equals those, null, what is missing, false, and text of whitespace.
    Blank,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        (count as f64).into()
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items.into())
    }
}

impl Value {
    /// The value that a word stands for where it is not compared.
    pub(crate) fn plain(self) -> Self {
        match self {
            Self::Word(Word::Nil) => Self::Null,
            Self::Word(Word::Empty | Word::Blank) => "".into(),
            other => other,
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Self::Missing | Self::Null | Self::Word(Word::Nil))
    }

    /// Everything is, but for false, null and what is missing.
    pub(crate) fn is_truthy(&self) -> bool {
        !self.is_nil() && !matches!(self, Self::Bool(false))
    }

    /// The same to JavaScript, to which 0 and the empty text are not true either.
    pub(crate) fn is_set(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => number.value() != 0.0 && !number.value().is_nan(),
            other => other.is_truthy(),
        }
    }

    /// As a template prints it: lists without anything between their items, objects as JSON text.
    pub(crate) fn text(&self) -> Arc<str> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.text(),
            Self::Bool(true) => "true".into(),
            Self::Bool(false) => "false".into(),
            Self::Missing | Self::Null | Self::Word(_) => "".into(),
            Self::List(items) => items.iter().map(Self::text).collect::<Vec<_>>().concat().into(),
            Self::Object(_) => self.json("", usize::MAX).unwrap_or_default().into(),
        }
    }

    /// The same where JavaScript joins lists, with commas inside of them.
    pub(crate) fn joined(&self, by: &str) -> Arc<str> {
        match self {
            Self::List(items) => items.iter().map(|item| item.joined(",")).collect::<Vec<_>>().join(by).into(),
            other => other.text(),
        }
    }

    /// The number that JavaScript makes of it; NaN if there is none in it.
    pub(crate) fn as_number(&self) -> Number {
        match self {
            Self::Number(number) => number.clone(),
            Self::Text(text) => number::read(text).into(),
            Self::Bool(flag) => f64::from(u8::from(*flag)).into(),
            Self::Null | Self::Word(_) => 0.0.into(),
            Self::Missing | Self::Object(_) => f64::NAN.into(),
            Self::List(_) => number::read(&self.joined(",")).into(),
        }
    }

    /// The same, 0 if there is none.
    pub(crate) fn number(&self) -> Number {
        let number = self.as_number();
        if number.value().is_nan() { 0.0.into() } else { number }
    }

    /// The items of a list; nothing if it is nil; any other value alone.
    pub(crate) fn items(self) -> Arc<Vec<Self>> {
        match self.plain() {
            Self::List(items) => items,
            Self::Missing | Self::Null => Arc::default(),
            other => Arc::new(vec![other]),
        }
    }

    /// What lies in it under that key. Lists have `size`, `first` and `last`, too, text and objects `size`.
    pub(crate) fn member(&self, key: &Self) -> Self {
        let name = match key {
            Self::Text(name) => name.clone(),
            Self::Number(number) => {
                if let Self::List(items) = self {
                    return index(items, number.value());
                }
                number.text()
            }
            Self::Bool(_) => key.text(),
            Self::Missing => "undefined".into(),
            Self::Word(Word::Empty | Word::Blank) => "".into(),
            Self::Null | Self::Word(Word::Nil) => "null".into(),
            Self::List(_) | Self::Object(_) => key.joined(","),
        };
        match (self, &*name) {
            (Self::Null, _) => Self::Null,
            (Self::Object(members), _) => {
                let found = members.iter().find(|(known, _)| *known == name).map(|(_, member)| member.clone());
                found.unwrap_or_else(|| if &*name == "size" { members.len().into() } else { Self::Missing })
            }
            (Self::Text(text), "size") => chars::units(text).into(),
            (Self::List(items), "size") => items.len().into(),
            (Self::List(items), "first") => index(items, 0.0),
            (Self::List(items), "last") => index(items, -1.0),
            (Self::List(items), digits) if is_index(digits) => index(items, number::read(digits)),
            _ => Self::Missing,
        }
    }

    /// `==`.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Word(word), value) | (value, Self::Word(word)) => word.equals(value),
            (Self::Missing, Self::Missing) | (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && one.iter().zip(&**other).all(|(one, other)| one.equals(other))
            }
            // One and the same, and not one that looks like it.
            (Self::Object(one), Self::Object(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// `<` and its like; `None` if neither is before the other.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Word(_), _) | (_, Self::Word(_)) => None,
            (Self::Text(one), Self::Text(other)) => Some(one.encode_utf16().cmp(other.encode_utf16())),
            (Self::List(_) | Self::Object(_), Self::Text(_) | Self::List(_) | Self::Object(_))
            | (Self::Text(_), Self::List(_) | Self::Object(_)) => {
                Some(self.joined(",").encode_utf16().cmp(other.joined(",").encode_utf16()))
            }
            _ => self.as_number().partial_cmp(&other.as_number()),
        }
    }

    /// `contains`.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        match self {
            Self::List(items) => items.iter().any(|item| item.equals(other)),
            Self::Text(text) => match other {
                Self::Missing => text.contains("undefined"),
                Self::Null | Self::Word(Word::Nil) => text.contains("null"),
                other => text.contains(&*other.joined(",")),
            },
            Self::Word(Word::Empty | Word::Blank) => Self::from("").contains(&other.clone().plain()),
            _ => false,
        }
    }
}

impl Word {
    fn equals(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Nil, value) => value.is_nil(),
            (Self::Blank, Value::Bool(false)) => true,
            (Self::Blank, value) if value.is_nil() => true,
            (Self::Blank, Value::Text(text)) => text.chars().all(chars::is_space),
            (_, Value::Text(text)) => text.is_empty(),
            (_, Value::List(items)) => items.is_empty(),
            (_, Value::Object(members)) => members.is_empty(),
            _ => false,
        }
    }
}

/// The item at a place, from the end if it is negative.
fn index(items: &[Value], at: f64) -> Value {
    let at = if at < 0.0 { at + items.len() as f64 } else { at };
    if at.fract() != 0.0 || at < 0.0 {
        return Value::Missing;
    }
    items.get(at as usize).cloned().unwrap_or(Value::Missing)
}

fn is_index(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}
