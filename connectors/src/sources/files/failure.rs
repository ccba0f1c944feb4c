//! DataFusion's failures in words that a person can act on.

use arrow::datatypes::DataType;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use outflow_contract::source::type_name;
use outflow_contract::{Blame, Error, Kind, Result, Retry};

use super::paths::nearest;

/// At most so many characters of a message that is not ours.
const MESSAGE_CHARS_MAX: usize = 300;
/// At most so many names in a remedy.
const NAMES_MAX: usize = 12;

/// What to do about a query of which nothing better is known.
pub(super) const CORRECT: &str = "correct the model's query";

/// The text with types as a preview calls them: `bigint` for `Int64`.
pub(super) fn with_types(text: &str) -> String {
    let (mut written, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let after_name = written.ends_with(['`', '"', '\'', '.', '_']);
        let known = (first.is_ascii_uppercase() && !after_name).then(|| known_type(rest, word)).flatten();
        let (taken, name) = known.unwrap_or_else(|| {
            let taken = word.max(first.len_utf8());
            (taken, rest[..taken].to_owned())
        });
        written.push_str(&name);
        rest = &rest[taken..];
    }
    written
}

/// The type that `text` begins with, how long it is, and its name. `word`: the length of its first word.
fn known_type(text: &str, word: usize) -> Option<(usize, String)> {
    let bracketed = || {
        let open = text[word..].starts_with('(').then_some(word)?;
        let mut depth = 0_usize;
        let end = text[open..].char_indices().find_map(|(at, c)| {
            depth = match c {
                '(' => depth + 1,
                ')' => depth - 1,
                _ => depth,
            };
            (depth == 0).then_some(open + at + 1)
        })?;
        let kind: DataType = text[..end].parse().ok()?;
        Some((end, type_name(&kind)))
    };
    match &text[..word] {
        "String" => Some((word, "text".to_owned())),
        plain => bracketed().or_else(|| plain.parse().ok().map(|kind: DataType| (word, type_name(&kind)))),
    }
}

/// Wraps one of our own failures, to travel through DataFusion. [`explain`] takes it out again.
pub(super) fn carried(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What went wrong while the query was planned.
pub(super) fn planning(error: DataFusionError) -> Error {
    explain(error, true)
}

/// What went wrong while the query ran.
pub(super) fn running(error: DataFusionError) -> Error {
    explain(error, false)
}

fn explain(error: DataFusionError, planning: bool) -> Error {
    let error = match own(error) {
        Ok(ours) => return ours,
        Err(theirs) => theirs,
    };
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => explain_schema(schema),
        DataFusionError::SQL(cause, _) => {
            let text = cause.to_string();
            let text = text.trim_start_matches("sql parser error: ");
            Error::invalid(format!("the SQL cannot be read: {}", tidy(text))).remedy("correct the model's query")
        }
        DataFusionError::Plan(text)
            if text.contains("not supported") && (text.starts_with("DDL") || text.starts_with("DML") || text.starts_with("Statement")) =>
        {
            Error::invalid("the query does more than read").remedy("a model's query is one SELECT")
        }
        DataFusionError::Plan(text) | DataFusionError::Configuration(text) => {
            Error::invalid(format!("the query cannot be planned: {}", with_types(&tidy(text)))).remedy(CORRECT)
        }
        DataFusionError::NotImplemented(text) => {
            Error::invalid(format!("the query asks for something that DataFusion does not do: {}", tidy(text)))
                .remedy("write the query another way")
        }
        DataFusionError::ResourcesExhausted(text) => {
            Error::new(Kind::Limit, format!("the query needs more memory than it may use: {}", tidy(text)))
                .blame(Blame::Machine)
                .remedy("raise the memory limit, or make the query hold less at once")
        }
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
            Error::new(Kind::Io, format!("a file of the source cannot be read: {}", tidy(&text(&error)))).blame(Blame::Source)
        }
        DataFusionError::ParquetError(_) => damaged(&text(&error)),
        DataFusionError::ArrowError(_, _) if !planning && text(&error).contains("ast error") => cast(&text(&error)),
        _ if planning => Error::invalid(format!("the query cannot be planned: {}", with_types(&tidy(&text(&error))))).remedy(CORRECT),
        _ => Error::new(Kind::Refused, format!("the query failed: {}", with_types(&tidy(&text(&error))))).blame(Blame::Source),
    }
}

