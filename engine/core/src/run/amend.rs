//! What people do to a mapping's state by hand: under its lock, after recovery, in one commit.
//!
//! ```text
//! lock ─► recover ─► [extract, wait until no request travels] ─► one commit
//! ```

use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::{Error, Kind, Op, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::MappingCommit;

use super::stands::For;
use super::{Engine, account, sync};
use crate::blocking;
use crate::time::rfc3339;

/// What a baseline did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baselined {
    /// The model's version that now counts as delivered.
    pub version: u64,
    /// Its records.
    pub records: u64,
    /// Records that were still to be sent, and no longer are.
    pub dropped_pending: u64,
}

impl Engine {
    /// A mapping of the project by its name.
    pub(crate) fn mapping(&self, name: &str) -> Result<&Mapping> {
        self.project.mapping(name).ok_or_else(|| Error::new(Kind::NotFound, format!("there is no mapping `{name}`")))
    }

    /// Makes the next sync of `name` send every record. False if it has never synced, so that there is nothing to forget (rule 15).
    pub async fn reset(&self, name: &str, wait: bool) -> Result<bool> {
        let mapping = self.mapping(name)?;
        if !mapping.selection.contains(Op::Added) {
            let selection = mapping.selection.as_str();
            return Err(Error::invalid(format!(
                "mapping `{name}` sends {selection} records only: a reset would have nothing to send again"
            ))
            .remedy("reset a mapping that sends added records"));
        }
        let _locks = self.lock_and_recover(&[mapping], wait).await?;
        let departure = self.departure(name).await?;
        let (fresh, name) = (self.nothing_yet(mapping)?, name.to_owned());
        self.amend(mapping, move |head| {
            let Some(head) = head else { return Ok((None, false)) };
            let next = head.reset(fresh);
            // Where the cursor stays, what is doubted is what the model had at it, and that is not known.
            match departure.filter(|_| next.cursor.is_some()) {
                Some(departure) => Err(departure.error(&name)),
                None => Ok((Some(next), true)),
            }
        })
        .await
    }

    /// Marks everything that the model returns now as delivered, and sends nothing (rule 16).
    pub async fn baseline(&self, name: &str, wait: bool) -> Result<Baselined> {
        let mapping = self.mapping(name)?;
        let model = self.project.model(&mapping.model).ok_or_else(|| Error::bug("a mapping without a model"))?;
        let _locks = self.lock_and_recover(&[mapping], wait).await?;
        let departed = self.departure(name).await?.is_some();
        let extracted = self.extract_for(model, For::Anew(name)).await?;
        let state = self.state_of(mapping).await?;
        sync::wait_for_travelling_requests(self, mapping, state.as_ref()).await?;
        let saw = extracted.head.sighting();
        let (version, records) = (saw.version, saw.records);
        let fresh = self.nothing_yet(mapping)?;
        self.amend(mapping, move |head| {
            let dropped_pending = head.as_ref().map_or(0, |head| head.waiting().all.total());
            let head = head.unwrap_or_else(|| fresh.clone());
            let next = head.baseline(fresh, saw);
            // Versions of the same numbers come again: no id may (rule 22).
            let next = MappingCommit { generation: next.generation + u64::from(departed), ..next };
            Ok((Some(next), Baselined { version, records, dropped_pending }))
        })
        .await
    }

    /// Sends nothing for `name` until it is resumed; its changes wait. False if it was paused before: the newer reason counts.
    pub async fn pause(&self, name: &str, reason: Option<&str>) -> Result<bool> {
        let mapping = self.mapping(name)?;
        let _locks = self.lock_and_recover(&[mapping], true).await?;
        let (fresh, reason) = (self.nothing_yet(mapping)?, reason.unwrap_or_default().to_owned());
        self.amend(mapping, move |head| {
            let head = head.unwrap_or(fresh);
            let newly = head.paused.is_none();
            Ok((Some(MappingCommit { paused: Some(reason), ..head }), newly))
        })
        .await
    }

    /// Ends a pause. The reason that it had, which may be empty; `None` if there was no pause.
    pub async fn resume(&self, name: &str) -> Result<Option<String>> {
        let mapping = self.mapping(name)?;
        let _locks = self.lock_and_recover(&[mapping], true).await?;
        self.amend(mapping, |head| {
            let Some(mut head) = head else { return Ok((None, None)) };
            let reason = head.paused.take();
            Ok((reason.is_some().then_some(head), reason))
        })
        .await
    }

    /// The state of a mapping; `None` if it has none.
    pub(crate) async fn state_of(&self, mapping: &Mapping) -> Result<Option<MappingCommit>> {
        let (store, chain) = (Arc::clone(&self.store), Chain::of_mapping(&mapping.name));
        blocking(move || chain.head(store.as_ref())).await
    }

    /// The state of a mapping before its first commit.
    pub(crate) fn nothing_yet(&self, mapping: &Mapping) -> Result<MappingCommit> {
        let id = self.project.model(&mapping.model).map(|model| model.id.clone()).unwrap_or_default();
        let account = account(self, mapping)?;
        Ok(MappingCommit::nothing(&mapping.name, &mapping.model, &mapping.destination, account, mapping.selection, id))
    }

    /// Commits what `change` makes of the mapping's head, if it makes anything of it. Its lock is held.
    pub(crate) async fn amend<T: Send + 'static>(
        &self,
        mapping: &Mapping,
        change: impl FnOnce(Option<MappingCommit>) -> Result<(Option<MappingCommit>, T)> + Send + 'static,
    ) -> Result<T> {
        let (store, name, nonce, at) = (Arc::clone(&self.store), mapping.name.clone(), self.clock.random(), rfc3339(self.clock.wall()));
        blocking(move || {
            let chain = Chain::of_mapping(&name);
            let head: Option<MappingCommit> = chain.head(store.as_ref())?;
            let number = head.as_ref().map_or(0, |head| head.number) + 1;
            let (next, result) = change(head)?;
            if let Some(next) = next {
                chain.commit(store.as_ref(), &MappingCommit { number, at, carried: None, ..next }, nonce, &format!("mapping `{name}`"))?;
            }
            Ok(result)
        })
        .await
    }
}
