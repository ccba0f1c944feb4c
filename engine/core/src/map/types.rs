//! What a mapping's payloads are made of, as Arrow types: for destinations whose files have columns.
//!
//! The types follow from the mapping and the model's columns alone, never from the records, so that all files of a mapping have one
//! schema. Each is the type that the payload's JSON carries faithfully:
//!
//! | in the mapping | type |
//! |---|---|
//! | a column | its own; encodings as the plain type, 32 and 64 bit decimals as 128 bit, half floats as single ones |
//! | a date, a moment | date; timestamp, in UTC if it has a zone; seconds as milliseconds |
//! | binary | text, base64 as in the payload |
//! | a duration, an interval | text, ISO 8601 as in the payload |
//! | a list, struct, map | the same; a map's keys are text; what has no members at all is text |
//! | a constant | by its kind: boolean, 64 bit integer, double, text, list, struct |
//! | `@template`, `__op`, `__sync_id` | text |
//! | another directive | what it says of itself: see `call` |
//! | JSON text, a declared field of another kind than its value, `@if` with branches of two types, lists of several types | text, marked [`ANY_VALUE`]: strings as they are, the rest as JSON |
//! | nothing at all, or null | text |
//!
//! Everything may be null. A payload that is no object with members, or only known at run time to be one, has no schema.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use outflow_contract::destination::FieldKind;
use outflow_contract::outcome::ANY_VALUE;
use serde_json::Value;

use super::coerce::Wanted;
use super::compile::{Node, Place};
use super::route::{End, Typed};

/// Timestamps with a zone are written in UTC.
pub(crate) const UTC: &str = "+00:00";

/// The type of a value, or that it is only known at run time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Is(DataType),
    Any,
}

impl Told {
    pub(crate) fn text() -> Self {
        Self::Is(DataType::Utf8)
    }

    /// A list of items.
    pub(crate) fn list(items: Option<Self>) -> Self {
        list(std::iter::once(items))
    }

    /// What is one or the other.
    pub(crate) fn either(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        either(one, other)
    }

    /// A constant; `None` if it is null.
    pub(crate) fn constant(value: &Value) -> Option<Self> {
        constant(value)
    }

    /// An object of the members of several.
    pub(crate) fn merged(args: &[Option<Self>]) -> Self {
        let mut members: Vec<(String, Option<Self>)> = Vec::new();
        for arg in args.iter().flatten() {
            let Self::Is(DataType::Struct(fields)) = arg else { return Self::Any };
            for field in fields {
                let told = if field.metadata().contains_key(ANY_VALUE) { Self::Any } else { Self::Is(field.data_type().clone()) };
                match members.iter_mut().find(|(name, _)| name == field.name()) {
                    Some((_, known)) => *known = either(known.take(), Some(told)),
                    None => members.push((field.name().clone(), Some(told))),
                }
            }
        }
        object(members.into_iter())
    }
}

/// The schema of the payloads that `root` writes, if they are objects with members.
pub(super) fn schema(root: &Node) -> Option<SchemaRef> {
    match node(root)? {
        Told::Is(DataType::Struct(fields)) => Some(Arc::new(Schema::new(fields))),
        _ => None,
    }
}

/// `None`: always missing or null.
pub(super) fn node(node: &Node) -> Option<Told> {
    match node {
        Node::Literal(text) => serde_json::from_slice(text).ok().and_then(|value| constant(&value)),
        Node::Missing => None,
        Node::Object(members) => Some(object(members.iter().map(|(prefix, member)| (name(prefix), self::node(member))))),
        Node::Array(items) => Some(list(items.iter().map(self::node))),
        Node::Op | Node::RecordId | Node::SyncId | Node::Template(_) => Some(Told::text()),
        Node::Now(writer) => Some(writer.told()),
        Node::Value(place) => value(place),
        Node::Json(_) | Node::JsonItems { .. } => Some(Told::Any),
        Node::If { then, otherwise, .. } => {
            let branch = |branch: &Option<Box<Node>>| branch.as_deref().and_then(self::node);
            either(branch(then), branch(otherwise))
        }
        Node::Case { value, .. } => self::node(value),
        Node::Typed { wanted, value } => Some(turned(wanted, self::node(value))),
        Node::Items { shape, .. } => Some(list(std::iter::once(self::node(shape)))),
        Node::Transform { mapping, .. } => self::node(mapping),
        Node::Call { work, args } => work.told(&args.iter().map(self::node).collect::<Vec<_>>()),
    }
}

/// A declared field: text is text, other values keep their type where that is of the field's kind.
fn turned(wanted: &Wanted, told: Option<Told>) -> Told {
    let (kind, Some(Told::Is(data_type))) = (wanted.kind(), told) else { return Told::Any };
    let keeps = match kind {
        _ if wanted.is_multiple() => false,
        FieldKind::String => return Told::Is(DataType::Utf8),
        FieldKind::Number => data_type.is_numeric(),
        FieldKind::Integer => data_type.is_integer(),
        FieldKind::Boolean => data_type == DataType::Boolean,
        FieldKind::Datetime => true,
        FieldKind::Object | FieldKind::StringOrObject => data_type.is_nested(),
    };
    if keeps { Told::Is(data_type) } else { Told::Any }
}

