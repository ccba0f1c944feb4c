//! What tests across crates stand on: a destination that remembers what it was given, a project in a folder of its
//! own, and the real program.
//!
//! | module | holds |
//! |---|---|
//! | [`oracle`] | what a destination holds after the requests that it took |
//! | [`server`] | a loopback webhook server with an oracle, that can be told to misbehave |
//! | [`segment_server`] | the same for Segment's tracking API, which takes each message once |
//! | [`project`] | a project folder, and tables of data in it |
//! | [`outflow_bin`] | runs the program, and kills it |
//! | [`faults`] | makes one of the steps by which it changes its state go wrong |
//! | [`object_store`] | a real server that speaks S3 |
//! | [`differences`] | strict tables of what is done otherwise than the reference does |
//! | [`tls`] | servers whose certificates are wrong in one way or another |
//!
//! Everything here panics where a test could not go on; nothing here is part of Outflow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "support for tests: a failure here is a failure of the test")]

pub mod differences;
pub mod faults;
pub mod object_store;
pub mod oracle;
pub mod outflow_bin;
pub mod project;
pub mod segment_server;
pub mod server;
pub mod tls;

use std::fmt::Display;
use std::io::Write;

pub use faults::{Fault, Faults, Step};
pub use object_store::ObjectStore;
pub use oracle::Oracle;
pub use outflow_bin::{Outflow, Run, Running};
pub use project::{Project, Table};
pub use server::{Act, Received, Refusal, Server, ServerOptions};

/// Says that a test could not do its work on this machine, and why: at once, and once more at the end of `./test`, which collects these notes from
/// beside the program.
#[allow(clippy::print_stderr, reason = "for whoever runs the tests")]
pub fn did_not_run(what: &str, why: &str, evidence: &dyn Display) {
    let note = format!("NOT TRIED: {what}: {why}");
    eprintln!("{note}\n{evidence}");
    let notes = outflow_bin::binary().with_file_name("tests-not-tried.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(notes);
    writeln!(file.unwrap(), "{note}").unwrap();
}
