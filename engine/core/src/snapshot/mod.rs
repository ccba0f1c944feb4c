//! The snapshot of a model: what its log of versions adds up to.
//!
//! | file | holds | read by |
//! |---|---|---|
//! | [`hash_file`] | records' keys, row hashes, places of values, versions, by key and in columns | |
//! | [`hashes`] | a base of all records, and the files that versions lay over it | the diff |
//! | [`index`] | all of it in memory, by key | replays |
//! | `compact` | the values that still count, brought together, so that old files can go | retention |
//! | [`values`] | values by place, from whatever version wrote them | deletes, plans, compositions |

mod compact;
pub mod hash_file;
pub mod hashes;
pub mod index;
mod part;
mod parts;
mod ranges;
pub mod values;

pub(crate) use compact::{Compaction, Moved};
pub use hash_file::{Columns, HashFileWriter, Indexed, SEGMENTS, segment_of};
pub use hashes::{HashSnapshot, Merged};
pub use index::KeyIndex;
pub use part::PartReader;
pub use parts::PartsWriter;
pub use ranges::{KeyRange, each_entry};

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use outflow_contract::Result;
use outflow_ledger::commit::{ModelCommit, decode_schema};

/// The columns of a model's records, as of its commit.
pub fn schema_of(head: &ModelCommit) -> Result<SchemaRef> {
    head.schema.as_deref().map_or_else(|| Ok(Arc::new(Schema::empty())), decode_schema)
}
