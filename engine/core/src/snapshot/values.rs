//! Values by place: from whatever version wrote them, in the schema of today.

use std::sync::Arc;

use crate::snapshot::PartReader;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{can_cast_types, cast};
use arrow::datatypes::SchemaRef;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Result};
use outflow_ledger::changes::{Locator, values_of};
use outflow_ledger::commit::ValueFile;

/// A batch of values, and the places that they come from.
pub struct Found {
    /// One for each record of `values`.
    pub places: Vec<Locator>,
    /// In the schema that was asked for.
    pub values: RecordBatch,
}

/// Reads the values at `places`, which ascend, in that order, a batch at a time. Each file is opened once, and only
/// the pages that hold a wanted record are decoded.
pub fn fetch(
    store: &dyn StateStore,
    files: &[ValueFile],
    places: &[Locator],
    schema: &SchemaRef,
    mut each: impl FnMut(Found) -> Result<()>,
) -> Result<()> {
    for group in places.chunk_by(|a, b| a.file() == b.file()) {
        let Some(first) = group.first() else { continue };
        let file = files.iter().find(|file| file.id == first.file());
        let file =
            file.ok_or_else(|| Error::corrupt(format!("the values of a record are in file {}, which is no longer kept", first.file())))?;
        let rows: Vec<u32> = group.iter().map(|place| place.row()).collect();
        let mut done = 0;
        for batch in PartReader::open(store, &file.path)?.select(&rows).read()? {
            let values = conform(&values_of(&batch?)?, schema)?;
            let next = done + values.num_rows();
            let places =
                group.get(done..next).ok_or_else(|| Error::corrupt(format!("{} holds fewer records than its commit says", file.path)))?;
            each(Found { places: places.to_vec(), values })?;
            done = next;
        }
        if done != group.len() {
            return Err(Error::corrupt(format!("{} holds fewer records than its commit says", file.path)));
        }
    }
    Ok(())
}

/// `batch` in the columns and types of `schema`, all of them nullable: a column that it does not have is null, one of another type is cast.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let column = |field: &Arc<arrow::datatypes::Field>| -> Result<ArrayRef> {
        let Some(array) = batch.column_by_name(field.name()) else { return Ok(new_null_array(field.data_type(), batch.num_rows())) };
        if array.data_type() == field.data_type() {
            return Ok(Arc::clone(array));
        }
        if !can_cast_types(array.data_type(), field.data_type()) {
            return Ok(new_null_array(field.data_type(), batch.num_rows()));
        }
        cast(array, field.data_type())
            .map_err(|e| Error::bug(format!("could not read column `{}` as {}", field.name(), field.data_type())).caused_by(e))
    };
    let columns: Vec<ArrayRef> = schema.fields().iter().map(column).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|e| Error::bug("could not lay values out anew").caused_by(e))
}
