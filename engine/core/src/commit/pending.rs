//! What remains to be done, as a change set of its own, and why.
//!
//! ```text
//! a whole sync     sealed, without what was acknowledged or seen
//! records ahead    pending as it was, with the sealed ones in place of theirs; what was acknowledged stays as `holds what the model has`,
//!                  since the versions after the cursor are yet to be composed onto it
//! ```
//!
//! How often a record has failed and since when stands beside its entry, so that it is known of each, however many fail. Memory: a batch.

use std::collections::HashMap;

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::SchemaRef;
use outflow_contract::{Counts, Entry, Error, Failed, Key, Op, Result, RowHash};
use outflow_ledger::chain::Chain;
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, Reason, ReasonBuilder, Reasons, assemble, values_of};
use outflow_ledger::commit::{ModelCommit, PendingCounts, PendingFile};
use outflow_ledger::decide::Fate;
use outflow_ledger::failures::{FailedRecord, FailureWriter};
use outflow_ledger::fold::{Class, Classes, fold_ahead, fold_entry};
use outflow_ledger::paths;

use super::{Settling, Told};
use crate::map::identifiers;
use crate::snapshot::values::complete;
use crate::snapshot::{PartReader, PartsWriter};
use crate::time::{rfc3339_of_ms, unix_ms};

/// So many failures are written down, for people; the pending records themselves are all kept.
const FAILURES_MAX: usize = 100_000;

/// What was written.
#[derive(Default)]
pub(super) struct Written {
    /// The pending change set.
    pub(super) files: Vec<PendingFile>,
    /// The sealed records that remain.
    pub(super) left: PendingCounts,
    /// Those that the destination has acknowledged.
    pub(super) acked: Counts,
    /// Where the failures are.
    pub(super) failures: Option<String>,
    /// What they say about the records that samples were given for, by position.
    pub(super) sampled: HashMap<u32, FailedRecord>,
    /// The change set holds records of which nothing is to be done.
    pub(super) ahead: bool,
}

/// Folds every sealed entry; writes those that remain, and why, into the run's folder.
pub(super) fn write(settling: &Settling, classes: &Classes, told: &Told) -> Result<Written> {
    let all_acked = classes.tally().acked == classes.len() as u64;
    if settling.plan.only.is_none() && all_acked && settling.sealed.selected.total() == u64::from(settling.sealed.entries) {
        return Ok(Written { acked: settling.sealed.selected, ..Written::default() });
    }
    let path = |i: usize| paths::run_file(&settling.mapping, settling.plan.epoch, &paths::part("pending", settling.nonce, i as u32));
    let mut folding = Folding {
        settling,
        classes,
        told,
        parts: PendingWriter::new(PartsWriter::new(settling.store.as_ref(), path)),
        failures: None,
        kept: 0,
        places: HashMap::new(),
        written: Written::default(),
    };
    if settling.plan.only.is_some() {
        folding.keep_others()?;
        folding.find_places()?;
    }
    let mut position = 0u32;
    for part in &settling.plan.parts {
        for batch in PartReader::open(settling.store.as_ref(), &part.path)?.read()? {
            let batch = batch?;
            folding.fold(&batch, position)?;
            position += batch.num_rows() as u32;
        }
    }
    let Folding { parts, failures, mut written, .. } = folding;
    written.failures = failures.map(FailureWriter::finish).transpose()?.map(|info| info.path);
    (written.files, written.ahead) = parts.finish()?;
    Ok(written)
}

struct Folding<'a> {
    settling: &'a Settling,
    classes: &'a Classes,
    told: &'a Told,
    parts: PendingWriter<'a>,
    failures: Option<FailureWriter>,
    /// How many were written down.
    kept: usize,
    /// Where the model keeps the values of records that were acknowledged ahead of their sync.
    places: HashMap<Key, Locator>,
    written: Written,
}

/// One that has failed, and why.
struct Unsent<'a> {
    /// Its place among those that remain of its batch.
    place: usize,
    key: Key,
    op: Op,
    failed: Failed,
    why: Reason<'a>,
    position: u32,
}

