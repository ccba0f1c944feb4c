//! Directives over columns of a table: what they give, and how their records fail. What they mean is the matter of `agreement.rs` and
//! of the reference's own cases.

mod liquid;
mod own;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use outflow_contract::Op;
use outflow_contract::expr::{Expr, Function, Path, Replacement};
use outflow_contract::limits::Limits;
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use serde_json::{Value, json};

use super::super::compile::{Compiler, Node};
use super::super::{Mapped, Mapper, SentBy};

fn path(text: &str) -> Expr {
    Expr::Path(Path::parse(text))
}

fn call(function: Function, args: &[Expr]) -> Expr {
    Expr::Call { function, args: args.to_vec() }
}

fn transform(apply: Expr, mapping: Expr) -> Expr {
    Expr::Transform { apply: Box::new(apply), mapping: Box::new(mapping) }
}

fn object(members: &[(&str, Expr)]) -> Expr {
    Expr::Object(members.iter().map(|(name, expr)| ((*name).to_owned(), expr.clone())).collect())
}

fn flatten() -> Function {
    Function::Flatten { separator: "_".to_owned(), omit_arrays: false }
}

/// One record with a column of text and one of JSON text.
fn record(text: &str, doc: &str) -> RecordBatch {
    let json = Field::new("doc", DataType::Utf8, true).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into());
    let fields = vec![Field::new("id", DataType::Int64, true), Field::new("text", DataType::Utf8, true), json];
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![7])), Arc::new(StringArray::from(vec![text])), Arc::new(StringArray::from(vec![doc]))];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn map(expr: &Expr, batch: &RecordBatch, limits: &Limits) -> Mapped {
    let mapper = Mapper::compile(expr, None, &batch.schema(), &["id".to_owned()], limits).unwrap();
    mapper.map(batch, &[Op::Added], &SentBy::default(), &[0]).unwrap()
}

#[track_caller]
fn gives(expr: &Expr, batch: &RecordBatch, expected: &Value) {
    let mapped = map(expr, batch, &Limits::default());
    assert_eq!(mapped.failed, []);
    assert_eq!(serde_json::from_slice::<Value>(&mapped.bytes).unwrap(), *expected);
}

/// The code and the reason for which the record fails.
#[track_caller]
fn fails(expr: &Expr, batch: &RecordBatch, limits: &Limits) -> (String, String) {
    let rejection = map(expr, batch, limits).failed.remove(0).rejection;
    (rejection.code, rejection.message)
}

fn node(expr: &Expr) -> Node {
    Compiler::new(&record("", "{}").schema(), &["id".to_owned()], &Limits::default()).root(expr).unwrap()
}

