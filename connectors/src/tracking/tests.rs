//! What the tests of both destinations use, and the parts of a message that need no destination.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use outflow_contract::destination::{Descriptor, Destination, Origin, RecordOrigin};
use outflow_contract::outcome::{Answer, HttpResponse, Outcome, Records, Rejection, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::{Op, RecordId};
use proptest::prelude::*;
use proptest::{collection, sample};
use serde_json::{Map, Value, json};

use super::message::{self, Object, Raw};
use super::{MESSAGE_BYTES_MAX, Source};

pub(crate) const ORIGIN: RecordOrigin = RecordOrigin { id: RecordId(0x0123_4567_89ab_cdef_0011_2233_4455_6677), op: Op::Added };

pub(crate) fn settings(value: Value) -> Settings {
    let Value::Object(settings) = value else { panic!("settings are an object") };
    Settings(settings)
}

pub(crate) fn config(kind: &str, value: Value) -> DestinationConfig {
    DestinationConfig {
        name: "seg".into(),
        kind: kind.into(),
        enabled: true,
        gateway: None,
        settings: settings(value),
        rate_limit: None,
        concurrency: 8,
        request_timeout: Duration::from_secs(30),
        request_lifetime: Duration::from_secs(30),
        ca_file: None,
        root: PathBuf::from("/shop"),
    }
}

/// The message of these fields, as JSON, or why there is none. What stood in the buffer before is untouched.
pub(crate) fn shaped(destination: &dyn Destination, fields: &Value) -> Result<Value, Rejection> {
    let mut out = b"before".to_vec();
    let result = destination.shape(fields.to_string().as_bytes(), &ORIGIN, &mut out);
    assert!(out.starts_with(b"before"));
    match result {
        Ok(()) => {
            assert!(!out.contains(&b'\n'), "a message is one line");
            Ok(serde_json::from_slice(&out[6..]).unwrap())
        }
        Err(rejection) => {
            assert_eq!(out, b"before", "nothing is left of a refused record");
            Err(rejection)
        }
    }
}

/// The code of the refusal.
#[track_caller]
pub(crate) fn refused(destination: &dyn Destination, fields: &Value) -> String {
    shaped(destination, fields).unwrap_err().code
}

/// The request of these messages as text.
pub(crate) fn request(destination: &dyn Destination, fields: &[Value]) -> String {
    let mut bytes = Vec::new();
    let mut records = Records::default();
    for (i, fields) in fields.iter().enumerate() {
        destination.shape(fields.to_string().as_bytes(), &ORIGIN, &mut bytes).unwrap();
        records.ends.push(bytes.len());
        records.ops.push(Op::Added);
        records.ids.push(i.to_string());
    }
    records.bytes = bytes.into();
    let Request::Http(request) = destination.encode(&records, &Origin { mapping: "m".into(), epoch: 1, sequence: 0 }).unwrap() else {
        panic!("not HTTP")
    };
    let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{} {}\n{}\n\n{}", request.method, request.url, headers.join("\n"), String::from_utf8(request.body.to_vec()).unwrap())
}

fn outcome(status: u16, body: &str) -> String {
    let source = Source::new(None, Some("k3y"), "source_write_key").unwrap();
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    let answer = Answer::Http(HttpResponse { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) });
    let outcomes = source.decode(&crate::conformance::destination::sample(3), &answer);
    assert_eq!(outcomes.len(), 3);
    match &outcomes[0] {
        Outcome::Acked => "acked".to_owned(),
        Outcome::Rejected(r) => format!("rejected {}: {}", r.code, r.message),
        Outcome::RejectedTogether(r) => format!("rejected together {}: {}", r.code, r.message),
        Outcome::Throttled { after } => format!("throttled {after:?}"),
        Outcome::Retry(r) => format!("retry {}", r.code),
        Outcome::Unknown { .. } => "unknown".to_owned(),
    }
}

/// Fields of an action with values that may be of any kind, escapes and all.
pub(crate) fn any_fields(descriptor: &Descriptor, action: &str) -> impl Strategy<Value = Value> + use<> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    let names =
        prop_oneof!["[a-z]{1,4}", Just("address".to_owned()), Just("url".to_owned()), Just("categoryPreferences".to_owned()), ".{0,4}"];
    let value = leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            collection::vec((names.clone(), inner), 0..4).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    });
    let fields = descriptor.action(action).and_then(|action| action.fields.clone()).unwrap_or_default();
    let fields: Vec<String> = fields.into_iter().map(|field| field.name).collect();
    collection::vec((sample::select(fields), value), 0..10).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
}

