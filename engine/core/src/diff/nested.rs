//! Adds the parts of values that have to be walked: nested ones, JSON, wide decimals and encoded columns.
//!
//! The items of a nested value have parts of their own, under salts of the state that no column has. In order (lists) or out of order
//! (structs, maps, JSON objects) they become two words of the nested value, and those a part as the words of any value do.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait};
use arrow::compute::{cast, take};
use arrow::datatypes::{ArrowNativeType, DataType, Decimal256Type};
use outflow_contract::source::is_json;
use outflow_contract::{Error, Result};
use serde_json::Value;

use super::canonical::{Class, Words, integer, number_text};
use super::columns::{Tile, number};
use super::comparable::items;
use super::hash::Lanes;
use super::mix::{Mixer, Part, Salts};

/// Knows how to get from any array to the parts of its values.
pub(super) struct Walker {
    pub(super) mixer: Mixer,
    items: Salts,
}

impl Walker {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { mixer: Mixer::new(key), items: Salts::new(key, "item", "") }
    }

    /// Do values of this type have to be walked? `json`: it is text that holds JSON.
    pub(super) fn walks(kind: &DataType, json: bool) -> bool {
        json || kind.is_nested() || matches!(kind, DataType::Dictionary(_, _) | DataType::RunEndEncoded(_, _) | DataType::Decimal256(_, _))
    }

    /// Adds the part of every value of `array` to `sums`.
    pub(super) fn add(&self, array: &ArrayRef, json: bool, salts: &Salts, sums: &mut Lanes) -> Result<()> {
        let plain = array.as_ref();
        match plain.data_type() {
            DataType::Dictionary(_, _) => return self.dictionary(array, json, salts, sums),
            DataType::RunEndEncoded(_, values) => {
                let expanded =
                    cast(plain, values.data_type()).map_err(|e| Error::bug("could not expand a run-end encoded column").caused_by(e))?;
                return self.add(&expanded, json || is_json(values), salts, sums);
            }
            DataType::Utf8 if json => self.jsons(plain.as_string::<i32>().iter(), salts, sums),
            DataType::LargeUtf8 if json => self.jsons(plain.as_string::<i64>().iter(), salts, sums),
            DataType::Utf8View if json => self.jsons(plain.as_string_view().iter(), salts, sums),
            DataType::Decimal256(_, _) => self.wide_decimals(plain, salts, sums),
            DataType::Struct(_) => self.structs(plain, salts, sums)?,
            DataType::List(_) => {
                let list = plain.as_list::<i32>();
                self.lists(plain, list.values(), offsets(list.offsets()), salts, sums)?;
            }
            DataType::LargeList(_) => {
                let list = plain.as_list::<i64>();
                self.lists(plain, list.values(), offsets(list.offsets()), salts, sums)?;
            }
            DataType::FixedSizeList(_, size) => {
                let size = *size as usize;
                self.lists(plain, plain.as_fixed_size_list().values(), |i| (i * size, (i + 1) * size), salts, sums)?;
            }
            DataType::ListView(_) => {
                let list = plain.as_list_view::<i32>();
                self.lists(plain, list.values(), views(list.offsets(), list.sizes()), salts, sums)?;
            }
            DataType::LargeListView(_) => {
                let list = plain.as_list_view::<i64>();
                self.lists(plain, list.values(), views(list.offsets(), list.sizes()), salts, sums)?;
            }
            DataType::Map(_, _) => self.maps(plain, salts, sums)?,
            kind => {
                let (rows, Lanes { high, low }) = (0..plain.len(), sums);
                if !(Tile { array: plain, rows, mixer: &self.mixer, salts, high, low }).add() {
                    return Err(Error::bug(format!("a column of type {kind} reached the hash")));
                }
            }
        }
        Ok(())
    }

    /// The parts of all values of `array`.
    fn parts(&self, array: &ArrayRef, json: bool, salts: &Salts) -> Result<Lanes> {
        let mut parts = Lanes::zeros(array.len());
        self.add(array, json, salts, &mut parts)?;
        Ok(parts)
    }

    fn text(&self, text: &str, salts: &Salts) -> Part {
        salts.part(Class::Text, self.mixer.bytes(text.as_bytes()))
    }

    /// A number as text; what is none keeps its bytes.
    fn number(&self, text: &str, salts: &Salts) -> Part {
        number_text(text).map_or_else(|| salts.part(Class::Digits, self.mixer.bytes(text.as_bytes())), |n| number(&n, &self.mixer, salts))
    }

    fn wide_decimals(&self, array: &dyn Array, salts: &Salts, sums: &mut Lanes) {
        let decimals = array.as_primitive::<Decimal256Type>();
        for i in 0..decimals.len() {
            sums.add(i, if decimals.is_null(i) { salts.null } else { self.number(&decimals.value_as_string(i), salts) });
        }
    }

    fn jsons<'a>(&self, values: impl Iterator<Item = Option<&'a str>>, salts: &Salts, sums: &mut Lanes) {
        for (i, text) in values.enumerate() {
            sums.add(i, text.map_or(salts.null, |text| self.json_text(text, salts)));
        }
    }

    /// Text that is not JSON keeps its bytes, so that it still compares.
    fn json_text(&self, text: &str, salts: &Salts) -> Part {
        let bytes = || salts.part(Class::Binary, self.mixer.bytes(text.as_bytes()));
        serde_json::from_str::<Value>(text).map_or_else(|_| bytes(), |value| self.json(&value, salts))
    }

    fn json(&self, value: &Value, salts: &Salts) -> Part {
        match value {
            Value::Null => salts.null,
            Value::Bool(value) => salts.part(Class::Boolean, integer((*value).into())),
            Value::Number(number) => self.number(&number.to_string(), salts),
            Value::String(text) => self.text(text, salts),
            Value::Array(items) => {
                let start = list_start(items.len());
                salts.part(Class::List, items.iter().fold(start, |sum, item| self.mixer.place(sum, self.json(item, &self.items))))
            }
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (self.text(name, &self.items), self.json(value, &self.items)));
                salts.part(Class::Map, members.fold((0, 0), |sum, (name, value)| self.mixer.unordered(sum, name, value)))
            }
        }
    }

    fn structs(&self, array: &dyn Array, salts: &Salts, sums: &mut Lanes) -> Result<()> {
        let array = array.as_struct();
        let mut words = vec![(0, 0); array.len()];
        for (field, member) in array.fields().iter().zip(array.columns()) {
            let name = self.text(field.name(), &self.items);
            let parts = self.parts(member, is_json(field), &self.items)?;
            for (i, sum) in words.iter_mut().enumerate() {
                if parts.part(i) != self.items.null {
                    *sum = self.mixer.unordered(*sum, name, parts.part(i));
                }
            }
        }
        finish(array, Class::Struct, &words, salts, sums);
        Ok(())
    }

    fn lists(
        &self,
        array: &dyn Array,
        values: &ArrayRef,
        range: impl Fn(usize) -> (usize, usize),
        salts: &Salts,
        sums: &mut Lanes,
    ) -> Result<()> {
        let (first, items) = self.reached(array.len(), values, items_are_json(array.data_type()), &range)?;
        let words: Vec<Words> = (0..array.len())
            .map(|i| {
                let (from, to) = if array.is_null(i) { (first, first) } else { range(i) };
                (from..to).fold(list_start(to - from), |sum, at| self.mixer.place(sum, items.part(at - first)))
            })
            .collect();
        finish(array, Class::List, &words, salts, sums);
        Ok(())
    }

    fn maps(&self, array: &dyn Array, salts: &Salts, sums: &mut Lanes) -> Result<()> {
        let array = array.as_map();
        let range = offsets(array.offsets());
        let (first, keys) = self.reached(array.len(), array.keys(), false, &range)?;
        let (_, values) = self.reached(array.len(), array.values(), items_are_json(array.data_type()), &range)?;
        let words: Vec<Words> = (0..array.len())
            .map(|i| {
                let (from, to) = if array.is_null(i) { (first, first) } else { range(i) };
                (from - first..to - first).fold((0, 0), |sum, at| self.mixer.unordered(sum, keys.part(at), values.part(at)))
            })
            .collect();
        finish(array, Class::Map, &words, salts, sums);
        Ok(())
    }

    /// The parts of the items that lists reach: the first one's place, and those from there to the last one.
    fn reached(&self, lists: usize, values: &ArrayRef, json: bool, range: impl Fn(usize) -> (usize, usize)) -> Result<(usize, Lanes)> {
        let ranges = || (0..lists).map(&range).filter(|(from, to)| from < to);
        let first = ranges().map(|(from, _)| from).min().unwrap_or(0);
        let last = ranges().map(|(_, to)| to).max().unwrap_or(first);
        Ok((first, self.parts(&values.slice(first, last - first), json, &self.items)?))
    }

    /// Each value of the dictionary is hashed once, if it is not larger than the column.
    fn dictionary(&self, array: &ArrayRef, json: bool, salts: &Salts, sums: &mut Lanes) -> Result<()> {
        let dictionary = array.as_any_dictionary();
        if dictionary.values().len() > array.len() {
            let plain =
                take(dictionary.values(), dictionary.keys(), None).map_err(|e| Error::bug("could not expand a dictionary").caused_by(e))?;
            return self.add(&plain, json, salts, sums);
        }
        let parts = self.parts(dictionary.values(), json, salts)?;
        if parts.high.is_empty() {
            return self.add(&arrow::array::new_null_array(&DataType::Null, array.len()), false, salts, sums);
        }
        for (i, key) in dictionary.normalized_keys().into_iter().enumerate() {
            sums.add(i, if array.is_null(i) { salts.null } else { parts.part(key) });
        }
        Ok(())
    }
}

/// Are the items of a list, or the values of a map, text that holds JSON?
fn items_are_json(kind: &DataType) -> bool {
    items(kind).is_some_and(|items| items.last().is_some_and(|item| is_json(item)))
}

fn list_start(length: usize) -> Words {
    (length as u64, 0)
}

/// Adds the parts of nested values.
fn finish(array: &dyn Array, class: Class, words: &[Words], salts: &Salts, sums: &mut Lanes) {
    let salt = salts.of(class);
    for (i, &words) in words.iter().enumerate() {
        sums.add(i, if array.is_null(i) { salts.null } else { salt.part(words) });
    }
}

fn offsets<O: OffsetSizeTrait>(offsets: &[O]) -> impl Fn(usize) -> (usize, usize) {
    move |i| (offsets[i].as_usize(), offsets[i + 1].as_usize())
}

fn views<O: ArrowNativeType>(offsets: &[O], sizes: &[O]) -> impl Fn(usize) -> (usize, usize) {
    move |i| (offsets[i].as_usize(), offsets[i].as_usize() + sizes[i].as_usize())
}
