//! `outflow run`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use outflow_contract::clock::Clock;
use outflow_contract::report::{Status, SyncReport};
use outflow_engine::clock::SystemClock;
use outflow_engine::run::{Retry, RunOptions, RunOutcome};
use outflow_planner::PROJECT_FILE;
use serde_json::Value;

use crate::args::{Allowing, Global, RunArgs, Selecting};
use crate::exit::{Exit, Failure, exit_of_all};
use crate::progress::Progress;
use crate::render::{self, Console};
use crate::results::{self, Ran};
use crate::{project, signals};

/// A run from its first moment on.
struct Begun<'a> {
    id: String,
    root: &'a Path,
    target: Option<&'a str>,
    clock: SystemClock,
    at: (SystemTime, Duration),
}

impl Begun<'_> {
    fn so_far(&self) -> Ran<'_> {
        Ran {
            project: self.root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            target: self.target,
            run_id: &self.id,
            started: self.at.0,
            elapsed: self.clock.monotonic().saturating_sub(self.at.1),
        }
    }
}

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
    let (clock, root) = (SystemClock::new(), project::root(global));
    let at = (clock.wall(), clock.monotonic());
    let begun = Begun { id: project::run_id(), root: &root, target: global.target.as_deref(), clock, at };
    let ended = syncs(global, wanted, console, &begun).await;
    if let (Err(failure), true) = (&ended, root.join(PROJECT_FILE).is_file()) {
        // Whoever reads the results must not take those of an earlier run for this one's.
        let document = results::document(&begun.so_far(), &[], &console.failure_as_json(failure));
        if let Err(error) = results::write(&root, &document) {
            // The failure itself is told; that its record is missing is for those who look closer.
            tracing::info!(%error, "the results of the run were not written");
        }
    }
    ended
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
    let RunOutcome { reports, mut errors } = engine.run(&options).await;
    progress.clear();
    let ran = begun.so_far();
    let noted = |errors: &[_]| errors.iter().map(|error| console.error_as_json(error)).collect::<Vec<Value>>();
    let written = results::write(begun.root, &results::document(&ran, &reports, &noted(&errors)));
    errors.extend(written.err());
    if console.is_json() {
        console.json(&results::document(&ran, &reports, &noted(&errors)));
    } else {
        render::run::print(console, &loaded.project, &reports, ran.elapsed);
        if !console.stdout_is_terminal() {
            // For schedulers that read the last line.
            console.line(&results::summary(&reports, ran.elapsed).to_string());
        }
    }
    if !console.is_json() || console.logs_json() {
        for error in &errors {
            console.tell(error);
        }
    }
    Ok(exit_of_all(&errors).unwrap_or_else(|| exit(&reports)))
}

/// The worst of them decides.
fn exit(reports: &[SyncReport]) -> Exit {
    let any = |statuses: &[Status]| reports.iter().any(|report| statuses.contains(&report.status));
    if any(&[Status::Failed, Status::Blocked, Status::Cancelled]) {
        Exit::Failed
    } else if any(&[Status::PartialSuccess, Status::Paused]) {
        Exit::Partial
    } else {
        Exit::Ok
    }
}
