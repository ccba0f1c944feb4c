//! How many bytes values have as JSON: at most, which is told by lengths and types alone; and exactly, by writing them.

use arrow::array::{Array, AsArray, OffsetSizeTrait};
use arrow::datatypes::DataType;
use outflow_contract::Result;
use outflow_contract::source::is_json;

use super::layout::{Indexes, Ranges};
use super::output::Output;
use super::value::{Column, key_prefix};

/// `null`: what any value may be.
const NULL: usize = 4;
/// The longest date, time, timestamp, duration or interval: `-P178956970Y8M…` with all its parts.
const TEMPORAL: usize = 96;
/// The longest number of 64 bits: a double of 17 digits with a sign, a point and leading zeros or an exponent.
const NUMBER: usize = 32;
/// No number, boolean, date or moment is longer.
pub(crate) const SCALAR_BYTES_MAX: usize = TEMPORAL;

/// What the member of that name has in an object beside its value: comma, name and colon.
pub(crate) fn member(name: &str) -> usize {
    key_prefix(name).len()
}

/// No value of `array` has more bytes as JSON. `json`: its text is JSON.
pub(crate) fn at_most(array: &dyn Array, json: bool) -> usize {
    let mut longest = 0;
    let bytes = if lengths(array, |length| longest = longest.max(length)) {
        text_or_bytes(array.data_type(), json, longest)
    } else if let Some((_, values)) = Indexes::of(array) {
        at_most(values, values_are_json(array.data_type(), json))
    } else if let Some((ranges, items)) = Ranges::of(array) {
        let most = (0..array.len()).map(|i| ranges.range(i).len()).max().unwrap_or_default();
        let reached = reached(&ranges, array.len());
        2 + most * (1 + at_most(&items.slice(reached.start, reached.len()), items_are_json(array.data_type())))
    } else if let Some(members) = array.as_struct_opt() {
        let members = members.fields().iter().zip(members.columns());
        2 + members.map(|(field, values)| member(field.name()) + at_most(values, is_json(field))).sum::<usize>()
    } else {
        scalar(array.data_type())
    };
    bytes.max(NULL)
}

/// The same for each value.
pub(crate) fn each_at_most(array: &dyn Array, json: bool) -> Vec<usize> {
    let mut all = Vec::with_capacity(array.len());
    if lengths(array, |length| all.push(text_or_bytes(array.data_type(), json, length).max(NULL))) {
        return all;
    }
    if let Some((indexes, values)) = Indexes::of(array) {
        let values = each_at_most(values, values_are_json(array.data_type(), json));
        return (0..array.len()).map(|i| if array.is_null(i) { NULL } else { values[indexes.index(i)] }).collect();
    }
    if let Some((ranges, items)) = Ranges::of(array) {
        let reached = reached(&ranges, array.len());
        let items = each_at_most(&items.slice(reached.start, reached.len()), items_are_json(array.data_type()));
        let sum = |i: usize| {
            let range = ranges.range(i);
            let items = if range.is_empty() { &[][..] } else { &items[range.start - reached.start..range.end - reached.start] };
            (2 + items.iter().map(|bytes| bytes + 1).sum::<usize>()).max(NULL)
        };
        return (0..array.len()).map(sum).collect();
    }
    let Some(members) = array.as_struct_opt() else { return vec![scalar(array.data_type()); array.len()] };
    all.resize(array.len(), NULL);
    for (field, values) in members.fields().iter().zip(members.columns()) {
        let name = member(field.name());
        all.iter_mut().zip(each_at_most(values, is_json(field))).for_each(|(sum, bytes)| *sum += name + bytes);
    }
    all
}

/// Measures the values of one array.
pub(crate) struct Exact<'a> {
    column: Column<'a>,
    out: Output<'a>,
}

impl<'a> Exact<'a> {
    /// `json`: the array's text is JSON.
    pub(crate) fn new(array: &'a dyn Array, json: bool) -> Result<Self> {
        Ok(Self { column: Column::bind(array, json, "")?, out: Output::new(&[], usize::MAX, 0) })
    }

