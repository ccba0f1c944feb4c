//! The snapshot as the diff holds it in memory: the upper half of each record's row hash, in the bucket that its key points to. 12.3 bytes
//! a record.
//!
//! A row hash covers the identifier, so a record whose bucket holds its row hash is the one that the snapshot knows, unchanged, but for a
//! chance of 5 × 2⁻⁶³. A record that is not found has changed or is new: which of them is told later, from the snapshot's keys, for those few.
//!
//! ```text
//! key high ─► segment (top byte) ─► bucket: one cache line of 8 entries ─► the next one, as long as they are full
//! entry: row hash | 1, and with its lowest bit cleared once the record was returned; 0 is none
//! ```
//!
//! Entries stand in the order of keys, since each goes into the first free place from its own bucket on: the n-th entry of a segment is its
//! n-th record, and nothing has to say so.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::snapshot::Merged;

const ENTRIES: usize = 8;
/// How full buckets are, on average, in percent: where look-ups stay within one of them, nearly always.
const FILLED: usize = 65;

#[repr(align(64))]
#[derive(Default)]
struct Bucket([AtomicU64; ENTRIES]);

/// One segment of the snapshot.
#[derive(Default)]
pub(super) struct Table {
    buckets: Vec<Bucket>,
    /// How many buckets keys point to; those that overflow may lie behind.
    home: u64,
}

/// What the snapshot knows of a row hash that was returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: a record that is new, or has changed.
    Not,
    /// The record, for the first time.
    Once,
    /// The record, once more.
    Again,
}

/// A row hash as an entry: odd, and never one that a returned entry would be taken for none with.
fn entry(row_high: u64) -> u64 {
    (row_high | 1).max(3)
}

fn buckets(records: usize) -> usize {
    (records * 100).div_ceil(ENTRIES * FILLED).max(1)
}

impl Table {
    /// How many bytes a table of so many records takes, about.
    pub(super) fn bytes(records: usize) -> usize {
        buckets(records) * size_of::<Bucket>()
    }

    /// Of the records of a segment, with the hashes that they are compared by, in the order of keys.
    pub(super) fn of(merged: &Merged) -> Self {
        let mut table = Self::with_room(merged.records_at_most());
        let mut next = 0;
        merged.each(|key_high, place| next = table.put(next, key_high, merged.row_high(place)));
        table
    }

    /// Empty, for so many records.
    pub(super) fn with_room(records: usize) -> Self {
        let home = buckets(records);
        let mut filled = Vec::new();
        filled.resize_with(home, Bucket::default);
        Self { buckets: filled, home: home as u64 }
    }

    /// Adds a record, of which the one before went into the place before `next`; returns the place after it.
    pub(super) fn put(&mut self, next: usize, key_high: u64, row_high: u64) -> usize {
        let place = next.max(self.bucket(key_high) * ENTRIES);
        if place / ENTRIES == self.buckets.len() {
            self.buckets.push(Bucket::default());
        }
        *self.buckets[place / ENTRIES].0[place % ENTRIES].get_mut() = entry(row_high);
        place + 1
    }

    /// The bucket that a key points to: the bits below its segment, scaled.
    #[inline]
    fn bucket(&self, key_high: u64) -> usize {
        ((u128::from(key_high << 8) * u128::from(self.home)) >> 64) as usize
    }

    /// Fetches the bucket of a key into the cache. What it returns means nothing, but must not be computed away.
    #[inline]
    pub(super) fn touch(&self, key_high: u64) -> u64 {
        self.buckets[self.bucket(key_high)].0[0].load(Ordering::Relaxed)
    }

    /// Looks a record up by its state, and marks it as returned.
    #[inline]
    pub(super) fn find(&self, key_high: u64, row_high: u64) -> Found {
        let wanted = entry(row_high);
        for bucket in &self.buckets[self.bucket(key_high)..] {
            // All eight are compared, without a branch in between: they are in one cache line.
            let mut hit = ENTRIES;
            for (i, entry) in bucket.0.iter().enumerate() {
                if entry.load(Ordering::Relaxed) ^ wanted <= 1 {
                    hit = i;
                }
            }
            if let Some(entry) = bucket.0.get(hit) {
                return mark(entry);
            }
            if bucket.0[ENTRIES - 1].load(Ordering::Relaxed) == 0 {
                break;
            }
        }
        Found::Not
    }

    /// Its entries, in the order of keys.
    pub(super) fn entries(&self) -> impl Iterator<Item = &AtomicU64> {
        self.buckets.iter().flat_map(|bucket| &bucket.0).filter(|entry| entry.load(Ordering::Relaxed) != 0)
    }
}

/// Marks an entry as returned.
#[inline]
pub(super) fn mark(entry: &AtomicU64) -> Found {
    if entry.fetch_and(!1, Ordering::Relaxed) & 1 == 1 { Found::Once } else { Found::Again }
}

/// Was the record of this entry returned?
pub(super) fn was_returned(entry: &AtomicU64) -> bool {
    entry.load(Ordering::Relaxed) & 1 == 0
}

/// Is it the entry of this row hash?
pub(super) fn is_of(entry_of: &AtomicU64, row_high: u64) -> bool {
    entry_of.load(Ordering::Relaxed) ^ entry(row_high) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(keys: &[u64]) -> Table {
        let mut table = Table::with_room(keys.len());
        keys.iter().fold(0, |next, &key| table.put(next, key, row(key)));
        table
    }

    fn row(key: u64) -> u64 {
        (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
    }

    /// Uniform, all at the start, all at the end, all alike: the tables that overflow.
    fn keys(n: u64) -> Vec<Vec<u64>> {
        let below = u64::MAX >> 8;
        let mut uniform: Vec<u64> = (0..n).map(|i| i.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8).collect();
        uniform.sort_unstable();
        vec![uniform, (0..n).collect(), (0..n).map(|i| below - n + i).collect(), vec![below; n as usize]]
    }

    #[test]
    fn every_record_is_found_once_and_then_again_and_no_other_is() {
        for n in [0, 1, 7, 8, 9, 1000] {
            for keys in keys(n) {
                let table = table(&keys);
                let distinct: std::collections::BTreeSet<u64> = keys.iter().copied().collect();
                for &key in &distinct {
                    assert_eq!(table.find(key, row(key) ^ 4), Found::Not, "another state, n={n}");
                    assert_eq!(table.find(key, row(key)), Found::Once, "n={n}");
                }
                if distinct.len() == keys.len() {
                    assert!(keys.iter().all(|&key| table.find(key, row(key)) == Found::Again));
                    assert!(table.entries().all(was_returned));
                }
            }
        }
    }

    #[test]
    fn entries_stand_in_the_order_of_keys() {
        for keys in keys(1000) {
            let table = table(&keys);
            assert_eq!(table.entries().count(), keys.len());
            assert!(table.entries().zip(&keys).all(|(entry, &key)| is_of(entry, row(key)) && !was_returned(entry)));
        }
    }

    #[test]
    fn a_row_hash_of_few_bits_is_not_taken_for_none() {
        for row_high in [0, 1, 2, 3] {
            let mut table = Table::with_room(1);
            table.put(0, 5, row_high);
            assert_eq!((table.find(5, row_high), table.find(5, row_high)), (Found::Once, Found::Again));
            assert_eq!(table.entries().count(), 1, "it is still there after it was returned");
        }
    }

    #[test]
    fn a_record_takes_a_little_more_than_twelve_bytes() {
        assert!((12_300_000..12_320_000).contains(&Table::bytes(1_000_000)));
    }
}
