//! What a destination refuses is kept, said, and tried again.

use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use outflow_tests::{Act, Outflow, Refusal, Server, ServerOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use crate::{MIRROR, Shop, counts};

const PER_RECORD: &str = "batch: { records: 10, body: array }, results: { items: $.results, match: index, index: $.index, ok: { field: $.status, values: [ok] }, code: $.code, message: $.message, listed: all }";

fn per_record(n: i64) -> Shop {
    let server = Server::with(ServerOptions { refusal: Refusal::PerRecord, ..ServerOptions::default() });
    Shop::with(n, server, MIRROR, PER_RECORD)
}

#[test]
fn a_record_that_fails_is_pending_and_goes_out_with_its_newest_values() {
    let mut shop = per_record(50);
    shop.server.refuse(["17"]);
    let result = shop.run(3);
    assert_eq!(result["status"], "partial_success");
    assert_eq!(counts(&result, "delivered"), (49, 0, 0));
    assert_eq!(counts(&result, "failed"), (1, 0, 0));
    let failure = &result["failure_groups"][0];
    assert_eq!(failure["records"], 1);
    assert_eq!(failure["samples"][0]["id"], "17");

    // Refused again, while something else goes through.
    shop.table.set(3, "name", "three");
    shop.write();
    let result = shop.run(3);
    assert_eq!(counts(&result, "delivered"), (0, 1, 0));
    // And once more with nothing else to do: what is pending from before is no new failure.
    assert_eq!(shop.run(3)["status"], "partial_success");

    shop.table.set(17, "name", "newest");
    shop.write();
    shop.server.accept_all();
    shop.server.take_requests();
    let result = shop.run(0);
    assert_eq!(counts(&result, "delivered"), (1, 0, 0), "it was never there: it is still an added record");
    assert_eq!(shop.server.take_requests()[0].payloads[0]["name"], "newest");
    shop.assert_mirrored();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn a_few_failed_records_keep_what_was_sent_and_what_came_back() {
    let shop = Shop::new(40);
    let body = format!("{{\"why\": \"no such plan\", \"at\": \"\u{1b}[2J\"}}{}", "x".repeat(100_000));
    // Not a status that says that some of the records may be good.
    shop.server.next(4, &Act::Answer(404, body.into()));
    let result = shop.run(1);
    let group = &result["failure_groups"][0];
    assert_eq!((&group["records"], &group["operations"]["added"]), (&json!(40), &json!(40)), "{result}");
    let samples = group["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 5);
    let answer = samples[0]["answer"].as_str().unwrap();
    assert!(answer.starts_with("HTTP 404 Not Found\n{\"why\": \"no such plan\""), "{answer}");
    assert!(answer.len() < 2200 && !answer.contains('\u{1b}'), "{answer}");
    assert_eq!(result["counts"]["pending"], result["counts"]["failed"]);

    shop.server.next(4, &Act::Answer(410, "still no".into()));
    let result = shop.run(3);
    let sample = &result["failure_groups"][0]["samples"][0];
    assert_eq!((&sample["attempts"], &sample["answer"]), (&json!(2), &json!("HTTP 410 Gone\nstill no")), "{result}");
    assert!(sample["first_seen"].as_str() < sample["last_seen"].as_str(), "{sample}");

    let files = shop.project.files("state");
    let kept: Vec<&String> = files.iter().filter(|file| file.contains("/failures-")).collect();
    let filled = |file: &str, column: &str| -> (usize, usize) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(shop.project.path(file)).unwrap()).unwrap();
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let columns = || batches.iter().map(|batch| batch.column_by_name(column).unwrap());
        (columns().map(|c| c.len() - c.null_count()).sum(), columns().map(arrow::array::Array::len).sum())
    };
    assert_eq!(kept.len(), 2, "{files:?}");
    for file in kept {
        assert_eq!((filled(file, "payload"), filled(file, "answer"), filled(file, "id")), ((5, 40), (5, 40), (40, 40)));
    }
}

#[test]
fn a_refused_request_fails_the_guilty_record_and_no_other() {
    let mut shop = Shop::new(30);
    shop.server.refuse(["5"]);
    let result = shop.run(3);
    assert_eq!(counts(&result, "delivered"), (29, 0, 0));
    assert_eq!(result["failure_groups"][0]["code"], "http_422");
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn an_overloaded_destination_gets_its_requests_later() {
    let mut shop = Shop::new(30);
    shop.server.script([Act::Throttle(Some("0".into())), Act::Status(503), Act::Throttle(None)]);
    let result = shop.run(0);
    assert_eq!(counts(&result, "delivered"), (30, 0, 0));
    assert!(result["counts"]["retried"].as_u64().unwrap() >= 3, "{result}");
    shop.assert_mirrored();
}

#[test]
fn a_request_without_an_answer_is_sent_again_under_its_key() {
    let mut shop = Shop::new(10);
    shop.server.script([Act::DropAfter]);
    shop.run(0);
    let requests = shop.server.take_requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].idempotency_key, requests[1].idempotency_key);
    assert_eq!(requests[0].body, requests[1].body);
    shop.assert_mirrored();
}

