//! Records that the snapshot knows by other columns than the result is compared by.
//!
//! When a query's columns change, every record that is accepted is known by the new ones from then on. One that is not (it came twice, is
//! too large, or a record without an identifier may be it) stays as it was known. Its row hash is over other columns, so when it is back it
//! is found nowhere. Whether it has changed is told by its values, in the columns that both have. Where the columns have changed again,
//! those may be more or fewer than the ones by which all others are compared.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::changes::Locator;
use outflow_ledger::commit::{ModelCommit, ValueFile};

use super::{Lanes, RecordHasher};
use crate::snapshot::PartReader;
use crate::snapshot::values::fetch;

/// Tells such records by the files of their values.
pub struct Outdated {
    store: Arc<dyn StateStore>,
    /// By their numbers.
    files: Vec<File>,
    key: [u8; 32],
    /// The columns of the result.
    schema: SchemaRef,
    /// Those of them by which the snapshot is compared, if not all.
    common: Option<BTreeSet<String>>,
}

struct File {
    file: ValueFile,
    /// What its records are compared by, if that is something else; found out when one of them is asked for.
    shared: OnceLock<Option<Shared>>,
}

/// The columns that a file and the result have in common.
struct Shared {
    schema: SchemaRef,
    before: RecordHasher,
    after: RecordHasher,
}

impl Outdated {
    /// For a result of `schema` and the snapshot at `head`. `key` is that of the hashes; `common` are the columns that both have, if they
    /// do not have the same ones.
    pub fn new(
        store: Arc<dyn StateStore>,
        head: Option<&ModelCommit>,
        key: [u8; 32],
        schema: &SchemaRef,
        common: Option<Vec<String>>,
    ) -> Self {
        let files = head.iter().flat_map(|head| &head.files);
        let mut files: Vec<File> = files.map(|file| File { file: file.clone(), shared: OnceLock::new() }).collect();
        files.sort_unstable_by_key(|file| file.file.id);
        Self { store, files, key, schema: Arc::clone(schema), common: common.map(|common| common.into_iter().collect()) }
    }

    /// Of those of the records `known` that are compared here, whether they are the same: by their places in `values`. `known` has those
    /// places beside the ones of what is known.
    pub(super) fn same(&self, values: &RecordBatch, known: impl Iterator<Item = (usize, Locator)>) -> Result<HashMap<usize, bool>> {
        let (mut asked, mut same) = (Vec::new(), HashMap::new());
        for (i, at) in known {
            if self.file(at)?.is_some() {
                asked.push((at, i));
            }
        }
        asked.sort_unstable();
        let (mut keys, mut before, mut after) = (Lanes::default(), Lanes::default(), Lanes::default());
        for group in asked.chunk_by(|(a, _), (b, _)| a.file() == b.file()) {
            let Some((first, _)) = group.first() else { continue };
            let Some((file, shared)) = self.file(*first)? else { continue };
            shared.after.hash(values, &mut keys, &mut after)?;
            let places: Vec<Locator> = group.iter().map(|(at, _)| *at).collect();
            let mut next = group.iter();
            fetch(self.store.as_ref(), std::slice::from_ref(file), &places, &shared.schema, |found| {
                shared.before.hash(&found.values, &mut keys, &mut before)?;
                for (known, (_, i)) in (0..found.places.len()).zip(next.by_ref()) {
                    same.insert(*i, before.row(known) == after.row(*i));
                }
                Ok(())
            })?;
        }
        Ok(same)
    }

    /// The file of the values at a place, and what they are compared by, if they have other columns than is compared.
    fn file(&self, at: Locator) -> Result<Option<(&ValueFile, &Shared)>> {
        let Ok(found) = self.files.binary_search_by_key(&at.file(), |file| file.file.id) else { return Ok(None) };
        let File { file, shared } = &self.files[found];
        let shared = if let Some(known) = shared.get() {
            known
        } else {
            let asked = self.shared(file)?;
            shared.get_or_init(|| asked)
        };
        Ok(shared.as_ref().map(|shared| (file, shared)))
    }

    fn shared(&self, file: &ValueFile) -> Result<Option<Shared>> {
        let has: BTreeSet<String> = PartReader::open(self.store.as_ref(), &file.path)?.value_columns()?.into_iter().collect();
        let fields: Vec<_> = self.schema.fields().iter().filter(|field| has.contains(field.name())).cloned().collect();
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let is_compared = match &self.common {
            Some(common) => names.len() == common.len() && names.iter().all(|name| common.contains(name)),
            None => names.len() == self.schema.fields().len() && names.len() == has.len(),
        };
        if is_compared {
            return Ok(None);
        }
        let schema: SchemaRef = Schema::new(fields).into();
        let before = RecordHasher::projected(&self.key, &schema, &names)?;
        let after = RecordHasher::projected(&self.key, &self.schema, &names)?;
        Ok(Some(Shared { schema, before, after }))
    }
}
