//! From arguments to an exit code. The only place that reads the environment.

use std::process::ExitCode;

use clap::FromArgMatches;
use outflow_contract::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{self, Cli, Command, Global, LogFormat};
use crate::commands;
use crate::exit::{Exit, Failure, exit_of};
use crate::progress::AboveBars;
use crate::render::{self, Console};
use crate::{signals, usage};

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
    signals::outlive_file_size_limit();
    let cli = match args::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return wrong_usage(error),
    };
    let console = Console::new(&cli.global);
    start_log(&cli.global, console.paints_talk());
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
    ExitCode::from(told(exit, &console) as u8)
}

/// A command whose results nobody could read has not gone well.
fn told(exit: Exit, console: &Console) -> Exit {
    let Some(error) = render::unwritten() else { return exit };
    console.tell(error);
    if exit == Exit::Ok { Exit::Failed } else { exit }
}

fn dispatch(cli: &Cli, console: &Console) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Init(args) => commands::init::run(args, console),
        Command::Check(args) => on_runtime(commands::check::run(&cli.global, args, console)),
        Command::Plan(args) => on_runtime(commands::plan::run(&cli.global, args, console)),
        Command::Run(args) => on_runtime(commands::run::run(&cli.global, args, console)),
        Command::Retry(args) => on_runtime(commands::retry::run(&cli.global, args, console)),
        Command::Pending(args) => on_runtime(commands::pending::run(&cli.global, args, console)),
        Command::History(args) => commands::history::run(&cli.global, args, console),
        Command::Show(args) => commands::show::run(&cli.global, args, console),
        Command::Diff(args) => commands::diff::run(&cli.global, args, console),
        Command::Reset(args) => on_runtime(commands::reset::run(&cli.global, args, console)),
        Command::Preview(args) => on_runtime(commands::preview::run(&cli.global, args, console)),
        Command::Test(args) => on_runtime(commands::test::run(&cli.global, args, console)),
        Command::Suggest(args) => on_runtime(commands::suggest::run(&cli.global, args, console)),
        Command::Catalog(args) => commands::catalog::run(&cli.global, args, console),
        Command::Baseline(args) => on_runtime(commands::baseline::run(&cli.global, args, console)),
        Command::Replay(args) => on_runtime(commands::replay::run(&cli.global, args, console)),
        Command::Rename(args) => on_runtime(commands::rename::run(&cli.global, args, console)),
        Command::Pause(args) => on_runtime(commands::pause::run(&cli.global, args, console)),
        Command::Resume(args) => on_runtime(commands::resume::run(&cli.global, args, console)),
        Command::Doctor(args) => on_runtime(commands::doctor::run(&cli.global, args, console)),
        Command::Gc(args) => on_runtime(commands::gc::run(&cli.global, args, console)),
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
    // What is still under way after a failure is not waited for. Nor are the threads told to end: glibc may look at a thread that is let go of
    // while it ends after its stack is gone (stacks as large as these are not kept), and a run would end by SIGSEGV with all its work done.
    std::mem::forget(runtime);
    result
}

/// Help goes to standard output; what is wrong with the command line to standard error, or in the forms for programs that it asks for.
fn wrong_usage(error: clap::Error) -> ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let known: Vec<String> = args::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let error = usage::explained(error, &known, &args);
    let (output, log) = (usage::wants_json(&args, "--output"), usage::wants_json(&args, "--log-format"));
    if !error.use_stderr() || !(output || log) {
        // A reader that has gone away is no error.
        drop(error.print());
    } else {
        let error = usage::as_error(&error);
        if output {
            Console::print_json(&render::document_of("usage", &error));
        }
        if log {
            start_json_log(EnvFilter::new("error"));
            let (kind, help) = ("usage", error.remedy_text());
            tracing::error!(kind, help, "{error}");
        }
    }
    ExitCode::from(if error.use_stderr() { Exit::Invalid } else { Exit::Ok } as u8)
}

fn start_log(global: &Global, color: bool) {
    let is_json = global.log_format == LogFormat::Json;
    // What the TLS library says of a certificate is in the error that follows, in words.
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error,rustls_platform_verifier=off",
        // What progress shows to people is in the log of programs.
        (false, 0) if is_json => "warn,outflow=info,rustls_platform_verifier=off",
        (false, 0) => "warn,rustls_platform_verifier=off",
        // What libraries say of themselves is not what a person wants to know.
        (false, 1) => "warn,outflow=info,rustls_platform_verifier=off",
        (false, _) => "warn,outflow=debug,rustls_platform_verifier=off",
    };
    let filter = EnvFilter::try_from_env("OUTFLOW_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    if is_json {
        start_json_log(filter);
    } else {
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| AboveBars).with_target(false);
        // A log that is already there stays.
        drop(log.with_ansi(color).finish().try_init());
    }
}

/// One flat object on each line: `timestamp`, `level`, `message`, and the facts. What libraries log by the older way stays out: it
/// brings the paths of their source files along.
fn start_json_log(filter: EnvFilter) {
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let log = log.with_env_filter(filter).with_writer(|| AboveBars).with_target(false).finish();
    // A log that is already there stays.
    drop(tracing::subscriber::set_global_default(log));
}
