//! The identities of what is sent: which unanswered requests are built again under their first key (rule 21), and the ids of records
//! (rule 22). Pure.
//!
//! A destination that takes idempotency keys drops the second copy of a request if it has the same key, and must never drop one that
//! says something new. So a key is used again only where *every* record of the request is still in doubt because of it, as the
//! latest attempt of that record, with the same operation, state and version; and the bytes must come out the same
//! ([`Rebuild::matches`]): a changed mapping or encoder gives another request.
//!
//! ```text
//!   sealed   k0 Unknown by R7/0 of 2 ─┐
//!            k1 Unknown by R7/1 of 2 ─┴─ all of R7 ──► same: R7 = [k0, k1]
//!            k2 Unknown by R9/0 of 3 ─── two missing ─► rest
//!            k3 Known                ───────────────► rest
//! ```

use std::collections::HashMap;

use outflow_contract::change::AttemptRequest;
use outflow_contract::{Before, Entry, Key, RecordId, RequestKey};

/// A request to be built again, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuild {
    /// Its key.
    pub key: RequestKey,
    /// The run of its first intent.
    pub epoch: u64,
    /// The number of its first intent in that run.
    pub sequence: u32,
    /// The positions of its records in the sealed change set, in the order in which they stood in the request.
    pub positions: Vec<u32>,
}

impl Rebuild {
    /// Are these the bytes that were sent? If not, the request is a new one.
    pub fn matches(&self, mapping: &str, bytes: &[u8]) -> bool {
        self.key == request_key(mapping, self.epoch, self.sequence, bytes)
    }
}

/// The idempotency key of a request: the same bytes under the same first intent have the same key, in every run.
pub fn request_key(mapping: &str, epoch: u64, sequence: u32, bytes: &[u8]) -> RequestKey {
    let mut hasher = blake3::Hasher::new_derive_key("outflow 2026 request key");
    hasher.update(&(mapping.len() as u64).to_le_bytes());
    hasher.update(mapping.as_bytes());
    hasher.update(&epoch.to_le_bytes());
    hasher.update(&sequence.to_le_bytes());
    hasher.update(bytes);
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    RequestKey(u128::from_be_bytes(key))
}

/// What makes the ids of a mapping's requests and records its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name under which the mapping's state began: it outlives a renaming.
    pub origin: String,
    /// Raised by each reset, replay and backfill.
    pub generation: u64,
}

impl Identity {
    /// The id of a record that is sent ahead in run `epoch` though nothing is to be done for it: another than it was delivered with, or a
    /// destination that deduplicates by record would not look at it.
    pub fn again_id(&self, key: Key, version: u64, epoch: u64) -> RecordId {
        let again = Self { origin: format!("{}#{epoch}", self.origin), generation: self.generation };
        again.record_id(key, version)
    }

    /// The id of a record in the state that appeared in `version` of its model (rule 22).
    pub fn record_id(&self, key: Key, version: u64) -> RecordId {
        let mut hasher = blake3::Hasher::new_derive_key("outflow 2026 record id");
        hasher.update(&(self.origin.len() as u64).to_le_bytes());
        hasher.update(self.origin.as_bytes());
        hasher.update(&key.0.to_le_bytes());
        hasher.update(&version.to_le_bytes());
        hasher.update(&self.generation.to_le_bytes());
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        RecordId(u128::from_be_bytes(id))
    }
}

/// Key, epoch, sequence and number of records.
type Attempted = (RequestKey, u64, u32, u32);

/// Groups the entries to be sent into requests that can be built again (rule 21), by age, and the positions of all others, in order.
pub fn regroup(entries: impl IntoIterator<Item = (u32, Entry)>) -> (Vec<Rebuild>, Vec<u32>) {
    let mut rest = Vec::new();
    // Told apart by everything that a request is, so that entries which contradict one another never meet in a group.
    let mut groups: HashMap<Attempted, Vec<(u32, u32)>> = HashMap::new();
    for (position, entry) in entries {
        match unchanged_request(&entry) {
            Some(r) => groups.entry((r.key, r.epoch, r.sequence, r.records)).or_default().push((r.index, position)),
            None => rest.push(position),
        }
    }
    let mut same = Vec::new();
    for ((key, epoch, sequence, records), mut members) in groups {
        members.sort_unstable();
        let positions = members.iter().map(|&(_, position)| position);
        let complete = members.len() == records as usize && members.iter().zip(0..).all(|(member, index)| member.0 == index);
        if complete {
            same.push(Rebuild { key, epoch, sequence, positions: positions.collect() });
        } else {
            rest.extend(positions);
        }
    }
    same.sort_unstable_by_key(|request| (request.epoch, request.sequence, request.key));
    rest.sort_unstable();
    (same, rest)
}

