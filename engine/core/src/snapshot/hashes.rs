//! The hash snapshot of a model: a base, and the files that later versions laid over it, read together a segment at a time.
//!
//! A version writes what it has changed, so a sync costs as much as has changed; the base is written anew once what lies over it has
//! grown ([`wants_new_base`]), so that reading stays proportional to the number of records. Memory: a segment, some 1/256 of the model.

use std::collections::BTreeSet;

use outflow_contract::state_store::StateStore;
use outflow_contract::{Key, Result};
use outflow_ledger::changes::Locator;
use outflow_ledger::commit::{HashFile, ModelCommit};

use super::hash_file::{Columns, HashFileReader, HashFileWriter, Indexed, SEGMENTS, Segment, segment_of};

/// The base is written anew once what lies over it is more than an eighth of it …
const OVERLAY_SHARE: u64 = 8;
/// … or once so many files do, each to be opened.
const OVERLAY_FILES_MAX: usize = 32;

/// Should the base be written anew with the version that has so many `changes`?
pub fn wants_new_base(head: &ModelCommit, changes: u64) -> bool {
    let Some((base, later)) = head.hashes.split_first() else { return true };
    let entries: u64 = later.iter().map(|file| file.rows).sum();
    later.len() >= OVERLAY_FILES_MAX || (entries + changes) * OVERLAY_SHARE > base.rows
}

/// The hash snapshot at the head of a model, open for reading.
#[derive(Default)]
pub struct HashSnapshot {
    /// The base, and what lies over it, oldest first.
    files: Vec<HashFileReader>,
}

impl HashSnapshot {
    /// Opens the files that `head` names.
    pub fn open(store: &dyn StateStore, head: &ModelCommit) -> Result<Self> {
        let files = head.hashes.iter().map(|file| HashFileReader::open(store, file)).collect::<Result<_>>()?;
        Ok(Self { files })
    }

    /// Without any record.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// As many records as a segment can have: what lies over it may replace some.
    pub fn records_at_most(&self, segment: usize) -> usize {
        self.files.iter().map(|file| file.records(segment)).sum()
    }

    /// As many records as all segments can have.
    pub fn all_records_at_most(&self) -> usize {
        (0..SEGMENTS).map(|segment| self.records_at_most(segment)).sum()
    }

    /// Reads a segment.
    pub fn segment(&self, segment: usize, columns: Columns) -> Result<Merged> {
        self.segment_in(segment, columns, Vec::new())
    }

    /// Those of `keys`, which ascend, that are there. Memory: a segment, and what is found.
    pub fn find(&self, keys: &[Key]) -> Result<Vec<Indexed>> {
        let mut found = Vec::new();
        for keys in keys.chunk_by(|a, b| segment_of(a.halves().0) == segment_of(b.halves().0)) {
            let Some(first) = keys.first() else { continue };
            let merged = self.segment(segment_of(first.halves().0), Columns::All)?;
            let mut keys = keys.iter().peekable();
            merged.each(|_, place| {
                let key = merged.key(place);
                while keys.next_if(|wanted| **wanted < key).is_some() {}
                if keys.next_if(|wanted| **wanted == key).is_some() {
                    found.push(merged.get(place));
                }
            });
        }
        Ok(found)
    }

    /// Reads a segment into a buffer that an earlier one was read into.
    pub fn segment_in(&self, segment: usize, columns: Columns, buffer: Vec<u8>) -> Result<Merged> {
        let Some((base, later)) = self.files.split_first() else { return Ok(Merged::default()) };
        // Which record of the base a later one replaces is told by the whole key.
        let columns = if later.is_empty() || columns != Columns::Upper { columns } else { Columns::Keys };
        let mut merged = Merged { base: base.segment(segment, columns, buffer)?, later: Vec::new() };
        for file in later {
            let found = file.segment(segment, Columns::All, Vec::new())?;
            merged.lay_over((0..found.len()).map(|i| found.get(i)));
        }
        Ok(merged)
    }
}

/// A segment as the files together tell it.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    base: Segment,
    /// What lies over it, by key, the newest of each.
    later: Vec<Indexed>,
}

/// Where a record of a [`Merged`] segment stands.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// In the base.
    Base(usize),
    /// In what lies over it.
    Later(usize),
}

impl Merged {
    /// What it was read into.
    pub fn into_buffer(self) -> Vec<u8> {
        self.base.into_buffer()
    }

    /// Lays records over it, which ascend.
    pub fn lay_over(&mut self, newer: impl Iterator<Item = Indexed>) {
        let old = std::mem::take(&mut self.later);
        self.later.reserve(old.len());
        let (mut old, mut newer) = (old.into_iter().peekable(), newer.peekable());
        while let Some(record) = next_of(&mut old, &mut newer) {
            self.later.push(record);
        }
    }

