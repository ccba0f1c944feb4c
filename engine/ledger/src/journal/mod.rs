//! The journal of a run: what was about to be sent, and what became of it.
//!
//! ```text
//!   intent 0 ── fsync ──► SendPermit ──► request … answer ──► outcome 0      (appended at once, durable with the next group)
//!   intent 1 ──┘ one group, one fsync
//! ```
//!
//! - A request leaves only with a [`SendPermit`], which only a durable intent yields (rule 7).
//! - An outcome is appended only when no further attempt under its intent will be made (rule 8). A re-send after that is a new intent.
//! - Frames are `[length u32 LE][crc32 u32 LE][payload]`. A frame that is torn ends the journal: what follows was not fsynced,
//!   so none of it was sent. Where more than a torn end is left, every record that was not acknowledged before is in doubt. Reading is
//!   total: any bytes give some frames.
//!
//! Non-goals: the journal says nothing about values, and positions mean nothing without the sealed change set of the same run.

mod frame;
mod positions;
mod writer;

use outflow_contract::RequestKey;
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use frame::encode;
pub use frame::{FRAME_BYTES_MAX, Frames, read_journal};
pub use positions::Positions;
pub use writer::{Journal, SendPermit};

/// One thing that a journal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// A request may leave.
    Intent(Intent),
    /// No further attempt will be made under an intent, and this is what is known.
    Outcome(Outcome),
    /// Records that failed before any request, such as in the mapping.
    Refused(Refused),
}

/// A request that may leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number in this run, never used twice.
    pub sequence: u32,
    /// The run of the first intent with these bytes: this run, unless an unanswered request is built again (rule 21).
    pub origin_epoch: u64,
    /// The number of that first intent in its run.
    pub origin_sequence: u32,
    /// The idempotency key.
    pub key: RequestKey,
    /// Its records as they stand in it: positions in the sealed change set.
    pub positions: Positions,
}

/// What is known about a request, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The number of its intent.
    pub sequence: u32,
    /// What the answer said.
    pub result: Answers,
}

/// What an answer said about the records of its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answers {
    /// The same about all.
    All(Answered),
    /// About each, in the order of the request.
    Each(Vec<Answered>),
}

/// What an answer said about one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answered {
    /// The destination has it.
    Acked,
    /// The destination does not take it.
    Refused {
        /// A short, stable code to group by.
        code: String,
        /// In words.
        message: String,
    },
    /// The destination did not look at it: it is as if it had not been sent.
    NotProcessed,
    /// Nothing definite: for this record there is no outcome.
    Unknown,
}

/// Records that failed before any request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which: positions in the sealed change set.
    pub positions: Positions,
    /// A short, stable code to group by.
    pub code: String,
    /// In words.
    pub message: String,
}

#[cfg(test)]
mod tests;
