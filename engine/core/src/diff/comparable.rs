//! Which columns have values that can be equal: what the identifier of a model may become without every record becoming another.

use arrow::datatypes::{DataType, Field};
use outflow_contract::source::is_json;

use super::canonical::Class;

/// Can values of these two columns be equal, as far as their types tell? Columns without a type hold nothing but nulls, which any other may
/// hold. JSON text is taken for comparable with JSON text only: it equals whatever it contains, and that is not told by a type.
pub fn can_be_equal(a: &Field, b: &Field) -> bool {
    let ((a, a_json), (b, b_json)) = (plain(a.data_type(), is_json(a)), plain(b.data_type(), is_json(b)));
    let (Some(class), Some(other)) = (class_of(a), class_of(b)) else { return true };
    if class != other || a_json != b_json {
        return false;
    }
    match (a, b) {
        (DataType::Struct(a), DataType::Struct(b)) => {
            // A member that one of them does not have is as good as null.
            a.iter().all(|a| b.iter().find(|b| b.name() == a.name()).is_none_or(|b| can_be_equal(a, b)))
        }
        _ => match (items(a), items(b)) {
            (Some(a), Some(b)) => a.iter().zip(b).all(|(a, b)| can_be_equal(a, b)),
            _ => true,
        },
    }
}

/// The type behind encodings; and is it text that holds JSON?
fn plain(kind: &DataType, json: bool) -> (&DataType, bool) {
    match kind {
        DataType::Dictionary(_, values) => plain(values, json),
        DataType::RunEndEncoded(_, values) => plain(values.data_type(), json || is_json(values)),
        _ => (kind, json && kind.is_string()),
    }
}

/// The items of a list; the keys and the values of a map.
pub(super) fn items(kind: &DataType) -> Option<Vec<&Field>> {
    match kind {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(vec![item.as_ref()]),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => Some(fields.iter().map(AsRef::as_ref).collect()),
            _ => None,
        },
        _ => None,
    }
}

/// The class of a type's values; none of a type that has none.
fn class_of(kind: &DataType) -> Option<Class> {
    Some(match kind {
        DataType::Null | DataType::Union(..) => return None,
        DataType::Boolean => Class::Boolean,
        kind if kind.is_numeric() => Class::Number,
        kind if kind.is_string() => Class::Text,
        kind if kind.is_binary() => Class::Binary,
        DataType::Timestamp(_, Some(_)) => Class::Instant,
        DataType::Timestamp(_, None) => Class::Wall,
        DataType::Date32 | DataType::Date64 => Class::Date,
        DataType::Time32(_) | DataType::Time64(_) => Class::Time,
        DataType::Duration(_) => Class::Duration,
        DataType::Interval(_) => Class::Interval,
        DataType::Struct(_) => Class::Struct,
        DataType::Map(..) => Class::Map,
        DataType::Dictionary(_, values) => return class_of(values),
        DataType::RunEndEncoded(_, values) => return class_of(values.data_type()),
        _ => Class::List,
    })
}
