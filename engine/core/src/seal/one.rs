//! One record ahead of its sync: what a sync would send of it, or, if nothing, its present state once more.

use outflow_contract::{Key, Result};
use outflow_ledger::changes::{EntryBuilder, assemble};
use outflow_ledger::compose::{snapshot_entry, unchanged_entry};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Sealing, compose, sealed_part};
use crate::snapshot::{PartsWriter, index_file, values};

/// Writes the record's entry; nothing if neither the model nor the mapping knows it.
pub(super) fn write(sealing: &Sealing<'_>, key: Key) -> Result<Vec<SealedPart>> {
    let composed = match sealing.state {
        Some(state) if !state.resend => compose::write(sealing, &state.pending, &sealing.ahead(state), false)?,
        _ => Vec::new(),
    };
    if !composed.is_empty() {
        return Ok(composed);
    }
    let index = index_file::load(sealing.store, sealing.head)?;
    let Some(record) = index.rank(key).map(|rank| index.get(rank)) else { return Ok(Vec::new()) };
    let version = u64::from(record.version);
    let entry = match sealing.state {
        Some(state) if state.resend => snapshot_entry(key, record.row, version, true),
        Some(state) if state.has_begun() => unchanged_entry(key, record.row, version),
        _ => snapshot_entry(key, record.row, version, false),
    };
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("one-{i:03}.parquet"));
    let mut writer = PartsWriter::new(sealing.store, path);
    values::fetch(sealing.store, &sealing.head.files, &[record.at], &sealing.schema()?, |found| {
        let mut entries = EntryBuilder::new();
        entries.push(&entry, None);
        writer.write(&assemble(entries.finish(), &found.values)?).map(|_| ())
    })?;
    Ok(writer.finish()?.into_iter().map(sealed_part).collect())
}
