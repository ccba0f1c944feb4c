//! One of the threads that write what an extraction found: changed records with their values into a part, keys on the side.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Error, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, PartInfo, PartWriter, assemble, values_of};

use crate::diff::Spill;
use crate::snapshot::Indexed;

/// One thread's share of the changes.
pub(super) struct Writer {
    store: Arc<dyn StateStore>,
    changes: Output,
    /// Where every record goes if the columns have changed (see [`super::rebase`]).
    snapshot: Option<Output>,
    pub(super) spill: Spill,
    /// Records that are no longer returned, with their state and the place of their values.
    pub(super) deleted: Vec<Indexed>,
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
    pub(super) fn new(store: Arc<dyn StateStore>, changes: Output, snapshot: Option<Output>, spill: Spill) -> Self {
        Self { store, changes, snapshot, spill, deleted: Vec::new() }
    }

    /// Takes one batch of changes.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let entries = EntryReader::new(batch)?;
        let entries: Vec<(Entry, Option<Locator>)> = (0..entries.len()).map(|i| entries.get(i)).collect();
        if entries.first().is_some_and(|(entry, _)| entry.after.is_none()) {
            return self.delete(&entries);
        }
        let output = self.snapshot.as_ref().unwrap_or(&self.changes);
        for (i, (entry, _)) in entries.iter().enumerate() {
            let row = entry.after.ok_or_else(|| Error::bug("a batch of changes has deleted records among others"))?;
            self.spill.push(Indexed { key: entry.key, row, at: output.place(i), version: entry.version as u32 })?;
        }
        match &mut self.snapshot {
            None => self.changes.write(self.store.as_ref(), batch),
            Some(snapshot) => {
                snapshot.write(self.store.as_ref(), &as_added(batch, &entries)?)?;
                let changed: BooleanArray = entries.iter().map(|(entry, _)| Some(!entry.is_settled())).collect();
                if changed.true_count() == 0 {
                    return Ok(());
                }
                let changed = filter_record_batch(batch, &changed).map_err(|e| Error::bug("could not take the changes").caused_by(e))?;
                self.changes.write(self.store.as_ref(), &changed)
            }
        }
    }

    fn delete(&mut self, entries: &[(Entry, Option<Locator>)]) -> Result<()> {
        for (entry, before_at) in entries {
            let (Before::Known(row), Some(at)) = (entry.before, *before_at) else {
                return Err(Error::bug("a record was deleted that was not known"));
            };
            let version = entry.version as u32;
            self.deleted.push(Indexed { key: entry.key, row, at, version });
            self.spill.push(Indexed::gone(entry.key, version))?;
        }
        Ok(())
    }

    /// Makes the parts durable, those that there are.
    pub(super) fn finish(&mut self) -> Result<Vec<Part>> {
        let snapshot = self.snapshot.as_mut().map(|snapshot| snapshot.finish(true)).transpose()?.flatten();
        Ok(self.changes.finish(false)?.into_iter().chain(snapshot).collect())
    }
}

/// The same records, as if they had not been there before: the snapshot anew.
fn as_added(batch: &RecordBatch, entries: &[(Entry, Option<Locator>)]) -> Result<RecordBatch> {
    let mut added = EntryBuilder::new();
    for (entry, _) in entries {
        added.push(&Entry::new(entry.key, Before::Absent, entry.after, entry.version), None);
    }
    assemble(added.finish(), &values_of(batch)?)
}
