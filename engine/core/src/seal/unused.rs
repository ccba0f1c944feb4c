//! Updates that change no column of the mapping. The state before is read by place, only its mapped columns, and hashed;
//! the state after likewise; equal hashes mean that the payload cannot have changed.
//!
//! Compared are the columns that the state before has: one that came since is no reason to send a record.
//!
//! ```text
//! updates, by position ─► by place of the state before ─► hashes, by place ─► by position ─► compared with the state after
//! ```
//!
//! Both orders are made on disk where updates are many, so that all values are read once, from front to back, and few are held.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use outflow_contract::{Before, Error, Op, Result, RowHash};
use outflow_ledger::changes::{Locator, values_of};
use outflow_ledger::runs::{SealedPart, Seen};

use super::{Sealing, mapped_columns, project};
use crate::diff::{Lanes, RecordHasher};
use crate::extract::hash_key;
use crate::scratch::{ByPlace, Folder, Piles, Placed, Stored, numbers, put};
use crate::snapshot::values::{FileColumns, complete, fetch};
use crate::snapshot::{PartReader, each_entry};

/// Positions of one pile, as long as there are not more than [`PILES_MAX`] times as many.
const PILE_POSITIONS: u64 = 128 << 10;
const PILES_MAX: u64 = 1024;

/// An update whose state before is known.
#[derive(Clone, Copy)]
struct Update {
    before_at: Locator,
    position: u32,
}

/// The state before of one.
#[derive(Clone, Copy)]
struct Earlier {
    position: u32,
    /// By which columns it is compared: a number of [`Compared`].
    columns: u32,
    row: RowHash,
}

impl Stored for Update {
    const BYTES: usize = 12;

    fn store(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.before_at.0.to_le_bytes());
        into.extend_from_slice(&self.position.to_le_bytes());
    }

    fn load(bytes: &[u8]) -> Self {
        let position = bytes.last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last));
        Self { before_at: Locator(numbers(bytes)()), position }
    }
}

impl Placed for Update {
    fn at(&self) -> Locator {
        self.before_at
    }
}

impl Stored for Earlier {
    const BYTES: usize = 24;

    fn store(&self, into: &mut Vec<u8>) {
        let (high, low) = self.row.halves();
        let which = u64::from(self.position) << 32 | u64::from(self.columns);
        put(into, &[which, high, low]);
    }

    fn load(bytes: &[u8]) -> Self {
        let mut next = numbers(bytes);
        let which = next();
        Self { position: (which >> 32) as u32, columns: which as u32, row: RowHash::from_halves(next(), next()) }
    }
}

/// The positions of such updates.
pub(super) fn positions(sealing: &Sealing<'_>, parts: &[SealedPart]) -> Result<Seen> {
    let schema = sealing.schema()?;
    let Some(names) = mapped_columns(sealing.mapping, &schema) else { return Ok(Seen::new()) };
    let folder = Folder::new(sealing.store, None)?;
    let updates = updates(sealing, parts, &folder)?;
    if updates.is_empty() {
        return Ok(Seen::new());
    }
    let mapped = project(&schema, &names);
    let mut compared = Compared::new(sealing, &mapped, &names);
    let mut earlier = Upcoming::new(&folder, parts.iter().map(|part| part.rows).sum());
    updates.in_order(|updates| {
        let places: Vec<Locator> = updates.iter().map(|update| update.before_at).collect();
        let mut next = updates.iter();
        fetch(sealing.store, &sealing.head.files, &places, &mapped, |found| {
            // All of them are in one file.
            let Some(first) = found.places.first() else { return Ok(()) };
            let columns = compared.columns_of(first.file())?;
            let rows = compared.hash(columns, &found.values)?;
            for (i, update) in next.by_ref().take(found.places.len()).enumerate() {
                earlier.push(&Earlier { position: update.position, columns, row: rows.row(i) })?;
            }
            Ok(())
        })
    })?;
    drop(updates);
    earlier.piles.settle();

    let mut unused = Seen::new();
    let mut position = 0u32;
    for part in parts {
        for batch in PartReader::open(sealing.store, &part.path)?.values(&names).read()? {
            let values = complete(&values_of(&batch?)?, &mapped)?;
            let end = position + values.num_rows() as u32;
            let here = earlier.up_to(end)?;
            for columns in 0..compared.len() {
                if !here.iter().any(|update| update.columns == columns) {
                    continue;
                }
                let rows = compared.hash(columns, &values)?;
                for update in here.iter().filter(|update| update.columns == columns) {
                    if update.row == rows.row((update.position - position) as usize) {
                        unused.insert(update.position);
                    }
                }
            }
            position = end;
        }
    }
    Ok(unused)
}

/// The states before, that come in any order and are looked at in that of their positions.
struct Upcoming {
    piles: Piles<Earlier>,
    /// Positions of one pile.
    per_pile: u64,
    /// The next pile, and what is left of those before it.
    next: usize,
    here: Vec<Earlier>,
    done: usize,
}

impl Upcoming {
    /// Of so many positions.
    fn new(folder: &Arc<Folder>, positions: u64) -> Self {
        let per_pile = positions.div_ceil(PILES_MAX).max(PILE_POSITIONS);
        let piles = Piles::new(folder, "earlier", positions.div_ceil(per_pile) as usize);
        Self { piles, per_pile, next: 0, here: Vec::new(), done: 0 }
    }

    fn push(&mut self, earlier: &Earlier) -> Result<()> {
        self.piles.push((u64::from(earlier.position) / self.per_pile) as usize, earlier)
    }

    /// Those before the position `end`, from where the last ones ended.
    fn up_to(&mut self, end: u32) -> Result<&[Earlier]> {
        self.here.drain(..std::mem::take(&mut self.done));
        while self.next < self.piles.piles() && self.next as u64 * self.per_pile < u64::from(end) {
            let from = self.here.len();
            self.piles.read(self.next, &mut self.here)?;
            self.here[from..].sort_unstable_by_key(|earlier| earlier.position);
            self.next += 1;
        }
        self.done = self.here.partition_point(|earlier| earlier.position < end);
        Ok(&self.here[..self.done])
    }
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

fn updates(sealing: &Sealing<'_>, parts: &[SealedPart], folder: &Arc<Folder>) -> Result<ByPlace<Update>> {
    let kept: std::collections::HashSet<u32> = sealing.head.files.iter().map(|file| file.id).collect();
    let mut updates = ByPlace::new(folder, "updates", &sealing.head.files);
    let mut position = 0u32;
    for part in parts {
        each_entry(sealing.store, &part.path, |row, entry, before_at| {
            // Values that are no longer kept cannot be compared: such an update is sent.
            let before_at = before_at.filter(|at| kept.contains(&at.file()));
            if let (Op::Updated, Before::Known(_), Some(before_at)) = (entry.op(), entry.before, before_at) {
                updates.push(&Update { before_at, position: position + row })?;
            }
            Ok(())
        })?;
        position += part.rows as u32;
    }
    updates.settle();
    Ok(updates)
}
