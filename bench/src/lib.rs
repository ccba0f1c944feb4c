//! Seeded data of any size, and measurements on it.
//!
//! ```text
//! seed, number of records --> columns --> data --> parquet_file     what a model reads
//!                                          |  \--> made             the same without a file
//!                                          |
//!                         end_to_end: outflow run --> receiver      counts what arrives
//!                         journal: a sync with its journal, and without
//!                         mapper: records in memory --> payloads    against the reference and arrow-json
//!
//!                   sides: base and later --> contest               who finds the changes, how fast
//!                                              |-- diff             the engine, its bound, DuckDB, Polars
//!                                              |-- plan             outflow plan, DuckDB
//!                                              `-- scale            the engine, at several sizes
//!
//! labelled set (../suggest) --> suggest: is the right column suggested for a field?
//! ```
//!
//! Whatever is measured is a process of its own ([`child`]); the engine's part in it is [`work`]. Figures are compared on one machine only;
//! each stands in `README.md` with the command that gave it.
//!
//! Non-goals: realistic values (the sample project of `outflow init` has those), and judging what was sent beyond its count
//! (the tests do that).

pub mod child;
pub mod columns;
pub mod contest;
pub mod data;
pub mod diff;
pub mod end_to_end;
pub mod figures;
pub mod journal;
pub mod made;
pub mod mapper;
pub mod parquet_file;
pub mod permutation;
pub mod plan;
mod project;
pub mod receiver;
pub mod scale;
pub mod setting;
pub mod sides;
pub mod suggest;
pub mod work;
