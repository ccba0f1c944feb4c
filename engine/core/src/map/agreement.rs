//! The mapper against a naive one.
//!
//! Goal: payloads are right for any expression over any records. Method: random records are built twice, as Arrow arrays
//! and as plain JSON values; random expressions are mapped by the real thing and by forty lines that say on values what the
//! language means. Then again record by record, in slices, and in another order: nothing may change.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Int8Type, Schema};
use outflow_contract::Op;
use outflow_contract::expr::{Columns, Expr, Function, Path, Replacement, TemplatePart, Test};
use outflow_contract::limits::Limits;
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use outflow_liquid::{Record as TemplateRecord, Template};
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

mod declared;
mod own;

use super::json::list_index;
use super::{Mapped, Mapper, SentBy};

const PRICE: DataType = DataType::Decimal128(20, 2);

/// A list's item.
#[derive(Clone, Debug)]
struct Item {
    sku: Option<String>,
    qty: Option<i32>,
}

#[derive(Clone, Debug)]
struct Record {
    id: i64,
    number: Option<f64>,
    flag: Option<bool>,
    name: Option<String>,
    /// In a dictionary.
    plan: Option<String>,
    /// In microseconds.
    seen: Option<i64>,
    profile: Option<Item>,
    items: Option<Vec<Option<Item>>>,
    attributes: Option<Value>,
    /// Never null, and mostly without anything to escape.
    city: String,
    /// In hundredths.
    price: Option<i64>,
}

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zA-Z0-9 ]{0,20}",
        "[\\x00-\\x7f]{0,12}",
        "\\PC{0,12}",
        Just("straße \"ΟΔΟΣ\" \\ \u{2028}".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    // Where Rust's own printing agrees with JavaScript's; the rest of the range has cases of its own in `write`.
    prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), Just(12.0), -1e9..1e9_f64, 0.001..1.0_f64]
}

fn item() -> impl Strategy<Value = Item> {
    (prop::option::of(odd_text()), prop::option::of(-2..3_i32)).prop_map(|(sku, qty)| Item { sku, qty })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        odd_text().prop_map(Value::from),
        Just(serde_json::from_str("12345678901234567890.10").unwrap()),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[abx]|sku|qty", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn record() -> impl Strategy<Value = Record> {
    let scalars = (any::<i64>(), prop::option::of(number()), prop::option::of(any::<bool>()), prop::option::of(odd_text()));
    let others = (
        prop::option::of("pro|Free|"),
        prop::option::of(moment_micros()),
        prop::option::of(item()),
        prop::option::of(prop::collection::vec(prop::option::of(item()), 0..4)),
        prop::option::of(json_value()),
        // Texts that are longer than a block, and some with something odd anywhere.
        prop_oneof![8 => "[A-Za-z .]{0,40}", 1 => "[A-Zé ]{0,40}", 1 => ("[a-z]{0,40}", odd_text()).prop_map(|(plain, odd)| plain + &odd)],
        prop::option::of(prop_oneof![any::<i64>(), -1_000..1_000_i64]),
    );
    (scalars, others).prop_map(|((id, number, flag, name), (plan, seen, profile, items, attributes, city, price))| Record {
        id,
        number,
        flag,
        name,
        plan,
        seen,
        profile,
        items,
        attributes,
        city,
        price,
    })
}

/// Mostly of these days, and else of the ten thousand years before and after the year 0.
fn moment_micros() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -1_000_000_000_000_000..4_000_000_000_000_000_i64, 1 => -377_700_000_000_000_000..253_402_200_000_000_000_i64]
}

fn structs(items: &[Option<Item>]) -> StructArray {
    let fields = Fields::from(vec![Field::new("sku", DataType::Utf8, true), Field::new("qty", DataType::Int32, true)]);
    let sku: StringArray = items.iter().map(|item| item.as_ref().and_then(|item| item.sku.clone())).collect();
    let qty: Int32Array = items.iter().map(|item| item.as_ref().and_then(|item| item.qty)).collect();
    let nulls = items.iter().map(Option::is_some).collect::<Vec<_>>();
    StructArray::new(fields, vec![Arc::new(sku), Arc::new(qty)], Some(NullBuffer::from(nulls)))
}

