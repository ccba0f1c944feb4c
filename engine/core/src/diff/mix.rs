//! Keyed mixing: how the words of a value become its part of a hash.
//!
//! ```text
//! value ─► Words (a, b) ─► part = fold(a ^ s₀, c ^ s₁), fold(a ^ s₂, c ^ s₃)   where c = b ^ rotate(a)
//!                                  s: secret words of this column and this class of values
//! ```
//!
//! `fold` is the folded product of wyhash and its kin: both factors depend on the value and on the salt, so that parts are
//! no linear function of values. Everything secret derives from the state's salt by keyed BLAKE3, as a stream of little-endian words.

#![allow(clippy::inline_always, reason = "a few instructions each, in loops over every value")]

use super::canonical::{Class, Words};

/// What a value adds to the two lanes of its record.
pub(super) type Part = (u64, u64);

/// The longest text whose words are its bytes: what an Arrow view holds inline.
pub(super) const SHORT: usize = 12;

/// Folds the 128-bit product of two words: the mixing step of everything here.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// Secret words of what is named.
fn secret<const N: usize>(key: &[u8; 32], domain: &str, name: &str) -> [u64; N] {
    let mut stream = blake3::Hasher::new_keyed(key).update(domain.as_bytes()).update(&[0]).update(name.as_bytes()).finalize_xof();
    std::array::from_fn(|_| {
        let mut bytes = [0; 8];
        stream.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    })
}

/// The salt of one class of values in one place.
#[derive(Clone, Copy)]
pub(super) struct Salt([u64; 4]);

impl Salt {
    pub(super) fn new(key: &[u8; 32], domain: &str) -> Self {
        Self(secret(key, domain, ""))
    }

    #[inline(always)]
    pub(super) fn part(&self, (a, b): Words) -> Part {
        let [s0, s1, s2, s3] = self.0;
        let c = b ^ a.rotate_left(32);
        (fold(a ^ s0, c ^ s1), fold(a ^ s2, c ^ s3))
    }
}

/// The salts of one column: one for each class, so that values of different classes are unrelated, and the part of null.
pub(super) struct Salts {
    classes: [Salt; Class::COUNT],
    pub(super) null: Part,
}

impl Salts {
    pub(super) fn new(key: &[u8; 32], domain: &str, column: &str) -> Self {
        const WORDS: usize = 4 * Class::COUNT + 2;
        let words: [u64; WORDS] = secret(key, domain, column);
        Self {
            classes: std::array::from_fn(|class| Salt(std::array::from_fn(|i| words[4 * class + i]))),
            null: (words[WORDS - 2], words[WORDS - 1]),
        }
    }

    #[inline(always)]
    pub(super) fn of(&self, class: Class) -> Salt {
        self.classes[class as usize]
    }

    #[inline]
    pub(super) fn part(&self, class: Class, words: Words) -> Part {
        self.of(class).part(words)
    }
}

/// Gives bytes their words, and puts the parts of items together, under secrets of the state.
pub(super) struct Mixer {
    text: [u64; 4],
    items: [u64; 4],
}

