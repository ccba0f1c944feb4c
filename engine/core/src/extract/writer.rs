//! One of the threads that write what an extraction found: changed records with their values into a part, keys on the side.
//!
//! ```text
//!                                            changes   snapshot
//! a changed record                              x
//! one that has not changed, and was known
//! by other columns than the result has                    x
//! any, if the columns have changed         if changed     x
//! ```

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Error, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, PartInfo, PartWriter, assemble, values_of};

use crate::scratch::{ByPlace, Piles};
use crate::snapshot::{Indexed, segment_of};

/// One thread's share of the changes.
pub(super) struct Writer {
    store: Arc<dyn StateStore>,
    changes: Output,
    /// Where records go whose values have a new place though they have not changed.
    snapshot: Output,
    /// The columns have changed: every record goes there (see [`super::rebase`]).
    is_rebase: bool,
    /// The state of each record that has changed, by segment.
    pub(super) keys: Piles<Indexed>,
    /// Records that are no longer returned, with their state and the place of their values.
    pub(super) deleted: ByPlace<Indexed>,
}

/// A part that a writer has finished.
pub(super) struct Part {
    pub(super) file: u32,
    /// Part of the snapshot, not of the version's change set.
    pub(super) snapshot: bool,
    pub(super) info: PartInfo,
}

/// A part that is written: its number, and its path.
pub(super) struct Output {
    file: u32,
    path: String,
    part: Option<PartWriter>,
    rows: u32,
}

impl Output {
    pub(super) fn new(file: u32, path: String) -> Self {
        Self { file, path, part: None, rows: 0 }
    }

    /// Where record `ahead` of the next batch will be.
    fn place(&self, ahead: usize) -> Locator {
        Locator::new(self.file, self.rows + ahead as u32)
    }

    /// Appends a batch of a change set.
    pub(super) fn write(&mut self, store: &dyn StateStore, batch: &RecordBatch) -> Result<()> {
        let part = match &mut self.part {
            Some(part) => part,
            none => none.insert(PartWriter::begin(store, &self.path, batch.schema())?),
        };
        part.write(batch)?;
        self.rows += batch.num_rows() as u32;
        Ok(())
    }

    pub(super) fn finish(&mut self, snapshot: bool) -> Result<Option<Part>> {
        let Some(part) = self.part.take() else { return Ok(None) };
        Ok(Some(Part { file: self.file, snapshot, info: part.finish()? }))
    }
}

impl Writer {
    pub(super) fn new(
        store: Arc<dyn StateStore>,
        changes: Output,
        snapshot: Output,
        is_rebase: bool,
        keys: Piles<Indexed>,
        deleted: ByPlace<Indexed>,
    ) -> Self {
        Self { store, changes, snapshot, is_rebase, keys, deleted }
    }

    /// Takes one batch of changes.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let entries = EntryReader::new(batch)?;
        let entries: Vec<(Entry, Option<Locator>)> = (0..entries.len()).map(|i| entries.get(i)).collect();
        if entries.first().is_some_and(|(entry, _)| entry.after.is_none()) {
            return self.delete(&entries);
        }
        let changed: Vec<bool> = entries.iter().map(|(entry, _)| !entry.is_settled()).collect();
        let kept: Vec<bool> = changed.iter().map(|changed| self.is_rebase || !changed).collect();
        let (mut in_changes, mut in_snapshot) = (0, 0);
        for ((entry, _), kept) in entries.iter().zip(&kept) {
            let row = entry.after.ok_or_else(|| Error::bug("a batch of changes has deleted records among others"))?;
            let (output, ahead) = if *kept { (&self.snapshot, &mut in_snapshot) } else { (&self.changes, &mut in_changes) };
            let now = Indexed { key: entry.key, row, at: output.place(*ahead), version: entry.version as u32 };
            self.keys.push(segment_of(entry.key.halves().0), &now)?;
            *ahead += 1;
        }
        if in_snapshot > 0 {
            self.snapshot.write(self.store.as_ref(), &as_added(&some(batch, kept)?)?)?;
        }
        let changed = some(batch, changed)?;
        if changed.num_rows() > 0 { self.changes.write(self.store.as_ref(), &changed) } else { Ok(()) }
    }

    fn delete(&mut self, entries: &[(Entry, Option<Locator>)]) -> Result<()> {
        for (entry, before_at) in entries {
            let (Before::Known(row), Some(at)) = (entry.before, *before_at) else {
                return Err(Error::bug("a record was deleted that was not known"));
            };
            let version = entry.version as u32;
            self.deleted.push(&Indexed { key: entry.key, row, at, version })?;
            self.keys.push(segment_of(entry.key.halves().0), &Indexed::gone(entry.key, version))?;
        }
        Ok(())
    }

    /// Makes the parts durable, those that there are.
    pub(super) fn finish(&mut self) -> Result<Vec<Part>> {
        self.keys.settle();
        self.deleted.settle();
        Ok(self.changes.finish(false)?.into_iter().chain(self.snapshot.finish(true)?).collect())
    }
}

/// The records of `batch` at which `wanted` is set.
fn some(batch: &RecordBatch, wanted: Vec<bool>) -> Result<RecordBatch> {
    if wanted.iter().all(|wanted| *wanted) {
        return Ok(batch.clone());
    }
    filter_record_batch(batch, &BooleanArray::from(wanted)).map_err(|e| Error::bug("could not take some of the changes").caused_by(e))
}

/// The same records, as if they had not been there before: the snapshot anew.
fn as_added(batch: &RecordBatch) -> Result<RecordBatch> {
    let (entries, mut added) = (EntryReader::new(batch)?, EntryBuilder::new());
    for i in 0..entries.len() {
        let (entry, _) = entries.get(i);
        added.push(&Entry::new(entry.key, Before::Absent, entry.after, entry.version), None);
    }
    assemble(added.finish(), &values_of(batch)?)
}
