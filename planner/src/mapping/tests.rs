use outflow_contract::expr::{Function, Replacement, TemplatePart};
use serde_json::json;

use super::*;
use crate::yaml;

mod liquid;
mod own;

fn read(text: &str) -> (Expr, Vec<String>, Vec<String>) {
    read_with(text, Timestamp::Absent("orders"))
}

fn read_with(text: &str, timestamp: Timestamp<'_>) -> (Expr, Vec<String>, Vec<String>) {
    let mut log = Log::default();
    let file = log.files.add("outflow.yml", text);
    let node = yaml::parse(text, file, "outflow.yml", &mut log).unwrap();
    let mut uses = Uses::default();
    let expr = parse(&node, timestamp, &mut uses, &mut log);
    let (problems, _) = log.finish();
    let uses = uses.columns.into_iter().map(|one| one.column).collect();
    (expr, uses, problems.iter().map(|p| p.message().to_owned()).collect())
}

fn expr(text: &str) -> Expr {
    let (expr, _, problems) = read(text);
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    expr
}

fn problem(text: &str) -> String {
    let (_, _, problems) = read(text);
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    problems[0].clone()
}

fn path(steps: &[&str]) -> Path {
    Path { segments: steps.iter().map(|step| (*step).to_owned()).collect() }
}

#[test]
fn a_bare_path_means_the_directive_and_other_text_is_itself() {
    assert_eq!(expr("$.email"), Expr::Path(path(&["email"])));
    assert_eq!(expr("{ '@path': email }"), Expr::Path(path(&["email"])));
    assert_eq!(expr("{ '@path': $.email, _metadata: { label: x } }"), Expr::Path(path(&["email"])));
    assert_eq!(expr("email"), Expr::Literal(json!("email")));
    let (braces, _, warnings) = read("'{{ email }}'");
    assert_eq!(braces, Expr::Literal(json!("{{ email }}")));
    assert!(warnings[0].contains("only `@template` and `@liquid` fill in places"), "{warnings:?}");
    assert_eq!(expr("$email"), Expr::Literal(json!("$email")));
}

