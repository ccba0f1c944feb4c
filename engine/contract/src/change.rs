//! What a change set is made of. The rules that combine entries are in `outflow-ledger` (`compose`, `fold`).

use serde::{Deserialize, Serialize};

use crate::{Key, RequestKey, RowHash};

/// What happens to a record at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// The destination does not have the record yet.
    Added,
    /// The destination has an older state of it.
    Updated,
    /// The model no longer returns it.
    Deleted,
}

impl Op {
    /// All three, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Added, Self::Updated, Self::Deleted];

    /// `added`, `updated` or `deleted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// Which operations a mapping sends (`records:`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// Records that the destination does not have.
    Added,
    /// Records whose mapped columns have changed.
    Updated,
    /// Both of them.
    AddedOrUpdated,
    /// Records that the model no longer returns.
    Deleted,
    /// Every operation: for actions that take both, such as an audience's members.
    All,
}

impl Selection {
    /// Does a mapping of this selection send `op`?
    pub fn contains(self, op: Op) -> bool {
        match self {
            Self::Added => op == Op::Added,
            Self::Updated => op == Op::Updated,
            Self::AddedOrUpdated => op != Op::Deleted,
            Self::Deleted => op == Op::Deleted,
            Self::All => true,
        }
    }

    /// The name as a project writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::AddedOrUpdated => "added_or_updated",
            Self::Deleted => "deleted",
            Self::All => "all",
        }
    }
}

/// The last request that carried a record and whose answer was never read (rule 1 of the state).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was attempted.
    pub op: Op,
    /// The state that was sent; `None` for a delete.
    pub after: Option<RowHash>,
    /// The model version in which that state appeared.
    pub version: u64,
    /// The request, where its key may still be used again (rule 21). Struck out once a refusal under another request was read (rule 10).
    pub request: Option<AttemptRequest>,
}

/// Enough of a request to build it again, byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRequest {
    /// Its idempotency key.
    pub key: RequestKey,
    /// The run of its first intent.
    pub epoch: u64,
    /// The number of its first intent in that run.
    pub sequence: u32,
    /// How many records it carried.
    pub records: u32,
    /// Which of them this record was, from 0.
    pub index: u32,
}

/// What the destination is believed to hold, or a model to have held, before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Before {
    /// No such record.
    Absent,
    /// This state.
    Known(RowHash),
    /// A request left and its fate was never learnt. Never cancels: only an acknowledgement settles it.
    Unknown(Attempt),
}

/// How a record that waits has fared so far. Of one that never failed: all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Failed {
    /// In how many syncs in a row it has failed.
    pub attempts: u32,
    /// When it failed first: milliseconds since the Unix epoch.
    pub first_ms: u64,
    /// When it failed last.
    pub last_ms: u64,
    /// Somebody has set it aside: it stays pending, and is not attempted before it changes or is asked for.
    pub set_aside: bool,
}

impl Failed {
    /// It has failed once more.
    #[must_use]
    pub fn again(self, at_ms: u64) -> Self {
        let first_ms = if self.attempts == 0 { at_ms } else { self.first_ms };
        Self { attempts: self.attempts.saturating_add(1), first_ms, last_ms: at_ms, set_aside: false }
    }
}

/// One record of a change set, without its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which record.
    pub key: Key,
    /// What was there.
    pub before: Before,
    /// What is there now; `None` if the record is gone.
    pub after: Option<RowHash>,
    /// The model version in which `after` appeared. Survives composition, folding and compaction (rule 3).
    pub version: u64,
    /// How it has fared, where it waits for a destination; nothing in a model's versions.
    pub failed: Failed,
}

impl Entry {
    /// An entry of a record that never failed.
    pub fn new(key: Key, before: Before, after: Option<RowHash>, version: u64) -> Self {
        Self { key, before, after, version, failed: Failed::default() }
    }

    /// The operation of this entry (rule 4): a present record is never deleted, an absent one never upserted.
    pub fn op(&self) -> Op {
        match (self.before, self.after) {
            (_, None) => Op::Deleted,
            (Before::Absent, Some(_)) => Op::Added,
            (Before::Known(_), Some(_)) => Op::Updated,
            (Before::Unknown(attempt), Some(_)) if attempt.op == Op::Deleted => Op::Added,
            (Before::Unknown(attempt), Some(_)) => attempt.op,
        }
    }

    /// True if nothing remains to be done: the same state on both sides. `Unknown` never is (rule 2).
    pub fn is_settled(&self) -> bool {
        match self.before {
            Before::Absent => self.after.is_none(),
            Before::Known(hash) => self.after == Some(hash),
            Before::Unknown(_) => false,
        }
    }
}

/// Records by operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Added records.
    pub added: u64,
    /// Updated records.
    pub updated: u64,
    /// Deleted records.
    pub deleted: u64,
}

impl Counts {
    /// All three together.
    pub fn total(&self) -> u64 {
        self.added + self.updated + self.deleted
    }

    /// The count of one operation.
    pub fn get(&self, op: Op) -> u64 {
        match op {
            Op::Added => self.added,
            Op::Updated => self.updated,
            Op::Deleted => self.deleted,
        }
    }

    /// Counts `n` more records of `op`.
    pub fn add(&mut self, op: Op, n: u64) {
        match op {
            Op::Added => self.added += n,
            Op::Updated => self.updated += n,
            Op::Deleted => self.deleted += n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempted(op: Op) -> Before {
        Before::Unknown(Attempt { op, after: None, version: 1, request: None })
    }

    #[test]
    fn a_present_record_is_never_deleted_and_an_absent_one_never_upserted() {
        let entry = |before, after| Entry::new(Key(1), before, after, 1);
        let here = Some(RowHash(7));
        assert_eq!(entry(attempted(Op::Deleted), here).op(), Op::Added);
        assert_eq!(entry(attempted(Op::Updated), here).op(), Op::Updated);
        assert_eq!(entry(attempted(Op::Added), None).op(), Op::Deleted);
        assert_eq!(entry(Before::Known(RowHash(1)), here).op(), Op::Updated);
        assert_eq!(entry(Before::Absent, here).op(), Op::Added);
    }

    #[test]
    fn unknown_never_counts_as_settled() {
        let entry = Entry::new(Key(1), attempted(Op::Added), None, 1);
        assert!(!entry.is_settled());
    }

    #[test]
    fn a_record_that_fails_again_keeps_its_first_time_and_is_no_longer_set_aside() {
        let once = Failed::default().again(5);
        assert_eq!(once, Failed { attempts: 1, first_ms: 5, last_ms: 5, set_aside: false });
        let again = Failed { set_aside: true, ..once }.again(9);
        assert_eq!(again, Failed { attempts: 2, first_ms: 5, last_ms: 9, set_aside: false });
    }

    #[test]
    fn each_selection_sends_exactly_its_operations() {
        let sent = |s: Selection| Op::ALL.map(|op| s.contains(op));
        assert_eq!(sent(Selection::Added), [true, false, false]);
        assert_eq!(sent(Selection::Updated), [false, true, false]);
        assert_eq!(sent(Selection::AddedOrUpdated), [true, true, false]);
        assert_eq!(sent(Selection::Deleted), [false, false, true]);
        assert_eq!(sent(Selection::All), [true, true, true]);
    }
}
