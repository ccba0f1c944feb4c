//! NDJSON: one JSON object on each line; blank lines are passed over. A file that is one JSON array of objects is read as if each of them
//! stood on a line ([`array`](super::array)).
//!
//! ```text
//! lines ─┬─▶ arrow-json, for the columns whose type was told from the data
//!        └─▶ the raw text of a member ─┬─▶ `json` columns, as it stands in the file
//!                                      └─▶ forced types, converted from text: every digit is kept
//! ```
//!
//! A member that is missing is null. In a `json` column a JSON null is the text `null`, elsewhere it is null.
//! Integers beyond 64 bits make their column text. Types are told from every record, in a pass of its own.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::json::reader::{Decoder, infer_json_schema_from_iterator};
use outflow_contract::source::is_json;
use outflow_contract::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::BATCH_RECORDS;
use super::array::{Array, Byte};
use super::begin;
use super::cast::{Forced, ForcedColumns, Place, json_field};
use super::paths::DataFile;
use super::scan::{Batches, Reader, assemble, bad_data, unreadable};

/// More shapes than this of the values of one table are no table any more.
const SHAPES_MAX: usize = 100_000;
/// A chunk ends after so many bytes, should it have fewer than [`BATCH_RECORDS`] lines.
const CHUNK_BYTES: usize = 8 << 20;
/// A longer line was not meant: the file is not one object on each line.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Reads NDJSON.
#[derive(Debug)]
pub(super) struct NdjsonReader {
    /// The table, for messages.
    pub(super) table: String,
    /// Columns whose type is forced.
    pub(super) forced: ForcedColumns,
}

/// The columns of `files`, the forced ones among them, whether or not the first records have them. All records are looked at, for a type
/// told from a sample would change what comes later; one value of each shape is kept.
pub(super) fn infer(table: &str, files: &[DataFile], forced: &ForcedColumns) -> Result<Vec<FieldRef>> {
    let mut samples: Vec<Value> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut shapes: HashSet<(usize, String)> = HashSet::new();
    for file in files {
        let mut lines = Lines::open(table, &file.path)?;
        loop {
            let chunk = lines.chunk(1024)?;
            if chunk.ends.is_empty() {
                break;
            }
            for (i, line) in chunk.lines().enumerate() {
                let parsed: Value = serde_json::from_slice(line).map_err(|cause| lines.unparsable(chunk.numbers[i], &cause))?;
                let Value::Object(members) = parsed else { return Err(lines.bad_line(chunk.numbers[i], "not a JSON object")) };
                for (name, mut value) in members {
                    let place = names.iter().position(|other| *other == name).unwrap_or_else(|| {
                        names.push(name.clone());
                        names.len() - 1
                    });
                    if forced.get(&name).is_some() {
                        continue;
                    }
                    keep_digits(&mut value);
                    let mut text = String::new();
                    shape(&value, &mut text);
                    if shapes.len() < SHAPES_MAX && shapes.insert((place, text)) {
                        samples.push(Value::Object([(name, value)].into_iter().collect()));
                    }
                }
            }
        }
    }
    let told = told_types(table, &samples)?;
    names.extend(forced.iter().map(|(name, _)| name.to_owned()).filter(|name| !names.contains(name)).collect::<Vec<_>>());
    if names.is_empty() {
        return Err(Error::invalid(format!("table `{table}`: its files hold no record, so it has no columns"))
            .remedy("name its columns under `columns:`"));
    }
    Ok(names.iter().map(|name| column(name, forced, &told)).collect())
}

fn column(name: &str, forced: &ForcedColumns, told: &Schema) -> FieldRef {
    match forced.get(name) {
        Some(Forced::Json) => json_field(name, DataType::Utf8View),
        Some(Forced::Type(to)) => Field::new(name, to.clone(), true).into(),
        None => {
            let told = told.field_with_name(name).map_or(DataType::Null, |field| field.data_type().clone());
            let kind = if matches!(told, DataType::Utf8 | DataType::Null) { DataType::Utf8View } else { told };
            Field::new(name, kind, true).into()
        }
    }
}

