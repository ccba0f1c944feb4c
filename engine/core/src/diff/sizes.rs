//! Which records are over the limits of size, in bytes of JSON. Cheap where nothing is: as long as the most that the values of all columns
//! can have together is no record that is too large, as in nearly every batch, none is looked at by itself. Those that may be are written
//! as JSON, and measured.

use arrow::array::{ArrayRef, RecordBatch};
use outflow_contract::Result;
use outflow_contract::limits::Limits;
use outflow_contract::source::is_json;

use crate::map::size::{Exact, at_most, each_at_most, member};

/// The records of `batch` that have a value or a whole over the limits.
pub(super) fn oversized(batch: &RecordBatch, limits: &Limits) -> Result<Vec<usize>> {
    let schema = batch.schema_ref();
    let columns: Vec<(&ArrayRef, bool)> = batch.columns().iter().zip(schema.fields().iter().map(|field| is_json(field))).collect();
    // A record is an object, of all columns.
    let frame = 1 + schema.fields().iter().map(|field| member(field.name())).sum::<usize>();
    let most: Vec<usize> = columns.iter().map(|&(column, json)| at_most(column, json)).collect();
    if most.iter().all(|&bytes| bytes <= limits.value_bytes) && frame + most.iter().sum::<usize>() <= limits.record_bytes {
        return Ok(Vec::new());
    }
    let mut sums = vec![frame; batch.num_rows()];
    let mut may_be = vec![false; batch.num_rows()];
    for &(column, json) in &columns {
        for ((sum, may_be), bytes) in sums.iter_mut().zip(&mut may_be).zip(each_at_most(column, json)) {
            *sum += bytes;
            *may_be |= bytes > limits.value_bytes;
        }
    }
    let suspects: Vec<usize> = (0..batch.num_rows()).filter(|&i| may_be[i] || sums[i] > limits.record_bytes).collect();
    if suspects.is_empty() {
        return Ok(suspects);
    }
    let mut exact = columns.iter().map(|&(column, json)| Exact::new(column, json)).collect::<Result<Vec<_>>>()?;
    let mut is_over = |i: usize| {
        let mut sum = frame;
        for (&(column, json), exact) in columns.iter().zip(&mut exact) {
            // JSON that is none has no such form; it is as large as it stands.
            let bytes = exact.bytes(i).unwrap_or_else(|| at_most(&column.slice(i, 1), json));
            sum += bytes;
            if bytes > limits.value_bytes {
                return true;
            }
        }
        sum > limits.record_bytes
    };
    Ok(suspects.into_iter().filter(|&i| is_over(i)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Array, BooleanArray, DictionaryArray, ListArray, ListBuilder, NullArray, StringArray, StringViewArray, StringViewBuilder,
        StructArray,
    };
    use arrow::compute::cast;
    use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};

    use super::*;

    fn over(column: ArrayRef, bytes: usize) -> Vec<usize> {
        let limits = Limits { value_bytes: bytes, ..Limits::default() };
        oversized(&RecordBatch::try_from_iter_with_nullable([("a", column, true)]).unwrap(), &limits).unwrap()
    }

    #[test]
    fn a_value_at_the_limit_passes_and_one_past_it_does_not() {
        // {"a":"xxxxxxxxxx","b":"xxxxx"}
        let limits = Limits { value_bytes: 12, record_bytes: 30, ..Limits::default() };
        let text = |values: &[usize]| values.iter().map(|&n| Some("x".repeat(n))).collect::<Vec<_>>();
        let batch = RecordBatch::try_from_iter([
            ("a", Arc::new(StringArray::from(text(&[10, 11, 8, 8]))) as ArrayRef),
            ("b", Arc::new(StringViewArray::from(text(&[5, 0, 7, 8]))) as ArrayRef),
        ]);
        assert_eq!(oversized(&batch.unwrap(), &limits).unwrap(), vec![1, 3]);
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
            assert_eq!(oversized(&batch, &limits).unwrap(), vec![7]);
            assert_eq!(oversized(&batch.slice(5, 40), &limits).unwrap(), vec![2]);
        }
    }

    #[test]
    fn a_list_is_as_large_as_its_json() {
        let list = |items: Vec<Option<i64>>| -> ArrayRef { Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(items)])) };
        // 34 KB of JSON, and 136 KB in Arrow.
        assert_eq!(over(list(vec![Some(1); 17_000]), Limits::default().value_bytes), [0; 0]);
        // `[null,…]`
        assert_eq!(over(list(vec![None; 20]), 101), [0; 0]);
        assert_eq!(over(list(vec![None; 20]), 100), [0]);
    }

    #[test]
    fn text_is_as_large_as_its_json_in_whatever_encoding() {
        let texts = [Some("x".repeat(40)), Some("\n".repeat(40)), None, Some("\u{1}".repeat(40))];
        let plain: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let runs = DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Utf8, true)),
        );
        let dictionary: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<DictionaryArray<Int32Type>>());
        for column in [cast(&plain, &runs).unwrap(), dictionary, plain] {
            assert_eq!(over(Arc::clone(&column), 82), [3], "{}", column.data_type());
            assert_eq!(over(Arc::clone(&column), 81), [1, 3], "{}", column.data_type());
            assert_eq!(over(Arc::clone(&column), 242), [0; 0], "{}", column.data_type());
        }
    }

    #[test]
    fn names_of_members_are_part_of_an_object() {
        let name = "a name of thirty letters or so";
        let member = (Arc::new(Field::new(name, DataType::Null, true)), Arc::new(NullArray::new(1)) as ArrayRef);
        let other = (Arc::new(Field::new("b", DataType::Boolean, true)), Arc::new(BooleanArray::from(vec![true])) as ArrayRef);
        let objects: ArrayRef = Arc::new(StructArray::from(vec![member, other]));
        // {"b":true}: a null member is missing.
        assert_eq!((over(Arc::clone(&objects), 10), over(objects, 9)), (vec![], vec![0]));
        let batch = |column: &str| RecordBatch::try_from_iter([(column, Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
        let limits = Limits { record_bytes: 37, ..Limits::default() };
        assert_eq!((oversized(&batch("b"), &limits).unwrap(), oversized(&batch(name), &limits).unwrap()), (vec![], vec![0]));
    }
}
