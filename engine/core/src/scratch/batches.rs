//! Batches in a file, as Arrow IPC. The file is open only while something is written to it or read from it, so that there may be many.

use std::fs::File;
use std::io::{BufReader, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, MapArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Schema};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use outflow_contract::{Error, Result};

use super::{Folder, unread, unwritten};

const READ_BYTES: usize = 1 << 20;

/// Writes batches of one schema.
pub struct BatchWriter {
    path: PathBuf,
    /// So much is gathered before it is written.
    room: usize,
    batches: StreamWriter<Vec<u8>>,
    is_new: bool,
}

/// What was written: to be read once. Removed when it is dropped.
pub struct BatchFile {
    path: PathBuf,
}

impl BatchWriter {
    /// Begins a file in `folder`, and holds `room` bytes of it.
    pub fn begin(folder: &Arc<Folder>, name: &str, schema: &Schema, room: usize) -> Result<Self> {
        let batches =
            StreamWriter::try_new(Vec::new(), schema).map_err(|e| Error::bug("could not begin a file of batches").caused_by(e))?;
        Ok(Self { path: folder.file(name), room, batches, is_new: true })
    }

    /// Appends a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let compact = compact(batch)?;
        self.batches.write(&compact).map_err(|e| Error::bug("could not lay out a batch for its file").caused_by(e))?;
        if self.batches.get_ref().len() < self.room { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = self.batches.get_mut();
        let opened = File::options().append(true).create(self.is_new).open(&self.path);
        let written = opened.and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| unwritten(&self.path, error))?;
        self.is_new = false;
        bytes.clear();
        // One large batch is no reason to hold as much from then on.
        bytes.shrink_to(self.room);
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<BatchFile> {
        self.batches.finish().map_err(|e| Error::bug("could not end a file of batches").caused_by(e))?;
        self.flush()?;
        Ok(BatchFile { path: self.path })
    }
}

impl BatchFile {
    /// Hands out its batches in order.
    pub fn read(self, mut each: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let file = File::open(&self.path).map_err(|error| unread(&self.path, error))?;
        let batches = StreamReader::try_new(BufReader::with_capacity(READ_BYTES, file), None);
        for batch in batches.map_err(|error| unread(&self.path, error))? {
            each(batch.map_err(|error| unread(&self.path, error))?)?;
        }
        Ok(())
    }
}

impl Drop for BatchFile {
    fn drop(&mut self) {
        // Its folder is removed in the end; its room is wanted now.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Views that were filtered still hold all the text that they were cut from.
fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compacted).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).map_err(|e| Error::bug("could not compact a batch").caused_by(e))
}

fn compacted(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        nested if !has_views(nested) => Arc::clone(column),
        DataType::Struct(_) => Arc::new(members(column.as_struct())),
        DataType::List(_) => list(column.as_list::<i32>()),
        DataType::LargeList(_) => list(column.as_list::<i64>()),
        DataType::Map(field, sorted) => {
            let map = column.as_map();
            let (offsets, items) = items(map.offsets());
            let entries = members(&map.entries().slice(items.start, items.len()));
            Arc::new(MapArray::new(Arc::clone(field), offsets, entries, map.nulls().cloned(), *sorted))
        }
        _ => Arc::clone(column),
    }
}

fn members(column: &StructArray) -> StructArray {
    let members = column.columns().iter().map(compacted).collect();
    StructArray::new(column.fields().clone(), members, column.nulls().cloned())
}

fn list<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> ArrayRef {
    let field = match list.data_type() {
        DataType::List(field) | DataType::LargeList(field) => Arc::clone(field),
        _ => return Arc::new(list.clone()),
    };
    let (offsets, items) = items(list.offsets());
    let values = compacted(&list.values().slice(items.start, items.len()));
    Arc::new(GenericListArray::<O>::new(field, offsets, values, list.nulls().cloned()))
}

/// Which items a list has, and its offsets if those are all that there are.
fn items<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, Range<usize>) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let moved: ScalarBuffer<O> = offsets.iter().map(|&offset| offset - first).collect();
    (OffsetBuffer::new(moved), first.as_usize()..last.as_usize())
}

fn has_views(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => has_views(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListBuilder, StringViewBuilder};
    use outflow_ledger::store::MemoryStore;

    use super::*;

    /// Records of long texts, nested in each other.
    fn batch() -> RecordBatch {
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for i in 0..4000 {
            lists.append_value([Some(format!("a text that is longer than a view, number {i}")), None]);
        }
        let lists: ArrayRef = Arc::new(lists.finish());
        let field = arrow::datatypes::Field::new("texts", lists.data_type().clone(), true);
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(field), Arc::clone(&lists))]));
        RecordBatch::try_from_iter([("lists", lists), ("nested", nested)]).unwrap()
    }

    #[test]
    fn batches_come_back_whole_and_their_file_goes() {
        let folder = Folder::new(&MemoryStore::new(), None).unwrap();
        let batch = batch();
        for room in [0, 1 << 10, 1 << 30] {
            let mut writer = BatchWriter::begin(&folder, "batches", &batch.schema(), room).unwrap();
            (0..40).for_each(|i| writer.write(&batch.slice(i * 100, 100)).unwrap());
            let file = writer.finish().unwrap();
            let size = std::fs::metadata(&file.path).unwrap().len();
            assert!(size < 2 << 20, "{size}: a slice takes the text of its own records alone");
            let mut read = Vec::new();
            file.read(|batch| {
                read.push(batch);
                Ok(())
            })
            .unwrap();
            assert_eq!(arrow::compute::concat_batches(&batch.schema(), &read).unwrap(), batch);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        let folder = Folder::new(&MemoryStore::new(), None).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("batches-0")).unwrap();
        let mut writer = BatchWriter::begin(&folder, "batches", &batch().schema(), 1).unwrap();
        let error = writer.write(&batch()).unwrap_err();
        assert!(error.remedy_text().unwrap().contains("make room"), "{error}");
    }
}
