//! Goal: both kinds of sync deliver everything, and a figure comes of each.

use super::*;

#[test]
fn a_sync_with_its_journal_and_one_without_both_deliver_every_record() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { folder: folder.path().to_owned(), records: 300, request_records: 50, rounds: 2, threads: 2 };
    let report = measure(&options).unwrap();
    assert!(report.with > 0.0 && report.without > 0.0 && report.ratio > 0.0, "{report:?}");
    assert!(report.to_string().contains("0.0003 M records in requests of 50, medians of 2 rounds"), "{report}");
}

#[test]
fn a_journal_in_memory_is_read_back_and_never_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(LocalStore::open(folder.path()).unwrap());
    let store = Unwritten { kept: Arc::clone(&kept), journals: MemoryStore::default() };
    let path = "mappings/m/runs/000000000001/journal";
    let mut log = store.append(path).unwrap();
    log.append(b"frame").and_then(|()| log.sync()).unwrap();
    assert_eq!(kept.read(path).unwrap(), None);
    assert_eq!(store.read(path).unwrap().as_deref(), Some(&b"frame"[..]));
    store.create("mappings/m/commits/000000000001.json", Bytes::from_static(b"{}")).unwrap();
    assert!(kept.read("mappings/m/commits/000000000001.json").unwrap().is_some(), "all else is kept");
}

#[test]
fn no_rounds_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { folder: folder.path().to_owned(), records: 10, request_records: 5, rounds: 0, threads: 1 };
    assert_eq!(measure(&options).unwrap_err().kind(), Kind::Invalid);
}
