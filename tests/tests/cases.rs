//! What the reference sends for the same records and mappings: `cases/` holds its answers, and the whole way from the mapping in a
//! project file to the body of a request has to give the same.
//!
//! A record of a case becomes one row: `properties` and `context` as JSON text, everything else as text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: what is missing is a failure")]

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use outflow_contract::destination::{Destination, Field as Declared, Origin, RecordOrigin};
use outflow_contract::expr::{Expr, Path};
use outflow_contract::limits::Limits;
use outflow_contract::outcome::{Records, Request};
use outflow_contract::plan::{Mapping, Settings};
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use outflow_contract::{Op, RecordId};
use outflow_engine::map::{Mapper, SentBy};
use outflow_planner::{Options, load};
use outflow_tests::Project;
use outflow_tests::differences::comparable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Records that come out otherwise on purpose: the file, the record's number, and the reason.
const DIFFERENT: [(&str, usize, &str); 0] = [];

/// The columns of the rows; the first is the identifier.
const COLUMNS: [&str; 8] = ["messageId", "type", "event", "timestamp", "userId", "anonymousId", "properties", "context"];

/// One file of cases, ready to run.
struct Case {
    mapping: Mapping,
    destination: Arc<dyn Destination>,
    records: RecordBatch,
    /// For each record: the messages, or `None` where it is refused.
    expected: Vec<Option<Value>>,
}

impl Case {
    fn new(text: &str) -> Self {
        let case: Value = serde_json::from_str(text).unwrap();
        let kind = case["destination"].as_str().unwrap();
        let project = Project::with(&format!(
            "version: 1
sources: {{ warehouse: {{ type: files, tables: {{ events: {{ path: events.ndjson, columns: {{ properties: json, context: json }} }} }} }} }}
models: {{ events: {{ source: warehouse, table: events, id: messageId, timestamp: timestamp }} }}
destinations: {{ it: {{ type: {kind}, settings: {} }} }}
mappings: {{ case: {{ model: events, destination: it, action: {}, records: all, fields: {} }} }}
",
            case["settings"], case["action"], case["mapping"]
        ));
        let descriptors = outflow_connectors::descriptors();
        let options = Options { root: project.root(), target: None, env: &|_| None, descriptors: &descriptors };
        let loaded = load(&options).unwrap_or_else(|problems| panic!("{problems}"));
        let mapping = loaded.project.mappings[0].clone();
        let config = loaded.project.destination("it").unwrap();
        let destination = outflow_connectors::connector(kind).unwrap().configure(config, &mapping.action, &mapping.constants).unwrap();
        let expected = case["expected_requests"]["single"].as_array().unwrap();
        let expected = expected.iter().map(|one| if one.get("error").is_some() { None } else { Some(one["returned"]["batch"].clone()) });
        Self { mapping, destination, records: batch(case["records"].as_array().unwrap()), expected: expected.collect() }
    }

    /// What the destination says as data gives the message that it shapes.
    fn is_woven_alike(&self, row: usize, ops: &[Op], shaped: Result<&[u8], &String>) {
        let Mapping { fields, declared, .. } = &self.mapping;
        let (schema, id) = (self.records.schema(), [COLUMNS[0].to_owned()]);
        let mapper = Mapper::compile_for(self.destination.as_ref(), fields, declared.as_deref(), &schema, &id, &Limits::default()).unwrap();
        if mapper.writes_messages() {
            let ids: Vec<RecordId> = (0..ops.len()).map(|row| RecordId(row as u128)).collect();
            let woven = mapper.map_with_ids(&self.records, ops, &ids, &SentBy::default(), &[u32::try_from(row).unwrap()]).unwrap();
            let found = woven.failed.first().map_or(Ok(woven.bytes.as_slice()), |failed| Err(&failed.rejection.code));
            assert_eq!(found.map(String::from_utf8_lossy), shaped.map(String::from_utf8_lossy));
        }
    }

    /// The messages that a request carries for one record, or why it is refused.
    fn sent(&self, row: usize) -> Result<Value, String> {
        let schema = self.records.schema();
        let id = [COLUMNS[0].to_owned()];
        let mapper = Mapper::compile(&self.mapping.fields, self.mapping.declared.as_deref(), &schema, &id, &Limits::default()).unwrap();
        let ops = vec![Op::Added; self.records.num_rows()];
        let mapped = mapper.map(&self.records, &ops, &SentBy::default(), &[u32::try_from(row).unwrap()]).unwrap();
        if let Some(failed) = mapped.failed.first() {
            return Err(failed.rejection.code.clone());
        }
        let mut bytes = Vec::new();
        let origin = RecordOrigin { id: RecordId(row as u128), op: Op::Added };
        let shaped = self.destination.shape(&mapped.bytes, &origin, &mut bytes).map_err(|rejection| rejection.code);
        self.is_woven_alike(row, &ops, shaped.as_ref().map(|()| bytes.as_slice()));
        shaped?;
        let records = Records { ends: vec![bytes.len()], bytes: bytes.into(), ops: vec![Op::Added], ids: mapped.ids, schema: None };
        let origin = Origin { mapping: "case".to_owned(), epoch: 1, sequence: 0 };
        let Request::Http(request) = self.destination.encode(&records, &origin).unwrap() else { panic!("not HTTP") };
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://api.segment.io/v1/batch"));
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        Ok(body["batch"].take())
    }
}

