//! The records of an earlier sync once more: its own parts, as they stand; what of them does not go out is settled as seen.
//!
//! Memory: the key index of the model, as an extraction holds it, one byte and one bit for each record of that sync, and the pending
//! entries and later changes of one range of keys.

use std::collections::HashMap;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use outflow_contract::{Before, Counts, Entry, Error, Key, Kind, Result, Selection};
use outflow_ledger::changes::{EntryBuilder, assemble, open_part, values_of};
use outflow_ledger::fold::{Class, Classes, classify};
use outflow_ledger::journal::Frames;
use outflow_ledger::replay::{self, Mapped, Present, Standing, Verdict};
use outflow_ledger::runs::{self, Again, Plan, SealedPart, Seen};
use outflow_ledger::{decide, paths};

use super::{Sealed, Sealing, sealed_part};
use crate::map::identifiers;
use crate::snapshot::{KeyIndex, KeyRange, PartReader, PartsWriter, each_entry};

/// So many of the records that are kept back are named.
const EXAMPLES_MAX: usize = 3;
/// Entries of one batch while writing.
const BATCH: usize = 8 * 1024;

/// An earlier sync that is to go out once more.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What it was.
    pub past: Plan,
    /// What the mapping sends now: the next sync corrects no other operations.
    pub selection: Selection,
    /// Only its records that were not acknowledged then.
    pub failed: bool,
    /// Those, too, that were delivered with newer values since.
    pub force: bool,
}

/// What became of its records.
#[derive(Clone, Debug, Default)]
pub struct Sorted {
    /// The earlier sync, for the plan.
    pub again: Option<Again>,
    /// Delivered with newer values since, and not to go out.
    pub newer: Kept,
    /// The same, and forcing them would leave them for good, since another mapping that shares the destination believes otherwise.
    pub for_good: Kept,
    /// Records that go out over newer values, and that the next sync corrects.
    pub corrected: u64,
    /// Records that go out over newer values, and stay.
    pub left: u64,
}

/// Records that are kept back.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// How many.
    pub records: u64,
    /// The identifiers of a few, as JSON text.
    pub examples: Vec<String>,
    places: Vec<(usize, u32)>,
}

impl Kept {
    fn add(&mut self, part: usize, row: u32) {
        self.records += 1;
        if self.places.len() < EXAMPLES_MAX {
            self.places.push((part, row));
        }
    }
}

/// Seals what goes out again.
pub fn seal(sealing: &Sealing<'_>, replay: &Replay) -> Result<(Sealed, Sorted)> {
    let past = &replay.past;
    sealing.knows_its_versions()?;
    verify(sealing, past)?;
    let unused = past.seen.as_ref().map_or_else(|| Ok(Seen::new()), |path| Seen::read(sealing.store, path))?;
    let mut sorting = Sorting {
        sealing,
        replay,
        mapped: Mapped { cursor: sealing.state.and_then(|state| state.cursor), selection: replay.selection, shared: sealing.shared },
        classes: classes(sealing, past)?,
        index: KeyIndex::load(sealing.store, sealing.head)?,
        unused: unused.clone(),
        due: Due::new(sealing),
        selected: Counts::default(),
        kept: Counts::default(),
        sorted: Sorted::default(),
    };
    let state = sealing.state;
    let ahead = state.filter(|state| state.cursor.is_some()).map(|state| sealing.ahead(state)).unwrap_or_default();
    let later: u64 = sealing.head.versions.iter().filter(|version| ahead.contains(&version.version)).map(|v| v.counts.total()).sum();
    let waiting: u64 = state.iter().flat_map(|state| &state.pending).map(|file| file.rows).sum();
    for range in KeyRange::all(waiting + later) {
        let known = sorting.known(range, &ahead)?;
        sorting.sort(range, &known, &unused)?;
    }
    sorting.finish()
}

/// Are its changes still there, as they were?
fn verify(sealing: &Sealing<'_>, past: &Plan) -> Result<()> {
    for part in &past.parts {
        let opened =
            open_part(sealing.store, &part.path).map_err(|error| if error.kind() == Kind::NotFound { gone(past) } else { error })?;
        opened.verify(&part.blake3)?;
    }
    Ok(())
}

fn gone(past: &Plan) -> Error {
    Error::new(Kind::NotFound, format!("the changes of sync {} are no longer kept", past.sync_id)).remedy(format!(
        "`outflow reset {}` sends every record as it is now; `retention` in outflow.yml says how long changes and syncs are kept",
        past.mapping
    ))
}

/// What the journal of the earlier sync says.
fn classes(sealing: &Sealing<'_>, past: &Plan) -> Result<Classes> {
    let past_one =
        || format!("restore this file from a backup; or `outflow reset {}` sends every record as it is now", sealing.mapping.name);
    let journal = runs::read_journal(sealing.store, past).map_err(|error| match error.kind() {
        Kind::Corrupt => error.remedy(past_one()),
        _ => error,
    })?;
    Ok(classify(Frames::new(&journal), past.rows() as usize))
}

/// What is known of the records of one range of keys.
#[derive(Default)]
struct Known {
    pending: HashMap<Key, Entry>,
    /// What the model had at the cursor of records that have changed since.
    at_cursor: HashMap<Key, Present>,
}

