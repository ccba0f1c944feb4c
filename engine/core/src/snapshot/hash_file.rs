//! A hash file: for each record its key, its row hash, where its values are, and the version of its state; by key, in columns.
//!
//! ```text
//! magic │ segment 0 │ … │ segment 255 │ table of segments │ checksum of the table │ magic
//!         └ key high │ row high │ key low │ row low │ place │ version     little endian, 44 bytes a record
//! ```
//!
//! A record's segment is the top byte of its key: keys are hashes, so all segments are of about the same size, and any of them can be
//! read, compared and written alone. The diff reads the first two columns, 16 bytes a record; the rest is looked at for records that have
//! changed. Hashes do not compress, so nothing is encoded. Each column of each segment has a CRC-32 in the table, since a damaged key would
//! be a record that is added and another that is deleted; the hash of the whole file, which the commit has, is for `outflow doctor`.
//!
//! A file that is laid over others may say that a record is gone: its row hash is 0, which no record's is.

use std::io::Write;

use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Key, Result, RowHash};
use outflow_ledger::changes::{FileWriter, Locator, PartFile, open_named};
use outflow_ledger::commit::HashFile;

use crate::scratch::{Placed, Stored, numbers, put};

/// Into how many parts keys fall, by their top byte.
pub const SEGMENTS: usize = 256;
const MAGIC: [u8; 8] = *b"OFHASH01";
/// The bytes of a value in each column: key high, row high, key low, row low, place, version.
const WIDTHS: [usize; 6] = [8, 8, 8, 8, 8, 4];
const RECORD_BYTES: u64 = 44;
/// One line of the table of segments: how many records, and the checksum of each column.
const LINE_BYTES: usize = 4 * (1 + WIDTHS.len());
const FOOTER_BYTES: usize = SEGMENTS * LINE_BYTES + 4 + MAGIC.len();

/// One record of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Which record.
    pub key: Key,
    /// Its state.
    pub row: RowHash,
    /// Where its values are.
    pub at: Locator,
    /// The version in which this state appeared.
    pub version: u32,
}

impl Indexed {
    /// In a file that is laid over others: this record is there no more.
    pub fn gone(key: Key, version: u32) -> Self {
        Self { key, row: RowHash(0), at: Locator(0), version }
    }

    /// Is that what it says?
    pub fn is_gone(&self) -> bool {
        self.row.0 == 0
    }
}

impl Stored for Indexed {
    const BYTES: usize = RECORD_BYTES as usize;

    fn store(&self, into: &mut Vec<u8>) {
        let ((key_high, key_low), (row_high, row_low)) = (self.key.halves(), self.row.halves());
        put(into, &[key_high, key_low, row_high, row_low, self.at.0]);
        into.extend_from_slice(&self.version.to_le_bytes());
    }

    fn load(bytes: &[u8]) -> Self {
        let mut next = numbers(bytes);
        let (key, row) = (Key::from_halves(next(), next()), RowHash::from_halves(next(), next()));
        let at = Locator(next());
        Self { key, row, at, version: bytes.last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last)) }
    }
}

impl Placed for Indexed {
    fn at(&self) -> Locator {
        self.at
    }
}

/// In which segment a key is.
pub fn segment_of(key_high: u64) -> usize {
    (key_high >> 56) as usize
}

/// Writes a hash file.
pub struct HashFileWriter {
    file: FileWriter,
    path: String,
    columns: [Vec<u8>; 6],
    /// The segment that is being gathered.
    segment: usize,
    records: u32,
    table: Vec<u8>,
    rows: u64,
    last: Option<Key>,
}

impl HashFileWriter {
    /// At `path`, where nothing is.
    pub fn begin(store: &dyn StateStore, path: &str) -> Result<Self> {
        let mut writer = Self {
            file: FileWriter::begin(store, path)?,
            path: path.to_owned(),
            columns: Default::default(),
            segment: 0,
            records: 0,
            table: Vec::with_capacity(SEGMENTS * LINE_BYTES),
            rows: 0,
            last: None,
        };
        writer.put(&MAGIC)?;
        Ok(writer)
    }

    /// The next record: keys ascend, each comes once.
    pub fn push(&mut self, record: Indexed) -> Result<()> {
        if self.last.is_some_and(|last| last >= record.key) {
            return Err(Error::bug(format!("the keys of {} do not ascend", self.path)));
        }
        self.last = Some(record.key);
        let ((key_high, key_low), (row_high, row_low)) = (record.key.halves(), record.row.halves());
        while self.segment < segment_of(key_high) {
            self.end_segment()?;
        }
        let words = [key_high, row_high, key_low, row_low, record.at.0];
        for (column, word) in self.columns.iter_mut().zip(words) {
            column.extend_from_slice(&word.to_le_bytes());
        }
        self.columns[5].extend_from_slice(&record.version.to_le_bytes());
        self.records += 1;
        Ok(())
    }

