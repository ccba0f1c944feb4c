//! A query that returns other columns than last time: what is common to both is compared, and the snapshot is written anew.
//!
//! The hash snapshot holds row hashes over the old columns. For this one extraction they are replaced by hashes over the common
//! columns, computed from the values; every record of the result goes into new value files, so that the next extraction
//! finds row hashes, and deleted records last-known values, in the new columns. Costs a pass over the old values and a
//! copy of the new ones, once for each change of the columns.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::changes::Locator;
use outflow_ledger::commit::ModelCommit;

use crate::diff::{Lanes, Rebase, RecordHasher};
use crate::snapshot::{Columns, HashSnapshot, SEGMENTS, values};

/// The columns that both have, if they do not have the same ones.
pub(super) fn common_columns(old: &Schema, new: &Schema) -> Option<Vec<String>> {
    let names = |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<HashSet<_>>();
    let (old, new) = (names(old), names(new));
    (old != new).then(|| {
        let mut common: Vec<String> = old.intersection(&new).cloned().collect();
        common.sort();
        common
    })
}

/// What to compare by: hashes over the columns `common` only. `schema` is the new one: values are compared in its types.
/// Memory: 24 bytes a record.
pub(super) fn compare_common(
    store: &dyn StateStore,
    head: &ModelCommit,
    snapshot: &HashSnapshot,
    key: &[u8; 32],
    common: &[String],
    schema: &SchemaRef,
) -> Result<Rebase> {
    let shared: SchemaRef =
        Arc::new(Schema::new(schema.fields().iter().filter(|field| common.contains(field.name())).cloned().collect::<Vec<_>>()));
    let hasher = RecordHasher::projected(key, &shared, common)?;
    let (mut starts, mut order) = (Vec::with_capacity(SEGMENTS), Vec::with_capacity(snapshot.all_records_at_most()));
    for segment in 0..SEGMENTS {
        starts.push(order.len());
        let merged = snapshot.segment(segment, Columns::All)?;
        merged.each(|_, place| order.push((merged.get(place).at, order.len() as u32)));
    }
    order.sort_unstable();
    let places: Vec<Locator> = order.iter().map(|(at, _)| *at).collect();
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
    let mut hashes = vec![0; order.len()];
    let mut next = order.iter();
    values::fetch(store, &head.files, &places, &shared, |found| {
        hasher.hash(&found.values, &mut keys, &mut rows)?;
        for (&high, (_, record)) in rows.high.iter().zip(next.by_ref()) {
            hashes[*record as usize] = high;
        }
        Ok(())
    })?;
    Ok(Rebase { hasher: RecordHasher::projected(key, schema, common)?, hashes, starts })
}