struct Sorting<'a> {
    sealing: &'a Sealing<'a>,
    replay: &'a Replay,
    mapped: Mapped,
    classes: Classes,
    index: KeyIndex,
    unused: Seen,
    due: Due<'a>,
    selected: Counts,
    kept: Counts,
    sorted: Sorted,
}

impl Sorting<'_> {
    fn known(&self, range: KeyRange, ahead: &[u64]) -> Result<Known> {
        let (store, mut known) = (self.sealing.store, Known::default());
        for file in self.sealing.state.iter().flat_map(|state| &state.pending) {
            each_entry(store, &file.path, |_, entry, _| {
                if range.contains(entry.key) {
                    known.pending.insert(entry.key, entry);
                }
                Ok(())
            })?;
        }
        let cursor = self.mapped.cursor.unwrap_or_default();
        for &version in ahead {
            for part in self.sealing.version_parts(version)? {
                each_entry(store, &part.path, |_, entry, _| {
                    if range.contains(entry.key) {
                        // In which version it appeared is not kept, and not needed: that it was there at the cursor.
                        let before = if let Before::Known(row) = entry.before { Some((row, cursor)) } else { None };
                        known.at_cursor.entry(entry.key).or_insert(before);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(known)
    }

    fn sort(&mut self, range: KeyRange, known: &Known, unused: &Seen) -> Result<()> {
        let past = &self.replay.past;
        let mut position = 0u32;
        for (number, part) in past.parts.iter().enumerate() {
            each_entry(self.sealing.store, &part.path, |row, entry, _| {
                let at = position;
                position += 1;
                if range.contains(entry.key)
                    && decide::fate(past.selection, entry.op(), unused.contains(at), entry.failed.set_aside) == decide::Fate::Sent
                {
                    self.take(&entry, known, at, (number, row))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// A record that the earlier sync sent, or was to.
    fn take(&mut self, entry: &Entry, known: &Known, at: u32, (part, row): (usize, u32)) -> Result<()> {
        if self.replay.failed && self.classes.get(at as usize) == Class::Acked {
            self.unused.insert(at);
            return Ok(());
        }
        let at_head = self.index.rank(entry.key).map(|rank| self.index.get(rank)).map(|found| (found.row, u64::from(found.version)));
        let standing = Standing {
            pending: known.pending.get(&entry.key).copied(),
            at_cursor: known.at_cursor.get(&entry.key).copied().unwrap_or(at_head),
            at_head,
        };
        let verdict = replay::judge(entry, &standing, self.mapped);
        if !verdict.goes_out(self.replay.force, self.mapped.shared) {
            self.unused.insert(at);
            self.kept.add(entry.op(), 1);
            let for_good = self.replay.force;
            if for_good { &mut self.sorted.for_good } else { &mut self.sorted.newer }.add(part, row);
            return Ok(());
        }
        self.selected.add(entry.op(), 1);
        match verdict {
            Verdict::Sends => {}
            Verdict::Newer => self.sorted.corrected += 1,
            Verdict::NewerForGood => self.sorted.left += 1,
        }
        match replay::due(entry, &standing, self.mapped).filter(|_| standing.pending.is_none()) {
            Some(due) => self.due.push(&due),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<(Sealed, Sorted)> {
        let Self { replay, sealing, unused, due, selected, kept, mut sorted, .. } = self;
        let past = &replay.past;
        for kept in [&mut sorted.newer, &mut sorted.for_good] {
            for (part, row) in &kept.places {
                let part = PartReader::open(sealing.store, &past.parts[*part].path)?;
                for batch in part.values(&past.id).select(&[*row]).read()? {
                    kept.examples.extend(identifiers(&values_of(&batch?)?, &past.id)?);
                }
            }
        }
        sorted.again = Some(Again { sync_id: past.sync_id.clone(), mapping: past.owner().to_owned(), due: due.finish()? });
        let mut net = selected;
        for op in outflow_contract::Op::ALL {
            net.add(op, kept.get(op));
        }
        // What was in doubt then is not: it goes out under keys of its own.
        let sealed = Sealed { parts: past.parts.clone(), entries: past.rows() as u32, net, selected, unused, ..Sealed::default() };
        Ok((sealed, sorted))
    }
}

/// Writes entries without values into the run's folder.
struct Due<'a> {
    writer: PartsWriter<'a>,
    batch: EntryBuilder,
}

impl<'a> Due<'a> {
    fn new(sealing: &'a Sealing<'a>) -> Self {
        let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("due-{i:03}.parquet"));
        Self { writer: PartsWriter::new(sealing.store, path), batch: EntryBuilder::new() }
    }

    fn push(&mut self, entry: &Entry) -> Result<()> {
        self.batch.push(entry, None);
        if self.batch.len() == BATCH { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let mut entries = std::mem::replace(&mut self.batch, EntryBuilder::new());
        let options = RecordBatchOptions::new().with_row_count(Some(entries.len()));
        let nothing = RecordBatch::try_new_with_options(Schema::empty().into(), Vec::new(), &options);
        let nothing = nothing.map_err(|error| Error::bug("a batch of no columns").caused_by(error))?;
        self.writer.write(&assemble(entries.finish(), &nothing)?).map(|_| ())
    }

    fn finish(mut self) -> Result<Vec<SealedPart>> {
        if !self.batch.is_empty() {
            self.write()?;
        }
        Ok(self.writer.finish()?.into_iter().map(sealed_part).collect())
    }
}
