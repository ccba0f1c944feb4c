//! The promises of the canonical form, asked of real arrays: equal values hash equally in every type and encoding that can hold them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray,
    ListArray, MapArray, NullArray, RecordBatch, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
    TimestampSecondArray, UInt64Array, make_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type, Schema};
use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};
use outflow_contract::{Key, RowHash};
use proptest::prelude::*;

use super::hash::null_ids;
use super::{Lanes, RecordHasher};

mod comparable;
mod equality;
mod frozen;
mod quality;

const SALT: [u8; 32] = [7; 32];

fn hashes(columns: Vec<(&str, ArrayRef)>) -> Vec<(Key, RowHash)> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    hashes_of(&batch)
}

fn hashes_of(batch: &RecordBatch) -> Vec<(Key, RowHash)> {
    let hasher = RecordHasher::new(&SALT, batch.schema_ref(), &["id".to_owned()], None).unwrap();
    let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
    hasher.hash(batch, &mut keys, &mut rows).unwrap();
    (0..batch.num_rows()).map(|i| (keys.key(i), rows.row(i))).collect()
}

fn of(array: impl Into<ArrayRef>) -> Vec<RowHash> {
    let array = array.into();
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1; array.len()]));
    hashes(vec![("id", id), ("v", array)]).into_iter().map(|(_, row)| row).collect()
}

fn arc(array: impl arrow::array::Array + 'static) -> ArrayRef {
    Arc::new(array)
}

#[test]
fn a_number_hashes_by_value_whatever_its_type() {
    let expected = of(arc(Int64Array::from(vec![Some(1), Some(-7), Some(0), None])));
    assert_eq!(of(arc(Int8Array::from(vec![Some(1), Some(-7), Some(0), None]))), expected);
    assert_eq!(of(arc(Float64Array::from(vec![Some(1.0), Some(-7.0), Some(-0.0), None]))), expected);
    let decimal = Decimal128Array::from(vec![Some(100), Some(-700), Some(0), None]).with_precision_and_scale(20, 2).unwrap();
    assert_eq!(of(arc(decimal.clone())), expected);
    assert_eq!(of(cast(&decimal, &DataType::Decimal256(40, 5)).unwrap()), expected);
    let large = of(arc(UInt64Array::from(vec![u64::MAX])));
    assert_eq!(of(arc(Decimal128Array::from(vec![i128::from(u64::MAX)]).with_precision_and_scale(38, 0).unwrap())), large);
    assert_ne!(of(arc(BooleanArray::from(vec![true]))), of(arc(Int64Array::from(vec![1]))));
}

#[test]
fn text_hashes_by_bytes_whatever_its_encoding() {
    let values = vec![Some("Zoë"), None, Some(""), Some("a longer text than a view holds inline"), Some("Zoë")];
    let expected = of(arc(StringArray::from(values.clone())));
    assert_eq!(of(arc(LargeStringArray::from(values.clone()))), expected);
    assert_eq!(of(arc(StringViewArray::from(values.clone()))), expected);
    assert_eq!(of(arc(values.iter().copied().collect::<DictionaryArray<Int32Type>>())), expected);
    let ree = cast(
        &StringArray::from(values),
        &DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Utf8, true)),
        ),
    );
    assert_eq!(of(ree.unwrap()), expected);
    assert_eq!(expected[0], expected[4]);
    assert_ne!(expected[1], expected[2], "null is not the empty text");
    assert_ne!(of(arc(StringArray::from(vec!["e\u{301}"]))), of(arc(StringArray::from(vec!["é"]))), "NFD is not NFC");
}

#[test]
fn a_timestamp_hashes_by_instant_and_without_a_zone_by_wall_time() {
    let utc = of(arc(TimestampSecondArray::from(vec![1_700_000_000]).with_timezone("UTC")));
    assert_eq!(of(arc(TimestampMicrosecondArray::from(vec![1_700_000_000_000_000]).with_timezone("Europe/Oslo"))), utc);
    let wall = of(arc(TimestampSecondArray::from(vec![1_700_000_000])));
    assert_eq!(of(arc(TimestampMicrosecondArray::from(vec![1_700_000_000_000_000]))), wall);
    assert_ne!(utc, wall);
}

