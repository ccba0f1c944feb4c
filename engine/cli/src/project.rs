//! The composition root: a project with its sources, destinations and state opened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use outflow_connectors::{self as connectors, FilesOptions};
use outflow_contract::clock::Clock;
use outflow_contract::destination::{Descriptor, Destination};
use outflow_contract::plan::{DestinationConfig, Mapping, Model, Project, Settings, SourceConfig};
use outflow_contract::secret::{Redactor, Secret};
use outflow_contract::source::Source;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result};
use outflow_engine::cancel::Cancel;
use outflow_engine::clock::SystemClock;
use outflow_engine::deliver::link::Links;
use outflow_engine::deliver::transport::{ProxyEnv, StorageEnv};
use outflow_engine::run::{Engine, Observer, RunOptions, Silent};
use outflow_engine::seal::Allowed;
use outflow_ledger::store::LocalStore;
use outflow_planner::{Asked, Examined, Loaded, Options, PROJECT_FILE, Problem, Problems, Severity, Then};

use crate::args::{Allowing, Global, Selecting};
use crate::exit::Failure;

/// The project's folder; `--project` may name the file in it.
pub(crate) fn root(global: &Global) -> PathBuf {
    let path = std::path::absolute(&global.project).unwrap_or_else(|_| global.project.clone());
    let is_file = path.file_name().is_some_and(|name| name == PROJECT_FILE) && !path.is_dir();
    path.parent().filter(|_| is_file).map_or_else(|| path.clone(), Path::to_owned)
}

/// Reads and checks the project.
pub(crate) fn load(global: &Global) -> Result<Loaded, Failure> {
    load_by(global, outflow_planner::load)
}

/// The same, and lets mappings through whose required fields are still to be filled in: for those who only look.
pub(crate) fn load_unfinished(global: &Global) -> Result<Loaded, Failure> {
    load_by(global, outflow_planner::load_unfinished)
}

