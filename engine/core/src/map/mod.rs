//! map: from a model's columns to the destination's payloads.
//!
//! ```text
//!  Expr ─┐  compile: once for a mapping and a schema        bind: once for a batch        write: once for a record
//!        ├─► Node  (columns by index, routes, constants ──► Bound (typed accessors of ──► one buffer, with the end
//! Schema ┘          as JSON text, slots of JSON paths)        the batch's arrays)          of each payload
//! ```
//!
//! Before the first record is written, what is the same for all of them is woven into constant text (see `sequence`), and so is the
//! message of a destination that says it as data (see `message`).
//!
//! No value of a record is ever built: bytes go from Arrow's buffers into the payload. What a node cannot give is *missing*,
//! which objects leave out and arrays turn to null; null is a value and stays.
//!
//! | columns | as JSON |
//! |---|---|
//! | integers, decimals | all their digits, as a number |
//! | floats | the shortest number that reads back the same, as JavaScript prints it; NaN and infinities are `null`, -0 is `0` |
//! | text | a string; JSON text (see `contract::source::is_json`) as the JSON it is, without its whitespace |
//! | binary | a string of base64 |
//! | dates, times, timestamps, durations, intervals | ISO 8601, timestamps in UTC (see `temporal`) |
//! | struct, map | an object; a struct's null member is missing, a map's null value is null |
//! | lists of any kind | an array |
//! | dictionary, run-end, view types | as the plain type |
//! | union | refused when compiled |
//!
//! Where the reference implementation has evident bugs this differs on purpose: `a.length` and inherited properties are
//! missing, an object in a template is its JSON text, and a record that cannot be mapped fails alone.
//!
//! Invariants: the payloads depend on nothing but the expression, the record and its operation, and the sync's id and start: not
//! on batches, encodings or neighbours. A payload holds no line break outside its strings, and none inside unescaped.
//!
//! Fields that the action declares get values of their kind (see `coerce`).
//!
//! Not here: parsing mappings (the planner), selecting records (the diff), cutting requests (deliver).

mod bind;
mod block;
mod call;
mod coerce;
mod compile;
mod digits;
mod directives;
mod faults;
mod identifiers;
mod json;
mod layout;
mod members;
mod message;
mod moment;
mod output;
mod route;
mod scan;
mod sequence;
pub(crate) mod size;
mod temporal;
mod text;
mod types;
mod value;
mod write;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;

pub use faults::faults;
pub(crate) use identifiers::{identifiers, is_same_id};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use jiff::Timestamp;
use outflow_contract::destination::{Destination, Field};
use outflow_contract::expr::Expr;
use outflow_contract::limits::Limits;
use outflow_contract::outcome::{Ids, Rejection};
use outflow_contract::template::Message;
use outflow_contract::{Error, Op, RecordId, Result};

use bind::{Bound, Input, Root};
use coerce::Wanted;
use compile::{Compiler, Node};
use output::{JsonSource, Output};

/// What is reserved for a payload before there is any experience with them, in bytes.
const PAYLOAD_BYTES_GUESS: usize = 256;
/// The same for an identifier.
const ID_BYTES_GUESS: usize = 16;
/// The most that is reserved for a batch at once; beyond it the buffer grows as it is filled.
const RESERVED_BYTES_MAX: usize = 64 << 20;

/// A look at the whole of a column pays if at least one record in so many is mapped.
const ALL_SHARE: usize = 4;

/// A mapping, compiled for one schema. Shared by threads, each of which maps batches of its own.
#[derive(Debug)]
pub struct Mapper {
    root: Node,
    identifier: Node,
    sources: Vec<JsonSource>,
    columns: Vec<usize>,
    schema: SchemaRef,
    payload_schema: Option<SchemaRef>,
    /// Declared fields that only some records need.
    demands: Vec<Wanted>,
    record_bytes_max: usize,
    value_bytes_max: usize,
    /// The payloads are messages of a destination, with a limit of their own.
    message: Option<Message>,
    /// Bytes of a payload in the batch mapped last: the size of the next buffer.
    payload_bytes: AtomicUsize,
}

/// What payloads can tell of the sync that sends them: of the first, where a record is sent more than once in the same request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentBy {
    /// Its id.
    pub id: Arc<str>,
    /// When it began.
    pub started_at: Timestamp,
}

impl SentBy {
    /// The sync of that id, which began then.
    pub fn new(id: &str, started_at: Timestamp) -> Self {
        Self { id: id.into(), started_at }
    }
}