#[test]
fn json_hashes_by_content_and_keeps_missing_apart_from_null() {
    let json = |text: &str| {
        let mark = [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into();
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("v", DataType::Utf8, true).with_metadata(mark)]);
        let columns: Vec<ArrayRef> = vec![arc(Int64Array::from(vec![1])), arc(StringArray::from(vec![text]))];
        hashes_of(&RecordBatch::try_new(Arc::new(schema), columns).unwrap())
    };
    assert_eq!(json(r#"{"a":1,"b":[1.0,{"c":null}]}"#), json(r#" { "b" : [1, {"c":null}], "a":1e0 }"#));
    assert_ne!(json(r#"{"a":null}"#), json("{}"));
    assert_ne!(json("[1,2]"), json("[2,1]"));
    assert_ne!(json("9007199254740993"), json("9007199254740992"));
    assert_ne!(json("{broken"), json("{other"));
}

#[test]
fn json_inside_of_lists_and_maps_and_runs_hashes_by_content_too() {
    let mark = || [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into();
    let item = Arc::new(Field::new("item", DataType::Utf8, true).with_metadata(mark()));
    let texts = |texts: &[Option<&str>]| arc(StringArray::from(texts.to_vec()));
    let list =
        |items: &[Option<&str>]| arc(ListArray::new(Arc::clone(&item), OffsetBuffer::from_lengths([items.len()]), texts(items), None));
    assert_eq!(of(list(&[Some(r#"{"a":1,"b":2}"#)])), of(list(&[Some(r#"{ "b": 2.0, "a": 1 }"#)])));
    assert_ne!(of(list(&[Some(r#"{"a":1}"#)])), of(list(&[Some(r#"{"a":2}"#)])));
    let numbers = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None, Some(2)])]);
    assert_eq!(of(list(&[Some("1"), None, Some(" 2.0 ")])), of(arc(numbers)), "as the frozen list");

    let map = |value: Field, values: ArrayRef| {
        let fields = Fields::from(vec![Field::new("keys", DataType::Utf8, false), value]);
        let entries = StructArray::new(fields.clone(), vec![texts(&[Some("k")]), values], None);
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        arc(MapArray::new(field, OffsetBuffer::from_lengths([1]), entries, None, false))
    };
    let json = |text: &str| map(Field::new("values", DataType::Utf8, true).with_metadata(mark()), texts(&[Some(text)]));
    assert_eq!(of(json("1")), of(map(Field::new("values", DataType::Int64, true), arc(Int64Array::from(vec![1])))));

    let values = Field::new("values", DataType::Utf8, true).with_metadata(mark());
    let runs = DataType::RunEndEncoded(Arc::new(Field::new("run_ends", DataType::Int32, false)), Arc::new(values));
    // Arrow's cast loses the mark.
    let in_runs = cast(&texts(&[Some("1")]), &runs).unwrap().to_data().into_builder().data_type(runs).build().unwrap();
    assert_eq!(of(make_array(in_runs)), of(arc(Int64Array::from(vec![1]))));
}

#[test]
fn structs_hash_by_name_and_lists_in_order() {
    let member = |name: &str, values: Vec<Option<i64>>| (Arc::new(Field::new(name, DataType::Int64, true)), arc(Int64Array::from(values)));
    let ab = StructArray::from(vec![member("a", vec![Some(1)]), member("b", vec![Some(2)])]);
    let ba = StructArray::from(vec![member("b", vec![Some(2)]), member("a", vec![Some(1)])]);
    let swapped = StructArray::from(vec![member("a", vec![Some(2)]), member("b", vec![Some(1)])]);
    assert_eq!(of(arc(ab.clone())), of(arc(ba)));
    assert_ne!(of(arc(ab.clone())), of(arc(swapped)));
    let with_null = StructArray::from(vec![member("a", vec![Some(1)]), member("b", vec![Some(2)]), member("c", vec![None])]);
    assert_eq!(of(arc(ab)), of(arc(with_null)));

    let list = |items: Vec<Option<i64>>| ListArray::from_iter_primitive::<Int64Type, _, _>([Some(items)]);
    let plain = of(arc(list(vec![Some(1), Some(2)])));
    assert_eq!(of(cast(&list(vec![Some(1), Some(2)]), &DataType::new_large_list(DataType::Int32, true)).unwrap()), plain);
    assert_ne!(of(arc(list(vec![Some(2), Some(1)]))), plain);
    assert_ne!(of(arc(list(vec![]))), of(arc(list(vec![None]))));
    assert_eq!(of(arc(NullArray::new(1))), of(arc(Int32Array::from(vec![None::<i32>]))));
}

#[test]
fn the_hash_does_not_depend_on_the_order_of_the_select_list_but_on_names() {
    let (a, b) = (arc(Int64Array::from(vec![1, 2])), arc(Int64Array::from(vec![3, 4])));
    let first = hashes(vec![("id", a.clone()), ("x", a.clone()), ("y", b.clone())]);
    assert_eq!(hashes(vec![("y", b.clone()), ("x", a.clone()), ("id", a.clone())]), first);
    assert_ne!(hashes(vec![("id", a.clone()), ("y", a), ("x", b)]), first);
}

#[test]
fn the_hash_over_fewer_columns_is_that_of_a_hasher_over_only_those() {
    let text = arc(StringArray::from(vec![Some("a"), None, Some("a text that is not inline")]));
    let (id, x) = (arc(Int64Array::from(vec![1, 2, 3])), arc(Float64Array::from(vec![Some(0.5), None, Some(2.0)])));
    let all = RecordBatch::try_from_iter_with_nullable([("x", x.clone(), true), ("id", id.clone(), false), ("text", text.clone(), true)]);
    let few = RecordBatch::try_from_iter_with_nullable([("text", text, true), ("x", x, true)]);
    let rows = |batch: &RecordBatch| {
        let hasher = RecordHasher::projected(&SALT, batch.schema_ref(), &["text".to_owned(), "x".to_owned()]).unwrap();
        let mut rows = Lanes::default();
        hasher.hash(batch, &mut Lanes::default(), &mut rows).unwrap();
        (rows.high, rows.low)
    };
    assert_eq!(rows(&all.unwrap()), rows(&few.unwrap()));
}

#[test]
fn another_salt_gives_other_hashes() {
    let batch = RecordBatch::try_from_iter([("id", arc(Int64Array::from(vec![1])))]).unwrap();
    let of = |salt| {
        let hasher = RecordHasher::new(&[salt; 32], batch.schema_ref(), &["id".to_owned()], None).unwrap();
        let (mut keys, mut rows) = (Lanes::default(), Lanes::default());
        hasher.hash(&batch, &mut keys, &mut rows).unwrap();
        [keys.high[0], keys.low[0], rows.high[0], rows.low[0]]
    };
    for (a, b) in of(1).into_iter().zip(of(2)) {
        assert_ne!(a, b);
    }
}

#[test]
fn a_null_in_an_identifier_is_found_wherever_it_is_kept() {
    let texts = StringArray::from(vec![Some("a"), None, None, Some("b"), Some("b")]);
    let runs = DataType::RunEndEncoded(
        Arc::new(Field::new("run_ends", DataType::Int32, false)),
        Arc::new(Field::new("values", DataType::Utf8, true)),
    );
    let values = arc(StringArray::from(vec![Some("a"), None, Some("b")]));
    let in_values = DictionaryArray::<Int32Type>::new(Int32Array::from(vec![0, 1, 1, 2, 2]), values);
    let whole = arc(Int64Array::from(vec![1, 2, 3, 4, 5]));
    let nulls = |id: &[ArrayRef]| null_ids(id).map(|nulls| (0..nulls.len()).filter(|&i| nulls.is_null(i)).collect::<Vec<_>>());
    for column in [cast(&texts, &runs).unwrap(), arc(in_values), arc(texts)] {
        assert_eq!(nulls(std::slice::from_ref(&column)), Some(vec![1, 2]), "{}", column.data_type());
        assert_eq!(nulls(&[whole.clone(), column.slice(2, 3)].map(|c| c.slice(0, 3))), Some(vec![0]), "{}", column.data_type());
    }
    assert_eq!(nulls(std::slice::from_ref(&whole)), None);
    assert_eq!(nulls(&[whole, arc(NullArray::new(5))]), Some(vec![0, 1, 2, 3, 4]));
}

proptest! {
    #[test]
    fn slicing_taking_and_chunking_do_not_change_hashes(
        values in prop::collection::vec((any::<i64>(), prop::option::of(".{0,20}"), prop::option::of(any::<f64>())), 1..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let column = |values: &[(i64, Option<String>, Option<f64>)]| vec![
            ("id", arc(values.iter().map(|v| v.0).collect::<Int64Array>())),
            ("text", arc(values.iter().map(|v| v.1.clone()).collect::<StringArray>())),
            ("float", arc(values.iter().map(|v| v.2).collect::<Float64Array>())),
        ];
        let whole = hashes(column(&values));
        let at = cut.index(values.len());
        prop_assert!(whole.iter().all(|(_, row)| row.halves().0 & 1 == 1), "the upper half of a row hash is odd");
        let batch = RecordBatch::try_from_iter_with_nullable(column(&values).into_iter().map(|(n, a)| (n, a, true))).unwrap();
        let mut parts = hashes_of(&batch.slice(0, at));
        parts.extend(hashes_of(&batch.slice(at, values.len() - at)));
        prop_assert_eq!(&parts, &whole);

        let reversed: Int32Array = (0..values.len() as i32).rev().collect();
        let taken: Vec<ArrayRef> = batch.columns().iter().map(|c| take(c, &reversed, None).unwrap()).collect();
        let mut back = hashes_of(&RecordBatch::try_new(batch.schema(), taken).unwrap());
        back.reverse();
        prop_assert_eq!(&back, &whole);

        let doubled = concat(&[batch.column(1).as_ref(), batch.column(1).as_ref()]).unwrap();
        let dictionary = cast(&doubled, &DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8))).unwrap();
        prop_assert_eq!(of(dictionary), of(doubled));
    }
}
