//! Style as a test: lengths, names, leftovers and stray printing, over every Rust file of the workspace.
//!
//! Works on lines as rustfmt leaves them, not on syntax: a function ends at the first `}` at its own indentation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test from end to end")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, tests not counted.
const FILE_LINES_MAX: usize = 600;
/// Lines of a function, signature included.
const FUNCTION_LINES_MAX: usize = 70;
/// Where Rust files are.
const FOLDERS: [&str; 5] = ["engine", "connectors", "planner", "bench", "tests"];
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "helpers", "common", "misc", "manager"];

/// A file of the workspace.
struct Source {
    /// Relative to the workspace.
    path: String,
    /// Its lines with their numbers, from 1, without those of its test modules.
    lines: Vec<(usize, String)>,
    /// All of it.
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let is_test = path.ends_with("tests.rs") || path.contains("/tests/") && !path.starts_with("tests/src/");
        let lines = if is_test { Vec::new() } else { without_tests(text) };
        Self { path: path.to_owned(), lines, text: text.to_owned() }
    }
}

/// The lines outside `#[cfg(test)] mod … { … }`.
fn without_tests(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut kept, mut i) = (Vec::new(), 0);
    while i < lines.len() {
        let indent = indentation(lines[i]);
        let module = lines[i].trim() == "#[cfg(test)]" && lines.get(i + 1).is_some_and(|next| next.contains("mod ") && next.ends_with('{'));
        if module {
            i = end_of(&lines, i + 1, indent).unwrap_or(lines.len() - 1);
        } else {
            kept.push((i + 1, lines[i].to_owned()));
        }
        i += 1;
    }
    kept
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The line on which a block ends that begins at or after `start` and is indented by `indent`.
fn end_of(lines: &[&str], start: usize, indent: usize) -> Option<usize> {
    (start..lines.len()).find(|&i| {
        let line = lines[i];
        let one_line = i == start && line.trim_end().ends_with('}');
        one_line || indentation(line) == indent && line.trim_start().starts_with('}')
    })
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut open: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 20, "the workspace was not found");
    found
}

#[track_caller]
fn none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}; {} offend:\n  {}\n", offenders.len(), offenders.join("\n  "));
}

fn long_file(source: &Source) -> Option<String> {
    let lines = source.lines.len();
    (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        matches!(*word, "pub" | "const" | "async" | "unsafe" | "extern" | "default") || word.starts_with("pub(") || word.starts_with('"')
    });
    words.next() == Some("fn")
}

fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.lines.iter().map(|(_, line)| line.as_str()).collect();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let indent = indentation(line);
        // A signature without a body, as in a trait, ends with a semicolon before any block opens.
        let opens = (i..lines.len()).find(|&j| lines[j].ends_with('{') || lines[j].ends_with('}') || lines[j].ends_with(';'));
        let Some(opens) = opens.filter(|&j| lines[j].ends_with('{')) else { continue };
        let end = end_of(&lines, opens + 1, indent).unwrap_or(lines.len());
        let length = end - i + 1;
        if length > FUNCTION_LINES_MAX {
            let name = line.split("fn ").nth(1).unwrap_or_default().split(['(', '<']).next().unwrap_or_default();
            found.push(format!("{}:{}: {name} has {length} lines", source.path, source.lines[i].0));
        }
    }
    found
}

fn leftovers(source: &Source) -> Vec<String> {
    // Put together here, so that this file does not offend itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["todo", "!("], ["unimplemented", "!("]].map(|parts| parts.concat());
    let lines = source.text.lines().enumerate();
    let offending = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word.as_str())));
    offending.map(|(i, line)| format!("{}:{}: {}", source.path, i + 1, line.trim())).collect()
}

fn empty_name(source: &Source) -> Option<String> {
    let parts = source.path.split('/').map(|part| part.trim_end_matches(".rs"));
    parts.into_iter().any(|part| EMPTY_NAMES.contains(&part)).then(|| source.path.clone())
}

fn prints(source: &Source) -> Vec<String> {
    if ["engine/cli/", "tests/", "bench/"].iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    let printing = |line: &str| !line.trim_start().starts_with("//") && (line.contains("print!(") || line.contains("println!("));
    let lines = source.lines.iter().filter(|(_, line)| printing(line));
    lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())).collect()
}

