//! retain: what is too old to be kept goes, and what still counts of it moves first.
//!
//! ```text
//! lock every mapping of the model, and its extraction ─► recover
//!   1  fold the versions that go onto the pending records of mappings that have not seen them     a commit for each (rule 14)
//!   2  copy the records that still count out of files that hold few of them                       a commit of the model
//!   3  let pending records name the copies                                                        a commit for each mapping
//!   4  drop the versions, and the files that nothing names                                        a commit of the model
//!   5  delete old commits, old runs, and every file that no kept commit names
//! ```
//!
//! Killed anywhere, the state is one that works, and the next time goes on: each step says only what is true after the one before it.
//! What is deleted is named by no commit that is kept (I6). A lock that is taken is no reason to wait, unless it is asked for.

mod drop;
mod members;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use outflow_contract::clock::Clock;
use outflow_contract::plan::Retention;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Kind, Result};
use outflow_ledger::retention::{self, Asked};
use serde::Serialize;

use crate::blocking;
use crate::plan::Overlay;
use crate::run::Engine;
use crate::time::unix_ms;
use members::Member;

/// How retention is applied by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct RetainOptions {
    /// Say what would be dropped, and drop nothing.
    pub dry_run: bool,
    /// Wait for locks rather than leave a model out.
    pub wait: bool,
}

/// What was dropped of a model and its mappings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// The model.
    pub model: String,
    /// Why nothing was: a run holds one of its locks.
    pub busy: Option<String>,
    /// Versions.
    pub versions: u64,
    /// Records whose values were copied, so that old files can go.
    pub copied: u64,
    /// What was deleted of the model.
    pub deleted: Deleted,
    /// Its mappings, by name.
    pub mappings: Vec<RetainedMapping>,
}

/// What was dropped of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RetainedMapping {
    /// The mapping.
    pub mapping: String,
    /// Records that wait for its next sync, if versions were folded into them.
    pub folded: Option<u64>,
    /// Runs.
    pub runs: u64,
    /// What was deleted of it.
    pub deleted: Deleted,
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// Commits.
    pub commits: u64,
    /// All files, commits among them.
    pub files: u64,
    /// Their sizes.
    pub bytes: u64,
}

impl Deleted {
    fn with(self, other: Self) -> Self {
        Self { commits: self.commits + other.commits, files: self.files + other.files, bytes: self.bytes + other.bytes }
    }
}

impl Retained {
    /// Of the model and of its mappings.
    pub fn total(&self) -> Deleted {
        self.mappings.iter().fold(self.deleted, |sum, mapping| sum.with(mapping.deleted))
    }

    /// Was anything changed?
    pub fn is_nothing(&self) -> bool {
        let folded = self.mappings.iter().any(|mapping| mapping.folded.is_some());
        self.versions == 0 && self.copied == 0 && !folded && self.total().files == 0
    }
}

/// One application of retention to a model whose locks are held. Blocks.
struct Retaining {
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    model: String,
    members: Vec<Member>,
    asked: Asked,
    cutoffs: Cutoffs,
}

/// What was made before goes, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Cutoffs {
    versions: u64,
    commits: u64,
    syncs: u64,
}

impl Cutoffs {
    fn new(now_ms: u64, kept: Retention) -> Self {
        let before = |age: Duration| now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let versions = before(kept.versions);
        Self { versions, commits: retention::commits_cutoff(now_ms, versions), syncs: before(kept.syncs) }
    }
}

impl Engine {
    /// Applies retention to every model of the state, whether the project still has it or not.
    pub async fn retain(&self, options: RetainOptions) -> Result<Vec<Retained>> {
        let engine =
            if options.dry_run { Self { store: Arc::new(Overlay::new(Arc::clone(&self.store))?), ..self.clone() } } else { self.clone() };
        let store = Arc::clone(&engine.store);
        let mut retained = Vec::new();
        for model in blocking(move || sweep::models(store.as_ref())).await? {
            retained.push(engine.retain_model(&model, Asked::ByHand, options.wait).await.map_err(|error| error.with("model", &model))?);
        }
        Ok(retained)
    }

    /// What the end of a run does of its own accord: something, if enough of `model` is of age. Never waits, and never fails a sync.
    pub(crate) async fn retain_after_run(&self, model: &str) {
        match self.retain_if_due(model).await {
            Ok(Some(retained)) => {
                let total = retained.total();
                let (versions, files, bytes) = (retained.versions, total.files, total.bytes);
                tracing::info!(model, versions, files, bytes, "dropped what is older than `retention` says");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(model, %error, "old state could not be dropped; `outflow gc` tries again"),
        }
    }

    async fn retain_if_due(&self, model: &str) -> Result<Option<Retained>> {
        let members = members::of(self, model).await?;
        let retaining = self.retaining(model, members, Asked::ByRun);
        if !blocking(move || retaining.is_due()).await? {
            return Ok(None);
        }
        let retained = self.retain_model(model, Asked::ByRun, false).await?;
        Ok(Some(retained).filter(|retained| !retained.is_nothing()))
    }

    async fn retain_model(&self, model: &str, asked: Asked, wait: bool) -> Result<Retained> {
        let members = members::of(self, model).await?;
        let locks = match members::lock_and_recover(self, model, &members, wait).await {
            Ok(locks) => locks,
            Err(error) if error.kind() == Kind::Busy => {
                let busy = Some(self.project.redactor.clean(error.message()));
                return Ok(Retained { model: model.to_owned(), busy, ..Retained::default() });
            }
            Err(error) => return Err(error),
        };
        let retaining = self.retaining(model, members, asked);
        let retained = blocking(move || retaining.apply()).await;
        std::mem::drop(locks);
        retained
    }

    fn retaining(&self, model: &str, members: Vec<Member>, asked: Asked) -> Retaining {
        Retaining {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            model: model.to_owned(),
            members,
            asked,
            cutoffs: Cutoffs::new(unix_ms(self.clock.wall()), self.project.retention),
        }
    }
}
