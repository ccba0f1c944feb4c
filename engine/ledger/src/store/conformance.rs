//! What every state store promises, as code. [`all`] runs the list; each function panics where a promise is broken.
//!
//! The functions use paths of their own, so they can share one store, and they leave it as they found it but for its objects.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test suite: it fails by panicking")]

use std::io::Write;

use bytes::Bytes;
use outflow_contract::Kind;
use outflow_contract::state_store::{Create, StateStore};

/// Every promise in turn.
pub fn all(store: &dyn StateStore) {
    an_object_is_created_once(store);
    equal_bytes_are_ours(store);
    one_of_many_creators_wins(store);
    what_was_created_is_read_and_listed(store);
    a_list_is_sorted_and_stays_in_its_folder(store);
    a_deleted_object_is_gone(store);
    what_is_set_aside_is_elsewhere(store);
    a_large_object_appears_when_it_is_finished(store);
    a_writer_that_is_dropped_leaves_nothing(store);
    a_writer_does_not_replace_an_object(store);
    a_large_object_is_read_at_any_place(store);
    a_log_keeps_what_was_appended(store);
    a_log_is_begun_once(store);
    a_lock_excludes_until_it_is_dropped(store);
    a_path_that_escapes_is_refused(store);
    a_scratch_folder_goes_with_its_owner(store);
    a_prefix_is_a_folder(store);
}

/// A second create with other bytes is told so, and changes nothing.
pub fn an_object_is_created_once(store: &dyn StateStore) {
    let path = "conformance/once/a.json";
    assert_eq!(store.create(path, Bytes::from_static(b"one")).unwrap(), Create::Created);
    assert_eq!(store.create(path, Bytes::from_static(b"two")).unwrap(), Create::Theirs(Bytes::from_static(b"one")));
    assert_eq!(store.read(path).unwrap().unwrap(), "one");
}

/// A retry after a lost answer finds its own bytes.
pub fn equal_bytes_are_ours(store: &dyn StateStore) {
    let path = "conformance/ours/a.json";
    assert_eq!(store.create(path, Bytes::from_static(b"one")).unwrap(), Create::Created);
    assert_eq!(store.create(path, Bytes::from_static(b"one")).unwrap(), Create::Ours);
    assert_eq!(store.create("conformance/ours/empty", Bytes::new()).unwrap(), Create::Created);
    assert_eq!(store.create("conformance/ours/empty", Bytes::new()).unwrap(), Create::Ours);
}