#[test]
fn a_transform_is_followed_through_when_it_is_compiled() {
    let apply = object(&[("a", path("text")), ("b", object(&[("c", path("doc"))])), ("f", call(flatten(), &[path("doc")]))]);
    let through = transform(apply.clone(), object(&[("x", path("a")), ("y", path("b.c.d")), ("z", path("b.none"))]));
    let Node::Object(members) = node(&through) else { panic!("no object: {:?}", node(&through)) };
    assert!(matches!(members[0].1, Node::Value(_)) && matches!(members[1].1, Node::Json(_)) && matches!(members[2].1, Node::Missing));
    gives(&through, &record("t", r#"{"d": [1]}"#), &json!({"x": "t", "y": [1]}));

    // Into what a directive works out there is no way but through its text; if it is costly, only once.
    let into = transform(apply.clone(), object(&[("x", path("f.d_0"))]));
    let Node::Object(members) = node(&into) else { panic!("no object: {:?}", node(&into)) };
    assert!(matches!(members[0].1, Node::Transform { .. }));
    gives(&into, &record("t", r#"{"d": [1]}"#), &json!({"x": 1}));
    let twice = transform(apply, object(&[("x", path("f.d_0")), ("y", path("f")), ("a", path("a"))]));
    assert!(matches!(node(&twice), Node::Transform { .. }));
    gives(&twice, &record("t", r#"{"d": [1]}"#), &json!({"x": 1, "y": {"d_0": 1}, "a": "t"}));
}

#[test]
fn transforms_inside_transforms_do_not_grow_without_end() {
    let mut expr = path("text");
    for _ in 0..40 {
        expr = transform(object(&[("a", expr)]), Expr::Array(vec![path("a"), path("a")]));
    }
    let error = Mapper::compile(&expr, None, &record("", "{}").schema(), &["id".to_owned()], &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("more than 100000 parts"), "{error}");
}

#[test]
fn a_directive_over_constants_is_worked_out_when_it_is_compiled() {
    let literal = |value: Value| Expr::Literal(value);
    let encode = call(Function::JsonEncode, &[call(flatten(), &[literal(json!({"a": {"b": 1}}))])]);
    assert!(matches!(node(&encode), Node::Literal(text) if text == br#""{\"a_b\":1}""#));
    assert!(matches!(node(&call(Function::ExcludeWhenNull, &[literal(Value::Null)])), Node::Missing));
    // One that fails does so for each record.
    let wrong = call(Function::PathOf, &[literal(json!(5)), literal(json!({}))]);
    assert_eq!(fails(&wrong, &record("", "{}"), &Limits::default()).0, "wrong_path");
}

#[test]
fn a_path_that_is_worked_out_as_no_text_fails_its_record() {
    let by_path = call(Function::PathOf, &[path("doc.way"), path("$.")]);
    gives(&by_path, &record("t", r#"{"way": "$.doc.a[0]", "a": [5]}"#), &json!(5));
    gives(&by_path, &record("t", r#"{"way": "$.text"}"#), &json!("t"));
    for (doc, came) in
        [(r#"{"way": 5}"#, "a number"), (r#"{"way": null}"#, "null"), (r"{}", "nothing at all"), (r#"{"way": {}}"#, "an object")]
    {
        let (code, message) = fails(&by_path, &record("t", doc), &Limits::default());
        assert_eq!(code, "wrong_path");
        assert_eq!(message, format!("`@path` takes text, and for this record it is worked out as {came}"));
    }
    let long = format!(r#"{{"way": "{}"}}"#, "a.".repeat(3_000));
    assert_eq!(fails(&by_path, &record("t", &long), &Limits::default()).0, "wrong_path");
    // Longer than anything nests: a path finds no more than one of that length.
    let deep = format!(r#"{{"way": "doc.n.{}", "n": null}}"#, "x.".repeat(500));
    gives(&by_path, &record("t", &deep), &Value::Null);
    let template = call(Function::TemplateOf, &[path("text"), path("$.")]);
    gives(
        &template,
        &record("{{doc.a}}-{{ id }}-{{gone}}{{text}}", r#"{"a": "\"é"}"#),
        &json!("\"é-7-{{doc.a}}-{{ id }}-{{gone}}{{text}}"),
    );
}

#[test]
fn what_makes_much_of_little_stops_at_the_limit() {
    let limits = Limits { value_bytes: 1_000, ..Limits::default() };
    let with = |with: &str| {
        let replacements = vec![Replacement { pattern: "a".to_owned(), with: with.to_owned() }];
        call(Function::Replace { replacements, global: true, ignore_case: false }, &[path("text")])
    };
    let text = record(&"a".repeat(500), "{}");
    let template = call(Function::TemplateOf, &[Expr::Literal(json!("{{text}}".repeat(3))), path("$.")]);
    for expr in [with("$`$'"), with("bcd"), template] {
        assert_eq!(fails(&expr, &text, &limits).0, "value_too_large", "{expr:?}");
    }
    let ways = format!(r#"{{"{}": [{}1]}}"#, "k".repeat(100), "1,".repeat(100));
    assert_eq!(fails(&call(flatten(), &[path("doc")]), &record("", &ways), &limits).0, "value_too_large");
}

#[test]
fn what_nests_too_deep_fails_rather_than_being_cut() {
    let deep = format!("{}1{}", "[".repeat(63), "]".repeat(63));
    let inside = |expr: Expr| Expr::Array(vec![Expr::Array(vec![expr])]);
    for expr in [
        call(flatten(), &[inside(path("doc"))]),
        call(Function::Merge { first_wins: false }, &[inside(path("doc"))]),
        call(Function::ExcludeWhenNull, &[object(&[("n", Expr::Literal(Value::Null)), ("a", inside(path("doc")))])]),
        transform(call(Function::Merge { first_wins: false }, &[object(&[("a", inside(path("doc")))])]), path("a.0")),
        call(Function::JsonDecode, &[call(Function::JsonEncode, &[inside(path("doc"))])]),
    ] {
        assert_eq!(fails(&expr, &record("", &deep), &Limits::default()).0, "too_deep", "{expr:?}");
    }
}
