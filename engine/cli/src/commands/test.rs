//! `outflow test`: tries a source, a destination or a mapping.

use std::sync::Arc;

use outflow_contract::destination::{Action, Destination};
use outflow_contract::plan::{DestinationConfig, Mapping, Project, Settings, SourceConfig};
use outflow_contract::{Error, Kind, Result};
use outflow_planner::Loaded;
use serde_json::{Map, Value, json};

use crate::args::{Global, TestArgs};
use crate::commands::test_mapping;
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, trial};
use crate::waiting::Waiting;

/// What is tried.
enum Subject<'a> {
    Source(&'a SourceConfig),
    Destination(&'a DestinationConfig),
    Mapping(&'a Mapping),
}

impl Subject<'_> {
    fn what(&self) -> &'static str {
        match self {
            Self::Source(_) => "source",
            Self::Destination(_) => "destination",
            Self::Mapping(_) => "mapping",
        }
    }
}

pub(crate) async fn run(global: &Global, args: &TestArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let subject = subject(&loaded.project, &args.name)?;
    console.warnings_in_brief(&loaded.warnings);
    console.protect(&loaded.project.redactor);
    if let (Subject::Source(_) | Subject::Destination(_), true) = (&subject, args.send || args.record.is_some()) {
        let what = subject.what();
        return Err(Error::invalid(format!("`{}` is a {what}: --record and --send are for mappings", args.name))
            .remedy(format!("leave them out, or give the name of a mapping{}", mappings_of(&loaded.project, &subject)))
            .into());
    }
    match subject {
        Subject::Source(source) => try_source(&loaded, source, console).await,
        Subject::Destination(destination) => try_destination(&loaded, destination, console).await,
        Subject::Mapping(mapping) => test_mapping::run(&loaded, mapping, args, console).await,
    }
}

async fn try_source(loaded: &Loaded, config: &SourceConfig, console: &Console) -> Result<Exit, Failure> {
    let engine = project::open_sources(loaded)?;
    let source = engine.sources.get(&config.name).ok_or_else(|| Error::bug("a source of the project was not opened"))?;
    let waiting = Waiting::new(console, format!("asking {}", config.name));
    let started = engine.clock.monotonic();
    let probe = source.probe().await.map_err(|error| error.with("source", &config.name));
    let took = engine.clock.monotonic().saturating_sub(started);
    drop(waiting);
    let probe = probe?;
    if console.is_json() {
        let details: Map<String, Value> = probe.details.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        console.json(&json!({
            "source": config.name,
            "type": config.kind.name(),
            "ok": true,
            "version": probe.version,
            "details": details,
            "seconds": took.as_secs_f64(),
        }));
    } else {
        trial::source(console, config, &probe, took);
    }
    Ok(Exit::Ok)
}

async fn try_destination(loaded: &Loaded, config: &DestinationConfig, console: &Console) -> Result<Exit, Failure> {
    let engine = project::open_sources(loaded)?;
    let destination = configured(&loaded.project, config)?;
    let waiting = Waiting::new(console, format!("asking {}", config.name));
    let checked = engine.check_destination(config, destination.as_ref()).await;
    drop(waiting);
    let checked = checked?;
    if console.is_json() {
        console.json(&json!({
            "destination": config.name,
            "type": config.kind,
            "ok": true,
            "proven": checked.proven,
            "said": checked.said,
            "enabled": config.enabled,
            "seconds": checked.took.as_secs_f64(),
        }));
    } else {
        trial::destination(console, config, &checked);
    }
    Ok(Exit::Ok)
}

