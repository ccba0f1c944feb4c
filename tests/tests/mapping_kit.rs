//! The mapping language of the reference: every case of `cases/_mapping-kit.json` and, for `@liquid`, of `cases/_liquid.json`, which hold
//! their own answers.
//!
//! The mapping of a case stands in a project file and is read by the planner. Its payload is one column of JSON text, and the mapping
//! starts from there by a transform: as a table, a payload without a member would be a query without a column, which is a mistake.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: what is missing is a failure")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use outflow_contract::Op;
use outflow_contract::expr::{Expr, Path};
use outflow_contract::limits::Limits;
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use outflow_engine::map::{Mapper, SentBy};
use outflow_planner::{Options, load};
use outflow_tests::Project;
use outflow_tests::differences::{Difference, comparable, judge, shown};
use serde_json::{Value, json};

const DIFFERENT: &[Difference] = &[
    Difference {
        cases: &["path-dollar-only", "flatten-contains-empties"],
        reference: "`$` alone is a key of that name",
        here: "it is the whole record, as `$.` is",
    },
    Difference {
        cases: &["path-string-length", "path-array-length"],
        reference: "`.length` is the length of a text or a list, as everything that JavaScript's values inherit",
        here: "missing: a path leads to data, and to nothing else",
    },
    Difference {
        cases: &["path-bracket-dotted-key", "template-bracket"],
        reference: "a key with a dot in it cannot be reached",
        here: "`['a.b']` is the key `a.b`",
    },
    Difference {
        cases: &["template-array", "template-array-objects", "template-space-braces", "template-dot"],
        reference: "objects in a template are `[object Object]`, lists have no brackets",
        here: "their JSON text",
    },
    Difference {
        cases: &["template-triple-then-double"],
        reference: "what a value brings is searched for places again, if it stood in triple braces",
        here: "never: data cannot put places into a template",
    },
    Difference {
        cases: &["case-bad-op-nonstring"],
        reference: "a wrong `operator` of `@case` is an error where the value is text, and passed over where it is not",
        here: "an error, in `outflow check`",
    },
    Difference { cases: &["liquid-object"], reference: "an object in a template of Liquid is `[object Object]`", here: "its JSON text" },
    Difference {
        cases: &["merge-upper-direction"],
        reference: "`LEFT` is taken for `right`",
        here: "an error, in `outflow check`: a direction is `left` or `right`",
    },
    Difference {
        cases: &["batch-error-whole-batch"],
        reference: "a record that cannot be mapped fails its whole batch",
        here: "it fails alone",
    },
];

/// Templates of Liquid.
const DIFFERENT_TEMPLATES: &[Difference] = &[
    Difference { cases: &["print-44"], reference: "numbers are doubles, and their digits are rounded", here: "they keep all their digits" },
    Difference {
        cases: &["print-46", "javascript-1", "javascript-2", "javascript-3"],
        reference: "`.length`, and the characters of a text by their place, as everything that JavaScript's values inherit",
        here: "missing: a path leads to data, and to nothing else",
    },
    Difference {
        cases: &["javascript-4", "javascript-5", "javascript-6", "javascript-7"],
        reference: "an object is `[object Object]`",
        here: "its JSON text",
    },
    Difference {
        cases: &["text-replace-2", "text-split-2"],
        reference: "a character that takes two units of UTF-16 is cut in half",
        here: "never: it is one character",
    },
    Difference {
        cases: &["unknown-1", "unknown-2", "unknown-3", "javascript-8", "arguments-1", "arguments-2"],
        reference: "a filter that there is not is passed over, and one that lacks an argument has `undefined`",
        here: "an error, in `outflow check`",
    },
    Difference {
        cases: &["javascript-9"],
        reference: "`increment` and `decrement` go on from a column of that name, and change the record for all fields",
        here: "they begin at 0, and change nothing",
    },
];

/// The expression of a mapping as it is written in a project, from the payload on; or why it is refused.
fn expression_of(mapping: &str) -> Result<Expr, String> {
    let project = Project::with(&format!(
        "version: 1
sources: {{ files: {{ type: files, tables: {{ rows: {{ path: rows.ndjson, columns: {{ payload: json }} }} }} }} }}
models: {{ rows: {{ source: files, table: rows, id: id }} }}
destinations: {{ it: {{ type: webhook, settings: {{ url: 'https://example.com/' }} }} }}
mappings: {{ case: {{ model: rows, destination: it, action: send, fields: {mapping} }} }}
"
    ));
    let descriptors = outflow_connectors::descriptors();
    let options = Options { root: project.root(), target: None, env: &|_| None, descriptors: &descriptors };
    let mut loaded = load(&options).map_err(|problems| problems.to_string())?;
    let mapping = Box::new(loaded.project.mappings.remove(0).fields);
    Ok(Expr::Transform { apply: Box::new(Expr::Path(Path::parse("$.payload"))), mapping })
}

fn schema() -> SchemaRef {
    let json = Field::new("payload", DataType::Utf8, true).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into());
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), json]))
}

/// What each payload becomes: `None` if that is nothing at all.
fn mapped(mapping: &Value, payloads: &[Value]) -> Result<Vec<Result<Option<Value>, String>>, String> {
    map(&expression_of(&mapping.to_string())?, payloads)
}

