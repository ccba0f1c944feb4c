//! `outflow-bench`: makes data, and measures on it. `README.md` has the commands.

mod arguments;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use outflow_bench::data::Data;
use outflow_bench::setting::{Python, Setting};
use outflow_bench::work::{Found, Side};
use outflow_bench::{diff, end_to_end, journal, mapper, parquet_file, plan, scale, suggest, work};
use outflow_contract::{Error, Result};

use arguments::{Arguments, Diff, EndToEnd, Generate, How, Journal, Map, MapWork, Plan, Scale, Suggest, Verb, Work};

/// That of `outflow`, whose work is measured here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Verb::Generate(arguments) => generate(&arguments),
        Verb::E2e(arguments) => measure_end_to_end(arguments),
        Verb::Journal(arguments) => measure_journal(arguments),
        Verb::Diff(arguments) => measure_diff(arguments),
        Verb::Plan(arguments) => measure_plan(arguments),
        Verb::Scale(arguments) => measure_scale(&arguments),
        Verb::Map(arguments) => measure_mapper(arguments),
        Verb::MapWork(arguments) => map(&arguments),
        Verb::Suggest(arguments) => measure_suggest(arguments),
        Verb::Bound(arguments) => work(arguments).bound().and_then(|found| tell(&found)),
        Verb::Extract(arguments) => work(arguments.work).extract(&arguments.state, arguments.memory).and_then(|found| tell(&found)),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    // If standard error is closed, there is nobody to tell.
    drop(writeln!(std::io::stderr(), "error: {error:?}"));
    ExitCode::FAILURE
}

#[allow(clippy::disallowed_methods, reason = "how long it took is told to a person, and decides nothing")]
fn generate(arguments: &Generate) -> Result<()> {
    let begun = Instant::now();
    let spec = arguments.records.spec();
    let data = Data::new(&spec)?;
    let written = parquet_file::write(&data, &arguments.file, arguments.threads.unwrap_or_else(cores))?;
    let (seconds, mib, columns) = (begun.elapsed().as_secs_f64(), written.bytes >> 20, spec.columns);
    print(&format!("{} records x {columns} columns, {mib} MiB, in {seconds:.1} s: {}\n", written.records, arguments.file.display()))
}

fn measure_end_to_end(arguments: EndToEnd) -> Result<()> {
    let temporary = temporary()?;
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

fn measure_journal(arguments: Journal) -> Result<()> {
    let temporary = temporary()?;
    let options = journal::Options {
        folder: arguments.folder.unwrap_or_else(|| temporary.path().to_owned()),
        records: arguments.records,
        request_records: arguments.request_records,
        rounds: arguments.repeat,
        threads: cores(),
    };
    print(&journal::measure(&options)?.to_string())
}

fn temporary() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|error| Error::io("could not make a temporary folder", error))
}

fn measure_diff(arguments: Diff) -> Result<()> {
    let options = diff::Options {
        setting: setting(&arguments.how)?,
        sides: arguments.compared.sides(),
        only: arguments.only,
        memory: arguments.memory,
    };
    let report = diff::measure(&options)?;
    print(&report.to_string())?;
    report.into_result()
}

fn measure_plan(arguments: Plan) -> Result<()> {
    let options = plan::Options { setting: setting(&arguments.how)?, sides: arguments.compared.sides(), binary: arguments.outflow };
    let report = plan::measure(&options)?;
    print(&report.to_string())?;
    report.into_result()
}

fn measure_scale(arguments: &Scale) -> Result<()> {
    let Scale { from, to, changes, share, seed, .. } = *arguments;
    let report = scale::measure(&scale::Options { setting: setting(&arguments.how)?, from, to, changes, share, seed })?;
    print(&report.to_string())?;
    report.error.map_or(Ok(()), Err)
}

fn measure_mapper(arguments: Map) -> Result<()> {
    let modules = match arguments.modules {
        Some(path) => mapper::Modules::Given(path),
        None => mapper::Modules::In(cache_folder()?.join("tools/mapping-kit")),
    };
    let (records, passes) = (arguments.records, arguments.passes);
    let options = mapper::Options { setting: setting(&arguments.how)?, modules, records, passes, suite: arguments.suite };
    let report = mapper::measure(&options)?;
    print(&format!("{report}{}", mapper::speeds(&report, &options)))?;
    report.into_result()
}

fn map(arguments: &MapWork) -> Result<()> {
    let MapWork { task, threads, records, passes, ref payloads } = *arguments;
    let done = mapper::work::Work { task, threads, records, passes, payloads }.run()?;
    let text = serde_json::to_string(&done).map_err(|error| Error::bug("what was done is no JSON").caused_by(error))?;
    print(&format!("{text}\n"))
}

fn measure_suggest(arguments: Suggest) -> Result<()> {
    let options = suggest::Options { parts: arguments.part, mistakes: arguments.mistakes };
    print(&suggest::measure(&options)?.to_string())
}

fn work(arguments: Work) -> work::Work {
    let spec = arguments.records.spec();
    let id = spec.identifier.columns().iter().map(|&column| column.to_owned()).collect();
    work::Work { side: arguments.file.map_or(Side::Made(spec), Side::File), id, threads: arguments.threads }
}

fn tell(found: &Found) -> Result<()> {
    let text = serde_json::to_string(found).map_err(|error| Error::bug("what was found is no JSON").caused_by(error))?;
    print(&format!("{text}\n"))
}

fn setting(how: &How) -> Result<Setting> {
    let own = std::env::current_exe().map_err(|error| Error::io("could not find this program itself", error))?;
    let folder = how.folder.clone().map_or_else(|| Ok(cache_folder()?.join("bench")), Ok)?;
    let python = how.python.clone().map_or_else(|| Ok(Python::In(cache_folder()?.join("tools/peers"))), |path| Ok(Python::Given(path)))?;
    let limit = Duration::from_mins(how.minutes);
    Ok(Setting { own, folder, python, rounds: how.repeat, limit, threads: how.threads.unwrap_or_else(cores) })
}

/// The one that the project's scripts use, too.
#[allow(clippy::disallowed_methods, reason = "this is where the program reads its environment")]
fn cache_folder() -> Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    cache.map(|cache| cache.join("outflow")).ok_or_else(|| Error::invalid("there is no home folder").remedy("give --folder and --python"))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("could not write to standard output", error))
}
