//! Walks Arrow arrays of every type and encoding, and gives each value its words.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, OffsetSizeTrait, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use outflow_contract::{Error, Result};
use serde_json::Value;

use super::canonical::{Class, Words, boolean, decimal, float, fold, integer, moment, null, number_text, ticks};

const SECRET_BYTES: usize = 192;
/// Odd words to mix the places of a list and the members of a struct with.
const PLACE: (u64, u64) = (0x9e6c_63d0_676a_9a99, 0xbb67_ae85_84ca_a73b);

/// Gives values their words, with the bytes of text hashed under the state's salt.
pub(super) struct Walker {
    secret: Box<[u8; SECRET_BYTES]>,
}

impl Walker {
    pub(super) fn new(salt: &[u8; 32]) -> Self {
        let mut secret = Box::new([0; SECRET_BYTES]);
        blake3::Hasher::new_keyed(salt).update(b"text").finalize_xof().fill(&mut *secret);
        Self { secret }
    }

    /// Appends the words of every value of `array`. `json`: it is text that holds JSON.
    pub(super) fn words(&self, array: &ArrayRef, json: bool, out: &mut Vec<Words>) -> Result<()> {
        let array = array.as_ref();
        match array.data_type() {
            DataType::Null => out.resize(out.len() + array.len(), null()),
            DataType::Boolean => booleans(array.as_boolean(), out),
            DataType::Int8 => primitive::<Int8Type>(array, out, |v| integer(v.into())),
            DataType::Int16 => primitive::<Int16Type>(array, out, |v| integer(v.into())),
            DataType::Int32 => primitive::<Int32Type>(array, out, |v| integer(v.into())),
            DataType::Int64 => primitive::<Int64Type>(array, out, integer),
            DataType::UInt8 => primitive::<UInt8Type>(array, out, |v| integer(v.into())),
            DataType::UInt16 => primitive::<UInt16Type>(array, out, |v| integer(v.into())),
            DataType::UInt32 => primitive::<UInt32Type>(array, out, |v| integer(v.into())),
            DataType::UInt64 => primitive::<UInt64Type>(array, out, |v| decimal(v.into(), 0)),
            DataType::Float16 => primitive::<Float16Type>(array, out, |v| float(v.to_f64())),
            DataType::Float32 => primitive::<Float32Type>(array, out, |v| float(v.into())),
            DataType::Float64 => primitive::<Float64Type>(array, out, float),
            DataType::Decimal32(_, scale) => primitive::<Decimal32Type>(array, out, |v| decimal(v.into(), (*scale).into())),
            DataType::Decimal64(_, scale) => primitive::<Decimal64Type>(array, out, |v| decimal(v.into(), (*scale).into())),
            DataType::Decimal128(_, scale) => primitive::<Decimal128Type>(array, out, |v| decimal(v, (*scale).into())),
            DataType::Decimal256(_, _) => self.wide_decimals(array, out),
            DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.is_some(), out),
            DataType::Date32 => primitive::<Date32Type>(array, out, |v| moment(Class::Date, v.into(), 0)),
            DataType::Date64 => {
                primitive::<Date64Type>(array, out, |v| moment(Class::Date, v.div_euclid(86_400_000), v.rem_euclid(86_400_000)));
            }
            DataType::Time32(TimeUnit::Second) => primitive::<Time32SecondType>(array, out, |v| ticks(Class::Time, v.into(), 1)),
            DataType::Time32(_) => primitive::<Time32MillisecondType>(array, out, |v| ticks(Class::Time, v.into(), 1_000)),
            DataType::Time64(TimeUnit::Microsecond) => primitive::<Time64MicrosecondType>(array, out, |v| ticks(Class::Time, v, 1_000_000)),
            DataType::Time64(_) => primitive::<Time64NanosecondType>(array, out, |v| ticks(Class::Time, v, 1_000_000_000)),
            DataType::Duration(unit) => durations(array, *unit, out),
            DataType::Interval(unit) => intervals(array, *unit, out),
            DataType::Utf8 => self.texts(array.len(), array, array.as_string::<i32>().iter(), json, out),
            DataType::LargeUtf8 => self.texts(array.len(), array, array.as_string::<i64>().iter(), json, out),
            DataType::Utf8View => self.texts(array.len(), array, array.as_string_view().iter(), json, out),
            DataType::Binary => self.binaries(array.as_binary::<i32>().iter(), out),
            DataType::LargeBinary => self.binaries(array.as_binary::<i64>().iter(), out),
            DataType::BinaryView => self.binaries(array.as_binary_view().iter(), out),
            DataType::FixedSizeBinary(_) => self.binaries(array.as_fixed_size_binary().iter(), out),
            DataType::Struct(_) => self.structs(array, out)?,
            DataType::List(_) => self.lists(array, array.as_list::<i32>().values(), offsets(array.as_list::<i32>().offsets()), out)?,
            DataType::LargeList(_) => self.lists(array, array.as_list::<i64>().values(), offsets(array.as_list::<i64>().offsets()), out)?,
            DataType::FixedSizeList(_, size) => {
                let size = *size as usize;
                self.lists(array, array.as_fixed_size_list().values(), |i| (i * size, (i + 1) * size), out)?;
            }
            DataType::ListView(_) => {
                let list = array.as_list_view::<i32>();
                self.lists(array, list.values(), views(list.offsets(), list.sizes()), out)?;
            }
            DataType::LargeListView(_) => {
                let list = array.as_list_view::<i64>();
                self.lists(array, list.values(), views(list.offsets(), list.sizes()), out)?;
            }
            DataType::Map(_, _) => self.maps(array, out)?,
            DataType::Dictionary(_, _) => self.dictionary(array, json, out)?,
            DataType::RunEndEncoded(_, values) => {
                let plain =
                    cast(array, values.data_type()).map_err(|e| Error::bug("could not expand a run-end encoded column").caused_by(e))?;
                self.words(&plain, json, out)?;
            }
            DataType::Union(_, _) => return Err(Error::bug("a union column reached the hash")),
        }
        Ok(())
    }

    fn bytes(&self, class: Class, bytes: &[u8]) -> Words {
        let hash = xxhash_rust::xxh3::xxh3_128_with_secret(bytes, &*self.secret);
        ((hash >> 64) as u64 ^ class as u64, hash as u64 ^ class as u64)
    }

    fn texts<'a>(&self, length: usize, array: &dyn Array, values: impl Iterator<Item = Option<&'a str>>, json: bool, out: &mut Vec<Words>) {
        out.reserve(length);
        if json {
            out.extend(values.map(|value| value.map_or_else(null, |text| self.json_text(text))));
        } else if array.null_count() == 0 {
            out.extend(values.map(|value| self.bytes(Class::Text, value.unwrap_or_default().as_bytes())));
        } else {
            out.extend(values.map(|value| value.map_or_else(null, |text| self.bytes(Class::Text, text.as_bytes()))));
        }
    }

    fn binaries<'a>(&self, values: impl Iterator<Item = Option<&'a [u8]>>, out: &mut Vec<Words>) {
        out.extend(values.map(|value| value.map_or_else(null, |bytes| self.bytes(Class::Binary, bytes))));
    }

    fn wide_decimals(&self, array: &dyn Array, out: &mut Vec<Words>) {
        let decimals = array.as_primitive::<Decimal256Type>();
        out.extend((0..decimals.len()).map(|i| {
            if decimals.is_null(i) {
                return null();
            }
            let text = decimals.value_as_string(i);
            number_text(&text, |class, bytes| self.bytes(class, bytes)).unwrap_or_else(|| self.bytes(Class::Decimal, text.as_bytes()))
        }));
    }

    /// Text that is not JSON keeps the words of its bytes, so that it still compares.
    fn json_text(&self, text: &str) -> Words {
        serde_json::from_str::<Value>(text).map_or_else(|_| self.bytes(Class::Binary, text.as_bytes()), |value| self.json(&value))
    }

    fn json(&self, value: &Value) -> Words {
        match value {
            Value::Null => null(),
            Value::Bool(value) => boolean(*value),
            Value::Number(number) => {
                let text = number.to_string();
                number_text(&text, |class, bytes| self.bytes(class, bytes)).unwrap_or_else(|| self.bytes(Class::Decimal, text.as_bytes()))
            }
            Value::String(text) => self.bytes(Class::Text, text.as_bytes()),
            Value::Array(items) => items.iter().fold(list_start(items.len()), |sum, item| place(sum, self.json(item))),
            Value::Object(members) => members.iter().fold((Class::Map as u64, Class::Map as u64), |sum, (name, value)| {
                unordered(sum, self.bytes(Class::Text, name.as_bytes()), self.json(value))
            }),
        }
    }

    fn structs(&self, array: &dyn Array, out: &mut Vec<Words>) -> Result<()> {
        let (array, start) = (array.as_struct(), out.len());
        out.resize(start + array.len(), (Class::Struct as u64, Class::Struct as u64));
        let mut words = Vec::with_capacity(array.len());
        for (field, member) in array.fields().iter().zip(array.columns()) {
            let name = self.bytes(Class::Text, field.name().as_bytes());
            words.clear();
            self.words(member, outflow_contract::source::is_json(field), &mut words)?;
            for (sum, &member) in out[start..].iter_mut().zip(&words) {
                if member != null() {
                    *sum = unordered(*sum, name, member);
                }
            }
        }
        nulls(array, &mut out[start..]);
        Ok(())
    }

    fn lists(&self, array: &dyn Array, values: &ArrayRef, range: impl Fn(usize) -> (usize, usize), out: &mut Vec<Words>) -> Result<()> {
        let start = out.len();
        let mut items = Vec::with_capacity(values.len());
        self.words(values, false, &mut items)?;
        out.extend((0..array.len()).map(|i| {
            if array.is_null(i) {
                return null();
            }
            let (from, to) = range(i);
            items[from..to].iter().fold(list_start(to - from), |sum, &item| place(sum, item))
        }));
        nulls(array, &mut out[start..]);
        Ok(())
    }

    fn maps(&self, array: &dyn Array, out: &mut Vec<Words>) -> Result<()> {
        let array = array.as_map();
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        self.words(array.keys(), false, &mut keys)?;
        self.words(array.values(), false, &mut values)?;
        let range = offsets(array.offsets());
        out.extend((0..array.len()).map(|i| {
            if array.is_null(i) {
                return null();
            }
            let (from, to) = range(i);
            (from..to).fold((Class::Map as u64, Class::Map as u64), |sum, at| unordered(sum, keys[at], values[at]))
        }));
        Ok(())
    }

    fn dictionary(&self, array: &dyn Array, json: bool, out: &mut Vec<Words>) -> Result<()> {
        let dictionary = array.as_any_dictionary();
        let mut values = Vec::with_capacity(dictionary.values().len());
        self.words(dictionary.values(), json, &mut values)?;
        if values.is_empty() {
            out.resize(out.len() + array.len(), null());
            return Ok(());
        }
        let keys = dictionary.normalized_keys();
        out.extend(keys.iter().enumerate().map(|(i, &key)| if array.is_null(i) { null() } else { values[key] }));
        Ok(())
    }
}

