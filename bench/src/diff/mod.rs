//! The diff, against its bound and against its peers.
//!
//! ```text
//! base.parquet  ──► a snapshot of each contender's own     not measured
//! later.parquet ──► added, updated, deleted                measured, in turn, with counts that must be right
//! ```
//!
//! | contender | does |
//! |---|---|
//! | `bound` | our own code reads, decodes and hashes the later side once, and nothing else |
//! | `outflow` | an extraction as `outflow run` does it: the change set and the new snapshot are written and committed; nothing is delivered |
//! | `outflow-limited` | the same, with a limit on its memory |
//! | `duckdb` | a full join on the identifier that compares every column; three sets written |
//! | `duckdb-hashes` | DuckDB handed our own design: identifier and hashes in the snapshot, the later side hashed as it is read |
//! | `polars` | a full join that compares every column, on the streaming engine |

mod engine;
mod peer;
#[cfg(test)]
mod tests;

use std::path::Path;

use outflow_contract::{Error, Kind, Result};

use crate::contest::{self, Contender, Report, contest};
use crate::setting::Setting;
use crate::sides::{Files, Sides};
use crate::work::Found;

pub(crate) use engine::{Engine, Input, Task};
pub(crate) use peer::{Leaves, Peer};

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// The bound: reading, decoding and hashing.
    Bound,
    /// The engine.
    Outflow,
    /// The engine with a limit on its memory.
    OutflowLimited,
    /// DuckDB over all columns.
    Duckdb,
    /// DuckDB with the hashes as columns.
    DuckdbHashes,
    /// Polars over all columns.
    Polars,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// How.
    pub setting: Setting,
    /// What is compared.
    pub sides: Sides,
    /// Who takes part; by default, with a limit on memory, the engine with and without it, and else everybody without one.
    pub only: Vec<Name>,
    /// The limit on memory, in bytes.
    pub memory: Option<u64>,
}

/// Measures.
///
/// # Errors
/// `Io` if the data cannot be made. What goes wrong with a contender is in the report.
pub fn measure(options: &Options) -> Result<Report> {
    let names = names(options)?;
    let truth = options.sides.truth()?;
    let place = options.setting.workplace()?;
    let files = options.sides.files(&options.setting)?;
    files.warm()?;
    let all = names.into_iter().map(|name| contender(name, options, &files, place.path())).collect();
    let Sides { records, columns, identifier, .. } = options.sides;
    let title = format!(
        "{} M records x {columns} columns, identifier {}: {} added, {} updated, {} deleted; medians of {} rounds, {} threads{}",
        records as f64 / 1e6,
        identifier.name(),
        truth.counts.added,
        truth.counts.updated,
        truth.counts.deleted,
        options.setting.rounds,
        options.setting.threads,
        contest::REMARK,
    );
    Ok(contest(title, vec!["outflow", "bound"], all, options.setting.rounds))
}

fn names(options: &Options) -> Result<Vec<Name>> {
    if options.only.contains(&Name::OutflowLimited) && options.memory.is_none() {
        return Err(Error::invalid("there is no limit for `outflow-limited`").remedy("give one: --memory 384MiB"));
    }
    Ok(match (options.only.as_slice(), options.memory) {
        ([], None) => vec![Name::Bound, Name::Outflow, Name::Duckdb, Name::DuckdbHashes, Name::Polars],
        ([], Some(_)) => vec![Name::Bound, Name::Outflow, Name::OutflowLimited],
        (only, _) => only.to_vec(),
    })
}

fn contender<'a>(name: Name, options: &'a Options, files: &'a Files, place: &'a Path) -> Box<dyn Contender + 'a> {
    let (setting, sides) = (&options.setting, &options.sides);
    let engine = |name, task| {
        let input = Input { sides: sides.clone(), files: Some((files.base.clone(), files.later.clone())) };
        Box::new(Engine { name, setting, input, task, place })
    };
    let peer = |name, script| Box::new(Peer { name, script, leaves: Leaves::Sets, setting, sides, files, place });
    match name {
        Name::Bound => engine("bound", Task::Bound),
        Name::Outflow => engine("outflow", Task::Extract { memory: None }),
        Name::OutflowLimited => engine("outflow-limited", Task::Extract { memory: options.memory }),
        Name::Duckdb => peer("duckdb", "duckdb_columns.py"),
        Name::DuckdbHashes => peer("duckdb-hashes", "duckdb_hashes.py"),
        Name::Polars => peer("polars", "polars_frames.py"),
    }
}

/// Refuses what is not the truth.
pub(crate) fn check(name: &str, truth: Found, found: Found) -> Result<()> {
    if truth == found {
        return Ok(());
    }
    let tell = |found: Found| {
        let counts = found.counts;
        format!("{} records, {} added, {} updated, {} deleted", found.records, counts.added, counts.updated, counts.deleted)
    };
    Err(Error::new(Kind::Refused, format!("{name} found {}; there are {}", tell(found), tell(truth)))
        .remedy("what it measures is not the work: mend it before its figures are used"))
}
