//! Subscriptions: what a user has subscribed to on each channel, and by which address or token.

use std::borrow::Cow;

use outflow_contract::outcome::Rejection;
use serde_json::value::RawValue;

use super::message::Fields;
use crate::tracking::message::{Object, Raw, as_object, filled, members, rejection};

/// What a user has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Subscribed,
    Unsubscribed,
    DidNotSubscribe,
    /// Something that means nothing; it is sent as such.
    Invalid,
}

impl Status {
    /// The status that a value means; none for null and empty text.
    fn read(value: Raw<'_>) -> Option<Self> {
        let text = text(value?)?;
        let text = text.trim();
        let is = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        match text {
            "" => None,
            _ if is(["true", "subscribed"]) => Some(Self::Subscribed),
            _ if is(["false", "unsubscribed"]) => Some(Self::Unsubscribed),
            _ if is(["did-not-subscribe", "did_not_subscribe"]) => Some(Self::DidNotSubscribe),
            _ => Some(Self::Invalid),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Subscribed => "SUBSCRIBED",
            Self::Unsubscribed => "UNSUBSCRIBED",
            Self::DidNotSubscribe => "DID_NOT_SUBSCRIBE",
            Self::Invalid => "INVALID",
        }
    }
}

/// A value as text: a string's content, anything else as it stands; none for null.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get() {
        "null" => None,
        string if string.starts_with('"') => Some(match string.get(1..string.len() - 1) {
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            _ => Cow::Owned(serde_json::from_str(string).unwrap_or_default()),
        }),
        other => Some(Cow::Borrowed(other)),
    }
}

/// A way to reach someone, as a record has it.
struct Channel<'a> {
    /// As messages call it.
    kind: &'static str,
    /// The field of the status.
    field: &'static str,
    status: Option<Status>,
    /// The field of the address or token, and its value.
    id_field: &'static str,
    id: Raw<'a>,
}

fn channels<'a>(f: &Fields<'a>) -> [Channel<'a>; 5] {
    let channel = |kind, field, status, id_field, id| Channel { kind, field, status: Status::read(status), id_field, id: filled(id) };
    [
        channel("EMAIL", "email_subscription_status", f.email_subscription_status, "email", f.email),
        channel("SMS", "sms_subscription_status", f.sms_subscription_status, "phone", f.phone),
        channel("WHATSAPP", "whatsapp_subscription_status", f.whatsapp_subscription_status, "phone", f.phone),
        channel(
            "ANDROID_PUSH",
            "android_push_subscription_status",
            f.android_push_subscription_status,
            "android_push_token",
            f.android_push_token,
        ),
        channel("IOS_PUSH", "ios_push_subscription_status", f.ios_push_subscription_status, "ios_push_token", f.ios_push_token),
    ]
}

/// Appends the members of `context` that say what the user has subscribed to.
pub(super) fn write(f: &Fields<'_>, context: &mut Object<'_>) -> Result<(), Rejection> {
    let channels = channels(f);
    let groups = f.subscription_groups.map(|groups| as_object(groups, "subscription_groups")).transpose()?.filter(|groups| has_any(groups));
    check(&channels, groups)?;

    let mut list = context.list("messaging_subscriptions");
    for channel in &channels {
        let (Some(status), Some(id)) = (channel.status, channel.id) else { continue };
        let mut subscription = list.object();
        subscription.json("key", id.get());
        subscription.word("type", channel.kind);
        subscription.word("status", status.word());
        if let (Some(groups), "EMAIL") = (groups, channel.kind) {
            write_groups(groups, &mut subscription);
        }
        subscription.close();
    }
    list.close();

    let [email, sms, _, android, ios] = &channels;
    let mut list = context.list("externalIds");
    for (kind, id) in [("email", email.id), ("phone", sms.id), ("android.push_token", android.id), ("ios.push_token", ios.id)] {
        let Some(id) = id else { continue };
        let mut external = list.object();
        external.json("id", id.get());
        external.word("type", kind);
        external.word("collection", "users");
        external.word("encoding", "none");
        external.close();
    }
    list.close();
    context.json("messaging_subscriptions_retl", "true");
    Ok(())
}

fn has_any(object: &RawValue) -> bool {
    let mut any = false;
    members(object, |_, _| {
        any = true;
        true
    });
    any
}

fn write_groups(groups: &RawValue, subscription: &mut Object<'_>) {
    let mut list = subscription.list("groups");
    members(groups, |name, value| {
        if let Some(status) = Status::read(Some(value)) {
            let mut group = list.object();
            group.text("name", name);
            group.word("status", status.word());
            group.close();
        }
        true
    });
    list.close();
}

/// Whether the record says something about someone who can be reached.
fn check(channels: &[Channel<'_>; 5], groups: Raw<'_>) -> Result<(), Rejection> {
    if channels.iter().all(|channel| channel.id.is_none()) {
        return Err(rejection("missing_contact", "none of `email`, `phone`, `android_push_token` and `ios_push_token` has a value"));
    }
    if channels.iter().all(|channel| channel.status.is_none()) {
        return Err(rejection("missing_status", "the record says of no channel what the user has subscribed to"));
    }
    if let Some(channel) = channels.iter().find(|channel| channel.status.is_some() && channel.id.is_none()) {
        let message = format!("`{}` has a value, and `{}`, which it is about, has none", channel.field, channel.id_field);
        return Err(rejection("missing_contact", message));
    }
    if groups.is_some() && channels[0].status.is_none() {
        return Err(rejection(
            "missing_status",
            "`subscription_groups` has groups of e-mail, and `email_subscription_status` has no value",
        ));
    }
    if channels.iter().all(|channel| channel.status == Some(Status::Invalid)) {
        return Err(rejection("invalid_status", "no status means anything: write subscribed, unsubscribed or did-not-subscribe"));
    }
    Ok(())
}
