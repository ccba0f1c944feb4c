//! A configured table, opened: its files, its columns with forced types, and how it is read.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use outflow_contract::plan::{FileFormat, FileTable};
use outflow_contract::{Error, Result};

use super::cast::ForcedColumns;
use super::csv::{self, CsvReader};
use super::failure::listed;
use super::ipc::{self, IpcReader};
use super::ndjson::{self, NdjsonReader};
use super::parquet;
use super::paths::{self, DataFile};
use super::scan::{FileScan, Reader};

/// A table that can be queried.
pub(super) struct OpenTable {
    /// Its files.
    files: Vec<DataFile>,
    /// Its columns.
    pub(super) schema: SchemaRef,
    /// What DataFusion asks.
    pub(super) provider: Arc<dyn TableProvider>,
}

impl OpenTable {
    /// `3 files, 1204 bytes, columns: a, b`.
    pub(super) fn describe(&self) -> String {
        let bytes: u64 = self.files.iter().map(|file| file.bytes).sum();
        let files = if self.files.len() == 1 { "1 file".to_owned() } else { format!("{} files", self.files.len()) };
        let names: Vec<String> = self.schema.fields().iter().map(|field| field.name().clone()).collect();
        format!("{files}, {bytes} bytes, {} columns: {}", names.len(), listed(&names))
    }
}

/// Finds the files of `table` and tells its columns.
pub(super) async fn open(table: &FileTable, state: &SessionState) -> Result<OpenTable> {
    let forced = ForcedColumns::new(table, state)?;
    if table.format == FileFormat::Parquet {
        let files = blocking(table, paths::files).await?;
        let fields = forced.apply(table, &parquet::infer(state, &table.name, &files).await?)?;
        let schema = schema(fields);
        let provider = parquet::provider(state, &files, &schema)?;
        return Ok(OpenTable { files, schema, provider });
    }
    let (files, schema, reader) = blocking(table, move |table| read_here(table, forced)).await?;
    let provider = Arc::new(FileScan { schema: schema.clone(), files: files.clone(), reader });
    Ok(OpenTable { files, schema, provider })
}

/// The formats that are read by [`FileScan`].
fn read_here(table: &FileTable, forced: ForcedColumns) -> Result<(Vec<DataFile>, SchemaRef, Arc<dyn Reader>)> {
    let files = paths::files(table)?;
    let name = table.name.clone();
    let (fields, reader): (Vec<FieldRef>, Arc<dyn Reader>) = match table.format {
        FileFormat::Csv => {
            let delimiter = table.delimiter;
            (forced.apply(table, &csv::infer(&name, &files, delimiter)?)?, Arc::new(CsvReader { table: name, delimiter }))
        }
        FileFormat::Ndjson => (ndjson::infer(&name, &files, &forced)?, Arc::new(NdjsonReader { table: name, forced })),
        FileFormat::Arrow => (forced.apply(table, &ipc::infer(&name, &files)?)?, Arc::new(IpcReader { table: name })),
        FileFormat::Parquet => return Err(Error::bug("Parquet is read by DataFusion itself")),
    };
    Ok((files, schema(fields), reader))
}

fn schema(fields: Vec<FieldRef>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// Runs what reads files away from the threads that drive everything else.
async fn blocking<T: Send + 'static>(table: &FileTable, work: impl FnOnce(&FileTable) -> Result<T> + Send + 'static) -> Result<T> {
    let table = table.clone();
    let name = table.name.clone();
    let done = tokio::task::spawn_blocking(move || work(&table)).await;
    done.unwrap_or_else(|cause| Err(Error::bug(format!("opening the table `{name}` broke off")).caused_by(cause)))
}
