//! The mapper, from Arrow to bytes, against those who do the same.
//!
//! | suite | contender | does |
//! |---|---|---|
//! | `identify` | `outflow` | an identify message of ten fields: four paths, and traits with `@case`, `@template`, `@if` and three paths |
//! | | `outflow-2` | the same on two threads |
//! | | `mapping-kit` | the reference's mapping kit on Node.js: `transformBatch` over 1,000 records, then `JSON.stringify` |
//! | `all` | `outflow` | every column under its own name |
//! | | `arrow-json` | the line writer of `arrow-json` |
//! | `hashes` | `outflow` | a message of an ad platform with five SHA-256 |
//! | | `sha256` | the same normalising and hashing by hand, and nothing else |
//!
//! Records are in memory before the clock starts, and each contender goes over them several times: what is measured is neither reading nor
//! starting. The first payloads of those who write the same are compared, byte for byte.

mod peer;
#[cfg(test)]
mod tests;
pub mod work;

use std::path::{Path, PathBuf};

use outflow_contract::{Error, Kind, Result};

use crate::child::{Begin, run};
use crate::contest::{self, Contender, Report, contest};
use crate::figures::Figures;
use crate::setting::Setting;

pub use work::Task;

/// Which Node.js modules the reference is taken from.
#[derive(Clone, Debug)]
pub enum Modules {
    /// This folder, with what `bench/peers/package.json` asks for.
    Given(PathBuf),
    /// Installed by `npm` into this folder, once for each set of requirements.
    In(PathBuf),
}

/// What is compared with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// The identify message, against the reference.
    Identify,
    /// Every column, against `arrow-json`.
    All,
    /// Five SHA-256, against the hashing alone.
    Hashes,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// How.
    pub setting: Setting,
    /// Where the reference is.
    pub modules: Modules,
    /// Records in memory.
    pub records: u64,
    /// How often each contender goes over them in one round.
    pub passes: u64,
    /// What is compared.
    pub suite: Suite,
}

/// Measures.
///
/// # Errors
/// `Io` if the data cannot be made; `Refused` if payloads differ. What goes wrong with a contender is in the report.
pub fn measure(options: &Options) -> Result<Report> {
    let place = options.setting.workplace()?;
    let place = place.path();
    let own = |name: &'static str, task, threads| Box::new(Own { name, task, threads, options, place }) as Box<dyn Contender + '_>;
    let (all, compared): (Vec<Box<dyn Contender + '_>>, Vec<&'static str>) = match options.suite {
        Suite::Identify => {
            let reference = peer::MappingKit { options, place };
            let all = vec![own("outflow", Task::Identify, 1), own("outflow-2", Task::Identify, 2), Box::new(reference)];
            (all, vec!["outflow", peer::NAME])
        }
        Suite::Hashes => (vec![own("outflow", Task::Hashes, 1), own("sha256", Task::Sha256, 1)], Vec::new()),
        Suite::All => (vec![own("outflow", Task::All, 1), own("arrow-json", Task::ArrowJson, 1)], Vec::new()),
    };
    let title = format!(
        "{} M records, {} times over; medians of {} rounds{}",
        options.records as f64 / 1e6,
        options.passes,
        options.setting.rounds,
        contest::REMARK,
    );
    let report = contest(title, vec!["outflow"], all, options.setting.rounds);
    if report.standings.iter().all(|(_, standing)| standing.is_ok()) {
        are_alike(place, &compared)?;
    }
    Ok(report)
}

/// What a report says of speed: records a second of each contender.
pub fn speeds(report: &Report, options: &Options) -> String {
    let records = (options.records * options.passes) as f64;
    let line = |(name, standing): &(String, Result<Figures>)| {
        Some(format!("{name}: {:.0} records/s\n", records / standing.as_ref().ok()?.seconds))
    };
    report.standings.iter().filter_map(line).collect()
}

/// Refuses payloads that differ.
fn are_alike(place: &Path, names: &[&'static str]) -> Result<()> {
    let read = |name: &str| {
        let path = payloads(place, name);
        std::fs::read_to_string(&path).map_err(|error| Error::io(format!("could not read {}", path.display()), error))
    };
    let [first, second] = names else { return Ok(()) };
    let (ours, theirs) = (read(first)?, read(second)?);
    match ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs) {
        None if ours.lines().count() == theirs.lines().count() => Ok(()),
        None => Err(Error::new(Kind::Refused, format!("{first} and {second} do not write as many payloads"))),
        Some((ours, theirs)) => {
            Err(Error::new(Kind::Refused, format!("{first} and {second} write different payloads")).with(first, ours).with(second, theirs))
        }
    }
}

/// Where a contender leaves its first payloads.
fn payloads(place: &Path, name: &str) -> PathBuf {
    place.join(format!("payloads-{name}"))
}

/// A contender that is this program.
struct Own<'a> {
    name: &'static str,
    task: Task,
    threads: usize,
    options: &'a Options,
    place: &'a Path,
}

impl Contender for Own<'_> {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    fn round(&mut self) -> Result<Figures> {
        let Options { setting, records, passes, .. } = self.options;
        let mut command = setting.own("map-work");
        command.arg(format!("--task={}", self.task.name())).arg(format!("--threads={}", self.threads));
        command.arg(format!("--records={records}")).arg(format!("--passes={passes}"));
        command.arg("--payloads").arg(payloads(self.place, self.name));
        let ran = run(command, &setting.watch(self.name, Begin::WhenTold, self.place))?;
        counted(self.name, &ran.output, records * passes)?;
        Ok(ran.figures)
    }
}

/// Refuses a contender that did not do all of the work.
fn counted(name: &str, output: &str, wanted: u64) -> Result<()> {
    let done: Option<work::Done> = serde_json::from_str(output.trim()).ok();
    match done {
        Some(work::Done { records }) if records == wanted => Ok(()),
        Some(work::Done { records }) => Err(Error::new(Kind::Refused, format!("{name} mapped {records} records, not {wanted}"))),
        None => Err(Error::bug(format!("{name} did not tell what it did: {output:?}"))),
    }
}