fn arrow(records: &[Record]) -> RecordBatch {
    let all: Vec<Option<Item>> = records.iter().flat_map(|record| record.items.clone().unwrap_or_default()).collect();
    let items = structs(&all);
    let lengths = records.iter().map(|record| record.items.as_ref().map_or(0, Vec::len));
    let nulls = NullBuffer::from(records.iter().map(|record| record.items.is_some()).collect::<Vec<_>>());
    let item_field = Arc::new(Field::new("item", items.data_type().clone(), true));
    let lists = ListArray::new(item_field, OffsetBuffer::from_lengths(lengths), Arc::new(items), Some(nulls));
    let profiles: Vec<Option<Item>> = records.iter().map(|record| record.profile.clone()).collect();
    // Half of the texts have whitespace in them, which no payload may show.
    let pretty = |(i, record): (usize, &Record)| {
        let value = record.attributes.as_ref()?;
        Some(if i % 2 == 0 { value.to_string() } else { serde_json::to_string_pretty(value).unwrap() })
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.id)))),
        ("number", Arc::new(records.iter().map(|record| record.number).collect::<Float64Array>())),
        ("flag", Arc::new(records.iter().map(|record| record.flag).collect::<BooleanArray>())),
        ("name", Arc::new(records.iter().map(|record| record.name.clone()).collect::<StringViewArray>())),
        ("plan", Arc::new(records.iter().map(|record| record.plan.as_deref()).collect::<DictionaryArray<Int8Type>>())),
        ("seen", Arc::new(records.iter().map(|record| record.seen).collect::<TimestampMicrosecondArray>())),
        ("profile", Arc::new(structs(&profiles))),
        ("items", Arc::new(lists)),
        ("city", Arc::new(records.iter().map(|record| Some(&record.city)).collect::<StringArray>())),
        ("price", Arc::new(records.iter().map(|record| record.price.map(i128::from)).collect::<Decimal128Array>().with_data_type(PRICE))),
        ("attributes", Arc::new(records.iter().enumerate().map(pretty).collect::<StringArray>())),
    ];
    let fields = columns.iter().map(|(name, array)| {
        let field = Field::new(*name, array.data_type().clone(), true);
        let json = [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())];
        if *name == "attributes" { field.with_metadata(json.into()) } else { field }
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn item_value(item: &Item) -> Value {
    let members = [("sku", item.sku.clone().map(Value::from)), ("qty", item.qty.map(Value::from))];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

fn moment(micros: i64) -> Value {
    let text = jiff::Timestamp::from_microsecond(micros).unwrap().to_string();
    // jiff prints as few digits as there are, the mapper groups of three.
    match text.trim_end_matches('Z').split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{fraction:0<width$}Z", width = fraction.len().next_multiple_of(3)).into(),
        None => text.into(),
    }
}

fn price(hundredths: i64) -> Value {
    let (sign, digits) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
    serde_json::from_str(&format!("{sign}{}.{:02}", digits / 100, digits % 100)).unwrap()
}

fn value(record: &Record) -> Value {
    let number = record.number.filter(|number| number.is_finite());
    json!({
        "id": record.id,
        // By way of text, so that 12.0 is 12 and -0.0 is 0.
        "number": number.map(|number| serde_json::from_str::<Value>(&(number + 0.0).to_string()).unwrap()),
        "flag": record.flag,
        "name": record.name,
        "plan": record.plan,
        "seen": record.seen.map(moment),
        "profile": record.profile.as_ref().map(item_value),
        "items": record.items.as_ref().map(|items| items.iter().map(|item| item.as_ref().map(item_value)).collect::<Vec<_>>()),
        "city": record.city,
        "price": record.price.map(price),
        "attributes": record.attributes,
    })
}

fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Array(items) => match items.as_slice() {
            [] => true,
            [Value::Number(_) | Value::Bool(_)] => false,
            [item] => is_blank(item),
            _ => false,
        },
        other => is_falsy(other),
    }
}

fn get(root: &Value, path: &Path) -> Option<Value> {
    if *root == nothing() {
        return None;
    }
    let mut at = root;
    for segment in &path.segments {
        at = match at {
            falsy if is_falsy(falsy) => return Some(falsy.clone()),
            Value::Object(members) => members.get(segment)?,
            Value::Array(items) => items.get(list_index(segment)?)?,
            _ => return None,
        };
    }
    Some(at.clone())
}

