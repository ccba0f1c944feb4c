//! Parquet files: one schema for all files of a mapping, told by the mapping and the model's columns.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use outflow_tests::{Outflow, Project, Table};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

fn project(table: &Table, fields: &str) -> Project {
    let project = Project::new();
    project.config(&format!(
        "version: 1
sources:
  warehouse: {{ type: files, tables: {{ people: people.parquet }} }}
models:
  people: {{ source: warehouse, query: SELECT * FROM people, id: id }}
destinations:
  lake: {{ type: file, settings: {{ path: out, format: parquet }} }}
mappings:
  people: {{ model: people, destination: lake, action: write, records: all, fields: {fields} }}
"
    ));
    project.parquet("people.parquet", table);
    project
}

fn run(project: &Project, code: i32) -> Value {
    Outflow::at(project).args("run").run().expect(code);
    project.read_json("target/run_results.json")["results"][0].clone()
}

/// The files, in the order in which they were written.
fn files(project: &Project) -> Vec<RecordBatch> {
    let read = |name: &String| {
        let file = File::open(project.path(name)).unwrap();
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().next().unwrap().unwrap()
    };
    project.files("out").iter().map(read).collect()
}

fn lines(batch: &RecordBatch) -> Vec<Value> {
    let mut lines = Vec::new();
    arrow::json::LineDelimitedWriter::new(&mut lines).write(batch).unwrap();
    String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_file_of_a_mapping_has_the_same_columns_whatever_is_in_it() {
    let place = Fields::from(vec![Field::new("city", DataType::Utf8, true), Field::new("zip", DataType::Int32, true)]);
    let mut table = Table::new(&[
        ("id", DataType::Int64),
        ("big", DataType::UInt64),
        ("price", DataType::Decimal128(20, 4)),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))),
        ("day", DataType::Date32),
        ("tags", DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))),
        ("place", DataType::Struct(place)),
    ]);
    table.push(json!([1, null, null, null, null, null, null]));
    let fields = "{ id: $.id, big: $.big, price: $.price, at: $.at, day: $.day, tags: $.tags, place: $.place, \
                  city: $.place.city, op: $.__op, kind: person, level: 3, label: { '@template': 'no. {{id}}' } }";
    let project = project(&table, fields);
    run(&project, 0);
    let home = json!({"city": "Oslo", "zip": 150});
    let (at, day) = ("2026-01-02T03:04:05.678901Z", "2026-01-02");
    table.push(json!([2, 18_446_744_073_709_551_615_u64, "1234567890123456.7890", at, day, ["a", null], home]));
    project.parquet("people.parquet", &table);
    run(&project, 0);

    let files = files(&project);
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].schema(), files[1].schema());
    let types: Vec<String> = files[1].schema().fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(types[..5], ["id Int64", "big UInt64", "price Decimal128(20, 4)", "at Timestamp(µs, \"+00:00\")", "day Date32"]);
    assert_eq!(types[7..], ["city Utf8", "op Utf8", "kind Utf8", "level Int64", "label Utf8"]);
    assert!((1..8).all(|column| files[0].column(column).is_null(0)));
    let line = lines(&files[1]).remove(0);
    assert_eq!((&line["big"], &line["at"]), (&json!(18_446_744_073_709_551_615_u64), &json!("2026-01-02T03:04:05.678901Z")));
    assert_eq!((line["price"].to_string().as_str(), &line["place"]), ("1234567890123456.7890", &json!({"city": "Oslo", "zip": 150})));
    assert_eq!((&line["label"], &line["op"], &line["level"]), (&json!("no. 2"), &json!("added"), &json!(3)));
}

#[test]
fn a_record_that_does_not_fit_the_columns_fails_alone() {
    let mut old = Table::new(&[("id", DataType::Int64), ("value", DataType::Utf8)]);
    for id in 1..=20 {
        old.push(json!([id, if id == 7 { "seven".to_owned() } else { id.to_string() }]));
    }
    let project = project(&old, "{ id: $.__segment_id, value: $.value }");
    run(&project, 0);
    // The column becomes a number, and all records but one are gone: they are told with their last known values, which were text.
    let new = Table::new(&[("id", DataType::Int64), ("value", DataType::Int64)]).record(json!([1, 100]));
    project.parquet("people.parquet", &new);
    project.edit("outflow.yml", "mappings:", "guards: { deleted_share: 1.0 }\nmappings:");
    let result = run(&project, 3);
    let delivered = &result["counts"]["delivered"];
    assert_eq!((&delivered["deleted"], &delivered["updated"], &result["counts"]["failed"]["total"]), (&json!(18), &json!(1), &json!(1)));
    let show = Outflow::at(&project).args("show").arg(result["sync_id"].as_str().unwrap()).run();
    assert!(show.stdout.contains("value") && show.stdout.contains("not_encodable"), "{show}");
}

#[test]
fn a_mapping_that_makes_no_columns_is_told_so() {
    let table = Table::new(&[("id", DataType::Int64)]).record(json!([1]));
    let project = project(&table, "$.id");
    let result = run(&project, 1);
    let message = result["message"].as_str().unwrap();
    assert!(message.contains("does not make an object with members") && message.contains("ndjson"), "{message}");
}
