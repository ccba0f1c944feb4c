//! Records ahead of their sync: what a sync would send of them; or, where somebody wants it, their present state once more.

use std::collections::BTreeSet;

use outflow_contract::{Entry, Key, Result};
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, assemble};
use outflow_ledger::compose::{snapshot_entry, unchanged_entry};
use outflow_ledger::paths;
use outflow_ledger::runs::SealedPart;

use super::{Only, Sealing, compose, sealed_part};
use crate::snapshot::{Indexed, PartReader, PartsWriter, hashes, values};

/// Writes their entries; nothing of a record that neither the model nor the mapping knows.
pub(super) fn write(sealing: &Sealing<'_>, only: &Only) -> Result<Vec<SealedPart>> {
    let mut parts = match sealing.state {
        Some(state) if !state.resend => compose::write(sealing, &state.pending, &sealing.ahead(state), false)?,
        _ => Vec::new(),
    };
    let mut left = only.keys.clone();
    for part in &parts {
        for batch in PartReader::open(sealing.store, &part.path)?.narrow().read()? {
            let entries = EntryReader::new(&batch?)?;
            for i in 0..entries.len() {
                left.remove(&entries.key(i));
            }
        }
    }
    // Where nothing was delivered, or all of it is in doubt, all of the snapshot waits.
    let waits = sealing.state.is_none_or(|state| state.resend || !state.has_begun());
    if !left.is_empty() && (waits || only.unchanged) {
        parts.extend(of_snapshot(sealing, &left)?);
    }
    Ok(parts)
}

fn of_snapshot(sealing: &Sealing<'_>, keys: &BTreeSet<Key>) -> Result<Vec<SealedPart>> {
    let entry = |key: Key, record: &Indexed| -> Entry {
        let version = u64::from(record.version);
        match sealing.state {
            Some(state) if state.resend => snapshot_entry(key, record.row, version, true),
            Some(state) if state.has_begun() => unchanged_entry(key, record.row, version),
            _ => snapshot_entry(key, record.row, version, false),
        }
    };
    let known = hashes::find(sealing.store, sealing.head, keys)?;
    let mut found: Vec<(Locator, Entry)> = known.iter().map(|record| (record.at, entry(record.key, record))).collect();
    found.sort_unstable_by_key(|(at, _)| at.0);
    let path = |i: usize| paths::run_file(&sealing.mapping.name, sealing.epoch, &format!("ahead-{i:03}.parquet"));
    let mut writer = PartsWriter::new(sealing.store, path);
    let places: Vec<Locator> = found.iter().map(|(at, _)| *at).collect();
    let mut next = found.iter();
    values::fetch(sealing.store, &sealing.head.files, &places, &sealing.schema()?, |batch| {
        let mut entries = EntryBuilder::new();
        for (_, entry) in next.by_ref().take(batch.places.len()) {
            entries.push(entry, None);
        }
        writer.write(&assemble(entries.finish(), &batch.values)?).map(|_| ())
    })?;
    Ok(writer.finish()?.into_iter().map(sealed_part).collect())
}
