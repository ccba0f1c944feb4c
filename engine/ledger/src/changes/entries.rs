//! Entries to columns and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StructArray, UInt8Array, UInt8Builder, UInt32Array, UInt32Builder, UInt64Array,
    UInt64Builder,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ArrowPrimitiveType, UInt8Type, UInt32Type, UInt64Type};
use outflow_contract::change::AttemptRequest;
use outflow_contract::{Attempt, Before, Entry, Failed, Key, Op, RequestKey, Result, RowHash};

use super::{FAILED, Locator, attempt_fields, damaged, failed_fields};

const ABSENT: u8 = 0;
const KNOWN: u8 = 1;
const UNKNOWN: u8 = 2;

/// Gathers entries into columns.
#[derive(Default)]
pub struct EntryBuilder {
    key: HashBuilder,
    before: UInt8Builder,
    before_hash: HashBuilder,
    before_at: UInt64Builder,
    after: HashBuilder,
    version: UInt64Builder,
    attempt: AttemptBuilder,
    /// Of the first records, those up to the last that has failed; none where that is not told.
    failed: Vec<Failed>,
    tells_failed: bool,
}

#[derive(Default)]
struct HashBuilder {
    high: UInt64Builder,
    low: UInt64Builder,
}

#[derive(Default)]
struct AttemptBuilder {
    present: Vec<bool>,
    op: UInt8Builder,
    after: HashBuilder,
    version: UInt64Builder,
    key: HashBuilder,
    epoch: UInt64Builder,
    sequence: UInt32Builder,
    records: UInt32Builder,
    index: UInt32Builder,
}

impl EntryBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet; of entries that wait for a destination: how they have fared is told of each batch.
    pub fn of_pending() -> Self {
        Self { tells_failed: true, ..Self::default() }
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.attempt.present.len()
    }

    /// None yet?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more; `before_at` is where the last known values of the record lie, if they do.
    pub fn push(&mut self, entry: &Entry, before_at: Option<Locator>) {
        self.key.push(Some(entry.key.halves()));
        let (before, hash, attempt) = match entry.before {
            Before::Absent => (ABSENT, None, None),
            Before::Known(hash) => (KNOWN, Some(hash.halves()), None),
            Before::Unknown(attempt) => (UNKNOWN, None, Some(attempt)),
        };
        self.before.append_value(before);
        self.before_hash.push(hash);
        self.before_at.append_option(before_at.map(|at| at.0));
        self.after.push(entry.after.map(RowHash::halves));
        self.version.append_value(entry.version);
        if entry.failed != Failed::default() {
            self.failed.resize(self.len(), Failed::default());
            self.failed.push(entry.failed);
        }
        self.attempt.push(attempt.as_ref());
    }

    /// The columns of what was pushed, all but the values; the builder is empty again. How they have fared is among them where one of
    /// them has failed.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        let failed = (self.tells_failed || !self.failed.is_empty()).then(|| self.finish_failed());
        let [key_high, key_low] = self.key.finish();
        let [before_high, before_low] = self.before_hash.finish();
        let [after_high, after_low] = self.after.finish();
        let mut columns: Vec<ArrayRef> = vec![
            key_high,
            key_low,
            Arc::new(self.before.finish()),
            before_high,
            before_low,
            Arc::new(self.before_at.finish()),
            after_high,
            after_low,
            Arc::new(self.version.finish()),
            self.attempt.finish(),
        ];
        columns.extend(failed);
        columns
    }

    fn finish_failed(&mut self) -> ArrayRef {
        let mut failed = std::mem::take(&mut self.failed);
        failed.resize(self.len(), Failed::default());
        let numbers = |get: fn(&Failed) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(failed.iter().map(get))) };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(failed.iter().map(|failed| failed.attempts))),
            numbers(|failed| failed.first_ms),
            numbers(|failed| failed.last_ms),
            Arc::new(failed.iter().map(|failed| Some(failed.set_aside)).collect::<BooleanArray>()),
        ];
        let present: Vec<bool> = failed.iter().map(|failed| *failed != Failed::default()).collect();
        Arc::new(StructArray::new(failed_fields(), columns, Some(NullBuffer::from(present))))
    }
}

impl HashBuilder {
    fn push(&mut self, halves: Option<(u64, u64)>) {
        self.high.append_option(halves.map(|halves| halves.0));
        self.low.append_option(halves.map(|halves| halves.1));
    }

    fn finish(&mut self) -> [ArrayRef; 2] {
        [Arc::new(self.high.finish()), Arc::new(self.low.finish())]
    }
}

