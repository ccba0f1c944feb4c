//! The destination as a whole: fields to messages and requests (golden ones in `golden/`), and the suite of every destination.

use std::sync::Arc;

use outflow_contract::destination::{Check, Connector, Destination};
use outflow_contract::plan::Settings;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Value, json};

use super::{ACTIONS, SegmentConnector};
use crate::conformance::destination as suite;
use crate::tracking::tests::{any_fields, config, refused, request, shaped};

fn segment(action: &str) -> Arc<dyn Destination> {
    let config = config("segment", json!({"source_write_key": "k3y"}));
    SegmentConnector::new().configure(&config, action, &Settings::default()).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn golden_requests() {
    let record = json!({
        "user_id": "u1", "timestamp": "2024-06-10T08:00:00Z", "event_name": "Order \"Completed\"", "group_id": "g1",
        "page_name": "Home", "page_category": "Start", "screen_name": "Main", "previous_id": "old",
        "page": {"url": "https://example.com/ü", "title": null}, "location": {"latitude": 59.91},
        "traits": {"plan": "pro", "nothing": null}, "properties": {"total": 12.50, "url": "https://mapped.example"},
        "address": {"city": "Oslo"}, "consent": {"categoryPreferences": {"ads": false}},
    });
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for (action, _) in ACTIONS {
            insta::assert_snapshot!(action, request(segment(action).as_ref(), std::slice::from_ref(&record)));
        }
        let two = [json!({"user_id": "u1"}), json!({"anonymous_id": "a1", "message_id": "m-1"})];
        insta::assert_snapshot!("two_messages", request(segment("sendIdentify").as_ref(), &two));
    });
}

#[test]
fn a_record_without_a_user_makes_no_message() {
    for (action, _) in &ACTIONS[..5] {
        for (user, anonymous) in [(json!(""), json!(null)), (json!("  "), json!("\t"))] {
            let fields = json!({"event_name": "e", "group_id": "g", "user_id": user, "anonymous_id": anonymous});
            assert_eq!(refused(segment(action).as_ref(), &fields), "missing_user", "{action}");
        }
    }
    assert_eq!(shaped(segment("sendPage").as_ref(), &json!({"user_id": "", "anonymous_id": "a"})).unwrap().get("userId"), None);
}

#[test]
fn what_segment_would_throw_away_in_silence_is_refused() {
    for fields in [json!({"user_id": "u"}), json!({"user_id": "u", "event_name": ""}), json!({"user_id": "u", "event_name": null})] {
        assert_eq!(refused(segment("sendTrack").as_ref(), &fields), "missing_field");
    }
    assert_eq!(refused(segment("sendGroup").as_ref(), &json!({"user_id": "u"})), "missing_field");
    assert_eq!(refused(segment("sendGroup").as_ref(), &json!({"user_id": "u", "group_id": " "})), "missing_field");
    let unusable = json!({"user_id": "u", "consent": {"categoryPreferences": {"ads": "yes"}}});
    assert_eq!(refused(segment("sendIdentify").as_ref(), &unusable), "invalid_consent");
    assert_eq!(refused(segment("sendAlias").as_ref(), &json!({"user_id": "u"})), "missing_field");
    assert_eq!(refused(segment("sendAlias").as_ref(), &json!({"previous_id": "u", "anonymous_id": "a"})), "missing_field");
    let large = json!({"user_id": "u", "traits": {"a": "x".repeat(40_000)}});
    assert_eq!(refused(segment("sendIdentify").as_ref(), &large), "record_too_large");
    for fields in [json!(null), json!([1]), json!("x"), json!({"user_id": "u", "traits": [1]}), json!({"user_id": "u", "address": 1})] {
        assert_eq!(refused(segment("sendIdentify").as_ref(), &fields), "wrong_type", "{fields}");
    }
}

