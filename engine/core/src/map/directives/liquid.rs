//! `@liquid`: text by a template of that language.
//!
//! The arguments are the values that the template reads, and last the time, if it may ask for that. Each is written out when the template
//! comes to it, and read by it: what no branch needs costs nothing.

use outflow_contract::{Error, Result};
use outflow_liquid::{Failure, Record, Template, Value};

use super::super::bind::Bound;
use super::super::call::{Work, write_arg};
use super::super::json::unescaped;
use super::super::output::Output;
use super::super::types::Told;
use super::super::write;
use super::scalar::place_of;

/// The directive.
#[derive(Debug)]
pub(crate) struct Liquid {
    template: Template,
    place: String,
}

impl Liquid {
    pub(crate) fn new(text: &str, place: &str) -> Result<Self> {
        let template = Template::parse(text).map_err(|problem| Error::invalid(format!("`@liquid`: {problem}")))?;
        Ok(Self { template, place: place_of(place) })
    }

    fn fail(&self, failure: Failure, out: &mut Output<'_>) {
        let place = &self.place;
        match failure {
            Failure::TooLong => out.fail_grown("@liquid"),
            Failure::TooMuch => {
                out.fail("value_too_large", || format!("{place}: the template of `@liquid` takes more work for this record than it may"));
            }
            Failure::Filter { name, reason } => out.fail("wrong_value", || format!("{place}: the filter `{name}` of `@liquid`: {reason}")),
        }
    }
}

impl Work for Liquid {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        let text_bytes_max = out.value_bytes_max();
        let mut values = Values { args, now: self.template.reads().len(), i, out };
        match self.template.render(&mut values, text_bytes_max) {
            Ok(text) => {
                write::string(&mut out.buf, &text);
                true
            }
            Err(failure) => {
                self.fail(failure, out);
                false
            }
        }
    }

    fn told(&self, _args: &[Option<Told>]) -> Option<Told> {
        Some(Told::text())
    }
}

/// The values of a record.
struct Values<'v, 'a> {
    args: &'v [Bound<'a>],
    /// Which argument is the time.
    now: usize,
    i: usize,
    out: &'v mut Output<'a>,
}

impl Values<'_, '_> {
    /// Hands over the argument's JSON text; `None` if it is missing.
    fn written<T>(&mut self, at: usize, each: impl FnOnce(&str) -> T) -> Option<T> {
        let start = self.out.buf.len();
        if !write_arg(self.args, at, self.i, self.out) {
            return None;
        }
        Some(self.out.rewrite(start, |json, _| each(json)))
    }
}

impl Record for Values<'_, '_> {
    fn value(&mut self, read: usize) -> Value {
        let value = self.written(read, |json| match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(content) => Value::from(&*unescaped(content)),
            None => Value::from_json(json),
        });
        value.unwrap_or(Value::Missing)
    }

    fn is_container(&mut self, read: usize) -> bool {
        self.written(read, |json| json.starts_with(['{', '['])).unwrap_or_default()
    }

    fn now(&mut self) -> Option<i64> {
        self.written(self.now, |json| json.parse().ok()).flatten()
    }
}
