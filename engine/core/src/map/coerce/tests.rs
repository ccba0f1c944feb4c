//! Values turned to the kinds of their fields: what the reference's own cases (`tests/tests/coercion.rs`) leave out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field as Column, Schema};
use outflow_contract::Op;
use outflow_contract::destination::{Condition, Field, FieldKind, Format, RequiredIf};
use outflow_contract::expr::{Expr, Path, TemplatePart};
use outflow_contract::limits::Limits;
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use serde_json::{Value, json};

use crate::map::{Mapper, SentBy};

fn path(text: &str) -> Expr {
    Expr::Path(Path { segments: text.split('.').map(Into::into).collect() })
}

/// What one record with this JSON in its column `v` becomes, or why it fails.
fn mapped(fields: &[Field], expr: &Expr, v: &str) -> Result<String, (String, String)> {
    let json = Column::new("v", DataType::Utf8, true).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into());
    let schema = Arc::new(Schema::new(vec![Column::new("id", DataType::Int64, true), json]));
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![7])), Arc::new(StringArray::from(vec![v]))];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let mapper = Mapper::compile(expr, Some(fields), &schema, &["id".to_owned()], &Limits::default()).unwrap();
    let mapped = mapper.map(&batch, &[Op::Added], &SentBy::default(), &[0]).unwrap();
    match mapped.failed.into_iter().next() {
        Some(failed) => Err((failed.rejection.code, failed.rejection.message)),
        None => Ok(String::from_utf8(mapped.bytes).unwrap()),
    }
}

/// `{"f": $.v.f}`, which is how the cases are mapped.
fn plain() -> Expr {
    Expr::Object(vec![("f".into(), path("v.f"))])
}

fn one(field: Field, v: &str) -> Result<String, (String, String)> {
    mapped(&[field], &plain(), v)
}

