//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use outflow_bench::columns::Identifier;
use outflow_bench::data::{COLUMNS, Spec};
use outflow_bench::diff::Name;
use outflow_bench::end_to_end::REQUEST_RECORDS;
use outflow_bench::mapper::{Suite, Task};
use outflow_bench::sides::Sides;
use outflow_bench::suggest::Part;

/// Seeded data, and measurements on it.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Writes seeded records to a Parquet file. The same arguments give the same bytes.
    ///
    /// Example: outflow-bench generate --records 10M --changed 0.01 --shuffle later.parquet
    Generate(Generate),
    /// Measures an outflow binary from Parquet to a webhook on loopback, and once more with the records in another order.
    ///
    /// Example: outflow-bench e2e --outflow target/release/outflow --repeat 3
    E2e(EndToEnd),
    /// Measures what the journal costs: the deliver phase of a sync with its journal, and with one in memory.
    ///
    /// Example: outflow-bench journal --repeat 7
    Journal(Journal),
    /// Measures the diff: against reading and hashing alone, DuckDB and Polars, each with the right counts.
    ///
    /// Example: outflow-bench diff --records 10M --changed 0.01
    Diff(Diff),
    /// Measures `outflow plan` against DuckDB counting the same three sets.
    ///
    /// Example: outflow-bench plan --outflow target/release/outflow
    Plan(Plan),
    /// Measures how the cost of a sync grows with records and with changes.
    ///
    /// Example: outflow-bench scale --to 30M
    Scale(Scale),
    /// Measures the mapper, from Arrow to bytes, against those who do the same.
    ///
    /// Example: outflow-bench map identify
    Map(Map),
    /// Goes over records in memory; for `map`, which tells it when to begin.
    #[command(hide = true)]
    MapWork(MapWork),
    /// Measures how often `outflow suggest` is right: precision and recall on the labelled set.
    ///
    /// Example: outflow-bench suggest
    Suggest(Suggest),
    /// Reads, decodes and hashes records once; for `diff`, which tells it when to begin.
    #[command(hide = true)]
    Bound(Work),
    /// Extracts records against a state; for `diff`, which tells it when to begin.
    #[command(hide = true)]
    Extract(Extract),
}

/// Records to make.
#[derive(Args)]
#[allow(clippy::struct_field_names, reason = "the fields are the names of the options")]
pub(crate) struct Records {
    /// Records before any is added or deleted: 5000, 5K, 10M
    #[arg(long, default_value = "1M", value_parser = number)]
    records: u64,
    /// Another seed gives other values
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What tells the records apart
    #[arg(long, default_value = "int")]
    id: Identifier,
    /// The first so many columns; beyond twelve they are of the same kinds again
    #[arg(long, visible_alias = "wide", default_value_t = COLUMNS)]
    columns: usize,
    /// The same records in another order, which this number decides
    #[arg(long, value_name = "SEED", num_args = 0..=1, default_missing_value = "1", require_equals = true)]
    shuffle: Option<u64>,
    /// Share of records that are changed, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    changed: f64,
    /// Share of records that come on top, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    added: f64,
    /// Share of records that are not there, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    deleted: f64,
}

impl Records {
    pub(crate) fn spec(&self) -> Spec {
        let Self { records, seed, id: identifier, columns, shuffle, changed, added, deleted } = *self;
        Spec { records, seed, identifier, columns, shuffle, changed, added, deleted }
    }
}

#[derive(Args)]
pub(crate) struct Generate {
    /// The file to write
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) records: Records,
    /// Threads [default: one for each core]
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Journal {
    /// Records of the model
    #[arg(long, default_value = "1M", value_parser = number)]
    pub(crate) records: u64,
    /// Records of one request
    #[arg(long, default_value_t = REQUEST_RECORDS)]
    pub(crate) request_records: u64,
    /// Rounds of one sync with and one without; medians are shown
    #[arg(long, default_value_t = 5)]
    pub(crate) repeat: usize,
    /// Where the project is made and kept: the disk that is measured [default: a temporary folder]
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Suggest {
    /// Only this part of the labelled set
    #[arg(long)]
    pub(crate) part: Vec<Part>,
    /// List what went wrong, of the part to work with alone
    #[arg(long)]
    pub(crate) mistakes: bool,
}

#[derive(Args)]
pub(crate) struct EndToEnd {
    /// The outflow binary
    #[arg(long, value_name = "PATH")]
    pub(crate) outflow: PathBuf,
    /// Deliver to Segment's tracking API rather than to a webhook
    #[arg(long)]
    pub(crate) segment: bool,
    /// Records of the model
    #[arg(long, default_value = "1M", value_parser = number)]
    pub(crate) records: u64,
    /// Columns of the model
    #[arg(long, default_value_t = 10)]
    pub(crate) columns: usize,
    /// The seed of the data
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 3)]
    pub(crate) repeat: usize,
    /// Where the project is made and kept [default: a temporary folder]
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
}

