//! Makes one step of the real program go wrong: the n-th call by which it changes its state kills it, stops it, or fails.
//!
//! `faults.c` is loaded into the unmodified program, counts those calls over all its threads, and acts at one of them. It is built here, with the
//! C compiler that links Rust programs too, so that it can be had wherever the tests can be built. (strace could do the same, but counts for each
//! thread apart, and may need rights that a machine for tests does not give.)
//!
//! What is changed is written to disk by the C library's functions; the standard library of Rust has no others.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Outflow;
use crate::outflow_bin::binary;

const SOURCE: &str = include_str!("faults.c");

/// What goes wrong at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL before the step.
    Kill,
    /// SIGKILL in the midst of it: half of what is written is there. Before it, if it is no write.
    Torn,
    /// SIGSTOP before it: the step follows once the program goes on.
    Stop,
    /// No space is left (ENOSPC).
    NoSpace,
    /// The disk fails (EIO).
    Io,
}

impl Fault {
    fn text(self) -> String {
        match self {
            Self::Kill => "kill".to_owned(),
            Self::Torn => "torn".to_owned(),
            Self::Stop => "stop".to_owned(),
            Self::NoSpace => rustix::io::Errno::NOSPC.raw_os_error().to_string(),
            Self::Io => rustix::io::Errno::IO.raw_os_error().to_string(),
        }
    }
}

/// One step of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its place in the order of all threads, from 1.
    pub number: u64,
    /// `create`, `write`, `fsync`, `link`, `rename`, `remove`, `mkdir`, `truncate`, `chmod` or `read`; `fault` where it went wrong.
    pub call: String,
    /// The path, below the folder that is watched; starts with `/`.
    pub path: String,
}

/// Watches the steps of one command, and makes one of them go wrong.
pub struct Faults {
    under: PathBuf,
    folder: TempDir,
    at: u64,
    fault: Option<Fault>,
    lasting: bool,
    reads: bool,
}

impl Faults {
    /// Only watches what is done below `folder`, which need not be there yet.
    pub fn watch(folder: &Path) -> Self {
        let parent = folder.parent().unwrap().canonicalize().unwrap();
        let under = parent.join(folder.file_name().unwrap());
        Self { under, folder: TempDir::with_prefix("outflow-faults-").unwrap(), at: 0, fault: None, lasting: false, reads: false }
    }

    /// Only watches what is read there: a step is then a call that reads.
    pub fn watch_reads(folder: &Path) -> Self {
        Self { reads: true, ..Self::watch(folder) }
    }

    /// Makes the step of this number go wrong, from 1.
    #[must_use]
    pub fn at(self, number: u64, fault: Fault) -> Self {
        Self { at: number, fault: Some(fault), ..self }
    }

    /// And every later one.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { lasting: true, ..self }
    }

    /// The command, watched.
    #[must_use]
    pub fn on(&self, command: Outflow) -> Outflow {
        let command = command.env("LD_PRELOAD", library()).env("FAULTS_UNDER", &self.under).env("FAULTS_LOG", self.log());
        let command = command.env("FAULTS_AT", self.at.to_string());
        let command = if self.lasting { command.env("FAULTS_LASTING", "1") } else { command };
        let command = if self.reads { command.env("FAULTS_READS", "1") } else { command };
        match self.fault {
            Some(fault) => command.env("FAULTS_DO", fault.text()),
            None => command,
        }
    }

    /// What the command has done so far. Panics if it was not watched at all.
    #[track_caller]
    pub fn steps(&self) -> Vec<Step> {
        self.lines().into_iter().filter(|step| step.call != "fault").collect()
    }

    /// The step that went wrong first, if the command came that far.
    #[track_caller]
    pub fn hit(&self) -> Option<Step> {
        let lines = self.lines();
        let number = lines.iter().find(|step| step.call == "fault")?.number;
        lines.into_iter().find(|step| step.number == number)
    }

    #[track_caller]
    fn lines(&self) -> Vec<Step> {
        let text = std::fs::read_to_string(self.log()).expect("the program was not watched: is it linked statically?");
        let step = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let (number, call, path) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Step { number: number.parse().ok()?, call: call.to_owned(), path: path.to_owned() })
        };
        text.lines().map(|line| step(line).unwrap_or_else(|| panic!("no step: {line}"))).collect()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("steps")
    }
}

