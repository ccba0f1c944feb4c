//! Forced column types: from the text in a project to an Arrow type, and values into it.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable};
use outflow_contract::plan::{ColumnType, FileTable};
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION, type_name};
use outflow_contract::{Blame, Error, Result};

use super::failure::{listed, planning};
use super::paths::nearest;

/// So much of a value is shown in a message.
const VALUE_CHARS_MAX: usize = 40;

/// What a column is forced to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Forced {
    /// JSON text.
    Json,
    /// A type, which [`ColumnType::Sql`] named.
    Type(DataType),
}

/// The forced columns of a table, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct ForcedColumns(Vec<(String, Forced)>);

impl ForcedColumns {
    /// Reads the types of `table`.
    pub(super) fn new(table: &FileTable, state: &SessionState) -> Result<Self> {
        let read = |(column, kind): &(String, ColumnType)| {
            let forced = match kind {
                ColumnType::Json => Forced::Json,
                ColumnType::Sql(sql) => {
                    Forced::Type(arrow_type(state, sql).map_err(|error| error.with("table", &table.name).with("column", column))?)
                }
            };
            Ok((column.clone(), forced))
        };
        Ok(Self(table.columns.iter().map(read).collect::<Result<_>>()?))
    }

    /// What `column` is forced to be, if it is.
    pub(super) fn get(&self, column: &str) -> Option<&Forced> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, forced)| forced)
    }

    /// All of them, in the order written.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Forced)> {
        self.0.iter().map(|(name, forced)| (name.as_str(), forced))
    }

    /// `found` with the forced types in place of those in the files. A forced column that the files do not have is an error.
    pub(super) fn apply(&self, table: &FileTable, found: &[FieldRef]) -> Result<Vec<FieldRef>> {
        let names: Vec<String> = found.iter().map(|field| field.name().clone()).collect();
        if let Some((missing, _)) = self.iter().find(|(name, _)| !names.iter().any(|other| other == name)) {
            let error =
                Error::invalid(format!("table `{}`: a type is forced for the column `{missing}`, which its files do not have", table.name));
            return Err(match nearest(missing, names.iter().cloned()) {
                Some(near) => error.remedy(format!("did you mean `{near}`?")),
                None => error.remedy(format!("the columns are {}", listed(&names))),
            });
        }
        found.iter().map(|field| self.apply_to(table, field)).collect()
    }

    fn apply_to(&self, table: &FileTable, field: &FieldRef) -> Result<FieldRef> {
        match self.get(field.name()) {
            None => Ok(field.clone()),
            Some(Forced::Type(to)) => Ok(Field::new(field.name(), to.clone(), true).into()),
            Some(Forced::Json) => match field.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(json_field(field.name(), field.data_type().clone())),
                DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::Null => {
                    Ok(json_field(field.name(), DataType::Utf8View))
                }
                other => Err(Error::invalid(format!(
                    "table `{}`: the column `{}` is {}, not JSON text",
                    table.name,
                    field.name(),
                    type_name(other)
                ))
                .remedy("force `json` for text columns only; structs and lists need nothing")),
            },
        }
    }
}

/// A text column that is marked as JSON.
pub(super) fn json_field(name: &str, data_type: DataType) -> FieldRef {
    Field::new(name, data_type, true).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into()).into()
}

/// The Arrow type that DataFusion makes of a SQL type.
fn arrow_type(state: &SessionState, sql: &str) -> Result<DataType> {
    let refused = || {
        Error::invalid(format!("`{sql}` is not a column type"))
            .remedy("use `json`, or a SQL type such as VARCHAR, BIGINT, DECIMAL(12, 2), DATE, TIMESTAMP or TIMESTAMP WITH TIME ZONE")
    };
    let nothing = DFSchema::empty();
    let expr =
        state.create_logical_expr(&format!("CAST(NULL AS {sql})"), &nothing).map_err(|cause| refused().caused_by(planning(cause)))?;
    // Only a plain cast: text such as `INT) + (1` is no type.
    let Expr::Cast(cast) = &expr else { return Err(refused()) };
    if !matches!(*cast.expr, Expr::Literal(..)) {
        return Err(refused());
    }
    expr.get_type(&nothing).map_err(planning)
}

/// Where values come from, for messages.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The table's name.
    pub(super) table: &'a str,
    /// The file.
    pub(super) file: &'a Path,
    /// Which record of the file the first value is of, from 1.
    pub(super) first_record: u64,
}

/// `values` as `to`. A value that cannot be converted is an error that names it.
pub(super) fn convert(values: &ArrayRef, to: &DataType, column: &str, place: Place<'_>) -> Result<ArrayRef> {
    if values.data_type() == to {
        return Ok(values.clone());
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(values, to, &strict).map_err(|cause| unconvertible(values, to, column, place, &cause))
}

fn unconvertible(values: &ArrayRef, to: &DataType, column: &str, place: Place<'_>, cause: &arrow::error::ArrowError) -> Error {
    let lenient = CastOptions { safe: true, ..CastOptions::default() };
    let culprit =
        cast_with_options(values, to, &lenient).ok().and_then(|array| (0..values.len()).find(|&i| array.is_null(i) && values.is_valid(i)));
    let what = match culprit {
        Some(i) => format!("record {}: {} is not of type {}", place.first_record + i as u64, shown(values, i), type_name(to)),
        None => super::failure::tidy(&cause.to_string()),
    };
    Error::invalid(format!("table `{}`, column `{column}`, {}: {what}", place.table, place.file.display()))
        .blame(Blame::Source)
        .remedy("correct the value, or force another type for the column (VARCHAR takes anything)")
}

fn shown(values: &ArrayRef, i: usize) -> String {
    let text = match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().value(i),
        DataType::LargeUtf8 => values.as_string::<i64>().value(i),
        DataType::Utf8View => values.as_string_view().value(i),
        _ => return "the value".to_owned(),
    };
    let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
    if cut.len() < text.len() { format!("`{cut}…`") } else { format!("`{cut}`") }
}
