//! Templates over records of JSON, and over anything at all.
//!
//! That they come out as the reference's do is told by `tests/tests/liquid.rs`, case by case. Here: what a template reads, what is refused
//! and how, where it stops, and that nothing panics.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// A record, which counts how often it is asked.
struct Plain<'j> {
    root: &'j Json,
    paths: Vec<Vec<String>>,
    asked: usize,
}

impl Plain<'_> {
    /// As the paths of the mapping language find it: a step into what is falsy gives that.
    fn find(&self, read: usize) -> Option<&Json> {
        self.paths[read].iter().try_fold(self.root, |at, step| match at {
            Json::Object(members) => members.get(step),
            Json::Array(items) => items.get(step.parse::<usize>().ok()?),
            falsy if *falsy == json!(0) || *falsy == json!(false) || *falsy == json!("") || falsy.is_null() => Some(falsy),
            _ => None,
        })
    }
}

impl Record for Plain<'_> {
    fn value(&mut self, read: usize) -> Value {
        self.asked += 1;
        self.find(read).map_or(Value::Missing, |found| Value::from_json(&found.to_string()))
    }

    fn is_container(&mut self, read: usize) -> bool {
        self.find(read).is_some_and(|found| found.is_object() || found.is_array())
    }

    fn now(&mut self) -> Option<i64> {
        Some(1_717_237_230_456)
    }
}

fn rendered_within(text: &str, root: &Json, text_bytes_max: usize) -> Result<String, Failure> {
    let template = Template::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    let paths = template.reads().iter().map(|read| read.path.clone()).collect();
    template.render(&mut Plain { root, paths, asked: 0 }, text_bytes_max)
}

fn rendered(text: &str, root: &Json) -> String {
    rendered_within(text, root, 100_000).unwrap()
}

fn reads(text: &str) -> Vec<String> {
    let template = Template::parse(text).unwrap();
    let shown = |read: &Read| format!("{}{}", read.path.join("."), if read.optional { "?" } else { "" });
    template.reads().iter().map(shown).collect()
}

fn problem(text: &str) -> String {
    Template::parse(text).map_or_else(|problem| problem.to_string(), |_| panic!("{text} is a template"))
}

#[test]
fn a_template_reads_the_paths_that_it_writes() {
    assert_eq!(reads("{{ a.b }}{{ a.b | append: c }}"), ["a", "a.b", "c"]);
    assert_eq!(reads("{{ a[0]['x.y'] }}"), ["a.0", "a.0.x.y"]);
    assert_eq!(reads("{{ a.size }}{{ b.first.c }}{{ d[-1] }}"), ["a", "b", "d"]);
    assert_eq!(reads("{{ a[b].c }}"), ["b", "a"]);
    assert_eq!(reads("{{ [name] }}"), ["name", ""]);
    assert_eq!(reads("{{ ['first name'] }}"), ["first name"]);
    assert_eq!(
        reads("{% if a and b %}{{ c }}{% elsif d contains e %}{% endif %}{{ f | where: 'g', h }}"),
        ["a", "b", "c", "d", "e", "f", "h"]
    );
    assert_eq!(reads("{% raw %}{{ a }}{% endraw %}{% comment %}{{ b }}{% endcomment %}{% # {{ c }} %}"), Vec::<String>::new());
    assert_eq!(reads("{{ (a..b).size }}"), ["a", "b"]);
}