impl Mixer {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { text: secret(key, "text", ""), items: secret(key, "items", "") }
    }

    /// The words of any bytes.
    #[inline]
    pub(super) fn bytes(&self, bytes: &[u8]) -> Words {
        if bytes.len() > SHORT {
            return self.long(bytes);
        }
        let mut padded = [0; 16];
        padded[..bytes.len()].copy_from_slice(bytes);
        short(bytes.len(), u128::from_le_bytes(padded))
    }

    /// The words of the bytes from `from` up to `to`. Sixteen bytes are read at once where there are as many, whatever they are.
    #[inline(always)]
    pub(super) fn within(&self, data: &[u8], from: usize, to: usize) -> Words {
        let length = to - from;
        if length > SHORT {
            return self.long(&data[from..to]);
        }
        match data.get(from..).and_then(|rest| rest.first_chunk::<16>()) {
            Some(block) => short(length, u128::from_le_bytes(*block) & ((1 << (8 * length)) - 1)),
            None => self.bytes(&data[from..to]),
        }
    }

    /// The words of more than [`SHORT`] bytes: chained over blocks of sixteen, of which the last overlaps the one before; fewer than
    /// sixteen are two overlapping halves.
    #[inline]
    pub(super) fn long(&self, bytes: &[u8]) -> Words {
        let length = bytes.len();
        let mut sum = (self.text[0] ^ length as u64, self.text[1] ^ length as u64);
        let Some(last) = bytes.last_chunk::<16>() else {
            return self.block(sum, word(bytes.first_chunk()), word(bytes.last_chunk()));
        };
        for block in bytes[..length - 1].chunks_exact(16) {
            sum = self.block(sum, word(block.first_chunk()), word(block.last_chunk()));
        }
        self.block(sum, word(last.first_chunk()), word(last.last_chunk()))
    }

    #[inline(always)]
    fn block(&self, (a, b): Words, x: u64, y: u64) -> Words {
        (fold(a ^ x, y ^ self.text[2]), fold(b ^ y, x ^ self.text[3]))
    }

    /// Adds an item in its place.
    #[inline]
    pub(super) fn place(&self, (a, b): Words, (x, y): Part) -> Words {
        let [k0, k1, ..] = self.items;
        (fold(a ^ x, y ^ k0), fold(b ^ y, x ^ k1))
    }

    /// Adds a pair whose place does not matter.
    #[inline]
    pub(super) fn unordered(&self, (a, b): Words, name: Part, value: Part) -> Words {
        let [.., k0, k1] = self.items;
        let first = fold(name.0 ^ k0, value.0.rotate_left(32) ^ value.1);
        let second = fold(name.1 ^ k1, value.1.rotate_left(32) ^ value.0);
        (a.wrapping_add(first), b.wrapping_add(second))
    }
}

/// The words of at most [`SHORT`] bytes, padded with zeros: those of an Arrow view of them.
#[inline(always)]
fn short(length: usize, padded: u128) -> Words {
    ((length as u64) | (padded as u64) << 32, (padded >> 32) as u64)
}

#[inline(always)]
fn word(bytes: Option<&[u8; 8]>) -> u64 {
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_same_words_wherever_they_are_and_whatever_follows() {
        let mixer = Mixer::new(&[1; 32]);
        let data: Vec<u8> = (1..=200).collect();
        for length in 0..=70 {
            for from in [0, 1, 7, 40, data.len() - length] {
                let expected = mixer.bytes(&data[from..from + length]);
                assert_eq!(mixer.within(&data, from, from + length), expected, "{length} from {from}");
            }
        }
    }

    #[test]
    fn short_bytes_have_the_words_of_their_arrow_view() {
        let view = arrow::array::make_view(b"hello world!", 0, 0);
        assert_eq!(Mixer::new(&[1; 32]).bytes(b"hello world!"), (view as u64, (view >> 64) as u64));
    }

    #[test]
    fn the_lanes_have_nothing_to_do_with_each_other() {
        let salts = Salts::new(&[1; 32], "row", "a");
        for part in [|i| (i, 0), |i| (i << 40, 0), |i| (0, i), |i| (i, i)] {
            let differing = |turn: u32| -> u32 {
                let parts = (0..1 << 12).map(|i| salts.part(Class::Number, part(i)));
                parts.map(|(a, b)| (a ^ b.rotate_left(turn)).count_ones()).sum()
            };
            for turn in 0..64 {
                let mean = f64::from(differing(turn)) / f64::from(1 << 12);
                assert!((mean - 32.0).abs() < 1.0, "{mean} bits differ, turned by {turn}");
            }
        }
    }

    #[test]
    fn every_byte_counts_at_every_length() {
        let mixer = Mixer::new(&[1; 32]);
        for length in 0..=80 {
            let plain = vec![0; length];
            assert_ne!(mixer.bytes(&plain), mixer.bytes(&vec![0; length + 1]));
            for at in 0..length {
                let mut changed = plain.clone();
                changed[at] = 1;
                let ((a, b), (c, d)) = (mixer.bytes(&plain), mixer.bytes(&changed));
                assert!(length <= SHORT || a != c && b != d, "byte {at} of {length}");
                assert_ne!((a, b), (c, d));
            }
        }
    }
}
