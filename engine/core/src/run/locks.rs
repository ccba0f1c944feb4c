//! The locks under which a mapping's state is changed: by a run, by what people do by hand, and by retention. Nothing of a state is taken
//! up, amended or dropped before all of them are held, and there is no other way to take them.
//!
//! ```text
//! of the mapping, of each that writes beside it, and of each that only the state still has there:
//!   its name          its state, whatever the project says now of its model and its destination
//!   model, account    where it writes (rule 18): as the project says, as its state says, and as a run says that has not ended
//! ```
//!
//! A run that began when the project was another one has read it and goes on: its name keeps others off its state, and the places that
//! it has written down keep them off the account. All locks are taken in the order of their names, which is the same for everybody, and
//! that of an extraction after them: so nobody waits for one who waits. What the state says is read before they are held, and once more
//! after: if it has changed in between, they are let go and taken anew.

use std::collections::BTreeMap;
use std::time::Duration;

use outflow_contract::plan::Mapping;
use outflow_contract::state_store::Lock;
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::paths;

use super::{Engine, account, orphans, recover, siblings};
use crate::blocking;

/// How often a taken lock is tried again.
const POLL: Duration = Duration::from_millis(100);

/// Whose locks are taken with those of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody's. A state that cannot be read has only its name: this is also how a damaged one is set aside.
    Own,
    /// Those of all that write beside it, as they are to be recovered too (rule 18).
    Beside,
}

/// Locks, each with the mapping for which it is taken.
type Needed = BTreeMap<String, String>;

impl Engine {
    /// The locks of these mappings, and their interrupted runs folded.
    pub(crate) async fn lock_and_recover(&self, mappings: &[&Mapping], wait: bool) -> Result<Vec<Lock>> {
        let locks = self.lock(mappings, wait).await?;
        recover::mappings(self, mappings).await?;
        Ok(locks)
    }

    /// The locks of these mappings, and of all that write beside them.
    pub(crate) async fn lock(&self, mappings: &[&Mapping], wait: bool) -> Result<Vec<Lock>> {
        self.lock_states(mappings.iter().map(|mapping| mapping.name.clone()).collect(), Reach::Beside, wait).await
    }

    /// The locks of the mappings of these names, whether the project has them or only the state.
    pub(crate) async fn lock_states(&self, names: Vec<String>, reach: Reach, wait: bool) -> Result<Vec<Lock>> {
        let mut needed = self.needed(&names, reach).await?;
        loop {
            let mut locks = Vec::with_capacity(needed.len());
            for (lock, mapping) in &needed {
                locks.push(self.take_lock(lock, mapping, wait).await?);
            }
            let now = self.needed(&names, reach).await?;
            if now.keys().all(|lock| needed.contains_key(lock)) {
                return Ok(locks);
            }
            needed = now;
        }
    }

    /// The lock of a model's extraction: after those of mappings, by whoever takes them too.
    pub(crate) async fn lock_extraction(&self, model: &str, wait: bool) -> Result<Lock> {
        self.take_lock(&paths::extraction_lock(model), model, wait).await
    }

    async fn take_lock(&self, lock: &str, who: &str, wait: bool) -> Result<Lock> {
        let mut told = false;
        loop {
            if let Some(lock) = self.store.try_lock(lock)? {
                return Ok(lock);
            }
            if !wait {
                return Err(Error::new(Kind::Busy, format!("another run holds the lock of `{who}`"))
                    .remedy("wait until it has ended, or run with --wait")
                    .with("state", self.store.location()));
            }
            if !told {
                self.observer.waiting(who, "another run holds its lock");
                told = true;
            }
            self.cancel.or_after(self.clock.sleep(POLL)).await?;
        }
    }

    async fn needed(&self, names: &[String], reach: Reach) -> Result<Needed> {
        let (engine, names) = (self.clone(), names.to_vec());
        blocking(move || {
            let mut needed = Needed::new();
            for name in &names {
                engine.add_locks(name, reach, &mut needed)?;
            }
            if reach == Reach::Beside {
                for mapping in names.iter().filter_map(|name| engine.project.mapping(name)) {
                    for sibling in siblings(&engine, mapping)? {
                        engine.add_locks(&sibling.name, reach, &mut needed)?;
                    }
                    for orphan in orphans::of(&engine, mapping)? {
                        engine.add_locks(&orphan, reach, &mut needed)?;
                    }
                }
            }
            Ok(needed)
        })
        .await
    }

    /// The locks of the mapping `name` alone. Blocks.
    fn add_locks(&self, name: &str, reach: Reach, needed: &mut Needed) -> Result<()> {
        let mut add = |lock: String| {
            needed.entry(lock).or_insert_with(|| name.to_owned());
        };
        add(paths::mapping_lock(name));
        if let Some(mapping) = self.project.mapping(name) {
            add(paths::delivery_lock(&mapping.model, &account(self, mapping)?));
        }
        match orphans::places(self.store.as_ref(), name) {
            Ok(places) => places.iter().for_each(|place| add(paths::delivery_lock(&place.model, &place.account))),
            Err(error) if error.kind() == Kind::Io && reach == Reach::Beside => return Err(error),
            // Damaged: recovery says so, once nobody else can be at it.
            Err(_) => {}
        }
        Ok(())
    }
}
