//! Killed at any moment and run again, the destination ends with exactly the source.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use outflow_ledger::journal::{Frame, Intent, read_journal};
use outflow_tests::{Act, Outflow, Received, Server, ServerOptions};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::{MIRROR, Shop, is_long};

#[test]
fn a_killed_run_loses_nothing() {
    let seed = 20_261_120;
    let mut random = StdRng::seed_from_u64(seed);
    let server = Server::with(ServerOptions { deduplicate: true, ..ServerOptions::default() });
    let mut shop = Shop::with(2_000, server, MIRROR, "batch: { records: 20, body: array }");
    let mut next_id = 10_000;
    for round in 0..if is_long() { 200 } else { 12 } {
        // Some requests hang, so that a kill finds some under way.
        shop.server.script((0..3).map(|_| Act::Hold(Duration::from_millis(30))));
        let mut running = Outflow::at(&shop.project).args("run").spawn();
        let delay = Duration::from_millis(random.random_range(5..400));
        running.until({
            let start = Instant::now();
            move || start.elapsed() > delay
        });
        running.kill();
        for _ in 0..20 {
            let at = random.random_range(0..shop.table.records().len());
            match random.random_range(0..3) {
                0 => drop(shop.table.records().remove(at)),
                1 => drop(shop.table.records()[at].insert("name".into(), json!(format!("round {round}")))),
                _ => {
                    next_id += 1;
                    shop.table.push(json!([next_id, "new", null, 0]));
                }
            }
        }
        shop.write();
    }
    shop.server.accept_all();
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
    shop.server.take_requests();
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert!(shop.server.take_requests().is_empty());
}

/// Requests under way at once, where nothing else is said.
const CONNECTIONS: u64 = 8;
const RECORDS_PER_REQUEST: u64 = 50;

/// Every record is added once, by a sync that is killed again and again: at instants of the time before its first request, and after some of its requests.
#[test]
fn a_large_sync_killed_again_and_again_sends_little_twice_and_that_under_its_first_keys() {
    let (records, kills) = if is_long() { (200_000, 50) } else { (6_000, 6) };
    let mut random = StdRng::seed_from_u64(20_261_129);
    // It does not tell repeated requests from new ones, so that each counts.
    let mut shop = Shop::with(records, Server::start(), MIRROR, &format!("batch: {{ records: {RECORDS_PER_REQUEST}, body: array }}"));
    // Half of what there is to send is the most that can have gone out after the last kill.
    let requests_max = records as u64 / RECORDS_PER_REQUEST / kills / 2;
    let mut first_request_after = None;
    let mut under_way = 0;
    for _ in 0..kills {
        shop.server.accept_all();
        shop.server.next(records as usize, &Act::Hold(Duration::from_millis(20)));
        let (before, begun) = (shop.server.arrived().requests, Instant::now());
        let mut running = Outflow::at(&shop.project).args("run").spawn();
        // The first shows how long it takes to the first request.
        let early =
            first_request_after.filter(|_| random.random_bool(0.4)).map(|after: Duration| after.mul_f64(random.random_range(0.0..1.2)));
        let requests = random.random_range(1..=requests_max);
        let lives = running.until(|| {
            let arrived = shop.server.arrived().requests - before;
            if arrived > 0 {
                first_request_after.get_or_insert(begun.elapsed());
            }
            early.map_or(arrived >= requests, |early| arrived >= requests || begun.elapsed() >= early)
        });
        assert!(lives, "it ended before it could be killed: {}", running.stderr());
        running.kill();
        under_way += u64::from(shop.server.arrived().requests > before);
    }
    shop.server.accept_all();
    shop.outflow("run").expect(0);
    shop.assert_mirrored();

    let requests = shop.server.take_requests();
    let mut of_record: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, request) in requests.iter().enumerate() {
        for payload in &request.payloads {
            of_record.entry(payload["id"].to_string()).or_default().push(at);
        }
    }
    assert_eq!(of_record.len() as i64, records);
    let again: usize = of_record.values().map(|sent| sent.len() - 1).sum();
    let bound = kills * CONNECTIONS * RECORDS_PER_REQUEST;
    assert!(again as u64 <= bound, "{again} records were sent again, which may be {bound}");
    let pairs: std::collections::BTreeSet<(usize, usize)> =
        of_record.values().flat_map(|sent| sent[1..].iter().map(|later| (sent[0], *later))).collect();
    for (first, later) in &pairs {
        let (first, later) = (&requests[*first], &requests[*later]);
        assert_eq!(first.idempotency_key, later.idempotency_key, "a request that is repeated carries its first key");
        assert_eq!(first.body, later.body);
    }
    let told = format!(
        "{kills} kills, {under_way} with requests sent: {again} of {records} records again, of {bound}; {} repeated requests",
        pairs.len()
    );
    assert!(!pairs.is_empty(), "no request was repeated: {told}");
    eprintln!("{told}");
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert!(shop.server.take_requests().is_empty());
}

