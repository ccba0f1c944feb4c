//! The layouts in which Arrow keeps one and the same thing, each made one to ask: bytes, lists, indirections. Text is in `text`.

use arrow::array::{Array, AsArray, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray, RunArray};
use arrow::datatypes::{
    ArrowNativeType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

/// Bytes of any layout.
pub(crate) enum Blobs<'a> {
    Small(&'a BinaryArray),
    Large(&'a LargeBinaryArray),
    View(&'a BinaryViewArray),
    Fixed(&'a FixedSizeBinaryArray),
}

impl<'a> Blobs<'a> {
    #[inline]
    pub(crate) fn value(&self, i: usize) -> &'a [u8] {
        match self {
            Self::Small(array) => array.value(i),
            Self::Large(array) => array.value(i),
            Self::View(array) => array.value(i),
            Self::Fixed(array) => array.value(i),
        }
    }
}

/// Where the items of each list lie among all items.
pub(crate) enum Ranges<'a> {
    Offsets(&'a [i32]),
    LargeOffsets(&'a [i64]),
    Views(&'a [i32], &'a [i32]),
    LargeViews(&'a [i64], &'a [i64]),
    Fixed(usize),
}

impl<'a> Ranges<'a> {
    /// The ranges and the items of a list or a map; `None` for any other type.
    pub(crate) fn of(array: &'a dyn Array) -> Option<(Self, &'a dyn Array)> {
        Some(match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (Self::Offsets(list.value_offsets()), list.values())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (Self::LargeOffsets(list.value_offsets()), list.values())
            }
            DataType::ListView(_) => {
                let list = array.as_list_view::<i32>();
                (Self::Views(list.value_offsets(), list.value_sizes()), list.values())
            }
            DataType::LargeListView(_) => {
                let list = array.as_list_view::<i64>();
                (Self::LargeViews(list.value_offsets(), list.value_sizes()), list.values())
            }
            DataType::FixedSizeList(_, size) => (Self::Fixed(size.as_usize()), array.as_fixed_size_list().values()),
            DataType::Map(..) => {
                let map = array.as_map();
                (Self::Offsets(map.value_offsets()), map.entries())
            }
            _ => return None,
        })
    }

    pub(crate) fn range(&self, i: usize) -> std::ops::Range<usize> {
        match self {
            Self::Offsets(offsets) => offsets[i].as_usize()..offsets[i + 1].as_usize(),
            Self::LargeOffsets(offsets) => offsets[i].as_usize()..offsets[i + 1].as_usize(),
            Self::Views(offsets, sizes) => offsets[i].as_usize()..offsets[i].as_usize() + sizes[i].as_usize(),
            Self::LargeViews(offsets, sizes) => offsets[i].as_usize()..offsets[i].as_usize() + sizes[i].as_usize(),
            Self::Fixed(size) => i * size..(i + 1) * size,
        }
    }
}

/// Where the value of each place lies among the values of a dictionary or of runs.
pub(crate) enum Indexes<'a> {
    Key8(&'a [i8]),
    Key16(&'a [i16]),
    Key32(&'a [i32]),
    Key64(&'a [i64]),
    KeyU8(&'a [u8]),
    KeyU16(&'a [u16]),
    KeyU32(&'a [u32]),
    KeyU64(&'a [u64]),
    Run16(&'a RunArray<Int16Type>),
    Run32(&'a RunArray<Int32Type>),
    Run64(&'a RunArray<Int64Type>),
}

impl<'a> Indexes<'a> {
    /// The indexes and values of a dictionary or of runs; `None` for any other type.
    pub(crate) fn of(array: &'a dyn Array) -> Option<(Self, &'a dyn Array)> {
        macro_rules! dictionary {
            ($variant:ident, $key:ty) => {{
                let dictionary = array.as_dictionary::<$key>();
                (Self::$variant(dictionary.keys().values()), &**dictionary.values())
            }};
        }
        macro_rules! runs {
            ($variant:ident, $end:ty) => {{
                let runs = array.as_run::<$end>();
                (Self::$variant(runs), &**runs.values())
            }};
        }
        Some(match array.data_type() {
            DataType::Dictionary(key, _) => match key.as_ref() {
                DataType::Int8 => dictionary!(Key8, Int8Type),
                DataType::Int16 => dictionary!(Key16, Int16Type),
                DataType::Int32 => dictionary!(Key32, Int32Type),
                DataType::Int64 => dictionary!(Key64, Int64Type),
                DataType::UInt8 => dictionary!(KeyU8, UInt8Type),
                DataType::UInt16 => dictionary!(KeyU16, UInt16Type),
                DataType::UInt32 => dictionary!(KeyU32, UInt32Type),
                DataType::UInt64 => dictionary!(KeyU64, UInt64Type),
                _ => return None,
            },
            DataType::RunEndEncoded(ends, _) => match ends.data_type() {
                DataType::Int16 => runs!(Run16, Int16Type),
                DataType::Int32 => runs!(Run32, Int32Type),
                DataType::Int64 => runs!(Run64, Int64Type),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The index among the values. Not to be asked where the key is null.
    pub(crate) fn index(&self, i: usize) -> usize {
        match self {
            Self::Key8(keys) => keys[i].as_usize(),
            Self::Key16(keys) => keys[i].as_usize(),
            Self::Key32(keys) => keys[i].as_usize(),
            Self::Key64(keys) => keys[i].as_usize(),
            Self::KeyU8(keys) => keys[i].as_usize(),
            Self::KeyU16(keys) => keys[i].as_usize(),
            Self::KeyU32(keys) => keys[i].as_usize(),
            Self::KeyU64(keys) => keys[i].as_usize(),
            Self::Run16(runs) => runs.get_physical_index(i),
            Self::Run32(runs) => runs.get_physical_index(i),
            Self::Run64(runs) => runs.get_physical_index(i),
        }
    }
}
