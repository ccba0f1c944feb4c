//! Short texts, copied by whole blocks.
//!
//! A copy by a length that is known only at run time is a call into the C library. One of 32 bytes is two instructions; so what is
//! shorter is copied with whatever lies behind it, and what was too much is cut off again.

/// Bytes that are copied at once.
pub(crate) const BLOCK: usize = 32;

/// A text that goes into every record.
#[derive(Clone, Debug)]
pub(crate) struct Constant {
    first: [u8; BLOCK],
    /// How much of the first block is text.
    used: usize,
    rest: Vec<u8>,
}

impl Constant {
    pub(crate) fn new(text: &[u8]) -> Self {
        let used = text.len().min(BLOCK);
        let mut first = [0; BLOCK];
        first[..used].copy_from_slice(&text[..used]);
        Self { first, used, rest: text[used..].to_vec() }
    }

    /// Appends it.
    #[inline]
    pub(crate) fn write(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.first);
        if self.used < BLOCK {
            buf.truncate(buf.len() - (BLOCK - self.used));
        } else if !self.rest.is_empty() {
            buf.extend_from_slice(&self.rest);
        }
    }
}

/// The block at the front of `bytes`, if `length` bytes are no more than one and there are as many.
#[inline]
pub(crate) fn first(bytes: &[u8], length: usize) -> Option<&[u8; BLOCK]> {
    bytes.first_chunk().filter(|_| length <= BLOCK)
}

/// Appends the first `length` bytes of `block`.
#[inline]
pub(crate) fn put(buf: &mut Vec<u8>, block: &[u8; BLOCK], length: usize) {
    let end = buf.len() + length;
    buf.extend_from_slice(block);
    buf.truncate(end);
}

/// Appends the first `length` bytes of `bytes`, of which there are no fewer.
#[inline]
pub(crate) fn copy(buf: &mut Vec<u8>, bytes: &[u8], length: usize) {
    match first(bytes, length) {
        Some(block) => put(buf, block, length),
        None => buf.extend_from_slice(&bytes[..length]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_copied_whole_and_nothing_behind_it() {
        let all: Vec<u8> = (0..110).collect();
        for length in 0..70 {
            for behind in [0, 1, 30, 31, 32, 40] {
                let mut buf = b"before".to_vec();
                copy(&mut buf, &all[..length + behind], length);
                assert_eq!(buf, [b"before", &all[..length]].concat(), "{length} with {behind} behind");
            }
            let mut buf = b"before".to_vec();
            Constant::new(&all[..length]).write(&mut buf);
            assert_eq!(buf, [b"before", &all[..length]].concat());
        }
    }
}
