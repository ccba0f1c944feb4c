//! The planner: everything between `outflow.yml` and a validated [`Project`](outflow_contract::plan::Project).
//!
//! ```text
//! load.rs ─► yaml.rs ─► target.rs ─► interpolate.rs ─► shape.rs ─► validate/ ─► Project
//! (file)     (tree)     (--target)   (${env:…})        (keys)      (meaning)     │
//!                                                                    ├ sql.rs     ▼
//!                                                                    └ mapping/   columns.rs (against a schema), findings.rs
//! ```
//!
//! `suggest/` stands beside this way: which column of a schema could go to which field.
//!
//! Invariants: every mistake is reported, all of them at once, each with its place and a way out ([`Problem`]); no
//! message, excerpt or written form of a mapping holds a secret; nothing a file can contain makes the planner panic,
//! overflow its stack or use memory without a bound.
//!
//! Not here: nothing connects anywhere, and no file but the project's own is read. What a query really returns is told
//! to [`Loaded::check_columns`] by whoever has asked the source, and what went wrong when asking to [`Loaded::problem`].

mod columns;
mod findings;
mod interpolate;
mod keys;
mod load;
mod mapping;
mod mask;
mod nearest;
mod places;
mod problem;
mod scalar;
pub mod schema;
pub mod select;
mod shape;
mod sql;
pub mod suggest;
mod target;
mod then;
mod tree;
mod validate;
mod window;
mod yaml;

pub use findings::Asked;
pub use load::{Examined, Loaded, Options, PROJECT_FILE, examine, examine_text, load, load_as_it_was, load_unfinished};
pub use nearest::{list, nearest};
pub use problem::{Problem, Problems, Severity, merged, render};
pub use then::Then;
