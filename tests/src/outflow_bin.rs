//! The real program, run as a person or a scheduler runs it; and killed.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::Project;

/// A command that takes longer is killed, and its test fails.
const RUN_MAX: Duration = Duration::from_mins(2);
/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Variables of the person's environment that would change what the program does.
const FOREIGN: [&str; 17] = [
    "OUTFLOW_PROJECT",
    "OUTFLOW_TARGET",
    "OUTFLOW_LOG",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
];

/// A command of the program, to be run.
#[derive(Clone, Debug)]
pub struct Outflow {
    program: Option<PathBuf>,
    folder: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    run_max: Duration,
}

impl Outflow {
    /// A command that starts in a project's folder.
    pub fn at(project: &Project) -> Self {
        Self::in_folder(project.root())
    }

    /// A command that starts in `folder`.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { program: None, folder: folder.into(), args: Vec::new(), env: Vec::new(), run_max: RUN_MAX }
    }

    /// Another program than [`binary`], such as an earlier version.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// One argument more.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Arguments, separated by spaces: `run --select a`.
    #[must_use]
    pub fn args(mut self, args: &str) -> Self {
        self.args.extend(args.split_whitespace().map(OsString::from));
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Kills it, and fails, if it takes longer than this.
    #[must_use]
    pub fn within(mut self, run_max: Duration) -> Self {
        self.run_max = run_max;
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&self) -> Run {
        self.spawn().wait()
    }

    /// Starts it.
    #[track_caller]
    pub fn spawn(&self) -> Running {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let program = self.program.clone().unwrap_or_else(binary);
        let mut command = Command::new(&program);
        command.args(&self.args).current_dir(&self.folder).env("NO_COLOR", "1").env("TZ", "UTC");
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("could not start {}: {error}", program.display()));
        Running { command: format!("outflow {:?}", self.args), child, stdout, stderr, run_max: self.run_max }
    }
}

/// The program beside this test: `target/<profile>/outflow`, where `cargo build` puts it.
#[track_caller]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().find(|path| path.file_name().is_some_and(|name| name == "deps")).and_then(Path::parent);
    let path = folder.unwrap_or_else(|| Path::new(".")).join("outflow");
    assert!(path.is_file(), "there is no {}: build it first, with `cargo build -p outflow` and the profile of the tests", path.display());
    path
}

/// The program while it runs. It is killed when this is dropped.
pub struct Running {
    command: String,
    child: Child,
    stdout: File,
    stderr: File,
    run_max: Duration,
}

impl Running {
    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return self.ended(status);
            }
            if waited > self.run_max {
                let status = self.end();
                panic!("it did not end within {:?}: {}", self.run_max, self.ended(status));
            }
            pause(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }

    /// Kills it at once (SIGKILL), as a power cut of the process would; it may have ended before.
    pub fn kill(mut self) -> Run {
        let status = self.end();
        self.ended(status)
    }

    /// Sends a signal. Nothing happens if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            // It may have ended in between.
            rustix::process::kill_process(pid, signal).ok();
        }
    }

    /// Is it still running?
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Has a signal stopped it (SIGSTOP)?
    pub fn is_stopped(&self) -> bool {
        // The state stands behind the name, which is in brackets.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        written(&self.stderr)
    }

    /// Waits until `condition` holds or the program has ended; says which.
    pub fn until(&mut self, mut condition: impl FnMut() -> bool) -> bool {
        while self.is_running() {
            if condition() {
                return true;
            }
            pause(LOOK_EVERY);
        }
        false
    }

    fn end(&mut self) -> ExitStatus {
        // It may have ended by itself.
        drop(self.child.kill());
        self.child.wait().unwrap()
    }

    fn ended(&self, status: ExitStatus) -> Run {
        Run { command: self.command.clone(), code: status.code(), stdout: written(&self.stdout), stderr: written(&self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            self.end();
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "waits for another process, whose time is the real one")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Reads at a place of its own: the program writes through a descriptor that shares this one's position.
fn written(file: &File) -> String {
    let (mut bytes, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match file.read_at(&mut part, bytes.len() as u64).unwrap() {
            0 => return String::from_utf8_lossy(&bytes).into_owned(),
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command, for messages.
    pub command: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Run {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code == Some(code), "exit code {code} was expected\n{self}");
        self
    }

    /// Fails unless it succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        self.expect(0)
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("standard output is not JSON: {error}\n{self}"))
    }

    /// The last line of standard output as JSON: the summary that a program reads.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("the last line of standard output is not JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
        write!(f, "{} ended with {code}\n--- stdout\n{}\n--- stderr\n{}", self.command, self.stdout, self.stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Outflow {
        Outflow::in_folder("/").program("/bin/sh").arg("-c").arg(script)
    }

    #[test]
    fn a_run_has_its_code_and_both_outputs() {
        let run = shell("echo '{\"a\":1}'; echo talk >&2; pwd >&2; echo $X >&2; exit 3").env("X", "y").run().expect(3);
        assert_eq!((run.json(), run.summary()["a"].as_i64()), (serde_json::json!({"a": 1}), Some(1)));
        assert_eq!(run.stderr, "talk\n/\ny\n");
        assert!(run.to_string().starts_with("outflow [\"-c\", ") && run.to_string().contains("ended with code 3"));
    }

    #[test]
    fn a_running_program_is_watched_signalled_and_killed() {
        let mut running = shell("trap 'echo stopped >&2' TERM; echo up >&2; while :; do sleep 0.01; done").spawn();
        let stderr = running.stderr.try_clone().unwrap();
        assert!(running.until(|| written(&stderr).contains("up")));
        running.signal(Signal::TERM);
        assert!(running.until(|| written(&stderr).contains("stopped")));
        running.signal(Signal::STOP);
        while !running.is_stopped() {
            pause(LOOK_EVERY);
        }
        let run = running.kill();
        assert_eq!((run.code, run.stderr.as_str()), (None, "up\nstopped\n"));
        assert!(!shell("exit 0").spawn().until(|| false), "it ended first");
    }

    #[test]
    #[should_panic(expected = "it did not end within 50ms")]
    fn a_program_that_hangs_is_killed() {
        shell("exec sleep 100").within(Duration::from_millis(50)).run();
    }

    #[test]
    #[should_panic(expected = "exit code 0 was expected")]
    fn an_unexpected_code_fails_with_all_that_was_written() {
        shell("echo why >&2; exit 1").run().success();
    }
}
