//! Deleted records: a version says where their last values are. A mapping that sends deletions needs the values themselves beside them.

use arrow::datatypes::SchemaRef;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Entry, Error, Op, Result};
use outflow_ledger::changes::{EntryBuilder, Locator, assemble};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Sealing, sealed_part};
use crate::snapshot::values::fetch;
use crate::snapshot::{PartReader, PartsWriter, each_entry};

/// Deleted records that are held at once: some 30 MB.
const DELETED_AT_ONCE: usize = 128 << 10;

/// Is the part at `path` one of deleted records without their values?
pub(super) fn is_bare(store: &dyn StateStore, path: &str) -> Result<bool> {
    Ok(PartReader::open(store, path)?.value_columns()?.is_empty())
}

/// The parts, with those of deleted records completed if the mapping sends deletions.
pub(super) fn complete(sealing: &Sealing<'_>, parts: Vec<SealedPart>) -> Result<Vec<SealedPart>> {
    let schema = sealing.schema()?;
    if !sealing.mapping.selection.contains(Op::Deleted) || schema.fields().is_empty() {
        return Ok(parts);
    }
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("deleted-{i:03}.parquet"));
    let mut completing = Completing { sealing, schema, writer: PartsWriter::new(sealing.store, path), deleted: Vec::new() };
    let mut completed = Vec::with_capacity(parts.len());
    for part in parts {
        if !is_bare(sealing.store, &part.path)? {
            completed.push(part);
            continue;
        }
        each_entry(sealing.store, &part.path, |_, entry, at| completing.push(entry, at.ok_or_else(|| unplaced(&part.path))?))?;
        completing.write()?;
    }
    completed.extend(completing.writer.finish()?.into_iter().map(sealed_part));
    Ok(completed)
}

/// Deleted records on their way to their last values. Those of a version stand in the order of the places of their values, so that files
/// are read once from front to back, though only so many records are held.
struct Completing<'a> {
    sealing: &'a Sealing<'a>,
    schema: SchemaRef,
    writer: PartsWriter<'a>,
    deleted: Vec<(Entry, Locator)>,
}

impl Completing<'_> {
    fn push(&mut self, entry: Entry, at: Locator) -> Result<()> {
        self.deleted.push((entry, at));
        if self.deleted.len() < DELETED_AT_ONCE { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<()> {
        self.deleted.sort_unstable_by_key(|(_, at)| *at);
        let places: Vec<Locator> = self.deleted.iter().map(|(_, at)| *at).collect();
        let mut next = self.deleted.iter();
        fetch(self.sealing.store, &self.sealing.head.files, &places, &self.schema, |found| {
            let mut entries = EntryBuilder::new();
            for (entry, at) in next.by_ref().take(found.places.len()) {
                entries.push(entry, Some(*at));
            }
            self.writer.write(&assemble(entries.finish(), &found.values)?).map(|_| ())
        })?;
        self.deleted.clear();
        Ok(())
    }
}

/// A record without values does not say where they are.
pub(super) fn unplaced(path: &str) -> Error {
    Error::corrupt(format!("{path} has a deleted record without its values, and does not say where they are"))
}
