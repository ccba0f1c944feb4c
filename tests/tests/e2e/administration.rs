//! What people do to a mapping's state by hand: baseline, pause, rename, and one record sent ahead of its sync.

use outflow_tests::Act;
use serde_json::json;

use crate::{MIRROR, Shop, counts};

const BATCHES: &str = "batch: { records: 10, body: array }";

impl Shop {
    /// The identifiers of the records that were sent since the last look, in order.
    fn sent(&self) -> Vec<i64> {
        let mut sent: Vec<i64> =
            self.server.take_requests().iter().flat_map(|request| &request.payloads).filter_map(|payload| payload["id"].as_i64()).collect();
        sent.sort_unstable();
        sent
    }

    fn rename_in_project(&self, old: &str, new: &str) {
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
    shop.server.refuse(["3"]);
    shop.run(1);
    shop.server.accept_all();
    let done = shop.outflow("baseline mirror --yes --output json").expect(0).json();
    assert_eq!((&done["records"], &done["dropped_pending"]), (&json!(10), &json!(10)));
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
fn a_mapping_under_a_new_name_stops_and_asks_and_goes_on_once_it_is_renamed() {
    let mut shop = Shop::with(10, outflow_tests::Server::start(), MIRROR, "batch: { records: 1, body: array }");
    shop.server.refuse(["3"]);
    shop.run(3);
    shop.server.accept_all();
    shop.rename_in_project("mirror", "people_to_hook");
    shop.sent();
    let stopped = shop.run(1);
    assert!(stopped["message"].as_str().unwrap().contains("outflow rename mirror people_to_hook"), "{stopped}");
    assert_eq!(shop.sent(), [0i64; 0]);
    shop.outflow("rename mirror people_to_hook --yes").expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 0, 0));
    assert_eq!(shop.sent(), [3]);
    shop.table.set(7, "name", "changed");
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_mirrored();
    // There is nothing left to be renamed.
    shop.outflow("rename mirror people_to_hook --yes").expect(2);
}

#[test]
fn a_mapping_that_was_really_replaced_may_be_forgotten() {
    let shop = Shop::new(10);
    shop.run(0);
    shop.rename_in_project("mirror", "other");
    shop.outflow("rename mirror --forget --yes").expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (10, 0, 0));
}

#[test]
fn a_name_that_is_used_again_begins_anew_with_keys_of_its_own() {
    let shop = Shop::new(10);
    shop.run(0);
    let first: Vec<_> = shop.server.take_requests().into_iter().map(|request| request.idempotency_key).collect();
    shop.rename_in_project("mirror", "second");
    shop.outflow("rename mirror second --yes").expect(0);
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.rename_in_project("second", "mirror");
    let stopped = shop.run(1);
    assert!(stopped["message"].as_str().unwrap().contains("outflow rename second mirror"), "{stopped}");
    shop.outflow("rename second --forget --yes").expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (10, 0, 0));
    let again: Vec<_> = shop.server.take_requests().into_iter().map(|request| request.idempotency_key).collect();
    assert!(first.iter().all(|key| !again.contains(key)), "{first:?} {again:?}");
}

#[test]
fn a_mapping_may_get_its_old_name_back() {
    let mut shop = Shop::new(10);
    shop.run(0);
    for (old, new) in [("mirror", "second"), ("second", "mirror"), ("mirror", "third"), ("third", "mirror")] {
        shop.rename_in_project(old, new);
        shop.outflow(&format!("rename {old} {new} --yes")).expect(0);
        shop.table.set(3, "name", new);
        shop.write();
        assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    }
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
