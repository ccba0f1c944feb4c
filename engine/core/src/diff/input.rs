//! A source as the input of an operator; and errors on their way through DataFusion.

use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;
use futures::stream::BoxStream;
use outflow_contract::source::RecordStream;
use outflow_contract::{Error, Kind, Result};

use super::run::lock;

/// The records of a source as the input of an operator, all of its columns nullable as in `schema`.
///
/// # Errors
/// `Bug` if the source has other columns than `schema`.
pub fn source_of(stream: RecordStream, schema: &SchemaRef) -> Result<Arc<dyn ExecutionPlan>> {
    let partitions = stream.partitions.into_iter().map(|batches| -> Arc<dyn PartitionStream> {
        let schema = Arc::clone(schema);
        let relabelled = Arc::clone(&schema);
        let batches = batches.map(move |batch| relabel(&batch?, &relabelled));
        Arc::new(Partition { schema, batches: Mutex::new(Some(batches.boxed())) })
    });
    let plan = StreamingTableExec::try_new(Arc::clone(schema), partitions.collect(), None, [], false, None);
    Ok(Arc::new(plan.map_err(told)?))
}

/// The same columns under another schema; those without a type are null there.
fn relabel(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let typed = |(column, field): (&ArrayRef, &FieldRef)| match column.data_type() {
        DataType::Null => new_null_array(field.data_type(), batch.num_rows()),
        _ => Arc::clone(column),
    };
    RecordBatch::try_new(Arc::clone(schema), batch.columns().iter().zip(schema.fields()).map(typed).collect())
        .map_err(|e| Error::bug("the source returned a batch of another schema").caused_by(e))
}

struct Partition {
    schema: SchemaRef,
    /// Can be read once.
    batches: Mutex<Option<BoxStream<'static, Result<RecordBatch>>>>,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a partition of the source")
    }
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let again = || futures::stream::once(async { Err(Error::bug("the source can be read only once")) }).boxed();
        let batches = lock(&self.batches).take().unwrap_or_else(again);
        let batches = batches.map(|batch| batch.map_err(carried));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

/// An error of ours on its way through DataFusion.
pub(super) fn carried(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// What DataFusion says, and if it is an error of ours, that one.
pub fn told(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::bug("the comparison failed").caused_by(other),
        },
        DataFusionError::Context(_, inner) => told(*inner),
        DataFusionError::Shared(inner) => Arc::try_unwrap(inner).map_or_else(|shared| Error::bug(shared.to_string()), told),
        DataFusionError::ResourcesExhausted(message) => Error::new(Kind::Limit, "the comparison needs more memory than the limit allows")
            .caused_by(message)
            .remedy("raise the limit on memory"),
        other => Error::bug("the comparison failed").caused_by(other),
    }
}
