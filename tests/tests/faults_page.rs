//! `tests/FAULTS.md` has a row for every fault and every hostile input, and each row names tests that there are, or says why it has none.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test from end to end")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../FAULTS.md");
/// The tables of the page, each with the number of its last row.
const TABLES: [(&str, usize); 2] = [("## Faults", 50), ("## Hostile inputs", 42)];
/// What a row without a test begins its last cell with; a reason follows.
const REASONS: [&str; 3] = ["later:", "not built:", "cannot be shown:"];

/// A row of a table.
struct Row<'a> {
    number: usize,
    cells: Vec<&'a str>,
}

/// The rows below a heading, up to the next one.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<Row<'a>> {
    let below = page.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with("## "));
    let cells = |line: &'a str| -> Vec<&'a str> { line.trim().trim_matches('|').split('|').map(str::trim).collect() };
    below.filter(|line| line.starts_with('|')).map(cells).filter_map(|cells| Some(Row { number: cells[0].parse().ok()?, cells })).collect()
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names of the tests in a file.
fn tests_of(text: &str) -> BTreeSet<String> {
    let (mut names, mut is_test) = (BTreeSet::new(), false);
    for line in text.lines().map(str::trim) {
        let function = ["fn ", "async fn "].iter().find_map(|start| line.strip_prefix(start));
        if let Some(function) = function {
            if is_test {
                names.insert(function.split(['(', '<']).next().unwrap_or_default().to_owned());
            }
            is_test = false;
        } else if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") && !line.is_empty() {
            is_test = false;
        }
    }
    names
}

/// What is wrong with a row.
fn faults_of(row: &Row<'_>, read: &mut impl FnMut(&str) -> Option<BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let [_, fault, required, covered] = row.cells.as_slice() else { return vec![format!("row {} has not four cells", row.number)] };
    if fault.is_empty() || required.is_empty() {
        wrong.push(format!("row {} does not say what must happen in which case", row.number));
    }
    let (mut tests, mut named) = (None, 0);
    for word in quoted(covered) {
        if Path::new(word).extension().is_some_and(|ending| ending == "rs") {
            tests = read(word);
            if tests.is_none() {
                wrong.push(format!("row {}: there is no file {word}", row.number));
            }
        } else if tests.as_ref().is_some_and(|tests: &BTreeSet<String>| tests.contains(word)) {
            named += 1;
        } else {
            wrong.push(format!("row {}: there is no test {word} in the file named before it", row.number));
        }
    }
    let reason = REASONS.iter().find_map(|reason| covered.strip_prefix(reason));
    if named == 0 && reason.is_none_or(|why| why.trim().len() <= 10) {
        wrong.push(format!("row {} names no test, and no reason why there is none ({})", row.number, REASONS.join(" ")));
    }
    wrong
}

#[test]
fn every_fault_and_every_hostile_input_is_covered_by_a_test_that_there_is_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
    let mut read = |file: &str| {
        let tests = files.entry(file.to_owned()).or_insert_with(|| Some(tests_of(&fs::read_to_string(root.join(file)).ok()?)));
        tests.clone()
    };
    let mut wrong = Vec::new();
    for (heading, last) in TABLES {
        let rows = rows(PAGE, heading);
        let numbers: Vec<usize> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "the rows of {heading}");
        wrong.extend(rows.iter().flat_map(|row| faults_of(row, &mut read)).map(|wrong| format!("{heading}: {wrong}")));
    }
    assert!(wrong.is_empty(), "tests/FAULTS.md:\n  {}\n", wrong.join("\n  "));
}

#[test]
fn a_row_is_held_to_what_it_says() {
    let file = "#[test]\nfn plain() {}\n    #[tokio::test(start_paused = true)]\n    // why\n    async fn timed() {}\nfn none() {}\n#[test]\n#[should_panic]\nfn panics() {}\n";
    let mut read = |name: &str| (name == "a/b.rs").then(|| tests_of(file));
    let mut wrong = |row: &str| {
        let page = format!("# Page\n## T\n| # | a | b | c |\n|---|---|---|---|\n{row}\n## U\n| 9 | x | y | z |\n");
        let rows = rows(&page, "## T");
        assert_eq!(rows.len(), 1);
        faults_of(&rows[0], &mut read).join("; ")
    };
    assert_eq!(wrong("| 1 | a kill | nothing is lost | `a/b.rs`: `plain`, `timed`, `panics` |"), "");
    assert!(wrong("| 2 | a | b | `a/b.rs`: `plain`, `none` |").contains("there is no test none"));
    assert!(wrong("| 3 | a | b | `a/c.rs`: `plain` |").contains("there is no file a/c.rs"));
    assert!(wrong("| 4 | a | b | `a/b.rs` |").contains("names no test"));
    assert!(wrong("| 5 | a | b | |").contains("names no test"));
    assert!(wrong("| 6 | a | b | later: |").contains("names no test"));
    assert_eq!(wrong("| 7 | a | b | later: with shared storage |"), "");
    assert!(wrong("| 8 | a | | `a/b.rs`: `plain` |").contains("what must happen"));
    assert!(wrong("| 9 | a | b |").contains("four cells"));
}
