//! The vocabulary of Outflow and its four seams.
//!
//! Everything that two crates must agree on lives here, and nothing that does I/O:
//!
//! | module | holds |
//! |---|---|
//! | [`key`] | the identity of a record and of its state |
//! | [`change`] | operations, entries of a change set, record selections, counts |
//! | [`expr`] | the mapping language as a tree |
//! | [`mod@format`] | the forms that texts may have to have |
//! | [`plan`] | a validated project, as the planner hands it to the engine |
//! | [`requirement`] | fields that only some records need |
//! | [`source`] | **seam**: where records come from |
//! | [`destination`] | **seam**: how records become requests, and answers become outcomes |
//! | [`template`] | a destination's message for a record, as data |
//! | [`outcome`] | requests, answers, and what an answer proves about each record |
//! | [`state_store`] | **seam**: where state is kept |
//! | [`clock`] | **seam**: time and randomness |
//! | [`report`] | what a sync did, as people and programs read it |
//! | [`secret`] | values that never leave the process except in the request that needs them |
//! | [`error`] | failures: what, on what, whose fault, what to do |
//! | [`limits`] | every default limit with its reason |

pub mod change;
pub mod clock;
pub mod destination;
pub mod error;
pub mod expr;
pub mod format;
mod ids;
pub mod key;
pub mod limits;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod requirement;
pub mod secret;
pub mod source;
pub mod state_store;
pub mod template;

pub use change::{Attempt, Before, Counts, Entry, Failed, Op, Selection};
pub use error::{Blame, Error, Kind, Result, Retry};
pub use key::{Key, RecordId, RequestKey, RowHash};
