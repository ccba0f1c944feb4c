//! A path through Arrow types: found once against the schema, bound to the arrays of each batch, followed by index.
//!
//! ```text
//! items.0.sku          List → Item(0) → Struct → Member(2) → Utf8
//! column "items"       steps: [Item(0), Member(2)]            end: Text
//! ```
//!
//! A step into null gives null, a step to something that is not there gives nothing (missing). So does the step to a
//! struct's member that is null, for a struct has all its members always. A step into a scalar gives the scalar if it is
//! falsy (`0`, `false`, `""`) and nothing otherwise, as in the reference; that is the route's [`End`].

use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use outflow_contract::limits::RECORD_DEPTH_MAX;
use outflow_contract::source::is_json;
use outflow_contract::{Error, Result};

use super::json::list_index;
use super::layout::{Indexes, Ranges};
use super::output::Output;
use super::value::Column;

/// One step from an array to another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// From a dictionary or runs to their values.
    Decode,
    /// To a struct's member.
    Member(usize),
    /// To a list's item of that index.
    Item(usize),
    /// To a map's value under that key.
    Key(String),
}

/// What lies at the end of a route.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// Plain text.
    Text,
    /// Another scalar.
    Scalar,
    /// A list.
    List,
    /// A struct or a map.
    Object,
    /// JSON text, and the segments that go on inside it.
    Json(Vec<String>),
    /// A scalar, which the path tries to step into.
    Beyond,
    /// Nothing: a member that the struct does not have, an index that is none. Null if what holds it is null.
    Nothing,
}

/// A path through types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    /// Null at the end counts as missing, for the end is a struct's member.
    pub(crate) null_is_missing: bool,
}

/// What a field holds: all that a route needs to know of it.
#[derive(Clone, Copy)]
pub(crate) struct Typed<'s> {
    pub(crate) data_type: &'s DataType,
    pub(crate) json: bool,
}

impl<'s> From<&'s Field> for Typed<'s> {
    fn from(field: &'s Field) -> Self {
        Self { data_type: field.data_type(), json: is_json(field) }
    }
}

impl Typed<'_> {
    /// The items of a list.
    pub(crate) fn items(self) -> Option<Self> {
        match self.data_type {
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::ListView(field)
            | DataType::LargeListView(field)
            | DataType::FixedSizeList(field, _) => Some(Self::from(field.as_ref())),
            _ => None,
        }
    }

    /// The values of a dictionary or of runs.
    fn decoded(self) -> Option<Self> {
        match self.data_type {
            DataType::Dictionary(_, values) => Some(Self { data_type: values, json: self.json }),
            DataType::RunEndEncoded(_, values) => Some(Self { data_type: values.data_type(), json: self.json || is_json(values) }),
            _ => None,
        }
    }

    fn is_text(self) -> bool {
        matches!(self.data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
    }

    /// An error if some value of this type has no JSON form.
    pub(crate) fn check(self, column: &str) -> Result<()> {
        let remedy = "cast it to another type in the query, or leave the column out";
        let refuse = |what: String| Err(Error::invalid(format!("column \"{column}\" {what}")).remedy(remedy));
        match unmappable(self.data_type, 0) {
            None => Ok(()),
            Some(DataType::Union(..)) => refuse("holds a union, which has no one form in JSON".to_owned()),
            Some(DataType::Map(..)) => refuse("holds a map whose keys are neither text nor any other scalar".to_owned()),
            Some(_) => refuse(format!("nests deeper than {RECORD_DEPTH_MAX} levels")),
        }
    }
}

/// The first type inside `data_type` that cannot be mapped: a union, a map with odd keys, or one that lies too deep.
fn unmappable(data_type: &DataType, depth: usize) -> Option<&DataType> {
    if depth > RECORD_DEPTH_MAX {
        return Some(&DataType::Null);
    }
    match data_type {
        DataType::Union(..) => Some(data_type),
        DataType::Struct(fields) => fields.iter().find_map(|field| unmappable(field.data_type(), depth + 1)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.first().is_some_and(|key| key.data_type().is_nested()) => Some(data_type),
            DataType::Struct(pair) => pair.iter().find_map(|field| unmappable(field.data_type(), depth + 1)),
            _ => Some(data_type),
        },
        DataType::Dictionary(_, values) => unmappable(values, depth),
        DataType::RunEndEncoded(_, values) => unmappable(values.data_type(), depth),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => unmappable(item.data_type(), depth + 1),
        _ => None,
    }
}

