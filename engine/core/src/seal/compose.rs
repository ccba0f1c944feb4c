//! `compose(pending, versions after the cursor)` where it has to be worked out: by key, over the narrow columns; then the values of what
//! remains are copied from where they stand (`copy`).
//!
//! ```text
//! entries of the inputs ─► by range of keys ─► composed, a range at a time ─► net entries, by where their values stand ─► copied
//! ```
//!
//! Both orders are made on disk where entries are many, so that each input is read once for its entries and once for its values, and few
//! entries are held.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Key, Result};
use outflow_ledger::changes::{Locator, PartInfo};
use outflow_ledger::commit::{ModelCommit, PendingFile, ValueFile};
use outflow_ledger::compose::{Options, compose_key, fold_key, snapshot_entry};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::copy::{Copying, Net};
use super::deleted::is_bare;
use super::{Sealing, file_part, lack_columns, sealed_part};
use crate::scratch::{Folder, Piles, Stored, numbers, put};
use crate::snapshot::values::FileColumns;
use crate::snapshot::{HashSnapshot, Indexed, SEGMENTS, each_entry, schema_of, segment_of};

/// Entries of one range of keys, as long as there are not more than [`RANGES_MAX`] times as many: 20 MB, and as much again once composed.
const RANGE_ENTRIES: u64 = 64 << 10;
const RANGES_MAX: u64 = 1024;

/// A part to compose from.
pub(super) struct Input {
    pub(super) path: String,
    /// Its number among the model's files; none for pending records.
    file: Option<u32>,
    pub(super) rows: u64,
    /// It is from before a column was added.
    lacks_columns: bool,
    /// It has deleted records without their values.
    pub(super) is_bare: bool,
}

/// One entry of one part.
#[derive(Clone, Copy)]
struct Item {
    entry: Entry,
    before_at: Option<Locator>,
    /// Ascends with time: pending first, then the versions in order.
    input: u32,
    row: u32,
}

impl Stored for Item {
    const BYTES: usize = Entry::BYTES + 24;

    fn store(&self, into: &mut Vec<u8>) {
        self.entry.store(into);
        let which = u64::from(self.input) << 32 | u64::from(self.row);
        put(into, &[which, u64::from(self.before_at.is_some()), self.before_at.map_or(0, |at| at.0)]);
    }

    fn load(bytes: &[u8]) -> Self {
        let (entry, rest) = bytes.split_at(Entry::BYTES);
        let mut next = numbers(rest);
        let (which, has_place, at) = (next(), next(), next());
        let before_at = (has_place != 0).then_some(Locator(at));
        Self { entry: Entry::load(entry), before_at, input: (which >> 32) as u32, row: which as u32 }
    }
}

/// What is composed, and into which files.
pub(crate) struct Composing<'a> {
    pub(crate) store: &'a dyn StateStore,
    pub(crate) head: &'a ModelCommit,
    pub(crate) pending: &'a [PendingFile],
    /// The versions, ascending.
    pub(crate) ahead: Vec<u64>,
    pub(crate) options: Options,
    /// Nothing but these records.
    pub(crate) only: Option<&'a BTreeSet<Key>>,
    /// Retention composes up to this version, and drops it (rule 14).
    pub(crate) fold_to: Option<u64>,
    /// The mapping has seen nothing yet, and the model's first versions are gone: what the oldest snapshot that is left held counts as added.
    pub(crate) from_oldest: bool,
    /// The path of a part, by its name.
    pub(crate) path: &'a dyn Fn(&str) -> String,
}

