//! `outflow suggest MAPPING`: a column of the model for each field of the mapping's action.
//!
//! What the project says already stays, and required fields that are still missing are what this is for. The model is asked for its
//! first records; of them, only what their values look like is used.

use outflow_contract::destination::Field;
use outflow_contract::expr::TIMESTAMP;
use outflow_contract::plan::Mapping;
use outflow_contract::{Error, Result};
use outflow_engine::preview::Preview;
use outflow_planner::suggest::{self, Column, Kept, Suggestion, Target};

use crate::args::{Global, SuggestArgs};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{self, Console};
use crate::waiting::Waiting;

/// So many records say what the values of a column look like.
const RECORDS: usize = 200;

/// All that there is to say.
pub(crate) struct Found<'a> {
    pub(crate) mapping: &'a Mapping,
    /// The type of the mapping's destination.
    pub(crate) kind: &'a str,
    pub(crate) confidence_min: f64,
    /// How many records were looked at.
    pub(crate) records: usize,
    pub(crate) columns: &'a [Column],
    pub(crate) targets: &'a [Target<'a>],
    /// What the mapping says already, target by target.
    pub(crate) kept: &'a [Option<Kept>],
    pub(crate) suggestions: Vec<Suggestion>,
    /// What is required and still missing.
    pub(crate) missing: Vec<Missing<'a>>,
    /// The columns that no field has, by their numbers.
    pub(crate) left: Vec<usize>,
    /// The object of any members that the columns left could go to.
    pub(crate) rest: Option<&'a Target<'a>>,
}

/// A required field that has nothing.
pub(crate) struct Missing<'a> {
    pub(crate) name: String,
    pub(crate) field: &'a Field,
}

pub(crate) async fn run(global: &Global, args: &SuggestArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load_unfinished(global)?;
    project::known_mapping(&loaded, &args.mapping)?;
    let known = &loaded.project;
    let mapping = known.mapping(&args.mapping).ok_or_else(|| Error::bug("a mapping of the project was not found"))?;
    console.warnings_in_brief(&loaded.warnings);
    console.protect(&known.redactor);
    let kind = known.destination(&mapping.destination).map_or("", |destination| destination.kind.as_str());
    let declared = declared(mapping, kind)?;
    let engine = project::open_sources(&loaded)?;
    let waiting = Waiting::new(console, format!("asking for {}", mapping.model));
    let sample = engine.preview(&mapping.model, RECORDS).await?;
    drop(waiting);
    let records = sample.records.len();
    let columns = columns(sample);
    let targets = suggest::targets(declared);
    let mut kept = suggest::kept(&targets, &mapping.fields_written);
    if known.model(&mapping.model).is_some_and(|model| model.timestamp.is_some()) {
        keep_timestamps(&targets, &mut kept);
    }
    let suggestions = suggest::suggest(&targets, &columns, &kept, args.min_confidence);
    let missing = missing(mapping, declared, &targets, &kept, &suggestions);
    let left = left(&columns, &kept, &suggestions);
    let is_free = |number: usize| kept[number].is_none() && suggestions.iter().all(|one| one.target != number);
    let takes_any = |target: &Target<'_>| target.is_object() && !target.field.multiple && target.field.properties.is_empty();
    let rest = targets.iter().enumerate().find(|(number, target)| takes_any(target) && is_free(*number)).map(|(_, target)| target);
    let confidence_min = args.min_confidence;
    let (columns, kept) = (&columns[..], &kept[..]);
    let found = Found { mapping, kind, confidence_min, records, columns, targets: &targets, kept, suggestions, missing, left, rest };
    if console.is_json() {
        console.json(&render::suggest::document(&found));
    } else {
        render::suggest::print(console, &found);
    }
    Ok(Exit::Ok)
}

/// The fields of the mapping's action; an error where it has none of its own.
fn declared<'a>(mapping: &'a Mapping, kind: &str) -> Result<&'a [Field]> {
    let action = &mapping.action;
    match &mapping.declared {
        Some(declared) if !declared.is_empty() => Ok(declared),
        Some(_) => Err(Error::invalid(format!("action `{action}` of `{kind}` has no fields: there is nothing to suggest"))
            .remedy("leave `fields` as they are: the mapping needs none")),
        None => {
            Err(Error::invalid(format!("action `{action}` of `{kind}` takes any fields: there is nothing to match the columns against"))
                .remedy(format!(
                    "write `fields: $.` to send every column, or name what is sent, such as `fields: {{ email: $.email }}`; \
                 `outflow preview {}` shows the columns",
                    mapping.model
                )))
        }
    }
}

/// The columns of the model, each with its values.
fn columns(sample: Preview) -> Vec<Column> {
    let mut columns: Vec<Column> =
        sample.columns.into_iter().map(|column| Column { name: column.name, kind: column.kind, values: Vec::new() }).collect();
    for record in sample.records {
        for (column, value) in columns.iter_mut().zip(record) {
            column.values.push(value);
        }
    }
    columns
}

/// A field that the model's timestamp fills by default needs no other column.
fn keep_timestamps(targets: &[Target<'_>], kept: &mut [Option<Kept>]) {
    for (kept, target) in kept.iter_mut().zip(targets) {
        let path = target.field.default.as_ref().and_then(|default| default.get("@path")?.as_str());
        if path.is_some_and(|path| path.strip_prefix("$.") == Some(TIMESTAMP)) {
            kept.get_or_insert(Kept { column: None });
        }
    }
}

/// What the action requires, and neither the mapping nor a column has. A default will do.
fn missing<'a>(
    mapping: &Mapping,
    declared: &'a [Field],
    targets: &[Target<'a>],
    kept: &[Option<Kept>],
    suggestions: &[Suggestion],
) -> Vec<Missing<'a>> {
    let is_open = |number: usize| kept[number].is_none() && suggestions.iter().all(|one| one.target != number);
    let given = |field: &Field| {
        mapping.fields_written.get(&field.name).is_some_and(|value| !value.is_null()) || mapping.constants.0.contains_key(&field.name)
    };
    let constants = declared.iter().filter(|field| field.constant && field.required && field.default.is_none() && !given(field));
    let open = targets.iter().enumerate().filter(|(number, target)| target.required && target.field.default.is_none() && is_open(*number));
    constants
        .map(|field| Missing { name: field.name.clone(), field })
        .chain(open.map(|(_, target)| Missing { name: target.name(), field: target.field }))
        .collect()
}

/// The columns that no field holds.
fn left(columns: &[Column], kept: &[Option<Kept>], suggestions: &[Suggestion]) -> Vec<usize> {
    let is_kept = |name: &str| kept.iter().flatten().any(|kept| kept.column.as_deref() == Some(name));
    let is_given = |number: usize| suggestions.iter().any(|one| one.column == number);
    (0..columns.len()).filter(|&number| !is_given(number) && !is_kept(&columns[number].name)).collect()
}