/// What is compared with what.
#[derive(Args)]
pub(crate) struct Compared {
    /// Records of the base: 5000, 5K, 10M
    #[arg(long, default_value = "10M", value_parser = number)]
    records: u64,
    /// Columns
    #[arg(long, visible_alias = "wide", default_value_t = COLUMNS)]
    columns: usize,
    /// What tells the records apart
    #[arg(long, default_value = "int")]
    id: Identifier,
    /// The seed of the data
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Share of records that are changed, 0 to 1
    #[arg(long, default_value_t = 0.01)]
    changed: f64,
    /// Share of records that come on top, 0 to 1
    #[arg(long, default_value_t = 0.005)]
    added: f64,
    /// Share of records that are not there any more, 0 to 1
    #[arg(long, default_value_t = 0.005)]
    deleted: f64,
}

impl Compared {
    pub(crate) fn sides(&self) -> Sides {
        let Self { records, columns, id: identifier, seed, changed, added, deleted } = *self;
        Sides { records, columns, identifier, seed, changed, added, deleted }
    }
}

/// How it is measured.
#[derive(Args)]
pub(crate) struct How {
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 5)]
    pub(crate) repeat: usize,
    /// Where the data is kept for the next time, and all else is for as long as it is needed [default: the user's cache folder]
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
    /// A Python with the packages of bench/peers/requirements.txt [default: an environment of its own in the user's cache folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
    /// A process that takes longer is ended, and is an error
    #[arg(long, default_value_t = 20)]
    pub(crate) minutes: u64,
    /// Threads of each contender [default: one for each core]
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) compared: Compared,
    /// The engine under a limit on its memory against itself without one: 384MiB, 1GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// Only these contenders
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<Name>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct Plan {
    /// The outflow binary
    #[arg(long, value_name = "PATH")]
    pub(crate) outflow: PathBuf,
    #[command(flatten)]
    pub(crate) compared: Compared,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct Scale {
    /// The smallest size; the others are 3, 10, 30 and so on times as many
    #[arg(long, default_value = "1M", value_parser = number)]
    pub(crate) from: u64,
    /// No size is larger; beyond 30M the records of all sizes are made while they are read, without a file
    #[arg(long, default_value = "30M", value_parser = number)]
    pub(crate) to: u64,
    /// The number of changes that is the same at every size
    #[arg(long, default_value = "10K", value_parser = number)]
    pub(crate) changes: u64,
    /// The share of changes that is the same at every size, 0 to 1
    #[arg(long, default_value_t = 0.01)]
    pub(crate) share: f64,
    /// The seed of the data
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct Map {
    /// What is compared
    pub(crate) suite: Suite,
    /// Records in memory: 5000, 5K, 10M
    #[arg(long, default_value = "200K", value_parser = number)]
    pub(crate) records: u64,
    /// How often each contender goes over them in one round
    #[arg(long, default_value_t = 10)]
    pub(crate) passes: u64,
    /// A `node_modules` folder with what bench/peers/package.json asks for [default: one of its own in the user's cache folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) modules: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct MapWork {
    /// What to do
    #[arg(long)]
    pub(crate) task: Task,
    /// Threads
    #[arg(long)]
    pub(crate) threads: usize,
    /// Records in memory
    #[arg(long)]
    pub(crate) records: u64,
    /// How often they are gone over
    #[arg(long)]
    pub(crate) passes: u64,
    /// Where the first payloads go
    #[arg(long)]
    pub(crate) payloads: PathBuf,
}

#[derive(Args)]
pub(crate) struct Work {
    #[command(flatten)]
    pub(crate) records: Records,
    /// A file that holds the records already
    #[arg(long)]
    pub(crate) file: Option<PathBuf>,
    /// Threads that read, and as many that hash
    #[arg(long)]
    pub(crate) threads: usize,
}

#[derive(Args)]
pub(crate) struct Extract {
    #[command(flatten)]
    pub(crate) work: Work,
    /// The most memory that may be held, in bytes
    #[arg(long)]
    pub(crate) memory: Option<usize>,
    /// The folder of the state
    #[arg(long)]
    pub(crate) state: PathBuf,
}

/// A number with K or M behind it, or nothing.
fn number(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1_000),
        Some((at, 'M' | 'm')) => (&text[..at], 1_000_000),
        _ => (text, 1),
    };
    let parsed = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    parsed.ok_or_else(|| "give a whole number such as 5000, 5K or 10M".to_owned())
}

/// A number of bytes with MiB or GiB behind it.
fn size(text: &str) -> Result<u64, String> {
    let units = [("MiB", 20), ("GiB", 30)];
    let bytes = units.iter().find_map(|(unit, bits)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(1 << bits));
    bytes.ok_or_else(|| "give a size such as 384MiB or 1GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_one_that_can_be_parsed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn numbers_are_written_with_thousands_and_millions_or_in_full() {
        assert_eq!(["5000", "5K", "10M", "0"].map(|text| number(text).unwrap()), [5_000, 5_000, 10_000_000, 0]);
        for text in ["", "K", "1.5M", "-1", "10MB", "99999999999999999999", "99999999999999999M"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(["384MiB", "2GiB"].map(|text| size(text).unwrap()), [384 << 20, 2 << 30]);
        for text in ["", "384", "MiB", "1.5GiB", "384MB", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
