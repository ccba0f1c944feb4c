//! A few records of each operation: what would be sent, and for updates what has changed, column by column.

use crate::snapshot::PartReader;
use arrow::array::{Array, RecordBatch};
use outflow_contract::expr::{Columns, Expr, Path};
use outflow_contract::limits::Limits;
use outflow_contract::{Entry, Op, Result};
use outflow_ledger::changes::{EntryReader, Locator, values_of};
use outflow_ledger::commit::ValueFile;

use super::{FieldChange, Sample};
use crate::deliver::payloads::Reading;
use crate::map::{Mapper, SentBy};
use crate::snapshot::values::{complete, fetch};

/// Of each operation.
const SAMPLES: usize = 3;
/// A longer value is cut in the comparison.
const VALUE_CHARS_MAX: usize = 80;

/// The first records of each operation that would be sent.
pub(super) fn take(reading: &Reading, files: &[ValueFile]) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut missing = [SAMPLES; 3];
    let mut position = 0u32;
    for part in &reading.sealed.parts {
        for batch in PartReader::open(reading.store.as_ref(), &part.path)?.read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            let mut values = None;
            for i in 0..entries.len() {
                let (entry, before_at) = entries.get(i);
                let op = entry.op();
                let left = &mut missing[op as usize];
                if *left == 0 || !reading.sealed.is_selected(&reading.mapping, &entry, position + i as u32) {
                    continue;
                }
                *left -= 1;
                if values.is_none() {
                    values = Some(complete(&values_of(&batch)?, &reading.schema)?);
                }
                let Some(values) = &values else { continue };
                samples.extend(sample(reading, files, &values.slice(i, 1), &entry, before_at)?);
            }
            if missing == [0; 3] {
                return Ok(samples);
            }
            position += entries.len() as u32;
        }
    }
    samples.sort_by_key(|sample| sample.op as usize);
    Ok(samples)
}

fn sample(
    reading: &Reading,
    files: &[ValueFile],
    record: &RecordBatch,
    entry: &Entry,
    before_at: Option<Locator>,
) -> Result<Option<Sample>> {
    let op = entry.op();
    let mapped = reading.map(record, &[op], &[0], &[reading.record_id(entry)])?;
    let Some(id) = mapped.ids.get(0).map(ToOwned::to_owned) else { return Ok(None) };
    let payload = String::from_utf8_lossy(&mapped.bytes).into_owned();
    let changes = match before_at.filter(|_| op == Op::Updated) {
        Some(at) => changes(reading, files, record, at)?,
        None => Vec::new(),
    };
    Ok(Some(Sample { op, id, payload, changes }))
}

/// The columns that differ from the values at `at`.
fn changes(reading: &Reading, files: &[ValueFile], after: &RecordBatch, at: Locator) -> Result<Vec<FieldChange>> {
    let mut before = None;
    fetch(reading.store.as_ref(), files, &[at], &reading.schema, |found| {
        before = Some(found.values);
        Ok(())
    })?;
    let Some(before) = before else { return Ok(Vec::new()) };
    let used = reading.mapping.columns();
    let mut changes = Vec::new();
    for (i, field) in reading.schema.fields().iter().enumerate() {
        if before.column(i).to_data() == after.column(i).to_data() {
            continue;
        }
        let (old, new) = (text(&before, field.name())?, text(after, field.name())?);
        let mapped = match &used {
            Columns::All => true,
            Columns::Named(names) => names.contains(field.name()),
        };
        if old != new {
            changes.push(FieldChange { column: field.name().clone(), before: old, after: new, mapped });
        }
    }
    Ok(changes)
}

/// One value as JSON text.
fn text(record: &RecordBatch, column: &str) -> Result<String> {
    let expr = Expr::Path(Path { segments: vec![column.to_owned()] });
    let mapper = Mapper::compile(&expr, None, record.schema_ref(), &[column.to_owned()], &Limits::default())?;
    let mapped = mapper.map(record, &[Op::Added], &SentBy::default(), &[0])?;
    let text = String::from_utf8_lossy(&mapped.bytes).into_owned();
    Ok(if text.chars().count() > VALUE_CHARS_MAX { text.chars().take(VALUE_CHARS_MAX).chain(['…']).collect() } else { text })
}
