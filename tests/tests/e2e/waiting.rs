//! What waits for a destination: retried without asking the source, listed, and set aside.

use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use outflow_tests::{Act, Outflow, Refusal, Server, ServerOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::{MIRROR, Shop, counts};

const PER_RECORD: &str = "batch: { records: 10, body: array }, results: { items: $.results, match: index, index: $.index, ok: { field: $.status, values: [ok] }, code: $.code, message: $.message, listed: all }";

fn per_record(n: i64) -> Shop {
    let server = Server::with(ServerOptions { refusal: Refusal::PerRecord, ..ServerOptions::default() });
    Shop::with(n, server, MIRROR, PER_RECORD)
}

impl Shop {
    /// The result of a retry.
    #[track_caller]
    fn retry(&self, args: &str, code: i32) -> Value {
        self.outflow(&format!("retry {args}")).expect(code);
        self.result()
    }

    /// What waits for the only mapping.
    #[track_caller]
    fn pending(&self) -> Value {
        self.outflow("pending --output json").expect(0).json()["mappings"][0].clone()
    }

    #[track_caller]
    fn set_aside(&self, which: &str) -> Value {
        self.outflow(&format!("retry mirror --acknowledge {which} --output json")).expect(0).json()
    }
}

#[test]
fn a_retry_sends_what_failed_without_asking_the_source() {
    let mut shop = per_record(20);
    shop.server.refuse(["3", "7"]);
    shop.run(3);
    shop.server.accept_all();
    shop.sent();
    // The source is not there: a run would fail.
    std::fs::remove_file(shop.project.path("people.parquet")).unwrap();
    let result = shop.retry("", 0);
    assert_eq!(
        (&result["status"], counts(&result, "delivered"), &result["counts"]["extracted"]),
        (&json!("success"), (2, 0, 0), &json!(0))
    );
    assert_eq!(shop.sent(), [3, 7]);
    shop.assert_mirrored();
    let history = shop.outflow("history --output json").expect(0).json();
    assert_eq!(history["syncs"].as_array().unwrap().len(), 2, "it is a sync like any other");
    shop.write();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_retry_sends_the_newest_values_that_the_state_knows() {
    let mut shop = per_record(10);
    shop.server.refuse(["3"]);
    shop.run(3);
    shop.table.set(3, "name", "known");
    shop.write();
    shop.run(3);
    // Not known to the state: the source was not asked since.
    shop.table.set(3, "name", "not known");
    shop.write();
    shop.server.accept_all();
    shop.server.take_requests();
    assert_eq!(counts(&shop.retry("mirror", 0), "delivered"), (1, 0, 0));
    assert_eq!(shop.server.records()["3"]["name"], "known");
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_mirrored();
}

#[test]
fn a_retry_before_anything_was_extracted_says_so_and_sends_nothing() {
    let shop = Shop::new(3);
    let result = shop.retry("", 0);
    assert_eq!(result["status"], "skipped");
    assert!(result["message"].as_str().unwrap().contains("never extracted"), "{result}");
    assert_eq!(shop.sent(), [0i64; 0]);
}

#[test]
fn a_retry_of_some_records_sends_those_and_leaves_the_others() {
    let mut shop = per_record(20);
    shop.server.refuse(["3", "7", "9"]);
    shop.run(3);
    shop.server.accept_all();
    shop.sent();
    let result = shop.retry("mirror --id 3 9", 0);
    assert_eq!((counts(&result, "delivered"), shop.sent()), ((2, 0, 0), vec![3, 9]));
    assert_eq!((counts(&result, "failed"), counts(&result, "pending")), ((0, 0, 0), (1, 0, 0)));
    assert_eq!(shop.pending()["pending"]["total"], 1);
    // The records that were sent ahead take part in what follows as any other.
    shop.table.set(3, "name", "changed");
    shop.table.delete(9);
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 1, 1));
    assert_eq!(shop.sent(), [3, 7, 9]);
    shop.assert_mirrored();
}

#[test]
fn a_record_that_does_not_wait_is_no_record_to_retry() {
    let shop = per_record(5);
    shop.server.refuse(["3"]);
    shop.run(3);
    let result = shop.retry("mirror --id 4", 1);
    assert!(result["message"].as_str().unwrap().contains("no record with the identifier 4 waits"), "{result}");
    assert!(result["message"].as_str().unwrap().contains("outflow pending mirror"), "{result}");
    shop.sent();
    shop.retry("mirror --id 4 3", 1);
    assert_eq!(shop.sent(), [0i64; 0], "all of them or none");
}

