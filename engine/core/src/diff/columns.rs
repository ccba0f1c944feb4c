//! Adds the parts of a column's values to the hashes of its records: every type that needs no walk, a tile of records at a time.
//!
//! Values go from their Arrow buffer to their lanes without a stop: words and part of one value are computed in registers. Nulls
//! are taken from the bitmap, 64 at a time. What is under a null is computed too and thrown away, which costs less than to ask first.

#![allow(clippy::inline_always, reason = "a few instructions each, in loops over every value")]

use std::ops::Range;

use arrow::array::{Array, AsArray, BooleanArray, GenericByteArray, GenericByteViewArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, ByteArrayType, ByteViewType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};

use super::canonical::{Class, Number, Scale, Words, decimal, float, float_digits, integer, interval, ticks, unsigned};
use super::mix::{Mixer, Part, SHORT, Salts};

/// The values of one column to be hashed: `rows` of them.
pub(super) struct Tile<'a> {
    pub(super) array: &'a dyn Array,
    pub(super) rows: Range<usize>,
    pub(super) mixer: &'a Mixer,
    pub(super) salts: &'a Salts,
    /// The sums, one for each of `rows`.
    pub(super) high: &'a mut [u64],
    pub(super) low: &'a mut [u64],
}

impl Tile<'_> {
    /// Adds the parts. False, and nothing done, if values of this type have to be walked.
    pub(super) fn add(&mut self) -> bool {
        match self.array.data_type() {
            DataType::Null => self.each(Some(&NullBuffer::new_null(self.rows.end)), |_| (0, 0)),
            DataType::Boolean => self.booleans(),
            DataType::Int8 => self.integers::<Int8Type>(),
            DataType::Int16 => self.integers::<Int16Type>(),
            DataType::Int32 => self.integers::<Int32Type>(),
            DataType::Int64 => self.integers::<Int64Type>(),
            DataType::UInt8 => self.integers::<UInt8Type>(),
            DataType::UInt16 => self.integers::<UInt16Type>(),
            DataType::UInt32 => self.integers::<UInt32Type>(),
            DataType::UInt64 => self.words::<UInt64Type>(Class::Number, unsigned),
            DataType::Float16 => self.floats::<Float16Type>(<Float16Type as ArrowPrimitiveType>::Native::to_f64),
            DataType::Float32 => self.floats::<Float32Type>(f64::from),
            DataType::Float64 => self.floats::<Float64Type>(|value| value),
            DataType::Decimal32(_, scale) => self.decimals::<Decimal32Type>(*scale),
            DataType::Decimal64(_, scale) => self.decimals::<Decimal64Type>(*scale),
            DataType::Decimal128(_, scale) => self.decimals::<Decimal128Type>(*scale),
            DataType::Timestamp(unit, zone) => self.timestamps(*unit, if zone.is_some() { Class::Instant } else { Class::Wall }),
            DataType::Date32 => self.words::<Date32Type>(Class::Date, |days| integer(i64::from(days) * 86_400_000)),
            DataType::Date64 => self.words::<Date64Type>(Class::Date, integer),
            DataType::Time32(TimeUnit::Second) => self.words::<Time32SecondType>(Class::Time, |v| ticks::<1_000_000_000>(v.into())),
            DataType::Time32(_) => self.words::<Time32MillisecondType>(Class::Time, |v| ticks::<1_000_000>(v.into())),
            DataType::Time64(TimeUnit::Microsecond) => self.words::<Time64MicrosecondType>(Class::Time, ticks::<1_000>),
            DataType::Time64(_) => self.words::<Time64NanosecondType>(Class::Time, ticks::<1>),
            DataType::Duration(unit) => self.durations(*unit),
            DataType::Interval(unit) => self.intervals(*unit),
            DataType::Utf8 => self.bytes(self.array.as_string::<i32>(), Class::Text),
            DataType::LargeUtf8 => self.bytes(self.array.as_string::<i64>(), Class::Text),
            DataType::Utf8View => self.views(self.array.as_string_view(), Class::Text),
            DataType::Binary => self.bytes(self.array.as_binary::<i32>(), Class::Binary),
            DataType::LargeBinary => self.bytes(self.array.as_binary::<i64>(), Class::Binary),
            DataType::BinaryView => self.views(self.array.as_binary_view(), Class::Binary),
            DataType::FixedSizeBinary(width) => self.fixed_bytes(*width as usize),
            _ => return false,
        }
        true
    }

    /// Adds the part of every value, or that of null. `part` gets places in the tile.
    #[inline(always)]
    fn each(&mut self, nulls: Option<&NullBuffer>, part: impl Fn(usize) -> Part) {
        let records = self.rows.len();
        let (high, low) = (&mut self.high[..records], &mut self.low[..records]);
        let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
            for (i, (high, low)) in high.iter_mut().zip(low).enumerate() {
                let (a, b) = part(i);
                *high = high.wrapping_add(a);
                *low = low.wrapping_add(b);
            }
            return;
        };
        let null = self.salts.null;
        for (chunk, (high, low)) in high.chunks_mut(64).zip(low.chunks_mut(64)).enumerate() {
            let mut valid = bits(nulls.inner(), self.rows.start + 64 * chunk);
            for (i, (high, low)) in high.iter_mut().zip(low).enumerate() {
                let (a, b) = part(64 * chunk + i);
                let mask = 0_u64.wrapping_sub(valid & 1);
                valid >>= 1;
                *high = high.wrapping_add((a ^ null.0) & mask ^ null.0);
                *low = low.wrapping_add((b ^ null.1) & mask ^ null.1);
            }
        }
    }

    /// As [`Self::each`], for values of fixed width.
    #[inline(always)]
    fn values<T: ArrowPrimitiveType>(&mut self, part: impl Fn(T::Native) -> Part) {
        let array = self.array.as_primitive::<T>();
        let values = &array.values()[self.rows.clone()];
        self.each(array.nulls(), |i| part(values[i]));
    }

    #[inline(always)]
    fn words<T: ArrowPrimitiveType>(&mut self, class: Class, words: impl Fn(T::Native) -> Words) {
        let salt = self.salts.of(class);
        self.values::<T>(|value| salt.part(words(value)));
    }

    fn integers<T: ArrowPrimitiveType>(&mut self)
    where
        i64: From<T::Native>,
    {
        self.words::<T>(Class::Number, |value| integer(value.into()));
    }

    fn floats<T: ArrowPrimitiveType>(&mut self, wide: impl Fn(T::Native) -> f64) {
        let (mixer, salts, salt) = (self.mixer, self.salts, self.salts.of(Class::Number));
        self.values::<T>(|value| {
            let value = wide(value);
            float(value).map_or_else(|| number(&float_digits(value), mixer, salts), |words| salt.part(words))
        });
    }

    /// Most values fit 64 bits, whatever holds them.
    fn decimals<T: ArrowPrimitiveType>(&mut self, scale: i8)
    where
        i128: From<T::Native>,
    {
        let (mixer, salts, salt) = (self.mixer, self.salts, self.salts.of(Class::Number));
        let any = |value: i128| number(&decimal(value, scale.into()), mixer, salts);
        let narrow = |value: i128| i64::try_from(value).ok().filter(|value| *value != i64::MIN);
        if scale == 0 {
            self.values::<T>(|value| narrow(value.into()).map_or_else(|| any(value.into()), |value| salt.part(integer(value))));
        } else if let Some(scale) = Scale::new(scale) {
            self.values::<T>(|value| narrow(value.into()).map_or_else(|| any(value.into()), |value| salt.part(scale.words(value))));
        } else {
            self.values::<T>(|value| any(value.into()));
        }
    }

    fn timestamps(&mut self, unit: TimeUnit, class: Class) {
        match unit {
            TimeUnit::Second => self.words::<TimestampSecondType>(class, ticks::<1_000_000_000>),
            TimeUnit::Millisecond => self.words::<TimestampMillisecondType>(class, ticks::<1_000_000>),
            TimeUnit::Microsecond => self.words::<TimestampMicrosecondType>(class, ticks::<1_000>),
            TimeUnit::Nanosecond => self.words::<TimestampNanosecondType>(class, ticks::<1>),
        }
    }

    fn durations(&mut self, unit: TimeUnit) {
        match unit {
            TimeUnit::Second => self.words::<DurationSecondType>(Class::Duration, ticks::<1_000_000_000>),
            TimeUnit::Millisecond => self.words::<DurationMillisecondType>(Class::Duration, ticks::<1_000_000>),
            TimeUnit::Microsecond => self.words::<DurationMicrosecondType>(Class::Duration, ticks::<1_000>),
            TimeUnit::Nanosecond => self.words::<DurationNanosecondType>(Class::Duration, ticks::<1>),
        }
    }

    fn intervals(&mut self, unit: IntervalUnit) {
        let class = Class::Interval;
        match unit {
            IntervalUnit::YearMonth => self.words::<IntervalYearMonthType>(class, |v| interval(v, 0, 0)),
            IntervalUnit::DayTime => {
                self.words::<IntervalDayTimeType>(class, |v| interval(0, v.days, i64::from(v.milliseconds) * 1_000_000));
            }
            IntervalUnit::MonthDayNano => self.words::<IntervalMonthDayNanoType>(class, |v| interval(v.months, v.days, v.nanoseconds)),
        }
    }

    fn booleans(&mut self) {
        let (array, rows): (&BooleanArray, _) = (self.array.as_boolean(), self.rows.clone());
        let parts = [false, true].map(|value| self.salts.part(Class::Boolean, integer(value.into())));
        let values = array.values().slice(rows.start, rows.len());
        self.each(array.nulls(), |i| parts[usize::from(values.value(i))]);
    }

    fn bytes<T: ByteArrayType>(&mut self, array: &GenericByteArray<T>, class: Class) {
        let (mixer, salt) = (self.mixer, self.salts.of(class));
        let (data, offsets) = (array.value_data(), &array.value_offsets()[self.rows.start..=self.rows.end]);
        self.each(array.nulls(), |i| salt.part(mixer.within(data, offsets[i].as_usize(), offsets[i + 1].as_usize())));
    }

    /// A view of at most [`SHORT`] bytes is itself their words, for what is not used of it is zero.
    fn views<T: ByteViewType + ?Sized>(&mut self, array: &GenericByteViewArray<T>, class: Class) {
        let (mixer, salt) = (self.mixer, self.salts.of(class));
        let (buffers, views) = (array.data_buffers(), &array.views()[self.rows.clone()]);
        self.each(array.nulls(), |i| {
            let view = views[i];
            let length = view as u32 as usize;
            if length <= SHORT {
                return salt.part((view as u64, (view >> 64) as u64));
            }
            let (buffer, at) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
            // A view that leads nowhere is under a null.
            let bytes = buffers.get(buffer).and_then(|buffer| buffer.get(at..at + length));
            salt.part(bytes.map_or((0, 0), |bytes| mixer.long(bytes)))
        });
    }

    fn fixed_bytes(&mut self, width: usize) {
        let (mixer, salt) = (self.mixer, self.salts.of(Class::Binary));
        let (array, start) = (self.array.as_fixed_size_binary(), self.rows.start);
        let data = array.value_data();
        self.each(array.nulls(), |i| salt.part(mixer.within(data, (start + i) * width, (start + i + 1) * width)));
    }
}

/// The part of a number, in words or not.
pub(super) fn number(number: &Number, mixer: &Mixer, salts: &Salts) -> Part {
    match number {
        Number::Words(words) => salts.part(Class::Number, *words),
        Number::Digits(digits) => salts.part(Class::Digits, mixer.bytes(digits.as_bytes())),
    }
}

/// The 64 bits from `at` on; zeros behind the end.
#[inline]
fn bits(bitmap: &BooleanBuffer, at: usize) -> u64 {
    let at = bitmap.offset() + at;
    let rest = &bitmap.values()[at / 8..];
    let block = rest.first_chunk::<16>().copied().unwrap_or_else(|| {
        let mut block = [0; 16];
        let present = rest.len().min(16);
        block[..present].copy_from_slice(&rest[..present]);
        block
    });
    (u128::from_le_bytes(block) >> (at % 8)) as u64
}
