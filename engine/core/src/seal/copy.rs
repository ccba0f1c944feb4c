//! The values of net entries, copied from where they stand.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::{Before, Entry, Error, Op, Result};
use outflow_ledger::changes::{EntryBuilder, Locator, PartInfo, Reasons, assemble, values_of};

use super::compose::{Composing, Input};
use super::deleted::unplaced;
use crate::scratch::{ByPlace, Folder, Piles, Placed, Stored, numbers, put};
use crate::snapshot::values::{complete, fetch};
use crate::snapshot::{PartReader, PartsWriter, schema_of};

/// Entries that are held at once, as long as there are not more than [`PILES_MAX`] times as many: 30 MB.
const PILE_ENTRIES: u64 = 128 << 10;
const PILES_MAX: u64 = 1024;

/// What remains of a key.
#[derive(Clone, Copy)]
pub(super) struct Net {
    pub(super) entry: Entry,
    pub(super) before_at: Option<Locator>,
    /// Where the last values of a deleted record lie, if not beside its entry.
    pub(super) values_at: Option<Locator>,
    /// Where its newest values are, if not those beside its entry are to be taken.
    pub(super) now_at: Option<Locator>,
    /// The part that its entry stands in, and where.
    pub(super) input: u32,
    pub(super) row: u32,
}

impl Net {
    /// A part without values has one place for both: where the last values of a deleted record are, and what was there before. They
    /// differ where the destination has not been given the last values.
    fn is_told_by_one_place(&self) -> bool {
        !matches!(self.entry.before, Before::Known(_)) || self.before_at == self.values_at
    }
}

impl Stored for Net {
    const BYTES: usize = Entry::BYTES + 40;

    fn store(&self, into: &mut Vec<u8>) {
        self.entry.store(into);
        let places = [self.before_at, self.values_at, self.now_at];
        let there = places.iter().enumerate().fold(0, |there, (i, at)| there | u64::from(at.is_some()) << i);
        let places = places.map(|at| at.map_or(0, |at| at.0));
        let which = u64::from(self.input) << 32 | u64::from(self.row);
        put(into, &[which, there, places[0], places[1], places[2]]);
    }

    fn load(bytes: &[u8]) -> Self {
        let (entry, rest) = bytes.split_at(Entry::BYTES);
        let mut next = numbers(rest);
        let (which, there) = (next(), next());
        let mut place = |i: u32| Some(Locator(next())).filter(|_| there >> i & 1 == 1);
        let (before_at, values_at, now_at) = (place(0), place(1), place(2));
        Self { entry: Entry::load(entry), before_at, values_at, now_at, input: (which >> 32) as u32, row: which as u32 }
    }
}

impl Placed for Net {
    fn at(&self) -> Locator {
        self.now_at.unwrap_or(Locator(0))
    }
}

/// Net entries on their way to their values.
pub(super) struct Copying<'a> {
    composing: &'a Composing<'a>,
    inputs: &'a [Input],
    /// The entries of all inputs before each.
    before: Vec<u64>,
    /// Entries of one pile.
    per_pile: u64,
    /// Those with their own values, in the order of the inputs.
    own: Piles<Net>,
    /// Those with the snapshot's.
    of_snapshot: ByPlace<Net>,
}

impl<'a> Copying<'a> {
    pub(super) fn new(composing: &'a Composing<'a>, inputs: &'a [Input], folder: &Arc<Folder>) -> Self {
        let mut total = 0;
        let mut before = Vec::with_capacity(inputs.len());
        for input in inputs {
            before.push(total);
            total += input.rows;
        }
        let per_pile = total.div_ceil(PILES_MAX).max(PILE_ENTRIES);
        let own = Piles::new(folder, "net", total.div_ceil(per_pile) as usize);
        let of_snapshot = ByPlace::new(folder, "net-now", &composing.head.files);
        Self { composing, inputs, before, per_pile, own, of_snapshot }
    }

