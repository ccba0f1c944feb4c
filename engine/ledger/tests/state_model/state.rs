//! One state of the world: source, model log, mappings, destinations, and what travels between them.
//!
//! Small, comparable by its fingerprint, and free of everything that the rules do not look at. Entries, requests and ids are the
//! crate's own.

use std::hash::{Hash, Hasher};

use outflow_contract::{Before, Entry, Key, RecordId, RequestKey, RowHash};

use crate::config::Budget;

/// More keys are never explored.
pub(crate) const KEYS: usize = 2;

/// The state of one record: 0 is absent.
pub(crate) type Value = u8;

/// In the source: a row that extraction rejects.
pub(crate) const REJECTED: Value = 3;

/// The hash of a record's state, as entries have it.
pub(crate) fn row(value: Value) -> Option<RowHash> {
    (value != 0).then(|| RowHash(u128::from(value)))
}

/// The inverse.
pub(crate) fn value(row: Option<RowHash>) -> Value {
    row.map_or(0, |row| row.0 as Value)
}

/// What a state before is called in an entry.
pub(crate) fn known(value: Value) -> Before {
    row(value).map_or(Before::Absent, Before::Known)
}

/// The key of record `k`.
pub(crate) fn key(k: usize) -> Key {
    Key(k as u128)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) source: [Value; KEYS],
    pub(crate) log: Log,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) destinations: Vec<Destination>,
    /// Requests that may still land, or not.
    pub(crate) flights: Vec<Flight>,
    pub(crate) run: Option<Run>,
    pub(crate) left: Budget,
    /// What went wrong on the way here.
    pub(crate) fault: Option<String>,
}

impl State {
    /// Notes what went wrong, unless something did before.
    pub(crate) fn fail(&mut self, why: impl FnOnce() -> String) {
        if self.fault.is_none() {
            self.fault = Some(why());
        }
    }
}

/// A model: the snapshot of the oldest version that is kept, and of every one after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    pub(crate) oldest: u64,
    pub(crate) kept: Vec<Snapshot>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    pub(crate) values: [Value; KEYS],
    /// The version in which each value appeared.
    pub(crate) versions: [u64; KEYS],
}

impl Log {
    pub(crate) fn head(&self) -> u64 {
        self.oldest + self.kept.len() as u64 - 1
    }

    /// The snapshot of a version. One that was dropped, or that a power cut took back, is the next best: only a broken rule asks for it.
    pub(crate) fn at(&self, version: u64) -> Snapshot {
        let place = version.saturating_sub(self.oldest) as usize;
        self.kept[place.min(self.kept.len() - 1)]
    }
}

/// What is to be done for one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) entry: Entry,
    /// For broken rules only: states and keys of earlier attempts, or the state before the first of them.
    pub(crate) earlier: Vec<(Value, u128)>,
    /// A person wanted it sent though it had not changed.
    pub(crate) forced: bool,
}

impl Hash for Work {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Entry { key: _, before, after, version, failed } = self.entry;
        (after, version, failed.set_aside).hash(hasher);
        match before {
            Before::Absent => 0.hash(hasher),
            Before::Known(row) => (1, row).hash(hasher),
            Before::Unknown(attempt) => {
                let request = attempt.request.map(|r| (r.key, r.epoch, r.sequence, r.records, r.index));
                (2, attempt.op, attempt.after, attempt.version, request).hash(hasher);
            }
        }
        (&self.earlier, self.forced).hash(hasher);
    }
}

/// A mapping's state, as its commit has it, and the journal of a run that was interrupted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mapping {
    pub(crate) cursor: Option<u64>,
    pub(crate) pending: [Option<Work>; KEYS],
    /// It has a deadline. That has passed as soon as nothing travels to its destination.
    pub(crate) hot: bool,
    pub(crate) generation: u64,
    pub(crate) resend: bool,
    pub(crate) paused: bool,
    /// Has it any commit?
    pub(crate) committed: bool,
    /// Its next run.
    pub(crate) epoch: u64,
    /// How often it was renamed.
    pub(crate) name: u8,
    /// How often its fields were edited.
    pub(crate) fields: u8,
    pub(crate) open: Option<Box<Open>>,
    pub(crate) duty: [Duty; KEYS],
    /// The version of the model's state of each record that was set aside.
    pub(crate) aside: [Option<u64>; KEYS],
    /// What it has sent in earlier runs, as long as that may be sent once more.
    pub(crate) past: Vec<Past>,
}

/// An earlier run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Past {
    /// What it sent, in the mapping's fields of then.
    pub(crate) records: [Option<Work>; KEYS],
    pub(crate) fields: u8,
    /// Not acknowledged then.
    pub(crate) failed: [bool; KEYS],
}

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Everything up to the head.
    Sync,
    /// Nothing but this record, ahead of its sync.
    One(usize),
    /// An earlier run once more; `true`: older states over newer ones, too.
    Again(Box<Past>, bool),
}