/// The name in an object member's prefix, `,"name":`.
pub(crate) fn name(prefix: &[u8]) -> String {
    let quoted = prefix.get(1..prefix.len().saturating_sub(1)).unwrap_or_default();
    serde_json::from_slice(quoted).unwrap_or_default()
}

fn value(place: &Place) -> Option<Told> {
    match place.route.end {
        End::Nothing => None,
        _ => plain(Typed { data_type: &place.data_type, json: place.json }),
    }
}

fn constant(value: &Value) -> Option<Told> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => Told::Is(DataType::Boolean),
        Value::Number(number) if number.as_i64().is_some() => Told::Is(DataType::Int64),
        Value::Number(number) if number.as_u64().is_some() => Told::Is(DataType::UInt64),
        // Whole numbers beyond that keep their digits as text.
        Value::Number(number) if number.to_string().bytes().all(|b| b.is_ascii_digit() || b == b'-') => Told::Any,
        Value::Number(_) => Told::Is(DataType::Float64),
        Value::String(_) => Told::Is(DataType::Utf8),
        Value::Array(items) => list(items.iter().map(constant)),
        Value::Object(members) => object(members.iter().map(|(name, member)| (name.clone(), constant(member)))),
    })
}

fn object(members: impl Iterator<Item = (String, Option<Told>)>) -> Told {
    let fields: Fields = members.map(|(name, told)| field(&name, told)).collect();
    if fields.is_empty() { Told::Any } else { Told::Is(DataType::Struct(fields)) }
}

fn list(items: impl Iterator<Item = Option<Told>>) -> Told {
    Told::Is(DataType::List(Arc::new(field("item", items.fold(None, either)))))
}

fn field(name: &str, told: Option<Told>) -> Field {
    match told {
        Some(Told::Is(data_type)) => Field::new(name, data_type, true),
        Some(Told::Any) => {
            let mark = [(ANY_VALUE.to_owned(), String::new())];
            Field::new(name, DataType::Utf8, true).with_metadata(mark.into_iter().collect())
        }
        None => Field::new(name, DataType::Utf8, true),
    }
}

/// The type of what is one or the other.
fn either(one: Option<Told>, other: Option<Told>) -> Option<Told> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    if one == other {
        return Some(one);
    }
    let (Told::Is(a), Told::Is(b)) = (&one, &other) else { return Some(Told::Any) };
    let fits = |a: &DataType| a.is_signed_integer() || (a.is_unsigned_integer() && *a != DataType::UInt64);
    Some(if fits(a) && fits(b) {
        Told::Is(DataType::Int64)
    } else if a.is_floating() && b.is_floating() {
        Told::Is(DataType::Float64)
    } else {
        Told::Any
    })
}

/// A column's type as its JSON carries it; `None` where every value is null.
fn plain(typed: Typed<'_>) -> Option<Told> {
    use DataType as T;
    let inner = |field: &Field| plain(Typed::from(field));
    Some(Told::Is(match typed.data_type {
        T::Null => return None,
        T::Utf8 | T::LargeUtf8 | T::Utf8View if typed.json => return Some(Told::Any),
        T::Float16 => T::Float32,
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => decimal(*precision, *scale),
        T::Date32 | T::Date64 => T::Date32,
        T::Timestamp(unit, zone) => T::Timestamp(no_seconds(*unit), zone.as_ref().map(|_| UTC.into())),
        T::Time32(_) => T::Time32(TimeUnit::Millisecond),
        T::Time64(_) => typed.data_type.clone(),
        T::Struct(fields) => return Some(object(fields.iter().map(|field| (field.name().clone(), inner(field))))),
        T::Map(entries, _) => {
            let T::Struct(pair) = entries.data_type() else { return Some(Told::Any) };
            let values = pair.last().and_then(|values| inner(values));
            let pair = vec![Field::new("key", T::Utf8, false), field("value", values)];
            T::Map(Arc::new(Field::new("entries", T::Struct(pair.into()), false)), false)
        }
        T::Dictionary(_, values) => return plain(Typed { data_type: values, json: typed.json }),
        T::RunEndEncoded(_, values) => {
            return plain(Typed { data_type: values.data_type(), json: typed.json || Typed::from(values.as_ref()).json });
        }
        other if other.is_integer() || other.is_floating() || *other == T::Boolean => other.clone(),
        _ => match typed.items() {
            Some(items) => return Some(list(std::iter::once(plain(items)))),
            // Text, and what is written as text: binary, durations, intervals.
            None => T::Utf8,
        },
    }))
}

/// Decimals are written with all their digits, so that a negative scale is more digits and none behind the point.
fn decimal(precision: u8, scale: i8) -> DataType {
    let (precision, scale) = if scale < 0 { (precision.saturating_add(scale.unsigned_abs()), 0) } else { (precision, scale) };
    match precision {
        ..=DECIMAL128_MAX_PRECISION => DataType::Decimal128(precision, scale),
        39..=DECIMAL256_MAX_PRECISION => DataType::Decimal256(precision, scale),
        _ => DataType::Utf8,
    }
}