impl Route {
    /// Finds the way from a value of the type `from`, by `segments`. Returns also what lies at the end.
    pub(crate) fn find<'s>(from: Typed<'s>, segments: &[String]) -> (Self, Typed<'s>) {
        let mut route = Self { steps: Vec::new(), end: End::Nothing, null_is_missing: false };
        let (mut at, mut rest) = (from, segments);
        loop {
            if let Some(values) = at.decoded() {
                route.steps.push(Step::Decode);
                at = values;
                continue;
            }
            let Some((segment, further)) = rest.split_first().filter(|_| !(at.json && at.is_text())) else {
                route.end = whole(at, rest);
                return (route, at);
            };
            let (step, next, null_is_missing) = match at.data_type {
                DataType::Struct(fields) => {
                    let Some((index, field)) = fields.find(segment) else { return (route, at) };
                    (Step::Member(index), Typed::from(field.as_ref()), true)
                }
                DataType::Map(entries, _) => {
                    let DataType::Struct(pair) = entries.data_type() else { return (route, at) };
                    let Some(values) = pair.last() else { return (route, at) };
                    (Step::Key(segment.clone()), Typed::from(values.as_ref()), false)
                }
                _ => match (at.items(), list_index(segment)) {
                    (Some(items), Some(index)) => (Step::Item(index), items, false),
                    (Some(_), None) => return (route, at),
                    (None, _) => {
                        route.end = End::Beyond;
                        return (route, at);
                    }
                },
            };
            route.steps.push(step);
            route.null_is_missing = null_is_missing;
            (at, rest) = (next, further);
        }
    }
}

fn whole(at: Typed<'_>, rest: &[String]) -> End {
    match at.data_type {
        _ if at.is_text() && at.json => End::Json(rest.to_vec()),
        _ if at.is_text() => End::Text,
        DataType::Struct(_) | DataType::Map(..) => End::Object,
        _ if at.items().is_some() => End::List,
        _ => End::Scalar,
    }
}

/// A step, bound to an array.
enum Gate<'a> {
    Decode(Indexes<'a>),
    Member,
    Item(Ranges<'a>, usize),
    Key(Ranges<'a>, Column<'a>, &'a str),
}

/// A gate with the nulls of the array that it leads out of.
struct Passage<'a> {
    nulls: Option<&'a NullBuffer>,
    null_is_missing: bool,
    gate: Gate<'a>,
}

/// Where a route leads for one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// To this index of the last array; the value there may still be null.
    At(usize),
    /// To null.
    Null,
    /// To nothing.
    Missing,
}

/// A route, bound to arrays.
pub(crate) struct Way<'a> {
    passages: Vec<Passage<'a>>,
}

impl<'a> Way<'a> {
    /// Binds `route` to the array that it starts from. Returns also the array at its end.
    pub(crate) fn bind(array: &'a dyn Array, route: &'a Route) -> Result<(Self, &'a dyn Array)> {
        let (mut at, mut passages, mut null_is_missing) = (array, Vec::with_capacity(route.steps.len()), false);
        let changed = || Error::bug("a batch has another type than the schema that its mapping was compiled for");
        for step in &route.steps {
            let nulls = at.nulls();
            let (gate, next, next_null_is_missing) = match step {
                Step::Decode => {
                    let (indexes, values) = Indexes::of(at).ok_or_else(changed)?;
                    (Gate::Decode(indexes), values, null_is_missing)
                }
                Step::Member(index) => {
                    let member = at.as_struct_opt().and_then(|array| array.columns().get(*index)).ok_or_else(changed)?;
                    (Gate::Member, &**member, true)
                }
                Step::Item(index) => {
                    let (ranges, items) = Ranges::of(at).ok_or_else(changed)?;
                    (Gate::Item(ranges, *index), items, false)
                }
                Step::Key(key) => {
                    let (ranges, entries) = Ranges::of(at).ok_or_else(changed)?;
                    let [keys, values] = entries.as_struct_opt().ok_or_else(changed)?.columns() else { return Err(changed()) };
                    (Gate::Key(ranges, Column::bind(keys, false, key)?, key), &**values, false)
                }
            };
            passages.push(Passage { nulls, null_is_missing, gate });
            (at, null_is_missing) = (next, next_null_is_missing);
        }
        Ok((Self { passages }, at))
    }

