//! What the journal costs: the same sync with its journal on disk, and with one that is only in memory.
//!
//! ```text
//! round   order              records/s of the deliver phase
//!   1     with, without      …
//!   2     without, with      …
//! ```
//!
//! Both run in this process over the same file, state and receiver, turn about, each from no state at all. What differs is one thing: a
//! journal in memory is never written to disk, so no request waits for an fsync before it leaves. It is kept for the commit alone, which
//! reads it to its end.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use outflow_connectors::FilesOptions;
use outflow_contract::clock::Clock;
use outflow_contract::report::Status;
use outflow_contract::state_store::{AppendLog, Create, Lock, ObjectReader, ObjectWriter, Scratch, StateStore};
use outflow_contract::{Error, Kind, Result};
use outflow_engine::cancel::Cancel;
use outflow_engine::clock::SystemClock;
use outflow_engine::deliver::link::Links;
use outflow_engine::deliver::transport::{ProxyEnv, StorageEnv};
use outflow_engine::run::{Engine, RunOptions, Silent};
use outflow_ledger::paths;
use outflow_ledger::store::{LocalStore, MemoryStore};
use outflow_planner::Loaded;

use crate::data::{Data, Spec};
use crate::end_to_end::webhook_project;
use crate::figures::median;
use crate::parquet_file;
use crate::receiver::Receiver;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the project is made, on the disk that is measured.
    pub folder: PathBuf,
    /// Records of the model.
    pub records: u64,
    /// Records of one request: fewer mean more intents.
    pub request_records: u64,
    /// Rounds, each of one sync with a journal and one without.
    pub rounds: usize,
    /// Threads that make the data and run the syncs.
    pub threads: usize,
}

/// Medians of all rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What was asked for: records, records of a request, rounds.
    pub records: u64,
    /// Records of one request.
    pub request_records: u64,
    /// Rounds.
    pub rounds: usize,
    /// Records/s of the deliver phase with the journal.
    pub with: f64,
    /// And without.
    pub without: f64,
    /// The median of the rounds' own ratios: with ÷ without.
    pub ratio: f64,
}

/// Measures.
///
/// # Errors
/// `Io` if the project cannot be made; `Refused` if a sync does not deliver every record once.
pub fn measure(options: &Options) -> Result<Report> {
    let receiver = Receiver::start()?;
    let loaded = make_project(options, &receiver)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(options.threads).enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("could not start the threads of the syncs", error))?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let deliver = |journal: bool| -> Result<f64> {
        let speed = runtime.block_on(sync(&loaded, options, journal))?;
        let received = receiver.take().records;
        if received == options.records { Ok(speed) } else { Err(refused(format!("{received} of {} records arrived", options.records))) }
    };
    // The first sync warms the caches of the file and of the allocator.
    deliver(true)?;
    for round in 0..options.rounds {
        for journal in [round % 2 == 0, round % 2 != 0] {
            if journal { with.push(deliver(true)?) } else { without.push(deliver(false)?) }
        }
    }
    let ratio = median(with.iter().zip(&without).map(|(with, without)| with / without));
    let middle = |figures: Vec<f64>| median(figures.into_iter());
    let (Some(with), Some(without), Some(ratio)) = (middle(with), middle(without), ratio) else {
        return Err(Error::invalid("no rounds were asked for").remedy("give `--repeat 1` or more"));
    };
    Ok(Report { records: options.records, request_records: options.request_records, rounds: options.rounds, with, without, ratio })
}

/// One sync from no state. Gives the records/s of its deliver phase.
async fn sync(loaded: &Loaded, options: &Options, journal: bool) -> Result<f64> {
    let state = &loaded.project.state;
    if state.exists() {
        fs::remove_dir_all(state).map_err(|error| Error::io(format!("could not remove {}", state.display()), error))?;
    }
    let local = Arc::new(LocalStore::open(state)?);
    let store: Arc<dyn StateStore> = if journal { local } else { Arc::new(Unwritten { kept: local, journals: MemoryStore::default() }) };
    let engine = open(loaded, store, options.threads)?;
    let mappings = loaded.project.mappings.iter().map(|mapping| mapping.name.clone()).collect();
    let outcome = engine.run(&RunOptions { mappings, ..RunOptions::default() }).await;
    match outcome.reports.first() {
        Some(report) if report.status == Status::Success => Ok(options.records as f64 / report.timing.deliver),
        Some(report) => Err(refused(report.message.clone().unwrap_or_else(|| report.status.as_str().to_owned()))),
        None => Err(outcome.errors.into_iter().next().unwrap_or_else(|| refused("no sync began".to_owned()))),
    }
}

