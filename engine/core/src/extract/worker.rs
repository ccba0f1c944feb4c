//! One of the threads that take an extraction's batches: hash, probe, and keep what changed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use outflow_contract::limits::Limits;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Counts, Entry, Error, Op, Result};
use outflow_ledger::changes::{EntryBuilder, Locator, PartInfo, PartWriter, assemble, change_schema};

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
    /// The columns have changed: records are compared by this, and all of them are written (see [`super::rebase`]).
    pub(super) comparing: Option<RecordHasher>,
}

/// One worker's share of the result.
pub(super) struct Worker {
    shared: Arc<Shared>,
    changes: Output,
    /// Where every record goes if the columns have changed.
    snapshot: Output,
    keys: Lanes,
    hashes: Lanes,
    compared: Lanes,
    pub(super) spill: Spill,
    pub(super) rejections: Rejections,
    /// Keys that the snapshot knows and that came more than once.
    pub(super) repeated: Vec<outflow_contract::Key>,
    pub(super) counts: Counts,
    pub(super) unchanged: u64,
    pub(super) extracted: u64,
    /// How many of its records are null in each column.
    pub(super) nulls: Vec<u64>,
}

/// A part that a worker has finished.
pub(super) struct Part {
    pub(super) file: u32,
    /// Part of the snapshot, not of the version's change set.
    pub(super) snapshot: bool,
    pub(super) info: PartInfo,
}

/// A part that a worker writes: its number, and its path.
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

    /// Writes the records at `rows` of `batch`.
    fn write(&mut self, shared: &Shared, batch: &RecordBatch, rows: Vec<u32>, mut entries: EntryBuilder) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let records = rows.len();
        let values = if records == batch.num_rows() {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(rows)).map_err(|e| Error::bug("could not take the changed records").caused_by(e))?
        };
        let part = match &mut self.part {
            Some(part) => part,
            none => {
                let schema = change_schema(&shared.schema);
                none.insert(PartWriter::begin(shared.store.as_ref(), &self.path, schema)?)
            }
        };
        part.write(&assemble(entries.finish(), &values)?)?;
        self.rows += records as u32;
        Ok(())
    }

    fn finish(&mut self, snapshot: bool) -> Result<Option<Part>> {
        let Some(part) = self.part.take() else { return Ok(None) };
        Ok(Some(Part { file: self.file, snapshot, info: part.finish()? }))
    }
}

/// The records of one batch that are to be kept, on their way.
struct Kept {
    rows: Vec<u32>,
    entries: EntryBuilder,
}

impl Kept {
    fn new() -> Self {
        Self { rows: Vec::new(), entries: EntryBuilder::new() }
    }

    fn push(&mut self, i: usize, entry: &Entry, before_at: Option<Locator>) {
        self.rows.push(i as u32);
        self.entries.push(entry, before_at);
    }
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, changes: Output, snapshot: Output, spill: Spill) -> Self {
        let nulls = vec![0; shared.schema.fields().len()];
        Self {
            shared,
            changes,
            snapshot,
            keys: Lanes::default(),
            hashes: Lanes::default(),
            compared: Lanes::default(),
            spill,
            rejections: Rejections::default(),
            repeated: Vec::new(),
            counts: Counts::default(),
            unchanged: 0,
            extracted: 0,
            nulls,
        }
    }

    /// Takes one batch of the model's result.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        shared.hasher.hash(batch, &mut self.keys, &mut self.hashes)?;
        if let Some(comparing) = &shared.comparing {
            comparing.hash(batch, &mut Lanes::default(), &mut self.compared)?;
        }
        self.extracted += batch.num_rows() as u64;
        for (nulls, column) in self.nulls.iter_mut().zip(batch.columns()) {
            *nulls += column.logical_null_count() as u64;
        }
        let id: Vec<ArrayRef> = shared.id.iter().map(|&column| Arc::clone(batch.column(column))).collect();
        let large = oversized(batch, &shared.limits);
        let mut large = large.iter().copied().peekable();
        let (mut changed, mut all) = (Kept::new(), Kept::new());
        for i in 0..batch.num_rows() {
            let over = large.next_if_eq(&i).is_some();
            if has_null_id(&id, i) {
                self.rejections.add(Reason::NullId, batch, i);
            } else if over {
                self.too_large(batch, i);
            } else {
                self.accept(batch, i, &mut changed, &mut all)?;
            }
        }
        self.changes.write(&shared, batch, changed.rows, changed.entries)?;
        self.snapshot.write(&shared, batch, all.rows, all.entries)
    }

    /// Its entry stays as it is: it counts as returned.
    fn too_large(&mut self, batch: &RecordBatch, i: usize) {
        let key = self.keys.key(i);
        if let Some(rank) = self.shared.index.rank(key)
            && self.shared.index.mark(rank)
        {
            self.repeated.push(key);
        }
        self.rejections.add(Reason::TooLarge, batch, i);
    }

    /// Compares a record with the snapshot, and keeps it if it has changed (or always, if the columns have).
    fn accept(&mut self, batch: &RecordBatch, i: usize, changed: &mut Kept, all: &mut Kept) -> Result<()> {
        let (key, row, now) = (self.keys.key(i), self.hashes.row(i), self.shared.version);
        let rebasing = self.shared.comparing.is_some();
        let compared = if rebasing { self.compared.row(i) } else { row };
        let (before, before_at, version) = match self.shared.index.probe(key, compared) {
            Probe::Known { again: true, .. } => {
                self.repeated.push(key);
                self.rejections.add(Reason::DuplicateId, batch, i);
                return Ok(());
            }
            Probe::Known { same: true, rank, .. } => {
                self.unchanged += 1;
                if !rebasing {
                    return Ok(());
                }
                (None, None, u64::from(self.shared.index.get(rank).version))
            }
            Probe::Known { rank, .. } => {
                let known = self.shared.index.get(rank);
                (Some(Before::Known(known.row)), Some(known.at), now)
            }
            Probe::New => (Some(Before::Absent), None, now),
        };
        let mut at = self.changes.place(changed.rows.len());
        if rebasing {
            at = self.snapshot.place(all.rows.len());
            all.push(i, &Entry::new(key, Before::Absent, Some(row), version), None);
        }
        self.spill.push(Indexed { key, row, at, version: version as u32 })?;
        if let Some(before) = before {
            self.counts.add(if before_at.is_some() { Op::Updated } else { Op::Added }, 1);
            changed.push(i, &Entry::new(key, before, Some(row), version), before_at);
        }
        Ok(())
    }

    /// Makes the parts durable, those that there are.
    pub(super) fn finish(&mut self) -> Result<Vec<Part>> {
        let parts = [self.changes.finish(false)?, self.snapshot.finish(true)?];
        Ok(parts.into_iter().flatten().collect())
    }
}
