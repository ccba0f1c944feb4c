//! The page of commands: every example in it runs, in its order, and every command is in it.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use std::path::Path;

use outflow_tests::{Outflow, Project};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/commands.md");
    std::fs::read_to_string(path).unwrap()
}

/// The lines of the examples: `$ outflow …`, each with what it shows.
fn examples(page: &str) -> Vec<(String, Vec<String>)> {
    let mut examples: Vec<(String, Vec<String>)> = Vec::new();
    for block in page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        for line in block.lines() {
            match (line.strip_prefix("$ outflow "), examples.last_mut()) {
                (Some(command), _) => examples.push((command.to_owned(), Vec::new())),
                (None, Some((_, shown))) => shown.push(line.to_owned()),
                (None, None) => panic!("output without a command: {line}"),
            }
        }
    }
    examples
}

/// Says something that is the same every time: neither cut short, nor a time, nor a path.
fn is_constant(line: &str) -> bool {
    !line.is_empty() && !["…", " ms", " ago", "/home/"].iter().any(|part| line.contains(part))
}

#[test]
fn every_example_runs_and_shows_what_the_page_says() {
    let project = Project::new();
    for (command, shown) in examples(&page()) {
        let folder = if command.starts_with("init") { project.root().to_owned() } else { project.path("shop") };
        if command.starts_with("rename") {
            project.edit("shop/outflow.yml", "orders_to_crm:", "orders_to_sales:");
        }
        let run = Outflow::in_folder(folder).args(&command).env("COLUMNS", "100").run().expect(0);
        for line in shown.iter().filter(|line| is_constant(line)) {
            assert!(run.stdout.contains(line.trim_end()), "the page says of `outflow {command}`: {line}\n{run}");
        }
    }
}

#[test]
fn every_command_is_on_the_page() {
    let project = Project::new();
    let help = Outflow::at(&project).args("--help").run().expect(0).stdout;
    let lines = help.lines().skip_while(|line| *line != "Start:").take_while(|line| *line != "Options of every command:");
    let commands = lines.filter_map(|line| line.strip_prefix("  ")).filter_map(|line| line.split_whitespace().next());
    let (page, mut seen) = (page(), 0);
    for command in commands.filter(|command| *command != "help") {
        assert!(page.contains(&format!("`outflow {command}")), "`outflow {command}` is not on the page");
        seen += 1;
    }
    assert!(seen >= 19, "only {seen} commands were found");
}
