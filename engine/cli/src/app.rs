//! From arguments to an exit code. The only place that reads the environment.

use std::process::ExitCode;

use clap::FromArgMatches;
use outflow_contract::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{self, Cli, Command, Global, LogFormat};
use crate::commands;
use crate::exit::{Exit, Failure, exit_of};
use crate::render::Console;

/// The stack of each thread; pages that are not used cost nothing.
const STACK_BYTES: usize = 32 << 20;

/// Runs the command line, on a thread with room for deep queries.
pub(crate) fn main() -> ExitCode {
    match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => exit,
        // A panic has told its own story; a thread that cannot be had is a machine without memory.
        Ok(Err(_)) | Err(_) => ExitCode::from(Exit::Failed as u8),
    }
}

fn run() -> ExitCode {
    let cli = Cli::from_arg_matches(&args::command().get_matches()).unwrap_or_else(|error| error.exit());
    start_log(&cli.global);
    let console = Console::new(&cli.global);
    let exit = match dispatch(&cli, &console) {
        Ok(exit) => exit,
        Err(Failure::Project(problems)) => {
            console.problems(&problems);
            Exit::Invalid
        }
        Err(Failure::Error(error)) => {
            console.error(&error);
            exit_of(&error)
        }
    };
    ExitCode::from(exit as u8)
}

fn dispatch(cli: &Cli, console: &Console) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Init(args) => commands::init::run(args, console),
        Command::Check => on_runtime(commands::check::run(&cli.global, console)),
        Command::Plan(args) => on_runtime(commands::plan::run(&cli.global, args, console)),
        Command::Run(args) => on_runtime(commands::run::run(&cli.global, args, console)),
        Command::History(args) => commands::history::run(&cli.global, args, console),
        Command::Show(args) => commands::show::run(&cli.global, args, console),
        Command::Reset(args) => on_runtime(commands::reset::run(&cli.global, args, console)),
        Command::Preview(args) => on_runtime(commands::preview::run(&cli.global, args, console)),
        Command::Test(args) => on_runtime(commands::test::run(&cli.global, args, console)),
        Command::Catalog(args) => commands::catalog::run(&cli.global, args, console),
        Command::Baseline(args) => on_runtime(commands::baseline::run(&cli.global, args, console)),
        Command::Rename(args) => on_runtime(commands::rename::run(&cli.global, args, console)),
        Command::Pause(args) => on_runtime(commands::pause::run(&cli.global, args, console)),
        Command::Resume(args) => on_runtime(commands::resume::run(&cli.global, args, console)),
        Command::Completions(args) => Ok(commands::completions::run(args)),
        Command::Man(args) => commands::man::run(args, console),
        Command::Names(args) => Ok(commands::names::run(&cli.global, args, console)),
        Command::Schema => Ok(commands::schema::run(console)),
    }
}

fn on_runtime(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    // Planning a deep query recurses; what the planner lets through must fit.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build();
    let runtime = runtime.map_err(|e| Error::io("could not start the threads of this program", e))?;
    let result = runtime.block_on(command);
    // What is still under way after a failure is not waited for.
    runtime.shutdown_background();
    result
}

fn start_log(global: &Global) {
    // What the TLS library says of a certificate is in the error that follows, in words.
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error,rustls_platform_verifier=off",
        (false, 0) => "warn,rustls_platform_verifier=off",
        (false, 1) => "info,datafusion=warn,rustls_platform_verifier=off",
        (false, _) => "debug,datafusion=info,hyper=info,reqwest=info",
    };
    let filter = EnvFilter::try_from_env("OUTFLOW_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A log that is already there stays.
    let started = match global.log_format {
        LogFormat::Text => log.with_ansi(false).finish().try_init(),
        LogFormat::Json => log.json().finish().try_init(),
    };
    drop(started);
}
