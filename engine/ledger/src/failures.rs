//! The records that failed in a run, for people: `failures.parquet`. Nothing in the protocol reads it.
//!
//! All columns are text or numbers, so that any tool can open the file. Samples come with secrets removed and cut to size by the caller.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Key, Op, Result};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::changes::{PartFile, PartInfo, PartWriter, open_part};

/// How many records are gathered before they are written.
const BATCH_ROWS: usize = 1024;

/// One failed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRecord {
    /// Which.
    pub key: Key,
    /// Its identifier as JSON text.
    pub id: String,
    /// What was to be done with it.
    pub op: Op,
    /// A short, stable code to group by.
    pub code: String,
    /// In words.
    pub message: String,
    /// In how many syncs in a row it has failed, this one included.
    pub attempts: u32,
    /// When it failed first, RFC 3339.
    pub first_seen: String,
    /// When it failed last, RFC 3339.
    pub last_seen: String,
    /// The payload, where there is one.
    pub payload: Option<String>,
    /// What the destination answered, if it did.
    pub answer: Option<String>,
}

/// Writes the failed records of a run. Dropping it instead of finishing leaves nothing behind.
pub struct FailureWriter {
    part: PartWriter,
    waiting: Vec<FailedRecord>,
}

impl FailureWriter {
    /// Begins the file: `paths::run_file(mapping, epoch, paths::FAILURES)`.
    pub fn begin(store: &dyn StateStore, path: &str) -> Result<Self> {
        Ok(Self { part: PartWriter::begin(store, path, schema())?, waiting: Vec::new() })
    }

    /// One more.
    pub fn push(&mut self, record: FailedRecord) -> Result<()> {
        self.waiting.push(record);
        if self.waiting.len() >= BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// Makes the file durable and visible.
    pub fn finish(mut self) -> Result<PartInfo> {
        self.flush()?;
        self.part.finish()
    }

    fn flush(&mut self) -> Result<()> {
        let records = std::mem::take(&mut self.waiting);
        let text = |get: fn(&FailedRecord) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(records.iter().map(get))) };
        let sample = |get: fn(&FailedRecord) -> Option<&str>| -> ArrayRef { Arc::new(records.iter().map(get).collect::<StringArray>()) };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(records.iter().map(|record| record.key.to_string()))),
            text(|record| &record.id),
            text(|record| record.op.as_str()),
            text(|record| &record.code),
            text(|record| &record.message),
            Arc::new(UInt32Array::from_iter_values(records.iter().map(|record| record.attempts))),
            text(|record| &record.first_seen),
            text(|record| &record.last_seen),
            sample(|record| record.payload.as_deref()),
            sample(|record| record.answer.as_deref()),
        ];
        let batch =
            RecordBatch::try_new(schema(), columns).map_err(|error| Error::bug("could not gather failed records").caused_by(error))?;
        self.part.write(&batch)
    }
}

/// The failed records of a run, one at a time. An error of kind `NotFound` if the run has no such file.
pub fn read_failures(store: &dyn StateStore, path: &str) -> Result<FailureReader> {
    let file = open_part(store, path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone())
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
        .map_err(|error| file.damaged(error))?;
    Ok(FailureReader { file, reader, batch: RecordBatch::new_empty(schema()), next: 0 })
}

/// See [`read_failures`].
pub struct FailureReader {
    file: PartFile,
    reader: ParquetRecordBatchReader,
    batch: RecordBatch,
    next: usize,
}

impl Iterator for FailureReader {
    type Item = Result<FailedRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next >= self.batch.num_rows() {
            match self.reader.next()? {
                Ok(batch) => (self.batch, self.next) = (batch, 0),
                Err(error) => return Some(Err(self.file.damaged(error))),
            }
        }
        let record = record(&self.batch, self.next).ok_or_else(|| self.file.damaged("a column is missing or of another type"));
        self.next += 1;
        Some(record)
    }
}

fn record(batch: &RecordBatch, row: usize) -> Option<FailedRecord> {
    let sample = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        Some(column.is_valid(row).then(|| column.value(row).to_owned()))
    };
    let text = |name: &str| sample(name)?;
    let op = text("op")?;
    Some(FailedRecord {
        key: Key(u128::from_str_radix(&text("key")?, 16).ok()?),
        id: text("id")?,
        op: Op::ALL.into_iter().find(|known| known.as_str() == op)?,
        code: text("code")?,
        message: text("message")?,
        attempts: batch.column_by_name("attempts")?.as_primitive_opt::<UInt32Type>()?.value(row),
        first_seen: text("first_seen")?,
        last_seen: text("last_seen")?,
        payload: sample("payload")?,
        answer: sample("answer")?,
    })
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let sample = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("key"),
        text("id"),
        text("op"),
        text("code"),
        text("message"),
        Field::new("attempts", DataType::UInt32, false),
        text("first_seen"),
        text("last_seen"),
        sample("payload"),
        sample("answer"),
    ]))
}

#[cfg(test)]
mod tests {
    use outflow_contract::Kind;

    use super::*;
    use crate::store::MemoryStore;

    fn failed(number: usize) -> FailedRecord {
        FailedRecord {
            key: Key(number as u128),
            id: format!("{{\"id\":{number}}}"),
            op: Op::ALL[number % 3],
            code: "http_422".into(),
            message: "ü".into(),
            attempts: number as u32,
            first_seen: "2026-01-01T00:00:00Z".into(),
            last_seen: "2026-01-02T00:00:00Z".into(),
            payload: number.is_multiple_of(2).then(|| "{}".into()),
            answer: number.is_multiple_of(5).then(String::new),
        }
    }

    #[test]
    fn failed_records_are_read_back_in_order() {
        for count in [0, 1, BATCH_ROWS, BATCH_ROWS * 2 + 1] {
            let store = MemoryStore::new();
            let mut writer = FailureWriter::begin(&store, "a").unwrap();
            (0..count).for_each(|number| writer.push(failed(number)).unwrap());
            assert_eq!(writer.finish().unwrap().rows, count as u64);
            let back: Vec<FailedRecord> = read_failures(&store, "a").unwrap().map(Result::unwrap).collect();
            assert!(back.into_iter().eq((0..count).map(failed)));
        }
    }

    #[test]
    fn a_file_that_is_none_is_an_error_and_not_a_panic() {
        let store = MemoryStore::new();
        assert_eq!(read_failures(&store, "a").err().unwrap().kind(), Kind::NotFound);
        store.create("a", bytes::Bytes::from_static(b"no parquet at all")).unwrap();
        assert_eq!(read_failures(&store, "a").err().unwrap().kind(), Kind::Corrupt);
        let other = Arc::new(Schema::new(vec![Field::new("key", DataType::UInt32, false)]));
        let mut part = PartWriter::begin(&store, "b", other.clone()).unwrap();
        part.write(&RecordBatch::try_new(other, vec![Arc::new(UInt32Array::from(vec![1]))]).unwrap()).unwrap();
        part.finish().unwrap();
        let error = read_failures(&store, "b").unwrap().next().unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
    }
}
