//! The path on one page: extract → diff → map → deliver → commit, for the mappings that were asked for.
//!
//! ```text
//! for each model:  lock its mappings ─► recover them ─► extract once ─► for each mapping: seal ─► deliver ─► commit
//! ```
//!
//! Locks are held in that order and by everybody ([`locks`]): a mapping's and its account's until its sync has ended, the extraction's for
//! the extraction. What was interrupted is recovered before anything new is read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use outflow_contract::clock::Clock;
use outflow_contract::destination::{Destination, Order};
use outflow_contract::plan::{DestinationConfig, Mapping, Model, Project};
use outflow_contract::report::{Status, SyncReport};
use outflow_contract::source::{Query, Source};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result, Selection};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::ModelCommit;

use crate::blocking;
use crate::cancel::Cancel;
use crate::deliver::link::{Link, Links};
use crate::deliver::pace::Pace;
use crate::deliver::tokens::Tokens;
use crate::deliver::transport::{Carrier, ProxyEnv, StorageEnv, Transport, TransportOptions};
use crate::extract::{Extracted, Extraction};
use crate::seal::Allowed;

mod amend;
mod aside;
mod identified;
pub(crate) mod identity;
pub(crate) mod locks;
pub(crate) mod orphans;
pub(crate) mod recover;
mod rename;
pub mod replay;
mod stands;
mod sync;
mod waiting;

pub use amend::Baselined;
pub use aside::Aside;
pub use rename::Renamed;
use stands::For;
pub(crate) use sync::{account, siblings, stopped_by_guard};
pub use waiting::{Acknowledged, Waiting, WaitingReason, WaitingRecord, Which};

/// Why a sync has not begun.
const ENDED: &str = "the run was asked to end before this sync began";

/// A project with everything that it needs to run.
#[derive(Clone)]
pub struct Engine {
    /// The project.
    pub project: Arc<Project>,
    /// Its state.
    pub store: Arc<dyn StateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Its sources, by name.
    pub sources: BTreeMap<String, Arc<dyn Source>>,
    /// The destination of each mapping, configured for its action, by the mapping's name.
    pub destinations: BTreeMap<String, Arc<dyn Destination>>,
    /// The values of the proxy variables of the environment.
    pub proxy: ProxyEnv,
    /// What the environment says of object storage.
    pub storage: StorageEnv,
    /// Takes every request instead of the network; `None` but in simulations.
    pub carrier: Option<Arc<dyn Carrier>>,
    /// Threads that hash, compare and map.
    pub workers: usize,
    /// The ways to its destinations, which all syncs of this process share.
    pub links: Links,
    /// Asks what is under way to end.
    pub cancel: Cancel,
    /// Is told how things go.
    pub observer: Arc<dyn Observer>,
}

/// Is told how a run goes. Nothing here changes what it does.
pub trait Observer: Send + Sync {
    /// A model is being extracted; the counter counts its records.
    fn extracting(&self, _model: &str, _records: Arc<AtomicU64>) {}
    /// Its extraction has ended.
    fn extracted(&self, _model: &str, _extracted: &Extracted) {}
    /// A mapping waits: for a lock, or for a request of an earlier run that may still take effect.
    fn waiting(&self, _mapping: &str, _why: &str) {}
    /// A sync delivers; the counter counts its records up to `total`.
    fn delivering(&self, _sync: &SyncReport, _total: u64, _records: Arc<AtomicU64>) {}
    /// A sync has ended.
    fn finished(&self, _report: &SyncReport) {}
}

/// Says nothing.
pub struct Silent;

impl Observer for Silent {}

/// What is to be run, and how.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Mappings, by name.
    pub mappings: Vec<String>,
    /// Wait for locks rather than say that they are taken.
    pub wait: bool,
    /// Guards to pass once.
    pub allowed: Allowed,
    /// Without an extraction: what the state has is sent.
    pub retry: Option<Retry>,
}

