//! Properties of equality: one value in every type, unit, scale and encoding that holds it has one hash; another value has another one.

use std::collections::BTreeMap;

use arrow::array::{
    Array, BinaryViewArray, Date32Array, Date64Array, FixedSizeBinaryArray, Float32Array, Int16Array, LargeBinaryArray, MapBuilder,
    MapFieldNames, StringBuilder, Time32SecondArray, Time64NanosecondArray, TimestampMillisecondArray,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::TimeUnit;

use super::comparable::field;
use super::*;
use crate::diff::can_be_equal;

/// JSON text as a column: its rows' hashes.
fn json(values: Vec<Option<&str>>) -> Vec<RowHash> {
    let mark = [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into();
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("v", DataType::Utf8, true).with_metadata(mark)]);
    let columns: Vec<ArrayRef> = vec![arc(Int64Array::from(vec![1; values.len()])), arc(StringArray::from(values))];
    hashes_of(&RecordBatch::try_new(Arc::new(schema), columns).unwrap()).into_iter().map(|(_, row)| row).collect()
}

/// `array` as it is, in a slice of a longer one, in a dictionary and in runs.
fn encodings(array: &ArrayRef) -> Vec<ArrayRef> {
    let kind = array.data_type();
    let runs = DataType::RunEndEncoded(
        Arc::new(Field::new("run_ends", DataType::Int32, false)),
        Arc::new(Field::new("values", kind.clone(), true)),
    );
    let twice = concat(&[array, array]).unwrap();
    let mut all = vec![array.clone(), twice.slice(array.len(), array.len())];
    // What this version of Arrow cannot encode is not asked.
    all.extend(cast(array, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(kind.clone()))));
    all.extend(cast(array, &runs));
    all
}

fn all_equal(arrays: &[ArrayRef]) {
    let expected = of(arrays[0].clone());
    for array in arrays.iter().flat_map(encodings) {
        assert_eq!(of(array.clone()), expected, "{:?}", array.data_type());
        assert!(can_be_equal(&field(arrays[0].data_type()), &field(array.data_type())), "{:?}", array.data_type());
    }
}

fn distinct(hashes: impl IntoIterator<Item = RowHash>) {
    let mut seen = BTreeMap::new();
    for (i, hash) in hashes.into_iter().enumerate() {
        assert_eq!(seen.insert(hash, i), None, "{i}");
    }
}

