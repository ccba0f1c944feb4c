//! Records of mixed columns. What a record holds is a function of the seed, its number and whether it has changed; so any part
//! of the data can be made anywhere, in any order, and a second version of it differs in exactly the records it says.
//!
//! Which records change or go is decided by a permutation: the numbers are exact, and the records lie scattered.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::{Counts, Error, Result};

use crate::columns::{CHANGES, Column, Identifier, Record, columns};
use crate::permutation::{Permutation, mix};

/// How many columns there are, unless other numbers are asked for.
pub const COLUMNS: usize = 12;
/// How many there can be: as many as Outflow takes.
pub const COLUMNS_MAX: usize = 512;

/// What to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Records before any is added or deleted.
    pub records: u64,
    /// Another seed gives other values.
    pub seed: u64,
    /// What tells them apart.
    pub identifier: Identifier,
    /// The first so many of the columns.
    pub columns: usize,
    /// The order of the records: by number, or shuffled by this seed. The content is the same.
    pub shuffle: Option<u64>,
    /// The share of the records that are different from what they are without this, 0 to 1.
    pub changed: f64,
    /// The share of records that come on top, 0 to 1.
    pub added: f64,
    /// The share of records that are not there, 0 to 1.
    pub deleted: f64,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            records: 1_000_000,
            seed: 1,
            identifier: Identifier::Int,
            columns: COLUMNS,
            shuffle: None,
            changed: 0.0,
            added: 0.0,
            deleted: 0.0,
        }
    }
}

/// The data of a [`Spec`], made when asked for.
#[derive(Clone, Debug)]
pub struct Data {
    seed: u64,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Records with a lower number are there from the beginning.
    original: u64,
    added: u64,
    deleted: u64,
    changed: u64,
    /// The deleted records are those that go to the first places, the changed ones to the next.
    fate: Permutation,
    order: Option<Permutation>,
}

