//! diff: what changed between the snapshot of a model and its result now.
//!
//! ```text
//! result batch ─► hash (key, row) ─► table of row hashes ─┬─ found      the same: nothing to do
//!                                                          └─ not found  waits, with its values
//! what waits ─► the snapshot's keys ─┬─ known    updated
//!                                    └─ unknown  added
//! never returned ────────────────────── deleted  (only after the stream ended well)
//! ```
//!
//! [`DiffExec`] does it as a DataFusion operator. The values of the snapshot are not read for this, nor are all of its hashes held: the
//! [`table`] has 12.3 bytes a record, the rest stays in the hash files. `canonical.rs` says when two values are equal; the hash is keyed by a
//! salt of the model's own.
//!
//! | file | does |
//! |---|---|
//! | `canonical`, `mix`, `columns`, `nested`, `hash` | two hashes of each record: of its identifier, and of all its columns |
//! | `comparable` | which types an identifier may change to |
//! | [`table`], `load` | the snapshot in memory |
//! | `compare` | one thread: hashes batches and looks them up |
//! | `waiting` | keeps changed and new records, in memory or on disk, until it is known which they are |
//! | `segments` | tells them from each other and from repeated ones |
//! | `changes` | what was told, as a change set |
//! | `deletes` | hands out what was never returned |
//! | `outdated` | does so for those that are known by other columns |
//! | `rounds` | a table that does not fit in memory, a part at a time |
//! | `exec`, `run`, `input` | the operator, one execution of it, and a source as its input |

mod canonical;
mod changes;
mod columns;
mod comparable;
mod compare;
mod deletes;
mod exec;
mod hash;
mod input;
mod load;
mod mix;
mod nested;
mod outdated;
mod reject;
mod rounds;
mod run;
mod segments;
mod sizes;
mod table;
mod tally;
mod waiting;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use outflow_contract::limits::Limits;

pub use comparable::can_be_equal;
pub use exec::DiffExec;
pub use hash::{HASH_FORMAT, Lanes, RecordHasher};
pub use input::{source_of, told};
pub use outdated::Outdated;
pub use reject::{Reason, Rejections};
pub use tally::Tally;

use crate::scratch::{Folder, Piles, Stored, numbers};
use crate::snapshot::HashSnapshot;
use table::Table;

/// What is compared, and how.
pub struct Comparison {
    /// The records as they were.
    pub snapshot: HashSnapshot,
    /// Gives records their hashes.
    pub hasher: RecordHasher,
    /// The columns of a record, all nullable.
    pub schema: SchemaRef,
    /// The identifier's columns.
    pub id: Vec<usize>,
    /// Records over these are not accepted; and what the process may hold, if there is a limit.
    pub limits: Limits,
    /// The version that the result becomes.
    pub version: u64,
    /// How many records without an identifier there were last time: with more of them, nothing counts as deleted.
    pub null_ids: u64,
    /// If the columns have changed, what records are compared by instead of their row hashes. All records are returned then, also those
    /// that are the same: their state before is the one after.
    pub rebase: Option<Rebase>,
    /// Records that are known by other columns than are compared. One that has not changed is returned, too, as it is known by today's.
    pub outdated: Outdated,
    /// Where what does not fit in memory is kept.
    pub scratch: Arc<Folder>,
    /// Threads that may work at once.
    pub threads: usize,
}

/// Comparing by the columns that the snapshot and the result have in common.
pub struct Rebase {
    /// Hashes records over them.
    pub hasher: RecordHasher,
    /// Those hashes of the snapshot's records, by segment.
    pub hashes: Piles<Compared>,
}

/// What a record of the snapshot is compared by, instead of its row hash.
pub struct Compared {
    /// Its place in its segment, in the order of keys.
    pub record: u32,
    /// The upper half of the hash.
    pub high: u64,
}

impl Stored for Compared {
    const BYTES: usize = 12;

    fn store(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.high.to_le_bytes());
        into.extend_from_slice(&self.record.to_le_bytes());
    }

    fn load(bytes: &[u8]) -> Self {
        Self { record: bytes.last_chunk::<4>().map_or(0, |last| u32::from_le_bytes(*last)), high: numbers(bytes)() }
    }
}

/// A part of the diff: the segments whose tables are in memory.
struct Round {
    /// How many there are.
    of: usize,
    segments: Range<usize>,
    tables: Vec<Table>,
    /// In which round each segment's turn is.
    turns: Arc<Vec<u16>>,
}