fn naive(expr: &Expr, root: &Value) -> Option<Value> {
    Some(match expr {
        Expr::Literal(value) => value.clone(),
        Expr::Object(members) => {
            members.iter().filter_map(|(name, expr)| Some((name.clone(), naive(expr, root)?))).collect::<Map<_, _>>().into()
        }
        Expr::Array(items) => items.iter().map(|item| naive(item, root).unwrap_or_default()).collect::<Vec<_>>().into(),
        Expr::Path(path) => get(root, path)?,
        Expr::Template(parts) => {
            let text = parts.iter().map(|part| match part {
                TemplatePart::Text(text) => text.clone(),
                TemplatePart::Value(path) => match get(root, path) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text,
                    Some(other) => other.to_string(),
                },
            });
            text.collect::<String>().into()
        }
        Expr::If { test, then, otherwise } => {
            let holds = match test {
                Test::Exists(asked) => naive(asked, root).is_some_and(|value| !value.is_null()),
                Test::NotBlank(asked) => naive(asked, root).is_some_and(|value| !is_blank(&value)),
            };
            naive((if holds { then } else { otherwise }).as_deref()?, root)?
        }
        Expr::Case { upper, value } => match naive(value, root)? {
            Value::String(text) => (if *upper { text.to_uppercase() } else { text.to_lowercase() }).into(),
            other => other,
        },
        Expr::ArrayPath { root: path, shape } => match (get(root, path)?, shape) {
            (Value::Array(items), Some(shape)) => {
                items.iter().map(|item| naive(shape, item).unwrap_or_default()).collect::<Vec<_>>().into()
            }
            (object @ Value::Object(_), Some(shape)) => Value::Array(vec![naive(shape, &object).unwrap_or_default()]),
            (other, _) => other,
        },
        Expr::Transform { apply, mapping } => naive(mapping, &naive(apply, root).unwrap_or_else(nothing))?,
        Expr::Call { function, args } => call(function, args, root)?,
    })
}

/// What is missing, where a value has to stand for it: as the root of a transform, from which every path leads nowhere.
fn nothing() -> Value {
    "\u{0}nothing".into()
}

fn call(function: &Function, args: &[Expr], root: &Value) -> Option<Value> {
    let value = args.first().and_then(|arg| naive(arg, root));
    Some(match function {
        Function::Replace { replacements, global, .. } => {
            let text = match value {
                Some(Value::String(text)) => text,
                Some(scalar @ (Value::Bool(_) | Value::Number(_))) => scalar.to_string(),
                _ => String::new(),
            };
            let replaced = |text: String, one: &Replacement| match global {
                true => text.replace(&one.pattern, &one.with),
                false => text.replacen(&one.pattern, &one.with, 1),
            };
            replacements.iter().fold(text, replaced).into()
        }
        Function::Flatten { separator, omit_arrays } => {
            let mut flat = Map::new();
            if let Some(value) = value {
                flatten("", &value, separator, *omit_arrays, &mut flat);
            }
            flat.into()
        }
        Function::JsonEncode => value?.to_string().into(),
        Function::JsonDecode => match value? {
            Value::String(text) => match serde_json::from_str(&text) {
                // As it is written: the parser puts a sign before its exponent.
                Ok(Value::Number(_)) => Value::Number(Number::from_string_unchecked(text.trim().to_owned())),
                Ok(value) => value,
                Err(_) => Value::String(text),
            },
            other => other,
        },
        Function::Merge { first_wins } => {
            let mut args: Vec<&Expr> = args.iter().collect();
            if *first_wins {
                args.reverse();
            }
            let mut merged = Map::new();
            for arg in args {
                merge(arg, root, &mut merged);
            }
            merged.into_iter().filter(|(_, value)| *value != nothing()).collect::<Map<_, _>>().into()
        }
        Function::ExcludeWhenNull => without_nulls(value.filter(|value| !value.is_null())?),
        // What is no text fails the record, which is not generated.
        Function::PathOf => get(&naive(&args[1], root)?, &Path::parse(value?.as_str()?))?,
        Function::TemplateOf => {
            let parts = TemplatePart::parse(value?.as_str()?);
            naive(&Expr::Template(parts), &naive(&args[1], root).unwrap_or_else(nothing))?
        }
        Function::Liquid { text, .. } => {
            let values = args.iter().map(|arg| naive(arg, root)).collect();
            Template::parse(text).unwrap().render(&mut Values(values), usize::MAX).unwrap().into()
        }
        Function::Own(directive) => own::call(directive, args, root)?,
    })
}

