//! What a sync would send a record as: by the state that is there, and the record's values of now.

use std::sync::Arc;

use arrow::array::RecordBatch;
use outflow_contract::plan::{Mapping, Model};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Key, Op, RecordId, Result, RowHash};
use outflow_ledger::changes::EntryReader;
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::requests::Identity;

use crate::blocking;
use crate::diff::{Lanes, RecordHasher};
use crate::extract::hash_key;
use crate::plan::Overlay;
use crate::run::{Engine, siblings};
use crate::seal::{Only, Sealed, Sealing};
use crate::snapshot::PartReader;

impl Engine {
    /// What a sync that found the record as it is would send it as, by the state that is there.
    pub(super) async fn standing(
        &self,
        mapping: &Mapping,
        model: &Model,
        record: &RecordBatch,
        head: ModelCommit,
        state: Option<MappingCommit>,
        (identity, epoch): (&Identity, u64),
    ) -> Result<Standing> {
        let (key, row) = hashes_of(record, model, &head)?;
        let shared = !siblings(self, mapping)?.is_empty();
        let (base, owned, version) = (Arc::clone(&self.store), mapping.clone(), head.version);
        let known = blocking(move || {
            let store = Overlay::new(base)?;
            let state = state.as_ref();
            let only = Some(&Only { keys: [key].into(), unchanged: true });
            let sealing = Sealing { store: &store, head: &head, state, mapping: &owned, shared, only, asked_for: true, epoch };
            first_entry(&store, &sealing.seal()?)
        })
        .await?;
        let now = match known {
            Some(entry) if entry.after == Some(row) => entry,
            // It has changed since the last extraction: the next one makes a version of it.
            Some(entry) => Entry { after: Some(row), version: version + 1, ..entry },
            None => Entry::new(key, Before::Absent, Some(row), version + 1),
        };
        let id = if now.is_settled() { identity.again_id(key, now.version, epoch) } else { identity.record_id(key, now.version) };
        Ok(Standing { op: now.op(), id })
    }
}

/// What a record would be sent as.
pub(super) struct Standing {
    pub(super) op: Op,
    pub(super) id: RecordId,
}

/// The one entry of what was sealed for one record.
fn first_entry(store: &dyn StateStore, sealed: &Sealed) -> Result<Option<Entry>> {
    for part in &sealed.parts {
        for batch in PartReader::open(store, &part.path)?.narrow().read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            if !entries.is_empty() {
                return Ok(Some(entries.get(0).0));
            }
        }
    }
    Ok(None)
}

/// The hashes of the one record of `record`.
pub(super) fn hashes_of(record: &RecordBatch, model: &Model, head: &ModelCommit) -> Result<(Key, RowHash)> {
    let hasher = RecordHasher::new(&hash_key(head.salt), record.schema_ref(), &model.id, None)?;
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
    hasher.hash(record, &mut keys, &mut rows)?;
    Ok((keys.key(0), rows.row(0)))
}
