//! Why pending records have failed, for people: a column beside their entries. Nothing in the protocol reads it; delivery
//! sends those that were refused apart from the others.
//!
//! States of earlier releases do not say whether a reason is `open`; there, those that were have codes of their own.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, StringBuilder, StructArray, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use outflow_contract::{Error, Result};

use super::{REASON, damaged};

/// Why a record has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// A short, stable code to group by.
    pub code: &'a str,
    /// In words.
    pub message: &'a str,
    /// No answer settles it: that speaks of the request, and not against the record.
    pub open: bool,
}

/// Gathers the reasons of a batch.
#[derive(Default)]
pub struct ReasonBuilder {
    code: StringBuilder,
    message: StringBuilder,
    open: Vec<bool>,
    present: Vec<bool>,
}

impl ReasonBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// That of the next record; `None` if it has not failed.
    pub fn push(&mut self, reason: Option<Reason<'_>>) {
        let Reason { code, message, open } = reason.unwrap_or(Reason { code: "", message: "", open: false });
        self.code.append_value(code);
        self.message.append_value(message);
        self.open.push(open);
        self.present.push(reason.is_some());
    }

    /// The reasons of what was pushed.
    pub fn finish(mut self) -> Reasons {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.code.finish()), Arc::new(self.message.finish()), Arc::new(BooleanArray::from(self.open))];
        Reasons(StructArray::new(fields(), columns, Some(NullBuffer::from(self.present))))
    }
}

/// The reasons of a batch.
#[derive(Clone)]
pub struct Reasons(StructArray);

impl Reasons {
    /// Those of a batch of a change set; none of its records has any where it has no such column. An error of kind `Corrupt` if that is
    /// something else.
    pub fn of(batch: &RecordBatch) -> Result<Self> {
        let Some(column) = batch.column_by_name(REASON) else {
            let nothing = new_null_array(&DataType::Struct(fields()), batch.num_rows());
            return Ok(Self(nothing.as_struct().clone()));
        };
        let reasons = column.as_struct_opt().and_then(|reasons| match reasons.fields() {
            known if *known == fields() => Some(reasons.clone()),
            earlier if *earlier == earlier_fields() => {
                let open: ArrayRef = Arc::new(BooleanArray::from(vec![false; reasons.len()]));
                let columns = [reasons.columns(), &[open]].concat();
                Some(StructArray::new(fields(), columns, reasons.nulls().cloned()))
            }
            _ => None,
        });
        reasons.map(Self).ok_or_else(|| damaged(REASON))
    }

    /// That of a record. Panics beyond the end, as a slice does.
    pub fn get(&self, row: usize) -> Option<Reason<'_>> {
        let text = |column: usize| -> &StringArray { self.0.column(column).as_string() };
        let reason = || Reason { code: text(0).value(row), message: text(1).value(row), open: self.0.column(2).as_boolean().value(row) };
        self.0.is_valid(row).then(reason)
    }

    /// Those at `rows`, in that order.
    pub fn at(&self, rows: &dyn Array) -> Result<Self> {
        let taken = take(&self.0, rows, None).map_err(|error| Error::bug("could not take reasons").caused_by(error))?;
        Ok(Self(taken.as_struct().clone()))
    }

    /// Those of several batches, one after another.
    pub fn concat(parts: &[Self]) -> Result<Self> {
        let parts: Vec<&dyn Array> = parts.iter().map(|part| &part.0 as &dyn Array).collect();
        let all = concat(&parts).map_err(|error| Error::bug("could not join reasons").caused_by(error))?;
        Ok(Self(all.as_struct().clone()))
    }

    /// Puts them beside the records of a change set that has none yet. An error of kind `Bug` if they are not as many.
    pub fn beside(self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut fields: Vec<_> = batch.schema_ref().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(REASON, self.0.data_type().clone(), true)));
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(self.0));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .map_err(|error| Error::bug("reasons and entries of a change set do not fit").caused_by(error))
    }
}

fn earlier_fields() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Fields::from(vec![text("code"), text("message")])
}

fn fields() -> Fields {
    let open = Arc::new(Field::new("open", DataType::Boolean, false));
    earlier_fields().iter().cloned().chain([open]).collect()
}