impl Scope {
    /// Does it leave the cursor where it is?
    pub(crate) fn is_beside(&self) -> bool {
        *self != Self::Sync
    }

    /// Is it an earlier run once more?
    pub(crate) fn is_again(&self) -> bool {
        matches!(self, Self::Again(..))
    }
}

/// What a mapping owes for one record; see `duty`.
pub(crate) type Duty = Option<(Value, bool)>;

/// What was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sealed {
    pub(crate) head: u64,
    pub(crate) scope: Scope,
    pub(crate) items: [Option<Item>; KEYS],
    /// A deadline had not passed: only a broken rule seals then.
    pub(crate) hot: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) work: Work,
    pub(crate) fate: Fate,
    /// What is due beside it, where it does not move the cursor.
    pub(crate) due: Option<Work>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Sent,
    Seen,
    /// Neither: it is set aside.
    Held,
}

/// A request of a run. Its number is its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    pub(crate) key: RequestKey,
    /// Epoch and number of its first intent.
    pub(crate) origin: (u64, u32),
    /// Its records; their positions in the change set are the same numbers.
    pub(crate) records: Vec<usize>,
    /// It is a part of one that was refused or throttled.
    pub(crate) part: bool,
}

/// A line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Line {
    Intent(usize),
    Outcome(usize, Vec<Said>),
    /// The records of a request that were refused before it was built, such as in the mapping.
    Unmapped(Vec<usize>),
}

/// What an answer said about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Said {
    Acked,
    Refused,
    NotProcessed,
    Unknown,
}

/// What really became of a record in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Truth {
    Nothing,
    MayHaveLanded,
    Acked,
    Refused,
    /// It never left, and could not have.
    Unmapped,
}

/// What is on disk of a run without a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Open {
    pub(crate) sealed: Sealed,
    pub(crate) requests: Vec<Request>,
    pub(crate) journal: Vec<Line>,
    pub(crate) truth: [Truth; KEYS],
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Extract,
    Seal,
    Intent,
    Send,
    Await,
    Append,
    Commit,
}

/// A run under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) mapping: usize,
    pub(crate) scope: Scope,
    /// What is set aside is sent, too.
    pub(crate) asked: bool,
    pub(crate) at: At,
    /// The version that it extracted.
    pub(crate) head: u64,
    /// That version is not durable: only without a rule.
    pub(crate) fresh: bool,
    /// Once it is sealed.
    pub(crate) open: Option<Box<Open>>,
    /// Lines of the journal that are durable.
    pub(crate) durable: usize,
    /// The request under way.
    pub(crate) request: usize,
    pub(crate) attempts: u8,
    /// An attempt of this request went unanswered.
    pub(crate) in_doubt: bool,
    /// An attempt of any did.
    pub(crate) had_unread: bool,
    /// What to append.
    pub(crate) outcome: Option<Vec<Said>>,
}

/// A record as a request carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) key: usize,
    pub(crate) value: Value,
    pub(crate) version: u64,
    pub(crate) generation: u64,
    pub(crate) fields: u8,
    pub(crate) id: RecordId,
    /// See [`Work::forced`].
    pub(crate) forced: bool,
}

/// A request that travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) mapping: usize,
    pub(crate) key: RequestKey,
    pub(crate) records: Vec<Record>,
    /// Records of which a newer state was acknowledged since.
    pub(crate) stale: [bool; KEYS],
}

/// A destination: what it holds, and what it remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) holds: [Value; KEYS],
    /// The versions of those, where it is asked whether an older state goes over a newer one.
    pub(crate) versions: [u64; KEYS],
    /// Requests that it accepted, and what of them.
    pub(crate) requests: Vec<(RequestKey, Vec<Accepted>)>,
    /// Ids of records that it accepted.
    pub(crate) ids: Vec<RecordId>,
    /// What was appended, to be appended once by each mapping.
    pub(crate) appended: Vec<Appended>,
}

/// A record of a request: key, value, fields.
pub(crate) type Accepted = (usize, Value, u8);

/// One state of a record in one mapping: mapping, key, value, the version in which it appeared, generation, fields.
pub(crate) type Appended = (usize, usize, Value, u64, u64, u8);

/// Adds to a sorted list; false if it was there.
pub(crate) fn insert<T: Ord>(list: &mut Vec<T>, item: T) -> bool {
    match list.binary_search(&item) {
        Ok(_) => false,
        Err(place) => {
            list.insert(place, item);
            true
        }
    }
}

/// Collects what is hashed.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// A fingerprint: equal for equal states, and for no others.
pub(crate) fn fingerprint(state: &State) -> u128 {
    let mut bytes = Bytes(Vec::with_capacity(1024));
    state.hash(&mut bytes);
    let print = blake3::hash(&bytes.0);
    print.as_bytes().iter().take(16).fold(0, |print, &byte| print << 8 | u128::from(byte))
}