/// What a template reads.
struct Values(Vec<Option<Value>>);

impl TemplateRecord for Values {
    fn value(&mut self, read: usize) -> outflow_liquid::Value {
        let json = self.0.get(read).and_then(Option::as_ref).map(Value::to_string);
        json.map_or(outflow_liquid::Value::Missing, |json| outflow_liquid::Value::from_json(&json))
    }

    fn is_container(&mut self, read: usize) -> bool {
        self.0.get(read).and_then(Option::as_ref).is_some_and(|value| value.is_object() || value.is_array())
    }

    fn now(&mut self) -> Option<i64> {
        None
    }
}

fn flatten(prefix: &str, value: &Value, separator: &str, omit_arrays: bool, flat: &mut Map<String, Value>) {
    let way = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}{separator}{key}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| flatten(&way(key), value, separator, omit_arrays, flat)),
        Value::Array(items) if !omit_arrays => {
            items.iter().enumerate().for_each(|(at, value)| flatten(&way(&at.to_string()), value, separator, omit_arrays, flat));
        }
        other => {
            flat.insert(prefix.to_owned(), other.clone());
        }
    }
}

fn merge(arg: &Expr, root: &Value, merged: &mut Map<String, Value>) {
    if let Expr::Object(members) = arg {
        for (name, member) in members {
            merged.insert(name.clone(), naive(member, root).unwrap_or_else(nothing));
        }
        return;
    }
    match naive(arg, root) {
        Some(Value::Object(members)) => merged.extend(members),
        Some(Value::Array(items)) => merged.extend(items.into_iter().enumerate().map(|(at, item)| (at.to_string(), item))),
        Some(Value::String(text)) => merged.extend(text.chars().enumerate().map(|(at, c)| (at.to_string(), c.to_string().into()))),
        _ => {}
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

fn any_path(paths: &'static [&'static str]) -> impl Strategy<Value = Path> {
    prop::sample::select(paths).prop_map(|text| Path { segments: text.split('.').filter(|s| !s.is_empty()).map(Into::into).collect() })
}

const RECORD_TEXTS: &[&str] =
    &["name", "city", "plan", "profile.sku", "items.0.sku", "attributes", "attributes.a", "number", "name.x", "profile", "flag"];
const RECORD_PATHS: &[&str] = &[
    "",
    "id",
    "number",
    "flag",
    "name",
    "city",
    "price",
    "plan",
    "seen",
    "profile",
    "items",
    "attributes",
    "profile.sku",
    "profile.qty",
    "profile.gone",
    "profile.sku.x",
    "items.0",
    "items.1.qty",
    "items.sku",
    "items.0.qty.y",
    "number.x",
    "flag.x",
    "name.length",
    "seen.x",
    "attributes.a",
    "attributes.a.b",
    "attributes.0",
    "attributes.1.x",
    "attributes.sku",
];
const RECORD_LISTS: &[&str] = &["items", "attributes", "attributes.a", "profile", "name", "items.0", "items.7", "profile.sku", "number.x"];
const ITEM_PATHS: &[&str] = &["", "sku", "qty", "a", "x", "a.b", "0", "sku.x", "qty.x", "b.a.0"];
const ITEM_LISTS: &[&str] = &["", "a", "sku", "0", "gone"];
/// Into what a transform applies to: into the objects and lists that are drawn, and into what stands in their place.
const APPLIED_PATHS: &[&str] =
    &["", "k0\"", "k1\"", "k0\".sku", "k0\".k0\"", "k1\".0.qty", "k0\".a.b", "0", "1.k0\"", "sku", "a", "a.x", "name"];
const APPLIED_LISTS: &[&str] = &["", "k0\"", "k1\"", "0", "k0\".a", "items"];
/// Texts that are paths, templates, or neither.
const WRITTEN: &[&str] =
    &["", "sku", "$.a", "attributes.a.b", "k0\"", "items[0].sku", "{{sku}}!", "{{{name}}}", "{{ attributes }}{{x", "a..0"];

/// Of two values, whatever they are.
const TEMPLATES: &[&str] = &[
    "{{ a }}|{{ b }}",
    "{% if a %}{{ a | upcase }}{% else %}{{ b | json }}{% endif %}",
    "{{ a.sku }}{{ a.size }}{{ b | append: a | sha256 }}",
    "{% unless a == b %}{{ a | plus: b }}{% endunless %}{{ a | first }}",
];

fn expression(
    paths: &'static [&'static str],
    texts: &'static [&'static str],
    lists: &'static [&'static str],
    shape: Option<BoxedStrategy<Expr>>,
    applied: Option<BoxedStrategy<Expr>>,
) -> BoxedStrategy<Expr> {
    let part = prop_oneof![odd_text().prop_map(TemplatePart::Text), any_path(paths).prop_map(TemplatePart::Value)];
    let written = prop::sample::select(WRITTEN).prop_map(|text| Expr::Literal(text.into()));
    let worked = (any::<bool>(), written).prop_map(|(template, text)| {
        let function = if template { Function::TemplateOf } else { Function::PathOf };
        Expr::Call { function, args: vec![text, Expr::Path(Path::whole())] }
    });
    let liquid = (prop::sample::select(TEMPLATES), any_path(paths), any_path(paths)).prop_map(|(text, one, other)| Expr::Call {
        function: Function::Liquid { text: text.to_owned(), optional: Vec::new() },
        args: vec![Expr::Path(one), Expr::Path(other)],
    });
    let leaf = prop_oneof![
        2 => json_value().prop_map(Expr::Literal),
        8 => any_path(paths).prop_map(Expr::Path),
        4 => prop::collection::vec(part, 0..4).prop_map(Expr::Template),
        4 => (any::<bool>(), any_path(texts)).prop_map(|(upper, path)| Expr::Case { upper, value: Box::new(Expr::Path(path)) }),
        2 => any_path(lists).prop_map(|root| Expr::ArrayPath { root, shape: None }),
        1 => worked,
        2 => liquid,
    ];
    let leaf = match shape {
        None => leaf.boxed(),
        Some(shape) => {
            let shaped = (any_path(lists), shape).prop_filter("an empty shape asks for the items whole", |(_, shape)| !is_empty(shape));
            prop_oneof![4 => leaf, 2 => shaped.prop_map(|(root, shape)| Expr::ArrayPath { root, shape: Some(Box::new(shape)) })].boxed()
        }
    };
    let drawn = leaf.prop_recursive(3, 12, 4, move |inner| composed(inner).boxed()).boxed();
    let Some(applied) = applied else { return drawn };
    // A path that goes on from the whole record is one to a column, which must be there.
    let apply = drawn.clone().prop_filter("the whole record has no such columns", |apply| apply.columns() != Columns::All);
    let transform = (apply, applied).prop_map(|(apply, mapping)| Expr::Transform { apply: Box::new(apply), mapping: Box::new(mapping) });
    prop_oneof![3 => drawn, 2 => transform.clone(), 1 => composed(transform.boxed())].boxed()
}

