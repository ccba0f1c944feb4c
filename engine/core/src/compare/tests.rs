//! Any two versions of the real path, extraction after extraction over arbitrary tables whose columns come and go, against plain maps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::stream::{self, StreamExt};
use outflow_contract::limits::Limits;
use outflow_contract::plan::{Model, OnBadId};
use outflow_contract::secret::Redactor;
use outflow_contract::source::RecordStream;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Counts, Kind, Op};
use outflow_ledger::commit::{Dropped, ModelCommit};
use outflow_ledger::store::MemoryStore;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Changed, Comparison, Span};
use crate::extract::Extraction;
use crate::extract::tests::Counting;

/// The table at one extraction: for each identifier a number and, where there is that column, a note.
#[derive(Clone, Debug, Default)]
struct Table {
    records: BTreeMap<i64, (i64, i64)>,
    has_note: bool,
}

/// The values of one record by column, without its identifier.
type Record = BTreeMap<&'static str, Value>;

impl Table {
    fn record(&self, id: i64) -> Option<Record> {
        let (number, note) = self.records.get(&id)?;
        let note = self.has_note.then(|| ("note", json!(format!("note {note}"))));
        Some(std::iter::once(("number", json!(number))).chain(note).collect())
    }

    fn batches(&self, size: usize) -> Vec<RecordBatch> {
        let all: Vec<(i64, (i64, i64))> = self.records.iter().map(|(id, record)| (*id, *record)).collect();
        all.chunks(size.max(1)).map(|some| self.batch(some)).collect()
    }

    fn batch(&self, records: &[(i64, (i64, i64))]) -> RecordBatch {
        let id: ArrayRef = Arc::new(records.iter().map(|record| Some(record.0)).collect::<Int64Array>());
        let number: ArrayRef = Arc::new(records.iter().map(|record| Some(record.1.0)).collect::<Int64Array>());
        let note: ArrayRef = Arc::new(records.iter().map(|record| Some(format!("note {}", record.1.1))).collect::<StringArray>());
        let mut columns = vec![("number", number, true), ("id", id, true)];
        if self.has_note {
            columns.push(("note", note, true));
        }
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }
}

/// What became of a model, table by table.
struct Past {
    store: Arc<dyn StateStore>,
    /// Each table, with the version that the model had after it.
    tables: Vec<(u64, Table)>,
    head: ModelCommit,
}

impl Past {
    fn of(tables: Vec<Table>, batch_size: usize, workers: usize) -> Self {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        let clock = Counting(AtomicU64::new(1));
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
        let limits = Limits::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let mut done = Vec::new();
        let mut head = None;
        for table in tables {
            let batches: Vec<_> = table.batches(batch_size).into_iter().map(Ok).collect();
            let stream = RecordStream::single(table.batch(&[]).schema(), stream::iter(batches).boxed());
            let progress = Arc::new(AtomicU64::new(0));
            let extraction = Extraction { store: Arc::clone(&store), clock: &clock, model: &model, limits: &limits, workers, progress };
            let extracted = runtime.block_on(extraction.run(stream)).unwrap();
            done.push((extracted.head.version, table));
            head = Some(extracted.head);
        }
        Self { store, tables: done, head: head.unwrap() }
    }

    /// What changed, told by the tables alone: each record's values before its first change and after its last one.
    fn expected(&self, span: Span) -> BTreeMap<i64, (Op, Record)> {
        let mut net: BTreeMap<i64, (Option<Record>, Option<Record>)> = BTreeMap::new();
        let mut before = &Table::default();
        let mut version = 0;
        for (now, table) in &self.tables {
            let ids: BTreeSet<i64> = before.records.keys().chain(table.records.keys()).copied().collect();
            for id in ids.into_iter().filter(|_| *now > version && span.spans(*now)) {
                let (old, new) = (before.record(id), table.record(id));
                if is_change(old.as_ref(), new.as_ref()) {
                    net.entry(id).or_insert_with(|| (old, None)).1 = new;
                }
            }
            (before, version) = (table, *now);
        }
        let change = |(id, (old, new)): (i64, (Option<Record>, Option<Record>))| {
            let (old, new) = if span.is_backwards() { (new, old) } else { (old, new) };
            let op = match (&old, &new) {
                (None, _) => Op::Added,
                (_, None) => Op::Deleted,
                _ => Op::Updated,
            };
            is_change(old.as_ref(), new.as_ref()).then(|| (id, (op, new.or(old).unwrap())))
        };
        net.into_iter().filter_map(change).collect()
    }

    fn compare(&self, span: Span) -> (Counts, Vec<Changed>) {
        let redactor = Redactor::default();
        let comparison = Comparison::new(self.store.as_ref(), &self.head, span, &redactor).unwrap();
        let counts = comparison.counts().unwrap();
        let mut found = Vec::new();
        comparison
            .records(counts, |record| {
                found.push(record);
                Ok(())
            })
            .unwrap();
        (counts, found)
    }
}

/// Do they differ in a column that both have?
fn is_change(old: Option<&Record>, new: Option<&Record>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.iter().any(|(column, value)| new.get(column).is_some_and(|other| other != value)),
        (old, new) => old.is_some() || new.is_some(),
    }
}

fn table() -> impl Strategy<Value = Table> {
    let record = (0..8i64, (0..3i64, 0..3i64));
    (proptest::collection::vec(record, 0..8), any::<bool>())
        .prop_map(|(records, has_note)| Table { records: records.into_iter().collect(), has_note })
}