/// Rows of the records: text as it is, objects as JSON text, and null where a record has no such member.
fn batch(records: &[Value]) -> RecordBatch {
    let column = |name: &str| -> ArrayRef {
        let value = |record: &Value| match record.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        Arc::new(records.iter().map(value).collect::<StringArray>())
    };
    let field = |name: &str| {
        let field = Field::new(name, DataType::Utf8, true);
        let json = matches!(name, "properties" | "context");
        if json { field.with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into()) } else { field }
    };
    let schema = Schema::new(COLUMNS.map(field).to_vec());
    RecordBatch::try_new(Arc::new(schema), COLUMNS.map(column).to_vec()).unwrap()
}

/// Actions whose message with every field filled comes out otherwise on purpose: the destination, the action, a member of the context
/// that only ours has, and the reason.
const MORE: [(&str, &str, &str, &str); 1] =
    [("segment", "sendScreen", "timezone", "the reference offers the field and throws it away; what is mapped is sent")];

/// Fields whose values in the cases fail a record here, on purpose: the field, the code, and the reason. Without them the rest is the same.
const REFUSED: [(&str, &str, &str); 1] =
    [("consent", "invalid_consent", "the reference sends an empty consent for one that it cannot use, and says nothing")];

#[test]
fn every_field_of_every_segment_action_arrives_where_the_reference_puts_it() {
    let cases: Value = serde_json::from_str(include_str!("../cases/segment.fields.json")).unwrap();
    let config = |kind: &str| {
        let project = Project::with(&format!(
            "version: 1\ndestinations: {{ it: {{ type: {kind}, settings: {} }} }}\n",
            if kind == "segment" { "{ source_write_key: key }" } else { "{}" }
        ));
        let descriptors = outflow_connectors::descriptors();
        let options = Options { root: project.root(), target: None, env: &|_| None, descriptors: &descriptors };
        let loaded = load(&options).unwrap_or_else(|problems| panic!("{problems}"));
        loaded.project.destination("it").unwrap().clone()
    };
    let constants = Settings(json!({ "engage_space": "key" }).as_object().unwrap().clone());
    for case in cases.as_array().unwrap() {
        let (kind, action) = (case["destination"].as_str().unwrap(), case["action"].as_str().unwrap());
        let connector = outflow_connectors::connector(kind).unwrap();
        let declared = connector.descriptor().action(action).unwrap().fields.clone().unwrap();
        let unknown: Vec<&String> =
            case["fields"].as_object().unwrap().keys().filter(|name| declared.iter().all(|field| field.name != **name)).collect();
        assert!(unknown.is_empty(), "{kind} {action} has no field {unknown:?}");
        let destination = connector.configure(&config(kind), action, &constants).unwrap();
        let mut out = Vec::new();
        let origin = RecordOrigin { id: RecordId(1), op: Op::Added };
        let mut fields = case["fields"].clone();
        for (name, code, _) in REFUSED {
            if fields.get(name).is_some() {
                let refusal = destination.shape(fields.to_string().as_bytes(), &origin, &mut out).unwrap_err();
                assert_eq!(refusal.code, code, "{kind} {action}");
                fields.as_object_mut().unwrap().remove(name);
            }
        }
        destination.shape(fields.to_string().as_bytes(), &origin, &mut out).unwrap();
        let mut message: Value = serde_json::from_slice(&out).unwrap();
        for (.., member, _) in MORE.iter().filter(|(k, a, ..)| (*k, *a) == (kind, action)) {
            assert!(message["context"].as_object_mut().unwrap().remove(*member).is_some());
        }
        assert_eq!(comparable(&message), comparable(&case["message"]), "{kind} {action}");
    }
}

/// Values that fields may have, as JSON.
const VALUES: [&str; 12] = [
    "null",
    r#""""#,
    r#"" \t""#,
    r#""x""#,
    r#"" Zoë \"""#,
    "12",
    "true",
    "{}",
    r#"{"a": 1, "categoryPreferences": {"b": true}}"#,
    "[1]",
    r#""2024-06-01T10:20:30Z""#,
    r#"{"address": {"city": "Oslo"}}"#,
];