#[test]
fn a_retry_that_is_killed_is_settled_by_the_next_run() {
    let mut shop = Shop::new(10);
    shop.server.refuse(["3"]);
    shop.run(3);
    shop.server.accept_all();
    shop.server.script([Act::Hold(Duration::from_secs(20))]);
    let before = shop.server.arrived().requests;
    let mut running = Outflow::at(&shop.project).args("retry mirror --id 3").spawn();
    assert!(running.until(|| shop.server.arrived().requests > before), "the request leaves");
    running.kill();
    shop.table.set(3, "name", "changed meanwhile");
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 0, 0));
    shop.assert_mirrored();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_record_that_is_set_aside_is_not_attempted_and_does_not_alarm() {
    let mut shop = per_record(20);
    shop.server.refuse(["3", "7"]);
    shop.run(3);
    assert_eq!(shop.set_aside("--id 3"), json!({ "mapping": "mirror", "set_aside": 1, "already": 0, "left": 1 }));
    shop.sent();
    let result = shop.run(3);
    assert_eq!(shop.sent(), [7], "the other one is tried");
    assert_eq!((counts(&result, "failed"), counts(&result, "set_aside"), counts(&result, "pending")), ((1, 0, 0), (1, 0, 0), (2, 0, 0)));

    assert_eq!(shop.set_aside("--all")["set_aside"], 1);
    let result = shop.run(0);
    assert_eq!((&result["status"], counts(&result, "set_aside"), shop.sent()), (&json!("no_changes"), (2, 0, 0), vec![]));
    assert!(result["message"].as_str().unwrap().contains("2 records are set aside"), "{result}");
    // Beside what is delivered it is success, and still said.
    shop.table.set(5, "name", "changed");
    shop.write();
    let result = shop.run(0);
    assert_eq!((&result["status"], counts(&result, "delivered"), counts(&result, "failed")), (&json!("success"), (0, 1, 0), (0, 0, 0)));
    assert!(result["message"].as_str().unwrap().contains("2 records are set aside"), "{result}");
    assert_eq!(shop.server.records().len(), 18, "they are not delivered");
    let plan = shop.outflow("plan --output json").expect(0).json();
    assert_eq!((&plan["plans"][0]["selected"]["total"], &plan["plans"][0]["set_aside"]["total"]), (&json!(0), &json!(2)));
    let shown = shop.outflow("show last").expect(0).stdout;
    assert!(shown.contains("set aside"), "{shown}");

    shop.server.accept_all();
    shop.sent();
    assert_eq!(counts(&shop.retry("mirror --acknowledged", 0), "delivered"), (2, 0, 0));
    assert_eq!(shop.sent(), [3, 7]);
    shop.assert_mirrored();
}

#[test]
fn a_record_that_was_set_aside_is_attempted_once_it_changes() {
    let mut shop = per_record(10);
    shop.server.refuse(["3", "4"]);
    shop.run(3);
    shop.set_aside("--all");
    shop.table.set(3, "name", "mended");
    shop.write();
    shop.server.accept_all();
    shop.sent();
    let result = shop.run(0);
    assert_eq!((counts(&result, "delivered"), counts(&result, "set_aside"), shop.sent()), ((1, 0, 0), (1, 0, 0), vec![3]));
    // One that is gone for good no longer waits: it was never there.
    shop.table.delete(4);
    shop.write();
    assert_eq!(shop.run(0)["counts"]["pending"]["total"], 0);
    assert_eq!(shop.pending()["pending"]["total"], 0);
    shop.assert_mirrored();
}

#[test]
fn a_record_that_was_set_aside_and_fails_when_it_is_asked_for_alarms_again() {
    let shop = per_record(10);
    shop.server.refuse(["3"]);
    shop.run(3);
    shop.set_aside("--code refused");
    shop.run(0);
    shop.sent();
    let result = shop.retry("mirror --id 3", 3);
    assert_eq!((shop.sent(), counts(&result, "failed"), counts(&result, "set_aside")), (vec![3], (1, 0, 0), (0, 0, 0)));
    assert_eq!(shop.run(3)["status"], "partial_success");
    let waiting = &shop.pending()["reasons"][0];
    assert_eq!((&waiting["attempts"], &waiting["set_aside"]), (&json!(3), &json!(false)), "three times tried: {waiting}");
}