fn load_by(global: &Global, load: fn(&Options<'_>) -> Result<Loaded, Problems>) -> Result<Loaded, Failure> {
    let descriptors = descriptors();
    let root = root(global);
    is_there(&root)?;
    let options = Options { root: &root, target: global.target.as_deref(), env: &environment, descriptors: &descriptors };
    let mut loaded = load(&options)?;
    override_limits(&mut loaded, global);
    Ok(loaded)
}

/// What the command line says goes before what the project says.
fn override_limits(loaded: &mut Loaded, global: &Global) {
    let limits = &mut loaded.project.limits;
    limits.memory_bytes = global.memory.or(limits.memory_bytes);
}

/// The same, with a mapping as it was in an earlier sync.
pub(crate) fn load_as_it_was(global: &Global, then: &Then<'_>) -> Result<Loaded, Failure> {
    let descriptors = descriptors();
    let root = root(global);
    let options = Options { root: &root, target: global.target.as_deref(), env: &environment, descriptors: &descriptors };
    let mut loaded = outflow_planner::load_as_it_was(&options, then)?;
    override_limits(&mut loaded, global);
    Ok(loaded)
}

/// An error that names the project above, if there is one there and none here.
fn is_there(root: &Path) -> Result<()> {
    let (false, Some(above)) = (root.join(PROJECT_FILE).exists(), project_above(root)) else { return Ok(()) };
    let message = format!("there is no {PROJECT_FILE} in {}, and one in {}", root.display(), above.display());
    Err(Error::new(Kind::NotFound, message).remedy(format!("go there, or add `--project {}`", written(&above))))
}

/// Reads and checks the project, and keeps what could be understood of it.
pub(crate) fn examine(global: &Global) -> Result<Examined> {
    let descriptors = descriptors();
    let root = root(global);
    is_there(&root)?;
    let options = Options { root: &root, target: global.target.as_deref(), env: &environment, descriptors: &descriptors };
    Ok(outflow_planner::examine(&options))
}

/// Every kind of destination there is.
pub(crate) fn descriptors() -> Vec<Descriptor> {
    connectors::descriptors()
}

/// A variable of the environment.
#[allow(clippy::disallowed_methods, reason = "the composition root is where the environment is read")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The nearest folder above `root` that holds a project; none above a folder that is not there.
fn project_above(root: &Path) -> Option<PathBuf> {
    root.is_dir().then(|| root.ancestors().skip(1).find(|above| above.join(PROJECT_FILE).is_file()))?.map(Path::to_owned)
}

/// A path as a shell takes it.
fn written(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/-_.+".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Opens the state of a project to look at it, whether or not this user may write to it.
pub(crate) fn open_state(loaded: &Loaded) -> Result<Arc<LocalStore>> {
    LocalStore::open_to_read(&loaded.project.state).map(Arc::new)
}

/// A name for this run of the program, as its log and its results have it.
pub(crate) fn run_id() -> String {
    let clock = SystemClock::new();
    outflow_engine::time::sync_id(clock.wall(), clock.random())
}

/// Opens everything that a run needs; makes the folder of the state if there is none.
pub(crate) fn open(loaded: &Loaded, observer: Arc<dyn Observer>) -> Result<Engine> {
    open_with(loaded, observer, LocalStore::open(&loaded.project.state).map(Arc::new)?)
}

/// The same for commands that change nothing.
pub(crate) fn open_to_read(loaded: &Loaded, observer: Arc<dyn Observer>) -> Result<Engine> {
    open_with(loaded, observer, open_state(loaded)?)
}

fn open_with(loaded: &Loaded, observer: Arc<dyn Observer>, store: Arc<dyn StateStore>) -> Result<Engine> {
    let project = &loaded.project;
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut destinations = BTreeMap::new();
    for mapping in &project.mappings {
        let config =
            project.destination(&mapping.destination).ok_or_else(|| Error::bug("a mapping without a destination passed the checks"))?;
        destinations.insert(mapping.name.clone(), configure(project, config, &mapping.action, &mapping.constants)?);
    }
    Ok(Engine {
        project: Arc::new(project.clone()),
        store,
        clock: Arc::new(SystemClock::new()),
        sources: sources(project, workers)?,
        destinations,
        proxy: proxy_env(),
        storage: storage_env(&project.redactor),
        carrier: None,
        workers,
        links: Links::default(),
        cancel: Cancel::default(),
        observer,
    })
}

fn sources(project: &Project, workers: usize) -> Result<BTreeMap<String, Arc<dyn Source>>> {
    let memory_limit_bytes = project.limits.memory_bytes.map(FilesOptions::share_of);
    let options = FilesOptions::of(workers, memory_limit_bytes);
    let open = |config: &SourceConfig| Ok((config.name.clone(), Arc::from(connectors::source(config, &options)?)));
    project.sources.iter().map(open).collect()
}

/// The destination of `config` for an action. What it keeps secret is taken out of all output from here on.
pub(crate) fn configure(project: &Project, config: &DestinationConfig, action: &str, constants: &Settings) -> Result<Arc<dyn Destination>> {
    let connector = connectors::connector(&config.kind).ok_or_else(|| Error::bug("a destination without a connector passed the checks"))?;
    let destination = connector.configure(config, action, constants)?;
    for secret in destination.secrets() {
        project.redactor.add(&secret);
    }
    Ok(destination)
}

fn proxy_env() -> ProxyEnv {
    let either = |name: &str| environment(name).or_else(|| environment(&name.to_lowercase())).filter(|value| !value.is_empty());
    ProxyEnv { https: either("HTTPS_PROXY"), http: either("HTTP_PROXY"), no: either("NO_PROXY") }
}

/// What the environment says of object storage. Its keys, secrets and tokens join those that are never shown.
#[allow(clippy::disallowed_methods, reason = "the composition root is where the environment is read")]
fn storage_env(redactor: &Redactor) -> StorageEnv {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let ours = |name: &str| ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix));
    let mut env = StorageEnv::default();
    for (name, value) in std::env::vars_os().filter_map(text).filter(|(name, value)| ours(name) && !value.is_empty()) {
        let secret = ["KEY", "SECRET", "TOKEN"].iter().any(|word| name.contains(word)) && !name.ends_with("_FILE");
        if secret {
            redactor.add(&value);
        }
        env.0.insert(name, Secret::new(value));
    }
    env
}

