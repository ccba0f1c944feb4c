//! What the program makes of destinations that are down, that want other credentials, and that answer what nobody asked.

use std::time::Duration;

use outflow_tests::{Act, Outflow, Refusal, Server, ServerOptions};
use serde_json::{Value, json};

use super::{MIRROR, Shop, counts};

/// One request at a time, of ten records.
const ONE_LANE: &str = "    concurrency: 1";
/// The default mapping, and another one of the same records to the same destination.
const TWO: &str = r"
  first:
    model: people
    destination: hook
    action: send
    records: added_or_updated
    fields: { id: $.id, op: $.__op, name: $.name }
  second:
    model: people
    destination: hook
    action: send
    records: added_or_updated
    fields: { id: { '@template': 's{{id}}' }, op: $.__op, email: $.email }
";
/// How the server of `per_record` answers.
const RESULTS: &str = "batch: { records: 10, body: array }, results: { items: $.results, id: $.id, ok: { field: $.status, values: [ok] } }";

fn results(shop: &Shop) -> Vec<Value> {
    shop.project.read_json("target/run_results.json")["results"].as_array().unwrap().clone()
}

fn says(result: &Value, what: &str) {
    assert!(result["message"].as_str().unwrap_or_default().contains(what), "{what}: {result}");
}

#[test]
fn a_destination_that_is_down_gets_a_few_requests_and_what_it_took_before_counts() {
    let mut shop = Shop::new(500);
    shop.configure(MIRROR, "batch: { records: 10, body: array }", ONE_LANE);
    shop.server.script([Act::Usual, Act::Usual, Act::Usual]);
    shop.server.next(1000, &Act::Status(503));
    let result = shop.run(3);
    assert_eq!((counts(&result, "delivered").0, counts(&result, "failed").0), (30, 470), "{result}");
    says(&result, "stopped: answered with the status 503");
    let sent = shop.server.take_requests().len();
    assert!(sent <= 3 + 5 + 2, "{sent} requests");
    shop.server.accept_all();
    assert_eq!(counts(&shop.run(0), "delivered").0, 470);
    shop.assert_mirrored();
}

#[test]
fn many_connections_do_not_make_a_destination_that_is_down_get_more_than_was_under_way() {
    let shop = Shop::new(500);
    shop.server.next(1000, &Act::Status(500));
    let result = shop.run(1);
    assert_eq!(counts(&result, "failed").0, 500, "{result}");
    let sent = shop.server.take_requests().len();
    assert!(sent <= 8 + 5 + 2, "{sent} requests");
}

#[test]
fn the_other_mappings_of_a_destination_that_is_down_wait_for_the_next_run() {
    let mut shop = Shop::with(100, Server::start(), TWO, "batch: { records: 10, body: array }");
    shop.server.stop();
    let run = shop.outflow("run -vv").expect(1);
    let all = results(&shop);
    assert_eq!(all.len(), 2);
    for result in &all {
        assert_eq!((&result["status"], counts(result, "failed").0), (&json!("failed"), 100), "{result}");
        says(result, "refused the connection");
    }
    assert_eq!(all[1]["requests"], 0, "{run}");
    let attempts = run.stderr.matches(" attempt=").count();
    assert!((1..=8 + 5 + 2).contains(&attempts), "{attempts} attempts: {run}");
    assert_eq!(all[0]["requests"], 0, "none of them has left: {run}");
    shop.server.resume();
    shop.outflow("run").expect(0);
    assert_eq!(shop.server.records().len(), 200);
}

#[test]
fn a_record_that_breaks_the_destination_keeps_no_other_mapping_back() {
    let shop = Shop::with(30, Server::start(), TWO, "batch: { records: 10, body: array }");
    shop.configure(TWO, "batch: { records: 10, body: array }", ONE_LANE);
    shop.server.break_on(["30", "15", "3"]);
    shop.outflow("run").expect(1);
    let all = results(&shop);
    assert_eq!((counts(&all[0], "delivered").0, counts(&all[1], "delivered").0), (0, 30), "{all:?}");
    assert_eq!(all[0]["failure_groups"][0]["code"], "http_500");
}

#[test]
fn being_asked_for_patience_is_no_attempt() {
    let mut shop = Shop::new(10);
    shop.server.next(6, &Act::Throttle(Some("0".into())));
    let result = shop.run(0);
    assert_eq!((counts(&result, "delivered").0, &result["requests"]), (10, &json!(7)), "{result}");
    shop.assert_mirrored();
}