fn composed(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let boxed = inner.clone().prop_map(Box::new);
    let asked = prop_oneof![boxed.clone().prop_map(Test::Exists), boxed.clone().prop_map(Test::NotBlank)];
    let branch = prop::option::of(boxed);
    prop_oneof![
        2 => prop::collection::vec(inner.clone(), 0..4)
            .prop_map(|exprs| Expr::Object(exprs.into_iter().enumerate().map(|(i, expr)| (format!("k{i}\""), expr)).collect())),
        1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Expr::Array),
        1 => (asked, branch.clone(), branch).prop_map(|(test, then, otherwise)| Expr::If { test, then, otherwise }),
        2 => (function(), inner.clone()).prop_map(|(function, arg)| Expr::Call { function, args: vec![arg] }),
        2 => own::directive(inner.clone()),
        1 => (any::<bool>(), prop::collection::vec(inner, 0..4))
            .prop_map(|(first_wins, args)| Expr::Call { function: Function::Merge { first_wins }, args }),
    ]
}

/// What is put in has no dollars: those have tests of their own.
fn function() -> impl Strategy<Value = Function> {
    let replacement = ("[a-z0\" ]{1,2}", "[a-z\"\\\\]{0,2}").prop_map(|(pattern, with)| Replacement { pattern, with });
    let replace = (prop::collection::vec(replacement, 1..3), any::<bool>()).prop_map(|(replacements, global)| Function::Replace {
        replacements,
        global,
        ignore_case: false,
    });
    let flatten = ("[._/]{1,2}", any::<bool>()).prop_map(|(separator, omit_arrays)| Function::Flatten { separator, omit_arrays });
    prop_oneof![replace, flatten, Just(Function::JsonEncode), Just(Function::JsonDecode), Just(Function::ExcludeWhenNull)]
}

