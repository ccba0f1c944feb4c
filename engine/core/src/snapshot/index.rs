//! The snapshot of a model in memory, to look records up by their keys: for what is not the main path. 44 bytes a record.
//!
//! Sorted by key, with a directory over the keys' top bits: keys are uniform, so a look-up reads one directory entry and then a handful of
//! neighbours.

use outflow_contract::state_store::StateStore;
use outflow_contract::{Key, Result, RowHash};
use outflow_ledger::changes::Locator;
use outflow_ledger::commit::ModelCommit;

use super::hash_file::Indexed;
use super::hashes;

/// How many keys share one entry of the directory, on average.
const KEYS_PER_ENTRY: usize = 4;

/// The snapshot of a model, in memory.
#[derive(Default)]
pub struct KeyIndex {
    keys: Vec<(u64, u64)>,
    rows: Vec<(u64, u64)>,
    at: Vec<u64>,
    versions: Vec<u32>,
    /// For each value of a key's top bits, the first rank that is not smaller; one more at the end.
    directory: Vec<u32>,
    shift: u32,
}

impl KeyIndex {
    /// Loads the snapshot at the head of a model.
    pub fn load(store: &dyn StateStore, head: &ModelCommit) -> Result<Self> {
        let mut index = Self::default();
        hashes::for_each(store, head, |record| {
            index.push(record);
            Ok(())
        })?;
        index.build_directory();
        Ok(index)
    }

    /// The next record, in the order of keys.
    fn push(&mut self, record: Indexed) {
        self.keys.push(record.key.halves());
        self.rows.push(record.row.halves());
        self.at.push(record.at.0);
        self.versions.push(record.version);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(keys: &[u128]) -> KeyIndex {
        let mut index = KeyIndex::default();
        for (i, &key) in keys.iter().enumerate() {
            index.push(Indexed { key: Key(key), row: RowHash(key + 1), at: Locator(i as u64), version: 1 });
        }
        index.build_directory();
        index
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
}
