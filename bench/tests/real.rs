//! Goal: the program as it is measures what it should. Small data, the real engine, no peers: those need packages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test from end to end")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn bench(arguments: &str, folder: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_outflow-bench")).args(arguments.split(' ')).arg("--folder").arg(folder).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The cells of the lines that begin so.
fn cells(output: &Output, first: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(first)).unwrap_or_else(|| panic!("no {first} in\n{text}"));
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_engine_finds_the_changes_whatever_the_identifier_and_the_columns() {
    let folder = tempfile::tempdir().unwrap();
    for (id, columns) in [("int", 12), ("string", 40), ("composite", 9)] {
        let arguments = format!(
            "diff --records 20K --id {id} --columns {columns} --changed 0.02 --added 0.01 --deleted 0.03 --only bound,outflow --repeat 2"
        );
        let output = bench(&arguments, folder.path());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("200 added, 400 updated, 600 deleted"), "{text}");
        assert!(cells(&output, "bound").len() == 6 && cells(&output, "outflow")[4] == "1.00", "{text}");
    }
}

#[test]
fn a_sync_is_measured_at_several_sizes_and_tells_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench("scale --from 2K --to 6K --changes 100 --share 0.1 --repeat 1", folder.path());
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Vec<&str>> = text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    let sizes: Vec<(&str, &str)> = lines.iter().map(|line| (line[0], line[1])).collect();
    assert_eq!(sizes, [("2000", "100"), ("2000", "200"), ("6000", "100"), ("6000", "600")], "{text}");
    assert!(lines.iter().all(|line| line[8].parse::<u64>().unwrap() > 10), "{text}");
}

#[test]
fn records_that_are_made_while_they_are_read_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("base.parquet"), folder.path().join("state"));
    let own = || Command::new(env!("CARGO_BIN_EXE_outflow-bench"));
    assert!(own().args(["generate", "--records", "9K"]).arg(&file).output().unwrap().status.success());
    let extract = |more: &[&str]| -> String {
        let mut command = own();
        command.args(["extract", "--records", "9K", "--threads", "2", "--state"]).arg(&state).args(more);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
    };
    let read = extract(&["--file", file.to_str().unwrap()]);
    assert_eq!(read, r#"{"records":9000,"added":9000,"updated":0,"deleted":0}"#);
    let made = extract(&["--shuffle=3", "--changed", "0.1", "--deleted", "0.2", "--added", "0.3"]);
    assert_eq!(made, r#"{"records":9900,"added":2700,"updated":900,"deleted":1800}"#);
}
