//! Records to the bytes of a file. The same records always give the same bytes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, Schema};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use bytes::Bytes;
use outflow_contract::outcome::Records;
use outflow_contract::{Error, Kind, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::marked;

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
    let plain = Arc::new(Schema::new(schema.fields().iter().map(|field| marked::without(field)).collect::<Fields>()));
    let told = |cause: ArrowError| refused(&cause.to_string());
    // A member that the mapping's types do not have would be lost silently otherwise.
    let builder = ReaderBuilder::new(plain).with_batch_size(records.len()).with_strict_mode(true);
    let mut decoder = builder.build_decoder().map_err(told)?;
    if marked::any_in(schema.fields()) {
        let mut line = Vec::new();
        for payload in records.payloads() {
            line.clear();
            marked::write(payload, schema.fields(), &mut line).map_err(|cause| Error::bug("a payload is not JSON").caused_by(cause))?;
            decoder.decode(&line).map_err(told)?;
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

/// `why` names the member, where it is one.
fn refused(why: &str) -> Error {
    Error::new(Kind::Refused, format!("the records cannot be written as Parquet: {why}"))
        .remedy("map each record to an object whose members keep their types, or use the format ndjson")
}
