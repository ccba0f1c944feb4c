//! `apply(S, diff(S, M)) == M`, asked of the real path: extraction after extraction over tables with missing and repeated identifiers, in
//! arbitrary batches and partitions, with and without room in memory, against a plain map.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Date64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, SchemaRef};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use outflow_contract::clock::Clock;
use outflow_contract::limits::Limits;
use outflow_contract::plan::{Model, OnBadId};
use outflow_contract::source::RecordStream;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Counts, Error, Kind};
use outflow_ledger::store::MemoryStore;
use proptest::prelude::*;

use super::{Extracted, Extraction};
use crate::snapshot::{KeyIndex, each_entry, schema_of, values};

/// A clock that stands still and counts instead of drawing.
pub(crate) struct Counting(pub(crate) AtomicU64);

impl Clock for Counting {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        futures::future::ready(()).boxed()
    }

    fn random(&self) -> u64 {
        self.0.fetch_add(0x9e37_79b9_7f4a_7c15, std::sync::atomic::Ordering::Relaxed)
    }
}

/// The records of a table: identifier, a number, a text.
pub(crate) type Rows = Vec<(Option<i64>, i64, Option<String>)>;

fn batch(rows: &[(Option<i64>, i64, Option<String>)], with_note: bool) -> RecordBatch {
    let id: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
    let number: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>());
    let note: ArrayRef = Arc::new(rows.iter().map(|row| row.2.clone()).collect::<StringArray>());
    let mut columns = vec![("number", number, true), ("id", id, true)];
    if with_note {
        columns.push(("note", note, true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// A model that is extracted again and again.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn StateStore>,
    clock: Counting,
    model: Model,
    pub(super) limits: Limits,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let model = Model {
            name: "m".into(),
            source: "s".into(),
            sql: "SELECT".into(),
            id: vec!["id".into()],
            timestamp: None,
            description: None,
            tags: Vec::new(),
            on_null_id: OnBadId::Reject,
            on_duplicate_id: OnBadId::Reject,
        };
        Self { store: Arc::new(MemoryStore::new()), clock: Counting(AtomicU64::new(1)), model, limits: Limits::default() }
    }

    pub(crate) fn extract(&self, rows: &Rows, batch_size: usize, workers: usize, with_note: bool) -> Result<Extracted, Error> {
        let batches: Vec<_> = rows.chunks(batch_size.max(1)).map(|rows| Ok(batch(rows, with_note))).collect();
        self.extract_batches(batches, workers, batch(&[], with_note).schema())
    }

    /// In as many partitions as there are workers.
    pub(super) fn extract_batches(
        &self,
        batches: Vec<Result<RecordBatch, Error>>,
        workers: usize,
        schema: SchemaRef,
    ) -> Result<Extracted, Error> {
        let mut partitions: Vec<Vec<Result<RecordBatch, Error>>> = (0..workers).map(|_| Vec::new()).collect();
        batches.into_iter().enumerate().for_each(|(i, batch)| partitions[i % workers].push(batch));
        let partitions = partitions.into_iter().map(|batches| stream::iter(batches).boxed()).collect();
        self.take(RecordStream { schema, partitions }, workers)
    }

    /// Records of any columns, in one batch.
    fn extract_batch(&self, batch: RecordBatch) -> Result<Extracted, Error> {
        self.take(RecordStream::single(batch.schema(), stream::iter([Ok(batch)]).boxed()), 2)
    }

    fn take(&self, stream: RecordStream, workers: usize) -> Result<Extracted, Error> {
        let extraction = Extraction {
            store: Arc::clone(&self.store),
            clock: &self.clock,
            model: &self.model,
            limits: &self.limits,
            workers,
            progress: Arc::new(AtomicU64::new(0)),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(extraction.run(stream))
    }

    /// What the snapshot says there is: every record with its values, read through the index.
    fn snapshot(&self, extracted: &Extracted) -> BTreeMap<i64, (i64, Option<String>)> {
        let index = KeyIndex::load(self.store.as_ref(), &extracted.head).unwrap();
        let mut places: Vec<_> = index.iter().map(|record| record.at).collect();
        places.sort_unstable();
        let schema = schema_of(&extracted.head).unwrap();
        let mut all = BTreeMap::new();
        values::fetch(self.store.as_ref(), &extracted.head.files, &places, &schema, |found| {
            let column = |name: &str| found.values.column_by_name(name).cloned();
            let (ids, numbers) = (column("id").unwrap(), column("number").unwrap());
            let notes = column("note");
            for i in 0..found.values.num_rows() {
                let note = notes.as_ref().filter(|notes| notes.is_valid(i)).map(|notes| notes.as_string::<i32>().value(i).to_owned());
                let old = all.insert(ids.as_primitive::<Int64Type>().value(i), (numbers.as_primitive::<Int64Type>().value(i), note));
                assert!(old.is_none(), "a record is in the snapshot twice");
            }
            Ok(())
        })
        .unwrap();
        all
    }
}

/// What is known of a record: its number, and its note if it is known with one.
type Known = BTreeMap<i64, (i64, Option<Option<String>>)>;

/// What should be known, and what should have changed: in the columns that a record was known with and has.
fn expected(before: &Known, rows: &Rows, with_note: bool, nulls_before: &mut u64) -> (Known, Counts) {
    let mut times: BTreeMap<i64, u32> = BTreeMap::new();
    rows.iter().filter_map(|row| row.0).for_each(|id| *times.entry(id).or_default() += 1);
    let nulls = rows.iter().filter(|row| row.0.is_none()).count() as u64;
    let (mut after, mut counts) = (before.clone(), Counts::default());
    for (id, number, note) in rows {
        let Some(id) = id.filter(|id| times[id] == 1) else { continue };
        let note = with_note.then(|| note.clone());
        if note.as_ref().is_some_and(|note| note.as_deref() == Some(TOO_LARGE)) {
            continue;
        }
        match after.insert(id, (*number, note.clone())) {
            None => counts.added += 1,
            Some((old, old_note)) if old != *number || old_note.is_some() && note.is_some() && old_note != note => counts.updated += 1,
            Some(_) => {}
        }
    }
    let gone: Vec<i64> = after.keys().filter(|id| !times.contains_key(id)).copied().collect();
    if nulls <= *nulls_before || gone.is_empty() {
        *nulls_before = nulls;
        counts.deleted = gone.len() as u64;
        for id in &gone {
            after.remove(id);
        }
    }
    (after, counts)
}

/// A note over the limit of [`VALUE_BYTES`].
const TOO_LARGE: &str = "a note that is too large";
const VALUE_BYTES: usize = 10;

/// None; some; so little that every record that waits is looked up at once, and the table is read in eight parts.
pub(super) const MEMORY: [Option<usize>; 3] = [None, Some(20 << 10), Some(4 << 10)];

/// Records, the size of batches, workers, memory, and whether there is the column of the note.
fn tables() -> impl Strategy<Value = Vec<(Rows, usize, usize, Option<usize>, bool)>> {
    let id = prop_oneof![9 => (0..40i64).prop_map(Some), 1 => Just(None)];
    let note = prop_oneof![9 => prop::option::of("[a-c]{0,2}"), 1 => Just(Some(TOO_LARGE.to_owned()))];
    let row = (id, 0..3i64, note);
    let size = prop_oneof![Just(1usize), Just(2), Just(7), Just(49), Just(8192)];
    let with_note = prop::bool::weighted(0.7);
    prop::collection::vec((prop::collection::vec(row, 0..60), size, 1..9usize, prop::sample::select(&MEMORY), with_note), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if std::env::var_os("OUTFLOW_LONG").is_some() { 5_000 } else { 60 }, ..ProptestConfig::default() })]

    #[test]
    fn the_snapshot_is_the_result_after_every_extraction(tables in tables()) {
        let mut bench = Bench::new();
        bench.limits.value_bytes = VALUE_BYTES;
        let (mut known, mut nulls) = (BTreeMap::new(), 0);
        for (rows, batch_size, workers, memory, with_note) in tables {
            bench.limits.memory_bytes = memory;
            let extracted = bench.extract(&rows, batch_size, workers, with_note).unwrap();
            let (after, counts) = expected(&known, &rows, with_note, &mut nulls);
            prop_assert_eq!(extracted.counts, counts);
            let in_its_columns = |(number, note): &(i64, Option<Option<String>>)| (*number, note.clone().filter(|_| with_note).flatten());
            let shown: BTreeMap<i64, (i64, Option<String>)> = after.iter().map(|(id, known)| (*id, in_its_columns(known))).collect();
            prop_assert_eq!(&bench.snapshot(&extracted), &shown);
            prop_assert_eq!(extracted.extracted, rows.len() as u64);
            let accepted = extracted.unchanged + counts.added + counts.updated;
            let rejected: u64 = extracted.rejected.values().map(|rejected| rejected.records).sum();
            prop_assert_eq!(accepted + rejected, rows.len() as u64, "every record is counted once");
            known = after;
        }
    }
}

