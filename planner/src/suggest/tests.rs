//! What is suggested, as a whole.

use outflow_contract::destination::{Field, FieldKind};
use serde_json::{Value, json};

use super::*;

fn text(name: &str, description: &str) -> Field {
    Field::new(name, FieldKind::String, description)
}

fn column(name: &str, kind: &str, values: &[Value]) -> Column {
    Column { name: name.to_owned(), kind: kind.to_owned(), values: values.to_vec() }
}

/// `field=column` of all that is suggested.
fn suggested(declared: &[Field], columns: &[Column], written: &Value) -> Vec<String> {
    let targets = targets(declared);
    let found = suggest(&targets, columns, &kept(&targets, written), CONFIDENCE_MIN);
    found.iter().map(|one| format!("{}={}", targets[one.target].name(), columns[one.column].name)).collect()
}

fn person() -> Vec<Field> {
    vec![
        text("user_id", "Your own identifier of the user.").required(),
        text("email", "The e-mail address."),
        text("phone", "The telephone number."),
        text("first_name", "The given name."),
        Field::new("created_at", FieldKind::Datetime, "When the user was made."),
        Field::new("subscribed", FieldKind::Boolean, "The user wants e-mails."),
        Field::new("traits", FieldKind::Object, "What else there is."),
    ]
}

#[test]
fn names_types_and_values_decide_together() {
    let columns = [
        column("cust_no", "bigint", &[json!(1), json!(2)]),
        column("CUST_EMAIL_ADDR", "text", &[json!("a@example.com")]),
        column("email_verified", "boolean", &[json!(true)]),
        column("vorname", "text", &[json!("Anna")]),
        column("tel", "text", &[json!("+4722550100"), Value::Null]),
        column("crt_ts", "timestamptz", &[json!("2026-01-01T00:00:00Z")]),
        column("loyalty_points", "int", &[json!(5)]),
    ];
    let expected = ["user_id=cust_no", "email=CUST_EMAIL_ADDR", "phone=tel", "first_name=vorname", "created_at=crt_ts"];
    assert_eq!(suggested(&person(), &columns, &Value::Null), expected);
}

#[test]
fn a_column_that_cannot_be_is_not_suggested_whatever_its_name() {
    let wrong = [
        column("email", "boolean", &[json!(true)]),
        column("created_at", "boolean", &[json!(false)]),
        column("traits", "text", &[json!("x")]),
        column("subscribed", "timestamptz", &[json!("2026-01-01T00:00:00Z")]),
    ];
    assert_eq!(suggested(&person(), &wrong, &Value::Null), Vec::<String>::new());
    let right = [column("traits", "json", &[json!({ "a": 1 })]), column("subscribed", "boolean", &[])];
    assert_eq!(suggested(&person(), &right, &Value::Null), ["subscribed=subscribed", "traits=traits"]);
}

#[test]
fn values_speak_for_a_column_whose_name_says_nothing() {
    let mut columns = vec![column("kontaktweg", "text", &[json!("a@example.com"), json!("b@example.org")])];
    assert_eq!(suggested(&person(), &columns, &Value::Null), ["email=kontaktweg"]);
    columns.push(column("other", "text", &[json!("c@example.com")]));
    assert_eq!(suggested(&person(), &columns, &Value::Null), Vec::<String>::new(), "one of two, and nobody knows which");
}

#[test]
fn what_the_mapping_says_stays_and_its_columns_are_not_given_away() {
    let columns = [column("email", "text", &[json!("a@example.com")]), column("id", "bigint", &[json!(1)])];
    assert_eq!(suggested(&person(), &columns, &json!({ "user_id": "$.email" })), Vec::<String>::new());
    assert_eq!(suggested(&person(), &columns, &json!({ "email": { "@literal": "x" } })), ["user_id=id"]);
}

#[test]
fn the_same_question_has_the_same_answer_and_no_answer_holds_a_value() {
    let columns = [column("mail", "text", &[json!("secret@example.com")]), column("phone_no", "text", &[json!("+4722550100")])];
    let declared = person();
    let targets = targets(&declared);
    let once = suggest(&targets, &columns, &[], 0.0);
    assert_eq!(once, suggest(&targets, &columns, &[], 0.0));
    assert!(!once.is_empty() && once.iter().all(|one| (0.0..=1.0).contains(&one.confidence)));
    assert!(once.iter().all(|one| !one.why.contains("secret") && !one.why.contains("4722")));
}

#[test]
fn nothing_in_a_name_or_a_value_is_too_strange() {
    let names = ["", "_", "é", "日本語", "😀😀", "a\u{0}b", &"x".repeat(100_000), &"a_b".repeat(50_000), "İ", "ß", "1", "__c", "c__c"];
    let columns: Vec<Column> =
        names.iter().map(|name| column(name, "text", &[json!(name), json!({ "a": [null] }), json!(1e300)])).collect();
    let mut declared = person();
    declared.extend(names.iter().map(|name| text(name, name)));
    let targets = targets(&declared);
    for one in suggest(&targets, &columns, &[], 0.0) {
        assert!((0.0..=1.0).contains(&one.confidence));
    }
}
