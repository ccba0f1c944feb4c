//! What all comparisons share: where they work, how often, for how long.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use outflow_contract::{Error, Result};
use tempfile::TempDir;

use crate::child::{Begin, Watch};

/// Which Python runs the peers.
#[derive(Clone, Debug)]
pub enum Python {
    /// This one. It has the packages of `bench/peers/requirements.txt`.
    Given(PathBuf),
    /// That of a virtual environment which is made in this folder, once for each set of requirements.
    In(PathBuf),
}

/// How to measure.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The `outflow-bench` binary: it makes the data and does the work of our own in processes of their own.
    pub own: PathBuf,
    /// Where data is kept for the next time, and everything else while it is needed.
    pub folder: PathBuf,
    /// Which Python runs the peers.
    pub python: Python,
    /// Rounds. Reports have their medians.
    pub rounds: usize,
    /// A process that takes longer is ended, which is an error.
    pub limit: Duration,
    /// Threads of each contender.
    pub threads: usize,
}

impl Setting {
    /// A folder for one measurement, which is removed with all that is in it when this is dropped.
    ///
    /// # Errors
    /// `Io` if it cannot be made; `Invalid` if nothing is to be measured.
    pub(crate) fn workplace(&self) -> Result<TempDir> {
        if self.rounds == 0 {
            return Err(Error::invalid("no rounds were asked for").remedy("give `--repeat 1` or more"));
        }
        let failed = |error: std::io::Error| Error::io(format!("could not make a folder in {}", self.folder.display()), error);
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        tempfile::Builder::new().prefix("work-").tempdir_in(&self.folder).map_err(failed)
    }

    /// A command of this program.
    pub(crate) fn own(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.own);
        command.arg(verb);
        command
    }

    /// How a child called `name` is watched, whose standard error goes to a file in `place`.
    pub(crate) fn watch(&self, name: &str, begin: Begin, place: &Path) -> Watch {
        Watch { name: name.to_owned(), begin, limit: self.limit, log: place.join(format!("{}.log", name.replace([' ', '/'], "-"))) }
    }
}