fn told_types(table: &str, samples: &[Value]) -> Result<Schema> {
    infer_json_schema_from_iterator(samples.iter().map(Ok)).map_err(|cause| {
        // The message does not say which column: try them one by one.
        let names = samples.iter().filter_map(Value::as_object).flat_map(|members| members.keys());
        let mut tried: Vec<&String> = Vec::new();
        for name in names {
            if tried.contains(&name) {
                continue;
            }
            tried.push(name);
            let alone = samples
                .iter()
                .map(|sample| Ok(Value::Object(sample.get(name).map(|value| (name.clone(), value.clone())).into_iter().collect())));
            if infer_json_schema_from_iterator(alone).is_err() {
                return Error::invalid(format!("table `{table}`: the column `{name}` holds values of different kinds"))
                    .remedy("force the type `json` for it");
            }
        }
        Error::invalid(format!("table `{table}`: the types of its columns cannot be told")).caused_by(cause)
    })
}

/// The kinds in a value, without what it says: what types are told from.
fn shape(value: &Value, into: &mut String) {
    match value {
        Value::Null => into.push('n'),
        Value::Bool(_) => into.push('b'),
        Value::Number(number) => into.push(if number.is_i64() { 'i' } else { 'f' }),
        Value::String(_) => into.push('s'),
        Value::Array(items) => {
            let mut kinds: Vec<String> = Vec::new();
            for item in items {
                let mut kind = String::new();
                shape(item, &mut kind);
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            kinds.sort();
            into.push('[');
            for kind in &kinds {
                into.push_str(kind);
            }
            into.push(']');
        }
        Value::Object(members) => {
            into.push('{');
            for (name, member) in members {
                into.push_str(name);
                into.push(':');
                shape(member, into);
                into.push(',');
            }
            into.push('}');
        }
    }
}

/// Turns integers beyond 64 bits into text, so that no digit is lost to a float.
fn keep_digits(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_i64().is_none() => {
            let text = number.to_string();
            if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
                *value = Value::String(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(keep_digits),
        Value::Object(members) => members.values_mut().for_each(keep_digits),
        _ => {}
    }
}

impl Reader for NdjsonReader {
    fn open(&self, file: &DataFile, columns: &SchemaRef) -> Result<Batches> {
        let is_raw = |field: &FieldRef| self.forced.get(field.name()).is_some() && !field.data_type().is_nested();
        let (raw, told): (Vec<FieldRef>, Vec<FieldRef>) = columns.fields().iter().cloned().partition(is_raw);
        let told: SchemaRef = Arc::new(Schema::new(told));
        let mut records =
            Records { lines: Lines::open(&self.table, &file.path)?, columns: columns.clone(), raw, told, first_record: 1, failed: false };
        Ok(Box::new(std::iter::from_fn(move || records.next_batch())))
    }
}

/// The batches of one file.
struct Records {
    lines: Lines,
    columns: SchemaRef,
    /// Columns that are made of a member's raw text.
    raw: Vec<FieldRef>,
    /// Columns that arrow-json decodes.
    told: SchemaRef,
    first_record: u64,
    failed: bool,
}

impl Records {
    fn next_batch(&mut self) -> Option<Result<RecordBatch>> {
        if self.failed {
            return None;
        }
        let batch = self.try_next().transpose()?;
        self.failed = batch.is_err();
        Some(batch)
    }

    fn try_next(&mut self) -> Result<Option<RecordBatch>> {
        let chunk = self.lines.chunk(BATCH_RECORDS)?;
        let records = chunk.ends.len();
        if records == 0 {
            return Ok(None);
        }
        let told = self.decode(&chunk)?;
        let raw = self.raw_columns(&chunk)?;
        let place = Place { table: &self.lines.table, file: &self.lines.path, first_record: self.first_record };
        self.first_record += records as u64;
        let find = |name: &str| match self.raw.iter().position(|field| field.name() == name) {
            Some(i) => raw.get(i).cloned(),
            None => told.as_ref().and_then(|batch| batch.column_by_name(name).cloned()),
        };
        assemble(&self.columns, records, place, find).map(Some)
    }

    /// The columns whose types were told, or `None` if none is wanted.
    fn decode(&self, chunk: &Chunk) -> Result<Option<RecordBatch>> {
        if self.told.fields().is_empty() {
            return Ok(None);
        }
        let mut decoder = self.decoder(chunk.ends.len())?;
        for (i, line) in chunk.lines().enumerate() {
            let taken = decoder.decode(line).map_err(|cause| self.lines.bad_line(chunk.numbers[i], &cause.to_string()))?;
            // Exactly one object on the line: no less, no more.
            if line.first() != Some(&b'{') || taken != line.len() || decoder.has_partial_record() || decoder.len() != i + 1 {
                return Err(self.lines.bad_line(chunk.numbers[i], "not one whole JSON object"));
            }
        }
        match decoder.flush() {
            Ok(batch) => Ok(batch),
            Err(cause) => Err(self.culprit(chunk, &cause.to_string())),
        }
    }

    fn decoder(&self, records: usize) -> Result<Decoder> {
        let builder = arrow::json::ReaderBuilder::new(self.told.clone()).with_batch_size(records).with_coerce_primitive(true);
        builder.build_decoder().map_err(|cause| bad_data(&self.lines.table, &self.lines.path, &cause.to_string()))
    }

    /// Values are read at the end of a chunk: finds the line that `text` is about.
    fn culprit(&self, chunk: &Chunk, text: &str) -> Error {
        for (i, line) in chunk.lines().enumerate() {
            let Ok(mut decoder) = self.decoder(1) else { break };
            if decoder.decode(line).is_err() || decoder.flush().is_err() {
                return self
                    .lines
                    .bad_line(chunk.numbers[i], text)
                    .remedy("force a type for the column (`json` takes any value), or correct the line");
            }
        }
        bad_data(&self.lines.table, &self.lines.path, text)
    }

    fn raw_columns(&self, chunk: &Chunk) -> Result<Vec<ArrayRef>> {
        if self.raw.is_empty() {
            return Ok(Vec::new());
        }
        let mut builders: Vec<Text> = self.raw.iter().map(|field| Text::new(is_json(field))).collect();
        for (i, line) in chunk.lines().enumerate() {
            let mut members: Vec<Option<&RawValue>> = vec![None; self.raw.len()];
            let bad = |cause: serde_json::Error| self.lines.bad_line(chunk.numbers[i], &cause.to_string());
            let mut parser = serde_json::Deserializer::from_slice(line);
            Members { wanted: &self.raw, found: &mut members }.deserialize(&mut parser).map_err(bad)?;
            parser.end().map_err(bad)?;
            for (builder, member) in builders.iter_mut().zip(members) {
                builder.append(member).map_err(bad)?;
            }
        }
        Ok(builders.into_iter().map(Text::finish).collect())
    }
}

/// Raw members on their way to a column.
enum Text {
    /// As they stand in the file.
    Json(StringViewBuilder),
    /// What a string says, or the text of anything else.
    Plain(StringBuilder),
}

impl Text {
    fn new(json: bool) -> Self {
        if json { Self::Json(StringViewBuilder::new()) } else { Self::Plain(StringBuilder::new()) }
    }

    fn append(&mut self, member: Option<&RawValue>) -> Result<(), serde_json::Error> {
        match (self, member.map(RawValue::get)) {
            (Self::Json(builder), text) => builder.append_option(text),
            (Self::Plain(builder), None | Some("null")) => builder.append_null(),
            (Self::Plain(builder), Some(text)) if text.starts_with('"') => {
                builder.append_value(serde_json::from_str::<Cow<'_, str>>(text)?);
            }
            (Self::Plain(builder), Some(text)) => builder.append_value(text),
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Json(mut builder) => Arc::new(builder.finish()),
            Self::Plain(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// Picks the wanted members out of an object. The last of several with one name counts.
struct Members<'a, 'de> {
    wanted: &'a [FieldRef],
    found: &'a mut [Option<&'de RawValue>],
}

impl<'de> DeserializeSeed<'de> for Members<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(place) = map.next_key_seed(Name(self.wanted))? {
            match place {
                Some(i) => self.found[i] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Which of the wanted members a name is, without copying it.
struct Name<'a>(&'a [FieldRef]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|field| field.name() == name))
    }
}

/// Lines of one file, without blank ones.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
    /// The number of each line in the file, from 1.
    numbers: Vec<u64>,
}

impl Chunk {
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| self.bytes[start..end].trim_ascii())
    }
}

struct Lines {
    table: String,
    path: PathBuf,
    input: BufReader<File>,
    /// The last line that was read, or begun.
    number: u64,
    /// The file is one JSON array rather than lines.
    array: Option<Array>,
}

impl Lines {
    fn open(table: &str, path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|cause| unreadable(table, path, cause))?;
        let mut input = BufReader::with_capacity(1 << 18, file);
        let start = input.fill_buf().map_err(|cause| unreadable(table, path, cause))?;
        begin::check(table, path, start)?;
        let mark = if start.starts_with(begin::BYTE_ORDER_MARK) { begin::BYTE_ORDER_MARK.len() } else { 0 };
        let is_array = start[mark..].trim_ascii_start().starts_with(b"[");
        input.consume(mark);
        let (number, array) = if is_array { (1, Some(Array::new())) } else { (0, None) };
        Ok(Self { table: table.to_owned(), path: path.to_owned(), input, number, array })
    }

    /// The next lines, at most `records_max`; none at the end of the file.
    fn chunk(&mut self, records_max: usize) -> Result<Chunk> {
        let mut chunk = Chunk::default();
        while chunk.ends.len() < records_max && chunk.bytes.len() < CHUNK_BYTES {
            let start = chunk.bytes.len();
            let number = if self.array.is_some() { self.object(&mut chunk.bytes)? } else { self.line(&mut chunk.bytes)? };
            let Some(number) = number else { break };
            if chunk.bytes[start..].trim_ascii().is_empty() {
                chunk.bytes.truncate(start);
            } else {
                chunk.ends.push(chunk.bytes.len());
                chunk.numbers.push(number);
            }
        }
        Ok(chunk)
    }

    /// Appends one line, and says which; `None` at the end of the file.
    fn line(&mut self, bytes: &mut Vec<u8>) -> Result<Option<u64>> {
        let start = bytes.len();
        self.number += 1;
        loop {
            let buffer = self.input.fill_buf().map_err(|cause| unreadable(&self.table, &self.path, cause))?;
            if buffer.is_empty() {
                return Ok((bytes.len() > start).then_some(self.number));
            }
            let end = buffer.iter().position(|&b| b == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            bytes.extend_from_slice(&buffer[..taken]);
            self.input.consume(taken);
            if end.is_some() {
                return Ok(Some(self.number));
            }
            if bytes.len() - start > LINE_BYTES_MAX {
                return Err(self.bad_line(self.number, "longer than 64 MiB: is this one object on each line?"));
            }
        }
    }

    /// Appends the next object of the array, and says on which line it begins; `None` after the last.
    fn object(&mut self, bytes: &mut Vec<u8>) -> Result<Option<u64>> {
        let (start, mut begun) = (bytes.len(), self.number);
        let mut array = self.array.unwrap_or_else(Array::new);
        loop {
            let buffer = self.input.fill_buf().map_err(|cause| unreadable(&self.table, &self.path, cause))?;
            if buffer.is_empty() {
                self.array = Some(array);
                return if array.is_whole() { Ok(None) } else { Err(self.bad_line(self.number, "the file ends inside its JSON array")) };
            }
            let (mut taken, mut ended, mut wrong) = (0, false, None);
            for &byte in buffer {
                taken += 1;
                self.number += u64::from(byte == b'\n');
                match array.step(byte) {
                    Ok(Byte::Skip) => {}
                    Ok(Byte::Keep(byte)) => {
                        if bytes.len() == start {
                            begun = self.number;
                        }
                        bytes.push(byte);
                    }
                    Ok(Byte::Last(byte)) => {
                        bytes.push(byte);
                        ended = true;
                        break;
                    }
                    Err(what) => {
                        wrong = Some(what);
                        break;
                    }
                }
            }
            self.input.consume(taken);
            if let Some(what) = wrong {
                return Err(self.bad_line(self.number, what).remedy("write one object on each line, as `jq -c '.[]'` does of an array"));
            }
            if ended {
                self.array = Some(array);
                return Ok(Some(begun));
            }
            if bytes.len() - start > LINE_BYTES_MAX {
                return Err(self.bad_line(begun, "an object longer than 64 MiB"));
            }
        }
    }

    /// A line that is no JSON.
    fn unparsable(&self, number: u64, cause: &serde_json::Error) -> Error {
        let error = self.bad_line(number, &cause.to_string());
        // Objects laid out over several lines end too early on each.
        if cause.is_eof() { error.remedy("write each object on one line, as `jq -c .` does; or the file is cut off") } else { error }
    }

    fn bad_line(&self, number: u64, what: &str) -> Error {
        bad_data(&self.table, &self.path, &format!("line {number}: {what}"))
    }
}
