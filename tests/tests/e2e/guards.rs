//! Guards: what looks like an accident in the warehouse stops before the first byte, and is sent once somebody says that it is right.

use arrow::datatypes::DataType;
use outflow_tests::segment_server::SegmentServer;
use outflow_tests::{Outflow, Project, Server, Table};
use serde_json::{Value, json};

use crate::{MIRROR, Shop, counts};

const BATCHES: &str = "batch: { records: 100, body: array }";

/// A shop after its first sync.
fn synced(n: i64, guards: &str) -> Shop {
    let mapping = MIRROR.replace("records: all", &format!("records: all\n    guards: {{ {guards} }}"));
    let shop = Shop::with(n, Server::start(), &mapping, BATCHES);
    shop.run(0);
    shop.sent();
    shop
}

impl Shop {
    fn delete(&mut self, n: i64) {
        (1..=n).for_each(|id| self.table.delete(id));
        self.write();
    }

    fn rename_people(&mut self, n: i64) {
        (1..=n).for_each(|id| self.table.set(id, "name", "another"));
        self.write();
    }

    fn lose_emails(&mut self, n: i64) {
        (1..=n).for_each(|id| self.table.set(id, "email", Value::Null));
        self.write();
    }

    /// A plan and a run say that a guard stops it, and which option passes it; nothing is sent, however often it is tried. With
    /// the option exactly that is sent, and nothing is left.
    #[track_caller]
    fn is_stopped(&mut self, option: &str, sent: (u64, u64, u64)) {
        for _ in 0..2 {
            let plan = self.outflow("plan --output json").expect(1).json()["plans"][0].clone();
            assert!(plan["blocked"] == true && plan["notices"].to_string().contains(option), "{plan}");
            let result = self.run(1);
            assert_eq!(result["status"], "blocked", "{result}");
            assert!(result["message"].as_str().unwrap().contains(&format!("run once with {option}")), "{result}");
            assert_eq!(result["counts"]["pending"]["total"], sent.0 + sent.1 + sent.2, "{result}");
            assert!(self.server.take_requests().is_empty(), "nothing was sent");
        }
        let plan = self.outflow(&format!("plan {option} --output json")).expect(0).json()["plans"][0].clone();
        assert_eq!(plan["blocked"], false, "{plan}");
        self.outflow(&format!("run {option}")).expect(0);
        assert_eq!(counts(&self.result(), "delivered"), sent);
        self.assert_mirrored();
        assert_eq!(self.run(0)["status"], "no_changes");
    }

    #[track_caller]
    fn is_let_through(&mut self, sent: (u64, u64, u64)) {
        let plan = self.outflow("plan --output json").expect(0).json()["plans"][0].clone();
        assert_eq!(plan["blocked"], false, "{plan}");
        assert_eq!(counts(&self.run(0), "delivered"), sent);
        self.assert_mirrored();
    }
}

#[test]
fn more_deletes_than_half_are_stopped_and_half_are_not() {
    let mut shop = synced(100, "");
    shop.delete(50);
    shop.is_let_through((0, 0, 50));
    let mut shop = synced(100, "");
    shop.delete(51);
    shop.is_stopped("--allow-deleted", (0, 0, 51));
}

#[test]
fn a_share_of_deletes_may_be_set_and_is_exact() {
    let mut shop = synced(100, "deleted_share: 0.29");
    shop.delete(29);
    shop.is_let_through((0, 0, 29));
    let mut shop = synced(100, "deleted_share: 0.29");
    shop.delete(30);
    shop.is_stopped("--allow-deleted", (0, 0, 30));
}

#[test]
fn more_changes_than_the_share_are_stopped() {
    let mut shop = synced(100, "changed_share: 0.2");
    shop.rename_people(20);
    shop.is_let_through((0, 20, 0));
    let mut shop = synced(100, "changed_share: 0.2");
    shop.rename_people(21);
    shop.is_stopped("--allow-changed", (0, 21, 0));
}

