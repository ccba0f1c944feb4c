//! JSON text in a column: found in, picked from and written again, against a walk over the values that `serde_json` makes of it.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use outflow_contract::Op;
use outflow_contract::expr::{Expr, Function, Path};
use outflow_contract::limits::Limits;
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use outflow_engine::map::{Mapper, SentBy};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

/// Paths into the text, beside those of the other expressions.
const PATHS: [&str; 10] = ["", "a", "a.b", "0", "1", "a.0.b", "a.a.a", "a.0.0", "['é']", "['a.b']"];
/// Why a valid text may fail: it is too deep, or too much comes of it.
const LIMITS: [&str; 3] = ["too_deep", "value_too_large", "record_too_large"];

type Naive = Box<dyn Fn(&Value) -> Option<Value> + Send + Sync>;

/// What is asked of the text: a name, the expression, and what it gives on values.
struct Question {
    name: String,
    expr: Expr,
    naive: Naive,
}

impl Question {
    fn new(name: &str, expr: Expr, naive: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), expr, naive: Box::new(naive) }
    }
}

static QUESTIONS: LazyLock<Vec<Question>> = LazyLock::new(questions);
static MAPPER: LazyLock<Mapper> = LazyLock::new(|| {
    let members = QUESTIONS.iter().map(|question| (question.name.clone(), question.expr.clone())).collect();
    Mapper::compile(&Expr::Object(members), None, &schema(), &["id".to_owned()], &Limits::default()).unwrap()
});

/// Maps the bytes as JSON text, where they are text.
pub fn json(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let is_valid = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let columns: [ArrayRef; 2] = [Arc::new(Int64Array::from(vec![1])), Arc::new(StringArray::from(vec![text]))];
    let batch = RecordBatch::try_new(schema(), columns.to_vec()).unwrap();
    let mapped = MAPPER.map(&batch, &[Op::Added], &SentBy::default(), &[0]).unwrap();
    if let Some(failed) = mapped.failed.first() {
        assert!(!is_valid || LIMITS.contains(&failed.rejection.code.as_str()), "refused though it is valid: {:?}", failed.rejection);
        return false;
    }
    assert!(is_valid, "taken though it is not valid");
    let payload = std::str::from_utf8(&mapped.bytes).unwrap();
    assert!(!payload.contains(['\n', '\r']), "a payload is one line");
    if text.contains("$serde_json") {
        // Its own marks mean something else to the library.
        return false;
    }
    // What is valid may be deeper than values can be made of, or hold half of a surrogate pair: which the mapper replaces.
    let Ok(value) = serde_json::from_str::<Value>(text) else { return false };
    let Value::Object(mut found) = serde_json::from_str(payload).unwrap() else { panic!("no object: {payload}") };
    for question in QUESTIONS.iter() {
        let mut found = found.remove(&question.name);
        if question.name == "encoded" {
            // Which text stands for a value is not told: the value is.
            found = found.map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap());
        }
        assert_eq!(found, (question.naive)(&value), "{}", question.name);
    }
    assert!(found.is_empty(), "more than was asked for: {found:?}");
    true
}

fn schema() -> SchemaRef {
    let json = [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())];
    let text = Field::new("text", DataType::Utf8, true).with_metadata(json.into());
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), text]))
}

fn questions() -> Vec<Question> {
    let at = |path: &str| Path { segments: [vec!["text".to_owned()], Path::parse(path).segments].concat() };
    let whole = || Expr::Path(at(""));
    let call = |function| Expr::Call { function, args: vec![whole()] };
    let mut questions: Vec<Question> = PATHS
        .iter()
        .map(|path| Question::new(&format!("at {path}"), Expr::Path(at(path)), |value| get(value, &Path::parse(path).segments)))
        .collect();
    let flatten = |omit_arrays| call(Function::Flatten { separator: ".".to_owned(), omit_arrays });
    questions.push(Question::new("flat", flatten(false), |value| Some(flat(value, false))));
    questions.push(Question::new("flat with lists", flatten(true), |value| Some(flat(value, true))));
    questions.push(Question::new("encoded", call(Function::JsonEncode), |value| Some(value.clone())));
    questions
        .push(Question::new("without nulls", call(Function::ExcludeWhenNull), |value| (!value.is_null()).then(|| without_nulls(value))));
    let merge = Expr::Call { function: Function::Merge { first_wins: false }, args: vec![whole(), Expr::Literal(json!({ "a": 1 }))] };
    questions.push(Question::new("merged", merge, |value| Some(merged(value))));
    let shape = Expr::Object(vec![("b".to_owned(), Expr::Path(Path::parse("a.b"))), ("all".to_owned(), Expr::Path(Path::whole()))]);
    let items = |path| Expr::ArrayPath { root: at(path), shape: Some(Box::new(shape.clone())) };
    questions.push(Question::new("items", items(""), |value| shaped(Some(value.clone()))));
    questions.push(Question::new("inner items", items("a"), |value| shaped(get(value, &["a".to_owned()]))));
    questions
}

/// The value at a path: a step into what is falsy gives it, a step to what is not there nothing.
fn get(value: &Value, segments: &[String]) -> Option<Value> {
    let mut at = value;
    for segment in segments {
        at = match at {
            Value::Object(members) => members.get(segment)?,
            Value::Array(items) => {
                let index = segment.parse::<usize>().ok().filter(|index| index.to_string() == *segment)?;
                items.get(index)?
            }
            falsy if is_falsy(falsy) => falsy,
            _ => return None,
        };
    }
    Some(at.clone())
}

fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => {
            let text = number.to_string();
            text.split(['e', 'E']).next().is_some_and(|digits| !digits.contains(|c: char| ('1'..='9').contains(&c)))
        }
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn flat(value: &Value, omit_arrays: bool) -> Value {
    let mut members = Map::new();
    put("", value, omit_arrays, &mut members);
    Value::Object(members)
}

fn put(prefix: &str, value: &Value, omit_arrays: bool, members: &mut Map<String, Value>) {
    let way = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    match value {
        Value::Object(inner) => inner.iter().for_each(|(key, value)| put(&way(key), value, omit_arrays, members)),
        Value::Array(items) if !omit_arrays => {
            items.iter().enumerate().for_each(|(at, value)| put(&way(&at.to_string()), value, omit_arrays, members));
        }
        other => {
            members.insert(prefix.to_owned(), other.clone());
        }
    }
}

/// In objects alone: a list stays as it is.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

/// Its members, or items by index, or characters; and then `a`.
fn merged(value: &Value) -> Value {
    let mut members = Map::new();
    match value {
        Value::Object(inner) => members.extend(inner.clone()),
        Value::Array(items) => members.extend(items.iter().enumerate().map(|(at, item)| (at.to_string(), item.clone()))),
        Value::String(text) => members.extend(text.chars().enumerate().map(|(at, c)| (at.to_string(), json!(c.to_string())))),
        _ => {}
    }
    members.insert("a".to_owned(), json!(1));
    Value::Object(members)
}

/// Each item in the shape of `questions`; a scalar stays.
fn shaped(value: Option<Value>) -> Option<Value> {
    let one = |item: &Value| {
        let mut shaped = Map::new();
        shaped.extend(get(item, &["a".to_owned(), "b".to_owned()]).map(|b| ("b".to_owned(), b)));
        shaped.insert("all".to_owned(), item.clone());
        Value::Object(shaped)
    };
    Some(match value? {
        Value::Array(items) => items.iter().map(one).collect(),
        object @ Value::Object(_) => json!([one(&object)]),
        scalar => scalar,
    })
}
