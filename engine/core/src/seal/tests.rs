//! What a mapping has to do, sealed over a model that was really extracted, with and without retention in between.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use outflow_contract::expr::{Expr, Path};
use outflow_contract::plan::{Guards, Mapping, Settings, Tolerance};
use outflow_contract::{Counts, Selection};
use outflow_ledger::changes::{EntryReader, values_of};
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::runs::next_epoch;
use serde_json::Value;

use super::{Fold, Sealed, Sealing};
use crate::extract::tests::{Bench, Rows};
use crate::snapshot::PartReader;

/// A model and one mapping of it.
pub(crate) struct Past {
    pub(crate) bench: Bench,
    pub(crate) head: ModelCommit,
    selection: Selection,
}

impl Past {
    /// The model at its first version, with notes or without.
    pub(crate) fn new(selection: Selection, rows: &Rows, with_note: bool) -> Self {
        let bench = Bench::new();
        let head = bench.extract(rows, 3, 2, with_note).unwrap().head;
        Self { bench, head, selection }
    }

    /// The next version.
    pub(crate) fn extract(&mut self, rows: &Rows, with_note: bool) -> Counts {
        let extracted = self.bench.extract(rows, 3, 2, with_note).unwrap();
        self.head = extracted.head;
        extracted.counts
    }

    /// The mapping when it has delivered all of the newest version.
    pub(crate) fn delivered(&self) -> MappingCommit {
        let nothing = MappingCommit::nothing("map", "m", "d", "account".to_owned(), self.selection, vec!["id".to_owned()]);
        MappingCommit { number: 1, cursor: Some(self.head.version), ..nothing }
    }

    /// The mapping when retention has dropped all versions but those after the newest.
    pub(crate) fn folded(&self, state: &MappingCommit) -> MappingCommit {
        let (store, epoch) = (self.bench.store.as_ref(), self.epoch());
        let fold = Fold { store, head: &self.head, mapping: "map", state, shared: false, epoch, nonce: epoch };
        fold.write(self.head.version).unwrap()
    }

    /// What it has to do, if it uses these columns.
    pub(crate) fn seal(&self, state: &MappingCommit, columns: &[&str]) -> Sealed {
        let (store, mapping) = (self.bench.store.as_ref(), mapping(self.selection, columns));
        let epoch = self.epoch();
        let sealing =
            Sealing { store, head: &self.head, state: Some(state), mapping: &mapping, shared: false, only: None, asked_for: false, epoch };
        sealing.seal().unwrap()
    }

    /// A run that has written nothing yet.
    pub(crate) fn epoch(&self) -> u64 {
        next_epoch(self.bench.store.as_ref(), "map").unwrap()
    }
}

fn mapping(selection: Selection, columns: &[&str]) -> Mapping {
    let member = |column: &&str| ((*column).to_owned(), Expr::Path(Path { segments: vec![(*column).to_owned()] }));
    Mapping {
        name: "map".to_owned(),
        model: "m".to_owned(),
        destination: "d".to_owned(),
        action: "send".to_owned(),
        declared: None,
        constants: Settings::default(),
        selection,
        fields: Expr::Object(columns.iter().map(member).collect()),
        fields_written: Value::Null,
        enabled: true,
        tags: Vec::new(),
        tolerate_failed: Tolerance::default(),
        guards: Guards::default(),
        schedule: None,
    }
}

/// Records by identifier and number, each with a note.
pub(crate) fn rows(of: &[(i64, i64)]) -> Rows {
    of.iter().map(|&(id, number)| (Some(id), number, Some(format!("note {id}")))).collect()
}

fn updated(n: u64) -> Counts {
    Counts { updated: n, ..Counts::default() }
}

#[test]
fn a_record_that_was_gone_and_is_back_is_compared_with_what_the_destination_holds() {
    for is_folded in [false, true] {
        let mut past = Past::new(Selection::AddedOrUpdated, &rows(&[(1, 10), (4, 40), (5, 50)]), true);
        let mut state = past.delivered();
        // 4 and 5 change, go, and come back: 4 as it was last, and 5 as it was delivered.
        past.extract(&rows(&[(1, 10), (4, 41), (5, 51)]), true);
        past.extract(&rows(&[(1, 10)]), true);
        if is_folded {
            state = past.folded(&state);
            assert_eq!(state.waiting().all.deleted, 2);
        }
        past.extract(&rows(&[(1, 10), (4, 41), (5, 50)]), true);
        let sealed = past.seal(&state, &["id", "number"]);
        assert_eq!((sealed.selected, sealed.net), (updated(1), updated(1)), "folded: {is_folded}");
    }
}

#[test]
fn a_record_that_only_changed_elsewhere_before_it_was_gone_is_not_sent_when_it_is_back() {
    for is_folded in [false, true] {
        let mut past = Past::new(Selection::AddedOrUpdated, &rows(&[(1, 10), (4, 40)]), true);
        let mut state = past.delivered();
        past.extract(&rows(&[(1, 10), (4, 41)]), true);
        past.extract(&rows(&[(1, 10)]), true);
        if is_folded {
            state = past.folded(&state);
        }
        past.extract(&rows(&[(1, 10), (4, 41)]), true);
        let sealed = past.seal(&state, &["id", "note"]);
        assert_eq!((sealed.selected, sealed.net), (Counts::default(), updated(1)), "folded: {is_folded}");
    }
}