fn people(n: i64) -> Rows {
    (0..n).map(|id| (Some(id), id, Some(format!("note {id}")))).collect()
}

#[test]
fn an_extraction_that_fails_midway_leaves_the_state_as_it_was() {
    let bench = Bench::new();
    let first = bench.extract(&people(100), 10, 2, true).unwrap();
    for good in 0..5 {
        let mut batches: Vec<_> = people(50).chunks(10).take(good).map(|rows| Ok(batch(rows, true))).collect();
        batches.push(Err(Error::io("the source went away", std::io::Error::other("reset"))));
        bench.extract_batches(batches, 2, batch(&[], true).schema()).unwrap_err();
    }
    let again = bench.extract(&people(100), 10, 2, true).unwrap();
    assert_eq!((again.counts.total(), again.head.number), (0, first.head.number));
}

#[test]
fn a_new_column_changes_nothing_but_is_in_the_snapshot_afterwards() {
    let bench = Bench::new();
    bench.extract(&people(30), 7, 2, false).unwrap();
    let wider = bench.extract(&people(30), 7, 3, true).unwrap();
    assert_eq!(wider.counts.total(), 0);
    assert_eq!(bench.snapshot(&wider)[&4], (4, Some("note 4".into())));
    let mut rows = people(30);
    rows[4].2 = Some("changed".into());
    assert_eq!(bench.extract(&rows, 7, 1, true).unwrap().counts, Counts { updated: 1, ..Counts::default() });
}

