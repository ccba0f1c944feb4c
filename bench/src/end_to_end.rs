//! The whole path, measured from outside: an `outflow` binary reads Parquet and delivers to an HTTP server on loopback, as a webhook or as
//! Segment's tracking API.
//!
//! Each round begins with no state:
//!
//! ```text
//! records.parquet            --> outflow run --> every record arrives, in requests of 1,000
//! the same, in another order --> outflow run --> no_changes, and nothing arrives
//! ```
//!
//! A round that does not end so is an error, whatever its speed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use outflow_contract::{Error, Result};
use serde_json::Value;

use crate::data::{Data, Spec};
use crate::figures::{median, mib};
use crate::parquet_file;
use crate::project::{ProjectFile, TABLE, every_column};
use crate::receiver::{Received, Receiver};

/// Records of one request.
pub const REQUEST_RECORDS: u64 = 1_000;
/// How often the memory of the measured process is read. Its peak is kept by the system, so nothing between two readings is lost but the
/// last moment.
const MEMORY_INTERVAL: Duration = Duration::from_millis(5);
/// How much of a failed run's log is shown.
const LOG_BYTES_SHOWN: usize = 4_000;

/// Where the records go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// A webhook that takes lines.
    #[default]
    Webhook,
    /// Segment's tracking API: each record is shaped into an identify message with an id of its own, in requests of 500 KB.
    Segment,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the records go.
    pub destination: Destination,
    /// The `outflow` binary.
    pub binary: PathBuf,
    /// Where the project is made. What is there of an earlier measurement is replaced.
    pub folder: PathBuf,
    /// Records of the model.
    pub records: u64,
    /// Columns of the model.
    pub columns: usize,
    /// The seed of the data.
    pub seed: u64,
    /// Rounds. The report has their medians.
    pub rounds: usize,
    /// Threads that make the data; the measured process chooses its own.
    pub threads: usize,
}

/// One run of the binary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// From the start of the process to its end.
    pub seconds: f64,
    /// The most memory that it held at once, where the system tells it.
    pub peak_bytes: Option<u64>,
    /// Seconds by phase, as it tells them itself, in its order.
    pub phases: Vec<(String, f64)>,
    /// What arrived meanwhile.
    pub received: Received,
}

/// What was measured: medians of all rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Records of the model.
    pub records: u64,
    /// Size of the Parquet file.
    pub file_bytes: u64,
    /// Rounds.
    pub rounds: usize,
    /// Everything is new.
    pub first: Run,
    /// The same records in another order.
    pub second: Run,
}

/// Measures.
///
/// # Errors
/// `Io` if the project cannot be made or the binary not be started; `Refused` if a run fails or delivers other than it should.
pub fn measure(options: &Options) -> Result<Report> {
    if options.rounds == 0 {
        return Err(Error::invalid("no rounds were asked for").remedy("give `--repeat 1` or more"));
    }
    let binary = fs::canonicalize(&options.binary).map_err(|error| {
        let message = format!("could not find the binary {}", options.binary.display());
        Error::io(message, error).remedy("build it first: cargo build --release --locked, and give its path with --outflow")
    })?;
    let receiver = Receiver::start()?;
    let project = Project::make(options, &receiver)?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        project.begin_anew()?;
        project.place("plain.parquet")?;
        first.push(project.run(&binary, &receiver, "success", options.records)?);
        project.place("shuffled.parquet")?;
        second.push(project.run(&binary, &receiver, "no_changes", 0)?);
    }
    let (first, second) = (median_run(&first), median_run(&second));
    Ok(Report { records: options.records, file_bytes: project.file_bytes, rounds: options.rounds, first, second })
}

struct Project {
    folder: PathBuf,
    file_bytes: u64,
}

