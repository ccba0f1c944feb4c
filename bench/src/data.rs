//! Records of twelve mixed columns. What a record holds is a function of the seed, its number and whether it has changed; so any part
//! of the data can be made anywhere, in any order, and a second version of it differs in exactly the records it says.
//!
//! Which records change or go is decided by a permutation: the numbers are exact, and the records lie scattered.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use outflow_contract::{Error, Result};

use crate::permutation::{Permutation, mix};

/// How many columns there can be.
pub const COLUMNS_MAX: usize = 12;

/// What to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Records before any is added or deleted.
    pub records: u64,
    /// Another seed gives other values.
    pub seed: u64,
    /// The first so many of the twelve columns.
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
        Self { records: 1_000_000, seed: 1, columns: COLUMNS_MAX, shuffle: None, changed: 0.0, added: 0.0, deleted: 0.0 }
    }
}

/// The data of a [`Spec`], made when asked for.
#[derive(Clone, Debug)]
pub struct Data {
    seed: u64,
    schema: SchemaRef,
    /// Records with a lower number are there from the beginning.
    original: u64,
    added: u64,
    deleted: u64,
    changed: u64,
    /// The deleted records are those that go to the first places, the changed ones to the next.
    fate: Permutation,
    order: Option<Permutation>,
}

/// One record: its number, and 1 if it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    number: u64,
    generation: u64,
}

type Build = fn(u64, &[Record]) -> ArrayRef;

impl Data {
    /// The data of `spec`.
    ///
    /// # Errors
    /// `Invalid` if a share is not between 0 and 1, more than all records would change or go, or there are too many or no columns.
    pub fn new(spec: &Spec) -> Result<Self> {
        for (name, share) in [("changed", spec.changed), ("added", spec.added), ("deleted", spec.deleted)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::invalid(format!("the share of {name} records is {share}")).remedy("give a share from 0 to 1"));
            }
        }
        if spec.changed + spec.deleted > 1.0 {
            return Err(Error::invalid("more than all records would change or be deleted").remedy("give shares that add up to 1 or less"));
        }
        if !(1..=COLUMNS_MAX).contains(&spec.columns) {
            return Err(Error::invalid(format!("{} columns were asked for", spec.columns)).remedy(format!("give 1 to {COLUMNS_MAX}")));
        }
        let of = |share: f64| (spec.records as f64 * share).round() as u64;
        let fields: Vec<Field> = columns().into_iter().take(spec.columns).map(|(field, _)| field).collect();
        let (added, deleted) = (of(spec.added), of(spec.deleted));
        Ok(Self {
            seed: mix(spec.seed),
            schema: Arc::new(Schema::new(fields)),
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

    /// The records at these places, in order.
    ///
    /// # Errors
    /// `Bug` if the columns do not fit the schema.
    pub fn batch(&self, places: Range<u64>) -> Result<RecordBatch> {
        let failed = |error: arrow::error::ArrowError| Error::bug("could not build a batch of records").caused_by(error);
        let records: Vec<Record> = places.filter_map(|place| self.record(place)).collect();
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        for (place, (_, build)) in columns().into_iter().take(self.schema.fields().len()).enumerate() {
            arrays.push(build(mix(self.seed ^ (place as u64 + 1)), &records));
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

/// The columns, each with what builds it. The first ten alone are a fair mix too.
fn columns() -> [(Field, Build); COLUMNS_MAX] {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    [
        (Field::new("id", DataType::Int64, false), ids),
        (text("email"), emails),
        (text("first_name"), |seed, records| picked(seed, records, &FIRST_NAMES)),
        (text("last_name"), |seed, records| picked(seed, records, &LAST_NAMES)),
        (text("plan"), |seed, records| picked(seed, records, &PLANS)),
        (text("city"), |seed, records| picked(seed, records, &CITIES)),
        (Field::new("visits", DataType::Int64, false), visits),
        (Field::new("score", DataType::Float64, true), scores),
        (Field::new("updated_at", moment, false), updates),
        (Field::new("balance", DataType::Decimal128(12, 2), false), balances),
        (text("external_id"), external_ids),
        (Field::new("active", DataType::Boolean, true), actives),
    ]
}

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Björn", "Chloé", "Daniel", "Ewa", "Fatima", "Grace", "Håkon", "Inès", "João", "Kenji", "Łukasz", "Maria", "Noor", "Olga", "Zoë",
];
const LAST_NAMES: [&str; 16] = [
    "Andersen",
    "Bianchi",
    "Chen",
    "Dubois",
    "Eriksen",
    "Fernández",
    "García",
    "Hansen",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lund",
    "Müller",
    "Nguyễn",
    "O'Brien",
    "Ørsted",
];
const CITIES: [&str; 16] = [
    "Amsterdam",
    "Bergen",
    "Chicago",
    "Dublin",
    "Edinburgh",
    "Firenze",
    "Göteborg",
    "Helsinki",
    "İzmir",
    "Jakarta",
    "Kraków",
    "Lisboa",
    "München",
    "Nairobi",
    "Oslo",
    "São Paulo",
];
/// Mostly the first.
const PLANS: [&str; 8] = ["free", "free", "free", "free", "free", "plus", "plus", "pro"];

fn ids(_seed: u64, records: &[Record]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(records.iter().map(|r| r.number as i64)))
}

fn emails(seed: u64, records: &[Record]) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(records.len(), records.len() * 28);
    for record in records {
        let host = mix(seed ^ record.number) % 500;
        // Writing to a builder in memory cannot fail.
        let _infallible = write!(builder, "person.{}@host{host}.example.com", record.number);
        builder.append_value("");
    }
    Arc::new(builder.finish())
}

fn picked(seed: u64, records: &[Record], choices: &[&str]) -> ArrayRef {
    let pick = |record: &Record| choices[(mix(seed ^ record.number) % choices.len() as u64) as usize];
    Arc::new(StringArray::from_iter_values(records.iter().map(pick)))
}

/// A changed record has one visit more, whatever else changes: so none is changed in name only.
fn visits(seed: u64, records: &[Record]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(records.iter().map(|r| (mix(seed ^ r.number) % 100_000 + r.generation) as i64)))
}

