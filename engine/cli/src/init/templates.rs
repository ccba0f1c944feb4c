//! The text files of a new project, with the facts of its data filled in.
//!
//! A place is written `@NAME@`: the mapping language has `{{ }}` for itself, and the shell and secrets have `$`.

use outflow_contract::{Error, Result};

use super::data::Facts;

/// A text file of the project.
pub(super) struct Template {
    /// Relative to the project's folder.
    pub(super) path: &'static str,
    /// What it is, in a few words.
    pub(super) what: &'static str,
    text: &'static str,
}

/// In the order a newcomer should read them.
pub(super) const ALL: &[Template] = &[
    Template { path: "README.md", what: "what to try", text: include_str!("templates/README.md") },
    Template { path: "outflow.yml", what: "the project", text: include_str!("templates/outflow.yml") },
    Template { path: "models/customers.sql", what: "a model", text: include_str!("templates/customers.sql") },
    Template { path: "models/orders.sql", what: "a model", text: include_str!("templates/orders.sql") },
    Template { path: ".gitignore", what: "what version control leaves out", text: include_str!("templates/gitignore") },
];

impl Template {
    /// The text with every place filled in.
    ///
    /// # Errors
    /// `Bug` if the template has a place that nothing fills.
    pub(super) fn render(&self, name: &str, facts: &Facts) -> Result<String> {
        let mut text = self.text.to_owned();
        for (place, value) in facts.places() {
            text = text.replace(place, &value);
        }
        if let Some(place) = first_place(&text) {
            return Err(Error::bug(format!("the template of {} has a place that nothing fills: {place}", self.path)));
        }
        // The name comes last: it is the operator's, and may hold anything.
        Ok(text.replace("@NAME@", &one_line(name)))
    }
}

/// The first `@CAPITALS@` but the name's.
fn first_place(text: &str) -> Option<&str> {
    let is_inner = |c: char| c.is_ascii_uppercase() || c == '_';
    text.match_indices('@').find_map(|(start, _)| {
        let length = text[start + 1..].find(|c| !is_inner(c))?;
        let place = &text[start..start + 1 + length];
        let closed = length > 0 && text[start + 1 + length..].starts_with('@');
        (closed && place != "@NAME").then_some(place)
    })
}

/// A folder's name may hold a line break, which would end the comment that the name stands in.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
