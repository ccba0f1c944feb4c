//! The command line: one definition for parsing, help and completions.

mod inspect;
mod keep;
mod mend;
mod overview;
mod shell;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use inspect::{CatalogArgs, DiffArgs, PreviewArgs, SuggestArgs, TestArgs};
pub(crate) use keep::{DoctorArgs, GcArgs};
pub(crate) use mend::{BaselineArgs, PauseArgs, PendingArgs, RenameArgs, ReplayArgs, ResumeArgs, RetryArgs};
pub(crate) use overview::command;
pub(crate) use shell::{CompletionsArgs, ManArgs, Named, NamesArgs};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// Takes what changed in a SQL query's result to the tools that people work with.
#[derive(Debug, Parser)]
#[command(name = "outflow", version, styles = STYLES, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Start here:\n  outflow init shop && cd shop && outflow run\n\nExit codes: 0 all succeeded or had nothing to do · 1 a sync failed or was blocked ·\n2 the project or the command line is wrong · 3 partial success, or stopped at a limit · 4 another run holds the lock"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The project's folder, or its outflow.yml.
    #[arg(long, global = true, value_name = "FOLDER", default_value = ".", env = "OUTFLOW_PROJECT")]
    pub(crate) project: PathBuf,
    /// Lay `targets: NAME` over the rest of the project.
    #[arg(long, global = true, value_name = "NAME", env = "OUTFLOW_TARGET")]
    pub(crate) target: Option<String>,
    /// The memory that a run may take while it extracts and compares, such as 384MiB or 2GiB. The rest goes to disk.
    #[arg(long, global = true, value_name = "SIZE", env = "OUTFLOW_MEMORY", value_parser = size)]
    pub(crate) memory: Option<usize>,
    /// How results are printed.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
    /// When to use colours. `NO_COLOR` turns them off too.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// The form of the log on standard error.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Say more on standard error; twice for even more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing on standard error but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// Below this, not even a batch for each thread fits.
const MEMORY_MIN: usize = 64 << 20;

/// A size with its unit, in bytes.
fn size(text: &str) -> Result<usize, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let number = |(unit, bits): &(&str, u32)| Some((text.strip_suffix(unit)?.trim().parse::<usize>().ok()?, *bits));
    let bytes = units.iter().find_map(number).and_then(|(number, bits)| number.checked_mul(1 << bits));
    match bytes {
        Some(bytes) if bytes < MEMORY_MIN => Err("give at least 64MiB".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("give a size such as 384MiB or 2GiB".to_owned()),
    }
}

/// `--output`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs: one JSON document.
    Json,
}