#[test]
fn what_is_set_aside_stays_so_through_a_renaming_and_a_new_column_and_ends_with_a_reset() {
    let shop = per_record(10);
    shop.server.refuse(["3"]);
    shop.run(3);
    shop.set_aside("--all");
    shop.rename_in_project("mirror", "copy");
    shop.outflow("rename mirror copy --yes").expect(0);
    assert_eq!(shop.run(0)["counts"]["set_aside"]["total"], 1);
    // Records that wait get the values of a column that is new.
    shop.project.edit("outflow.yml", "SELECT * FROM people", "'SELECT *, score + 1 AS more FROM people'");
    shop.sent();
    assert_eq!((&shop.run(0)["counts"]["set_aside"]["total"], shop.sent()), (&json!(1), vec![]));
    let waiting = &shop.pending()["reasons"][0];
    assert_eq!((&waiting["code"], &waiting["examples"][0]["id"]), (&json!("refused"), &json!("3")), "{waiting}");
    shop.server.accept_all();
    shop.outflow("reset copy --yes").expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (10, 0, 0));
}

#[test]
fn a_record_that_may_have_landed_stays_in_doubt_while_it_is_set_aside() {
    let mut shop = Shop::new(3);
    // All the attempts that there are.
    shop.server.next(5, &Act::DropAfter);
    shop.run(1);
    shop.set_aside("--all");
    shop.sent();
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert_eq!(shop.sent(), [0i64; 0]);
    // It is there, though never acknowledged: gone from the source, it is deleted there too.
    assert_eq!(shop.server.records().len(), 3);
    shop.table.delete(2);
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 1));
    assert_eq!(shop.server.records().len(), 2);
    shop.outflow("retry --acknowledged").expect(0);
    shop.assert_mirrored();
}

