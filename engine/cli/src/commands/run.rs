//! `outflow run`.

use std::sync::Arc;

use outflow_engine::run::{Retry, RunOptions, RunOutcome};

use super::begun::Begun;
use crate::args::{Allowing, Global, RunArgs, Selecting};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::render::Console;
use crate::{project, signals};

/// What is to be run: with an extraction, or as a retry.
pub(super) struct Wanted<'a> {
    pub(super) selecting: &'a Selecting,
    pub(super) allowing: Allowing,
    pub(super) wait: bool,
    pub(super) retry: Option<Retry>,
}

pub(crate) async fn run(global: &Global, args: &RunArgs, console: &Console) -> Result<Exit, Failure> {
    let RunArgs { selecting, allowing, wait } = args;
    recorded(global, Wanted { selecting, allowing: *allowing, wait: *wait, retry: None }, console).await
}

/// Runs what is wanted, and writes the results down, whatever comes of it.
pub(super) async fn recorded(global: &Global, wanted: Wanted<'_>, console: &Console) -> Result<Exit, Failure> {
    let begun = Begun::now(global);
    let ended = syncs(global, wanted, console, &begun).await;
    begun.end(console, ended)
}

async fn syncs(global: &Global, wanted: Wanted<'_>, console: &Console, begun: &Begun<'_>) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    let mappings = project::select(&loaded.project, wanted.selecting)?;
    console.warnings_in_brief(&loaded.warnings);
    let progress = Arc::new(Progress::of_run(console, begun.id.clone(), mappings.len()));
    let engine = project::open(&loaded, Arc::clone(&progress) as Arc<_>)?;
    let enabled: Vec<String> = mappings.iter().filter(|name| project::is_enabled(&loaded, name)).cloned().collect();
    if wanted.retry.is_none() {
        // A model that cannot be asked fails in its own sync; the others go on.
        let columns = project::check_columns(&loaded, &engine, &enabled).await?;
        console.warnings_in_brief(&columns.warnings);
    }

    signals::end_gracefully(&engine.cancel);
    let options = RunOptions { retry: wanted.retry, ..project::run_options(mappings, wanted.allowing, wanted.wait) };
    let RunOutcome { reports, errors } = engine.run(&options).await;
    progress.clear();
    Ok(begun.tell(console, &loaded.project, &reports, errors))
}