    fn end_segment(&mut self) -> Result<()> {
        self.table.extend_from_slice(&self.records.to_le_bytes());
        let mut columns = std::mem::take(&mut self.columns);
        for column in &mut columns {
            self.table.extend_from_slice(&crc32fast::hash(column).to_le_bytes());
            self.put(column)?;
            column.clear();
        }
        self.columns = columns;
        self.rows += u64::from(self.records);
        (self.records, self.segment) = (0, self.segment + 1);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::io(format!("could not write {}", self.path), error))
    }

    /// Makes it durable: what is known up to `version`.
    pub fn finish(mut self, version: u64) -> Result<HashFile> {
        while self.segment < SEGMENTS {
            self.end_segment()?;
        }
        let mut footer = std::mem::take(&mut self.table);
        footer.extend_from_slice(&crc32fast::hash(&footer).to_le_bytes());
        footer.extend_from_slice(&MAGIC);
        self.put(&footer)?;
        let info = self.file.finish(self.rows)?;
        Ok(HashFile { path: info.path, version, rows: info.rows, bytes: info.bytes, blake3: info.blake3 })
    }
}

/// Which columns of a segment are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// The upper halves of keys and row hashes: what a table is made of.
    Upper,
    /// Those, and the lower halves of the keys.
    Keys,
    /// All.
    All,
}

impl Columns {
    fn count(self) -> usize {
        match self {
            Self::Upper => 2,
            Self::Keys => 3,
            Self::All => WIDTHS.len(),
        }
    }
}

/// A hash file, open for reading.
pub struct HashFileReader {
    file: PartFile,
    segments: Vec<SegmentInfo>,
}

struct SegmentInfo {
    offset: u64,
    records: usize,
    checksums: [u32; 6],
}

impl HashFileReader {
    /// Opens the file that a commit names.
    pub fn open(store: &dyn StateStore, named: &HashFile) -> Result<Self> {
        let file = open_named(store, &named.path)?;
        let damaged = |what: &str| file.damaged(what);
        let tail = file.size().checked_sub(FOOTER_BYTES as u64).ok_or_else(|| damaged("it is too short"))?;
        let footer = file.bytes(tail, FOOTER_BYTES)?;
        let (table, end) = footer.split_at(SEGMENTS * LINE_BYTES);
        if end[4..] != MAGIC || end[..4] != crc32fast::hash(table).to_le_bytes() {
            return Err(damaged("its table of segments does not hold"));
        }
        if file.bytes(0, MAGIC.len())? != MAGIC[..] {
            return Err(damaged("it does not begin as a hash file does"));
        }
        let mut offset = MAGIC.len() as u64;
        let segments: Vec<SegmentInfo> = table
            .chunks_exact(LINE_BYTES)
            .map(|line| {
                let mut numbers = line.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
                let records = numbers.next().unwrap_or_default() as usize;
                let segment = SegmentInfo { offset, records, checksums: std::array::from_fn(|_| numbers.next().unwrap_or_default()) };
                offset += records as u64 * RECORD_BYTES;
                segment
            })
            .collect();
        if offset != tail {
            return Err(damaged("it is not as long as its table of segments says"));
        }
        Ok(Self { file, segments })
    }

    /// How many records are in a segment.
    pub fn records(&self, segment: usize) -> usize {
        self.segments[segment].records
    }

    /// Reads columns of a segment, and checks them. `buffer` is used for that, whatever it holds.
    pub fn segment(&self, segment: usize, columns: Columns, mut buffer: Vec<u8>) -> Result<Segment> {
        let info = &self.segments[segment];
        let widths = &WIDTHS[..columns.count()];
        buffer.resize(info.records * widths.iter().sum::<usize>(), 0);
        self.file.fill(info.offset, &mut buffer)?;
        let (mut from, mut starts) = (0, [0; 7]);
        for (column, (width, checksum)) in widths.iter().zip(info.checksums).enumerate() {
            let to = from + width * info.records;
            if crc32fast::hash(&buffer[from..to]) != checksum {
                return Err(self.file.damaged(format!("segment {segment} does not hold")));
            }
            starts[column + 1] = to;
            from = to;
        }
        starts[widths.len() + 1..].fill(from);
        Ok(Segment { bytes: buffer, starts, records: info.records })
    }
}

