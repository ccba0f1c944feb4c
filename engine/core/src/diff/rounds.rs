//! A diff whose table does not fit in memory goes in rounds: each holds some segments, and records of later ones wait on disk, whole.
//!
//! All of the result is read in the first round, which so many segments take part in as fit. What belongs to a later round is written once,
//! as Arrow IPC, a file for each thread and round, and read once; none is open but while something is appended to it, and all of them share a
//! sixteenth of the memory. With a table that fits there is one round, and nothing is written.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use outflow_contract::{Error, Result};

use super::table::Table;
use crate::scratch::{BatchFile, BatchWriter, Folder};
use crate::snapshot::{HashSnapshot, SEGMENTS};

/// How much of what one thread keeps for one round is gathered before it is written.
const BUFFER_BYTES: RangeInclusive<usize> = 4 << 10..=1 << 20;

/// What a diff may hold, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Of the table.
    pub(super) table: usize,
    /// Of changed records that wait to be told apart from new ones.
    pub(super) waiting: usize,
    /// Of records of later rounds that were not written yet.
    pub(super) later: usize,
}

impl Budget {
    /// Of a process that may hold so many bytes: half of it is for the table, an eighth for what waits, of which more goes to disk. What
    /// reads and what writes takes the rest.
    pub(super) fn of(memory: Option<usize>, table: usize) -> Self {
        const WAITING_MIN: usize = 256 << 20;
        match memory {
            Some(bytes) => Self { table: bytes / 2, waiting: bytes / 8, later: bytes / 16 },
            None => Self { table: usize::MAX, waiting: table.max(WAITING_MIN), later: usize::MAX },
        }
    }
}

/// The segments of each round.
pub(super) fn rounds(snapshot: &HashSnapshot, table: usize) -> Vec<Range<usize>> {
    let (mut rounds, mut from, mut bytes) = (Vec::new(), 0, 0);
    for segment in 0..SEGMENTS {
        let more = Table::bytes(snapshot.records_at_most(segment));
        if bytes + more > table && segment > from {
            rounds.push(from..segment);
            (from, bytes) = (segment, 0);
        }
        bytes += more;
    }
    rounds.push(from..SEGMENTS);
    rounds
}

/// As little memory as rounds can be made with, if a segment's table takes so many bytes.
pub(super) fn least_memory(segment_bytes: usize) -> usize {
    segment_bytes * 2
}

/// What one thread keeps for later rounds.
pub(super) struct Later {
    folder: Arc<Folder>,
    files: Vec<Option<BatchWriter>>,
    /// How much of each is gathered before it is written.
    room: usize,
    records: u64,
}

impl Later {
    /// For so many rounds.
    pub(super) fn new(folder: &Arc<Folder>, rounds: usize, room: usize) -> Self {
        let room = room.clamp(*BUFFER_BYTES.start(), *BUFFER_BYTES.end());
        Self { folder: Arc::clone(folder), files: (0..rounds).map(|_| None).collect(), room, records: 0 }
    }

    /// How many records it has kept.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Keeps the records of `batch` where `mask` is set for `round`.
    pub(super) fn keep(&mut self, round: usize, batch: &RecordBatch, mask: &BooleanArray) -> Result<()> {
        let wanted =
            filter_record_batch(batch, mask).map_err(|e| Error::bug("could not take the records of a later round").caused_by(e))?;
        let writer = match &mut self.files[round] {
            Some(writer) => writer,
            none => none.insert(BatchWriter::begin(&self.folder, "round", &wanted.schema(), self.room)?),
        };
        self.records += wanted.num_rows() as u64;
        writer.write(&wanted)
    }

    /// Ends the files; those of each round that there are.
    pub(super) fn finish(self) -> Result<Vec<Option<BatchFile>>> {
        self.files.into_iter().map(|writer| writer.map(BatchWriter::finish).transpose()).collect()
    }
}
