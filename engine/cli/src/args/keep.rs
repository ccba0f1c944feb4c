//! The arguments of the commands that look after the state as a whole.

use clap::Args;

/// `outflow doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Look at sizes only: large files are not read for their hashes.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Move the state of a mapping or a model out of the way, where it is damaged and there is no backup. `mapping:NAME` or `model:NAME`
    /// where both have that name.
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    pub(crate) set_aside: Option<String>,
    /// Do not ask.
    #[arg(long, short, requires = "set_aside")]
    pub(crate) yes: bool,
    /// Wait while a run holds a lock.
    #[arg(long, requires = "set_aside")]
    pub(crate) wait: bool,
}

/// `outflow gc`
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Say what would be dropped, and drop nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Wait while a run holds a lock. Without it, what is locked is left as it is.
    #[arg(long)]
    pub(crate) wait: bool,
}