/// The same values, by column, without the identifier.
fn values(changed: &Changed) -> Record {
    let known = |name: &str| ["number", "note"].into_iter().find(|known| *known == name);
    changed.columns.iter().zip(&changed.values).filter_map(|(column, value)| Some((known(&column.name)?, value.clone()))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_changed_between_any_two_versions_is_what_the_tables_say(
        tables in proptest::collection::vec(table(), 1..7), batch_size in 1..5usize, workers in 1..3usize,
    ) {
        let past = Past::of(tables, batch_size, workers);
        for from in 0..=past.head.version {
            for to in 0..=past.head.version {
                let span = Span { from, to };
                let expected = past.expected(span);
                let (counts, found) = past.compare(span);
                let told: BTreeMap<i64, (Op, Record)> =
                    found.iter().map(|changed| (changed.id.parse().unwrap(), (changed.op, values(changed)))).collect();
                prop_assert_eq!(&told, &expected, "{:?}", span);
                prop_assert_eq!((counts.total(), found.len()), (expected.len() as u64, expected.len()), "each once, {:?}", span);
                for changed in found {
                    let record = values(&changed);
                    prop_assert_eq!(changed.changes.is_empty(), changed.op != Op::Updated);
                    for change in &changed.changes {
                        prop_assert!(change.before.value != change.after.value);
                        prop_assert_eq!(Some(&change.after.value), record.get(change.column.as_str()));
                    }
                }
            }
        }
    }
}

fn numbers(records: &[(i64, i64)]) -> Table {
    Table { records: records.iter().map(|&(id, number)| (id, (number, 0))).collect(), has_note: false }
}

#[test]
fn it_is_the_same_in_however_many_ranges_of_keys_and_as_a_version_stands() {
    // More than a reader hands out at once.
    let many: Vec<(i64, i64)> = (0..9000).map(|id| (id, id)).collect();
    let some: Vec<(i64, i64)> = (100..9600).map(|id| (id, id % 7)).collect();
    let past = Past::of(vec![numbers(&many), numbers(&some), numbers(&many[..8000])], 3000, 1);
    let redactor = Redactor::default();
    for (from, to) in [(0, 1), (1, 2), (0, 3), (1, 3), (3, 1), (2, 1)] {
        let comparison = Comparison::new(past.store.as_ref(), &past.head, Span { from, to }, &redactor).unwrap();
        let told = |entries: u64| {
            let (mut all, mut chunks) = (Vec::new(), 0);
            let take = |nets: Vec<super::Net>| {
                all.extend(nets);
                chunks += 1;
                Ok(ControlFlow::Continue(()))
            };
            comparison.each_chunk(entries, take).unwrap();
            all.sort_unstable_by_key(|net| (net.from, net.to));
            (all, chunks)
        };
        let ((at_once, one), (in_parts, several)) = (told(0), told(5 << 20));
        assert_eq!(at_once, in_parts, "{from} to {to}");
        assert!(one == 1 && several > 1, "{from} to {to}: {several}");
    }
}

#[test]
fn no_more_records_are_given_than_are_wanted_of_each_operation() {
    let past = Past::of(vec![numbers(&[(1, 1), (2, 2), (3, 3), (4, 4)]), numbers(&[(1, 9), (2, 9), (5, 5), (6, 6)])], 10, 1);
    let redactor = Redactor::default();
    let comparison = Comparison::new(past.store.as_ref(), &past.head, Span { from: 1, to: 2 }, &redactor).unwrap();
    assert_eq!(comparison.counts().unwrap(), Counts { added: 2, updated: 2, deleted: 2 });
    let mut found = Vec::new();
    comparison
        .records(Counts { added: 1, updated: 0, deleted: 2 }, |changed| {
            found.push((changed.op, changed.id));
            Ok(())
        })
        .unwrap();
    assert_eq!(found.iter().map(|(op, _)| *op).collect::<Vec<_>>(), [Op::Added, Op::Deleted, Op::Deleted], "{found:?}");
}

#[test]
fn a_version_that_is_not_there_is_told_from_one_that_is_no_longer() {
    let past = Past::of(vec![numbers(&[(1, 1)]), numbers(&[(1, 2)]), numbers(&[(1, 3)]), numbers(&[(1, 4)])], 10, 1);
    let head = ModelCommit { dropped: Dropped { through: 2, id: None }, ..past.head };
    let span = |from, to| Span::new(&head, "m", from, to);
    assert_eq!(span(None, None).unwrap(), Span { from: 3, to: 4 });
    assert_eq!(span(Some(2), None).unwrap(), Span { from: 2, to: 4 }, "what came after the last that went is all there");
    assert_eq!(span(Some(4), Some(2)).unwrap(), Span { from: 4, to: 2 });
    let refused = |from, to| {
        let error = span(Some(from), Some(to)).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        format!("{error}: {}", error.remedy_text().unwrap_or_default())
    };
    assert!(
        refused(1, 4).starts_with("version 1 of model `m` is no longer kept: `retention` has dropped versions 1 to 2"),
        "{}",
        refused(1, 4)
    );
    assert!(refused(0, 4).starts_with("the beginning of model `m` is no longer kept"), "{}", refused(0, 4));
    assert!(refused(4, 1).contains("`outflow diff m 2 4`"), "{}", refused(4, 1));
    assert!(refused(2, 5).starts_with("there is no version 5 of model `m`: the newest is 4"), "{}", refused(2, 5));
}
