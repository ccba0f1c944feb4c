//! One record that was sent ahead of its sync, folded into what is pending.
//!
//! ```text
//! pending   k3 …  k7 (old entry)         k3 …  stays
//! journal         k7 acknowledged   ──►  k7    as acknowledged: the versions ahead are composed onto it, and cancel
//!                 k7 anything else  ──►  k7    as a run would have left it
//! ```

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use outflow_contract::{Counts, Entry, Error, Key, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, assemble, values_of};
use outflow_ledger::commit::{ModelCommit, PendingFile};
use outflow_ledger::fold::{Classes, fold_ahead, fold_entry};
use outflow_ledger::paths;

use super::Settling;
use crate::snapshot::values::complete;
use crate::snapshot::{PartReader, PartsWriter};

/// What was written.
pub(super) struct Written {
    /// The pending change set.
    pub(super) files: Vec<PendingFile>,
    /// It holds records of which nothing is to be done.
    pub(super) ahead: bool,
    /// The record, unless it was acknowledged.
    pub(super) left: Counts,
    /// The record, if it was.
    pub(super) acked: Counts,
}

/// Writes the pending records anew, with that one as it is now.
pub(super) fn write(settling: &Settling, key: Key, classes: &Classes) -> Result<Written> {
    let store = settling.store.as_ref();
    let path = |i: usize| paths::run_file(&settling.mapping, settling.plan.epoch, &paths::part("pending", settling.nonce, i as u32));
    let mut pending = Pending { writer: PartsWriter::new(store, path), counts: Vec::new(), ahead: false };
    for file in settling.base.iter().flat_map(|base| &base.pending) {
        for batch in PartReader::open(store, &file.path)?.read()? {
            pending.keep_others(&batch?, key)?;
        }
    }
    let (mut left, mut acked) = (Counts::default(), Counts::default());
    for part in &settling.plan.parts {
        for batch in PartReader::open(store, &part.path)?.read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            for i in 0..entries.len() {
                let (entry, before_at) = entries.get(i);
                let class = classes.get(i);
                let folded = fold_entry(&entry, class);
                match &folded {
                    Some(folded) => left.add(folded.op(), 1),
                    None => acked.add(entry.op(), 1),
                }
                // What an acknowledged record has at the destination are the values of now.
                let before_at = if folded.is_some() { before_at } else { place(settling, &entry)? };
                let mut builder = EntryBuilder::new();
                builder.push(&fold_ahead(&entry, class), before_at);
                let values = complete(&values_of(&batch)?, &settling.schema)?.slice(i, 1);
                pending.write(&assemble(builder.finish(), &values)?)?;
            }
        }
    }
    let ahead = pending.ahead;
    Ok(Written { files: pending.finish()?, ahead, left, acked })
}

/// Where the model keeps the values of the entry's state: in the newest of its files that has it.
fn place(settling: &Settling, entry: &Entry) -> Result<Option<Locator>> {
    let store = settling.store.as_ref();
    let model: Option<ModelCommit> = Chain::of_model(&settling.plan.model).head(store)?;
    for file in model.iter().flat_map(|model| &model.files).rev() {
        let mut row = 0;
        for batch in PartReader::open(store, &file.path)?.narrow().read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            let same = |there: Entry| there.key == entry.key && there.after == entry.after && there.after.is_some();
            if let Some(i) = (0..entries.len()).find(|&i| same(entries.get(i).0)) {
                return Ok(Some(Locator::new(file.id, row + i as u32)));
            }
            row += entries.len() as u32;
        }
    }
    Ok(None)
}

struct Pending<'a> {
    writer: PartsWriter<'a>,
    /// By part; records of which nothing is to be done are not counted.
    counts: Vec<Counts>,
    ahead: bool,
}

impl Pending<'_> {
    fn keep_others(&mut self, batch: &RecordBatch, key: Key) -> Result<()> {
        let entries = EntryReader::new(batch)?;
        let others: BooleanArray = (0..entries.len()).map(|i| Some(entries.get(i).0.key != key)).collect();
        let others = filter_record_batch(batch, &others).map_err(|e| Error::bug("could not take the pending records").caused_by(e))?;
        if others.num_rows() == 0 { Ok(()) } else { self.write(&others) }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let number = self.writer.write(batch)?;
        self.counts.resize(self.counts.len().max(number + 1), Counts::default());
        let entries = EntryReader::new(batch)?;
        for i in 0..entries.len() {
            let entry = entries.get(i).0;
            if entry.is_settled() {
                self.ahead = true;
            } else {
                self.counts[number].add(entry.op(), 1);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<PendingFile>> {
        Ok(self.writer.finish()?.into_iter().zip(self.counts).map(|(info, counts)| PendingFile::of(info, counts)).collect())
    }
}
