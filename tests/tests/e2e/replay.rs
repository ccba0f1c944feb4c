//! An earlier sync once more: what goes out, what is kept back, and what the state believes afterwards.

use std::time::Duration;

use outflow_tests::{Act, Outflow, Server, ServerOptions};
use serde_json::{Value, json};

use crate::{MIRROR, Shop, counts};

const ONE_EACH: &str = "batch: { records: 1, body: array }";

/// Upserts and deletes by two mappings that share an account.
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

fn sync_id(result: &Value) -> String {
    result["sync_id"].as_str().unwrap().to_owned()
}

/// The state of record `id` that the server was sent last.
fn held(shop: &Shop, id: i64) -> Option<Value> {
    shop.server.records().get(&id.to_string()).cloned()
}

impl Shop {
    /// Replays, expects the code, and returns the result.
    #[track_caller]
    fn replay(&self, args: &str, code: i32) -> Value {
        self.outflow(&format!("replay {args}")).expect(code);
        self.result()
    }

    /// Changes a name and runs.
    #[track_caller]
    fn change(&mut self, id: i64, name: &str) -> String {
        self.table.set(id, "name", name);
        self.write();
        sync_id(&self.run(0))
    }

    /// The server's next sync finds nothing to do, and the destination holds the table.
    #[track_caller]
    fn assert_settled(&mut self) {
        self.assert_mirrored();
        self.server.take_requests();
        assert_eq!(self.run(0)["status"], "no_changes");
        assert!(self.server.take_requests().is_empty());
    }
}

/// A to B and back to A, a reset and a replay all reach a destination that takes each key once in 24 hours.
#[test]
fn a_value_that_came_back_a_reset_and_a_replay_all_reach_a_destination_that_takes_each_key_once() {
    let server = Server::with(ServerOptions { deduplicate: true, ..ServerOptions::default() });
    let mut shop = Shop::with(3, server, MIRROR, ONE_EACH);
    shop.run(0);
    for name in ["b", "name 2"] {
        shop.change(2, name);
        shop.assert_mirrored();
    }
    let before = shop.server.applied();
    shop.outflow("reset mirror --yes").expect(0);
    let all = sync_id(&shop.run(0));
    assert_eq!(shop.server.applied(), (before.0 + 3, before.1), "a reset");
    for again in 1..=2 {
        assert_eq!(counts(&shop.replay(&all, 0), "delivered").0, 3);
        assert_eq!(shop.server.applied(), (before.0 + 3 + 3 * again, before.1), "replay {again}");
    }
    shop.assert_settled();
}

#[test]
fn a_replay_sends_a_sync_again_and_touches_nothing_else() {
    let mut shop = Shop::new(25);
    let first = sync_id(&shop.run(0));
    shop.table.set(7, "name", "changed meanwhile");
    shop.write();
    std::fs::rename(shop.project.path("people.parquet"), shop.project.path("away.parquet")).unwrap();
    shop.server.take_requests();
    let result = shop.replay(&first, 0);
    assert_eq!((result["status"].as_str(), counts(&result, "delivered")), (Some("success"), (25, 0, 0)), "the source is not asked");
    assert_eq!(shop.server.requests().len(), 3);
    assert_eq!(held(&shop, 7).unwrap()["name"], "name 7", "the values of then");
    assert_ne!(sync_id(&result), first);
    let shown = Outflow::at(&shop.project).args("history --output json").run().expect(0).json();
    assert_eq!(shown["syncs"].as_array().unwrap().len(), 2);
    std::fs::rename(shop.project.path("away.parquet"), shop.project.path("people.parquet")).unwrap();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_settled();
}

#[test]
fn what_failed_of_a_sync_is_sent_again_alone() {
    let mut shop = Shop::with(10, Server::start(), MIRROR, ONE_EACH);
    shop.server.refuse(["3", "8"]);
    let first = sync_id(&shop.run(3));
    shop.server.take_requests();
    let still = shop.replay(&format!("{first} --failed"), 1);
    assert_eq!(counts(&still, "failed"), (2, 0, 0));
    assert!(still["message"].as_str().unwrap().contains(&format!("outflow replay {} --failed", sync_id(&still))), "{still}");
    shop.server.accept_all();
    shop.server.take_requests();
    let done = shop.replay(&format!("{} --failed", sync_id(&still)), 0);
    assert_eq!((counts(&done, "delivered"), shop.server.take_requests().len()), ((2, 0, 0), 2));
    assert_eq!(done["counts"]["pending"]["total"], 0);
    let nothing = shop.replay(&format!("{} --failed", sync_id(&done)), 0);
    assert_eq!(nothing["status"], "no_changes");
    shop.assert_settled();
}