/// `--color`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--log-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object on each line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a sample project that runs as it stands.
    #[command(after_help = "Example:\n  outflow init shop")]
    Init(InitArgs),
    /// Check the project without running anything: files, names, SQL, mappings, columns.
    #[command(after_help = "Examples:\n  outflow check\n  outflow check --target dev\n  outflow check --select model:customers")]
    Check(CheckArgs),
    /// Show what a run would send; change nothing.
    #[command(
        after_help = "Example:\n  outflow plan --select customers_to_crm\n\nWith --detailed-exitcode: 0 nothing to send · 2 something to send."
    )]
    Plan(PlanArgs),
    /// Run mappings: extract, diff, map, deliver, commit.
    #[command(
        after_help = "Examples:\n  outflow run\n  outflow run --select 'customers_*' --select tag:hourly\n  outflow run --exclude destination:crm --wait"
    )]
    Run(RunArgs),
    /// Send what waits, without asking the source; or set failed records aside.
    #[command(
        after_help = "Examples:\n  outflow retry\n  outflow retry customers_to_crm --id 17 18\n  outflow retry customers_to_crm --acknowledge --code http_422\n  outflow retry customers_to_crm --acknowledged\n\nA record that is set aside stays pending and is counted, and neither attempted nor alarming, until it changes or is asked for with --id or --acknowledged."
    )]
    Retry(RetryArgs),
    /// List what waits for each destination, and why.
    #[command(after_help = "Examples:\n  outflow pending\n  outflow pending customers_to_crm --output json")]
    Pending(PendingArgs),
    /// List past syncs, newest first.
    #[command(
        after_help = "Examples:\n  outflow history --mapping customers_to_crm --limit 5\n  outflow history --failed --since 2d\n  outflow history --select tag:hourly --status success,no_changes --until 2026-03-01"
    )]
    History(HistoryArgs),
    /// Show one sync: counts, phases, failures with samples and what to do about them.
    #[command(after_help = "Examples:\n  outflow show\n  outflow show customers_to_crm\n  outflow show 20260301-123000-2509a2c")]
    Show(ShowArgs),
    /// Show what changed between two versions of a model.
    ///
    /// Each extraction that finds a change makes a version. Without numbers: the newest, compared with the one before it. The state is
    /// only read, and no source is asked.
    #[command(
        after_help = "0 is before the first version. Two versions in the other order are compared backwards: what going back would change.\n\nExamples:\n  outflow diff customers\n  outflow diff customers --versions\n  outflow diff customers 3 7 --limit 20\n  outflow diff customers 3 --all --output json"
    )]
    Diff(DiffArgs),
    /// Make the next sync of a mapping treat every record as added.
    #[command(after_help = "Example:\n  outflow reset customers_to_crm --yes")]
    Reset(ResetArgs),
    /// Show the first records of a model.
    #[command(after_help = "Examples:\n  outflow preview customers\n  outflow preview customers --limit 50 --refresh")]
    Preview(PreviewArgs),
    /// Try a source, a destination, or a mapping on one record.
    ///
    /// Of a source: is it there, and which version? Of a destination: is it reachable, and are the credentials right? Of a mapping:
    /// what exactly is sent for one record?
    #[command(
        after_help = "Examples:\n  outflow test warehouse\n  outflow test crm\n  outflow test customers_to_crm --record 42\n  outflow test customers_to_crm --record '{\"shop\": 3, \"customer\": 42}' --send"
    )]
    Test(TestArgs),
    /// List the destinations there are, with their settings, actions and fields.
    #[command(after_help = "Examples:\n  outflow catalog\n  outflow catalog webhook\n  outflow catalog webhook send")]
    Catalog(CatalogArgs),
    /// Propose a column of the model for each field of a mapping.
    ///
    /// The fields are those of the mapping's action; what the mapping says of them already stays. Columns are matched by what their
    /// names mean, by their types, and by the values of the first records. Nothing is changed, and no value is shown.
    #[command(
        after_help = "A mapping to begin with needs `model`, `destination` and `action`; fields that are still missing are no error here.\n\nExamples:\n  outflow suggest customers_to_crm\n  outflow suggest customers_to_crm --min-confidence 0.4"
    )]
    Suggest(SuggestArgs),
    /// Count every record of a mapping as delivered, and send nothing.
    #[command(
        after_help = "For those whose destination holds the records already, put there by another tool.\n\nExample:\n  outflow baseline customers_to_crm"
    )]
    Baseline(BaselineArgs),
    /// Send the records of an earlier sync again, as they were then.
    #[command(
        after_help = "Records that have been delivered with newer values since are kept back, unless --force is given.\n\nExamples:\n  outflow replay customers_to_crm --failed\n  outflow replay 20260301-123000-2509a2c"
    )]
    Replay(ReplayArgs),
    /// Carry what is remembered of a mapping over to its new name.
    #[command(
        after_help = "Examples, after the mapping was renamed in outflow.yml, or taken out of it:\n  outflow rename customers_to_crm people_to_crm\n  outflow rename customers_to_crm --forget"
    )]
    Rename(RenameArgs),
    /// Send nothing for a mapping until it is resumed; its changes wait.
    #[command(after_help = "Example:\n  outflow pause customers_to_crm --reason 'the CRM is being moved'")]
    Pause(PauseArgs),
    /// Let a paused mapping run again.
    #[command(after_help = "Example:\n  outflow resume customers_to_crm")]
    Resume(ResumeArgs),
    /// Examine the state: rights, disk, and whether every file is there and as it was written.
    #[command(
        after_help = "Exit code 0 if it is sound, 1 if something needs to be done.\n\nExamples:\n  outflow doctor\n  outflow doctor --quick\n  outflow doctor --set-aside customers_to_crm"
    )]
    Doctor(DoctorArgs),
    /// Drop what is older than `retention` says.
    #[command(
        after_help = "A run does this by itself once an eighth of the versions are of age.\n\nExamples:\n  outflow gc --dry-run\n  outflow gc --wait"
    )]
    Gc(GcArgs),
    /// Print a script that completes commands and names in a shell.
    #[command(
        after_help = "Examples:\n  source <(outflow completions bash)            # in ~/.bashrc\n  outflow completions zsh > ~/.zfunc/_outflow   # in a folder of $fpath\n  outflow completions fish > ~/.config/fish/completions/outflow.fish"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command.
    #[command(after_help = "Examples:\n  outflow man | man -l -\n  outflow man --dir ~/.local/share/man/man1")]
    Man(ManArgs),
    /// Names to complete.
    #[command(hide = true)]
    Names(NamesArgs),
    /// Print the JSON Schema of outflow.yml, for editors.
    #[command(
        after_help = "Example:\n  outflow schema > outflow.schema.json\n  # then, as the first line of outflow.yml:\n  # yaml-language-server: $schema=outflow.schema.json"
    )]
    Schema,
}