fn is_empty(expr: &Expr) -> bool {
    matches!(expr, Expr::Object(members) if members.is_empty())
}

fn expressions() -> BoxedStrategy<Expr> {
    let innermost = expression(ITEM_PATHS, ITEM_PATHS, ITEM_LISTS, None, None);
    let again = expression(APPLIED_PATHS, APPLIED_PATHS, APPLIED_LISTS, Some(innermost.clone()), None);
    let shape = expression(ITEM_PATHS, ITEM_PATHS, ITEM_LISTS, Some(innermost.clone()), Some(again.clone()));
    let applied = expression(APPLIED_PATHS, APPLIED_PATHS, APPLIED_LISTS, Some(innermost), Some(again));
    expression(RECORD_PATHS, RECORD_TEXTS, RECORD_LISTS, Some(shape), Some(applied))
}

fn map(expr: &Expr, batch: &RecordBatch, rows: &[u32]) -> Mapped {
    let mapper = Mapper::compile(expr, None, &batch.schema(), &["id".to_owned()], &Limits::default()).unwrap();
    mapper.map(batch, &vec![Op::Updated; batch.num_rows()], &SentBy::default(), rows).unwrap()
}

/// The payload of each record, or `None` where there is none.
fn by_record(mapped: &Mapped, records: usize) -> Vec<Option<String>> {
    let mut payloads = vec![None; records];
    let mut start = 0;
    for (&row, &end) in mapped.rows.iter().zip(&mapped.ends) {
        payloads[row as usize] = Some(String::from_utf8(mapped.bytes[start..end].to_vec()).unwrap());
        start = end;
    }
    payloads
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn payloads_are_what_the_naive_mapper_gives(expr in expressions(), records in prop::collection::vec(record(), 1..6)) {
        let batch = arrow(&records);
        let rows: Vec<u32> = (0..records.len() as u32).collect();
        let mapped = map(&expr, &batch, &rows);
        let payloads = by_record(&mapped, records.len());
        for (record, payload) in records.iter().zip(&payloads) {
            // Read as the payload is.
            let expected = naive(&expr, &value(record)).map(|value| serde_json::from_str::<Value>(&value.to_string()).unwrap());
            let found = payload.as_ref().map(|payload| serde_json::from_str::<Value>(payload).unwrap());
            prop_assert_eq!(found, expected, "{:?}", payload);
        }
        for failed in &mapped.failed {
            prop_assert_eq!(failed.rejection.code.as_str(), "empty_payload");
        }
    }

    #[test]
    fn a_payload_depends_on_no_other_record(expr in expressions(), records in prop::collection::vec(record(), 2..6)) {
        let batch = arrow(&records);
        let count = records.len() as u32;
        let whole = by_record(&map(&expr, &batch, &(0..count).collect::<Vec<_>>()), records.len());
        let backwards = by_record(&map(&expr, &batch, &(0..count).rev().collect::<Vec<_>>()), records.len());
        prop_assert_eq!(&whole, &backwards);
        for (i, payload) in whole.iter().enumerate() {
            let slice = by_record(&map(&expr, &batch.slice(i, 1), &[0]), 1);
            prop_assert_eq!(payload, &slice[0]);
        }
    }
}
