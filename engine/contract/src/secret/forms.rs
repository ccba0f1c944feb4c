//! The texts that are looked for, and where they are.

use std::collections::BTreeSet;
use std::ops::Range;

use super::SEARCHED_BYTES_MIN;
use super::escapes::{Readings, is_introducer};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The secrets, and their forms that no escaping leads to.
#[derive(Default)]
pub(super) struct Forms {
    all: BTreeSet<Vec<u8>>,
    /// The letters with which they begin.
    first: BTreeSet<u8>,
}

impl Forms {
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.as_bytes();
        let mut forms = vec![secret.to_vec()];
        for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
            forms.push(secret.iter().flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]).collect());
        }
        for letters in [STANDARD, FOR_URLS] {
            let whole = base64(secret, letters);
            forms.push([&whole[..], &b"=="[..(4 - whole.len() % 4) % 4]].concat());
            forms.push(whole);
            // As a part of something longer, such as `user:secret`: the letters that are of the secret alone.
            for before in 0..3 {
                let all = base64(&[vec![0; before].as_slice(), secret].concat(), letters);
                let own = (before * 8).div_ceil(6)..(before + secret.len()) * 8 / 6;
                forms.push(all.get(own).unwrap_or_default().to_vec());
            }
        }
        forms.retain(|form| form.len() >= SEARCHED_BYTES_MIN);
        self.first.extend(forms.iter().filter_map(|form| form.first()));
        self.all.extend(forms);
    }

    /// Where secrets are in `text`, in their order, and nowhere two that touch: of secrets that overlap no end is left behind.
    /// All of it is one where it cannot be read.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut first = [false; 256];
        self.first.iter().for_each(|byte| first[usize::from(*byte)] = true);
        let mut found: Vec<Range<usize>> = Vec::new();
        if self.all.is_empty() {
            return found;
        }
        let Some(readings) = Readings::of(text) else { return std::iter::once(0..text.len()).collect() };
        for (at, byte) in text.iter().enumerate() {
            if !first[usize::from(*byte)] && !is_introducer(*byte) {
                continue;
            }
            let Some(end) = self.longest(text, &readings, at) else { continue };
            match found.last_mut() {
                Some(last) if at <= last.end => last.end = last.end.max(end),
                _ => found.push(at..end),
            }
        }
        found
    }

    /// The end of the longest secret that begins at `at`.
    fn longest(&self, text: &[u8], readings: &Readings<'_>, at: usize) -> Option<usize> {
        let begins: BTreeSet<u8> = readings.units(at).filter_map(|unit| unit.bytes().first().copied()).collect();
        let each = begins.iter().flat_map(|byte| self.all.range(vec![*byte]..).take_while(|form| form.first() == Some(byte)));
        each.filter_map(|form| end_of(form, text, readings, at)).max()
    }
}

/// Where `form` ends in `text`, if it begins at `at`, however its characters are written: of several readings the longest.
fn end_of(form: &[u8], text: &[u8], readings: &Readings<'_>, at: usize) -> Option<usize> {
    // What stands there as it is goes first: it is the usual case, and there is nothing to choose.
    let plain = form.iter().zip(text.get(at..)?).take_while(|(wanted, byte)| wanted == byte && !is_introducer(**byte)).count();
    let mut open = BTreeSet::from([(plain, at + plain)]);
    let mut end = None;
    while let Some((done, at)) = open.pop_first() {
        let rest = form.get(done..).unwrap_or_default();
        if rest.is_empty() {
            end = end.max(Some(at));
            continue;
        }
        let fits = readings.units(at).filter(|unit| rest.starts_with(unit.bytes()));
        open.extend(fits.map(|unit| (done + unit.bytes().len(), unit.end)));
    }
    end
}

/// Base64 without padding.
fn base64(bytes: &[u8], letters: &[u8; 64]) -> Vec<u8> {
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        let letter = |place: usize| letters[bits >> (18 - 6 * place) & 63];
        (0..=group.len()).map(letter).collect::<Vec<u8>>()
    };
    bytes.chunks(3).flat_map(group).collect()
}
