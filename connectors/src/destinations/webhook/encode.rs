//! Records to a request.

use bytes::Bytes;
use outflow_contract::outcome::{HttpRequest, Records};
use outflow_contract::{Error, Result};

use super::config::{Body, Config};

/// The request of these records.
pub(super) fn encode(config: &Config, records: &Records) -> Result<HttpRequest> {
    let (body, content_type) = match config.batch.body {
        Body::Single if records.len() == 1 => (Bytes::copy_from_slice(records.payload(0)), "application/json"),
        Body::Single => return Err(Error::bug(format!("{} records in a request that takes one", records.len()))),
        Body::Array => (array(records), "application/json"),
        Body::Ndjson => (lines(records), "application/x-ndjson"),
    };
    let mut headers = Vec::with_capacity(config.headers.len() + 2);
    if !config.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("Content-Type".to_owned(), content_type.to_owned()));
    }
    headers.extend(config.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())));
    if let Some(sign) = &config.sign {
        headers.push((sign.header.clone(), sign.sign(&body)?));
    }
    Ok(HttpRequest { method: config.method.clone(), url: config.url.clone(), headers, body, gzip: false })
}

fn array(records: &Records) -> Bytes {
    let mut body = Vec::with_capacity(records.bytes.len() + records.len() + 1);
    for payload in records.payloads() {
        body.push(if body.is_empty() { b'[' } else { b',' });
        body.extend_from_slice(payload);
    }
    body.push(b']');
    body.into()
}

fn lines(records: &Records) -> Bytes {
    let mut body = Vec::with_capacity(records.bytes.len() + records.len());
    for payload in records.payloads() {
        // A line break in JSON text is only ever space between two tokens: a space says the same.
        body.extend(payload.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        body.push(b'\n');
    }
    body.into()
}