/// Of many that create one path at once, exactly one wins, and its bytes are what is there.
pub fn one_of_many_creators_wins(store: &dyn StateStore) {
    for round in 0..20 {
        let path = format!("conformance/race/{round}/a.json");
        let results: Vec<(usize, Create)> = std::thread::scope(|scope| {
            let create = |i: usize| (i, store.create(&path, Bytes::from(format!("writer {i}"))).unwrap());
            let threads: Vec<_> = (0..4).map(|i| scope.spawn(move || create(i))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners: Vec<usize> = results.iter().filter(|(_, result)| *result == Create::Created).map(|(i, _)| *i).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        let body = Bytes::from(format!("writer {}", winners[0]));
        assert_eq!(store.read(&path).unwrap().unwrap(), body);
        let lost = results.iter().filter(|(_, result)| *result == Create::Theirs(body.clone())).count();
        assert_eq!(lost, 3, "{results:?}");
    }
}

/// Reading and listing see what a create has reported; a path without an object has none.
pub fn what_was_created_is_read_and_listed(store: &dyn StateStore) {
    assert_eq!(store.read("conformance/fresh/a.json").unwrap(), None);
    assert_eq!(store.list("conformance/fresh").unwrap(), [""; 0]);
    store.create("conformance/fresh/a.json", Bytes::from_static(b"x")).unwrap();
    assert_eq!(store.read("conformance/fresh/a.json").unwrap().unwrap(), "x");
    assert_eq!(store.list("conformance/fresh").unwrap(), ["conformance/fresh/a.json"]);
    assert_eq!(store.read("conformance/fresh").unwrap_or(None), None, "a folder is not an object");
    assert_eq!(store.read("conformance/fresh/a.json/below").unwrap(), None);
}

/// Sorted by the whole path, whatever the order of creation; folders below included, neighbours not.
pub fn a_list_is_sorted_and_stays_in_its_folder(store: &dyn StateStore) {
    for name in ["c", "a/z", "b", "a/y", "a.json"] {
        store.create(&format!("conformance/sorted/{name}"), Bytes::from_static(b"x")).unwrap();
    }
    store.create("conformance/sorted-not/a", Bytes::from_static(b"x")).unwrap();
    let below = ["a.json", "a/y", "a/z", "b", "c"].map(|name| format!("conformance/sorted/{name}"));
    assert_eq!(store.list("conformance/sorted").unwrap(), below);
    let all = store.list("").unwrap();
    assert!(all.is_sorted() && below.iter().all(|path| all.contains(path)), "{all:?}");
}

/// Deleting twice is no error, and the path is free again.
pub fn a_deleted_object_is_gone(store: &dyn StateStore) {
    let path = "conformance/delete/a.json";
    store.create(path, Bytes::from_static(b"one")).unwrap();
    store.delete(path).unwrap();
    store.delete(path).unwrap();
    assert_eq!(store.read(path).unwrap(), None);
    assert_eq!(store.list("conformance/delete").unwrap(), [""; 0]);
    assert_eq!(store.create(path, Bytes::from_static(b"two")).unwrap(), Create::Created);
}

/// Everything below a folder is found below another one, and nothing where it was.
pub fn what_is_set_aside_is_elsewhere(store: &dyn StateStore) {
    for name in ["a", "b/c"] {
        store.create(&format!("conformance/aside/x/{name}"), Bytes::from_static(b"1")).unwrap();
    }
    store.create("conformance/aside/xy", Bytes::from_static(b"2")).unwrap();
    store.set_aside("conformance/aside/x", "conformance/gone/x").unwrap();
    assert_eq!(store.list("conformance/aside").unwrap(), ["conformance/aside/xy"]);
    assert_eq!(store.list("conformance/gone").unwrap(), ["conformance/gone/x/a", "conformance/gone/x/b/c"]);
    assert_eq!(store.read("conformance/gone/x/b/c").unwrap().unwrap(), "1");
    assert_eq!(store.create("conformance/aside/x/a", Bytes::from_static(b"3")).unwrap(), Create::Created);
}

/// Nothing is to be seen of a large object before it is finished.
pub fn a_large_object_appears_when_it_is_finished(store: &dyn StateStore) {
    let path = "conformance/large/a.parquet";
    let mut writer = store.writer(path).unwrap();
    writer.write_all(&vec![1; 3 << 20]).unwrap();
    writer.flush().unwrap();
    assert_eq!(store.read(path).unwrap(), None);
    assert_eq!(store.list("conformance/large").unwrap(), [""; 0]);
    writer.write_all(b"end").unwrap();
    assert_eq!(writer.finish().unwrap(), Create::Created);
    assert_eq!(store.read(path).unwrap().unwrap().len(), (3 << 20) + 3);
}

/// A writer that is given up leaves no object.
pub fn a_writer_that_is_dropped_leaves_nothing(store: &dyn StateStore) {
    let mut writer = store.writer("conformance/dropped/a").unwrap();
    writer.write_all(b"x").unwrap();
    drop(writer);
    assert_eq!(store.list("conformance/dropped").unwrap(), [""; 0]);
}

/// The same judgement as for a small object: ours, or theirs.
pub fn a_writer_does_not_replace_an_object(store: &dyn StateStore) {
    let path = "conformance/replace/a";
    let write = |body: &[u8]| {
        let mut writer = store.writer(path).unwrap();
        writer.write_all(body).unwrap();
        writer.finish().unwrap()
    };
    assert_eq!(write(b"one"), Create::Created);
    assert_eq!(write(b"one"), Create::Ours);
    assert_eq!(write(b"two"), Create::Theirs(Bytes::from_static(b"one")));
    assert_eq!(store.read(path).unwrap().unwrap(), "one");
}

/// Reading beyond the end is an error, not a short answer.
pub fn a_large_object_is_read_at_any_place(store: &dyn StateStore) {
    let path = "conformance/read_at/a";
    store.create(path, Bytes::from_static(b"0123456789")).unwrap();
    let reader = store.open(path).unwrap();
    assert_eq!(reader.size(), 10);
    assert_eq!(reader.read_at(3, 4).unwrap(), "3456");
    assert_eq!(reader.read_at(10, 0).unwrap(), "");
    for (offset, length) in [(8, 3), (11, 0), (0, usize::MAX), (u64::MAX, 1)] {
        assert!(reader.read_at(offset, length).is_err(), "{offset} {length}");
    }
    let missing = store.open("conformance/read_at/none").err().unwrap();
    assert_eq!(missing.kind(), Kind::NotFound);
}

/// A log is an object from its first byte on: a killed process has lost nothing that it appended.
pub fn a_log_keeps_what_was_appended(store: &dyn StateStore) {
    let path = "conformance/log/journal";
    let mut log = store.append(path).unwrap();
    log.append(b"one").unwrap();
    log.append(b"two").unwrap();
    assert_eq!(store.read(path).unwrap().unwrap(), "onetwo");
    log.sync().unwrap();
    log.append(b"three").unwrap();
    drop(log);
    assert_eq!(store.read(path).unwrap().unwrap(), "onetwothree");
    assert_eq!(store.list("conformance/log").unwrap(), [path]);
}

/// A log never continues another one.
pub fn a_log_is_begun_once(store: &dyn StateStore) {
    let path = "conformance/log_once/journal";
    store.append(path).unwrap().append(b"one").unwrap();
    assert!(store.append(path).is_err());
    assert_eq!(store.read(path).unwrap().unwrap(), "one");
}

/// One holder at a time, in this process too; other names are free.
pub fn a_lock_excludes_until_it_is_dropped(store: &dyn StateStore) {
    let held = store.try_lock("conformance-a").unwrap();
    assert!(held.is_some());
    assert!(store.try_lock("conformance-a").unwrap().is_none());
    assert!(store.try_lock("conformance-a").unwrap().is_none(), "asking must not let it go");
    assert!(store.try_lock("conformance-b").unwrap().is_some());
    drop(held);
    assert!(store.try_lock("conformance-a").unwrap().is_some());
    let winners = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| store.try_lock("conformance-c").unwrap())).collect();
        let locks: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        locks.len()
    });
    assert_eq!(winners, 1);
}

