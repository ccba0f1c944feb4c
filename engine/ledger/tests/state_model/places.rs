//! Each rule has one place in the code, and something that would catch its loss: the table in the crate's README.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rules::Rule;

const RULES: u32 = 24;

/// A row of the table.
struct Place {
    rule: u32,
    file: String,
    item: String,
    caught_by: Vec<String>,
}

fn engine() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn table() -> Vec<Place> {
    let readme = fs::read_to_string(engine().join("ledger/README.md")).unwrap();
    let place = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, rule, _, place, caught_by, _] = cells.as_slice() else { return None };
        let place = quoted(place);
        let [file, item] = place.as_slice() else { return None };
        Some(Place { rule: rule.parse().ok()?, file: file.clone(), item: item.clone(), caught_by: quoted(caught_by) })
    };
    readme.lines().filter_map(place).collect()
}

/// The numbers that a text calls rules: `rule 9`, `rules 9 and 10`, `rules 5, 8 and 11 to 13`.
fn rules_named(text: &str) -> Vec<u32> {
    let mut named = Vec::new();
    let text = text.replace("///", " ").to_lowercase();
    for part in text.split("rule").skip(1) {
        let mut range_from = None;
        let words = part.trim_start_matches('s').split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
        for word in words {
            match word.parse::<u32>() {
                Ok(number) => {
                    named.extend(range_from.take().unwrap_or(number)..=number);
                }
                Err(_) if word == "to" => range_from = named.last().copied(),
                Err(_) if word == "and" => {}
                Err(_) => break,
            }
        }
    }
    named
}

/// The documentation of a function, or of a type; `None` if there is none of that name.
fn documentation(source: &str, item: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let is_item = |line: &&str| {
        ["fn", "struct", "enum"].iter().any(|what| {
            let name = line.split(&format!("{what} {item}")).nth(1);
            name.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    let at = lines.iter().position(|line| is_item(line) && !line.trim_start().starts_with("//"))?;
    let above = lines[..at].iter().rev().map(|line| line.trim_start());
    let mut text: Vec<&str> = above.take_while(|line| line.starts_with("///") || line.starts_with("#[")).collect();
    text.reverse();
    Some(text.join(" "))
}

#[test]
fn every_rule_has_one_place_that_names_it() {
    let table = table();
    let numbers: Vec<u32> = table.iter().map(|place| place.rule).collect();
    assert_eq!(numbers, (1..=RULES).collect::<Vec<_>>(), "one row for each rule, in order");
    for Place { rule, file, item, .. } in table {
        let source = fs::read_to_string(engine().join(&file)).unwrap_or_else(|error| panic!("rule {rule}: {file}: {error}"));
        let Some(text) = documentation(&source, &item) else { panic!("rule {rule}: there is no `{item}` in {file}") };
        assert!(rules_named(&text).contains(&rule), "`{item}` in {file} does not name rule {rule}: {text}");
    }
}

#[test]
fn every_rule_has_something_that_catches_its_loss() {
    let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    let table = table();
    for place in &table {
        assert!(!place.caught_by.is_empty(), "rule {}", place.rule);
        for name in &place.caught_by {
            assert!(names.contains(&name.as_str()), "rule {}: nothing is called `{name}`", place.rule);
        }
    }
    let readme = fs::read_to_string(engine().join("ledger/README.md")).unwrap();
    // That a batch is deduplicated record by record is what rule 21 does not promise.
    for name in names.iter().filter(|name| **name != Rule::OneRecordPerRequestKey.name()) {
        assert!(readme.contains(&format!("`{name}`")), "the table does not say what `{name}` is for");
    }
}

#[test]
fn numbers_of_rules_are_read_as_people_write_them() {
    assert_eq!(
        rules_named("Rule 9: x. See rules 5, 8 and 11 to 13, or rule 2."),
        [5, 8, 11, 11, 12, 13, 2].iter().fold(vec![9], |mut all, &n| {
            all.push(n);
            all
        })
    );
    assert_eq!(rules_named("the rule of thumb, 7 of them"), [0; 0]);
}
