//! Records to the bytes of a file. The same records always give the same bytes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema_from_iterator;
use bytes::Bytes;
use outflow_contract::outcome::Records;
use outflow_contract::{Error, Kind, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

/// A payload on each line.
pub(super) fn ndjson(records: &Records) -> Bytes {
    let mut body = Vec::with_capacity(records.bytes.len() + records.len());
    for payload in records.payloads() {
        // A line break in JSON text is only ever space between two tokens: a space says the same.
        body.extend(payload.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        body.push(b'\n');
    }
    body.into()
}

/// A Parquet file whose columns are the members of the payloads. Their types are told from these records alone.
pub(super) fn parquet(records: &Records) -> Result<Bytes> {
    let batch = columns(records)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default())).build();
    let mut body = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut body, batch.schema(), Some(properties)).map_err(|cause| refused(&cause.to_string()))?;
    writer.write(&batch).map_err(|cause| refused(&cause.to_string()))?;
    writer.close().map_err(|cause| refused(&cause.to_string()))?;
    Ok(body.into())
}

fn columns(records: &Records) -> Result<RecordBatch> {
    let mut values = Vec::with_capacity(records.len());
    for (i, payload) in records.payloads().enumerate() {
        let mut value: Value = serde_json::from_slice(payload).map_err(|cause| Error::bug("a payload is not JSON").caused_by(cause))?;
        if !value.is_object() {
            let id = records.ids.get(i).map_or("", String::as_str);
            return Err(refused(&format!("the payload of record {id} is not an object")));
        }
        keep_digits(&mut value);
        values.push(value);
    }
    let told = |cause: ArrowError| refused(&cause.to_string());
    let schema = infer_json_schema_from_iterator(values.iter().map(Ok)).map_err(told)?;
    if schema.fields().is_empty() {
        return Err(refused("the payloads are empty objects"));
    }
    let builder = ReaderBuilder::new(Arc::new(schema)).with_batch_size(records.len()).with_coerce_primitive(true);
    let mut decoder = builder.build_decoder().map_err(told)?;
    for value in &values {
        // As text: numbers keep their digits there.
        decoder.decode(value.to_string().as_bytes()).map_err(told)?;
    }
    decoder.flush().map_err(told)?.ok_or_else(|| Error::bug("a request without records"))
}

/// Turns integers beyond 64 bits into text, so that no digit is lost to a float.
fn keep_digits(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_i64().is_none() => {
            let text = number.to_string();
            if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
                *value = Value::String(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(keep_digits),
        Value::Object(members) => members.values_mut().for_each(keep_digits),
        _ => {}
    }
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Refused, format!("the records cannot be written as Parquet: {why}"))
        .remedy("map each record to an object whose members keep their types, or use the format ndjson")
}
