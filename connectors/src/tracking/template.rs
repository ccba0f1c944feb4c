//! A message as data: the parts that the kinds of messages share. Each says the same as the function of that name in `message`.

use outflow_contract::template::{Member, Message, Template};

use super::MESSAGE_BYTES_MAX;
use super::message::{missing, no_user, too_large};

/// The message of these members.
pub(crate) fn message(members: Vec<Member>) -> Message {
    Message { template: Template::Members(members), bytes_max: MESSAGE_BYTES_MAX, too_large }
}

/// A word without anything to escape.
pub(crate) fn word(word: &str) -> Template {
    Template::Constant(format!("\"{word}\""))
}

/// The field, which must be there and no blank text.
pub(crate) fn needed(field: &'static str) -> Template {
    Template::Filled(field).or_refused(missing(field))
}

/// `userId` and `anonymousId`, one of which must be there.
pub(crate) fn who() -> Member {
    Member::Any(vec![("userId", Template::Filled("user_id")), ("anonymousId", Template::Filled("anonymous_id"))], no_user())
}

/// `timestamp` and `messageId`: the mapped one, or else the record's own.
pub(crate) fn stamp() -> [Member; 2] {
    [Template::Filled("timestamp").named("timestamp"), Template::Filled("message_id").or(Template::RecordId).named("messageId")]
}

/// The field's own members, or none.
pub(crate) fn spread(field: &'static str) -> Template {
    Template::Object(field).or(nothing())
}

/// An object without members, such as the consent that nobody mapped.
pub(crate) fn nothing() -> Template {
    Template::Constant("{}".to_owned())
}