#[test]
fn a_request_that_was_under_way_when_the_run_was_killed_keeps_its_key() {
    let mut shop = Shop::new(10);
    shop.server.script([Act::Hold(Duration::from_secs(20))]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 1), "the request leaves");
    running.kill();
    let first = shop.server.take_requests();
    shop.run(0);
    let again = shop.server.take_requests();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].idempotency_key, first[0].idempotency_key);
    assert_eq!(again[0].body, first[0].body);
    shop.assert_mirrored();
}

#[test]
fn the_intent_of_the_next_request_is_durable_before_its_turn_and_outlives_a_kill() {
    let mut shop = Shop::new(80);
    shop.project.edit("outflow.yml", "request_timeout: 2s", "request_timeout: 60s\n    concurrency: 2");
    shop.server.hold();
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 2), "the first two requests leave");
    let intents = || -> Vec<Intent> {
        let journal = std::fs::read(shop.project.path("state/mappings/mirror/runs/000000000001/journal")).unwrap();
        let frames = read_journal(&journal).into_iter();
        frames.filter_map(|frame| if let Frame::Intent(intent) = frame { Some(intent) } else { None }).collect()
    };
    assert!(running.until(|| intents().len() >= 4), "two more are made durable meanwhile");
    running.kill();
    let (intents, arrived) = (intents(), shop.server.arrived().requests);
    assert_eq!((intents.len(), arrived), (4, 2), "and no more than that");
    shop.server.release();
    shop.run(0);
    let keys: Vec<_> = shop.server.requests().into_iter().filter_map(|request| request.idempotency_key).collect();
    let of = |intent: &Intent| keys.iter().filter(|key| **key == intent.key.to_string()).count();
    let sent: Vec<usize> = intents.iter().map(of).collect();
    assert_eq!((keys.len(), sent), (10, vec![2, 2, 1, 1]), "two are repeated, two go out at last, each under its first key");
    shop.assert_mirrored();
}

#[test]
fn a_request_that_holds_the_id_of_its_sync_keeps_its_key_too_even_under_another_name() {
    assert_requests_stay_as_they_were("sync: $.__sync_id");
}

#[test]
fn a_request_that_holds_the_time_of_its_sync_keeps_its_key_too_even_under_another_name() {
    assert_requests_stay_as_they_were("at: { '@now': {} }, day: { '@now': { to: '%A', zone: Europe/Oslo } }");
}

