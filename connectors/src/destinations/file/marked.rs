//! Members that may be any JSON value: their column is text, and what is no text is written as the JSON that it is.
//!
//! ```text
//! {"id": 7, "doc": {"a": [1.10]}}      doc is marked ─►      {"id": 7, "doc": "{\"a\": [1.10]}"}
//! ```
//!
//! Everything else stays the bytes that it was, so that numbers keep their digits; no value is built of a payload.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use outflow_contract::outcome::ANY_VALUE;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Is any field marked, or one in it?
pub(super) fn any_in(fields: &Fields) -> bool {
    fields.iter().any(|field| has_any(field))
}

fn has_any(field: &Field) -> bool {
    is_any(field) || struct_fields(field).is_some_and(any_in) || inner(field.data_type()).is_some_and(|inner| has_any(inner))
}

fn is_any(field: &Field) -> bool {
    field.metadata().contains_key(ANY_VALUE)
}

/// The items of a list, the entries of a map.
fn inner(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(items) => Some(items),
        DataType::Map(entries, _) => Some(entries),
        _ => None,
    }
}

fn struct_fields(field: &Field) -> Option<&Fields> {
    match field.data_type() {
        DataType::Struct(fields) => Some(fields),
        _ => None,
    }
}

/// The same field, all the way down, without the mark: it is nothing to a reader of the file.
pub(super) fn without(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::List(items) => DataType::List(Arc::new(without(items))),
        DataType::Map(entries, sorted) => DataType::Map(Arc::new(without(entries)), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| without(field)).collect()),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}

/// Appends a payload with text wherever its members are marked. One that is no object stays as it is.
pub(super) fn write(payload: &[u8], fields: &Fields, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let payload: &RawValue = serde_json::from_slice(payload)?;
    if payload.get().starts_with('{') {
        return object(payload, |name| fields.find(name).map(|(_, field)| &**field), out);
    }
    out.extend_from_slice(payload.get().as_bytes());
    Ok(())
}

fn value(json: &RawValue, field: &Field, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match (field.data_type(), json.get().as_bytes()) {
        // Text and null are what they are.
        (_, [b'"' | b'n', ..]) => {}
        _ if is_any(field) => return serde_json::to_writer(out, json.get()),
        _ if !has_any(field) => {}
        (DataType::Struct(fields), [b'{', ..]) => return object(json, |name| fields.find(name).map(|(_, field)| &**field), out),
        (DataType::Map(entries, _), [b'{', ..]) => {
            let values = struct_fields(entries).and_then(|pair| pair.last());
            return object(json, |_| values.map(|values| &**values), out);
        }
        (DataType::List(item), [b'[', ..]) => return list(json, item, out),
        _ => {}
    }
    out.extend_from_slice(json.get().as_bytes());
    Ok(())
}

fn object<'f>(json: &RawValue, field: impl Fn(&str) -> Option<&'f Field>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let Members(members) = serde_json::from_str(json.get())?;
    out.push(b'{');
    for (at, (name, member)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, &name)?;
        out.push(b':');
        match field(&name) {
            Some(field) => value(member, field, out)?,
            None => out.extend_from_slice(member.get().as_bytes()),
        }
    }
    out.push(b'}');
    Ok(())
}

fn list(json: &RawValue, item: &Field, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let items: Vec<&RawValue> = serde_json::from_str(json.get())?;
    out.push(b'[');
    for (at, json) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        value(json, item, out)?;
    }
    out.push(b']');
    Ok(())
}

/// The members of an object in their order, each value as the text that it is.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(name: &str) -> Field {
        Field::new(name, DataType::Utf8, true).with_metadata([(ANY_VALUE.to_owned(), String::new())].into())
    }

    #[test]
    fn what_is_marked_becomes_text_and_the_rest_stays_the_bytes_that_it_was() {
        let inner = Fields::from(vec![any("x"), Field::new("n", DataType::Float64, true)]);
        let fields = Fields::from(vec![
            any("doc"),
            Field::new("n", DataType::Float64, true),
            Field::new("list", DataType::List(Arc::new(Field::new("item", DataType::Struct(inner), true))), true),
        ]);
        assert!(any_in(&fields) && !any_in(&fields.iter().map(|field| without(field)).collect()));
        let written = |payload: &str| {
            let mut out = Vec::new();
            write(payload.as_bytes(), &fields, &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        for (payload, expected) in [
            (r#"{"doc":{"a" : [1.10]},"n":1.0e5,"other":{"doc":1}}"#, r#"{"doc":"{\"a\" : [1.10]}","n":1.0e5,"other":{"doc":1}}"#),
            (
                r#"{"doc":"a\u0041","list":[{"x":true,"n":12.50},null,{"x":null}]}"#,
                r#"{"doc":"a\u0041","list":[{"x":"true","n":12.50},null,{"x":null}]}"#,
            ),
            (r#"{"d\u006fc":7}"#, r#"{"doc":"7"}"#),
            ("[1]", "[1]"),
            ("{}", "{}"),
        ] {
            assert_eq!(written(payload).unwrap(), expected);
        }
        assert!(written("{").is_err());
    }
}
