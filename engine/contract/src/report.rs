//! What a sync did, as people and programs read it. Kept in the state, printed, and written to `target/run_results.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Counts;

/// How a sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every selected record was delivered.
    Success,
    /// Some were not, now or in an earlier sync.
    PartialSuccess,
    /// It could not be carried out, or nothing of it was delivered.
    Failed,
    /// There was nothing to send.
    NoChanges,
    /// It is disabled, or not due.
    Skipped,
    /// A guard stopped it.
    Blocked,
    /// A limit was reached.
    Paused,
    /// Somebody stopped it.
    Cancelled,
}

impl Status {
    /// The name as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::PartialSuccess => "partial_success",
            Self::Failed => "failed",
            Self::NoChanges => "no_changes",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Counts by operation, with their sum, as `run_results.json` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Added records.
    pub added: u64,
    /// Updated records.
    pub updated: u64,
    /// Deleted records.
    pub deleted: u64,
    /// All of them.
    pub total: u64,
}

impl Tally {
    /// `n` more of one operation.
    pub fn add(&mut self, op: crate::Op, n: u64) {
        match op {
            crate::Op::Added => self.added += n,
            crate::Op::Updated => self.updated += n,
            crate::Op::Deleted => self.deleted += n,
        }
        self.total += n;
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            added: self.added + other.added,
            updated: self.updated + other.updated,
            deleted: self.deleted + other.deleted,
            total: self.total + other.total,
        }
    }

    /// What is left without those of `other`; never less than nothing.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        let [added, updated, deleted] = [(self.added, other.added), (self.updated, other.updated), (self.deleted, other.deleted)]
            .map(|(all, some)| all.saturating_sub(some));
        Self { added, updated, deleted, total: added + updated + deleted }
    }
}

impl From<Counts> for Tally {
    fn from(c: Counts) -> Self {
        Self { added: c.added, updated: c.updated, deleted: c.deleted, total: c.total() }
    }
}

/// The records of a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCounts {
    /// Returned by the model.
    pub extracted: u64,
    /// New in the model's result since its last version.
    pub added: u64,
    /// Changed in it.
    pub updated: u64,
    /// Gone from it.
    pub deleted: u64,
    /// The same as before.
    pub unchanged: u64,
    /// Rejected at extraction: null or duplicate identifier, over a limit.
    pub rejected: u64,
    /// To be sent by this mapping.
    pub selected: Tally,
    /// Acknowledged by the destination.
    pub delivered: Tally,
    /// Refused, or of unknown fate, or not attempted: they wait for the next sync.
    pub failed: Tally,
    /// What waits for the next sync; `None` where the sync ended before that was known.
    #[serde(default)]
    pub pending: Option<Tally>,
    /// Those of the pending records that somebody has set aside: they were not attempted, and do not count as failed.
    #[serde(default)]
    pub set_aside: Tally,
    /// Requests sent again.
    pub retried: u64,
    /// Changes that this mapping does not send: another operation, or columns that it does not use.
    pub skipped: u64,
}

/// Seconds by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Reading the model, hashing and diffing it. Shared by the mappings of a model.
    pub extract: f64,
    /// Composing what this mapping has to send, and sealing it.
    pub plan: f64,
    /// Mapping and delivering, which overlap.
    pub deliver: f64,
    /// Folding and committing.
    pub commit: f64,
    /// From start to end.
    pub total: f64,
}

/// Is it none at all?
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(records: &u64) -> bool {
    *records == 0
}

/// Failed records with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The code, such as `http_422`.
    pub code: String,
    /// The message of the first of them.
    pub message: String,
    /// How many of them have other messages; left out where none has.
    #[serde(default, skip_serializing_if = "is_none")]
    pub other_messages: u64,
    /// How many.
    pub records: u64,
    /// How many of each operation.
    #[serde(default)]
    pub operations: Tally,
    /// What to do about it.
    pub action: String,
    /// A few of them, at most `limits::SAMPLES_PER_REASON`, secrets removed.
    pub samples: Vec<FailureSample>,
}

/// One failed record, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSample {
    /// The identifier as JSON text.
    pub id: String,
    /// The operation.
    pub op: crate::Op,
    /// Why it failed, in words.
    #[serde(default)]
    pub message: String,
    /// The payload, cut to `limits::SAMPLE_BYTES_MAX`; empty if it never had one.
    pub payload: String,
    /// What the destination answered: the status in one line, then the body, cut to `limits::SAMPLE_BYTES_MAX`.
    #[serde(default)]
    pub answer: Option<String>,
    /// In how many syncs in a row it has failed, this one included.
    #[serde(default)]
    pub attempts: u32,
    /// When it failed first, RFC 3339.
    #[serde(default)]
    pub first_seen: Option<String>,
    /// When it failed last, RFC 3339.
    #[serde(default)]
    pub last_seen: Option<String>,
}

/// What one sync did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncReport {
    /// Unique, and sorts by time.
    pub sync_id: String,
    /// The mapping.
    pub mapping: String,
    /// Its model.
    pub model: String,
    /// Its destination.
    pub destination: String,
    /// How it ended.
    pub status: Status,
    /// In words: why it ended so.
    pub message: Option<String>,
    /// Things worth knowing that did not change how it ended.
    pub notices: Vec<String>,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// The model version that it delivered, if it came so far.
    pub version: Option<u64>,
    /// The records.
    pub counts: SyncCounts,
    /// Requests that left.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Seconds by phase.
    pub timing: Timing,
    /// Failed records by reason, most first.
    pub failures: Vec<FailureGroup>,
    /// Records rejected at extraction, by reason, with examples.
    pub rejected: BTreeMap<String, Rejected>,
}

/// Records rejected at extraction for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// How many.
    pub records: u64,
    /// A few of them, as JSON text.
    pub examples: Vec<String>,
}

/// `1,234,567`: how counts are written for people.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 record`, `2,000 records`.
pub fn records(n: u64) -> String {
    counted(n, "record")
}

/// `1 change`, `2,000 changes`: any noun whose plural ends in s.
pub fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", thousands(n)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_have_their_number() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 20_000].map(records), ["0 records", "1 record", "20,000 records"]);
    }
}
