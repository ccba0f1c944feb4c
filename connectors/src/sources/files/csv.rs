//! CSV with a header line.
//!
//! What stands between values is the table's `delimiter`; without one a tab in a file that ends in `.tsv`, else what the header line
//! tells ([`begin::delimiter`]).
//! Columns are matched by name, file by file. An empty value is null, quoted or not. Types are told from all records:
//! boolean, integer, float, date, timestamp without a zone, or text. A type is only taken if it keeps every digit: numbers
//! with leading zeros, beyond 64 bits, or with more than 15 significant digits and a fraction stay text. A table without a record has
//! columns of no type at all (null).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::datatypes::{TimestampMicrosecondType, TimestampNanosecondType};
use outflow_contract::{Error, Result};

use super::BATCH_RECORDS;
use super::begin;
use super::cast::Place;
use super::paths::DataFile;
use super::scan::{Batches, Reader, assemble, bad_data, unreadable};

/// A quoted value longer than this many bytes was not meant: its quote is missing.
const QUOTED_BYTES_MAX: u64 = 64 << 20;
/// Digits that a 64-bit float keeps.
const FLOAT_DIGITS: usize = 15;

/// Reads CSV.
#[derive(Debug)]
pub(super) struct CsvReader {
    /// The table, for messages.
    pub(super) table: String,
    /// What stands between values, if the table says so.
    pub(super) delimiter: Option<u8>,
}

/// The columns of `files` and the types of their values: of all of them, for a type told from a sample would change what comes later.
pub(super) fn infer(table: &str, files: &[DataFile], delimiter: Option<u8>) -> Result<Vec<FieldRef>> {
    let mut columns: Vec<(String, Guess)> = Vec::new();
    let mut records = 0;
    for file in files {
        let header = header(table, &file.path, delimiter)?;
        let places: Vec<usize> = header
            .iter()
            .map(|name| {
                columns.iter().position(|(other, _)| other == name).unwrap_or_else(|| {
                    columns.push((name.clone(), Guess::default()));
                    columns.len() - 1
                })
            })
            .collect();
        for batch in text_batches((table, &file.path, delimiter), &header, None)? {
            let batch = batch?;
            records += batch.num_rows();
            for (array, place) in batch.columns().iter().zip(&places) {
                for value in array.as_string::<i32>().iter().flatten() {
                    columns[*place].1.see(value);
                }
            }
        }
    }
    // Without a record nothing is known of the types; a guess would look like a change to whoever knew them before.
    let kind = |guess: &Guess| if records == 0 { DataType::Null } else { guess.data_type() };
    Ok(columns.into_iter().map(|(name, guess)| Field::new(name, kind(&guess), true).into()).collect())
}

impl Reader for CsvReader {
    fn open(&self, file: &DataFile, columns: &SchemaRef) -> Result<Batches> {
        let header = header(&self.table, &file.path, self.delimiter)?;
        let wanted: Vec<usize> = (0..header.len()).filter(|&i| columns.column_with_name(&header[i]).is_some()).collect();
        // Some column has to be read for the records to be counted.
        let wanted = if wanted.is_empty() { vec![0] } else { wanted };
        let batches = text_batches((&self.table, &file.path, self.delimiter), &header, Some(wanted))?;
        let (table, path, columns) = (self.table.clone(), file.path.clone(), columns.clone());
        let mut first_record = 1;
        Ok(Box::new(batches.map(move |batch| {
            let batch = batch?;
            let place = Place { table: &table, file: &path, first_record };
            first_record += batch.num_rows() as u64;
            assemble(&columns, batch.num_rows(), place, |name| batch.column_by_name(name).cloned())
        })))
    }
}

/// The names in the header line.
fn header(table: &str, path: &Path, delimiter: Option<u8>) -> Result<Vec<String>> {
    let input = open(table, path, delimiter)?;
    let format = Format::default().with_header(true).with_delimiter(input.delimiter);
    let (schema, _) = format.infer_schema(input, Some(0)).map_err(|cause| bad_data(table, path, &cause.to_string()))?;
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    if names.is_empty() || names.iter().all(String::is_empty) {
        return Err(bad_data(table, path, "there is no header line"));
    }
    if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        return Err(bad_data(table, path, &format!("the header names `{}` twice", twice.1)));
    }
    Ok(names)
}

