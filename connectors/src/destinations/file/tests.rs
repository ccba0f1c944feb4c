//! The file destination as a whole.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use outflow_contract::destination::{Connector, Destination, Origin};
use outflow_contract::outcome::{ANY_VALUE, Answer, FileRequest, Location, Outcome, Records, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::{Error, Kind, Op};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::FileConnector;
use crate::conformance::destination as suite;

fn configure(settings: Value) -> Result<Arc<dyn Destination>, Error> {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    let config = DestinationConfig {
        name: "out".into(),
        kind: "file".into(),
        enabled: true,
        gateway: None,
        settings: Settings(settings),
        rate_limit: None,
        concurrency: 8,
        request_timeout: Duration::from_secs(30),
        request_lifetime: Duration::from_secs(30),
        ca_file: None,
        root: PathBuf::from("/shop"),
    };
    FileConnector::new().configure(&config, "write", &Settings::default())
}

fn records(payloads: &[&str]) -> Records {
    let mut records = Records::default();
    let mut bytes = Vec::new();
    for (i, payload) in payloads.iter().enumerate() {
        bytes.extend_from_slice(payload.as_bytes());
        records.ends.push(bytes.len());
        records.ops.push(Op::Added);
        records.ids.push((i + 1).to_string());
    }
    records.bytes = bytes.into();
    records
}

fn written(settings: Value, payloads: &[&str], mapping: &str) -> Result<FileRequest, Error> {
    let origin = Origin { mapping: mapping.into(), epoch: 12, sequence: 3 };
    match configure(settings)?.encode(&records(payloads), &origin)? {
        Request::File(file) => Ok(file),
        Request::Http(_) => panic!("not a file"),
    }
}

#[test]
fn a_request_becomes_a_file_of_its_own_name() {
    let path = |settings: Value, mapping: &str| written(settings, &[r#"{"a":1}"#], mapping).unwrap().location.to_string();
    // The hash of the bytes: the same on every machine. Parquet names its writer's version, so that one is only measured.
    assert_eq!(path(json!({"path": "out"}), "customers"), "/shop/out/customers-000012-00003-e3464320.ndjson");
    assert_eq!(path(json!({"path": "out/"}), "customers"), "/shop/out/customers-000012-00003-e3464320.ndjson");
    let parquet = parquet(&[r#"{"a":1}"#], vec![Field::new("a", DataType::Int64, true)]).unwrap().location.to_string();
    assert!(parquet.starts_with("/shop/out/m-000012-00003-") && parquet.ends_with(".parquet"), "{parquet}");
    assert_eq!(path(json!({"path": "out/export.json"}), "customers"), "/shop/out/export-customers-000012-00003-e3464320.json");
    assert_eq!(path(json!({"path": "out.d/"}), "customers"), "/shop/out.d/customers-000012-00003-e3464320.ndjson");
    assert_eq!(path(json!({"path": "out"}), "../../etc/x y"), "/shop/out/______etc_x_y-000012-00003-e3464320.ndjson");
}

#[test]
fn a_url_becomes_an_object_with_its_options() {
    let at = |settings: Value| written(settings, &[r#"{"a":1}"#], "c").unwrap().location;
    let name = "c-000012-00003-e3464320";
    for (path, url) in [
        ("s3://bucket", "s3://bucket/N.ndjson"),
        ("s3://my.bucket/", "s3://my.bucket/N.ndjson"),
        ("gs://bucket/a/b", "gs://bucket/a/b/N.ndjson"),
        ("gs://bucket/a/export.json", "gs://bucket/a/export-N.json"),
        ("az://container/a.d/", "az://container/a.d/N.ndjson"),
        ("abfss://fs@account.dfs.core.windows.net/a", "abfss://fs@account.dfs.core.windows.net/a/N.ndjson"),
        ("https://s3.eu-north-1.amazonaws.com/my.bucket", "https://s3.eu-north-1.amazonaws.com/my.bucket/N.ndjson"),
        ("https://account.blob.core.windows.net/container/a", "https://account.blob.core.windows.net/container/a/N.ndjson"),
    ] {
        assert_eq!(at(json!({"path": path})).to_string(), url.replace('N', name), "{path}");
    }
    let storage = json!({"aws_access_key_id": "AK1A", "aws_skip_signature": true, "aws_endpoint": "http://localhost:9000/x"});
    let settings = json!({"path": "s3://bucket/x", "storage": storage});
    let Location::Object(object) = at(settings.clone()) else { panic!("an object") };
    assert_eq!((object.options["aws_access_key_id"].expose(), object.options["aws_skip_signature"].expose()), ("AK1A", "true"));
    assert!(!format!("{object:?}").contains("AK1A") && format!("{object:?}").contains("***"));
    assert_eq!(configure(settings).unwrap().account(), "file s3://bucket/x at localhost:9000");
}

#[test]
fn ndjson_is_a_payload_on_each_line() {
    let file = written(json!({"path": "out"}), &[r#"{"a":"\n"}"#, "{\"b\":\n2}", "7"], "m").unwrap();
    assert_eq!(file.body.as_ref(), b"{\"a\":\"\\n\"}\n{\"b\": 2}\n7\n");
}

/// A Parquet file of these payloads, whose members have these types.
fn parquet(payloads: &[&str], fields: Vec<Field>) -> Result<FileRequest, Error> {
    let records = Records { schema: Some(Arc::new(Schema::new(fields))), ..records(payloads) };
    let origin = Origin { mapping: "m".into(), epoch: 12, sequence: 3 };
    match configure(json!({"path": "out", "format": "parquet"}))?.encode(&records, &origin)? {
        Request::File(file) => Ok(file),
        Request::Http(_) => panic!("not a file"),
    }
}

fn read(file: &FileRequest) -> (RecordBatch, Vec<Value>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.body.clone()).unwrap();
    let compression = reader.metadata().row_group(0).column(0).compression();
    assert!(matches!(compression, parquet::basic::Compression::ZSTD(_)), "{compression:?}");
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let mut lines = Vec::new();
    arrow::json::LineDelimitedWriter::new(&mut lines).write(&batch).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    (batch, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A field that may hold any value, as text.
fn any(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true).with_metadata([(ANY_VALUE.to_owned(), String::new())].into())
}

#[test]
fn parquet_has_the_mapping_s_members_in_their_types_whatever_the_records_hold() {
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let place = Fields::from(vec![Field::new("city", DataType::Utf8, true), any("more")]);
    let pair = Fields::from(vec![Field::new("key", DataType::Utf8, false), any("value")]);
    let fields = || {
        vec![
            Field::new("id", DataType::UInt64, true),
            Field::new("price", DataType::Decimal128(38, 2), true),
            Field::new("at", at.clone(), true),
            Field::new("day", DataType::Date32, true),
            Field::new("share", DataType::Float64, true),
            any("doc"),
            Field::new("place", DataType::Struct(place.clone()), true),
            Field::new("tags", DataType::List(Arc::new(any("item"))), true),
            Field::new("by", DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair.clone()), false)), false), true),
        ]
    };
    let nulls = parquet(&[r#"{"id":null}"#, "{}"], fields()).unwrap();
    let full = parquet(
        &[
            r#"{"id":18446744073709551615,"price":123456789012345678901234567890.10,"at":"2026-01-02T03:04:05.678Z","day":"2026-01-02"}"#,
            r#"{"doc":{"a":[1.10,"x"]},"place":{"city":"Oslo","more":7},"tags":["a",true,null],"by":{"k":[1],"l":"text"},"share":1.5}"#,
            r#"{"doc":"plain \"text\""}"#,
        ],
        fields(),
    )
    .unwrap();
    let ((nulls, _), (full, lines)) = (read(&nulls), read(&full));
    assert_eq!(nulls.schema(), full.schema());
    assert!(nulls.columns().iter().all(|column| column.null_count() == 2));
    assert!(full.schema().fields().iter().all(|field| field.metadata().is_empty()));
    let price: &Decimal128Array = full.column(1).as_primitive();
    assert_eq!(price.value(0), 12_345_678_901_234_567_890_123_456_789_010);
    assert_eq!((&lines[0]["id"], &lines[0]["at"]), (&json!(18_446_744_073_709_551_615_u64), &json!("2026-01-02T03:04:05.678Z")));
    assert_eq!((&lines[1]["doc"], &lines[2]["doc"]), (&json!(r#"{"a":[1.10,"x"]}"#), &json!("plain \"text\"")));
    assert_eq!((&lines[1]["place"], &lines[1]["by"]), (&json!({"city": "Oslo", "more": "7"}), &json!({"k": "[1]", "l": "text"})));
    assert_eq!(lines[1]["tags"], json!(["a", "true", null]));
}

#[test]
fn the_same_records_make_the_same_parquet() {
    let fields = || vec![Field::new("id", DataType::Int64, true)];
    assert_eq!(parquet(&[r#"{"id":1}"#], fields()).unwrap().body, parquet(&[r#"{"id":1}"#], fields()).unwrap().body);
}

#[test]
fn what_does_not_fit_its_type_is_refused_by_name() {
    let fields = || vec![Field::new("a", DataType::Int32, true)];
    for payloads in [&["7"][..], &[r#"{"a":1}"#, r#"{"a":{"b":1}}"#], &[r#"{"a":1}"#, "[]"], &[r#"{"a":"x"}"#], &[r#"{"a":1,"b":2}"#]] {
        let error = parquet(payloads, fields()).expect_err("refused");
        assert!(error.to_string().contains("cannot be written as Parquet") && error.kind() == Kind::Refused, "{error:?}");
        assert!(!payloads[0].starts_with('{') || error.to_string().contains(['a', 'b']), "{error:?}");
        assert!(error.remedy_text().is_some());
    }
    let none = written(json!({"path": "out", "format": "parquet"}), &["{}"], "m").expect_err("no schema");
    assert!(none.to_string().contains("does not make an object with members") && none.kind() == Kind::Invalid, "{none:?}");
}

#[test]
fn only_a_written_file_acknowledges() {
    let destination = configure(json!({"path": "out"})).unwrap();
    assert_eq!(destination.decode(&suite::sample(2), &Answer::Written), [Outcome::Acked, Outcome::Acked]);
    for format in ["ndjson", "parquet"] {
        let destination = configure(json!({"path": "out", "format": format})).unwrap();
        assert_eq!(suite::check(destination.as_ref(), &suite::sample(5), true), Vec::<String>::new());
    }
}

#[test]
fn wrong_settings_are_refused() {
    for (settings, said) in [
        (json!({}), "`path` is missing"),
        (json!({"path": "ftp://host/x"}), "cannot begin with ftp://"),
        (json!({"path": "https://example.com/x"}), "is no object store"),
        (json!({"path": "az://container/x?sv=1"}), "more than a place"),
        (json!({"path": "s3://bucket", "storage": {"aws_acess_key_id": "x"}}), "no option `aws_acess_key_id`"),
        (json!({"path": "s3://bucket", "storage": {"google_service_account": "x"}}), "of no use with this `path`"),
        (json!({"path": "out", "storage": {"aws_region": "x"}}), "of no use with the local path"),
        (json!({"path": "out", "format": "xml"}), "`format` cannot be `xml`"),
    ] {
        let Err(error) = configure(settings) else { panic!("taken") };
        assert!(error.to_string().contains(said), "{error:?}");
    }
    let a = configure(json!({"path": "out"})).unwrap().account();
    assert_ne!(a, configure(json!({"path": "out/x.json"})).unwrap().account());
    assert_eq!(a, "file /shop/out");
}