#[test]
fn a_destination_that_asks_for_patience_and_for_no_time_is_not_hammered() {
    for after in ["0", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let shop = Shop::new(10);
        shop.server.next(1_000, &Act::Throttle(Some(after.into())));
        let mut running = Outflow::at(&shop.project).args("run").spawn();
        assert!(running.until(|| shop.server.arrived().requests > 0), "the first one leaves");
        std::thread::sleep(Duration::from_secs(5));
        running.kill();
        let requests = shop.server.arrived().requests;
        assert!((2..20).contains(&requests), "{requests} requests in 5 s that asked for {after}");
    }
}

#[test]
fn a_record_that_is_forbidden_stops_no_sync_and_credentials_that_are_do() {
    let shop = Shop::new(20);
    shop.configure(MIRROR, "batch: { records: 1, body: array }", ONE_LANE);
    shop.server.script([Act::Usual, Act::Status(403)]);
    let result = shop.run(3);
    assert_eq!((counts(&result, "delivered").0, counts(&result, "failed").0), (19, 1), "{result}");

    let shop = Shop::new(20);
    shop.configure(MIRROR, "batch: { records: 1, body: array }", ONE_LANE);
    shop.server.script([Act::Usual]);
    shop.server.next(100, &Act::Status(403));
    let result = shop.run(3);
    assert_eq!((counts(&result, "delivered").0, shop.server.requests().len()), (1, 1 + 5), "{result}");
    says(&result, "stopped: the credentials were refused with 403");

    let shop = Shop::new(20);
    shop.configure(MIRROR, "batch: { records: 1, body: array }", ONE_LANE);
    shop.server.next(100, &Act::Status(403));
    shop.run(1);
    assert_eq!(shop.server.requests().len(), 1);
}

/// A shop whose destination issues access tokens.
#[test]
fn credentials_that_are_refused_after_a_failure_stop_the_sync_too_and_the_record_stays_in_doubt() {
    for failure in [Act::Status(503), Act::DropBefore] {
        let mut shop = Shop::new(100);
        shop.configure(MIRROR, "batch: { records: 1, body: array }", ONE_LANE);
        shop.server.script([Act::Usual]);
        for _ in 0..100 {
            shop.server.script([failure.clone(), Act::Status(401)]);
        }
        let result = shop.run(3);
        let sent = shop.server.take_requests();
        assert_eq!((counts(&result, "delivered").0, sent.len()), (1, 3), "{result}");
        says(&result, "stopped: the credentials were refused with 401");
        // An earlier attempt of it may have landed: it goes again under its key.
        shop.server.accept_all();
        assert_eq!(counts(&shop.run(0), "delivered").0, 99);
        let again = &shop.server.take_requests()[0];
        assert_eq!((&again.idempotency_key, &again.body), (&sent[1].idempotency_key, &sent[1].body));
        shop.assert_mirrored();
    }
}

fn with_tokens(n: i64) -> Shop {
    let shop = Shop::new(n);
    shop.server.issue_tokens("s3cr3t-of-the-client");
    configure_tokens(&shop, &shop.server.url("/token"));
    shop
}

fn configure_tokens(shop: &Shop, token_url: &str) {
    let auth = format!("auth: {{ type: oauth2, token_url: '{token_url}', client_id: outflow, client_secret: '${{env:CLIENT_SECRET}}' }}");
    shop.configure(MIRROR, &format!("batch: {{ records: 10, body: array }}, {auth}"), "");
}

fn run_as(shop: &Shop, secret: &str, code: i32) -> outflow_tests::Run {
    Outflow::at(&shop.project).args("run -vv").env("CLIENT_SECRET", secret).run().expect(code)
}

fn paths(shop: &Shop) -> (usize, usize) {
    let all = shop.server.take_requests();
    let tokens = all.iter().filter(|request| request.path == "/token").count();
    (tokens, all.len() - tokens)
}

#[test]
fn an_access_token_is_asked_for_once_and_shown_nowhere() {
    let mut shop = with_tokens(100);
    let run = run_as(&shop, "s3cr3t-of-the-client", 0);
    assert_eq!(paths(&shop), (1, 10));
    shop.assert_mirrored();
    let mut everything = format!("{}{}", run.stdout, run.stderr);
    for folder in ["state", "target"] {
        for file in shop.project.files(folder) {
            everything.push_str(&String::from_utf8_lossy(&std::fs::read(shop.project.path(&file)).unwrap()));
        }
    }
    assert!(!everything.contains("issued-token") && !everything.contains("s3cr3t"), "a token or a secret was printed or stored");
    let test = Outflow::at(&shop.project).args("test hook").env("CLIENT_SECRET", "s3cr3t-of-the-client").run().expect(0);
    assert!(test.stdout.contains("access token was issued"), "{test}");
}