/// The request that would say about this record what it said before. A state that was left and came back is another, with another
/// version: a mapping beside this one may have carried what lay between to the destination.
fn unchanged_request(entry: &Entry) -> Option<AttemptRequest> {
    let Before::Unknown(attempt) = entry.before else { return None };
    let unchanged = attempt.op == entry.op() && attempt.after == entry.after && attempt.version == entry.version;
    attempt.request.filter(|_| unchanged)
}

#[cfg(test)]
mod tests {
    use outflow_contract::{Attempt, Key, Op, RowHash};

    use super::*;

    fn in_doubt(request: u128, index: u32, records: u32) -> Entry {
        let request = AttemptRequest { key: RequestKey(request), epoch: 3, sequence: request as u32, records, index };
        let after = Some(RowHash(7));
        let attempt = Attempt { op: Op::Updated, after, version: 2, request: Some(request) };
        Entry::new(Key(1), Before::Unknown(attempt), after, 2)
    }

    #[test]
    fn key_survives_crash_a_complete_request_is_built_again_in_its_order() {
        let entries = [(4, in_doubt(9, 1, 2)), (5, in_doubt(8, 0, 1)), (6, in_doubt(9, 0, 2))];
        let (same, rest) = regroup(entries);
        assert_eq!(rest, [0; 0]);
        assert_eq!(same[0], Rebuild { key: RequestKey(8), epoch: 3, sequence: 8, positions: vec![5] });
        assert_eq!(same[1], Rebuild { key: RequestKey(9), epoch: 3, sequence: 9, positions: vec![6, 4] });
    }

    #[test]
    fn a_request_that_lacks_a_record_is_not_built_again() {
        let (same, rest) = regroup([(0, in_doubt(9, 0, 3)), (1, in_doubt(9, 2, 3))]);
        assert_eq!((same, rest), (vec![], vec![0, 1]));
        let (same, rest) = regroup([(0, in_doubt(9, 1, 2)), (1, in_doubt(9, 1, 2))]);
        assert_eq!((same, rest), (vec![], vec![0, 1]));
    }

    #[test]
    fn latest_request_only_a_record_that_says_something_else_breaks_its_request() {
        let whole = in_doubt(9, 0, 2);
        let Before::Unknown(attempt) = in_doubt(9, 1, 2).before else { panic!() };
        let with = |before, after, version| Entry::new(Key(2), before, after, version);
        let others = [
            with(Before::Unknown(attempt), Some(RowHash(8)), 2),
            with(Before::Unknown(attempt), None, 2),
            with(Before::Unknown(attempt), Some(RowHash(7)), 3),
            with(Before::Unknown(Attempt { request: None, ..attempt }), Some(RowHash(7)), 2),
            with(Before::Known(RowHash(1)), Some(RowHash(7)), 2),
        ];
        for other in others {
            assert_eq!(regroup([(0, whole), (1, other)]), (vec![], vec![0, 1]), "{other:?}");
        }
    }

    #[test]
    fn an_attempted_delete_of_a_record_that_is_back_is_not_built_again() {
        let mut entry = in_doubt(9, 0, 1);
        let Before::Unknown(mut attempt) = entry.before else { panic!() };
        attempt.op = Op::Deleted;
        entry.before = Before::Unknown(attempt);
        assert_eq!(regroup([(0, entry)]), (vec![], vec![0]));
    }

    #[test]
    fn id_has_version_id_has_generation_every_part_of_a_record_is_in_its_id() {
        let of = |origin: &str, generation| Identity { origin: origin.to_owned(), generation };
        let id = of("m", 0).record_id(Key(1), 2);
        assert_eq!(id, of("m", 0).record_id(Key(1), 2));
        for other in [
            of("n", 0).record_id(Key(1), 2),
            of("m", 1).record_id(Key(1), 2),
            of("m", 0).record_id(Key(2), 2),
            of("m", 0).record_id(Key(1), 3),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn every_part_of_a_request_is_in_its_key() {
        let key = request_key("m", 1, 2, b"x");
        assert_eq!(key, request_key("m", 1, 2, b"x"));
        for other in
            [request_key("n", 1, 2, b"x"), request_key("m", 2, 2, b"x"), request_key("m", 1, 3, b"x"), request_key("m", 1, 2, b"y")]
        {
            assert_ne!(key, other);
        }
        let rebuild = Rebuild { key, epoch: 1, sequence: 2, positions: vec![0] };
        assert!(rebuild.matches("m", b"x") && !rebuild.matches("m", b"y") && !rebuild.matches("n", b"x"));
    }
}
