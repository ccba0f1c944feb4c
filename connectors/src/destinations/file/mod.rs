//! Files on the local disk as a destination: each request becomes one file, which appears whole or not at all.
//!
//! ```text
//! path: out                 out/<mapping>-<epoch>-<sequence>-<content>.ndjson
//! path: out/customers.json  out/customers-<mapping>-<epoch>-<sequence>-<content>.json
//! ```
//!
//! The numbers are those of the request's first intent, so that names sort as requests were made, and `content` is a hash of the
//! bytes: the same request always has the same name, and no file is ever replaced by other content, not even after the state was
//! lost and the numbers start anew. The mapping is part of every name, for two mappings may write to one destination.
//!
//! Non-goals: appending to a file, and object stores (later).

mod encode;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use outflow_contract::destination::{Action, Check, Connector, Descriptor, Destination, Field, FieldKind, Origin, RequestLimits};
use outflow_contract::outcome::{Answer, FileRequest, Outcome, Records, Request};
use outflow_contract::plan::{DestinationConfig, Settings};
use outflow_contract::{Error, Kind, Op, Result};
use sha2::{Digest, Sha256};

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
    folder: PathBuf,
    /// The name and ending of a path that has an ending.
    file: Option<(String, String)>,
    format: Format,
}

impl Files {
    fn new(config: &DestinationConfig) -> Result<Self> {
        let written = config
            .settings
            .text("path")
            .ok_or_else(|| Error::invalid("`path` is missing").remedy("set the folder that takes the files"))?;
        if let Some((scheme, _)) = written.split_once("://") {
            return Err(
                Error::invalid(format!("`path` is at {scheme}://, which is not available in this version")).remedy("set a local folder")
            );
        }
        let format = match config.settings.text("format").unwrap_or("ndjson") {
            "ndjson" => Format::Ndjson,
            "parquet" => Format::Parquet,
            other => return Err(Error::invalid(format!("`format` cannot be `{other}`")).remedy("it is ndjson or parquet")),
        };
        let path = config.root.join(written);
        let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let file = part(path.file_stem()).zip(part(path.extension())).filter(|_| !written.ends_with('/'));
        let folder = if file.is_some() { path.parent().map(Path::to_owned).unwrap_or_default() } else { path };
        Ok(Self { folder, file, format })
    }

    fn path(&self, origin: &Origin, body: &[u8]) -> PathBuf {
        let mapping: String = origin.mapping.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
        let content = hex::encode(&Sha256::digest(body)[..4]);
        let numbers = format!("{:06}-{:05}-{content}", origin.epoch, origin.sequence);
        let ending = match self.format {
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
        };
        self.folder.join(match &self.file {
            Some((stem, ending)) => format!("{stem}-{mapping}-{numbers}.{ending}"),
            None => format!("{mapping}-{numbers}.{ending}"),
        })
    }
}

impl Destination for Files {
    fn account(&self) -> String {
        let stem = self.file.as_ref().map(|(stem, ending)| format!("/{stem}.{ending}")).unwrap_or_default();
        format!("file {}{stem}", self.folder.display())
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
        Check::File(Request::File(FileRequest { path: self.folder.join(".outflow-check"), body: Bytes::new() }))
    }

    fn checked(&self, _answer: &Answer) -> Result<String> {
        Ok("files can be written and removed".to_owned())
    }

    fn encode(&self, records: &Records, origin: &Origin) -> Result<Request> {
        let body = match self.format {
            Format::Ndjson => encode::ndjson(records),
            Format::Parquet => encode::parquet(records)?,
        };
        Ok(Request::File(FileRequest { path: self.path(origin, &body), body }))
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
        description: "Writes records to NDJSON or Parquet files on the local disk.".to_owned(),
        settings: vec![
            Field::new("path", FieldKind::String, "The folder that takes the files, or a file's path that gives them name and ending.")
                .required(),
            Field::new("format", FieldKind::String, "The format of the files.").default("ndjson").choices(&["ndjson", "parquet"]),
        ],
        actions: vec![Action {
            name: ACTION.to_owned(),
            title: "Write".to_owned(),
            description: "Writes each record as it is mapped.".to_owned(),
            ops: Op::ALL.to_vec(),
            fields: None,
        }],
    }
}
