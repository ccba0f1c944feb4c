//! One file for each verb: arguments in, output and exit code out.

pub(crate) mod check;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod plan;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
