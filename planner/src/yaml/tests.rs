use serde_json::{Value, json};

use super::*;

fn read(text: &str) -> (Option<Node>, Vec<String>) {
    let mut log = Log::default();
    let file = log.files.add("outflow.yml", text);
    let node = parse(text, file, "outflow.yml", &mut log);
    let (problems, _) = log.finish();
    (node, problems.iter().map(|problem| problem.message().to_owned()).collect())
}

fn value(text: &str) -> Value {
    let (node, problems) = read(text);
    assert_eq!(problems, Vec::<String>::new());
    node.unwrap().to_json()
}

#[test]
fn scalars_follow_the_core_schema_of_yaml_1_2() {
    let text = "[yes, no, on, '1', \"true\", 1, 007, 0x1F, 0o17, .5, 1., 1e3, -1.50, ~, True, 09:00, 1_000, 12345678901234567890123]";
    let expected = r#"["yes","no","on","1","true",1,7,31,15,0.5,1.0,1e3,-1.50,null,true,"09:00","1_000",12345678901234567890123]"#;
    assert_eq!(value(text), serde_json::from_str::<Value>(expected).unwrap());
    assert_eq!(value("!!str 5"), json!("5"));
    assert_eq!(read("a: .inf").1, ["`.inf` is no number that can be sent"]);
}

#[test]
fn anchors_aliases_and_merges_work_and_own_keys_win() {
    let text = "a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\nc: *a\nd:\n  <<: [ { x: 9 }, *a ]\n";
    let expected = json!({"a": {"x": 1, "y": 2}, "b": {"y": 3, "x": 1}, "c": {"x": 1, "y": 2}, "d": {"x": 9, "y": 2}});
    assert_eq!(value(text), expected);
}

#[test]
fn every_place_is_in_bytes_whatever_the_letters_and_line_ends() {
    let text = "ä: ö\r\n\"k\":   'v'  # c\r\nq: \"a\\\"b'' # no\"   # c\r\np: plain # c\r\nlist:\r\n  - eins  \r\n  - |\r\n    blöck\r\n    two\r\nend: {a: [1, 2]}\r\n";
    let mut log = Log::default();
    let file = log.files.add("f", text);
    let node = parse(text, file, "f", &mut log).unwrap();
    let slice = |node: &Node| log.files.slice(node.span).to_owned();
    assert_eq!(slice(node.get("ä").unwrap()), "ö");
    assert_eq!(slice(node.get("k").unwrap()), "'v'");
    assert_eq!(slice(node.get("q").unwrap()), "\"a\\\"b'' # no\"");
    assert_eq!(slice(node.get("p").unwrap()), "plain");
    assert_eq!(slice(&node.get("list").unwrap().as_list().unwrap()[0]), "eins");
    assert!(slice(&node.get("list").unwrap().as_list().unwrap()[1]).ends_with("two"));
    assert_eq!(slice(node.get("end").unwrap()), "{a: [1, 2]}");
    assert_eq!(log.files.slice(node.member("list").unwrap().key_span), "list");
}

#[test]
fn a_duplicate_key_is_reported_and_the_rest_still_read() {
    let (node, problems) = read("a: 1\nb: 2\na: 3\n");
    assert_eq!(problems, ["the key `a` is there twice"]);
    assert_eq!(node.unwrap().to_json(), json!({"a": 1, "b": 2}));
}

#[test]
fn hostile_files_end_in_one_clear_problem() {
    let message = |text: &str| {
        let (node, problems) = read(text);
        assert!(node.is_none(), "{problems:?}");
        assert_eq!(problems.len(), 1);
        problems[0].clone()
    };
    assert_eq!(message(&"[".repeat(1 << 20)), "outflow.yml is nested more than 64 levels deep");
    assert_eq!(message(&"[".repeat(65)), "outflow.yml is nested more than 64 levels deep");
    assert_eq!(message(&"- ".repeat(100)), "outflow.yml is nested more than 64 levels deep");
    assert_eq!(message("a: 1\n---\nb: 2\n"), "outflow.yml holds several YAML documents");
    assert_eq!(message("? [a]\n: 1\n"), "a key must be plain text, and this is a list or a mapping");
    assert_eq!(message("a: &a [*a]"), "this alias in outflow.yml stands inside its own anchor");
    assert_eq!(message(""), "outflow.yml is empty");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        bomb = format!("{bomb}a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    assert_eq!(message(&bomb), "the aliases in outflow.yml expand to more than 100,000 values");
    let deep = format!("a: &a {}1{}\nb: {}*a{}\n", "[".repeat(40), "]".repeat(40), "[".repeat(40), "]".repeat(40));
    assert_eq!(message(&deep), "outflow.yml is nested more than 64 levels deep");
}

#[test]
fn the_deepest_tree_allowed_is_read() {
    assert!(read(&format!("{}{}", "[".repeat(64), "]".repeat(64))).1.is_empty());
}
