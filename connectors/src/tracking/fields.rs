//! The settings and fields that every destination of the Tracking API has.

use outflow_contract::destination::{Field, FieldKind};

use super::REGIONS;

/// The setting `region`.
pub(crate) fn region() -> Field {
    let names = REGIONS.map(|(name, _)| name);
    Field::new("region", FieldKind::String, "Where the workspace is.").default(names[0]).choices(&names)
}

/// An optional text.
pub(crate) fn text(name: &str, description: &str) -> Field {
    Field::new(name, FieldKind::String, description)
}

/// An optional object of any members.
pub(crate) fn object(name: &str, description: &str) -> Field {
    Field::new(name, FieldKind::Object, description)
}

/// `user_id`.
pub(crate) fn user_id() -> Field {
    text("user_id", "Your own identifier of the user.")
}

/// `anonymous_id`.
pub(crate) fn anonymous_id() -> Field {
    text("anonymous_id", "The identifier of someone who is not known by a user id; one of the two is needed.")
}

/// `timestamp`, by default the model's timestamp column.
pub(crate) fn timestamp() -> Field {
    Field::new("timestamp", FieldKind::Datetime, "When it happened; without it, when Segment receives it.")
        .default(serde_json::json!({ "@path": "$.__timestamp" }))
}

/// `message_id`.
pub(crate) fn message_id() -> Field {
    text("message_id", "What Segment recognises a message by that it has had before; without it, the identity of this state of the record.")
}

/// `consent`.
pub(crate) fn consent() -> Field {
    let preferences = object("categoryPreferences", "The categories, each true or false; one that is null is left out.");
    object("consent", "What the user agreed to: an object with `categoryPreferences`.")
        .properties(vec![preferences.required()])
        .open()
        .untouched()
}
