//! Updates that change no column of the mapping. The state before is read by place, only its mapped columns, and hashed;
//! the state after likewise; equal hashes mean that the payload cannot have changed.
//!
//! Compared are the columns that the state before has: one that came since is no reason to send a record.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use outflow_contract::{Before, Error, Op, Result, RowHash};
use outflow_ledger::changes::{EntryReader, Locator, values_of};
use outflow_ledger::runs::{SealedPart, Seen};

use super::{Sealing, mapped_columns, project};
use crate::diff::{Lanes, RecordHasher};
use crate::extract::hash_key;
use crate::snapshot::PartReader;
use crate::snapshot::values::{FileColumns, complete, fetch};

/// An update whose state before is known.
struct Update {
    position: u32,
    /// By which columns it is compared: a number of [`Compared`].
    columns: u32,
    before_at: Locator,
    before: Option<RowHash>,
}

/// The positions of such updates.
pub(super) fn positions(sealing: &Sealing<'_>, parts: &[SealedPart]) -> Result<Seen> {
    let schema = sealing.schema()?;
    let Some(names) = mapped_columns(sealing.mapping, &schema) else { return Ok(Seen::new()) };
    let mut updates = updates(sealing, parts)?;
    if updates.is_empty() {
        return Ok(Seen::new());
    }
    let mapped = project(&schema, &names);
    let mut compared = Compared::new(sealing, &mapped, &names);

    updates.sort_unstable_by_key(|update| update.before_at.0);
    let places: Vec<Locator> = updates.iter().map(|update| update.before_at).collect();
    let mut next = updates.iter_mut();
    fetch(sealing.store, &sealing.head.files, &places, &mapped, |found| {
        // All of them are in one file.
        let Some(first) = found.places.first() else { return Ok(()) };
        let columns = compared.columns_of(first.file())?;
        let rows = compared.hash(columns, &found.values)?;
        for (i, update) in next.by_ref().take(found.places.len()).enumerate() {
            (update.columns, update.before) = (columns, Some(rows.row(i)));
        }
        Ok(())
    })?;

    updates.sort_unstable_by_key(|update| update.position);
    let mut unused = Seen::new();
    let mut rest = updates.as_slice();
    let mut position = 0u32;
    for part in parts {
        for batch in PartReader::open(sealing.store, &part.path)?.values(&names).read()? {
            let values = complete(&values_of(&batch?)?, &mapped)?;
            let end = position + values.num_rows() as u32;
            let (here, later) = rest.split_at(rest.partition_point(|update| update.position < end));
            for columns in 0..compared.len() {
                if !here.iter().any(|update| update.columns == columns) {
                    continue;
                }
                let rows = compared.hash(columns, &values)?;
                for update in here.iter().filter(|update| update.columns == columns) {
                    if update.before == Some(rows.row((update.position - position) as usize)) {
                        unused.insert(update.position);
                    }
                }
            }
            (rest, position) = (later, end);
        }
    }
    Ok(unused)
}

/// The mapped columns that files with earlier values have: all of them, but for files from before a column came.
struct Compared<'a> {
    sealing: &'a Sealing<'a>,
    mapped: &'a SchemaRef,
    names: &'a [String],
    columns: FileColumns,
    /// Each set of columns, with what hashes them.
    sets: Vec<(Vec<String>, RecordHasher)>,
    /// The set of each file.
    of_files: HashMap<u32, u32>,
    keys: Lanes,
    rows: Lanes,
}

impl<'a> Compared<'a> {
    fn new(sealing: &'a Sealing<'a>, mapped: &'a SchemaRef, names: &'a [String]) -> Self {
        let (columns, of_files) = (FileColumns::default(), HashMap::new());
        Self { sealing, mapped, names, columns, sets: Vec::new(), of_files, keys: Lanes::default(), rows: Lanes::default() }
    }

    /// How many sets.
    fn len(&self) -> u32 {
        self.sets.len() as u32
    }

    /// The number of the set that a file has.
    fn columns_of(&mut self, file: u32) -> Result<u32> {
        if let Some(&number) = self.of_files.get(&file) {
            return Ok(number);
        }
        let head = self.sealing.head;
        let has = self.columns.of(self.sealing.store, &head.files, file)?;
        let has = has.ok_or_else(|| Error::corrupt(format!("the commit of a model does not list its file {file}")))?;
        let names: Vec<String> = self.names.iter().filter(|name| has.contains(*name)).cloned().collect();
        let known = self.sets.iter().position(|(known, _)| *known == names);
        let number = if let Some(number) = known {
            number
        } else {
            let hasher = RecordHasher::projected(&hash_key(head.salt), self.mapped, &names)?;
            self.sets.push((names, hasher));
            self.sets.len() - 1
        };
        self.of_files.insert(file, number as u32);
        Ok(number as u32)
    }

    /// The hashes over set `columns` of records that have the mapped ones.
    fn hash(&mut self, columns: u32, values: &RecordBatch) -> Result<&Lanes> {
        self.sets[columns as usize].1.hash(values, &mut self.keys, &mut self.rows)?;
        Ok(&self.rows)
    }
}

fn updates(sealing: &Sealing<'_>, parts: &[SealedPart]) -> Result<Vec<Update>> {
    let kept: std::collections::HashSet<u32> = sealing.head.files.iter().map(|file| file.id).collect();
    let mut updates = Vec::new();
    let mut position = 0u32;
    for part in parts {
        for batch in PartReader::open(sealing.store, &part.path)?.narrow().read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            for i in 0..entries.len() {
                let (entry, before_at) = entries.get(i);
                // Values that are no longer kept cannot be compared: such an update is sent.
                let before_at = before_at.filter(|at| kept.contains(&at.file()));
                if let (Op::Updated, Before::Known(_), Some(before_at)) = (entry.op(), entry.before, before_at) {
                    updates.push(Update { position: position + i as u32, columns: 0, before_at, before: None });
                }
            }
            position += entries.len() as u32;
        }
    }
    Ok(updates)
}