/// Columns of a segment of one file.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    bytes: Vec<u8>,
    /// Where each column begins, and where the last one ends.
    starts: [usize; 7],
    records: usize,
}

impl Segment {
    /// How many records.
    pub fn len(&self) -> usize {
        self.records
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// What it was read into, to read the next one into.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    fn column(&self, column: usize) -> &[u8] {
        &self.bytes[self.starts[column]..self.starts[column + 1]]
    }

    fn words(&self, column: usize) -> &[[u8; 8]] {
        self.column(column).as_chunks().0
    }

    /// The upper halves of the keys, ascending.
    pub fn key_highs(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.words(0).iter().map(|word| u64::from_le_bytes(*word))
    }

    /// The upper halves of the row hashes.
    pub fn row_highs(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.words(1).iter().map(|word| u64::from_le_bytes(*word))
    }

    /// The upper half of record `i`'s row hash.
    pub fn row_high(&self, i: usize) -> u64 {
        u64::from_le_bytes(self.words(1)[i])
    }

    /// The key of record `i`; [`Columns::Keys`] must have been read.
    pub fn key(&self, i: usize) -> Key {
        Key::from_halves(u64::from_le_bytes(self.words(0)[i]), u64::from_le_bytes(self.words(2)[i]))
    }

    /// Record `i`; [`Columns::All`] must have been read.
    pub fn get(&self, i: usize) -> Indexed {
        let word = |column: usize| u64::from_le_bytes(self.words(column)[i]);
        let version = self.column(5).as_chunks::<4>().0[i];
        Indexed {
            key: self.key(i),
            row: RowHash::from_halves(word(1), word(3)),
            at: Locator(word(4)),
            version: u32::from_le_bytes(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use outflow_contract::Kind;
    use outflow_contract::state_store::StateStore;
    use outflow_ledger::store::MemoryStore;

    use super::*;

    fn record(i: u128) -> Indexed {
        let key = Key(i << 113 | i);
        Indexed { key, row: RowHash(i << 64 | 1 << 64 | 7), at: Locator(i as u64), version: i as u32 }
    }

    fn written(store: &dyn StateStore, records: u128) -> HashFile {
        let mut writer = HashFileWriter::begin(store, "models/m/snapshots/1/a").unwrap();
        (0..records).for_each(|i| writer.push(record(i)).unwrap());
        writer.finish(9).unwrap()
    }

    #[test]
    fn records_come_back_from_their_segments_in_order() {
        for records in [0u128, 1, 300, 30_000] {
            let store = MemoryStore::new();
            let named = written(&store, records);
            assert_eq!((u128::from(named.rows), named.version), (records, 9));
            let reader = HashFileReader::open(&store, &named).unwrap();
            let mut all = Vec::new();
            for segment in 0..SEGMENTS {
                let found = reader.segment(segment, Columns::All, Vec::new()).unwrap();
                assert_eq!(found.len(), reader.records(segment));
                all.extend((0..found.len()).map(|i| found.get(i)));
                let upper = reader.segment(segment, Columns::Upper, vec![7; 5]).unwrap();
                assert!(upper.key_highs().all(|key| segment_of(key) == segment));
                assert!(upper.row_highs().zip(0..).all(|(high, i)| high == found.get(i).row.halves().0));
            }
            assert!(all.into_iter().eq((0..records).map(record)), "{records}");
        }
    }

    #[test]
    fn keys_that_do_not_ascend_are_refused() {
        let store = MemoryStore::new();
        let mut writer = HashFileWriter::begin(&store, "a").unwrap();
        writer.push(record(4)).unwrap();
        assert_eq!(writer.push(record(4)).unwrap_err().kind(), Kind::Bug);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found_before_it_is_believed() {
        let store = MemoryStore::new();
        let named = written(&store, 300);
        let whole = store.read(&named.path).unwrap().unwrap();
        let read = |bytes: Vec<u8>| {
            let store = MemoryStore::new();
            store.create(&named.path, bytes.into()).unwrap();
            let reader = HashFileReader::open(&store, &named)?;
            (0..SEGMENTS).try_for_each(|segment| reader.segment(segment, Columns::All, Vec::new()).map(|_| ()))
        };
        read(whole.to_vec()).unwrap();
        for at in (0..whole.len()).step_by(61) {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1 << (at % 8);
            assert_eq!(read(bytes).unwrap_err().kind(), Kind::Corrupt, "byte {at}");
        }
        for cut in [1, 9, whole.len() / 2, whole.len() - 3] {
            assert_eq!(read(whole[..whole.len() - cut].to_vec()).unwrap_err().kind(), Kind::Corrupt, "without the last {cut}");
        }
    }
}
