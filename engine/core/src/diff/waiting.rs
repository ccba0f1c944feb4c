//! Records that are not what the snapshot has, until its keys tell whether they have changed, are new, or came twice.
//!
//! ```text
//! chunks of records ─┬─► held, or in files once there are too many ──────────────────────────────┐
//!                    └─► keys, by segment ─┐                                                     ├─► changes
//! segment of the snapshot, by key ─────────┼─► in lock step: known (with the state before), ─────┘
//! entries of the table, in that order ─────┘   again; the others are new
//!                                              and those that were never returned: deleted
//! ```
//!
//! At the end of a round each segment is read once, on all cores, and then each record that waits, in the order in which they came. Keys,
//! and what was told of them, are in [`Piles`], of which little stays in memory and much goes to disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use outflow_contract::{Error, Key, Op, Result, RowHash};

use super::run::lock;
use super::segments::{Ref, Teller, Told};
use super::{Comparison, Round, Tally};
use crate::scratch::{BatchFile, BatchWriter, Folder, Piles};
use crate::snapshot::{SEGMENTS, segment_of};

/// Chunks of one file, or that are looked at together: some 30 MB of common records.
const CHUNKS_AT_ONCE: usize = 16;
/// Into how many piles is put what is told of records that wait.
const STRETCHES_MAX: usize = 256;
/// How much of a file is gathered before it is written.
const FILE_BUFFER_BYTES: usize = 1 << 20;

/// Takes a batch of changes.
pub(super) type Out<'a> = &'a (dyn Fn(RecordBatch) -> Result<()> + Sync);

/// Records with their hashes.
pub(super) struct Chunk {
    pub(super) values: RecordBatch,
    pub(super) keys: Vec<Key>,
    pub(super) rows: Vec<RowHash>,
    /// What they are compared by, if it is not their row hash.
    pub(super) compared: Vec<u64>,
}

impl Chunk {
    pub(super) fn bytes(&self) -> usize {
        self.values.get_array_memory_size() + self.keys.len() * 2 * size_of::<Key>()
    }
}

/// What waits.
pub(super) struct Waiting {
    /// Those in memory, which are the last that came.
    chunks: Vec<Chunk>,
    /// The number of the first of them.
    first: u32,
    /// Those on disk.
    files: Vec<Stretch>,
    /// Where each record of them is, by segment.
    refs: Piles<Ref>,
    refused: Vec<Key>,
    /// What is reserved for the chunks in memory.
    pub(super) bytes: usize,
    /// There is no more room.
    pub(super) is_full: bool,
}

/// Chunks that follow one another.
struct Stretch {
    first: u32,
    chunks: Chunks,
}

enum Chunks {
    Held(Vec<Chunk>),
    /// Each a batch of the file.
    Kept(BatchFile),
}

/// Chunks that are to be kept on disk.
pub(super) struct Surplus {
    first: u32,
    chunks: Vec<Chunk>,
    /// What is reserved for them.
    pub(super) bytes: usize,
}

/// What is true of records that were not returned. One that was returned and not accepted is not among them (rule 17), and none counts
/// as deleted while one without an identifier may be it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// They are deleted.
    Deleted,
    /// They would be, but a record without an identifier may be one of them.
    KeptBack,
}

impl Waiting {
    /// Nothing.
    pub(super) fn new(folder: &Arc<Folder>) -> Self {
        let refs = Piles::new(folder, "waiting", SEGMENTS);
        Self { chunks: Vec::new(), first: 0, files: Vec::new(), refs, refused: Vec::new(), bytes: 0, is_full: false }
    }

    /// Everything; the keys of refused records stay, too, for later rounds have to know them.
    pub(super) fn take(&mut self, folder: &Arc<Folder>) -> Self {
        let next = Self { refused: self.refused.clone(), ..Self::new(folder) };
        std::mem::replace(self, next)
    }

    /// One more chunk.
    pub(super) fn push(&mut self, chunk: Chunk) -> Result<()> {
        let number = self.first + self.chunks.len() as u32;
        for (record, &key) in chunk.keys.iter().enumerate() {
            let compared = chunk.compared.get(record).copied().unwrap_or_default();
            self.refs.push(segment_of(key.halves().0), &Ref { key, compared, chunk: number, record: record as u32 })?;
        }
        self.chunks.push(chunk);
        Ok(())
    }

