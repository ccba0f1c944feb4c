//! A run of the program that runs syncs: from its first moment to what it prints, writes and exits with.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use outflow_contract::Error;
use outflow_contract::clock::Clock;
use outflow_contract::plan::Project;
use outflow_contract::report::{Status, SyncReport};
use outflow_engine::clock::SystemClock;
use outflow_planner::PROJECT_FILE;
use serde_json::Value;

use crate::args::Global;
use crate::exit::{Exit, Failure, exit_of_all};
use crate::project;
use crate::render::{self, Console};
use crate::results::{self, Ran};

/// A run from its first moment on.
pub(super) struct Begun<'a> {
    pub(super) id: String,
    root: PathBuf,
    target: Option<&'a str>,
    clock: SystemClock,
    at: (SystemTime, Duration),
}

impl<'a> Begun<'a> {
    pub(super) fn now(global: &'a Global) -> Self {
        let (clock, root) = (SystemClock::new(), project::root(global));
        let at = (clock.wall(), clock.monotonic());
        Self { id: project::run_id(), root, target: global.target.as_deref(), clock, at }
    }

    fn so_far(&self) -> Ran<'_> {
        Ran {
            project: self.root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            target: self.target,
            run_id: &self.id,
            started: self.at.0,
            elapsed: self.clock.monotonic().saturating_sub(self.at.1),
        }
    }

    /// Leaves a record of what kept the run from beginning, if something did, so that none of an older run is taken for this one's.
    pub(super) fn end(&self, console: &Console, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
        if let (Err(failure), true) = (&ended, self.root.join(PROJECT_FILE).is_file()) {
            let document = results::document(&self.so_far(), &[], &console.failure_as_json(failure));
            if let Err(error) = results::write(&self.root, &document) {
                // The failure itself is told; that its record is missing is for those who look closer.
                tracing::info!(%error, "the results of the run were not written");
            }
        }
        ended
    }

    /// Writes and prints what the syncs did, and says with what to exit. `errors`: what kept some of them from beginning.
    pub(super) fn tell(&self, console: &Console, project: &Project, reports: &[SyncReport], mut errors: Vec<Error>) -> Exit {
        let ran = self.so_far();
        let noted = |errors: &[Error]| errors.iter().map(|error| console.error_as_json(error)).collect::<Vec<Value>>();
        let written = results::write(&self.root, &results::document(&ran, reports, &noted(&errors)));
        errors.extend(written.err());
        if console.is_json() {
            console.json(&results::document(&ran, reports, &noted(&errors)));
        } else {
            render::run::print(console, project, reports, ran.elapsed);
            if !console.stdout_is_terminal() {
                // For schedulers that read the last line.
                console.line(&results::summary(reports, ran.elapsed).to_string());
            }
        }
        if !console.is_json() || console.logs_json() {
            for error in &errors {
                console.tell(error);
            }
        }
        exit_of_all(&errors).unwrap_or_else(|| exit(reports))
    }
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