#[test]
fn what_a_template_assigns_is_not_of_the_record() {
    assert_eq!(reads("{% assign a = b %}{{ a.c }}"), ["b"]);
    assert_eq!(reads("{{ a }}{% assign a = 1 %}{{ a }}"), ["a"]);
    assert_eq!(reads("{% assign a = a | upcase %}{{ a }}"), ["a"]);
    assert_eq!(reads("{% capture a %}{{ b }}{% endcapture %}{{ a }}"), ["b"]);
    assert_eq!(reads("{% if b %}{% assign a = 1 %}{% endif %}{{ a }}"), ["b", "a?"]);
    assert_eq!(reads("{% if b %}{% assign a = 1 %}{% else %}{% assign a = 2 %}{% endif %}{{ a }}"), ["b"]);
    assert_eq!(reads("{% if b %}{% assign a = 1 %}{% elsif c %}{% assign a = 2 %}{% endif %}{{ a }}"), ["b", "c", "a?"]);
    assert_eq!(reads("{% if b %}{% assign a = 1 %}{% endif %}{{ a }}{% if a %}{% endif %}"), ["b", "a?"]);
    assert_eq!(reads("{{ a }}{% if b %}{% assign a = 1 %}{% endif %}{{ a }}"), ["a", "b"]);
    assert_eq!(reads("{% increment a %}{{ a }}"), Vec::<String>::new());
}

#[test]
fn a_name_that_may_be_assigned_is_the_records_where_it_is_not() {
    let text = "{% if vip %}{% assign tier = 'gold' %}{% endif %}{{ tier }}";
    assert_eq!(rendered(text, &json!({"vip": true, "tier": "tin"})), "gold");
    assert_eq!(rendered(text, &json!({"vip": false, "tier": "tin"})), "tin");
    assert_eq!(rendered(text, &json!({"vip": false})), "");
}

#[test]
fn nothing_lies_in_what_is_falsy() {
    let text = "{{ a.b }}|{{ a.b.c }}";
    assert_eq!(rendered(text, &json!({"a": 0})), "|");
    assert_eq!(rendered(text, &json!({"a": false})), "|");
    assert_eq!(rendered(text, &json!({"a": {"b": 0}})), "0|");
    assert_eq!(rendered("{{ a[0] }}", &json!({"a": [false]})), "false");
}

#[test]
fn only_what_a_template_comes_to_is_asked_for_and_once() {
    let root = json!({"a": true, "b": "x", "c": "y"});
    let template = Template::parse("{% if a %}{{ b }}{{ b }}{% else %}{{ c }}{% endif %}").unwrap();
    let mut record = Plain { root: &root, paths: template.reads().iter().map(|read| read.path.clone()).collect(), asked: 0 };
    assert_eq!(template.render(&mut record, 100).unwrap(), "xx");
    assert_eq!(record.asked, 2);
}