    /// Records that are not accepted, but count as returned.
    pub(super) fn refuse(&mut self, keys: &[Key]) {
        self.refused.extend_from_slice(keys);
    }

    /// What is in memory, which is to be kept on disk: see [`Surplus::keep`].
    pub(super) fn surplus(&mut self) -> Surplus {
        let (chunks, first) = (std::mem::take(&mut self.chunks), self.first);
        self.first += chunks.len() as u32;
        self.is_full = false;
        Surplus { first, chunks, bytes: std::mem::take(&mut self.bytes) }
    }

    /// What was kept.
    pub(super) fn kept(&mut self, kept: Kept) {
        self.files.extend(kept.0);
    }
}

/// Chunks that were kept on disk.
pub(super) struct Kept(Vec<Stretch>);

impl Surplus {
    /// How many records.
    pub(super) fn records(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.keys.len()).sum()
    }

    /// Writes the chunks, with their hashes beside them.
    pub(super) fn keep(mut self, folder: &Arc<Folder>) -> Result<Kept> {
        let (mut kept, mut first) = (Vec::new(), self.first);
        while !self.chunks.is_empty() {
            let rest = self.chunks.split_off(CHUNKS_AT_ONCE.min(self.chunks.len()));
            let chunks = std::mem::replace(&mut self.chunks, rest);
            let (number, mut file) = (chunks.len() as u32, None);
            for chunk in chunks {
                let batch = chunk.with_hashes()?;
                let file = match &mut file {
                    Some(file) => file,
                    none => none.insert(BatchWriter::begin(folder, "waiting-values", &batch.schema(), FILE_BUFFER_BYTES)?),
                };
                file.write(&batch)?;
            }
            if let Some(file) = file {
                kept.push(Stretch { first, chunks: Chunks::Kept(file.finish()?) });
            }
            first += number;
        }
        Ok(Kept(kept))
    }
}

impl Chunk {
    /// The values, and four columns of hashes behind them.
    fn with_hashes(&self) -> Result<RecordBatch> {
        let keys = self.keys.iter().map(|key| key.halves());
        let rows = self.rows.iter().map(|row| row.halves());
        let hashes: [UInt64Array; 4] = [
            keys.clone().map(|halves| halves.0).collect(),
            keys.map(|halves| halves.1).collect(),
            rows.clone().map(|halves| halves.0).collect(),
            rows.map(|halves| halves.1).collect(),
        ];
        let named = ["key_high", "key_low", "row_high", "row_low"].map(|name| Arc::new(Field::new(name, DataType::UInt64, false)));
        let fields: Vec<_> = self.values.schema_ref().fields().iter().cloned().chain(named).collect();
        let hashes = hashes.map(|hashes| Arc::new(hashes) as ArrayRef);
        let columns = self.values.columns().iter().cloned().chain(hashes).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|e| Error::bug("could not lay out what waits").caused_by(e))
    }

    fn of(batch: &RecordBatch, diff: &Comparison) -> Result<Self> {
        let bug = || Error::bug("what waits has come back as something else");
        let (values, hashes) = batch.columns().split_at_checked(diff.schema.fields().len()).ok_or_else(bug)?;
        let hashes: Vec<&UInt64Array> = hashes.iter().filter_map(|column| column.as_primitive_opt::<UInt64Type>()).collect();
        let [key_high, key_low, row_high, row_low] = hashes[..] else { return Err(bug()) };
        let pairs =
            |high: &UInt64Array, low: &UInt64Array| high.values().iter().copied().zip(low.values().iter().copied()).collect::<Vec<_>>();
        Ok(Self {
            values: RecordBatch::try_new(Arc::clone(&diff.schema), values.to_vec()).map_err(|e| bug().caused_by(e))?,
            keys: pairs(key_high, key_low).into_iter().map(|(high, low)| Key::from_halves(high, low)).collect(),
            rows: pairs(row_high, row_low).into_iter().map(|(high, low)| RowHash::from_halves(high, low)).collect(),
            compared: Vec::new(),
        })
    }
}

