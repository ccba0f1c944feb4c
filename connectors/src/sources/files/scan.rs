//! One table provider for the formats that are read here: files spread over partitions, each read by a blocking task that
//! runs at most two batches ahead of its consumer and ends when that is dropped.

use std::fmt::{self, Debug};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use outflow_contract::{Blame, Error, Result};

use super::cast::{Place, convert};
use super::failure::{carried, tidy};
use super::paths::DataFile;

/// Batches that a partition may be ahead.
const BATCHES_AHEAD: usize = 2;

/// The batches of one file.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// How files of one format are read. Blocks.
pub(super) trait Reader: Debug + Send + Sync {
    /// The batches of `file`, with exactly `columns`: found by name, null where the file does not have them.
    fn open(&self, file: &DataFile, columns: &SchemaRef) -> Result<Batches>;
}

/// The files of a table, read by a [`Reader`].
#[derive(Debug)]
pub(super) struct FileScan {
    /// The columns of the table.
    pub(super) schema: SchemaRef,
    /// Its files.
    pub(super) files: Vec<DataFile>,
    /// How they are read.
    pub(super) reader: Arc<dyn Reader>,
}

#[async_trait]
impl TableProvider for FileScan {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let columns = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => self.schema.clone(),
        };
        // Records are counted by reading some column.
        let read = match columns.fields().first() {
            Some(_) => columns.clone(),
            None => Arc::new(Schema::new(self.schema.fields().iter().take(1).cloned().collect::<Vec<_>>())),
        };
        let partitions = spread(&self.files, state.config().target_partitions())
            .into_iter()
            .map(|files| {
                let partition = FilesPartition { files, reader: self.reader.clone(), read: read.clone(), columns: columns.clone() };
                Arc::new(partition) as Arc<dyn PartitionStream>
            })
            .collect();
        Ok(Arc::new(StreamingTableExec::try_new(columns, partitions, None, [], false, limit)?))
    }
}

/// Files over partitions: the largest first, each to the partition that has least so far.
fn spread(files: &[DataFile], partitions: usize) -> Vec<Vec<DataFile>> {
    let mut parts = vec![(0_u64, Vec::new()); partitions.clamp(1, files.len().max(1))];
    let mut by_size: Vec<&DataFile> = files.iter().collect();
    by_size.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
    for file in by_size {
        if let Some(least) = parts.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            least.0 += file.bytes.max(1);
            least.1.push(file.clone());
        }
    }
    parts.into_iter().map(|(_, files)| files).collect()
}

struct FilesPartition {
    files: Vec<DataFile>,
    reader: Arc<dyn Reader>,
    /// What is read of the files.
    read: SchemaRef,
    /// What is passed on: the same, or no column at all.
    columns: SchemaRef,
}

impl Debug for FilesPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files", self.files.len())
    }
}

impl PartitionStream for FilesPartition {
    fn schema(&self) -> &SchemaRef {
        &self.columns
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.columns.clone(), BATCHES_AHEAD);
        let sender = builder.tx();
        let (files, reader) = (self.files.clone(), self.reader.clone());
        let (read, columns) = (self.read.clone(), self.columns.clone());
        builder.spawn_blocking(move || {
            for file in &files {
                for batch in reader.open(file, &read).map_err(carried)? {
                    let batch = batch.map_err(carried)?;
                    let batch = if columns.fields().is_empty() { batch.project(&[]).map_err(DataFusionError::from)? } else { batch };
                    if sender.blocking_send(Ok(batch)).is_err() {
                        // Nobody listens any more.
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        builder.build()
    }
}

/// A batch of exactly `columns` out of the columns that `find` has, converted to their types.
pub(super) fn assemble(
    columns: &SchemaRef,
    records: usize,
    place: Place<'_>,
    find: impl Fn(&str) -> Option<ArrayRef>,
) -> Result<RecordBatch> {
    let arrays = columns.fields().iter().map(|field| match find(field.name()) {
        Some(values) => convert(&values, field.data_type(), field.name(), place),
        None => Ok(new_null_array(field.data_type(), records)),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(records));
    RecordBatch::try_new_with_options(columns.clone(), arrays.collect::<Result<_>>()?, &options)
        .map_err(|cause| bad_data(place.table, place.file, &cause.to_string()))
}

/// A file does not hold what its format asks for.
pub(super) fn bad_data(table: &str, file: &std::path::Path, what: &str) -> Error {
    Error::invalid(format!("table `{table}`, {}: {}", file.display(), tidy(what)))
        .blame(Blame::Source)
        .remedy("correct the file; nothing of it was taken as complete")
}

/// A file cannot be opened or read.
pub(super) fn unreadable(table: &str, file: &std::path::Path, cause: std::io::Error) -> Error {
    let remedy = match cause.kind() {
        std::io::ErrorKind::PermissionDenied => "give this account the right to read the file",
        _ => "see that the file and its disk can be read, then run again",
    };
    Error::io(format!("table `{table}`: cannot read {}", file.display()), cause).blame(Blame::Source).remedy(remedy)
}
