//! Records of an earlier sync that were sent once more, folded into what is pending (rule 23).
//!
//! ```text
//! pending   k3 (old entry)  k5            k5    stays
//! journal   k3 acknowledged          ──►  k3    the destination has what was sent; what was due stays due
//!           k7 acknowledged          ──►  k7    likewise, if the cursor does not say as much
//!           k9 refused               ──►        as it was
//! ```
//!
//! Memory: the entries of one range of keys. Values are copied from where they stand. Where the state that is due is not the one that
//! was sent, only the identifier's columns are: the next sync finds that columns are missing, and takes the values of now.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use outflow_contract::{Counts, Entry, Error, Key, Result};
use outflow_ledger::changes::{EntryBuilder, Locator, ReasonBuilder, Reasons, assemble, values_of};
use outflow_ledger::commit::PendingFile;
use outflow_ledger::decide::Fate;
use outflow_ledger::fold::{Class, Classes, fold_beside};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::pending::reason;
use super::{PendingWriter, Settling, Told};
use crate::snapshot::{KeyRange, PartReader, PartsWriter, each_entry};
use crate::time::unix_ms;

/// What was written.
pub(super) struct Written {
    /// The pending change set.
    pub(super) files: Vec<PendingFile>,
    /// It holds records of which nothing is to be done.
    pub(super) ahead: bool,
    /// Records that were sent, and not acknowledged.
    pub(super) left: Counts,
    /// Those that were.
    pub(super) acked: Counts,
}

/// A record that was sent.
struct Sent {
    entry: Entry,
    part: usize,
    row: u32,
    position: u32,
}

/// What stays of a record, and where its values stand.
struct Left {
    entry: Entry,
    before_at: Option<Locator>,
    part: usize,
    row: u32,
    /// Its position, if it was sent.
    position: Option<u32>,
    /// The values that stand there are those of its state.
    whole: bool,
}

/// Writes the pending records anew, with those that were sent as they are now.
pub(super) fn write(settling: &Settling, classes: &Classes, told: &Told) -> Result<Written> {
    let path = |i: usize| paths::run_file(&settling.mapping, settling.plan.epoch, &paths::part("pending", settling.nonce, i as u32));
    let mut folding = Folding {
        settling,
        classes,
        told,
        cursor: settling.base.as_ref().and_then(|base| base.cursor),
        now_ms: unix_ms(settling.now),
        writer: PendingWriter::new(PartsWriter::new(settling.store.as_ref(), path)),
        left: Counts::default(),
        acked: Counts::default(),
    };
    let pending: &[PendingFile] = settling.base.as_ref().map(|base| base.pending.as_slice()).unwrap_or_default();
    let due: &[SealedPart] = settling.plan.again.as_ref().map(|again| again.due.as_slice()).unwrap_or_default();
    let waiting: u64 = pending.iter().map(|file| file.rows).sum();
    for range in KeyRange::all(waiting + settling.plan.rows()) {
        let mut sent = folding.sent(range)?;
        for file in pending {
            folding.rewrite(file, range, &mut sent)?;
        }
        let due = folding.due(due, range)?;
        folding.add(sent, &due)?;
    }
    folding.finish()
}

struct Folding<'a> {
    settling: &'a Settling,
    classes: &'a Classes,
    told: &'a Told,
    cursor: Option<u64>,
    now_ms: u64,
    writer: PendingWriter<'a>,
    left: Counts,
    acked: Counts,
}