impl AttemptBuilder {
    fn push(&mut self, attempt: Option<&Attempt>) {
        let request = attempt.and_then(|attempt| attempt.request);
        self.present.push(attempt.is_some());
        self.op.append_value(attempt.map_or(0, |attempt| op_code(attempt.op)));
        self.after.push(attempt.and_then(|attempt| attempt.after).map(RowHash::halves));
        self.version.append_value(attempt.map_or(0, |attempt| attempt.version));
        self.key.push(request.map(|request| request.key.halves()));
        self.epoch.append_option(request.map(|request| request.epoch));
        self.sequence.append_option(request.map(|request| request.sequence));
        self.records.append_option(request.map(|request| request.records));
        self.index.append_option(request.map(|request| request.index));
    }

    fn finish(&mut self) -> ArrayRef {
        let present = std::mem::take(&mut self.present);
        let [after_high, after_low] = self.after.finish();
        let [key_high, key_low] = self.key.finish();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.op.finish()),
            after_high,
            after_low,
            Arc::new(self.version.finish()),
            key_high,
            key_low,
            Arc::new(self.epoch.finish()),
            Arc::new(self.sequence.finish()),
            Arc::new(self.records.finish()),
            Arc::new(self.index.finish()),
        ];
        Arc::new(StructArray::new(attempt_fields(), columns, Some(NullBuffer::from(present))))
    }
}

fn op_code(op: Op) -> u8 {
    match op {
        Op::Added => 0,
        Op::Updated => 1,
        Op::Deleted => 2,
    }
}

fn op_of(code: u8) -> Op {
    match code {
        0 => Op::Added,
        1 => Op::Updated,
        // Other codes are refused when a batch is opened.
        _ => Op::Deleted,
    }
}

/// Reads entries out of a batch of a change set, whatever other columns it has.
pub struct EntryReader {
    key: Hashes,
    before: UInt8Array,
    before_hash: Hashes,
    before_at: UInt64Array,
    after: Hashes,
    version: UInt64Array,
    attempt: Attempts,
    failed: Option<FailedColumns>,
}

/// How pending records have fared.
struct FailedColumns {
    nulls: Option<NullBuffer>,
    attempts: UInt32Array,
    first_ms: UInt64Array,
    last_ms: UInt64Array,
    set_aside: BooleanArray,
}

struct Hashes {
    high: UInt64Array,
    low: UInt64Array,
}

struct Attempts {
    nulls: Option<NullBuffer>,
    op: UInt8Array,
    after: Hashes,
    version: UInt64Array,
    key: Hashes,
    epoch: UInt64Array,
    sequence: UInt32Array,
    records: UInt32Array,
    index: UInt32Array,
}

impl EntryReader {
    /// Opens a batch. An error of kind `Corrupt` if a column is missing or impossible; after that, reading cannot fail.
    pub fn new(batch: &RecordBatch) -> Result<Self> {
        let find = |name: &'static str| batch.column_by_name(name).ok_or_else(|| damaged(name));
        let numbers = |name| primitive::<UInt64Type>(find(name)?, name);
        let hashes = |high, low| Hashes::new(numbers(high)?, numbers(low)?, high);
        let attempt = find("attempt")?.as_struct_opt().ok_or_else(|| damaged("attempt"))?;
        let reader = Self {
            key: hashes("key_high", "key_low")?,
            before: primitive::<UInt8Type>(find("before")?, "before")?,
            before_hash: hashes("before_high", "before_low")?,
            before_at: numbers("before_at")?,
            after: hashes("after_high", "after_low")?,
            version: numbers("version")?,
            attempt: Attempts::new(attempt)?,
            failed: batch.column_by_name(FAILED).map(FailedColumns::new).transpose()?,
        };
        reader.check()?;
        Ok(reader)
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.before.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry of a row, and where its last known values lie. Panics beyond the end, as a slice does.
    pub fn get(&self, row: usize) -> (Entry, Option<Locator>) {
        let before = match self.before.value(row) {
            ABSENT => Before::Absent,
            KNOWN => {
                let (high, low) = self.before_hash.value(row);
                Before::Known(RowHash::from_halves(high, low))
            }
            _ => Before::Unknown(self.attempt.get(row)),
        };
        let before_at = self.before_at.is_valid(row).then(|| Locator(self.before_at.value(row)));
        let entry = Entry {
            key: self.key(row),
            before,
            after: self.after.hash(row),
            version: self.version.value(row),
            failed: self.failed.as_ref().map(|failed| failed.get(row)).unwrap_or_default(),
        };
        (entry, before_at)
    }

    /// The key alone.
    pub fn key(&self, row: usize) -> Key {
        let (high, low) = self.key.value(row);
        Key::from_halves(high, low)
    }

    /// The operation of each entry.
    pub fn ops(&self) -> Vec<Op> {
        (0..self.len()).map(|row| self.get(row).0.op()).collect()
    }

    fn check(&self) -> Result<()> {
        if self.before.null_count() + self.key.high.null_count() + self.version.null_count() > 0 {
            return Err(damaged("key_high"));
        }
        for row in 0..self.len() {
            let possible = match self.before.value(row) {
                ABSENT => true,
                KNOWN => self.before_hash.high.is_valid(row),
                UNKNOWN => self.attempt.is_possible(row),
                _ => false,
            };
            if !possible {
                return Err(damaged("before"));
            }
        }
        Ok(())
    }
}

impl FailedColumns {
    fn new(column: &ArrayRef) -> Result<Self> {
        let failed = column.as_struct_opt().ok_or_else(|| damaged(FAILED))?;
        let find = |name: &'static str| failed.column_by_name(name).ok_or_else(|| damaged(FAILED));
        let numbers = |name| primitive::<UInt64Type>(find(name)?, FAILED);
        let columns = Self {
            nulls: failed.nulls().cloned(),
            attempts: primitive::<UInt32Type>(find("attempts")?, FAILED)?,
            first_ms: numbers("first_ms")?,
            last_ms: numbers("last_ms")?,
            set_aside: find("set_aside")?.as_boolean_opt().cloned().ok_or_else(|| damaged(FAILED))?,
        };
        let gaps = [&columns.attempts as &dyn Array, &columns.first_ms, &columns.last_ms, &columns.set_aside]
            .iter()
            .any(|column| (0..column.len()).any(|row| columns.is_there(row) && column.is_null(row)));
        if gaps { Err(damaged(FAILED)) } else { Ok(columns) }
    }

