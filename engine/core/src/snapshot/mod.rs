//! The snapshot of a model: what its log of versions adds up to.
//!
//! | file | holds | read by |
//! |---|---|---|
//! | [`index`] | every record's key, row hash, place of its values, version | the diff |
//! | [`index_file`] | the same on disk: a base as Parquet, sorted by key, and the versions after it laid over | |
//! | [`values`] | values by place, from whatever version wrote them | deletes, plans, compositions |

pub mod index;
pub mod index_file;
pub mod values;

pub use index::{Indexed, KeyIndex, Probe};