impl Project {
    fn make(options: &Options, receiver: &Receiver) -> Result<Self> {
        let folder = options.folder.clone();
        let failed = |error: std::io::Error| Error::io(format!("could not write to {}", options.folder.display()), error);
        fs::create_dir_all(folder.join("data")).map_err(failed)?;
        let plain = Spec { records: options.records, seed: options.seed, columns: options.columns, ..Spec::default() };
        let shuffled = Spec { shuffle: Some(options.seed), ..plain.clone() };
        let data = Data::new(&plain)?;
        let file_bytes = parquet_file::write(&data, &folder.join("plain.parquet"), options.threads)?.bytes;
        parquet_file::write(&Data::new(&shuffled)?, &folder.join("shuffled.parquet"), options.threads)?;
        let schema = data.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        fs::write(folder.join("outflow.yml"), configuration(options, receiver, &columns)).map_err(failed)?;
        Ok(Self { folder, file_bytes })
    }

    /// Forgets what earlier rounds delivered.
    fn begin_anew(&self) -> Result<()> {
        for name in ["state", "target"] {
            let path = self.folder.join(name);
            if path.exists() {
                fs::remove_dir_all(&path).map_err(|error| Error::io(format!("could not remove {}", path.display()), error))?;
            }
        }
        Ok(())
    }

    /// Puts a file where the source reads, as a writer of exports does: whole, under another name first.
    fn place(&self, name: &str) -> Result<()> {
        let (unfinished, records) = (self.folder.join("data/unfinished"), self.folder.join(TABLE));
        let placed = fs::copy(self.folder.join(name), &unfinished).and_then(|_| fs::rename(&unfinished, &records));
        placed.map_err(|error| Error::io(format!("could not place {name} in the project"), error))
    }

    fn run(&self, binary: &Path, receiver: &Receiver, status: &str, records: u64) -> Result<Run> {
        // What came after the run before it would be counted here, so ask for it first.
        let stray = receiver.take();
        let (seconds, peak_bytes) = self.spawn(binary)?;
        let received = receiver.take();
        let results = self.results()?;
        let result = &results["results"][0];
        let found = (result["status"].as_str().unwrap_or("none"), received.records, stray.records);
        if found != (status, records, 0) {
            let message = format!(
                "the run should have ended with status {status} and {records} records received, but ended with status {} and {} received",
                found.0,
                found.1 + found.2
            );
            return Err(self.refused(message));
        }
        let phases = result["timing"].as_array().into_iter().flatten();
        let phases = phases.filter_map(|phase| Some((phase["name"].as_str()?.to_owned(), phase["seconds"].as_f64()?)));
        Ok(Run { seconds, peak_bytes, phases: phases.collect(), received })
    }

    /// Runs `outflow run` to its end. Gives the seconds it took and the most memory it held.
    #[allow(clippy::disallowed_methods, reason = "a benchmark is about the clock on the wall")]
    fn spawn(&self, binary: &Path) -> Result<(f64, Option<u64>)> {
        let failed = |error: std::io::Error| Error::io(format!("could not run {}", binary.display()), error);
        let log = File::create(self.folder.join("run.log")).map_err(failed)?;
        let mut command = Command::new(binary);
        command.arg("run").current_dir(&self.folder).stdin(Stdio::null()).stdout(log.try_clone().map_err(failed)?).stderr(log);
        let begun = Instant::now();
        let mut child = command.spawn().map_err(failed)?;
        let status_file = format!("/proc/{}/status", child.id());
        let (ended, end) = channel::<()>();
        let watch = std::thread::spawn(move || {
            let mut peak = None;
            loop {
                // Its own peak, so it never falls; gone once the process has ended.
                peak = fs::read_to_string(&status_file).ok().as_deref().and_then(peak_of).max(peak);
                if !matches!(end.recv_timeout(MEMORY_INTERVAL), Err(RecvTimeoutError::Timeout)) {
                    return peak;
                }
            }
        });
        let status = child.wait().map_err(failed)?;
        let seconds = begun.elapsed().as_secs_f64();
        drop(ended);
        let peak = watch.join().unwrap_or_default();
        if status.success() { Ok((seconds, peak)) } else { Err(self.refused(format!("`outflow run` ended with {status}"))) }
    }