/// The file as text columns, all or the `wanted` ones.
fn text_batches(
    (table, path, delimiter): (&str, &Path, Option<u8>),
    header: &[String],
    wanted: Option<Vec<usize>>,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
    let fields: Vec<Field> = header.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let input = open(table, path, delimiter)?;
    let delimiter = input.delimiter;
    let builder = ReaderBuilder::new(Arc::new(Schema::new(fields))).with_header(true).with_batch_size(BATCH_RECORDS);
    let mut builder = builder.with_delimiter(delimiter);
    if let Some(wanted) = wanted {
        builder = builder.with_projection(wanted);
    }
    let reader = builder.build(input).map_err(|cause| bad_data(table, path, &cause.to_string()))?;
    let (table, path) = (table.to_owned(), path.to_owned());
    let mut failed = false;
    Ok(reader.map_while(move |batch| {
        if failed {
            return None;
        }
        failed = batch.is_err();
        Some(batch.map_err(|cause| explain(&table, &path, delimiter, &cause.to_string())))
    }))
}

fn explain(table: &str, path: &Path, delimiter: u8, text: &str) -> Error {
    // The reader shows the whole record, which is long and may hold what should not be shown.
    let text = text.split(" Row data:").next().unwrap_or_default();
    let error = bad_data(table, path, text);
    if text.contains("UTF-8") {
        error.remedy("write the file as UTF-8")
    } else if text.contains("incorrect number of fields") {
        error.remedy(format!(
            "put quotes round a value that holds {}; if another character divides the values, set `delimiter` of the table",
            begin::shown(delimiter)
        ))
    } else {
        error
    }
}

fn open(table: &str, path: &Path, delimiter: Option<u8>) -> Result<QuoteGuard<BufReader<File>>> {
    let file = File::open(path).map_err(|cause| unreadable(table, path, cause))?;
    let mut inner = BufReader::with_capacity(1 << 18, file);
    let start = inner.fill_buf().map_err(|cause| unreadable(table, path, cause))?;
    begin::check(table, path, start)?;
    let is_tsv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
    let delimiter = delimiter.or(is_tsv.then_some(b'\t')).unwrap_or_else(|| begin::delimiter(start));
    Ok(QuoteGuard { inner, delimiter, state: Within::Start, at_start: true, line: 1, opened: 1, quoted_bytes: 0 })
}

/// Where in a record the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// Before the first byte of a value.
    Start,
    /// In a value without quotes: a quote in there is a character like any other.
    Plain,
    /// In a value with quotes.
    Quoted,
    /// After a quote in such a value: its end, or the first of two that mean one.
    Quote,
}

/// Passes bytes on, drops a byte order mark, and fails at the end of a file that ends inside quotes: the CSV reader
/// takes everything after a stray quote as one value and says nothing.
struct QuoteGuard<R> {
    inner: R,
    delimiter: u8,
    state: Within,
    at_start: bool,
    line: u64,
    opened: u64,
    quoted_bytes: u64,
}

impl<R: Read> QuoteGuard<R> {
    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        for &byte in bytes {
            if byte == b'\n' {
                self.line += 1;
            }
            self.state = match (self.state, byte) {
                (Within::Start, b'"') => {
                    (self.opened, self.quoted_bytes) = (self.line, 0);
                    Within::Quoted
                }
                (Within::Quoted, b'"') => Within::Quote,
                (Within::Quoted, _) => {
                    self.quoted_bytes += 1;
                    Within::Quoted
                }
                (Within::Quote, b'"') => Within::Quoted,
                (_, b'\n' | b'\r') => Within::Start,
                (_, byte) if byte == self.delimiter => Within::Start,
                _ => Within::Plain,
            };
        }
        if self.state == Within::Quoted && self.quoted_bytes > QUOTED_BYTES_MAX { Err(self.unclosed()) } else { Ok(()) }
    }

    fn unclosed(&self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("the quote that opens on line {} is never closed", self.opened))
    }
}

impl<R: Read> Read for QuoteGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n = self.inner.read(buffer)?;
        if std::mem::take(&mut self.at_start) && buffer[..n].starts_with(b"\xEF\xBB\xBF") {
            buffer.copy_within(3..n, 0);
            n -= 3;
            if n == 0 {
                n = self.inner.read(buffer)?;
            }
        }
        if n == 0 && self.state == Within::Quoted && !buffer.is_empty() {
            return Err(self.unclosed());
        }
        let (passed, _) = buffer.split_at(n);
        self.pass(passed)?;
        Ok(n)
    }
}

/// What the values of a column have been so far.
#[derive(Debug, Default)]
struct Guess {
    values: u64,
    booleans: u64,
    integers: u64,
    floats: u64,
    dates: u64,
    timestamps: u64,
    /// Some integer has more digits than a float keeps.
    wide: bool,
    /// Some timestamp is finer than a microsecond.
    nanoseconds: bool,
}

