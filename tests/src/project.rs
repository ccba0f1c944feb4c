//! A project in a folder of its own, and tables of data in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};
use tempfile::TempDir;

/// A project folder. It is removed when this is dropped.
pub struct Project {
    folder: TempDir,
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}

impl Project {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: TempDir::with_prefix("outflow-test-").expect("a temporary folder") }
    }

    /// A folder with this `outflow.yml`.
    pub fn with(config: &str) -> Self {
        let project = Self::new();
        project.config(config);
        project
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The absolute path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes `outflow.yml`.
    pub fn config(&self, text: &str) {
        self.write("outflow.yml", text);
    }

    /// Writes a file, with its folders, over an older one.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.prepare(name), content).unwrap();
    }

    /// Replaces `from`, which must be there, by `to` in a text file.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} does not contain {from:?}:\n{text}");
        self.write(name, text.replace(from, to));
    }

    /// The content of a text file.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The content of a JSON file.
    #[track_caller]
    pub fn read_json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The files below a folder, relative to the project, sorted; empty if there is no such folder.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.path(folder)];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push(path.strip_prefix(self.root()).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// Writes a table as Parquet.
    pub fn parquet(&self, name: &str, table: &Table) {
        let file = File::create(self.prepare(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, table.schema(), None).unwrap();
        writer.write(&table.batch()).unwrap();
        writer.close().unwrap();
    }

    /// Writes a table as CSV with a header line. Nested columns cannot be written so.
    pub fn csv(&self, name: &str, table: &Table) {
        let file = File::create(self.prepare(name)).unwrap();
        arrow::csv::WriterBuilder::new().with_header(true).build(file).write(&table.batch()).unwrap();
    }

    /// Writes a table as one JSON object on each line, values as they were given.
    pub fn ndjson(&self, name: &str, table: &Table) {
        self.write(name, table.lines());
    }

    fn prepare(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}

/// A small table. Its first column is the identifier of its records.
#[derive(Clone, Debug)]
pub struct Table {
    schema: SchemaRef,
    records: Vec<Map<String, Value>>,
}

impl Table {
    /// A table of these columns, all of which may be null, without records. The zone of a timestamp is an offset: `+00:00`.
    pub fn new(columns: &[(&str, DataType)]) -> Self {
        let fields: Vec<Field> = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
        Self { schema: Arc::new(Schema::new(fields)), records: Vec::new() }
    }

    /// Adds a record: an array of values in the order of the columns. Timestamps, dates and decimals are given as text.
    #[must_use]
    #[track_caller]
    pub fn record(mut self, values: Value) -> Self {
        self.push(values);
        self
    }

    /// The same as [`Self::record`], in place.
    #[track_caller]
    pub fn push(&mut self, values: Value) {
        let Value::Array(values) = values else { panic!("a record is an array of values") };
        assert_eq!(values.len(), self.schema.fields().len(), "as many values as columns");
        let names = self.schema.fields().iter().map(|field| field.name().clone());
        self.records.push(names.zip(values).collect());
    }

    /// Changes one value of the records with this identifier, of which there must be one at least.
    #[track_caller]
    pub fn set(&mut self, id: impl Into<Value>, column: &str, value: impl Into<Value>) {
        let (name, id, value) = (self.id_column(), id.into(), value.into());
        assert!(self.schema.field_with_name(column).is_ok(), "there is no column {column}");
        let mut found = 0;
        for record in self.records.iter_mut().filter(|record| record[&name] == id) {
            record.insert(column.to_owned(), value.clone());
            found += 1;
        }
        assert!(found > 0, "there is no record {id}");
    }

    /// Removes the records with this identifier, of which there must be one at least.
    #[track_caller]
    pub fn delete(&mut self, id: impl Into<Value>) {
        let (name, id, before) = (self.id_column(), id.into(), self.records.len());
        self.records.retain(|record| record[&name] != id);
        assert!(self.records.len() < before, "there is no record {id}");
    }

    /// The records, to be put in another order or changed at will.
    pub fn records(&mut self) -> &mut Vec<Map<String, Value>> {
        &mut self.records
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The records as Arrow. Panics if a value does not fit its column.
    pub fn batch(&self) -> RecordBatch {
        let builder = arrow::json::ReaderBuilder::new(self.schema()).with_batch_size(self.records.len().max(1));
        let mut decoder = builder.build_decoder().unwrap();
        let lines = self.lines();
        let read = decoder.decode(lines.as_bytes()).unwrap();
        assert_eq!(read, lines.len(), "one batch takes all records");
        decoder.flush().unwrap().unwrap_or_else(|| RecordBatch::new_empty(self.schema()))
    }

    fn lines(&self) -> String {
        self.records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect()
    }

    fn id_column(&self) -> String {
        self.schema.field(0).name().clone()
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let tags = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        let at = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
        Table::new(&[("id", DataType::Int64), ("tags", tags), ("at", at), ("price", DataType::Decimal128(10, 2))])
            .record(json!([1, ["a", null], "2026-01-02T03:04:05Z", "12.30"]))
            .record(json!([2, null, null, null]))
    }

    #[test]
    fn a_table_written_as_parquet_is_read_as_it_was_described() {
        let project = Project::new();
        project.parquet("data/deep/a.parquet", &table());
        let file = File::open(project.path("data/deep/a.parquet")).unwrap();
        let batches: Vec<_> = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect();
        assert_eq!(batches, [table().batch()]);
        assert_eq!(project.files("data"), ["data/deep/a.parquet"]);
    }

    #[test]
    fn a_table_is_changed_by_identifier() {
        let mut table = table();
        table.set(2, "price", "1.00");
        table.delete(1);
        table.push(json!([3, [], null, "2.00"]));
        let project = Project::new();
        project.ndjson("a.ndjson", &table);
        let lines = "{\"id\":2,\"tags\":null,\"at\":null,\"price\":\"1.00\"}\n{\"id\":3,\"tags\":[],\"at\":null,\"price\":\"2.00\"}\n";
        assert_eq!(project.read("a.ndjson"), lines);
        project.edit("a.ndjson", "\"2.00\"", "\"3.00\"");
        assert!(project.read("a.ndjson").contains("3.00"));
    }

    #[test]
    fn a_table_without_records_still_has_its_columns() {
        let project = Project::new();
        let table = Table::new(&[("id", DataType::Utf8)]);
        project.parquet("a.parquet", &table);
        project.csv("a.csv", &table);
        assert_eq!(table.batch().num_rows(), 0);
        assert_eq!(project.read("a.csv"), "id\n");
    }
}
