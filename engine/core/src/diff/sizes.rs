//! Which records are over the limits of size. Cheap where nothing is: as long as the longest values of all columns together are no record
//! that is too large, as in nearly every batch, none is looked at by itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::DataType;
use outflow_contract::limits::Limits;

/// The records of `batch` that have a value or a whole over the limits, by the bytes of their text, binary and nested values.
pub(super) fn oversized(batch: &RecordBatch, limits: &Limits) -> Vec<usize> {
    let records = batch.num_rows();
    let suspects: Vec<&ArrayRef> = batch.columns().iter().filter(|column| is_variable(column.data_type())).collect();
    let longest: Vec<usize> = suspects.iter().map(|column| longest(column)).collect();
    if longest.iter().all(|&bytes| bytes <= limits.value_bytes) && longest.iter().sum::<usize>() <= limits.record_bytes {
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

/// At least the bytes of the column's longest value.
fn longest(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::Utf8View => column.as_string_view().lengths().max().unwrap_or_default() as usize,
        DataType::BinaryView => column.as_binary_view().lengths().max().unwrap_or_default() as usize,
        DataType::Utf8 => widest(column.as_string::<i32>().value_offsets()),
        DataType::Binary => widest(column.as_binary::<i32>().value_offsets()),
        DataType::LargeUtf8 => widest(column.as_string::<i64>().value_offsets()),
        DataType::LargeBinary => widest(column.as_binary::<i64>().value_offsets()),
        DataType::Dictionary(_, _) => longest(column.as_any_dictionary().values()),
        _ => column.get_array_memory_size(),
    }
}

fn widest<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    offsets.array_windows().map(|[from, to]| to.as_usize() - from.as_usize()).max().unwrap_or_default()
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
        _ => nested_bytes(column, i),
    }
}

/// The bytes of what this one value holds, as good as its JSON for finding what is far too large. Neighbours share its buffers, so
/// the size of those says nothing.
fn nested_bytes(column: &ArrayRef, i: usize) -> usize {
    let all = |items: &ArrayRef| (0..items.len()).map(|item| value_bytes(items, item)).sum();
    match column.data_type() {
        DataType::Struct(_) => column.as_struct().columns().iter().map(|member| value_bytes(member, i)).sum(),
        DataType::List(_) => all(&column.as_list::<i32>().value(i)),
        DataType::LargeList(_) => all(&column.as_list::<i64>().value(i)),
        DataType::ListView(_) => all(&column.as_list_view::<i32>().value(i)),
        DataType::LargeListView(_) => all(&column.as_list_view::<i64>().value(i)),
        DataType::FixedSizeList(_, _) => all(&column.as_fixed_size_list().value(i)),
        DataType::Map(_, _) => {
            let entries: ArrayRef = Arc::new(column.as_map().value(i));
            all(&entries)
        }
        DataType::Dictionary(_, _) => {
            let one = column.slice(i, 1);
            let one = one.as_any_dictionary();
            one.normalized_keys().first().map_or(0, |&key| value_bytes(one.values(), key))
        }
        kind => kind.primitive_width().unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListBuilder, StringArray, StringViewArray, StringViewBuilder, StructArray};
    use arrow::datatypes::Field;

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

    #[test]
    fn a_nested_value_is_as_large_as_itself_and_not_as_its_neighbours() {
        let limits = Limits { value_bytes: 100, record_bytes: 100, ..Limits::default() };
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for record in 0..50 {
            lists.append_value([Some("a text of thirty letters or so"), None, (record == 7).then_some("y".repeat(90)).as_deref()]);
        }
        let lists: ArrayRef = Arc::new(lists.finish());
        let field = Field::new("tags", lists.data_type().clone(), true);
        let structs: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(field), Arc::clone(&lists))]));
        for column in [&lists, &structs, &lists.slice(0, 50)] {
            let batch = RecordBatch::try_from_iter([("a", Arc::clone(column))]).unwrap();
            assert_eq!(oversized(&batch, &limits), vec![7]);
            assert_eq!(oversized(&batch.slice(5, 40), &limits), vec![2]);
        }
    }
}
