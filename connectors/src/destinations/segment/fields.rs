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
        // An event may say so by its name.
        deletes: matches!(kind, Kind::Track),
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
    let address = vec![
        text("street", "Street and number."),
        text("city", "The city."),
        text("state", "The state, or what the country calls it."),
        text("country", "The country."),
        text("postalCode", "The postal code."),
    ];
    fields.extend([
        object("traits", "What there is to say about the user."),
        message_id(),
        consent(),
        object("address", "Where the user lives: becomes the trait `address`.").properties(address),
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
        timestamp(),
    ];
    fields.extend(context(true));
    fields.extend([message_id(), consent()]);
    fields
}

/// Whom it is about and when it was, `own`, and where it came from.
fn with_context(own: Vec<Field>, group: bool) -> Vec<Field> {
    let mut fields = vec![user_id(), anonymous_id(), timestamp()];
    fields.extend(own);
    fields.extend(context(group));
    fields
}

/// Where a message came from. `group`: the group is part of it, and not what the message is about.
fn context(group: bool) -> Vec<Field> {
    let mut fields = vec![
        object("application", "The app.").properties(vec![
            text("name", "Its name."),
            text("version", "Its version."),
            text("build", "The number of the build."),
            text("namespace", "Its identifier, such as com.example.shop."),
        ]),
        object("campaign_parameters", "The campaign that led there.").properties(vec![
            text("name", "Its name."),
            text("source", "Where the user came from, such as a newsletter."),
            text("medium", "By what, such as email or cpc."),
            text("term", "The words searched for."),
            text("content", "Which of several links or advertisements it was."),
        ]),
        device(),
        text("ip_address", "The user's IP address."),
        text("locale", "Language and country, such as en-US."),
        object("location", "Where the user was.").properties(vec![
            text("city", "The city."),
            text("country", "The country."),
            Field::new("latitude", FieldKind::Number, "Degrees north."),
            Field::new("longitude", FieldKind::Number, "Degrees east."),
            Field::new("speed", FieldKind::Number, "The speed."),
        ]),
        object("network", "The connection.").properties(vec![
            Field::new("bluetooth", FieldKind::Boolean, "Is Bluetooth on?"),
            text("carrier", "The telephone company."),
            Field::new("cellular", FieldKind::Boolean, "Is it by telephone network?"),
            Field::new("wifi", FieldKind::Boolean, "Is it by wireless network?"),
        ]),
        object("operating_system", "The operating system.").properties(vec![text("name", "Its name."), text("version", "Its version.")]),
        object("page", "The page that the user was on.").properties(vec![
            text("path", "The path in its URL."),
            text("referrer", "The URL of the page before it."),
            text("search", "The query in its URL."),
            text("title", "Its title."),
            text("url", "Its URL."),
        ]),
        object("screen", "The display.").properties(vec![
            Field::new("density", FieldKind::Number, "Its pixels for each point."),
            Field::new("height", FieldKind::Number, "Its height in points."),
            Field::new("width", FieldKind::Number, "Its width in points."),
        ]),
        text("user_agent", "What the browser says of itself."),
        text("timezone", "The user's time zone, such as Europe/Oslo."),
    ];
    if group {
        fields.push(text("group_id", "The group that the user acted for."));
    }
    fields
}

fn device() -> Field {
    object("device", "The device.").properties(vec![
        text("id", "Its identifier."),
        text("advertising_id", "Its identifier for advertising."),
        Field::new("adTracking_Enabled", FieldKind::Boolean, "May that one be used?"),
        text("manufacturer", "Who made it."),
        text("model", "The model."),
        text("name", "The name that its owner gave it."),
        text("type", "Its system, such as ios or android."),
        text("token", "Its token for push messages."),
    ])
}