#[test]
fn an_unreachable_destination_fails_the_sync_and_loses_nothing() {
    let mut shop = Shop::new(20);
    shop.server.stop();
    let run = shop.outflow("run").expect(1);
    let result = shop.result();
    assert_eq!(result["status"], "failed");
    assert!(result["message"].as_str().unwrap().contains("refused"), "{run}");
    shop.server.resume();
    assert_eq!(counts(&shop.run(0), "delivered"), (20, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn wrong_credentials_stop_the_sync_instead_of_hammering() {
    let shop = Shop::new(500);
    shop.server.deny();
    let result = shop.run(1);
    assert_eq!(result["failure_groups"][0]["code"], "unauthorized");
    assert!(shop.server.requests().len() < 20, "{} requests after the first refusal", shop.server.requests().len());
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered"), (500, 0, 0));
}

#[test]
fn a_late_request_of_an_earlier_sync_cannot_overtake_a_newer_one() {
    let mut shop = Shop::new(1);
    // Every attempt goes unanswered, and the last one takes effect two seconds later.
    let config = shop.project.read("outflow.yml").replace("request_lifetime: 100ms", "request_lifetime: 4s");
    shop.project.config(&config);
    let lost = Act::DropThenApply(Duration::from_secs(2));
    shop.server.script([Act::DropBefore, Act::DropBefore, Act::DropBefore, Act::DropBefore, lost]);
    shop.run(1);
    shop.table.set(1, "name", "newer");
    shop.write();
    shop.run(0);
    std::thread::sleep(Duration::from_millis(2_500));
    shop.assert_mirrored();
}

#[test]
fn a_secret_never_shows_wherever_the_destination_repeats_it() {
    let shop = Shop::new(3);
    let settings = "batch: { records: 10, body: array }, auth: { type: bearer, token: '${env:TOKEN}' }";
    shop.configure(MIRROR, settings, "");
    let body = json!({ "message": "no access with s3cr3t-token-value" }).to_string();
    shop.server.next(10, &Act::Answer(422, body.into()));
    let run = outflow_tests::Outflow::at(&shop.project).args("run -vv").env("TOKEN", "s3cr3t-token-value").run().expect(1);
    assert!(shop.server.requests()[0].header("authorization").unwrap().contains("s3cr3t-token-value"), "the destination does get it");
    let mut everything = format!("{}{}", run.stdout, run.stderr);
    for folder in ["state", "target"] {
        for file in shop.project.files(folder) {
            everything.push_str(&String::from_utf8_lossy(&std::fs::read(shop.project.path(&file)).unwrap()));
        }
    }
    assert!(!everything.contains("s3cr3t-token-value"), "a secret was printed or stored");
    assert!(everything.contains("no access with ***"));
}

#[test]
fn a_secret_never_shows_however_the_destination_escapes_it() {
    let secret = "aGVsbG8/s3cr3t<w&r>d+c2Vj=";
    let forms = [
        r"aGVsbG8\/s3cr3t<w&r>d+c2Vj=",
        r"aGVsbG8/s3cr3t\u003cw\u0026r\u003Ed\u002Bc2Vj\u003d",
        r"aGVsbG8\\\/s3cr3t\\u003cw&r>d+c2Vj=",
        "aGVsbG8/s3cr3t&lt;w&amp;r&gt;d&#43;c2Vj&#x3D;",
        "aGVsbG8/s3cr3t%3Cw%26r%3Ed%2Bc2Vj%3D",
        "YUdWc2JHOC9zM2NyM3Q8dyZyPmQrYzJWaj0=",
    ];
    let shop = Shop::new(3);
    shop.configure(MIRROR, "batch: { records: 10, body: array }, auth: { type: bearer, token: '${env:TOKEN}' }", "");
    let mut everything = String::new();
    let outflow = |command: &str| Outflow::at(&shop.project).args(command).env("TOKEN", secret).run();
    for form in forms {
        // Read, it is a message; and as it stands, an excerpt.
        shop.server.next(10, &Act::Answer(422, format!(r#"{{"message":"not {form}","seen":"{form}"}}"#).into_bytes().into()));
        for command in ["run -vv", "show", "pending", "test mirror --record 1 --send", "test mirror --record 1 --send --output json"] {
            let run = outflow(command);
            everything.push_str(&run.stdout);
            everything.push_str(&run.stderr);
        }
    }
    for folder in ["state", "target"] {
        for file in shop.project.files(folder) {
            everything.push_str(&String::from_utf8_lossy(&std::fs::read(shop.project.path(&file)).unwrap()));
        }
    }
    assert!(shop.server.requests()[0].header("authorization").unwrap().contains(secret), "the destination does get it");
    for shown in forms.iter().chain([&secret, &"s3cr3t", &"zM2NyM3Q"]) {
        assert!(!everything.contains(shown), "{shown} was printed or stored");
    }
    assert!(everything.contains("not ***"));
}

#[test]
fn a_model_that_cannot_be_read_fails_its_own_syncs_only() {
    let shop = Shop::new(3);
    let config = shop.project.read("outflow.yml");
    let config = config.replace("people: people.parquet", "people: people.parquet, gone: gone.parquet");
    let config = config.replace("models:", "models:\n  gone: { source: warehouse, query: SELECT * FROM gone, id: id }");
    let config = format!("{config}{}", MIRROR.replace("mirror:", "lost:").replace("model: people", "model: gone"));
    shop.project.config(&config);
    let run = shop.outflow("run").expect(1);
    let results = shop.project.read_json("target/run_results.json");
    let status = |name: &str| results["results"].as_array().unwrap().iter().find(|r| r["unique_id"] == name).unwrap()["status"].clone();
    assert_eq!((status("mapping.lost"), status("mapping.mirror")), ("failed".into(), "success".into()), "{run}");
    assert_eq!(shop.server.records().len(), 3);
}

#[test]
fn a_destination_that_moved_is_refused_until_a_reset() {
    let mut shop = Shop::new(3);
    shop.run(0);
    let config = shop.project.read("outflow.yml").replace("/records", "/other");
    shop.project.config(&config);
    let result = shop.run(1);
    assert!(result["message"].as_str().unwrap().contains("outflow reset mirror"), "{result}");
    shop.outflow("reset mirror --yes").expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (3, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn one_record_that_is_always_refused_keeps_no_other_back() {
    let mut shop = Shop::with(5_000, Server::start(), MIRROR, "batch: { records: 1000, body: array }");
    shop.server.refuse(["3210"]);
    let result = shop.run(3);
    assert_eq!(counts(&result, "delivered"), (4_999, 0, 0));
    assert_eq!(counts(&result, "failed"), (1, 0, 0));
    let requests = shop.server.take_requests().len();
    assert!(requests <= 5 + 2 * 10, "{requests} requests for 5 batches and one guilty record of 1,000");
    let group = &result["failure_groups"][0];
    assert_eq!((&group["code"], &group["records"]), (&json!("http_422"), &json!(1)), "{group}");
    assert_eq!(group["samples"][0]["id"], "3210");
    // It is tried alone from then on, and goes out once it is taken.
    assert_eq!(counts(&shop.run(3), "delivered"), (0, 0, 0));
    assert_eq!(shop.server.take_requests().len(), 1);
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 0, 0));
    assert_eq!(shop.sent(), [3210], "exactly that one");
    shop.assert_mirrored();
}

#[test]
fn many_guilty_records_are_each_found() {
    let mut shop = Shop::with(300, Server::start(), MIRROR, "batch: { records: 100, body: array }");
    let guilty = ["1", "2", "99", "100", "101", "250", "300"];
    shop.server.refuse(guilty);
    let result = shop.run(3);
    assert_eq!((counts(&result, "delivered").0, counts(&result, "failed").0), (293, 7));
    shop.server.accept_all();
    shop.run(0);
    shop.assert_mirrored();
}

#[test]
fn where_everything_is_refused_it_is_not_divided_without_end() {
    let shop = Shop::with(5_000, Server::start(), MIRROR, "batch: { records: 1000, body: array }");
    let all: Vec<String> = (1..=5_000).map(|id: i64| id.to_string()).collect();
    shop.server.refuse(all.iter().map(String::as_str));
    let result = shop.run(1);
    assert_eq!(counts(&result, "failed").0, 5_000);
    let requests = shop.server.take_requests().len();
    assert!(requests < 200, "{requests} requests");
}

#[test]
fn a_request_that_was_killed_and_is_then_refused_is_divided_too() {
    let mut shop = Shop::with(100, Server::start(), MIRROR, "batch: { records: 100, body: array }");
    shop.server.script([Act::Hold(Duration::from_secs(20))]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 1), "the request leaves");
    running.kill();
    shop.server.refuse(["7"]);
    let result = shop.run(3);
    assert_eq!(counts(&result, "failed").0, 1, "{result}");
    shop.server.accept_all();
    shop.run(0);
    shop.assert_mirrored();
}
