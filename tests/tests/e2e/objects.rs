//! Files in object storage, on a server that speaks S3.

use arrow::datatypes::DataType;
use outflow_tests::{ObjectStore, Outflow, Project, Run, Table};
use serde_json::{Value, json};

/// A project whose people go to files at `path`. `text` is carried by each of them.
fn project(people: i64, text: &str, path: &str, store: &ObjectStore, credentials: &str) -> Project {
    let mut table = Table::new(&[("id", DataType::Int64), ("text", DataType::Utf8)]);
    for id in 1..=people {
        table.push(json!([id, text]));
    }
    let project = Project::new();
    project.parquet("people.parquet", &table);
    let url = store.url();
    project.config(&format!(
        "version: 1
sources:
  warehouse: {{ type: files, tables: {{ people: people.parquet }} }}
models:
  people: {{ source: warehouse, query: SELECT * FROM people, id: id }}
destinations:
  lake:
    type: file
    request_lifetime: 100ms
    settings: {{ path: '{path}', storage: {{ aws_endpoint: '{url}', aws_region: us-east-1 {credentials} }} }}
mappings:
  people: {{ model: people, destination: lake, action: write, records: all, fields: {{ id: $.id, text: $.text }} }}
"
    ));
    project
}

fn outflow(project: &Project, args: &str) -> Outflow {
    Outflow::at(project).args(args).env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
}

/// Standard output, as if the terminal had no edge.
fn words(run: &Run) -> String {
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The identifiers in all objects of the bucket, sorted.
fn ids(store: &ObjectStore, bucket: &str) -> Vec<i64> {
    let objects = store.keys(bucket).into_iter().map(|key| String::from_utf8(store.object(bucket, &key)).unwrap());
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap();
    let mut ids: Vec<i64> = objects.flat_map(|object| object.lines().map(id).collect::<Vec<_>>()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn records_become_objects_and_what_is_delivered_is_not_sent_again() {
    let store = ObjectStore::with_bucket("lake");
    let project = project(100, "x", "s3://lake/crm/people.jsonl", &store, "");
    outflow(&project, "test lake").run().success();
    assert!(store.keys("lake").is_empty(), "a test leaves nothing behind");
    outflow(&project, "run").run().success();
    let keys = store.keys("lake");
    assert_eq!(keys.len(), 1);
    let name = keys[0].strip_suffix(".jsonl").unwrap();
    assert!(name.starts_with("crm/people-people-000001-00000-"), "{keys:?}");
    assert_eq!(ids(&store, "lake"), (1..=100).collect::<Vec<i64>>());
    outflow(&project, "run").run().success();
    assert_eq!(store.keys("lake"), keys);
}

#[test]
fn a_run_killed_between_objects_is_completed_with_every_record_once() {
    let store = ObjectStore::with_bucket("lake");
    // About eight objects of sixteen mebibytes.
    let project = project(1_300, &"x".repeat(100_000), "s3://lake/crm", &store, "");
    let mut running = outflow(&project, "run").spawn();
    assert!(running.until(|| store.keys("lake").len() >= 2), "objects appear while it runs");
    running.kill();
    let before = store.keys("lake");
    outflow(&project, "run").run().success();
    let after = store.keys("lake");
    assert!(after.len() > before.len() && before.iter().all(|key| after.contains(key)), "{before:?} {after:?}");
    assert_eq!(ids(&store, "lake"), (1..=1_300).collect::<Vec<i64>>());
}

#[test]
fn what_the_store_refuses_is_told_with_what_to_do() {
    let store = ObjectStore::with_bucket("lake");
    let gone = project(3, "x", "s3://nowhere/crm", &store, "");
    let run = outflow(&gone, "run").run().expect(1);
    assert!(words(&run).contains("there is no bucket or container at s3://nowhere (status 404, NoSuchBucket"), "{run}");
    assert!(words(&run).contains("create it, or correct `path`"), "{run}");
    assert_eq!(gone.read_json("target/run_results.json")["results"][0]["requests"], 1, "it does not pass by itself");

    let none = Outflow::at(&project(3, "x", "s3://lake/crm", &store, ", aws_metadata_endpoint: 'http://127.0.0.1:1'")).args("run").run();
    assert!(words(&none).contains("there are no credentials for s3://lake"), "{none}");

    let strict = ObjectStore::that_refuses("lake");
    let refused = project(3, "x", "s3://lake/crm", &strict, "");
    let run = outflow(&refused, "run").run().expect(1);
    assert!(words(&run).contains("s3://lake does not accept the credentials (status 403, InvalidAccessKeyId"), "{run}");
    assert!(!format!("{run}").contains("wJalrXUtnFEMI"), "{run}");
}
