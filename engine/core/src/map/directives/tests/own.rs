//! Our own directives over columns: the kinds of values, how records fail, and the types of what they give.

use outflow_contract::expr::{Algorithm, Dating, Encoding, Form, Hashing, Lookup, Normal, Numeral, Own};

use super::*;

fn own(own: Own, args: &[Expr]) -> Expr {
    call(Function::Own(own), args)
}

fn hash() -> Own {
    let (algorithm, encoding) = (Algorithm::Md5, Encoding::Hex);
    Own::Hash(Hashing { algorithm, encoding, normal: Normal::Packed, calling_code: None, rehash: false })
}

fn number() -> Own {
    Own::Number(Numeral { decimal: '.', group: String::new(), currency: false })
}

fn date(from: Form, to: Form) -> Own {
    Own::Date(Dating { from, to, zone: None })
}

fn lookup() -> Own {
    Own::Lookup(Lookup {
        table: vec![("a".into(), json!("A")), ("é".into(), json!([1])), ("true".into(), Value::Null)], ignore_case: true
    })
}

fn join(items: bool) -> Own {
    Own::Join { by: "\"".into(), items }
}

#[test]
fn any_scalar_is_hashed_as_its_text_and_null_and_missing_stay() {
    let batch = record(" JANE\t", r#"{"n": 42, "b": true, "null": null, "s": "J\u0061ne", "e": " ", "d": 1.50}"#);
    let hash = |at: &str| own(hash(), &[path(at)]);
    for (at, expected) in [
        ("text", json!("5844a15e76563fedd11840fd6f40ea7b")),
        ("doc.s", json!("5844a15e76563fedd11840fd6f40ea7b")),
        ("doc.n", json!("a1d0c6e83f027327d8461063f4ac58a6")),
        ("id", json!("8f14e45fceea167a5a36dedd4bea2543")),
        ("doc.b", json!("b326b5062b2f0e69046810717534cb09")),
        ("doc.null", Value::Null),
    ] {
        gives(&object(&[("h", hash(at))]), &batch, &json!({ "h": expected }));
    }
    gives(&object(&[("a", hash("doc.gone")), ("b", hash("doc.e"))]), &batch, &json!({}));
    gives(&object(&[("h", own(self::hash(), &[Expr::Literal(json!("jane"))]))]), &batch, &json!({"h": "5844a15e76563fedd11840fd6f40ea7b"}));
}

#[test]
fn what_a_directive_cannot_use_fails_its_record_with_the_field_and_what_came() {
    let batch = record("12 apples", r#"{"list": [1], "object": {}, "flag": true, "n": 5}"#);
    let within = |expr: Expr| object(&[("traits", object(&[("x", expr)]))]);
    for (own, at, expected) in [
        (hash(), "doc.list", "`@hash` takes text or another scalar, and this is a list"),
        (hash(), "doc.object", "`@hash` takes text or another scalar, and this is an object"),
        (number(), "text", "`@number` takes a number, or text that is one, and this is text that is none"),
        (number(), "doc.flag", "`@number` takes a number, or text that is one, and this is true or false"),
        (date(Form::Iso, Form::Iso), "text", "`@date` takes text in ISO 8601, and this is other text"),
        (date(Form::Iso, Form::Iso), "doc.n", "`@date` takes text in ISO 8601, and this is another number"),
        (date(Form::Unix, Form::Iso), "doc.flag", "`@date` takes a number of seconds since 1970, and this is true or false"),
        (lookup(), "doc.list", "`@lookup` takes text or another scalar, and this is a list"),
        (
            Own::Split { by: ",".into(), trim: false, at: None },
            "doc.object",
            "`@split` takes text or another scalar, and this is an object",
        ),
        (join(false), "doc.list", "`@join` takes text and other scalars, and this is a list"),
        (join(true), "doc.object", "`@join` takes text and other scalars, and this is an object"),
    ] {
        let (code, message) = fails(&within(call(Function::Own(own), &[path(at)])), &batch, &Limits::default());
        assert_eq!((code.as_str(), message), ("wrong_value", format!("field `traits.x`: {expected}")));
    }
    let (_, message) = fails(&own(number(), &[path("text")]), &batch, &Limits::default());
    assert!(message.starts_with("the payload: `@number`"), "{message}");
}

#[test]
fn a_lookup_falls_back_to_its_default_and_else_keeps_null() {
    let batch = record("A", r#"{"e": "É", "t": true, "null": null, "other": "z"}"#);
    let found = |at: &str| own(lookup(), &[path(at)]);
    let defaulted = |at: &str| own(lookup(), &[path(at), path("id")]);
    gives(&object(&[("x", found("text")), ("y", found("doc.e")), ("z", found("doc.t"))]), &batch, &json!({"x": "A", "y": [1], "z": null}));
    gives(&object(&[("x", found("doc.null")), ("y", found("doc.gone")), ("z", found("doc.other"))]), &batch, &json!({"x": null}));
    let all =
        object(&[("x", defaulted("doc.null")), ("y", defaulted("doc.gone")), ("z", defaulted("doc.other")), ("f", defaulted("text"))]);
    gives(&all, &batch, &json!({"x": 7, "y": 7, "z": 7, "f": "A"}));
}

#[test]
fn a_list_is_joined_by_what_may_need_escapes() {
    let batch = record("t", r#"{"list": ["a", null, "", 1, "é\\"], "null": null, "empty": [null, ""], "n": 5}"#);
    gives(&own(join(true), &[path("doc.list")]), &batch, &json!("a\"1\"é\\"));
    gives(&own(join(true), &[path("doc.null")]), &batch, &Value::Null);
    gives(&own(join(true), &[path("doc.n")]), &batch, &json!("5"));
    gives(&object(&[("x", own(join(true), &[path("doc.empty")]))]), &batch, &json!({}));
    gives(&own(join(false), &[path("text"), path("doc.gone"), path("doc.null"), path("id")]), &batch, &json!("t\"7"));
    let long = Own::Join { by: "x".repeat(600), items: false };
    let limits = Limits { value_bytes: 1_000, ..Limits::default() };
    assert_eq!(fails(&own(long, &[path("text"), path("text"), path("id")]), &batch, &limits).0, "value_too_large");
}

#[test]
fn text_with_escapes_is_trimmed_and_split_as_what_it_says() {
    let batch = record("t", r#"{"x": " \t a\"b\u00a0 ", "y": "a\n\nb"}"#);
    gives(&own(Own::Trim { chars: None }, &[path("doc.x")]), &batch, &json!("a\"b"));
    gives(&own(Own::Trim { chars: Some(" ".into()) }, &[path("doc.x")]), &batch, &json!("\t a\"b\u{a0}"));
    gives(&own(Own::Split { by: "\n".into(), trim: true, at: None }, &[path("doc.y")]), &batch, &json!(["a", "b"]));
    gives(&own(Own::Split { by: "\n".into(), trim: false, at: Some(-2) }, &[path("doc.y")]), &batch, &json!(""));
}

#[test]
fn now_is_when_the_sync_began() {
    let batch = record("t", "{}");
    let now = |to, zone: Option<&str>| own(Own::Now { to, zone: zone.map(Into::into) }, &[]);
    let upper = Expr::Case { upper: true, value: Box::new(now(Form::Pattern("%B".into()), None)) };
    let unix = own(date(Form::Unix, Form::Date), &[now(Form::Unix, None)]);
    let expr = object(&[("a", now(Form::Iso, Some("Europe/Oslo"))), ("b", upper), ("c", unix)]);
    let mapper = Mapper::compile(&expr, None, &batch.schema(), &["id".to_owned()], &Limits::default()).unwrap();
    let sync = SentBy::new("s", "2026-03-31T22:30:00.250Z".parse().unwrap());
    let mapped = mapper.map(&batch, &[Op::Added], &sync, &[0]).unwrap();
    let expected = json!({"a": "2026-04-01T00:30:00.250+02:00", "b": "MARCH", "c": "2026-03-31"});
    assert_eq!(serde_json::from_slice::<Value>(&mapped.bytes).unwrap(), expected);
}

#[test]
fn each_directive_tells_the_type_of_what_it_gives() {
    let split = |at| Own::Split { by: ",".into(), trim: false, at };
    let pattern = Form::Pattern("%Y".into());
    let told = [
        (own(hash(), &[path("id")]), "Utf8"),
        (own(number(), &[path("text")]), "Float64"),
        (own(number(), &[path("id")]), "Int64"),
        (own(date(Form::Iso, Form::Iso), &[path("text")]), "Timestamp(µs, \"+00:00\")"),
        (own(date(Form::Iso, Form::Unix), &[path("text")]), "Int64"),
        (own(date(Form::Iso, Form::Date), &[path("text")]), "Date32"),
        (own(date(Form::Iso, pattern), &[path("text")]), "Utf8"),
        (own(split(Some(0)), &[path("text")]), "Utf8"),
        (own(join(false), &[path("id")]), "Utf8"),
        (own(Own::Trim { chars: None }, &[path("id")]), "Int64"),
        (own(Own::Coalesce { blank: false }, &[path("id"), Expr::Literal(json!(5))]), "Int64"),
        (own(Own::Now { to: Form::Unix, zone: None }, &[]), "Int64"),
    ];
    for (expr, expected) in told {
        let all = object(&[("m", expr.clone())]);
        let mapper = Mapper::compile(&all, None, &record("", "{}").schema(), &["id".to_owned()], &Limits::default()).unwrap();
        assert_eq!(mapper.payload_schema().unwrap().field(0).data_type().to_string(), expected, "{expr:?}");
    }
}
