//! Arbitrary bytes against the parts of Outflow that read what people and data write: whatever the bytes, nothing panics, and what comes
//! out is what a plain reading of the same bytes gives.
//!
//! | target | the bytes are | checked besides |
//! |---|---|---|
//! | [`mapping`] | the `fields` of a mapping in `outflow.yml`, and what follows them | what is mapped is JSON |
//! | [`json`] | the JSON text of a column | it is valid where `serde_json` says so, and the same is found in it |
//! | [`path`] | a path, and a template | it is cut into steps as a naive reading cuts it |
//!
//! `./test` runs them over seeds, over what was found once (`regressions/`), and over random changes of both; `.ci/fuzz` runs them under a
//! fuzzer that looks at which code each input reaches. A finding becomes a file in `regressions/TARGET/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is a finding")]

mod json;
mod mapping;
mod path;
mod seeds;

pub use json::json;
pub use mapping::mapping;
pub use path::path;

/// Something that takes arbitrary bytes.
pub struct Target {
    /// Of its fuzzer, and of its folder in `regressions/`.
    pub name: &'static str,
    /// Panics if something is wrong with what becomes of the bytes. True if they were worth looking at to the end: good ones, that is.
    pub run: fn(&[u8]) -> bool,
    /// What to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 3] = [
    Target { name: "mapping", run: mapping, seeds: seeds::mapping },
    Target { name: "json", run: json, seeds: seeds::json },
    Target { name: "path", run: path, seeds: seeds::path },
];