    /// As many records as it can have.
    pub fn records_at_most(&self) -> usize {
        self.base.len() + self.later.len()
    }

    /// Hands out every record that is there, with the upper half of its key, in the order of keys.
    pub fn each(&self, mut each: impl FnMut(u64, Place)) {
        let mut later = self.later.iter().enumerate().peekable();
        for (i, key_high) in self.base.key_highs().enumerate() {
            let mut replaced = false;
            while let Some((j, record)) = later.next_if(|(_, record)| {
                let high = record.key.halves().0;
                high < key_high || high == key_high && record.key <= self.base.key(i)
            }) {
                replaced |= record.key.halves().0 == key_high && record.key == self.base.key(i);
                if !record.is_gone() {
                    each(record.key.halves().0, Place::Later(j));
                }
            }
            if !replaced {
                each(key_high, Place::Base(i));
            }
        }
        later.filter(|(_, record)| !record.is_gone()).for_each(|(j, record)| each(record.key.halves().0, Place::Later(j)));
    }

    /// The upper half of a record's row hash.
    #[inline]
    pub fn row_high(&self, place: Place) -> u64 {
        match place {
            Place::Base(i) => self.base.row_high(i),
            Place::Later(i) => self.later[i].row.halves().0,
        }
    }

    /// The key of a record; [`Columns::Keys`] must have been read.
    pub fn key(&self, place: Place) -> Key {
        match place {
            Place::Base(i) => self.base.key(i),
            Place::Later(i) => self.later[i].key,
        }
    }

    /// A record; [`Columns::All`] must have been read.
    pub fn get(&self, place: Place) -> Indexed {
        match place {
            Place::Base(i) => self.base.get(i),
            Place::Later(i) => self.later[i],
        }
    }
}

/// The next of two ascending series; of two records with one key the newer.
fn next_of(
    old: &mut std::iter::Peekable<impl Iterator<Item = Indexed>>,
    newer: &mut std::iter::Peekable<impl Iterator<Item = Indexed>>,
) -> Option<Indexed> {
    match (old.peek(), newer.peek()) {
        (Some(before), Some(record)) if before.key < record.key => old.next(),
        (Some(before), Some(record)) => {
            if before.key == record.key {
                old.next();
            }
            newer.next()
        }
        (Some(_), None) => old.next(),
        (None, _) => newer.next(),
    }
}

/// Hands out every record of the snapshot at the head of a model, in the order of keys, without holding them all.
pub fn for_each(store: &dyn StateStore, head: &ModelCommit, mut each: impl FnMut(Indexed) -> Result<()>) -> Result<()> {
    let snapshot = HashSnapshot::open(store, head)?;
    for segment in 0..SEGMENTS {
        let merged = snapshot.segment(segment, Columns::All)?;
        let mut result = Ok(());
        merged.each(|_, place| {
            if result.is_ok() {
                result = each(merged.get(place));
            }
        });
        result?;
    }
    Ok(())
}

/// Those of `keys` that the snapshot at the head of a model has, in their order.
pub fn find(store: &dyn StateStore, head: &ModelCommit, keys: &BTreeSet<Key>) -> Result<Vec<Indexed>> {
    HashSnapshot::open(store, head)?.find(&keys.iter().copied().collect::<Vec<_>>())
}

/// Writes the snapshot at the head of a model as a base of its own, with each record's values where `place` says that they are now.
pub fn rewrite(store: &dyn StateStore, head: &ModelCommit, path: &str, place: impl Fn(Locator) -> Locator) -> Result<HashFile> {
    let mut writer = HashFileWriter::begin(store, path)?;
    for_each(store, head, |record| writer.push(Indexed { at: place(record.at), ..record }))?;
    writer.finish(head.version)
}

#[cfg(test)]
mod tests {
    use outflow_contract::RowHash;
    use outflow_ledger::commit::{Dropped, ExtractionInfo};
    use outflow_ledger::store::MemoryStore;

    use super::*;

    /// A record of the `i`th of some keys that are spread over all segments.
    fn at(i: u64, version: u32) -> Indexed {
        let key = Key(u128::from(i) << 114 | u128::from(i));
        Indexed { key, row: RowHash(u128::from(i) << 64 | 1 << 64), at: Locator::new(version, i as u32), version }
    }

    fn file(store: &MemoryStore, version: u32, records: &[Indexed]) -> HashFile {
        let mut writer = HashFileWriter::begin(store, &format!("models/m/snapshots/{version}/a")).unwrap();
        for &record in records {
            writer.push(record).unwrap();
        }
        writer.finish(u64::from(version)).unwrap()
    }

