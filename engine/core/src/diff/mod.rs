//! diff: what changed between the snapshot of a model and its result now.
//!
//! ```text
//! result batch ─► hash (key, row) ─► probe the key index ─┬─ same     nothing to do
//!                                                          ├─ changed  an updated record
//!                                                          └─ new      an added record
//!                                     never probed ────────── deleted  (only after the stream ended well)
//! ```
//!
//! The values of the snapshot are not read for this: two hashes stand for them. `canonical.rs` says when two
//! values are equal; the hash is keyed by a salt of the model's own.

mod canonical;
mod columns;
mod hash;
mod mix;
mod nested;
mod spill;

#[cfg(test)]
mod tests;

pub use hash::{HASH_FORMAT, Lanes, RecordHasher, has_null_id};
pub use spill::{PARTITIONS, Spill, read_partition};
