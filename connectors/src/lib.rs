//! Sources and destinations: one folder for each kind, and the registry of them.
//!
//! ```text
//! sources/files                 Parquet, CSV, NDJSON and Arrow IPC files, queried through DataFusion
//! destinations/file             records as files on the local disk
//! destinations/segment          records as messages to a source of a Segment workspace
//! destinations/segment_profiles records as messages to a Segment profile space
//! destinations/webhook          records as HTTP requests to any URL
//! tracking                      Segment's HTTP Tracking API, as two destinations share it
//! auth                          how a destination is told who we are, as all of them share it
//! http_answer                   what the status of an HTTP answer means, as all of them share it
//! conformance                   what every implementation of a seam must do, as a suite
//! ```
//!
//! Folders below `sources/` and `destinations/` never import each other: adding one touches its own folder and the
//! list in its parent. Destinations do no I/O at all; that lives in the engine.

mod auth;
pub mod conformance;
pub mod destinations;
mod http_answer;
pub mod sources;
mod tracking;

pub use destinations::{connector, connectors, descriptors};
pub use sources::files::FilesOptions;
pub use sources::{source, state};
