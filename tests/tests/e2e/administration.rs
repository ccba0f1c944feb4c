//! What people do to a mapping's state by hand: baseline, pause, and one record sent ahead of its sync.

use outflow_tests::Act;
use serde_json::json;

use crate::{MIRROR, Shop, counts};

const BATCHES: &str = "batch: { records: 10, body: array }";

impl Shop {
    /// The identifiers of the records that were sent since the last look, in order.
    pub(crate) fn sent(&self) -> Vec<i64> {
        let mut sent: Vec<i64> =
            self.server.take_requests().iter().flat_map(|request| &request.payloads).filter_map(|payload| payload["id"].as_i64()).collect();
        sent.sort_unstable();
        sent
    }

    pub(crate) fn rename_in_project(&self, old: &str, new: &str) {
        self.project.edit("outflow.yml", &format!("  {old}:"), &format!("  {new}:"));
    }
}

#[test]
fn a_baseline_sends_nothing_and_what_changes_after_it_goes_out() {
    let mut shop = Shop::new(10);
    shop.outflow("baseline mirror --yes").expect(0);
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert_eq!(shop.sent(), [0i64; 0]);
    shop.table.set(4, "name", "changed");
    shop.table.delete(5);
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 1));
}

#[test]
fn a_baseline_drops_what_was_pending_and_says_how_much() {
    let shop = Shop::new(10);
    shop.server.refuse(["3", "4"]);
    shop.run(3);
    shop.server.accept_all();
    let done = shop.outflow("baseline mirror --yes --output json").expect(0).json();
    assert_eq!((&done["records"], &done["dropped_pending"]), (&json!(10), &json!(2)));
    shop.sent();
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert_eq!(shop.sent(), [0i64; 0]);
}

#[test]
fn while_a_mapping_is_paused_its_changes_wait() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.outflow("pause mirror --reason maintenance").expect(0);
    shop.table.set(1, "name", "changed");
    shop.write();
    shop.sent();
    let skipped = shop.run(0);
    assert_eq!(skipped["status"], "skipped");
    assert!(skipped["message"].as_str().unwrap().contains("maintenance"), "{skipped}");
    assert_eq!(shop.sent(), [0i64; 0]);
    shop.outflow("resume mirror").expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_mirrored();
}

#[test]
fn a_record_that_was_sent_as_a_test_counts_as_delivered() {
    let mut shop = Shop::new(10);
    shop.outflow("test mirror --record 3 --send").expect(0);
    assert_eq!(shop.sent(), [3]);
    assert_eq!(counts(&shop.run(0), "delivered"), (9, 0, 0));
    shop.assert_mirrored();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_test_of_a_record_that_has_not_changed_sends_it_once_more_and_nothing_else() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.sent();
    shop.outflow("test mirror --record 3 --send").expect(0);
    assert_eq!(shop.sent(), [3]);
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.assert_mirrored();
}

#[test]
fn a_value_that_was_sent_as_a_test_is_taken_back_when_the_source_takes_it_back() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.table.set(3, "name", "a try");
    shop.table.set(4, "name", "another change");
    shop.write();
    shop.outflow("test mirror --record 3 --send").expect(0);
    assert_eq!(shop.server.records()["3"]["name"], "a try");
    shop.table.set(3, "name", "name 3");
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 2, 0));
    shop.assert_mirrored();
}

#[test]
fn a_test_record_whose_answer_was_never_read_is_sent_again() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.table.set(3, "name", "a try");
    shop.write();
    shop.server.next(5, &Act::DropAfter);
    let sent = shop.outflow("test mirror --record 3 --send --output json").expect(1).json();
    assert_eq!(sent["sent"]["delivered"], 0);
    shop.sent();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    assert_eq!(shop.sent(), [3]);
    shop.assert_mirrored();
}

#[test]
fn a_test_does_not_send_what_the_mapping_does_not_send() {
    let shop = Shop::with(10, outflow_tests::Server::start(), &MIRROR.replace("records: all", "records: deleted"), BATCHES);
    shop.run(0);
    let refused = shop.outflow("test mirror --record 3 --send --output json").expect(1).json();
    assert!(refused["sent"]["sync"]["message"].as_str().is_some_and(|why| why.contains("deleted records only")), "{refused}");
    assert_eq!(shop.sent(), [0i64; 0]);
}

#[test]
fn the_first_sync_may_have_failed_at_a_wrong_address() {
    let mut shop = Shop::new(10);
    let url = shop.server.url("/records");
    shop.project.edit("outflow.yml", &url, "http://127.0.0.1:9/records");
    assert_eq!(shop.run(1)["status"], "failed");
    shop.project.edit("outflow.yml", "http://127.0.0.1:9/records", &url);
    assert_eq!(counts(&shop.run(0), "delivered"), (10, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn another_address_stops_the_run_and_the_plan_once_something_was_delivered() {
    let shop = Shop::new(10);
    shop.run(0);
    let url = shop.server.url("/records");
    shop.project.edit("outflow.yml", &url, &format!("{url}2"));
    let stopped = shop.run(1);
    let message = stopped["message"].as_str().unwrap();
    assert!(message.contains("outflow reset mirror") && message.contains("outflow baseline mirror"), "{message}");
    let plan = shop.outflow("plan --output json").expect(1).json();
    assert!(plan.to_string().contains("a run would stop here"), "{plan}");
    shop.outflow("baseline mirror --yes").expect(0);
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_plan_says_that_a_mapping_is_paused() {
    let shop = Shop::new(10);
    shop.outflow("pause mirror").expect(0);
    let plan = shop.outflow("plan --output json").expect(0).json();
    assert!(plan.to_string().contains("outflow resume mirror"), "{plan}");
}

#[test]
fn edited_fields_are_said_once_and_send_nothing_by_themselves() {
    let shop = Shop::new(10);
    shop.run(0);
    shop.project.edit("outflow.yml", "name: $.name", "full_name: $.name");
    shop.sent();
    let notices = |result: &serde_json::Value| result["notices"].to_string();
    let said = shop.run(0);
    assert!(said["status"] == "no_changes" && notices(&said).contains("outflow reset mirror"), "{said}");
    assert!(!notices(&shop.run(0)).contains("outflow reset"), "once");
    assert_eq!(shop.sent(), [0i64; 0]);
}

#[test]
fn an_unmapped_column_does_not_trigger_a_record_that_was_sent_ahead() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.outflow("test mirror --record 2 --send").expect(0);
    shop.table.set(2, "score", 999);
    shop.write();
    shop.sent();
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert_eq!(shop.sent(), [0i64; 0]);
}

#[test]
fn an_unanswered_test_before_the_first_sync_is_not_forgotten_when_the_record_goes() {
    let mut shop = Shop::new(10);
    // Taken in, and never answered.
    shop.server.next(5, &Act::DropAfter);
    shop.outflow("test mirror --record 3 --send").expect(1);
    shop.table.delete(3);
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (9, 0, 1));
    shop.assert_mirrored();
}

#[test]
fn a_test_shows_the_request_that_a_sync_sends() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.table.set(4, "name", "changed");
    shop.write();
    let shown = |shop: &Shop, id: i64| shop.outflow(&format!("test mirror --record {id} --output json")).expect(0).json();
    assert_eq!(shown(&shop, 4)["op"], "updated");
    shop.table.push(json!([11, "new", null, 0]));
    shop.write();
    assert_eq!(shown(&shop, 11)["op"], "added");
}
