//! `outflow run`.

use std::sync::Arc;

use outflow_contract::report::{Status, SyncReport};
use outflow_engine::run::RunOutcome;

use crate::args::{Global, RunArgs};
use crate::exit::{Exit, Failure, exit_of};
use crate::progress::Progress;
use crate::render::{self, Console};
use crate::{project, results, signals};

pub(crate) async fn run(global: &Global, args: &RunArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let mappings = project::select(&loaded, &args.selecting)?;
    console.warnings_in_brief(&loaded.warnings);
    let run_id = project::run_id();
    let progress = Arc::new(Progress::of_run(console, run_id.clone(), mappings.len()));
    let engine = project::open(&loaded, Arc::clone(&progress) as Arc<_>)?;
    let started = (engine.clock.wall(), engine.clock.monotonic());
    let enabled: Vec<String> = mappings.iter().filter(|name| project::is_enabled(&loaded, name)).cloned().collect();
    console.protect(&loaded.project.redactor);
    // A model that cannot be asked fails in its own sync; the others go on.
    let columns = project::check_columns(&loaded, &engine, &enabled).await?;
    console.warnings_in_brief(&columns.warnings);

    signals::end_gracefully(&engine.cancel);
    let RunOutcome { reports, errors } = engine.run(&project::run_options(mappings, args.allowing, args.wait)).await;
    progress.clear();
    let elapsed = engine.clock.monotonic().saturating_sub(started.1);
    let document = results::document(&loaded.project, &run_id, &reports, &errors, (started.0, elapsed));
    if console.is_json() {
        console.json(&document);
    } else {
        render::run::print(console, &reports, elapsed);
        if !console.stdout_is_terminal() {
            // For schedulers that read the last line.
            console.line(&results::summary(&reports, elapsed).to_string());
        }
    }
    if !console.is_json() || console.logs_json() {
        for error in &errors {
            console.tell(error);
        }
    }
    results::write(&loaded.project, &document)?;
    Ok(errors.iter().map(exit_of).max_by_key(|exit| *exit as u8).unwrap_or_else(|| exit(&reports)))
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