#[test]
fn objects_are_their_json_and_digits_are_kept() {
    let root = json!({"o": {"a": [1, "x\""], "b": null}, "l": [{"a": 1}, 2]});
    assert_eq!(rendered("{{ o }} {{ l }} {{ l | join: '-' }}", &root), r#"{"a":[1,"x\""],"b":null} {"a":1}2 {"a":1}-2"#);
    let big: Json = serde_json::from_str(r#"{"id": 9007199254740993, "price": 12.10}"#).unwrap();
    assert_eq!(
        rendered("{{ id }} {{ id | plus: 1 }} {{ price }} {{ price | times: 2 }}", &big),
        "9007199254740993 9007199254740994 12.10 24.2"
    );
    assert_eq!(rendered("{{ s.length }}{{ s[0] }}{{ l.length }}", &json!({"s": "abc", "l": [1]})), "");
    assert_eq!(rendered("{{ 'now' | date: '%s' }}", &json!({})), "1717237230");
}

#[test]
fn what_is_refused_is_told_with_its_place() {
    let cases = [
        ("a\n{{ b | map: 'c' }}", "the filter `map` is not available in `@liquid` (line 2, column 8)"),
        ("{% for a in b %}{% endfor %}", "the tag `for` is not available in `@liquid` (line 1, column 1)"),
        ("é{% case a %}{% endcase %}", "the tag `case` is not available in `@liquid` (line 1, column 2)"),
        (
            "{{ a | sample }}",
            "the filter `sample` is not available in `@liquid`: it would give another value each time that a record is sent (line 1, column 8)",
        ),
        ("{{ a | upcas }}", "there is no filter `upcas` (line 1, column 8)"),
        ("{% iff a %}{% endiff %}", "there is no tag `iff` (line 1, column 1)"),
        ("{{ $.a }}", "a path begins with its column here, and not with `$.` (line 1, column 4)"),
        ("{{ }}", "a value is wanted here, and this is nothing (line 1, column 4)"),
        ("{{ % }}", "a value is wanted here, and this is `%` (line 1, column 4)"),
        ("{{ a", "the output `{{ a` is not closed (line 1, column 1)"),
        ("{% if a", "the tag `{% if a` is not closed (line 1, column 1)"),
        ("{% if a %}x", "the tag `if` is not closed (line 1, column 1)"),
        ("{% raw %}x", "the tag `raw` is not closed (line 1, column 1)"),
        ("{% comment %}x", "the tag `comment` is not closed (line 1, column 1)"),
        ("{% %}", "a tag begins with its name (line 1, column 1)"),
        ("{% endif %}", "`endif` belongs to no tag that is open here (line 1, column 1)"),
        ("{% if a %}{% else %}{% elsif b %}{% endif %}", "`elsif` comes behind the `else` of this `if` (line 1, column 21)"),
        ("{% if a %}{% else b %}{% endif %}", "`b` is not expected behind `else` (line 1, column 19)"),
        ("{% if a = b %}{% endif %}", "`= b` is not expected here (line 1, column 9)"),
        ("{{ a | append }}", "the filter `append` lacks an argument (line 1, column 8)"),
        ("{{ a | append 'b' }}", "`'b'` is not expected behind `append` (line 1, column 15)"),
        ("{{ a | | b }}", "the name of a filter is wanted behind `|` (line 1, column 8)"),
        ("{{ a[b }}", "`[` is not closed (line 1, column 5)"),
        ("{{ (a) }}", "this is no range (line 1, column 4)"),
        ("{% assign = 1 %}", "the name of a variable is wanted here (line 1, column 11)"),
        ("{% assign a 1 %}", "`=` is wanted behind `a` (line 1, column 13)"),
        ("{% cycle %}", "`cycle` takes one value or more (line 1, column 1)"),
        ("{% # a\n b %}", "every line of a comment begins with `#` (line 1, column 1)"),
    ];
    for (text, expected) in cases {
        assert_eq!(problem(text), expected, "{text}");
    }
    let unknown = Template::parse("{{ a | upcas }}").unwrap_err().unknown.unwrap();
    assert!(unknown.0 == "upcas" && unknown.1.contains(&"upcase"));
    assert!(problem(&format!("{{{{ {} }}}}", "a[".repeat(400))).starts_with("more than 64 values stand inside one another"));
}

#[test]
fn a_template_has_at_most_a_thousand_characters_of_utf_16() {
    assert!(Template::parse(&"x".repeat(1000)).is_ok());
    assert!(Template::parse(&"😀".repeat(500)).is_ok());
    for text in ["x".repeat(1001), "😀".repeat(500) + "x"] {
        assert_eq!(problem(&text), "a template has at most 1000 characters, and this has 1001 (line 1, column 1)");
    }
}

#[test]
fn a_text_is_as_long_as_it_may_be_and_no_longer() {
    let root = json!({"a": "x".repeat(10)});
    assert_eq!(rendered_within("{{ a }}", &root, 10).unwrap().len(), 10);
    assert_eq!(rendered_within("{{ a }}y", &root, 10), Err(Failure::TooLong));
    assert_eq!(rendered_within("{% capture b %}{{ a }}{{ a }}{% endcapture %}", &root, 10), Err(Failure::TooLong));
}

#[test]
fn what_grows_by_itself_stops() {
    let root = json!({"a": "x".repeat(1000), "l": [1]});
    let grows = [
        "{% assign a = a | append: a %}".repeat(30),
        "{% assign a = a | replace: '', a %}".repeat(25),
        "{% assign l = l | push: l %}".repeat(33),
        "{% assign l = l | push: l | json: 10 %}".repeat(20),
        "{% assign l = a | split: '' %}{% assign a = l | join: a %}".repeat(15),
        "{{ (1..100000000000) | join }}".to_owned(),
        "{{ (1..2147483647).size }}".to_owned(),
        "{{ 'now' | date: '%4000000000Y' }}".to_owned(),
        "{{ 'now' | date: '%99999999999999999999N' }}".to_owned(),
    ];
    for text in grows {
        assert_eq!(rendered_within(&text, &root, usize::MAX), Err(Failure::TooMuch), "{text}");
    }
}

#[test]
fn a_filter_that_cannot_use_what_it_is_given_says_so() {
    for (text, filter) in [
        ("{{ 'é' | base64_decode }}", "base64_decode"),
        ("{{ '%zz' | url_decode }}", "url_decode"),
        ("{{ '%ff' | url_decode }}", "url_decode"),
        ("{{ 0 | date: '%H', 'Europe/Olso' }}", "date"), // typos: on purpose
    ] {
        let failure = rendered_within(text, &json!({}), 100);
        assert!(matches!(&failure, Err(Failure::Filter { name, .. }) if *name == filter), "{text}: {failure:?}");
    }
}

/// Texts that are nearly templates.
fn text() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = filters::names().collect();
    let pieces = prop_oneof![
        4 => prop::sample::select(vec![
            "{{", "}}", "{%", "%}", "{%-", "-%}", "{{-", "-}}", " ", "\n", "|", ":", ",", "'", "\"", "(", ")", "..", "[", "]", ".", "=", "==",
            "<", "and", "or", "not", "contains", "if", "endif", "elsif", "else", "unless", "assign", "capture", "endcapture", "raw", "endraw",
            "comment", "liquid", "cycle", "increment", "echo", "#", "nil", "empty", "a", "b", "size", "first", "0", "-1", "1.5", "é😀", "%Y",
        ]).prop_map(ToOwned::to_owned),
        2 => prop::sample::select(names.clone()).prop_map(|name| format!("| {name}: ")),
        1 => "\\PC{0,4}",
    ];
    let whole = (prop::sample::select(names), value(), value(), value())
        .prop_map(|(filter, input, one, other)| format!("{{{{ {input} | {filter}: {one}, {other} }}}}"));
    prop_oneof![2 => prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat()), 3 => prop::collection::vec(whole, 1..3).prop_map(|all| all.concat())]
}

