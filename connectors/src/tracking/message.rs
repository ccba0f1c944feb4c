//! One message, written straight from the bytes of the mapped fields: no value of a record is ever built.
//!
//! The mapped record is read once, into slices of its text ([`RawValue`]), which are copied to where they belong.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use outflow_contract::destination::RecordOrigin;
use outflow_contract::outcome::Rejection;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::MESSAGE_BYTES_MAX;

/// The member of a consent that holds the categories.
const PREFERENCES: &str = "categoryPreferences";

/// A field of the mapped record, as its JSON text; null is as good as absent.
pub(crate) type Raw<'a> = Option<&'a RawValue>;

/// Appends one message to `out`: reads `fields`, and lets `write` fill the object. On an error nothing is appended.
pub(crate) fn write<'a, F: Deserialize<'a>>(
    fields: &'a [u8],
    out: &mut Vec<u8>,
    write: impl FnOnce(&F, &mut Object<'_>) -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    let start = out.len();
    let fields: F = serde_json::from_slice(fields).map_err(|_| rejection("wrong_type", "the mapped record is no object of fields"))?;
    let mut message = Object::open(out);
    let written = write(&fields, &mut message);
    message.close();
    let bytes = out.len() - start;
    let result = written.and_then(|()| if bytes > MESSAGE_BYTES_MAX { Err(too_large(bytes)) } else { Ok(()) });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Why a record makes no message.
pub(crate) fn rejection(code: &str, message: impl Into<String>) -> Rejection {
    Rejection { code: code.to_owned(), message: message.into() }
}

#[cold]
pub(super) fn too_large(bytes: usize) -> Rejection {
    rejection(
        "record_too_large",
        format!("the message has {bytes} bytes, and Segment takes {MESSAGE_BYTES_MAX} at the most: map fewer columns"),
    )
}

/// A JSON object under way. Names are plain: they are written as they stand.
pub(crate) struct Object<'b> {
    out: &'b mut Vec<u8>,
    empty: bool,
}

impl<'b> Object<'b> {
    pub(crate) fn open(out: &'b mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A member whose value is this JSON text.
    pub(crate) fn json(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A member with the field's value, if it has one.
    pub(crate) fn raw(&mut self, name: &str, value: Raw<'_>) {
        if let Some(value) = value {
            self.json(name, value.get());
        }
    }

    /// A member that is text without anything to escape.
    pub(crate) fn word(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    /// A member of any name.
    pub(crate) fn member(&mut self, name: &str, value: &RawValue) {
        self.separate();
        text(self.out, name);
        self.out.push(b':');
        self.out.extend_from_slice(value.get().as_bytes());
    }

    /// A member that is any text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        text(self.out, value);
    }

    /// All members of `object`.
    pub(crate) fn members(&mut self, object: &RawValue) {
        let inner = inside(object);
        if !inner.is_empty() {
            self.separate();
            self.out.extend_from_slice(inner.as_bytes());
        }
    }

    /// A member that is an object, to be filled and closed.
    pub(crate) fn object(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        Object::open(self.out)
    }

    /// A member that is a list, to be filled and closed.
    pub(crate) fn list(&mut self, name: &str) -> List<'_> {
        self.name(name);
        self.out.push(b'[');
        List { out: self.out, empty: true }
    }

    /// A member that is an object: the field's own members, or none.
    pub(crate) fn spread(&mut self, name: &str, field: &str, value: Raw<'_>) -> Result<(), Rejection> {
        match value {
            Some(value) => self.json(name, as_object(value, field)?.get()),
            None => self.json(name, "{}"),
        }
        Ok(())
    }
}

/// A JSON list of objects under way.
pub(crate) struct List<'b> {
    out: &'b mut Vec<u8>,
    empty: bool,
}

impl List<'_> {
    pub(crate) fn object(&mut self) -> Object<'_> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        Object::open(self.out)
    }

    pub(crate) fn close(self) {
        self.out.push(b']');
    }
}

/// Appends a JSON string.
fn text(out: &mut Vec<u8>, text: &str) {
    // Text always has a JSON form, and a buffer in memory takes it.
    drop(serde_json::to_writer(out, text));
}

/// The value, which has to be an object.
pub(crate) fn as_object<'a>(value: &'a RawValue, field: &str) -> Result<&'a RawValue, Rejection> {
    if value.get().starts_with('{') { Ok(value) } else { Err(rejection("wrong_type", format!("field `{field}` is no object"))) }
}

/// The text between an object's braces.
fn inside(object: &RawValue) -> &str {
    let text = object.get();
    text.get(1..text.len() - 1).unwrap_or_default().trim()
}

/// The value, unless it is blank text: an identifier or address of nothing but spaces is none.
pub(crate) fn filled(value: Raw<'_>) -> Raw<'_> {
    value.filter(|value| !is_blank(value.get()))
}

fn is_blank(json: &str) -> bool {
    let Some(text) = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    match text.trim_start().as_bytes() {
        [] => true,
        // It may be a tab or a line break.
        [b'\\', ..] => serde_json::from_str::<String>(json).is_ok_and(|text| text.trim().is_empty()),
        _ => false,
    }
}

/// The value, which must be there and no blank text: Segment throws a message without it away in silence.
pub(crate) fn needed<'a>(value: Raw<'a>, field: &str) -> Result<&'a RawValue, Rejection> {
    filled(value).ok_or_else(|| missing(field))
}

