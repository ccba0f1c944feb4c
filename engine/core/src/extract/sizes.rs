//! Which records are over the limits of size. Cheap where nothing is: a column whose whole data is smaller than one value
//! may be, as nearly every column of every batch is, is never looked into.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use outflow_contract::limits::Limits;

/// The records of `batch` that have a value or a whole over the limits, by the bytes of their text, binary and nested values.
pub(super) fn oversized(batch: &RecordBatch, limits: &Limits) -> Vec<usize> {
    let records = batch.num_rows();
    let suspects: Vec<&ArrayRef> = batch.columns().iter().filter(|column| is_variable(column.data_type())).collect();
    let bytes: usize = suspects.iter().map(|column| data_bytes(column)).sum();
    if bytes <= limits.value_bytes.min(limits.record_bytes) {
        return Vec::new();
    }
    let mut sums = vec![0usize; records];
    let mut over = vec![false; records];
    for column in suspects {
        for (i, (sum, over)) in sums.iter_mut().zip(&mut over).enumerate() {
            let bytes = value_bytes(column, i);
            *sum += bytes;
            *over |= bytes > limits.value_bytes;
        }
    }
    (0..records).filter(|&i| over[i] || sums[i] > limits.record_bytes).collect()
}

fn is_variable(kind: &DataType) -> bool {
    kind.is_string() || kind.is_binary() || kind.is_nested()
}

/// At least the bytes that the column's values have.
fn data_bytes(column: &ArrayRef) -> usize {
    match column.data_type() {
        // A view's buffers may be shared by many batches: the lengths in the views are what counts.
        DataType::Utf8View => column.as_string_view().lengths().map(|length| length as usize).sum(),
        DataType::BinaryView => column.as_binary_view().lengths().map(|length| length as usize).sum(),
        DataType::Utf8 => span(column.as_string::<i32>().value_offsets()),
        DataType::Binary => span(column.as_binary::<i32>().value_offsets()),
        _ => column.get_array_memory_size(),
    }
}

fn span(offsets: &[i32]) -> usize {
    match offsets {
        [first, .., last] => (last - first) as usize,
        _ => 0,
    }
}

fn value_bytes(column: &ArrayRef, i: usize) -> usize {
    if column.is_null(i) {
        return 0;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(i).len(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(i).len(),
        DataType::Utf8View => column.as_string_view().value(i).len(),
        DataType::Binary => column.as_binary::<i32>().value(i).len(),
        DataType::LargeBinary => column.as_binary::<i64>().value(i).len(),
        DataType::BinaryView => column.as_binary_view().value(i).len(),
        // Nested: the values' own bytes, as good as the JSON of them for finding what is far too large.
        _ => column.slice(i, 1).to_data().get_slice_memory_size().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{StringArray, StringViewArray};

    use super::*;

    #[test]
    fn a_value_at_the_limit_passes_and_one_past_it_does_not() {
        let limits = Limits { value_bytes: 10, record_bytes: 15, ..Limits::default() };
        let text = |values: &[usize]| values.iter().map(|&n| Some("x".repeat(n))).collect::<Vec<_>>();
        let batch = RecordBatch::try_from_iter([
            ("a", Arc::new(StringArray::from(text(&[10, 11, 8, 8]))) as ArrayRef),
            ("b", Arc::new(StringViewArray::from(text(&[5, 0, 7, 8]))) as ArrayRef),
        ]);
        assert_eq!(oversized(&batch.unwrap(), &limits), vec![1, 3]);
    }
}
