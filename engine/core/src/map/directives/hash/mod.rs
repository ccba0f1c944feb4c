//! `@hash`: the hash of a value, normalised first as its receiver asks.
//!
//! ```text
//! column ──► text where it lies ──► normalised at the end of the buffer ──► hashed ──► the hash in its place
//!                    └── such a hash already: passed on, in lower case ──────────────────────┘
//! ```
//!
//! The hashing is meant to be all that it costs: no record allocates (but for text with escapes in it, or Greek capitals), and the
//! hash runs on the instructions that the processor has for it.
//!
//! What is such a hash already is told by its length and alphabet. What is empty once it is normalised is missing: the hash of nothing
//! is the same for everybody, and would match them all.

mod normal;
mod phone;
mod places;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use outflow_contract::expr::{Algorithm, Encoding, Hashing};
use sha2::{Digest, Sha256, Sha512};

use super::super::bind::Bound;
use super::super::call::Work;
use super::super::output::Output;
use super::super::types::Told;
use super::super::write;
use super::scalar::Taker;

/// The longest hash, in bytes.
const HASH_BYTES_MAX: usize = 64;
/// What decoding base64 of the longest hash takes, in bytes: it is counted by whole groups of three.
const DECODED_BYTES_MAX: usize = HASH_BYTES_MAX.div_ceil(3) * 3;

/// The directive.
#[derive(Debug)]
pub(crate) struct Hash {
    taker: Taker,
    options: Hashing,
}

impl Hash {
    pub(crate) fn new(options: &Hashing, place: &str) -> Self {
        Self { taker: Taker::new("@hash", "text or another scalar", place), options: options.clone() }
    }

    /// Appends the hash as a JSON string. False if nothing is left to hash.
    fn hash(&self, text: &str, buf: &mut Vec<u8>) -> bool {
        // No way to write a hash is shorter than it is.
        let may_be_hash = text.len() >= self.options.algorithm.bytes() && !self.options.rehash;
        if may_be_hash && self.pass_on(text.trim(), buf) {
            return true;
        }
        let start = buf.len();
        normal::write(&self.options, text, buf);
        if buf.len() == start {
            return false;
        }
        match self.options.algorithm {
            Algorithm::Sha256 => self.replace(start, &Sha256::digest(&buf[start..]), buf),
            Algorithm::Sha512 => self.replace(start, &Sha512::digest(&buf[start..]), buf),
            Algorithm::Md5 => self.replace(start, &Md5::digest(&buf[start..]), buf),
        }
        true
    }

    /// Appends a text that is such a hash already. False if it is none.
    fn pass_on(&self, text: &str, buf: &mut Vec<u8>) -> bool {
        let (length, mut hash) = (self.options.algorithm.bytes(), [0; DECODED_BYTES_MAX]);
        let is_hex = text.len() == length * 2 && hex::decode_to_slice(text, &mut hash[..length]).is_ok();
        let may_be_base64 = self.options.encoding == Encoding::Base64 && text.len() == length.div_ceil(3) * 4;
        let is_hash = is_hex || (may_be_base64 && STANDARD.decode_slice(text, &mut hash) == Ok(length));
        if is_hash {
            self.encode(&hash[..length], buf);
        }
        is_hash
    }

    fn replace(&self, start: usize, hash: &[u8], buf: &mut Vec<u8>) {
        buf.truncate(start);
        self.encode(hash, buf);
    }

    fn encode(&self, hash: &[u8], buf: &mut Vec<u8>) {
        match self.options.encoding {
            Encoding::Hex => write::hexadecimal(buf, hash),
            Encoding::Base64 => write::base64(buf, hash),
        }
    }
}

impl Work for Hash {
    fn write<'a>(&self, args: &[Bound<'a>], i: usize, out: &mut Output<'a>) -> bool {
        self.taker.text(args, i, out, |text, _, out| self.hash(text, &mut out.buf))
    }

    fn told(&self, args: &[Option<Told>]) -> Option<Told> {
        args.first()?.as_ref().map(|_| Told::text())
    }
}

#[cfg(test)]
mod tests;
