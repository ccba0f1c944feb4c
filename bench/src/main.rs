//! `outflow-bench`: makes data, and measures on it. `README.md` has the commands.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use outflow_bench::data::{COLUMNS_MAX, Data, Spec};
use outflow_bench::{end_to_end, parquet_file};
use outflow_contract::{Error, Result};

/// Seeded data, and measurements on it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Writes seeded records to a Parquet file. The same arguments give the same bytes.
    ///
    /// Example: outflow-bench generate --records 10000000 --changed 0.01 --shuffle later.parquet
    Generate(Generate),
    /// Measures an outflow binary from Parquet to a webhook on loopback, and once more with the records in another order.
    ///
    /// Example: outflow-bench e2e --outflow target/release/outflow --repeat 3
    E2e(EndToEnd),
}

#[derive(Args)]
struct Generate {
    /// The file to write
    file: PathBuf,
    /// Records before any is added or deleted
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Another seed gives other values
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first so many of the twelve columns
    #[arg(long, default_value_t = COLUMNS_MAX)]
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
    /// Threads [default: one for each core]
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Args)]
struct EndToEnd {
    /// The outflow binary
    #[arg(long, value_name = "PATH")]
    outflow: PathBuf,
    /// Deliver to Segment's tracking API rather than to a webhook
    #[arg(long)]
    segment: bool,
    /// Records of the model
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Columns of the model
    #[arg(long, default_value_t = 10)]
    columns: usize,
    /// The seed of the data
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Where the project is made and kept [default: a temporary folder]
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Verb::Generate(arguments) => generate(&arguments),
        Verb::E2e(arguments) => measure(arguments),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    // If standard error is closed, there is nobody to tell.
    drop(writeln!(std::io::stderr(), "error: {error:?}"));
    ExitCode::FAILURE
}

#[allow(clippy::disallowed_methods, reason = "how long it took is told to a person, and decides nothing")]
fn generate(arguments: &Generate) -> Result<()> {
    let begun = Instant::now();
    let Generate { records, seed, columns, shuffle, changed, added, deleted, .. } = *arguments;
    let data = Data::new(&Spec { records, seed, columns, shuffle, changed, added, deleted })?;
    let written = parquet_file::write(&data, &arguments.file, arguments.threads.unwrap_or_else(cores))?;
    let (seconds, mib) = (begun.elapsed().as_secs_f64(), written.bytes >> 20);
    print(&format!("{} records x {columns} columns, {mib} MiB, in {seconds:.1} s: {}\n", written.records, arguments.file.display()))
}

fn measure(arguments: EndToEnd) -> Result<()> {
    let temporary = tempfile::tempdir().map_err(|error| Error::io("could not make a temporary folder", error))?;
    let options = end_to_end::Options {
        destination: if arguments.segment { end_to_end::Destination::Segment } else { end_to_end::Destination::Webhook },
        binary: arguments.outflow,
        folder: arguments.folder.unwrap_or_else(|| temporary.path().to_owned()),
        records: arguments.records,
        columns: arguments.columns,
        seed: arguments.seed,
        rounds: arguments.repeat,
        threads: cores(),
    };
    print(&end_to_end::measure(&options)?.to_string())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("could not write to standard output", error))
}