/// A run without an extraction: what waits is sent, up to the version that the state has of each model.
#[derive(Clone, Debug, Default)]
pub struct Retry {
    /// Nothing but the records with these identifiers, as JSON or as plain text; all that wait where there are none.
    pub ids: Vec<String>,
    /// What is set aside, too.
    pub set_aside: bool,
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct RunOutcome {
    /// One for each mapping whose sync could begin.
    pub reports: Vec<SyncReport>,
    /// What kept the syncs of a model from beginning.
    pub errors: Vec<Error>,
}

impl Engine {
    /// Runs the mappings, model by model; one report for each. What goes wrong in a sync is in its report; what goes wrong round
    /// the syncs of a model (a lock, the state) is in `errors`, and the other models go on.
    pub async fn run(&self, options: &RunOptions) -> RunOutcome {
        let mut outcome = RunOutcome::default();
        for (model, mappings) in self.by_model(&options.mappings) {
            if self.cancel.is_asked() {
                outcome.reports.extend(mappings.iter().map(|mapping| self.not_run(mapping, Status::Cancelled, ENDED.to_owned())));
                continue;
            }
            match self.run_model(model, &mappings, options).await {
                Ok(reports) => {
                    outcome.reports.extend(reports);
                    if !self.cancel.is_asked() {
                        self.retain_after_run(&model.name).await;
                    }
                }
                Err(error) => {
                    let names: Vec<&str> = mappings.iter().map(|mapping| mapping.name.as_str()).collect();
                    outcome.errors.push(error.with("model", &model.name).with("not run", names.join(", ")));
                }
            }
        }
        outcome
    }

