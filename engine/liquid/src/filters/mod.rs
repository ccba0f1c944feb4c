//! The filters: what they are called, and what each does.
//!
//! They are those of the reference, with its results. One file for each kind; a new one is a function, and a line in [`KNOWN`].

#![allow(clippy::unnecessary_wraps, reason = "all filters are of one kind, whether they can fail or not")]

mod code;
mod date;
mod list;
mod math;
mod moment;
mod text;
mod web;

use std::sync::Arc;

use crate::budget::Budget;
use crate::chars::units;
use crate::problem::{Failure, Problem};
use crate::value::Value;

/// A filter.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// The fewest arguments that it can do with.
    pub(crate) args_min: usize,
    pub(crate) work: fn(&mut Call<'_>) -> Result<Value, Failure>,
}

/// What a filter works on.
pub(crate) struct Call<'c> {
    pub(crate) name: &'static str,
    pub(crate) input: Value,
    pub(crate) args: Vec<Value>,
    pub(crate) named: Vec<(Arc<str>, Value)>,
    /// When the sync began, in milliseconds since 1970.
    pub(crate) now: &'c mut dyn FnMut() -> Option<i64>,
    pub(crate) budget: &'c mut Budget,
}

impl Call<'_> {
    /// An argument; missing if it was not given.
    fn arg(&self, at: usize) -> Value {
        self.args.get(at).cloned().unwrap_or(Value::Missing)
    }

    fn text(&self) -> Arc<str> {
        self.input.text()
    }

    fn arg_text(&self, at: usize) -> Arc<str> {
        self.arg(at).text()
    }

    /// An argument that is a number, if it was given.
    fn arg_number(&self, at: usize) -> Option<f64> {
        match self.args.get(at) {
            None | Some(Value::Missing) => None,
            Some(given) => Some(given.number().value()),
        }
    }

    fn fail(&self, reason: impl Into<String>) -> Failure {
        Failure::Filter { name: self.name, reason: reason.into() }
    }
}

const fn filter(name: &'static str, args_min: usize, work: fn(&mut Call<'_>) -> Result<Value, Failure>) -> Known {
    Known { name, args_min, work }
}

/// The filters that there are, by their names.
static KNOWN: [Known; 68] = [
    filter("abs", 0, math::abs),
    filter("append", 1, text::append),
    filter("at_least", 1, math::at_least),
    filter("at_most", 1, math::at_most),
    filter("base64_decode", 0, code::base64_decode),
    filter("base64_encode", 0, code::base64_encode),
    filter("capitalize", 0, text::capitalize),
    filter("ceil", 0, math::ceil),
    filter("cgi_escape", 0, web::cgi_escape),
    filter("compact", 0, list::compact),
    filter("date", 0, date::date),
    filter("date_to_long_string", 0, date::to_long_string),
    filter("date_to_rfc822", 0, date::to_rfc822),
    filter("date_to_string", 0, date::to_string),
    filter("date_to_xmlschema", 0, date::to_xmlschema),
    filter("default", 0, default),
    filter("divided_by", 1, math::divided_by),
    filter("downcase", 0, text::downcase),
    filter("escape", 0, web::escape),
    filter("escape_once", 0, web::escape_once),
    filter("first", 0, list::first),
    filter("floor", 0, math::floor),
    filter("hmac_sha256", 1, code::hmac_sha256),
    filter("inspect", 0, code::json),
    filter("join", 0, list::join),
    filter("json", 0, code::json),
    filter("jsonify", 0, code::json),
    filter("last", 0, list::last),
    filter("lstrip", 0, text::lstrip),
    filter("minus", 1, math::minus),
    filter("modulo", 1, math::modulo),
    filter("normalize_whitespace", 0, text::normalize_whitespace),
    filter("number_of_words", 0, text::number_of_words),
    filter("plus", 1, math::plus),
    filter("pop", 0, list::pop),
    filter("prepend", 1, text::prepend),
    filter("push", 1, list::push),
    filter("raw", 0, raw),
    filter("remove", 1, text::remove),
    filter("remove_first", 1, text::remove_first),
    filter("remove_last", 1, text::remove_last),
    filter("replace", 1, text::replace),
    filter("replace_first", 1, text::replace_first),
    filter("replace_last", 1, text::replace_last),
    filter("round", 0, math::round),
    filter("rstrip", 0, text::rstrip),
    filter("sha256", 0, code::sha256),
    filter("shift", 0, list::shift),
    filter("size", 0, size),
    filter("slice", 1, list::slice),
    filter("slugify", 0, web::slugify),
    filter("split", 1, list::split),
    filter("squish", 0, text::squish),
    filter("strip", 0, text::strip),
    filter("strip_html", 0, web::strip_html),
    filter("strip_newlines", 0, text::strip_newlines),
    filter("sum", 0, list::sum),
    filter("times", 1, math::times),
    filter("to_integer", 0, math::to_integer),
    filter("truncate", 0, text::truncate),
    filter("truncatewords", 0, text::truncatewords),
    filter("unshift", 1, list::unshift),
    filter("upcase", 0, text::upcase),
    filter("uri_escape", 0, web::uri_escape),
    filter("url_decode", 0, web::url_decode),
    filter("url_encode", 0, web::url_encode),
    filter("where", 1, list::r#where),
    filter("xml_escape", 0, web::escape),
];

/// Those of Liquid that the reference does not allow.
const DISABLED: [&str; 20] = [
    "array_to_sentence_string",
    "concat",
    "find",
    "find_exp",
    "find_index",
    "find_index_exp",
    "group_by",
    "group_by_exp",
    "has",
    "has_exp",
    "map",
    "newline_to_br",
    "reject",
    "reject_exp",
    "reverse",
    "sort",
    "sort_natural",
    "type",
    "uniq",
    "where_exp",
];

/// The filter of that name, which stands at `at` in a template.
pub(crate) fn find(name: &str, at: usize) -> Result<&'static Known, Problem> {
    if let Some(known) = KNOWN.iter().find(|known| known.name == name) {
        return Ok(known);
    }
    if DISABLED.contains(&name) {
        let help = match name {
            "map" => "map a list with `@arrayPath`",
            "concat" => "join texts with `append`, and lists with `@merge` or in the query",
            _ => "work this out in the model's query",
        };
        return Err(Problem::new(at, format!("the filter `{name}` is not available in `@liquid`")).help(help));
    }
    if name == "sample" {
        let message = "the filter `sample` is not available in `@liquid`: it would give another value each time that a record is sent";
        return Err(Problem::new(at, message).help("take an item by its place: `list[0]`"));
    }
    let names: Vec<&'static str> = KNOWN.iter().map(|known| known.name).collect();
    Err(Problem::new(at, format!("there is no filter `{name}`")).help(format!("filters: {}", names.join(", "))).unknown(name, names))
}

/// Their names.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.name)
}

fn default(call: &mut Call<'_>) -> Result<Value, Failure> {
    let input = call.input.clone().plain();
    let stays = match &input {
        Value::Text(text) => !text.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Bool(false) => call.named.iter().any(|(name, value)| &**name == "allow_false" && value.is_truthy()),
        other => other.is_truthy(),
    };
    Ok(if stays { input } else { call.arg(0) })
}

fn raw(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(call.input.clone())
}

fn size(call: &mut Call<'_>) -> Result<Value, Failure> {
    Ok(match &call.input {
        Value::Text(text) => units(text).into(),
        Value::List(items) => items.len().into(),
        _ => 0.0.into(),
    })
}
