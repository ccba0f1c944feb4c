//! The two sides of a comparison: records as they were, and the same later, in another order, with some changed, added and deleted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use outflow_contract::{Error, Result};

use crate::child::{Begin, run};
use crate::columns::Identifier;
use crate::data::{Data, Spec};
use crate::setting::Setting;
use crate::work::Found;

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    /// Records of the base.
    pub records: u64,
    /// Columns of both.
    pub columns: usize,
    /// What tells the records apart.
    pub identifier: Identifier,
    /// The seed of the data, and of the order of the later side.
    pub seed: u64,
    /// The share that is changed.
    pub changed: f64,
    /// The share that comes on top.
    pub added: f64,
    /// The share that goes.
    pub deleted: f64,
}

/// Both sides as Parquet.
#[derive(Clone, Debug)]
pub struct Files {
    /// The base.
    pub base: PathBuf,
    /// The later side.
    pub later: PathBuf,
}

impl Sides {
    /// The base.
    pub fn base(&self) -> Spec {
        Spec { records: self.records, seed: self.seed, identifier: self.identifier, columns: self.columns, ..Spec::default() }
    }

    /// The later side.
    pub fn later(&self) -> Spec {
        let Self { changed, added, deleted, .. } = *self;
        Spec { shuffle: Some(self.seed), changed, added, deleted, ..self.base() }
    }

    /// What whoever compares them has to find.
    ///
    /// # Errors
    /// `Invalid` if there is no such data.
    pub fn truth(&self) -> Result<Found> {
        let later = Data::new(&self.later())?;
        Ok(Found { records: later.records(), counts: later.counts() })
    }

    /// The identifier's columns.
    pub fn id(&self) -> Vec<String> {
        self.identifier.columns().iter().map(|&column| column.to_owned()).collect()
    }

    /// Both as files of the setting's folder. What is there from an earlier time is used again.
    ///
    /// # Errors
    /// `Io` if they cannot be written.
    pub fn files(&self, setting: &Setting) -> Result<Files> {
        let of_both = format!("{}-{}-{}-{}", self.records, self.columns, self.identifier.name(), self.seed);
        let of_later = format!("{of_both}-{}-{}-{}", self.changed, self.added, self.deleted);
        let files = Files {
            base: setting.folder.join(format!("base-{of_both}.parquet")),
            later: setting.folder.join(format!("later-{of_later}.parquet")),
        };
        make(setting, &self.base(), &files.base)?;
        make(setting, &self.later(), &files.later)?;
        Ok(files)
    }
}

impl Files {
    /// Reads both once, so that nobody has to be the first.
    ///
    /// # Errors
    /// `Io` if one cannot be read.
    pub fn warm(&self) -> Result<()> {
        for path in [&self.base, &self.later] {
            let read = File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
            read.map_err(|error| Error::io(format!("could not read {}", path.display()), error))?;
        }
        Ok(())
    }
}

/// Makes a file in a process of its own (see [`crate::child`] for why), under another name first: a half one is never used.
fn make(setting: &Setting, spec: &Spec, path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let place = setting.workplace()?;
    let unfinished = place.path().join("unfinished");
    let mut command = setting.own("generate");
    command.args(arguments(spec)).arg(format!("--threads={}", setting.threads)).arg(&unfinished);
    run(command, &setting.watch("generate", Begin::AtOnce, place.path()))?;
    fs::rename(&unfinished, path).map_err(|error| Error::io(format!("could not name {}", path.display()), error))
}

/// A specification as arguments of `generate`, `bound` and `extract`.
pub(crate) fn arguments(spec: &Spec) -> Vec<String> {
    let mut arguments = vec![
        format!("--records={}", spec.records),
        format!("--seed={}", spec.seed),
        format!("--id={}", spec.identifier.name()),
        format!("--columns={}", spec.columns),
        format!("--changed={}", spec.changed),
        format!("--added={}", spec.added),
        format!("--deleted={}", spec.deleted),
    ];
    arguments.extend(spec.shuffle.map(|seed| format!("--shuffle={seed}")));
    arguments
}