    /// The bytes of value `i` as JSON; `None` if it is JSON text that is none.
    pub(crate) fn bytes(&mut self, i: usize) -> Option<usize> {
        self.out.buf.clear();
        self.column.write(i, &mut self.out);
        self.out.failure.take().is_none().then_some(self.out.buf.len())
    }
}

/// Hands out the lengths of texts, or of values of bytes; false if the array holds neither.
fn lengths(array: &dyn Array, mut each: impl FnMut(usize)) -> bool {
    fn between<O: OffsetSizeTrait>(offsets: &[O], mut each: impl FnMut(usize)) {
        for [from, to] in offsets.array_windows() {
            each(to.as_usize() - from.as_usize());
        }
    }
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().lengths().for_each(|length| each(length as usize)),
        DataType::BinaryView => array.as_binary_view().lengths().for_each(|length| each(length as usize)),
        DataType::Utf8 => between(array.as_string::<i32>().value_offsets(), each),
        DataType::LargeUtf8 => between(array.as_string::<i64>().value_offsets(), each),
        DataType::Binary => between(array.as_binary::<i32>().value_offsets(), each),
        DataType::LargeBinary => between(array.as_binary::<i64>().value_offsets(), each),
        DataType::FixedSizeBinary(width) => (0..array.len()).for_each(|_| each(*width as usize)),
        _ => return false,
    }
    true
}

/// Text in quotes, each of its bytes as `\u0000`; JSON as it stands; bytes as base64.
fn text_or_bytes(kind: &DataType, json: bool, length: usize) -> usize {
    if !kind.is_string() {
        return 2 + length.div_ceil(3) * 4;
    }
    if json { length } else { 2 + length * 6 }
}

fn scalar(kind: &DataType) -> usize {
    let decimal = |digits: usize, scale: i8| 3 + digits + usize::from(scale.unsigned_abs());
    match kind {
        DataType::Null => NULL,
        DataType::Boolean => 5,
        DataType::Decimal32(_, scale) => decimal(10, *scale),
        DataType::Decimal64(_, scale) => decimal(19, *scale),
        DataType::Decimal128(_, scale) => decimal(39, *scale),
        DataType::Decimal256(_, scale) => decimal(78, *scale),
        kind if kind.is_numeric() => NUMBER,
        _ => TEMPORAL,
    }
}

/// The items that lists reach, from the first to the last.
fn reached(ranges: &Ranges<'_>, lists: usize) -> std::ops::Range<usize> {
    let ranges = || (0..lists).map(|i| ranges.range(i)).filter(|range| !range.is_empty());
    let first = ranges().map(|range| range.start).min().unwrap_or_default();
    first..ranges().map(|range| range.end).max().unwrap_or(first)
}

fn values_are_json(kind: &DataType, json: bool) -> bool {
    json || matches!(kind, DataType::RunEndEncoded(_, values) if is_json(values))
}

