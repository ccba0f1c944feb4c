//! Extractions over tables of any types, with identifiers of one or two columns, in batches of many sizes and up to eight partitions, with and
//! without room in memory, against a plain map.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray,
    ListArray, RecordBatch, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Field, Int32Type, Int64Type, Schema, SchemaRef};
use futures::stream::{self, StreamExt};
use outflow_contract::Counts;
use outflow_contract::limits::Limits;
use outflow_contract::plan::{Model, OnBadId};
use outflow_contract::source::RecordStream;
use outflow_contract::state_store::StateStore;
use outflow_ledger::store::MemoryStore;
use proptest::prelude::*;

use super::tests::{Counting, MEMORY};
use super::{Extracted, Extraction};
use crate::snapshot::hashes;

/// How many values of each type take part.
const VALUES: u8 = 4;

/// Four different values of each type.
fn palette() -> Vec<ArrayRef> {
    let texts = ["", "a", "twelve bytes", "a text that is longer than what a view holds inline"];
    vec![
        Arc::new(Int64Array::from(vec![0, 1, -1, i64::MAX])),
        Arc::new(Int32Array::from(vec![0, 1, -1, i32::MIN])),
        Arc::new(StringViewArray::from(texts.to_vec())),
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(LargeStringArray::from(texts.to_vec())),
        Arc::new(BinaryArray::from_vec(texts.iter().map(|text| text.as_bytes()).collect())),
        Arc::new(Float64Array::from(vec![0.0, 0.5, f64::NAN, f64::INFINITY])),
        Arc::new(Decimal128Array::from(vec![0, 1, 10, -1]).with_precision_and_scale(20, 2).unwrap()),
        Arc::new(TimestampMicrosecondArray::from(vec![0, 1, -1, 1_700_000_000_000_000]).with_timezone("+00:00")),
        Arc::new(Date32Array::from(vec![0, 1, -1, 20_000])),
        Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([vec![], vec![Some(1)], vec![None], vec![Some(1), Some(2)]].map(Some))),
        Arc::new(StructArray::from(vec![(
            Arc::new(Field::new("a", arrow::datatypes::DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(3), Some(4)])) as ArrayRef,
        )])),
    ]
}

/// A record: for each column which of its values, or null.
type Row = Vec<Option<u8>>;

#[derive(Clone, Debug)]
struct Table {
    /// For each column its place in the palette; the identifier's come first.
    columns: Vec<usize>,
    ids: usize,
    extractions: Vec<Taken>,
}

#[derive(Clone, Debug)]
struct Taken {
    rows: Vec<Row>,
    batch: usize,
    partitions: usize,
    memory: Option<usize>,
}

fn table() -> impl Strategy<Value = Table> {
    let columns = (1..3usize, prop::collection::vec(0..palette().len(), 2..7));
    columns.prop_flat_map(|(ids, columns)| {
        let of = |column: usize| if column < ids { (0..VALUES).prop_map(Some).boxed() } else { prop::option::of(0..VALUES).boxed() };
        let row = (0..columns.len()).map(of).collect::<Vec<_>>();
        let batch = prop::sample::select(&[1usize, 2, 7, 49, 8192][..]);
        let taken = (prop::collection::vec(row, 0..25), batch, 1..9usize, prop::sample::select(&MEMORY[..]));
        let taken = taken.prop_map(move |(rows, batch, partitions, memory)| Taken { rows: unique(rows, ids), batch, partitions, memory });
        prop::collection::vec(taken, 1..5).prop_map(move |extractions| Table { columns: columns.clone(), ids, extractions })
    })
}

/// The first of each identifier.
fn unique(rows: Vec<Row>, ids: usize) -> Vec<Row> {
    let mut seen = std::collections::HashSet::new();
    rows.into_iter().filter(|row| seen.insert(row[..ids].to_vec())).collect()
}

fn schema(columns: &[usize]) -> SchemaRef {
    let palette = palette();
    let field = |(i, &column): (usize, &usize)| Field::new(format!("c{i}"), palette[column].data_type().clone(), true);
    Arc::new(Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>()))
}

fn batch(columns: &[usize], rows: &[Row]) -> RecordBatch {
    let palette = palette();
    let arrays = columns.iter().enumerate().map(|(i, &column)| {
        let values: UInt32Array = rows.iter().map(|row| row[i].map(u32::from)).collect();
        take(&palette[column], &values, None).unwrap()
    });
    RecordBatch::try_new(schema(columns), arrays.collect()).unwrap()
}

fn extract(store: &Arc<dyn StateStore>, clock: &Counting, table: &Table, taken: &Taken) -> Extracted {
    let model = Model {
        name: "m".into(),
        source: "s".into(),
        sql: "SELECT".into(),
        id: (0..table.ids).map(|i| format!("c{i}")).collect(),
        timestamp: None,
        description: None,
        tags: Vec::new(),
        on_null_id: OnBadId::Reject,
        on_duplicate_id: OnBadId::Reject,
    };
    let limits = Limits { memory_bytes: taken.memory, ..Limits::default() };
    let mut partitions: Vec<Vec<_>> = vec![Vec::new(); taken.partitions];
    taken.rows.chunks(taken.batch).enumerate().for_each(|(i, rows)| partitions[i % taken.partitions].push(batch(&table.columns, rows)));
    let partitions = partitions.into_iter().map(|batches| stream::iter(batches.into_iter().map(Ok)).boxed()).collect();
    let extraction =
        Extraction { store: Arc::clone(store), clock, model: &model, limits: &limits, workers: 2, progress: Arc::new(AtomicU64::new(0)) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(extraction.run(RecordStream { schema: schema(&table.columns), partitions })).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if std::env::var_os("OUTFLOW_LONG").is_some() { 5_000 } else { 40 }, ..ProptestConfig::default() })]

    #[test]
    fn every_change_of_any_table_is_found_and_nothing_else_is(table in table()) {
        let (store, clock): (Arc<dyn StateStore>, _) = (Arc::new(MemoryStore::new()), Counting(AtomicU64::new(1)));
        let mut known: BTreeMap<Row, Row> = BTreeMap::new();
        for taken in &table.extractions {
            let extracted = extract(&store, &clock, &table, taken);
            let now: BTreeMap<Row, Row> = taken.rows.iter().map(|row| (row[..table.ids].to_vec(), row[table.ids..].to_vec())).collect();
            let counts = Counts {
                added: now.keys().filter(|id| !known.contains_key(*id)).count() as u64,
                updated: now.iter().filter(|(id, row)| known.get(*id).is_some_and(|old| old != *row)).count() as u64,
                deleted: known.keys().filter(|id| !now.contains_key(*id)).count() as u64,
            };
            prop_assert_eq!(extracted.counts, counts);
            prop_assert_eq!(extracted.unchanged, taken.rows.len() as u64 - counts.added - counts.updated);
            let mut records = 0;
            hashes::for_each(store.as_ref(), &extracted.head, |_| { records += 1; Ok(()) }).unwrap();
            prop_assert_eq!(records, now.len());
            known = now;
        }
    }
}