/// Parquet knows no seconds.
fn no_seconds(unit: TimeUnit) -> TimeUnit {
    if unit == TimeUnit::Second { TimeUnit::Millisecond } else { unit }
}

#[cfg(test)]
mod tests {
    use outflow_contract::expr::{Expr, Path, Test};
    use outflow_contract::limits::Limits;
    use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
    use serde_json::json;

    use super::super::Mapper;
    use super::*;

    fn path(text: &str) -> Expr {
        Expr::Path(Path { segments: text.split('.').filter(|s| !s.is_empty()).map(Into::into).collect() })
    }

    fn columns() -> SchemaRef {
        let json = [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into_iter().collect();
        let place = Fields::from(vec![Field::new("city", DataType::Utf8View, true), Field::new("zip", DataType::Int32, true)]);
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("small", DataType::Int8, true),
            Field::new("price", DataType::Decimal64(10, 2), true),
            Field::new("round", DataType::Decimal128(5, -3), true),
            Field::new("at", DataType::Timestamp(TimeUnit::Second, Some("Europe/Oslo".into())), true),
            Field::new("day", DataType::Date64, true),
            Field::new("raw", DataType::Binary, true),
            Field::new("word", DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)), true),
            Field::new("doc", DataType::Utf8, true).with_metadata(json),
            Field::new("place", DataType::Struct(place), true),
            Field::new("tags", DataType::LargeList(Arc::new(Field::new("x", DataType::Utf8, false))), true),
        ]))
    }

    fn types(expr: &Expr) -> Option<Vec<String>> {
        let mapper = Mapper::compile(expr, None, &columns(), &["id".to_owned()], &Limits::default()).unwrap();
        let shown = |field: &Arc<Field>| {
            let any = if field.metadata().contains_key(ANY_VALUE) { " (any)" } else { "" };
            format!("{} {}{any}", field.name(), field.data_type())
        };
        mapper.payload_schema().map(|schema| schema.fields().iter().map(shown).collect())
    }

    fn member(expr: Expr) -> String {
        let told = types(&Expr::Object(vec![("m".to_owned(), expr)])).unwrap();
        told[0].strip_prefix("m ").unwrap().to_owned()
    }

    #[test]
    fn a_column_keeps_the_type_that_its_json_carries() {
        for (column, expected) in [
            ("id", "Int64"),
            ("__segment_id", "Int64"),
            ("small", "Int8"),
            ("price", "Decimal128(10, 2)"),
            ("round", "Decimal128(8, 0)"),
            ("at", "Timestamp(ms, \"+00:00\")"),
            ("day", "Date32"),
            ("raw", "Utf8"),
            ("word", "Utf8"),
            ("doc", "Utf8 (any)"),
            ("doc.inside", "Utf8 (any)"),
            ("place.zip", "Int32"),
            ("place.gone", "Utf8"),
            ("tags.0", "Utf8"),
            ("__op", "Utf8"),
        ] {
            assert_eq!(member(path(column)), expected, "{column}");
        }
    }

    #[test]
    fn constants_branches_and_lists_are_told_by_what_they_hold() {
        let literal = |value: Value| member(Expr::Literal(value));
        assert_eq!(literal(json!(true)), "Boolean");
        assert_eq!(literal(json!(18_446_744_073_709_551_615_u64)), "UInt64");
        assert_eq!(literal(serde_json::from_str("123456789012345678901234567890").unwrap()), "Utf8 (any)");
        assert_eq!(literal(json!(1.5)), "Float64");
        assert_eq!(literal(json!(null)), "Utf8");
        assert_eq!(literal(json!({})), "Utf8 (any)");
        let branches = |then: &str, otherwise: Option<&str>| {
            let test = Test::Exists(Box::new(path("id")));
            member(Expr::If { test, then: Some(Box::new(path(then))), otherwise: otherwise.map(|name| Box::new(path(name))) })
        };
        assert_eq!(branches("small", Some("id")), "Int64");
        assert_eq!(branches("small", None), "Int8");
        assert_eq!(branches("small", Some("word")), "Utf8 (any)");
        let items = |names: &[&str]| member(Expr::Array(names.iter().map(|name| path(name)).collect()));
        assert!(items(&["word", "raw"]).starts_with("List(Utf8"), "{}", items(&["word", "raw"]));
        assert!(items(&["word", "id"]).contains(ANY_VALUE), "{}", items(&["word", "id"]));
    }

    #[test]
    fn only_an_object_with_members_has_a_schema() {
        assert_eq!(types(&path("place")).unwrap(), ["city Utf8", "zip Int32"]);
        assert_eq!(types(&path("")).unwrap().len(), columns().fields().len());
        for none in [path("id"), path("doc"), Expr::Literal(json!([1])), Expr::Object(Vec::new()), path("tags")] {
            assert_eq!(types(&none), None, "{none:?}");
        }
    }
}