impl Data {
    /// The data of `spec`.
    ///
    /// # Errors
    /// `Invalid` if a share is not between 0 and 1, more than all records would change or go, there are too many or no columns, or
    /// the column is not among them in which a changed record differs.
    pub fn new(spec: &Spec) -> Result<Self> {
        for (name, share) in [("changed", spec.changed), ("added", spec.added), ("deleted", spec.deleted)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::invalid(format!("the share of {name} records is {share}")).remedy("give a share from 0 to 1"));
            }
        }
        if spec.changed + spec.deleted > 1.0 {
            return Err(Error::invalid("more than all records would change or be deleted").remedy("give shares that add up to 1 or less"));
        }
        let least = spec.identifier.columns().len();
        if !(least..=COLUMNS_MAX).contains(&spec.columns) {
            return Err(Error::invalid(format!("{} columns were asked for", spec.columns)).remedy(format!("give {least} to {COLUMNS_MAX}")));
        }
        let of = |share: f64| (spec.records as f64 * share).round() as u64;
        let columns = columns(spec.identifier, spec.columns);
        let schema = Schema::new(columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>());
        if spec.changed > 0.0 && schema.column_with_name(CHANGES).is_none() {
            return Err(Error::invalid(format!("a changed record differs in `{CHANGES}`, which is not among {} columns", spec.columns))
                .remedy("give `--columns 8` or more"));
        }
        let (added, deleted) = (of(spec.added), of(spec.deleted));
        Ok(Self {
            seed: mix(spec.seed),
            schema: Arc::new(schema),
            columns,
            original: spec.records,
            added,
            deleted,
            // Two shares that add up to 1 may both be rounded up.
            changed: of(spec.changed).min(spec.records - deleted),
            fate: Permutation::new(spec.records, mix(spec.seed ^ 0xfa7e)),
            order: spec.shuffle.map(|seed| Permutation::new(spec.records + added, mix(seed ^ 0x0d3e))),
        })
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// How many places there are; the deleted records leave theirs empty.
    pub fn places(&self) -> u64 {
        self.original + self.added
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.places() - self.deleted
    }

    /// In how many records this differs from the same data without any change.
    pub fn counts(&self) -> Counts {
        Counts { added: self.added, updated: self.changed, deleted: self.deleted }
    }

    /// The columns whose values hardly repeat.
    pub fn unique_columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter(|column| column.unique).map(|column| column.field.name().as_str())
    }

    /// The records at these places, in order.
    ///
    /// # Errors
    /// `Bug` if the columns do not fit the schema.
    pub fn batch(&self, places: Range<u64>) -> Result<RecordBatch> {
        let failed = |error: arrow::error::ArrowError| Error::bug("could not build a batch of records").caused_by(error);
        let records: Vec<Record> = places.filter_map(|place| self.record(place)).collect();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (place, column) in self.columns.iter().enumerate() {
            arrays.push((column.build)(mix(self.seed ^ (place as u64 + 1)), &records));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        RecordBatch::try_new_with_options(self.schema(), arrays, &options).map_err(failed)
    }

    fn record(&self, place: u64) -> Option<Record> {
        let number = self.order.as_ref().map_or(place, |order| order.apply(place));
        if number >= self.original {
            return Some(Record { number, generation: 0 });
        }
        if self.deleted == 0 && self.changed == 0 {
            return Some(Record { number, generation: 0 });
        }
        let fate = self.fate.apply(number);
        (fate >= self.deleted).then_some(Record { number, generation: u64::from(fate < self.deleted + self.changed) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{Array, ArrayRef, AsArray};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;

    /// Every record by its identifier, as text.
    fn contents(spec: &Spec) -> BTreeMap<String, String> {
        let data = Data::new(spec).unwrap();
        let batch = data.batch(0..data.places()).unwrap();
        assert_eq!(batch.num_rows() as u64, data.records());
        let arrays: Vec<ArrayRef> = batch.columns().iter().map(without_zone).collect();
        let options = FormatOptions::default().with_null("null");
        let columns: Vec<ArrayFormatter> = arrays.iter().map(|array| ArrayFormatter::try_new(array, &options).unwrap()).collect();
        let text =
            |at: usize, count: usize| columns.iter().take(count).map(|column| column.value(at).to_string()).collect::<Vec<_>>().join("|");
        let contents: BTreeMap<_, _> =
            (0..batch.num_rows()).map(|at| (text(at, spec.identifier.columns().len()), text(at, spec.columns))).collect();
        assert_eq!(contents.len(), batch.num_rows(), "no two records share an identifier");
        contents
    }

    /// Arrow formats zones with a feature only that nothing else here needs.
    fn without_zone(array: &ArrayRef) -> ArrayRef {
        match array.as_primitive_opt::<TimestampMicrosecondType>() {
            Some(moments) => Arc::new(moments.clone().with_timezone_opt::<Arc<str>>(None)),
            None => Arc::clone(array),
        }
    }

    #[test]
    fn a_shuffle_changes_the_order_and_nothing_else() {
        let plain = Spec { records: 5_000, ..Spec::default() };
        let shuffled = Spec { shuffle: Some(9), ..plain.clone() };
        assert_eq!(contents(&plain), contents(&shuffled));
        let first = Data::new(&shuffled).unwrap().batch(0..100).unwrap();
        assert!(!first["id"].as_primitive::<Int64Type>().values().is_sorted());
    }

    #[test]
    fn the_shares_are_exact_and_the_rest_stays_as_it_was() {
        for identifier in [Identifier::Int, Identifier::String, Identifier::Composite] {
            let plain = Spec { records: 10_000, identifier, ..Spec::default() };
            let later = Spec { changed: 0.01, added: 0.005, deleted: 0.005, shuffle: Some(3), ..plain.clone() };
            let (before, after) = (contents(&plain), contents(&later));
            let added = after.keys().filter(|id| !before.contains_key(*id)).count();
            let deleted = before.keys().filter(|id| !after.contains_key(*id)).count();
            let changed = before.iter().filter(|(id, line)| after.get(*id).is_some_and(|other| other != *line)).count();
            assert_eq!((changed, added, deleted), (100, 50, 50), "{identifier:?}");
            assert_eq!(Data::new(&later).unwrap().counts(), Counts { added: 50, updated: 100, deleted: 50 });
        }
    }

    #[test]
    fn columns_beyond_the_twelve_are_of_the_same_kinds_with_values_of_their_own() {
        let batch = Data::new(&Spec { records: 100, columns: COLUMNS_MAX, ..Spec::default() }).unwrap().batch(0..100).unwrap();
        assert_eq!(batch.num_columns(), COLUMNS_MAX);
        assert_eq!((batch.schema().field(12).name().as_str(), batch.schema().field(511).name().as_str()), ("email_2", "city_47"));
        for name in ["visits", "external_id", "balance"] {
            let (first, second) = (&batch[name], &batch[format!("{name}_2").as_str()]);
            assert_eq!(first.data_type(), second.data_type());
            assert_ne!(first, second, "{name}");
        }
        let twelve = Data::new(&Spec { records: 100, ..Spec::default() }).unwrap().batch(0..100).unwrap();
        assert_eq!(twelve, batch.project(&(0..COLUMNS).collect::<Vec<_>>()).unwrap());
    }

    #[test]
    fn shares_that_add_up_to_all_records_fit() {
        let spec = Spec { records: 3, changed: 0.5, deleted: 0.5, ..Spec::default() };
        assert_eq!(contents(&spec).len() as u64, Data::new(&spec).unwrap().records());
    }

    #[test]
    fn batches_of_any_size_hold_the_same_records() {
        let data = Data::new(&Spec { records: 1_000, deleted: 0.1, shuffle: Some(1), ..Spec::default() }).unwrap();
        let whole = data.batch(0..1_000).unwrap();
        let parts: Vec<RecordBatch> = (0..1_000).step_by(7).map(|from| data.batch(from..(from + 7).min(1_000)).unwrap()).collect();
        assert_eq!(arrow::compute::concat_batches(&whole.schema(), &parts).unwrap(), whole);
    }

    #[test]
    fn another_seed_gives_other_values() {
        let one = Spec { records: 100, ..Spec::default() };
        assert_ne!(contents(&one), contents(&Spec { seed: 2, ..one.clone() }));
    }

    #[test]
    fn nulls_come_in_the_shares_that_are_documented() {
        let batch = Data::new(&Spec { records: 20_000, ..Spec::default() }).unwrap().batch(0..20_000).unwrap();
        assert!((3_800..4_200).contains(&batch["score"].null_count()), "{}", batch["score"].null_count());
        assert!((1_850..2_150).contains(&batch["active"].null_count()), "{}", batch["active"].null_count());
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        for spec in [
            Spec { changed: 1.5, ..Spec::default() },
            Spec { added: f64::NAN, ..Spec::default() },
            Spec { changed: 0.6, deleted: 0.6, ..Spec::default() },
            Spec { columns: 0, ..Spec::default() },
            Spec { columns: COLUMNS_MAX + 1, ..Spec::default() },
            Spec { columns: 1, identifier: Identifier::Composite, ..Spec::default() },
            Spec { columns: 5, changed: 0.1, ..Spec::default() },
        ] {
            assert!(Data::new(&spec).unwrap_err().remedy_text().is_some(), "{spec:?}");
        }
    }
}
