//! Cuts a stream of mapped records into requests, by the limits of their destination. Pure.
//!
//! ```text
//! chunks   [ r0 r1 r2 r3 r4 ] [ r5 r6 ] [ r7 …
//! drafts   [ r0 r1 r2 ] [ r3 r4   r5 ] [ r6   r7 …
//! ```
//!
//! Invariants: order is kept; every record comes out once, in a draft or as rejected; no draft exceeds
//! `records_max` or `bytes_max`; a draft is as full as the order allows. A draft out of one chunk shares its bytes,
//! one that spans chunks copies them once.

use bytes::{Bytes, BytesMut};
use outflow_contract::Op;
use outflow_contract::destination::RequestLimits;
use outflow_contract::outcome::{Records, Rejection};

/// The code of a record that no request can hold.
pub const RECORD_TOO_LARGE: &str = "record_too_large";

/// Mapped records on their way to requests.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Where each record is in the change set that is being delivered.
    pub positions: Vec<u32>,
    /// The records, as many as there are positions.
    pub records: Records,
}

/// Cuts records into requests.
#[derive(Debug)]
pub struct Batcher {
    limits: RequestLimits,
    /// The request being filled. Its bytes are in `pieces`.
    draft: Draft,
    /// Adjoining runs of payloads, one or more for each chunk.
    pieces: Vec<Bytes>,
    /// Size of its body so far.
    body_bytes: usize,
    rejected: Vec<TooLarge>,
}

/// A record that no request can hold.
#[derive(Clone, Debug)]
pub struct TooLarge {
    /// Where it is in the change set.
    pub position: u32,
    /// What was to be done with it.
    pub op: Op,
    /// Its identifier as JSON text.
    pub id: String,
    /// Its size, in words.
    pub why: Rejection,
}

impl Batcher {
    /// A batcher for a destination of these limits. A `records_max` of 0 is taken as 1.
    pub fn new(limits: RequestLimits) -> Self {
        let body_bytes = limits.body_overhead;
        Self { limits, draft: Draft::default(), pieces: Vec::new(), body_bytes, rejected: Vec::new() }
    }

    /// Takes records in, and returns the requests that are full. `chunk` has as many positions as records.
    pub fn push(&mut self, chunk: Draft) -> Vec<Draft> {
        let mut full = Vec::new();
        let Records { bytes, ends, ops, ids, schema } = chunk.records;
        // The run [start, end) of `bytes` that belongs to the request being filled, but is not in `pieces` yet.
        let mut run = 0..0;
        let mut start = 0;
        for (i, (&end, &position)) in ends.iter().zip(&chunk.positions).enumerate() {
            let size = (end - start).saturating_add(self.limits.record_overhead);
            let id = ids.get(i).unwrap_or_default();
            let op = ops.get(i).copied().unwrap_or(Op::Added);
            if size.saturating_add(self.limits.body_overhead) > self.limits.bytes_max {
                let why = self.too_large(end - start);
                self.rejected.push(TooLarge { position, op, id: id.to_owned(), why });
            } else {
                if self.is_full_for(size) {
                    self.add_piece(&bytes, &mut run);
                    full.extend(self.finish());
                }
                if run.end != start {
                    self.add_piece(&bytes, &mut run);
                }
                if run.start == run.end {
                    run.start = start;
                }
                run.end = end;
                self.add_record(position, end - start, size, op, id);
                self.draft.records.schema.clone_from(&schema);
            }
            start = end;
        }
        self.add_piece(&bytes, &mut run);
        full
    }

    /// The last request, if records are left for one.
    pub fn finish(&mut self) -> Option<Draft> {
        if self.draft.positions.is_empty() {
            return None;
        }
        let mut draft = std::mem::take(&mut self.draft);
        self.body_bytes = self.limits.body_overhead;
        draft.records.bytes = match self.pieces.len() {
            0 => Bytes::new(),
            1 => self.pieces.remove(0),
            _ => join(&self.pieces),
        };
        self.pieces.clear();
        Some(draft)
    }

