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

use crate::diff::{Compared, Lanes, Rebase, RecordHasher};
use crate::scratch::{ByPlace, Folder, Piles, Placed, Stored, numbers, put};
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

/// A record of the snapshot, on the way to its values.
struct Known {
    at: Locator,
    segment: u32,
    /// Its place in the segment.
    record: u32,
}

impl Stored for Known {
    const BYTES: usize = 16;

    fn store(&self, into: &mut Vec<u8>) {
        let which = u64::from(self.segment) << 32 | u64::from(self.record);
        put(into, &[self.at.0, which]);
    }

    fn load(bytes: &[u8]) -> Self {
        let mut next = numbers(bytes);
        let (at, which) = (Locator(next()), next());
        Self { at, segment: (which >> 32) as u32, record: which as u32 }
    }
}

impl Placed for Known {
    fn at(&self) -> Locator {
        self.at
    }
}

/// What to compare by: hashes over the columns `common` only. `schema` is the new one: values are compared in its types.
/// Memory: a segment, and a batch of values. Records are brought into the order of their values and back on disk, where they are many.
pub(super) fn compare_common(
    store: &dyn StateStore,
    head: &ModelCommit,
    snapshot: &HashSnapshot,
    key: &[u8; 32],
    common: &[String],
    schema: &SchemaRef,
    scratch: &Arc<Folder>,
) -> Result<Rebase> {
    let shared: SchemaRef =
        Arc::new(Schema::new(schema.fields().iter().filter(|field| common.contains(field.name())).cloned().collect::<Vec<_>>()));
    let hasher = RecordHasher::projected(key, &shared, common)?;
    let mut known = ByPlace::new(scratch, "known", &head.files);
    for segment in 0..SEGMENTS {
        let merged = snapshot.segment(segment, Columns::All)?;
        let (mut record, mut pushed) = (0, Ok(()));
        merged.each(|_, place| {
            if pushed.is_ok() {
                pushed = known.push(&Known { at: merged.get(place).at, segment: segment as u32, record });
            }
            record += 1;
        });
        pushed?;
    }
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
    known.settle();
    let mut hashes = Piles::new(scratch, "compared", SEGMENTS);
    known.in_order(|known| {
        let places: Vec<Locator> = known.iter().map(|known| known.at).collect();
        let mut next = known.iter();
        values::fetch(store, &head.files, &places, &shared, |found| {
            hasher.hash(&found.values, &mut keys, &mut rows)?;
            rows.high
                .iter()
                .zip(next.by_ref())
                .try_for_each(|(&high, known)| hashes.push(known.segment as usize, &Compared { record: known.record, high }))
        })
    })?;
    hashes.settle();
    Ok(Rebase { hasher: RecordHasher::projected(key, schema, common)?, hashes })
}
