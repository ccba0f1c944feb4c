//! A mapping under a new name goes on where it stopped: its state moves to a chain of its own, and the old chain ends.
//!
//! ```text
//! old   …006 ──────────────────────────► 007 ended: goes on as `new`
//!         │ pending records are copied     ▲ second, so that a crash leaves both: renaming again goes on from there
//! new     └──────────► 001 (the same state, the same origin) first
//! ```
//!
//! Ids of requests and records are made with the name under which the state began, so that what is sent again after a renaming is
//! recognised; epochs go on counting for the same reason.

use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::state_store::{Create, Lock, StateStore};
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, PendingFile};
use outflow_ledger::next::Receives;
use outflow_ledger::{paths, runs};

use super::locks::Reach;
use super::{Engine, orphans, recover};
use crate::blocking;
use crate::time::rfc3339;

/// What a renaming carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The version of its model that the mapping has delivered; `None` if it has never synced.
    pub cursor: Option<u64>,
    /// Records that wait for its next sync.
    pub pending: u64,
}

impl Engine {
    /// Carries the state of the mapping `old`, which the project no longer has, over to its mapping `new`, which has none yet.
    pub async fn rename(&self, old: &str, new: &str, wait: bool) -> Result<Renamed> {
        let mapping = self.mapping(new)?;
        let _locks = self.lock_leaving(old, Some(mapping), wait).await?;
        recover::leaving(self, old).await?;
        let (store, old, new) = (Arc::clone(&self.store), old.to_owned(), new.to_owned());
        let (nonces, at) = ([self.clock.random(), self.clock.random(), self.clock.random()], rfc3339(self.clock.wall()));
        let destination = mapping.destination.clone();
        blocking(move || {
            let store = store.as_ref();
            let head = orphans::head(store, &old)?;
            let chain = Chain::of_mapping(&new);
            let there: Option<MappingCommit> = chain.head(store)?;
            match there.as_ref().map_or(Receives::Anew, |there| there.receives(&old, head.number)) {
                Receives::Already => {}
                Receives::Nothing => return Err(occupied(&old, &new)),
                Receives::Anew => {
                    no_third(store, &head, &old, &new)?;
                    let epoch = runs::next_epoch(store, &old)?.max(runs::next_epoch(store, &new)?);
                    let pending = copy_pending(store, &head.pending, &new, epoch, nonces[0])?;
                    let moved = head.clone().carried_over(&old, there.as_ref(), destination, pending, epoch);
                    let moved = MappingCommit { at: at.clone(), ..moved };
                    chain.commit(store, &moved, nonces[1], &format!("mapping `{new}`"))?;
                }
            }
            end(store, &old, head.clone(), &new, at, nonces[2])?;
            Ok(Renamed { cursor: head.cursor, pending: head.pending.iter().map(|file| file.counts.total()).sum() })
        })
        .await
    }

    /// Ends the state of the mapping `old`, which the project no longer has: no mapping goes on with it. What it delivered stays where
    /// it is. Returns how many records were still to be sent.
    pub async fn forget(&self, old: &str, wait: bool) -> Result<u64> {
        let _locks = self.lock_leaving(old, None, wait).await?;
        recover::leaving(self, old).await?;
        let (store, name) = (Arc::clone(&self.store), old.to_owned());
        let head = blocking(move || orphans::head(store.as_ref(), &name)).await?;
        // Nobody will look at its deadline any more.
        super::sync::wait_until_cold(self, old, std::slice::from_ref(&head)).await?;
        let pending = head.pending.iter().map(|file| file.counts.total()).sum();
        let (store, old, nonce, at) = (Arc::clone(&self.store), old.to_owned(), self.clock.random(), rfc3339(self.clock.wall()));
        blocking(move || end(store.as_ref(), &old, head, "", at, nonce).map(|()| pending)).await
    }

    /// The locks of the old mapping and of the new one.
    async fn lock_leaving(&self, old: &str, new: Option<&Mapping>, wait: bool) -> Result<Vec<Lock>> {
        if self.project.mapping(old).is_some() {
            return Err(Error::invalid(format!("the project still has a mapping `{old}`"))
                .remedy("give the mapping its new name in outflow.yml first, then carry its state over"));
        }
        let (store, name) = (Arc::clone(&self.store), old.to_owned());
        blocking(move || match orphans::place(store.as_ref(), &name)? {
            Some(_) => Ok(()),
            // Says why it is none.
            None => Err(orphans::head(store.as_ref(), &name).map_or_else(|error| error, |_| Error::bug("an orphan without a place"))),
        })
        .await?;
        let names = [Some(old), new.map(|new| new.name.as_str())].into_iter().flatten().map(str::to_owned).collect();
        self.lock_states(names, Reach::Own, wait).await
    }
}

fn occupied(old: &str, new: &str) -> Error {
    Error::invalid(format!("mapping `{new}` has a state of its own already"))
        .remedy(format!("keep it, and end the old one with `outflow rename {old} --forget`"))
}

/// One state goes on under one name: ids would be made twice otherwise. A renaming to yet another name may have stopped half way.
fn no_third(store: &dyn StateStore, head: &MappingCommit, old: &str, new: &str) -> Result<()> {
    for name in runs::mappings(store)?.into_iter().filter(|name| name != old && name != new) {
        let other: Option<MappingCommit> = Chain::of_mapping(&name).head(store)?;
        if other.is_some_and(|other| other.ended.is_none() && other.origin == head.origin) {
            return Err(Error::invalid(format!("the state of `{old}` is being carried over to `{name}` already"))
                .remedy(format!("end that with `outflow rename {old} {name}`; then carry `{name}` over to `{new}`")));
        }
    }
    Ok(())
}

/// Copies pending records into the folder of the mapping that goes on with them, for a commit names nothing outside its own.
fn copy_pending(store: &dyn StateStore, pending: &[PendingFile], new: &str, epoch: u64, nonce: u64) -> Result<Vec<PendingFile>> {
    let mut copies = Vec::with_capacity(pending.len());
    for (file, i) in pending.iter().zip(0..) {
        let path = paths::run_file(new, epoch, &paths::part("pending", nonce, i));
        let bytes = store.read(&file.path)?.ok_or_else(|| {
            Error::corrupt(format!("{} is missing, though its commit names it", file.path)).remedy("restore the state from a backup")
        })?;
        match store.create(&path, bytes)? {
            Create::Created | Create::Ours => {}
            Create::Theirs(_) | Create::Unknown => {
                return Err(Error::new(Kind::Io, format!("it is not known whether {path} was stored")).remedy("try again"));
            }
        }
        copies.push(PendingFile { path, ..file.clone() });
    }
    Ok(copies)
}

fn end(store: &dyn StateStore, old: &str, head: MappingCommit, successor: &str, at: String, nonce: u64) -> Result<()> {
    let last = MappingCommit { number: head.number + 1, at, ended: Some(successor.to_owned()), ..head };
    Chain::of_mapping(old).commit(store, &last, nonce, &format!("mapping `{old}`"))
}
