//! What a newcomer asks first. (This also has the program built beside the tests that run it.)

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use std::process::Command;

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_outflow")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_has_help_with_an_example() {
    let overview = help(&["--help"]);
    let commands = overview.lines().skip_while(|line| *line != "Start:").take_while(|line| *line != "Options of every command:");
    let mut seen = 0;
    for line in commands.filter(|line| line.starts_with("  ")) {
        let name = line.split_whitespace().next().unwrap();
        if name == "help" {
            continue;
        }
        for flag in ["-h", "--help"] {
            let text = help(&[name, flag]);
            assert!(text.contains("Example") && text.contains(&format!("outflow {name}")), "{name} {flag} shows no example:\n{text}");
        }
        seen += 1;
    }
    assert!(seen >= 19, "only {seen} commands were found in:\n{overview}");
}

#[test]
fn the_exit_codes_are_told_where_people_look() {
    let text = help(&["--help"]).replace('\n', " ");
    assert!(text.contains("4 another run holds the lock"), "{text}");
}
