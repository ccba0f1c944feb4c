//! Seeded data of any size, and measurements on it.
//!
//! ```text
//! seed, number of records --> data --> parquet_file     what a model reads
//!                                          |
//!                         end_to_end: outflow run --> receiver     counts what arrives
//! ```
//!
//! Figures are compared on one machine only; each stands in `README.md` with the command that gave it.
//!
//! Non-goals: realistic values (the sample project of `outflow init` has those), and judging what was sent beyond its count
//! (the tests do that).

pub mod data;
pub mod end_to_end;
pub mod parquet_file;
pub mod permutation;
pub mod receiver;
