//! The webhook as a whole: settings to requests (golden ones in `golden/`), answers to outcomes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use outflow_contract::destination::{Connector, Destination, Origin};
use outflow_contract::outcome::{Answer, HttpResponse, Outcome, Records, Rejection, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::{Error, Op};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::WebhookConnector;
use crate::conformance::destination as suite;

fn configure(settings: Value) -> Result<Arc<dyn Destination>, Error> {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    let config = DestinationConfig {
        name: "hook".into(),
        kind: "webhook".into(),
        enabled: true,
        gateway: None,
        settings: Settings(settings),
        rate_limit: None,
        concurrency: 8,
        request_timeout: Duration::from_secs(30),
        request_lifetime: Duration::from_secs(30),
        ca_file: None,
        root: PathBuf::from("/shop"),
    };
    WebhookConnector::new().configure(&config, "send", &Settings::default())
}

/// A webhook at some URL, with these settings.
fn webhook(mut settings: Value) -> Arc<dyn Destination> {
    if settings.get("url").is_none() {
        settings["url"] = "https://api.example.com/in".into();
    }
    configure(settings).unwrap_or_else(|error| panic!("{error:?}"))
}

fn records(payloads: &[&str]) -> Records {
    let mut records = Records::default();
    let mut bytes = Vec::new();
    for (i, payload) in payloads.iter().enumerate() {
        bytes.extend_from_slice(payload.as_bytes());
        records.ends.push(bytes.len());
        records.ops.push(Op::Added);
        records.ids.push((i + 1).to_string());
    }
    records.bytes = bytes.into();
    records
}

fn request(settings: Value, payloads: &[&str]) -> String {
    let origin = Origin { mapping: "m".into(), epoch: 1, sequence: 0 };
    let Request::Http(request) = webhook(settings).encode(&records(payloads), &origin).unwrap() else { panic!("not HTTP") };
    let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let headers = headers.join("\n");
    format!("{} {}\n{headers}\n\n{}", request.method, request.url, String::from_utf8(request.body.to_vec()).unwrap())
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer::Http(HttpResponse { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) })
}

/// The outcomes in short: `acked`, `code: message`, …
fn outcomes(destination: &dyn Destination, n: usize, answer: &Answer) -> Vec<String> {
    let short = |outcome: &Outcome| match outcome {
        Outcome::Acked => "acked".to_owned(),
        Outcome::Rejected(r) => format!("rejected {}: {}", r.code, r.message),
        Outcome::RejectedTogether(r) => format!("rejected together {}: {}", r.code, r.message),
        Outcome::Throttled { after } => format!("throttled {after:?}"),
        Outcome::Retry(r) => format!("retry {}: {}", r.code, r.message),
        Outcome::Unknown { reason } => format!("unknown: {reason}"),
    };
    destination.decode(&suite::sample(n), answer).iter().map(short).collect()
}

#[test]
fn golden_requests() {
    let two = [r#"{"id":1,"name":"Ann"}"#, "{\"id\":2,\n\"name\":\"Bé\"}"];
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        insta::assert_snapshot!("single", request(json!({}), &two[..1]));
        let all = json!({
            "url": "https://api.example.com/in?tenant=7#part", "method": "PUT", "headers": {"X-Tenant": 7, "content-type": "application/vnd.example+json"},
            "auth": {"type": "bearer", "token": "t0ken"}, "sign": {"secret": "s3cret", "header": "X-Hub-Signature-256", "prefix": "sha256="}
        });
        insta::assert_snapshot!("single_with_everything", request(all, &two[..1]));
        insta::assert_snapshot!("array", request(json!({"batch": {}}), &two));
        insta::assert_snapshot!("array_of_one", request(json!({"batch": {"body": "array"}}), &two[..1]));
        insta::assert_snapshot!("ndjson_signed", request(json!({"batch": {"body": "ndjson"}, "sign": "s3cret"}), &two));
        insta::assert_snapshot!("basic", request(json!({"url": "https://ann:p%40ss@api.example.com/in", "batch": {}}), &two[..1]));
        insta::assert_snapshot!("own_header", request(json!({"auth": {"type": "header", "name": "X-Api-Key", "value": "k3y"}}), &two[..1]));
    });
}

