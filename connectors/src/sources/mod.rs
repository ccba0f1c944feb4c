//! The registry of sources.

pub mod files;

use outflow_contract::Result;
use outflow_contract::plan::{SourceConfig, SourceKind};
use outflow_contract::source::Source;

use files::{FilesOptions, FilesSource};

/// What tells one state of a source's data from another, where that can be seen without asking it; empty where it cannot. For files:
/// what they are called, how long they are, and when they were written.
pub fn state(config: &SourceConfig) -> String {
    match &config.kind {
        SourceKind::Files { tables } => files::state(tables),
    }
}

/// The source of `config`. `options` are those of the embedded query engine; sources that have a server of their own
/// ignore them. Nothing is read yet: a file that is missing is reported by the first query.
pub fn source(config: &SourceConfig, options: &FilesOptions) -> Result<Box<dyn Source>> {
    match &config.kind {
        SourceKind::Files { tables } => Ok(Box::new(FilesSource::new(tables.clone(), options.clone()))),
    }
}
