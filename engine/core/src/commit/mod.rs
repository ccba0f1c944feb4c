//! commit: the outcomes of a run become the mapping's next state.
//!
//! ```text
//! sealed change set + journal ─► classify ─► fold ─► pending parts, failures ─► one commit {cursor := sealed head, pending, deadline}
//! ```
//!
//! The normal end of a run and the recovery of an interrupted one are this same function: what counts is the journal, never what
//! a process remembers. A record is delivered only if its acknowledgement is in there (I2).

mod again;
mod pending;
mod told;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use arrow::datatypes::SchemaRef;
use outflow_contract::state_store::{AppendLog, StateStore};
use outflow_contract::{Counts, Result, Selection};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, PendingCounts, PendingFile};
use outflow_ledger::failures::FailedRecord;
use outflow_ledger::fold::{Classes, classify, classify_journal};
use outflow_ledger::next::RunEnd;
use outflow_ledger::paths;
use outflow_ledger::runs::{self, Plan, fields_hash};

use crate::seal::Sealed;
use crate::time::rfc3339;

pub(crate) use pending::PendingWriter;
pub use told::{OpenReasons, Sample, Samples, Told};

/// What a sync is settled with.
pub struct Settling {
    /// Where the state is.
    pub store: Arc<dyn StateStore>,
    /// The mapping's name.
    pub mapping: String,
    /// The destination's name.
    pub destination: String,
    /// The identifier's columns.
    pub id: Vec<String>,
    /// What it sends.
    pub selection: Selection,
    /// Its head before.
    pub base: Option<MappingCommit>,
    /// The plan, to be sealed before anything is sent.
    pub plan: Plan,
    /// The change set.
    pub sealed: Arc<Sealed>,
    /// The columns of the model's records now: pending records are kept in these.
    pub schema: SchemaRef,
    /// Of the plan and the commit.
    pub nonce: u64,
    /// When.
    pub now: SystemTime,
}

/// What a sync was settled as.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Sealed records that wait for the next sync.
    pub left: PendingCounts,
    /// All that wait: with those that took no part, where some were sent ahead.
    pub pending: PendingCounts,
    /// Records that the destination has acknowledged.
    pub acked: Counts,
    /// What is written down about the records that samples were given for, by their positions.
    pub sampled: HashMap<u32, FailedRecord>,
}

impl Settling {
    /// Makes the plan durable, and before it the empty journal, which is returned: from here on the run is one to be recovered.
    pub fn seal_plan(&self) -> Result<Box<dyn AppendLog>> {
        let store = self.store.as_ref();
        let mut log = store.append(&paths::run_file(&self.mapping, self.plan.epoch, paths::JOURNAL))?;
        log.sync()?;
        if !self.sealed.unused.is_empty() {
            self.sealed.unused.write(store, &self.mapping, self.plan.epoch)?;
        }
        runs::seal(store, &self.plan, self.nonce)?;
        Ok(log)
    }

    /// Settles a run whose journal is closed. `deadline_ms`: until when one of its requests may still take effect; `told` is kept
    /// for people, and decides nothing.
    pub fn settle_run(&self, deadline_ms: Option<u64>, told: &Told) -> Result<Settled> {
        let journal = runs::read_journal(self.store.as_ref(), &self.plan)?;
        let classes = classify_journal(&journal, self.sealed.entries as usize);
        self.commit(&classes, deadline_ms, told)
    }

    /// Settles changes of which none is to be sent: no plan, no journal.
    pub fn settle_as_seen(&self) -> Result<Settled> {
        let deadline = self.base.as_ref().and_then(|base| base.deadline_ms);
        let classes = classify([], self.sealed.entries as usize);
        self.commit(&classes, deadline, &Told::default())
    }

    fn commit(&self, classes: &Classes, deadline_ms: Option<u64>, told: &Told) -> Result<Settled> {
        if self.plan.again.is_some() {
            return self.commit_again(classes, deadline_ms, told);
        }
        let pending::Written { files, left, acked, failures, sampled, ahead } = pending::write(self, classes, told)?;
        let end = self.end(files, failures, deadline_ms);
        let next = if self.plan.only.is_some() {
            // The records that were sent ahead join what is pending, and the cursor stays: the sync that follows composes them with the rest.
            self.head().after_some(end, ahead)
        } else {
            MappingCommit { fields: fields_hash(&self.plan.fields), ..self.head().after_run(end) }
        };
        let pending = next.waiting();
        self.append(&self.of_now(next))?;
        Ok(Settled { left, pending, acked, sampled })
    }

    /// What was sent once more joins what is pending, and the cursor stays. It went out as the mapping was then; what the mapping is like
    /// stays as it was.
    fn commit_again(&self, classes: &Classes, deadline_ms: Option<u64>, told: &Told) -> Result<Settled> {
        let again::Written { files, ahead, left, acked } = again::write(self, classes, told)?;
        let next = self.head().after_replay(self.end(files, None, deadline_ms), ahead);
        let (pending, left) = (next.waiting(), PendingCounts { all: left, ..PendingCounts::default() });
        self.append(&MappingCommit { at: rfc3339(self.now), ..next })?;
        Ok(Settled { left, pending, acked, sampled: HashMap::new() })
    }

    /// As the mapping is now.
    fn of_now(&self, next: MappingCommit) -> MappingCommit {
        MappingCommit {
            at: rfc3339(self.now),
            model: self.plan.model.clone(),
            destination: self.destination.clone(),
            account: self.plan.account.clone(),
            selection: self.selection,
            id: self.id.clone(),
            ..next
        }
    }

    /// The mapping's head before.
    fn head(&self) -> MappingCommit {
        self.base.clone().unwrap_or_else(|| {
            let plan = &self.plan;
            MappingCommit::nothing(&self.mapping, &plan.model, &self.destination, plan.account.clone(), self.selection, self.id.clone())
        })
    }

    fn end(&self, pending: Vec<PendingFile>, failures: Option<String>, deadline_ms: Option<u64>) -> RunEnd {
        let plan = &self.plan;
        RunEnd { epoch: plan.epoch, sync_id: plan.sync_id.clone(), saw: plan.saw.clone(), pending, failures, deadline_ms }
    }

    fn append(&self, next: &MappingCommit) -> Result<()> {
        let owner = format!("mapping `{}`", self.mapping);
        Chain::of_mapping(&self.mapping).commit(self.store.as_ref(), next, self.nonce, &owner)
    }
}
