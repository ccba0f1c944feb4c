//! How the cost of a sync grows: with the records for time, with the changes for what is written.
//!
//! Each size is measured twice, with the same number of changes at every size and with the same share of them. Sizes are made as files up
//! to [`FILE_RECORDS_MAX`]; if there is a larger one, the records of *all* sizes are made while they are read, so that they can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use outflow_contract::{Error, Result};

use crate::columns::Identifier;
use crate::contest::{Contender, REMARK, contest};
use crate::data::COLUMNS;
use crate::diff::{Engine, Input, Task};
use crate::figures::{Figures, Table, mib};
use crate::setting::Setting;
use crate::sides::Sides;

/// The largest size that is read from a file.
pub const FILE_RECORDS_MAX: u64 = 30_000_000;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// How.
    pub setting: Setting,
    /// The smallest size. The others are 3, 10, 30 and so on times as many.
    pub from: u64,
    /// No size is larger.
    pub to: u64,
    /// The number of changes that is the same at every size: half of them updated, a quarter each added and deleted.
    pub changes: u64,
    /// The share of changes that is the same at every size, divided likewise.
    pub share: f64,
    /// The seed of the data.
    pub seed: u64,
}

/// One size with one number of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Records of the base.
    pub records: u64,
    /// Changes.
    pub changes: u64,
    /// Reading, decoding and hashing.
    pub bound: Figures,
    /// The whole extraction.
    pub extraction: Figures,
    /// What it added to the state.
    pub written_bytes: u64,
}

/// All that was measured, up to the first error.
#[derive(Debug)]
pub struct Report {
    made: bool,
    rounds: usize,
    /// By size, each with the same number and the same share.
    pub lines: Vec<Line>,
    /// What ended it early.
    pub error: Option<Error>,
}

/// Measures.
///
/// # Errors
/// `Invalid` if there is nothing to measure. What goes wrong later is in the report.
pub fn measure(options: &Options) -> Result<Report> {
    let sizes = sizes(options.from, options.to);
    if sizes.is_empty() || options.changes > options.from {
        return Err(Error::invalid("there is no such size, or it has fewer records than are to be changed")
            .remedy("give --from that is at least --changes, and --to that is at least --from"));
    }
    let made = options.to > FILE_RECORDS_MAX;
    let mut report = Report { made, rounds: options.setting.rounds, lines: Vec::new(), error: None };
    for records in sizes {
        let place = options.setting.workplace()?;
        for share in [options.changes as f64 / records as f64, options.share] {
            match measure_one(options, sides(options, records, share), made, place.path()) {
                Ok(line) => report.lines.push(line),
                Err(error) => return Ok(Report { error: Some(error.with("records", records.to_string())), ..report }),
            }
        }
    }
    Ok(report)
}

/// 1, 3, 10, 30 and so on times `from`.
fn sizes(from: u64, to: u64) -> Vec<u64> {
    let tens = std::iter::successors(Some(from), |size| size.checked_mul(10)).take_while(|&size| size <= to && size > 0);
    tens.flat_map(|size| [size, 3 * size]).filter(|&size| size <= to).collect()
}

fn sides(options: &Options, records: u64, share: f64) -> Sides {
    let (changed, added) = (share / 2.0, share / 4.0);
    Sides { records, columns: COLUMNS, identifier: Identifier::Int, seed: options.seed, changed, added, deleted: added }
}

fn measure_one(options: &Options, sides: Sides, made: bool, place: &Path) -> Result<Line> {
    let setting = &options.setting;
    let mut input = Input { sides, files: None };
    if !made {
        let files = input.sides.files(setting)?;
        files.warm()?;
        input.files = Some((files.base, files.later));
    }
    let engine = |name, task| Engine { name, setting, input: input.clone(), task, place };
    let (bound, extraction) = (engine("bound", Task::Bound), engine("outflow", Task::Extract { memory: None }));
    let (base, state) = (extraction.base_state(), extraction.state());
    let all: Vec<Box<dyn Contender + '_>> = vec![Box::new(bound), Box::new(extraction)];
    let mut standings = contest(String::new(), Vec::new(), all, setting.rounds).standings.into_iter().map(|(_, standing)| standing);
    let (Some(bound), Some(extraction)) = (standings.next(), standings.next()) else { return Err(Error::bug("a contender is missing")) };
    let changes = input.sides.truth()?.counts.total();
    let (before, after) = (files_of(&base)?, files_of(&state)?);
    let written_bytes = after.iter().filter(|(path, _)| !before.contains_key(*path)).map(|(_, bytes)| bytes).sum();
    Ok(Line { records: input.sides.records, changes, bound: bound?, extraction: extraction?, written_bytes })
}

/// The files below `folder` by their paths in it, with their sizes.
fn files_of(folder: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let failed = |error: std::io::Error| Error::io(format!("could not look through {}", folder.display()), error);
    let (mut open, mut found) = (vec![folder.to_owned()], BTreeMap::new());
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, meta) = (entry.path(), entry.metadata().map_err(failed)?);
            if meta.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap_or(&path).to_owned(), meta.len());
            }
        }
    }
    Ok(found)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = if self.made { "made while they are read" } else { "read from Parquet" };
        writeln!(f, "{COLUMNS} columns, records {source}; medians of {} rounds{REMARK}", self.rounds)?;
        let titles = ["records", "changes", "seconds", "s / M", "x bound", "CPU s", "peak MiB", "written KiB", "bytes / change"];
        let mut table = Table::new(&titles);
        for line in &self.lines {
            let seconds = line.extraction.seconds;
            table.line(vec![
                line.records.to_string(),
                line.changes.to_string(),
                format!("{seconds:.3}"),
                format!("{:.3}", seconds * 1e6 / line.records as f64),
                format!("{:.2}", seconds / line.bound.seconds),
                format!("{:.3}", line.extraction.cpu_seconds),
                format!("{:.0}", mib(line.extraction.peak_bytes)),
                format!("{:.0}", line.written_bytes as f64 / 1024.0),
                format!("{:.0}", line.written_bytes as f64 / line.changes.max(1) as f64),
            ]);
        }
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_by_about_three_up_to_the_largest() {
        assert_eq!(sizes(1_000_000, 30_000_000), [1_000_000, 3_000_000, 10_000_000, 30_000_000]);
        assert_eq!(sizes(1_000_000, 100_000_000).last(), Some(&100_000_000));
        assert_eq!(sizes(5, 14), [5]);
        assert_eq!(sizes(0, 10), Vec::<u64>::new());
        assert_eq!(sizes(10, 5), Vec::<u64>::new());
    }

    #[test]
    fn a_table_says_what_a_million_records_and_what_a_change_cost() {
        let figures = |seconds| Figures { seconds, cpu_seconds: 3.0, peak_bytes: 5 << 20 };
        let line = Line { records: 2_000_000, changes: 1_000, bound: figures(1.0), extraction: figures(2.0), written_bytes: 1_024_000 };
        let text = Report { made: false, rounds: 3, lines: vec![line], error: None }.to_string();
        let cells: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(cells, ["2000000", "1000", "2.000", "1.000", "2.00", "3.000", "5", "1000", "1024"]);
    }
}
