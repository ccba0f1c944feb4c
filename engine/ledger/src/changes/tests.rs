use arrow::array::{AsArray, Int64Array, StringArray, UInt8Array, UInt32Array, UInt64Array};
use outflow_contract::change::AttemptRequest;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Attempt, Before, Entry, Failed, Key, Kind, Op, RequestKey, RowHash};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use proptest::prelude::*;

use super::*;
use crate::store::MemoryStore;

const BIG: u128 = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;

fn entries() -> Vec<(Entry, Option<Locator>)> {
    let request = AttemptRequest { key: RequestKey(BIG), epoch: 7, sequence: 3, records: 9, index: 8 };
    let attempt = Attempt { op: Op::Deleted, after: None, version: 4, request: Some(request) };
    let bare = Attempt { op: Op::Updated, after: Some(RowHash(BIG)), version: 2, request: None };
    let entry = |before, after: Option<u128>| Entry::new(Key(BIG), before, after.map(RowHash), 5);
    vec![
        (entry(Before::Absent, Some(1)), None),
        (entry(Before::Known(RowHash(BIG)), None), Some(Locator::new(3, u32::MAX))),
        (entry(Before::Unknown(attempt), Some(BIG)), Some(Locator(0))),
        (entry(Before::Unknown(bare), None), None),
        (entry(Before::Known(RowHash(0)), Some(0)), None),
    ]
}

fn values(n: usize) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("name", DataType::Utf8, true)]);
    let ids = Int64Array::from_iter_values(0..n as i64);
    let names: StringArray = (0..n).map(|i| (i % 3 != 0).then(|| format!("name {i}"))).collect();
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(names)]).unwrap()
}

fn batch_of(entries: &[(Entry, Option<Locator>)]) -> RecordBatch {
    let mut builder = EntryBuilder::new();
    for (entry, at) in entries {
        builder.push(entry, *at);
    }
    assemble(builder.finish(), &values(entries.len())).unwrap()
}

fn read(batch: &RecordBatch) -> Vec<(Entry, Option<Locator>)> {
    let reader = EntryReader::new(batch).unwrap();
    (0..reader.len()).map(|row| reader.get(row)).collect()
}

