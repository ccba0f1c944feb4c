//! Sources and destinations: one folder for each kind, and the registry of them.
//!
//! ```text
//! sources/files        Parquet, CSV, NDJSON and Arrow IPC files, queried through DataFusion
//! destinations/file    records as files on the local disk
//! destinations/webhook records as HTTP requests to any URL
//! conformance          what every implementation of a seam must do, as a suite
//! ```
//!
//! Folders below `sources/` and `destinations/` never import each other: adding one touches its own folder and the
//! list in its parent. Destinations do no I/O at all; that lives in the engine.

pub mod conformance;
pub mod destinations;
pub mod sources;

pub use destinations::{connector, connectors, descriptors};
pub use sources::files::FilesOptions;
pub use sources::source;
