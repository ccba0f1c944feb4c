//! Records to the bytes of a file. The same records always give the same bytes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use bytes::Bytes;
use outflow_contract::outcome::{ANY_VALUE, Records};
use outflow_contract::{Error, Kind, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

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

/// A Parquet file whose columns are the members of the payloads, in the types that the mapping tells.
pub(super) fn parquet(records: &Records) -> Result<Bytes> {
    let Some(schema) = &records.schema else {
        return Err(Error::invalid("the records cannot be written as Parquet: the mapping does not make an object with members of each")
            .remedy("map each record to an object whose members are named in the mapping, or use the format ndjson"));
    };
    let batch = columns(records, schema)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default())).build();
    let mut body = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut body, batch.schema(), Some(properties)).map_err(|cause| refused(&cause.to_string()))?;
    writer.write(&batch).map_err(|cause| refused(&cause.to_string()))?;
    writer.close().map_err(|cause| refused(&cause.to_string()))?;
    Ok(body.into())
}

fn columns(records: &Records, schema: &Schema) -> Result<RecordBatch> {
    let plain = Arc::new(Schema::new(schema.fields().iter().map(|field| unmarked(field)).collect::<Fields>()));
    let told = |cause: ArrowError| refused(&cause.to_string());
    // A member that the mapping's types do not have would be lost silently otherwise.
    let builder = ReaderBuilder::new(plain).with_batch_size(records.len()).with_strict_mode(true);
    let mut decoder = builder.build_decoder().map_err(told)?;
    if has_any(schema.fields()) {
        for payload in records.payloads() {
            let mut value: Value = serde_json::from_slice(payload).map_err(|cause| Error::bug("a payload is not JSON").caused_by(cause))?;
            if let Value::Object(members) = &mut value {
                members_as_text(members, schema.fields());
            }
            // As text: numbers keep their digits there.
            decoder.decode(value.to_string().as_bytes()).map_err(told)?;
        }
    } else {
        decoder.decode(&records.bytes).map_err(told)?;
    }
    let batch = decoder.flush().map_err(told)?.ok_or_else(|| Error::bug("a request without records"))?;
    if batch.num_rows() == records.len() {
        Ok(batch)
    } else {
        Err(Error::bug(format!("{} records were read as {}", records.len(), batch.num_rows())))
    }
}

fn is_any(field: &Field) -> bool {
    field.metadata().contains_key(ANY_VALUE)
}

fn has_any(fields: &Fields) -> bool {
    fields
        .iter()
        .any(|field| is_any(field) || inner(field.data_type()).is_some_and(has_any_field) || struct_fields(field).is_some_and(has_any))
}

fn has_any_field(field: &FieldRef) -> bool {
    is_any(field) || struct_fields(field).is_some_and(has_any) || inner(field.data_type()).is_some_and(has_any_field)
}

/// The items of a list, the entries of a map.
fn inner(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(items) => Some(items),
        DataType::Map(entries, _) => Some(entries),
        _ => None,
    }
}

fn struct_fields(field: &Field) -> Option<&Fields> {
    match field.data_type() {
        DataType::Struct(fields) => Some(fields),
        _ => None,
    }
}

/// The same field, all the way down, without the mark of text that may be any value: it is nothing to a reader of the file.
fn unmarked(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::List(items) => DataType::List(Arc::new(unmarked(items))),
        DataType::Map(entries, sorted) => DataType::Map(Arc::new(unmarked(entries)), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| unmarked(field)).collect()),
        other => other.clone(),
    };
    Field::new(field.name(), data_type, field.is_nullable())
}

fn members_as_text(members: &mut Map<String, Value>, fields: &Fields) {
    for field in fields {
        if let Some(value) = members.get_mut(field.name()) {
            as_text(value, field);
        }
    }
}

/// Turns whatever stands where the field is marked into text.
fn as_text(value: &mut Value, field: &Field) {
    match (field.data_type(), value) {
        (_, Value::Null | Value::String(_)) => {}
        (_, value) if is_any(field) => *value = Value::String(value.to_string()),
        (DataType::Struct(fields), Value::Object(members)) => members_as_text(members, fields),
        (DataType::List(items), Value::Array(values)) => values.iter_mut().for_each(|value| as_text(value, items)),
        (DataType::Map(entries, _), Value::Object(members)) => {
            if let Some(values) = struct_fields(entries).and_then(|pair| pair.last()) {
                members.values_mut().for_each(|value| as_text(value, values));
            }
        }
        _ => {}
    }
}

/// `why` names the member, where it is one.
fn refused(why: &str) -> Error {
    Error::new(Kind::Refused, format!("the records cannot be written as Parquet: {why}"))
        .remedy("map each record to an object whose members keep their types, or use the format ndjson")
}
