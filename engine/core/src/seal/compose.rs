//! `compose(pending, versions after the cursor)` where it has to be worked out: by key, over the narrow columns, in ranges of
//! keys that fit in memory; then the values of what remains are copied from where they stand.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Error, Key, Op, Result};
use outflow_ledger::changes::{EntryBuilder, Locator, PartInfo, Reasons, assemble, values_of};
use outflow_ledger::commit::{ModelCommit, PendingFile, ValueFile};
use outflow_ledger::compose::{Options, compose_key, fold_key, snapshot_entry};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::deleted::{is_bare, unplaced};
use super::{Sealing, file_part, lack_columns, sealed_part};
use crate::snapshot::values::{FileColumns, complete, fetch};
use crate::snapshot::{Indexed, KeyIndex, KeyRange, PartReader, PartsWriter, each_entry, schema_of};

/// A part to compose from.
struct Input {
    path: String,
    /// Its number among the model's files; none for pending records.
    file: Option<u32>,
    rows: u64,
    /// It is from before a column was added.
    lacks_columns: bool,
    /// It has deleted records without their values.
    is_bare: bool,
}

/// One entry of one part.
struct Item {
    entry: Entry,
    before_at: Option<Locator>,
    /// Ascends with time: pending first, then the versions in order.
    input: u32,
    row: u32,
}

/// What remains of a key.
struct Net {
    entry: Entry,
    before_at: Option<Locator>,
    /// Where the last values of a deleted record lie, if not beside its entry.
    values_at: Option<Locator>,
    input: u32,
    row: u32,
}

impl Net {
    /// A part without values has one place for both: where the last values of a deleted record are, and what was there before. They
    /// differ where the destination has not been given the last values.
    fn is_told_by_one_place(&self) -> bool {
        !matches!(self.entry.before, Before::Known(_)) || self.before_at == self.values_at
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
        let inputs = self.inputs()?;
        let total: u64 = inputs.iter().map(|input| input.rows).sum();
        let earlier = Earlier::new(self)?;
        let mut parts = Vec::new();
        for range in KeyRange::all(total) {
            let mut items = self.load(&inputs, |key| range.contains(key) && self.only.is_none_or(|only| only.contains(&key)))?;
            items.sort_unstable_by_key(|item| (item.entry.key, item.input, item.row));
            let keys = items.chunk_by(|a, b| a.entry.key == b.entry.key);
            let mut nets = keys.filter_map(|key| self.net(key, &inputs, &earlier).transpose()).collect::<Result<Vec<Net>>>()?;
            nets.retain(|net| !self.options.resend || net.entry.after.is_none());
            nets.sort_unstable_by_key(|net| (net.input, net.row));
            parts.extend(self.copy(&inputs, &nets, range.number())?);
        }
        if self.from_oldest && self.only.is_none() {
            parts.extend(self.untouched(&inputs)?);
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

    fn load(&self, inputs: &[Input], wanted: impl Fn(Key) -> bool) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for (number, input) in inputs.iter().enumerate() {
            each_entry(self.store, &input.path, |row, entry, before_at| {
                if wanted(entry.key) {
                    items.push(Item { entry, before_at, input: number as u32, row });
                }
                Ok(())
            })?;
        }
        Ok(items)
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
        Ok(Some(Net { entry, before_at, values_at: from.before_at, input: from.input, row: from.row }))
    }

    /// What the oldest snapshot held of a record, as an added one: the first step that is left says what was there before.
    fn at_the_oldest(&self, first: &Entry) -> Option<Entry> {
        let Before::Known(row) = first.before else { return None };
        self.from_oldest.then(|| snapshot_entry(first.key, row, self.head.dropped.through, false))
    }

    /// The records that no step is left of, as added ones.
    fn untouched(&self, inputs: &[Input]) -> Result<Vec<PartInfo>> {
        let pending: HashSet<Key> = self.load(&inputs[..self.pending.len()], |_| true)?.into_iter().map(|item| item.entry.key).collect();
        let wanted = |record: &Indexed| u64::from(record.version) <= self.head.dropped.through && !pending.contains(&record.key);
        super::snapshot::write_records(self.store, self.head, wanted, false, &|i| (self.path)(&format!("oldest-{i:03}")))
    }

    /// Writes the net entries with their values, which stand in the inputs in this order.
    fn copy(&self, inputs: &[Input], nets: &[Net], range: u64) -> Result<Vec<PartInfo>> {
        let schema = schema_of(self.head)?;
        let path = |i: usize| (self.path)(&format!("changes-{range:04}-{i:03}"));
        // Only what was pending may have failed.
        let mut writer = Writer { parts: PartsWriter::new(self.store, path), waits: !self.pending.is_empty() };
        let mut index: Option<KeyIndex> = None;
        for group in nets.chunk_by(|a, b| a.input == b.input) {
            let Some(first) = group.first() else { continue };
            let input = &inputs[first.input as usize];
            if input.is_bare {
                self.copy_bare(&input.path, group, &schema, &mut writer)?;
                continue;
            }
            if !input.lacks_columns {
                self.copy_from(&input.path, group.iter(), &schema, &mut writer)?;
                continue;
            }
            // From before a column was added: the newest values of what is still there are in the snapshot.
            if index.is_none() {
                index = Some(KeyIndex::load(self.store, self.head)?);
            }
            let now = |net: &Net| {
                index.as_ref().filter(|_| net.entry.after.is_some()).and_then(|index| Some(index.get(index.rank(net.entry.key)?).at))
            };
            let reasons = if writer.waits { self.reasons_of(&input.path, group)? } else { None };
            let present = group.iter().zip(0u32..).filter_map(|(net, place)| Some(Present { at: now(net)?, net, place }));
            let mut present: Vec<Present<'_>> = present.collect();
            present.sort_unstable_by_key(|present| present.at.0);
            self.copy_present(&present, reasons.as_ref(), &schema, &mut writer)?;
            self.copy_from(&input.path, group.iter().filter(|net| now(net).is_none()), &schema, &mut writer)?;
        }
        writer.parts.finish()
    }

    /// Copies deleted records that have no values beside them: with their last values where those are sent, or where one place would not
    /// say both what was there before and where the last values are.
    fn copy_bare(&self, path: &str, nets: &[Net], schema: &SchemaRef, writer: &mut Writer<'_>) -> Result<()> {
        let sends = self.options.selection.contains(Op::Deleted);
        let (bare, whole): (Vec<&Net>, Vec<&Net>) = nets.iter().partition(|net| !sends && net.is_told_by_one_place());
        if !bare.is_empty() {
            let mut entries = writer.entries();
            for net in &bare {
                entries.push(&net.entry, net.values_at);
            }
            let options = RecordBatchOptions::new().with_row_count(Some(bare.len()));
            let nothing = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options);
            let nothing = nothing.map_err(|e| Error::bug("could not lay out deleted records").caused_by(e))?;
            writer.write(entries, &nothing, None)?;
        }
        let place = |net: &Net| net.values_at.ok_or_else(|| unplaced(path));
        let mut placed = whole.into_iter().map(|net| Ok((place(net)?, net))).collect::<Result<Vec<_>>>()?;
        placed.sort_unstable_by_key(|(at, _)| *at);
        let places: Vec<Locator> = placed.iter().map(|(at, _)| *at).collect();
        let mut next = placed.iter();
        fetch(self.store, &self.head.files, &places, schema, |found| {
            let mut entries = writer.entries();
            for (_, net) in next.by_ref().take(found.places.len()) {
                entries.push(&net.entry, net.before_at);
            }
            writer.write(entries, &found.values, None)
        })
    }