/// `outflow init`
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to make. Without it the present one, if it is empty.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Seed of the sample data.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

/// Which mappings.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Selecting {
    /// Only these mappings: a name, with `*` and `?` (or `mapping:` and a name), or `model:`, `destination:`, `source:`, `tag:` and a name.
    /// More of them behind a space.
    #[arg(long, short, value_name = "PATTERN", num_args = 1..)]
    pub(crate) select: Vec<String>,
    /// Not these mappings.
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) exclude: Vec<String>,
}

/// Guards to pass once.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Guards, passed once")]
pub(crate) struct Allowing {
    /// Go on though more records are deleted than `guards: deleted_share` says.
    #[arg(long)]
    pub(crate) allow_deleted: bool,
    /// Go on though more records changed than `guards: changed_share` says.
    #[arg(long)]
    pub(crate) allow_changed: bool,
    /// Go on though the model returns no record at all.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Go on though a column has more nulls than `guards: null_share` says.
    #[arg(long)]
    pub(crate) allow_null: bool,
}

/// `outflow check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) selecting: Selecting,
}

/// `outflow run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) selecting: Selecting,
    #[command(flatten)]
    pub(crate) allowing: Allowing,
    /// Wait while another run holds a lock.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `outflow plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selecting: Selecting,
    #[command(flatten)]
    pub(crate) allowing: Allowing,
    /// Wait while another run holds a lock.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Exit with 2 if there is something to send.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

/// How a sync may have ended, as programs read it.
const STATUSES: [&str; 8] = ["success", "partial_success", "failed", "no_changes", "skipped", "blocked", "paused", "cancelled"];

/// `outflow history`
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Only syncs of these mappings, of now or of earlier: names, with `*` and `?`.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) mapping: Vec<String>,
    /// Only syncs of these models.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) model: Vec<String>,
    /// Only syncs to these destinations.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) destination: Vec<String>,
    #[command(flatten)]
    pub(crate) selecting: Selecting,
    /// Only syncs that ended so; several with commas.
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = STATUSES)]
    pub(crate) status: Vec<String>,
    /// Only syncs that did not go well: failed, partial_success, blocked, paused, cancelled.
    #[arg(long, conflicts_with = "status")]
    pub(crate) failed: bool,
    /// Only syncs that started then or later: a day or a moment (UTC), or how long ago, such as 2d or 6h.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only syncs that started then or earlier.
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// At the most so many.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    pub(crate) limit: usize,
}

/// `outflow show`
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The sync's id or the start of it, or a mapping's name for its last sync, or `last`.
    #[arg(value_name = "SYNC", default_value = "last")]
    pub(crate) sync: String,
}

/// `outflow reset`
#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    /// The mapping.
    #[arg(value_name = "MAPPING")]
    pub(crate) mapping: String,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Wait while another run holds the lock.
    #[arg(long)]
    pub(crate) wait: bool,
}
