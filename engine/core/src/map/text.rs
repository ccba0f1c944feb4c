//! Text of any of Arrow's layouts, as the content of JSON strings.
//!
//! ```text
//! offsets  0      7           18                     a text is copied with what lies behind it, by whole blocks,
//! bytes    Ada Byr jane@x.com Björn …                and what is too much is cut off again (see `block`)
//!          └──── one look at all of them at once: is there anything to escape? ────┘
//! ```
//!
//! Where no text of a batch has anything to escape, none of them is looked at a second time.

use arrow::array::{ByteView, LargeStringArray, StringArray, StringViewArray};
use arrow::buffer::Buffer;
use arrow::datatypes::ArrowNativeType;

use super::{block, write};

/// The longest text that lies in its view.
const INLINE_MAX: usize = 12;

/// Texts, one after another.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, O> {
    offsets: &'a [O],
    bytes: &'a [u8],
}

/// Text of any layout.
#[derive(Clone, Copy)]
pub(crate) enum Texts<'a> {
    Small(&'a StringArray, Run<'a, i32>),
    Large(&'a LargeStringArray, Run<'a, i64>),
    View(&'a StringViewArray),
}

impl<'a> From<&'a StringArray> for Texts<'a> {
    fn from(array: &'a StringArray) -> Self {
        Self::Small(array, Run { offsets: array.value_offsets(), bytes: array.value_data() })
    }
}

impl<'a> From<&'a LargeStringArray> for Texts<'a> {
    fn from(array: &'a LargeStringArray) -> Self {
        Self::Large(array, Run { offsets: array.value_offsets(), bytes: array.value_data() })
    }
}

impl<'a> From<&'a StringViewArray> for Texts<'a> {
    fn from(array: &'a StringViewArray) -> Self {
        Self::View(array)
    }
}

/// What all texts of a batch are found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    /// Anything: each has to be looked at.
    Any,
    /// None has anything to escape.
    Plain,
    /// The same, and they are ASCII.
    Ascii,
}

impl<'a, O: ArrowNativeType> Run<'a, O> {
    /// The bytes from the start of text `i` on, and how many of them are its own.
    #[inline]
    fn at(&self, i: usize) -> (&'a [u8], usize) {
        let (from, to) = (self.offsets[i].as_usize(), self.offsets[i + 1].as_usize());
        (&self.bytes[from..], to - from)
    }

    fn survey(&self) -> Found {
        let (Some(from), Some(to)) = (self.offsets.first(), self.offsets.last()) else { return Found::Any };
        let bytes = &self.bytes[from.as_usize()..to.as_usize()];
        match write::is_plain(bytes) {
            false => Found::Any,
            true if bytes.is_ascii() => Found::Ascii,
            true => Found::Plain,
        }
    }
}

impl<'a> Texts<'a> {
    /// Text `i`.
    #[inline]
    pub(crate) fn value(&self, i: usize) -> &'a str {
        match self {
            Self::Small(array, _) => array.value(i),
            Self::Large(array, _) => array.value(i),
            Self::View(array) => array.value(i),
        }
    }

    /// Looks at all of them.
    pub(crate) fn survey(&self) -> Found {
        match self {
            Self::Small(_, run) => run.survey(),
            Self::Large(_, run) => run.survey(),
            // They lie here and there.
            Self::View(_) => Found::Any,
        }
    }

    /// Appends text `i` as the content of a JSON string.
    #[inline]
    pub(crate) fn write(&self, i: usize, found: Found, buf: &mut Vec<u8>) {
        match self {
            Self::Small(_, run) => content(buf, run.at(i), found),
            Self::Large(_, run) => content(buf, run.at(i), found),
            Self::View(array) => view(buf, array.views()[i], array.data_buffers()),
        }
    }

    /// The same in upper or lower case. All texts have to be [`Found::Ascii`].
    #[inline]
    pub(crate) fn write_case(&self, i: usize, upper: bool, buf: &mut Vec<u8>) {
        let start = buf.len();
        let at = match self {
            Self::Small(_, run) => Some(run.at(i)),
            Self::Large(_, run) => Some(run.at(i)),
            Self::View(_) => None,
        };
        if let Some((bytes, length)) = at
            && let Some(block) = block::first(bytes, length)
        {
            let changed = if upper { block.map(|byte| byte.to_ascii_uppercase()) } else { block.map(|byte| byte.to_ascii_lowercase()) };
            block::put(buf, &changed, length);
            return;
        }
        buf.extend_from_slice(self.value(i).as_bytes());
        if upper { buf[start..].make_ascii_uppercase() } else { buf[start..].make_ascii_lowercase() }
    }
}

