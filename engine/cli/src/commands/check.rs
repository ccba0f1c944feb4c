//! `outflow check`: everything that can be known without running.
//!
//! All of it at once: the project's own mistakes, what its sources say of every query and table, and what its destinations say of
//! their settings. What rests on something that is wrong already is passed over.

use std::collections::HashSet;

use outflow_connectors::{self as connectors, FilesOptions};
use outflow_contract::Result;
use outflow_contract::plan::{DestinationConfig, FileTable, Mapping, Project, Settings, SourceConfig, SourceKind};
use outflow_contract::source::{Query, Source};
use outflow_planner::{Asked, Examined, Loaded, Problem, Problems, Severity, merged};
use serde_json::json;

use crate::args::{CheckArgs, Global};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, counted, problem_as_json};

pub(crate) async fn run(global: &Global, args: &CheckArgs, console: &Console) -> Result<Exit, Failure> {
    let Examined { loaded, mut problems } = project::examine(global)?;
    let Some(loaded) = loaded else { return Err(Problems(problems).into()) };
    console.protect(&loaded.project.redactor);
    let some = !args.selecting.select.is_empty() || !args.selecting.exclude.is_empty();
    let selected = if some { Some(project::select(&loaded.project, &args.selecting)?) } else { None };
    problems.extend(of_sources(&loaded, selected.as_deref()).await?);
    problems.extend(of_destinations(&loaded, selected.as_deref()));
    let problems = merged(problems);
    if problems.iter().any(|problem| problem.severity() == Severity::Error) {
        return Err(Problems(problems).into());
    }
    let project = &loaded.project;
    if console.is_json() {
        let warnings: Vec<_> = problems.iter().map(problem_as_json).collect();
        console.json(&json!({
            "valid": true,
            "sources": project.sources.len(),
            "models": project.models.len(),
            "destinations": project.destinations.len(),
            "mappings": project.mappings.len(),
            "warnings": warnings,
        }));
        return Ok(Exit::Ok);
    }
    console.warnings(&problems);
    let fine = if problems.is_empty() { "fine".to_owned() } else { format!("fine, {}", counted(problems.len() as u64, "warning")) };
    console.line(&format!(
        "The project is {fine}: {}, {}, {}, {}.",
        counted(project.sources.len() as u64, "source"),
        counted(project.models.len() as u64, "model"),
        counted(project.destinations.len() as u64, "destination"),
        counted(project.mappings.len() as u64, "mapping"),
    ));
    Ok(Exit::Ok)
}

/// What the sources say of every query, and of the tables that no query has shown to be fine; or only of what these mappings need.
async fn of_sources(loaded: &Loaded, selected: Option<&[String]>) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let of_selected = |mapping: &Mapping, model: &str| mapping.model == model && is_selected(selected, &mapping.name);
    let wanted = |model: &str| selected.is_none() || loaded.project.mappings.iter().any(|mapping| of_selected(mapping, model));
    let needed: HashSet<String> = loaded
        .project
        .models
        .iter()
        .filter(|model| wanted(&model.name))
        .flat_map(|model| loaded.tables(&model.name).map(str::to_lowercase))
        .collect();
    for source in &loaded.project.sources {
        let mut fine = HashSet::new();
        let mut failed = Vec::new();
        let open = open(source, None)?;
        let models =
            loaded.project.models.iter().filter(|model| model.source == source.name && loaded.can_ask(&model.name) && wanted(&model.name));
        for model in models {
            let query = Query { sql: model.sql.clone(), timeout: source.query_timeout };
            match open.schema(&query).await {
                Ok(schema) => {
                    problems.extend(project::check_model(loaded, model, &schema, |mapping| is_selected(selected, mapping)));
                    fine.extend(loaded.tables(&model.name).map(str::to_lowercase));
                }
                Err(error) => failed.push((&model.name, error)),
            }
        }
        let mut unread = HashSet::new();
        let SourceKind::Files { tables } = &source.kind;
        let in_doubt = |name: &str| !fine.contains(name) && (selected.is_none() || needed.contains(name));
        for table in tables.iter().filter(|table| in_doubt(&table.name.to_lowercase())) {
            if let Err(error) = self::open(source, Some(table))?.probe().await {
                problems.push(loaded.problem(Asked::Table { source: &source.name, table: &table.name }, &error));
                unread.insert(table.name.to_lowercase());
            }
        }
        // A query of a table that cannot be read fails for that.
        failed.retain(|(model, _)| !loaded.tables(model).any(|table| unread.contains(&table.to_lowercase())));
        problems.extend(failed.iter().map(|(model, error)| loaded.problem(Asked::Model(model), error)));
    }
    Ok(problems)
}

/// A source, with one of its tables alone if that is all that is asked for.
fn open(source: &SourceConfig, only: Option<&FileTable>) -> Result<Box<dyn Source>> {
    let mut config = source.clone();
    let SourceKind::Files { tables } = &mut config.kind;
    if let Some(only) = only {
        *tables = vec![only.clone()];
    }
    connectors::source(&config, &FilesOptions::default())
}

fn is_selected(selected: Option<&[String]>, mapping: &str) -> bool {
    selected.is_none_or(|selected| selected.iter().any(|name| name == mapping))
}

/// What the connectors say of the settings, and of the constants of mappings.
fn of_destinations(loaded: &Loaded, selected: Option<&[String]>) -> Vec<Problem> {
    let project = &loaded.project;
    let mut problems = Vec::new();
    for config in project.destinations.iter().filter(|config| loaded.is_sound("destination", &config.name)) {
        let to_it = |name: &str| loaded.is_sound("mapping", name);
        let mappings = project
            .mappings
            .iter()
            .filter(|mapping| mapping.destination == config.name && to_it(&mapping.name) && is_selected(selected, &mapping.name));
        let mut asked = false;
        for mapping in mappings {
            asked = true;
            if let Err(error) = project::configure(project, config, &mapping.action, &mapping.constants) {
                problems.push(loaded.problem(Asked::Mapping { mapping: &mapping.name, destination: &config.name }, &error));
            }
        }
        if !asked && selected.is_none() {
            problems.extend(unmapped(loaded, project, config));
        }
    }
    problems
}

/// A destination without a mapping is tried with any action. What that action lacks is nobody's mistake.
fn unmapped(loaded: &Loaded, project: &Project, config: &DestinationConfig) -> Option<Problem> {
    let descriptors = project::descriptors();
    let action = descriptors.iter().find(|descriptor| descriptor.name == config.kind)?.actions.first()?;
    let error = project::configure(project, config, &action.name, &Settings::default()).err()?;
    loaded.setting_problem(&config.name, &error)
}
