//! The peers: DuckDB and Polars, each a script of `bench/peers` in a Python of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use outflow_contract::{Counts, Error, Result};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::json;

use super::check;
use crate::child::{Begin, Watch, run};
use crate::contest::Contender;
use crate::figures::Figures;
use crate::setting::{Python, Setting};
use crate::sides::{Files, Sides};
use crate::work::Found;

/// The scripts, and what they share.
const SCRIPTS: [(&str, &str); 6] = [
    ("duck.py", include_str!("../../peers/duck.py")),
    ("duckdb_columns.py", include_str!("../../peers/duckdb_columns.py")),
    ("duckdb_count.py", include_str!("../../peers/duckdb_count.py")),
    ("duckdb_hashes.py", include_str!("../../peers/duckdb_hashes.py")),
    ("job.py", include_str!("../../peers/job.py")),
    ("polars_frames.py", include_str!("../../peers/polars_frames.py")),
];
/// The packages, with their versions.
const REQUIREMENTS: &str = include_str!("../../peers/requirements.txt");

/// What a peer leaves of what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// `added.parquet`, `updated.parquet` and `deleted.parquet`.
    Sets,
    /// Their counts, as JSON on standard output.
    Counts,
}

/// A contender that is not ours.
pub(crate) struct Peer<'a> {
    pub(crate) name: &'static str,
    /// Its file among the scripts.
    pub(crate) script: &'static str,
    pub(crate) leaves: Leaves,
    pub(crate) setting: &'a Setting,
    pub(crate) sides: &'a Sides,
    pub(crate) files: &'a Files,
    /// Where snapshots, sets and logs go.
    pub(crate) place: &'a Path,
}

impl Peer<'_> {
    fn out(&self) -> PathBuf {
        self.place.join(format!("out-{}", self.name))
    }

    fn command(&self, verb: &str) -> Result<Command> {
        let mut command = Command::new(python(self.setting, self.place)?);
        let job = json!({
            "base": self.files.base,
            "later": self.files.later,
            "snapshot": self.place.join(format!("snapshot-{}", self.name)),
            "out": self.out(),
            "id": self.sides.id(),
            "threads": self.setting.threads,
        });
        command.arg(self.place.join(self.script)).arg(verb).arg(job.to_string());
        Ok(command)
    }

    /// The counts of what the last round left.
    fn found(&self, output: &str) -> Result<Counts> {
        let unclear = |error| Error::bug(format!("{} did not tell what it found: {output:?}", self.name)).caused_by(error);
        match self.leaves {
            Leaves::Counts => serde_json::from_str(output.trim()).map_err(unclear),
            Leaves::Sets => {
                Ok(Counts { added: self.records("added")?, updated: self.records("updated")?, deleted: self.records("deleted")? })
            }
        }
    }

    fn records(&self, set: &str) -> Result<u64> {
        let path = self.out().join(format!("{set}.parquet"));
        let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::io(format!("could not read what {} wrote to {}", self.name, path.display()), error)
        };
        let file = File::open(&path).map_err(|error| unreadable(error.into()))?;
        let reader = SerializedFileReader::new(file).map_err(|error| unreadable(error.into()))?;
        Ok(reader.metadata().file_metadata().num_rows().unsigned_abs())
    }
}

impl Contender for Peer<'_> {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn prepare(&mut self) -> Result<()> {
        for (name, text) in SCRIPTS {
            let path = self.place.join(name);
            fs::write(&path, text).map_err(|error| Error::io(format!("could not write {}", path.display()), error))?;
        }
        run(self.command("prepare")?, &self.setting.watch(&format!("{} on the base", self.name), Begin::AtOnce, self.place))?;
        Ok(())
    }

    fn round(&mut self) -> Result<Figures> {
        let (out, truth) = (self.out(), self.sides.truth()?);
        let failed = |error: std::io::Error| Error::io(format!("could not make the folder {} anew", out.display()), error);
        if out.exists() {
            fs::remove_dir_all(&out).map_err(failed)?;
        }
        fs::create_dir(&out).map_err(failed)?;
        let ran = run(self.command("run")?, &self.setting.watch(self.name, Begin::WhenTold, self.place))?;
        // A peer does not tell how many records it read.
        check(self.name, truth, Found { counts: self.found(&ran.output)?, ..truth })?;
        Ok(ran.figures)
    }
}

/// The Python to use. A virtual environment is made if it is not there, or if the requirements have changed.
fn python(setting: &Setting, place: &Path) -> Result<PathBuf> {
    let home = match &setting.python {
        Python::Given(path) => return Ok(path.clone()),
        Python::In(home) => home,
    };
    let (python, made) = (home.join("bin/python"), home.join(".requirements"));
    if fs::read_to_string(&made).is_ok_and(|known| known == REQUIREMENTS) {
        return Ok(python);
    }
    let failed = |error: std::io::Error| Error::io(format!("could not write to {}", home.display()), error);
    fs::create_dir_all(home).map_err(failed)?;
    let wanted = place.join("requirements.txt");
    fs::write(&wanted, REQUIREMENTS).map_err(failed)?;
    let step = |mut command: Command, arguments: &[&str]| {
        command.args(arguments);
        run(command, &Watch { name: format!("the set-up of Python ({})", arguments[1]), ..setting.watch("python", Begin::AtOnce, place) })
            .map_err(|error| error.remedy("give a Python that has bench/peers/requirements.txt with --python"))
    };
    step(Command::new("python3"), &["-m", "venv", "--clear", &home.to_string_lossy()])?;
    step(Command::new(&python), &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &wanted.to_string_lossy()])?;
    fs::write(&made, REQUIREMENTS).map_err(failed)?;
    Ok(python)
}
