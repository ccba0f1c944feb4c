//! The whole snapshot as changes of one mapping: for one that has never synced, and for one that was reset.

use outflow_contract::Result;
use outflow_ledger::changes::{EntryBuilder, Locator, assemble};
use outflow_ledger::commit::MappingCommit;
use outflow_ledger::compose::snapshot_entry;
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Sealing, compose, sealed_part};
use crate::snapshot::{PartsWriter, index_file, values};

/// Writes every record of the snapshot as an added one. After a reset (`state`) the destination may hold any of them: their state
/// before is unknown, and records that are gone since stay to be deleted (rule 15).
pub(super) fn write(sealing: &Sealing<'_>, state: Option<&MappingCommit>) -> Result<Vec<SealedPart>> {
    let index = index_file::load(sealing.store, sealing.head)?;
    if index.is_empty() && state.is_none() {
        return Ok(Vec::new());
    }
    let mut ranks: Vec<u32> = (0..index.len() as u32).collect();
    ranks.sort_unstable_by_key(|&rank| index.get(rank as usize).at.0);
    let schema = sealing.schema()?;
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("snapshot-{i:03}.parquet"));
    let mut writer = PartsWriter::new(sealing.store, path);
    let places: Vec<Locator> = ranks.iter().map(|&rank| index.get(rank as usize).at).collect();
    let mut next = ranks.iter().map(|&rank| index.get(rank as usize));
    values::fetch(sealing.store, &sealing.head.files, &places, &schema, |found| {
        let mut entries = EntryBuilder::new();
        for record in next.by_ref().take(found.places.len()) {
            entries.push(&snapshot_entry(record.key, record.row, u64::from(record.version), state.is_some()), None);
        }
        writer.write(&assemble(entries.finish(), &found.values)?).map(|_| ())
    })?;
    let mut parts: Vec<SealedPart> = writer.finish()?.into_iter().map(sealed_part).collect();
    if let Some(state) = state {
        parts.extend(compose::write(sealing, &state.pending, &sealing.ahead(state), true)?);
    }
    Ok(parts)
}
