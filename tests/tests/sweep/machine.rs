//! A process on the simulated machine: the real engine, put together as the command line does it, over a world that can fail.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use outflow_contract::Result;
use outflow_contract::clock::Clock;
use outflow_contract::plan::Project;
use outflow_contract::report::SyncReport;
use outflow_contract::source::Source;
use outflow_engine::cancel::Cancel;
use outflow_engine::deliver::link::Links;
use outflow_engine::deliver::transport::{ProxyEnv, StorageEnv};
use outflow_engine::retain::RetainOptions;
use outflow_engine::run::{Engine, RunOptions, RunOutcome, Silent};
use outflow_planner::{Options, load};

use crate::destination::{Account, SimCarrier};
use crate::source::SimSource;
use crate::store::SimStore;
use crate::world::{Process, World, lock};

/// How long a request whose answer was not read may still take effect.
pub(crate) const REQUEST_LIFETIME: Duration = Duration::from_secs(30);
/// Records in one request.
pub(crate) const REQUEST_RECORDS: usize = 2;
/// The pair of mappings that mirrors the model, and one that does so alone; the last is what `copy` is renamed to.
pub(crate) const MAPPINGS: [&str; 4] = ["upserts", "removals", "copy", "copied"];
/// The account of the pair.
pub(crate) const PAIR: &str = "/pair";
/// The account of the other.
pub(crate) const ALONE: &str = "/alone";
/// The time of day when a world begins: 1 January 2026.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// How a project is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Setup {
    /// Requests under way at once.
    pub(crate) concurrency: usize,
    /// `copy` has its new name.
    pub(crate) renamed: bool,
    /// Nothing is kept for longer than it is needed.
    pub(crate) forgetful: bool,
}

impl Setup {
    pub(crate) fn mappings(self) -> [&'static str; 3] {
        let [upserts, removals, copy, copied] = MAPPINGS;
        [upserts, removals, if self.renamed { copied } else { copy }]
    }

    fn project(self) -> Arc<Project> {
        static LOADED: OnceLock<Mutex<BTreeMap<Setup, Arc<Project>>>> = OnceLock::new();
        let mut loaded = LOADED.get_or_init(Mutex::default).lock().unwrap();
        Arc::clone(loaded.entry(self).or_insert_with(|| Arc::new(self.load())))
    }

    fn load(self) -> Project {
        let Self { concurrency, .. } = self;
        let [upserts, removals, copy] = self.mappings();
        let (fields, lifetime) = ("{ id: $.id, op: $.__op, name: $.name }", REQUEST_LIFETIME.as_secs());
        let every = format!("type: webhook, concurrency: {concurrency}, request_timeout: 10s, request_lifetime: {lifetime}s");
        let batch = format!("batch: {{ records: {REQUEST_RECORDS}, body: array }}");
        let results = "results: { items: $.results, match: index, index: $.index, ok: { field: $.status, values: [ok] }, code: $.code, message: $.message }";
        let retention = if self.forgetful { "retention: { versions: 1s, syncs: 1s }" } else { "" };
        let folder = outflow_tests::Project::with(&format!(
            "version: 1
{retention}
sources: {{ warehouse: {{ type: files, tables: {{ people: people.parquet }} }} }}
models: {{ people: {{ source: warehouse, table: people, id: id }} }}
destinations:
  crm: {{ {every}, settings: {{ url: 'http://crm.example{PAIR}', {batch} }} }}
  lake: {{ {every}, settings: {{ url: 'http://lake.example{ALONE}', {batch}, {results} }} }}
mappings:
  {upserts}: {{ model: people, destination: crm, action: send, records: added_or_updated, fields: {fields} }}
  {removals}: {{ model: people, destination: crm, action: send, records: deleted, fields: {fields} }}
  {copy}: {{ model: people, destination: lake, action: send, records: all, fields: {fields} }}
"
        ));
        let descriptors = outflow_connectors::descriptors();
        let options = Options { root: folder.root(), target: None, env: &|_| None, descriptors: &descriptors };
        load(&options).unwrap_or_else(|problems| panic!("{problems}")).project
    }