/// The mappings that the command line selects.
pub(crate) fn select(project: &Project, selecting: &Selecting) -> Result<Vec<String>> {
    let selected = outflow_planner::select::select(project, &selecting.select, &selecting.exclude)?;
    let selected: Vec<String> = selected.into_iter().map(|mapping| mapping.name.clone()).collect();
    if selected.is_empty() && project.mappings.is_empty() {
        return Err(Error::new(Kind::Invalid, "the project has no mappings")
            .remedy("add one under `mappings:`; `outflow init demo` makes a sample"));
    }
    Ok(selected)
}

/// The options of a run.
pub(crate) fn run_options(mappings: Vec<String>, allowing: Allowing, wait: bool) -> RunOptions {
    let Allowing { allow_deleted: deleted, allow_changed: changed, allow_empty: empty, allow_null: null } = allowing;
    RunOptions { mappings, wait, allowed: Allowed { deleted, changed, empty, null }, retry: None }
}

/// What comes of a check of columns that found no mistake.
#[derive(Default)]
pub(crate) struct Columns {
    /// Models that could not be asked.
    pub(crate) failed: Vec<Error>,
    /// What deserves a look.
    pub(crate) warnings: Vec<Problem>,
}

/// Checks the columns of the models of `mappings` against what their queries return, and says which models could not be asked.
pub(crate) async fn check_columns(loaded: &Loaded, engine: &Engine, mappings: &[String]) -> Result<Columns, Problems> {
    let mut failed = Vec::new();
    let mut problems = Vec::new();
    for model in &loaded.project.models {
        let used = loaded.project.mappings.iter().any(|mapping| mapping.model == model.name && mappings.contains(&mapping.name));
        let Some(source) = engine.sources.get(&model.source).filter(|_| used) else { continue };
        let timeout = loaded.project.source(&model.source).and_then(|source| source.query_timeout);
        let query = outflow_contract::source::Query { sql: model.sql.clone(), timeout };
        match source.schema(&query).await {
            Ok(schema) => problems.extend(check_model(loaded, model, &schema, |mapping| mappings.iter().any(|name| name == mapping))),
            Err(error) => failed.push(error.with("model", &model.name)),
        }
    }
    if problems.iter().any(|problem| problem.severity() == Severity::Error) {
        return Err(Problems(problems));
    }
    Ok(Columns { failed, warnings: problems })
}

/// What is wrong with a model and with its `wanted` mappings, by the columns that its query returns: names first, and where those are fine,
/// types.
pub(crate) fn check_model(loaded: &Loaded, model: &Model, schema: &SchemaRef, wanted: impl Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = loaded.check_columns(&model.name, schema);
    if problems.iter().any(|problem| problem.severity() == Severity::Error) {
        return problems;
    }
    let of_model = |mapping: &&Mapping| mapping.model == model.name && wanted(&mapping.name) && loaded.is_sound("mapping", &mapping.name);
    for mapping in loaded.project.mappings.iter().filter(of_model) {
        let (limits, asked) = (&loaded.project.limits, Asked::Mapping { mapping: &mapping.name, destination: &mapping.destination });
        let faults = outflow_engine::map::faults(&mapping.fields, mapping.declared.as_deref(), schema, &model.id, limits);
        problems.extend(faults.iter().map(|fault| loaded.problem(asked, fault)));
    }
    problems
}

