//! The arguments of the commands that change what is remembered.

use clap::{ArgGroup, Args};

use super::{Allowing, Selecting};

/// `outflow baseline`
#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
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

/// `outflow replay`
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The sync's id or the start of it, or a mapping's name for its last sync, or `last`.
    #[arg(value_name = "SYNC")]
    pub(crate) sync: String,
    /// Only its records that the destination did not acknowledge then.
    #[arg(long)]
    pub(crate) failed: bool,
    /// Those, too, that have been delivered with newer values since; the next sync sends the newer ones again.
    #[arg(long)]
    pub(crate) force: bool,
    /// Wait while another run holds the lock.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `outflow rename`
#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// The name that the mapping had.
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// The name that it has in the project now.
    #[arg(value_name = "NEW", required_unless_present = "forget")]
    pub(crate) new: Option<String>,
    /// There is no new name: forget what was delivered under the old one.
    #[arg(long, conflicts_with = "new")]
    pub(crate) forget: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Wait while another run holds the lock.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `outflow pause`
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// The mapping.
    #[arg(value_name = "MAPPING")]
    pub(crate) mapping: String,
    /// Why, for those who wonder later.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// `outflow resume`
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The mapping.
    #[arg(value_name = "MAPPING")]
    pub(crate) mapping: String,
}

/// `outflow retry`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["id", "code", "all"]))]
pub(crate) struct RetryArgs {
    /// Mappings, as `--select` takes them; all of them if none is named.
    #[arg(value_name = "MAPPING")]
    pub(crate) mappings: Vec<String>,
    #[command(flatten)]
    pub(crate) selecting: Selecting,
    /// Of one mapping: nothing but the records with these identifiers, as text or JSON; an object if it has several columns.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(crate) id: Vec<String>,
    /// What is set aside, too.
    #[arg(long, conflicts_with_all = ["acknowledge", "id"])]
    pub(crate) acknowledged: bool,
    /// Of one mapping: send nothing, and set failed records aside: those of --id, those of --code, or --all.
    #[arg(long, requires = "which")]
    pub(crate) acknowledge: bool,
    /// With --acknowledge: those that have failed with this code.
    #[arg(long, value_name = "CODE", requires = "acknowledge")]
    pub(crate) code: Option<String>,
    /// With --acknowledge: all that have failed.
    #[arg(long, requires = "acknowledge")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) allowing: Allowing,
    /// Wait while another run holds a lock.
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `outflow pending`
#[derive(Debug, Args)]
pub(crate) struct PendingArgs {
    /// Mappings, as `--select` takes them; all of them if none is named.
    #[arg(value_name = "MAPPING")]
    pub(crate) mappings: Vec<String>,
    #[command(flatten)]
    pub(crate) selecting: Selecting,
}
