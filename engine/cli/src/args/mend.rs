//! The arguments of the commands that change what is remembered.

use clap::Args;

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
