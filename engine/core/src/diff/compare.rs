//! One of the threads of a diff: hashes the batches of one partition, looks their records up, and keeps those that are not found.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::BatchCoalescer;
use outflow_contract::{Error, Key, Result, RowHash};

use super::hash::{Lanes, null_ids};
use super::reject::Reason;
use super::rounds::Later;
use super::sizes::oversized;
use super::table::Found;
use super::waiting::Chunk;
use super::{Comparison, Round, Tally};
use crate::snapshot::segment_of;

/// Records that are looked up together: so many cache lines are on their way at once.
const GROUP: usize = 64;
/// Values of a chunk of records: records of many columns make small ones.
const CHUNK_VALUES: usize = 1 << 17;
const CHUNK_RECORDS: std::ops::RangeInclusive<usize> = 128..=8192;

/// Records of a chunk that have so many columns.
pub(super) fn chunk_records(columns: usize) -> usize {
    (CHUNK_VALUES / columns.max(1)).clamp(*CHUNK_RECORDS.start(), *CHUNK_RECORDS.end())
}

/// One thread's work.
pub(super) struct Lane {
    diff: Arc<Comparison>,
    keys: Lanes,
    rows: Lanes,
    compared: Lanes,
    gathering: Gathering,
    pub(super) later: Later,
    pub(super) tally: Tally,
}

/// Records that are not what the snapshot has, on their way into chunks.
struct Gathering {
    values: BatchCoalescer,
    keys: Vec<Key>,
    rows: Vec<RowHash>,
    compared: Vec<u64>,
}

/// Bits, one for each record of a batch.
struct Mask {
    words: Vec<u64>,
    records: usize,
    set: usize,
}

impl Mask {
    fn new(records: usize) -> Self {
        Self { words: vec![0; records.div_ceil(64)], records, set: 0 }
    }

    fn set(&mut self, i: usize) {
        self.words[i / 64] |= 1 << (i % 64);
        self.set += 1;
    }

    fn has(&self, i: usize) -> bool {
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    fn into_array(self) -> BooleanArray {
        BooleanBuffer::new(Buffer::from_vec(self.words), 0, self.records).into()
    }
}

impl Lane {
    pub(super) fn new(diff: &Arc<Comparison>, later: Later) -> Self {
        let columns = diff.schema.fields().len().max(1);
        let records = chunk_records(columns);
        let gathering = Gathering {
            values: BatchCoalescer::new(Arc::clone(&diff.schema), records),
            keys: Vec::new(),
            rows: Vec::new(),
            compared: Vec::new(),
        };
        Self {
            diff: Arc::clone(diff),
            keys: Lanes::default(),
            rows: Lanes::default(),
            compared: Lanes::default(),
            gathering,
            later,
            tally: Tally { nulls: vec![0; columns], ..Tally::default() },
        }
    }

    /// Takes a batch of the model's result, in the first round.
    pub(super) fn take(&mut self, round: &Round, batch: &RecordBatch) -> Result<Vec<Chunk>> {
        self.hash(batch)?;
        self.tally.extracted += batch.num_rows() as u64;
        for (nulls, column) in self.tally.nulls.iter_mut().zip(batch.columns()) {
            *nulls += column.logical_null_count() as u64;
        }
        let skipped = self.refuse(batch)?;
        self.look_up(round, batch, skipped.as_ref())
    }

    /// Takes a batch that was kept for this round.
    pub(super) fn take_later(&mut self, round: &Round, batch: &RecordBatch) -> Result<Vec<Chunk>> {
        self.hash(batch)?;
        self.look_up(round, batch, None)
    }

    fn hash(&mut self, batch: &RecordBatch) -> Result<()> {
        self.diff.hasher.hash(batch, &mut self.keys, &mut self.rows)?;
        match &self.diff.rebase {
            Some(rebase) => rebase.hasher.hash(batch, &mut Lanes::default(), &mut self.compared),
            None => Ok(()),
        }
    }

