//! What remains to be done, as a change set of its own, and why.

use std::collections::HashMap;

use crate::snapshot::PartReader;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use outflow_contract::expr::{Expr, Path, SEGMENT_ID};
use outflow_contract::limits::Limits;
use outflow_contract::{Counts, Error, Key, Kind, Op, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, assemble, values_of};
use outflow_ledger::commit::PendingFile;
use outflow_ledger::failures::{FailedRecord, FailureWriter, read_failures};
use outflow_ledger::fold::{Class, Classes, fold_entry};
use outflow_ledger::{decide, paths};

use super::{Samples, Settling};
use crate::map::Mapper;
use crate::snapshot::PartsWriter;
use crate::snapshot::values::complete;

/// So many failures are written down, for people; the pending records themselves are all kept.
const FAILURES_MAX: usize = 100_000;

/// What was written.
#[derive(Default)]
pub(super) struct Written {
    /// The pending change set.
    pub(super) files: Vec<PendingFile>,
    /// Its records.
    pub(super) pending: Counts,
    /// Those that the destination has acknowledged.
    pub(super) acked: Counts,
    /// Where the failures are.
    pub(super) failures: Option<String>,
    /// What they say about the records that samples were given for, by position.
    pub(super) sampled: HashMap<u32, FailedRecord>,
}

/// One that remains, and why.
struct Remaining<'a> {
    key: Key,
    op: Op,
    class: Class<'a>,
    position: u32,
}

/// Folds every sealed entry; writes those that remain, and why, into the run's folder.
pub(super) fn write(settling: &Settling, classes: &Classes, samples: &Samples) -> Result<Written> {
    let mut pending = Counts::default();
    if classes.tally().acked == classes.len() as u64 && settling.sealed.selected.total() == u64::from(settling.sealed.entries) {
        return Ok(Written { acked: settling.sealed.selected, ..Written::default() });
    }
    let mut folding =
        Folding { settling, classes, samples, failures: None, kept: 0, acked: Counts::default(), earlier: None, sampled: HashMap::new() };
    let path = |i: usize| paths::run_file(&settling.mapping, settling.plan.epoch, &paths::part("pending", settling.nonce, i as u32));
    let mut writer = PartsWriter::new(settling.store.as_ref(), path);
    let mut by_part: Vec<Counts> = Vec::new();
    let mut position = 0u32;
    for part in &settling.plan.parts {
        for batch in PartReader::open(settling.store.as_ref(), &part.path)?.read()? {
            let batch = batch?;
            let mut counts = Counts::default();
            let kept = folding.fold(&batch, position, &mut counts)?;
            position += batch.num_rows() as u32;
            let Some(kept) = kept else { continue };
            let number = writer.write(&kept)?;
            by_part.resize(number + 1, Counts::default());
            for op in Op::ALL {
                by_part[number].add(op, counts.get(op));
                pending.add(op, counts.get(op));
            }
        }
    }
    let failures = folding.failures.take().map(FailureWriter::finish).transpose()?.map(|info| info.path);
    let files = writer.finish()?.into_iter().zip(by_part).map(|(info, counts)| PendingFile::of(info, counts)).collect();
    Ok(Written { files, pending, acked: folding.acked, failures, sampled: folding.sampled })
}

struct Folding<'a> {
    settling: &'a Settling,
    classes: &'a Classes,
    samples: &'a Samples,
    failures: Option<FailureWriter>,
    /// How many were written down.
    kept: usize,
    acked: Counts,
    earlier: Option<HashMap<Key, FailedRecord>>,
    sampled: HashMap<u32, FailedRecord>,
}

