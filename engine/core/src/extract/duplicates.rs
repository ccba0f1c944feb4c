//! Records that share an identifier: none of them is accepted, whichever came first, so that the result does not depend on
//! the order of the query.

use std::collections::{HashMap, HashSet};

use crate::snapshot::{PartReader, each_entry};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Error, Key, Result};
use outflow_ledger::changes::{EntryReader, Locator, PartWriter, values_of};

use super::Gathered;
use super::segments::in_order;
use super::writer::Part;
use crate::diff::Reason;

/// The keys that came more than once. A record that is too large to be accepted has come, too.
pub(super) fn find(gathered: &Gathered, threads: usize) -> Result<HashSet<Key>> {
    let mut keys = gathered.tally.repeated.clone();
    let mut refused = HashSet::new();
    keys.extend(gathered.tally.refused.iter().filter(|key| !refused.insert(**key)));
    let of_segment = |segment: usize| {
        let entries = gathered.changed(segment)?;
        let repeated = entries.windows(2).filter(|pair| pair[0].key == pair[1].key).map(|pair| pair[0].key);
        let refused = entries.iter().map(|entry| entry.key).filter(|key| refused.contains(key));
        Ok(repeated.chain(refused).collect::<Vec<Key>>())
    };
    in_order(threads, of_segment, |found| {
        keys.extend(found);
        Ok(())
    })?;
    Ok(keys)
}

/// Which records of each part were taken out: locators of the others move up by as many as lie before them.
#[derive(Default)]
pub(super) struct Removed(HashMap<u32, Vec<u32>>);

impl Removed {
    /// Where the record at `at` is now.
    pub(super) fn moved(&self, at: Locator) -> Locator {
        self.0.get(&at.file()).map_or(at, |rows| Locator::new(at.file(), at.row() - rows.partition_point(|&row| row < at.row()) as u32))
    }
}

/// Takes the records of `keys` out of the parts that have some, and counts them.
pub(super) fn remove(
    store: &dyn StateStore,
    gathered: &mut Gathered,
    keys: &HashSet<Key>,
    path: impl Fn(u32) -> String,
) -> Result<Removed> {
    let mut removed = Removed::default();
    let mut written: HashSet<Key> = HashSet::new();
    for part in std::mem::take(&mut gathered.parts) {
        let rows = rows_of(store, &part, keys)?;
        if rows.is_empty() {
            gathered.parts.push(part);
            continue;
        }
        let kept = rewrite(store, &part, keys, &path(part.file), &mut written, gathered)?;
        gathered.parts.extend(kept);
        store.delete(&part.info.path)?;
        removed.0.insert(part.file, rows);
    }
    // The first of a repeated key may have had the same state as before: it was counted as unchanged, and is in no change set.
    let unwritten = gathered.tally.repeated.difference(&written).count() as u64;
    gathered.tally.unchanged = gathered.tally.unchanged.saturating_sub(unwritten);
    gathered.tally.rejections.count(Reason::DuplicateId, unwritten);
    Ok(removed)
}

/// Where the records of `keys` are in `part`; its values are not read for that.
fn rows_of(store: &dyn StateStore, part: &Part, keys: &HashSet<Key>) -> Result<Vec<u32>> {
    let mut rows = Vec::new();
    each_entry(store, &part.info.path, |row, entry, _| {
        if keys.contains(&entry.key) {
            rows.push(row);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Writes `part` anew without the records of `keys`. `None` if none remain.
fn rewrite(
    store: &dyn StateStore,
    part: &Part,
    keys: &HashSet<Key>,
    path: &str,
    written: &mut HashSet<Key>,
    gathered: &mut Gathered,
) -> Result<Option<Part>> {
    let mut writer: Option<PartWriter> = None;
    for batch in PartReader::open(store, &part.info.path)?.read()? {
        let batch = batch?;
        let entries = EntryReader::new(&batch)?;
        let mut keep = Vec::with_capacity(batch.num_rows());
        for i in 0..entries.len() {
            let (entry, _) = entries.get(i);
            let duplicate = keys.contains(&entry.key);
            if duplicate && !part.snapshot {
                written.insert(entry.key);
                count(&batch, i, matches!(entry.before, Before::Absent), gathered);
            }
            keep.push(!duplicate);
        }
        let batch =
            filter_record_batch(&batch, &BooleanArray::from(keep)).map_err(|e| Error::bug("could not filter a part").caused_by(e))?;
        if batch.num_rows() == 0 {
            continue;
        }
        let writer = match &mut writer {
            Some(writer) => writer,
            none => none.insert(PartWriter::begin(store, path, batch.schema())?),
        };
        writer.write(&batch)?;
    }
    let Some(writer) = writer else { return Ok(None) };
    Ok(Some(Part { file: part.file, snapshot: part.snapshot, info: writer.finish()? }))
}

fn count(batch: &RecordBatch, i: usize, added: bool, gathered: &mut Gathered) {
    let counts = &mut gathered.tally.counts;
    let counted = if added { &mut counts.added } else { &mut counts.updated };
    *counted = counted.saturating_sub(1);
    match values_of(batch) {
        Ok(values) => gathered.tally.rejections.add(Reason::DuplicateId, &values, i),
        Err(_) => gathered.tally.rejections.count(Reason::DuplicateId, 1),
    }
}
