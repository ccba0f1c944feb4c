//! What columns can be equal to; [`super::equality`] says so of all types whose values it finds to be.

use arrow::datatypes::TimeUnit;

use super::*;
use crate::diff::can_be_equal;

pub(super) fn field(kind: &DataType) -> Field {
    Field::new("v", kind.clone(), true)
}

#[allow(clippy::needless_pass_by_value, reason = "shorter to call")]
fn json(kind: DataType) -> Field {
    field(&kind).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into())
}

fn list(item: Field) -> Field {
    field(&DataType::List(Arc::new(item.with_name("item"))))
}

fn members(kinds: &[(&str, DataType)]) -> Field {
    field(&DataType::Struct(kinds.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Fields>()))
}

#[test]
fn columns_of_different_classes_cannot_be_equal() {
    let zoned = |zone: Option<&str>| field(&DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into)));
    let map = |value: DataType| {
        let entries = members(&[("keys", DataType::Utf8), ("values", value)]);
        field(&DataType::Map(Arc::new(entries), false))
    };
    let classes = [
        field(&DataType::Boolean),
        field(&DataType::Int64),
        field(&DataType::Utf8),
        field(&DataType::Binary),
        zoned(None),
        zoned(Some("Europe/Oslo")),
        field(&DataType::Date32),
        field(&DataType::Time32(TimeUnit::Second)),
        field(&DataType::Duration(TimeUnit::Second)),
        json(DataType::Utf8),
        list(field(&DataType::Int64)),
        list(field(&DataType::Utf8)),
        list(json(DataType::Utf8)),
        map(DataType::Int64),
        map(DataType::Utf8),
        members(&[("a", DataType::Int64)]),
        members(&[("a", DataType::Utf8)]),
    ];
    for (i, a) in classes.iter().enumerate() {
        for (j, b) in classes.iter().enumerate() {
            assert_eq!(can_be_equal(a, b), i == j, "{a} {b}");
        }
    }
}

#[test]
fn columns_of_one_class_can_be_equal_and_one_without_a_type_can_be_anything() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::LargeUtf8));
    let pairs = [
        (field(&DataType::Date32), field(&DataType::Date64)),
        (field(&DataType::Binary), field(&DataType::FixedSizeBinary(16))),
        (field(&DataType::BinaryView), field(&DataType::LargeBinary)),
        (field(&DataType::Time32(TimeUnit::Second)), field(&DataType::Time64(TimeUnit::Nanosecond))),
        (list(field(&DataType::Int64)), field(&DataType::new_large_list(DataType::Int32, true))),
        (json(DataType::Utf8), json(DataType::Utf8View)),
        (json(dictionary.clone()), json(DataType::Utf8)),
        (field(&dictionary), field(&DataType::Utf8)),
        (members(&[("a", DataType::Int64)]), members(&[("a", DataType::Int8), ("b", DataType::Utf8)])),
        (field(&DataType::Null), field(&DataType::Date32)),
        (list(field(&DataType::Null)), list(field(&DataType::Date32))),
    ];
    for (a, b) in pairs {
        assert!(can_be_equal(&a, &b) && can_be_equal(&b, &a), "{a} {b}");
    }
}
