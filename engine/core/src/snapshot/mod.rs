//! The snapshot of a model: what its log of versions adds up to.
//!
//! | file | holds | read by |
//! |---|---|---|
//! | [`index`] | every record's key, row hash, place of its values, version | the diff |
//! | [`index_file`] | the same on disk: a base as Parquet, sorted by key, and the versions after it laid over | |
//! | `compact` | the values that still count, brought together, so that old files can go | retention |
//! | [`values`] | values by place, from whatever version wrote them | deletes, plans, compositions |

mod compact;
pub mod index;
pub mod index_file;
mod part;
mod parts;
mod ranges;
pub mod values;

pub(crate) use compact::{Compaction, Moved};
pub use index::{Indexed, KeyIndex, Probe};
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