    /// One more.
    pub(super) fn push(&mut self, net: &Net) -> Result<()> {
        if net.now_at.is_some() {
            return self.of_snapshot.push(net);
        }
        let place = self.before[net.input as usize] + u64::from(net.row);
        self.own.push((place / self.per_pile) as usize, net)
    }

    /// Writes all of them, in the order in which their values stand.
    pub(super) fn copy(mut self) -> Result<Vec<PartInfo>> {
        let schema = schema_of(self.composing.head)?;
        let path = |i: usize| (self.composing.path)(&format!("changes-{i:04}"));
        // Only what was pending may have failed.
        let mut writer = Writer { parts: PartsWriter::new(self.composing.store, path), waits: !self.composing.pending.is_empty() };
        self.own.settle();
        let mut nets = Vec::new();
        for pile in 0..self.own.piles() {
            nets.clear();
            self.own.read(pile, &mut nets)?;
            nets.sort_unstable_by_key(|net: &Net| (net.input, net.row));
            for group in nets.chunk_by(|a, b| a.input == b.input) {
                let Some(first) = group.first() else { continue };
                let input = &self.inputs[first.input as usize];
                if input.is_bare {
                    self.copy_bare(&input.path, group, &schema, &mut writer)?;
                } else {
                    self.copy_from(&input.path, group, &schema, &mut writer)?;
                }
            }
        }
        self.of_snapshot.settle();
        self.of_snapshot.in_order(|mut nets| {
            nets.sort_unstable_by_key(|net| (net.input, net.row));
            nets.chunk_by(|a, b| a.input == b.input).try_for_each(|group| self.copy_present(group, &schema, &mut writer))
        })?;
        writer.parts.finish()
    }

    /// Copies deleted records that have no values beside them: with their last values where those are sent, or where one place would not
    /// say both what was there before and where the last values are.
    fn copy_bare(&self, path: &str, nets: &[Net], schema: &SchemaRef, writer: &mut Writer<'_>) -> Result<()> {
        let sends = self.composing.options.selection.contains(Op::Deleted);
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
        fetch(self.composing.store, &self.composing.head.files, &places, schema, |found| {
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
        let batches = PartReader::open(self.composing.store, path)?.reasons().select(&rows).read()?;
        let reasons: Vec<Reasons> = batches.map(|batch| Reasons::of(&batch?)).collect::<Result<_>>()?;
        if reasons.is_empty() { Ok(None) } else { Reasons::concat(&reasons).map(Some) }
    }

    /// Copies entries with the values that stand in the part at `path`.
    fn copy_from(&self, path: &str, nets: &[Net], schema: &SchemaRef, writer: &mut Writer<'_>) -> Result<()> {
        let rows: Vec<u32> = nets.iter().map(|net| net.row).collect();
        let mut nets = nets.iter();
        for batch in PartReader::open(self.composing.store, path)?.select(&rows).read()? {
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

    /// Copies entries of one part, in its order, with the values that the snapshot has of them.
    fn copy_present(&self, nets: &[Net], schema: &SchemaRef, writer: &mut Writer<'_>) -> Result<()> {
        let Some(first) = nets.first() else { return Ok(()) };
        let path = &self.inputs[first.input as usize].path;
        let reasons = if writer.waits { self.reasons_of(path, nets)? } else { None };
        let mut present: Vec<(&Net, u32)> = nets.iter().zip(0..).collect();
        present.sort_unstable_by_key(|(net, _)| net.at());
        let places: Vec<Locator> = present.iter().map(|(net, _)| net.at()).collect();
        let mut next = present.iter();
        fetch(self.composing.store, &self.composing.head.files, &places, schema, |found| {
            let (mut entries, mut rows) = (writer.entries(), Vec::new());
            for (net, row) in next.by_ref().take(found.places.len()) {
                entries.push(&net.entry, net.before_at);
                rows.push(*row);
            }
            let reasons = reasons.as_ref().map(|reasons| reasons.at(&UInt32Array::from(rows))).transpose()?;
            writer.write(entries, &found.values, reasons)
        })
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