/// The payloads of a batch.
#[derive(Debug, Default)]
pub struct Mapped {
    /// The payloads, one after another, each a JSON value on one line.
    pub bytes: Vec<u8>,
    /// Where each payload ends in `bytes`.
    pub ends: Vec<usize>,
    /// The place in the batch of each record that was mapped.
    pub rows: Vec<u32>,
    /// The identifier of each record that was mapped, as JSON text.
    pub ids: Ids,
    /// The records that could not be mapped.
    pub failed: Vec<Unmapped>,
}

/// A record that could not be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Its place in the batch.
    pub row: u32,
    /// Its identifier as JSON text.
    pub id: String,
    /// Why: `record_too_large`, `value_too_large`, `invalid_json`, `too_deep`, `wrong_path`, `empty_payload`, and
    /// `missing_field`, `wrong_type`, `wrong_choice`, `wrong_format` or `out_of_range` where fields are declared.
    pub rejection: Rejection,
}

impl Mapper {
    /// Compiles `expr` for records of `schema` (their columns and nothing else), identified by the columns `id`. Where the action
    /// declares its fields, values are turned to their kinds (see `coerce`), and members that are none of them are dropped.
    ///
    /// Fails if a column is not there, or holds what has no JSON form.
    pub fn compile(expr: &Expr, declared: Option<&[Field]>, schema: &SchemaRef, id: &[String], limits: &Limits) -> Result<Self> {
        Self::compile_as(None, expr, declared, schema, id, limits)
    }

    /// The same, with what `destination` makes of the fields woven into it, if it says so as data: see [`Self::writes_messages`].
    pub fn compile_for(
        destination: &dyn Destination,
        expr: &Expr,
        declared: Option<&[Field]>,
        schema: &SchemaRef,
        id: &[String],
        limits: &Limits,
    ) -> Result<Self> {
        let names: Vec<&str> = match expr {
            Expr::Object(members) => members.iter().map(|(name, _)| name.as_str()).collect(),
            _ => Vec::new(),
        };
        Self::compile_as(destination.template(&names), expr, declared, schema, id, limits)
    }

    fn compile_as(
        message: Option<Message>,
        expr: &Expr,
        declared: Option<&[Field]>,
        schema: &SchemaRef,
        id: &[String],
        limits: &Limits,
    ) -> Result<Self> {
        if id.is_empty() {
            return Err(Error::bug("a mapper needs at least one identifier column"));
        }
        let mut compiler = Compiler::new(schema, id, limits);
        let root = compiler.root(expr)?;
        let root = match declared {
            Some(fields) => coerce::payload(fields, root)?,
            None => root,
        };
        let identifier = compiler.identifier()?;
        let (sources, columns) = compiler.finish();
        let payload_schema = types::schema(&root);
        let demands = declared.map(coerce::demands).unwrap_or_default();
        // What only some records need is looked for among the fields, which a message does not show.
        let (root, message) = match message.filter(|_| demands.is_empty()) {
            Some(message) => match message::weave(&message.template, root) {
                Ok(woven) => (woven, Some(message)),
                Err(fields) => (*fields, None),
            },
            None => (root, None),
        };
        Ok(Self {
            payload_schema,
            root,
            demands,
            message,
            identifier,
            sources,
            columns,
            schema: schema.clone(),
            record_bytes_max: limits.record_bytes,
            value_bytes_max: limits.value_bytes,
            payload_bytes: AtomicUsize::new(PAYLOAD_BYTES_GUESS),
        })
    }

    /// The types of the members of the payloads, which are the same whatever the records hold; `None` if payloads are no objects with
    /// members, or are only known at run time to be so. Text that may be any value carries the mark
    /// [`ANY_VALUE`](outflow_contract::outcome::ANY_VALUE).
    pub fn payload_schema(&self) -> Option<&SchemaRef> {
        self.payload_schema.as_ref()
    }

    /// Are the payloads what [`Destination::shape`] would make of the fields?
    pub fn writes_messages(&self) -> bool {
        self.message.is_some()
    }

    /// The indexes of the columns that are read, the identifier's included, sorted. The others may hold anything of their type.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Maps the records of `batch` at `rows`, in that order. `ops` has the operation of every record of the batch.
    ///
    /// A record that cannot be mapped is told in [`Mapped::failed`] and leaves no bytes; an error is a batch of another schema.
    pub fn map(&self, batch: &RecordBatch, ops: &[Op], sync: &SentBy, rows: &[u32]) -> Result<Mapped> {
        self.map_with_ids(batch, ops, &vec![RecordId(0); if self.writes_messages() { ops.len() } else { 0 }], sync, rows)
    }

