//! A segment of the snapshot, its table's entries, and the keys of records that wait, in lock step.

use std::sync::atomic::AtomicU64;

use outflow_contract::{Error, Key, Result, RowHash};
use outflow_ledger::changes::Locator;

use super::deletes::Deletes;
use super::table::{Found, is_of, mark, was_returned};
use super::waiting::{Missing, Out};
use super::{Comparison, Round};
use crate::scratch::{Piles, Stored, numbers, put};
use crate::snapshot::{Columns, Indexed};

/// A record that waits: in which chunk, and where in it.
#[derive(Clone, Copy)]
pub(super) struct Ref {
    pub(super) key: Key,
    /// What it is compared by, if it is not its row hash.
    pub(super) compared: u64,
    pub(super) chunk: u32,
    pub(super) record: u32,
}

/// No chunk: the record is not accepted, but counts as returned.
const REFUSED: u32 = u32::MAX;

/// What is told of a record that waits. One of which nothing is told is new.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) chunk: u32,
    pub(super) record: u32,
    pub(super) state: State,
}

/// What is known of a record.
#[derive(Clone, Copy)]
pub(super) enum State {
    /// This, and whether that is what it still is.
    Known { row: RowHash, at: Locator, version: u32, same: bool },
    /// It was returned before.
    Again,
}

impl Stored for Ref {
    const BYTES: usize = 32;

    fn store(&self, into: &mut Vec<u8>) {
        let (high, low) = self.key.halves();
        let place = u64::from(self.chunk) << 32 | u64::from(self.record);
        put(into, &[high, low, self.compared, place]);
    }

    fn load(bytes: &[u8]) -> Self {
        let mut next = numbers(bytes);
        let (key, compared, place) = (Key::from_halves(next(), next()), next(), next());
        Self { key, compared, chunk: (place >> 32) as u32, record: place as u32 }
    }
}

const AGAIN: u64 = 0;
const CHANGED: u64 = 1;
const SAME: u64 = 2;

impl Stored for Told {
    const BYTES: usize = 40;

    fn store(&self, into: &mut Vec<u8>) {
        let place = u64::from(self.chunk) << 32 | u64::from(self.record);
        let (told, row, at) = match self.state {
            State::Again => (AGAIN, (0, 0), 0),
            State::Known { row, at, version, same } => (u64::from(version) << 32 | if same { SAME } else { CHANGED }, row.halves(), at.0),
        };
        put(into, &[place, told, row.0, row.1, at]);
    }

    fn load(bytes: &[u8]) -> Self {
        let mut next = numbers(bytes);
        let (place, told, row, at) = (next(), next(), RowHash::from_halves(next(), next()), Locator(next()));
        let state = match told & u64::from(u32::MAX) {
            AGAIN => State::Again,
            kind => State::Known { row, at, version: (told >> 32) as u32, same: kind == SAME },
        };
        Self { chunk: (place >> 32) as u32, record: place as u32, state }
    }
}

/// What one thread tells, a segment after another.
pub(super) struct Teller<'a> {
    diff: &'a Comparison,
    round: &'a Round,
    pile_of: &'a (dyn Fn(u32) -> usize + Sync),
    found: Finding,
    deletes: Deletes<'a>,
    /// What segments are read into.
    buffer: Vec<u8>,
    refs: Vec<Ref>,
}

/// What one thread has found.
pub(super) struct Finding {
    /// By stretches of the chunks.
    pub(super) told: Piles<Told>,
    /// Keys of refused records that came before.
    pub(super) repeated: Vec<Key>,
    /// Records that were never returned.
    pub(super) missing: u64,
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        diff: &'a Comparison,
        round: &'a Round,
        missing: Missing,
        told: Piles<Told>,
        pile_of: &'a (dyn Fn(u32) -> usize + Sync),
        out: Out<'a>,
    ) -> Self {
        let found = Finding { told, repeated: Vec::new(), missing: 0 };
        Self { diff, round, pile_of, found, deletes: Deletes::new(diff, missing, out), buffer: Vec::new(), refs: Vec::new() }
    }

    /// Tells what `waiting` has of a segment, and what was `refused` of it.
    pub(super) fn tell(&mut self, segment: usize, waiting: &Piles<Ref>, refused: &[Key]) -> Result<()> {
        let Some(table) = self.round.tables.get(segment.wrapping_sub(self.round.segments.start)) else { return Ok(()) };
        let mut refs = std::mem::take(&mut self.refs);
        refs.clear();
        waiting.read(segment, &mut refs)?;
        refs.extend(refused.iter().map(|&key| Ref { key, compared: 0, chunk: REFUSED, record: 0 }));
        if refs.is_empty() && table.entries().all(was_returned) {
            return Ok(());
        }
        // What is refused comes last: only where a record was accepted before it does it make that one a duplicate.
        refs.sort_unstable_by_key(|waits| (waits.key, waits.chunk, waits.record));
        let merged = self.diff.snapshot.segment_in(segment, Columns::All, std::mem::take(&mut self.buffer))?;
        let (mut entries, mut next, mut complete, mut taken) = (table.entries(), 0, true, Ok(()));
        merged.each(|key_high, place| {
            let Some(entry) = entries.next() else {
                complete = false;
                return;
            };
            next += refs[next..].iter().take_while(|waits| waits.key.halves().0 < key_high).count();
            for waits in refs[next..].iter().take_while(|waits| waits.key.halves().0 == key_high) {
                if taken.is_ok() && waits.key == merged.key(place) {
                    taken = self.note(waits, entry, || merged.get(place));
                }
            }
            if taken.is_ok() && !was_returned(entry) {
                self.found.missing += 1;
                taken = self.deletes.push(|| merged.get(place));
            }
        });
        taken?;
        if !complete || entries.next().is_some() {
            return Err(Error::bug("the table of a snapshot has other records than its file"));
        }
        (self.buffer, self.refs) = (merged.into_buffer(), refs);
        Ok(())
    }

    /// The snapshot has this record: `known` says as what.
    fn note(&mut self, waits: &Ref, entry: &AtomicU64, known: impl FnOnce() -> Indexed) -> Result<()> {
        let first = mark(entry) == Found::Once;
        if waits.chunk == REFUSED {
            if !first {
                self.found.repeated.push(waits.key);
            }
            return Ok(());
        }
        let state = if first {
            let (known, same) = (known(), self.diff.rebase.is_some() && is_of(entry, waits.compared));
            State::Known { row: known.row, at: known.at, version: known.version, same }
        } else {
            State::Again
        };
        self.found.told.push((self.pile_of)(waits.chunk), &Told { chunk: waits.chunk, record: waits.record, state })
    }

    /// Hands out what is left.
    pub(super) fn end(mut self) -> Result<Finding> {
        self.deletes.flush()?;
        self.found.told.settle();
        Ok(self.found)
    }
}
