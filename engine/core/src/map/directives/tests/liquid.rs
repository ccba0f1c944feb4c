//! `@liquid` over columns: their values in a template, names that are no columns, and how records fail.

use outflow_contract::expr::{Form, Own};
use outflow_liquid::Template;

use super::*;

/// The directive over what the template reads.
fn liquid(text: &str) -> Expr {
    let template = Template::parse(text).unwrap();
    let mut args: Vec<Expr> = template.reads().iter().map(|read| Expr::Path(Path { segments: read.path.clone() })).collect();
    if template.may_ask_for_now() {
        args.push(call(Function::Own(Own::Now { to: Form::UnixMillis, zone: None }), &[]));
    }
    let optional = template.reads().iter().enumerate().filter(|(_, read)| read.optional).map(|(at, _)| at).collect();
    call(Function::Liquid { text: text.to_owned(), optional }, &args)
}

#[test]
fn columns_are_values_in_a_template() {
    let batch = record(
        "Zoë \"x\"\n",
        r#"{"n": 9007199254740993, "list": [1, {"a": null}], "o": {"s": "\u00e9\"", "zero": 0}, "no": false, "price": 12.10, "key": "id"}"#,
    );
    for (text, expected) in [
        ("{{ text | upcase }}", "ZOË \"X\"\n"),
        ("{{ id }} {{ doc.n }} {{ doc.price }} {{ doc.no }}", "7 9007199254740993 12.10 false"),
        ("{{ doc.list[0] }}{{ doc.list.size }}{{ doc.list[-1] }}", "12{\"a\":null}"),
        ("{{ doc.o.s }}|{{ doc.o.zero }}|{{ doc.no.x }}|{{ doc.o.zero.x }}|{{ text.x }}", "é\"|0|||"),
        ("{{ doc.o }}", "{\"s\":\"é\\\"\",\"zero\":0}"),
        ("{{ __op }} {{ __segment_id }}{{ doc.gone.deeper }}", "added 7"),
        ("{{ [text] }}|{{ [doc.key] }}", "|7"),
        ("{% if doc.list contains 1 %}yes{% endif %}", "yes"),
        ("{{ 'now' | date: '%Y-%m-%d' }}", "1970-01-01"),
        ("{{ 'a' | upcase }}", "A"),
    ] {
        gives(&object(&[("x", liquid(text))]), &batch, &json!({ "x": expected }));
    }
}

#[test]
fn a_name_that_the_template_may_have_assigned_is_a_column_where_there_is_one() {
    let batch = record("mine", r#"{"yes": true}"#);
    let text = |name: &str, asked: &str| format!("{{% if {asked} %}}{{% assign {name} = 'own' %}}{{% endif %}}[{{{{ {name} }}}}]");
    for (name, asked, expected) in
        [("text", "doc.yes", "[own]"), ("text", "doc.no", "[mine]"), ("gone", "doc.yes", "[own]"), ("gone", "doc.no", "[]")]
    {
        gives(&object(&[("x", liquid(&text(name, asked)))]), &batch, &json!({ "x": expected }));
    }
    let needs = Mapper::compile(&liquid("{{ gone }}"), None, &batch.schema(), &["id".to_owned()], &Limits::default()).unwrap_err();
    assert!(needs.message().contains("\"gone\""), "{needs}");
    let mapper = Mapper::compile(&liquid(&text("text", "doc.no")), None, &batch.schema(), &["id".to_owned()], &Limits::default()).unwrap();
    assert_eq!(mapper.columns(), [0, 1, 2], "a change in a column that may be read is a change");
}

#[test]
fn a_template_stands_in_shapes_and_transforms() {
    let batch = record("t", r#"{"items": [{"sku": "a"}, {"n": 1}], "who": {"name": "ada"}}"#);
    let shaped = Expr::ArrayPath { root: Path::parse("doc.items"), shape: Some(Box::new(liquid("<{{ sku | upcase }}{{ n }}>"))) };
    gives(&shaped, &batch, &json!(["<A>", "<1>"]));
    let applied = transform(object(&[("w", path("doc.who")), ("l", liquid("{{ text }}!"))]), liquid("{{ w.name | capitalize }} {{ l }}"));
    gives(&object(&[("x", applied)]), &batch, &json!({ "x": "Ada t!" }));
}

#[test]
fn a_template_without_columns_is_worked_out_once() {
    let node = node(&liquid("{{ 'a' | upcase }}{% if 1 < 2 %}b{% endif %}"));
    assert!(matches!(node, Node::Literal(text) if text == b"\"Ab\""));
}

#[test]
fn what_a_template_cannot_make_fails_its_record() {
    let batch = record(&"é%".repeat(40), "{\"a\": 1}");
    let within = |text: &str| object(&[("traits", object(&[("x", liquid(text))]))]);
    let (code, message) = fails(&within("{{ text | base64_decode }}"), &batch, &Limits::default());
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("wrong_value", "field `traits.x`: the filter `base64_decode` of `@liquid`: this is no base64")
    );
    let limits = Limits { value_bytes: 200, ..Limits::default() };
    gives(&within("{{ text | slice: 0, 9 }}"), &batch, &json!({"traits": {"x": "é%é%é%é%é"}}));
    assert_eq!(fails(&within("{{ text }}{{ text }}"), &batch, &limits).0, "value_too_large");
    let grows = "{% assign text = text | append: text %}".repeat(25);
    let (code, message) = fails(&within(&grows), &batch, &Limits::default());
    assert_eq!(code, "value_too_large");
    assert_eq!(message, "field `traits.x`: the template of `@liquid` takes more work for this record than it may");
    assert_eq!(fails(&liquid("{{ doc.a }}"), &record("", "{"), &Limits::default()).0, "invalid_json");
}
