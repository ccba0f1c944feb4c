//! Records that a diff does not accept: counted by reason, with a few examples.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::json::LineDelimitedWriter;
use outflow_contract::limits::EXAMPLES_MAX;
use outflow_contract::report::Rejected;

/// An example is for recognising a record, not for reading it whole.
const EXAMPLE_CHARS_MAX: usize = 240;

/// Why a record is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A column of its identifier is null.
    NullId,
    /// Another record has the same identifier.
    DuplicateId,
    /// A value or the whole record is over a limit.
    TooLarge,
}

impl Reason {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NullId => "null_id",
            Self::DuplicateId => "duplicate_id",
            Self::TooLarge => "record_too_large",
        }
    }
}

/// What was rejected, by reason.
#[derive(Clone, Debug, Default)]
pub struct Rejections(BTreeMap<&'static str, Rejected>);

impl Rejections {
    /// Counts record `i` of `batch`.
    pub fn add(&mut self, reason: Reason, batch: &RecordBatch, i: usize) {
        let rejected = self.0.entry(reason.as_str()).or_default();
        rejected.records += 1;
        if rejected.examples.len() < EXAMPLES_MAX {
            rejected.examples.push(example(batch, i));
        }
    }

    /// Counts `records` without an example.
    pub fn count(&mut self, reason: Reason, records: u64) {
        self.0.entry(reason.as_str()).or_default().records += records;
    }

    /// Joins what another worker rejected.
    pub fn merge(&mut self, other: Self) {
        for (reason, theirs) in other.0 {
            let ours = self.0.entry(reason).or_default();
            ours.records += theirs.records;
            ours.examples.extend(theirs.examples);
            ours.examples.truncate(EXAMPLES_MAX);
        }
    }

    /// How many for `reason`.
    pub fn get(&self, reason: Reason) -> u64 {
        self.0.get(reason.as_str()).map_or(0, |rejected| rejected.records)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.values().map(|rejected| rejected.records).sum()
    }

    /// For a report.
    pub fn into_report(self) -> BTreeMap<String, Rejected> {
        self.0.into_iter().map(|(reason, rejected)| (reason.to_owned(), rejected)).collect()
    }
}

/// Record `i` as one line of JSON, cut.
fn example(batch: &RecordBatch, i: usize) -> String {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    let written = writer.write(&batch.slice(i, 1)).and_then(|()| writer.finish());
    if written.is_err() {
        return format!("record {i} of a batch");
    }
    let line = String::from_utf8_lossy(writer.get_ref()).trim_end().to_owned();
    if line.chars().count() <= EXAMPLE_CHARS_MAX { line } else { line.chars().take(EXAMPLE_CHARS_MAX).chain(['…']).collect() }
}
