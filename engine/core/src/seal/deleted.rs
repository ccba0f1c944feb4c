//! Deleted records: a version says where their last values are. A mapping that sends deletions needs the values themselves beside them.

use outflow_contract::state_store::StateStore;
use outflow_contract::{Entry, Error, Op, Result};
use outflow_ledger::changes::{EntryBuilder, Locator, assemble};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Sealing, sealed_part};
use crate::snapshot::values::fetch;
use crate::snapshot::{PartReader, PartsWriter, each_entry};

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
    let (mut completed, mut deleted) = (Vec::with_capacity(parts.len()), Vec::new());
    for part in parts {
        if is_bare(sealing.store, &part.path)? {
            each_entry(sealing.store, &part.path, |_, entry, at| {
                deleted.push((entry, at.ok_or_else(|| unplaced(&part.path))?));
                Ok(())
            })?;
        } else {
            completed.push(part);
        }
    }
    deleted.sort_unstable_by_key(|(_, at): &(Entry, Locator)| *at);
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("deleted-{i:03}.parquet"));
    let mut writer = PartsWriter::new(sealing.store, path);
    let places: Vec<Locator> = deleted.iter().map(|(_, at)| *at).collect();
    let mut next = deleted.iter();
    fetch(sealing.store, &sealing.head.files, &places, &schema, |found| {
        let mut entries = EntryBuilder::new();
        for (entry, at) in next.by_ref().take(found.places.len()) {
            entries.push(entry, Some(*at));
        }
        writer.write(&assemble(entries.finish(), &found.values)?).map(|_| ())
    })?;
    completed.extend(writer.finish()?.into_iter().map(sealed_part));
    Ok(completed)
}

/// A record without values does not say where they are.
pub(super) fn unplaced(path: &str) -> Error {
    Error::corrupt(format!("{path} has a deleted record without its values, and does not say where they are"))
}