impl Guess {
    fn see(&mut self, value: &str) {
        self.values += 1;
        if self.values > self.booleans.max(self.integers + self.floats).max(self.dates).max(self.timestamps) + 1 {
            // Two kinds already: it is text.
            return;
        }
        if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
            self.booleans += 1;
        } else if let Some(digits) = integer_digits(value) {
            self.integers += u64::from(value.parse::<i64>().is_ok());
            self.wide |= digits > FLOAT_DIGITS;
        } else if is_float(value) {
            self.floats += 1;
        } else if is_date(value) {
            self.dates += 1;
        } else if is_timestamp(value) {
            self.timestamps += 1;
            self.nanoseconds |= value.split_once('.').is_some_and(|(_, fraction)| fraction.len() > 6);
        }
    }

    fn data_type(&self) -> DataType {
        match self.values {
            0 => DataType::Utf8View,
            n if n == self.booleans => DataType::Boolean,
            n if n == self.integers => DataType::Int64,
            n if n == self.integers + self.floats && !self.wide => DataType::Float64,
            n if n == self.dates => DataType::Date32,
            n if n == self.timestamps && self.nanoseconds => DataType::Timestamp(TimeUnit::Nanosecond, None),
            n if n == self.timestamps => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8View,
        }
    }
}

/// The number of digits, if `value` is an integer without leading zeros.
fn integer_digits(value: &str) -> Option<usize> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    (plain && (digits == "0" && digits.len() == value.len() || !digits.starts_with('0'))).then_some(digits.len())
}

/// A number with a fraction or an exponent, of few enough digits, as a program writes it.
fn is_float(value: &str) -> bool {
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !unsigned.contains(['.', 'e', 'E']) {
        return false;
    }
    digits(whole)
        && digits(fraction)
        && !leading_zero
        && whole.len() + fraction.len() <= FLOAT_DIGITS
        && value.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_date(value: &str) -> bool {
    value.len() == 10 && value.as_bytes()[4] == b'-' && value.as_bytes()[7] == b'-' && Date32Type::parse(value).is_some()
}

fn is_timestamp(value: &str) -> bool {
    let bytes = value.as_bytes();
    let shaped = bytes.len() >= 19
        && is_date_shaped(bytes)
        && matches!(bytes[10], b' ' | b'T')
        && !value[10.min(value.len())..].contains(['Z', 'z', '+', '-']);
    shaped && (TimestampMicrosecondType::parse(value).is_some() || TimestampNanosecondType::parse(value).is_some())
}

fn is_date_shaped(bytes: &[u8]) -> bool {
    bytes.is_ascii() && bytes[4] == b'-' && bytes[7] == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(values: &[&str]) -> DataType {
        let mut guess = Guess::default();
        for value in values {
            guess.see(value);
        }
        guess.data_type()
    }

    #[test]
    fn a_type_is_only_told_where_it_keeps_every_digit() {
        assert_eq!(guessed(&["1", "-20", "0"]), DataType::Int64);
        assert_eq!(guessed(&["1", "2.50"]), DataType::Float64);
        assert_eq!(guessed(&["true", "FALSE"]), DataType::Boolean);
        assert_eq!(guessed(&["2024-02-29"]), DataType::Date32);
        assert_eq!(guessed(&["2024-02-29 10:00:00", "2024-02-29T10:00:00.5"]), DataType::Timestamp(TimeUnit::Microsecond, None));
        assert_eq!(guessed(&["2024-02-29 10:00:00.123456789"]), DataType::Timestamp(TimeUnit::Nanosecond, None));
        for text in [
            &["01234"][..],
            &["99999999999999999999"],
            &["1", "x"],
            &["1.5", "1234567890123456"],
            &["12345678901.123456"],
            &["2024-02-30"],
            &["true", "1"],
            &["1", "true", "1"],
            &["+1"],
            &["-0"],
            &["1e999"],
            &["NaN"],
            &["2024-02-29T10:00:00Z"],
            &["2024-02-29T10:00:00+01:00"],
            &["2024-02-29 é10:00:00"],
            &[],
        ] {
            assert_eq!(guessed(text), DataType::Utf8View, "{text:?}");
        }
    }

    #[test]
    fn a_guard_tells_an_open_quote_from_one_inside_a_value() {
        let read = |text: &str| {
            let mut guard = QuoteGuard {
                inner: text.as_bytes(),
                delimiter: b',',
                state: Within::Start,
                at_start: true,
                line: 1,
                opened: 1,
                quoted_bytes: 0,
            };
            let mut out = String::new();
            guard.read_to_string(&mut out).map(|_| out)
        };
        assert_eq!(read("\u{feff}a,b\n1,\"x\"\"y\"\n").unwrap(), "a,b\n1,\"x\"\"y\"\n");
        assert_eq!(read("a\n5\" pipe\n").unwrap(), "a\n5\" pipe\n");
        assert!(read("a,b\n1,\"x\n2,y\n").unwrap_err().to_string().contains("line 2"));
    }
}