impl Folding<'_> {
    /// The records of a range that were sent.
    fn sent(&mut self, range: KeyRange) -> Result<HashMap<Key, Sent>> {
        let Settling { plan, sealed, store, .. } = self.settling;
        let (mut sent, mut position) = (HashMap::new(), 0u32);
        for (number, part) in plan.parts.iter().enumerate() {
            each_entry(store.as_ref(), &part.path, |row, entry, _| {
                let at = position;
                position += 1;
                if range.contains(entry.key) && sealed.fate(plan.selection, &entry, at) == Fate::Sent {
                    let op = entry.op();
                    let acked = self.classes.get(at as usize) == Class::Acked;
                    if acked { &mut self.acked } else { &mut self.left }.add(op, 1);
                    sent.insert(entry.key, Sent { entry, part: number, row, position: at });
                }
                Ok(())
            })?;
        }
        Ok(sent)
    }

    /// What is due of records that are not pending.
    fn due(&self, parts: &[SealedPart], range: KeyRange) -> Result<HashMap<Key, Entry>> {
        let mut due = HashMap::new();
        for part in parts {
            each_entry(self.settling.store.as_ref(), &part.path, |_, entry, _| {
                if range.contains(entry.key) {
                    due.insert(entry.key, entry);
                }
                Ok(())
            })?;
        }
        Ok(due)
    }

    /// Keeps the pending records of a range, folded; takes those out of `sent`.
    fn rewrite(&mut self, file: &PendingFile, range: KeyRange, sent: &mut HashMap<Key, Sent>) -> Result<()> {
        let store = self.settling.store.as_ref();
        let mut kept: Vec<Left> = Vec::new();
        each_entry(store, &file.path, |row, entry, before_at| {
            if !range.contains(entry.key) {
                return Ok(());
            }
            let (now, position) = match sent.remove(&entry.key) {
                Some(one) => (self.folded(&one, Some(&entry)), Some(one.position)),
                None => (Some(entry), None),
            };
            if let Some(now) = now {
                let before_at = before_at.filter(|_| now.before == entry.before);
                kept.push(Left { entry: now, before_at, part: 0, row, position, whole: true });
            }
            Ok(())
        })?;
        self.copy(&file.path, &kept, |values| Ok(values.clone()))
    }

    /// Adds what stays of records that were not pending.
    fn add(&mut self, sent: HashMap<Key, Sent>, due: &HashMap<Key, Entry>) -> Result<()> {
        let mut left = Vec::new();
        for sent in sent.into_values() {
            let Some(entry) = self.folded(&sent, due.get(&sent.entry.key)) else { continue };
            let Sent { entry: one, part, row, position } = sent;
            // A record that is gone has the values that the destination was given last.
            let whole = entry.after.is_none() || entry.after == one.after;
            left.push(Left { entry, before_at: None, part, row, position: Some(position), whole });
        }
        left.sort_unstable_by_key(|left| (!left.whole, left.part, left.row));
        for group in left.chunk_by(|a, b| (a.whole, a.part) == (b.whole, b.part)) {
            let Some(first) = group.first() else { continue };
            let Settling { plan, schema, id, .. } = self.settling;
            let is_kept = |name: &str| schema.column_with_name(name).is_some() && (first.whole || id.iter().any(|id| id == name));
            self.copy(&plan.parts[first.part].path, group, |values| some_columns(values, is_kept))?;
        }
        Ok(())
    }

    /// Writes these entries with the values that stand in the part at `path`.
    fn copy(&mut self, path: &str, left: &[Left], values: impl Fn(&RecordBatch) -> Result<RecordBatch>) -> Result<()> {
        if left.is_empty() {
            return Ok(());
        }
        let rows: Vec<u32> = left.iter().map(|left| left.row).collect();
        let mut left = left.iter();
        for batch in PartReader::open(self.settling.store.as_ref(), path)?.select(&rows).read()? {
            let batch = batch?;
            let (values, earlier) = (values(&values_of(&batch)?)?, Reasons::of(&batch)?);
            let (mut entries, mut reasons) = (EntryBuilder::of_pending(), ReasonBuilder::new());
            for (i, one) in left.by_ref().take(values.num_rows()).enumerate() {
                entries.push(&one.entry, one.before_at);
                let classes = one.position.map(|at| (self.classes.get(at as usize), at));
                let unanswered = classes.filter(|(class, _)| matches!(class, Class::Unknown(_)));
                reasons.push(unanswered.map(|(class, at)| reason(class, at, self.told)).or_else(|| earlier.get(i)));
            }
            self.writer.write(&reasons.finish().beside(&assemble(entries.finish(), &values)?)?)?;
        }
        match left.next() {
            Some(_) => Err(Error::corrupt(format!("{path} holds fewer records than its plan says"))),
            None => Ok(()),
        }
    }

    /// What stays pending of a record that was sent. What is in doubt of it has failed.
    fn folded(&self, sent: &Sent, due: Option<&Entry>) -> Option<Entry> {
        let class = self.classes.get(sent.position as usize);
        let mut entry = fold_beside(&sent.entry, class, due, self.cursor)?;
        if let Class::Unknown(_) = class {
            entry.failed = entry.failed.again(self.now_ms);
        }
        Some(entry)
    }

    fn finish(self) -> Result<Written> {
        let (files, ahead) = self.writer.finish()?;
        Ok(Written { files, ahead, left: self.left, acked: self.acked })
    }
}

/// The columns of `values` that are kept. None is made up: the sync that follows takes what is missing from the snapshot.
fn some_columns(values: &RecordBatch, is_kept: impl Fn(&str) -> bool) -> Result<RecordBatch> {
    let fields = values.schema_ref().fields().iter().enumerate();
    let kept: Vec<usize> = fields.filter(|(_, field)| is_kept(field.name())).map(|(i, _)| i).collect();
    values.project(&kept).map_err(|e| Error::bug("could not take columns of the pending records").caused_by(e))
}
