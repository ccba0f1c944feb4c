//! A child process, measured: seconds on the wall, seconds of the processor, the most memory that it held. It is ended when it takes too long.
//!
//! ```text
//! spawn ──► "ready 0.31" on its standard output ──► "go" on its standard input ──► what it found, as lines ──► its end
//!           (libraries loaded, nothing read yet)    └──────────────────── measured ────────────────────────────────┘
//! ```
//!
//! A child that begins by itself ([`Begin::AtOnce`]) is measured from its start.
//!
//! The peak is what the system counted for the child (`ru_maxrss`). On Linux it begins with the largest size that the *parent* ever had,
//! since the two share their memory until the child's program is loaded: so whoever measures must stay small, and has its data made by
//! other processes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use outflow_contract::{Error, Kind, Result};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use wait4::Wait4;

use crate::figures::Figures;

/// How much of a failed child's output is shown.
const LOG_BYTES_SHOWN: usize = 4_000;
/// The first word of the line by which a child says that it is ready.
pub const READY: &str = "ready";
/// The line that tells it to begin.
pub const GO: &str = "go";

/// When the measured work begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the process.
    AtOnce,
    /// When the child is told, after it has said that it is ready.
    WhenTold,
}

/// How to run a child.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Its name in front of people.
    pub name: String,
    /// When the measured work begins.
    pub begin: Begin,
    /// A child that takes longer, from its start, is ended.
    pub limit: Duration,
    /// Where its standard error goes.
    pub log: PathBuf,
}

/// A child that ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// What it took.
    pub figures: Figures,
    /// What it wrote to standard output, without the line by which it said that it is ready.
    pub output: String,
}

/// What is heard of a child.
enum Event {
    Line(String),
    /// Its standard output is closed.
    Closed,
    /// It has ended, at that moment, and has not been reaped.
    Ended(Instant),
}

/// Runs `command` to its end.
///
/// # Errors
/// `Io` if it cannot be started; `Limit` if it takes too long; `Refused` if it fails, with the end of its output.
#[allow(clippy::disallowed_methods, reason = "a benchmark is about the clock on the wall")]
pub fn run(mut command: Command, watch: &Watch) -> Result<Ran> {
    let failed = |error: std::io::Error| Error::io(format!("could not run {}", watch.name), error);
    let log = File::create(&watch.log).map_err(|error| Error::io(format!("could not create {}", watch.log.display()), error))?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    let started = Instant::now();
    let mut child = command.spawn().map_err(failed)?;
    let events = listen(&mut child)?;
    let (begun, ended, output) = match follow(&mut child, &events, watch, started) {
        Ok(followed) => followed,
        Err(error) => {
            // It may have ended by itself meanwhile.
            drop(child.kill());
            child.wait().map_err(failed)?;
            return Err(error);
        }
    };
    let used = child.wait4().map_err(failed)?;
    if !used.status.success() {
        return Err(with_output(Error::new(Kind::Refused, format!("{} ended with {}", watch.name, used.status)), watch, &output));
    }
    let Some(begun) = begun else {
        return Err(with_output(Error::new(Kind::Refused, format!("{} never said that it is ready", watch.name)), watch, &output));
    };
    let figures = Figures {
        seconds: ended.duration_since(begun.at).as_secs_f64(),
        cpu_seconds: ((used.rusage.utime + used.rusage.stime).as_secs_f64() - begun.cpu_seconds).max(0.0),
        peak_bytes: used.rusage.maxrss,
    };
    Ok(Ran { figures, output })
}

/// The moment at which the measured work began.
struct Begun {
    at: Instant,
    /// What the processor had spent on the child before.
    cpu_seconds: f64,
}

/// Two threads that tell what they hear. Each ends with the child, or with its standard output.
fn listen(child: &mut Child) -> Result<Receiver<Event>> {
    let (sender, events) = channel();
    let stdout = child.stdout.take().ok_or_else(|| Error::bug("a child without its standard output"))?;
    let lines: Sender<Event> = sender.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
            // Nobody listens any more once the child is given up.
            drop(lines.send(Event::Line(line)));
        }
        drop(lines.send(Event::Closed));
    });
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| Error::bug("a child without a process id"))?;
    std::thread::spawn(move || drop(sender.send(Event::Ended(end_of(pid)))));
    Ok(events)
}

/// Waits for a process to end, and leaves it to be reaped.
#[allow(clippy::disallowed_methods, reason = "a benchmark is about the clock on the wall")]
fn end_of(pid: Pid) -> Instant {
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    Instant::now()
}

/// Tells the child to begin when it is ready, and hears it out: gives when its work began, its end, and its lines.
fn follow(child: &mut Child, events: &Receiver<Event>, watch: &Watch, started: Instant) -> Result<(Option<Begun>, Instant, String)> {
    let mut stdin = child.stdin.take();
    let mut begun = match watch.begin {
        // It has nothing to read.
        Begin::AtOnce => stdin.take().map(|_| Begun { at: started, cpu_seconds: 0.0 }),
        Begin::WhenTold => None,
    };
    let (mut ended, mut closed, mut output) = (None, false, String::new());
    loop {
        if let (Some(ended), true) = (ended, closed) {
            return Ok((begun, ended, output));
        }
        match events.recv_timeout(watch.limit.saturating_sub(started.elapsed())) {
            Ok(Event::Line(line)) => match (&begun, ready(&line)) {
                (None, Some(cpu_seconds)) => begun = Some(tell_to_begin(stdin.take(), cpu_seconds)?),
                _ => output.extend([line.as_str(), "\n"]),
            },
            Ok(Event::Closed) => closed = true,
            Ok(Event::Ended(at)) => ended = Some(at),
            Err(_) => {
                let message = format!("{} took longer than {} s and was ended", watch.name, watch.limit.as_secs());
                return Err(with_output(Error::new(Kind::Limit, message), watch, &output).remedy("allow more with --minutes"));
            }
        }
    }
}