impl Composing<'_> {
    /// Writes the composition; after a reset only its deletes, for the whole snapshot is sent beside them.
    pub(crate) fn write(&self) -> Result<Vec<PartInfo>> {
        let (inputs, folder) = (self.inputs()?, Folder::new(self.store, None)?);
        let total: u64 = inputs.iter().map(|input| input.rows).sum();
        let of = total.div_ceil(RANGE_ENTRIES).clamp(1, RANGES_MAX);
        let range_of = |key: Key| ((u128::from(key.halves().0) * u128::from(of)) >> 64) as usize;
        let mut items = Piles::new(&folder, "entries", of as usize);
        for (input, number) in inputs.iter().zip(0..) {
            each_entry(self.store, &input.path, |row, entry, before_at| {
                let wanted = self.only.is_none_or(|only| only.contains(&entry.key));
                if wanted { items.push(range_of(entry.key), &Item { entry, before_at, input: number, row }) } else { Ok(()) }
            })?;
        }
        items.settle();
        let (earlier, mut now) = (Earlier::new(self)?, Now::new(self));
        let mut copying = Copying::new(self, &inputs, &folder);
        let mut of_range = Vec::new();
        for range in 0..of as usize {
            of_range.clear();
            items.read(range, &mut of_range)?;
            of_range.sort_unstable_by_key(|item: &Item| (item.entry.key, item.input, item.row));
            let keys = of_range.chunk_by(|a, b| a.entry.key == b.entry.key);
            let mut nets = keys.filter_map(|key| self.net(key, &inputs, &earlier).transpose()).collect::<Result<Vec<Net>>>()?;
            nets.retain(|net| !self.options.resend || net.entry.after.is_none());
            now.place(&mut nets, &inputs)?;
            nets.iter().try_for_each(|net| copying.push(net))?;
        }
        drop((items, of_range));
        let mut parts = copying.copy()?;
        if self.from_oldest && self.only.is_none() {
            parts.extend(self.untouched(&inputs, &folder)?);
        }
        Ok(parts)
    }

    fn inputs(&self) -> Result<Vec<Input>> {
        let input = |part: SealedPart, file: Option<u32>| -> Result<Input> {
            let lacks_columns = lack_columns(self.store, self.head, std::slice::from_ref(&part))?;
            let is_bare = is_bare(self.store, &part.path)?;
            Ok(Input { path: part.path, file, rows: part.rows, lacks_columns, is_bare })
        };
        let mut inputs = Vec::new();
        for p in self.pending {
            inputs.push(input(SealedPart { path: p.path.clone(), rows: p.rows, blake3: p.blake3.clone() }, None)?);
        }
        for version in self.head.versions.iter().filter(|version| self.ahead.contains(&version.version)) {
            for &id in &version.files {
                inputs.push(input(file_part(self.head, id)?, Some(id))?);
            }
        }
        Ok(inputs)
    }

    /// Composes the entries of one key, in order of time.
    fn net(&self, items: &[Item], inputs: &[Input], earlier: &Earlier<'_>) -> Result<Option<Net>> {
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return Ok(None) };
        let from_pending = (first.input as usize) < self.pending.len();
        let steps: Vec<Entry> = items[usize::from(from_pending)..].iter().map(|item| item.entry).collect();
        let start = if from_pending { Some(first.entry) } else { self.at_the_oldest(&first.entry) };
        let net = match self.fold_to {
            Some(to) => fold_key(start, &steps, to, &self.options),
            None => compose_key(start, &steps, &self.options),
        };
        let Some(entry) = net else { return Ok(None) };
        // Where the values of its state before are: those of the first entry, or of a step that was seen on the way.
        let before_at = match entry.before {
            Before::Known(_) if first.entry.before == entry.before => first.before_at,
            Before::Known(row) => items.iter().rev().find(|item| item.entry.after == Some(row)).and_then(|item| {
                let file = inputs[item.input as usize].file?;
                Some(Locator::new(file, item.row))
            }),
            _ => None,
        };
        // What was sent ahead stays as it is, with its own values; and why it failed stands beside them.
        let from = if from_pending && entry.version == first.entry.version { first } else { last };
        let before_at = earlier.telling(before_at, items)?;
        Ok(Some(Net { entry, before_at, values_at: from.before_at, now_at: None, input: from.input, row: from.row }))
    }

    /// What the oldest snapshot held of a record, as an added one: the first step that is left says what was there before.
    fn at_the_oldest(&self, first: &Entry) -> Option<Entry> {
        let Before::Known(row) = first.before else { return None };
        self.from_oldest.then(|| snapshot_entry(first.key, row, self.head.dropped.through, false))
    }

    /// The records that no step is left of, as added ones.
    fn untouched(&self, inputs: &[Input], folder: &Arc<Folder>) -> Result<Vec<PartInfo>> {
        let mut pending = Piles::new(folder, "pending", SEGMENTS);
        for input in &inputs[..self.pending.len()] {
            each_entry(self.store, &input.path, |_, entry, _| pending.push(segment_of(entry.key.halves().0), &entry.key))?;
        }
        pending.settle();
        // Records come by key.
        let (mut segment, mut here) = (usize::MAX, Vec::new());
        let wanted = |record: &Indexed| {
            let of = segment_of(record.key.halves().0);
            if of != segment {
                here.clear();
                pending.read(of, &mut here)?;
                here.sort_unstable();
                segment = of;
            }
            Ok(u64::from(record.version) <= self.head.dropped.through && here.binary_search(&record.key).is_err())
        };
        super::snapshot::write_records(self.store, self.head, wanted, false, &|i| (self.path)(&format!("oldest-{i:03}")))
    }
}