/// The library beside the program, built if it is not there in this version.
fn library() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let library = binary().with_file_name(format!("outflow-faults-{:016x}.so", hasher.finish()));
    if !library.is_file() {
        // Other tests build it at the same time: each its own, and the last name wins.
        let folder = TempDir::new_in(library.parent().unwrap()).unwrap();
        let (source, built) = (folder.path().join("faults.c"), folder.path().join("faults.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let status =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&built).arg(&source).status();
        assert!(status.expect("a C compiler (cc)").success(), "faults.c cannot be built");
        std::fs::rename(&built, &library).unwrap();
    }
    library
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_below_the_folder_is_counted_and_no_other() {
        let folder = TempDir::new().unwrap();
        let script = "printf abc > s; printf abc > other; printf d >> s";
        let faults = Faults::watch(&folder.path().join("s"));
        let run = faults.on(Outflow::in_folder(folder.path()).program("/bin/sh").arg("-c").arg(script)).run();
        run.expect(0);
        let steps: Vec<String> = faults.steps().iter().map(|step| format!("{} {}", step.number, step.call)).collect();
        assert_eq!(steps, ["1 create", "2 write", "3 create", "4 write"]);
        assert_eq!(faults.hit(), None);
    }

    #[test]
    fn a_step_is_torn_killed_or_fails_once_or_from_then_on() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("s");
        let run = |at, fault, lasting: bool, script: &str| {
            drop(std::fs::remove_file(&path));
            let faults = Faults::watch(&path).at(at, fault);
            let faults = if lasting { faults.lasting() } else { faults };
            let run = faults.on(Outflow::in_folder(folder.path()).program("/bin/sh").arg("-c").arg(script)).run();
            (run, faults.hit().map(|step| step.call), std::fs::read_to_string(&path).unwrap_or_default())
        };
        let script = "printf abcdef > s; printf ghijkl >> s; printf m >> s";
        let (ended, hit, text) = run(4, Fault::Torn, false, script);
        assert_eq!((ended.code, hit.as_deref(), text.as_str()), (None, Some("write"), "abcdefghi"));
        let (ended, hit, text) = run(3, Fault::Kill, false, script);
        assert_eq!((ended.code, hit.as_deref(), text.as_str()), (None, Some("create"), "abcdef"));
        let (ended, _, text) = run(4, Fault::NoSpace, false, script);
        assert_eq!((ended.code, text.as_str()), (Some(0), "abcdefm"));
        // Some shells say what went wrong, others only that it did.
        assert!(ended.stderr.contains("No space left on device") || ended.stderr.contains("I/O error"), "{ended}");
        let (ended, _, text) = run(4, Fault::Io, true, script);
        assert_eq!(text, "abcdef");
        assert!(ended.stderr.contains("I/O error") || ended.stderr.contains("Input/output error"), "{ended}");
        let (_, hit, text) = run(7, Fault::Kill, false, script);
        assert_eq!((hit, text.as_str()), (None, "abcdefghijklm"), "there is no seventh step");
    }

    #[test]
    fn every_kind_of_step_is_seen() {
        let folder = TempDir::new().unwrap();
        let faults = Faults::watch(&folder.path().join("s"));
        // Programs that a program starts count for themselves, into the same log.
        let script = "mkdir s && printf abcdef > s/a && ln s/a s/b && sync s/a && mv s/b s/c && chmod 600 s/c && rm -r s";
        faults.on(Outflow::in_folder(folder.path()).program("/bin/sh").arg("-c").arg(script)).run().expect(0);
        let calls: Vec<String> = faults.steps().into_iter().map(|step| format!("{} {}", step.call, step.path)).collect();
        for call in ["mkdir ", "create /a", "write /a", "link /b", "fsync /a", "rename /c", "chmod /c", "remove /a", "remove /c", "remove "]
        {
            assert!(calls.iter().any(|c| c == call), "{call}: {calls:?}");
        }
    }
}
