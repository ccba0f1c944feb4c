//! A query that returns other columns than last time: what is common to both is compared, and the snapshot is written anew.
//!
//! The key index holds row hashes over the old columns. For this one extraction they are replaced by hashes over the common
//! columns, computed from the values; every record of the result goes into new value files, so that the next extraction
//! finds row hashes, and deleted records last-known values, in the new columns. Costs a pass over the old values and a
//! copy of the new ones, once for each change of the columns.

use std::collections::HashSet;

use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Result, RowHash};
use outflow_ledger::changes::Locator;
use outflow_ledger::commit::ModelCommit;

use crate::diff::{Lanes, RecordHasher};
use crate::snapshot::{KeyIndex, values};

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

/// Lets `index` compare by hashes over the columns `common` only. `schema` is the new one: values are compared in its types.
pub(super) fn compare_common(
    store: &dyn StateStore,
    head: &ModelCommit,
    index: &mut KeyIndex,
    hasher: &RecordHasher,
    schema: &SchemaRef,
) -> Result<()> {
    let mut ranks: Vec<(Locator, usize)> = (0..index.len()).map(|rank| (index.get(rank).at, rank)).collect();
    ranks.sort_unstable_by_key(|(at, _)| at.0);
    let places: Vec<Locator> = ranks.iter().map(|(at, _)| *at).collect();
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
    let mut hashes = vec![RowHash(0); index.len()];
    let mut next = 0;
    values::fetch(store, &head.files, &places, schema, |found| {
        hasher.hash(&found.values, &mut keys, &mut rows)?;
        for i in 0..found.places.len() {
            hashes[ranks[next + i].1] = rows.row(i);
        }
        next += found.places.len();
        Ok(())
    })?;
    index.compare_by(hashes);
    Ok(())
}
