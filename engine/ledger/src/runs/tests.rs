use outflow_contract::Kind;
use outflow_contract::report::{Status, SyncCounts, Timing};
use proptest::prelude::*;

use super::*;
use crate::chain::CommitResult;
use crate::commit::MappingCommit;
use crate::history::History;
use crate::store::MemoryStore;

fn plan(mapping: &str, epoch: u64) -> Plan {
    let path = paths::run_file(mapping, epoch, &paths::part("changes", 1, 0));
    Plan {
        epoch,
        sync_id: format!("sync-{epoch}"),
        mapping: mapping.into(),
        base: 0,
        model: "users".into(),
        cursor: None,
        saw: Sighting { version: 4, ..Sighting::default() },
        only: None,
        again: None,
        selection: Selection::All,
        action: "send".into(),
        schema: String::new(),
        id: vec!["id".into()],
        fields: serde_json::json!({"a": {"@path": "$.b"}}),
        parts: vec![SealedPart { path, rows: 3, blake3: "00".into() }],
        seen: None,
        selected: Counts { added: 1, updated: 1, deleted: 1 },
        started_at: "2026-01-01T00:00:00Z".into(),
        account: "crm:1".into(),
        request_lifetime_ms: 30_000,
        journaled: true,
    }
}

fn report(mapping: &str, sync_id: &str) -> SyncReport {
    SyncReport {
        sync_id: sync_id.into(),
        mapping: mapping.into(),
        model: "users".into(),
        destination: "crm".into(),
        status: Status::Success,
        message: None,
        notices: vec![],
        started_at: "2026-01-01T00:00:00Z".into(),
        version: Some(4),
        counts: SyncCounts::default(),
        requests: 2,
        bytes: 9,
        timing: Timing { total: 0.1, ..Timing::default() },
        failures: vec![],
        rejected: std::collections::BTreeMap::default(),
    }
}

fn close(store: &MemoryStore, epoch: u64) {
    let commit = MappingCommit {
        origin: "m".to_owned(),
        ahead: false,
        paused: None,
        ended: None,
        number: 1,
        at: String::new(),
        model: "users".into(),
        destination: "crm".into(),
        account: "crm:1".into(),
        selection: Selection::All,
        id: vec![],
        cursor: None,
        footing: None,
        saw: None,
        pending: vec![],
        failures: None,
        deadline_ms: None,
        generation: 0,
        resend: false,
        closed_through: epoch,
        sync_id: None,
        carried: None,
        fields: String::new(),
    };
    assert_eq!(Chain::of_mapping("m").append(store, &commit, 1).unwrap(), CommitResult::Committed);
}