#[test]
fn more_records_than_the_limit_stop_the_extraction() {
    let mut bench = Bench::new();
    bench.limits.records = 100;
    bench.extract(&people(100), 10, 1, true).unwrap();
    let error = bench.extract(&people(101), 10, 1, true).unwrap_err();
    assert!(error.to_string().contains("more than 100 records"), "{error}");
}

#[test]
fn a_value_over_the_limit_rejects_its_record_and_keeps_what_was_known() {
    let mut bench = Bench::new();
    bench.extract(&people(5), 10, 1, true).unwrap();
    bench.limits.value_bytes = 100;
    let mut rows = people(5);
    rows[2].2 = Some("x".repeat(101));
    let extracted = bench.extract(&rows, 10, 1, true).unwrap();
    assert_eq!((extracted.counts.total(), extracted.rejected["record_too_large"].records), (0, 1));
    assert_eq!(bench.snapshot(&extracted)[&2], (2, Some("note 2".into())));
}

/// Records with a number and so many further columns, all of which say the same.
fn wide(ids: &[i64], more: usize) -> RecordBatch {
    let column = || Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef;
    let names = ["id", "number", "a", "b"];
    RecordBatch::try_from_iter_with_nullable(names[..2 + more].iter().map(|name| (*name, column(), true))).unwrap()
}

