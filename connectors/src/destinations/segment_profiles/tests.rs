//! The destination as a whole: fields to messages and requests (golden ones in `golden/`), and the suite of every destination.

use std::sync::Arc;

use outflow_contract::destination::{Connector, Destination};
use outflow_contract::plan::Settings;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Value, json};

use super::{ACTIONS, ProfilesConnector};
use crate::conformance::destination as suite;
use crate::tracking::tests::{any_fields, config, refused, request, settings, shaped};

fn profiles(action: &str) -> Arc<dyn Destination> {
    let constants = settings(json!({"engage_space": "k3y"}));
    let config = config("segment-profiles", json!({"region": "eu"}));
    ProfilesConnector::new().configure(&config, action, &constants).unwrap_or_else(|error| panic!("{error:?}"))
}

fn subscription() -> Arc<dyn Destination> {
    profiles("sendSubscription")
}

#[test]
fn golden_requests() {
    let record = json!({
        "user_id": "u1", "timestamp": 1_718_445_600, "event_name": "Signed Up", "group_id": "g1",
        "traits": {"plan": "pro"}, "properties": {"total": 12.50}, "consent": {"categoryPreferences": {"ads": true}},
        "email": "jané@example.com", "email_subscription_status": " True", "subscription_groups": {"weekly \"news\"": "false", "none": ""},
        "phone": "+14155550100", "sms_subscription_status": "Unsubscribed", "whatsapp_subscription_status": "did-not-subscribe",
        "ios_push_token": "tok", "ios_push_subscription_status": "perhaps", "android_push_subscription_status": null,
    });
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for (action, _) in ACTIONS {
            insta::assert_snapshot!(action, request(profiles(action).as_ref(), std::slice::from_ref(&record)));
        }
    });
}

#[test]
fn every_message_keeps_to_the_profiles() {
    for (action, _) in ACTIONS {
        let fields = json!({"user_id": "u", "event_name": "e", "group_id": "g", "email": "a@b.c", "email_subscription_status": "true"});
        assert_eq!(shaped(profiles(action).as_ref(), &fields).unwrap()["integrations"], json!({"All": false}), "{action}");
    }
}

#[test]
fn a_record_without_a_user_makes_no_message() {
    for action in ["sendIdentify", "sendGroup", "sendTrack"] {
        assert_eq!(refused(profiles(action).as_ref(), &json!({"group_id": "g", "event_name": "e"})), "missing_user", "{action}");
    }
    assert_eq!(refused(profiles("sendGroup").as_ref(), &json!({"user_id": "u"})), "missing_field");
    assert_eq!(refused(profiles("sendTrack").as_ref(), &json!({"user_id": "u", "event_name": ""})), "missing_field");
}

#[test]
fn a_status_means_the_same_however_it_is_written() {
    let status = |status: Value| {
        let fields = json!({"email": "a@b.c", "email_subscription_status": status, "phone": "1", "sms_subscription_status": "true"});
        let mut message = shaped(subscription().as_ref(), &fields).unwrap();
        let first = message["context"]["messaging_subscriptions"][0].take();
        if first["type"] == "EMAIL" { first["status"].as_str().unwrap().to_owned() } else { "none".to_owned() }
    };
    for (written, expected) in [
        (json!("TRUE"), "SUBSCRIBED"),
        (json!(" subscribed "), "SUBSCRIBED"),
        (json!(true), "SUBSCRIBED"),
        (json!("fAlse"), "UNSUBSCRIBED"),
        (json!("did-not-subscribe"), "DID_NOT_SUBSCRIBE"),
        (json!("DID_NOT_SUBSCRIBE"), "DID_NOT_SUBSCRIBE"),
        (json!("didnotsubscribe"), "INVALID"),
        (json!(1), "INVALID"),
        (json!("\\u0074rue\n"), "INVALID"),
        (json!("true\n"), "SUBSCRIBED"),
        (json!(""), "none"),
        (json!("  "), "none"),
        (json!(null), "none"),
    ] {
        assert_eq!(status(written.clone()), expected, "{written}");
    }
}

#[test]
fn a_record_that_says_nothing_or_of_nobody_is_refused() {
    let code = |fields: Value| refused(subscription().as_ref(), &fields);
    assert_eq!(code(json!({"user_id": "u", "email_subscription_status": "true"})), "missing_contact");
    for id in ["email", "phone", "android_push_token", "ios_push_token"] {
        assert_eq!(code(json!({"user_id": "u", "email_subscription_status": "true", id: "  "})), "missing_contact", "{id}");
    }
    let blank = json!({"email": " ", "phone": "1", "user_id": " ", "sms_subscription_status": "true"});
    let message = shaped(subscription().as_ref(), &blank).unwrap();
    assert_eq!((message.get("userId"), message["context"]["externalIds"].as_array().unwrap().len()), (None, 1));
    assert_eq!(code(json!({"email": "a@b.c"})), "missing_status");
    assert_eq!(code(json!({"email": "a@b.c", "sms_subscription_status": "true"})), "missing_contact");
    assert_eq!(code(json!({"phone": "1", "sms_subscription_status": "true", "subscription_groups": {"g": true}})), "missing_status");
    assert_eq!(code(json!({"email": "a", "email_subscription_status": "true", "subscription_groups": "weekly"})), "wrong_type");
    let all = json!({
        "email": "a", "phone": "1", "android_push_token": "t", "ios_push_token": "t",
        "email_subscription_status": "x", "sms_subscription_status": "x", "whatsapp_subscription_status": "x",
        "android_push_subscription_status": "x", "ios_push_subscription_status": "x",
    });
    assert_eq!(code(all.clone()), "invalid_status");
    let mut one = all;
    one["sms_subscription_status"] = "true".into();
    assert!(shaped(subscription().as_ref(), &one).is_ok());
    let no_groups = json!({"phone": "1", "sms_subscription_status": "true", "subscription_groups": {}});
    assert!(shaped(subscription().as_ref(), &no_groups).is_ok());
}

#[test]
fn it_conforms() {
    for (action, _) in ACTIONS {
        for n in [1, 2, 7] {
            assert_eq!(suite::check(profiles(action).as_ref(), &suite::sample(n), true), Vec::<String>::new(), "{action}, {n} records");
        }
    }
}

#[test]
fn the_key_of_the_space_is_a_secret_constant_of_every_action() {
    let connector = ProfilesConnector::new();
    for action in &connector.descriptor().actions {
        let key = action.fields.iter().flatten().find(|field| field.name == "engage_space").unwrap();
        assert!(key.constant && key.secret && key.required, "{}", action.name);
    }
    let error = connector.configure(&config("segment-profiles", json!({})), "sendTrack", &Settings::default()).err().unwrap();
    assert!(error.to_string().contains("`engage_space` is missing or empty"), "{error}");
    assert!(profiles("sendTrack").account().starts_with("https://events.eu1.segmentapis.com #"));
}

/// An action, and fields of it.
fn any_record() -> impl Strategy<Value = (&'static str, Value)> {
    let connector = ProfilesConnector::new();
    let of = |action: &'static str| any_fields(connector.descriptor(), action).prop_map(move |fields| (action, fields)).boxed();
    Union::new(ACTIONS.map(|(action, _)| of(action)))
}

proptest! {
    #[test]
    fn whatever_is_mapped_is_shaped_the_same_each_time_or_refused((action, fields) in any_record()) {
        let violated = suite::shaping(profiles(action).as_ref(), fields.to_string().as_bytes());
        prop_assert!(violated.is_empty(), "{:?}", violated);
    }
}