    fn results(&self) -> Result<Value> {
        let path = self.folder.join("target/run_results.json");
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| Error::io(format!("could not read {}", path.display()), error);
        let text = fs::read_to_string(&path).map_err(|error| failed(error.into()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.into()))
    }

    fn refused(&self, message: String) -> Error {
        let path = self.folder.join("run.log");
        let log = fs::read(&path).unwrap_or_default();
        let shown = String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_BYTES_SHOWN)..]).into_owned();
        Error::new(outflow_contract::Kind::Refused, message)
            .with("the end of its output", shown)
            .remedy("mend what its output says, and measure again")
    }
}

/// The project of a webhook that takes every column of every record, in requests of `request_records`.
pub(crate) fn webhook_project(receiver: &Receiver, columns: &[&str], records_max: u64, request_records: u64) -> String {
    let url = format!("http://{}/records", receiver.address());
    let destination = format!("type: webhook\n    settings: {{ url: {url}, batch: {{ records: {request_records}, body: ndjson }} }}");
    let (action, records, fields) = ("send", "added_or_updated", every_column(columns));
    ProjectFile { columns, id: &["id"], records_max, destination, action, records, fields }.text()
}

fn configuration(options: &Options, receiver: &Receiver, columns: &[&str]) -> String {
    let address = receiver.address();
    match options.destination {
        Destination::Webhook => webhook_project(receiver, columns, options.records, REQUEST_RECORDS),
        Destination::Segment => {
            let traits: Vec<String> = columns.iter().map(|column| format!("{column}: $.{column}")).collect();
            let destination = format!("type: segment\n    gateway: http://{address}\n    settings: {{ source_write_key: key }}");
            let fields = format!("      user_id: $.id\n      traits: {{ {} }}\n", traits.join(", "));
            let (records_max, action, records) = (options.records, "sendIdentify", "added_or_updated");
            ProjectFile { columns, id: &["id"], records_max, destination, action, records, fields }.text()
        }
    }
}

/// `VmHWM` of a `/proc/<pid>/status`, in bytes.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// The median of each figure by itself. All runs have the same phases.
fn median_run(runs: &[Run]) -> Run {
    let phase = |place: usize| runs.iter().filter_map(move |run| run.phases.get(place)).map(|(_, seconds)| *seconds);
    let names = runs.first().into_iter().flat_map(|run| &run.phases).map(|(name, _)| name.clone());
    Run {
        seconds: median(runs.iter().map(|run| run.seconds)).unwrap_or_default(),
        peak_bytes: median(runs.iter().filter_map(|run| run.peak_bytes).map(|bytes| bytes as f64)).map(|bytes| bytes as u64),
        phases: names.enumerate().map(|(place, name)| (name, median(phase(place)).unwrap_or_default())).collect(),
        received: runs.first().map(|run| run.received).unwrap_or_default(),
    }
}

/// A table for people.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millions = self.records as f64 / 1e6;
        writeln!(f, "{millions} M records, {:.0} MiB of Parquet, medians of {} rounds", mib(self.file_bytes), self.rounds)?;
        for (title, run) in [("first sync, everything new", &self.first), ("second sync, the same in another order", &self.second)] {
            writeln!(f, "\n{title}")?;
            writeln!(f, "  end to end   {:>9.3} s   {:>11.0} records/s", run.seconds, self.records as f64 / run.seconds)?;
            for (name, seconds) in &run.phases {
                writeln!(f, "  {name:<10}   {seconds:>9.3} s")?;
            }
            match run.peak_bytes {
                Some(bytes) => writeln!(f, "  peak memory  {:>9.0} MiB", mib(bytes))?,
                None => writeln!(f, "  peak memory  not known on this system")?,
            }
            writeln!(
                f,
                "  received     {} records, {} requests, {:.0} MiB",
                run.received.records,
                run.received.requests,
                mib(run.received.bytes)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