fn refused(message: String) -> Error {
    Error::new(Kind::Refused, message)
}

fn make_project(options: &Options, receiver: &Receiver) -> Result<Loaded> {
    let folder = &options.folder;
    let failed = |error: std::io::Error| Error::io(format!("could not write to {}", folder.display()), error);
    fs::create_dir_all(folder.join("data")).map_err(failed)?;
    let data = Data::new(&Spec { records: options.records, columns: 10, ..Spec::default() })?;
    parquet_file::write(&data, &folder.join("data/records.parquet"), options.threads)?;
    let schema = data.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let text = webhook_project(receiver, &columns, options.records, options.request_records);
    fs::write(folder.join("outflow.yml"), text).map_err(failed)?;
    load(folder)
}

fn load(folder: &Path) -> Result<Loaded> {
    let descriptors = outflow_connectors::descriptors();
    let options = outflow_planner::Options { root: folder, target: None, env: &|_| None, descriptors: &descriptors };
    outflow_planner::load(&options).map_err(|problems| Error::bug(format!("the project of the benchmark has mistakes: {problems:?}")))
}

/// The engine as the program composes it.
fn open(loaded: &Loaded, store: Arc<dyn StateStore>, workers: usize) -> Result<Engine> {
    let project = &loaded.project;
    let files = FilesOptions::of(workers, None);
    let mut sources = BTreeMap::new();
    for config in &project.sources {
        sources.insert(config.name.clone(), Arc::from(outflow_connectors::source(config, &files)?));
    }
    let mut destinations = BTreeMap::new();
    for mapping in &project.mappings {
        let config = project.destination(&mapping.destination).ok_or_else(|| Error::bug("a mapping without a destination"))?;
        let connector = outflow_connectors::connector(&config.kind).ok_or_else(|| Error::bug("a destination without a connector"))?;
        destinations.insert(mapping.name.clone(), connector.configure(config, &mapping.action, &mapping.constants)?);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Ok(Engine {
        project: Arc::new(project.clone()),
        store,
        clock,
        sources,
        destinations,
        proxy: ProxyEnv::default(),
        storage: StorageEnv::default(),
        carrier: None,
        workers,
        links: Links::default(),
        cancel: Cancel::default(),
        observer: Arc::new(Silent),
    })
}

/// A store whose journals are in memory. All else is kept as ever.
struct Unwritten {
    kept: Arc<LocalStore>,
    journals: MemoryStore,
}

impl StateStore for Unwritten {
    fn create(&self, path: &str, body: Bytes) -> Result<Create> {
        self.kept.create(path, body)
    }

    fn read(&self, path: &str) -> Result<Option<Bytes>> {
        if is_journal(path) { self.journals.read(path) } else { self.kept.read(path) }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.kept.list(prefix)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.kept.delete(path)
    }

    fn writer(&self, path: &str) -> Result<Box<dyn ObjectWriter>> {
        self.kept.writer(path)
    }

    fn open(&self, path: &str) -> Result<Arc<dyn ObjectReader>> {
        if is_journal(path) { self.journals.open(path) } else { self.kept.open(path) }
    }

    fn append(&self, path: &str) -> Result<Box<dyn AppendLog>> {
        self.journals.append(path)
    }

    fn try_lock(&self, name: &str) -> Result<Option<Lock>> {
        self.kept.try_lock(name)
    }

    fn scratch(&self) -> Result<Scratch> {
        self.kept.scratch()
    }

    fn location(&self) -> String {
        self.kept.location()
    }
}

fn is_journal(path: &str) -> bool {
    path.rsplit('/').next() == Some(paths::JOURNAL)
}

/// A table for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millions = self.records as f64 / 1e6;
        writeln!(
            f,
            "{millions} M records in requests of {}, medians of {} rounds of the deliver phase",
            self.request_records, self.rounds
        )?;
        writeln!(f, "  with the journal      {:>11.0} records/s", self.with)?;
        writeln!(f, "  without               {:>11.0} records/s", self.without)?;
        writeln!(f, "  with / without        {:>11.3}", self.ratio)
    }
}

#[cfg(test)]
mod tests;