/// Our own failure inside, if it is one.
fn own(error: DataFusionError) -> Result<Error, DataFusionError> {
    match error {
        DataFusionError::External(inner) => inner.downcast::<Error>().map(|ours| *ours).map_err(DataFusionError::External),
        DataFusionError::Context(text, inner) => own(*inner).map_err(|inner| DataFusionError::Context(text, Box::new(inner))),
        DataFusionError::Diagnostic(notes, inner) => own(*inner).map_err(|inner| DataFusionError::Diagnostic(notes, Box::new(inner))),
        DataFusionError::ArrowError(inner, trace) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => {
                inner.downcast::<Error>().map(|ours| *ours).map_err(DataFusionError::External)
            }
            inner => Err(DataFusionError::ArrowError(Box::new(inner), trace)),
        },
        DataFusionError::Shared(inner) => match find_shared(&inner) {
            // Shared among partitions: the original cannot be moved out, so its words are kept.
            Some(ours) => Ok(copied(ours)),
            None => Err(DataFusionError::Shared(inner)),
        },
        other => Err(other),
    }
}

fn find_shared(error: &DataFusionError) -> Option<&Error> {
    let mut below: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = below {
        if let Some(ours) = cause.downcast_ref::<Error>() {
            return Some(ours);
        }
        below = cause.source();
    }
    None
}

fn copied(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.to_string()).blame(error.blamed());
    copy = copy.retry(if error.may_retry() { Retry::May } else { Retry::No });
    match error.remedy_text() {
        Some(remedy) => copy.remedy(remedy),
        None => copy,
    }
}

fn explain_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let wanted = field.name();
            let asked = field.flat_name();
            let error = Error::invalid(format!("the query asks for the column `{asked}`, which is not there"));
            let names: Vec<String> = valid_fields.iter().map(|column| column.name().to_owned()).collect();
            if let Some(folded) = names.iter().find(|name| name.to_lowercase() == wanted.to_lowercase()) {
                return error.remedy(format!("names with capitals need quotes: \"{folded}\""));
            }
            match nearest(wanted, names.iter().cloned()) {
                Some(near) => error.remedy(format!("did you mean `{near}`? The columns are {}", listed(&names))),
                None if names.is_empty() => error,
                None => error.remedy(format!("the columns are {}", listed(&names))),
            }
        }
        SchemaError::AmbiguousReference { field } => {
            Error::invalid(format!("the query's column `{}` is in more than one table", field.name()))
                .remedy("put the table's name before it")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => duplicate(name),
    }
}

/// Two columns of one name.
pub(super) fn duplicate(name: &str) -> Error {
    Error::invalid(format!("the query returns two columns named `{name}`")).remedy("give one of them another name with AS")
}

/// A file that is not what it should be.
pub(super) fn damaged(text: &str) -> Error {
    Error::new(Kind::Io, format!("a file of the source is damaged: {}", tidy(text)))
        .blame(Blame::Source)
        .retry(Retry::No)
        .remedy("write the file again; nothing was read as complete")
}

fn cast(text: &str) -> Error {
    Error::invalid(format!("a value cannot be converted: {}", with_types(&tidy(text))))
        .blame(Blame::Source)
        .remedy("correct the value, force another type for the column, or use TRY_CAST in the query")
}

fn text(error: &DataFusionError) -> String {
    error.strip_backtrace()
}

/// One line, without prefixes that say nothing, of bounded length.
pub(super) fn tidy(text: &str) -> String {
    const NOISE: [&str; 13] = [
        "Internal error: ",
        "DataFusion error: ",
        "Error during planning: ",
        "Execution error: ",
        "External error: ",
        "External: ",
        "Arrow error: ",
        "Parquet error: ",
        "Parser error: ",
        "Cast error: ",
        "Csv error: ",
        "Json error: ",
        "Invalid argument error: ",
    ];
    let text = text.split("\n\nbacktrace:").next().unwrap_or_default();
    let text = text.split("This issue was likely caused by a bug").next().unwrap_or_default();
    let text = text.split("This issue was likely a bug").next().unwrap_or_default();
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("caused by ", "");
    for noise in NOISE {
        line = line.replace(noise, "");
    }
    if line.chars().count() > MESSAGE_CHARS_MAX {
        line = line.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect();
    }
    line
}

/// Names in backquotes, the first few of them.
pub(super) fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_called_as_a_preview_calls_them() {
        for (text, wanted) in [
            ("requires String, but received Int64 (DataType: Int64).", "requires text, but received bigint (DataType: bigint)."),
            ("coerce (Utf8View, Decimal128(18, 2)) to", "coerce (text, decimal(18,2)) to"),
            ("Timestamp(µs, \"+00:00\") + Date32", "timestamptz + date"),
            ("the column `Int64` of t.Utf8, é Intern(", "the column `Int64` of t.Utf8, é Intern("),
        ] {
            assert_eq!(with_types(text), wanted);
        }
    }
}
