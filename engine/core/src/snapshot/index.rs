//! The snapshot of a model as the diff needs it: for every record its key, its row hash, and where its values are.
//!
//! Sorted by key, with a directory over the keys' top bits: keys are uniform, so a look-up reads one directory entry
//! and then a handful of neighbours. Which records the new extraction has returned is a bitmap beside it, set
//! from several threads at once. 44 bytes and a bit for each record.

use std::sync::atomic::{AtomicU64, Ordering};

use outflow_contract::{Key, RowHash};
use outflow_ledger::changes::Locator;

/// How many keys share one entry of the directory, on average.
const KEYS_PER_ENTRY: usize = 4;

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

/// What the snapshot knows of a record that the extraction returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nothing: it is new.
    New,
    /// Its rank in the index.
    Known {
        /// Its place in the index.
        rank: usize,
        /// The row hash is the same.
        same: bool,
        /// The extraction has returned this key before.
        again: bool,
    },
}

/// The snapshot of a model, in memory.
#[derive(Default)]
pub struct KeyIndex {
    keys: Vec<(u64, u64)>,
    rows: Vec<(u64, u64)>,
    at: Vec<u64>,
    versions: Vec<u32>,
    /// What records are compared by, where it is not their row hash.
    compared: Option<Vec<(u64, u64)>>,
    /// For each value of a key's top bits, the first rank that is not smaller; one more at the end.
    directory: Vec<u32>,
    shift: u32,
    seen: Vec<AtomicU64>,
}

impl KeyIndex {
    /// From records in the order of their keys, each key once. `most`: how many there may be, so that no room is wasted on growing.
    pub fn from_sorted(records: impl Iterator<Item = Indexed>, most: usize) -> Self {
        let mut index = Self {
            keys: Vec::with_capacity(most),
            rows: Vec::with_capacity(most),
            at: Vec::with_capacity(most),
            versions: Vec::with_capacity(most),
            ..Self::default()
        };
        for record in records {
            debug_assert!(index.keys.last().is_none_or(|&last| last < record.key.halves()), "keys must ascend");
            index.keys.push(record.key.halves());
            index.rows.push(record.row.halves());
            index.at.push(record.at.0);
            index.versions.push(record.version);
        }
        index.build_directory();
        index.seen = (0..index.keys.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        index
    }

    fn build_directory(&mut self) {
        let bits = (self.keys.len() / KEYS_PER_ENTRY).max(2).ilog2();
        self.shift = 64 - bits;
        let entries = 1usize << bits;
        self.directory = Vec::with_capacity(entries + 1);
        for (rank, &(high, _)) in self.keys.iter().enumerate() {
            let entry = (high >> self.shift) as usize;
            while self.directory.len() <= entry {
                self.directory.push(rank as u32);
            }
        }
        self.directory.resize(entries + 1, self.keys.len() as u32);
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The record at `rank`.
    pub fn get(&self, rank: usize) -> Indexed {
        let ((kh, kl), (rh, rl)) = (self.keys[rank], self.rows[rank]);
        Indexed {
            key: Key::from_halves(kh, kl),
            row: RowHash::from_halves(rh, rl),
            at: Locator(self.at[rank]),
            version: self.versions[rank],
        }
    }

    /// All records, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = Indexed> {
        (0..self.len()).map(|rank| self.get(rank))
    }

    /// The rank of a key, if it is there.
    pub fn rank(&self, key: Key) -> Option<usize> {
        let wanted = key.halves();
        let entry = (wanted.0 >> self.shift) as usize;
        let (from, to) = (*self.directory.get(entry)? as usize, *self.directory.get(entry + 1)? as usize);
        self.keys[from..to].iter().position(|&key| key == wanted).map(|at| from + at)
    }

    /// Compares records by other hashes than their row hashes: one for each rank.
    pub fn compare_by(&mut self, hashes: Vec<RowHash>) {
        debug_assert_eq!(hashes.len(), self.len(), "one hash for each record");
        self.compared = Some(hashes.into_iter().map(RowHash::halves).collect());
    }

    /// Looks a record up and marks it as returned.
    pub fn probe(&self, key: Key, row: RowHash) -> Probe {
        let Some(rank) = self.rank(key) else { return Probe::New };
        let compared = self.compared.as_ref().unwrap_or(&self.rows)[rank];
        Probe::Known { rank, same: compared == row.halves(), again: self.mark(rank) }
    }

    /// Marks the record at `rank` as returned; true if it already was.
    pub fn mark(&self, rank: usize) -> bool {
        let bit = 1u64 << (rank % 64);
        self.seen[rank / 64].fetch_or(bit, Ordering::Relaxed) & bit != 0
    }

    /// The ranks that were not marked, ascending.
    pub fn unseen(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|&rank| self.seen[rank / 64].load(Ordering::Relaxed) >> (rank % 64) & 1 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(keys: &[u128]) -> KeyIndex {
        let record = |(i, &key): (usize, &u128)| Indexed { key: Key(key), row: RowHash(key + 1), at: Locator(i as u64), version: 1 };
        KeyIndex::from_sorted(keys.iter().enumerate().map(record), keys.len())
    }

    #[test]
    fn every_key_is_found_at_its_rank_and_no_other_is() {
        for n in [0usize, 1, 2, 7, 49, 1000] {
            let keys: Vec<u128> = (0..n as u128).map(|i| (i * i + 1) << 100 | i).collect();
            let index = index(&keys);
            for (rank, &key) in keys.iter().enumerate() {
                assert_eq!(index.rank(Key(key)), Some(rank));
                assert_eq!(index.rank(Key(key + 1)), None, "n={n}");
            }
            assert_eq!(index.rank(Key(0)), None);
            assert_eq!(index.rank(Key(u128::MAX)), None);
        }
    }

    #[test]
    fn a_probe_tells_same_from_changed_and_once_from_twice() {
        let index = index(&[5 << 64, 9 << 64]);
        assert_eq!(index.probe(Key(1), RowHash(0)), Probe::New);
        assert_eq!(index.probe(Key(9 << 64), RowHash((9 << 64) + 1)), Probe::Known { rank: 1, same: true, again: false });
        assert_eq!(index.probe(Key(9 << 64), RowHash(0)), Probe::Known { rank: 1, same: false, again: true });
        assert_eq!(index.unseen().collect::<Vec<_>>(), vec![0]);
    }
}
