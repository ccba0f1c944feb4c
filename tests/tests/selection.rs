//! Which records a mapping sends: every case of `cases/_subscriptions.json`, which holds the reference's own answers.
//!
//! The reference selects events by a condition, and a record reaches it as the event `new`, `updated` or `deleted`. A mapping of ours
//! names the operations (`records:`). A condition that a word stands for must select the same records; any other is given as it is,
//! and has to be refused when the project is checked. The cases' other events are no records.

#![allow(clippy::unwrap_used, reason = "tests: what is missing is a failure")]

use outflow_contract::{Op, Selection};
use outflow_planner::{Options, load};
use outflow_tests::Project;
use outflow_tests::differences::{Difference, judge, shown};
use serde_json::{Value, json};

/// Conditions of the reference, and the word that stands for each.
const WORDS: [(&str, &str); 8] = [
    (r#"type = "track" and event = "new""#, "added"),
    (r#"type = "track" and event = "updated""#, "updated"),
    (r#"type = "track" and event = "deleted""#, "deleted"),
    (r#"type = "track" and (event = "new" or event = "updated")"#, "added_or_updated"),
    (r#"event = "new" or event = "updated""#, "added_or_updated"),
    (r#"type = "track" and event != "deleted""#, "added_or_updated"),
    (r#"type = "track""#, "all"),
    (r#"type = "identify" or type = "track""#, "all"),
];

const DIFFERENT: &[Difference] = &[
    Difference {
        cases: &["all"],
        reference: "there is no word for all records",
        here: "`records: all`, for actions that take every operation",
    },
    Difference {
        cases: &[r#"type = "identify""#, r#"type = "group""#, r#"event = """#, r#"match(event, "Order*")"#],
        reference: "events are selected that are no records of a model",
        here: "`records` is `added`, `updated`, `added_or_updated`, `deleted` or `all`; anything else is an error, in `outflow check`",
    },
    Difference {
        cases: &[r#"type = "track" and not (event = "new")"#, r#"!match(event, "n?w")"#],
        reference: "what happened is selected by a pattern or with `not`, of which the one knows no `?` and the other is passed over",
        here: "the operations that are sent are named",
    },
    Difference {
        cases: &[
            r#"properties.plan = "pro""#,
            r#"properties.plan != "pro""#,
            "properties.n > 5",
            "properties.n >= 5",
            "properties.n < 10",
            "properties.n <= 10",
            "properties.n = 5",
            "properties.s = 5",
            r#"properties.n = "5""#,
            "properties.b = true",
            "properties.b = false",
            "properties.b != true",
            "properties.plan = null",
            "properties.plan != null",
            "properties.nul = null",
            "properties.missing != null",
            r#"contains(properties.email, "b.com")"#,
            r#"!contains(properties.email, "b.com")"#,
            r#"match(properties.email, "*@b.com")"#,
            r#"properties.empty = """#,
            "properties.nested.k = 1",
            "traits.age > 29",
            r#"userId = "u1""#,
            r#"type = "track" and (properties.plan = "pro" or properties.n = 10) and event != "deleted""#,
        ],
        reference: "a mapping may ask for values of the record",
        here: "the model's query asks for them (`WHERE plan = 'pro'`): so a record that no longer has them is deleted, rather than never heard of again",
    },
];

/// What a mapping with these `records` sends; `None` if the project is refused.
fn selection(records: &str) -> Option<Selection> {
    let project = Project::with(&format!(
        "version: 1
sources: {{ files: {{ type: files, tables: {{ rows: rows.ndjson }} }} }}
models: {{ rows: {{ source: files, table: rows, id: id }} }}
destinations: {{ it: {{ type: webhook, settings: {{ url: 'https://example.com/' }} }} }}
mappings: {{ case: {{ model: rows, destination: it, action: send, records: {}, fields: {{ op: $.__op }} }} }}
",
        json!(records)
    ));
    let descriptors = outflow_connectors::descriptors();
    let options = Options { root: project.root(), target: None, env: &|_| None, descriptors: &descriptors };
    let loaded = load(&options).ok()?;
    Some(loaded.project.mappings[0].selection)
}

/// Are the same records selected?
fn outcome(case: &Value) -> Result<(), String> {
    let condition = case["subscription"].as_str().unwrap();
    let word = WORDS.iter().find(|(known, _)| *known == condition).map(|(_, word)| *word);
    let came = selection(word.unwrap_or(condition)).map(|selection| Op::ALL.map(|op| selection.contains(op)));
    let matches = case.get("matches").and_then(Value::as_array);
    let expected = matches.map(|matches| [0, 1, 2].map(|event: usize| matches[event].as_bool().unwrap()));
    if came == expected { Ok(()) } else { Err(format!("selects {came:?}, not {expected:?}")) }
}

#[test]
fn every_case_of_the_reference_selects_the_same_records_or_is_listed() {
    let cases: Value = serde_json::from_str(include_str!("../cases/_subscriptions.json")).unwrap();
    for (event, name) in cases["events"].as_array().unwrap().iter().zip(["new", "updated", "deleted"]) {
        assert_eq!((&event["type"], &event["event"]), (&json!("track"), &json!(name)), "the first events are records");
    }
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 40, "all cases are there");
    let outcomes = cases.iter().map(|case| (case["subscription"].as_str().unwrap().to_owned(), outcome(case)));
    let wrong = judge(DIFFERENT, outcomes);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_page_of_differences_shows_the_table() {
    shown(include_str!("../../docs/mapping-differences.md"), "records", DIFFERENT);
}
