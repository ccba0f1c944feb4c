//! The whole snapshot as changes of one mapping: for one that has never synced, and for one that was reset. In the order of the places of
//! values, which records are brought into on disk where they are many.

use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::changes::{EntryBuilder, Locator, PartInfo, assemble};
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::compose::snapshot_entry;
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Sealing, compose, sealed_part};
use crate::scratch::{ByPlace, Folder};
use crate::snapshot::{Indexed, PartsWriter, hashes, schema_of, values};

/// Writes every record of the snapshot as an added one. After a reset (`state`) the destination may hold any of them: their state
/// before is unknown, and records that are gone since stay to be deleted (rule 15).
pub(super) fn write(sealing: &Sealing<'_>, state: Option<&MappingCommit>) -> Result<Vec<SealedPart>> {
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("snapshot-{i:03}.parquet"));
    let parts = write_records(sealing.store, sealing.head, |_| Ok(true), state.is_some(), &path)?;
    let mut parts: Vec<SealedPart> = parts.into_iter().map(sealed_part).collect();
    if let Some(state) = state {
        parts.extend(compose::write(sealing, &state.pending, &sealing.ahead(state), true)?);
    }
    Ok(parts)
}

/// Writes the wanted records of the snapshot as added ones, or, with `resend`, as ones of which anything may be at the destination.
pub(super) fn write_records(
    store: &dyn StateStore,
    head: &ModelCommit,
    mut wanted: impl FnMut(&Indexed) -> Result<bool>,
    resend: bool,
    path: &dyn Fn(usize) -> String,
) -> Result<Vec<PartInfo>> {
    let (schema, mut writer) = (schema_of(head)?, PartsWriter::new(store, path));
    let mut records = ByPlace::new(&Folder::new(store, None)?, "snapshot", &head.files);
    hashes::for_each(store, head, |record| if wanted(&record)? { records.push(&record) } else { Ok(()) })?;
    records.settle();
    records.in_order(|records| {
        let places: Vec<Locator> = records.iter().map(|record| record.at).collect();
        let mut next = records.iter();
        values::fetch(store, &head.files, &places, &schema, |found| {
            let mut entries = EntryBuilder::new();
            for record in next.by_ref().take(found.places.len()) {
                entries.push(&snapshot_entry(record.key, record.row, u64::from(record.version), resend), None);
            }
            writer.write(&assemble(entries.finish(), &found.values)?).map(|_| ())
        })
    })?;
    writer.finish()
}
