//! Data to one Parquet file, encoded on several threads.
//!
//! Each thread makes and encodes whole row groups, and the file takes them in order: the bytes do not depend on the number of threads.
//! A thread waits when it is one row group ahead, so memory stays at about two row groups for each thread.

use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use outflow_contract::{Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::data::{COLUMNS, Data};

/// Records of a row group: large enough to read fast, small enough to keep some in memory.
const ROW_GROUP_RECORDS: u64 = 256 * 1024;
/// The same where there are many columns: so many values make a row group, but never fewer than this many records.
const ROW_GROUP_VALUES: u64 = ROW_GROUP_RECORDS * COLUMNS as u64;
const ROW_GROUP_RECORDS_MIN: u64 = 32 * 1024;
/// Records made at once, so that they are still in the cache when they are encoded.
const BATCH_RECORDS: u64 = 8 * 1024;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Records in the file.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
}

/// Writes `data` to `path` on `threads` threads. An existing file is overwritten.
///
/// # Errors
/// `Io` if the file cannot be written; what is there then is not a whole file.
pub fn write(data: &Data, path: &Path, threads: usize) -> Result<Written> {
    let failed = |error: ParquetError| Error::io(format!("could not write {}", path.display()), error);
    let file = File::create(path).map_err(|error| Error::io(format!("could not create {}", path.display()), error))?;
    let writer = ArrowWriter::try_new(BufWriter::new(file), data.schema(), Some(properties(data))).map_err(failed)?;
    let (mut writer, factory) = writer.into_serialized_writer().map_err(failed)?;
    let groups = groups(data.places(), group_records(data));
    let threads = threads.clamp(1, groups.len().max(1));
    thread::scope(|scope| -> Result<()> {
        let lanes: Vec<Receiver<Encoded>> = (0..threads)
            .map(|lane| {
                let (sender, receiver) = sync_channel(1);
                let (factory, mine) = (&factory, groups.iter().enumerate().skip(lane).step_by(threads));
                scope.spawn(move || encode_groups(data, factory, mine, &sender));
                receiver
            })
            .collect();
        for place in 0..groups.len() {
            let chunks = lanes[place % threads].recv().map_err(|error| Error::bug("an encoding thread ended early").caused_by(error))??;
            let mut group = writer.next_row_group().map_err(failed)?;
            for chunk in chunks {
                chunk.append_to_row_group(&mut group).map_err(failed)?;
            }
            group.close().map_err(failed)?;
        }
        Ok(())
    })?;
    writer.close().map_err(failed)?;
    let bytes = std::fs::metadata(path).map_err(|error| Error::io(format!("could not look at {}", path.display()), error))?.len();
    Ok(Written { records: data.records(), bytes })
}

type Encoded = Result<Vec<ArrowColumnChunk>>;

fn properties(data: &Data) -> WriterProperties {
    let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_max_row_group_row_count(None);
    for column in data.unique_columns() {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    properties.build()
}

/// A multiple of a batch.
fn group_records(data: &Data) -> u64 {
    let fitting = ROW_GROUP_VALUES / data.schema().fields().len() as u64;
    fitting.clamp(ROW_GROUP_RECORDS_MIN, ROW_GROUP_RECORDS) / BATCH_RECORDS * BATCH_RECORDS
}

fn groups(places: u64, records: u64) -> Vec<Range<u64>> {
    (0..places).step_by(records as usize).map(|from| from..(from + records).min(places)).collect()
}

fn encode_groups<'a>(
    data: &Data,
    factory: &ArrowRowGroupWriterFactory,
    groups: impl Iterator<Item = (usize, &'a Range<u64>)>,
    sender: &SyncSender<Encoded>,
) {
    for (place, group) in groups {
        let encoded = encode(data, factory, place, group);
        let stop = encoded.is_err();
        // Nobody listens any more: the writer has failed, and says so itself.
        if sender.send(encoded).is_err() || stop {
            return;
        }
    }
}

fn encode(data: &Data, factory: &ArrowRowGroupWriterFactory, place: usize, group: &Range<u64>) -> Encoded {
    let failed = |error: ParquetError| Error::io("could not encode a row group", error);
    let schema = data.schema();
    let mut columns = factory.create_column_writers(place).map_err(failed)?;
    for from in group.clone().step_by(BATCH_RECORDS as usize) {
        let batch = data.batch(from..(from + BATCH_RECORDS).min(group.end))?;
        let mut writers = columns.iter_mut();
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            for (leaf, writer) in compute_leaves(field, array).map_err(failed)?.iter().zip(&mut writers) {
                writer.write(leaf).map_err(failed)?;
            }
        }
    }
    columns.into_iter().map(|column| column.close().map_err(failed)).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::data::Spec;

    fn read(path: &Path, data: &Data) -> RecordBatch {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        arrow::compute::concat_batches(&data.schema(), &batches).unwrap()
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_number_of_threads_and_read_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        // Three row groups, the last of them short.
        let data = Data::new(&Spec { records: 2 * ROW_GROUP_RECORDS + 5, columns: 3, shuffle: Some(1), ..Spec::default() }).unwrap();
        let files = [1, 2, 3].map(|threads| {
            let path = folder.path().join(format!("{threads}.parquet"));
            let written = write(&data, &path, threads).unwrap();
            assert_eq!(written.records, 2 * ROW_GROUP_RECORDS + 5);
            (std::fs::read(&path).unwrap(), path)
        });
        assert!(files.iter().all(|(bytes, _)| *bytes == files[0].0));
        assert_eq!(read(&files[1].1, &data), data.batch(0..data.places()).unwrap());
    }

    #[test]
    fn many_columns_make_smaller_row_groups_of_whole_batches() {
        let records = |columns| group_records(&Data::new(&Spec { columns, ..Spec::default() }).unwrap());
        assert_eq!([3, 12, 70, 512].map(records), [262_144, 262_144, 40_960, 32_768]);
    }

    #[test]
    fn no_records_make_a_file_with_columns() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::new(&Spec { records: 0, ..Spec::default() }).unwrap();
        let path = folder.path().join("empty.parquet");
        write(&data, &path, 2).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        assert_eq!((reader.schema().fields().len(), reader.metadata().file_metadata().num_rows()), (12, 0));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let data = Data::new(&Spec { records: 1, ..Spec::default() }).unwrap();
        let error = write(&data, Path::new("/nowhere/at/all.parquet"), 1).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all.parquet"), "{error}");
    }
}