impl<'a> Folding<'a> {
    /// What was pending before, without the records that were sent ahead.
    fn keep_others(&mut self) -> Result<()> {
        let Some(only) = &self.settling.plan.only else { return Ok(()) };
        for file in self.settling.base.iter().flat_map(|base| &base.pending) {
            for batch in PartReader::open(self.settling.store.as_ref(), &file.path)?.read()? {
                let batch = batch?;
                let entries = EntryReader::new(&batch)?;
                let others: BooleanArray = (0..entries.len()).map(|i| Some(!only.contains(&entries.key(i)))).collect();
                let others = filter_record_batch(&batch, &others).map_err(could_not_take)?;
                if others.num_rows() > 0 {
                    self.parts.write(&others)?;
                }
            }
        }
        Ok(())
    }

    /// What an acknowledged record has at the destination are the values of now: in the newest of the model's files that has its state.
    fn find_places(&mut self) -> Result<()> {
        let store = self.settling.store.as_ref();
        let mut wanted: HashMap<Key, RowHash> = HashMap::new();
        let mut position = 0;
        for part in &self.settling.plan.parts {
            for batch in PartReader::open(store, &part.path)?.narrow().read()? {
                let entries = EntryReader::new(&batch?)?;
                let acked = (0..entries.len()).filter(|i| self.classes.get(position + i) == Class::Acked);
                wanted.extend(acked.filter_map(|i| Some((entries.key(i), entries.get(i).0.after?))));
                position += entries.len();
            }
        }
        let model: Option<ModelCommit> = Chain::of_model(&self.settling.plan.model).head(store)?;
        for file in model.iter().flat_map(|model| &model.files).rev() {
            let mut row = 0;
            for batch in PartReader::open(store, &file.path)?.narrow().read()? {
                let entries = EntryReader::new(&batch?)?;
                for i in 0..entries.len() {
                    let (entry, _) = entries.get(i);
                    if wanted.get(&entry.key).is_some_and(|&after| entry.after == Some(after)) {
                        wanted.remove(&entry.key);
                        self.places.insert(entry.key, Locator::new(file.id, row + i as u32));
                    }
                }
                row += entries.len() as u32;
            }
            if wanted.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// What becomes of a sealed entry: its class, and whether it was tried.
    fn class(&self, entry: &Entry, position: u32) -> (Class<'a>, bool) {
        match self.settling.sealed.fate(self.settling.selection, entry, position) {
            Fate::Sent => (self.classes.get(position as usize), true),
            Fate::Held => (Class::Unattempted, false),
            // Ahead of its sync nothing is settled as seen: the cursor stays.
            Fate::Seen if self.settling.plan.only.is_some() => (Class::Unattempted, false),
            Fate::Seen => (Class::Seen, false),
        }
    }

    /// Writes the entries of `batch` that remain, folded.
    fn fold(&mut self, batch: &RecordBatch, first: u32) -> Result<()> {
        let entries = EntryReader::new(batch)?;
        let earlier = Reasons::of(batch)?;
        let mut builder = EntryBuilder::of_pending();
        let mut reasons = ReasonBuilder::new();
        let mut rows: Vec<u32> = Vec::new();
        let mut unsent: Vec<Unsent<'_>> = Vec::new();
        let (ahead, now_ms) = (self.settling.plan.only.is_some(), unix_ms(self.settling.now));
        for i in 0..entries.len() {
            let (entry, mut before_at) = entries.get(i);
            let position = first + i as u32;
            let (class, tried) = self.class(&entry, position);
            if class == Class::Acked {
                self.written.acked.add(entry.op(), 1);
                before_at = self.places.get(&entry.key).copied();
            }
            let folded = if ahead { Some(fold_ahead(&entry, class)) } else { fold_entry(&entry, class) };
            let Some(mut folded) = folded else { continue };
            let failing = tried && class != Class::Acked;
            if failing {
                folded.failed = folded.failed.again(now_ms);
                let (key, op, failed) = (entry.key, entry.op(), folded.failed);
                let why = reason(class, position, self.told);
                unsent.push(Unsent { place: rows.len(), key, op, failed, why, position });
            }
            if class != Class::Acked {
                let left = &mut self.written.left;
                left.all.add(folded.op(), 1);
                if folded.failed.set_aside {
                    left.set_aside.add(folded.op(), 1);
                }
            }
            let kept = if tried { None } else { earlier.get(i) };
            reasons.push(if failing { Some(reason(class, position, self.told)) } else { kept });
            builder.push(&folded, before_at);
            rows.push(i as u32);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let values = taken(&values_of(batch)?, rows, &self.settling.schema)?;
        if !unsent.is_empty() {
            self.note(&values, unsent)?;
        }
        self.parts.write(&reasons.finish().beside(&assemble(builder.finish(), &values)?)?)
    }

    /// Writes down why each of these records remains, as far as there is room.
    fn note(&mut self, values: &RecordBatch, unsent: Vec<Unsent<'_>>) -> Result<()> {
        let is_written = |kept: usize, unsent: &Unsent<'_>| kept < FAILURES_MAX || self.told.samples.contains_key(&unsent.position);
        if !unsent.iter().any(|unsent| is_written(self.kept, unsent)) {
            return Ok(());
        }
        let ids = identifiers(values, &self.settling.id)?;
        for unsent in unsent {
            if !is_written(self.kept, &unsent) {
                continue;
            }
            self.kept += 1;
            let sample = self.told.samples.get(&unsent.position);
            let Unsent { place, key, op, failed, why: Reason { code, message, .. }, position } = unsent;
            let failure = FailedRecord {
                key,
                id: ids.get(place).cloned().unwrap_or_default(),
                op,
                code: code.to_owned(),
                message: message.to_owned(),
                attempts: failed.attempts,
                first_seen: rfc3339_of_ms(failed.first_ms),
                last_seen: rfc3339_of_ms(failed.last_ms),
                payload: sample.and_then(|sample| sample.payload.clone()),
                answer: sample.and_then(|sample| sample.answer.clone()),
            };
            if sample.is_some() {
                self.written.sampled.insert(position, failure.clone());
            }
            let failures = match &mut self.failures {
                Some(failures) => failures,
                none => {
                    // A settling that was killed may have left one: the nonce keeps them apart.
                    let name = paths::part("failures", self.settling.nonce, 0);
                    let path = paths::run_file(&self.settling.mapping, self.settling.plan.epoch, &name);
                    none.insert(FailureWriter::begin(self.settling.store.as_ref(), &path)?)
                }
            };
            failures.push(failure)?;
        }
        Ok(())
    }
}

/// Why the record at `position` remains: as the run tells it, where its process is still there to tell.
pub(super) fn reason<'a>(class: Class<'a>, position: u32, told: &'a Told) -> Reason<'a> {
    let open = |code, message| {
        let (code, message) = told.open.get(position).unwrap_or((code, message));
        Reason { code, message, open: true }
    };
    match class {
        Class::Refused(refusal) => Reason { code: refusal.code, message: refusal.message, open: false },
        Class::Unknown(_) => open("no_answer", "a request was sent, and its answer never read"),
        Class::Unattempted | Class::Acked | Class::Seen => open("not_attempted", "not sent, because the sync had stopped"),
    }
}

/// The values of the records at `rows`, in the columns of now, for parts of different versions may differ in theirs. Deleted records
/// whose values are not beside them stay so.
fn taken(values: &RecordBatch, rows: Vec<u32>, schema: &SchemaRef) -> Result<RecordBatch> {
    if values.num_columns() == 0 {
        return Ok(values.slice(0, rows.len()));
    }
    complete(&take_record_batch(values, &UInt32Array::from(rows)).map_err(could_not_take)?, schema)
}

fn could_not_take(error: arrow::error::ArrowError) -> Error {
    Error::bug("could not take the pending records").caused_by(error)
}

/// Writes pending records, and counts them by part.
pub(crate) struct PendingWriter<'a> {
    parts: PartsWriter<'a>,
    counts: Vec<PendingCounts>,
}

impl<'a> PendingWriter<'a> {
    pub(crate) fn new(parts: PartsWriter<'a>) -> Self {
        Self { parts, counts: Vec::new() }
    }

    /// Appends a batch of a change set.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let number = self.parts.write(batch)?;
        self.counts.resize(self.counts.len().max(number + 1), PendingCounts::default());
        let entries = EntryReader::new(batch)?;
        (0..entries.len()).for_each(|i| self.counts[number].add(&entries.get(i).0));
        Ok(())
    }

    /// Makes them durable; and are there any of which nothing is to be done?
    pub(crate) fn finish(self) -> Result<(Vec<PendingFile>, bool)> {
        let ahead = self.counts.iter().any(|counts| counts.ahead);
        let files = self.parts.finish()?.into_iter().zip(self.counts).map(|(info, counts)| PendingFile::of(info, counts));
        Ok((files.collect(), ahead))
    }
}
