//! What changed is what is sent: nothing more, nothing less.

use serde_json::json;

use crate::{MIRROR, Shop, counts};

#[test]
fn the_first_sync_sends_everything_and_later_ones_the_net_changes() {
    let mut shop = Shop::new(25);
    let result = shop.run(0);
    assert_eq!(result["status"], "success");
    assert_eq!(counts(&result, "delivered"), (25, 0, 0));
    assert_eq!(result["requests"], 3, "requests of ten");
    shop.assert_mirrored();

    shop.table.set(3, "name", "other");
    shop.table.delete(7);
    shop.table.push(json!([100, "new", null, 0]));
    shop.write();
    shop.server.take_requests();
    let result = shop.run(0);
    assert_eq!(counts(&result, "delivered"), (1, 1, 1));
    assert_eq!(result["counts"]["unchanged"], 23);
    assert_eq!(shop.server.take_requests().iter().map(|request| request.payloads.len()).sum::<usize>(), 3);
    shop.assert_mirrored();

    let result = shop.run(0);
    assert_eq!(result["status"], "no_changes");
    assert!(shop.server.take_requests().is_empty(), "a still source sends nothing");
}

#[test]
fn the_same_records_in_another_order_are_no_change() {
    let mut shop = Shop::new(50);
    shop.run(0);
    shop.table.records().reverse();
    shop.write();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_column_that_a_mapping_does_not_use_never_triggers_it() {
    let mut shop = Shop::new(5);
    shop.run(0);
    shop.table.set(2, "score", 999);
    shop.write();
    let result = shop.run(0);
    assert_eq!(result["status"], "no_changes");
    assert_eq!(result["counts"]["updated"], 1, "the model has changed");
    assert_eq!(result["counts"]["skipped"], 1);
    // … and the change is over: it does not come back with the next one.
    shop.table.set(3, "name", "used");
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
}

#[test]
fn a_record_that_changes_back_before_it_was_sent_is_not_sent() {
    let mut shop = Shop::new(5);
    shop.run(0);
    shop.configure(&MIRROR.replace("records: all", "records: all\n    enabled: false"), "batch: { records: 10 }", "");
    shop.table.set(2, "name", "for a while");
    shop.write();
    assert_eq!(shop.run(0)["status"], "skipped");
    // Another mapping of the model sees the change while this one sleeps.
    let other = format!(
        "{}{}",
        MIRROR.replace("records: all", "records: all\n    enabled: false"),
        MIRROR.replace("mirror:", "other:").replace("op: $.__op,", "")
    );
    shop.configure(&other, "batch: { records: 10 }", "");
    shop.outflow("run --select other").expect(0);
    shop.table.set(2, "name", "name 2");
    shop.write();
    shop.outflow("run --select other").expect(0);
    shop.configure(MIRROR, "batch: { records: 10, body: array }", "");
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn changes_wait_while_a_destination_is_disabled_and_go_out_afterwards() {
    let mut shop = Shop::new(5);
    shop.run(0);
    let settings = "batch: { records: 10, body: array }";
    shop.configure(MIRROR, settings, "    enabled: false");
    shop.table.set(1, "name", "while disabled");
    shop.write();
    let result = shop.run(0);
    assert_eq!(result["status"], "skipped");
    assert!(result["message"].as_str().unwrap().contains("disabled"));
    shop.table.set(4, "name", "later");
    shop.write();
    shop.configure(MIRROR, settings, "");
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 2, 0));
    shop.assert_mirrored();
}

#[test]
fn a_mapping_of_updated_records_starts_from_what_is_there_and_says_so() {
    let mut shop = Shop::new(5);
    shop.configure(&MIRROR.replace("records: all", "records: updated"), "batch: { records: 10 }", "");
    let result = shop.run(0);
    assert_eq!(result["status"], "no_changes");
    assert!(result["message"].as_str().unwrap().contains("first sync"), "{result}");
    shop.table.set(2, "name", "changed");
    shop.table.push(json!([9, "new", null, 0]));
    shop.table.delete(1);
    shop.write();
    let result = shop.run(0);
    assert_eq!(counts(&result, "delivered"), (0, 1, 0));
    assert_eq!(result["counts"]["skipped"], 2);
}

#[test]
fn a_deleted_record_carries_every_last_known_column() {
    let mut shop = Shop::new(3);
    let removed = "
  removed:
    model: people
    destination: hook
    action: send
    records: deleted
    fields: { id: $.__segment_id, op: $.__op, last_email: $.email, last_score: $.score }
";
    shop.configure(removed, "batch: { records: 10, body: array }", "");
    shop.run(0);
    shop.table.delete(2);
    shop.write();
    shop.server.take_requests();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 1));
    let payload = &shop.server.take_requests()[0].payloads[0];
    assert_eq!(*payload, json!({ "id": 2, "op": "deleted", "last_email": "p2@example.com", "last_score": 20 }));
}

#[test]
fn upserts_by_one_mapping_and_deletes_by_another_mirror_the_model() {
    let mut shop = Shop::new(20);
    let pair = format!(
        "{}{}",
        MIRROR.replace("mirror:", "upserts:").replace("records: all", "records: added_or_updated"),
        MIRROR.replace("mirror:", "deletes:").replace("records: all", "records: deleted")
    );
    shop.configure(&pair, "batch: { records: 10, body: array }", "");
    shop.outflow("run").expect(0);
    shop.table.push(json!([50, "comes and goes", null, 0]));
    shop.write();
    // Only one of the pair runs while the record is there, and both when it is gone again (rule 19 of the state).
    shop.outflow("run --select upserts").expect(0);
    shop.table.delete(50);
    shop.table.set(5, "name", "changed");
    shop.write();
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
    assert_eq!(shop.outflow("run").expect(0).summary()["statuses"]["no_changes"], 2);
}

#[test]
fn a_mapping_of_deletes_that_starts_late_still_deletes_what_its_sibling_delivered() {
    let mut shop = Shop::new(5);
    let pair = format!(
        "{}{}",
        MIRROR.replace("mirror:", "upserts:").replace("records: all", "records: added_or_updated"),
        MIRROR.replace("mirror:", "deletes:").replace("records: all", "records: deleted")
    );
    shop.configure(&pair, "batch: { records: 10, body: array }", "");
    shop.outflow("run --select upserts").expect(0);
    shop.table.delete(2);
    shop.write();
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
}

#[test]
fn a_new_mapping_starts_from_the_snapshot() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.table.set(2, "name", "two");
    shop.table.delete(3);
    shop.write();
    shop.run(0);
    let both = format!("{MIRROR}{}", MIRROR.replace("mirror:", "late:").replace("op: $.__op,", ""));
    shop.configure(&both, "batch: { records: 100, body: array }", "");
    shop.server.take_requests();
    shop.outflow("run --select late").expect(0);
    assert_eq!(counts(&shop.result(), "delivered"), (9, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn a_reset_sends_every_record_again() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.table.delete(4);
    shop.write();
    shop.outflow("reset mirror --yes").expect(0);
    shop.server.take_requests();
    let result = shop.run(0);
    assert_eq!(counts(&result, "delivered"), (9, 0, 1), "what is gone since is still deleted");
    shop.assert_mirrored();
    assert_eq!(shop.run(0)["status"], "no_changes");
}
