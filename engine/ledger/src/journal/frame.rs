//! The bytes of a journal.

use outflow_contract::{Error, Kind, Result};

use super::Frame;

/// The longest payload of a frame: more than the outcomes of any one request.
pub const FRAME_BYTES_MAX: usize = 256 << 20;
/// How far a whole frame is looked for behind one that is not.
const SEARCH_BYTES: usize = 64 << 10;
/// Length and checksum.
const HEAD_BYTES: usize = 8;

/// Encodes one frame.
pub(crate) fn encode(frame: &Frame) -> Result<Vec<u8>> {
    let bytes = postcard::to_extend(frame, vec![0; HEAD_BYTES])
        .map_err(|error| Error::bug("could not encode a frame of the journal").caused_by(error))?;
    let payload = &bytes[HEAD_BYTES..];
    if payload.len() > FRAME_BYTES_MAX {
        return Err(Error::new(Kind::Limit, format!("a frame of the journal has {} bytes, more than {FRAME_BYTES_MAX}", payload.len()))
            .remedy("send fewer records in one request"));
    }
    let (length, checksum) = (payload.len() as u32, crc32fast::hash(payload));
    let mut bytes = bytes;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// The frames of a journal, one at a time, up to the first that is torn or damaged.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Reads `bytes`, whatever they are.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes follow that are no frame, once the iterator has ended: 0 if the journal is whole.
    pub fn unread_bytes(&self) -> usize {
        self.rest.len()
    }

    /// Once the iterator has ended: is what is left more than the torn end that a killed writer or a power cut leaves? Then there may have
    /// been frames that were durable, and whatever they said is not known.
    pub fn is_damaged(&self) -> bool {
        if self.rest.iter().all(|&byte| byte == 0) {
            return false;
        }
        let cut_off = match self.rest.split_first_chunk::<4>() {
            None => true,
            Some((length, rest)) => {
                let length = u32::from_le_bytes(*length) as usize;
                length != 0 && length <= FRAME_BYTES_MAX && rest.len() < length + HEAD_BYTES - 4
            }
        };
        // A damaged length may reach beyond frames that are whole.
        !cut_off || (1..self.rest.len().min(SEARCH_BYTES)).any(|at| Frames { rest: &self.rest[at..] }.split().is_some())
    }

    fn split(&self) -> Option<(Frame, &'a [u8])> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 || length > FRAME_BYTES_MAX {
            return None;
        }
        let (payload, rest) = rest.split_at_checked(length)?;
        if crc32fast::hash(payload) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (frame, left_over) = postcard::take_from_bytes::<Frame>(payload).ok()?;
        left_over.is_empty().then_some((frame, rest))
    }
}

impl Iterator for Frames<'_> {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let (frame, rest) = self.split()?;
        self.rest = rest;
        Some(frame)
    }
}

/// All frames of a journal, up to the first that is torn or damaged. For long journals use [`Frames`].
pub fn read_journal(bytes: &[u8]) -> Vec<Frame> {
    Frames::new(bytes).collect()
}
