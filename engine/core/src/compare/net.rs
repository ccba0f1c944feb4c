//! The net change of each record, over the narrow columns: `compose`, a range of keys at a time.

use std::ops::ControlFlow;

use outflow_contract::{Entry, Op, Result, Selection};
use outflow_ledger::changes::{EntryReader, Locator};
use outflow_ledger::compose::{Options, compose_key};

use super::{Comparison, RECORDS_AT_ONCE};
use crate::snapshot::{KeyRange, PartReader, each_entry};

/// Nobody's view but the model's own: every operation, and nobody else's sight of it.
const OPTIONS: Options = Options { shared: false, selection: Selection::All, resend: false, asked_for: false };

/// What has become of one record, and where its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    pub(super) op: Op,
    /// In the version that is begun with, if it is there.
    pub(super) from: Option<Locator>,
    /// In the one that is ended with.
    pub(super) to: Option<Locator>,
}

/// One entry of one version.
struct Item {
    entry: Entry,
    before_at: Option<Locator>,
    /// Where it stands, and with it the values after it.
    at: Locator,
}

impl Net {
    /// Composes the entries of one key, in order of time.
    fn of(items: &[Item]) -> Option<Self> {
        let (first, last) = (items.first()?, items.last()?);
        let steps: Vec<Entry> = items.iter().map(|item| item.entry).collect();
        let op = compose_key(None, &steps, &OPTIONS)?.op();
        Some(match op {
            Op::Added => Self { op, from: None, to: Some(last.at) },
            Op::Updated => Self { op, from: first.before_at, to: Some(last.at) },
            // A delete has no values of its own: it says where those are that it has deleted.
            Op::Deleted => Self { op, from: first.before_at, to: None },
        })
    }

    /// Its place, to put those of one operation in the order in which the model returned them.
    fn place(&self) -> (usize, Option<Locator>) {
        (self.op as usize, self.to.or(self.from))
    }
}

impl Comparison<'_> {
    /// Hands out the net changes, each once, until told to stop; those of one chunk by operation. `entries`: in all change sets.
    pub(super) fn each_chunk(&self, entries: u64, mut each: impl FnMut(Vec<Net>) -> Result<ControlFlow<()>>) -> Result<()> {
        if let ([_], true) = (self.versions.as_slice(), KeyRange::all(entries).count() > 1) {
            return self.as_it_stands(each);
        }
        for range in KeyRange::all(entries) {
            let mut items = self.load(range)?;
            items.sort_unstable_by_key(|item| (item.entry.key, item.entry.version, item.at));
            let nets = items.chunk_by(|a, b| a.entry.key == b.entry.key).filter_map(Net::of).collect();
            drop(items);
            if each(self.ready(nets)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// One version alone: each of its entries is a net change.
    fn as_it_stands(&self, mut each: impl FnMut(Vec<Net>) -> Result<ControlFlow<()>>) -> Result<()> {
        for file in self.parts() {
            let mut row = 0u32;
            for batch in PartReader::open(self.store, &self.file(file)?.path)?.narrow().read()? {
                let batch = batch?;
                let entries = EntryReader::new(&batch)?;
                let item = |i: usize| {
                    let (entry, before_at) = entries.get(i);
                    Item { entry, before_at, at: Locator::new(file, row + i as u32) }
                };
                let nets = (0..entries.len()).filter_map(|i| Net::of(&[item(i)])).collect();
                if each(self.ready(nets)?)?.is_break() {
                    return Ok(());
                }
                row += entries.len() as u32;
            }
        }
        Ok(())
    }

    fn load(&self, range: KeyRange) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for file in self.parts() {
            each_entry(self.store, &self.file(file)?.path, |row, entry, before_at| {
                if range.contains(entry.key) {
                    items.push(Item { entry, before_at, at: Locator::new(file, row) });
                }
                Ok(())
            })?;
        }
        Ok(items)
    }

    /// Only what has changed indeed, in the asked direction, by operation.
    fn ready(&self, mut nets: Vec<Net>) -> Result<Vec<Net>> {
        // What one extraction found to differ it has compared by the columns that both have.
        if self.versions.len() > 1 {
            self.drop_same(&mut nets)?;
        }
        if self.span.is_backwards() {
            for net in &mut nets {
                *net = net.turned();
            }
        }
        nets.sort_unstable_by_key(Net::place);
        Ok(nets)
    }

    /// Leaves out updates that only look like ones: their hashes are over different columns, and the values in those that both have are
    /// the same.
    fn drop_same(&self, nets: &mut Vec<Net>) -> Result<()> {
        let mut suspects: Vec<Net> = Vec::new();
        for net in nets.iter() {
            if let (Some(from), Some(to)) = (net.from, net.to)
                && self.columns_of(from.file())? != self.columns_of(to.file())?
            {
                suspects.push(*net);
            }
        }
        let mut same = std::collections::HashSet::new();
        for suspects in suspects.chunks(RECORDS_AT_ONCE) {
            same.extend(self.same(suspects)?);
        }
        nets.retain(|net| net.to.is_none_or(|to| !same.contains(&to)));
        Ok(())
    }
}