#[test]
fn a_record_that_was_kept_when_the_columns_changed_is_unchanged_when_it_is_back_unchanged() {
    let twice = [people(3), vec![people(3)[2].clone()]].concat();
    let kept_back = [people(2), vec![(None, 2, None)]].concat();
    for (i, while_changing) in [twice, kept_back].into_iter().enumerate() {
        let bench = Bench::new();
        bench.extract(&people(3), 7, 2, false).unwrap();
        assert_eq!(bench.extract(&while_changing, 7, 2, true).unwrap().counts.total(), 0, "{i}");
        let back = bench.extract(&people(3), 7, 2, true).unwrap();
        assert_eq!((back.counts.total(), back.unchanged), (0, 3), "{i}");
        assert_eq!(bench.snapshot(&back)[&2], (2, Some("note 2".into())), "it is known by the new columns now: {i}");
        let again = bench.extract(&people(3), 7, 2, true).unwrap();
        assert_eq!((again.counts.total(), again.head.number), (0, back.head.number), "{i}");
        let mut rows = people(3);
        rows[2].2 = Some("changed".into());
        assert_eq!(bench.extract(&rows, 7, 2, true).unwrap().counts, Counts { updated: 1, ..Counts::default() }, "{i}");
    }
}

#[test]
fn a_record_that_was_kept_when_the_columns_changed_is_compared_by_its_own_when_they_change_again() {
    let bench = Bench::new();
    bench.extract_batch(wide(&[1, 2, 3], 0)).unwrap();
    assert_eq!(bench.extract_batch(wide(&[1, 2, 2, 3], 1)).unwrap().counts.total(), 0);
    let wider = bench.extract_batch(wide(&[1, 2, 3], 2)).unwrap();
    assert_eq!((wider.counts.total(), wider.unchanged), (0, 3));
}

#[test]
fn a_record_that_was_kept_when_the_columns_changed_and_has_changed_since_is_updated() {
    let bench = Bench::new();
    bench.extract(&people(3), 7, 2, false).unwrap();
    bench.extract(&[people(3), vec![people(3)[2].clone()]].concat(), 7, 2, true).unwrap();
    let mut rows = people(3);
    rows[2].1 = 20;
    let back = bench.extract(&rows, 7, 2, true).unwrap();
    assert_eq!((back.counts, back.unchanged), (Counts { updated: 1, ..Counts::default() }, 2));
}

#[test]
fn an_identifier_that_becomes_something_else_is_refused_and_one_in_another_type_is_not() {
    let moments = |zone: Option<&str>| Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone_opt(zone)) as ArrayRef;
    let ids: [(ArrayRef, ArrayRef, bool); 3] = [
        (moments(None), moments(Some("UTC")), false),
        (moments(Some("UTC")), moments(Some("Europe/Oslo")), true),
        (Arc::new(Date32Array::from(vec![1, 2])), Arc::new(Date64Array::from(vec![86_400_000, 172_800_000])), true),
    ];
    for (before, after, goes) in ids {
        let bench = Bench::new();
        let of = |id: &ArrayRef| bench.extract_batch(RecordBatch::try_from_iter_with_nullable([("id", Arc::clone(id), true)]).unwrap());
        of(&before).unwrap();
        match of(&after) {
            Ok(extracted) => assert_eq!((extracted.counts.total(), goes), (0, true), "{}", after.data_type()),
            Err(error) => assert_eq!((error.kind(), goes), (Kind::Invalid, false), "{error}"),
        }
    }
}

