//! The change set is the same, record by record, whatever the memory: more records than a chunk, most of them changed, deleted, repeated, or
//! returned with other columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListBuilder, RecordBatch, StringViewArray, StringViewBuilder};
use outflow_contract::limits::Limits;
use outflow_contract::state_store::{AppendLog, Create, Lock, ObjectReader, ObjectWriter, Scratch, StateStore};
use outflow_contract::{Counts, Entry, Error, Result};
use outflow_ledger::changes::{EntryReader, values_of};
use outflow_ledger::store::MemoryStore;

use super::tests::Bench;
use super::{Extracted, publish::hash_key};
use crate::diff::{Lanes, RecordHasher};
use crate::snapshot::{PartReader, values};

/// Much; what makes some rounds of the table and some files of what waits; and so little that each segment has a round.
const MEMORY: [Option<usize>; 4] = [None, Some(1 << 20), Some(128 << 10), Some(8 << 10)];

/// Records of the numbers `ids`, whose values say `what`.
fn batch(ids: impl Iterator<Item = i64> + Clone, what: &str, with_tags: bool) -> RecordBatch {
    let text = |id: i64| format!("{what} of record {}, in more letters than a view has", id % 7);
    let mut tags = ListBuilder::new(StringViewBuilder::new());
    ids.clone().for_each(|id| tags.append_value((0..id % 3).map(|tag| Some(text(tag)))));
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(ids.clone().collect::<Int64Array>())),
        ("text", Arc::new(ids.map(|id| Some(text(id))).collect::<StringViewArray>())),
    ];
    if with_tags {
        columns.push(("tags", Arc::new(tags.finish())));
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn extract(bench: &mut Bench, memory: Option<usize>, batches: &[RecordBatch]) -> Result<Extracted> {
    bench.limits = Limits { memory_bytes: memory, ..Limits::default() };
    let pieces =
        batches.iter().flat_map(|batch| (0..batch.num_rows()).step_by(700).map(|from| batch.slice(from, 700.min(batch.num_rows() - from))));
    bench.extract_batches(pieces.map(Ok).collect(), 3, batches[0].schema())
}

/// The entries of the newest version, by key. The values beside each are those that its hash says, and those before it are where it says.
fn entries(bench: &Bench, extracted: &Extracted) -> Vec<Entry> {
    let (store, head) = (bench.store.as_ref(), &extracted.head);
    let (mut all, mut before) = (Vec::new(), Vec::new());
    let version = head.versions.last().unwrap();
    let hashes = |values: &RecordBatch| {
        let hasher = RecordHasher::new(&hash_key(head.salt), &values.schema(), &head.id, None).unwrap();
        let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
        hasher.hash(values, &mut keys, &mut rows).unwrap();
        (0..values.num_rows()).map(|i| (keys.key(i), rows.row(i))).collect::<Vec<_>>()
    };
    for file in head.files.iter().filter(|file| version.files.contains(&file.id)) {
        for batch in PartReader::open(store, &file.path).unwrap().read().unwrap() {
            let batch = batch.unwrap();
            let read = EntryReader::new(&batch).unwrap();
            let values = values_of(&batch).unwrap();
            let hashes = if values.num_columns() > 0 { hashes(&values) } else { Vec::new() };
            for i in 0..read.len() {
                let (entry, at) = read.get(i);
                let beside = entry.after.map(|after| (entry.key, after));
                assert!(beside.is_none() || beside == hashes.get(i).copied());
                before.extend(at.map(|at| (at, entry.key)));
                all.push(entry);
            }
        }
    }
    before.sort_unstable();
    let (places, mut keys) = (before.iter().map(|(at, _)| *at).collect::<Vec<_>>(), before.iter().map(|(_, key)| *key));
    values::fetch_as_written(store, &head.files, &places, |found| {
        for (key, _) in hashes(&found.values) {
            assert_eq!(Some(key), keys.next());
        }
        Ok(())
    })
    .unwrap();
    all.sort_unstable_by_key(|entry| entry.key);
    all
}

#[test]
fn the_change_set_is_the_same_whatever_the_memory() {
    let n = 9000;
    // All of them are there, then: most have changed, some are gone, some are new, and some come twice.
    let changed = [batch(0..1000, "a text", true), batch(1000..7000, "another", true), batch(n..n + 500, "a new text", true)];
    let twice = [batch(0..20, "another", true), batch(3000..3020, "a text", true), batch(n..n + 10, "again", true)];
    let other_columns = [batch(500..n, "another", false)];
    let nothing = [batch(0..0, "", false)];
    let mut expected: Vec<(Counts, u64, Vec<Entry>)> = Vec::new();
    for memory in MEMORY {
        let mut bench = Bench::new();
        extract(&mut bench, None, &[batch(0..n, "a text", true)]).unwrap();
        for (i, batches) in [[changed.to_vec(), twice.to_vec()].concat(), other_columns.to_vec(), nothing.to_vec()].iter().enumerate() {
            let extracted = extract(&mut bench, memory, batches).unwrap();
            let found = (extracted.counts, extracted.unchanged, entries(&bench, &extracted));
            match expected.get(i) {
                Some(expected) => assert!(*expected == found, "extraction {i} with {memory:?}: {:?}, {:?}", expected.0, found.0),
                None => expected.push(found),
            }
        }
    }
    let counts: Vec<Counts> = expected.iter().map(|(counts, ..)| *counts).collect();
    assert_eq!(counts[0], Counts { added: 490, updated: 5980, deleted: 2000 });
    assert_eq!(counts[2].deleted, expected[1].1 + counts[1].added + counts[1].updated);
}

/// A store on whose disk nothing fits that does not fit in memory.
struct Full(MemoryStore);

impl StateStore for Full {
    fn scratch(&self) -> Result<Scratch> {
        let scratch = self.0.scratch()?;
        for what in ["keys", "deleted", "waiting", "waiting-values", "told", "round"] {
            for i in 0..300 {
                std::os::unix::fs::symlink("/dev/full", scratch.path().join(format!("{what}-{i}"))).unwrap();
            }
        }
        Ok(scratch)
    }

    fn create(&self, path: &str, body: bytes::Bytes) -> Result<Create> {
        self.0.create(path, body)
    }

    fn read(&self, path: &str) -> Result<Option<bytes::Bytes>> {
        self.0.read(path)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.0.list(prefix)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.0.delete(path)
    }

    fn writer(&self, path: &str) -> Result<Box<dyn ObjectWriter>> {
        self.0.writer(path)
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ObjectReader>> {
        self.0.open(path)
    }

    fn append(&self, path: &str) -> Result<Box<dyn AppendLog>> {
        self.0.append(path)
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        self.0.try_lock(name)
    }

    fn location(&self) -> String {
        self.0.location()
    }
}

#[test]
fn a_disk_that_is_full_while_records_wait_is_an_error_and_loses_nothing() {
    let mut bench = Bench::new();
    bench.store = Arc::new(Full(MemoryStore::new()));
    let first = extract(&mut bench, None, &[batch(0..500, "a text", true)]).unwrap();
    let later = [batch(100..600, "another", true)];
    for memory in [8 << 10, 64 << 10] {
        let error: Error = extract(&mut bench, Some(memory), &later).unwrap_err();
        assert!(error.remedy_text().is_some_and(|remedy| remedy.contains("make room")), "{error}");
    }
    let again = extract(&mut bench, None, &later).unwrap();
    assert_eq!((again.head.number, again.counts), (first.head.number + 1, Counts { added: 100, updated: 400, deleted: 100 }));
}

#[test]
fn a_limit_on_memory_that_not_even_a_part_of_the_table_fits_in_says_how_much_is_needed() {
    let mut bench = Bench::new();
    let rows = [batch(0..500, "a text", true)];
    extract(&mut bench, None, &rows).unwrap();
    let error = extract(&mut bench, Some(60), &rows).unwrap_err();
    assert!(error.remedy_text().is_some_and(|remedy| remedy.contains("MiB or more")), "{error}");
}
