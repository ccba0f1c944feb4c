//! Time travel: what changed between two versions of a model, from the state alone.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use outflow_tests::{Server, Table};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::Shop;

impl Shop {
    /// What `outflow diff people` and these arguments say.
    #[track_caller]
    fn diff(&self, args: &str) -> Value {
        self.outflow(&format!("diff people --output json {args}")).expect(0).json()
    }

    /// Writes the table, and makes a version of it.
    #[track_caller]
    fn version(&self) {
        self.write();
        self.run(0);
    }
}

/// `op id` of each record, and for updates the columns that differ.
fn told(document: &Value) -> Vec<String> {
    let one = |record: &Value| {
        let change = |change: &Value| format!(" {}: {} → {}", change["column"].as_str().unwrap(), change["before"], change["after"]);
        let changes: String = record["changes"].as_array().unwrap().iter().map(change).collect();
        format!("{} {}{changes}", record["op"].as_str().unwrap(), record["id"].as_str().unwrap())
    };
    let mut told: Vec<String> = document["records"].as_array().unwrap().iter().map(one).collect();
    told.sort();
    told
}

fn counted(document: &Value) -> [u64; 4] {
    ["added", "updated", "deleted", "total"].map(|name| document["counts"][name].as_u64().unwrap())
}

/// Five versions: 1 is there from the first on, 2 changes and changes back, 3 goes, 4 comes, 5 comes and goes.
fn told_past() -> Shop {
    let mut shop = Shop::new(3);
    shop.run(0);
    shop.table.set(2, "name", "else");
    shop.table.set(3, "score", 31);
    shop.version();
    shop.table.push(json!([5, "short", null, 0]));
    shop.table.push(json!([4, "new", "p4@example.com", 1]));
    shop.version();
    shop.table.delete(3);
    shop.table.delete(5);
    shop.version();
    shop.table.set(2, "name", "name 2");
    shop.table.set(4, "name", "newer");
    shop.table.set(4, "score", Value::Null);
    shop.version();
    shop
}

#[test]
fn the_newest_version_is_compared_with_the_one_before_it_column_by_column() {
    let shop = told_past();
    let diff = shop.diff("");
    assert_eq!((&diff["from"], &diff["to"], &diff["backwards"], &diff["more"]), (&json!(4), &json!(5), &json!(false), &json!(false)));
    assert_eq!(counted(&diff), [0, 2, 0, 2]);
    assert_eq!(told(&diff), ["updated 2 name: \"else\" → \"name 2\"", "updated 4 name: \"new\" → \"newer\" score: 1 → null"]);
    let newer = diff["records"].as_array().unwrap().iter().find(|record| record["id"] == "4").unwrap();
    assert_eq!(newer["record"], json!({ "id": 4, "name": "newer", "email": "p4@example.com", "score": null }));
    assert!(diff["from_at"].as_str() < diff["to_at"].as_str(), "{diff}");
}

#[test]
fn what_came_and_went_or_changed_back_in_between_is_no_change() {
    let shop = told_past();
    let diff = shop.diff("1 5");
    assert_eq!(told(&diff), ["added 4", "deleted 3"]);
    assert_eq!(counted(&diff), [1, 0, 1, 2]);
    assert_eq!(told(&shop.diff("1 3")), ["added 4", "added 5", "updated 2 name: \"name 2\" → \"else\"", "updated 3 score: 30 → 31"]);
    assert_eq!(told(&shop.diff("0 5")), ["added 1", "added 2", "added 4"], "0 is before the first");
    assert_eq!(told(&shop.diff("3 3")), Vec::<String>::new());
}

#[test]
fn a_deleted_record_is_shown_as_it_was_in_the_version_that_is_begun_with() {
    let shop = told_past();
    let score =
        |args: &str| shop.diff(args)["records"].as_array().unwrap().iter().find(|r| r["id"] == "3").unwrap()["record"]["score"].clone();
    assert_eq!((score("1 5"), score("2 5"), score("3 4")), (json!(30), json!(31), json!(31)));
}

#[test]
fn from_a_later_version_to_an_earlier_one_is_the_same_turned_round() {
    let shop = told_past();
    let back = shop.diff("3 1");
    assert_eq!(back["backwards"], true);
    assert_eq!(counted(&back), [0, 2, 2, 4]);
    assert_eq!(told(&back), ["deleted 4", "deleted 5", "updated 2 name: \"else\" → \"name 2\"", "updated 3 score: 31 → 30"]);
    let two = back["records"].as_array().unwrap().iter().find(|record| record["id"] == "2").unwrap().clone();
    assert_eq!(two["record"]["name"], "name 2", "as it is where it ends");
    let text = shop.outflow("diff people 3 1").expect(0).stdout;
    assert!(text.starts_with("people  version 3 → 1, backwards"), "{text}");
}