    fn is_there(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    fn get(&self, row: usize) -> Failed {
        if !self.is_there(row) {
            return Failed::default();
        }
        Failed {
            attempts: self.attempts.value(row),
            first_ms: self.first_ms.value(row),
            last_ms: self.last_ms.value(row),
            set_aside: self.set_aside.value(row),
        }
    }
}

impl Hashes {
    fn new(high: UInt64Array, low: UInt64Array, name: &'static str) -> Result<Self> {
        // Both halves, or neither.
        if high.logical_nulls().filter(|n| n.null_count() > 0) != low.logical_nulls().filter(|n| n.null_count() > 0) {
            return Err(damaged(name));
        }
        Ok(Self { high, low })
    }

    fn value(&self, row: usize) -> (u64, u64) {
        (self.high.value(row), self.low.value(row))
    }

    fn hash(&self, row: usize) -> Option<RowHash> {
        let (high, low) = self.value(row);
        self.high.is_valid(row).then(|| RowHash::from_halves(high, low))
    }
}

impl Attempts {
    fn new(attempt: &StructArray) -> Result<Self> {
        let find = |name: &'static str| attempt.column_by_name(name).ok_or_else(|| damaged("attempt"));
        let numbers = |name| primitive::<UInt64Type>(find(name)?, "attempt");
        let small = |name| primitive::<UInt32Type>(find(name)?, "attempt");
        let hashes = |high, low| Hashes::new(numbers(high)?, numbers(low)?, "attempt");
        Ok(Self {
            nulls: attempt.nulls().cloned(),
            op: primitive::<UInt8Type>(find("op")?, "attempt")?,
            after: hashes("after_high", "after_low")?,
            version: numbers("version")?,
            key: hashes("key_high", "key_low")?,
            epoch: numbers("epoch")?,
            sequence: small("sequence")?,
            records: small("records")?,
            index: small("index")?,
        })
    }

    fn is_possible(&self, row: usize) -> bool {
        let request = [self.epoch.is_valid(row), self.sequence.is_valid(row), self.records.is_valid(row), self.index.is_valid(row)];
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
            && self.op.is_valid(row)
            && self.op.value(row) <= op_code(Op::Deleted)
            && self.version.is_valid(row)
            && request.iter().all(|&valid| valid == self.key.high.is_valid(row))
    }

    fn get(&self, row: usize) -> Attempt {
        let (high, low) = self.key.value(row);
        let request = self.key.high.is_valid(row).then(|| AttemptRequest {
            key: RequestKey::from_halves(high, low),
            epoch: self.epoch.value(row),
            sequence: self.sequence.value(row),
            records: self.records.value(row),
            index: self.index.value(row),
        });
        Attempt { op: op_of(self.op.value(row)), after: self.after.hash(row), version: self.version.value(row), request }
    }
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef, name: &'static str) -> Result<arrow::array::PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().cloned().ok_or_else(|| damaged(name))
}