/// The processor's seconds so far, of a child that says it is ready.
fn ready(line: &str) -> Option<f64> {
    line.strip_prefix(READY)?.trim().parse().ok()
}

#[allow(clippy::disallowed_methods, reason = "a benchmark is about the clock on the wall")]
fn tell_to_begin(stdin: Option<ChildStdin>, cpu_seconds: f64) -> Result<Begun> {
    let mut stdin = stdin.ok_or_else(|| Error::bug("a child without its standard input"))?;
    let at = Instant::now();
    // A child that has ended already does not take it: why it ended is told by itself.
    drop(writeln!(stdin, "{GO}"));
    Ok(Begun { at, cpu_seconds })
}

fn with_output(error: Error, watch: &Watch, output: &str) -> Error {
    let log = fs::read(&watch.log).unwrap_or_default();
    let mut shown = String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_BYTES_SHOWN)..]).into_owned();
    if shown.trim().is_empty() {
        output.clone_into(&mut shown);
    }
    error.with("the end of its output", shown.trim_end().to_owned())
}

/// The child's side: says that everything is loaded, and waits for the sign. What its start has cost the processor it counts as work: that is
/// next to nothing in a program of ours.
///
/// # Errors
/// `Io` if nobody gives the sign.
pub fn wait_for_sign() -> Result<()> {
    let failed = |error: std::io::Error| Error::io("could not ask for the sign to begin", error);
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{READY} 0").and_then(|()| stdout.flush()).map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    if line.trim_end() == GO { Ok(()) } else { Err(Error::invalid("no sign to begin came").remedy("let `outflow-bench diff` run this")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(2);

    fn shell(script: &str, begin: Begin, limit: Duration) -> Result<Ran> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("bash");
        command.args(["-euc", script]);
        run(command, &Watch { name: "the script".to_owned(), begin, limit, log: folder.path().join("log") })
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a benchmark is about the clock on the wall")]
    fn what_comes_before_the_sign_is_not_measured_and_what_comes_after_it_is() {
        let busy = "n=0; while [ $n -lt 200000 ]; do n=$((n + 1)); done";
        let begun = Instant::now();
        let early =
            shell(&format!("{busy}; sleep 0.2; echo ready 1000; read -r sign; echo $sign; echo done"), Begin::WhenTold, LONG).unwrap();
        assert_eq!(early.output, "go\ndone\n");
        assert!(early.figures.cpu_seconds == 0.0 && early.figures.seconds + 0.2 <= begun.elapsed().as_secs_f64(), "{early:?}");
        let late = shell(&format!("echo ready 0; read -r sign; {busy}; sleep 0.2"), Begin::WhenTold, LONG).unwrap();
        assert!(late.figures.cpu_seconds > 0.0 && late.figures.seconds >= 0.2, "{late:?}");
    }

    #[test]
    fn the_peak_is_that_of_the_child() {
        // A variable of 64 MB, in a shell that needs a few.
        let large = shell("x=$(head -c 64000000 /dev/zero | tr '\\0' a); echo ${#x}", Begin::AtOnce, LONG).unwrap();
        assert!(large.figures.peak_bytes > 64_000_000, "{large:?}");
        let small = shell("echo", Begin::AtOnce, LONG).unwrap();
        assert!(small.figures.peak_bytes > 1 << 20 && small.figures.peak_bytes < large.figures.peak_bytes, "{small:?}");
    }

    #[test]
    fn a_child_that_hangs_before_or_after_the_sign_is_ended() {
        for (script, begin) in [
            ("exec sleep 1000", Begin::WhenTold),
            ("echo ready 0; read -r sign; exec sleep 1000", Begin::WhenTold),
            ("exec sleep 1000", Begin::AtOnce),
            ("sleep 1000 & disown; echo its output stays open", Begin::AtOnce),
        ] {
            let error = shell(script, begin, Duration::from_millis(300)).unwrap_err();
            assert!(error.kind() == Kind::Limit && error.message().contains("took longer"), "{script}: {error:?}");
        }
    }

    #[test]
    fn a_child_that_fails_shows_the_end_of_its_output() {
        for script in ["echo 'no such table' >&2; exit 3", "echo 'no such table'; exit 3", "echo ready 0; echo 'no such table' >&2; exit 3"]
        {
            let error = shell(script, Begin::WhenTold, LONG).unwrap_err();
            assert!(error.context().iter().any(|(_, text)| text.contains("no such table")), "{error:?}");
        }
    }

    #[test]
    fn a_child_that_ends_without_having_been_ready_is_an_error() {
        let error = shell("echo 5 records", Begin::WhenTold, LONG).unwrap_err();
        assert!(error.message().contains("never said"), "{error}");
        assert_eq!(shell("echo 5 records", Begin::AtOnce, LONG).unwrap().output, "5 records\n");
    }
}
