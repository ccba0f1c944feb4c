//! `outflow suggest`: what it prints can be pasted, and what is still missing does not stop it.

use arrow::datatypes::DataType;
use outflow_tests::{Outflow, Project, Run, Table};
use serde_json::{Value, json};

/// A project of one table, whose mapping to Segment is `mapping`.
fn project(mapping: &str) -> Project {
    let columns = ["kunden_nr", "e_mail", "vorname", "Ort", "plz", "last ip", "browser_locale", "punkte"].map(|name| match name {
        "kunden_nr" | "punkte" => (name, DataType::Int64),
        _ => (name, DataType::Utf8),
    });
    let mut table = Table::new(&columns);
    for n in 1..=300 {
        table.push(json!([n, format!("p{n}@example.com"), "Anna", "Berlin", "10115", "203.0.113.7", "de-DE", n * 3]));
    }
    let project = Project::new();
    project.parquet("people.parquet", &table);
    project.config(&config(mapping));
    project
}

fn config(mapping: &str) -> String {
    format!(
        "version: 1
sources: {{ warehouse: {{ type: files, tables: {{ people: people.parquet }} }} }}
models: {{ people: {{ source: warehouse, table: people, id: kunden_nr }} }}
destinations:
  segment: {{ type: segment, settings: {{ source_write_key: '${{env:KEY}}' }} }}
  hook: {{ type: webhook, settings: {{ url: 'http://localhost:9/' }} }}
mappings:
  other: {{ model: people, destination: hook, action: send, fields: $. }}
  people:
    model: people
{mapping}
"
    )
}

fn outflow(project: &Project, args: &str) -> Run {
    Outflow::at(project).args(args).env("KEY", "s3gm3nt-k3y").env("COLUMNS", "100").run()
}

const IDENTIFY: &str = "    destination: segment
    action: sendIdentify
";

fn pairs(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    document["suggestions"].as_array().unwrap().iter().map(|one| (text(&one["field"]), text(&one["column"]))).collect()
}

#[test]
fn what_is_suggested_can_be_pasted_and_runs() {
    let project = project(IDENTIFY);
    let run = outflow(&project, "suggest people").expect(0);
    assert!(!run.stdout.contains("example.com") && !run.stdout.contains("203.0.113.7"), "no value is shown\n{run}");
    let block: Vec<&str> = run.stdout.lines().skip_while(|line| *line != "fields:").take_while(|line| !line.is_empty()).collect();
    let pasted = block.iter().fold(String::new(), |text, line| text + "    " + line + "\n");
    for line in ["      user_id: $.kunden_nr\n", "        city: $.Ort\n", "        postalCode: $.plz\n", "      # traits:"] {
        assert!(pasted.contains(line), "{line}\n{run}");
    }
    project.config(&config(&format!("{IDENTIFY}{pasted}")));
    outflow(&project, "check").expect(0);
    let tried = outflow(&project, "test people --output json").expect(0).json();
    assert!(tried.to_string().contains("203.0.113.7"), "{tried}");
    // Everything is filled now, and nothing is proposed a second time.
    let again = outflow(&project, "suggest people --output json").expect(0).json();
    assert_eq!(again["suggestions"], json!([]));
    assert_eq!(
        again["kept"].as_array().unwrap().len(),
        block.iter().filter(|line| line.contains("$.") && !line.trim_start().starts_with('#')).count()
    );
}

#[test]
fn the_document_says_the_same_for_programs() {
    let project = project(&format!("{IDENTIFY}    fields: {{ user_id: $.e_mail }}\n"));
    let document = outflow(&project, "suggest people --output json").expect(0).json();
    assert_eq!([&document["mapping"], &document["type"], &document["action"]], ["people", "segment", "sendIdentify"]);
    assert_eq!(document["records"], 200);
    assert_eq!(document["kept"], json!([{ "field": "user_id", "path": ["user_id"], "column": "e_mail" }]));
    let found = pairs(&document);
    assert!(found.contains(&("ip_address".to_owned(), "last ip".to_owned())), "{document}");
    assert!(found.iter().all(|(field, column)| field != "user_id" && column != "e_mail"), "{document}");
    assert_eq!(document["fields"]["address"], json!({ "city": "$.Ort", "postalCode": "$.plz" }));
    assert!(document["columns_left"].as_array().unwrap().contains(&json!("punkte")));
    let sure = outflow(&project, "suggest people --min-confidence 1 --output json").expect(0).json();
    assert!(pairs(&sure).len() < found.len());
    outflow(&project, "suggest people --min-confidence 2").expect(2);
}

#[test]
fn a_required_field_without_a_column_stops_a_run_and_no_suggestion() {
    let project = project("    destination: segment\n    action: sendTrack\n    fields: { user_id: $.kunden_nr }\n");
    let check = outflow(&project, "check").expect(2);
    assert!(check.stderr.contains("event_name"), "{check}");
    let run = outflow(&project, "suggest people").expect(0);
    assert!(run.stdout.contains("Required, and without a column:\n  event_name\n"), "{run}");
    let document = outflow(&project, "suggest people --output json").expect(0).json();
    assert_eq!(document["missing"][0]["field"], "event_name");
    let names = outflow(&project, "names mapping").expect(0);
    assert_eq!(names.stdout, "other\npeople\n", "and its name is completed");
}

#[test]
fn where_anything_goes_there_is_nothing_to_match() {
    let project = project(IDENTIFY);
    let run = outflow(&project, "suggest other").expect(2);
    assert!(run.stderr.contains("action `send` of `webhook` takes any fields"), "{run}");
    assert!(run.stderr.contains("fields: $."), "{run}");
    let unknown = outflow(&project, "suggest peopel").expect(2); // typos: on purpose
    assert!(unknown.stderr.contains("did you mean `people`?"), "{unknown}");
}
