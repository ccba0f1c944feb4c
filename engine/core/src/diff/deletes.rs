//! Records that are no longer returned, on their way out: a batch of them at a time, however many there are.

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use outflow_contract::{Before, Entry, Error, Result};
use outflow_ledger::changes::{EntryBuilder, assemble};

use super::Comparison;
use super::compare::chunk_records;
use super::waiting::{Missing, Out};
use crate::snapshot::Indexed;

/// Those that one thread has found.
pub(super) struct Deletes<'a> {
    diff: &'a Comparison,
    pub(super) missing: Missing,
    out: Out<'a>,
    records: Vec<Indexed>,
    /// How many go together.
    room: usize,
    /// The columns of so many records: nothing but nulls, the same for every batch.
    nulls: Vec<ArrayRef>,
}

impl<'a> Deletes<'a> {
    pub(super) fn new(diff: &'a Comparison, missing: Missing, out: Out<'a>) -> Self {
        Self { diff, missing, out, records: Vec::new(), room: chunk_records(diff.schema.fields().len()), nulls: Vec::new() }
    }

    /// One more; it is only asked for if it counts as deleted.
    pub(super) fn push(&mut self, record: impl FnOnce() -> Indexed) -> Result<()> {
        if self.missing == Missing::Deleted {
            self.records.push(record());
        }
        if self.records.len() < self.room { Ok(()) } else { self.flush() }
    }

    /// Hands out what there is: last values are where `before_at` says, and null here.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        if self.nulls.is_empty() {
            self.nulls = self.diff.schema.fields().iter().map(|field| new_null_array(field.data_type(), self.room)).collect();
        }
        let mut entries = EntryBuilder::new();
        for record in &self.records {
            entries.push(&Entry::new(record.key, Before::Known(record.row), None, self.diff.version), Some(record.at));
        }
        let nulls = self.nulls.iter().map(|nulls| nulls.slice(0, self.records.len())).collect();
        let values = RecordBatch::try_new(self.diff.schema.clone(), nulls)
            .map_err(|e| Error::bug("could not lay out deleted records").caused_by(e))?;
        self.records.clear();
        (self.out)(assemble(entries.finish(), &values)?)
    }
}