    /// The selected mappings under their models, both in the order of the project.
    pub(crate) fn by_model<'a>(&'a self, names: &[String]) -> Vec<(&'a Model, Vec<&'a Mapping>)> {
        let of = |model: &Model| -> Vec<&'a Mapping> {
            self.project.mappings.iter().filter(|mapping| mapping.model == model.name && names.contains(&mapping.name)).collect()
        };
        self.project.models.iter().map(|model| (model, of(model))).filter(|(_, mappings)| !mappings.is_empty()).collect()
    }

    async fn run_model(&self, model: &Model, mappings: &[&Mapping], options: &RunOptions) -> Result<Vec<SyncReport>> {
        let (enabled, disabled): (Vec<&Mapping>, Vec<&Mapping>) = mappings.iter().partition(|mapping| self.is_enabled(mapping));
        let mut reports: Vec<SyncReport> = disabled.iter().map(|mapping| self.skipped(mapping)).collect();
        if enabled.is_empty() {
            return Ok(reports);
        }
        let started = self.clock.monotonic();
        let locks = self.lock(&enabled, options.wait).await?;
        let recovered = recover::mappings(self, &enabled).await?;
        let mut due = Vec::with_capacity(enabled.len());
        for mapping in enabled {
            match self.state_of(mapping).await?.and_then(|state| state.paused) {
                Some(reason) => reports.push(self.paused(mapping, &reason)),
                None => due.push(mapping),
            }
        }
        let mut enabled = due;
        let goes_first = |mapping: &Mapping| {
            let order = self.destinations.get(&mapping.name).map(|destination| destination.order());
            order == Some(Order::DeletesFirst) && mapping.selection == Selection::Deleted
        };
        enabled.sort_by_key(|mapping| !goes_first(mapping));
        if enabled.is_empty() {
            return Ok(reports);
        }
        match self.what_to_send_from(model, options).await {
            Ok(None) => {
                let why = format!("nothing waits: the model `{}` was never extracted; `outflow run` does", model.name);
                reports.extend(enabled.iter().map(|mapping| self.not_run(mapping, Status::Skipped, why.clone())));
            }
            Ok(Some(extracted)) => {
                let took = self.clock.monotonic().saturating_sub(started).as_secs_f64();
                for mapping in &enabled {
                    if self.cancel.is_asked() {
                        reports.push(self.not_run(mapping, Status::Cancelled, ENDED.to_owned()));
                        continue;
                    }
                    let notices = recovered.iter().filter(|one| one.mapping == mapping.name).map(|one| one.notice.clone());
                    let report = sync::Sync::new(self, mapping, &extracted, took).noting(notices).run(options).await;
                    self.observer.finished(&report);
                    reports.push(report);
                }
            }
            Err(error) if error.kind() == Kind::Cancelled => {
                reports.extend(enabled.iter().map(|mapping| self.not_run(mapping, Status::Cancelled, ENDED.to_owned())));
            }
            Err(error) => {
                for mapping in &enabled {
                    let report = self.failed_before(mapping, &error).await;
                    self.observer.finished(&report);
                    reports.push(report);
                }
            }
        }
        drop(locks);
        Ok(reports)
    }

    /// A new extraction; or, for a retry, what the state has of the model: `None` if that is nothing.
    async fn what_to_send_from(&self, model: &Model, options: &RunOptions) -> Result<Option<Extracted>> {
        if options.retry.is_none() {
            return self.extract(model).await.map(Some);
        }
        self.all_stand(model, For::All).await?;
        Ok(self.head_of(model).await?.map(Extracted::of))
    }

    /// What the state has of a model; `None` if it has nothing.
    pub(crate) async fn head_of(&self, model: &Model) -> Result<Option<ModelCommit>> {
        let (store, chain) = (Arc::clone(&self.store), Chain::of_model(&model.name));
        blocking(move || chain.head(store.as_ref())).await
    }

    /// Runs the model's query and commits what changed as its next version.
    pub(crate) async fn extract(&self, model: &Model) -> Result<Extracted> {
        self.extract_for(model, For::All).await
    }

    /// The same, where not every mapping need stand on what the state has of the model.
    async fn extract_for(&self, model: &Model, asked: For<'_>) -> Result<Extracted> {
        let source = self.sources.get(&model.source);
        let source = source.ok_or_else(|| Error::bug(format!("the source `{}` was not opened", model.source)))?;
        let _lock = self.lock_extraction(&model.name, true).await?;
        self.all_stand(model, asked).await?;
        let timeout = self.project.source(&model.source).and_then(|source| source.query_timeout);
        let stream = self.cancel.or(source.stream(&Query { sql: model.sql.clone(), timeout })).await?;
        let progress = Arc::new(AtomicU64::new(0));
        self.observer.extracting(&model.name, Arc::clone(&progress));
        let extraction = Extraction {
            store: Arc::clone(&self.store),
            clock: self.clock.as_ref(),
            model,
            limits: &self.project.limits,
            workers: self.workers,
            progress,
        };
        let extracted = self.cancel.or(extraction.run(stream)).await.map_err(|error| error.with("model", &model.name))?;
        self.observer.extracted(&model.name, &extracted);
        Ok(extracted)
    }

    pub(crate) fn is_enabled(&self, mapping: &Mapping) -> bool {
        mapping.enabled && self.project.destination(&mapping.destination).is_some_and(|destination| destination.enabled)
    }

    /// How long a request of this mapping may still take effect.
    pub(crate) fn request_lifetime(&self, mapping: &Mapping) -> Duration {
        self.project.destination(&mapping.destination).map_or(Duration::ZERO, |destination| destination.request_lifetime)
    }

    /// The way to a destination.
    pub(crate) fn link(&self, config: &DestinationConfig) -> Result<Link> {
        self.links.to(&config.name, || {
            Ok(Link {
                pace: Pace::new(config.concurrency, config.rate_limit, Arc::clone(&self.clock)),
                transport: Arc::new(self.transport(config)?),
                tokens: Arc::new(Tokens::new(Arc::clone(&self.clock), self.project.redactor.clone())),
            })
        })
    }

    fn transport(&self, config: &DestinationConfig) -> Result<Transport> {
        Transport::new(TransportOptions {
            ca_file: config.ca_file.clone(),
            gateway: config.gateway.clone(),
            request_timeout: config.request_timeout,
            proxy_env: self.proxy.clone(),
            storage_env: self.storage.clone(),
            user_agent: concat!("outflow/", env!("CARGO_PKG_VERSION")).to_owned(),
            concurrency: config.concurrency,
            redactor: self.project.redactor.clone(),
            carrier: self.carrier.clone(),
        })
        .map_err(|error| error.with("destination", &config.name))
    }

    fn skipped(&self, mapping: &Mapping) -> SyncReport {
        let why = if mapping.enabled {
            format!("the destination `{}` is disabled: its changes wait until it is enabled", mapping.destination)
        } else {
            "the mapping is disabled: its changes wait until it is enabled".to_owned()
        };
        self.not_run(mapping, Status::Skipped, why)
    }

    fn paused(&self, mapping: &Mapping, reason: &str) -> SyncReport {
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        self.not_run(mapping, Status::Skipped, format!("paused{reason}: its changes wait until `outflow resume {}`", mapping.name))
    }

    fn not_run(&self, mapping: &Mapping, status: Status, why: String) -> SyncReport {
        let report = SyncReport { message: Some(why), ..sync::new_report(self, mapping, status) };
        self.observer.finished(&report);
        report
    }

    async fn failed_before(&self, mapping: &Mapping, error: &Error) -> SyncReport {
        let report = SyncReport { message: Some(sync::message(self, error)), ..sync::new_report(self, mapping, Status::Failed) };
        sync::keep_report(self, None, &report).await;
        report
    }
}
