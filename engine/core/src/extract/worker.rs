//! One of the threads that take an extraction's batches: hash, probe, and keep what changed.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use outflow_contract::limits::Limits;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Counts, Entry, Error, Op, Result};
use outflow_ledger::changes::{EntryBuilder, Locator, PartInfo, PartWriter, assemble, change_schema, values_compression};

use super::reject::{Reason, Rejections};
use super::sizes::oversized;
use crate::diff::{Lanes, RecordHasher, Spill, has_null_id};
use crate::snapshot::{Indexed, KeyIndex, Probe};

/// What all workers of an extraction share.
pub(super) struct Shared {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) index: Arc<KeyIndex>,
    pub(super) hasher: RecordHasher,
    /// The columns of a record, all nullable.
    pub(super) schema: SchemaRef,
    /// The identifier's columns.
    pub(super) id: Vec<usize>,
    pub(super) limits: Limits,
    /// The version that this extraction would become.
    pub(super) version: u64,
}

/// One worker's share of the result.
pub(super) struct Worker {
    shared: Arc<Shared>,
    /// The number and the path of this worker's change-set part.
    file: u32,
    path: String,
    part: Option<PartWriter>,
    rows: u32,
    keys: Lanes,
    hashes: Lanes,
    pub(super) spill: Spill,
    pub(super) rejections: Rejections,
    /// Keys that the snapshot knows and that came more than once.
    pub(super) repeated: Vec<outflow_contract::Key>,
    pub(super) counts: Counts,
    pub(super) unchanged: u64,
    pub(super) extracted: u64,
}

/// A change-set part that a worker has finished.
pub(super) struct Part {
    pub(super) file: u32,
    pub(super) info: PartInfo,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, file: u32, path: String, spill: Spill) -> Self {
        Self {
            shared,
            file,
            path,
            part: None,
            rows: 0,
            keys: Lanes::default(),
            hashes: Lanes::default(),
            spill,
            rejections: Rejections::default(),
            repeated: Vec::new(),
            counts: Counts::default(),
            unchanged: 0,
            extracted: 0,
        }
    }

    /// Takes one batch of the model's result.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        shared.hasher.hash(batch, &mut self.keys, &mut self.hashes)?;
        self.extracted += batch.num_rows() as u64;
        let id: Vec<ArrayRef> = shared.id.iter().map(|&column| Arc::clone(batch.column(column))).collect();
        let large = oversized(batch, &shared.limits);
        let mut large = large.iter().copied().peekable();

        let mut changed: Vec<u32> = Vec::new();
        let mut entries = EntryBuilder::with_capacity(256);
        for i in 0..batch.num_rows() {
            let over = large.next_if_eq(&i).is_some();
            if has_null_id(&id, i) {
                self.rejections.add(Reason::NullId, batch, i);
                continue;
            }
            let (key, row) = (self.keys.key(i), self.hashes.row(i));
            if over {
                // Its entry stays as it is: it counts as returned.
                if let Some(rank) = shared.index.rank(key) {
                    shared.index.mark(rank);
                }
                self.rejections.add(Reason::TooLarge, batch, i);
                continue;
            }
            let (before, before_at) = match shared.index.probe(key, row) {
                Probe::Known { again: true, .. } => {
                    self.repeated.push(key);
                    self.rejections.add(Reason::DuplicateId, batch, i);
                    continue;
                }
                Probe::Known { same: true, .. } => {
                    self.unchanged += 1;
                    continue;
                }
                Probe::Known { rank, .. } => {
                    let known = shared.index.get(rank);
                    (Before::Known(known.row), Some(known.at))
                }
                Probe::New => (Before::Absent, None),
            };
            let entry = Entry { key, before, after: Some(row), version: shared.version };
            entries.push(&entry, before_at);
            let at = Locator::new(self.file, self.rows + changed.len() as u32);
            self.spill.push(Indexed { key, row, at, version: shared.version as u32 })?;
            self.counts.add(if before_at.is_some() { Op::Updated } else { Op::Added }, 1);
            changed.push(i as u32);
        }
        self.keep(batch, changed, entries)
    }

    /// Writes the changed records to this worker's part.
    fn keep(&mut self, batch: &RecordBatch, changed: Vec<u32>, entries: EntryBuilder) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let records = changed.len();
        let values = if records == batch.num_rows() {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(changed)).map_err(|e| Error::bug("could not take the changed records").caused_by(e))?
        };
        let part = match &mut self.part {
            Some(part) => part,
            none => {
                let schema = change_schema(&self.shared.schema);
                none.insert(PartWriter::new(self.shared.store.as_ref(), &self.path, &schema, values_compression())?)
            }
        };
        part.write(&assemble(entries, &values)?)?;
        self.rows += records as u32;
        Ok(())
    }

    /// Makes the part durable, if there is one.
    pub(super) fn finish(&mut self) -> Result<Option<Part>> {
        let Some(part) = self.part.take() else { return Ok(None) };
        Ok(Some(Part { file: self.file, info: part.finish()? }))
    }
}
