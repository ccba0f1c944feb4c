//! The arguments of the commands for shells and manuals.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

/// `outflow completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// `outflow man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder. Without it, the main page goes to standard output.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

/// `outflow names`, which completions ask.
#[derive(Debug, Args)]
pub(crate) struct NamesArgs {
    /// Of what.
    #[arg(value_name = "WHAT")]
    pub(crate) what: Named,
}

/// What has names that can be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Named {
    /// Mappings of the project.
    Mapping,
    /// Models of the project.
    Model,
    /// Sources, destinations and mappings of the project.
    Testable,
    /// Types of destinations.
    Type,
    /// Destinations of the project.
    Destination,
    /// What `show` takes: `last`, and the mappings of the project.
    Sync,
    /// What `--select` takes: mappings, and what they belong to.
    Pattern,
}