#[test]
fn records_that_were_delivered_with_newer_values_since_are_kept_back() {
    let mut shop = Shop::new(5);
    let first = sync_id(&shop.run(0));
    shop.change(2, "newer");
    shop.change(4, "newer");
    let result = shop.replay(&first, 3);
    assert_eq!((counts(&result, "delivered"), result["counts"]["skipped"].as_u64()), ((3, 0, 0), Some(2)));
    let message = result["message"].as_str().unwrap();
    assert!(message.contains("2 records (with the identifiers 2, 4) have been delivered with newer values since"), "{message}");
    assert_eq!(held(&shop, 2).unwrap()["name"], "newer");
    shop.assert_settled();
}

#[test]
fn a_forced_replay_of_older_values_is_corrected_by_the_next_sync() {
    let mut shop = Shop::new(5);
    let first = sync_id(&shop.run(0));
    shop.change(2, "newer");
    let result = shop.replay(&format!("{first} --force"), 0);
    assert_eq!(counts(&result, "delivered"), (5, 0, 0));
    assert_eq!(held(&shop, 2).unwrap()["name"], "name 2");
    assert_eq!(result["counts"]["pending"]["total"], 1);
    let notices = result["notices"].to_string();
    assert!(notices.contains("1 record goes out over newer values: the next sync sends those again"), "{notices}");
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_settled();
}

#[test]
fn a_forced_replay_that_is_not_answered_leaves_doubt_and_the_newer_value_wins() {
    let mut shop = Shop::with(2, Server::start(), MIRROR, ONE_EACH);
    let first = sync_id(&shop.run(0));
    shop.change(2, "newer");
    shop.server.script(vec![Act::DropThenApply(Duration::from_millis(50)); 12]);
    shop.replay(&format!("{first} --force"), 1);
    shop.server.accept_all();
    // It waits until nothing travels any more.
    shop.run(0);
    shop.assert_settled();
}

#[test]
fn a_replayed_delete_of_a_record_that_is_back_is_kept_back_and_forced_it_is_added_again() {
    let mut shop = Shop::new(5);
    shop.run(0);
    shop.table.delete(3);
    shop.write();
    let deleting = sync_id(&shop.run(0));
    assert_eq!(counts(&shop.replay(&deleting, 0), "delivered"), (0, 0, 1), "it is gone still");
    shop.table.push(json!([3, "back", "p3@example.com", 30]));
    shop.write();
    shop.run(0);
    let blocked = shop.replay(&deleting, 1);
    assert_eq!(blocked["status"], "blocked");
    assert_eq!(counts(&shop.replay(&format!("{deleting} --force"), 0), "delivered"), (0, 0, 1));
    assert!(held(&shop, 3).is_none());
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 0, 0));
    shop.assert_settled();
}

#[test]
fn a_replay_of_a_record_that_is_gone_is_kept_back_and_forced_it_is_deleted_again() {
    let mut shop = Shop::new(5);
    let first = sync_id(&shop.run(0));
    shop.table.delete(3);
    shop.write();
    shop.run(0);
    assert_eq!(counts(&shop.replay(&first, 3), "delivered"), (4, 0, 0));
    assert_eq!(counts(&shop.replay(&format!("{first} --force"), 0), "delivered"), (5, 0, 0));
    assert!(held(&shop, 3).is_some());
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 1));
    shop.assert_settled();
}

#[test]
fn an_edited_mapping_is_replayed_as_it_was() {
    let mut shop = Shop::new(3);
    let first = sync_id(&shop.run(0));
    let edited = MIRROR.replace("email: $.email", "mail: $.email").replace("records: all", "records: updated");
    shop.configure(&edited, "batch: { records: 10, body: array }", "");
    assert_eq!(counts(&shop.replay(&first, 0), "delivered"), (3, 0, 0));
    let sent = held(&shop, 2).unwrap();
    assert_eq!((sent["email"].as_str(), sent.get("mail")), (Some("p2@example.com"), None));
    // It goes on as it is.
    shop.change(2, "changed");
    assert_eq!(held(&shop, 2).unwrap()["mail"], "p2@example.com");
}