fn list_start(length: usize) -> Words {
    (Class::List as u64 ^ length as u64, length as u64 ^ PLACE.1)
}

/// Adds an item in its place.
fn place((a, b): Words, (x, y): Words) -> Words {
    (fold(a ^ x, PLACE.0).wrapping_add(y), fold(b.rotate_left(23) ^ y, PLACE.1).wrapping_add(x))
}

/// Adds a pair whose place does not matter.
fn unordered((a, b): Words, (k0, k1): Words, (v0, v1): Words) -> Words {
    let first = fold(k0 ^ PLACE.0, v0 ^ Class::Pair as u64 ^ v1.rotate_left(31));
    let second = fold(k1 ^ PLACE.1, v1 ^ Class::Struct as u64 ^ v0.rotate_left(13));
    (a.wrapping_add(first), b.wrapping_add(second))
}

fn nulls(array: &dyn Array, out: &mut [Words]) {
    if let Some(nulls) = array.logical_nulls() {
        for (i, words) in out.iter_mut().enumerate() {
            if nulls.is_null(i) {
                *words = null();
            }
        }
    }
}

fn booleans(array: &BooleanArray, out: &mut Vec<Words>) {
    out.extend(array.iter().map(|value| value.map_or_else(null, boolean)));
}

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array, out: &mut Vec<Words>, words: impl Fn(T::Native) -> Words) {
    let array: &PrimitiveArray<T> = array.as_primitive();
    let start = out.len();
    out.extend(array.values().iter().map(|&value| words(value)));
    nulls(array, &mut out[start..]);
}

