//! Requests, answers, and what an answer proves about each record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Op;
pub use crate::ids::Ids;
use crate::secret::Secret;

/// Something to be done at a destination, built without any I/O.
#[derive(Clone, Debug)]
pub enum Request {
    /// An HTTP request.
    Http(HttpRequest),
    /// A file to be created: whole, or not at all.
    File(FileRequest),
}

impl Request {
    /// The bytes that carry the records: what the idempotency key is made of.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Http(request) => &request.body,
            Self::File(request) => &request.body,
        }
    }
}

/// An HTTP request. Header values may hold secrets: they are never printed.
#[derive(Clone)]
pub struct HttpRequest {
    /// `POST`, `PUT`, …
    pub method: String,
    /// The whole URL; the engine turns it to the destination's `gateway` where there is one.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Compress the body with gzip.
    pub gzip: bool,
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "{} ({} bytes, headers {headers:?})", self.method, self.body.len())
    }
}

/// A file to be created atomically. The same name is only ever used for the same request, so writing it again is harmless.
#[derive(Clone, Debug)]
pub struct FileRequest {
    /// Where.
    pub location: Location,
    /// The whole content.
    pub body: Bytes,
}

/// Where a file is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// On the local disk.
    Local(PathBuf),
    /// In object storage.
    Object(ObjectLocation),
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Object(object) => f.write_str(&object.url),
        }
    }
}

/// An object in object storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLocation {
    /// `s3://bucket/prefix/name`, `gs://…`, `az://container/…`, or another URL that names an object. Holds no secret.
    pub url: String,
    /// How to get there, by the names that the object store has for it: credentials, region, endpoint.
    pub options: Arc<BTreeMap<String, Secret>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An HTTP response, read to its end.
    Http(HttpResponse),
    /// The file is there, durably.
    Written,
}

/// An HTTP response, read to its end and decompressed, within the limit of `limits::RESPONSE_BYTES_MAX`.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl HttpResponse {
    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What an answer says about one record of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has it: proven by the answer.
    Acked,
    /// The destination does not take it as it is.
    Rejected(Rejection),
    /// The destination refused the request as a whole, and does not say because of which record. The same for all of its records: they
    /// are divided until the guilty ones stand alone.
    RejectedTogether(Rejection),
    /// The destination did not process it and asks for patience.
    Throttled {
        /// For how long, if it says.
        after: Option<Duration>,
    },
    /// The destination failed in a way that may pass.
    Retry(Rejection),
    /// The answer proves nothing.
    Unknown {
        /// Why not.
        reason: String,
    },
}

/// Why a record was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// A short, stable code to group by: a status such as `http_422`, or the destination's own.
    pub code: String,
    /// The destination's words, or ours.
    pub message: String,
}

/// Marks text in [`Records::schema`], in a field's metadata, whose values in the payloads may be any JSON: strings stand for
/// themselves, everything else for its JSON text.
pub const ANY_VALUE: &str = "outflow:any";

/// The mapped records of one request, in order.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The payloads, one after another, each a JSON value.
    pub bytes: Bytes,
    /// Where each payload ends in `bytes`; as many as there are records.
    pub ends: Vec<usize>,
    /// The operation of each record.
    pub ops: Vec<Op>,
    /// The identifier of each record as JSON text, for answers that name records by it.
    pub ids: Ids,
    /// The types of the payloads' members, the same for all records of a mapping; `None` if payloads are not all objects with the
    /// same members.
    pub schema: Option<SchemaRef>,
}

impl Records {
    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The payload of record `i`.
    pub fn payload(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }

    /// All payloads in order.
    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|i| self.payload(i))
    }
}
