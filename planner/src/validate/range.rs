//! The form that is asked of a written value, and its limits: of fields and of settings.

use outflow_contract::destination::Field;

use crate::tree::{Data, Node};

/// What the field takes, in words, if this value has not the form that is asked for, or is beyond its limits.
pub(super) fn wanted(node: &Node, field: &Field) -> Option<String> {
    if !matches!(node.data, Data::Text(_) | Data::Number(_) | Data::Bool(_)) {
        return None;
    }
    let text = field.is_measured_in_characters();
    let content = node.as_str().map_or_else(|| node.to_json().to_string(), ToOwned::to_owned);
    if let Some(format) = field.format.filter(|format| text && !format.fits(&content)) {
        return Some(format.words().to_owned());
    }
    let measured: f64 = if text { content.chars().count() as f64 } else { content.trim().parse().ok()? };
    let unit = if text { " characters" } else { "" };
    match field.limits() {
        (Some(least), _) if measured < least => Some(format!("at least {least}{unit}")),
        (_, Some(most)) if measured > most => Some(format!("at most {most}{unit}")),
        _ => None,
    }
}