fn timestamps(array: &dyn Array, unit: TimeUnit, zone: bool, out: &mut Vec<Words>) {
    let class = if zone { Class::Instant } else { Class::Wall };
    match unit {
        TimeUnit::Second => primitive::<TimestampSecondType>(array, out, |v| ticks(class, v, 1)),
        TimeUnit::Millisecond => primitive::<TimestampMillisecondType>(array, out, |v| ticks(class, v, 1_000)),
        TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(array, out, |v| ticks(class, v, 1_000_000)),
        TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(array, out, |v| ticks(class, v, 1_000_000_000)),
    }
}

fn durations(array: &dyn Array, unit: TimeUnit, out: &mut Vec<Words>) {
    let class = Class::Duration;
    match unit {
        TimeUnit::Second => primitive::<DurationSecondType>(array, out, |v| ticks(class, v, 1)),
        TimeUnit::Millisecond => primitive::<DurationMillisecondType>(array, out, |v| ticks(class, v, 1_000)),
        TimeUnit::Microsecond => primitive::<DurationMicrosecondType>(array, out, |v| ticks(class, v, 1_000_000)),
        TimeUnit::Nanosecond => primitive::<DurationNanosecondType>(array, out, |v| ticks(class, v, 1_000_000_000)),
    }
}

fn intervals(array: &dyn Array, unit: IntervalUnit, out: &mut Vec<Words>) {
    let words = |months: i32, days: i32, nanos: i64| {
        let calendar = (i64::from(months) << 32) | i64::from(days as u32);
        (calendar as u64 ^ Class::Interval as u64, nanos as u64 ^ (calendar as u64).rotate_left(7))
    };
    match unit {
        IntervalUnit::YearMonth => primitive::<IntervalYearMonthType>(array, out, |v| words(v, 0, 0)),
        IntervalUnit::DayTime => primitive::<IntervalDayTimeType>(array, out, |v| words(0, v.days, i64::from(v.milliseconds) * 1_000_000)),
        IntervalUnit::MonthDayNano => primitive::<IntervalMonthDayNanoType>(array, out, |v| words(v.months, v.days, v.nanoseconds)),
    }
}

fn offsets<O: OffsetSizeTrait>(offsets: &[O]) -> impl Fn(usize) -> (usize, usize) {
    move |i| (offsets[i].as_usize(), offsets[i + 1].as_usize())
}

fn views<O: ArrowNativeType>(offsets: &[O], sizes: &[O]) -> impl Fn(usize) -> (usize, usize) {
    move |i| (offsets[i].as_usize(), offsets[i].as_usize() + sizes[i].as_usize())
}
