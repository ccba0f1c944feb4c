//! The registry of sources.

pub mod files;

use outflow_contract::Result;
use outflow_contract::plan::{SourceConfig, SourceKind};
use outflow_contract::source::Source;

use files::{FilesOptions, FilesSource};

/// The source of `config`. `options` are those of the embedded query engine; sources that have a server of their own
/// ignore them. Nothing is read yet: a file that is missing is reported by the first query.
pub fn source(config: &SourceConfig, options: &FilesOptions) -> Result<Box<dyn Source>> {
    match &config.kind {
        SourceKind::Files { tables } => Ok(Box::new(FilesSource::new(tables.clone(), options.clone()))),
    }
}