    /// Does it lead nowhere else?
    pub(crate) fn is_none(&self) -> bool {
        self.passages.is_empty()
    }

    /// Follows the way from index `i`.
    #[inline]
    pub(crate) fn reach(&self, i: usize, out: &mut Output<'a>) -> Reached {
        // Most paths are a column and nothing more.
        if self.passages.is_empty() { Reached::At(i) } else { self.pass(i, out) }
    }

    fn pass(&self, i: usize, out: &mut Output<'a>) -> Reached {
        let mut i = i;
        for passage in &self.passages {
            if passage.nulls.is_some_and(|nulls| nulls.is_null(i)) {
                return if passage.null_is_missing { Reached::Missing } else { Reached::Null };
            }
            i = match &passage.gate {
                Gate::Member => i,
                Gate::Decode(indexes) => indexes.index(i),
                Gate::Item(ranges, index) => {
                    let range = ranges.range(i);
                    if *index >= range.len() {
                        return Reached::Missing;
                    }
                    range.start + index
                }
                Gate::Key(ranges, keys, key) => {
                    // Of equal keys the last counts, as in JSON text.
                    let Some(found) = ranges.range(i).rev().find(|&at| is_key(keys, at, key, out)) else { return Reached::Missing };
                    found
                }
            };
        }
        Reached::At(i)
    }
}

/// Is `key` the text of this key?
fn is_key<'a>(keys: &Column<'a>, i: usize, key: &str, out: &mut Output<'a>) -> bool {
    if keys.is_null(i) {
        return false;
    }
    if let Some(text) = keys.text(i) {
        return text == key;
    }
    let start = out.buf.len();
    keys.write(i, out);
    let text = &out.buf[start..];
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let same = text == key.as_bytes();
    out.buf.truncate(start);
    same
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Fields;
    use std::sync::Arc;

    fn find(from: &DataType, path: &str) -> Route {
        let segments: Vec<String> = path.split('.').filter(|s| !s.is_empty()).map(Into::into).collect();
        Route::find(Typed { data_type: from, json: false }, &segments).0
    }

    fn order() -> DataType {
        let item = DataType::Struct(Fields::from(vec![Field::new("sku", DataType::Utf8, true), Field::new("qty", DataType::Int32, true)]));
        DataType::List(Arc::new(Field::new("item", item, true)))
    }

    #[test]
    fn a_route_names_its_steps_and_what_lies_at_its_end() {
        let route = find(&order(), "0.qty");
        assert_eq!((route.steps, route.end, route.null_is_missing), (vec![Step::Item(0), Step::Member(1)], End::Scalar, true));
        assert_eq!(find(&order(), "").end, End::List);
        assert_eq!(find(&order(), "1").end, End::Object);
        assert_eq!(find(&order(), "1.sku").end, End::Text);
        assert_eq!(find(&order(), "1.sku.x").end, End::Beyond);
        assert_eq!(find(&order(), "1.gone").end, End::Nothing);
        assert_eq!(find(&order(), "length").end, End::Nothing);
    }

    #[test]
    fn encodings_are_seen_through() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(order()));
        assert_eq!(find(&dictionary, "0.sku").steps, [Step::Decode, Step::Item(0), Step::Member(0)]);
        assert_eq!(find(&dictionary, "").end, End::List);
    }

    #[test]
    fn types_without_a_json_form_are_refused_by_name() {
        let union = DataType::Union(arrow::datatypes::UnionFields::empty(), arrow::datatypes::UnionMode::Sparse);
        let holder = DataType::List(Arc::new(Field::new("item", union, true)));
        let error = Typed { data_type: &holder, json: false }.check("payload").unwrap_err();
        assert_eq!(error.to_string(), "column \"payload\" holds a union, which has no one form in JSON");

        let nested = |depth: usize| (0..depth).fold(DataType::Int8, |inner, _| DataType::List(Arc::new(Field::new("item", inner, true))));
        assert!(Typed { data_type: &nested(RECORD_DEPTH_MAX), json: false }.check("deep").is_ok());
        assert!(Typed { data_type: &nested(RECORD_DEPTH_MAX + 1), json: false }.check("deep").is_err());
    }
}