#[inline]
fn content(buf: &mut Vec<u8>, (bytes, length): (&[u8], usize), found: Found) {
    if found == Found::Any { write::content(buf, bytes, length) } else { block::copy(buf, bytes, length) }
}

/// A text of twelve bytes or fewer is in the view itself, behind its length.
#[inline]
fn view(buf: &mut Vec<u8>, view: u128, buffers: &[Buffer]) {
    let length = view as u32 as usize;
    if length > INLINE_MAX {
        let view = ByteView::from(view);
        let bytes = buffers[view.buffer_index as usize].as_slice();
        write::content(buf, &bytes[view.offset as usize..], length);
        return;
    }
    let text = (view >> 32).to_le_bytes();
    if write::plain_prefix(&text) < length {
        write::escaped_bytes(buf, &text[..length]);
        return;
    }
    let end = buf.len() + length;
    buf.extend_from_slice(&text);
    buf.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of every length with an odd character at every place, one after another, as the odd and the even see it: with and without
    /// something odd right behind.
    fn texts() -> Vec<String> {
        let mut texts = vec![String::new()];
        for odd in ['"', '\\', '\n', '\u{1}', 'é', '\u{7f}', '😀'] {
            for length in 0..=40 {
                for at in [0, length / 2, length] {
                    let mut text = "Ab".repeat(20)[..length].to_owned();
                    text.insert(at, odd);
                    texts.push(text);
                }
                texts.push("x".repeat(length));
            }
        }
        texts
    }

    fn written<'a>(texts: impl Into<Texts<'a>>, count: usize) -> Vec<String> {
        let texts = texts.into();
        let found = texts.survey();
        let one = |i| {
            let mut buf = b"\"".to_vec();
            texts.write(i, found, &mut buf);
            buf.push(b'"');
            String::from_utf8(buf).unwrap()
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn every_layout_gives_the_json_that_serde_gives() {
        let texts = texts();
        let expected: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
        assert_eq!(written(&StringArray::from_iter_values(&texts), texts.len()), expected);
        assert_eq!(written(&LargeStringArray::from_iter_values(&texts), texts.len()), expected);
        assert_eq!(written(&StringViewArray::from_iter_values(&texts), texts.len()), expected);
    }

    #[test]
    fn a_slice_is_surveyed_and_written_as_if_there_was_nothing_else() {
        let array = StringArray::from(vec!["\"odd\"", "plain", "Zoë", "é\\"]);
        let found = |from, length| Texts::from(&array.slice(from, length)).survey();
        assert_eq!((found(0, 4), found(1, 1), found(1, 2), found(2, 2)), (Found::Any, Found::Ascii, Found::Plain, Found::Any));
        assert_eq!(written(&array.slice(1, 2), 2), ["\"plain\"", "\"Zoë\""]);
        assert!(written(&array.slice(4, 0), 0).is_empty());
    }

    #[test]
    fn ascii_changes_its_case_whatever_lies_behind() {
        for length in 0..70 {
            let texts = ["aB1-z[@`{".repeat(8)[..length].to_owned(), "AfTeR".repeat(4)];
            let (small, view) = (StringArray::from_iter_values(&texts), StringViewArray::from_iter_values(&texts));
            for (i, text) in texts.iter().enumerate() {
                for texts_of in [Texts::from(&small), Texts::from(&view)] {
                    let (mut upper, mut lower) = (b"aA".to_vec(), b"aA".to_vec());
                    texts_of.write_case(i, true, &mut upper);
                    texts_of.write_case(i, false, &mut lower);
                    assert_eq!(upper, [b"aA", text.to_ascii_uppercase().as_bytes()].concat());
                    assert_eq!(lower, [b"aA", text.to_ascii_lowercase().as_bytes()].concat());
                }
            }
        }
    }
}