/// Two requests of two syncs that never hear of them are sent again by a third, each as it was.
fn assert_requests_stay_as_they_were(of_sync: &str) {
    let member = of_sync.split(':').next().unwrap();
    let mut shop = Shop::new(10);
    let (fields, settings) = (MIRROR.replace("name: $.name,", &format!("name: $.name, {of_sync},")), "batch: { records: 10, body: array }");
    shop.configure(&fields, settings, "");
    let held = Act::Hold(Duration::from_secs(20));
    shop.server.script([held.clone()]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 1), "the request leaves");
    running.kill();
    let first = shop.server.take_requests();
    // The second sync gives that one up, and is killed with one of its own under way.
    for id in 11..=20 {
        shop.table.push(json!([id, "new", null, 0]));
    }
    shop.write();
    shop.server.script([Act::DropAfter, Act::DropAfter, Act::DropAfter, Act::DropAfter, Act::DropAfter, held]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 7), "the request leaves");
    running.kill();
    let second = shop.server.take_requests();
    assert!(second[..5].iter().all(|request| (&request.idempotency_key, &request.body) == (&first[0].idempotency_key, &first[0].body)));
    shop.configure(&fields.replace("mirror:", "other:"), settings, "");
    shop.outflow("rename mirror other --yes").expect(0);
    shop.run(0);
    let third = shop.server.take_requests();
    let sent = |requests: &[&Received]| requests.iter().map(|r| (r.idempotency_key.clone(), r.body.clone())).collect::<BTreeSet<_>>();
    assert_eq!(sent(&third.iter().collect::<Vec<_>>()), sent(&[&first[0], &second[5]]), "each as it was, under its first key");
    assert_ne!(first[0].payloads[0].get(member), second[5].payloads[0].get(member), "each says of which sync it is");
    shop.assert_mirrored();
}

#[test]
fn a_run_that_was_killed_just_before_its_commit_is_settled_by_the_next() {
    let mut shop = Shop::new(30);
    shop.server.refuse(["5"]);
    shop.run(3);
    // Everything is written but the commit: as if the run had been killed right there.
    std::fs::remove_file(shop.project.path("state/mappings/mirror/commits/000000000001.json")).unwrap();
    shop.server.accept_all();
    shop.server.take_requests();
    assert_eq!(crate::counts(&shop.run(0), "delivered"), (1, 0, 0), "only what was refused");
    shop.assert_mirrored();
}

#[test]
fn a_second_run_at_the_same_time_says_that_it_is_busy() {
    let shop = Shop::new(10);
    shop.server.script([Act::Hold(Duration::from_secs(3))]);
    let mut first = Outflow::at(&shop.project).args("run").spawn();
    assert!(first.until(|| shop.server.arrived().requests == 1));
    let second = shop.outflow("run").expect(4);
    assert!(second.stderr.contains("another run holds the lock of `mirror`"), "{second}");
    assert!(second.stderr.contains("--wait"), "{second}");
    first.wait().expect(0);
    shop.outflow("run --wait").expect(0);
}

#[test]
fn a_source_that_fails_midway_changes_nothing() {
    let mut shop = Shop::new(2_000);
    shop.run(0);
    shop.table.delete(1);
    shop.write();
    // Cut in the middle of its pages; the footer is whole, so that the failure comes while reading.
    let path = shop.project.path("people.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 200].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    shop.server.take_requests();
    let result = shop.run(1);
    assert_eq!(result["status"], "failed");
    assert!(shop.server.take_requests().is_empty());
    shop.write();
    assert_eq!(crate::counts(&shop.run(0), "delivered"), (0, 0, 1));
}

/// Ends a run by a signal once some requests have been taken, and returns what it came to.
#[track_caller]
fn ended_by(signal: rustix::process::Signal, shop: &Shop) -> outflow_tests::Run {
    shop.server.next(200, &Act::Hold(Duration::from_millis(50)));
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.applied().0 >= 40), "some are taken");
    running.signal(signal);
    running.wait()
}

#[test]
fn a_run_that_is_asked_to_end_finishes_what_is_under_way_and_commits_it() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let mut shop = Shop::new(2_000);
        let run = ended_by(signal, &shop).expect(1);
        assert!(run.stderr.contains("asked to end"), "{run}");
        let result = shop.result();
        assert_eq!(result["status"], "cancelled", "{result}");
        let delivered = result["counts"]["delivered"]["total"].as_u64().unwrap();
        assert!((40..2_000).contains(&delivered), "{delivered}");
        assert_eq!(delivered, shop.server.applied().0, "every record that was taken counts as delivered");
        assert_eq!(shop.server.records().len() as u64, delivered, "and none was sent twice");
        shop.server.accept_all();
        shop.outflow("run").expect(0);
        assert_eq!(shop.server.applied().0, 2_000, "the rest, and nothing again");
        shop.assert_mirrored();
    }
}

