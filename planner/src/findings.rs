//! What those who ask sources and destinations find, as problems with a place in the project.

use std::ops::Range;

use outflow_contract::Error;

use crate::load::Loaded;
use crate::places::ModelPlaces;
use crate::problem::{Draft, Problem, Severity, Span};
use crate::sql;

/// What was asked when an error came back.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// The source, for the schema of this model.
    Model(&'a str),
    /// A source, for the files of one of its tables.
    Table {
        /// The source.
        source: &'a str,
        /// The table.
        table: &'a str,
    },
    /// The connector, for this destination.
    Destination(&'a str),
    /// The same, for this mapping to it.
    Mapping {
        /// The mapping.
        mapping: &'a str,
        /// The destination.
        destination: &'a str,
    },
}

impl Loaded {
    /// Is there no mistake in the entry `name`, as far as the project itself tells? `noun` is `source`, `model`, `destination` or
    /// `mapping`.
    pub fn is_sound(&self, noun: &'static str, name: &str) -> bool {
        !self.places.broken.contains(&(noun, name.to_owned()))
    }

    /// Does a model read this table? Of a model that cannot be read itself it is not known: it may.
    pub fn may_read(&self, source: &str, table: &str) -> bool {
        let reads = |name: &str| self.tables(name).any(|other| other.eq_ignore_ascii_case(table));
        self.places.broken.iter().any(|(noun, _)| *noun == "model")
            || self.project.models.iter().any(|model| model.source == source && reads(&model.name))
    }

    /// The tables that a model names.
    pub fn tables(&self, model: &str) -> impl Iterator<Item = &str> {
        self.places.models.get(model).into_iter().flat_map(|places| places.tables.iter().map(String::as_str))
    }

    /// Can the source be asked for a model, or has what it reads from been refused already?
    pub fn can_ask(&self, model: &str) -> bool {
        let Some(model) = self.project.model(model) else { return false };
        let lost = |table: &str| self.places.lost.iter().any(|(source, name)| *source == model.source && name.eq_ignore_ascii_case(table));
        self.project.source(&model.source).is_some() && !self.tables(&model.name).any(lost)
    }

    /// `error` as a problem at the place that it is about. Of a table that no model reads it is a warning.
    pub fn problem(&self, asked: Asked<'_>, error: &Error) -> Problem {
        let mut help = error.remedy_text().map(str::to_owned);
        let mut severity = Severity::Error;
        let (span, message) = match asked {
            Asked::Model(name) => {
                let found = self.places.models.get(name).map(|places| in_query(places, error));
                if found.as_ref().is_some_and(|(_, quoted)| *quoted) {
                    let hint = "text takes single quotes: double quotes are for names";
                    help = Some(help.map_or(hint.to_owned(), |help| format!("{hint}; {help}")));
                }
                (found.map(|(span, _)| span), format!("model `{name}`: {error}"))
            }
            Asked::Table { source, table } => {
                if !self.may_read(source, table) {
                    severity = Severity::Warning;
                }
                (self.places.tables.get(&(source.to_owned(), table.to_owned())).copied(), error.to_string())
            }
            Asked::Destination(name) => {
                let places = self.places.destinations.get(name);
                let span = places.map(|places| places.named_in(error.message()).unwrap_or(places.name));
                (span, format!("destination `{name}`: {error}"))
            }
            Asked::Mapping { mapping, destination } => {
                let fields = self.places.mappings.get(mapping).map(|places| &places.fields);
                match fields.and_then(|fields| fields.named_in(error.message())) {
                    Some(span) => (Some(span), format!("mapping `{mapping}`: {error}")),
                    // What the connector says without naming a field may be about a setting; what a column is like is not.
                    None if is_of_column(error) => (fields.map(|fields| fields.name), format!("mapping `{mapping}`: {error}")),
                    None => return self.problem(Asked::Destination(destination), error),
                }
            }
        };
        let mut draft = Draft::new(severity, span, message);
        if let Some(help) = help {
            draft.help(help);
        }
        self.renderer.problem(draft)
    }

    /// The same, if `error` is about one of the destination's settings.
    pub fn setting_problem(&self, destination: &str, error: &Error) -> Option<Problem> {
        self.places.destinations.get(destination)?.named_in(error.message())?;
        Some(self.problem(Asked::Destination(destination), error))
    }
}

/// Is the error about what a column holds?
fn is_of_column(error: &Error) -> bool {
    error.message().starts_with("column \"") || error.message().starts_with("field `")
}

/// The place in a query that an error of its source is about, and whether double quotes are round a column that is not there.
fn in_query(places: &ModelPlaces, error: &Error) -> (Span, bool) {
    let name = error.message().split('`').nth(1);
    let at = |range: Range<usize>| places.home.span(&places.sql, range.start, range.end);
    match name.and_then(|name| sql::find(&places.sql, name)) {
        Some((range, quoted)) => (at(range), quoted && error.message().contains("asks for the column")),
        None => (at(sql::first(&places.sql)), false),
    }
}