    /// The records that no request can hold, since this was last called.
    pub fn take_rejected(&mut self) -> Vec<TooLarge> {
        std::mem::take(&mut self.rejected)
    }

    fn is_full_for(&self, size: usize) -> bool {
        let records = self.draft.positions.len();
        records > 0 && (records >= self.limits.records_max || self.body_bytes.saturating_add(size) > self.limits.bytes_max)
    }

    fn add_record(&mut self, position: u32, payload: usize, size: usize, op: Op, id: &str) {
        let records = &mut self.draft.records;
        records.ends.push(records.ends.last().copied().unwrap_or(0) + payload);
        records.ops.push(op);
        records.ids.push(id);
        self.draft.positions.push(position);
        self.body_bytes += size;
    }

    fn add_piece(&mut self, bytes: &Bytes, run: &mut std::ops::Range<usize>) {
        if run.start < run.end {
            self.pieces.push(bytes.slice(run.clone()));
        }
        *run = 0..0;
    }

    fn too_large(&self, payload: usize) -> Rejection {
        let room = self.limits.bytes_max.saturating_sub(self.limits.body_overhead).saturating_sub(self.limits.record_overhead);
        let message = format!("the record is {payload} bytes as JSON; one request takes {room} at the most");
        Rejection { code: RECORD_TOO_LARGE.to_owned(), message }
    }
}