/// The same records, 4 with another note.
fn with_another_note(of: &[(i64, i64)]) -> Rows {
    let mut rows = rows(of);
    rows.iter_mut().filter(|row| row.0 == Some(4)).for_each(|row| row.2 = Some("another".to_owned()));
    rows
}

#[test]
fn a_new_column_sends_no_record_that_had_only_changed_elsewhere() {
    for is_folded in [false, true] {
        let mut past = Past::new(Selection::AddedOrUpdated, &rows(&[(1, 10), (4, 40)]), false);
        let mut state = past.delivered();
        past.extract(&rows(&[(1, 10), (4, 41)]), false);
        if is_folded {
            state = past.folded(&state);
        }
        assert_eq!(past.extract(&rows(&[(1, 10), (4, 41)]), true).total(), 0);
        let sealed = past.seal(&state, &["id", "note"]);
        assert_eq!((sealed.selected, sealed.net), (Counts::default(), updated(1)), "folded: {is_folded}");
        assert_eq!(past.seal(&state, &["id", "number", "note"]).selected, updated(1), "folded: {is_folded}");
    }
}

#[test]
fn a_change_of_a_new_column_is_sent_whatever_changed_before_it_came() {
    for folded_after in [None, Some(1), Some(3)] {
        let mut past = Past::new(Selection::AddedOrUpdated, &rows(&[(1, 10), (4, 40)]), false);
        let mut state = past.delivered();
        let steps = [(rows(&[(1, 10), (4, 41)]), false), (rows(&[(1, 10), (4, 41)]), true), (with_another_note(&[(1, 10), (4, 41)]), true)];
        for (step, (rows, with_note)) in (1..).zip(&steps) {
            past.extract(rows, *with_note);
            if folded_after == Some(step) {
                state = past.folded(&state);
            }
        }
        let sealed = past.seal(&state, &["id", "note"]);
        assert_eq!((sealed.selected, sealed.net), (updated(1), updated(1)), "folded: {folded_after:?}");
    }
}

/// How many records take many ranges, piles and blocks of all kinds.
const MANY: i64 = 300_000;

/// The identifier and the number of each entry, and whether it is a deletion. Each is there once.
fn sealed_records(past: &Past, sealed: &Sealed) -> BTreeMap<i64, (i64, bool)> {
    let mut records = BTreeMap::new();
    for part in &sealed.parts {
        for batch in PartReader::open(past.bench.store.as_ref(), &part.path).unwrap().read().unwrap() {
            let batch = batch.unwrap();
            let (entries, values) = (EntryReader::new(&batch).unwrap(), values_of(&batch).unwrap());
            let column = |name: &str| values.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
            let (ids, numbers) = (column("id"), column("number"));
            for i in 0..entries.len() {
                let again = records.insert(ids.value(i), (numbers.value(i), entries.get(i).0.after.is_none()));
                assert!(again.is_none(), "record {} is there twice", ids.value(i));
            }
        }
    }
    records
}

#[test]
fn many_changes_are_composed_as_few_are() {
    let all = |number: &dyn Fn(i64) -> Option<i64>| rows(&(0..MANY).filter_map(|id| Some((id, number(id)?))).collect::<Vec<_>>());
    let bench = Bench::new();
    let head = bench.extract(&all(&Some), 8192, 2, true).unwrap().head;
    let mut past = Past { bench, head, selection: Selection::All };
    let (mut state, gone, first) = (past.delivered(), MANY * 9 / 10, past.head.version);
    // Every other record changes, then every third; a tenth is gone, and the rest of those stays as it was.
    let second = |id: i64| (id < gone).then_some(if id % 2 == 0 { id + MANY } else { id });
    let third = |id: i64| second(id).map(|number| if id % 3 == 0 { number + 2 * MANY } else { number });
    for (step, number) in [&second as &dyn Fn(i64) -> Option<i64>, &third].into_iter().enumerate() {
        past.head = past.bench.extract(&all(number), 8192, 2, true).unwrap().head;
        if step == 0 {
            let sealed = past.seal(&state, &["number"]);
            assert_eq!(sealed.net, Counts { updated: gone as u64 / 2, deleted: (MANY - gone) as u64, ..Counts::default() });
            assert_eq!(past.seal(&state, &["note"]).unused.len(), gone as u64 / 2);
            assert_eq!(sealed_records(&past, &sealed).len() as u64, sealed.net.total());
        }
    }
    assert_eq!(past.head.version, first + 2);
    let changed = |id: &i64| id % 2 == 0 || id % 3 == 0 || *id >= gone;
    let expected: BTreeMap<i64, (i64, bool)> =
        (0..MANY).filter(changed).map(|id| (id, third(id).map_or((id, true), |number| (number, false)))).collect();
    for is_folded in [false, true] {
        if is_folded {
            state = past.folded(&state);
        }
        let sealed = past.seal(&state, &["number"]);
        assert!(sealed_records(&past, &sealed) == expected, "folded: {is_folded}");
        assert_eq!((sealed.net.total(), sealed.unused.len()), (expected.len() as u64, 0));
        assert_eq!(past.seal(&state, &["note"]).unused.len(), sealed.net.updated, "folded: {is_folded}");
    }
    let never = MappingCommit { cursor: None, number: 0, ..past.delivered() };
    let sealed = past.seal(&never, &["number"]);
    assert_eq!(sealed.net, Counts { added: gone as u64, ..Counts::default() });
    assert!(sealed_records(&past, &sealed).into_iter().eq((0..gone).map(|id| (id, (third(id).unwrap(), false)))));
}
