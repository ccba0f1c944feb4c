//! What the reference makes of a value for a field of each kind: every case of `cases/_coercion.json`, which is its own answer.
//!
//! The field of a case is declared as it is there, and the case's record is one column of JSON text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: what is missing is a failure")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field as Column, Schema};
use outflow_contract::Op;
use outflow_contract::destination::{Field, FieldKind, Format};
use outflow_contract::expr::{Expr, Path};
use outflow_contract::limits::Limits;
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use outflow_engine::map::{Mapper, SentBy};
use outflow_tests::differences::{Difference, comparable, judge, shown};
use serde_json::Value;

const DIFFERENT: &[Difference] = &[
    Difference {
        cases: &[
            "string_required/empty/single",
            "string_choices/empty/single",
            "string_email/empty/single",
            "string_date/empty/single",
            "string_uuid/empty/single",
            "string_minmax/empty/single",
            "password/empty/single",
            "datetime_allownull/empty/single",
        ],
        reference: "an empty text is as good as missing if its record is sent alone, and a value if it is sent with others",
        here: "a value, always: a record does not change its meaning by travelling alone",
    },
    Difference {
        cases: &["string_allownull/arr1"],
        reference: "a list of one text is that text, save where null is allowed, where it is an error",
        here: "it is that text",
    },
    Difference {
        cases: &["datetime/arrnum"],
        reference: "a list of one number becomes text where a moment is asked for, though a number alone does not",
        here: "it is that number",
    },
    Difference {
        cases: &["object_multiple_props/objnull", "object_multiple_props/arrobj"],
        reference: "the null members of objects in a list become `\"\"` and 0",
        here: "they are as good as missing, as they are anywhere else",
    },
];

fn field(name: &str, case: &Value) -> Field {
    let kind = match case["type"].as_str().unwrap() {
        "string" | "text" | "password" => FieldKind::String,
        "number" => FieldKind::Number,
        "integer" => FieldKind::Integer,
        "boolean" => FieldKind::Boolean,
        "datetime" => FieldKind::Datetime,
        "object" => FieldKind::Object,
        other => panic!("{other}"),
    };
    let format = case.get("format").map(|format| match format.as_str().unwrap() {
        "email" => Format::Email,
        "uri" => Format::Uri,
        "date" => Format::Date,
        "date-time" => Format::DateTime,
        "uuid" => Format::Uuid,
        "ipv4" => Format::Ipv4,
        other => panic!("{other}"),
    });
    let flag = |name: &str| case.get(name).is_some_and(|flag| flag == true);
    let limit = |name: &str| case.get(name).and_then(Value::as_f64);
    let choice = |choice: &Value| choice.as_str().or(choice["value"].as_str()).unwrap().to_owned();
    let choices = case.get("choices").and_then(Value::as_array);
    let properties = case.get("properties").and_then(Value::as_object);
    Field {
        required: flag("required"),
        multiple: flag("multiple"),
        allow_null: flag("allowNull"),
        open: flag("additionalProperties"),
        choices: choices.map(|list| list.iter().map(choice).collect()).unwrap_or_default(),
        properties: properties.map(|members| members.iter().map(|(name, member)| field(name, member)).collect()).unwrap_or_default(),
        format,
        minimum: limit("minimum"),
        maximum: limit("maximum"),
        ..Field::new(name, kind, "A field of a case.")
    }
}

/// What the field `f` of a record becomes, or why the record fails.
fn mapped(field: &Field, record: &Value) -> Result<Value, String> {
    let json = Column::new("v", DataType::Utf8, true).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into());
    let schema = Arc::new(Schema::new(vec![Column::new("id", DataType::Int64, true), json]));
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![7])), Arc::new(StringArray::from(vec![record.to_string()]))];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let expr = Expr::Object(vec![("f".into(), Expr::Path(Path::parse("$.v.f")))]);
    let declared = std::slice::from_ref(field);
    let mapper = Mapper::compile(&expr, Some(declared), &schema, &["id".to_owned()], &Limits::default()).unwrap();
    let mapped = mapper.map(&batch, &[Op::Added], &SentBy::default(), &[0]).unwrap();
    match mapped.failed.into_iter().next() {
        Some(failed) => Err(format!("{}: {}", failed.rejection.code, failed.rejection.message)),
        None => Ok(serde_json::from_slice(&mapped.bytes).unwrap()),
    }
}

#[test]
fn every_case_of_the_reference_comes_out_the_same_or_is_listed() {
    let cases: Value = serde_json::from_str(include_str!("../cases/_coercion.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 675, "all cases are there");
    let outcomes = cases.iter().map(|case| {
        let came = mapped(&field("f", &case["field"]), &case["input"]);
        let equal = match (&came, case.get("expected")) {
            (Ok(came), Some(expected)) => comparable(came) == comparable(expected),
            (Err(_), None) => true,
            _ => false,
        };
        let expected = case.get("expected").map_or_else(|| case["expected_error"].to_string(), Value::to_string);
        let outcome = if equal { Ok(()) } else { Err(format!("{} became {came:?}, not {expected}", case["input"])) };
        (case["id"].as_str().unwrap().to_owned(), outcome)
    });
    let wrong = judge(DIFFERENT, outcomes);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_page_of_differences_shows_the_table() {
    shown(include_str!("../../docs/mapping-differences.md"), "fields", DIFFERENT);
}