proptest! {
    #[test]
    fn whole_numbers(values in prop::collection::vec(prop::option::of(any::<i16>()), 1..150)) {
        let narrow = arc(Int16Array::from(values));
        let decimal = |scale| cast(&narrow, &DataType::Decimal128(38, scale)).unwrap();
        let mut same = vec![narrow.clone(), decimal(0), decimal(2), decimal(18), decimal(19), decimal(30)];
        for kind in [DataType::Int32, DataType::Int64, DataType::Float32, DataType::Float64, DataType::Decimal64(18, 7), DataType::Decimal256(60, 30)] {
            same.push(cast(&narrow, &kind).unwrap());
        }
        all_equal(&same);
    }

    #[test]
    fn unsigned_numbers(value in any::<u64>(), shift in 0_u32..64) {
        let value = value >> shift;
        let decimal = |scale: i8| arc(Decimal128Array::from(vec![i128::from(value) * 10_i128.pow(scale as u32)]).with_precision_and_scale(38, scale).unwrap());
        all_equal(&[arc(UInt64Array::from(vec![value])), decimal(0), decimal(3), decimal(18)]);
        prop_assert_eq!(json(vec![Some(&value.to_string())]), of(decimal(0)));
    }

    #[test]
    fn decimals(unscaled in any::<i64>(), shift in 0_u32..64, scale in 0_i8..18) {
        let unscaled = unscaled >> shift;
        let decimal = |unscaled: i128, scale| arc(Decimal128Array::from(vec![unscaled]).with_precision_and_scale(38, scale).unwrap());
        let plain = decimal(unscaled.into(), scale);
        let wide = cast(&plain, &DataType::Decimal256(60, 20)).unwrap();
        all_equal(&[plain.clone(), decimal(i128::from(unscaled) * 10, scale + 1), decimal(i128::from(unscaled) * 1_000_000, scale + 6), wide]);
        let written = format!("{unscaled}e-{scale}");
        prop_assert_eq!(json(vec![Some(&written)]), of(plain.clone()));
        if let Some(other) = unscaled.checked_add(1) {
            prop_assert_ne!(of(decimal(other.into(), scale)), of(plain));
        }
    }

    #[test]
    fn floats(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        let (narrow, wide) = (arc(Float32Array::from(vec![value])), arc(Float64Array::from(vec![f64::from(value)])));
        all_equal(&[narrow.clone(), wide.clone()]);
        let next = f64::from_bits(f64::from(value).to_bits() ^ 1);
        if !value.is_nan() {
            prop_assert_ne!(of(arc(Float64Array::from(vec![next]))), of(wide));
        }
        // Every float of 2^53 and more is whole, and the decimal of its digits.
        if value.is_finite() && value.abs() >= 9_007_199_254_740_992.0 {
            prop_assert_eq!(json(vec![Some(&format!("{value:.0}"))]), of(narrow));
        }
    }

    #[test]
    fn bytes(values in prop::collection::vec(prop::option::of(prop_oneof![".{0,3}", "[a-z]{0,20}", "[a-c]{10,70}"]), 1..150)) {
        let plain = arc(StringArray::from(values.clone()));
        let views: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
        all_equal(&[plain.clone(), arc(LargeStringArray::from(views.clone())), arc(StringViewArray::from(views.clone()))]);
        let binary: Vec<Option<&[u8]>> = views.iter().map(|value| value.map(str::as_bytes)).collect();
        let large = arc(LargeBinaryArray::from(binary.clone()));
        all_equal(&[cast(&plain, &DataType::Binary).unwrap(), large.clone(), arc(BinaryViewArray::from(binary))]);
        for (text, binary) in of(plain).into_iter().zip(of(large)).zip(&values).filter_map(|(pair, value)| value.as_ref().map(|_| pair)) {
            prop_assert_ne!(text, binary, "text is no binary");
        }
    }

    #[test]
    fn different_texts_differ(a in ".{0,40}", b in ".{0,40}") {
        let hashes = of(arc(StringArray::from(vec![a.as_str(), b.as_str()])));
        prop_assert_eq!(hashes[0] == hashes[1], a == b);
    }

    #[test]
    fn fixed_binary(values in prop::collection::vec(prop::option::of(any::<[u8; 16]>()), 1..100)) {
        let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.iter().copied(), 16).unwrap();
        let large = LargeBinaryArray::from_iter(values);
        all_equal(&[arc(fixed), arc(large)]);
    }

    #[test]
    fn moments(millis in prop::collection::vec(prop::option::of(-9_000_000_000_000_i64..9_000_000_000_000), 1..150), zone: bool) {
        let zone = zone.then(|| Arc::<str>::from("Europe/Oslo"));
        let plain = arc(TimestampMillisecondArray::from(millis).with_timezone_opt(zone.clone()));
        let same = [TimeUnit::Microsecond, TimeUnit::Nanosecond].map(|unit| cast(&plain, &DataType::Timestamp(unit, zone.clone())).unwrap());
        all_equal(&[vec![plain], same.to_vec()].concat());
    }

    #[test]
    fn far_moments(seconds in any::<i64>(), micros in any::<i64>()) {
        let far = of(arc(TimestampSecondArray::from(vec![seconds])));
        let near = of(arc(TimestampMicrosecondArray::from(vec![micros])));
        prop_assert_eq!(far == near, i128::from(seconds) * 1_000_000 == i128::from(micros));
        let same = of(arc(TimestampMicrosecondArray::from(vec![micros / 1_000_000 * 1_000_000])));
        prop_assert_eq!(of(arc(TimestampSecondArray::from(vec![micros / 1_000_000]))), same);
    }

    #[test]
    fn days(days in any::<i32>(), millis in 1_i64..86_400_000) {
        let whole = i64::from(days) * 86_400_000;
        all_equal(&[arc(Date32Array::from(vec![days])), arc(Date64Array::from(vec![whole]))]);
        prop_assert_ne!(of(arc(Date64Array::from(vec![whole + millis]))), of(arc(Date32Array::from(vec![days]))));
    }

    #[test]
    fn times(seconds in 0_i32..86_400) {
        let nanos = i64::from(seconds) * 1_000_000_000;
        all_equal(&[arc(Time32SecondArray::from(vec![seconds])), arc(Time64NanosecondArray::from(vec![nanos]))]);
    }
}

