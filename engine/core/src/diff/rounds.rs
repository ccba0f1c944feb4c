//! A diff whose table does not fit in memory goes in rounds: each holds some segments, and records of later ones wait on disk, whole.
//!
//! All of the result is read in the first round, which so many segments take part in as fit. What belongs to a later round is written once,
//! as Arrow IPC, a file for each thread and round, and read once. With a table that fits there is one round, and nothing is written.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use outflow_contract::{Error, Result};

use super::table::Table;
use crate::snapshot::{HashSnapshot, SEGMENTS};

/// What a diff may hold, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Of the table.
    pub(super) table: usize,
    /// Of changed records that wait to be told apart from new ones.
    pub(super) waiting: usize,
}

impl Budget {
    /// Of a process that may hold so many bytes: half of it is for the table, an eighth for what waits. What reads and what writes takes
    /// the rest.
    pub(super) fn of(memory: Option<usize>, table: usize) -> Self {
        /// Looking what waits up costs a pass over the snapshot: as large as the table, there are as many passes whatever its size.
        const WAITING_MIN: usize = 256 << 20;
        match memory {
            Some(bytes) => Self { table: bytes / 2, waiting: bytes / 8 },
            None => Self { table: usize::MAX, waiting: table.max(WAITING_MIN) },
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

/// What one thread keeps for later rounds.
pub(super) struct Later {
    folder: PathBuf,
    lane: usize,
    files: Vec<Option<StreamWriter<BufWriter<File>>>>,
    records: u64,
}

impl Later {
    /// For so many rounds, in `folder`, which exists.
    pub(super) fn new(folder: &Path, lane: usize, rounds: usize) -> Self {
        Self { folder: folder.to_owned(), lane, files: (0..rounds).map(|_| None).collect(), records: 0 }
    }

    /// How many records it has kept.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Keeps the records of `batch` where `mask` is set for `round`.
    pub(super) fn keep(&mut self, round: usize, batch: &RecordBatch, mask: &BooleanArray) -> Result<()> {
        let path = path(&self.folder, self.lane, round);
        let wanted =
            filter_record_batch(batch, mask).map_err(|e| Error::bug("could not take the records of a later round").caused_by(e))?;
        let wanted = compact(&wanted)?;
        let failed = |e: arrow::error::ArrowError| Error::io(format!("could not write {}", path.display()), e);
        let writer = match &mut self.files[round] {
            Some(writer) => writer,
            none => {
                let file = File::create_new(&path).map_err(|e| Error::io(format!("could not create {}", path.display()), e))?;
                none.insert(StreamWriter::try_new(BufWriter::with_capacity(1 << 20, file), &wanted.schema()).map_err(failed)?)
            }
        };
        self.records += wanted.num_rows() as u64;
        writer.write(&wanted).map_err(failed)
    }

    /// Ends the files; those of each round that there are.
    pub(super) fn finish(self) -> Result<Vec<Option<PathBuf>>> {
        let (folder, lane) = (self.folder, self.lane);
        let ended = self.files.into_iter().enumerate().map(|(round, writer)| {
            let Some(mut writer) = writer else { return Ok(None) };
            let path = path(&folder, lane, round);
            writer.finish().map_err(|e| Error::io(format!("could not write {}", path.display()), e))?;
            Ok(Some(path))
        });
        ended.collect()
    }
}

fn path(folder: &Path, lane: usize, round: usize) -> PathBuf {
    folder.join(format!("round-{round}-{lane}.arrows"))
}

/// Views that were filtered still hold all the text that they were cut from.
fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => std::sync::Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => std::sync::Arc::new(column.as_binary_view().gc()),
            _ => column.clone(),
        }
    });
    RecordBatch::try_new(batch.schema(), columns.collect()).map_err(|e| Error::bug("could not compact a batch").caused_by(e))
}

/// Hands out the batches of a file, and removes it.
pub(super) fn read(path: &Path, mut each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
    let failed = |e: arrow::error::ArrowError| Error::io(format!("could not read {}", path.display()), e);
    let file = File::open(path).map_err(|e| Error::io(format!("could not read {}", path.display()), e))?;
    for batch in StreamReader::try_new(BufReader::with_capacity(1 << 20, file), None).map_err(failed)? {
        each(&batch.map_err(failed)?)?;
    }
    // Its folder is removed in the end; its room is wanted now.
    drop(std::fs::remove_file(path));
    Ok(())
}