#[test]
fn no_file_is_too_long() {
    let found: Vec<String> = sources().iter().filter_map(long_file).collect();
    none(&format!("a file has at most {FILE_LINES_MAX} lines besides its tests"), &found);
}

#[test]
fn no_function_is_too_long() {
    let found: Vec<String> = sources().iter().flat_map(long_functions).collect();
    none(&format!("a function has at most {FUNCTION_LINES_MAX} lines"), &found);
}

#[test]
fn nothing_is_left_to_be_done() {
    let found: Vec<String> = sources().iter().flat_map(leftovers).collect();
    none("what is to be done is in an issue, not in the code", &found);
}

#[test]
fn every_file_name_says_what_is_inside() {
    let found: Vec<String> = sources().iter().filter_map(empty_name).collect();
    none("a file is named after what it holds", &found);
}

#[test]
fn only_the_command_line_prints() {
    let found: Vec<String> = sources().iter().flat_map(prints).collect();
    none("a library returns what it has to say", &found);
}

/// The codes of failed records that a line gives: the text after one of these.
fn codes(line: &str) -> Vec<&str> {
    let given = ["code: \"", "rejection(\"", "failed(\"", "out.fail(\"", "self.fail(\"", "_ if code == \""];
    let after = |before: &&str| line.split(*before).skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>();
    given.iter().flat_map(after).filter(|code| !code.contains(['{', ' '])).collect()
}

#[test]
fn every_code_of_failed_records_has_its_advice() {
    let all = sources();
    let advice = &all.iter().find(|source| source.path == "engine/core/src/deliver/advice.rs").unwrap().text;
    let mut found = std::collections::BTreeSet::new();
    let given = all.iter().filter(|source| source.path.starts_with("engine/core/") || source.path.starts_with("connectors/"));
    for (_, line) in given.flat_map(|source| &source.lines) {
        found.extend(codes(line));
    }
    // These stand for an answer that refuses nothing, and for no reason at all.
    let silent = ["ok", ""];
    let without = |code: &&&str| !silent.contains(*code) && !advice.contains(&format!("\"{code}\""));
    let offenders: Vec<String> = found.iter().filter(without).map(|code| (*code).to_owned()).collect();
    none("every code has a line in `deliver/advice.rs` that says what to do", &offenders);
    assert!(found.len() > 12, "codes are found: {found:?}");
}

#[test]
fn offenders_are_found_and_tests_are_not_counted() {
    let body = "    x();\n".repeat(FUNCTION_LINES_MAX - 2);
    let fits = format!("impl A {{\n    pub(crate) async fn short<T>(\n        a: T,\n    ) {{\n    }}\n}}\nfn full() {{\n{body}}}\n");
    let source = Source::new("engine/a/src/utils.rs", &fits);
    assert_eq!(long_functions(&source), Vec::<String>::new());
    let long = Source::new("a.rs", &format!("trait B {{\n    fn none(&self);\n}}\npub const fn long() {{\n    x();\n{body}}}\n"));
    assert_eq!(long_functions(&long), ["a.rs:4: long has 71 lines"]);
    assert_eq!(empty_name(&source), Some("engine/a/src/utils.rs".to_owned()));
    assert_eq!(empty_name(&Source::new("engine/common/a.rs", "")), Some("engine/common/a.rs".to_owned()));
    assert_eq!(empty_name(&Source::new("engine/uncommon.rs", "")), None);
    let lines = "let x = 1;\n".repeat(FILE_LINES_MAX);
    let tested = format!("{lines}#[cfg(test)]\nmod tests {{\n{lines}    println!();\n}}\n");
    assert_eq!(long_file(&Source::new("a.rs", &tested)), None);
    assert_eq!(long_file(&Source::new("a.rs", &format!("{tested}mod b;\n"))), Some("a.rs: 601 lines".to_owned()));
    assert!(prints(&Source::new("engine/a.rs", &tested)).is_empty());
    assert_eq!(prints(&Source::new("engine/a.rs", "// println!()\n    eprintln!(\"x\");\n")), ["engine/a.rs:2: eprintln!(\"x\");"]);
    assert!(prints(&Source::new("engine/cli/src/a.rs", "println!()")).is_empty());
    assert_eq!(leftovers(&Source::new("a.rs", &["x // TO", "DO y"].concat())).len(), 1);
}
