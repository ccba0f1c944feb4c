//! One file for each verb: arguments in, output and exit code out.

pub(crate) mod baseline;
mod begun;
pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod completions;
mod confirm;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod gc;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod names;
pub(crate) mod pause;
pub(crate) mod pending;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod rename;
pub(crate) mod replay;
pub(crate) mod reset;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod test;
mod test_mapping;
