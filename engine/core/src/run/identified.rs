//! The identifiers of records of the state, also of deleted ones whose values are not beside them: those are read where they lie.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Result};
use outflow_ledger::changes::{EntryReader, Locator, values_of};
use outflow_ledger::commit::{ModelCommit, ValueFile};

use crate::map::identifiers;
use crate::snapshot::schema_of;
use crate::snapshot::values::fetch;

/// Reads the identifiers of a model's records.
pub(super) struct Identified<'a> {
    store: &'a dyn StateStore,
    files: &'a [ValueFile],
    id: &'a [String],
    /// The columns `id`.
    schema: SchemaRef,
}

impl<'a> Identified<'a> {
    /// Of the model at `head`; `id` are the columns.
    pub(super) fn new(store: &'a dyn StateStore, head: Option<&'a ModelCommit>, id: &'a [String]) -> Result<Self> {
        let files = head.map_or(&[][..], |head| head.files.as_slice());
        let fields = match head {
            Some(head) => schema_of(head)?.fields().iter().filter(|field| id.contains(field.name())).cloned().collect(),
            None => Vec::new(),
        };
        Ok(Self { store, files, id, schema: Schema::new(fields).into() })
    }

    /// Those of a batch of a change set, as JSON text.
    pub(super) fn of(&self, batch: &RecordBatch, entries: &EntryReader) -> Result<Vec<String>> {
        let values = values_of(batch)?;
        if values.num_columns() > 0 {
            return identifiers(&values, self.id);
        }
        let place = |i: usize| {
            let unplaced = || Error::corrupt("a deleted record is there without its values, and does not say where they are");
            Ok((entries.get(i).1.ok_or_else(unplaced)?, i))
        };
        let mut placed = (0..entries.len()).map(place).collect::<Result<Vec<(Locator, usize)>>>()?;
        placed.sort_unstable();
        let places: Vec<Locator> = placed.iter().map(|(at, _)| *at).collect();
        let (mut ids, mut next) = (vec![String::new(); placed.len()], placed.iter());
        fetch(self.store, self.files, &places, &self.schema, |found| {
            for (id, (_, i)) in identifiers(&found.values, self.id)?.into_iter().zip(next.by_ref()) {
                ids[*i] = id;
            }
            Ok(())
        })?;
        Ok(ids)
    }
}
