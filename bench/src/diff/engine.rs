//! Our own side: the bound, and whole extractions, with or without a limit on memory.

use std::fs;
use std::path::{Path, PathBuf};

use outflow_contract::{Counts, Error, Result};

use super::check;
use crate::child::{Begin, run};
use crate::contest::Contender;
use crate::figures::Figures;
use crate::setting::Setting;
use crate::sides::{Sides, arguments};
use crate::work::Found;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// The later side is read, decoded and hashed once, and nothing else.
    Bound,
    /// It is compared with the state of the base: the change set and the new snapshot are written and committed.
    Extract {
        /// The most memory that may be held, in bytes.
        memory: Option<u64>,
    },
}

/// The sides of a comparison as an engine reads them: files, or made while they are read.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) sides: Sides,
    /// The base and the later side.
    pub(crate) files: Option<(PathBuf, PathBuf)>,
}

/// A contender of our own.
pub(crate) struct Engine<'a> {
    pub(crate) name: &'static str,
    pub(crate) setting: &'a Setting,
    pub(crate) input: Input,
    pub(crate) task: Task,
    /// Where states and logs go. Contenders that work in one place share the state of the base.
    pub(crate) place: &'a Path,
}

impl Engine<'_> {
    /// The state of the base, which no round changes.
    pub(crate) fn base_state(&self) -> PathBuf {
        self.place.join("state-of-base")
    }

    /// The state that the last round wrote to.
    pub(crate) fn state(&self) -> PathBuf {
        self.place.join(format!("state-{}", self.name))
    }

    fn extract_base(&self) -> Result<()> {
        // A half one is never used.
        let unfinished = self.place.join("state-unfinished");
        let truth = Found { records: self.input.sides.records, counts: Counts { added: self.input.sides.records, ..Counts::default() } };
        let mut command = self.setting.own("extract");
        command.args(arguments(&self.input.sides.base())).args(self.file(|(base, _)| base)).arg("--state").arg(&unfinished);
        command.arg(format!("--threads={}", self.setting.threads));
        let name = format!("{} on the base", self.name);
        let ran = run(command, &self.setting.watch(&name, Begin::WhenTold, self.place))?;
        check(&name, truth, told(&name, &ran.output)?)?;
        fs::rename(&unfinished, self.base_state()).map_err(|error| Error::io("could not name the state of the base", error))
    }

    fn file(&self, which: fn(&(PathBuf, PathBuf)) -> &PathBuf) -> Option<String> {
        self.input.files.as_ref().map(|files| format!("--file={}", which(files).display()))
    }
}

impl Contender for Engine<'_> {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn prepare(&mut self) -> Result<()> {
        if self.task == Task::Bound || self.base_state().exists() { Ok(()) } else { self.extract_base() }
    }

    fn round(&mut self) -> Result<Figures> {
        let mut truth = self.input.sides.truth()?;
        let mut command = match self.task {
            Task::Bound => {
                truth.counts = Counts::default();
                self.setting.own("bound")
            }
            Task::Extract { memory } => {
                link_anew(&self.base_state(), &self.state())?;
                let mut command = self.setting.own("extract");
                command.arg("--state").arg(self.state()).args(memory.map(|bytes| format!("--memory={bytes}")));
                command
            }
        };
        command.args(arguments(&self.input.sides.later())).args(self.file(|(_, later)| later));
        command.arg(format!("--threads={}", self.setting.threads));
        let ran = run(command, &self.setting.watch(self.name, Begin::WhenTold, self.place))?;
        check(self.name, truth, told(self.name, &ran.output)?)?;
        Ok(ran.figures)
    }
}

/// What a child of ours says it has found.
fn told(name: &str, output: &str) -> Result<Found> {
    serde_json::from_str(output.trim())
        .map_err(|error| Error::bug(format!("{name} did not tell what it found: {output:?}")).caused_by(error))
}

/// Makes `to` a copy of the folder `from` whose files are hard links: what a state has once written, it does not change.
fn link_anew(from: &Path, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(format!("could not copy {} to {}", from.display(), to.display()), error);
    if to.exists() {
        fs::remove_dir_all(to).map_err(failed)?;
    }
    link_tree(from, to).map_err(failed)
}

fn link_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() { link_tree(&path, &copy)? } else { fs::hard_link(&path, &copy)? }
    }
    Ok(())
}