#[test]
fn as_many_records_of_each_operation_are_shown_as_were_asked_for() {
    let mut shop = Shop::new(30);
    shop.run(0);
    (1..=12).for_each(|id| shop.table.set(id, "name", "x"));
    (21..=29).for_each(|id| shop.table.delete(id));
    shop.version();
    let shown = |args: &str| {
        let diff = shop.diff(args);
        let of = |op: &str| diff["records"].as_array().unwrap().iter().filter(|record| record["op"] == op).count();
        assert_eq!(counted(&diff), [0, 12, 9, 21], "the counts are of all");
        (of("updated"), of("deleted"), diff["more"].as_bool().unwrap())
    };
    assert_eq!(shown(""), (5, 5, true));
    assert_eq!(shown("--limit 10"), (10, 9, true));
    assert_eq!(shown("--limit 0"), (0, 0, true));
    assert_eq!(shown("--all"), (12, 9, false));
    let text = |args: &str| shop.outflow(&format!("diff people {args}")).expect(0).stdout;
    assert!(text("").contains("There are more") && !text("--all").contains("There are more"));
    assert_eq!(text("--all").lines().filter(|line| line.starts_with("- ")).count(), 9);
}

#[test]
fn values_are_found_wherever_compaction_has_moved_them() {
    let mut shop = Shop::new(200);
    shop.project.edit("outflow.yml", "version: 1", "version: 1\nretention: { versions: 0s, syncs: 0s }");
    shop.run(0);
    let mut random = StdRng::seed_from_u64(7);
    let mut moved = false;
    for round in 1..=12u64 {
        let mut expected = BTreeMap::new();
        for _ in 0..60 {
            let id = random.random_range(1..=200i64);
            let name = format!("{:08x}", random.random::<u32>());
            let record = shop.table.records().iter().find(|record| record["id"] == id).unwrap().clone();
            expected.entry(id.to_string()).or_insert_with(|| (record["name"].clone(), Value::Null)).1 = json!(name);
            shop.table.set(id, "name", name);
        }
        shop.version();
        let diff = shop.diff("--all");
        let found: BTreeMap<String, (Value, Value)> = diff["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| (r["id"].as_str().unwrap().to_owned(), (r["changes"][0]["before"].clone(), r["changes"][0]["after"].clone())))
            .collect();
        assert_eq!(found, expected, "round {round}");
        moved |= shop.project.files("state/models/people/snapshots").iter().any(|path| path.contains("values-"));
    }
    assert!(moved, "nothing was compacted: this test shows nothing");
    let versions = shop.diff("--versions");
    let dropped = versions["dropped_through"].as_u64().unwrap();
    assert_eq!((dropped, versions["versions"].as_array().unwrap().len()), (12, 1), "{versions}");
    let refused = shop.outflow("diff people 3").expect(2).stderr;
    assert!(refused.contains("version 3 of model `people` is no longer kept: `retention` has dropped versions 1 to 12"), "{refused}");
    assert!(refused.contains("outflow diff people 12 13"), "{refused}");
    let refused = shop.outflow("diff people 0 --output json").expect(2).json();
    assert_eq!(refused["error"]["kind"], "notfound", "{refused}");
}

/// The people again, with or without a column, and with scores as text or as numbers.
fn people(columns: &[(&str, DataType)], records: &[Value]) -> Table {
    records.iter().fold(Table::new(columns), |table, record| table.record(record.clone()))
}

#[test]
fn a_column_that_comes_in_between_makes_no_record_look_updated() {
    let mut shop = Shop::with(0, Server::start(), crate::MIRROR, "batch: { records: 10, body: array }");
    let narrow = [("id", DataType::Int64), ("name", DataType::Utf8), ("email", DataType::Utf8)];
    let wide = [narrow.as_slice(), &[("plan", DataType::Utf8)]].concat();
    let mut make = |columns: &[(&str, DataType)], records: &[Value]| {
        shop.table = people(columns, records);
        shop.version();
    };
    make(&narrow, &[json!([1, "a", null]), json!([2, "b", null]), json!([3, "c", null])]);
    make(&narrow, &[json!([1, "x", null]), json!([2, "b", null]), json!([3, "y", null])]);
    make(&wide, &[json!([1, "a", null, "free"]), json!([2, "b", null, "pro"]), json!([3, "z", null, "pro"])]);
    let diff = shop.diff("1 3");
    assert_eq!(told(&diff), ["updated 3 name: \"c\" → \"z\""], "1 has changed back, and 2 has only more columns");
    assert_eq!(counted(&diff), [0, 1, 0, 1]);
    assert_eq!((&diff["new_columns"], &diff["dropped_columns"]), (&json!(["plan"]), &json!([])));
    assert_eq!(diff["records"][0]["record"]["plan"], "pro");
    let back = shop.diff("3 1");
    assert_eq!((told(&back), &back["dropped_columns"]), (vec!["updated 3 name: \"z\" → \"c\"".to_owned()], &json!(["plan"])));
    let text = shop.outflow("diff people 1 3").expect(0).stdout;
    assert!(text.contains("Version 3 has `plan`, and is compared without."), "{text}");
}

#[test]
fn a_value_of_another_type_differs_only_if_it_is_another_value() {
    let mut shop = Shop::with(0, Server::start(), crate::MIRROR, "batch: { records: 10, body: array }");
    let columns = |kind: DataType| [("id", DataType::Int64), ("name", DataType::Utf8), ("email", DataType::Utf8), ("score", kind)];
    let mut make = |kind: DataType, records: &[Value]| {
        shop.table = people(&columns(kind), records);
        shop.version();
    };
    make(DataType::Int32, &[json!([1, "a", null, 7]), json!([2, "b", null, 8])]);
    make(DataType::Decimal128(12, 2), &[json!([1, "x", null, "7.00"]), json!([2, "b", null, "8.00"])]);
    make(DataType::Utf8, &[json!([1, "x", null, "7"]), json!([2, "y", null, "8"])]);
    assert_eq!(told(&shop.diff("1 2")), ["updated 1 name: \"a\" → \"x\""], "7 is 7.00");
    assert_eq!(told(&shop.diff("2 3"))[0], "updated 1 score: 7.00 → \"7\"");
    let text = shop.outflow("diff people 1 3").expect(0).stdout;
    assert!(text.contains("score: 7 → 7  ("), "{text}");
}

#[test]
fn it_reads_the_state_alone_and_leaves_it_as_it_is() {
    let shop = told_past();
    let state = || {
        let lasting = |path: &String| !path.starts_with("state/tmp");
        let files = shop.project.files("state").into_iter().filter(lasting);
        files.map(|path| (std::fs::read(shop.project.path(&path)).unwrap(), path)).collect::<Vec<_>>()
    };
    let before = state();
    std::fs::remove_file(shop.project.path("people.parquet")).unwrap();
    for args in ["", "1 4", "4 1", "--versions", "0 --all", "9", "2 2"] {
        let run = shop.outflow(&format!("diff people {args}"));
        assert_eq!(run.code, Some(if args == "9" { 2 } else { 0 }), "{run}");
    }
    assert!(state() == before, "the state is another");
    let fresh = Shop::new(1);
    let run = fresh.outflow("diff people").expect(2);
    assert!(run.stderr.contains("model `people` has no version yet"), "{run}");
    assert!(!fresh.project.path("state").exists(), "a state was made");
}

#[test]
fn a_damaged_change_set_is_told_and_never_half_shown() {
    let shop = told_past();
    let head = shop.head("models/people");
    let newest = head["files"].as_array().unwrap().iter().rfind(|file| file["version"] == 5).unwrap();
    let path = shop.project.path(&format!("state/{}", newest["path"].as_str().unwrap()));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let run = shop.outflow("diff people --output json").expect(1);
    assert_eq!(run.json()["error"]["kind"], "corrupt", "{run}");
    assert_eq!(told(&shop.diff("3 4")), ["deleted 3", "deleted 5"], "what is whole can still be told");
}

#[test]
fn what_fails_in_the_middle_of_many_records_is_still_one_document() {
    let mut shop = Shop::new(3);
    shop.run(0);
    let first = shop.head("models/people")["files"][0]["path"].as_str().unwrap().to_owned();
    (4..=1200).for_each(|id| shop.table.push(json!([id, "new", null, 0])));
    shop.table.set(1, "name", "else");
    shop.version();
    // All but the footer of the file that holds what was there before: what is in it can be told, and not be read.
    let path = shop.project.path(&format!("state/{first}"));
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len() - 8;
    let footer = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    bytes[4..end - footer].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let run = shop.outflow("diff people --all --output json").expect(1);
    let document = run.json();
    assert_eq!((counted(&document), &document["error"]["kind"]), ([1197, 1, 0, 1198], &json!("corrupt")), "{run}");
    assert!(told(&document).len() >= 1000 && run.stderr.is_empty(), "{run}");
    let run = shop.outflow("diff people --output json").expect(1);
    assert_eq!((run.json()["error"]["kind"].as_str(), run.json().get("records")), (Some("corrupt"), None), "{run}");
    let text = shop.outflow("diff people --all").expect(1);
    assert!(text.stderr.contains(&first), "{text}");
}
