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

use outflow_contract::state_store::{Create, StateStore};
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, PendingFile};
use outflow_ledger::{paths, runs};

use super::{Engine, recover};
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
        let head = self.state_to_leave(old).await?;
        if self.state_of(mapping).await?.is_some_and(|state| !state.is_blank() && state.origin != head.origin) {
            return Err(Error::invalid(format!("mapping `{new}` has a state of its own already"))
                .remedy(format!("keep it, and end the old one with `outflow rename {old} --forget`")));
        }
        let _locks = self.lock_leaving(&head, old, &[new], wait).await?;
        recover::leaving(self, old).await?;
        let (store, old, new) = (Arc::clone(&self.store), old.to_owned(), new.to_owned());
        let (nonces, at) = ([self.clock.random(), self.clock.random(), self.clock.random()], rfc3339(self.clock.wall()));
        let destination = mapping.destination.clone();
        blocking(move || {
            let store = store.as_ref();
            let head = read_head(store, &old)?;
            let chain = Chain::of_mapping(&new);
            let there: Option<MappingCommit> = chain.head(store)?;
            // Otherwise it was moved by a renaming that did not come to its end.
            if there.as_ref().is_none_or(MappingCommit::is_blank) {
                let epoch = runs::next_epoch(store, &old)?.max(runs::next_epoch(store, &new)?);
                let pending = copy_pending(store, &head.pending, &new, epoch, nonces[0])?;
                let number = there.map_or(0, |there| there.number) + 1;
                let moved = MappingCommit { number, at: at.clone(), ..head.clone().carried_over(destination, pending, epoch) };
                chain.commit(store, &moved, nonces[1], &format!("mapping `{new}`"))?;
            }
            end(store, &old, head.clone(), &new, at, nonces[2])?;
            Ok(Renamed { cursor: head.cursor, pending: head.pending.iter().map(|file| file.counts.total()).sum() })
        })
        .await
    }

    /// Ends the state of the mapping `old`, which the project no longer has: no mapping goes on with it. What it delivered stays where
    /// it is. Returns how many records were still to be sent.
    pub async fn forget(&self, old: &str, wait: bool) -> Result<u64> {
        let head = self.state_to_leave(old).await?;
        let _locks = self.lock_leaving(&head, old, &[], wait).await?;
        recover::leaving(self, old).await?;
        // Nobody will look at its deadline any more.
        super::sync::wait_until_cold(self, old, std::slice::from_ref(&self.state_to_leave(old).await?)).await;
        let (store, old, nonce, at) = (Arc::clone(&self.store), old.to_owned(), self.clock.random(), rfc3339(self.clock.wall()));
        blocking(move || {
            let head = read_head(store.as_ref(), &old)?;
            let pending = head.pending.iter().map(|file| file.counts.total()).sum();
            end(store.as_ref(), &old, head, "", at, nonce)?;
            Ok(pending)
        })
        .await
    }

    /// A mapping of the state that the project does not have, but that wrote the same records of the same model to the same account:
    /// `mapping`, which has no state, may be it under a new name.
    pub(crate) fn predecessor(&self, mapping: &outflow_contract::plan::Mapping, account: &str) -> Result<Option<String>> {
        for name in runs::mappings(self.store.as_ref())? {
            if self.project.mapping(&name).is_some() {
                continue;
            }
            let head: Option<MappingCommit> = Chain::of_mapping(&name).head(self.store.as_ref())?;
            if head.is_some_and(|head| head.ended.is_none() && head.model == mapping.model && head.account == account) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    async fn state_to_leave(&self, old: &str) -> Result<MappingCommit> {
        if self.project.mapping(old).is_some() {
            return Err(Error::invalid(format!("the project still has a mapping `{old}`"))
                .remedy("give the mapping its new name in outflow.yml first, then carry its state over"));
        }
        let (store, old) = (Arc::clone(&self.store), old.to_owned());
        blocking(move || read_head(store.as_ref(), &old)).await
    }

    /// The locks of the old mapping's account and of its followers', in one order for everybody.
    async fn lock_leaving(
        &self,
        head: &MappingCommit,
        old: &str,
        followers: &[&str],
        wait: bool,
    ) -> Result<Vec<outflow_contract::state_store::Lock>> {
        let mut names = vec![(paths::delivery_lock(&head.model, &head.account), old.to_owned())];
        for follower in followers {
            let mapping = self.mapping(follower)?;
            names.push((paths::delivery_lock(&mapping.model, &super::account(self, mapping)?), mapping.name.clone()));
        }
        self.take_locks(names, wait).await
    }
}

fn read_head(store: &dyn StateStore, old: &str) -> Result<MappingCommit> {
    let head: Option<MappingCommit> = Chain::of_mapping(old).head(store)?;
    match head {
        Some(head) if head.ended.is_none() => Ok(head),
        Some(head) => {
            let now =
                head.ended.filter(|name| !name.is_empty()).map_or_else(|| "has ended".to_owned(), |name| format!("goes on as `{name}`"));
            Err(Error::new(Kind::NotFound, format!("mapping `{old}` {now} already")))
        }
        None => {
            let names = runs::mappings(store)?;
            let known = if names.is_empty() { "none at all".to_owned() } else { names.join(", ") };
            Err(Error::new(Kind::NotFound, format!("the state holds no mapping `{old}`")).remedy(format!("it holds {known}")))
        }
    }
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
