//! The two hashes of a record: its key (the identifier's columns) and its row hash (every column).
//!
//! Each column gives each record two words ([`super::canonical`]); mixed with the column's salt they become 128 bits, and
//! a record's hash is the *sum* of its columns' parts. So the order of the select list does not matter, and the
//! hash over fewer columns is the sum over fewer parts. The salt is random and belongs to the state: who does not
//! know it cannot build two records with one hash.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use outflow_contract::source::{is_json, type_name};
use outflow_contract::{Error, Key, Result, RowHash};

use super::canonical::{Words, fold};
use super::words::Walker;

/// The version of the canonical form and of the hash. A change of either is a new number.
pub const HASH_FORMAT: u32 = 1;

/// Hashes of many records, as two columns.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    /// The upper halves.
    pub high: Vec<u64>,
    /// The lower halves.
    pub low: Vec<u64>,
}

impl Lanes {
    fn reset(&mut self, records: usize) {
        for lane in [&mut self.high, &mut self.low] {
            lane.clear();
            lane.resize(records, 0);
        }
    }

    /// Spreads the sums over all bits.
    fn finish(&mut self) {
        for (high, low) in self.high.iter_mut().zip(&mut self.low) {
            let (a, b) = (*high ^ low.rotate_left(32), *low ^ high.rotate_left(17));
            *high = scramble(a);
            *low = scramble(b);
        }
    }

    /// Record `i`'s hash as a key.
    pub fn key(&self, i: usize) -> Key {
        Key::from_halves(self.high[i], self.low[i])
    }

    /// Record `i`'s hash as a row hash.
    pub fn row(&self, i: usize) -> RowHash {
        RowHash::from_halves(self.high[i], self.low[i])
    }
}

#[inline]
fn scramble(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// The salt of one column: four words.
#[derive(Clone, Copy)]
struct Salt([u64; 4]);

impl Salt {
    fn of(key: &[u8; 32], domain: &str, column: &str) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(domain.as_bytes()).update(&[0]).update(column.as_bytes());
        let bytes = *hasher.finalize().as_bytes();
        let mut words = [0u64; 4];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            // Odd, so that no word is zero and the product loses nothing.
            *word = chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)) | 1;
        }
        Self(words)
    }

    #[inline]
    fn part(&self, (a, b): Words) -> Words {
        let [s0, s1, s2, s3] = self.0;
        (fold(a ^ s0, s1 ^ b.rotate_left(29)), fold(b ^ s2, s3 ^ a.rotate_left(41)))
    }

    fn add(&self, words: &[Words], lanes: &mut Lanes) {
        for ((high, low), &words) in lanes.high.iter_mut().zip(&mut lanes.low).zip(words) {
            let (a, b) = self.part(words);
            *high = high.wrapping_add(a);
            *low = low.wrapping_add(b);
        }
    }
}

/// Hashes the records of one schema.
pub struct RecordHasher {
    walker: Walker,
    columns: Vec<Column>,
}

struct Column {
    index: usize,
    row: Option<Salt>,
    key: Option<Salt>,
}

impl RecordHasher {
    /// For batches of `schema`, whose identifier is `id`. `compared` limits the row hash to columns of those names.
    ///
    /// # Errors
    /// A column whose type has no canonical form, or an identifier column that is not there.
    pub fn new(salt: &[u8; 32], schema: &Schema, id: &[String], compared: Option<&[String]>) -> Result<Self> {
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (index, field) in schema.fields().iter().enumerate() {
            check_type(field)?;
            let name = field.name();
            let row = compared.is_none_or(|names| names.contains(name)).then(|| Salt::of(salt, "row", name));
            let key = id.contains(name).then(|| Salt::of(salt, "key", name));
            columns.push(Column { index, row, key });
        }
        if let Some(missing) = id.iter().find(|id| schema.column_with_name(id).is_none()) {
            return Err(Error::invalid(format!("the identifier column `{missing}` is not among the query's columns")));
        }
        Ok(Self { walker: Walker::new(salt), columns })
    }

    /// For batches of `schema`, row hashes over its columns `names` only; no keys.
    pub fn projected(salt: &[u8; 32], schema: &Schema, names: &[String]) -> Result<Self> {
        Self::new(salt, schema, &[], Some(names))
    }

    /// The hashes of every record of `batch`, which has the columns of the schema in their order, in whatever types.
    pub fn hash(&self, batch: &RecordBatch, keys: &mut Lanes, rows: &mut Lanes) -> Result<()> {
        keys.reset(batch.num_rows());
        rows.reset(batch.num_rows());
        let mut words: Vec<Words> = Vec::with_capacity(batch.num_rows());
        for column in &self.columns {
            if column.row.is_none() && column.key.is_none() {
                continue;
            }
            words.clear();
            let json = is_json(batch.schema_ref().field(column.index));
            self.walker.words(batch.column(column.index), json, &mut words)?;
            if let Some(salt) = &column.row {
                salt.add(&words, rows);
            }
            if let Some(salt) = &column.key {
                salt.add(&words, keys);
            }
        }
        keys.finish();
        rows.finish();
        Ok(())
    }
}

/// Is there a null in the identifier of record `i`?
pub fn has_null_id(id: &[ArrayRef], i: usize) -> bool {
    id.iter().any(|column| column.is_null(i) || dictionary_null(column, i))
}

/// A dictionary may hold its nulls in the values.
fn dictionary_null(column: &ArrayRef, i: usize) -> bool {
    match column.data_type() {
        DataType::Dictionary(_, _) => column.as_any_dictionary_opt().is_some_and(|dictionary| {
            let values = dictionary.values();
            values.null_count() > 0 && values.is_null(dictionary.normalized_keys()[i])
        }),
        DataType::Null => true,
        _ => false,
    }
}

fn check_type(field: &Field) -> Result<()> {
    fn known(kind: &DataType) -> bool {
        match kind {
            DataType::Union(_, _) => false,
            DataType::List(f)
            | DataType::LargeList(f)
            | DataType::ListView(f)
            | DataType::LargeListView(f)
            | DataType::FixedSizeList(f, _)
            | DataType::Map(f, _) => known(f.data_type()),
            DataType::Struct(fields) => fields.iter().all(|f| known(f.data_type())),
            DataType::Dictionary(_, value) => known(value),
            DataType::RunEndEncoded(_, value) => known(value.data_type()),
            _ => true,
        }
    }
    if known(field.data_type()) {
        return Ok(());
    }
    Err(Error::invalid(format!("column `{}` has the type {}, which cannot be compared", field.name(), type_name(field.data_type())))
        .remedy("cast it in the query, to text for example, or leave it out"))
}