#[test]
fn a_change_in_a_column_that_the_mapping_does_not_use_is_no_change() {
    let mut shop = synced(100, "changed_share: 0.2");
    (1..=100).for_each(|id| shop.table.set(id, "score", -1));
    shop.write();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn an_empty_result_is_stopped_unless_it_is_allowed() {
    let mut shop = synced(100, "");
    shop.delete(100);
    shop.is_stopped("--allow-empty", (0, 0, 100));
    let mut shop = synced(100, "empty_result: allow");
    shop.delete(100);
    shop.is_let_through((0, 0, 100));
    let mut shop = synced(100, "deleted_share: 1.0");
    shop.delete(99);
    shop.is_let_through((0, 0, 99));
}

/// The types of such a file are unknown: that the identifier is of another kind than before must not be what stops the run.
#[test]
fn a_text_file_without_a_record_is_an_empty_result_like_any_other() {
    let mut shop = Shop::new(100);
    shop.project.edit("outflow.yml", "people: people.parquet", "people: people.csv");
    shop.project.edit("outflow.yml", "SELECT * FROM people", "'SELECT *, id * 2 AS twice, upper(name) AS loud FROM people'");
    shop.project.csv("people.csv", &shop.table);
    shop.run(0);
    let full = shop.project.read("people.csv");
    let header = full.lines().next().unwrap().to_owned();
    shop.project.write("people.csv", format!("{header}\n"));
    let stopped = shop.run(1);
    assert_eq!(stopped["status"], "blocked", "{stopped}");
    assert!(stopped["message"].as_str().unwrap().contains("returns no record"), "{stopped}");
    // What the model is comes back as it was.
    shop.project.write("people.csv", &full);
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.project.write("people.csv", format!("{header}\n"));
    shop.outflow("run --allow-empty").expect(0);
    assert_eq!(counts(&shop.result(), "delivered"), (0, 0, 100));
    assert!(shop.server.records().is_empty());
    shop.project.write("people.csv", &full);
    assert_eq!(counts(&shop.run(0), "delivered"), (100, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn a_table_that_begins_without_a_record_may_be_filled_later() {
    let mut shop = Shop::new(3);
    shop.project.edit("outflow.yml", "people: people.parquet", "people: people.csv");
    shop.project.write("people.csv", "id,name,email,score\n");
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.project.csv("people.csv", &shop.table);
    assert_eq!(counts(&shop.run(0), "delivered"), (3, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn a_column_that_loses_its_values_is_stopped_past_the_growth_of_its_share() {
    let mut shop = synced(100, "");
    shop.lose_emails(50);
    shop.is_let_through((0, 50, 0));
    // What it was last time is what counts: from 50 % to 100 % is no more than half.
    shop.lose_emails(100);
    shop.is_let_through((0, 50, 0));
    let mut shop = synced(100, "");
    shop.lose_emails(51);
    shop.is_stopped("--allow-null", (0, 51, 0));
    let mut shop = synced(100, "null_share: 0.1");
    shop.lose_emails(11);
    shop.is_stopped("--allow-null", (0, 11, 0));
}

#[test]
fn a_column_that_the_mapping_does_not_use_may_lose_its_values() {
    let mut shop = synced(100, "");
    (1..=100).for_each(|id| shop.table.set(id, "score", Value::Null));
    shop.write();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_small_model_is_not_guarded() {
    let mut shop = synced(99, "");
    shop.delete(99);
    shop.is_let_through((0, 0, 99));
    let mut shop = synced(10, "min_records: 10");
    shop.delete(6);
    shop.is_stopped("--allow-deleted", (0, 0, 6));
}

#[test]
fn the_first_sync_is_not_guarded_and_a_baseline_counts_as_one() {
    let mut shop = Shop::with(100, Server::start(), MIRROR, BATCHES);
    shop.lose_emails(100);
    shop.run(0);
    let mut shop = Shop::with(100, Server::start(), MIRROR, BATCHES);
    shop.outflow("baseline mirror --yes").expect(0);
    shop.delete(51);
    assert_eq!(shop.run(1)["status"], "blocked");
}

#[test]
fn deletes_that_were_allowed_and_failed_need_no_second_permission() {
    let mut shop = synced(100, "");
    shop.delete(60);
    let all: Vec<String> = (1..=60).map(|id: i64| id.to_string()).collect();
    shop.server.refuse(all.iter().map(String::as_str));
    shop.outflow("run --allow-deleted").expect(1);
    assert_eq!(shop.run(3)["status"], "partial_success", "tried again, and not blocked");
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 60));
    shop.assert_mirrored();
}

#[test]
fn a_retry_is_guarded_as_a_run_is() {
    let mut shop = synced(100, "");
    shop.delete(51);
    shop.run(1);
    shop.outflow("retry").expect(1);
    assert_eq!(shop.result()["status"], "blocked");
    shop.outflow("retry --allow-deleted").expect(0);
    assert_eq!(counts(&shop.result(), "delivered"), (0, 0, 51));
    shop.assert_mirrored();
}

#[test]
fn every_destination_is_guarded_before_its_first_byte() {
    let project = Project::new();
    let server = Server::start();
    let mut table = Table::new(&[("id", DataType::Int64), ("name", DataType::Utf8)]);
    (1..=100).for_each(|id| table.push(json!([id, "name"])));
    project.parquet("people.parquet", &table);
    // `key:` in base64.
    let segment = SegmentServer::start("a2V5Og==");
    let (url, api) = (server.url("/records"), segment.url());
    project.config(&format!(
        "version: 1
sources:
  warehouse: {{ type: files, tables: {{ people: people.parquet }} }}
models:
  people: {{ source: warehouse, query: SELECT * FROM people, id: id }}
destinations:
  hook: {{ type: webhook, settings: {{ url: '{url}' }} }}
  folder: {{ type: file, settings: {{ path: out }} }}
  segment: {{ type: segment, gateway: '{api}', settings: {{ source_write_key: key }} }}
mappings:
  hooked: {{ model: people, destination: hook, action: send, records: all, fields: {{ id: $.id, op: $.__op }} }}
  filed: {{ model: people, destination: folder, action: write, records: all, fields: {{ id: $.id, op: $.__op }} }}
  tracked: {{ model: people, destination: segment, action: sendTrack, records: all, fields: {{ event_name: Seen, user_id: $.id }} }}
"
    ));
    Outflow::at(&project).args("run").run().expect(0);
    server.take_requests();
    let files = project.files("out");
    (1..=51).for_each(|id| table.delete(id));
    project.parquet("people.parquet", &table);
    Outflow::at(&project).args("run").run().expect(1);
    let results = project.read_json("target/run_results.json");
    for result in results["results"].as_array().unwrap() {
        assert_eq!((&result["status"], &result["requests"]), (&json!("blocked"), &json!(0)), "{result}");
    }
    assert!(server.take_requests().is_empty());
    assert_eq!(project.files("out"), files);
}
