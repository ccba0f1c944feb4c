//! Files as a source: Parquet, CSV, NDJSON and Arrow IPC, queried with SQL through DataFusion.
//!
//! ```text
//! query ─▶ the tables that it names ─▶ paths (globs, folders) ─▶ schema, forced types
//!                                                                     │
//!          batches ◀─ one bounded stream ◀─ physical plan ◀─ logical plan (reads only)
//! ```
//!
//! - Parquet goes through DataFusion's own scan: pruning, column projection, parallel ranges. The line formats and Arrow IPC
//!   have readers here ([`csv`], [`ndjson`], [`ipc`]) on one table provider ([`scan`]), which match columns by name, file
//!   by file, and name the file, the record and the column in every complaint.
//! - Each query gets a session of its own, which knows the tables of this source that the query names, and nothing else.
//!   What DataFusion could write, it is not allowed to.
//! - Memory: batches of 8,192 records, two in flight for each partition. What a query has to hold (a join, an
//!   aggregation) spills once `memory_limit_bytes` is reached.
//!
//! Non-goals: Hive partitions, object stores (later), and keeping anything between two queries: files may change.

mod array;
mod begin;
mod cast;
mod csv;
mod failure;
mod ipc;
mod ndjson;
mod parquet;
mod paths;
mod scan;
mod session;
mod stream;
mod tables;
#[cfg(test)]
mod tests;
mod told;

use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use outflow_contract::Result;
use outflow_contract::plan::FileTable;
use outflow_contract::source::{Probe, Query, RecordStream, Source};

/// The version of the query engine, as `probe` shows it.
const ENGINE: &str = "DataFusion 55.2.0";
/// Records in one batch.
const BATCH_RECORDS: usize = 8192;

/// The files of these tables, each with its size and the moment of its last change; of a table that has none, why.
pub fn state(tables: &[FileTable]) -> String {
    let mut text = String::new();
    for table in tables {
        match paths::files(table) {
            Ok(files) => text.extend(files.iter().map(|file| {
                let changed = std::fs::metadata(&file.path).and_then(|meta| meta.modified()).ok();
                format!("{} {} {changed:?}\n", file.path.display(), file.bytes)
            })),
            Err(error) => text.push_str(&format!("{error}\n")),
        }
    }
    text
}

/// How the query engine works.
#[derive(Clone, Debug)]
pub struct FilesOptions {
    /// Partitions that are read at once.
    pub target_partitions: usize,
    /// What joins, sorts and aggregations may hold in memory before they spill; no limit if `None`.
    pub memory_limit_bytes: Option<usize>,
    /// Where they spill; the system's folder for temporary files if `None`.
    pub spill_dir: Option<PathBuf>,
}

/// Partitions for each thread: with one each, a thread is left alone with the last part of a file while the others have ended.
const PARTITIONS_PER_THREAD: usize = 2;

impl FilesOptions {
    /// For so many threads. Under a limit on memory there are fewer partitions, for each holds some.
    pub fn of(threads: usize, memory_limit_bytes: Option<usize>) -> Self {
        let per_thread = if memory_limit_bytes.is_some() { 1 } else { PARTITIONS_PER_THREAD };
        Self { target_partitions: threads * per_thread, memory_limit_bytes, spill_dir: None }
    }

    /// What of a whole process's memory, in bytes, its queries may take.
    pub fn share_of(memory: usize) -> usize {
        memory / 4
    }
}

impl Default for FilesOptions {
    /// All cores, no limit.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::of(cores, None)
    }
}

/// Files, queried with SQL.
#[derive(Debug)]
pub struct FilesSource {
    tables: Vec<FileTable>,
    options: FilesOptions,
}

impl FilesSource {
    /// A source of these tables. Nothing is read yet.
    pub fn new(tables: Vec<FileTable>, options: FilesOptions) -> Self {
        Self { tables, options }
    }
}

#[async_trait]
impl Source for FilesSource {
    async fn probe(&self) -> Result<Probe> {
        let mut details = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            let opened = session::Session::new(&self.options)?.open(table).await?;
            details.push((table.name.clone(), opened.describe()));
        }
        Ok(Probe { version: ENGINE.to_owned(), details })
    }

    async fn schema(&self, query: &Query) -> Result<SchemaRef> {
        stream::within(query.timeout, async {
            let session = session::Session::new(&self.options)?;
            Ok(session.plan(&self.tables, &query.sql).await?.schema)
        })
        .await
    }

    async fn stream(&self, query: &Query) -> Result<RecordStream> {
        let session = session::Session::new(&self.options)?;
        stream::run(session, &self.tables, query).await
    }
}