    fn engine(self, process: &Process) -> Engine {
        let project = self.project();
        let destinations = project.mappings.iter().map(|mapping| {
            let config = project.destination(&mapping.destination).unwrap();
            let connector = outflow_connectors::connector(&config.kind).unwrap();
            (mapping.name.clone(), connector.configure(config, &mapping.action, &mapping.constants).unwrap())
        });
        let source: Arc<dyn Source> = Arc::new(SimSource(process.clone()));
        Engine {
            destinations: destinations.collect(),
            project,
            store: Arc::new(SimStore::new(process.clone())),
            clock: Arc::new(process.clone()),
            sources: BTreeMap::from([("warehouse".to_owned(), source)]),
            proxy: ProxyEnv::default(),
            storage: StorageEnv::default(),
            carrier: Some(Arc::new(SimCarrier(process.clone()))),
            workers: 1,
            links: Links::default(),
            cancel: Cancel::default(),
            observer: Arc::new(Silent),
        }
    }
}

/// A world without anything in it.
pub(crate) fn empty_world(seed: u64) -> World {
    let accounts = [(PAIR.to_owned(), Account::new(false)), (ALONE.to_owned(), Account::new(true))];
    World::new(seed, accounts.into())
}

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// `outflow run`
    Run,
    /// `outflow reset copy`
    Reset,
    /// `outflow baseline copy`
    Baseline,
    /// `outflow pause upserts`
    Pause,
    /// `outflow resume upserts`
    Resume,
    /// `outflow rename copy copied`
    Rename,
    /// `outflow gc`
    Retain,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It died on the way.
    Died,
    /// It came to its end, with the reports of its syncs and whatever went wrong besides.
    Lived { reports: Vec<SyncReport>, errors: Vec<String> },
}

impl Ended {
    fn of<T>(result: Result<T>) -> Self {
        Self::Lived { reports: Vec::new(), errors: result.err().iter().map(ToString::to_string).collect() }
    }
}

async fn act(engine: &Engine, act: Act) -> Ended {
    let [upserts, _, copy, copied] = MAPPINGS;
    match act {
        Act::Run => {
            let mappings = engine.project.mappings.iter().map(|mapping| mapping.name.clone()).collect();
            let options = RunOptions { mappings, ..RunOptions::default() };
            let RunOutcome { reports, errors } = engine.run(&options).await;
            Ended::Lived { reports, errors: errors.iter().map(ToString::to_string).collect() }
        }
        Act::Reset => Ended::of(engine.reset(copy, false).await),
        Act::Baseline => Ended::of(engine.baseline(copy, false).await),
        Act::Pause => Ended::of(engine.pause(upserts, Some("for a while")).await),
        Act::Resume => Ended::of(engine.resume(upserts).await),
        Act::Rename => Ended::of(engine.rename(copy, copied, false).await),
        Act::Retain => Ended::of(engine.retain(RetainOptions { dry_run: false, wait: false }).await),
    }
}

/// Starts a process that does `what`, and returns when it has ended, one way or another, with all of its threads.
pub(crate) fn process(world: &Arc<Mutex<World>>, setup: Setup, what: Act) -> Ended {
    let process = Process::start(world);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let died = Arc::clone(&process.died);
    let engine = setup.engine(&process);
    let ended = runtime.block_on(async {
        tokio::select! {
            biased;
            () = died.notified() => Ended::Died,
            // What a panic of the process's own thread leaves is what a kill leaves.
            ended = AssertUnwindSafe(act(&engine, what)).catch_unwind() => ended.unwrap_or(Ended::Died),
        }
    });
    // Its last step may have been its death: then nobody has seen that it came to an end.
    let ended = if process.world().is_ok() { ended } else { Ended::Died };
    // A thread that still runs is of a process that is no more.
    lock(world).die(false);
    drop(engine);
    drop(runtime);
    ended
}

impl Clock for Process {
    fn wall(&self) -> SystemTime {
        let (time, ahead) = self.world().map_or((Duration::ZERO, 0), |world| (world.time, world.ahead_ms));
        let now = SystemTime::UNIX_EPOCH + BEGINNING + time;
        let offset = Duration::from_millis(ahead.unsigned_abs());
        if ahead < 0 { now - offset } else { now + offset }
    }

    fn monotonic(&self) -> Duration {
        self.world().map_or(Duration::ZERO, |world| world.time)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let process = self.clone();
        async move {
            // Whoever else is ready goes first; then it is that much later at once.
            tokio::task::yield_now().await;
            let slept = process.world().map(|mut world| world.time += duration).is_ok();
            if !slept {
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }

    fn random(&self) -> u64 {
        self.world().map_or(0, |mut world| world.random())
    }
}
