//! An earlier sync once more: its sealed changes, through the mapping as it was then, to the destination as it is now.
//!
//! ```text
//! lock ─► recover ─► wait until no request travels ─► sort its records: again, or kept back ─► deliver ─► one commit
//! ```
//!
//! A run like any other, but nothing is extracted, and the cursor stays. See `adr/0013-replay.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::report::SyncReport;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Counts, Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::runs::{self, PastSync, Plan};

use super::{Engine, RunOptions, recover, sync};
use crate::blocking;
use crate::extract::Extracted;
use crate::seal::Replay;

/// The sealed plan of an earlier sync. An error that says why there is none, or that it was of another kind.
pub fn plan_of(store: &dyn StateStore, sync: &PastSync) -> Result<Plan> {
    let report = &sync.report;
    match runs::read_plan(store, &report.mapping, sync.epoch) {
        Ok(plan) => Ok(plan),
        Err(error) if error.kind() == Kind::NotFound => {
            let (id, status) = (&report.sync_id, report.status.as_str());
            Err(if report.counts.selected.total > 0 && report.requests > 0 {
                Error::new(Kind::NotFound, format!("the changes of sync {id} are no longer kept"))
                    .remedy(format!("`outflow reset {}` sends every record as it is now", report.mapping))
            } else {
                Error::invalid(format!("sync {id} of mapping `{}` sent nothing ({status})", report.mapping))
                    .remedy("`outflow history` lists the syncs that did")
            })
        }
        Err(error) => Err(error),
    }
}

/// The name under which the mapping `name` of an earlier run goes on, as far as it was renamed since; `None` if it was forgotten.
pub fn name_now(store: &dyn StateStore, name: &str, epoch: u64) -> Result<Option<String>> {
    let (mut name, mut epoch) = (name.to_owned(), epoch);
    loop {
        let chain = Chain::of_mapping(&name);
        let mut went = None;
        for number in chain.numbers(store)? {
            let Some(commit): Option<MappingCommit> = chain.read(store, number)? else { continue };
            if let Some(to) = commit.ended.filter(|_| commit.closed_through >= epoch) {
                went = Some((to, commit.closed_through));
                break;
            }
        }
        match went {
            None => return Ok(Some(name)),
            Some((to, _)) if to.is_empty() => return Ok(None),
            // The other name goes on counting after it.
            Some((to, closed)) => (name, epoch) = (to, closed + 1),
        }
    }
}

impl Engine {
    /// Sends an earlier sync of mapping `name` again. The project has the mapping as it was then. What kept it from beginning is an
    /// error; what goes wrong on the way is in the report.
    pub async fn replay(&self, name: &str, replay: &Replay, wait: bool) -> Result<SyncReport> {
        let mapping = self.mapping(name)?;
        self.may_replay(mapping, &replay.past)?;
        let _locks = self.lock(&[mapping], wait).await?;
        let recovered = recover::mappings(self, &[mapping]).await?;
        if self.state_of(mapping).await?.is_some_and(|state| state.paused.is_some()) {
            return Err(Error::invalid(format!("mapping `{name}` is paused")).remedy(format!("`outflow resume {name}` ends the pause")));
        }
        if let Some(departure) = self.departure(name).await? {
            return Err(departure.error(name));
        }
        let (store, model) = (Arc::clone(&self.store), mapping.model.clone());
        let head: Option<ModelCommit> = blocking(move || Chain::of_model(&model).head(store.as_ref())).await?;
        let head = head.ok_or_else(|| Error::corrupt(format!("model `{}`, which was synced, has no state", mapping.model)))?;
        let nothing = Extracted {
            head,
            extracted: 0,
            counts: Counts::default(),
            unchanged: 0,
            rejected: BTreeMap::new(),
            notices: recovered.into_iter().filter(|one| one.mapping == name).map(|one| one.notice).collect(),
        };
        let options = RunOptions { mappings: vec![name.to_owned()], wait, ..RunOptions::default() };
        let report = sync::Sync::new(self, mapping, &nothing, 0.0).again(replay).run(&options).await;
        self.observer.finished(&report);
        Ok(report)
    }

    /// Are they records of the mapping as it is: of the same model and identifier? Is it enabled?
    fn may_replay(&self, mapping: &Mapping, past: &Plan) -> Result<()> {
        let (name, sync) = (&mapping.name, &past.sync_id);
        if !self.is_enabled(mapping) {
            return Err(Error::invalid(format!("mapping `{name}`, or its destination, is disabled")).remedy("enable it first"));
        }
        let reset = || format!("`outflow reset {name}` sends every record as it is now");
        if mapping.model != past.model {
            let (then, now) = (&past.model, &mapping.model);
            return Err(Error::invalid(format!(
                "sync {sync} sent records of model `{then}`, and mapping `{name}` now sends those of `{now}`"
            ))
            .remedy(reset()));
        }
        let id = self.project.model(&mapping.model).map(|model| model.id.as_slice()).unwrap_or_default();
        if id != past.id {
            return Err(Error::invalid(format!(
                "the identifier of model `{}` was {} in sync {sync}, and is {} now",
                past.model,
                past.id.join(", "),
                id.join(", ")
            ))
            .remedy(reset()));
        }
        Ok(())
    }
}