#[test]
fn a_sealed_plan_is_read_back() {
    let store = MemoryStore::new();
    seal(&store, &plan("m", 3), 1).unwrap();
    assert_eq!(read_plan(&store, "m", 3).unwrap(), plan("m", 3));
    assert_eq!(read_plan(&store, "m", 4).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(seal(&store, &plan("m", 3), 2).unwrap_err().kind(), Kind::Busy, "an epoch is sealed once");
}

#[test]
fn a_plan_names_only_files_of_its_own_mapping_and_model() {
    let naming = |path: String| Plan { parts: vec![SealedPart { path, rows: 1, blake3: String::new() }], ..plan("m", 3) };
    let read = |plan: &Plan| {
        let store = MemoryStore::new();
        store.create(&paths::run_file("m", 3, paths::PLAN), object::encode(plan, 1).unwrap()).unwrap();
        read_plan(&store, "m", 3)
    };
    // A part that is taken over as it stands: from an earlier run, or from the model's versions.
    for path in [paths::run_file("m", 2, "a"), paths::version_file("users", 4, "a")] {
        assert_eq!(read(&naming(path.clone())).unwrap(), naming(path));
    }
    let wrong = [
        naming(paths::run_file("mm", 3, "a")),
        naming(paths::version_file("others", 4, "a")),
        naming(paths::snapshot_file("users", 4, "a")),
        naming("mappings/m/runs/../../x".into()),
        naming("/etc/passwd".into()),
        Plan { seen: Some("x".into()), ..plan("m", 3) },
        plan("n", 3),
        plan("m", 4),
    ];
    for plan in wrong {
        assert_eq!(read(&plan).unwrap_err().kind(), Kind::Corrupt, "{plan:?}");
    }
    assert_eq!(seal(&MemoryStore::new(), &naming("x".into()), 1).unwrap_err().kind(), Kind::Bug);
}

#[test]
fn an_epoch_is_never_used_twice() {
    let store = MemoryStore::new();
    assert_eq!(next_epoch(&store, "m").unwrap(), 1);
    // Killed before its plan: parts alone use the epoch up.
    store.create(&paths::run_file("m", 1, "changes-1.parquet"), Bytes::new()).unwrap();
    assert_eq!(next_epoch(&store, "m").unwrap(), 2);
    // Its files were removed after it was closed.
    close(&store, 7);
    assert_eq!(next_epoch(&store, "m").unwrap(), 8);
    assert_eq!(next_epoch(&store, "mm").unwrap(), 1);
}

#[test]
fn open_runs_are_those_with_a_plan_that_no_commit_has_closed() {
    let store = MemoryStore::new();
    for epoch in [2, 11, 9] {
        seal(&store, &plan("m", epoch), epoch).unwrap();
    }
    store.create(&paths::run_file("m", 12, "changes-1.parquet"), Bytes::new()).unwrap();
    assert_eq!(open_runs(&store, "m", 0).unwrap(), [2, 9, 11]);
    assert_eq!(open_runs(&store, "m", 2).unwrap(), [9, 11]);
    assert_eq!(open_runs(&store, "m", 11).unwrap(), [0; 0]);
}

#[test]
fn a_journal_that_says_nothing_without_a_plan_is_no_run_and_one_that_says_something_has_lost_its_plan() {
    let store = MemoryStore::new();
    for (epoch, says) in [(2, &b""[..]), (3, &b"x"[..])] {
        store.create(&paths::run_file("m", epoch, paths::JOURNAL), Bytes::from_static(says)).unwrap();
    }
    assert_eq!(open_runs(&store, "m", 0).unwrap(), [3]);
    assert_eq!(read_plan(&store, "m", 3).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_plan_without_its_journal_is_damage_and_not_one_that_sent_nothing() {
    let store = MemoryStore::new();
    let error = read_journal(&store, &plan("m", 3)).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.message().contains("mappings/m/runs/") && error.message().contains("journal is missing"), "{error}");
    let before = Plan { journaled: false, ..plan("m", 3) };
    assert!(read_journal(&store, &before).unwrap().is_empty(), "a state of before may have been killed between the two");
    store.create(&paths::run_file("m", 3, paths::JOURNAL), Bytes::from_static(b"x")).unwrap();
    assert_eq!(read_journal(&store, &plan("m", 3)).unwrap(), &b"x"[..]);
}

#[test]
fn a_plan_of_before_journals_came_first_can_be_read() {
    let mut old = serde_json::to_value(plan("m", 3)).unwrap();
    assert_eq!(old.as_object_mut().unwrap().remove("journaled"), Some(Value::Bool(true)));
    assert_eq!(serde_json::from_value::<Plan>(old).unwrap(), Plan { journaled: false, ..plan("m", 3) });
}

#[test]
fn history_is_newest_first_and_goes_over_a_damaged_report() {
    let store = MemoryStore::new();
    for (mapping, epoch, sync) in [("a", 1, "01"), ("b", 1, "02"), ("a", 2, "03"), ("a", 10, "04")] {
        write_report(&store, epoch, &report(mapping, sync), epoch).unwrap();
    }
    store.create(&paths::run_file("a", 11, paths::REPORT), Bytes::from_static(b"{")).unwrap();
    let ids = |mapping: Option<&str>, limit| {
        let history = mapping.map_or_else(|| History::of_all(&store), |mapping| History::of_mapping(&store, mapping));
        history.unwrap().take(limit).map(|s| s.report.sync_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 9), ["04", "03", "02", "01"]);
    assert_eq!(ids(Some("a"), 9), ["04", "03", "01"]);
    assert_eq!(ids(Some("b"), 9), ["02"]);
    assert_eq!(ids(None, 2), ["04", "03"], "the damaged one does not count");
    assert_eq!(read_report(&store, "a", 10).unwrap().unwrap(), report("a", "04"));
    assert_eq!(read_report(&store, "a", 3).unwrap(), None);
}

#[test]
fn a_damaged_file_of_seen_positions_is_refused() {
    let store = MemoryStore::new();
    let mut seen = Seen::new();
    seen.insert(77);
    let path = seen.write(&store, "m", 1).unwrap();
    let bytes = store.read(&path).unwrap().unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1;
        let path = format!("x/{at}");
        store.create(&path, damaged.into()).unwrap();
        assert_eq!(Seen::read(&store, &path).unwrap_err().kind(), Kind::Corrupt);
    }
    assert_eq!(Seen::read(&store, "none").unwrap_err().kind(), Kind::Corrupt);
}

proptest! {
    #[test]
    fn seen_positions_are_read_back(list in prop::collection::btree_set(0..200_u32, 0..40)) {
        let store = MemoryStore::new();
        let mut seen = Seen::new();
        list.iter().chain(&list).for_each(|&position| seen.insert(position));
        let path = seen.write(&store, "m", 1).unwrap();
        let back = Seen::read(&store, &path).unwrap();
        prop_assert!(back.iter().eq(list.iter().copied()));
        prop_assert_eq!(back.len(), list.len() as u64);
        prop_assert!((0..220).all(|position| back.contains(position) == list.contains(&position)));
    }
}