    fn head(hashes: Vec<HashFile>) -> ModelCommit {
        ModelCommit {
            number: 1,
            version: hashes.len() as u64,
            at: String::new(),
            schema: None,
            id: Vec::new(),
            salt: 0,
            hash_format: 1,
            query_hash: String::new(),
            files: Vec::new(),
            hashes,
            versions: Vec::new(),
            dropped: Dropped::default(),
            next_file: 0,
            extraction: ExtractionInfo::default(),
        }
    }

    fn all(store: &MemoryStore, head: &ModelCommit) -> Vec<Indexed> {
        let mut all = Vec::new();
        for_each(store, head, |record| {
            all.push(record);
            Ok(())
        })
        .unwrap();
        all
    }

    #[test]
    fn later_files_replace_remove_and_add_records() {
        let store = MemoryStore::new();
        let base = file(&store, 1, &[at(2, 1), at(4, 1), at(6, 1), at(8, 1)]);
        let second = file(&store, 2, &[at(1, 2), Indexed::gone(at(2, 1).key, 2), at(4, 2), at(9, 2)]);
        let third = file(&store, 3, &[Indexed::gone(at(1, 2).key, 3), at(2, 3), Indexed::gone(at(8, 1).key, 3)]);
        let head = head(vec![base, second, third]);
        let seen: Vec<_> = all(&store, &head).iter().map(|record| (record.at.row(), record.version)).collect();
        assert_eq!(seen, vec![(2, 3), (4, 2), (6, 1), (9, 2)]);
        let snapshot = HashSnapshot::open(&store, &head).unwrap();
        let mut upper = Vec::new();
        for segment in 0..SEGMENTS {
            let merged = snapshot.segment(segment, Columns::Upper).unwrap();
            merged.each(|key_high, place| upper.push((key_high, merged.row_high(place))));
        }
        let halves = |record: &Indexed| (record.key.halves().0, record.row.halves().0);
        assert_eq!(upper, all(&store, &head).iter().map(halves).collect::<Vec<_>>());
    }

    #[test]
    fn a_few_records_are_found_by_their_keys() {
        let store = MemoryStore::new();
        let records: Vec<Indexed> = (0..1000).map(|i| at(i, 1)).collect();
        let head = head(vec![file(&store, 1, &records), file(&store, 2, &[Indexed::gone(at(7, 1).key, 2), at(9, 2)])]);
        let keys = [7, 8, 9, 900, 5000].map(|i| at(i, 0).key).into_iter().collect();
        let found = find(&store, &head, &keys).unwrap();
        assert_eq!(found, vec![at(8, 1), at(9, 2), at(900, 1)]);
    }

    #[test]
    fn keys_that_share_their_upper_half_are_told_apart() {
        let store = MemoryStore::new();
        let key = |low: u64| Key::from_halves(7 << 60, low);
        let record = |low: u64, version: u32| Indexed { key: key(low), ..at(1, version) };
        let base = file(&store, 1, &[record(3, 1), record(5, 1)]);
        let later = file(&store, 2, &[record(2, 2), Indexed::gone(key(5), 2), record(9, 2)]);
        let seen: Vec<_> = all(&store, &head(vec![base, later])).iter().map(|record| (record.key.halves().1, record.version)).collect();
        assert_eq!(seen, vec![(2, 2), (3, 1), (9, 2)]);
    }

    #[test]
    fn a_snapshot_is_rewritten_with_other_places_and_read_back_in_order() {
        let store = MemoryStore::new();
        let records: Vec<Indexed> = (0..10_000).map(|i| at(i, 1)).collect();
        let old = head(vec![file(&store, 1, &records)]);
        let even = |place: Locator| if place.row().is_multiple_of(2) { Locator::new(2, place.row() / 2) } else { place };
        let base = rewrite(&store, &old, "models/m/snapshots/1/b", even).unwrap();
        let wanted: Vec<Indexed> = records.iter().map(|record| Indexed { at: even(record.at), ..*record }).collect();
        assert_eq!(all(&store, &head(vec![base])), wanted);
    }

    #[test]
    fn the_base_is_written_anew_when_what_lies_over_it_has_grown() {
        let with = |base: u64, later: &[u64]| {
            let file = |rows: u64| HashFile { path: String::new(), version: 1, rows, bytes: 0, blake3: String::new() };
            head([base].iter().chain(later).map(|&rows| file(rows)).collect())
        };
        assert!(wants_new_base(&head(Vec::new()), 1));
        assert!(!wants_new_base(&with(800, &[50]), 50));
        assert!(wants_new_base(&with(800, &[50]), 51));
        assert!(!wants_new_base(&with(1 << 20, &[1; OVERLAY_FILES_MAX - 1]), 1));
        assert!(wants_new_base(&with(1 << 20, &[1; OVERLAY_FILES_MAX]), 1));
    }
}
