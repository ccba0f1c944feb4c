//! The key index on disk. The base is one Parquet file, sorted by key, plain and uncompressed, since hashes do not compress;
//! the versions since then are laid over it from their change sets, so that a sync writes as much as has changed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::snapshot::PartReader;
use arrow::array::AsArray;
use arrow::array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type, UInt64Type};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Key, Result, RowHash};
use outflow_ledger::changes::{EntryReader, Locator, PartWriter, open_named};
use outflow_ledger::commit::{IndexFile, ModelCommit};

use super::{Indexed, KeyIndex};

/// Entries of one batch while reading and writing.
const BATCH: usize = 16 * 1024;
/// The base is written anew once the entries laid over it are more than an eighth of it: the cost of a sync stays
/// proportional to its changes, the cost of loading to the number of records.
const OVERLAY_SHARE: u64 = 8;
/// … or once this many versions lie over it, each a file to open.
const OVERLAY_VERSIONS_MAX: u64 = 32;

fn schema() -> SchemaRef {
    let word = |name: &str| Field::new(name, DataType::UInt64, false);
    let mut fields: Vec<Field> = ["key_high", "key_low", "row_high", "row_low", "at"].map(word).into();
    fields.push(Field::new("version", DataType::UInt32, false));
    Arc::new(Schema::new(fields))
}

/// Should the base be written anew with the version that has `changes`?
pub fn wants_new_base(head: &ModelCommit, changes: u64) -> bool {
    let Some(base) = &head.index else { return true };
    let later = head.versions.iter().filter(|version| version.version > base.version);
    let (versions, entries) = later.fold((0, 0), |(n, sum), version| (n + 1, sum + version.counts.total()));
    versions >= OVERLAY_VERSIONS_MAX || (entries + changes) * OVERLAY_SHARE > base.rows
}

/// Loads the snapshot at the head of `model`.
pub fn load(store: &dyn StateStore, head: &ModelCommit) -> Result<KeyIndex> {
    let overlay = load_overlay(store, head)?;
    let Some(base) = &head.index else {
        let most = overlay.len();
        return Ok(KeyIndex::from_sorted(overlay.into_iter().filter_map(|(_, entry)| entry), most));
    };
    let mut failure = None;
    // It ends at the first failure: what cannot be read would fail again and again.
    let base_entries = read_base(store, base)?.map_while(|batch| batch.map_err(|error| failure = Some(error)).ok()).flatten();
    let most = base.rows as usize + overlay.len();
    let index = KeyIndex::from_sorted(laid_over(base_entries, overlay.into_iter()), most);
    match failure {
        Some(error) => Err(error),
        None => Ok(index),
    }
}

/// Hands out every record of the snapshot at the head of a model, in the order of keys, without holding them all.
pub fn for_each(store: &dyn StateStore, head: &ModelCommit, each: impl FnMut(Indexed) -> Result<()>) -> Result<()> {
    let overlay = load_overlay(store, head)?;
    let failure = RefCell::new(None);
    let entries = |batch: Result<Vec<Indexed>>| batch.map_err(|error| failure.replace(Some(error))).ok();
    let base: Box<dyn Iterator<Item = Indexed> + '_> = match &head.index {
        Some(base) => Box::new(read_base(store, base)?.map_while(entries).flatten()),
        None => Box::new(std::iter::empty()),
    };
    laid_over(base, overlay.into_iter()).try_for_each(each)?;
    failure.take().map_or(Ok(()), Err)
}

/// Writes the snapshot at the head of a model as a base of its own, with each record's values where `place` says that they are now.
pub fn rewrite(store: &dyn StateStore, head: &ModelCommit, path: &str, place: impl Fn(Locator) -> Locator) -> Result<IndexFile> {
    let mut writer = IndexWriter::new(store, path)?;
    for_each(store, head, |record| writer.push(Indexed { at: place(record.at), ..record }))?;
    writer.finish(head.version)
}

/// The base with newer entries laid over it: both ascend; a newer entry without a state removes.
fn laid_over(base: impl Iterator<Item = Indexed>, newer: impl Iterator<Item = (Key, Option<Indexed>)>) -> impl Iterator<Item = Indexed> {
    let (mut base, mut newer) = (base.peekable(), newer.peekable());
    std::iter::from_fn(move || {
        loop {
            let take_newer = match (base.peek(), newer.peek()) {
                (_, None) => return base.next(),
                (None, Some(_)) => true,
                (Some(old), Some((key, _))) => {
                    if old.key == *key {
                        base.next();
                    }
                    old_is_later(base.peek(), *key)
                }
            };
            if !take_newer {
                return base.next();
            }
            if let Some((_, Some(entry))) = newer.next() {
                return Some(entry);
            }
        }
    })
}

fn old_is_later(old: Option<&Indexed>, key: Key) -> bool {
    old.is_none_or(|old| old.key > key)
}

/// The last entry of each key in the versions after the base, by key.
fn load_overlay(store: &dyn StateStore, head: &ModelCommit) -> Result<Vec<(Key, Option<Indexed>)>> {
    let from = head.index.as_ref().map_or(0, |base| base.version);
    let mut latest: HashMap<Key, Option<Indexed>> = HashMap::new();
    for version in head.versions.iter().filter(|version| version.version > from) {
        for id in &version.files {
            let file = head.files.iter().find(|file| file.id == *id);
            let file =
                file.ok_or_else(|| Error::corrupt(format!("version {} names a file that its commit does not list", version.version)))?;
            let mut place = 0u64;
            for batch in PartReader::open(store, &file.path)?.narrow().read()? {
                let batch = batch?;
                let entries = EntryReader::new(&batch)?;
                for i in 0..entries.len() {
                    let (entry, _) = entries.get(i);
                    let at = Locator::new(file.id, (place + i as u64) as u32);
                    let now = entry.after.map(|row| Indexed { key: entry.key, row, at, version: entry.version as u32 });
                    latest.insert(entry.key, now);
                }
                place += entries.len() as u64;
            }
        }
    }
    let mut sorted: Vec<_> = latest.into_iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    Ok(sorted)
}

