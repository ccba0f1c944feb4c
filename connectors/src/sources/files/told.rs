//! Columns whose types were told from the values of files: a query that worked yesterday cannot be planned today, since `1.234,50` became
//! `1`, and text a number. This finds the column that has to be forced to text, by planning again without a record.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use outflow_contract::Error;
use outflow_contract::plan::{FileFormat, FileTable};
use outflow_contract::source::type_name;

use super::failure::CORRECT;

/// So many columns are tried.
const TRIED_MAX: usize = 32;

/// A table of a query: what the query calls it, its configuration and its columns.
pub(super) type Named<'a> = (TableReference, &'a FileTable, SchemaRef);

/// Adds to the failure of a query that cannot be planned which column to force, if that is all that it lacks.
pub(super) async fn explain(error: Error, sql: &str, tables: &[Named<'_>], context: &SessionContext) -> Error {
    if error.remedy_text() != Some(CORRECT) {
        return error;
    }
    for (at, field) in candidates(sql, tables) {
        if can_be_planned(sql, tables, (at, &field), context).await {
            return error.remedy(remedy(tables[at].1, &field));
        }
    }
    error
}

/// The columns that the query may name whose types were told, each with the place of its table.
fn candidates(sql: &str, tables: &[Named<'_>]) -> Vec<(usize, FieldRef)> {
    let sql = sql.to_lowercase();
    let mut found = Vec::new();
    for (at, (_, table, schema)) in tables.iter().enumerate() {
        if !matches!(table.format, FileFormat::Csv | FileFormat::Ndjson) {
            continue;
        }
        let told = |field: &&FieldRef| {
            !matches!(field.data_type(), DataType::Utf8View)
                && table.columns.iter().all(|(name, _)| name != field.name())
                && sql.contains(&field.name().to_lowercase())
        };
        found.extend(schema.fields().iter().filter(told).map(|field| (at, field.clone())));
    }
    found.truncate(TRIED_MAX);
    found
}

fn remedy(table: &FileTable, field: &Field) -> String {
    let (name, kind) = (field.name(), type_name(field.data_type()));
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let key = if plain { name.clone() } else { format!("{name:?}") };
    format!(
        "the type of `{name}`, {kind}, was told from the values of its file, and the query wants text: force it on the table `{}` with \
         `columns: {{ {key}: VARCHAR }}`",
        table.name
    )
}

/// Would the query be right if that column of that table were text?
async fn can_be_planned(sql: &str, tables: &[Named<'_>], (at, column): (usize, &FieldRef), context: &SessionContext) -> bool {
    let context = SessionContext::new_with_config(context.copied_config());
    for (i, (reference, _, schema)) in tables.iter().enumerate() {
        let as_text = |field: &FieldRef| -> FieldRef {
            if i == at && field == column { Field::new(field.name(), DataType::Utf8View, true).into() } else { field.clone() }
        };
        let schema = Schema::new(schema.fields().iter().map(as_text).collect::<Vec<_>>());
        if context.register_table(reference.clone(), Arc::new(EmptyTable::new(Arc::new(schema)))).is_err() {
            return false;
        }
    }
    let state = context.state();
    match state.create_logical_plan(sql).await {
        Ok(plan) => state.create_physical_plan(&plan).await.is_ok(),
        Err(_) => false,
    }
}
