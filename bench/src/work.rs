//! What a measured process of ours does: the two hidden verbs of `outflow-bench`.
//!
//! | verb | does |
//! |---|---|
//! | `bound` | reads, decodes and hashes the new side once, as an extraction does, and nothing else |
//! | `extract` | a whole extraction against a state: what changed and the new snapshot, committed durably; nothing is delivered |
//!
//! Each says that it is ready before it reads anything, and tells in one line of JSON what it found ([`Found`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use outflow_connectors::FilesOptions;
use outflow_connectors::sources::files::FilesSource;
use outflow_contract::limits::Limits;
use outflow_contract::plan::{FileFormat, FileTable, Model, OnBadId};
use outflow_contract::source::{Query, Source};
use outflow_contract::{Counts, Error, Result};
use outflow_engine::clock::SystemClock;
use outflow_engine::diff::{Lanes, RecordHasher};
use outflow_engine::extract::Extraction;
use outflow_ledger::store::LocalStore;
use serde::{Deserialize, Serialize};

use crate::child::wait_for_sign;
use crate::data::{Data, Spec};
use crate::made::MadeSource;

/// The one model, and the one table that it reads.
const NAME: &str = "records";

/// Where the records come from.
#[derive(Clone, Debug)]
pub enum Side {
    /// A Parquet file.
    File(PathBuf),
    /// Made while they are read.
    Made(Spec),
}

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct Work {
    /// Where the records come from.
    pub side: Side,
    /// The identifier's columns.
    pub id: Vec<String>,
    /// Threads that read, and as many that hash.
    pub threads: usize,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Records that were read.
    pub records: u64,
    /// Of them, changes since the state before. All zero where nothing was compared.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Work {
    fn source(&self, memory: Option<usize>) -> Result<Box<dyn Source>> {
        let path = match &self.side {
            Side::File(path) => path,
            Side::Made(spec) => return Ok(Box::new(MadeSource::new(Data::new(spec)?, self.threads))),
        };
        let path = std::path::absolute(path).map_err(|error| Error::io(format!("could not find {}", path.display()), error))?;
        let path = path.into_os_string().into_string().map_err(|_| Error::invalid("the file's path is not text"))?;
        let table = FileTable { name: NAME.to_owned(), path, format: FileFormat::Parquet, columns: Vec::new(), delimiter: None };
        let memory_limit_bytes = memory.map(FilesOptions::share_of);
        let options = FilesOptions::of(self.threads, memory_limit_bytes);
        Ok(Box::new(FilesSource::new(vec![table], options)))
    }

    /// Reads, decodes and hashes every record once.
    ///
    /// # Errors
    /// Those of the source; `Invalid` if an identifier's column is not there.
    pub fn bound(&self) -> Result<Found> {
        on_runtime(self.threads, async {
            let source = self.source(None)?;
            wait_for_sign()?;
            let stream = source.stream(&query()).await?;
            // Any key costs the same.
            let hasher = Arc::new(RecordHasher::new(&[7; 32], &stream.schema, &self.id, None)?);
            let tasks: Vec<_> = stream.partitions.into_iter().map(|batches| tokio::spawn(hash(Arc::clone(&hasher), batches))).collect();
            let mut records = 0;
            for task in tasks {
                records += task.await.map_err(|error| Error::bug("a thread that hashes stopped").caused_by(error))??;
            }
            Ok(Found { records, counts: Counts::default() })
        })
    }

    /// Extracts against the state in the folder `state`, which is made if it is not there. `memory` is the most that may be held, in bytes.
    ///
    /// # Errors
    /// Those of an extraction.
    pub fn extract(&self, state: &Path, memory: Option<usize>) -> Result<Found> {
        on_runtime(self.threads, async {
            let (source, clock) = (self.source(memory)?, SystemClock::new());
            let model = Model {
                name: NAME.to_owned(),
                source: NAME.to_owned(),
                sql: query().sql,
                id: self.id.clone(),
                timestamp: None,
                description: None,
                tags: Vec::new(),
                on_null_id: OnBadId::default(),
                on_duplicate_id: OnBadId::default(),
            };
            // How many records there are is up to whoever measures.
            let limits = Limits { records: u64::MAX, memory_bytes: memory, ..Limits::default() };
            wait_for_sign()?;
            let extraction = Extraction {
                store: Arc::new(LocalStore::open(state)?),
                clock: &clock,
                model: &model,
                limits: &limits,
                workers: self.threads,
                progress: Arc::new(AtomicU64::new(0)),
            };
            let extracted = extraction.run(source.stream(&query()).await?).await?;
            Ok(Found { records: extracted.extracted, counts: extracted.counts })
        })
    }
}

fn query() -> Query {
    Query { sql: format!("SELECT * FROM {NAME}"), timeout: None }
}

/// Hashes the batches of a partition, where they are decoded, and tells how many records that were.
async fn hash(hasher: Arc<RecordHasher>, mut batches: BoxStream<'static, Result<RecordBatch>>) -> Result<u64> {
    let (mut keys, mut rows, mut records) = (Lanes::default(), Lanes::default(), 0);
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        hasher.hash(&batch, &mut keys, &mut rows)?;
        // What nobody looks at need not be computed.
        std::hint::black_box((&keys, &rows));
        records += batch.num_rows() as u64;
    }
    Ok(records)
}

fn on_runtime<T>(threads: usize, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads.max(1)).enable_all().build();
    runtime.map_err(|error| Error::io("could not start the threads of this program", error))?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_one_flat_object() {
        let found = Found { records: 9, counts: Counts { added: 1, updated: 2, deleted: 3 } };
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(text, r#"{"records":9,"added":1,"updated":2,"deleted":3}"#);
        assert_eq!(serde_json::from_str::<Found>(&text).unwrap(), found);
    }
}