/// A fifth of them null.
fn scores(seed: u64, records: &[Record]) -> ArrayRef {
    let score = |record: &Record| {
        let drawn = mix(seed ^ changing(record));
        (!drawn.is_multiple_of(5)).then(|| (drawn >> 11) as f64 / (1_u64 << 53) as f64)
    };
    Arc::new(records.iter().map(score).collect::<Float64Array>())
}

/// From 2020 to 2025.
fn updates(seed: u64, records: &[Record]) -> ArrayRef {
    const FROM_US: u64 = 1_577_836_800_000_000;
    const SIX_YEARS_US: u64 = 6 * 365 * 24 * 60 * 60 * 1_000_000;
    let moment = |record: &Record| (FROM_US + mix(seed ^ changing(record)) % SIX_YEARS_US) as i64;
    Arc::new(TimestampMicrosecondArray::from_iter_values(records.iter().map(moment)).with_timezone("UTC"))
}

/// From -5,000.00 to 95,000.00.
fn balances(seed: u64, records: &[Record]) -> ArrayRef {
    let cents = |record: &Record| i128::from(mix(seed ^ record.number) % 10_000_001) - 500_000;
    Arc::new(Decimal128Array::from_iter_values(records.iter().map(cents)).with_data_type(DataType::Decimal128(12, 2)))
}

/// Shaped like a UUID of version 4.
fn external_ids(seed: u64, records: &[Record]) -> ArrayRef {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut builder = StringBuilder::with_capacity(records.len(), records.len() * 36);
    let mut text = String::with_capacity(36);
    for record in records {
        let high = mix(seed ^ record.number);
        let bits = (u128::from(high) << 64) | u128::from(mix(high));
        text.clear();
        for place in 0..32_u32 {
            if matches!(place, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            let nibble = (bits >> (124 - 4 * place)) as usize & 15;
            text.push(char::from(match place {
                12 => b'4',
                16 => DIGITS[8 | (nibble & 3)],
                _ => DIGITS[nibble],
            }));
        }
        builder.append_value(&text);
    }
    Arc::new(builder.finish())
}

/// One in ten null.
fn actives(seed: u64, records: &[Record]) -> ArrayRef {
    let active = |record: &Record| match mix(seed ^ record.number) % 10 {
        0 => None,
        drawn => Some(drawn < 7),
    };
    Arc::new(records.iter().map(active).collect::<BooleanArray>())
}

/// A number that is another one once the record has changed.
fn changing(record: &Record) -> u64 {
    record.number ^ (record.generation << 62)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;

    /// Every record by its id, as text.
    fn contents(spec: &Spec) -> BTreeMap<i64, String> {
        let data = Data::new(spec).unwrap();
        let batch = data.batch(0..data.places()).unwrap();
        assert_eq!(batch.num_rows() as u64, data.records());
        let arrays: Vec<ArrayRef> = batch.columns().iter().map(without_zone).collect();
        let options = FormatOptions::default().with_null("null");
        let columns: Vec<ArrayFormatter> = arrays.iter().map(|array| ArrayFormatter::try_new(array, &options).unwrap()).collect();
        let ids = batch["id"].as_primitive::<Int64Type>();
        let line = |at: usize| columns.iter().map(|column| column.value(at).to_string()).collect::<Vec<_>>().join("|");
        (0..batch.num_rows()).map(|at| (ids.value(at), line(at))).collect()
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
        let plain = Spec { records: 10_000, ..Spec::default() };
        let later = Spec { changed: 0.01, added: 0.005, deleted: 0.005, shuffle: Some(3), ..plain.clone() };
        let (before, after) = (contents(&plain), contents(&later));
        let added = after.keys().filter(|id| !before.contains_key(id)).count();
        let deleted = before.keys().filter(|id| !after.contains_key(id)).count();
        let changed = before.iter().filter(|(id, line)| after.get(id).is_some_and(|other| other != *line)).count();
        assert_eq!((changed, added, deleted), (100, 50, 50));
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
            Spec { columns: 13, ..Spec::default() },
        ] {
            assert!(Data::new(&spec).unwrap_err().remedy_text().is_some(), "{spec:?}");
        }
    }
}
