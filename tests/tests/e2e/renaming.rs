//! Mappings under new names, and mappings that are no longer in the project.

use std::time::Duration;

use outflow_tests::{Act, Outflow, Server};

use crate::{MIRROR, Shop, counts};

/// Upserts and deletes by two mappings: the usual way to mirror.
const PAIR: &str = r"
  upserts:
    model: people
    destination: hook
    action: send
    records: added_or_updated
    fields: { id: $.id, op: $.__op, name: $.name, email: $.email }
  deletes:
    model: people
    destination: hook
    action: send
    records: deleted
    fields: { id: $.id, op: $.__op }
";

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
fn a_first_sync_that_was_killed_is_asked_about_under_a_new_name_too() {
    let mut shop = Shop::new(30);
    shop.server.script([Act::Usual, Act::Hold(Duration::from_secs(20))]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests >= 3), "all requests leave");
    running.kill();
    shop.rename_in_project("mirror", "second");
    shop.sent();
    assert!(shop.run(1)["message"].as_str().unwrap().contains("outflow rename mirror second"));
    assert_eq!(shop.sent(), [0i64; 0]);
    shop.outflow("rename mirror second --yes").expect(0);
    shop.run(0);
    shop.assert_mirrored();
}

#[test]
fn what_a_mapping_sent_that_is_no_longer_in_the_project_is_waited_for() {
    let mut shop = Shop::with(10, Server::start(), PAIR, "batch: { records: 1, body: array }");
    shop.project.edit("outflow.yml", "request_lifetime: 100ms", "request_lifetime: 2s");
    shop.run(0);
    shop.table.set(4, "name", "late");
    shop.write();
    // It lands a second after the connection is gone, and the run is killed meanwhile.
    shop.server.script([Act::DropThenApply(Duration::from_secs(1))]);
    let mut running = Outflow::at(&shop.project).args("run --select upserts").spawn();
    assert!(running.until(|| shop.server.arrived().requests >= 11), "the request leaves");
    running.kill();
    let deletes_only = PAIR.split("  deletes:").last().map(|rest| format!("\n  deletes:{rest}")).unwrap();
    shop.configure(&deletes_only, "batch: { records: 1, body: array }", "");
    shop.table.delete(4);
    shop.write();
    shop.outflow("run --select deletes").expect(0);
    std::thread::sleep(Duration::from_secs(1));
    assert!(!shop.server.records().contains_key("4"), "the late update must not bring the record back");
}

#[test]
fn a_renaming_that_stopped_half_way_goes_on_or_says_why_not() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.rename_in_project("mirror", "second");
    shop.outflow("rename mirror second --yes").expect(0);
    // As if it had been killed before the old chain ended.
    let end = shop.project.path("state/mappings/mirror/commits/000000000002.json");
    let ended = std::fs::read(&end).unwrap();
    std::fs::remove_file(&end).unwrap();
    // A third name must not share the state.
    shop.rename_in_project("second", "third");
    shop.outflow("rename mirror third --yes").expect(2);
    // Back at the first name the mapping goes on, and the copy is no longer the state.
    shop.rename_in_project("third", "mirror");
    shop.table.push(serde_json::json!([11, "new", null, 0]));
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 0, 0));
    shop.table.delete(11);
    shop.write();
    shop.rename_in_project("mirror", "second");
    shop.outflow("rename mirror second --yes").expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 1));
    shop.assert_mirrored();
    assert!(!ended.is_empty());
}

#[test]
fn a_pause_outlives_a_renaming() {
    let shop = Shop::new(10);
    shop.run(0);
    shop.outflow("pause mirror").expect(0);
    shop.rename_in_project("mirror", "second");
    shop.outflow("rename mirror second --yes").expect(0);
    assert_eq!(shop.run(0)["status"], "skipped");
    shop.outflow("resume second").expect(0);
    shop.rename_in_project("second", "third");
    shop.outflow("pause third").expect(0);
    shop.outflow("rename second third --yes").expect(0);
    assert_eq!(shop.run(0)["status"], "skipped");
}

#[test]
fn an_interrupted_sync_is_in_the_history_with_what_it_delivered() {
    let shop = Shop::new(100);
    shop.server.script([Act::Usual, Act::Usual, Act::Hold(Duration::from_secs(20))]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.applied().0 >= 20 && shop.server.arrived().requests >= 3), "some are taken");
    std::thread::sleep(Duration::from_millis(200));
    running.kill();
    let result = shop.run(0);
    assert!(result["notices"].to_string().contains("took up the interrupted sync"), "{result}");
    let history = shop.outflow("history --output json").expect(0).json();
    let delivered: u64 =
        history["syncs"].as_array().unwrap().iter().map(|sync| sync["counts"]["delivered"]["total"].as_u64().unwrap()).sum();
    assert_eq!(delivered, 100, "{history}");
}
