//! A mapping as it is written in a project: read, checked against a schema, compiled, and used on a few records.

use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use outflow_contract::destination::Descriptor;
use outflow_contract::limits::Limits;
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use outflow_contract::{Op, plan};
use outflow_engine::map::{Mapper, SentBy};
use outflow_planner::{Examined, Options, Problems, Severity, examine_text};
use serde::de::IgnoredAny;

/// Destinations of the project and their actions, by the first byte.
const ACTIONS: [(&str, &str); 6] = [
    ("hook", "send"),
    ("lake", "write"),
    ("segment", "sendIdentify"),
    ("segment", "sendTrack"),
    ("segment", "sendGroup"),
    ("profiles", "sendSubscription"),
];

const PROJECT: &str = "version: 1
sources: { files: { type: files, tables: { rows: { path: rows.ndjson } } } }
models: { rows: { source: files, table: rows, id: id, timestamp: at } }
destinations:
  hook: { type: webhook, settings: { url: 'https://example.com/' } }
  lake: { type: file, settings: { path: out } }
  segment: { type: segment, settings: { source_write_key: key } }
  profiles: { type: segment-profiles, settings: {} }
mappings:
  it:
    model: rows
    records: all
";

/// The model's records: null wherever something may be missing, and of each kind of column one.
const RECORDS: &str = r#"
{"id": 1, "userId": "u_1", "event": "new", "email": " Zoë@Example.COM ", "name": "Zoë {{email}}", "phone": "+47 912 34 567", "amount": "12.50", "score": 1.5, "active": true, "at": "2024-06-01T10:20:30Z", "day": "2024-06-01", "address": {"city": "Oslo", "zip": null, "geo": {"lat": 59.9}}, "items": [{"sku": "A", "qty": 2}, {"sku": null, "qty": 0}, null], "tags": ["a", "", null], "attrs": {"plan": "pro", "a.b": "x"}, "properties": "{\"a\": {\"b\": [1, {\"c\": null}]}, \"plan\": \"pro\", \"email\": \"x@y.z\", \"n\": 12345678901234567890.10}", "raw": "00ff"}
{"id": 2}
{"id": 3, "userId": "", "event": "deleted", "email": "", "name": "", "phone": "", "amount": "-0.01", "score": -0.0, "active": false, "at": "1969-12-31T23:59:59.999999Z", "day": "0001-01-01", "address": {}, "items": [], "tags": [], "attrs": {}, "properties": "[1, \"two\", [], {}, false]", "raw": ""}
{"id": 4, "properties": "{\"a\": ", "userId": "invalid JSON"}
"#;

static DESCRIPTORS: LazyLock<Vec<Descriptor>> = LazyLock::new(outflow_connectors::descriptors);
static RECORD_BATCH: LazyLock<RecordBatch> = LazyLock::new(|| {
    let mut reader = ReaderBuilder::new(schema()).build(Cursor::new(RECORDS)).unwrap();
    reader.next().unwrap().unwrap()
});

/// Reads the bytes as the `fields` of a mapping, and whatever follows them in the project; the first byte says of which action.
pub fn mapping(data: &[u8]) -> bool {
    let Some((which, fields)) = data.split_first() else { return false };
    let Ok(fields) = std::str::from_utf8(fields) else { return false };
    let (destination, action) = ACTIONS[usize::from(*which) % ACTIONS.len()];
    let text = format!("{PROJECT}    destination: {destination}\n    action: {action}\n    fields: {fields}\n");
    let options = Options { root: Path::new("/no/such/project"), target: None, env: &|_| None, descriptors: &DESCRIPTORS };
    let Examined { loaded, problems } = examine_text(&text, &options);
    let is_wrong = problems.iter().any(|problem| problem.severity() == Severity::Error);
    assert!(loaded.is_some() || is_wrong, "a project that cannot be understood says nothing");
    if !problems.is_empty() {
        assert!(!Problems(problems).to_string().is_empty(), "problems are told");
    }
    let Some(loaded) = loaded else { return false };
    let wrong = loaded.check_columns("rows", &schema());
    if !wrong.is_empty() {
        assert!(!Problems(wrong).to_string().is_empty(), "problems are told");
    }
    !is_wrong && loaded.project.mappings.iter().all(|mapping| used(mapping, &loaded.project.limits))
}

/// Maps the records. A mapping that its checks let through may still be refused: with a column that is not there, for one.
fn used(mapping: &plan::Mapping, limits: &Limits) -> bool {
    let batch = &*RECORD_BATCH;
    let compiled = Mapper::compile(&mapping.fields, mapping.declared.as_deref(), &batch.schema(), &["id".to_owned()], limits);
    let Ok(mapper) = compiled else { return false };
    let rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
    let sent_by = SentBy::new("sync", "2026-03-01T12:00:00Z".parse().unwrap());
    let mapped = mapper.map(batch, &vec![Op::Updated; batch.num_rows()], &sent_by, &rows).unwrap();
    assert_eq!(mapped.rows.len() + mapped.failed.len(), rows.len(), "each record is mapped or has failed");
    let mut start = 0;
    for &end in &mapped.ends {
        let payload = &mapped.bytes[start..end];
        let read = serde_json::from_slice::<IgnoredAny>(payload);
        assert!(read.is_ok(), "{read:?} in {:?}", String::from_utf8_lossy(payload));
        assert!(!payload.contains(&b'\n'), "a payload is one line");
        start = end;
    }
    true
}

fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let of = |name: &str, kind: DataType| Field::new(name, kind, true);
        let list = |kind: DataType| DataType::List(Arc::new(Field::new("item", kind, true)));
        let geo = of("geo", DataType::Struct(Fields::from(vec![of("lat", DataType::Float64)])));
        let item = Fields::from(vec![text("sku"), of("qty", DataType::Int32)]);
        let pair = Fields::from(vec![Field::new("key", DataType::Utf8, false), text("value")]);
        let entries = Field::new("entries", DataType::Struct(pair), false);
        let json = [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())];
        Arc::new(Schema::new(vec![
            of("id", DataType::Int64),
            text("userId"),
            text("event"),
            text("email"),
            text("name"),
            text("phone"),
            of("amount", DataType::Decimal128(10, 2)),
            of("score", DataType::Float64),
            of("active", DataType::Boolean),
            of("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
            of("day", DataType::Date32),
            of("address", DataType::Struct(Fields::from(vec![text("city"), text("zip"), geo]))),
            of("items", list(DataType::Struct(item))),
            of("tags", list(DataType::Utf8)),
            of("attrs", DataType::Map(Arc::new(entries), false)),
            text("properties").with_metadata(json.into()),
            of("raw", DataType::Binary),
        ]))
    });
    Arc::clone(&SCHEMA)
}