fn join(pieces: &[Bytes]) -> Bytes {
    let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        joined.extend_from_slice(piece);
    }
    joined.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(records_max: usize, bytes_max: usize) -> RequestLimits {
        RequestLimits { records_max, bytes_max, record_overhead: 1, body_overhead: 2, concurrency_max: None }
    }

    /// Records of these payloads; positions count from `first`, identifiers are the positions, operations take turns.
    fn chunk(first: u32, payloads: &[&str]) -> Draft {
        let mut draft = Draft::default();
        for (position, payload) in (first..).zip(payloads) {
            let end = draft.records.ends.last().unwrap_or(&0) + payload.len();
            draft.positions.push(position);
            draft.records.ends.push(end);
            draft.records.ops.push(Op::ALL[position as usize % 3]);
            draft.records.ids.push(position.to_string());
        }
        draft.records.bytes = Bytes::from(payloads.concat());
        draft
    }

    fn payloads(draft: &Draft) -> Vec<&str> {
        draft.records.payloads().map(|payload| std::str::from_utf8(payload).unwrap()).collect()
    }

    #[test]
    fn requests_are_cut_by_records_across_chunks() {
        let mut batcher = Batcher::new(limits(3, 1000));
        let first = batcher.push(chunk(0, &["a", "bb", "c", "dd", "e"]));
        let second = batcher.push(chunk(5, &["f", "g"]));
        let last = batcher.finish().unwrap();
        assert_eq!(payloads(&first[0]), ["a", "bb", "c"]);
        assert_eq!(payloads(&second[0]), ["dd", "e", "f"]);
        assert_eq!(second[0].positions, [3, 4, 5]);
        assert_eq!(second[0].records.ids, ["3", "4", "5"].into_iter().collect());
        assert_eq!(second[0].records.ops, [Op::Added, Op::Updated, Op::Deleted]);
        assert_eq!(payloads(&last), ["g"]);
        assert!(batcher.finish().is_none());
    }

    #[test]
    fn requests_are_cut_by_bytes_with_their_overheads() {
        // Each of these takes 4 bytes and 1 of overhead; with 2 for the body, three of them need 17.
        let records = ["aaaa", "bbbb", "cccc"];
        let cut = |bytes_max| {
            let mut batcher = Batcher::new(limits(100, bytes_max));
            let mut drafts = batcher.push(chunk(0, &records));
            drafts.extend(batcher.finish());
            drafts.iter().map(|draft| draft.positions.len()).collect::<Vec<_>>()
        };
        assert_eq!(cut(17), [3]);
        assert_eq!(cut(16), [2, 1]);
        assert_eq!(cut(7), [1, 1, 1]);
    }

    #[test]
    fn a_record_larger_than_a_request_is_rejected_and_the_others_go_on() {
        let mut batcher = Batcher::new(limits(100, 10));
        let mut drafts = batcher.push(chunk(0, &["a", "123456789", "b", "12345678", "1234567", "c"]));
        drafts.extend(batcher.finish());
        assert_eq!(drafts.iter().map(payloads).collect::<Vec<_>>(), [vec!["a", "b"], vec!["1234567"], vec!["c"]]);
        let rejected = batcher.take_rejected();
        assert_eq!(rejected.iter().map(|record| (record.position, record.op)).collect::<Vec<_>>(), [(1, Op::ALL[1]), (3, Op::ALL[0])]);
        assert_eq!(rejected[1].id, "3");
        assert_eq!(rejected[1].why.code, "record_too_large");
        assert_eq!(rejected[1].why.message, "the record is 8 bytes as JSON; one request takes 7 at the most");
        assert!(batcher.take_rejected().is_empty());
    }

    #[test]
    fn a_request_out_of_one_chunk_shares_its_bytes() {
        let mut batcher = Batcher::new(limits(2, 1000));
        let chunk = chunk(0, &["aa", "bb", "cc", "dd"]);
        let bytes = chunk.records.bytes.clone();
        let drafts = batcher.push(chunk);
        assert_eq!(drafts[0].records.bytes.as_ptr(), bytes.as_ptr());
        assert_eq!(batcher.finish().unwrap().records.bytes.as_ptr(), bytes[4..].as_ptr());
    }

    proptest! {
        #[test]
        fn every_record_comes_out_once_in_order_within_the_limits(
            sizes in prop::collection::vec(prop::collection::vec(0usize..12, 0..9), 0..6),
            records_max in 0usize..5, bytes_max in 0usize..40,
        ) {
            let mut batcher = Batcher::new(limits(records_max, bytes_max));
            let (mut drafts, mut all) = (Vec::new(), Vec::new());
            for sizes in &sizes {
                let texts: Vec<String> = sizes.iter().map(|&n| "x".repeat(n)).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                drafts.extend(batcher.push(chunk(all.len() as u32, &texts)));
                all.extend(sizes.iter().copied());
            }
            drafts.extend(batcher.finish());
            let size = |draft: &Draft| 2 + draft.records.bytes.len() + draft.positions.len();
            for draft in &drafts {
                prop_assert!(!draft.positions.is_empty() && draft.positions.len() <= records_max.max(1));
                prop_assert!(size(draft) <= bytes_max);
                prop_assert_eq!(draft.records.bytes.len(), *draft.records.ends.last().unwrap());
                for (i, &position) in draft.positions.iter().enumerate() {
                    prop_assert_eq!(draft.records.payload(i).len(), all[position as usize]);
                    prop_assert_eq!(draft.records.ids[i].to_owned(), position.to_string());
                }
            }
            for pair in drafts.windows(2) {
                let next = pair[1].records.payload(0).len() + 1;
                prop_assert!(pair[0].positions.len() >= records_max.max(1) || size(&pair[0]) + next > bytes_max);
            }
            let kept: Vec<u32> = drafts.iter().flat_map(|draft| draft.positions.clone()).collect();
            let fits = |&position: &u32| all[position as usize] + 3 <= bytes_max;
            prop_assert_eq!(kept, (0..all.len() as u32).filter(fits).collect::<Vec<_>>());
            let rejected: Vec<u32> = batcher.take_rejected().into_iter().map(|record| record.position).collect();
            prop_assert_eq!(rejected, (0..all.len() as u32).filter(|p| !fits(p)).collect::<Vec<_>>());
        }
    }
}
