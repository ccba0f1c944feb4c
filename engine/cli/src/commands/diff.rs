//! `outflow diff`: what changed between two versions of a model. Reads the state, asks no source, and takes no lock.

use outflow_contract::plan::Project;
use outflow_contract::{Counts, Error, Kind, Op, Result};
use outflow_engine::compare::{Comparison, Span};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::ModelCommit;

use crate::args::{DiffArgs, Global};
use crate::exit::{Exit, Failure, exit_of};
use crate::project;
use crate::render::Console;
use crate::render::diff::{self, Document, Found};
use crate::waiting::Waiting;

/// Records of each operation that are shown.
const RECORDS: u64 = 5;
/// Versions that are listed.
const VERSIONS: u64 = 20;

pub(crate) fn run(global: &Global, args: &DiffArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let known = &loaded.project;
    let name = &args.model;
    let remedy = |model: &str| format!("compare versions of its model: `outflow diff {model}`");
    let model = known.model(name).ok_or_else(|| project::unknown_model(known, name, remedy))?;
    console.warnings_in_brief(&loaded.warnings);
    console.protect(&known.redactor);
    // A state that is not there yet is not made for this.
    let none_yet = || no_version(known, &model.name);
    if !known.state.is_dir() {
        return Err(none_yet().into());
    }
    let store = project::open_state(&loaded)?;
    let head = Chain::of_model(&model.name).head(store.as_ref())?.filter(|head: &ModelCommit| head.version > 0).ok_or_else(none_yet)?;
    let limit = |otherwise: u64| if args.all { u64::MAX } else { args.limit.unwrap_or(otherwise) };
    if args.versions {
        versions(&head, &model.name, limit(VERSIONS), console);
        return Ok(Exit::Ok);
    }
    let span = Span::new(&head, &model.name, args.from, args.to)?;
    let waiting = Waiting::new(console, format!("comparing versions {} and {} of {}", span.from, span.to, model.name));
    let comparison = Comparison::new(store.as_ref(), &head, span, &known.redactor)?;
    let found = Found { model: &model.name, head: &head, span, counts: comparison.counts()?, columns: comparison.other_columns()? };
    drop(waiting);
    Ok(show(&comparison, &found, limit(RECORDS), console)?)
}

fn versions(head: &ModelCommit, model: &str, limit: u64, console: &Console) {
    let listed: Vec<_> = head.versions.iter().rev().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    if console.is_json() {
        console.json(&diff::versions_document(model, head, &listed));
    } else {
        diff::versions(console, head, model, &listed);
    }
}

/// Shows it record by record: of `--all`, nobody holds them all.
fn show(comparison: &Comparison<'_>, found: &Found<'_>, limit: u64, console: &Console) -> Result<Exit> {
    let mut wanted = Counts::default();
    for op in Op::ALL {
        wanted.add(op, found.counts.get(op).min(limit));
    }
    let more = wanted.total() < found.counts.total();
    if !console.is_json() {
        diff::begin(console, found);
        comparison.records(wanted, |record| {
            diff::record(console, found, &record);
            Ok(())
        })?;
        diff::end(console, more);
        return Ok(Exit::Ok);
    }
    let mut document = Document::new(console, found, more);
    let shown = comparison.records(wanted, |record| {
        document.record(&record);
        Ok(())
    });
    match shown {
        Ok(()) => document.end(None),
        // What has begun is still one document.
        Err(error) if document.has_begun() => {
            document.end(Some(console.error_as_json(&error)));
            if console.logs_json() {
                console.tell(&error);
            }
            return Ok(exit_of(&error));
        }
        Err(error) => return Err(error),
    }
    Ok(Exit::Ok)
}

fn no_version(project: &Project, model: &str) -> Error {
    let error = Error::new(Kind::NotFound, format!("model `{model}` has no version yet"));
    if project.mappings.iter().any(|mapping| mapping.model == model) {
        error.remedy(format!("the first extraction makes one: `outflow run --select model:{model}`"))
    } else {
        error.remedy("a run extracts the models that mappings use, and none uses this one")
    }
}
