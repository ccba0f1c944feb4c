//! Arrow IPC, the file format and the stream format, told apart by their first bytes.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use outflow_contract::{Error, Result};

use super::BATCH_RECORDS;
use super::cast::Place;
use super::paths::DataFile;
use super::scan::{Batches, Reader, assemble, bad_data, unreadable};

/// The first bytes of the file format.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// Reads Arrow IPC.
#[derive(Debug)]
pub(super) struct IpcReader {
    /// The table, for messages.
    pub(super) table: String,
}

/// The columns of all files.
pub(super) fn infer(table: &str, files: &[DataFile]) -> Result<Vec<FieldRef>> {
    let mut schemas = Vec::with_capacity(files.len());
    for file in files {
        let (schema, _) = read(table, &file.path)?;
        // A file may lack a column that another one has.
        let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        schemas.push(Schema::new(fields));
    }
    let merged = Schema::try_merge(schemas).map_err(|cause| {
        Error::invalid(format!("the files of table `{table}` do not agree on a column's type"))
            .caused_by(cause)
            .remedy("make tables of their own of them, or write them with one schema")
    })?;
    Ok(merged.fields().to_vec())
}

impl Reader for IpcReader {
    fn open(&self, file: &DataFile, columns: &SchemaRef) -> Result<Batches> {
        let (_, batches) = read(&self.table, &file.path)?;
        let (table, path, columns) = (self.table.clone(), file.path.clone(), columns.clone());
        let mut first_record = 1;
        let mut failed = false;
        // The batches of a file are as large as its writer made them.
        let small = batches.flat_map(|batch| -> Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send> {
            match batch {
                Ok(batch) => Box::new(
                    (0..batch.num_rows())
                        .step_by(BATCH_RECORDS)
                        .map(move |at| Ok(batch.slice(at, BATCH_RECORDS.min(batch.num_rows() - at)))),
                ),
                Err(cause) => Box::new(std::iter::once(Err(cause))),
            }
        });
        Ok(Box::new(small.map_while(move |batch| {
            if failed {
                return None;
            }
            let made = batch.map_err(|cause| bad_data(&table, &path, &cause.to_string())).and_then(|batch| {
                let place = Place { table: &table, file: &path, first_record };
                first_record += batch.num_rows() as u64;
                assemble(&columns, batch.num_rows(), place, |name| batch.column_by_name(name).cloned())
            });
            failed = made.is_err();
            Some(made)
        })))
    }
}

type RawBatches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

fn read(table: &str, path: &Path) -> Result<(SchemaRef, RawBatches)> {
    let damaged = |cause: ArrowError| bad_data(table, path, &cause.to_string());
    let mut file = File::open(path).map_err(|cause| unreadable(table, path, cause))?;
    let mut start = Vec::new();
    (&mut file).take(FILE_MAGIC.len() as u64).read_to_end(&mut start).map_err(|cause| unreadable(table, path, cause))?;
    file.rewind().map_err(|cause| unreadable(table, path, cause))?;
    if start.is_empty() {
        return Err(bad_data(table, path, "the file is empty"));
    }
    if start == FILE_MAGIC {
        let reader = FileReader::try_new(BufReader::new(file), None).map_err(damaged)?;
        Ok((reader.schema(), Box::new(reader)))
    } else {
        let reader = StreamReader::try_new(BufReader::new(file), None).map_err(damaged)?;
        Ok((reader.schema(), Box::new(reader)))
    }
}