fn replaced(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let (index, _) = batch.schema_ref().column_with_name(name).unwrap();
    let mut columns = batch.columns().to_vec();
    let mut fields: Vec<Field> = batch.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields[index] = Field::new(name, column.data_type().clone(), true);
    columns[index] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn entries_and_values_come_back_as_they_were() {
    let batch = batch_of(&entries());
    assert_eq!(read(&batch), entries());
    assert_eq!(read(&batch.slice(1, 3)), entries()[1..4]);
    assert_eq!(values_of(&batch).unwrap(), values(5));
    assert_eq!(EntryReader::new(&batch).unwrap().ops(), [Op::Added, Op::Deleted, Op::Added, Op::Deleted, Op::Updated]);
    assert_eq!(batch.schema(), change_schema(values(5).schema_ref()));
}

#[test]
fn a_builder_is_empty_after_finishing() {
    let mut builder = EntryBuilder::new();
    builder.push(&entries()[2].0, None);
    assert_eq!(builder.len(), 1);
    builder.finish();
    assert!(builder.is_empty());
    assert_eq!(builder.finish()[0].len(), 0);
}

#[test]
fn without_value_columns_there_are_no_values() {
    let mut builder = EntryBuilder::new();
    builder.push(&entries()[0].0, None);
    let none = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let batch = assemble(builder.finish(), &none).unwrap();
    assert_eq!(values_of(&batch).unwrap().num_rows(), 1);
    assert_eq!(values_of(&batch).unwrap().num_columns(), 0);
    assert_eq!(read(&batch), entries()[..1]);
}

#[test]
fn entries_and_values_of_different_length_do_not_fit() {
    let mut builder = EntryBuilder::new();
    builder.push(&entries()[0].0, None);
    assert_eq!(assemble(builder.finish(), &values(2)).unwrap_err().kind(), Kind::Bug);
}

#[test]
fn impossible_columns_are_refused_and_never_read() {
    let batch = batch_of(&entries());
    let impossible: Vec<(&str, ArrayRef)> = vec![
        ("before", Arc::new(UInt8Array::from(vec![3; 5]))),
        ("before", Arc::new(UInt8Array::from(vec![1; 5]))),
        ("before", Arc::new(UInt8Array::from(vec![2; 5]))),
        ("before", Arc::new(UInt8Array::from(vec![None; 5]))),
        ("before", Arc::new(UInt64Array::from(vec![0; 5]))),
        ("after_low", Arc::new(UInt64Array::from(vec![0; 5]))),
        ("key_high", Arc::new(UInt64Array::from(vec![None; 5]))),
        ("version", Arc::new(UInt64Array::from(vec![None; 5]))),
        ("attempt", Arc::new(UInt64Array::from(vec![0; 5]))),
    ];
    for (name, column) in impossible {
        assert_eq!(EntryReader::new(&replaced(&batch, name, column)).err().map(|error| error.kind()), Some(Kind::Corrupt), "{name}");
    }
    let mut without = batch.clone();
    without.remove_column(8);
    assert!(EntryReader::new(&without).is_err());
    assert!(values_of(&replaced(&batch, VALUES, Arc::new(UInt64Array::from(vec![0; 5])))).is_err());
}

#[test]
fn a_locator_is_a_file_and_a_row() {
    let at = Locator::new(7, 9);
    assert_eq!((at.file(), at.row(), at.0), (7, 9, (7 << 32) | 9));
}

#[test]
fn a_part_is_what_was_written_and_says_so() {
    let (store, path) = (MemoryStore::new(), "models/m/versions/1/a.parquet");
    let batch = batch_of(&entries());
    let mut writer = PartWriter::begin(&store, path, batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.write(&batch.slice(2, 1)).unwrap();
    assert_eq!(store.read(path).unwrap(), None, "nothing to be seen before it is finished");
    let info = writer.finish().unwrap();
    let bytes = store.read(path).unwrap().unwrap();
    assert_eq!((info.rows, info.bytes), (6, bytes.len() as u64));
    assert_eq!(info.blake3, blake3::hash(&bytes).to_hex().to_string());
    let part = open_part(&store, path).unwrap();
    part.verify(&info.blake3).unwrap();
    let batches: Vec<RecordBatch> = ParquetRecordBatchReaderBuilder::try_new(part).unwrap().build().unwrap().map(Result::unwrap).collect();
    let all = arrow::compute::concat_batches(&batch.schema(), &batches).unwrap();
    assert_eq!(read(&all)[..5], entries());
    assert_eq!(read(&all)[5], entries()[2]);
    assert_eq!(values_of(&all).unwrap().slice(0, 5), values(5));
}

#[test]
fn a_damaged_part_is_found_before_it_is_decoded() {
    let store = MemoryStore::new();
    store.create("a", bytes::Bytes::from_static(b"PAR1 but not really")).unwrap();
    let error = open_part(&store, "a").unwrap().verify(&blake3::hash(b"other").to_hex()).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert_eq!(open_part(&store, "b").err().unwrap().kind(), Kind::NotFound);
}

#[test]
fn two_parts_cannot_have_one_path() {
    let store = MemoryStore::new();
    let write = |n: usize| {
        let batch = batch_of(&entries()[..n]);
        let mut writer = PartWriter::begin(&store, "a", batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish()
    };
    write(1).unwrap();
    write(1).unwrap();
    assert_eq!(write(2).unwrap_err().kind(), Kind::Busy);
}

#[test]
fn hashes_are_plain_values_compressed_and_row_groups_bounded() {
    let store = MemoryStore::new();
    let entry = entries()[0].0;
    let n = 70_000;
    let mut builder = EntryBuilder::new();
    (0..n).for_each(|i| builder.push(&Entry { key: Key(i as u128), ..entry }, None));
    let batch = assemble(builder.finish(), &values(n)).unwrap();
    let mut writer = PartWriter::begin(&store, "a", batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(open_part(&store, "a").unwrap(), options).unwrap();
    let metadata = reader.metadata().clone();
    assert!(metadata.offset_index().is_some());
    assert_eq!(metadata.row_groups().iter().map(RowGroupMetaData::num_rows).collect::<Vec<_>>(), [65_536, 4_464]);
    for column in metadata.row_group(0).columns() {
        let path = column.column_path().string();
        let plain = path.starts_with("key_") || path.starts_with("after_");
        assert_eq!(
            column.compression() == Compression::UNCOMPRESSED,
            plain || path.starts_with("before_h") || path.starts_with("before_l") || path.starts_with("attempt.after"),
            "{path}"
        );
        assert_eq!(column.dictionary_page_offset(), None, "{path}");
    }
    let mask = ProjectionMask::columns(reader.parquet_schema(), ["key_high", "key_low"]);
    let rows: usize = reader.with_projection(mask).build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, n);
}

#[test]
fn wide_records_end_a_row_group_early() {
    let store = MemoryStore::new();
    let schema = Arc::new(Schema::new(vec![Field::new("wide", DataType::Utf8, false)]));
    let noise = |i: usize| {
        let mut bytes = [0; 2048];
        blake3::Hasher::new().update(&i.to_le_bytes()).finalize_xof().fill(&mut bytes);
        Some(hex::encode(bytes))
    };
    let wide: StringArray = (0..10_000).map(noise).collect();
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(wide)]).unwrap();
    let mut writer = PartWriter::begin(&store, "a", schema).unwrap();
    writer.write(&batch).unwrap();
    let info = writer.finish().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(open_part(&store, "a").unwrap()).unwrap();
    assert_eq!((reader.metadata().num_row_groups(), info.rows), (2, 10_000));
}

fn before() -> impl Strategy<Value = Before> {
    let hash = any::<u128>().prop_map(RowHash);
    let request = (any::<u128>(), any::<u64>(), any::<u32>(), any::<u32>(), any::<u32>())
        .prop_map(|(key, epoch, sequence, records, index)| AttemptRequest { key: RequestKey(key), epoch, sequence, records, index });
    let attempt = (0..3_usize, prop::option::of(hash.clone()), any::<u64>(), prop::option::of(request))
        .prop_map(|(op, after, version, request)| Attempt { op: Op::ALL[op], after, version, request });
    prop_oneof![Just(Before::Absent), hash.prop_map(Before::Known), attempt.prop_map(Before::Unknown)]
}

proptest! {
    #[test]
    fn any_entries_survive_a_part(
        list in prop::collection::vec((any::<u128>(), before(), prop::option::of(any::<u128>()), any::<u64>(), prop::option::of(any::<u64>())), 1..20),
    ) {
        let entries: Vec<_> = list.into_iter().map(|(key, before, after, version, at)| {
            (Entry::new(Key(key), before, after.map(RowHash), version), at.map(Locator))
        }).collect();
        let (store, batch) = (MemoryStore::new(), batch_of(&entries));
        let mut writer = PartWriter::begin(&store, "a", batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(open_part(&store, "a").unwrap()).unwrap().build().unwrap();
        let back: Vec<_> = reader.flat_map(|batch| read(&batch.unwrap())).collect();
        prop_assert_eq!(back, entries);
    }
}

#[test]
fn how_a_record_has_fared_comes_back_and_is_only_told_where_one_has_failed() {
    let failed = Failed { attempts: 2, first_ms: 7, last_ms: 9, set_aside: true };
    let mut mixed = entries();
    mixed[1].0.failed = failed;
    mixed[3].0.failed = Failed { set_aside: false, ..failed };
    let batch = batch_of(&mixed);
    assert_eq!(read(&batch), mixed);
    assert_eq!(read(&batch.slice(3, 2)), mixed[3..]);
    assert!(batch_of(&entries()).column_by_name("failed").is_none(), "versions do not carry it");
    let mut builder = EntryBuilder::of_pending();
    builder.push(&entries()[0].0, None);
    let batch = assemble(builder.finish(), &values(1)).unwrap();
    assert!(batch.column_by_name("failed").is_some(), "the same columns in every batch");
    assert_eq!(read(&batch), entries()[..1]);
    let damaged = replaced(&batch, "failed", Arc::new(UInt8Array::from(vec![1])));
    assert_eq!(EntryReader::new(&damaged).err().unwrap().kind(), Kind::Corrupt);
}

#[test]
fn reasons_stand_beside_their_records_and_are_read_only_where_they_are_asked_for() {
    let reason = |code, message, open| Some(Reason { code, message, open });
    let mut reasons = ReasonBuilder::new();
    reasons.push(reason("http_422", "no ü", true));
    reasons.push(None);
    reasons.push(reason("", "", false));
    let batch = reasons.finish().beside(&batch_of(&entries()[..3])).unwrap();
    assert_eq!(read(&batch), entries()[..3]);
    assert_eq!(values_of(&batch).unwrap(), values(3));
    let all = Reasons::of(&batch).unwrap();
    assert_eq!([all.get(0), all.get(1), all.get(2)], [reason("http_422", "no ü", true), None, reason("", "", false)]);
    let again = Reasons::concat(&[all.at(&UInt32Array::from(vec![2, 0])).unwrap(), all]).unwrap();
    assert_eq!([again.get(1), again.get(3)], [reason("http_422", "no ü", true), None]);
    let without = Reasons::of(&batch_of(&entries())).unwrap();
    assert!((0..5).all(|row| without.get(row).is_none()));
    assert_eq!(without.beside(&batch_of(&entries()[..2])).err().unwrap().kind(), Kind::Bug);
    let damaged = replaced(&batch, REASON, Arc::new(UInt8Array::from(vec![1, 2, 3])));
    assert_eq!(Reasons::of(&damaged).err().unwrap().kind(), Kind::Corrupt);
}

#[test]
fn reasons_of_a_state_that_does_not_say_which_are_open_are_read_as_they_are() {
    let mut reasons = ReasonBuilder::new();
    reasons.push(Some(Reason { code: "no_answer", message: "none", open: true }));
    reasons.push(None);
    let batch = reasons.finish().beside(&batch_of(&entries()[..2])).unwrap();
    let now = batch.column_by_name(REASON).unwrap().as_struct().clone();
    let (fields, columns, nulls) = now.into_parts();
    let earlier = StructArray::new(fields.iter().take(2).cloned().collect(), columns[..2].to_vec(), nulls);
    let read = Reasons::of(&replaced(&batch, REASON, Arc::new(earlier))).unwrap();
    assert_eq!([read.get(0), read.get(1)], [Some(Reason { code: "no_answer", message: "none", open: false }), None]);
}