/// The destination as its first mapping uses it; without a mapping, for an action that needs to know nothing more.
fn configured(project: &Project, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
    if let Some(mapping) = project.mappings.iter().find(|mapping| mapping.destination == config.name) {
        return project::configure(project, config, &mapping.action, &mapping.constants);
    }
    let descriptor = project::descriptors().into_iter().find(|descriptor| descriptor.name == config.kind);
    let descriptor = descriptor.ok_or_else(|| Error::bug("a destination without a connector passed the checks"))?;
    let free = descriptor.actions.iter().find(|action| needed(action).is_empty());
    let action = free.or(descriptor.actions.first()).ok_or_else(|| Error::bug("a destination without an action"))?;
    project::configure(project, config, &action.name, &Settings::default()).map_err(|error| {
        let needed = needed(action);
        if needed.is_empty() {
            return error;
        }
        Error::invalid(format!(
            "destination `{}` can be tested only with a mapping: it has to be known which {}",
            config.name,
            needed.join(", ")
        ))
        .remedy(format!("add a mapping to it; `outflow catalog {} {}` shows one", config.kind, action.name))
        .caused_by(error)
    })
}

/// The constants that an action cannot do without.
fn needed(action: &Action) -> Vec<&str> {
    let fields = action.fields.iter().flatten();
    fields.filter(|field| field.constant && field.required && field.default.is_none()).map(|field| field.name.as_str()).collect()
}

/// What a name means: with `source:`, `destination:` or `mapping:` before it only that.
fn subject<'a>(project: &'a Project, name: &str) -> Result<Subject<'a>> {
    let (only, bare) = match name.split_once(':') {
        Some((kind @ ("source" | "destination" | "mapping"), bare)) => (Some(kind), bare),
        _ => (None, name),
    };
    let mut found: Vec<Subject<'a>> = Vec::new();
    found.extend(project.source(bare).map(Subject::Source));
    found.extend(project.destination(bare).map(Subject::Destination));
    found.extend(project.mapping(bare).map(Subject::Mapping));
    found.retain(|subject| only.is_none_or(|only| subject.what() == only));
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|subject| format!("`{}:{bare}`", subject.what())).collect();
        return Err(
            Error::invalid(format!("`{bare}` could be {}", names.join(" or "))).remedy(format!("give one of them: {}", names.join(", ")))
        );
    }
    found.pop().ok_or_else(|| unknown(project, only, bare))
}

fn unknown(project: &Project, only: Option<&str>, name: &str) -> Error {
    if project.model(name).is_some() {
        return Error::new(Kind::NotFound, format!("`{name}` is a model: what is tested is a source, a destination or a mapping"))
            .remedy(format!("`outflow preview {name}` shows its first records"));
    }
    let names = names(project, only);
    let (one, all) = match only {
        Some(only) => (only, format!("{only}s")),
        None => ("source, destination or mapping", "sources, destinations and mappings".to_owned()),
    };
    project::unknown(format!("there is no {one} `{name}`"), name, &all, &names)
}

/// Everything that can be tested, or only what is of one kind.
pub(crate) fn names<'a>(project: &'a Project, only: Option<&str>) -> Vec<&'a str> {
    let of = |kind: &str| only.is_none_or(|only| only == kind);
    let mut names: Vec<&str> = Vec::new();
    names.extend(project.sources.iter().filter(|_| of("source")).map(|source| source.name.as_str()));
    names.extend(project.destinations.iter().filter(|_| of("destination")).map(|destination| destination.name.as_str()));
    names.extend(project.mappings.iter().filter(|_| of("mapping")).map(|mapping| mapping.name.as_str()));
    names.dedup();
    names
}

/// ` such as …`, for the mappings that have to do with a source or destination.
fn mappings_of(project: &Project, subject: &Subject<'_>) -> String {
    let concerned = |mapping: &&Mapping| match subject {
        Subject::Source(source) => project.model(&mapping.model).is_some_and(|model| model.source == source.name),
        Subject::Destination(destination) => mapping.destination == destination.name,
        Subject::Mapping(_) => false,
    };
    project.mappings.iter().find(concerned).map(|mapping| format!(", such as `{}`", mapping.name)).unwrap_or_default()
}
