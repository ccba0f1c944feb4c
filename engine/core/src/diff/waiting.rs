//! Records that are not what the snapshot has, until its keys tell whether they have changed, are new, or came twice.
//!
//! ```text
//! chunks of records ─► by segment, by key ─┐
//!                                           ├─► in lock step: known (with the state before), new, again
//! segment of the snapshot, by key ─────────┤
//! entries of the table, in that order ─────┘   and those that were never returned: deleted
//! ```

use std::sync::atomic::AtomicU64;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use outflow_contract::{Before, Entry, Error, Key, Op, Result, RowHash};
use outflow_ledger::changes::{EntryBuilder, assemble};

use super::deletes::Deletes;
use super::table::{Found, is_of, mark, was_returned};
use super::{Comparison, Round, Tally};
use crate::snapshot::{Columns, Indexed, segment_of};

/// Takes a batch of changes.
pub(super) type Out<'a> = &'a (dyn Fn(RecordBatch) -> Result<()> + Sync);

/// Records with their hashes.
pub(super) struct Chunk {
    pub(super) values: RecordBatch,
    pub(super) keys: Vec<Key>,
    pub(super) rows: Vec<RowHash>,
    /// What they are compared by, if it is not their row hash.
    pub(super) compared: Vec<u64>,
}

impl Chunk {
    pub(super) fn bytes(&self) -> usize {
        self.values.get_array_memory_size() + self.keys.len() * 2 * size_of::<Key>()
    }
}

/// What has been kept so far.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) chunks: Vec<Chunk>,
    pub(super) refused: Vec<Key>,
    /// What is reserved for the chunks.
    pub(super) bytes: usize,
    /// There is no more room.
    pub(super) is_full: bool,
}

impl Waiting {
    /// All chunks; at the end of a round also the keys of refused records, which later rounds have to know, too.
    pub(super) fn take(&mut self, last: bool) -> Self {
        let refused = if last { self.refused.clone() } else { Vec::new() };
        let (chunks, bytes) = (std::mem::take(&mut self.chunks), std::mem::take(&mut self.bytes));
        self.is_full = false;
        Self { chunks, refused, bytes, is_full: false }
    }
}

/// What is true of records that were not returned. One that was returned and not accepted is not among them (rule 17), and none counts
/// as deleted while one without an identifier may be it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// They may still be.
    Unknown,
    /// They are deleted.
    Deleted,
    /// They would be, but a record without an identifier may be one of them.
    KeptBack,
}

/// A record that waits: in which chunk, and where in it.
struct Ref {
    key: Key,
    chunk: u32,
    record: u32,
}

/// No chunk: the record is not accepted, but counts as returned.
const REFUSED: u32 = u32::MAX;

/// What one segment of the snapshot knows of the records that wait.
#[derive(Default)]
struct Resolved {
    /// Chunk, record, what it was, and whether it still is.
    known: Vec<(u32, u32, Indexed, bool)>,
    again: Vec<(u32, u32)>,
    repeated: Vec<Key>,
    /// Records that were never returned.
    deleted: u64,
}

/// What is known of a record of a chunk.
#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    New,
    Known(Indexed, bool),
    Again,
}

impl Comparison {
    /// Tells the records that wait apart: hands `out` the changes that they are, and the deletions of those that are missing for good.
    pub(super) fn resolve(&self, round: &Round, waiting: Waiting, missing: Missing, tally: &mut Tally, out: Out<'_>) -> Result<()> {
        if self.snapshot.is_empty() {
            return waiting.chunks.into_iter().try_for_each(|chunk| self.changes(chunk, &[], tally, out));
        }
        let mut by_segment: Vec<Vec<Ref>> = round.segments.clone().map(|_| Vec::new()).collect();
        let mut file = |key: Key, chunk: u32, record: u32| {
            if let Some(refs) = by_segment.get_mut(segment_of(key.halves().0).wrapping_sub(round.segments.start)) {
                refs.push(Ref { key, chunk, record });
            }
        };
        for (chunk, number) in waiting.chunks.iter().zip(0..) {
            chunk.keys.iter().zip(0..).for_each(|(&key, record)| file(key, number, record));
        }
        waiting.refused.iter().for_each(|&key| file(key, REFUSED, 0));
        let resolved = self.resolve_segments(round, by_segment, &waiting.chunks, missing, out)?;
        let mut states: Vec<Vec<State>> = waiting.chunks.iter().map(|chunk| vec![State::New; chunk.keys.len()]).collect();
        for segment in resolved {
            for (chunk, record, known, same) in segment.known {
                states[chunk as usize][record as usize] = State::Known(known, same);
            }
            for (chunk, record) in segment.again {
                states[chunk as usize][record as usize] = State::Again;
            }
            tally.repeated.extend(segment.repeated);
            match missing {
                Missing::KeptBack => tally.kept_back += segment.deleted,
                Missing::Deleted | Missing::Unknown => tally.counts.add(Op::Deleted, segment.deleted),
            }
        }
        waiting.chunks.into_iter().zip(states).try_for_each(|(chunk, states)| self.changes(chunk, &states, tally, out))
    }