#[test]
fn numbers_keep_their_digits_when_they_become_text_and_when_they_come_from_it() {
    let text = |v: &str| one(Field::new("f", FieldKind::String, ""), v).unwrap();
    assert_eq!(text(r#"{"f": 12345678901234567890123}"#), r#"{"f":"12345678901234567890123"}"#);
    assert_eq!(text(r#"{"f": 1.50}"#), r#"{"f":"1.50"}"#);
    let number = |v: &str| one(Field::new("f", FieldKind::Number, ""), v);
    assert_eq!(number(r#"{"f": "12345678901234567890.10"}"#).unwrap(), r#"{"f":12345678901234567890.10}"#);
    for (text, expected) in [("+5", "5"), (".5", "0.5"), ("5.", "5"), ("\\t-7\\n", "-7"), ("007", "7")] {
        assert_eq!(number(&format!(r#"{{"f": "{text}"}}"#)).unwrap(), format!(r#"{{"f":{expected}}}"#), "{text}");
    }
    for text in ["inf", "NaN", "1e999", "0x10", "1_000", "--1", "1 2"] {
        assert_eq!(number(&format!(r#"{{"f": "{text}"}}"#)).unwrap_err().0, "wrong_type", "{text}");
    }
}

#[test]
fn a_field_is_turned_to_its_kind_beside_a_template_that_holds_an_object() {
    let fields = [Field::new("a", FieldKind::String, ""), Field::new("b", FieldKind::String, "")];
    let template = Expr::Template(vec![TemplatePart::Value(Path::parse("v.o"))]);
    let expr = Expr::Object(vec![("a".into(), template), ("b".into(), path("v.n"))]);
    assert_eq!(mapped(&fields, &expr, r#"{"o": {"x": 1}, "n": 12}"#).unwrap(), r#"{"a":"{\"x\":1}","b":"12"}"#);
}

#[test]
fn a_failure_names_the_field_what_it_takes_and_what_came() {
    let location = Field::new("location", FieldKind::Object, "")
        .properties(vec![Field::new("latitude", FieldKind::Number, ""), Field::new("city", FieldKind::String, "").required()]);
    let drawn = Expr::Object(vec![("location".into(), Expr::Object(vec![("latitude".into(), path("v.a")), ("city".into(), path("v.b"))]))]);
    let whole = Expr::Object(vec![("location".into(), path("v"))]);
    let fails = |expr: &Expr, v: &str| mapped(std::slice::from_ref(&location), expr, v).unwrap_err();
    let wrong = ("wrong_type".to_owned(), "field `location.latitude` takes a number, and this is text that is no number".to_owned());
    assert_eq!(fails(&drawn, r#"{"a": "north", "b": "x"}"#), wrong);
    assert_eq!(fails(&whole, r#"{"latitude": "north", "city": "x"}"#), wrong);
    let missing = ("missing_field".to_owned(), "field `location.city` is required, and this record has no value for it".to_owned());
    assert_eq!(fails(&drawn, r#"{"a": 1, "b": null}"#), missing);
    assert_eq!(fails(&whole, r#"{"latitude": 1}"#), missing);
    assert_eq!(fails(&whole, "[1, 2]").1, "field `location` takes an object, and this is a list");
}

#[test]
fn members_that_are_not_declared_are_dropped_wherever_they_come_from() {
    let fields = [Field::new("o", FieldKind::Object, "").properties(vec![Field::new("a\"b", FieldKind::String, "")])];
    let whole = Expr::Object(vec![("o".into(), path("v")), ("other".into(), path("v"))]);
    assert_eq!(mapped(&fields, &whole, r#"{"x": 1, "a\"b": 2, "y": {"a\"b": 3}}"#).unwrap(), r#"{"o":{"a\"b":"2"}}"#);
    let drawn = Expr::Object(vec![("o".into(), Expr::Object(vec![("x".into(), path("id")), ("a\"b".into(), path("id"))]))]);
    assert_eq!(mapped(&fields, &drawn, "{}").unwrap(), r#"{"o":{"a\"b":"7"}}"#);
}

#[test]
fn an_open_object_keeps_its_other_members_and_turns_those_that_are_declared() {
    let properties = vec![Field::new("a", FieldKind::String, ""), Field::new("b", FieldKind::Number, "")];
    let fields = [Field::new("o", FieldKind::Object, "").properties(properties).open()];
    let whole = Expr::Object(vec![("o".into(), path("v"))]);
    let drawn = Expr::Object(vec![("o".into(), Expr::Object(vec![("x".into(), path("v.x")), ("a".into(), path("id"))]))]);
    assert_eq!(mapped(&fields, &whole, r#"{"x\"": [1, null], "a": 2, "b": null}"#).unwrap(), r#"{"o":{"x\"":[1,null],"a":"2"}}"#);
    assert_eq!(mapped(&fields, &drawn, r#"{"x": 1}"#).unwrap(), r#"{"o":{"x":1,"a":"7"}}"#);
    let untouched = [fields[0].clone().untouched()];
    assert_eq!(mapped(&untouched, &whole, r#"{"a": 2}"#).unwrap(), r#"{"o":{"a":2}}"#);
}

#[test]
fn a_form_and_limits_are_asked_of_the_value_as_it_is_sent() {
    let email = || Field::new("f", FieldKind::String, "").format(Format::Email);
    assert_eq!(one(email(), r#"{"f": "a@b.example"}"#).unwrap(), r#"{"f":"a@b.example"}"#);
    let wrong = ("wrong_format".to_owned(), "field `f` is an e-mail address, and this is other text".to_owned());
    assert_eq!(one(email(), r#"{"f": 5}"#).unwrap_err(), wrong);
    assert_eq!(one(email().multiple(), r#"{"f": ["a@b.example", "c"]}"#).unwrap_err(), wrong);
    let text = || Field::new("f", FieldKind::String, "").minimum(2.0).maximum(4.0);
    assert_eq!(one(text(), r#"{"f": "\u00e9\u00e9\u00e9\u00e9"}"#).unwrap(), r#"{"f":"\u00e9\u00e9\u00e9\u00e9"}"#);
    let long = "field `f` takes at most 4 characters, and here it is 5 characters";
    assert_eq!(one(text(), r#"{"f": 12345}"#).unwrap_err(), ("out_of_range".to_owned(), long.to_owned()));
    let number = || Field::new("f", FieldKind::Number, "").minimum(1.0).maximum(10.0);
    assert_eq!(one(number(), r#"{"f": "10"}"#).unwrap(), r#"{"f":10}"#);
    let small = "field `f` takes at least 1, and here it is 0";
    assert_eq!(one(number(), r#"{"f": false}"#).unwrap_err(), ("out_of_range".to_owned(), small.to_owned()));
    assert_eq!(one(number().minimum(0.0), r#"{"f": -7}"#).unwrap(), r#"{"f":-7}"#, "0 is no limit");
}

#[test]
fn a_constant_is_turned_once_and_one_that_cannot_be_fails_every_record() {
    let literal = |value: Value| Expr::Object(vec![("f".into(), Expr::Literal(value))]);
    let text = [Field::new("f", FieldKind::String, "")];
    assert_eq!(mapped(&text, &literal(json!(5)), "{}").unwrap(), r#"{"f":"5"}"#);
    assert_eq!(mapped(&text, &literal(json!(null)), "{}").unwrap(), "{}");
    assert_eq!(mapped(&text, &literal(json!({"a": 1})), "{}").unwrap_err().0, "wrong_type");
    let required = [Field::new("f", FieldKind::String, "").required()];
    assert_eq!(mapped(&required, &literal(json!(null)), "{}").unwrap_err().0, "missing_field");
    assert_eq!(mapped(&required, &Expr::Object(vec![]), "{}").unwrap_err().0, "missing_field");
    let constant = [Field::new("f", FieldKind::String, "").required().constant()];
    assert_eq!(mapped(&constant, &Expr::Object(vec![]), "{}").unwrap(), "{}", "a constant is no part of the payload");
}

#[test]
fn a_payload_that_is_no_object_of_fields_is_refused() {
    let schema = Arc::new(Schema::new(vec![Column::new("id", DataType::Int64, true)]));
    let compiled = Mapper::compile(&path("id"), Some(&[]), &schema, &["id".to_owned()], &Limits::default());
    assert!(compiled.is_err());
}

#[test]
fn a_field_that_only_some_records_need_fails_those_without_it() {
    let text = |name: &str| Field::new(name, FieldKind::String, "");
    let event = text("event").required_if(RequiredIf::All(vec![Condition::is("type", "track")]));
    let user = text("user").required_if(RequiredIf::Any(vec![Condition::missing("anonymous"), Condition::is_not("broadcast", true)]));
    let fields = [text("type"), event, user, text("anonymous"), Field::new("broadcast", FieldKind::Boolean, "")];
    let drawn = Expr::Object(fields.iter().map(|field| (field.name.clone(), path(&format!("v.{}", field.name)))).collect());
    let event = "field `event` is required where `type` is \"track\", and this record has no value for it";
    let user = "field `user` is required where there is no `anonymous` or `broadcast` is not true, and this record has no value for it";
    for (v, message) in [
        (r#"{"type": "track", "user": "1"}"#, Some(event)),
        (r#"{"type": "track", "user": "1", "event": null}"#, Some(event)),
        (r#"{"type": "page", "user": "1"}"#, None),
        (r#"{"user": "1"}"#, None),
        (r#"{"type": "track", "user": "1", "event": "x"}"#, None),
        (r#"{"type": "page"}"#, Some(user)),
        (r#"{"anonymous": "a", "broadcast": "false"}"#, Some(user)),
        (r#"{"anonymous": "a", "broadcast": 1}"#, None),
        (r#"{"broadcast": true}"#, Some(user)),
    ] {
        assert_eq!(mapped(&fields, &drawn, v).err(), message.map(|message| ("missing_field".to_owned(), message.to_owned())), "{v}");
    }
}

#[test]
fn a_member_that_only_some_objects_need_fails_those_without_it_however_they_are_made() {
    let text = |name: &str| Field::new(name, FieldKind::String, "");
    let members = || vec![text("kind"), text("url").required_if(RequiredIf::All(vec![Condition::is("kind", "page")]))];
    let field = Field::new("f", FieldKind::Object, "").properties(members());
    let message = "field `f.url` is required where `kind` is \"page\", and this record has no value for it";
    let failed = || Some(("missing_field".to_owned(), message.to_owned()));
    let drawn = || {
        let members = vec![("kind".into(), path("v.kind")), ("url".into(), path("v.url")), ("other".into(), path("v.kind"))];
        Expr::Object(vec![("f".into(), Expr::Object(members))])
    };
    assert_eq!(mapped(std::slice::from_ref(&field), &drawn(), r#"{"kind": "page"}"#).err(), failed());
    assert_eq!(mapped(std::slice::from_ref(&field), &drawn(), r#"{"kind": "app"}"#).unwrap(), r#"{"f":{"kind":"app"}}"#);
    assert_eq!(one(field.clone(), r#"{"f": {"kind": "page", "url": null}}"#).err(), failed());
    assert_eq!(one(field.clone(), r#"{"f": {"kind": "page", "url": "u"}}"#).unwrap(), r#"{"f":{"kind":"page","url":"u"}}"#);
    assert_eq!(one(field.multiple(), r#"{"f": [{"kind": "app"}, {"kind": "page"}]}"#).err(), failed());
}
