//! A part: one Parquet file of a change set, of a snapshot, or of anything else in the state that has rows.

use std::io::{self, BufReader, Read, Write};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use outflow_contract::state_store::{ObjectReader, ObjectWriter, StateStore};
use outflow_contract::{Error, Kind, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;

use crate::store::expect_own;

/// Rows in one row group: what a reader of narrow columns holds at once.
const ROW_GROUP_ROWS: usize = 64 << 10;
/// A row group of wide records ends before its rows do.
const ROW_GROUP_BYTES: usize = 16 << 20;
/// Large batches are written in pieces, so that the size is looked at in between.
const PIECE_ROWS: usize = 4 << 10;
/// How much is read ahead of a sequential reader, and hashed at once.
const READ_BYTES: usize = 1 << 20;
/// Columns of hashes: they do not compress.
const HASH_COLUMNS: [&str; 8] =
    ["key_high", "key_low", "before_high", "before_low", "after_high", "after_low", "attempt.after_high", "attempt.after_low"];

/// A part that is written: what a commit or a plan says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Where it lies.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The hash of its bytes, hexadecimal.
    pub blake3: String,
}

/// Writes a part. Dropping it instead of finishing leaves nothing behind.
pub struct PartWriter {
    path: String,
    arrow: ArrowWriter<FileWriter>,
    rows: u64,
}

impl PartWriter {
    /// Begins a part of that schema, such as [`super::change_schema`].
    pub fn begin(store: &dyn StateStore, path: &str, schema: SchemaRef) -> Result<Self> {
        let file = FileWriter::begin(store, path)?;
        let arrow = ArrowWriter::try_new(file, schema, Some(properties()?)).map_err(|error| failed("begin", path, error))?;
        Ok(Self { path: path.to_owned(), arrow, rows: 0 })
    }

    /// Appends a batch of the part's schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for start in (0..batch.num_rows()).step_by(PIECE_ROWS) {
            let piece = batch.slice(start, PIECE_ROWS.min(batch.num_rows() - start));
            self.arrow.write(&piece).map_err(|error| failed("write", &self.path, error))?;
            if self.arrow.in_progress_size() > ROW_GROUP_BYTES {
                self.arrow.flush().map_err(|error| failed("write", &self.path, error))?;
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Makes it durable and visible.
    pub fn finish(self) -> Result<PartInfo> {
        self.arrow.into_inner().map_err(|error| failed("finish", &self.path, error))?.finish(self.rows)
    }
}

fn properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(|error| Error::bug("zstd has no level 1").caused_by(error))?;
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("outflow".to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // Dictionaries cost more time than they save here, and memory: zstd finds repetition too.
        .set_dictionary_enabled(false)
        .set_compression(Compression::ZSTD(level))
        // Records are found by their place, never by what they hold.
        .set_statistics_enabled(EnabledStatistics::None);
    for name in HASH_COLUMNS {
        let column = ColumnPath::new(name.split('.').map(str::to_owned).collect());
        builder = builder.set_column_compression(column.clone(), Compression::UNCOMPRESSED).set_column_encoding(column, Encoding::PLAIN);
    }
    Ok(builder.build())
}

/// Writes a file of the state, and counts and hashes what passes through. Dropping it instead of finishing leaves nothing behind.
pub struct FileWriter {
    path: String,
    inner: Box<dyn ObjectWriter>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl FileWriter {
    /// Begins the file at `path`, where nothing is.
    pub fn begin(store: &dyn StateStore, path: &str) -> Result<Self> {
        Ok(Self { path: path.to_owned(), inner: store.writer(path)?, hasher: blake3::Hasher::new(), bytes: 0 })
    }

    /// Makes it durable and visible; there are so many rows in it.
    pub fn finish(self, rows: u64) -> Result<PartInfo> {
        expect_own(&self.path, &self.inner.finish()?)?;
        Ok(PartInfo { path: self.path, rows, bytes: self.bytes, blake3: self.hasher.finalize().to_hex().to_string() })
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Opens a part for `ParquetRecordBatchReaderBuilder`.
pub fn open_part(store: &dyn StateStore, path: &str) -> Result<PartFile> {
    Ok(PartFile { path: path.into(), reader: store.open(path)?, failure: Arc::default() })
}

/// The same of one that a commit or a plan names: if it is not there, the state is damaged.
pub fn open_named(store: &dyn StateStore, path: &str) -> Result<PartFile> {
    open_part(store, path).map_err(|error| if error.kind() == Kind::NotFound { crate::object::missing(path) } else { error })
}

/// A part, open for reading. Clones share it.
#[derive(Clone)]
pub struct PartFile {
    path: Arc<str>,
    reader: Arc<dyn ObjectReader>,
    /// The first time that reading it failed, in words: a decoder may make anything of that.
    failure: Arc<OnceLock<String>>,
}

impl PartFile {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.reader.size()
    }

    /// Reads the whole file and compares its hash, in hexadecimal, with the one that was recorded: before a decoder sees what may be
    /// damaged. An error of kind `Corrupt` if they differ.
    pub fn verify(&self, blake3: &str) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut self.clone().sequential(0), &mut hasher)
            .map_err(|error| Error::io(format!("could not read {}", self.path), error))?;
        if hasher.finalize().to_hex().as_str() == blake3 { Ok(()) } else { Err(crate::object::damaged(&self.path)) }
    }

