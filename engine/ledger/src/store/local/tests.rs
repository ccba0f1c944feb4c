//! The local store: what a disk, a crash or another process may do to it.

use super::super::conformance;
use super::super::disk::watch;
use super::*;

fn store() -> (tempfile::TempDir, LocalStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(&folder.path().join("deep/state")).unwrap();
    watch::take();
    (folder, store)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn temporary_files(store: &LocalStore) -> usize {
    std::fs::read_dir(&store.disk.temporary).unwrap().count()
}

#[test]
fn it_keeps_the_promises_of_a_state_store() {
    let (_folder, store) = store();
    conformance::all(&store);
    assert_eq!(temporary_files(&store), 0);
}

#[test]
fn everything_is_private_to_the_user() {
    let (folder, store) = store();
    store.create("a/b/c.json", Bytes::from_static(b"x")).unwrap();
    store.append("a/log").unwrap().append(b"y").unwrap();
    let _lock = store.try_lock("l").unwrap();
    let _scratch = store.scratch().unwrap();
    let mut found = 0;
    let mut folders = vec![folder.path().join("deep")];
    while let Some(path) = folders.pop() {
        assert_eq!(mode(&path), 0o700, "{path:?}");
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{path:?}");
                found += 1;
            }
        }
    }
    assert_eq!(found, 4);
}

#[test]
fn a_readable_root_is_made_private() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    LocalStore::open(folder.path()).unwrap();
    assert_eq!(mode(folder.path()), 0o700);
}

#[test]
fn an_object_is_durable_before_it_has_a_name_and_its_name_before_it_is_reported() {
    let (_folder, store) = store();
    store.create("a/b/c.json", Bytes::from_static(b"x")).unwrap();
    let first = ["create object-0", "sync file object-0", "link c.json", "sync folder b", "sync folder a", "sync folder state"];
    assert_eq!(watch::take(), first);
    store.create("a/b/d.json", Bytes::from_static(b"x")).unwrap();
    assert_eq!(watch::take(), ["create object-1", "sync file object-1", "link d.json", "sync folder b"]);
    store.create("a/e/f.json", Bytes::from_static(b"x")).unwrap();
    let sibling = ["create object-2", "sync file object-2", "link f.json", "sync folder e", "sync folder a"];
    assert_eq!(watch::take(), sibling);
}

#[test]
fn the_first_sync_of_a_log_makes_its_name_durable_too() {
    let (_folder, store) = store();
    let mut log = store.append("a/log").unwrap();
    log.append(b"x").unwrap();
    watch::take();
    log.sync().unwrap();
    assert_eq!(watch::take(), ["sync log log", "sync folder a", "sync folder state"]);
    log.sync().unwrap();
    assert_eq!(watch::take(), ["sync log log"]);
}

#[test]
fn after_a_failed_fsync_the_object_does_not_exist_and_is_not_fsynced_again() {
    for what in ["create", "sync file", "link", "sync folder"] {
        let (_folder, store) = store();
        watch::fail_next(what);
        assert_eq!(store.create("a/b.json", Bytes::from_static(b"x")).unwrap_err().kind(), Kind::Io, "{what}");
        let steps = watch::take();
        assert_eq!(steps.iter().filter(|step| step.starts_with(what)).count(), 1, "{steps:?}");
        assert_eq!(store.read("a/b.json").unwrap(), None, "{what}");
        assert_eq!(temporary_files(&store), 0, "{what}");
        assert_eq!(store.create("a/b.json", Bytes::from_static(b"x")).unwrap(), Create::Created, "{what}");
    }
}

#[test]
fn a_large_object_whose_fsync_fails_does_not_exist() {
    let (_folder, store) = store();
    let mut writer = store.writer("a/big").unwrap();
    writer.write_all(&vec![7; 3 << 20]).unwrap();
    watch::fail_next("sync file");
    assert_eq!(writer.finish().unwrap_err().kind(), Kind::Io);
    assert_eq!(store.list("a").unwrap(), [""; 0]);
    assert_eq!(temporary_files(&store), 0);
}

#[test]
fn a_log_refuses_everything_after_an_error() {
    let (_folder, store) = store();
    let mut log = store.append("log").unwrap();
    log.append(b"x").unwrap();
    watch::fail_next("sync log");
    assert!(log.sync().is_err());
    watch::take();
    assert!(log.sync().is_err());
    assert!(log.append(b"y").is_err());
    assert_eq!(watch::take(), [""; 0]);
}

#[test]
fn links_and_pipes_are_not_followed() {
    let (folder, store) = store();
    let outside = folder.path().join("secret");
    std::fs::write(&outside, "x").unwrap();
    std::os::unix::fs::symlink(&outside, store.disk.root.join("link")).unwrap();
    assert!(store.read("link").is_err());
    assert!(store.open("link").is_err());
    assert!(matches!(store.create("link", Bytes::from_static(b"y")), Err(_) | Ok(Create::Theirs(_))));
    assert_eq!(std::fs::read(&outside).unwrap(), b"x");
    rustix::fs::mknodat(rustix::fs::CWD, store.disk.root.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(store.read("pipe").is_err());
}

#[test]
fn what_a_dead_process_left_is_removed_and_what_a_living_one_uses_is_not() {
    let (folder, store) = store();
    let root = folder.path().join("deep/state");
    let living = store.scratch().unwrap();
    std::fs::write(root.join("tmp/99-0.lock"), "").unwrap();
    std::fs::create_dir_all(root.join("tmp/99-0/scratch-1")).unwrap();
    std::fs::write(root.join("tmp/99-0/object-3"), "x").unwrap();
    let second = LocalStore::open(&root).unwrap();
    assert!(!root.join("tmp/99-0").exists());
    assert!(!root.join("tmp/99-0.lock").exists());
    assert!(living.path().is_dir());
    assert_ne!(second.disk.temporary, store.disk.temporary);
    assert!(store.create("x", Bytes::from_static(b"x")).is_ok());
}

#[test]
fn a_store_that_is_closed_leaves_no_temporary_folder() {
    let (folder, store) = store();
    store.create("x", Bytes::from_static(b"x")).unwrap();
    drop(store);
    assert_eq!(std::fs::read_dir(folder.path().join("deep/state/tmp")).unwrap().count(), 0);
}

#[test]
fn a_deletion_removes_empty_folders_and_they_can_be_made_again() {
    let (_folder, store) = store();
    store.create("a/b/c", Bytes::from_static(b"x")).unwrap();
    store.delete("a/b/c").unwrap();
    assert!(!store.disk.root.join("a").exists());
    watch::take();
    store.create("a/b/c", Bytes::from_static(b"x")).unwrap();
    assert_eq!(watch::take()[3..], ["sync folder b", "sync folder a", "sync folder state"]);
}