fn read_base(store: &dyn StateStore, file: &IndexFile) -> Result<impl Iterator<Item = Result<Vec<Indexed>>>> {
    // A damaged key would be a record that is added, and another that is deleted.
    open_named(store, &file.path)?.verify(&file.blake3)?;
    let batches = PartReader::open(store, &file.path)?.batch_size(BATCH).read()?;
    Ok(batches.map(|batch| batch.and_then(|batch| entries_of(&batch))))
}

fn entries_of(batch: &RecordBatch) -> Result<Vec<Indexed>> {
    if batch.schema_ref().fields() != schema().fields() {
        return Err(Error::corrupt("a key index has other columns than this version of Outflow writes"));
    }
    let word = |i: usize| batch.column(i).as_primitive::<UInt64Type>().values();
    let (kh, kl, rh, rl, at) = (word(0), word(1), word(2), word(3), word(4));
    let version = batch.column(5).as_primitive::<UInt32Type>().values();
    let entry = |i: usize| Indexed {
        key: Key::from_halves(kh[i], kl[i]),
        row: RowHash::from_halves(rh[i], rl[i]),
        at: Locator(at[i]),
        version: version[i],
    };
    Ok((0..batch.num_rows()).map(entry).collect())
}

/// Writes a base.
pub struct IndexWriter {
    part: PartWriter,
    waiting: Vec<Indexed>,
}

impl IndexWriter {
    /// At `path`.
    pub fn new(store: &dyn StateStore, path: &str) -> Result<Self> {
        Ok(Self { part: PartWriter::begin(store, path, schema())?, waiting: Vec::with_capacity(BATCH) })
    }

    /// The next record, in the order of keys.
    pub fn push(&mut self, entry: Indexed) -> Result<()> {
        self.waiting.push(entry);
        if self.waiting.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let column = |word: fn(&Indexed) -> u64| -> ArrayRef { Arc::new(self.waiting.iter().map(word).collect::<UInt64Array>()) };
        let columns = vec![
            column(|e| e.key.halves().0),
            column(|e| e.key.halves().1),
            column(|e| e.row.halves().0),
            column(|e| e.row.halves().1),
            column(|e| e.at.0),
            Arc::new(self.waiting.iter().map(|e| e.version).collect::<UInt32Array>()) as ArrayRef,
        ];
        let batch =
            RecordBatch::try_new(schema(), columns).map_err(|e| Error::bug("could not build a batch of the key index").caused_by(e))?;
        self.waiting.clear();
        self.part.write(&batch)
    }

    /// Makes it durable: the snapshot at `version`.
    pub fn finish(mut self, version: u64) -> Result<IndexFile> {
        self.flush()?;
        let info = self.part.finish()?;
        Ok(IndexFile { path: info.path, version, rows: info.rows, bytes: info.bytes, blake3: info.blake3 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(key: u128, version: u32) -> Indexed {
        Indexed { key: Key(key), row: RowHash(key), at: Locator(0), version }
    }

    #[test]
    fn a_snapshot_is_rewritten_with_other_places_and_read_back_in_order() {
        let store = outflow_ledger::store::MemoryStore::new();
        let mut writer = IndexWriter::new(&store, "models/m/snapshots/1/a").unwrap();
        let records: Vec<Indexed> = (0..40_000).map(|i| Indexed { at: Locator::new(1, i), ..at(u128::from(i) << 90, 1) }).collect();
        for &record in &records {
            writer.push(record).unwrap();
        }
        let head = ModelCommit { index: Some(writer.finish(1).unwrap()), version: 1, ..empty() };
        let even = |place: Locator| if place.row().is_multiple_of(2) { Locator::new(2, place.row() / 2) } else { place };
        let index = rewrite(&store, &head, "models/m/snapshots/1/b", even).unwrap();
        assert_eq!(index.rows, 40_000);
        let mut seen = Vec::new();
        for_each(&store, &ModelCommit { index: Some(index), ..head }, |record| {
            seen.push(record);
            Ok(())
        })
        .unwrap();
        assert!(seen.iter().zip(&records).all(|(new, old)| *new == Indexed { at: even(old.at), ..*old }) && seen.len() == records.len());
    }

    fn empty() -> ModelCommit {
        ModelCommit {
            number: 1,
            version: 0,
            at: String::new(),
            schema: None,
            id: Vec::new(),
            salt: 0,
            hash_format: 1,
            query_hash: String::new(),
            files: Vec::new(),
            index: None,
            versions: Vec::new(),
            dropped: outflow_ledger::commit::Dropped::default(),
            next_file: 0,
            extraction: outflow_ledger::commit::ExtractionInfo::default(),
        }
    }

    #[test]
    fn newer_entries_replace_remove_and_join_the_base() {
        let base = [at(2, 1), at(4, 1), at(6, 1)];
        let newer = [(Key(1), Some(at(1, 2))), (Key(2), None), (Key(4), Some(at(4, 2))), (Key(5), None), (Key(9), Some(at(9, 2)))];
        let seen: Vec<_> = laid_over(base.into_iter(), newer.into_iter()).map(|e| (e.key.0, e.version)).collect();
        assert_eq!(seen, vec![(1, 2), (4, 2), (6, 1), (9, 2)]);
    }
}