    /// The same where payloads are messages. `ids` has the id of every record of the batch.
    pub fn map_with_ids(&self, batch: &RecordBatch, ops: &[Op], ids: &[RecordId], sync: &SentBy, rows: &[u32]) -> Result<Mapped> {
        self.check(batch, ops, rows)?;
        if self.writes_messages() && ids.len() != ops.len() {
            return Err(Error::bug(format!("{} ids for {} records", ids.len(), ops.len())));
        }
        let mut sync_id_json = Vec::with_capacity(sync.id.len() + 2);
        write::string(&mut sync_id_json, &sync.id);
        let all = rows.len() >= batch.num_rows() / ALL_SHARE;
        let input = Input { batch, ops, record_ids: ids, sync_id: &sync_id_json, now: sync.started_at, all };
        let root = sequence::weave(Bound::bind(&self.root, Root::Record, &input)?, all);
        let identifier = Bound::bind(&self.identifier, Root::Record, &input)?;

        // An eighth more than last time, so that batches of much the same kind never grow the buffer.
        let payload_bytes = self.payload_bytes.load(Ordering::Relaxed);
        let capacity = rows.len().saturating_mul(payload_bytes + payload_bytes / 8).min(RESERVED_BYTES_MAX);
        let mut out = Output::new(&self.sources, self.value_bytes_max, capacity);
        let mut mapped = Mapped { ends: Vec::with_capacity(rows.len()), rows: Vec::with_capacity(rows.len()), ..Mapped::default() };
        // The identifiers go to a buffer of their own. What they need is no part of any payload.
        let mut own = Output::new(&self.sources, self.value_bytes_max, rows.len() * ID_BYTES_GUESS);
        let mut id_ends = Vec::with_capacity(rows.len());
        for &row in rows {
            let (start, id_start) = (out.buf.len(), own.buf.len());
            let written = root.write(row as usize, &mut out);
            let end = out.buf.len();
            identifier.write(row as usize, &mut own);
            if !self.demands.is_empty() {
                self.demand(start, &mut out);
            }
            match self.verdict(written, end - start, &mut out).or_else(|| own.failure.take()) {
                None => {
                    mapped.ends.push(end);
                    mapped.rows.push(row);
                    id_ends.push(own.buf.len());
                }
                Some(rejection) => {
                    out.buf.truncate(start);
                    own.failure = None;
                    let id = String::from_utf8_lossy(&own.buf[id_start..]).into_owned();
                    own.buf.truncate(id_start);
                    mapped.failed.push(Unmapped { row, id, rejection });
                }
            }
        }
        if let Some(average) = out.buf.len().checked_div(mapped.ends.len()) {
            self.payload_bytes.store(average, Ordering::Relaxed);
        }
        mapped.bytes = out.buf;
        let text = String::from_utf8(own.buf).map_err(|error| Error::bug("an identifier is no text").caused_by(error))?;
        mapped.ids = Ids::new(text, id_ends);
        Ok(mapped)
    }

    /// Does the payload that begins at `start` have the fields that such a record needs?
    fn demand(&self, start: usize, out: &mut Output<'_>) {
        let payload = std::str::from_utf8(&out.buf[start..]).unwrap_or_default();
        if out.failure.is_none()
            && let Some(Rejection { code, message }) = coerce::unmet(&self.demands, payload)
        {
            out.fail(&code, || message);
        }
    }

    /// Why the record just written fails, if it does.
    fn verdict(&self, written: bool, bytes: usize, out: &mut Output<'_>) -> Option<Rejection> {
        if !written {
            out.fail("empty_payload", || "the mapping gives no value at all for this record".to_owned());
        }
        if bytes > self.record_bytes_max {
            let max = self.record_bytes_max;
            out.fail("record_too_large", || format!("the payload has {bytes} bytes, more than limits.record_bytes ({max})"));
        }
        if let Some(message) = self.message.as_ref().filter(|message| bytes > message.bytes_max) {
            let Rejection { code, message } = (message.too_large)(bytes);
            out.fail(&code, || message);
        }
        out.failure.take()
    }

    fn check(&self, batch: &RecordBatch, ops: &[Op], rows: &[u32]) -> Result<()> {
        let records = batch.num_rows();
        if ops.len() != records {
            return Err(Error::bug(format!("{} operations for {records} records", ops.len())));
        }
        if let Some(row) = rows.iter().find(|&&row| row as usize >= records) {
            return Err(Error::bug(format!("record {row} of a batch of {records}")));
        }
        for &index in &self.columns {
            let field = self.schema.field(index);
            let found = batch.columns().get(index).map(Array::data_type);
            if found != Some(field.data_type()) {
                let found = found.map_or_else(|| "nothing".to_owned(), ToString::to_string);
                return Err(Error::bug(format!("column \"{}\" came as {found}, not as {}", field.name(), field.data_type())));
            }
        }
        Ok(())
    }
}