#[test]
fn a_token_that_is_refused_in_the_middle_is_replaced_once() {
    let mut shop = with_tokens(100);
    shop.server.script([Act::Usual, Act::Usual, Act::Status(401)]);
    run_as(&shop, "s3cr3t-of-the-client", 0);
    let (tokens, records) = paths(&shop);
    assert!(tokens == 2 && records <= 10 + 8, "{tokens} tokens, {records} requests");
    assert_eq!(counts(&shop.result(), "failed").0, 0);
    shop.assert_mirrored();
}

#[test]
fn a_new_token_that_is_refused_too_stops_the_sync() {
    let shop = with_tokens(500);
    shop.server.next(1000, &Act::Status(401));
    run_as(&shop, "s3cr3t-of-the-client", 1);
    let (tokens, records) = paths(&shop);
    assert!(tokens <= 1 + 8 && records <= 2 * 8, "{tokens} tokens, {records} requests");
    says(&shop.result(), "the credentials were refused with 401");
}

#[test]
fn once_a_new_token_is_refused_no_other_one_is_asked_for_and_nothing_leaves() {
    for seed in 1..=3_u64 {
        let shop = with_tokens(1000);
        shop.server.next(20, &Act::Usual);
        // Answers that come late and in any order: some requests with the first token are still under way when the second one is refused.
        let late = (1..200).map(|i: u64| Act::Late(401, Duration::from_millis(i.wrapping_mul(seed * 2_654_435_761) >> 7 & 127)));
        shop.server.script(late);
        run_as(&shop, "s3cr3t-of-the-client", 3);
        let all = shop.server.take_requests();
        let (exchanges, records): (Vec<_>, Vec<_>) = all.iter().partition(|request| request.path == "/token");
        assert_eq!(exchanges.len(), 2, "seed {seed}");
        let of_first = records[0].header("authorization");
        let of_second = records.iter().filter(|request| request.header("authorization") != of_first).count();
        assert!(of_second <= 8, "{of_second} left with a token that was never accepted: more than can be under way");
        says(&shop.result(), "the credentials were refused with 401");
    }
}

#[test]
fn a_client_that_is_refused_asks_once_and_sends_nothing() {
    let shop = with_tokens(500);
    run_as(&shop, "wr0ng-secret", 1);
    assert_eq!(paths(&shop), (1, 0));
    let result = shop.result();
    says(&result, "refused to issue an access token (status 401): invalid_client: unknown client");
    assert!(!result.to_string().contains("wr0ng-secret"));

    // A page of a login, and nobody at all.
    shop.server.next(100, &Act::Answer(200, "<html>Sign in</html>".into()));
    configure_tokens(&shop, &shop.server.url("/login"));
    run_as(&shop, "s3cr3t-of-the-client", 1);
    says(&shop.result(), "no access token: it is no JSON");
    assert_eq!(shop.server.take_requests().len(), 1);
    configure_tokens(&shop, "http://127.0.0.1:1/token");
    run_as(&shop, "s3cr3t-of-the-client", 1);
    says(&shop.result(), "127.0.0.1:1 refused the connection");
    assert_eq!(shop.server.take_requests().len(), 0);
}

#[test]
fn answers_that_do_not_fit_acknowledge_nothing_that_they_do_not_prove_and_are_said() {
    let options = ServerOptions { refusal: Refusal::PerRecord, ..ServerOptions::default() };
    let ok = |ids: &[u32]| {
        let items: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "status": "ok" })).collect();
        Act::Answer(200, json!({ "results": items }).to_string().into())
    };
    let all: Vec<u32> = (1..=10).collect();
    for (answer, delivered) in [
        (ok(&all[..9]), 9),
        (ok(&[&all[..], &[11]].concat()), 0),
        (ok(&[&all[..9], &[9]].concat()), 0),
        (ok(&[]), 0),
        (Act::Answer(200, "<html><body>It works!</body></html>".into()), 0),
        (Act::Answer(200, "".into()), 0),
        (Act::Answer(207, "[".repeat(100_000).into()), 0),
    ] {
        let shop = Shop::with(10, Server::with(options.clone()), MIRROR, RESULTS);
        shop.server.script([answer.clone()]);
        let result = shop.run(if delivered > 0 { 3 } else { 1 });
        assert_eq!(counts(&result, "delivered").0, delivered, "{answer:?}: {result}");
        let notice = result["notices"][0].as_str().unwrap_or_default();
        let unproven = 10 - delivered;
        assert!(notice.starts_with("destination contract: the answers of `hook`") && notice.contains(&unproven.to_string()), "{notice}");
        assert_eq!(counts(&shop.run(0), "delivered").0, unproven);
        // The first answer came from a script that takes nothing in.
        assert_eq!(shop.server.records().len() as u64, unproven);
    }
}