#[test]
fn only_success_acknowledges() {
    assert_eq!(outcome(200, r#"{"success": true}"#), "acked");
    assert_eq!(outcome(200, "{\n  \"success\" : true, \"more\": [1]\n}"), "acked");
    for body in ["", "ok", "{}", "[]", "null", "true", r#"{"success":false}"#, r#"{"success":"true"}"#, r#"{"success":true"#] {
        assert_eq!(outcome(200, body), "unknown", "{body}");
    }
    assert_eq!(outcome(202, r#"{"success": true}"#), "unknown");
    assert_eq!(outcome(400, r#"{"success":false,"message":"malformed JSON"}"#), "rejected together http_400: malformed JSON");
    assert!(outcome(401, "").starts_with("rejected unauthorized: the credentials were refused with 401; check `source_write_key`"));
    assert!(outcome(403, "no").contains("403: no"));
    assert_eq!(outcome(429, ""), "throttled Some(7s)");
    assert_eq!(
        ["408", "423", "500", "503"].map(|s| outcome(s.parse().unwrap(), "")),
        [408, 423, 500, 503].map(|s| format!("retry http_{s}"))
    );
    assert!(outcome(501, "").starts_with("rejected http_501"));
    assert!(outcome(301, "").starts_with("rejected redirect"));
}

#[test]
fn a_source_holds_its_key_in_the_credentials_alone() {
    let source = Source::new(Some("eu"), Some(" k3yk3y "), "source_write_key").unwrap();
    assert_eq!(source.secrets(), ["azN5azN5Og=="], "the spaces that a file left at its ends are no part of a key");
    assert!(source.account().starts_with("https://events.eu1.segmentapis.com #"));
    assert!(!source.account().contains("k3y") && !format!("{source:?}").contains("k3y"));
    let account = |key| Source::new(None, Some(key), "source_write_key").unwrap().account();
    assert_eq!(account("a"), account("a"));
    assert_ne!(account("a"), account("b"));
    for key in [None, Some(""), Some("  ")] {
        assert!(Source::new(None, key, "source_write_key").is_err());
    }
    assert!(Source::new(Some("mars"), Some("k"), "source_write_key").is_err());
}

fn consent_of(consent: &Value) -> Result<Value, String> {
    let text = serde_json::value::to_raw_value(consent).unwrap();
    let mut out = Vec::new();
    let mut object = Object::open(&mut out);
    message::consent(&mut object, Some(&text)).map_err(|rejection| rejection.code)?;
    object.close();
    Ok(serde_json::from_slice::<Value>(&out).unwrap()["consent"].take())
}

#[test]
fn consent_is_sent_without_what_is_not_known_and_anything_else_fails_the_record() {
    let good = json!({"categoryPreferences": {"ads": true, "C\"1": false}, "more": [1]});
    assert_eq!(consent_of(&good), Ok(good));
    for (nulls, sent) in [
        (
            json!({"categoryPreferences": {"ads": null, "C\"1": false}, "more": [1]}),
            json!({"categoryPreferences": {"C\"1": false}, "more": [1]}),
        ),
        (json!({"categoryPreferences": {"ads": null}}), json!({"categoryPreferences": {}})),
        (json!({"categoryPreferences": {}}), json!({"categoryPreferences": {}})),
        (json!({"categoryPreferences": null}), json!({})),
        (json!({}), json!({})),
    ] {
        assert_eq!(consent_of(&nulls), Ok(sent), "{nulls}");
    }
    for bad in [
        json!({"categoryPreferences": {"ads": "yes"}}),
        json!({"categoryPreferences": {"ads": "true", "other": null}}),
        json!({"categoryPreferences": {"ads": 1}}),
        json!({"categoryPreferences": [true]}),
        json!({"categoryPreferences": true}),
        json!({"Analytics": true}),
        json!("x"),
        json!([]),
    ] {
        assert_eq!(consent_of(&bad), Err("invalid_consent".to_owned()), "{bad}");
    }
}

#[test]
fn blank_text_is_as_good_as_missing() {
    let filled = |text: &str| message::filled(Some(serde_json::from_str(text).unwrap())).is_some();
    for blank in [r#""""#, r#""  ""#, r#"" \t\n ""#, r#""\u00a0""#, "\"\u{a0}\""] {
        assert!(!filled(blank), "{blank}");
    }
    for text in [r#"" a""#, r#""\t\\""#, r#""\\""#, "0", "false", "{}"] {
        assert!(filled(text), "{text}");
    }
}

#[test]
fn a_message_may_have_32_kib_and_not_a_byte_more() {
    #[derive(serde::Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        a: Raw<'a>,
    }
    let size = |n: usize| {
        let fields = json!({ "a": "x".repeat(n) }).to_string();
        let mut out = Vec::new();
        message::write(fields.as_bytes(), &mut out, |f: &Fields<'_>, m| {
            m.raw("a", f.a);
            Ok(())
        })
        .map(|()| out.len())
        .map_err(|rejection| rejection.code)
    };
    assert_eq!(size(MESSAGE_BYTES_MAX - 8), Ok(MESSAGE_BYTES_MAX));
    assert_eq!(size(MESSAGE_BYTES_MAX - 7), Err("record_too_large".to_owned()));
}
