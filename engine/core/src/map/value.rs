//! Arrow arrays as JSON values: one typed accessor for each array of a batch, made once, asked by index.
//!
//! Encodings (dictionary, run-end, views) give what the plain array would. In a struct a null member is missing; in a list
//! and in a map null stays null. A union has no JSON form and is refused when the mapping is compiled.

use arrow::array::{Array, AsArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTime, IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type, i256,
};
use outflow_contract::source::is_json;
use outflow_contract::{Error, Result};

use super::json::{Piece, is_zero};
use super::layout::{Blobs, Indexes, Ranges};
use super::output::Output;
use super::text::{Found, Texts};
use super::{temporal, write};

/// `,"name":`, ready to be copied; without its first byte it is the prefix of an object's first member.
pub(crate) fn key_prefix(name: &str) -> Vec<u8> {
    let mut prefix = vec![b','];
    write::string(&mut prefix, name);
    prefix.push(b':');
    prefix
}

enum Kind<'a> {
    Null,
    Bool(&'a BooleanBuffer),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Half(&'a [<Float16Type as ArrowPrimitiveType>::Native]),
    Single(&'a [f32]),
    Double(&'a [f64]),
    Decimal32(&'a [i32], i8),
    Decimal64(&'a [i64], i8),
    Decimal128(&'a [i128], i8),
    Decimal256(&'a [i256], i8),
    Text(Texts<'a>),
    /// JSON text, with the column's name for messages.
    Json(Texts<'a>, &'a str),
    Blob(Blobs<'a>),
    Date(&'a [i32]),
    DateMillis(&'a [i64]),
    Timestamp(&'a [i64], TimeUnit),
    Time32(&'a [i32], TimeUnit),
    Time64(&'a [i64], TimeUnit),
    Duration(&'a [i64], TimeUnit),
    Months(&'a [i32]),
    DayTime(&'a [IntervalDayTime]),
    MonthDayNano(&'a [IntervalMonthDayNano]),
    Struct(Vec<(Vec<u8>, Column<'a>)>),
    List(Ranges<'a>, Box<Column<'a>>),
    Map(Ranges<'a>, Box<(Column<'a>, Column<'a>)>),
    Encoded(Indexes<'a>, Box<Column<'a>>),
}

/// What a value is as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Text,
    /// Text that is a moment.
    Moment,
    Boolean,
    Number,
    /// A number without a fraction.
    Whole,
}

/// A typed accessor of one array.
pub(crate) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    kind: Kind<'a>,
}

impl<'a> Column<'a> {
    /// Makes the accessor. `json`: its text is JSON; `name` is the column's, for messages.
    pub(crate) fn bind(array: &'a dyn Array, json: bool, name: &'a str) -> Result<Self> {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(Self { nulls, kind: Kind::bind(array, json, name)? })
    }

    /// Is the value null, in the array itself or in the values that it points to?
    #[inline]
    pub(crate) fn is_null(&self, i: usize) -> bool {
        if self.nulls.is_some_and(|nulls| nulls.is_null(i)) {
            return true;
        }
        match &self.kind {
            Kind::Null => true,
            Kind::Encoded(indexes, values) => values.is_null(indexes.index(i)),
            _ => false,
        }
    }

    /// Is any value null, or may one be?
    pub(crate) fn has_nulls(&self) -> bool {
        let inner = match &self.kind {
            Kind::Null => true,
            Kind::Encoded(_, values) => values.has_nulls(),
            _ => false,
        };
        self.nulls.is_some() || inner
    }

    /// The texts, if it is nothing but plain text.
    pub(crate) fn texts(&self) -> Option<Texts<'a>> {
        if let Kind::Text(texts) = self.kind { Some(texts) } else { None }
    }

    /// The moments, if it is nothing but these.
    pub(crate) fn moments(&self) -> Option<(&'a [i64], TimeUnit)> {
        if let Kind::Timestamp(values, unit) = self.kind { Some((values, unit)) } else { None }
    }

    /// The nulls.
    pub(crate) fn nulls(&self) -> Option<&'a NullBuffer> {
        self.nulls
    }

    /// What each value is as JSON, unless it is null; `None` if that is not the same for all of them.
    pub(crate) fn written(&self) -> Option<Written> {
        match &self.kind {
            Kind::Text(_) => Some(Written::Text),
            Kind::Timestamp(values, unit) if temporal::are_short(values, *unit) => Some(Written::Moment),
            Kind::Bool(_) => Some(Written::Boolean),
            Kind::Int8(_)
            | Kind::Int16(_)
            | Kind::Int32(_)
            | Kind::Int64(_)
            | Kind::UInt8(_)
            | Kind::UInt16(_)
            | Kind::UInt32(_)
            | Kind::UInt64(_) => Some(Written::Whole),
            Kind::Decimal32(..) | Kind::Decimal64(..) | Kind::Decimal128(..) | Kind::Decimal256(..) => Some(Written::Number),
            Kind::Encoded(_, values) => values.written(),
            _ => None,
        }
    }

    /// Is the value something else than `null` as JSON? `None` if only its JSON tells. The value must not be null.
    #[inline]
    pub(crate) fn is_there(&self, i: usize) -> Option<bool> {
        match &self.kind {
            Kind::Single(values) => Some(values[i].is_finite()),
            Kind::Double(values) => Some(values[i].is_finite()),
            Kind::Bool(_) | Kind::Int32(_) | Kind::Int64(_) | Kind::Timestamp(..) | Kind::Date(_) => Some(true),
            _ => None,
        }
    }

    /// The text, if it is plain text and not null.
    #[inline]
    pub(crate) fn text(&self, i: usize) -> Option<&'a str> {
        match &self.kind {
            Kind::Text(texts) => Some(texts.value(i)),
            Kind::Encoded(indexes, values) => values.text(indexes.index(i)),
            _ => None,
        }
    }

    /// Is this JSON's `null`, `false`, `0` or the empty string? The value must not be null, and be a scalar.
    pub(crate) fn is_falsy(&self, i: usize, out: &mut Output<'a>) -> bool {
        match &self.kind {
            Kind::Text(texts) => texts.value(i).is_empty(),
            Kind::Blob(blobs) => blobs.value(i).is_empty(),
            Kind::Bool(values) => !values.value(i),
            Kind::Int64(values) => values[i] == 0,
            Kind::Encoded(indexes, values) => values.is_falsy(indexes.index(i), out),
            // The rest is rare, and its JSON text tells.
            _ => {
                let start = out.buf.len();
                self.write(i, out);
                let text = std::str::from_utf8(&out.buf[start..]).unwrap_or_default();
                let falsy = text == "null" || is_zero(text);
                out.buf.truncate(start);
                falsy
            }
        }
    }

    /// Appends the value as JSON; `null` if it is null.
    pub(crate) fn write(&self, i: usize, out: &mut Output<'a>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(i)) {
            out.null();
        } else {
            self.write_present(i, out);
        }
    }

    /// The same of a value that is not null in the array itself.
    pub(crate) fn write_present(&self, i: usize, out: &mut Output<'a>) {
        let buf = &mut out.buf;
        match &self.kind {
            Kind::Text(texts) => {
                buf.push(b'"');
                texts.write(i, Found::Any, buf);
                buf.push(b'"');
            }
            Kind::Null => out.null(),
            Kind::Bool(values) => buf.extend_from_slice(if values.value(i) { b"true" } else { b"false" }),
            Kind::Int8(values) => write::integer(buf, values[i]),
            Kind::Int16(values) => write::integer(buf, values[i]),
            Kind::Int32(values) => write::integer(buf, values[i]),
            Kind::Int64(values) => write::integer(buf, values[i]),
            Kind::UInt8(values) => write::integer(buf, values[i]),
            Kind::UInt16(values) => write::integer(buf, values[i]),
            Kind::UInt32(values) => write::integer(buf, values[i]),
            Kind::UInt64(values) => write::integer(buf, values[i]),
            Kind::Half(values) => write::single(buf, values[i].to_f32()),
            Kind::Single(values) => write::single(buf, values[i]),
            Kind::Double(values) => write::double(buf, values[i]),
            Kind::Decimal32(values, scale) => write::short_decimal(buf, values[i].into(), *scale),
            Kind::Decimal64(values, scale) => write::short_decimal(buf, values[i].into(), *scale),
            Kind::Decimal128(values, scale) => write::short_decimal(buf, values[i], *scale),
            Kind::Decimal256(values, scale) => write::decimal(buf, &values[i].to_string(), *scale),
            Kind::Blob(blobs) => write::base64(buf, blobs.value(i)),
            Kind::Date(values) => temporal::date(buf, values[i].into()),
            Kind::DateMillis(values) => temporal::date_millis(buf, values[i]),
            Kind::Timestamp(values, unit) => temporal::timestamp(buf, values[i], *unit),
            Kind::Time32(values, unit) => temporal::time(buf, values[i].into(), *unit),
            Kind::Time64(values, unit) => temporal::time(buf, values[i], *unit),
            Kind::Duration(values, unit) => temporal::duration(buf, values[i], *unit),
            Kind::Months(values) => temporal::interval_months(buf, values[i]),
            Kind::DayTime(values) => temporal::interval_day_time(buf, values[i]),
            Kind::MonthDayNano(values) => temporal::interval_month_day_nano(buf, values[i]),
            Kind::Json(texts, name) => write_json(texts.value(i), name, out),
            Kind::Struct(members) => write_struct(members, i, out),
            Kind::List(ranges, items) => write_list(ranges.range(i), items, out),
            Kind::Map(ranges, entries) => write_map(ranges.range(i), entries, out),
            Kind::Encoded(indexes, values) => values.write(indexes.index(i), out),
        }
    }
}

fn write_json<'a>(text: &'a str, name: &str, out: &mut Output<'a>) {
    match Piece::parse(text) {
        Ok(piece) => piece.write(&mut out.buf),
        Err(problem) => {
            out.fail_json(name, problem);
            out.null();
        }
    }
}

fn write_struct<'a>(members: &[(Vec<u8>, Column<'a>)], i: usize, out: &mut Output<'a>) {
    out.buf.push(b'{');
    let start = out.buf.len();
    for (prefix, member) in members.iter().filter(|(_, member)| !member.is_null(i)) {
        let first = usize::from(out.buf.len() == start);
        out.buf.extend_from_slice(&prefix[first..]);
        member.write(i, out);
    }
    out.buf.push(b'}');
}

fn write_list<'a>(range: std::ops::Range<usize>, items: &Column<'a>, out: &mut Output<'a>) {
    let first = range.start;
    out.buf.push(b'[');
    for i in range {
        if i > first {
            out.buf.push(b',');
        }
        items.write(i, out);
    }
    out.buf.push(b']');
}

fn write_map<'a>(range: std::ops::Range<usize>, (keys, values): &(Column<'a>, Column<'a>), out: &mut Output<'a>) {
    let first = range.start;
    out.buf.push(b'{');
    for i in range {
        if i > first {
            out.buf.push(b',');
        }
        let start = out.buf.len();
        keys.write(i, out);
        // A key that is no text is its JSON text in quotes.
        if out.buf.get(start) != Some(&b'"') {
            out.buf.insert(start, b'"');
            out.buf.push(b'"');
        }
        out.buf.push(b':');
        values.write(i, out);
    }
    out.buf.push(b'}');
}

fn native<T: ArrowPrimitiveType>(array: &dyn Array) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

impl<'a> Kind<'a> {
    fn bind(array: &'a dyn Array, json: bool, name: &'a str) -> Result<Self> {
        let text = |texts: Texts<'a>| if json { Self::Json(texts, name) } else { Self::Text(texts) };
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool(array.as_boolean().values()),
            DataType::Int8 => Self::Int8(native::<Int8Type>(array)),
            DataType::Int16 => Self::Int16(native::<Int16Type>(array)),
            DataType::Int32 => Self::Int32(native::<Int32Type>(array)),
            DataType::Int64 => Self::Int64(native::<Int64Type>(array)),
            DataType::UInt8 => Self::UInt8(native::<UInt8Type>(array)),
            DataType::UInt16 => Self::UInt16(native::<UInt16Type>(array)),
            DataType::UInt32 => Self::UInt32(native::<UInt32Type>(array)),
            DataType::UInt64 => Self::UInt64(native::<UInt64Type>(array)),
            DataType::Float16 => Self::Half(native::<Float16Type>(array)),
            DataType::Float32 => Self::Single(native::<Float32Type>(array)),
            DataType::Float64 => Self::Double(native::<Float64Type>(array)),
            DataType::Decimal32(_, scale) => Self::Decimal32(native::<Decimal32Type>(array), *scale),
            DataType::Decimal64(_, scale) => Self::Decimal64(native::<Decimal64Type>(array), *scale),
            DataType::Decimal128(_, scale) => Self::Decimal128(native::<Decimal128Type>(array), *scale),
            DataType::Decimal256(_, scale) => Self::Decimal256(native::<Decimal256Type>(array), *scale),
            DataType::Utf8 => text(array.as_string::<i32>().into()),
            DataType::LargeUtf8 => text(array.as_string::<i64>().into()),
            DataType::Utf8View => text(array.as_string_view().into()),
            DataType::Binary => Self::Blob(Blobs::Small(array.as_binary())),
            DataType::LargeBinary => Self::Blob(Blobs::Large(array.as_binary())),
            DataType::BinaryView => Self::Blob(Blobs::View(array.as_binary_view())),
            DataType::FixedSizeBinary(_) => Self::Blob(Blobs::Fixed(array.as_fixed_size_binary())),
            DataType::Date32
            | DataType::Date64
            | DataType::Timestamp(..)
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Duration(_)
            | DataType::Interval(_) => Self::bind_temporal(array),
            _ => return Self::bind_nested(array, json, name),
        })
    }

    fn bind_temporal(array: &'a dyn Array) -> Self {
        match array.data_type() {
            DataType::Date32 => Self::Date(native::<Date32Type>(array)),
            DataType::Date64 => Self::DateMillis(native::<Date64Type>(array)),
            DataType::Timestamp(unit, _) => {
                let values = match unit {
                    TimeUnit::Second => native::<TimestampSecondType>(array),
                    TimeUnit::Millisecond => native::<TimestampMillisecondType>(array),
                    TimeUnit::Microsecond => native::<TimestampMicrosecondType>(array),
                    TimeUnit::Nanosecond => native::<TimestampNanosecondType>(array),
                };
                Self::Timestamp(values, *unit)
            }
            DataType::Time32(TimeUnit::Second) => Self::Time32(native::<Time32SecondType>(array), TimeUnit::Second),
            DataType::Time32(unit) => Self::Time32(native::<Time32MillisecondType>(array), *unit),
            DataType::Time64(TimeUnit::Nanosecond) => Self::Time64(native::<Time64NanosecondType>(array), TimeUnit::Nanosecond),
            DataType::Time64(unit) => Self::Time64(native::<Time64MicrosecondType>(array), *unit),
            DataType::Duration(unit) => {
                let values = match unit {
                    TimeUnit::Second => native::<DurationSecondType>(array),
                    TimeUnit::Millisecond => native::<DurationMillisecondType>(array),
                    TimeUnit::Microsecond => native::<DurationMicrosecondType>(array),
                    TimeUnit::Nanosecond => native::<DurationNanosecondType>(array),
                };
                Self::Duration(values, *unit)
            }
            DataType::Interval(IntervalUnit::YearMonth) => Self::Months(native::<IntervalYearMonthType>(array)),
            DataType::Interval(IntervalUnit::DayTime) => Self::DayTime(native::<IntervalDayTimeType>(array)),
            _ => Self::MonthDayNano(native::<IntervalMonthDayNanoType>(array)),
        }
    }

    fn bind_nested(array: &'a dyn Array, json: bool, name: &'a str) -> Result<Self> {
        if let Some((indexes, values)) = Indexes::of(array) {
            let json = json || matches!(array.data_type(), DataType::RunEndEncoded(_, values) if is_json(values));
            return Ok(Self::Encoded(indexes, Box::new(Column::bind(values, json, name)?)));
        }
        let entries = || array.as_map().entries();
        match (array.data_type(), Ranges::of(array)) {
            (DataType::Struct(fields), _) => {
                let columns = fields.iter().zip(array.as_struct().columns());
                let members = columns.map(|(field, column)| Ok((key_prefix(field.name()), Column::bind(column, is_json(field), name)?)));
                Ok(Self::Struct(members.collect::<Result<_>>()?))
            }
            (DataType::Map(..), Some((ranges, _))) => {
                let [keys, values] = entries().columns() else { return Err(Error::bug("a map's entries have two columns")) };
                let json = entries().fields().last().is_some_and(|field| is_json(field));
                Ok(Self::Map(ranges, Box::new((Column::bind(keys, false, name)?, Column::bind(values, json, name)?))))
            }
            (
                DataType::List(field)
                | DataType::LargeList(field)
                | DataType::ListView(field)
                | DataType::LargeListView(field)
                | DataType::FixedSizeList(field, _),
                Some((ranges, items)),
            ) => Ok(Self::List(ranges, Box::new(Column::bind(items, is_json(field), name)?))),
            (other, _) => Err(Error::bug(format!("column \"{name}\" of type {other} was let through to the mapper"))),
        }
    }
}
