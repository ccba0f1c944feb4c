//! Files as a destination, on the local disk or in object storage: each request becomes one file, which appears whole or not at all.
//!
//! ```text
//! path: out                 out/<mapping>-<epoch>-<sequence>-<content>.ndjson
//! path: out/customers.json  out/customers-<mapping>-<epoch>-<sequence>-<content>.json
//! path: s3://bucket/out     s3://bucket/out/<mapping>-<epoch>-<sequence>-<content>.ndjson
//! ```
//!
//! The numbers are those of the request's first intent, so that names sort as requests were made, and `content` is a hash of the
//! bytes: the same request always has the same name, and no file is ever replaced by other content, not even after the state was
//! lost and the numbers start anew. The mapping is part of every name, for two mappings may write to one destination.
//!
//! Non-goals: appending to a file.

mod encode;
mod marked;
mod storage;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use outflow_contract::destination::{Action, Check, Connector, Descriptor, Destination, Field, FieldKind, Origin, RequestLimits};
use outflow_contract::outcome::{Answer, FileRequest, Location, Outcome, Records, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::{Error, Kind, Op, Result};
use sha2::{Digest, Sha256};

use storage::Target;

/// The one action.
const ACTION: &str = "write";
/// Records in one file.
const RECORDS_MAX: usize = 1_000_000;
/// Bytes of one file as NDJSON: it is held in memory.
const BYTES_MAX: usize = 16 << 20;
/// Files written at once: a disk gains nothing from more.
const CONCURRENCY_MAX: usize = 2;

/// The kind of destination `file`.
#[derive(Debug)]
pub struct FileConnector {
    descriptor: Descriptor,
}

impl FileConnector {
    /// The connector.
    #[allow(clippy::new_without_default, reason = "connectors are made by the registry")]
    pub fn new() -> Self {
        Self { descriptor: descriptor() }
    }
}

impl Connector for FileConnector {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn configure(&self, config: &DestinationConfig, action: &str, _constants: &Settings) -> Result<Arc<dyn Destination>> {
        if action != ACTION {
            return Err(Error::new(Kind::NotFound, format!("a file destination has no action `{action}`")).remedy("its action is `write`"));
        }
        Ok(Arc::new(Files::new(config).map_err(|error| error.with("destination", &config.name))?))
    }
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ndjson,
    Parquet,
}

/// A file destination, configured.
#[derive(Debug)]
struct Files {
    target: Target,
    format: Format,
}

impl Files {
    fn new(config: &DestinationConfig) -> Result<Self> {
        let target = Target::new(config)?;
        let format = match config.settings.text("format").unwrap_or("ndjson") {
            "ndjson" => Format::Ndjson,
            "parquet" => Format::Parquet,
            other => return Err(Error::invalid(format!("`format` cannot be `{other}`")).remedy("it is ndjson or parquet")),
        };
        Ok(Self { target, format })
    }

    fn location(&self, origin: &Origin, body: &[u8]) -> Location {
        let mapping: String = origin.mapping.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
        let content = hex::encode(&Sha256::digest(body)[..4]);
        let name = format!("{mapping}-{:06}-{:05}-{content}", origin.epoch, origin.sequence);
        let ending = match self.format {
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
        };
        self.target.file(&name, ending)
    }
}

impl Destination for Files {
    fn account(&self) -> String {
        self.target.account()
    }

    fn limits(&self) -> RequestLimits {
        RequestLimits {
            records_max: RECORDS_MAX,
            bytes_max: BYTES_MAX,
            record_overhead: 1,
            body_overhead: 0,
            concurrency_max: Some(CONCURRENCY_MAX),
        }
    }

    fn check(&self) -> Check {
        Check::File(Request::File(FileRequest { location: self.target.at(".outflow-check"), body: Bytes::new() }))
    }

    fn checked(&self, _answer: &Answer) -> Result<String> {
        Ok("files can be written there".to_owned())
    }

    fn encode(&self, records: &Records, origin: &Origin) -> Result<Request> {
        let body = match self.format {
            Format::Ndjson => encode::ndjson(records),
            Format::Parquet => encode::parquet(records)?,
        };
        Ok(Request::File(FileRequest { location: self.location(origin, &body), body }))
    }

    fn decode(&self, records: &Records, answer: &Answer) -> Vec<Outcome> {
        let outcome = match answer {
            Answer::Written => Outcome::Acked,
            Answer::Http(_) => Outcome::Unknown { reason: "an HTTP answer proves nothing about a file".to_owned() },
        };
        vec![outcome; records.len()]
    }
}

fn descriptor() -> Descriptor {
    Descriptor {
        name: "file".to_owned(),
        title: "File".to_owned(),
        description: "Writes records to NDJSON or Parquet files, on the local disk or in object storage.".to_owned(),
        settings: vec![
            Field::new(
                "path",
                FieldKind::String,
                "The folder or the URL (s3://, gs://, az://) that takes the files, or a file's path that gives them name and ending.",
            )
            .required(),
            Field::new("format", FieldKind::String, "The format of the files.").default("ndjson").choices(&["ndjson", "parquet"]),
            storage::setting(),
        ],
        actions: vec![Action {
            name: ACTION.to_owned(),
            title: "Write".to_owned(),
            description: "Writes each record as it is mapped.".to_owned(),
            ops: Op::ALL.to_vec(),
            deletes: true,
            fields: None,
        }],
    }
}