#[test]
fn pending_tells_what_waits_why_and_since_when() {
    let shop = per_record(20);
    shop.server.refuse(["3", "7"]);
    shop.run(3);
    shop.run(3);
    shop.set_aside("--id 7");
    let pending = shop.pending();
    assert_eq!((&pending["pending"]["total"], &pending["set_aside"]["total"]), (&json!(2), &json!(1)));
    let reasons = pending["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 2, "set aside and not are told apart");
    for (reason, (id, aside)) in reasons.iter().zip([("3", false), ("7", true)]) {
        assert_eq!((&reason["code"], &reason["set_aside"], &reason["records"]), (&json!("refused"), &json!(aside), &json!(1)));
        assert_eq!((&reason["examples"][0]["id"], &reason["examples"][0]["attempts"]), (&json!(id), &json!(2)));
        assert!(reason["first_seen"].as_str() < reason["last_seen"].as_str(), "{reason}");
    }
    let text = shop.outflow("pending").expect(0).stdout;
    assert!(text.contains("outflow retry mirror --acknowledged") && text.contains("such as"), "{text}");
}

#[test]
fn how_often_a_record_has_failed_is_known_of_each_however_many_fail() {
    let mut shop = Shop::with(100_050, Server::start(), MIRROR, "batch: { records: 1000, body: array }");
    shop.server.stop();
    for _ in 0..2 {
        shop.outflow("run").expect(1);
    }
    let waiting = &shop.pending()["reasons"];
    assert_eq!(waiting.as_array().unwrap().iter().map(|reason| reason["records"].as_u64().unwrap()).sum::<u64>(), 100_050);
    let head = "state/mappings/mirror/runs/";
    let last = shop.project.files(head).into_iter().filter(|file| file.contains("/pending-")).max().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(shop.project.path(&last)).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let mut seen = 0;
    for batch in batches {
        let failed = batch.column_by_name("failed").unwrap().as_struct();
        let attempts = failed.column_by_name("attempts").unwrap().as_primitive::<UInt32Type>();
        assert!(failed.null_count() == 0 && attempts.values().iter().all(|&attempts| attempts == 2));
        seen += batch.num_rows();
    }
    assert_eq!(seen, 100_050);
}

#[test]
fn failures_are_tolerated_up_to_a_count_and_no_further() {
    let shop = per_record(50);
    shop.configure(&MIRROR.replace("records: all", "records: all\n    tolerate_failed: 2"), PER_RECORD, "");
    shop.server.refuse(["17", "18"]);
    assert_eq!(shop.run(0)["status"], "success");
    // What failed before and fails again counts as it did.
    assert_eq!(shop.run(0)["status"], "success");
    shop.server.refuse(["17", "18", "19"]);
    shop.outflow("reset mirror --yes").expect(0);
    assert_eq!(shop.run(3)["status"], "partial_success");
}

#[test]
fn failures_are_tolerated_up_to_a_share_of_what_was_to_be_sent() {
    let tolerating = || {
        let shop = per_record(50);
        shop.configure(&MIRROR.replace("records: all", "records: all\n    tolerate_failed: 0.06"), PER_RECORD, "");
        shop
    };
    let mut shop = tolerating();
    shop.server.refuse(["17", "18", "19"]);
    assert_eq!(shop.run(0)["status"], "success", "3 of 50 are 6 %");
    assert_eq!(shop.run(3)["status"], "partial_success", "3 of 3, though they failed before");
    shop.set_aside("--id 17");
    ids_named(&mut shop, 20..=50, "31 of them");
    assert_eq!(shop.run(3)["status"], "partial_success", "2 of 33 are 6.1 %: what is set aside counts on neither side");
    shop.table.push(json!([51, "new", null, 0]));
    ids_named(&mut shop, 20..=50, "32 of them with the new one");
    assert_eq!(shop.run(0)["status"], "success", "2 of 34 are 5.9 %");
    let shop = tolerating();
    shop.server.refuse(["17", "18", "19", "20"]);
    assert_eq!(shop.run(3)["status"], "partial_success", "4 of 50 are 8 %");
}

fn ids_named(shop: &mut Shop, ids: std::ops::RangeInclusive<i64>, name: &str) {
    ids.for_each(|id| shop.table.set(id, "name", name));
    shop.write();
}

#[test]
fn a_destination_that_is_down_is_not_tolerated() {
    let mut shop = Shop::new(2);
    shop.configure(&MIRROR.replace("records: all", "records: all\n    tolerate_failed: 5"), "batch: { records: 1, body: array }", "");
    shop.server.deny();
    assert_eq!(shop.run(1)["status"], "failed");
    shop.server.accept_all();
    shop.run(0);
    shop.assert_mirrored();
}

#[test]
fn what_waits_is_told_as_its_sync_told_it_and_may_be_set_aside_by_that_code() {
    let shop = per_record(3);
    shop.server.next(10, &Act::Answer(200, "{not json".into()));
    let mut told = vec![shop.run(1)];
    let waiting = shop.pending();
    let example = &waiting["reasons"][0]["examples"][0];
    assert!(example["payload"].as_str().unwrap().contains(&format!("\"id\":{}", example["id"].as_str().unwrap())), "{waiting}");
    assert!(shop.outflow("pending").expect(0).stdout.contains("\"op\":\"added\""));
    assert_eq!(shop.set_aside("--code unclear_answer")["set_aside"], 3);

    // It may have landed; and then the destination is not there.
    let mut shop = per_record(3);
    shop.server.next(50, &Act::Status(503));
    told.push(shop.run(1));
    let failing = shop.pending();
    shop.server.accept_all();
    shop.server.stop();
    told.push(shop.run(3));
    let codes: Vec<&str> = told.iter().map(|result| result["failure_groups"][0]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["unclear_answer", "http_503", "unreachable"]);
    for (result, waiting) in told.iter().zip([waiting, failing, shop.pending()]) {
        let (group, reason) = (&result["failure_groups"][0], &waiting["reasons"][0]);
        assert_eq!((&group["code"], &group["message"], &group["records"]), (&reason["code"], &reason["message"], &reason["records"]));
    }
    assert_eq!(shop.set_aside("--code unreachable")["set_aside"], 3);
}

#[test]
fn what_was_sent_of_a_record_that_waits_shows_no_secret_and_is_cut_to_size() {
    let mut shop = per_record(1);
    shop.table.set(1, "name", format!("t0ken-value {}", "x".repeat(10_000)));
    shop.write();
    let settings = format!("{PER_RECORD}, auth: {{ type: bearer, token: '${{env:TOKEN}}' }}");
    shop.configure(MIRROR, &settings, "");
    shop.server.refuse(["1"]);
    let outflow = |args: &str| Outflow::at(&shop.project).args(args).env("TOKEN", "t0ken-value").run();
    outflow("run").expect(1);
    let (text, document) = (outflow("pending").expect(0), outflow("pending --output json").expect(0));
    let document = document.json()["mappings"][0]["reasons"][0]["examples"][0]["payload"].as_str().unwrap().to_owned();
    assert!(document.contains("*** xxx") && document.len() < 2100, "{document}");
    assert!(text.stdout.contains("*** xxx") && text.stdout.lines().all(|line| line.chars().count() <= 140), "{text}");
    assert!(!text.stdout.contains("t0ken"));
}