/// Where the newest values of records are, for entries whose own are from before a column was added.
struct Now<'a> {
    composing: &'a Composing<'a>,
    snapshot: Option<HashSnapshot>,
}

impl<'a> Now<'a> {
    fn new(composing: &'a Composing<'a>) -> Self {
        Self { composing, snapshot: None }
    }

    /// Finds those of `nets`, which ascend by key, that are still there.
    fn place(&mut self, nets: &mut [Net], inputs: &[Input]) -> Result<()> {
        let wanted = |net: &Net| net.entry.after.is_some() && inputs[net.input as usize].lacks_columns;
        let keys: Vec<Key> = nets.iter().filter(|net| wanted(net)).map(|net| net.entry.key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let snapshot = match &mut self.snapshot {
            Some(snapshot) => snapshot,
            none => none.insert(HashSnapshot::open(self.composing.store, self.composing.head)?),
        };
        let mut found = snapshot.find(&keys)?.into_iter().peekable();
        for net in nets.iter_mut().filter(|net| wanted(net)) {
            net.now_at = found.next_if(|record| record.key == net.entry.key).map(|record| record.at);
        }
        Ok(())
    }
}

/// The columns of earlier values.
struct Earlier<'a> {
    store: &'a dyn StateStore,
    files: &'a [ValueFile],
    /// The columns of now.
    schema: SchemaRef,
    columns: FileColumns,
}

impl<'a> Earlier<'a> {
    fn new(composing: &Composing<'a>) -> Result<Self> {
        let (store, head) = (composing.store, composing.head);
        Ok(Self { store, files: &head.files, schema: schema_of(head)?, columns: FileColumns::default() })
    }

    /// The place of the state before, if the values there tell what has changed. They do not where one of the entries of the record knows
    /// earlier values of more columns: those came in between, and whether they have changed since is not told by one place. Without a
    /// place an update is sent.
    fn telling(&self, before_at: Option<Locator>, items: &[Item]) -> Result<Option<Locator>> {
        let (Some(at), [_, _, ..]) = (before_at, items) else { return Ok(before_at) };
        let columns_at = |at: Locator| self.columns.of(self.store, self.files, at.file());
        let Some(told) = columns_at(at)? else { return Ok(before_at) };
        for other in items.iter().filter_map(|item| item.before_at).filter(|other| other.file() != at.file()) {
            let Some(others) = columns_at(other)? else { return Ok(None) };
            let is_more = |name: &String| others.contains(name) && !told.contains(name);
            if !Arc::ptr_eq(&told, &others) && self.schema.fields().iter().any(|field| is_more(field.name())) {
                return Ok(None);
            }
        }
        Ok(before_at)
    }
}

/// Writes the composition into the run's folder; after a reset only its deletes, for the whole snapshot is sent beside them.
pub(super) fn write(sealing: &Sealing<'_>, pending: &[PendingFile], ahead: &[u64], resend: bool) -> Result<Vec<SealedPart>> {
    let path = |name: &str| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("{name}.parquet"));
    let asked_for = sealing.asked_for || sealing.only.is_some();
    let composing = Composing {
        store: sealing.store,
        head: sealing.head,
        pending,
        ahead: ahead.to_vec(),
        options: Options { shared: sealing.shared, selection: sealing.mapping.selection, resend, asked_for },
        only: sealing.only.map(|only| &only.keys),
        fold_to: None,
        from_oldest: sealing.begins_at_the_oldest() && !resend,
        path: &path,
    };
    Ok(composing.write()?.into_iter().map(sealed_part).collect())
}
