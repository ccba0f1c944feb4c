//! The two hashes of a record: its key (the identifier's columns) and its row hash (every column).
//!
//! ```text
//! column ─► canonical words of a value ─► part, 2 × 64 bits ─► sum per record ─► finish ─► Lanes
//!             canonical.rs                  mix.rs             columns.rs, nested.rs
//! ```
//!
//! Each value's part is keyed by the column's name and a random salt that belongs to the state, and a record's hash is
//! the *sum* of its columns' parts (engine/adr/0005). So the order of the select list does not matter, and the hash over fewer columns is the sum over
//! fewer parts. Who does not know the salt cannot build two records with one hash. Records are taken a tile at a time, whose sums stay in
//! cache while its columns are added (engine/adr/0014).

use std::ops::Range;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use outflow_contract::source::{is_json, type_name};
use outflow_contract::{Error, Key, Result, RowHash};

use super::columns::Tile;
use super::mix::{Part, Salt, Salts};
use super::nested::Walker;

/// The version of the canonical form and of the hash. A change of either is a new number.
pub const HASH_FORMAT: u32 = 2;

/// Records whose sums are under way at once: 64 KiB of them. Fewer fit the nearest cache, but then a column is read in too short a run.
const TILE: usize = 4096;

/// Hashes of many records, as two columns.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    /// The upper halves. Those of row hashes are odd, so a row hash has 127 bits: an index may keep a flag in bit 0, and 0 is no hash.
    pub high: Vec<u64>,
    /// The lower halves.
    pub low: Vec<u64>,
}

impl Lanes {
    pub(super) fn zeros(records: usize) -> Self {
        Self { high: vec![0; records], low: vec![0; records] }
    }

    fn resize(&mut self, records: usize) {
        self.high.resize(records, 0);
        self.low.resize(records, 0);
    }

    fn clear(&mut self, records: Range<usize>) {
        self.high[records.clone()].fill(0);
        self.low[records].fill(0);
    }

    #[inline]
    pub(super) fn part(&self, i: usize) -> Part {
        (self.high[i], self.low[i])
    }

    #[inline]
    pub(super) fn add(&mut self, i: usize, (a, b): Part) {
        self.high[i] = self.high[i].wrapping_add(a);
        self.low[i] = self.low[i].wrapping_add(b);
    }

    /// Spreads the sums over all bits. `set`: bits of the upper half that are always set.
    fn finish(&mut self, records: Range<usize>, salt: &Salt, set: u64) {
        for (high, low) in self.high[records.clone()].iter_mut().zip(&mut self.low[records]) {
            let (a, b) = salt.part((*high, *low));
            (*high, *low) = (a | set, b);
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

/// Hashes the records of one schema.
pub struct RecordHasher {
    walker: Walker,
    columns: Vec<Column>,
    has_keys: bool,
    key_end: Salt,
    row_end: Salt,
}

struct Column {
    index: usize,
    row: Option<Salts>,
    key: Option<Salts>,
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
            let row = compared.is_none_or(|names| names.contains(name)).then(|| Salts::new(salt, "row", name));
            let key = id.contains(name).then(|| Salts::new(salt, "key", name));
            columns.push(Column { index, row, key });
        }
        if let Some(missing) = id.iter().find(|id| schema.column_with_name(id).is_none()) {
            return Err(Error::invalid(format!("the identifier column `{missing}` is not among the query's columns")));
        }
        columns.retain(|column| column.row.is_some() || column.key.is_some());
        let has_keys = columns.iter().any(|column| column.key.is_some());
        let ends = (Salt::new(salt, "end of key"), Salt::new(salt, "end of row"));
        Ok(Self { walker: Walker::new(salt), columns, has_keys, key_end: ends.0, row_end: ends.1 })
    }

    /// For batches of `schema`, row hashes over its columns `names` only; no keys.
    pub fn projected(salt: &[u8; 32], schema: &Schema, names: &[String]) -> Result<Self> {
        Self::new(salt, schema, &[], Some(names))
    }

    /// The hashes of every record of `batch`, which has the columns of the schema in their order, in whatever types.
    /// The upper half of every row hash is odd. Without an identifier there are no keys: they are empty.
    pub fn hash(&self, batch: &RecordBatch, keys: &mut Lanes, rows: &mut Lanes) -> Result<()> {
        let records = batch.num_rows();
        rows.resize(records);
        keys.resize(if self.has_keys { records } else { 0 });
        let columns = self.columns.iter().map(|column| column.of(batch));
        let (walked, plain): (Vec<_>, Vec<_>) = columns.partition(|(_, array, json)| Walker::walks(array.data_type(), *json));
        if !walked.is_empty() {
            rows.clear(0..rows.high.len());
            keys.clear(0..keys.high.len());
        }
        for &(column, array, json) in &walked {
            column.row.iter().try_for_each(|salts| self.walker.add(array, json, salts, rows))?;
            column.key.iter().try_for_each(|salts| self.walker.add(array, json, salts, keys))?;
        }
        for start in (0..records).step_by(TILE) {
            let tile = start..records.min(start + TILE);
            self.hash_tile(&plain, tile.clone(), walked.is_empty(), |column| column.row.as_ref(), rows)?;
            rows.finish(tile.clone(), &self.row_end, 1);
            if self.has_keys {
                self.hash_tile(&plain, tile.clone(), walked.is_empty(), |column| column.key.as_ref(), keys)?;
                keys.finish(tile, &self.key_end, 0);
            }
        }
        Ok(())
    }

    /// Adds what `salts` asks for to the sums of a tile. `fresh`: they are not there yet.
    fn hash_tile<'a>(
        &self,
        columns: &[(&'a Column, &ArrayRef, bool)],
        tile: Range<usize>,
        fresh: bool,
        salts: impl Fn(&'a Column) -> Option<&'a Salts>,
        sums: &mut Lanes,
    ) -> Result<()> {
        if fresh {
            sums.clear(tile.clone());
        }
        for &(column, array, _) in columns {
            let Some(salts) = salts(column) else { continue };
            let (high, low) = (&mut sums.high[tile.clone()], &mut sums.low[tile.clone()]);
            if !(Tile { array, rows: tile.clone(), mixer: &self.walker.mixer, salts, high, low }).add() {
                return Err(Error::bug(format!("a column of type {} has no tiles and is not walked", array.data_type())));
            }
        }
        Ok(())
    }
}

impl Column {
    /// Its values in a batch, and whether they are JSON.
    fn of<'a>(&'a self, batch: &'a RecordBatch) -> (&'a Self, &'a ArrayRef, bool) {
        (self, batch.column(self.index), is_json(batch.schema_ref().field(self.index)))
    }
}

/// Which records have a null in their identifier, whose columns these are; `None` if there are none. Nulls may be in the values that a
/// dictionary or runs point to.
pub(super) fn null_ids(id: &[ArrayRef]) -> Option<NullBuffer> {
    id.iter().fold(None, |nulls, column| NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref()))
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
