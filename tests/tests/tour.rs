//! `docs/tour.md` is true: every command in it is run, in order, in one shell, and prints what the page says.
//!
//! What differs from run to run (times, ids of syncs, sizes of columns that depend on them) is levelled on both sides before they are
//! compared. `OUTFLOW_TOUR=write` writes what was printed into the page instead: read the difference before accepting it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs, reason = "a test")]

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The port that the page shows; the test takes a free one.
const PORT: &str = "8765";
/// Begins the output of each command: a character that no command prints.
const MARK: char = '\u{1}';

/// A command of the page, and what the page says it prints.
struct Step {
    /// The lines of the page that hold the output.
    lines: std::ops::Range<usize>,
    command: String,
    printed: String,
}

/// The steps in the ```` ```console ```` blocks of a page: `$ ` begins a command, `> ` goes on with it, everything else is printed by it.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            steps.push(Step { lines: number + 1..number + 1, command: command.to_owned(), printed: String::new() });
        } else if let (true, Some(step)) = (inside, steps.last_mut()) {
            if let Some(more) = line.strip_prefix("> ").or((line == ">").then_some("")).filter(|_| step.printed.is_empty()) {
                write!(step.command, "\n{more}").unwrap();
                step.lines = number + 1..number + 1;
            } else {
                writeln!(step.printed, "{line}").unwrap();
                step.lines.end = number + 1;
            }
        }
    }
    steps
}

/// Runs the commands in one shell, in a folder of its own, and returns what each printed.
fn run(steps: &[Step], folder: &Path, port: u16) -> Vec<String> {
    let mut script = String::from("exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n");
    for step in steps {
        writeln!(script, "printf '{MARK}'\n{}", step.command.replace(PORT, &port.to_string())).unwrap();
    }
    let binary = outflow_tests::outflow_bin::binary();
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env_clear()
        .envs([("PATH", path.as_str()), ("NO_COLOR", "1"), ("COLUMNS", "110"), ("TZ", "UTC"), ("LC_ALL", "C.UTF-8")])
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap().replace(&port.to_string(), PORT);
    printed.split(MARK).skip(1).map(str::to_owned).collect()
}

/// The text with everything levelled that differs from run to run.
fn levelled(text: &str) -> String {
    let mut level = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut line: Vec<String> = Vec::new();
        // The bars of a timeline are as long as its times.
        for (i, word) in words.iter().enumerate().filter(|(_, word)| !word.chars().all(|c| c == '━')) {
            let unit = |i: usize| words.get(i).map(|word| word.trim_end_matches([',', ';', '.', ')']));
            let measured = is_number(word.trim_start_matches('(')) && unit(i + 1).is_some_and(|unit| UNITS.contains(&unit));
            line.push(if measured { "<n>".to_owned() } else { kind_of(word) });
        }
        let mut line = line.join(" ");
        // A second is told in milliseconds or not, by chance.
        for unit in ["ms", "s"] {
            line = line.replace(&format!("<n> {unit}"), "<time>");
        }
        level.push_str(&line);
        level.push('\n');
    }
    level.trim_end().to_owned()
}

/// What is measured, and not counted.
const UNITS: [&str; 5] = ["ms", "s", "min", "%", "records/s"];

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',')
}

/// A word, or its kind where it is another in each run.
fn kind_of(word: &str) -> String {
    // The summary for programs ends with how long it took.
    if let Some((counts, _)) = word.strip_prefix('{').and_then(|document| document.split_once("\"seconds\":")) {
        return format!("{{{counts}<time>");
    }
    let core = word.trim_matches(|c: char| ",;.()`\"".contains(c));
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let ascii = core.is_ascii();
    let sync = ascii && core.len() == 23 && digits(&core[..8]) && &core[8..9] == "-" && digits(&core[9..15]);
    let date = ascii && core.len() >= 10 && digits(&core[..4]) && &core[4..5] == "-" && digits(&core[5..7]) && &core[7..8] == "-";
    let clock = core.trim_end_matches('Z').split(':').count() == 3 && core.trim_end_matches('Z').split(':').all(digits);
    let key = core.len() == 32 && core.chars().all(|c| c.is_ascii_hexdigit());
    match () {
        () if sync => word.replace(core, "<sync>"),
        () if date || clock => word.replace(core, "<moment>"),
        () if key => word.replace(core, "<key>"),
        () => word.to_owned(),
    }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/tour.md")
}

#[test]
fn every_command_of_the_tour_prints_what_the_page_says() {
    let page = page();
    let text = std::fs::read_to_string(&page).unwrap();
    let steps = steps(&text);
    assert!(steps.len() > 15, "the page has only {} commands", steps.len());
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let printed = run(&steps, folder.path(), port);
    assert_eq!(printed.len(), steps.len(), "the shell ended early; it printed {:?}", printed.last());
    if std::env::var("OUTFLOW_TOUR").is_ok_and(|value| value == "write") {
        std::fs::write(&page, rewritten(&text, &steps, &printed)).unwrap();
        return;
    }
    for (step, printed) in steps.iter().zip(&printed) {
        let (said, real) = (levelled(&step.printed), levelled(printed));
        assert!(
            said == real,
            "`{}` printed\n{printed}\nand the page says\n{}\n\nlevelled:\n{real}\n--\n{said}",
            step.command,
            step.printed
        );
    }
}

/// The page with what was printed in the place of what it says.
fn rewritten(page: &str, steps: &[Step], printed: &[String]) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let mut new = String::new();
    let mut next = 0;
    for (step, printed) in steps.iter().zip(printed) {
        for line in &lines[next..step.lines.start] {
            writeln!(new, "{line}").unwrap();
        }
        for line in printed.trim_end().lines() {
            writeln!(new, "{}", line.trim_end()).unwrap();
        }
        // An empty line before the next command stays.
        let gap = step.lines.end > step.lines.start
            && lines[step.lines.end - 1].is_empty()
            && lines.get(step.lines.end).is_some_and(|line| line.starts_with("$ "));
        if gap {
            new.push('\n');
        }
        next = step.lines.end;
    }
    for line in &lines[next..] {
        writeln!(new, "{line}").unwrap();
    }
    new
}

#[test]
fn what_differs_from_run_to_run_is_levelled_and_nothing_else() {
    assert_eq!(levelled("a  20261120-193000-1a2b3c4  success  12 ms"), "a <sync> success <time>");
    assert_eq!(levelled("a  20261120-193000-1a2b3c4  success  1.2 s"), "a <sync> success <time>");
    assert_eq!(levelled("deliver 1.2 s (80 %)"), levelled("deliver 700 ms (75 %)").replace("75", "80"));
    assert_ne!(levelled("3,000 records"), levelled("3,001 records"));
    assert_eq!(levelled("since 2026-11-20 19:30:00Z"), "since <moment> <moment>");
}
