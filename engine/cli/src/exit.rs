//! How a command ends.

use outflow_contract::{Error, Kind};

/// How a command ended, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All succeeded, or had nothing to do, or were skipped.
    Ok = 0,
    /// A sync failed or was blocked.
    Failed = 1,
    /// The project or the command line is wrong. For `plan --detailed-exitcode`: there is something to send.
    Invalid = 2,
    /// Partial success, or paused.
    Partial = 3,
    /// Another run holds the lock.
    Busy = 4,
}

/// What a command can end with besides a result.
pub(crate) enum Failure {
    /// The project is wrong; every problem.
    Project(outflow_planner::Problems),
    /// Anything else.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<outflow_planner::Problems> for Failure {
    fn from(problems: outflow_planner::Problems) -> Self {
        Self::Project(problems)
    }
}

/// The exit code that several errors stand for: the worst of them decides.
pub(crate) fn exit_of_all(errors: &[Error]) -> Option<Exit> {
    errors.iter().map(exit_of).max_by_key(|exit| *exit as u8)
}

/// The exit code that an error stands for.
pub(crate) fn exit_of(error: &Error) -> Exit {
    match error.kind() {
        Kind::Busy => Exit::Busy,
        Kind::Invalid | Kind::NotFound => Exit::Invalid,
        _ => Exit::Failed,
    }
}