impl Comparison {
    /// Tells the records that wait apart: hands `out` the changes that they are, and the deletions of those that are missing for good.
    pub(super) fn resolve(&self, round: &Round, waiting: Waiting, missing: Missing, tally: &mut Tally, out: Out<'_>) -> Result<()> {
        let Waiting { mut chunks, mut first, files: mut stretches, mut refs, mut refused, .. } = waiting;
        while !chunks.is_empty() {
            let rest = chunks.split_off(CHUNKS_AT_ONCE.min(chunks.len()));
            let held = std::mem::replace(&mut chunks, rest);
            let number = held.len() as u32;
            stretches.push(Stretch { first, chunks: Chunks::Held(held) });
            first += number;
        }
        stretches.sort_unstable_by_key(|stretch| stretch.first);
        refs.settle();
        refused.sort_unstable();
        refused.dedup();
        let firsts: Vec<u32> = stretches.iter().map(|stretch| stretch.first).collect();
        let per_pile = stretches.len().div_ceil(STRETCHES_MAX).max(1);
        let piles = stretches.len().div_ceil(per_pile);
        let pile_of = |chunk: u32| firsts.partition_point(|&first| first <= chunk).saturating_sub(1) / per_pile;
        let next = AtomicUsize::new(0);
        let told = self.on_threads(|| {
            let mut teller = Teller::new(self, round, missing, Piles::new(&self.scratch, "told", piles), &pile_of, out);
            while let Some(segment) = round.segments.clone().nth(next.fetch_add(1, Ordering::Relaxed)) {
                teller.tell(segment, &refs, of_segment(&refused, segment))?;
            }
            teller.end()
        })?;
        drop(refs);
        let mut piles = Vec::with_capacity(told.len());
        for found in told {
            tally.repeated.extend(found.repeated);
            match missing {
                Missing::KeptBack => tally.kept_back += found.missing,
                Missing::Deleted => tally.counts.add(Op::Deleted, found.missing),
            }
            piles.push(found.told);
        }
        self.tell_stretches(stretches, per_pile, &piles, tally, out)
    }

    /// What was told of the records of each stretch, as changes.
    fn tell_stretches(
        &self,
        stretches: Vec<Stretch>,
        per_pile: usize,
        told: &[Piles<Told>],
        tally: &mut Tally,
        out: Out<'_>,
    ) -> Result<()> {
        let mut stretches = stretches.into_iter();
        let piles = std::iter::from_fn(|| Some(stretches.by_ref().take(per_pile).collect::<Vec<_>>()).filter(|pile| !pile.is_empty()));
        let queue = std::sync::Mutex::new(piles.enumerate());
        let tallies = self.on_threads(|| {
            let mut tally = Tally::default();
            loop {
                let Some((pile, stretches)) = lock(&queue).next() else { return Ok(tally) };
                let mut states = Vec::new();
                told.iter().try_for_each(|told| told.read(pile, &mut states))?;
                states.sort_unstable_by_key(|told| (told.chunk, told.record));
                for Stretch { first, chunks } in stretches {
                    let mut number = first;
                    let mut each = |chunk: Chunk| {
                        let from = states.partition_point(|told| told.chunk < number);
                        let to = states.partition_point(|told| told.chunk <= number);
                        number += 1;
                        self.changes(chunk, &states[from..to], &mut tally, out)
                    };
                    match chunks {
                        Chunks::Held(chunks) => chunks.into_iter().try_for_each(&mut each)?,
                        Chunks::Kept(file) => file.read(|batch| each(Chunk::of(&batch, self)?))?,
                    }
                }
            }
        })?;
        for found in tallies {
            tally.merge(found);
        }
        Ok(())
    }

    /// Does some work on each thread that may be used, and returns what each has found.
    fn on_threads<T: Send>(&self, work: impl Fn() -> Result<T> + Sync) -> Result<Vec<T>> {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.threads.max(1)).map(|_| scope.spawn(&work)).collect();
            let mut found = vec![work()?];
            for other in others {
                found.push(other.join().map_err(|_| Error::bug("a thread of the diff stopped"))??);
            }
            Ok(found)
        })
    }
}

/// Those of the keys, which ascend, that are in a segment.
fn of_segment(keys: &[Key], segment: usize) -> &[Key] {
    let from = keys.partition_point(|key| segment_of(key.halves().0) < segment);
    let to = keys.partition_point(|key| segment_of(key.halves().0) <= segment);
    &keys[from..to]
}
