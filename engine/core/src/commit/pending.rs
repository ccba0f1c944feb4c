//! What remains to be done, as a change set of its own, and why.

use std::collections::HashMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use outflow_contract::limits::Limits;
use outflow_contract::expr::{Expr, Path, SEGMENT_ID};
use outflow_contract::{Counts, Error, Key, Op, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, PartReader, PartWriter, assemble, values_compression, values_of};
use outflow_ledger::commit::PendingFile;
use outflow_ledger::failures::{self, Failure};
use outflow_ledger::fold::{Class, Classes, fold_entry};
use outflow_ledger::paths;

use super::Settling;
use crate::map::Mapper;
use crate::snapshot::values::conform;

/// Folds every sealed entry; writes those that remain, and why, into the run's folder.
pub(super) fn write(settling: &Settling, classes: &Classes) -> Result<(Vec<PendingFile>, Counts)> {
    let mut counts = Counts::default();
    if classes.tally().acked == classes.len() as u64 && settling.sealed.selected.total() == u64::from(settling.sealed.entries) {
        return Ok((Vec::new(), counts));
    }
    let mut folding = Folding { settling, classes, unused: settling.sealed.unused.iter().copied().peekable(), failures: Vec::new(), earlier: None };
    let mut writer: Option<PartWriter> = None;
    let mut position = 0u32;
    for part in &settling.plan.parts {
        for batch in PartReader::open(settling.store.as_ref(), &part.path)?.read()? {
            let batch = batch?;
            let kept = folding.fold(&batch, position, &mut counts)?;
            position += batch.num_rows() as u32;
            let Some(kept) = kept else { continue };
            let writer = match &mut writer {
                Some(writer) => writer,
                none => {
                    let path = paths::run_part(&settling.mapping, settling.plan.epoch, &format!("pending-{}.parquet", settling.nonce));
                    none.insert(PartWriter::new(settling.store.as_ref(), &path, kept.schema_ref(), values_compression())?)
                }
            };
            writer.write(&kept)?;
        }
    }
    folding.write_failures()?;
    let Some(writer) = writer else { return Ok((Vec::new(), counts)) };
    let info = writer.finish()?;
    Ok((vec![PendingFile { path: info.path, rows: info.rows, bytes: info.bytes, blake3: info.blake3, counts }], counts))
}

struct Folding<'a> {
    settling: &'a Settling,
    classes: &'a Classes,
    unused: std::iter::Peekable<std::iter::Copied<std::slice::Iter<'a, u32>>>,
    failures: Vec<Failure>,
    earlier: Option<HashMap<Key, Failure>>,
}

impl Folding<'_> {
    /// The entries of `batch` that remain, folded; `None` if none do.
    fn fold(&mut self, batch: &RecordBatch, position: u32, counts: &mut Counts) -> Result<Option<RecordBatch>> {
        let entries = EntryReader::new(batch)?;
        let mut builder = EntryBuilder::with_capacity(64);
        let mut rows: Vec<u32> = Vec::new();
        let mut why: Vec<(Key, Op, Class<'_>)> = Vec::new();
        for i in 0..entries.len() {
            let (entry, before_at) = entries.get(i)?;
            let at = position + i as u32;
            let op = entry.op();
            let unused = self.unused.next_if_eq(&at).is_some();
            let class = if unused || !self.settling.selection.contains(op) { Class::Seen } else { self.classes.get(at as usize) };
            let Some(folded) = fold_entry(&entry, class) else { continue };
            builder.push(&folded, before_at);
            counts.add(op, 1);
            rows.push(i as u32);
            why.push((entry.key, op, class));
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let values = take_record_batch(&values_of(batch)?, &UInt32Array::from(rows.clone()));
        let values = values.map_err(|e| Error::bug("could not take the pending records").caused_by(e))?;
        // Parts of different versions may differ in their columns.
        let values = conform(&values, &self.settling.schema)?;
        self.note(&values, why)?;
        assemble(builder, &values).map(Some)
    }

    /// Why each of these records remains; the count of attempts goes on from the sync before.
    fn note(&mut self, values: &RecordBatch, why: Vec<(Key, Op, Class<'_>)>) -> Result<()> {
        let ids = identifiers(values, &self.settling.plan.id)?;
        let at = self.settling.at.clone();
        for ((key, op, class), id) in why.into_iter().zip(ids) {
            let (code, message) = match class {
                Class::Refused(refusal) => (refusal.code.to_owned(), refusal.message.to_owned()),
                Class::Unknown(_) => ("no_answer".to_owned(), "a request was sent, and its answer never read".to_owned()),
                Class::Unattempted | Class::Acked | Class::Seen => ("not_attempted".to_owned(), "no request was processed".to_owned()),
            };
            let earlier = self.earlier()?.get(&key);
            let (attempts, first_seen) = earlier.map_or_else(|| (0, at.clone()), |earlier| (earlier.attempts, earlier.first_seen.clone()));
            let failure = Failure { key, id, op, code, message, attempts: attempts + 1, first_seen, last_seen: at.clone(), payload: None, answer: None };
            self.failures.push(failure);
        }
        Ok(())
    }

    fn earlier(&mut self) -> Result<&HashMap<Key, Failure>> {
        if self.earlier.is_none() {
            let epoch = self.settling.base.as_ref().map(|base| base.closed_through);
            let read = match epoch {
                Some(epoch) => failures::read(self.settling.store.as_ref(), &paths::failures(&self.settling.mapping, epoch))?,
                None => Vec::new(),
            };
            self.earlier = Some(read.into_iter().map(|failure| (failure.key, failure)).collect());
        }
        self.earlier.as_ref().ok_or_else(|| Error::bug("the earlier failures were not read"))
    }

    fn write_failures(&self) -> Result<()> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let path = paths::failures(&self.settling.mapping, self.settling.plan.epoch);
        failures::write(self.settling.store.as_ref(), &path, &self.failures)
    }
}

/// The identifier of each record as JSON text.
fn identifiers(values: &RecordBatch, id: &[String]) -> Result<Vec<String>> {
    let expr = Expr::Path(Path { segments: vec![SEGMENT_ID.to_owned()] });
    let mapper = Mapper::compile(&expr, values.schema_ref(), id, &Limits::default())?;
    let rows: Vec<u32> = (0..values.num_rows() as u32).collect();
    let mapped = mapper.map(values, &vec![Op::Added; rows.len()], "", &rows)?;
    let mut ids = vec![String::new(); rows.len()];
    for (row, id) in mapped.rows.iter().zip(mapped.ids) {
        ids[*row as usize] = id;
    }
    Ok(ids)
}