/// Opens what reading a few records needs: no destination, a state that is thrown away, and one worker, so that the first records
/// are the same ones every time.
pub(crate) fn open_sources(loaded: &Loaded) -> Result<Engine> {
    let project = &loaded.project;
    Ok(Engine {
        project: Arc::new(project.clone()),
        store: Arc::new(outflow_ledger::store::MemoryStore::default()),
        clock: Arc::new(SystemClock::new()),
        sources: sources(project, 1)?,
        destinations: BTreeMap::new(),
        proxy: proxy_env(),
        storage: storage_env(&project.redactor),
        carrier: None,
        workers: 1,
        links: Links::default(),
        cancel: Cancel::default(),
        observer: Arc::new(Silent),
    })
}

/// Opens what a mapping's first record needs: all of it, with sources that return the same first record every time. A state that is
/// not there yet is made only if the record is to be sent.
pub(crate) fn open_for_one(loaded: &Loaded, send: bool, observer: Arc<dyn Observer>) -> Result<Engine> {
    let is_there = loaded.project.state.is_dir();
    let engine = match (send, is_there) {
        (true, _) => open(loaded, observer)?,
        (false, true) => open_to_read(loaded, observer)?,
        (false, false) => open_for_check(loaded, observer)?,
    };
    Ok(Engine { sources: sources(&loaded.project, 1)?, ..engine })
}

/// An error that says `message` of `name`, and suggests one of `names`: of `all` there are.
pub(crate) fn unknown(message: String, name: &str, all: &str, names: &[&str]) -> Error {
    let error = Error::new(Kind::NotFound, message);
    match outflow_planner::nearest(name, names.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.remedy(format!("there are no {all} yet")),
        None => error.remedy(format!("{all}: {}", outflow_planner::list(names.iter().copied()))),
    }
}

/// An error that suggests a model; of a mapping's name, what to do with its model.
pub(crate) fn unknown_model(project: &Project, name: &str, of_model: impl FnOnce(&str) -> String) -> Error {
    let names: Vec<&str> = project.models.iter().map(|model| model.name.as_str()).collect();
    let model = |mapping: &str| project.mapping(mapping).map(|mapping| mapping.model.clone());
    match model(name) {
        Some(model) => Error::new(Kind::NotFound, format!("`{name}` is a mapping, not a model")).remedy(of_model(&model)),
        None => unknown(format!("there is no model `{name}`"), name, "models", &names),
    }
}

/// Opens what checking needs: all of it but the state, which stays untouched.
pub(crate) fn open_for_check(loaded: &Loaded, observer: Arc<dyn Observer>) -> Result<Engine> {
    open_with(loaded, observer, Arc::new(outflow_ledger::store::MemoryStore::default()))
}

/// An error that suggests a name, unless the project has that mapping.
pub(crate) fn known_mapping(loaded: &Loaded, name: &str) -> Result<()> {
    let project = &loaded.project;
    if project.mapping(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = project.mappings.iter().map(|mapping| mapping.name.as_str()).collect();
    let error = || Error::new(Kind::NotFound, format!("there is no mapping `{name}`"));
    if name.contains(['*', '?', ':']) {
        return Err(error().remedy("give one mapping's name, without `*`"));
    }
    let concerned: Vec<&str> =
        project.mappings.iter().filter(|mapping| mapping.model == name).map(|mapping| mapping.name.as_str()).collect();
    if !concerned.is_empty() {
        return Err(error().remedy(format!("`{name}` is a model; its mappings: {}", outflow_planner::list(concerned))));
    }
    Err(unknown(format!("there is no mapping `{name}`"), name, "mappings", &names))
}

/// Will a run send anything of this mapping?
pub(crate) fn is_enabled(loaded: &Loaded, name: &str) -> bool {
    let project = &loaded.project;
    let destination = |name: &str| project.destination(name).is_some_and(|destination| destination.enabled);
    project.mapping(name).is_some_and(|mapping| mapping.enabled && destination(&mapping.destination))
}