#[test]
fn a_message_that_is_woven_is_the_one_that_is_shaped() {
    let mut random = StdRng::seed_from_u64(7);
    let (mut woven, mut sent) = (0, 0);
    for (kind, settings) in [("segment", r#"{"source_write_key":"key"}"#), ("segment-profiles", "{}")] {
        let connector = outflow_connectors::connector(kind).unwrap();
        for action in &connector.descriptor().actions {
            let project = Project::with(&format!("version: 1\ndestinations: {{ it: {{ type: {kind}, settings: {settings} }} }}\n"));
            let descriptors = outflow_connectors::descriptors();
            let options = Options { root: project.root(), target: None, env: &|_| None, descriptors: &descriptors };
            let loaded = load(&options).unwrap_or_else(|problems| panic!("{problems}"));
            let constants = Settings(json!({ "engage_space": "key" }).as_object().unwrap().clone());
            let destination = connector.configure(loaded.project.destination("it").unwrap(), &action.name, &constants).unwrap();
            let declared: Vec<_> = action.fields.clone().unwrap().into_iter().filter(|field| !field.constant).collect();
            for _ in 0..60 {
                // A few fields that are likely to be good, and any others.
                let likely = |name: &str| matches!(name, "user_id" | "event_name" | "group_id" | "previous_id" | "traits");
                let fields: Vec<_> =
                    declared.iter().filter(|field| random.random_bool(if likely(&field.name) { 0.8 } else { 0.2 })).collect();
                let records: Vec<Value> = (0..8)
                    .map(|_| {
                        let value = |name: &str, random: &mut StdRng| match name {
                            "traits" | "properties" if random.random_bool(0.8) => VALUES[8],
                            name if likely(name) && random.random_bool(0.8) => VALUES[3],
                            _ => VALUES[random.random_range(0..VALUES.len())],
                        };
                        let members = fields.iter().map(|field| (field.name.clone(), value(&field.name, &mut random)));
                        members.map(|(name, json)| (name, serde_json::from_str::<Value>(json).unwrap())).collect::<Value>()
                    })
                    .collect();
                let (alike, good) = compared(destination.as_ref(), &declared, &fields, &records);
                woven += usize::from(alike);
                sent += good;
            }
        }
    }
    assert!(woven > 100 && sent > 200, "{woven} mappings were woven, {sent} of their records sent");
}

/// Maps the records in both ways. Returns whether there are two, and how many records make a message.
fn compared(destination: &dyn Destination, declared: &[Declared], fields: &[&Declared], records: &[Value]) -> (bool, usize) {
    let expr =
        Expr::Object(fields.iter().map(|field| (field.name.clone(), Expr::Path(Path::parse(&format!("v.{}", field.name))))).collect());
    let json = Field::new("v", DataType::Utf8, true).with_metadata([(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into());
    let schema = Arc::new(Schema::new(vec![json]));
    let texts: StringArray = records.iter().map(|record| Some(record.to_string())).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts)]).unwrap();
    let (id, limits, ops) = (["v".to_owned()], Limits::default(), vec![Op::Added; records.len()]);
    let ids: Vec<RecordId> = (0..ops.len()).map(|row| RecordId(row as u128 + 1)).collect();
    let woven = Mapper::compile_for(destination, &expr, Some(declared), &schema, &id, &limits).unwrap();
    if !woven.writes_messages() {
        return (false, 0);
    }
    let plain = Mapper::compile(&expr, Some(declared), &schema, &id, &limits).unwrap();
    let mut good = 0;
    for (row, record) in (0..).zip(records) {
        let mapped = plain.map(&batch, &ops, &SentBy::default(), &[row]).unwrap();
        let mut bytes = Vec::new();
        let origin = RecordOrigin { id: ids[row as usize], op: Op::Added };
        let is_shaped = mapped.failed.is_empty() && destination.shape(&mapped.bytes, &origin, &mut bytes).is_ok();
        let found = woven.map_with_ids(&batch, &ops, &ids, &SentBy::default(), &[row]).unwrap();
        assert_eq!(found.failed.is_empty(), is_shaped, "{record} {:?}", found.failed);
        assert_eq!(String::from_utf8_lossy(&found.bytes), String::from_utf8_lossy(if is_shaped { &bytes } else { b"" }), "{record}");
        good += usize::from(is_shaped);
    }
    (true, good)
}

#[track_caller]
fn same(file: &str, text: &str) {
    let case = Case::new(text);
    assert_eq!(case.expected.len(), case.records.num_rows());
    let mut wrong = Vec::new();
    for (row, expected) in case.expected.iter().enumerate() {
        let sent = case.sent(row);
        let equal = match (&sent, expected) {
            (Ok(sent), Some(expected)) => comparable(sent) == comparable(expected),
            (Err(_), None) => true,
            _ => false,
        };
        let different = DIFFERENT.iter().any(|(other, number, _)| *other == file && *number == row);
        if equal == different {
            wrong.push(format!("record {row}:\n  sent     {sent:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{file}:\n{}", wrong.join("\n"));
}

macro_rules! cases {
    ($($name:ident: $file:literal,)*) => { $(
        #[test]
        fn $name() {
            same($file, include_str!(concat!("../cases/", $file, ".json")));
        }
    )* };
}

cases! {
    segment_identify_is_that_of_the_reference: "segment.sendIdentify",
    segment_page_is_that_of_the_reference: "segment.sendPage",
    segment_track_is_that_of_the_reference: "segment.sendTrack",
    profiles_group_is_that_of_the_reference: "segment-profiles.sendGroup",
    profiles_subscription_is_that_of_the_reference: "segment-profiles.sendSubscription",
    profiles_track_is_that_of_the_reference: "segment-profiles.sendTrack",
}
