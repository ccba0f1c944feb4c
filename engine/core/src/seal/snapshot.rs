//! The whole snapshot as changes of one mapping: for one that has never synced, and for one that was reset.

use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::changes::{EntryBuilder, Locator, PartInfo, assemble};
use outflow_ledger::commit::{MappingCommit, ModelCommit, ValueFile};
use outflow_ledger::compose::snapshot_entry;
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Sealing, compose, sealed_part};
use crate::snapshot::{Indexed, PartsWriter, hashes, schema_of, values};

/// Records that are held at once, without their values: 200 MB.
const RECORDS_AT_ONCE: u64 = 4 << 20;

/// Writes every record of the snapshot as an added one. After a reset (`state`) the destination may hold any of them: their state
/// before is unknown, and records that are gone since stay to be deleted (rule 15).
pub(super) fn write(sealing: &Sealing<'_>, state: Option<&MappingCommit>) -> Result<Vec<SealedPart>> {
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("snapshot-{i:03}.parquet"));
    let parts = write_records(sealing.store, sealing.head, |_| true, state.is_some(), &path)?;
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
    wanted: impl Fn(&Indexed) -> bool,
    resend: bool,
    path: &dyn Fn(usize) -> String,
) -> Result<Vec<PartInfo>> {
    let (schema, mut writer) = (schema_of(head)?, PartsWriter::new(store, path));
    for files in head.files.chunk_by(shared()) {
        let in_files = |record: &Indexed| files.iter().any(|file| file.id == record.at.file());
        let mut records: Vec<Indexed> = Vec::new();
        hashes::for_each(store, head, |record| {
            if in_files(&record) && wanted(&record) {
                records.push(record);
            }
            Ok(())
        })?;
        records.sort_unstable_by_key(|record| record.at);
        let places: Vec<Locator> = records.iter().map(|record| record.at).collect();
        let mut next = records.iter();
        values::fetch(store, &head.files, &places, &schema, |found| {
            let mut entries = EntryBuilder::new();
            for record in next.by_ref().take(found.places.len()) {
                entries.push(&snapshot_entry(record.key, record.row, u64::from(record.version), resend), None);
            }
            writer.write(&assemble(entries.finish(), &found.values)?).map(|_| ())
        })?;
    }
    writer.finish()
}

/// Neighbours among value files that are read together: as long as there are not too many records in them.
fn shared() -> impl FnMut(&ValueFile, &ValueFile) -> bool {
    let mut rows = 0;
    move |before, next| {
        rows += before.rows;
        let fits = rows + next.rows <= RECORDS_AT_ONCE;
        if !fits {
            rows = 0;
        }
        fits
    }
}
