//! `target/run_results.json`: what a run did, in the shape that tools round dbt read.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use outflow_contract::report::SyncReport;
use outflow_contract::{Error, Result};
use serde_json::{Value, json};

/// The rights to it.
const FILE_MODE: u32 = 0o600;

/// A run, as far as it came.
pub(crate) struct Ran<'a> {
    /// The project's name.
    pub(crate) project: String,
    /// The target that was laid over it.
    pub(crate) target: Option<&'a str>,
    pub(crate) run_id: &'a str,
    pub(crate) started: SystemTime,
    pub(crate) elapsed: Duration,
}

/// The document of a run: `errors` is what kept syncs from beginning.
pub(crate) fn document(ran: &Ran<'_>, reports: &[SyncReport], errors: &[Value]) -> Value {
    let Ran { project, target, run_id, started, elapsed } = ran;
    let started = Timestamp::try_from(*started).unwrap_or(Timestamp::UNIX_EPOCH);
    let results: Vec<Value> = reports.iter().map(result).collect();
    json!({
        "metadata": {
            "generated_at": (started + *elapsed).to_string(),
            "started_at": started.to_string(),
            "invocation_id": run_id,
            "outflow_version": env!("CARGO_PKG_VERSION"),
            "project": project,
            "target": target,
        },
        "args": {},
        "elapsed_time": elapsed.as_secs_f64(),
        "results": results,
        "errors": errors,
    })
}

fn result(report: &SyncReport) -> Value {
    json!({
        "unique_id": format!("mapping.{}", report.mapping),
        "status": report.status,
        "message": report.message,
        "notices": report.notices,
        "sync_id": report.sync_id,
        "model": report.model,
        "destination": report.destination,
        "version": report.version,
        "counts": report.counts,
        "requests": report.requests,
        "bytes": report.bytes,
        "timing": timing(report),
        "execution_time": report.timing.total,
        "failures": report.counts.failed.total,
        "failure_groups": report.failures,
        "rejected": report.rejected,
    })
}

/// The phases one after another, each with its moments and its length in seconds.
fn timing(report: &SyncReport) -> Vec<Value> {
    let timing = &report.timing;
    // The extraction, which the mappings of a model share, is over when the sync of one of them starts.
    let started: Timestamp = report.started_at.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    let mut at = started.checked_sub(Duration::from_secs_f64(timing.extract.max(0.0))).unwrap_or(started);
    let phases = [("extract", timing.extract), ("plan", timing.plan), ("deliver", timing.deliver), ("commit", timing.commit)];
    let mut list = Vec::with_capacity(phases.len());
    for (name, seconds) in phases {
        let end = at + Duration::from_secs_f64(seconds.max(0.0));
        list.push(json!({ "name": name, "started_at": at.to_string(), "completed_at": end.to_string(), "seconds": seconds }));
        at = end;
    }
    list
}

/// Writes it into the project's `target` folder, whole or not at all.
pub(crate) fn write(root: &Path, document: &Value) -> Result<()> {
    let folder = root.join("target");
    let path = folder.join("run_results.json");
    let failed = |error: std::io::Error| {
        Error::io(format!("the run is over and recorded in the state, but its results could not be written to {}", path.display()), error)
            .remedy("give this account the right to write in the project's `target` folder, and see that its disk has space")
    };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let temporary = folder.join(format!(".run_results.{}.tmp", std::process::id()));
    let text = serde_json::to_vec_pretty(document).map_err(|error| Error::bug("the results of the run are no JSON").caused_by(error))?;
    // It holds samples of records: private to the user, as the state is.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&temporary).map_err(failed)?;
    // One that a dead process left may be open to others.
    file.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(failed)?;
    file.write_all(&text).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
    std::fs::rename(&temporary, &path).map_err(failed)
}

/// One line for programs that read the end of the output.
pub(crate) fn summary(reports: &[SyncReport], elapsed: Duration) -> Value {
    let mut statuses = serde_json::Map::new();
    let (mut delivered, mut failed) = (0, 0);
    for report in reports {
        let n = statuses.get(report.status.as_str()).and_then(Value::as_u64).unwrap_or(0);
        statuses.insert(report.status.as_str().to_owned(), (n + 1).into());
        delivered += report.counts.delivered.total;
        failed += report.counts.failed.total;
    }
    json!({ "syncs": reports.len(), "statuses": statuses, "delivered": delivered, "failed": failed, "seconds": elapsed.as_secs_f64() })
}
