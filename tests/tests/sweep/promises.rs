//! What the sweep stands on, and what the engine asks of a store: the simulated one keeps it, and one that does not is noticed.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use outflow_contract::Result;
use outflow_contract::state_store::{AppendLog, Create, Lock, ObjectReader, ObjectWriter, Scratch, StateStore};
use outflow_ledger::store::{MemoryStore, conformance};

use crate::check;
use crate::machine::{Act, empty_world, process};
use crate::scenario::named;
use crate::store::SimStore;
use crate::world::{Process, lock};

#[test]
fn the_simulated_disk_keeps_the_promises_of_a_state_store() {
    let world = Arc::new(Mutex::new(empty_world(1)));
    conformance::all(&SimStore::new(Process::start(&world)));
}

/// A store in which the last writer wins.
struct Overwriting(MemoryStore);

impl StateStore for Overwriting {
    fn create(&self, path: &str, body: Bytes) -> Result<Create> {
        self.0.delete(path)?;
        self.0.create(path, body)
    }
    fn read(&self, path: &str) -> Result<Option<Bytes>> {
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
    fn scratch(&self) -> Result<Scratch> {
        self.0.scratch()
    }
    fn location(&self) -> String {
        self.0.location()
    }
}

#[test]
fn a_store_that_overwrites_what_is_there_fails_the_conformance_suite() {
    let checks: [fn(&dyn StateStore); 3] =
        [conformance::an_object_is_created_once, conformance::equal_bytes_are_ours, conformance::one_of_many_creators_wins];
    for check in checks {
        let store = Overwriting(MemoryStore::new());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&store))).is_err());
        check(&MemoryStore::new());
    }
}

/// A head is looked for by its name, not only in a list that may be older than it.
#[test]
fn a_list_that_lacks_the_newest_commit_misleads_nobody() {
    let world = Arc::new(Mutex::new(empty_world(1)));
    lock(&world).lists_lag = true;
    for stage in named("serial").unwrap().stages {
        lock(&world).calm();
        (stage.edit)(&mut lock(&world));
        let ended = process(&world, stage.setup, Act::Run);
        assert_eq!(check::failures(&ended), Vec::<String>::new(), "{}", stage.name);
        assert_eq!(check::state(&world), Vec::<String>::new(), "{}", stage.name);
    }
    assert_eq!(check::mirrored(&world), Vec::<String>::new());
    let before = lock(&world).log.len();
    lock(&world).calm();
    let setup = named("serial").unwrap().stages[0].setup;
    process(&world, setup, Act::Run);
    assert_eq!(lock(&world).log.len(), before, "the next run sends nothing");
}