    /// Why the records of `nets`, which stand in the part at `path` in this order, have failed.
    fn reasons_of(&self, path: &str, nets: &[Net]) -> Result<Option<Reasons>> {
        let rows: Vec<u32> = nets.iter().map(|net| net.row).collect();
        let batches = PartReader::open(self.store, path)?.reasons().select(&rows).read()?;
        let reasons: Vec<Reasons> = batches.map(|batch| Reasons::of(&batch?)).collect::<Result<_>>()?;
        if reasons.is_empty() { Ok(None) } else { Reasons::concat(&reasons).map(Some) }
    }

    /// Copies entries with the values that stand in the part at `path`.
    fn copy_from<'b>(
        &self,
        path: &str,
        nets: impl Iterator<Item = &'b Net> + Clone,
        schema: &SchemaRef,
        writer: &mut Writer<'_>,
    ) -> Result<()> {
        let rows: Vec<u32> = nets.clone().map(|net| net.row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut nets = nets;
        for batch in PartReader::open(self.store, path)?.select(&rows).read()? {
            let batch = batch?;
            let values = complete(&values_of(&batch)?, schema)?;
            let mut entries = writer.entries();
            for net in nets.by_ref().take(values.num_rows()) {
                entries.push(&net.entry, net.before_at);
            }
            writer.write(entries, &values, Some(Reasons::of(&batch)?))?;
        }
        if nets.next().is_some() {
            return Err(Error::corrupt(format!("{path} holds fewer records than its commit says")));
        }
        Ok(())
    }

    /// Copies entries with the values that the snapshot has of them.
    fn copy_present(&self, present: &[Present<'_>], reasons: Option<&Reasons>, schema: &SchemaRef, writer: &mut Writer<'_>) -> Result<()> {
        let places: Vec<Locator> = present.iter().map(|present| present.at).collect();
        let mut next = present.iter();
        fetch(self.store, &self.head.files, &places, schema, |found| {
            let (mut entries, mut rows) = (writer.entries(), Vec::new());
            for Present { net, place, .. } in next.by_ref().take(found.places.len()) {
                entries.push(&net.entry, net.before_at);
                rows.push(*place);
            }
            let reasons = reasons.map(|reasons| reasons.at(&UInt32Array::from(rows))).transpose()?;
            writer.write(entries, &found.values, reasons)
        })
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

/// Writes net entries, with how they have fared and why where some of them have waited.
struct Writer<'a> {
    parts: PartsWriter<'a>,
    waits: bool,
}

impl Writer<'_> {
    fn entries(&self) -> EntryBuilder {
        if self.waits { EntryBuilder::of_pending() } else { EntryBuilder::new() }
    }

    fn write(&mut self, mut entries: EntryBuilder, values: &RecordBatch, reasons: Option<Reasons>) -> Result<()> {
        let mut batch = assemble(entries.finish(), values)?;
        if let (true, Some(reasons)) = (self.waits, reasons) {
            batch = reasons.beside(&batch)?;
        }
        self.parts.write(&batch).map(|_| ())
    }
}

/// A net entry whose values are taken from the snapshot.
struct Present<'a> {
    at: Locator,
    net: &'a Net,
    /// Its place among the entries of its part.
    place: u32,
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
