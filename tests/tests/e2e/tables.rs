//! Tables as people have them: beside the project's folder, behind links, out of spreadsheets and browsers.

use std::fs;

use arrow::datatypes::DataType;
use outflow_tests::{Outflow, Project, Table};
use serde_json::{Value, json};

/// The records of a preview of the model `it`, run in the folder `elsewhere` for the project in the folder `shop`.
#[track_caller]
fn previewed(project: &Project, tables: &str, sql: &str) -> Value {
    project.write(
        "shop/outflow.yml",
        format!(
            "version: 1
sources: {{ files: {{ type: files, tables: {{ {tables} }} }} }}
models: {{ it: {{ source: files, id: n, query: '{sql}' }} }}
"
        ),
    );
    fs::create_dir_all(project.path("elsewhere")).unwrap();
    let outflow = Outflow::in_folder(project.path("elsewhere")).args("--project ../shop preview it --refresh --output json");
    outflow.run().success().json()["records"].take()
}

fn people() -> Table {
    let mut table = Table::new(&[("id", DataType::Int64), ("name", DataType::Utf8)]);
    for id in 1..=3 {
        table.push(json!([id, format!("name {id}")]));
    }
    table
}

#[test]
fn a_path_may_lead_out_of_the_projects_folder_for_every_format() {
    let project = Project::new();
    project.parquet("data/2026/p.parquet", &people());
    project.csv("data/2026/c.csv", &people());
    project.ndjson("data/2026/n.ndjson", &people());
    for (name, format) in [("p.parquet", "parquet"), ("c.csv", "csv"), ("n.ndjson", "ndjson")] {
        let ending = name.split_once('.').unwrap().1;
        for path in [format!("../data/2026/{name}"), format!("./x/../../data/*/*.{ending}"), "../data/2025/../2026".to_owned()] {
            let tables = format!("people: {{ path: \"{path}\", format: {format} }}");
            assert_eq!(previewed(&project, &tables, "SELECT count(*) AS n FROM people"), json!([{ "n": 3 }]), "{path}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_way_out_of_a_link_goes_on_from_where_the_link_leads() {
    let project = Project::new();
    project.parquet("far/away/p.parquet", &people());
    fs::create_dir_all(project.path("far/away/deep")).unwrap();
    fs::create_dir_all(project.path("shop")).unwrap();
    std::os::unix::fs::symlink(project.path("far/away/deep"), project.path("shop/link")).unwrap();
    let count = "SELECT count(*) AS n FROM people";
    assert_eq!(previewed(&project, "people: link/../p.parquet", count), json!([{ "n": 3 }]));
    assert_eq!(previewed(&project, "people: link/../*.parquet", count), json!([{ "n": 3 }]));
}

#[test]
fn what_spreadsheets_and_interfaces_export_is_read() {
    let project = Project::new();
    project.write("shop/e.csv", "id;Revenue\n1;\"1.234,50\"\n2;7\n");
    project.write("shop/p.csv", "id|a,b\n1|x\n2|y\n");
    project.write("shop/t.tsv", "id\tname\n1\ta,b\n2\tc\n");
    project.write("shop/j.json", "[\n  { \"id\": 1 },\n  { \"id\": 2 }\n]\n");
    let tables = "e: e.csv, p: { path: p.csv, delimiter: \"|\" }, t: t.tsv, j: j.json";
    let sql = "SELECT e.id AS n, \"Revenue\" AS r, \"a,b\" AS p, t.name AS t FROM e JOIN p ON e.id = p.id JOIN t ON e.id = t.id JOIN j ON e.id = j.id ORDER BY 1";
    assert_eq!(
        previewed(&project, tables, sql),
        json!([{ "n": 1, "r": "1.234,50", "p": "x", "t": "a,b" }, { "n": 2, "r": "7", "p": "y", "t": "c" }])
    );
}
