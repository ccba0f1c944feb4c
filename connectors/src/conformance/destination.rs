//! The suite of `Destination`: pure, never panics, one outcome for each record, and nothing acknowledged without proof.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use outflow_contract::destination::{Destination, Origin, RecordOrigin};
use outflow_contract::outcome::{Answer, HttpResponse, Outcome, Records, Request};
use outflow_contract::{Op, RecordId};

/// Statuses that every implementation is asked about; only the 2xx among them can prove anything.
const STATUSES: [u16; 27] =
    [0, 99, 100, 199, 200, 201, 202, 204, 207, 300, 301, 304, 400, 401, 403, 404, 408, 409, 413, 422, 425, 429, 500, 501, 503, 599, 999];
/// Bodies that fit no rule, for any status.
const BODIES: [&[u8]; 14] = [
    b"",
    b"ok",
    b"null",
    b"{}",
    b"[]",
    b"\"text\"",
    b"{\"results\":[{\"id\":\"nobody\",\"status\":\"ok\"}]}",
    b"{\"results\":[{\"id\":0,\"index\":99,\"status\":\"ok\"}]}",
    b"{\"results\":[{\"index\":0,\"status\":\"ok\"},{\"index\":0,\"status\":\"ok\"}]}",
    b"{\"results\":[{\"index\":0,\"sta",
    b"{\"errors\":7,\"results\":\"all fine\"}",
    b"{\"error\":{\"message\":\"no such field\"}}",
    b"\xff\xfe\x00 not text",
    b"<html><body>It works!</body></html>",
];

/// What `destination` violates over these records. `reads_body` says that a 2xx alone proves nothing to it: then no
/// body that fits no rule may acknowledge a record.
pub fn check(destination: &dyn Destination, records: &Records, reads_body: bool) -> Vec<String> {
    let mut violated = encoding(destination, records);
    violated.extend(BODIES.iter().flat_map(|fields| shaping(destination, fields)));
    for status in STATUSES {
        for body in BODIES {
            let nested = [b"[".repeat(100_000), b"{\"results\":".repeat(10_000)];
            let bodies = [body.to_vec()].into_iter().chain(if status == 200 && body.is_empty() { nested.to_vec() } else { Vec::new() });
            for body in bodies {
                let answer = http(status, &body);
                let may_ack = (200..300).contains(&status) && !reads_body;
                violated.extend(answered(destination, records, &answer, may_ack));
            }
        }
    }
    // The answer to a request of the other kind.
    let origin = Origin { mapping: "m".to_owned(), epoch: 1, sequence: 0 };
    match destination.encode(records, &origin) {
        Ok(Request::Http(_)) => violated.extend(answered(destination, records, &Answer::Written, false)),
        Ok(Request::File(_)) => violated.extend(answered(destination, records, &http(200, b""), false)),
        Err(_) => {}
    }
    violated
}

/// What `destination` violates with one answer. Nothing may be acknowledged unless `may_ack`.
pub fn answered(destination: &dyn Destination, records: &Records, answer: &Answer, may_ack: bool) -> Vec<String> {
    let what = match answer {
        Answer::Http(response) => {
            format!("{} {:?}", response.status, String::from_utf8_lossy(&response.body[..response.body.len().min(60)]))
        }
        Answer::Written => "written".to_owned(),
    };
    let Ok(outcomes) = catch_unwind(AssertUnwindSafe(|| destination.decode(records, answer))) else {
        return vec![format!("{what}: decode panics")];
    };
    let mut violated = Vec::new();
    if outcomes.len() != records.len() {
        violated.push(format!("{what}: {} outcomes for {} records", outcomes.len(), records.len()));
    }
    if !may_ack && outcomes.contains(&Outcome::Acked) {
        violated.push(format!("{what}: acknowledges without proof"));
    }
    if destination.decode(records, answer) != outcomes {
        violated.push(format!("{what}: says something else the second time"));
    }
    violated
}

/// What `destination` violates in shaping a record of these fields, which may be anything.
pub fn shaping(destination: &dyn Destination, fields: &[u8]) -> Vec<String> {
    const BEFORE: &[u8] = b"{\"before\":1}";
    let what = String::from_utf8_lossy(fields);
    let origin = RecordOrigin { id: RecordId(7), op: Op::Updated };
    let shaped = || {
        let mut out = BEFORE.to_vec();
        catch_unwind(AssertUnwindSafe(|| destination.shape(fields, &origin, &mut out))).map(|result| (result, out))
    };
    let (Ok((result, out)), Ok(again)) = (shaped(), shaped()) else { return vec![format!("{what}: shape panics")] };
    let mut violated = Vec::new();
    if again != (result.clone(), out.clone()) {
        violated.push(format!("{what}: is shaped in another way the second time"));
    }
    if !out.starts_with(BEFORE) {
        violated.push(format!("{what}: shape touches what stood before"));
    } else if destination.shapes() && result.is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(&out[BEFORE.len()..]).is_err() {
        violated.push(format!("{what}: is shaped into something that is no JSON"));
    }
    violated
}

/// What `destination` violates in making a request.
fn encoding(destination: &dyn Destination, records: &Records) -> Vec<String> {
    let mut violated = Vec::new();
    let limits = destination.limits();
    if limits.records_max == 0 || limits.bytes_max == 0 {
        violated.push("limits that let no record through".to_owned());
    }
    let origin = Origin { mapping: "customers".to_owned(), epoch: 3, sequence: 7 };
    let made = || catch_unwind(AssertUnwindSafe(|| destination.encode(records, &origin)));
    let (first, second) = match (made(), made()) {
        (Ok(Ok(first)), Ok(Ok(second))) => (first, second),
        (Ok(Err(error)), _) | (_, Ok(Err(error))) => return vec![format!("encode refuses good records: {error}")],
        _ => return vec!["encode panics".to_owned()],
    };
    if first.body() != second.body() {
        violated.push("the same records give other bytes the second time".to_owned());
    }
    let size = limits.body_overhead + records.bytes.len() + records.len() * limits.record_overhead;
    // A file in another format than JSON has a size of its own.
    if matches!(first, Request::Http(_)) && first.body().len() != size {
        violated.push(format!("a body of {} bytes, where its limits say {size}", first.body().len()));
    }
    if let (Request::File(file), Ok(Request::File(other))) =
        (&first, destination.encode(records, &Origin { sequence: 8, ..origin.clone() }))
    {
        if file.location == other.location {
            violated.push("two requests get one file".to_owned());
        }
        if let Ok(Request::File(other)) = destination.encode(records, &Origin { mapping: "orders".to_owned(), ..origin })
            && file.location == other.location
        {
            violated.push("two mappings get one file".to_owned());
        }
    }
    violated
}

fn http(status: u16, body: &[u8]) -> Answer {
    Answer::Http(HttpResponse { status, headers: Vec::new(), body: Bytes::copy_from_slice(body) })
}

/// Records to run the suite with: `n` of them, with identifiers from 1 and payloads of various lengths.
pub fn sample(n: usize) -> Records {
    let mut records = Records::default();
    let mut bytes = Vec::new();
    for i in 1..=n {
        bytes.extend_from_slice(format!("{{\"id\":{i},\"name\":\"{}\"}}", "é".repeat(i % 7)).as_bytes());
        records.ends.push(bytes.len());
        records.ops.push(Op::ALL[i % 3]);
        records.ids.push(i.to_string());
    }
    records.bytes = bytes.into();
    let fields = vec![Field::new("id", DataType::Int64, true), Field::new("name", DataType::Utf8, true)];
    records.schema = Some(Arc::new(Schema::new(fields)));
    records
}
