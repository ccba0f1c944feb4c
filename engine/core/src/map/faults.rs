//! What is wrong with a mapping whatever the records hold: found from the types of the model's columns, before anything is extracted.
//!
//! | field | never takes |
//! |---|---|
//! | text | objects |
//! | number, whole number | objects, dates, moments, times, bytes |
//! | true or false | the same, and decimals |
//! | moment | objects, true and false |
//! | object | anything but objects, maps and JSON text |
//!
//! A list is only wrong where each of its items would be: a list of one is that one. What may be right for one record and wrong for
//! another (text for a number, JSON text) is left to the record, which fails alone. What is always null is not wrong either: the column may
//! be filled one day.

use arrow::datatypes::{DataType, SchemaRef};
use outflow_contract::destination::{Field, FieldKind};
use outflow_contract::expr::Expr;
use outflow_contract::limits::Limits;
use outflow_contract::outcome::ANY_VALUE;
use outflow_contract::{Error, Kind};

use super::Mapper;
use super::coerce::Wanted;
use super::compile::Node;
use super::types::{Told, node};

/// Why a mapping cannot work, every reason that there is; none if it can. An error names the field in backquotes, where it is about one.
pub fn faults(expr: &Expr, declared: Option<&[Field]>, schema: &SchemaRef, id: &[String], limits: &Limits) -> Vec<Error> {
    let mapper = match Mapper::compile(expr, declared, schema, id, limits) {
        Ok(mapper) => mapper,
        Err(error) => return vec![error],
    };
    let mut found = Vec::new();
    gather(&mapper.root, &mut found);
    found
}

/// Declared fields lie in the objects that the mapping draws.
fn gather(tree: &Node, found: &mut Vec<Error>) {
    match tree {
        Node::Object(members) => members.iter().for_each(|(_, member)| gather(member, found)),
        Node::Typed { wanted, value } => found.extend(fault(wanted, value)),
        _ => {}
    }
}

fn fault(wanted: &Wanted, value: &Node) -> Option<Error> {
    let Some(Told::Is(kind)) = node(value) else { return None };
    if !never(wanted, &kind) {
        return None;
    }
    let several = if wanted.is_multiple() { "a list, each item " } else { "" };
    let message = format!("field `{}` takes {several}{}, and the mapping gives it {}", wanted.path(), wanted.noun(), noun(&kind));
    let remedy = match (wanted.kind(), &kind) {
        (FieldKind::Object, _) => "draw the object in the mapping, or select it as JSON text or as a struct in the query",
        (_, DataType::Struct(_) | DataType::Map(..)) => "take one of its members (`$.column.member`), or its JSON text with `@json`",
        _ => "take another column, or CAST it in the query",
    };
    Some(Error::new(Kind::Invalid, message).remedy(remedy))
}

/// Will no value of this type ever do?
fn never(wanted: &Wanted, kind: &DataType) -> bool {
    match kind {
        DataType::List(item) => !item.metadata().contains_key(ANY_VALUE) && never(wanted, item.data_type()),
        DataType::Struct(_) | DataType::Map(..) => !matches!(wanted.kind(), FieldKind::Object | FieldKind::StringOrObject),
        kind => match wanted.kind() {
            FieldKind::Object => true,
            FieldKind::Number | FieldKind::Integer => is_moment(kind),
            FieldKind::Boolean => is_moment(kind) || is_decimal(kind),
            FieldKind::Datetime => *kind == DataType::Boolean,
            FieldKind::String | FieldKind::StringOrObject => false,
        },
    }
}

fn is_moment(kind: &DataType) -> bool {
    kind.is_temporal()
}

fn is_decimal(kind: &DataType) -> bool {
    matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn noun(kind: &DataType) -> String {
    match kind {
        DataType::Struct(_) => "an object".to_owned(),
        DataType::Map(..) => "a map".to_owned(),
        DataType::List(item) => format!("a list, each item {}", noun(item.data_type())),
        DataType::Boolean => "true or false".to_owned(),
        DataType::Date32 => "a date".to_owned(),
        DataType::Timestamp(..) => "a moment".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "a time of day".to_owned(),
        kind if kind.is_numeric() => "a number".to_owned(),
        _ => "text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field as Column, Schema, TimeUnit};
    use outflow_contract::expr::Path;

    use super::*;

    fn schema() -> SchemaRef {
        let member = DataType::Struct(vec![Column::new("city", DataType::Utf8, true)].into());
        let list = |item: DataType| DataType::List(Arc::new(Column::new("item", item, true)));
        Arc::new(Schema::new(vec![
            Column::new("id", DataType::Int64, true),
            Column::new("name", DataType::Utf8, true),
            Column::new("vip", DataType::Boolean, true),
            Column::new("total", DataType::Decimal128(12, 2), true),
            Column::new("joined", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Column::new("address", member.clone(), true),
            Column::new("tags", list(DataType::Utf8), true),
            Column::new("places", list(member), true),
            Column::new("nothing", DataType::Null, true),
        ]))
    }

    fn told(kind: FieldKind, column: &str) -> Vec<String> {
        let fields = [Field::new("f", kind, "")];
        let path = Expr::Path(Path { segments: vec![column.to_owned()] });
        let payload = Expr::Object(vec![("f".into(), path)]);
        let found = faults(&payload, Some(&fields), &schema(), &["id".into()], &Limits::default());
        found.iter().map(|error| error.message().to_owned()).collect()
    }

    #[test]
    fn what_no_record_could_satisfy_is_told_and_what_some_may_is_not() {
        use FieldKind::{Boolean, Datetime, Integer, Number, Object, String, StringOrObject};
        let never = [
            (String, vec!["address", "places"]),
            (Number, vec!["joined", "address", "places"]),
            (Integer, vec!["joined", "address", "places"]),
            (Boolean, vec!["total", "joined", "address", "places"]),
            (Datetime, vec!["vip", "address", "places"]),
            (Object, vec!["id", "name", "vip", "total", "joined", "tags"]),
            (StringOrObject, vec![]),
        ];
        for (kind, columns) in never {
            for column in ["id", "name", "vip", "total", "joined", "address", "tags", "places", "nothing"] {
                assert_eq!(told(kind, column).len(), usize::from(columns.contains(&column)), "{column} as {kind:?}");
            }
        }
        assert_eq!(told(String, "address"), ["field `f` takes text, and the mapping gives it an object"]);
    }
}