#[test]
fn statuses_mean_what_the_settings_say() {
    let statuses =
        json!({"taken": [409, 202], "refused": [422], "refused_together": [418], "retried": [404], "throttled": [503], "gone": [404, 410]});
    let hook = webhook(json!({"batch": {}, "statuses": statuses}));
    let first = |status: u16| outcomes(hook.as_ref(), 2, &answer(status, &[], "<html>"))[0].clone();
    assert_eq!((first(409), first(202)), ("acked".to_owned(), "acked".to_owned()), "whatever the body is");
    assert!(first(200).starts_with("unknown: answered with a web page"));
    assert_eq!(first(422), "rejected http_422: <html>");
    assert_eq!(first(418), "rejected together http_418: <html>");
    assert_eq!(first(404), "retry http_404: <html>");
    assert_eq!(first(503), "throttled None");
    assert_eq!(first(500), "retry http_500: <html>");
    let deleted = |n: usize, op: Op| {
        let mut records = suite::sample(n);
        records.ops.fill(op);
        hook.decode(&records, &answer(410, &[], "")).swap_remove(0)
    };
    assert_eq!(deleted(1, Op::Deleted), Outcome::Acked);
    assert!(matches!(deleted(2, Op::Deleted), Outcome::RejectedTogether(_)), "which of them is gone is not said");
    assert!(matches!(deleted(1, Op::Updated), Outcome::Rejected(_)));
}

#[test]
fn a_web_page_is_told_from_other_words() {
    let hook = webhook(json!({}));
    let one = |body: &str| outcomes(hook.as_ref(), 1, &answer(200, &[], body))[0].clone();
    for page in ["<!DOCTYPE html>", "\u{feff} <html lang=en>", "\n<HTML>"] {
        assert!(one(page).starts_with("unknown"), "{page}");
    }
    for other in ["", "ok", "<ok/>", "<!-- html -->", "{\"html\":\"<html>\"}"] {
        assert_eq!(one(other), "acked", "{other}");
    }
}

#[test]
fn limits_are_those_of_the_batch() {
    let limits = |batch: Value| webhook(json!({ "batch": batch })).limits();
    assert_eq!(limits(Value::Null).records_max, 1);
    assert_eq!((limits(json!({})).records_max, limits(json!({})).bytes_max), (1000, 4 << 20));
    assert_eq!(limits(json!({"records": 50, "bytes": 9000, "body": "ndjson"})).records_max, 50);
    assert_eq!(webhook(json!({})).idempotency_header(), Some("Idempotency-Key"));
}

#[test]
fn an_account_tells_places_apart_and_holds_no_secret() {
    let account = |url: &str| webhook(json!({ "url": url })).account();
    let hidden = account("https://ann:s3cret@example.com/in/t0ken?key=s3cret");
    assert!(hidden.starts_with("POST https://example.com #"), "{hidden}");
    assert!(!hidden.contains("s3cret") && !hidden.contains("t0ken"));
    assert_ne!(account("https://example.com/in?a=1"), account("https://example.com/in?a=2"));
    assert_ne!(account("https://example.com/a"), account("https://example.com/b"));
    assert_eq!(account("https://example.com/a"), account("https://bob:x@EXAMPLE.com:443/a#x"));
}

