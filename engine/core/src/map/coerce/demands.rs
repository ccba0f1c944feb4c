//! Fields that only some records need: looked for in the object once it is written, for what they depend on stands beside them.

use std::borrow::Cow;

use outflow_contract::destination::Field;
use outflow_contract::outcome::Rejection;
use outflow_contract::requirement::Known;
use serde_json::Value;

use super::super::json::unescaped;
use super::{Wanted, walk};

/// The fields of a payload that only some records need.
pub(crate) fn demands(fields: &[Field]) -> Vec<Wanted> {
    super::all(fields, "").into_iter().filter(|field| field.required_if.is_some()).collect()
}

/// Why `object`, the JSON of an object with fields of their kinds, fails for a field that such a one needs. The first of them is told.
pub(crate) fn unmet(fields: &[Wanted], object: &str) -> Option<Rejection> {
    if fields.iter().all(|field| field.required_if.is_none()) {
        return None;
    }
    let mut members: Vec<(Cow<'_, str>, &str)> = Vec::new();
    let walked = walk(object, |key, value| {
        members.push((unescaped(key), value));
        Ok(())
    });
    if walked.is_err() {
        return None;
    }
    let value = |name: &str| members.iter().rfind(|(key, _)| *key == name).map(|(_, value)| *value);
    let known = |name: &str| match value(name) {
        None => Known::Missing,
        // Conditions ask for scalars, or whether there is anything.
        Some(text) if text.starts_with(['{', '[']) => Known::Value(Value::Array(Vec::new())),
        Some(text) => serde_json::from_str(text).map_or(Known::Missing, Known::Value),
    };
    fields.iter().filter(|field| value(&field.name).is_none()).find_map(|field| {
        let required_if = field.required_if.as_ref()?;
        let message = || format!("field `{}` is required where {}, and this record has no value for it", field.path, required_if.words());
        (required_if.holds(&known) == Some(true)).then(|| Rejection { code: "missing_field".to_owned(), message: message() })
    })
}
