//! What the destination is, as data: its settings, its actions and their fields.

use outflow_contract::Op;
use outflow_contract::destination::{Action, Descriptor, Field, FieldKind};

use super::message::Kind;
use super::{ACTIONS, WRITE_KEY};
use crate::tracking::fields::{anonymous_id, consent, message_id, object, region, text, timestamp, user_id};

pub(super) fn descriptor() -> Descriptor {
    Descriptor {
        name: "segment".to_owned(),
        title: "Segment Connections".to_owned(),
        description: "Sends records to a source of a Segment workspace, as events or as facts about users and groups.".to_owned(),
        settings: vec![text(WRITE_KEY, "The write key of the source that takes the records.").required().secret(), region()],
        actions: ACTIONS.into_iter().map(|(name, kind)| action(name, kind)).collect(),
    }
}

fn action(name: &str, kind: Kind) -> Action {
    let (title, description, fields) = match kind {
        Kind::Track => ("Send track", "Each record is something that a user did.", track()),
        Kind::Identify => ("Send identify", "Each record is a user, with traits.", identify()),
        Kind::Group => ("Send group", "Each record puts a user into a group, with traits of the group.", group()),
        Kind::Page => ("Send page", "Each record is a page of a site that a user saw.", page()),
        Kind::Screen => ("Send screen", "Each record is a screen of an app that a user saw.", screen()),
        Kind::Alias => ("Send alias", "Each record says that two identifiers are one user.", alias()),
    };
    Action {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        ops: Op::ALL.to_vec(),
        fields: Some(fields),
    }
}

fn track() -> Vec<Field> {
    let event = text("event_name", "What was done, such as Order Completed.").required();
    let mut fields = with_context(vec![event], true);
    fields.extend([
        object("properties", "What there is to say about it."),
        object("traits", "Traits of the user to go with it."),
        message_id(),
        consent(),
    ]);
    fields
}

fn identify() -> Vec<Field> {
    let mut fields = with_context(Vec::new(), true);
    let address = ["street", "city", "state", "country", "postalCode"].map(|part| text(part, "A part of the address."));
    fields.extend([
        object("traits", "What there is to say about the user."),
        message_id(),
        consent(),
        object("address", "Where the user lives: becomes the trait `address`.").properties(address.to_vec()),
    ]);
    fields
}

fn group() -> Vec<Field> {
    let mut fields = with_context(vec![text("group_id", "Your own identifier of the group.").required()], false);
    fields.extend([object("traits", "What there is to say about the group."), message_id(), consent()]);
    fields
}

fn page() -> Vec<Field> {
    let own = vec![text("page_name", "The name of the page."), text("page_category", "The category of the page.")];
    let mut fields = with_context(own, true);
    fields.extend([object("properties", "What there is to say about the page; wins over the members of `page`."), message_id(), consent()]);
    fields
}

fn screen() -> Vec<Field> {
    let mut fields = with_context(vec![text("screen_name", "The name of the screen.")], true);
    fields.extend([object("properties", "What there is to say about the screen."), message_id(), consent()]);
    fields
}

fn alias() -> Vec<Field> {
    let mut fields = vec![
        text("previous_id", "The identifier that the user had before.").required(),
        text("user_id", "The identifier that the user has from now on.").required(),
        timestamp(FieldKind::String),
    ];
    fields.extend(context(true));
    fields.extend([message_id(), consent()]);
    fields
}

/// Whom it is about and when it was, `own`, and where it came from.
fn with_context(own: Vec<Field>, group: bool) -> Vec<Field> {
    let mut fields = vec![user_id(), anonymous_id(), timestamp(FieldKind::String)];
    fields.extend(own);
    fields.extend(context(group));
    fields
}

/// Where a message came from. `group`: the group is part of it, and not what the message is about.
fn context(group: bool) -> Vec<Field> {
    let texts = |names: &[&str]| names.iter().map(|name| text(name, "Text.")).collect::<Vec<_>>();
    let kinds = |names: &[&str], kind| names.iter().map(|name| Field::new(name, kind, kind_words(kind))).collect::<Vec<_>>();
    let numbers = |names: &[&str]| kinds(names, FieldKind::Number);
    let flags = |names: &[&str]| kinds(names, FieldKind::Boolean);
    let device =
        [texts(&["id", "advertising_id"]), flags(&["adTracking_Enabled"]), texts(&["manufacturer", "model", "name", "type", "token"])];
    let network = [flags(&["bluetooth"]), texts(&["carrier"]), flags(&["cellular", "wifi"])];
    let mut fields = vec![
        object("application", "The app.").properties(texts(&["name", "version", "build", "namespace"])),
        object("campaign_parameters", "The campaign that led there.").properties(texts(&["name", "source", "medium", "term", "content"])),
        object("device", "The device.").properties(device.concat()),
        text("ip_address", "The user's IP address."),
        text("locale", "Language and country, such as en-US."),
        object("location", "Where the user was.")
            .properties([texts(&["city", "country"]), numbers(&["latitude", "longitude", "speed"])].concat()),
        object("network", "The connection.").properties(network.concat()),
        object("operating_system", "The operating system.").properties(texts(&["name", "version"])),
        object("page", "The page that the user was on.").properties(texts(&["path", "referrer", "search", "title", "url"])),
        object("screen", "The display.").properties(numbers(&["density", "height", "width"])),
        text("user_agent", "What the browser says of itself."),
        text("timezone", "The user's time zone, such as Europe/Oslo."),
    ];
    if group {
        fields.push(text("group_id", "The group that the user acted for."));
    }
    fields
}

fn kind_words(kind: FieldKind) -> &'static str {
    if kind == FieldKind::Number { "A number." } else { "True or false." }
}