/// There is no value that says anything.
pub(super) fn missing(field: &str) -> Rejection {
    rejection("missing_field", format!("field `{field}` is missing or blank"))
}

/// Nobody is named.
pub(super) fn no_user() -> Rejection {
    rejection("missing_user", "neither `user_id` nor `anonymous_id` has a value, and Segment takes no message without a user")
}

/// `userId` and `anonymousId`, one of which must be there.
pub(crate) fn who(message: &mut Object<'_>, user_id: Raw<'_>, anonymous_id: Raw<'_>) -> Result<(), Rejection> {
    let (user_id, anonymous_id) = (filled(user_id), filled(anonymous_id));
    if user_id.is_none() && anonymous_id.is_none() {
        return Err(no_user());
    }
    message.raw("userId", user_id);
    message.raw("anonymousId", anonymous_id);
    Ok(())
}

/// `timestamp` and `messageId`: the mapped one, or else the record's own.
pub(crate) fn stamp(message: &mut Object<'_>, timestamp: Raw<'_>, message_id: Raw<'_>, origin: &RecordOrigin) {
    message.raw("timestamp", filled(timestamp));
    match filled(message_id) {
        Some(id) => message.json("messageId", id.get()),
        None => message.word("messageId", Digits::new(origin).as_str()),
    }
}

/// The 32 hexadecimal digits of a record's id, on the stack.
struct Digits([u8; 32]);

impl Digits {
    fn new(origin: &RecordOrigin) -> Self {
        let mut digits = [b'0'; 32];
        // The space is exactly what the digits take, so it cannot fail.
        drop(write!(&mut digits[..], "{}", origin.id));
        Self(digits)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// `context.consent`: what was mapped, save categories that are null, or an empty object where nothing was. What a user agreed to is never
/// dropped in silence: anything that is no object of true and false refuses the record.
pub(crate) fn consent(context: &mut Object<'_>, consent: Raw<'_>) -> Result<(), Rejection> {
    let Some(consent) = consent else {
        context.json("consent", "{}");
        return Ok(());
    };
    let (mut preferences, mut empty) = (None, true);
    let is_object = members(consent, |name, value| {
        empty = false;
        if name == PREFERENCES {
            preferences = Some(value.to_owned());
        }
        true
    });
    let Some(preferences) = preferences.filter(|_| is_object) else {
        if !is_object || !empty {
            return Err(invalid_consent("`consent` is no object with `categoryPreferences`"));
        }
        context.json("consent", "{}");
        return Ok(());
    };
    if preferences.get() == "null" {
        context.json("consent", "{}");
        return Ok(());
    }
    let (mut nulls, mut wrong) = (false, None);
    let is_object = members(&preferences, |name, value| {
        match value.get() {
            "true" | "false" => {}
            "null" => nulls = true,
            _ => wrong = Some(name.to_owned()),
        }
        wrong.is_none()
    });
    match wrong {
        Some(name) => Err(invalid_consent(format!("the category `{name}` of `consent` is neither true nor false"))),
        None if !is_object => Err(invalid_consent("`categoryPreferences` of `consent` is no object")),
        None if nulls => {
            without_nulls(context, consent, &preferences);
            Ok(())
        }
        None => {
            context.json("consent", consent.get());
            Ok(())
        }
    }
}

#[cold]
fn invalid_consent(message: impl Into<String>) -> Rejection {
    rejection("invalid_consent", message)
}

/// Appends the consent without the categories of which nothing is known.
fn without_nulls(context: &mut Object<'_>, consent: &RawValue, preferences: &RawValue) {
    let mut kept = context.object("consent");
    members(consent, |name, value| {
        if name != PREFERENCES {
            kept.member(name, value);
        }
        true
    });
    let mut known = kept.object(PREFERENCES);
    members(preferences, |name, value| {
        if value.get() != "null" {
            known.member(name, value);
        }
        true
    });
    known.close();
    kept.close();
}

/// Which of `names` are members of `object`, one bit for each.
pub(crate) fn which(object: &RawValue, names: &[&str]) -> u32 {
    let mut found = 0;
    members(object, |name, _| {
        if let Some(at) = names.iter().position(|known| *known == name) {
            found |= 1 << at;
        }
        true
    });
    found
}

/// Goes over the members of `object` while `each` says so. True if it came to the end, false for anything but an object.
pub(crate) fn members(object: &RawValue, mut each: impl FnMut(&str, &RawValue) -> bool) -> bool {
    let mut whole = true;
    let walk = Walk(&mut |name: &str, value: &RawValue| {
        whole = whole && each(name, value);
    });
    walk.deserialize(&mut serde_json::Deserializer::from_str(object.get())).is_ok() && whole
}

/// Hands every member of an object to a function, without building the object.
struct Walk<'f>(&'f mut dyn FnMut(&str, &RawValue));

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let value = map.next_value::<&'de RawValue>()?;
            (self.0)(&name, value);
        }
        Ok(())
    }
}

/// The name of a member, borrowed unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