/// No path leads out of the store, by any of its functions.
pub fn a_path_that_escapes_is_refused(store: &dyn StateStore) {
    for path in ["../x", "a/../../x", "/etc/x", "", "a//b", "a/./b", "a\0b", "a/"] {
        assert!(store.create(path, Bytes::new()).is_err(), "{path:?}");
        assert!(store.read(path).is_err(), "{path:?}");
        assert!(store.delete(path).is_err(), "{path:?}");
        assert!(store.writer(path).is_err(), "{path:?}");
        assert!(store.open(path).is_err(), "{path:?}");
        assert!(store.append(path).is_err(), "{path:?}");
        assert!(store.try_lock(path).is_err(), "{path:?}");
        assert!(path.is_empty() || store.list(path).is_err(), "{path:?}");
    }
    assert!(store.try_lock("a/b").is_err());
}

/// A scratch folder is there, is its owner's alone, and goes with it.
pub fn a_scratch_folder_goes_with_its_owner(store: &dyn StateStore) {
    let (a, b) = (store.scratch().unwrap(), store.scratch().unwrap());
    assert_ne!(a.path(), b.path());
    std::fs::write(a.path().join("x"), "x").unwrap();
    let path = a.path().to_owned();
    drop(a);
    assert!(!path.exists());
    assert!(b.path().is_dir());
}

/// A prefix is a folder, not the beginning of a name.
pub fn a_prefix_is_a_folder(store: &dyn StateStore) {
    store.create("conformance/prefix/ab", Bytes::from_static(b"x")).unwrap();
    assert_eq!(store.list("conformance/prefix/a").unwrap(), [""; 0]);
    assert_eq!(store.list("conformance/prefix/ab").unwrap(), [""; 0]);
}
