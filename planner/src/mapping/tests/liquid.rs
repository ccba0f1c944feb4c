//! `@liquid`: what it reads, and what is said of it.

use outflow_contract::expr::{Columns, Form, Own};

use super::*;

fn liquid(text: &str, optional: &[usize], mut args: Vec<Expr>, now: bool) -> Expr {
    if now {
        args.push(call(Function::Own(Own::Now { to: Form::UnixMillis, zone: None }), Vec::new()));
    }
    call(Function::Liquid { text: text.to_owned(), optional: optional.to_vec() }, args)
}

#[test]
fn a_template_reads_the_columns_that_it_names() {
    let text = "{{ address.city | append: plan }}{{ __op }}";
    let (read, uses, problems) = read(&format!("{{ '@liquid': '{text}' }}"));
    let args = vec![read_path("address"), Expr::Path(path(&["address", "city"])), read_path("plan"), read_path("__op")];
    assert_eq!((&read, uses, problems), (&liquid(text, &[], args, false), vec!["address".to_owned(), "plan".to_owned()], vec![]));
    assert_eq!(read.columns(), Columns::Named(vec!["address".to_owned(), "plan".to_owned()]));
    assert_eq!(expr("{ '@liquid': '{{ a | date }}' }"), liquid("{{ a | date }}", &[], vec![read_path("a")], true));
    assert_eq!(expr("{ '@liquid': '{{ [a] }}' }").columns(), Columns::All);
}

#[test]
fn a_name_that_a_template_may_have_assigned_need_not_be_a_column() {
    let text = "{% if vip %}{% assign tier = 1 %}{% endif %}{{ tier }}";
    let (read, uses, problems) = read(&format!("{{ '@liquid': '{text}' }}"));
    let expected = liquid(text, &[1], vec![read_path("vip"), read_path("tier")], false);
    assert_eq!((read, uses, problems), (expected, vec!["vip".to_owned()], vec![]));
}

#[test]
fn a_template_without_tags_is_its_text() {
    assert_eq!(expr("{ '@liquid': 'a { b } % c' }"), Expr::Literal(json!("a { b } % c")));
    assert_eq!(expr("{ '@liquid': '' }"), Expr::Literal(json!("")));
    assert_eq!(expr("{ '@liquid': '{% raw %}{{ a }}{% endraw %}' }"), Expr::Literal(json!("{{ a }}")));
}

#[test]
fn the_timestamp_is_the_models_column_in_a_template_too() {
    let text = "{ '@liquid': '{{ __timestamp }}' }";
    let (known, uses, problems) = read_with(text, Timestamp::Column("paid at"));
    assert_eq!((known, uses, problems), (liquid("{{ __timestamp }}", &[], vec![read_path("paid at")], false), vec![], vec![]));
    assert_eq!(problem(text), "`$.__timestamp` is the model's timestamp column, and model `orders` names none");
    let (shaped, uses, problems) = read("{ '@arrayPath': [$.items, { x: { '@liquid': '{{ sku }}' } }] }");
    assert!(matches!(shaped, Expr::ArrayPath { .. }));
    assert_eq!((uses, problems), (vec!["items".to_owned()], vec![]));
}

#[test]
fn what_is_wrong_in_a_template_is_said_with_its_place() {
    for (text, expected) in [
        ("{ '@liquid': 5 }", "`@liquid` takes text, and this is a number"),
        ("{ '@liquid': { '@path': $.a } }", "`@liquid` takes text, and this is a mapping"),
        ("{ '@liquid': '{{ a | map: b }}' }", "the filter `map` is not available in `@liquid` (character 8 of the template)"),
        ("{ '@liquid': \"x\\n{% for a in b %}\" }", "the tag `for` is not available in `@liquid` (line 2, character 1 of the template)"),
        ("{ '@liquid': '{{ $.a }}' }", "a path begins with its column here, and not with `$.` (character 4 of the template)"),
        ("{ '@liquid': '{{ a | upcas }}' }", "there is no filter `upcas` (character 8 of the template)"),
    ] {
        assert_eq!(problem(text), expected);
    }
    let long = format!("{{ '@liquid': '{}' }}", "x".repeat(1001));
    assert_eq!(problem(&long), "a template has at most 1000 characters, and this has 1001 (character 1 of the template)");
}