impl Folding<'_> {
    /// The entries of `batch` that remain, folded; `None` if none do.
    fn fold(&mut self, batch: &RecordBatch, position: u32, counts: &mut Counts) -> Result<Option<RecordBatch>> {
        let entries = EntryReader::new(batch)?;
        let mut builder = EntryBuilder::new();
        let mut rows: Vec<u32> = Vec::new();
        let mut why: Vec<Remaining<'_>> = Vec::new();
        for i in 0..entries.len() {
            let (entry, before_at) = entries.get(i);
            let at = position + i as u32;
            let op = entry.op();
            let sent = decide::is_sent(self.settling.selection, op, self.settling.sealed.unused.contains(at));
            let class = if sent { self.classes.get(at as usize) } else { Class::Seen };
            if class == Class::Acked {
                self.acked.add(op, 1);
            }
            let Some(folded) = fold_entry(&entry, class) else { continue };
            builder.push(&folded, before_at);
            counts.add(op, 1);
            rows.push(i as u32);
            why.push(Remaining { key: entry.key, op, class, position: at });
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let values = take_record_batch(&values_of(batch)?, &UInt32Array::from(rows.clone()));
        let values = values.map_err(|e| Error::bug("could not take the pending records").caused_by(e))?;
        // Parts of different versions may differ in their columns.
        let values = complete(&values, &self.settling.schema)?;
        self.note(&values, why)?;
        assemble(builder.finish(), &values).map(Some)
    }

    /// Why each of these records remains; the count of attempts goes on from the sync before.
    fn note(&mut self, values: &RecordBatch, why: Vec<Remaining<'_>>) -> Result<()> {
        let ids = identifiers(values, &self.settling.id)?;
        let at = self.settling.at.clone();
        for (Remaining { key, op, class, position }, id) in why.into_iter().zip(ids) {
            let sample = self.samples.get(&position);
            if self.kept >= FAILURES_MAX && sample.is_none() {
                continue;
            }
            self.kept += 1;
            let (code, message) = match class {
                Class::Refused(refusal) => (refusal.code.to_owned(), refusal.message.to_owned()),
                Class::Unknown(_) => ("no_answer".to_owned(), "a request was sent, and its answer never read".to_owned()),
                Class::Unattempted | Class::Acked | Class::Seen => ("not_attempted".to_owned(), "no request was processed".to_owned()),
            };
            let earlier = self.earlier()?.get(&key);
            let (attempts, first_seen) = earlier.map_or_else(|| (0, at.clone()), |earlier| (earlier.attempts, earlier.first_seen.clone()));
            let failure = FailedRecord {
                key,
                id,
                op,
                code,
                message,
                attempts: attempts + 1,
                first_seen,
                last_seen: at.clone(),
                payload: sample.and_then(|sample| sample.payload.clone()),
                answer: sample.and_then(|sample| sample.answer.clone()),
            };
            if sample.is_some() {
                self.sampled.insert(position, failure.clone());
            }
            let failures = match &mut self.failures {
                Some(failures) => failures,
                none => {
                    // A settling that was killed may have left one: the nonce keeps them apart.
                    let name = paths::part("failures", self.settling.nonce, 0);
                    let path = paths::run_file(&self.settling.mapping, self.settling.plan.epoch, &name);
                    none.insert(FailureWriter::begin(self.settling.store.as_ref(), &path)?)
                }
            };
            failures.push(failure)?;
        }
        Ok(())
    }

    fn earlier(&mut self) -> Result<&HashMap<Key, FailedRecord>> {
        if self.earlier.is_none() {
            let mut earlier = HashMap::new();
            if let Some(path) = self.settling.base.as_ref().and_then(|base| base.failures.as_ref()) {
                // Nothing hangs on it: where it cannot be read, counting begins anew.
                let read = read_failures(self.settling.store.as_ref(), path).and_then(Iterator::collect::<Result<Vec<_>>>);
                match read {
                    Ok(failures) => earlier.extend(failures.into_iter().map(|failure| (failure.key, failure))),
                    Err(error) if error.kind() == Kind::NotFound => {}
                    Err(error) => tracing::warn!(path, %error, "how often records have failed before could not be read"),
                }
            }
            self.earlier = Some(earlier);
        }
        self.earlier.as_ref().ok_or_else(|| Error::bug("the earlier failures were not read"))
    }
}

/// The identifier of each record as JSON text.
fn identifiers(values: &RecordBatch, id: &[String]) -> Result<Vec<String>> {
    let expr = Expr::Path(Path { segments: vec![SEGMENT_ID.to_owned()] });
    let mapper = Mapper::compile(&expr, None, values.schema_ref(), id, &Limits::default())?;
    let rows: Vec<u32> = (0..values.num_rows() as u32).collect();
    let mapped = mapper.map(values, &vec![Op::Added; rows.len()], "", &rows)?;
    let mut ids = vec![String::new(); rows.len()];
    for (row, id) in mapped.rows.iter().zip(mapped.ids) {
        ids[*row as usize] = id;
    }
    Ok(ids)
}
