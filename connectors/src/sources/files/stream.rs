//! A planned query as streams, one for each partition: bounded, cancelled when they are dropped, never longer than its time.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream_partitioned;
use futures::{FutureExt, StreamExt, stream};
use outflow_contract::plan::FileTable;
use outflow_contract::source::{Query, RecordStream};
use outflow_contract::{Blame, Error, Kind, Result};
use tokio::time::{Instant, timeout};

use super::failure::running;
use super::session::Session;

/// `work`, given up after `limit`. A damaged file must not take the process down, whatever a decoder makes of it.
pub(super) async fn within<T>(limit: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let work = AssertUnwindSafe(work).catch_unwind();
    let done = match limit {
        None => work.await,
        Some(limit) => timeout(limit, work).await.map_err(|_| too_slow(limit))?,
    };
    done.unwrap_or_else(|_| Err(broke_off()))
}

fn broke_off() -> Error {
    Error::bug("the query engine broke off").remedy("look for a damaged file: read the tables one by one")
}

fn too_slow(limit: Duration) -> Error {
    Error::new(Kind::Limit, format!("the query took longer than its {} s", limit.as_secs_f64()))
        .blame(Blame::Source)
        .remedy("raise the source's query_timeout, or make the query cheaper")
}

/// Plans and runs `query`.
pub(super) async fn run(session: Session, tables: &[FileTable], query: &Query) -> Result<RecordStream> {
    let start = Instant::now();
    let planned = within(query.timeout, session.plan(tables, &query.sql)).await?;
    let partitions = execute_stream_partitioned(planned.plan, session.task(planned.schema.fields().len())).map_err(running)?;
    let left = query.timeout.map(|limit| (limit.saturating_sub(start.elapsed()), limit));
    let session = Arc::new(session);
    let partitions = partitions.into_iter().map(|batches| {
        let run = Run { batches: Some(batches), schema: planned.schema.clone(), left, session: Arc::clone(&session) };
        stream::unfold(run, Run::next).boxed()
    });
    Ok(RecordStream { partitions: partitions.collect(), schema: planned.schema })
}

struct Run {
    /// `None` after an error: nothing comes after it.
    batches: Option<SendableRecordBatchStream>,
    schema: SchemaRef,
    /// What is left of the time, of so much. Only waiting for the source counts, not what its consumer does meanwhile.
    left: Option<(Duration, Duration)>,
    #[allow(dead_code, reason = "holds the memory pool and the spilled files as long as the query runs")]
    session: Arc<Session>,
}

impl Run {
    async fn next(mut self) -> Option<(Result<RecordBatch>, Self)> {
        let next = self.wait().await.transpose()?;
        if next.is_err() {
            self.batches = None;
        }
        Some((next, self))
    }

    async fn wait(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batches) = &mut self.batches else { return Ok(None) };
        let next = AssertUnwindSafe(batches.next()).catch_unwind();
        let waited = match &mut self.left {
            None => next.await,
            Some((left, limit)) => {
                let start = Instant::now();
                let waited = timeout(*left, next).await.map_err(|_| too_slow(*limit))?;
                *left = left.saturating_sub(start.elapsed());
                waited
            }
        };
        let batch: Option<Result<RecordBatch, DataFusionError>> = waited.map_err(|_| broke_off())?;
        batch.transpose().map_err(running)?.map(|batch| conform(batch, &self.schema)).transpose()
    }
}

/// The batch under the schema that was promised: partitions may differ in what they say of nulls and marks.
fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if Arc::ptr_eq(batch.schema_ref(), schema) {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
        .map_err(|cause| Error::bug("the query returned other types than it was planned to").caused_by(cause))
}
