//! Entries of many parts, a range of keys at a time, so that those of one range fit in memory.

use outflow_contract::state_store::StateStore;
use outflow_contract::{Entry, Key, Result};
use outflow_ledger::changes::{EntryReader, Locator};

use super::PartReader;

/// Entries that are held at once: some 150 MB.
const ENTRIES_AT_ONCE: u64 = 1 << 20;

/// One of some ranges of keys that are of about the same size, for keys are hashes.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange {
    number: u64,
    of: u64,
}

impl KeyRange {
    /// The ranges that so many entries are held in.
    pub fn all(entries: u64) -> impl Iterator<Item = Self> {
        let of = entries.div_ceil(ENTRIES_AT_ONCE).max(1);
        (0..of).map(move |number| Self { number, of })
    }

    /// Its number, from 0.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Is the key one of this range?
    pub fn contains(self, key: Key) -> bool {
        (u128::from(key.halves().0) * u128::from(self.of)) >> 64 == u128::from(self.number)
    }
}

/// Reads the entries of the part at `path` with the places of the values before, in order, without the values.
pub fn each_entry(store: &dyn StateStore, path: &str, mut each: impl FnMut(u32, Entry, Option<Locator>) -> Result<()>) -> Result<()> {
    let mut row = 0u32;
    for batch in PartReader::open(store, path)?.narrow().read()? {
        let batch = batch?;
        let entries = EntryReader::new(&batch)?;
        for i in 0..entries.len() {
            let (entry, before_at) = entries.get(i);
            each(row, entry, before_at)?;
            row += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_one_range() {
        let ranges: Vec<KeyRange> = KeyRange::all(3 * ENTRIES_AT_ONCE + 1).collect();
        assert_eq!((ranges.len(), KeyRange::all(0).count(), KeyRange::all(ENTRIES_AT_ONCE).count()), (4, 1, 1));
        for high in [0, 1, u64::MAX / 4, u64::MAX / 4 + 1, u64::MAX / 2, u64::MAX] {
            let key = Key::from_halves(high, 7);
            assert_eq!(ranges.iter().filter(|range| range.contains(key)).count(), 1, "{high}");
        }
    }
}