    /// Records without an identifier, or over the limits of size. None, nearly always.
    fn refuse(&mut self, batch: &RecordBatch) -> Result<Option<Mask>> {
        let id: Vec<ArrayRef> = self.diff.id.iter().map(|&column| Arc::clone(batch.column(column))).collect();
        let large = oversized(batch, &self.diff.limits)?;
        let nulls = null_ids(&id);
        if large.is_empty() && nulls.is_none() {
            return Ok(None);
        }
        let mut skipped = Mask::new(batch.num_rows());
        for i in nulls.iter().flat_map(|nulls| (0..nulls.len()).filter(|&i| nulls.is_null(i))) {
            self.tally.rejections.add(Reason::NullId, batch, i);
            skipped.set(i);
        }
        for i in large {
            if !skipped.has(i) {
                self.tally.rejections.add(Reason::TooLarge, batch, i);
                self.tally.refused.push(self.keys.key(i));
                skipped.set(i);
            }
        }
        Ok(Some(skipped))
    }

    fn look_up(&mut self, round: &Round, batch: &RecordBatch, skipped: Option<&Mask>) -> Result<Vec<Chunk>> {
        let records = batch.num_rows();
        let mut unknown = Mask::new(records);
        let mut later: Vec<Option<Mask>> = (0..round.of).map(|_| None).collect();
        let all = self.diff.snapshot.is_empty() || self.diff.rebase.is_some();
        for group in (0..records).step_by(GROUP).map(|from| from..(from + GROUP).min(records)) {
            if !all {
                round.touch(&self.keys.high[group.clone()]);
            }
            for i in group.filter(|&i| !skipped.is_some_and(|skipped| skipped.has(i))) {
                let key_high = self.keys.high[i];
                let Some(table) = round.table(key_high) else {
                    later[round.round_of(key_high)].get_or_insert_with(|| Mask::new(records)).set(i);
                    continue;
                };
                match if all { Found::Not } else { table.find(key_high, self.rows.high[i]) } {
                    Found::Not => unknown.set(i),
                    Found::Once => self.tally.unchanged += 1,
                    Found::Again => self.tally.again(self.keys.key(i), batch, i),
                }
            }
        }
        for (number, mask) in later.into_iter().enumerate() {
            if let Some(mask) = mask {
                self.later.keep(number, batch, &mask.into_array())?;
            }
        }
        self.gather(batch, unknown)
    }

    fn gather(&mut self, batch: &RecordBatch, unknown: Mask) -> Result<Vec<Chunk>> {
        if unknown.set == 0 {
            return Ok(Vec::new());
        }
        let gathering = &mut self.gathering;
        for i in (0..unknown.records).filter(|&i| unknown.has(i)) {
            gathering.keys.push(self.keys.key(i));
            gathering.rows.push(self.rows.row(i));
        }
        if self.diff.rebase.is_some() {
            gathering.compared.extend((0..unknown.records).filter(|&i| unknown.has(i)).map(|i| self.compared.high[i]));
        }
        let pushed = if unknown.set == unknown.records {
            gathering.values.push_batch(batch.clone())
        } else {
            gathering.values.push_batch_with_filter(batch.clone(), &unknown.into_array())
        };
        pushed.map_err(|e| Error::bug("could not take the changed records").caused_by(e))?;
        Ok(gathering.ready())
    }

    /// What is left, once all batches of the round were taken.
    pub(super) fn rest(&mut self) -> Result<Vec<Chunk>> {
        let ended = self.gathering.values.finish_buffered_batch();
        ended.map_err(|e| Error::bug("could not take the changed records").caused_by(e))?;
        Ok(self.gathering.ready())
    }
}

impl Gathering {
    fn ready(&mut self) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        while let Some(values) = self.values.next_completed_batch() {
            let records = values.num_rows();
            let compared = self.compared.drain(..records.min(self.compared.len())).collect();
            chunks.push(Chunk { values, keys: self.keys.drain(..records).collect(), rows: self.rows.drain(..records).collect(), compared });
        }
        chunks
    }
}

impl Round {
    /// The table that holds a key's segment, if it is in memory in this round.
    #[inline]
    fn table(&self, key_high: u64) -> Option<&super::table::Table> {
        self.tables.get(segment_of(key_high).wrapping_sub(self.segments.start))
    }

    /// Brings the buckets of some keys into the cache, all at once.
    #[inline]
    fn touch(&self, keys: &[u64]) {
        let touched = keys.iter().filter_map(|&key| Some(self.table(key)?.touch(key))).fold(0, |sum, entry| sum ^ entry);
        std::hint::black_box(touched);
    }
}