fn items_are_json(kind: &DataType) -> bool {
    match kind {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => is_json(item),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date64Array, Decimal32Array, Decimal128Array, Decimal256Array, DictionaryArray,
        DurationSecondArray, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, IntervalMonthDayNanoArray,
        ListArray, MapBuilder, NullArray, StringArray, StringBuilder, StringViewArray, StructArray, Time64NanosecondArray,
        TimestampNanosecondArray, TimestampSecondArray, UInt64Array, UInt64Builder,
    };
    use arrow::compute::{cast, concat};
    use arrow::datatypes::{Field, Int32Type, Int64Type, IntervalMonthDayNano, i256};
    use outflow_contract::source::{EXTENSION_NAME, JSON_EXTENSION};

    use super::*;

    fn arrays() -> Vec<ArrayRef> {
        let texts = [Some(""), Some("Zoë \u{1}\u{2}\"\\\n"), None, Some("a text that is longer than a view holds inline")];
        let text: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let runs = DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Utf8, true)),
        );
        let lists = [Some(vec![]), Some(vec![Some(i64::MIN), None]), None, Some(vec![Some(0); 40])];
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        let member = |name: &str, values: &ArrayRef| (Arc::new(Field::new(name, values.data_type().clone(), true)), Arc::clone(values));
        let mut maps = MapBuilder::new(None, UInt64Builder::new(), StringBuilder::new());
        maps.keys().append_value(u64::MAX);
        maps.values().append_value("\u{1}");
        maps.append(true).unwrap();
        maps.append(true).unwrap();
        maps.append(false).unwrap();
        let interval = IntervalMonthDayNano { months: i32::MIN, days: i32::MAX, nanoseconds: i64::MIN };
        let decimal = |scale| Arc::new(Decimal256Array::from(vec![i256::MIN, i256::MAX]).with_precision_and_scale(76, scale).unwrap());
        let mut all: Vec<ArrayRef> = vec![
            Arc::new(NullArray::new(2)),
            Arc::new(BooleanArray::from(vec![Some(false), None])),
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(0)])),
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            Arc::new(Float64Array::from(vec![f64::MIN, f64::MIN_POSITIVE, -1e-5 / 3.0, f64::NAN, -1e20 / 3.0])),
            Arc::new(Float32Array::from(vec![f32::MIN, f32::MIN_POSITIVE, -1e-5 / 3.0])),
            Arc::new(Decimal32Array::from(vec![i32::MIN]).with_precision_and_scale(9, 9).unwrap()),
            Arc::new(Decimal128Array::from(vec![i128::MIN]).with_precision_and_scale(38, -20).unwrap()),
            decimal(76),
            decimal(-76),
            Arc::new(Date64Array::from(vec![i64::MIN, i64::MAX])),
            Arc::new(Time64NanosecondArray::from(vec![i64::MIN])),
            Arc::new(TimestampSecondArray::from(vec![i64::MIN, i64::MAX])),
            Arc::new(TimestampNanosecondArray::from(vec![i64::MIN, i64::MAX])),
            Arc::new(DurationSecondArray::from(vec![i64::MIN])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![interval])),
            Arc::new(BinaryArray::from_vec(vec![b"", b"a", b"ab", b"abc"])),
            Arc::new(FixedSizeBinaryArray::try_from_iter([b"abcde"].iter()).unwrap()),
            Arc::new(StringViewArray::from(texts.to_vec())),
            Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()),
            cast(&text, &runs).unwrap(),
            cast(&list, &DataType::new_large_list(DataType::Int64, true)).unwrap(),
            Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(i32::MIN), None]), None], 2)),
            Arc::new(StructArray::from(vec![member("a \"member\"", &text), member("", &(Arc::new(list.clone()) as ArrayRef))])),
            Arc::new(maps.finish()),
        ];
        all.extend([text, Arc::new(list) as ArrayRef]);
        all
    }

    #[test]
    fn no_value_has_more_bytes_than_told() {
        for array in arrays() {
            let twice = concat(&[&array, &array]).unwrap();
            for array in [twice.slice(array.len() - 1, array.len()), array] {
                let (all, each) = (at_most(&array, false), each_at_most(&array, false));
                assert_eq!(each.len(), array.len());
                let mut exact = Exact::new(&array, false).unwrap();
                for (i, each) in each.into_iter().enumerate() {
                    let bytes = exact.bytes(i).unwrap();
                    assert!(bytes <= each && bytes <= all, "{} {i}: {bytes}, at most {each}, all {all}", array.data_type());
                }
            }
        }
    }

    #[test]
    fn json_has_as_many_bytes_as_it_has_without_its_white_space() {
        let mark = [(EXTENSION_NAME.to_owned(), JSON_EXTENSION.to_owned())].into();
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(r#"{ "a" : [ 1 , 2 ] }"#), None, Some("broken"), Some("1")]));
        let item = Field::new("item", DataType::Utf8, true).with_metadata(mark);
        let list = cast(&texts, &DataType::FixedSizeList(Arc::new(item), 1)).unwrap();
        assert_eq!(each_at_most(&texts, true), [19, 4, 6, 4]);
        let measure = |array: &ArrayRef, json: bool| {
            let mut exact = Exact::new(array, json).unwrap();
            (0..4).map(|i| exact.bytes(i)).collect::<Vec<_>>()
        };
        assert_eq!(measure(&texts, true), [Some(11), Some(4), None, Some(1)]);
        assert_eq!(measure(&list, false), [Some(13), Some(6), None, Some(3)]);
    }
}