#[test]
fn a_run_that_waits_for_another_ends_at_once_when_it_is_asked_to() {
    let shop = Shop::new(10);
    shop.server.script([Act::Hold(Duration::from_secs(20))]);
    shop.project.edit("outflow.yml", "request_timeout: 2s", "request_timeout: 60s");
    let mut first = Outflow::at(&shop.project).args("run").spawn();
    assert!(first.until(|| shop.server.arrived().requests == 1));
    let mut second = Outflow::at(&shop.project).args("run --wait").spawn();
    while second.is_running() && !second.stderr().contains("another run holds its lock") {
        std::thread::sleep(Duration::from_millis(5));
    }
    second.signal(rustix::process::Signal::TERM);
    let ended = second.wait();
    assert!(ended.code == Some(1) && ended.stderr.contains("asked to end"), "{ended}");
    first.kill();
}

#[test]
fn a_request_that_outlasts_the_grace_is_given_up_and_sent_again_under_its_key() {
    let mut shop = Shop::new(10);
    shop.project.edit("outflow.yml", "request_timeout: 2s", "request_timeout: 60s");
    shop.server.script([Act::Hold(Duration::from_secs(40))]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 1), "the request leaves");
    running.signal(rustix::process::Signal::INT);
    let run = running.wait().expect(1);
    let result = shop.result();
    assert_eq!(
        (&result["status"], &result["counts"]["failed"]["total"]),
        (&serde_json::json!("cancelled"), &serde_json::json!(10)),
        "{run}"
    );
    assert!(result["message"].as_str().unwrap().contains("was given up"), "{result}");
    let first = shop.server.take_requests();
    shop.run(0);
    let again = shop.server.take_requests();
    assert_eq!((&again[0].idempotency_key, &again[0].body), (&first[0].idempotency_key, &first[0].body));
    shop.assert_mirrored();
}

#[test]
fn after_a_run_that_was_asked_to_end_while_it_waited_nothing_is_said_to_be_mended() {
    let mut shop = Shop::new(1);
    shop.project.edit("outflow.yml", "request_lifetime: 100ms", "request_lifetime: 60s");
    shop.server.next(5, &Act::DropBefore);
    shop.run(1);
    shop.table.set(1, "name", "newer");
    shop.write();
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    // It waits for what may still take effect.
    std::thread::sleep(Duration::from_secs(2));
    running.signal(rustix::process::Signal::INT);
    let run = running.wait().expect(1);
    assert_eq!(shop.result()["status"], "cancelled", "{run}");
    assert!(run.stdout.contains("outflow run --select mirror") && !run.stdout.contains("outflow check"), "{run}");
}

#[test]
fn a_request_of_an_earlier_run_that_outlasts_the_grace_is_given_up_too() {
    let mut shop = Shop::new(10);
    shop.project.edit("outflow.yml", "request_timeout: 2s", "request_timeout: 60s");
    shop.project.edit("outflow.yml", "request_lifetime: 100ms", "request_lifetime: 1s");
    shop.server.next(2, &Act::Hold(Duration::from_secs(50)));
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 1), "the request leaves");
    running.kill();
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests == 2), "it is sent again");
    running.signal(rustix::process::Signal::TERM);
    let asked = Instant::now();
    let run = running.wait().expect(1);
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}: {run}", asked.elapsed());
    assert_eq!(shop.result()["status"], "cancelled", "{run}");
    shop.run(0);
    let sent = shop.server.take_requests();
    assert!(sent.iter().all(|request| request.idempotency_key == sent[0].idempotency_key), "each time under its first key");
    shop.assert_mirrored();
}

#[test]
fn a_second_signal_leaves_at_once_and_loses_nothing() {
    let mut shop = Shop::new(100);
    shop.server.next(8, &Act::Hold(Duration::from_secs(20)));
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests >= 3), "requests are under way");
    running.signal(rustix::process::Signal::INT);
    let start = Instant::now();
    running.until(|| start.elapsed() > Duration::from_millis(200));
    running.signal(rustix::process::Signal::INT);
    let run = running.wait();
    assert_eq!(run.code, Some(130), "{run}");
    let left = shop.server.applied().0;
    assert!(left > 0, "what was under way has landed, and nobody has read so");
    shop.run(0);
    shop.assert_mirrored();
}