#[test]
fn wrong_settings_are_refused_without_showing_a_secret() {
    for (settings, said) in [
        (json!({}), "`url` is missing"),
        (json!({"url": "no s3cret url"}), "`url` is not a URL"),
        (json!({"url": "ftp://example.com/s3cret"}), "neither http nor https"),
        (json!({"url": "https://x", "method": "GET"}), "`method` cannot be GET"),
        (json!({"url": "https://x", "headers": ["s3cret"]}), "`headers` is not an object"),
        (json!({"url": "https://x", "headers": {"a b": "s3cret"}}), "no header name"),
        (json!({"url": "https://x", "headers": {"A": "s3cret\n"}}), "`headers.A` cannot be sent"),
        (json!({"url": "https://x", "headers": {"A": "s3cret\r\nB: 1"}}), "`headers.A` cannot be sent"),
        (json!({"url": "https://x", "headers": {"A": ["s3cret"]}}), "`headers.A` is not text"),
        (json!({"url": "https://x", "headers": {"A": "1", "a": "2"}}), "set twice"),
        (json!({"url": "https://x", "headers": {"Content-Length": "1"}}), "cannot be set"),
        (json!({"url": "https://x", "headers": {"idempotency-key": "1"}}), "cannot be set"),
        (json!({"url": "https://x", "headers": {"authorization": "s3cret"}, "auth": {"type": "bearer", "token": "s3cret"}}), "set twice"),
        (json!({"url": "https://ann:s3cret@x", "auth": {"type": "bearer", "token": "s3cret"}}), "set twice"),
        (json!({"url": "https://s3cret@x", "auth": {"type": "header", "name": "X-Key", "value": "s3cret"}}), "set twice"),
        (json!({"url": "https://x", "auth": {"type": "digest"}}), "`auth.type` cannot be"),
        (json!({"url": "https://x", "auth": {"token": "s3cret"}}), "`auth.type` is missing"),
        (json!({"url": "https://x", "auth": {"type": "bearer", "token": "s3cret\n"}}), "line break"),
        (json!({"url": "https://x", "auth": "s3cret"}), "`auth` is not an object"),
        (json!({"url": "https://x", "auth": {"type": "oauth2", "client_secret": "s3cret"}}), "`auth.token_url` is missing"),
        (json!({"url": "https://x", "auth": {"type": "oauth2", "token_url": "ftp://s3cret", "client_id": "a"}}), "no http or https URL"),
        (
            json!({"url": "https://x", "auth": {"type": "oauth2", "token_url": "https://y", "client_id": "a"}}),
            "`auth.client_secret` is missing",
        ),
        (
            json!({"url": "https://x", "headers": {"Authorization": "s3cret"}, "auth": {"type": "oauth2", "token_url": "https://y", "client_id": "a", "client_secret": "s3cret"}}),
            "set twice",
        ),
        (json!({"url": "https://x", "statuses": {"taken": [99]}}), "`statuses.taken`"),
        (json!({"url": "https://x", "statuses": {"taken": [409], "refused": [409]}}), "lists 409 twice"),
        (json!({"url": "https://x", "order": "up"}), "`order` cannot be"),
        (json!({"url": "https://x", "auth": {"type": "bearer", "tokn": "s3cret"}}), "no member `tokn`"),
        (json!({"url": "https://x", "sign": ""}), "`sign.secret` is empty"),
        (json!({"url": "https://x", "sign": {"secret": "s3cret", "algorithm": "md5"}}), "`sign.algorithm`"),
        (json!({"url": "https://x", "batch": {"records": 0}}), "`batch.records`"),
        (json!({"url": "https://x", "batch": {"records": 2, "body": "single"}}), "single"),
        (json!({"url": "https://x", "batch": {"body": "xml"}}), "`batch.body`"),
        (json!({"url": "https://x", "results": {}}), "`results.ok` is missing"),
        (json!({"url": "https://x", "results": {"ok": "$.ok"}}), "`results.items` is missing"),
        (json!({"url": "https://x", "results": {"items": "$.", "ok": "$.ok"}}), "`results.items` is not a path"),
        (json!({"url": "https://x", "results": {"items": "$.x", "listed": "failed"}}), "`results.index` is missing"),
        (json!({"url": "https://x", "results": {"items": "$.x", "ok": "$.ok", "match": "id"}}), "`results.id` is missing"),
        (json!({"url": "https://x", "results": {"items": "$.x", "ok": {"field": "$.s"}}}), "`results.ok.values`"),
        (json!({"url": "https://x", "results": {"items": "$.x", "ok": "$.ok", "id": "$.id", "index": "$.i"}}), "both"),
    ] {
        let Err(error) = configure(settings.clone()) else { panic!("taken: {settings}") };
        let text = format!("{error:?}");
        assert!(text.contains(said), "{settings}: {text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_status_decides_for_all_records_without_a_rule() {
    let hook = webhook(json!({"batch": {}}));
    let first = |status: u16, headers: &[(&str, &str)], body: &str| {
        let all = outcomes(hook.as_ref(), 3, &answer(status, headers, body));
        assert!(all.len() == 3 && all.iter().all(|one| *one == all[0]));
        all[0].clone()
    };
    assert_eq!(first(200, &[], "whatever"), "acked");
    assert_eq!(first(204, &[], ""), "acked");
    assert!(first(207, &[], "{}").starts_with("unknown: answered 207"));
    let location = [("location", "https://new.example.com/t0ken?x=1")];
    assert_eq!(
        first(302, &location, ""),
        "rejected redirect: answered with a redirect, which is not followed (it leads to new.example.com); use the final URL"
    );
    assert_eq!(
        first(401, &[], r#"{"message":"bad key"}"#),
        "rejected unauthorized: the credentials were refused with 401: bad key; check `auth` and `headers`"
    );
    assert_eq!(first(403, &[], ""), "rejected unauthorized: the credentials were refused with 403; check `auth` and `headers`");
    assert_eq!(first(422, &[], r#"{"errors":[{"message":"no e-mail"}]}"#), "rejected together http_422: no e-mail");
    assert_eq!(first(400, &[], r#"{"error":{"message":"a\nb"}}"#), "rejected together http_400: a b");
    assert_eq!(first(400, &[], r#"{"error":"plain"}"#), "rejected together http_400: plain");
    assert_eq!(first(400, &[], r#"{"detail":"why"}"#), "rejected together http_400: why");
    assert_eq!(first(400, &[], r#"{"other":1}"#), r#"rejected together http_400: {"other":1}"#);
    assert_eq!(first(404, &[], ""), "rejected http_404: answered with the status 404, without a word");
    assert_eq!(first(501, &[], "no"), "rejected http_501: no");
    assert_eq!(first(429, &[("retry-after", "7")], ""), "throttled Some(7s)");
    assert_eq!(first(429, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], ""), "throttled None");
    assert!(first(408, &[], "").starts_with("retry http_408"));
    assert_eq!(first(425, &[], ""), "throttled None");
    assert_eq!(first(503, &[], "down"), "retry http_503: down");
    assert!(first(500, &[], &"é".repeat(5000)).chars().count() < 230);
    assert!(first(999, &[], "").starts_with("unknown"));
}

#[test]
fn a_rule_tells_each_record_apart_by_index() {
    let rule = json!({"items": "$.results", "index": "$.index", "ok": {"field": "$.status", "values": ["ok", 201]}, "code": "$.error.code", "message": "$.error.text"});
    let hook = webhook(json!({"batch": {}, "results": rule}));
    let body = r#"{"results":[{"index":1,"status":"bad","error":{"code":"E7","text":"no e-mail"}},{"index":0,"status":"ok"},{"index":"2","status":201},{"index":3}]}"#;
    for status in [200, 207] {
        let got = outcomes(hook.as_ref(), 5, &answer(status, &[], body));
        let wanted = [
            "acked",
            "rejected E7: no e-mail",
            "acked",
            r#"rejected refused: {"index":3}"#,
            "unknown: the answer does not list the record",
        ];
        assert_eq!(got, wanted);
    }
    assert!(outcomes(hook.as_ref(), 2, &answer(500, &[], body))[0].starts_with("retry http_500"));
}

#[test]
fn a_rule_tells_each_record_apart_by_identifier() {
    let hook = webhook(json!({"batch": {}, "results": {"items": "$", "id": "$.key", "ok": "$.success"}}));
    let got = outcomes(
        hook.as_ref(),
        3,
        &answer(200, &[], r#"[{"key":"3","success":true},{"key":1,"success":"true"},{"key":2,"success":false}]"#),
    );
    assert_eq!(got, ["acked", r#"rejected refused: {"key":2,"success":false}"#, "acked"]);
    let mut composite = records(&["{}", "{}"]);
    composite.ids = [r#"{"a":1,"b":"x"}"#, r#"{"a":2,"b":"x"}"#].into_iter().collect();
    let body = answer(200, &[], r#"[{"key":{"b":"x","a":2},"success":true},{"key":{"b":"x","a":1},"success":true}]"#);
    assert_eq!(hook.decode(&composite, &body), [Outcome::Acked, Outcome::Acked]);
    composite.ids = ["7", "\"7\""].into_iter().collect();
    assert!(matches!(hook.decode(&composite, &answer(200, &[], "[]"))[0], Outcome::Unknown { .. }));
}

#[test]
fn a_rule_by_place_takes_items_in_the_order_of_the_records() {
    let hook = webhook(json!({"batch": {}, "results": {"items": "$.r", "ok": {"field": "$", "values": ["ok", true]}}}));
    let got = outcomes(hook.as_ref(), 3, &answer(200, &[], r#"{"r":["ok","no such list",true]}"#));
    assert_eq!(got, ["acked", "rejected refused: \"no such list\"", "acked"]);
    assert!(outcomes(hook.as_ref(), 1, &answer(200, &[], r#"{"r":["ok","ok"]}"#))[0].starts_with("unknown"));
}

#[test]
fn where_only_failures_are_listed_the_rest_is_acknowledged() {
    let rule =
        |optional: bool| json!({"items": "$.errors", "listed": "failed", "optional": optional, "index": "$.index", "message": "$.message"});
    let strict = webhook(json!({"batch": {}, "results": rule(false)}));
    let got = |body: &str| outcomes(strict.as_ref(), 2, &answer(200, &[], body));
    assert_eq!(got(r#"{"errors":[{"index":1,"message":"no"}]}"#), ["acked", "rejected refused: no"]);
    assert_eq!(got(r#"{"errors":[]}"#), ["acked", "acked"]);
    assert_eq!(got(r#"{"errors":null}"#), ["acked", "acked"]);
    for body in [
        "{}",
        "",
        "ok",
        "[]",
        r#"{"errors":{}}"#,
        r#"{"errors":[{"index":2}]}"#,
        r#"{"errors":[{"index":-1}]}"#,
        r#"{"errors":[{}]}"#,
        r#"{"errors":[{"index":0},{"index":0}]}"#,
    ] {
        assert!(got(body).iter().all(|one| one.starts_with("unknown")), "{body}: {:?}", got(body));
    }
    let lenient = webhook(json!({"batch": {}, "results": rule(true)}));
    assert_eq!(outcomes(lenient.as_ref(), 2, &answer(200, &[], "{}")), ["acked", "acked"]);
    assert!(outcomes(lenient.as_ref(), 2, &answer(200, &[], "\"fine\""))[0].starts_with("unknown"));
}

#[test]
fn a_rejection_has_a_code_that_groups() {
    let hook = webhook(json!({"batch": {}, "results": {"items": "$.r", "ok": "$.ok", "code": "$.c"}}));
    let body = format!(r#"{{"r":[{{"c":"{}"}},{{"c":""}},{{"c":422}}]}}"#, "x".repeat(500));
    let codes: Vec<String> = hook
        .decode(&suite::sample(3), &answer(200, &[], &body))
        .into_iter()
        .map(|o| match o {
            Outcome::Rejected(Rejection { code, .. }) => code,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, ["x".repeat(64), "refused".to_owned(), "422".to_owned()]);
}

/// Webhooks of every kind, and whether only the body proves anything to them.
fn kinds() -> Vec<(Arc<dyn Destination>, bool)> {
    let ok = json!({"field": "$.status", "values": ["ok"]});
    vec![
        (webhook(json!({"batch": {}})), false),
        (webhook(json!({"batch": {"body": "ndjson"}, "sign": "s"})), false),
        (webhook(json!({"batch": {}, "results": {"items": "$.results", "id": "$.id", "ok": ok}})), true),
        (webhook(json!({"batch": {}, "results": {"items": "$.results", "index": "$.index", "ok": ok}})), true),
        (webhook(json!({"batch": {}, "results": {"items": "$.errors", "listed": "failed", "index": "$.index"}})), true),
    ]
}

#[test]
fn every_kind_conforms() {
    for (i, (hook, reads_body)) in kinds().iter().enumerate() {
        for n in [1, 2, 7] {
            assert_eq!(suite::check(hook.as_ref(), &suite::sample(n), *reads_body), Vec::<String>::new(), "kind {i}, {n} records");
        }
    }
    assert_eq!(suite::check(webhook(json!({})).as_ref(), &suite::sample(1), false), Vec::<String>::new());
}

/// JSON like that of real answers, and worse.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let item = prop_oneof![
        (0..9_u64, prop_oneof!["ok", "bad", ".*"]).prop_map(|(i, s)| json!({"id": i, "index": i, "status": s})),
        Just(json!({"id": "1", "index": "0", "status": true})),
        Just(json!(null)),
        any::<i64>().prop_map(|n| json!({ "index": n })),
    ];
    let list = proptest::collection::vec(item, 0..6);
    prop_oneof![
        (list.clone(), list).prop_map(|(results, errors)| json!({"results": results, "errors": errors}).to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..200),
        ".*".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn no_answer_breaks_decode_or_acknowledges_without_proof(status in any::<u16>(), small in 100..600_u16, body in bodies(), cut in 0..300_usize) {
        for (hook, reads_body) in kinds() {
            let records = suite::sample(4);
            for status in [status, small] {
                for body in [&body[..], &body[..cut.min(body.len())]] {
                    let answer = Answer::Http(HttpResponse { status, headers: vec![], body: Bytes::copy_from_slice(body) });
                    let may_ack = (200..300).contains(&status) && (!reads_body || serde_json::from_slice::<Value>(body).is_ok());
                    let violated = suite::answered(hook.as_ref(), &records, &answer, may_ack);
                    prop_assert!(violated.is_empty(), "{:?}", violated);
                }
            }
        }
    }
}
