//! Records that wait are found and named, deleted ones whose values are not beside them among them.

use outflow_contract::{Kind, Selection};
use outflow_ledger::commit::MappingCommit;

use super::{Which, keys, listed, mark};
use crate::seal::tests::{Past, rows};

/// Of 1, 2 and 3, 2 is gone and 3 has changed. The mapping sends no deletions; with `folded`, retention has dropped the version of the
/// delete.
fn past(folded: bool) -> (Past, MappingCommit) {
    let mut past = Past::new(Selection::AddedOrUpdated, &rows(&[(1, 10), (2, 20), (3, 30)]), true);
    let mut state = past.delivered();
    past.extract(&rows(&[(1, 10), (3, 30)]), true);
    if folded {
        state = past.folded(&state);
    }
    past.extract(&rows(&[(1, 10), (3, 31)]), true);
    (past, state)
}

#[test]
fn a_record_is_found_by_its_identifier_beside_deleted_ones_and_so_are_those() {
    for folded in [false, true] {
        let (past, state) = past(folded);
        let find = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            keys(past.bench.store.as_ref(), "map", &past.head, Some(&state), &ids)
        };
        assert_eq!(find(&["3"]).unwrap().len(), 1, "folded: {folded}");
        assert_eq!(find(&["2", "3"]).unwrap().len(), 2, "folded: {folded}");
        let error = find(&["1", "2"]).unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("identifier 1 ")), (Kind::NotFound, true), "{error}");
    }
}

#[test]
fn a_deleted_record_that_waits_is_listed_by_its_identifier() {
    let (past, state) = past(true);
    let listed = listed(past.bench.store.as_ref(), "map".to_owned(), Some(&state), Some(&past.head), false).unwrap();
    let examples: Vec<&str> = listed.reasons.iter().flat_map(|reason| &reason.examples).map(|record| record.id.as_str()).collect();
    assert_eq!((examples, listed.pending.deleted), (vec!["2"], 1));
}

#[test]
fn a_deleted_record_that_waits_is_meant_by_its_identifier() {
    let (past, state) = past(true);
    let mean = |id: &str| mark(past.bench.store.as_ref(), ("map", past.epoch(), 1), &state, &Which::Ids(vec![id.to_owned()])).unwrap();
    // Only what has failed can be set aside, which no delete has that nobody sends.
    let marked = mean("2");
    assert_eq!((marked.missing, marked.done.records, marked.done.left), (Vec::<String>::new(), 0, 1));
    assert_eq!(mean("3").missing, ["3"]);
}