#[test]
fn a_web_page_is_no_acknowledgement() {
    let mut shop = Shop::new(10);
    shop.server.script([Act::Answer(200, "\n<!DOCTYPE HTML><title>Sign in</title>".into())]);
    let result = shop.run(1);
    assert_eq!((counts(&result, "delivered").0, &result["failure_groups"][0]["code"]), (0, &json!("unclear_answer")), "{result}");
    assert_eq!(counts(&shop.run(0), "delivered").0, 10);
    shop.assert_mirrored();
}

#[test]
fn what_is_there_already_and_what_is_gone_already_count_where_the_settings_say_so() {
    let mut shop = Shop::new(3);
    shop.configure(MIRROR, "batch: { records: 10, body: array }, statuses: { taken: [409], gone: [404, 410] }", ONE_LANE);
    shop.server.script([Act::Status(409)]);
    assert_eq!(counts(&shop.run(0), "delivered"), (3, 0, 0));
    shop.table.delete(1);
    shop.table.delete(2);
    shop.write();
    // Together that is said of one of them, and not of which.
    shop.server.script([Act::Status(404), Act::Status(410), Act::Status(404)]);
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 2));
    assert_eq!(shop.server.take_requests().len(), 4);
    shop.table.set(3, "name", "other");
    shop.write();
    shop.server.script([Act::Status(404)]);
    let result = shop.run(1);
    assert_eq!(result["failure_groups"][0]["code"], "http_404", "an update of what is gone is no success: {result}");
}

/// All records go to one address: where nobody listens there any more, 404 and 410 say nothing of a record.
#[test]
fn a_delete_that_an_address_without_a_receiver_answers_stays_to_be_done() {
    let mut shop = Shop::new(3);
    shop.configure(MIRROR, "batch: { records: 1, body: array }", ONE_LANE);
    shop.run(0);
    for (id, status) in [(1, 404), (2, 410)] {
        shop.table.delete(id);
        shop.write();
        shop.server.script([Act::Status(status)]);
        let result = shop.run(1);
        assert_eq!(counts(&result, "delivered"), (0, 0, 0), "{result}");
        assert_eq!(result["failure_groups"][0]["code"], format!("http_{status}"), "{result}");
        assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 1), "the next sync tries again");
    }
    shop.assert_mirrored();
}

/// The operations of each request, in the order of arrival.
fn operations(shop: &Shop) -> Vec<Vec<String>> {
    let ops = |payloads: &[Value]| payloads.iter().map(|payload| payload["op"].as_str().unwrap_or_default().to_owned()).collect();
    shop.server.take_requests().iter().map(|request| ops(&request.payloads)).collect()
}

#[test]
fn deletes_arrive_before_everything_else_where_the_destination_wants_it() {
    let settings = "batch: { records: 3, body: array }, order: deletes_first";
    let mut shop = Shop::with(40, Server::start(), MIRROR, settings);
    shop.run(0);
    shop.server.take_requests();
    for id in (1..=40).step_by(2) {
        shop.table.delete(id);
    }
    for id in (2..=40).step_by(2) {
        shop.table.set(id, "name", "changed");
    }
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 20, 20));
    let arrived = operations(&shop);
    let first_other = arrived.iter().position(|ops| ops.iter().any(|op| op != "deleted")).unwrap();
    assert!(arrived[first_other..].iter().flatten().all(|op| op != "deleted"), "{arrived:?}");
    assert_eq!(first_other, 7, "{arrived:?}");
    shop.assert_mirrored();
}

#[test]
fn the_mapping_of_deleted_records_goes_first_where_the_destination_wants_it() {
    let pair = r"
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
    for (order, first) in [("deletes_first", "deleted"), ("any", "updated")] {
        let mut shop = Shop::with(4, Server::start(), pair, &format!("batch: {{ records: 3, body: array }}, order: {order}"));
        shop.outflow("run").expect(0);
        shop.server.take_requests();
        shop.table.delete(1);
        shop.table.set(2, "name", "changed");
        shop.write();
        shop.outflow("run").expect(0);
        assert_eq!(operations(&shop)[0], [first]);
        shop.assert_mirrored();
    }
}