#[test]
fn values_of_different_classes_differ() {
    let one = |array: ArrayRef| of(array)[0];
    distinct([
        one(arc(Int64Array::from(vec![0]))),
        one(arc(Int64Array::from(vec![1]))),
        one(arc(Int64Array::from(vec![-1]))),
        one(arc(UInt64Array::from(vec![u64::MAX]))),
        one(arc(Float64Array::from(vec![0.5]))),
        one(arc(Float64Array::from(vec![f64::NAN]))),
        one(arc(Float64Array::from(vec![f64::INFINITY]))),
        one(arc(Float64Array::from(vec![f64::NEG_INFINITY]))),
        one(arc(Decimal128Array::from(vec![5]).with_precision_and_scale(3, 1).unwrap())),
        one(arc(Decimal128Array::from(vec![-5]).with_precision_and_scale(3, 1).unwrap())),
        one(arc(BooleanArray::from(vec![false]))),
        one(arc(BooleanArray::from(vec![true]))),
        one(arc(StringArray::from(vec![""]))),
        one(arc(StringArray::from(vec!["\0"]))),
        one(arc(StringArray::from(vec!["\0\0"]))),
        one(arc(StringArray::from(vec!["0"]))),
        one(arc(LargeBinaryArray::from(vec![b"".as_slice()]))),
        one(arc(TimestampSecondArray::from(vec![0]))),
        one(arc(TimestampSecondArray::from(vec![0]).with_timezone("UTC"))),
        one(arc(Date32Array::from(vec![0]))),
        one(arc(Time32SecondArray::from(vec![0]))),
        one(arc(NullArray::new(1))),
        json(vec![Some("[]")])[0],
        json(vec![Some("{}")])[0],
        json(vec![Some("[0]")])[0],
        json(vec![Some("[null]")])[0],
        json(vec![Some("[[]]")])[0],
        json(vec![Some("[0,0]")])[0],
        json(vec![Some(r#"{"0":0}"#)])[0],
        json(vec![Some("1e300")])[0],
        json(vec![Some("-1e300")])[0],
        json(vec![Some("broken")])[0],
    ]);
}

#[test]
fn json_is_the_value_that_it_holds() {
    let hashes = json(vec![Some("1"), Some(r#""a""#), Some("true"), Some("null"), None, Some("[1,2]"), Some(r#"{"a":1,"b":null}"#)]);
    assert_eq!(hashes[0], of(arc(Int64Array::from(vec![1])))[0]);
    assert_eq!(hashes[1], of(arc(StringArray::from(vec!["a"])))[0]);
    assert_eq!(hashes[2], of(arc(BooleanArray::from(vec![true])))[0]);
    assert_eq!(hashes[3], hashes[4]);
    assert_eq!(hashes[5], of(arc(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), Some(2)])])))[0]);
    assert_eq!(hashes[6], of(map(&[&[("b", None), ("a", Some(1))]]))[0]);
}

fn map(records: &[&[(&str, Option<i64>)]]) -> ArrayRef {
    let mut builder = MapBuilder::new(None::<MapFieldNames>, StringBuilder::new(), Int64Array::builder(4));
    for pairs in records {
        for (name, value) in *pairs {
            builder.keys().append_value(name);
            builder.values().append_option(*value);
        }
        builder.append(true).unwrap();
    }
    arc(builder.finish())
}

#[test]
fn maps_and_lists_hash_the_same_in_any_slice() {
    let maps = map(&[&[("a", Some(1)), ("b", Some(2))], &[], &[("b", Some(2)), ("a", Some(1))], &[("a", Some(2)), ("b", Some(1))]]);
    let hashes = of(maps.clone());
    assert_eq!(hashes[0], hashes[2]);
    distinct(hashes[..2].iter().chain(&hashes[3..]).copied());
    assert_eq!(of(maps.slice(1, 3)), hashes[1..]);

    let lists = [Some(vec![Some(1), Some(2)]), None, Some(vec![]), Some(vec![Some(2), Some(1)]), Some(vec![None]), Some(vec![Some(1)])];
    let lists = arc(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
    let hashes = of(lists.clone());
    distinct(hashes.clone());
    assert_eq!(of(lists.slice(2, 4)), hashes[2..]);
    let view = cast(&lists, &DataType::ListView(Arc::new(Field::new("item", DataType::Int64, true)))).unwrap();
    assert_eq!(of(view.slice(2, 4)), hashes[2..]);
}

#[test]
fn what_is_under_a_null_does_not_matter() {
    let nulls = || Some(NullBuffer::from(vec![true, false]));
    let expected = of(arc(Int64Array::from(vec![Some(1), None])));
    assert_eq!(of(arc(Int64Array::new(ScalarBuffer::from(vec![1, 99]), nulls()))), expected);
    assert_eq!(of(arc(Float64Array::new(ScalarBuffer::from(vec![1.0, 1e300]), nulls()))), expected);
    let text = StringArray::new(arrow::buffer::OffsetBuffer::from_lengths([1, 30]), "x".repeat(31).into_bytes().into(), nulls());
    assert_eq!(of(arc(text)), of(arc(StringViewArray::from(vec![Some("x"), None]))));
    let struct_of = |under| {
        let member = (Arc::new(Field::new("a", DataType::Int64, true)), arc(Int64Array::from(vec![Some(1), under])));
        of(arc(StructArray::new(vec![member.0].into(), vec![member.1], nulls())))
    };
    assert_eq!(struct_of(None), struct_of(Some(5)));
}

#[test]
fn nulls_are_found_at_every_offset() {
    let values: Vec<Option<i64>> = (0..3_000).map(|i| (i * i % 7 > 1).then_some(i)).collect();
    let plain: ArrayRef = arc(Int64Array::from(values));
    let hashes = of(plain.clone());
    for (from, length) in [(0, 3_000), (1, 2_999), (7, 64), (63, 1_025), (64, 128), (1_000, 2_000), (2_999, 1), (3_000, 0)] {
        assert_eq!(of(plain.slice(from, length)), hashes[from..from + length], "{length} from {from}");
    }
}

#[test]
fn a_dictionary_may_be_larger_than_its_column_or_hold_nulls() {
    let values = arc(StringArray::from(vec![Some("a"), None, Some("c"), Some("a")]));
    let of_keys = |keys: Vec<Option<i32>>| of(arc(DictionaryArray::<Int32Type>::new(keys.into(), values.clone())));
    let plain = of(arc(StringArray::from(vec![Some("c"), None, None, Some("a"), Some("a")])));
    assert_eq!(of_keys(vec![Some(2), Some(1), None, Some(0), Some(3)]), plain);
    assert_eq!(of_keys(vec![Some(2), None]), plain[..2]);
    let empty = DictionaryArray::<Int32Type>::new(vec![None::<i32>, None].into(), arc(StringArray::from(Vec::<&str>::new())));
    assert_eq!(of(arc(empty)), plain[1..3]);
}
