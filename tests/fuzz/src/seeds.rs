//! What the fuzzers begin with: the cases of the reference, and the examples of the pages.

use std::collections::BTreeSet;

use serde_json::Value;

const PAGES: &str = concat!(include_str!("../../../docs/mapping.md"), include_str!("../../../docs/directives.md"));
const CASES: &str = include_str!("../../cases/_mapping-kit.json");
/// Mappings that no case has: in the style of blocks, with declared fields, and with mistakes.
const WRITTEN: [&str; 8] = [
    "0\n      email: $.email\n      name: '{{name}}'\n      items:\n        '@arrayPath': [$.items, { sku: $.sku }]\n",
    "1\n      whole: $.\n      city: $.address.city\n    tags: [nightly]\n    enabled: false\n",
    "2{ user_id: $.userId, traits: $.properties, timestamp: $.at, anonymous_id: [$.name] }",
    "3{ event_name: $.event, user_id: $.userId, properties: { amount: $.amount, items: $.items } }",
    "4{ group_id: $.userId, user_id: $.id, traits: { '@merge': { direction: left, objects: [$.properties, { a: $.b }] } } }",
    "5{ engage_space: key, user_id: $.userId, email: $.email, email_subscription_status: 'true' }",
    "0{ __segment_internal_directive: { '@transform': { apply: { a: $.properties } } }, b: $.a.plan }",
    "0{ a: $.emial, b: { '@pat': $.a }, '@case': { operator: upr, value: [1, }",
];

/// Mappings.
pub(crate) fn mapping() -> Vec<Vec<u8>> {
    let mappings = cases().into_iter().map(|case| format!("0{}", case["mapping"]));
    let examples = examples().into_iter().map(|[mapping, ..]| format!("0{mapping}"));
    distinct(mappings.chain(examples).chain(WRITTEN.map(ToOwned::to_owned)))
}

/// Payloads and records, and texts that are nearly JSON.
pub(crate) fn json() -> Vec<Vec<u8>> {
    let payloads = cases().into_iter().flat_map(|case| {
        let many = case.get("payloads").and_then(Value::as_array).cloned();
        many.unwrap_or_else(|| vec![case["payload"].clone()])
    });
    // The whole payload is much the same in each case: what lies in it tells more of them.
    let parts = payloads.flat_map(|payload| match payload {
        Value::Object(members) => members.into_iter().map(|(_, member)| member).collect(),
        other => vec![other],
    });
    let records = examples().into_iter().map(|[_, record, _]| record);
    let odd = [
        r#"{"a":{"b":1},"a":{"b":{"b":2}},"a.b":3}"#,
        r#" [ {"a" : {"a":{"a":0}}} , null,[[1]] ] "#,
        r#"{"a":[{"b":"\ud83d\ude00\u0000\/"},-0.0e+10],"\u0061":[[1e5]],"é":""}"#,
        "{\"a\":\t[1,2\n,3 ]\r}",
        r#""\ud800""#,
        "[1,]",
        "-",
    ];
    distinct(parts.map(|part| part.to_string()).chain(records).chain(odd.map(ToOwned::to_owned)))
}

/// Paths and templates.
pub(crate) fn path() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for case in cases() {
        strings(&case["mapping"], &mut texts);
    }
    let odd = ["a['b.c'][0].d", "$[\"x\"]", "{{{a}}} {{ b[0] }} {{}", "$.$.a", "a[b]..c]", "a'b\"c.0]"];
    distinct(texts.into_iter().chain(odd.map(ToOwned::to_owned)))
}

fn cases() -> Vec<Value> {
    let cases: Value = serde_json::from_str(CASES).unwrap();
    ["transform", "transformBatch"].iter().flat_map(|part| cases[*part].as_array().unwrap().clone()).collect()
}

/// The rows of the pages' tables that have a mapping, a record and what comes of it.
fn examples() -> Vec<[String; 3]> {
    let cell = |cell: &str| cell.trim().strip_prefix('`')?.strip_suffix('`').map(|code| code.replace('\u{0}', "|"));
    let row = |line: &str| {
        let line = line.replace("\\|", "\u{0}");
        let cells: Vec<String> = line.trim_matches('|').split('|').map(cell).collect::<Option<_>>()?;
        cells.try_into().ok()
    };
    PAGES.lines().filter(|line| line.starts_with("| `{")).filter_map(row).collect()
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

fn distinct(seeds: impl Iterator<Item = String>) -> Vec<Vec<u8>> {
    seeds.map(String::into_bytes).collect::<BTreeSet<_>>().into_iter().collect()
}