#[test]
fn a_column_that_is_gone_is_sent_as_it_was_and_a_new_one_is_not_lost() {
    let shop = Shop::with(
        3,
        Server::start(),
        &MIRROR.replace("fields: { id: $.id, op: $.__op, name: $.name, email: $.email }", "fields: $."),
        ONE_EACH,
    );
    let first = sync_id(&shop.run(0));
    let query = |columns: &str| shop.project.edit("outflow.yml", "SELECT * FROM people", &format!("'SELECT {columns} FROM people'"));
    query("id, name, score, name AS nick");
    shop.run(0);
    // Nobody answers: each record is in doubt, and the next sync sends what the model has now.
    shop.server.script(vec![Act::DropAfter; 30]);
    shop.replay(&format!("{first} --force"), 1);
    assert_eq!(held(&shop, 1).unwrap()["email"], "p1@example.com");
    shop.server.accept_all();
    shop.run(0);
    let now = held(&shop, 1).unwrap();
    assert_eq!((now["nick"].as_str(), now.get("email")), (Some("name 1"), None), "{now}");
    shop.server.take_requests();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_mapping_under_a_new_name_replays_what_it_sent_under_the_old_one() {
    let mut shop = Shop::new(5);
    let first = sync_id(&shop.run(0));
    shop.project.edit("outflow.yml", "  mirror:", "  people_to_hook:");
    let stopped = shop.outflow(&format!("replay {first}")).expect(2);
    assert!(stopped.stderr.contains("carry its state over with `outflow rename"), "{stopped}");
    shop.outflow("rename mirror people_to_hook --yes").expect(0);
    let again = shop.replay(&first, 0);
    assert_eq!(counts(&again, "delivered"), (5, 0, 0));
    assert_eq!(counts(&shop.replay(&sync_id(&again), 0), "delivered"), (5, 0, 0), "a replay of a replay");
    shop.assert_settled();
}

#[test]
fn a_paused_or_disabled_mapping_replays_nothing() {
    let shop = Shop::new(3);
    let first = sync_id(&shop.run(0));
    shop.outflow("pause mirror").expect(0);
    let paused = shop.outflow(&format!("replay {first}")).expect(2);
    assert!(paused.stderr.contains("outflow resume mirror"), "{paused}");
    shop.outflow("resume mirror").expect(0);
    shop.project.edit("outflow.yml", "    records: all", "    records: all\n    enabled: false");
    let disabled = shop.outflow(&format!("replay {first}")).expect(2);
    assert!(disabled.stderr.contains("is disabled"), "{disabled}");
    assert_eq!(shop.server.applied().0, 3);
}

#[test]
fn a_sync_that_sent_nothing_or_whose_changes_are_gone_says_so() {
    let mut shop = Shop::new(3);
    let first = sync_id(&shop.run(0));
    let nothing = sync_id(&shop.run(0));
    let refused = shop.outflow(&format!("replay {nothing}")).expect(2);
    assert!(refused.stderr.contains("sent nothing (no_changes)"), "{refused}");
    assert!(shop.outflow("replay nonesuch").expect(2).stderr.contains("nonesuch"));
    shop.project.edit("outflow.yml", "version: 1", "version: 1\nretention: { versions: 0s, syncs: 90d }");
    // A file goes once no version that is kept may name it.
    for round in ["b", "c", "d"] {
        (1..=3).for_each(|id| shop.table.set(id, "name", round));
        shop.write();
        shop.run(0);
        shop.outflow("gc").expect(0);
    }
    let gone = shop.replay(&first, 1);
    let message = gone["message"].as_str().unwrap();
    assert!(message.contains(&format!("the changes of sync {first} are no longer kept")) && message.contains("outflow reset"), "{gone}");
    shop.project.edit("outflow.yml", "syncs: 90d", "syncs: 0s");
    shop.outflow("gc").expect(0);
    shop.outflow(&format!("replay {first}")).expect(2);
    shop.assert_settled();
}

#[test]
fn a_replay_that_is_killed_is_taken_up_and_nothing_is_lost() {
    let mut shop = Shop::with(40, Server::start(), MIRROR, ONE_EACH);
    let first = sync_id(&shop.run(0));
    shop.change(7, "newer");
    shop.server.take_requests();
    shop.server.next(60, &Act::Hold(Duration::from_millis(30)));
    let mut running = Outflow::at(&shop.project).args(&format!("replay {first} --force")).spawn();
    let server = &shop.server;
    running.until(|| server.requests().len() >= 12);
    running.kill();
    shop.server.accept_all();
    shop.run(0);
    shop.assert_settled();
    // What it left unsent may be replayed, and takes nothing back.
    let interrupted = Outflow::at(&shop.project).args("history --output json --limit 9").run().expect(0).json();
    let replay = interrupted["syncs"].as_array().unwrap().iter().find(|sync| sync["status"] == "failed").unwrap().clone();
    assert!(replay["message"].as_str().unwrap().contains("--failed"), "{replay}");
    shop.outflow(&format!("replay {} --failed", sync_id(&replay)));
    shop.assert_settled();
}

#[test]
fn a_replay_does_not_undo_what_a_sibling_has_delivered() {
    let mut shop = Shop::with(5, Server::start(), PAIR, ONE_EACH);
    shop.outflow("run").expect(0);
    let first = sync_id(&shop.result());
    shop.table.delete(3);
    shop.write();
    // Only the deletes have run since.
    shop.outflow("run --select deletes").expect(0);
    let kept = shop.replay(&first, 3);
    assert_eq!(counts(&kept, "delivered"), (4, 0, 0));
    let forced = shop.replay(&format!("{first} --force"), 3);
    assert!(forced["message"].as_str().unwrap().contains("even with `--force`"), "{forced}");
    assert!(held(&shop, 3).is_none());
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
}
