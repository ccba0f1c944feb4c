//! What the destination is, as data: its settings, its actions and their fields.

use outflow_contract::Op;
use outflow_contract::destination::{Action, Descriptor, Field};

use super::message::Kind;
use super::{ACTIONS, WRITE_KEY};
use crate::tracking::fields::{anonymous_id, consent, message_id, object, region, text, timestamp, user_id};

pub(super) fn descriptor() -> Descriptor {
    Descriptor {
        name: "segment-profiles".to_owned(),
        title: "Segment Profiles".to_owned(),
        description: "Sends records to the profiles of a Segment space, and not to the destinations behind it.".to_owned(),
        settings: vec![region()],
        actions: ACTIONS.into_iter().map(|(name, kind)| action(name, kind)).collect(),
    }
}

fn action(name: &str, kind: Kind) -> Action {
    let (title, description, own) = match kind {
        Kind::Identify => ("Send identify", "Each record is a user, with traits.", identify()),
        Kind::Group => ("Send group", "Each record puts a user into a group, with traits of the group.", group()),
        Kind::Track => ("Send track", "Each record is something that a user did.", track()),
        Kind::Subscription => ("Send subscription", "Each record says what a user has subscribed to.", subscription()),
    };
    let key = text(WRITE_KEY, "The write key of the source of the profile space: the same for every record.");
    let mut fields = vec![key.required().constant().secret(), user_id(), anonymous_id()];
    fields.extend(own);
    fields.extend([timestamp(), message_id(), consent()]);
    Action {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        ops: Op::ALL.to_vec(),
        // An event may say so by its name.
        deletes: matches!(kind, Kind::Track),
        fields: Some(fields),
    }
}

fn identify() -> Vec<Field> {
    vec![text("group_id", "A group that the user belongs to."), object("traits", "What there is to say about the user.")]
}

fn group() -> Vec<Field> {
    vec![text("group_id", "Your own identifier of the group.").required(), object("traits", "What there is to say about the group.")]
}

fn track() -> Vec<Field> {
    vec![
        text("event_name", "What was done, such as Order Completed.").required(),
        text("group_id", "A group that the user acted for; Segment takes it from the profile, so that it is not sent."),
        object("properties", "What there is to say about it."),
    ]
}

fn subscription() -> Vec<Field> {
    let status = |name: &str, channel: &str| {
        text(name, &format!("The status of {channel}: true or subscribed, false or unsubscribed, did-not-subscribe; empty for none."))
            .allow_null()
    };
    vec![
        text("email", "The e-mail address."),
        status("email_subscription_status", "e-mail"),
        object("subscription_groups", "Groups of e-mail, each with a status; they need `email_subscription_status`."),
        text("phone", "The telephone number, such as +14155550100."),
        status("sms_subscription_status", "SMS"),
        status("whatsapp_subscription_status", "WhatsApp"),
        text("android_push_token", "The token of an Android device."),
        status("android_push_subscription_status", "push to Android"),
        text("ios_push_token", "The token of an iOS device."),
        status("ios_push_subscription_status", "push to iOS"),
        object("traits", "What there is to say about the user."),
    ]
}