#[test]
fn parts_without_a_directive_fold_into_constants() {
    assert_eq!(expr("{ a: [1, { b: null }], c: 1.50 }"), Expr::Literal(serde_json::from_str(r#"{"a":[1,{"b":null}],"c":1.50}"#).unwrap()));
    let mixed = Expr::Object(vec![("a".into(), Expr::Path(path(&["x"]))), ("b".into(), Expr::Literal(json!({"c": 1})))]);
    assert_eq!(expr("{ a: $.x, b: { c: 1 } }"), mixed);
    assert_eq!(
        expr("{ a: { '@template': hello }, b: { '@case': { operator: upper, value: straße } } }"),
        Expr::Literal(json!({"a": "hello", "b": "STRASSE"}))
    );
}

#[test]
fn a_literal_keeps_text_that_looks_like_a_path_and_still_resolves_directives() {
    assert_eq!(expr("{ '@literal': $.email }"), Expr::Literal(json!("$.email")));
    assert_eq!(expr("{ '@literal': { a: $.b } }"), Expr::Literal(json!({"a": "$.b"})));
    assert_eq!(expr("{ '@literal': { '@path': $.b } }"), Expr::Path(path(&["b"])));
}

#[test]
fn an_if_keeps_what_its_branches_say() {
    let asked = || Box::new(Expr::Path(path(&["a"])));
    let literal = |value: Value| Some(Box::new(Expr::Literal(value)));
    let full = Expr::If { test: Test::Exists(asked()), then: literal(json!("y")), otherwise: literal(json!("n")) };
    assert_eq!(expr("{ '@if': { exists: $.a, then: y, else: n } }"), full);
    assert_eq!(expr("{ '@if': { exists: $.a, blank: $.b, then: y, else: n } }"), full);
    assert_eq!(
        expr("{ '@if': { blank: $.a, then: null, else: 0 } }"),
        Expr::If { test: Test::NotBlank(asked()), then: literal(Value::Null), otherwise: None }
    );
    assert_eq!(expr("{ '@if': { blank: ' ', then: y, else: n } }"), Expr::Literal(json!("y")));
    assert_eq!(expr("[{ '@if': { exists: x, else: n } }]"), Expr::Literal(json!([null])));
    assert_eq!(expr("{ k: { '@if': { exists: x, else: n } } }"), Expr::Literal(json!({})));
    assert_eq!(problem("{ '@if': { exists: '', then: y } }"), "`@if` needs `exists` or `blank`");
    assert_eq!(problem("{ '@if': { exists: false, then: y } }"), "`@if` needs `exists` or `blank`");
    assert_eq!(problem("{ '@if': { exists: $.a, esle: y } }"), "`@if` has no key `esle`");
}

#[test]
fn a_case_changes_constants_at_once_and_leaves_the_rest_for_later() {
    assert_eq!(
        expr("{ '@case': { operator: lower, value: $.a } }"),
        Expr::Case { upper: false, value: Box::new(Expr::Path(path(&["a"]))) }
    );
    assert_eq!(expr("{ k: { '@case': { operator: upper } } }"), Expr::Literal(json!({})));
    assert_eq!(expr("{ k: { '@case': { operator: upper, value: '' } } }"), Expr::Literal(json!({})));
    assert_eq!(expr("{ '@case': { operator: upper, value: null } }"), Expr::Literal(Value::Null));
    assert_eq!(problem("{ '@case': { operator: title, value: a } }"), "the `operator` of `@case` is `lower` or `upper`");
    assert_eq!(
        problem("{ '@case': { operator: upper, value: 5 } }"),
        "the `value` of `@case` is text or a directive, and this is a number"
    );
}

#[test]
fn a_replace_takes_short_texts_and_one_value() {
    let replacement = |pattern: &str, with: &str| Replacement { pattern: pattern.into(), with: with.into() };
    let full = Function::Replace { replacements: vec![replacement("a", ""), replacement("b", "c")], global: false, ignore_case: true };
    assert_eq!(
        expr("{ '@replace': { pattern: a, value: $.x, ignorecase: true, global: false, pattern2: b, replacement2: c } }"),
        Expr::Call { function: full, args: vec![Expr::Path(path(&["x"]))] }
    );
    for (text, expected) in [
        ("{ value: $.x }", "`@replace` has no `pattern`"),
        ("{ pattern: a }", "`@replace` has no `value`"),
        ("{ pattern: '', value: x }", "the `pattern` of `@replace` is a text of 1 to 10 characters, and this is one of 0"),
        (
            "{ pattern: a, replacement: null, value: x }",
            "the `replacement` of `@replace` is a text of 0 to 10 characters, and this is empty",
        ),
        ("{ pattern: a, global: 1, value: x }", "the `global` of `@replace` is true or false, and this is a number"),
        ("{ pattern: a, value: 5 }", "the `value` of `@replace` is text or a directive, and this is a number"),
    ] {
        assert_eq!(problem(&format!("{{ '@replace': {text} }}")), expected);
    }
}

#[test]
fn an_array_path_shapes_items_and_reads_only_its_list_of_the_record() {
    let (shaped, uses, problems) = read("{ '@arrayPath': [$.order.items, { id: $.sku, t: { '@template': '{{sku}}!' } }] }");
    assert!(problems.is_empty());
    assert_eq!(uses, ["order"]);
    let parts = vec![TemplatePart::Value(path(&["sku"])), TemplatePart::Text("!".into())];
    let shape = Expr::Object(vec![("id".into(), Expr::Path(path(&["sku"]))), ("t".into(), Expr::Template(parts))]);
    assert_eq!(shaped, Expr::ArrayPath { root: path(&["order", "items"]), shape: Some(Box::new(shape)) });
    assert_eq!(expr("{ '@arrayPath': [$.items, {}] }"), Expr::ArrayPath { root: path(&["items"]), shape: None });
    assert_eq!(expr("{ '@arrayPath': [{ '@literal': $.items }] }"), Expr::ArrayPath { root: path(&["items"]), shape: None });
    let scalars = Expr::ArrayPath { root: path(&["items"]), shape: Some(Box::new(Expr::Path(path(&["sku"])))) };
    assert_eq!(expr("{ '@arrayPath': [$.items, $.sku] }"), scalars);
    assert_eq!(problem("{ '@arrayPath': $.x }"), "`@arrayPath` takes a list of a path and, if wanted, a shape");
    assert_eq!(problem("{ '@arrayPath': [$.x, 5] }"), "the shape of `@arrayPath` is a mapping or a path, and this is a number");
}

fn call(function: Function, args: Vec<Expr>) -> Expr {
    Expr::Call { function, args }
}

fn read_path(step: &str) -> Expr {
    Expr::Path(path(&[step]))
}

#[test]
fn directives_that_work_on_values_say_what_is_wrong_with_their_options() {
    let flatten = Function::Flatten { separator: "_".into(), omit_arrays: true };
    assert_eq!(expr("{ '@flatten': { separator: _, value: $.a, omitArrays: true } }"), call(flatten, vec![read_path("a")]));
    assert_eq!(expr("{ '@json': { mode: encode, value: $.a } }"), call(Function::JsonEncode, vec![read_path("a")]));
    let merge = Function::Merge { first_wins: true };
    assert_eq!(
        expr("{ '@merge': { direction: left, objects: [$.a, { b: 1 }] } }"),
        call(merge, vec![read_path("a"), Expr::Literal(json!({"b": 1}))])
    );
    assert_eq!(expr("{ '@excludeWhenNull': $.a }"), call(Function::ExcludeWhenNull, vec![read_path("a")]));
    for (text, expected) in [
        ("{ '@flatten': { value: $.a } }", "`@flatten` has no `separator`"),
        ("{ '@flatten': { separator: '', value: $.a } }", "the `separator` of `@flatten` is a text, and this is empty"),
        ("{ '@flatten': { separator: _ } }", "`@flatten` has no `value`"),
        ("{ '@json': { value: $.a } }", "`@json` has no `mode`"),
        ("{ '@json': { mode: ENCODE, value: $.a } }", "the `mode` of `@json` is `encode` or `decode`"),
        ("{ '@json': { mode: encode, value: 0 } }", "`@json` has no `value`"),
        ("{ '@merge': { objects: [] } }", "`@merge` has no `direction`"),
        ("{ '@merge': { direction: LEFT, objects: [] } }", "the `direction` of `@merge` is `left` or `right`"),
        ("{ '@merge': { direction: left, objects: $.a } }", "the `objects` of `@merge` are a list, and this is text"),
        (
            "{ '@merge': { direction: left, objects: [x] } }",
            "one of the `objects` of `@merge` is a mapping, a path or a directive, and this is text",
        ),
        ("{ '@transform': { apply: $.a } }", "`@transform` has no `mapping`"),
        (
            "{ '@transform': { apply: [1], mapping: $.a } }",
            "the `apply` of `@transform` is a mapping, a path or a directive, and this is a list",
        ),
    ] {
        assert_eq!(problem(text), expected);
    }
}

#[test]
fn a_transform_reads_of_the_record_what_it_applies_to_and_nothing_else() {
    let (transformed, uses, problems) = read("{ '@transform': { apply: { who: $.user }, mapping: { n: $.who.name, t: $.__timestamp } } }");
    assert_eq!((uses, problems), (vec!["user".to_owned()], vec![]));
    let apply = Box::new(Expr::Object(vec![("who".into(), read_path("user"))]));
    let mapping = Expr::Object(vec![("n".into(), Expr::Path(path(&["who", "name"]))), ("t".into(), read_path("__timestamp"))]);
    let transform = Expr::Transform { apply, mapping: Box::new(mapping) };
    assert_eq!(transformed, transform);
    let over = "{ __segment_internal_directive: { '@transform': { apply: { who: $.user } } }, n: $.who.name, t: $.__timestamp }";
    assert_eq!(expr(over), transform);
    assert_eq!(expr("{ '@transform': { apply: $.a, mapping: { b: 1 } } }"), Expr::Literal(json!({"b": 1})));
    assert_eq!(
        problem("{ __segment_internal_directive: { '@merge': {}, '@transform': { apply: $.a } }, b: $.c }"),
        "`__segment_internal_directive` holds one `@transform`"
    );
}

#[test]
fn a_text_that_is_worked_out_from_the_record_reads_all_of_it() {
    let whole = || Expr::Path(Path::whole());
    let by_path = call(Function::PathOf, vec![read_path("a"), whole()]);
    assert_eq!(expr("{ '@path': { '@path': $.a } }"), by_path);
    assert_eq!(expr("{ '@template': { '@path': $.a } }"), call(Function::TemplateOf, vec![read_path("a"), whole()]));
    assert_eq!(expr("{ '@arrayPath': [{ '@path': $.a }] }"), read_path("a"), "what a directive gives is the list itself");
    let shaped = Expr::ArrayPath { root: Path::whole(), shape: Some(Box::new(read_path("sku"))) };
    let expected = Expr::Transform { apply: Box::new(read_path("a")), mapping: Box::new(shaped) };
    assert_eq!(expr("{ '@arrayPath': [{ '@path': $.a }, $.sku] }"), expected);
    assert_eq!(by_path.columns(), outflow_contract::expr::Columns::All);
}

#[test]
fn the_columns_that_are_read_are_remembered_without_the_reserved_names() {
    let (_, uses, problems) = read("{ a: $.x.y, b: { '@template': '{{z}} {{__op}}' }, c: $.__segment_id, d: ['$.w[0]'], e: $. }");
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(uses, ["x", "z", "w"]);
}

#[test]
fn the_timestamp_is_the_models_column_under_a_name_of_its_own() {
    let text = "{ a: $.__timestamp, b: { '@template': 'at {{__timestamp}}!' }, c: { '@path': $.__timestamp.x }, d: { '@literal': $.__timestamp } }";
    let (known, uses, problems) = read_with(text, Timestamp::Column("paid at"));
    let parts = vec![TemplatePart::Text("at ".into()), TemplatePart::Value(path(&["paid at"])), TemplatePart::Text("!".into())];
    let expected = vec![
        ("a".into(), Expr::Path(path(&["paid at"]))),
        ("b".into(), Expr::Template(parts)),
        ("c".into(), Expr::Path(path(&["paid at", "x"]))),
        ("d".into(), Expr::Literal(json!("$.__timestamp"))),
    ];
    assert_eq!((known, uses, problems), (Expr::Object(expected), vec![], vec![]));

    let (missing, uses, problems) = read_with("{ a: $.__timestamp, b: $.x }", Timestamp::Missing);
    assert_eq!((missing, problems), (Expr::Object(vec![("b".into(), Expr::Path(path(&["x"])))]), vec![]));
    assert_eq!(uses, ["x"]);

    let expected = "`$.__timestamp` is the model's timestamp column, and model `orders` names none";
    for text in ["$.__timestamp", "{ '@template': '{{ __timestamp }}' }", "{ '@if': { exists: $.__timestamp, then: 1 } }"] {
        assert_eq!(problem(text), expected, "{text}");
    }
    // Inside the shape of a list the root is the item, whose members may be named so.
    let (_, _, problems) = read("{ '@arrayPath': [$.items, { at: $.__timestamp }] }");
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn what_is_not_a_directive_is_said_to_be_none() {
    assert_eq!(problem("{ '@pathh': $.a }"), "there is no directive `@pathh`");
    assert_eq!(problem("{ '@path': $.a, '@case': {} }"), "a directive stands alone, and `@path` has `@case` beside it");
    assert_eq!(problem("{ a: 1, '@path': $.a }"), "a directive stands alone, and `@path` has `a` beside it");
    assert_eq!(problem("{ '@path': 5 }"), "`@path` takes text, and this is a number");
    assert_eq!(problem("{ '@path': { '@literal': 5 } }"), "`@path` takes text, and this is always `5`");
    assert_eq!(problem("$.__before.a"), "`$.__before` is not available in this version");
}
