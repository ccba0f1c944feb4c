//! What a diff has counted, beside the changes that it returns.

use std::collections::HashSet;

use arrow::array::RecordBatch;
use outflow_contract::{Counts, Key, Op};

use super::reject::{Reason, Rejections};

/// The counts of a diff, or of one of its threads.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Records that were returned.
    pub extracted: u64,
    /// Records that are the same as before.
    pub unchanged: u64,
    /// Changes.
    pub counts: Counts,
    /// Records that were not accepted.
    pub rejections: Rejections,
    /// Keys that came again after a record that was accepted at first; not those that are new, or changed, each time.
    pub repeated: HashSet<Key>,
    /// Keys of records that are too large, and so not accepted; what was known of them stays as it is.
    pub refused: Vec<Key>,
    /// Records that are no longer returned, and do not count as deleted, since one without an identifier may be any of them.
    pub kept_back: u64,
    /// How many of the returned records are null in each column.
    pub nulls: Vec<u64>,
}

impl Tally {
    /// Counts record `i` of `batch`, whose key was returned before.
    pub(super) fn again(&mut self, key: Key, batch: &RecordBatch, i: usize) {
        self.repeated.insert(key);
        self.rejections.add(Reason::DuplicateId, batch, i);
    }

    /// Joins what another thread has counted.
    pub(super) fn merge(&mut self, other: Self) {
        self.extracted += other.extracted;
        self.unchanged += other.unchanged;
        self.kept_back += other.kept_back;
        for op in Op::ALL {
            self.counts.add(op, other.counts.get(op));
        }
        self.rejections.merge(other.rejections);
        self.repeated.extend(other.repeated);
        self.refused.extend(other.refused);
        self.nulls.resize(self.nulls.len().max(other.nulls.len()), 0);
        self.nulls.iter_mut().zip(other.nulls).for_each(|(sum, nulls)| *sum += nulls);
    }
}