/// The same for an expression; an error is a mapping that cannot be compiled.
fn map(expr: &Expr, payloads: &[Value]) -> Result<Vec<Result<Option<Value>, String>>, String> {
    let mapper = Mapper::compile(expr, None, &schema(), &["id".to_owned()], &Limits::default()).map_err(|error| error.to_string())?;
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..payloads.len() as i64));
    let texts: ArrayRef = Arc::new(payloads.iter().map(|payload| Some(payload.to_string())).collect::<StringArray>());
    let batch = RecordBatch::try_new(schema(), vec![ids, texts]).unwrap();
    let one = |row: u32| {
        let mut mapped = mapper
            .map(&batch, &vec![Op::Added; payloads.len()], &SentBy::new("s", "2026-03-01T12:00:00Z".parse().unwrap()), &[row])
            .unwrap();
        match mapped.failed.pop() {
            None => Ok(Some(serde_json::from_slice(&mapped.bytes).unwrap())),
            Some(failed) if failed.rejection.code == "empty_payload" => Ok(None),
            Some(failed) => Err(format!("{}: {}", failed.rejection.code, failed.rejection.message)),
        }
    };
    Ok((0..payloads.len() as u32).map(one).collect())
}

/// Did the case come out as the reference has it?
fn outcome(case: &Value) -> Result<(), String> {
    let payloads = case.get("payloads").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![case["payload"].clone()]);
    let came = mapped(&case["mapping"], &payloads);
    let same = |came: &Result<Option<Value>, String>, expected: &Value| {
        came.as_ref().is_ok_and(|came| came.as_ref().is_some_and(|came| comparable(came) == comparable(expected)))
    };
    let equal = match (&came, case.get("expected"), case.get("payloads")) {
        (Ok(came), Some(expected), Some(_)) => {
            let expected = expected.as_array().unwrap();
            came.len() == expected.len() && came.iter().zip(expected).all(|(came, expected)| same(came, expected))
        }
        (Ok(came), Some(expected), None) => same(&came[0], expected),
        (Ok(came), None, _) if case.get("expected_undefined").is_some() => came.iter().all(|came| *came == Ok(None)),
        // One mistake of the reference fails all records at once.
        (Ok(came), None, _) => came.iter().all(Result::is_err),
        (Err(_), None, _) => case.get("expected_error").is_some(),
        (Err(_), Some(_), _) => false,
    };
    if equal { Ok(()) } else { Err(format!("{}\n  became   {came:?}\n  expected {}", case["mapping"], expectation(case))) }
}

fn expectation(case: &Value) -> String {
    ["expected", "expected_error", "expected_undefined"].iter().filter_map(|key| case.get(*key)).map(Value::to_string).collect()
}

#[test]
fn every_case_of_the_reference_comes_out_the_same_or_is_listed() {
    let cases: Value = serde_json::from_str(include_str!("../cases/_mapping-kit.json")).unwrap();
    let cases: Vec<&Value> = ["transform", "transformBatch"].iter().flat_map(|part| cases[*part].as_array().unwrap()).collect();
    assert_eq!(cases.len(), 241, "all cases are there");
    let outcomes = cases.into_iter().map(|case| (case["id"].as_str().unwrap().to_owned(), outcome(case)));
    let wrong = judge(DIFFERENT, outcomes);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_template_of_the_reference_comes_out_the_same_or_is_listed() {
    let cases: Value = serde_json::from_str(include_str!("../cases/_liquid.json")).unwrap();
    let (record, cases) = (&cases["record"], cases["cases"].as_array().unwrap());
    assert_eq!(cases.len(), 800, "all cases are there");
    let outcomes = cases.iter().map(|case| {
        let mut whole = json!({ "mapping": { "x": { "@liquid": case["template"] } }, "payload": record });
        match case.get("expected") {
            Some(text) => whole["expected"] = json!({ "x": text }),
            None => whole["expected_error"] = case["expected_error"].clone(),
        }
        (case["id"].as_str().unwrap().to_owned(), outcome(&whole))
    });
    let wrong = judge(DIFFERENT_TEMPLATES, outcomes);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The rows of the page's tables that have a mapping, a record and what comes of it.
fn examples(page: &str) -> Vec<[String; 3]> {
    let cell = |cell: &str| cell.trim().strip_prefix('`')?.strip_suffix('`').map(|code| code.replace('\u{0}', "|"));
    let row = |line: &str| {
        let line = line.replace("\\|", "\u{0}");
        let cells: Vec<String> = line.trim_matches('|').split('|').map(cell).collect::<Option<_>>()?;
        cells.try_into().ok()
    };
    page.lines().filter(|line| line.starts_with("| `{")).filter_map(row).collect()
}

#[test]
fn every_directive_has_an_example_on_its_page_that_comes_out_as_it_says() {
    let page = concat!(include_str!("../../docs/mapping.md"), include_str!("../../docs/directives.md"));
    let examples = examples(page);
    for [mapping, record, gives] in &examples {
        let expr = expression_of(mapping).unwrap_or_else(|problems| panic!("{mapping}: {problems}"));
        let came = map(&expr, &[serde_json::from_str(record).unwrap()]).unwrap().remove(0);
        let gives: Value = serde_json::from_str(gives).unwrap_or_else(|error| panic!("{gives}: {error}"));
        assert_eq!(came.map(|came| came.as_ref().map(comparable)), Ok(Some(comparable(&gives))), "{mapping}");
    }
    let schema = outflow_planner::schema::schema(&[]);
    let directives = schema["$defs"]["value"]["anyOf"][2]["properties"].as_object().unwrap();
    for directive in directives.keys() {
        let named = examples.iter().any(|[mapping, ..]| mapping.starts_with(&format!("{{ \"{directive}\"")));
        assert!(named && page.contains(&format!("| `{directive}` |")), "{directive} is not on the page");
    }
}

#[test]
fn the_page_of_differences_shows_the_table() {
    shown(include_str!("../../docs/mapping-differences.md"), "language", DIFFERENT);
    shown(include_str!("../../docs/mapping-differences.md"), "liquid", DIFFERENT_TEMPLATES);
}
