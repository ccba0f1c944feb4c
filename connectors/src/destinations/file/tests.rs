//! The file destination as a whole.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outflow_contract::destination::{Connector, Destination, Origin};
use outflow_contract::outcome::{Answer, FileRequest, Location, Outcome, Records, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::{Error, Op};
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
    let parquet = path(json!({"path": "/data/out", "format": "parquet"}), "c");
    assert!(parquet.starts_with("/data/out/c-000012-00003-") && parquet.ends_with(".parquet"), "{parquet}");
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
    assert_eq!(configure(settings).unwrap().account(), "file s3://bucket/x at localhost");
}

#[test]
fn ndjson_is_a_payload_on_each_line() {
    let file = written(json!({"path": "out"}), &[r#"{"a":"\n"}"#, "{\"b\":\n2}", "7"], "m").unwrap();
    assert_eq!(file.body.as_ref(), b"{\"a\":\"\\n\"}\n{\"b\": 2}\n7\n");
}

#[test]
fn parquet_has_the_members_as_columns() {
    let payloads = [
        r#"{"id":1,"name":"é","big":18446744073709551615,"tags":["x"],"none":null}"#,
        r#"{"id":2,"total":1.5,"big":1,"at":{"city":"Oslo"}}"#,
    ];
    let file = written(json!({"path": "out", "format": "parquet"}), &payloads, "m").unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.body.clone()).unwrap();
    let compression = reader.metadata().row_group(0).column(0).compression();
    assert!(matches!(compression, parquet::basic::Compression::ZSTD(_)), "{compression:?}");
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["id", "name", "big", "tags", "none", "total", "at"]);
    let mut lines = Vec::new();
    arrow::json::LineDelimitedWriter::new(&mut lines).write(&batch).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(lines.lines().next(), Some(r#"{"id":1,"name":"é","big":"18446744073709551615","tags":["x"]}"#));
    assert_eq!(lines.lines().nth(1), Some(r#"{"id":2,"big":"1","total":1.5,"at":{"city":"Oslo"}}"#));
    assert_eq!(written(json!({"path": "out", "format": "parquet"}), &payloads, "m").unwrap().body, file.body);
}

#[test]
fn what_is_no_table_is_refused_in_words() {
    for payloads in [&["7"][..], &[r#"{"a":1}"#, r#"{"a":{"b":1}}"#], &["{}"], &[r#"{"a":1}"#, "[]"], &[r#"{"a":{}}"#]] {
        let error = written(json!({"path": "out", "format": "parquet"}), payloads, "m").expect_err("refused");
        assert!(error.to_string().contains("cannot be written as Parquet"), "{error:?}");
        assert!(error.remedy_text().is_some());
    }
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