/// Values as templates write them.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "a",
            "b",
            "l",
            "o",
            "n",
            "(0..3)",
            "empty",
            "nil",
            "true",
            "a.b",
            "l[0]",
            "''",
            "'now'",
            "'%-5^N%q%Z%c'",
            "1e9"
        ])
        .prop_map(ToOwned::to_owned),
        any::<i32>().prop_map(|number| number.to_string()),
        "[0-9]{1,30}\\.?[0-9]{0,3}",
        "'[^']{0,8}'",
        "'[0-9TZ:+. -]{0,24}'",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_template_without_tags_is_its_text(text in "[^{]{0,60}|[a-z{ }%]{0,20}") {
        prop_assume!(!text.contains("{{") && !text.contains("{%"));
        let template = Template::parse(&text).unwrap();
        prop_assert_eq!(template.as_text(), Some(text.as_str()));
        prop_assert_eq!(rendered(&text, &json!({})), text);
    }

    #[test]
    fn nothing_that_a_template_or_a_record_holds_panics(text in text(), a in "\\PC{0,9}|[0-9 T:Z+-]{0,25}", number in any::<f64>()) {
        let root = json!({"a": a, "b": number, "l": [1, a, null, {"a": [number]}], "o": {"a": a, "b": {}}, "n": null});
        if let Ok(template) = Template::parse(&text) {
            let paths = template.reads().iter().map(|read| read.path.clone()).collect();
            template.render(&mut Plain { root: &root, paths, asked: 0 }, 10_000).ok();
        }
    }
}
