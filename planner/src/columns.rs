//! A project against the schemas of its queries: is every column that it names returned?

use std::collections::HashSet;

use arrow::datatypes::{DataType, Schema};
use outflow_contract::expr::RESERVED_ROOTS;

use crate::load::Loaded;
use crate::nearest::{list, nearest};
use crate::problem::{Draft, Problem, Severity, Span};

impl Loaded {
    /// What is wrong with `model`, and with the mappings that use it, now that its query is known to return `schema`:
    /// columns that are not there, doubled or reserved names, and limits. Sorted by place; nothing if there is no such model.
    pub fn check_columns(&self, model: &str, schema: &Schema) -> Vec<Problem> {
        let Some(places) = self.places.models.get(model) else { return Vec::new() };
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut drafts = Vec::new();
        self.check_schema(model, places.query, &columns, &mut drafts);
        for (column, span) in &places.id {
            missing(&format!("model `{model}` is identified by column"), column, *span, &columns, &mut drafts);
        }
        if let Some((column, span)) = &places.timestamp {
            missing(&format!("the timestamp of model `{model}` is column"), column, *span, &columns, &mut drafts);
            let is_text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            if schema.fields().iter().any(|field| field.name() == column && is_text(field.data_type())) {
                let message = format!("the timestamp of model `{model}` is column `{column}`, which is text");
                let mut draft = Draft::new(Severity::Warning, Some(*span), message);
                draft.label("text").help(format!(
                    "convert it in the query, such as CAST({column} AS TIMESTAMP) AS {column}: then text that is no moment is found at once"
                ));
                drafts.push(draft);
            }
        }
        for (name, mapping) in self.places.mappings.iter().filter(|(_, mapping)| mapping.model == model) {
            drafts.extend(mapping.uses.texts.iter().filter_map(|(text, span)| forgotten(name, text, *span, &columns)));
            for one in &mapping.uses.columns {
                let subject = match &one.default_of {
                    Some(field) => format!("mapping `{name}` does not map the required field `{field}`, whose default reads column"),
                    None => format!("mapping `{name}` reads column"),
                };
                missing(&subject, &one.column, one.span, &columns, &mut drafts);
            }
        }
        self.renderer.problems(drafts)
    }

    fn check_schema(&self, model: &str, query: Span, columns: &[&str], drafts: &mut Vec<Draft>) {
        let limits = &self.project.limits;
        let mut report = |message: String, help: &str| {
            let mut draft = Draft::new(Severity::Error, Some(query), message);
            draft.help(help);
            drafts.push(draft);
        };
        if columns.len() > limits.columns {
            let message = format!("the query of model `{model}` returns {} columns, and the limit is {}", columns.len(), limits.columns);
            report(message, "select fewer columns, or raise `limits.columns`");
        }
        let mut seen = HashSet::new();
        for column in columns {
            let length = column.chars().count();
            if length > limits.column_name {
                let shown: String = column.chars().take(40).collect();
                let message = format!(
                    "the column `{shown}…` of model `{model}` has a name of {length} characters, and the limit is {}",
                    limits.column_name
                );
                report(message, "give it a shorter name with AS, or raise `limits.column_name`");
            }
            if !seen.insert(column) {
                report(
                    format!("the query of model `{model}` returns two columns named `{column}`"),
                    "give one of them another name with AS",
                );
            }
            if RESERVED_ROOTS.contains(column) {
                report(
                    format!("the query of model `{model}` returns a column named `{column}`, which Outflow reserves"),
                    "give it another name with AS",
                );
            }
        }
    }
}

/// A text that was perhaps meant to be the path of a column.
fn forgotten(mapping: &str, text: &str, span: Span, columns: &[&str]) -> Option<Draft> {
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let qualified = || text.split_once('.').filter(|(table, column)| is_name(table) && is_name(column)).map(|(_, column)| column);
    let wanted = columns.contains(&text).then_some(text).or_else(|| text.strip_prefix('$')).or_else(qualified)?;
    let column = columns.iter().find(|column| **column == wanted)?;
    let path = if is_name(column) { format!("$.{column}") } else { format!("$.['{column}']") };
    let message = format!("mapping `{mapping}` sends the text `{text}` itself, and the model has a column `{column}`");
    let mut draft = Draft::new(Severity::Warning, Some(span), message);
    draft
        .label(format!("did you mean `{path}`?"))
        .help(format!("`{path}` is the column's value; if the text is meant, write `{{ \"@literal\": \"{text}\" }}`"));
    Some(draft)
}

fn missing(subject: &str, column: &str, span: Span, columns: &[&str], drafts: &mut Vec<Draft>) {
    if columns.contains(&column) {
        return;
    }
    let mut draft = Draft::new(Severity::Error, Some(span), format!("{subject} `{column}`, which the query does not return"));
    let near =
        columns.iter().copied().find(|other| other.eq_ignore_ascii_case(column)).or_else(|| nearest(column, columns.iter().copied()));
    draft.label("no such column").meant(near).help(format!("columns of the query: {}", list(columns.iter().copied())));
    // `$.a.b` reads member b of column a; a column whose own name has a dot is written in another way.
    if let Some(dotted) = columns.iter().find(|other| other.strip_prefix(column).is_some_and(|rest| rest.starts_with('.'))) {
        draft.help(format!("a column whose name holds a dot is written `$.['{dotted}']`"));
    }
    drafts.push(draft);
}
