//! The columns of a record and their values: an identifier, and eleven of mixed types; beyond those, their like under other names.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::permutation::mix;

/// What tells one record from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Identifier {
    /// `id`, int64.
    #[default]
    Int,
    /// `id`, a text of 20 characters such as `cus_3f84d5b5b5470917`.
    String,
    /// `account`, a text of which there are 1,000, and `id`, int64 and unique within its account.
    Composite,
}

impl Identifier {
    /// The names of its columns.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Int | Self::String => &["id"],
            Self::Composite => &["account", "id"],
        }
    }

    /// Its name as an argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::String => "string",
            Self::Composite => "composite",
        }
    }
}

/// One record: its number, and 1 if it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) number: u64,
    pub(crate) generation: u64,
}

/// The values of some records, seeded.
type Build = fn(u64, &[Record]) -> ArrayRef;

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) field: Field,
    pub(crate) build: Build,
    /// Its values hardly repeat: a dictionary of them would only be thrown away.
    pub(crate) unique: bool,
}

impl Column {
    fn new(name: &str, kind: DataType, build: Build) -> Self {
        Self { field: Field::new(name, kind, false), build, unique: false }
    }

    fn nullable(mut self) -> Self {
        self.field = self.field.with_nullable(true);
        self
    }

    fn unique(mut self) -> Self {
        self.unique = true;
        self
    }
}

/// The column in which a changed record differs for certain.
pub(crate) const CHANGES: &str = "visits";

/// The first so many columns. Ten alone are a fair mix too.
pub(crate) fn columns(identifier: Identifier, count: usize) -> Vec<Column> {
    let again = (1..).flat_map(|round| values().map(|column| if round == 1 { column } else { again(column, round) }));
    identifying(identifier).into_iter().chain(again).take(count).collect()
}

fn identifying(identifier: Identifier) -> Vec<Column> {
    match identifier {
        Identifier::Int => vec![Column::new("id", DataType::Int64, ids).unique()],
        Identifier::String => vec![Column::new("id", DataType::Utf8, text_ids).unique()],
        Identifier::Composite => {
            vec![Column::new("account", DataType::Utf8, accounts), Column::new("id", DataType::Int64, ids_within_accounts).unique()]
        }
    }
}

fn values() -> [Column; 11] {
    let text = |name: &str, build: Build| Column::new(name, DataType::Utf8, build);
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    [
        text("email", emails).unique(),
        text("first_name", |seed, records| picked(seed, records, &FIRST_NAMES)),
        text("last_name", |seed, records| picked(seed, records, &LAST_NAMES)),
        text("plan", |seed, records| picked(seed, records, &PLANS)),
        text("city", |seed, records| picked(seed, records, &CITIES)),
        Column::new(CHANGES, DataType::Int64, visits),
        Column::new("score", DataType::Float64, scores).nullable().unique(),
        Column::new("updated_at", moment, updates).unique(),
        Column::new("balance", DataType::Decimal128(12, 2), balances).unique(),
        text("external_id", external_ids).unique(),
        Column::new("active", DataType::Boolean, actives).nullable(),
    ]
}

/// `email_2`, `first_name_2` and so on: of the same kind, with values of their own.
fn again(column: Column, round: usize) -> Column {
    let name = format!("{}_{round}", column.field.name());
    Column { field: column.field.with_name(name), ..column }
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

/// The mixing is one to one, so no two records share one.
fn text_ids(_seed: u64, records: &[Record]) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(records.len(), records.len() * 20);
    for record in records {
        // Writing to a builder in memory cannot fail.
        let _infallible = write!(builder, "cus_{:016x}", mix(record.number));
        builder.append_value("");
    }
    Arc::new(builder.finish())
}

/// How many accounts there are.
const ACCOUNTS: u64 = 1_000;

fn accounts(_seed: u64, records: &[Record]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(records.iter().map(|r| format!("account-{:03}", r.number % ACCOUNTS))))
}

fn ids_within_accounts(_seed: u64, records: &[Record]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(records.iter().map(|r| (r.number / ACCOUNTS) as i64)))
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