    /// What to say when a decoder fails on this file: that it is damaged, unless it could not be read at all.
    pub fn damaged(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.check().err().unwrap_or_else(|| crate::object::damaged(&self.path).caused_by(cause))
    }

    /// An error if the disk has failed to read any of it. What a decoder returns without an error is only good after this.
    pub fn check(&self) -> Result<()> {
        let Some(failure) = self.failure.get() else { return Ok(()) };
        let error = Error::io(format!("could not read {} in the state", self.path), io::Error::other(failure.clone()));
        Err(error.remedy("check the disk, then run again"))
    }

    /// The bytes from `offset` on. An error of kind `Corrupt` if there are fewer, for whoever wrote it knows how many there are.
    pub fn bytes(&self, offset: u64, length: usize) -> Result<Bytes> {
        self.read_at(offset, length).map_err(|error| self.damaged(error))
    }

    /// The same into a buffer, which is filled whole.
    pub fn fill(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.reader.read_into(offset, buffer).map_err(|error| {
            self.note(&error);
            self.damaged(error)
        })
    }

    fn sequential(self, offset: u64) -> BufReader<PartRead> {
        BufReader::with_capacity(READ_BYTES, PartRead { part: self, offset })
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.reader.read_at(offset, length).inspect_err(|error| self.note(error))
    }

    fn note(&self, error: &io::Error) {
        // A damaged footer leads beyond the end; that is no fault of the disk's.
        if error.kind() != io::ErrorKind::UnexpectedEof {
            self.failure.get_or_init(|| error.to_string());
        }
    }
}

impl Length for PartFile {
    fn len(&self) -> u64 {
        self.reader.size()
    }
}

impl ChunkReader for PartFile {
    type T = BufReader<PartRead>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        // Small: this is how headers are read.
        Ok(BufReader::new(PartRead { part: self.clone(), offset: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.read_at(start, length)?)
    }
}

/// Reads a part from some place on.
pub struct PartRead {
    part: PartFile,
    offset: u64,
}

impl Read for PartRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.part.size().saturating_sub(self.offset);
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        buffer[..length].copy_from_slice(&self.part.read_at(self.offset, length)?);
        self.offset += length as u64;
        Ok(length)
    }
}

fn failed(what: &str, path: &str, error: ParquetError) -> Error {
    let message = format!("could not {what} {path}");
    match error {
        ParquetError::External(cause) => Error::io(message, cause),
        other => Error::io(message, other),
    }
}
