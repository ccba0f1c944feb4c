//! Paths into the JSON of an answer: `$.errors[0].message`, `$['a.b']`, `$`.

use outflow_contract::{Error, Result};
use serde_json::Value;

/// Longer paths are refused.
const STEPS_MAX: usize = 32;

/// A path, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JsonPath {
    written: String,
    steps: Vec<String>,
}

impl JsonPath {
    /// Parses `text`, the value of the setting `name`.
    pub(super) fn new(name: &str, text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("`{name}` is not a path: {text}")).remedy("write it as $.errors, $.data[0].id or $['a key']");
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        // `a.b` means `$.a.b`.
        let mut first = !text.starts_with('$');
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let quoted = inner.starts_with(['\'', '"']);
                let end = if quoted { inner[1..].find(inner.chars().next().unwrap_or('\'')).map(|i| i + 2) } else { inner.find(']') };
                let end = end.ok_or_else(wrong)?;
                let step = if quoted { &inner[1..end - 1] } else { &inner[..end] };
                rest = inner[end..].strip_prefix(']').ok_or_else(wrong)?;
                steps.push(step.to_owned());
            } else {
                let inner = if first { rest } else { rest.strip_prefix('.').ok_or_else(wrong)? };
                let end = inner.find(['.', '[']).unwrap_or(inner.len());
                if end == 0 {
                    return Err(wrong());
                }
                steps.push(inner[..end].to_owned());
                rest = &inner[end..];
            }
            first = false;
        }
        if steps.len() > STEPS_MAX || text.is_empty() { Err(wrong()) } else { Ok(Self { written: text.to_owned(), steps }) }
    }

    /// What is there, if anything.
    pub(super) fn find<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(root, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_members_and_items() {
        let root = serde_json::json!({"a": [{"b.c": 7}], "d": null});
        let find = |path: &str| JsonPath::new("x", path).unwrap().find(&root).cloned();
        assert_eq!(find("$.a[0]['b.c']"), Some(7.into()));
        assert_eq!(find("a.0[\"b.c\"]"), Some(7.into()));
        assert_eq!(find("$.d"), Some(Value::Null));
        assert_eq!(find("$"), Some(root.clone()));
        assert_eq!(find("$.a[1]"), None);
        for wrong in ["", "$.", "$..a", "$[", "$['a", "$['a'", "$a", "$[0]b"] {
            assert!(JsonPath::new("x", wrong).is_err(), "{wrong}");
        }
    }
}
