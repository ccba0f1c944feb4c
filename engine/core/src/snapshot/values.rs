//! Values by place: from whatever version wrote them, in the columns of today and the types of then.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::snapshot::PartReader;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Result};
use outflow_ledger::changes::{Locator, values_of};
use outflow_ledger::commit::ValueFile;

/// A batch of values, and the places that they come from.
pub struct Found {
    /// One for each record of `values`.
    pub places: Vec<Locator>,
    /// In the types that they were written in.
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
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    read(store, files, places, Some(&names), |found| each(Found { values: complete(&found.values, schema)?, ..found }))
}

/// The same in the columns of then: each batch has all those of its file.
pub fn fetch_as_written(
    store: &dyn StateStore,
    files: &[ValueFile],
    places: &[Locator],
    each: impl FnMut(Found) -> Result<()>,
) -> Result<()> {
    read(store, files, places, None, each)
}

/// Reads the columns of these names as far as a file has them, or all of them.
fn read(
    store: &dyn StateStore,
    files: &[ValueFile],
    places: &[Locator],
    names: Option<&[String]>,
    mut each: impl FnMut(Found) -> Result<()>,
) -> Result<()> {
    for group in places.chunk_by(|a, b| a.file() == b.file()) {
        let Some(first) = group.first() else { continue };
        let file = files.iter().find(|file| file.id == first.file());
        let file =
            file.ok_or_else(|| Error::corrupt(format!("the values of a record are in file {}, which is no longer kept", first.file())))?;
        let rows: Vec<u32> = group.iter().map(|place| place.row()).collect();
        let mut done = 0;
        let part = PartReader::open(store, &file.path)?;
        let own = if names.is_none() { part.value_columns()? } else { Vec::new() };
        let part = part.values(names.unwrap_or(&own));
        for batch in part.select(&rows).read()? {
            let values = values_of(&batch?)?;
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

/// The columns of `schema` in its order, each in the type that `batch` has it in: values are never cast, for `1.5` as an integer is
/// not what it was. A column that `batch` does not have is null.
pub fn complete(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let (mut fields, mut columns) = (Vec::with_capacity(schema.fields().len()), Vec::with_capacity(schema.fields().len()));
    for field in schema.fields() {
        let (field, column): (_, ArrayRef) = match batch.schema_ref().column_with_name(field.name()) {
            Some((i, own)) => (Arc::new(own.clone()), Arc::clone(batch.column(i))),
            None => (Arc::clone(field), new_null_array(field.data_type(), batch.num_rows())),
        };
        fields.push(field);
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|e| Error::bug("could not lay values out anew").caused_by(e))
}

/// The columns that value files have, each file asked once. Files with the same columns share one set.
#[derive(Default)]
pub struct FileColumns(Mutex<HashMap<u32, Arc<BTreeSet<String>>>>);

impl FileColumns {
    /// Those of the file of that number; `None` if it is not among `files`, that is, no longer kept.
    pub fn of(&self, store: &dyn StateStore, files: &[ValueFile], id: u32) -> Result<Option<Arc<BTreeSet<String>>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(columns) = known.get(&id) {
            return Ok(Some(Arc::clone(columns)));
        }
        let Some(file) = files.iter().find(|file| file.id == id) else { return Ok(None) };
        let columns: BTreeSet<String> = PartReader::open(store, &file.path)?.value_columns()?.into_iter().collect();
        let columns = known.values().find(|others| ***others == columns).map_or_else(|| Arc::new(columns), Arc::clone);
        known.insert(id, Arc::clone(&columns));
        Ok(Some(columns))
    }
}
