//! Change sets as Arrow and Parquet: one row for each record, its entry in columns of its own and its values in one struct.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `key_high`, `key_low` | UInt64 | the record |
//! | `before` | UInt8 | 0 absent, 1 known, 2 unknown |
//! | `before_high`, `before_low` | UInt64? | the known state before |
//! | `before_at` | UInt64? | where the last known values lie: a [`Locator`] |
//! | `after_high`, `after_low` | UInt64? | the state after; null if deleted |
//! | `version` | UInt64 | the model version in which it appeared |
//! | `attempt` | Struct? | with an unknown before: the last request |
//! | `failed` | Struct? | how a pending record has fared: in how many syncs, since when, and whether it is set aside |
//! | `values` | Struct | the model's columns: after-values, or the last known ones of a deleted record |
//! | `reason` | Struct? | why a pending record has failed, for people: code and message, and whether it was left open |
//!
//! `failed` and `reason` are only there where some record has them, so that a model's versions do not carry them.
//!
//! So a diff or a composition reads a few narrow columns, and never the values. Without value columns (`values: none`) there is no
//! `values`; nor is there in a part of deleted records that names their last values by `before_at` alone, which are what was there before,
//! too.
//!
//! Hash columns are stored plain: hashes do not compress, and decoding them is what a diff does most.

mod entries;
mod part;
mod reasons;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use outflow_contract::{Error, Result};

pub use entries::{EntryBuilder, EntryReader};
pub use part::{FileWriter, PartFile, PartInfo, PartWriter, open_named, open_part};
pub use reasons::{Reason, ReasonBuilder, Reasons};

/// The column of the values.
pub const VALUES: &str = "values";
/// The column of why a pending record has failed.
pub const REASON: &str = "reason";

/// Where a record's values lie: the number of a value file in the high half, the row in it in the low one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator(pub u64);

impl Locator {
    /// Row `row` of file `file`.
    pub fn new(file: u32, row: u32) -> Self {
        Self((u64::from(file) << 32) | u64::from(row))
    }

    /// The number of the file.
    pub fn file(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The row in it, from 0.
    pub fn row(self) -> u32 {
        self.0 as u32
    }
}

/// The schema of a change set over records of `values`.
pub fn change_schema(values: &Schema) -> SchemaRef {
    let mut fields = entry_fields();
    if !values.fields().is_empty() {
        fields.push(Field::new(VALUES, DataType::Struct(values.fields().clone()), false));
    }
    Arc::new(Schema::new(fields))
}

/// Puts entries, as [`EntryBuilder::finish`] gives them, beside their values. An error of kind `Bug` if they do not fit.
pub fn assemble(entries: Vec<ArrayRef>, values: &RecordBatch) -> Result<RecordBatch> {
    let fault = |error: arrow::error::ArrowError| Error::bug("entries and values of a change set do not fit").caused_by(error);
    let mut fields = entry_fields();
    if entries.len() > fields.len() {
        fields.push(Field::new(FAILED, DataType::Struct(failed_fields()), true));
    }
    let mut columns = entries;
    if values.num_columns() > 0 {
        let of_values: Fields = values.schema_ref().fields().clone();
        fields.push(Field::new(VALUES, DataType::Struct(of_values.clone()), false));
        columns.push(Arc::new(StructArray::try_new(of_values, values.columns().to_vec(), None).map_err(fault)?));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(fault)
}

/// The values of a change set's batch. An error of kind `Corrupt` if its column is something else.
pub fn values_of(batch: &RecordBatch) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let (fields, columns) = match batch.column_by_name(VALUES) {
        None => (Fields::empty(), Vec::new()),
        Some(column) => match column.as_any().downcast_ref::<StructArray>().filter(|values| values.null_count() == 0) {
            Some(values) => (values.fields().clone(), values.columns().to_vec()),
            None => return Err(damaged("values")),
        },
    };
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(|error| damaged("values").caused_by(error))
}

const FAILED: &str = "failed";

fn failed_fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::UInt64, false);
    Fields::from(vec![
        Field::new("attempts", DataType::UInt32, false),
        number("first_ms"),
        number("last_ms"),
        Field::new("set_aside", DataType::Boolean, false),
    ])
}

fn entry_fields() -> Vec<Field> {
    let number = |name: &str, nullable| Field::new(name, DataType::UInt64, nullable);
    vec![
        number("key_high", false),
        number("key_low", false),
        Field::new("before", DataType::UInt8, false),
        number("before_high", true),
        number("before_low", true),
        number("before_at", true),
        number("after_high", true),
        number("after_low", true),
        number("version", false),
        Field::new("attempt", DataType::Struct(attempt_fields()), true),
    ]
}

fn attempt_fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::UInt64, true);
    let small = |name: &str| Field::new(name, DataType::UInt32, true);
    Fields::from(vec![
        Field::new("op", DataType::UInt8, false),
        number("after_high"),
        number("after_low"),
        Field::new("version", DataType::UInt64, false),
        number("key_high"),
        number("key_low"),
        number("epoch"),
        small("sequence"),
        small("records"),
        small("index"),
    ])
}

/// What to say of a batch that is not a change set.
fn damaged(column: &str) -> Error {
    Error::corrupt(format!("the column {column} of a change set is damaged")).remedy("restore the state from a backup")
}

#[cfg(test)]
mod tests;