#[test]
fn the_message_id_is_the_records_own_unless_one_is_mapped() {
    let message_id = |fields: Value| shaped(segment("sendIdentify").as_ref(), &fields).unwrap()["messageId"].take();
    assert_eq!(message_id(json!({"user_id": "u"})), "0123456789abcdef0011223344556677");
    assert_eq!(message_id(json!({"user_id": "u", "message_id": ""})), "0123456789abcdef0011223344556677");
    assert_eq!(message_id(json!({"user_id": "u", "message_id": "mine"})), "mine");
}

#[test]
fn an_address_goes_into_the_traits_and_wins_over_theirs() {
    let traits = |fields: Value| shaped(segment("sendIdentify").as_ref(), &fields).unwrap()["traits"].take();
    assert_eq!(traits(json!({"user_id": "u"})), json!({}));
    assert_eq!(traits(json!({"user_id": "u", "address": {"city": "A"}})), json!({"address": {"city": "A"}}));
    assert_eq!(traits(json!({"user_id": "u", "traits": {}, "address": {"city": "A"}})), json!({"address": {"city": "A"}}));
    let both = json!({"user_id": "u", "traits": {"n\"1": 1.50, "address": {"city": "B", "zip": 1}, "z": null}, "address": {"city": "A"}});
    assert_eq!(traits(both), json!({"n\"1": 1.50, "z": null, "address": {"zip": 1, "city": "A"}}));
    let text = json!({"user_id": "u", "traits": {"address": "somewhere"}, "address": {"city": "A"}});
    assert_eq!(traits(text), json!({"address": {"city": "A"}}));
}

#[test]
fn mapped_properties_win_over_those_of_the_page() {
    let properties = |fields: Value| shaped(segment("sendPage").as_ref(), &fields).unwrap()["properties"].take();
    let fields = json!({"user_id": "u", "page_name": "N", "page": {"url": "a", "path": "/p"}, "properties": {"url": null, "x": [1]}});
    assert_eq!(properties(fields), json!({"name": "N", "path": "/p", "url": null, "x": [1]}));
    assert_eq!(properties(json!({"user_id": "u", "page": {}, "properties": {}})), json!({}));
}

#[test]
fn it_conforms_and_its_limits_are_exact() {
    for (action, _) in ACTIONS {
        for n in [1, 2, 7] {
            assert_eq!(suite::check(segment(action).as_ref(), &suite::sample(n), true), Vec::<String>::new(), "{action}, {n} records");
        }
    }
    let limits = segment("sendTrack").limits();
    assert_eq!((limits.records_max, limits.bytes_max), (2500, 500_000));
}

#[test]
fn it_can_be_tried_by_connecting_alone() {
    let segment = segment("sendTrack");
    let Check::Connect { url } = segment.check() else { panic!("a message would be sent") };
    assert_eq!(url, "https://api.segment.io/v1/batch");
}

#[test]
fn a_wrong_action_or_an_empty_key_is_said() {
    let connector = SegmentConnector::new();
    let configure = |key: &str, action: &str| {
        connector
            .configure(&config("segment", json!({ "source_write_key": key })), action, &Settings::default())
            .err()
            .map(|e| e.to_string())
    };
    assert_eq!(configure("k", "sendTrack"), None);
    assert!(configure("k", "track").unwrap().contains("no action `track`"));
    assert!(configure("", "sendTrack").unwrap().contains("`source_write_key` is missing or empty"));
}

/// An action, and fields of it.
fn any_record() -> impl Strategy<Value = (&'static str, Value)> {
    let connector = SegmentConnector::new();
    let of = |action: &'static str| any_fields(connector.descriptor(), action).prop_map(move |fields| (action, fields)).boxed();
    Union::new(ACTIONS.map(|(action, _)| of(action)))
}

proptest! {
    #[test]
    fn whatever_is_mapped_is_shaped_the_same_each_time_or_refused((action, fields) in any_record()) {
        let violated = suite::shaping(segment(action).as_ref(), fields.to_string().as_bytes());
        prop_assert!(violated.is_empty(), "{:?}", violated);
    }
}