#[test]
fn a_record_that_is_too_large_counts_once_and_its_identifier_as_one_that_came() {
    let large = |id: i64| (Some(id), id, Some("x".repeat(101)));
    let changed = |id: i64| (Some(id), 100 + id, None);
    // What else comes of id 2; how many are too large, duplicates, and unchanged of the five that are known.
    let cases: [(Vec<_>, u64, u64, u64); 5] = [
        (vec![large(2)], 1, 0, 4),
        (vec![large(2), large(2)], 2, 0, 4),
        (vec![large(2), changed(2)], 1, 1, 4),
        (vec![large(2), people(5)[2].clone(), large(2)], 2, 1, 4),
        (vec![changed(2), large(2), people(5)[2].clone()], 1, 2, 4),
    ];
    for (i, (of_two, too_large, duplicates, unchanged)) in cases.into_iter().enumerate() {
        for known in [true, false] {
            let mut bench = Bench::new();
            if known {
                bench.extract(&people(5), 10, 1, true).unwrap();
            }
            bench.limits.value_bytes = 100;
            let mut rows: Rows = people(5).into_iter().filter(|row| row.0 != Some(2)).collect();
            rows.extend(of_two.clone());
            let extracted = bench.extract(&rows, 10, 1, true).unwrap();
            let rejected = |reason: &str| extracted.rejected.get(reason).map_or(0, |rejected| rejected.records);
            let accepted = if known { extracted.unchanged } else { extracted.counts.added };
            assert_eq!(
                (rejected("record_too_large"), rejected("duplicate_id"), accepted, extracted.counts.total()),
                (too_large, duplicates, unchanged, if known { 0 } else { unchanged }),
                "case {i}, known: {known}"
            );
            assert_eq!(bench.snapshot(&extracted).len(), if known { 5 } else { 4 }, "case {i}, known: {known}");
        }
    }
}

#[test]
fn a_duplicate_identifier_leaves_parts_alone_that_have_none_of_its_records() {
    let bench = Bench::new();
    let mut rows = people(20);
    rows.insert(4, rows[3].clone());
    // Two partitions, and so two parts, of which the one has both.
    let extracted = bench.extract(&rows, 11, 2, true).unwrap();
    assert_eq!((extracted.counts.added, extracted.rejected["duplicate_id"].records), (19, 2));
    let mut named: Vec<&str> = extracted.head.files.iter().map(|file| file.path.as_str()).collect();
    named.sort_unstable();
    let anew = named.iter().filter(|path| path.contains("unique")).count();
    assert_eq!((named.len(), anew), (2, 1), "{named:?}");
    assert_eq!(bench.store.list("models/m/versions").unwrap(), named, "nothing else is left");
}

#[test]
fn a_record_that_was_kept_while_a_column_was_away_is_compared_by_that_column_too() {
    let bench = Bench::new();
    bench.extract(&people(3), 7, 2, true).unwrap();
    bench.extract(&[people(3), vec![people(3)[2].clone()]].concat(), 7, 2, false).unwrap();
    let mut rows = people(3);
    rows[2].2 = Some("changed".into());
    let back = bench.extract(&rows, 7, 2, true).unwrap();
    assert_eq!((back.counts, back.unchanged), (Counts { updated: 1, ..Counts::default() }, 2));
}

#[test]
fn every_record_that_is_deleted_is_found_in_the_order_of_its_place_however_many_there_are() {
    for memory in MEMORY {
        let mut bench = Bench::new();
        bench.limits.memory_bytes = memory;
        let rows = people(20_000);
        bench.extract(&rows, 8192, 2, true).unwrap();
        let kept = people(3);
        let extracted = bench.extract(&kept, 8192, 2, true).unwrap();
        assert_eq!(extracted.counts, Counts { deleted: 19_997, ..Counts::default() });
        let version = extracted.head.versions.last().unwrap();
        let file = extracted.head.files.iter().find(|file| version.files == [file.id]).unwrap();
        let mut places = Vec::new();
        each_entry(bench.store.as_ref(), &file.path, |_, entry, at| {
            assert!(entry.after.is_none());
            places.push(at.unwrap());
            Ok(())
        })
        .unwrap();
        assert!(places.len() == 19_997 && places.is_sorted());
        assert_eq!(bench.snapshot(&extracted).len(), 3);
    }
}