    /// Segments are shared out among threads, at the end; in between, the others have their own work.
    fn resolve_segments(
        &self,
        round: &Round,
        by_segment: Vec<Vec<Ref>>,
        chunks: &[Chunk],
        missing: Missing,
        out: Out<'_>,
    ) -> Result<Vec<Resolved>> {
        let threads = if missing == Missing::Unknown { 1 } else { self.threads.max(1) };
        let mut shares: Vec<Vec<(usize, Vec<Ref>)>> = (0..threads).map(|_| Vec::new()).collect();
        for (i, refs) in by_segment.into_iter().enumerate() {
            shares[i % threads].push((i, refs));
        }
        let work = |share: Vec<(usize, Vec<Ref>)>| -> Result<Vec<Resolved>> {
            let (mut buffer, mut deletes) = (Vec::new(), Deletes::new(self, missing, out));
            let resolve = |(i, refs)| self.resolve_segment(round, i, refs, chunks, &mut deletes, &mut buffer);
            let resolved = share.into_iter().map(resolve).collect::<Result<_>>()?;
            deletes.flush()?;
            Ok(resolved)
        };
        std::thread::scope(|scope| {
            let (work, mut shares) = (&work, shares.into_iter());
            let own = shares.next().unwrap_or_default();
            let others: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
            let mut resolved = work(own)?;
            for other in others {
                resolved.extend(other.join().map_err(|_| Error::bug("a thread of the diff stopped"))??);
            }
            Ok(resolved)
        })
    }

    /// The `i`th segment of the round, its table's entries and the records that wait, in lock step.
    fn resolve_segment(
        &self,
        round: &Round,
        i: usize,
        mut refs: Vec<Ref>,
        chunks: &[Chunk],
        deletes: &mut Deletes<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Resolved> {
        let (table, mut found, last) = (&round.tables[i], Resolved::default(), deletes.missing != Missing::Unknown);
        if refs.is_empty() && (!last || table.entries().all(was_returned)) {
            return Ok(found);
        }
        // What is refused comes last, and once: only where a record was accepted before it does it make that one a duplicate.
        refs.sort_unstable_by_key(|waits| (waits.key, waits.chunk, waits.record));
        refs.dedup_by(|next, first| next.chunk == REFUSED && first.chunk == REFUSED && next.key == first.key);
        let merged = self.snapshot.segment_in(round.segments.start + i, Columns::All, std::mem::take(buffer))?;
        let (mut entries, mut next, mut complete, mut taken) = (table.entries(), 0, true, Ok(()));
        merged.each(|key_high, place| {
            let Some(entry) = entries.next() else {
                complete = false;
                return;
            };
            next += refs[next..].iter().take_while(|waits| waits.key.halves().0 < key_high).count();
            for waits in refs[next..].iter().take_while(|waits| waits.key.halves().0 == key_high) {
                if waits.key == merged.key(place) {
                    found.tell(waits, entry, chunks, || merged.get(place));
                }
            }
            if last && !was_returned(entry) {
                found.deleted += 1;
                if taken.is_ok() {
                    taken = deletes.push(|| merged.get(place));
                }
            }
        });
        taken?;
        if !complete || entries.next().is_some() {
            return Err(Error::bug("the table of a snapshot has other records than its file"));
        }
        *buffer = merged.into_buffer();
        Ok(found)
    }

    /// A chunk as a change set. Of no states at all, every record is new.
    fn changes(&self, chunk: Chunk, states: &[State], tally: &mut Tally, out: Out<'_>) -> Result<()> {
        let known = |(i, state): (usize, &State)| if let State::Known(known, _) = state { Some((i, known.at)) } else { None };
        let outdated = self.outdated.same(&chunk.values, states.iter().enumerate().filter_map(known))?;
        let mut entries = EntryBuilder::new();
        let mut kept = vec![true; chunk.keys.len()];
        for (i, (&key, &row)) in chunk.keys.iter().zip(&chunk.rows).enumerate() {
            match states.get(i).copied().unwrap_or_default() {
                State::New => {
                    tally.counts.add(Op::Added, 1);
                    entries.push(&Entry::new(key, Before::Absent, Some(row), self.version), None);
                }
                // It was known by other columns: its state before is the one it has, under today's.
                State::Known(known, same) if outdated.get(&i).copied().unwrap_or(same) => {
                    tally.unchanged += 1;
                    entries.push(&Entry::new(key, Before::Known(row), Some(row), u64::from(known.version)), None);
                }
                State::Known(known, _) => {
                    tally.counts.add(Op::Updated, 1);
                    entries.push(&Entry::new(key, Before::Known(known.row), Some(row), self.version), Some(known.at));
                }
                State::Again => {
                    tally.again(key, &chunk.values, i);
                    kept[i] = false;
                }
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let mut values = chunk.values;
        if entries.len() < kept.len() {
            values = filter_record_batch(&values, &BooleanArray::from(kept))
                .map_err(|e| Error::bug("could not leave repeated records out").caused_by(e))?;
        }
        out(assemble(entries.finish(), &values)?)
    }
}

impl Resolved {
    /// The snapshot has this record: `known` says as what.
    fn tell(&mut self, waits: &Ref, entry: &AtomicU64, chunks: &[Chunk], known: impl FnOnce() -> Indexed) {
        let first = mark(entry) == Found::Once;
        let Some(chunk) = chunks.get(waits.chunk as usize) else {
            if !first {
                self.repeated.push(waits.key);
            }
            return;
        };
        if first {
            let same = chunk.compared.get(waits.record as usize).is_some_and(|&compared| is_of(entry, compared));
            self.known.push((waits.chunk, waits.record, known(), same));
        } else {
            self.again.push((waits.chunk, waits.record));
        }
    }
}
