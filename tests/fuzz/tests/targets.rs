//! The targets of the fuzzers without a fuzzer: over seeds, over what was found once, and over random changes of the seeds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;

use outflow_fuzz::{TARGETS, Target};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// How many random changes are tried of each target; of the long tests, whose real work the fuzzers do, some more.
fn cases() -> u32 {
    if std::env::var_os("OUTFLOW_LONG").is_some() { 50_000 } else { 1_000 }
}

/// What is done to a seed.
#[derive(Clone, Debug)]
enum Change {
    Cut(usize, usize),
    Put(usize, Vec<u8>),
    /// A part of another seed.
    Splice(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{", "}", "[", "]", "\"", "'", "@", "$.", ":", ",", "\n", "\\", "{{", "}}", "null", "0", "-", "&a ", "*a"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        (any::<usize>(), 1..20_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<usize>(), piece).prop_map(|(at, piece)| Change::Put(at, piece)),
        (any::<usize>(), any::<usize>()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

fn changed(seeds: &[Vec<u8>], which: usize, changes: &[Change]) -> Vec<u8> {
    let mut bytes = seeds[which % seeds.len()].clone();
    for change in changes {
        let place = |at: usize| at % (bytes.len() + 1);
        match change {
            Change::Cut(at, length) => {
                let (from, to) = (place(*at), bytes.len().min(place(*at) + length));
                bytes.drain(from..to);
            }
            Change::Put(at, piece) => {
                let at = place(*at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Change::Splice(at, other) => {
                let (at, other) = (place(*at), &seeds[other % seeds.len()]);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
    }
    bytes
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

#[track_caller]
fn tried(name: &str) {
    let target = target(name);
    let seeds = (target.seeds)();
    assert!(seeds.len() > 50, "{} seeds", seeds.len());
    let good = seeds.iter().filter(|seed| (target.run)(seed)).count();
    assert!(good * 2 > seeds.len(), "only {good} of {} seeds are good ones", seeds.len());
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(name);
    for entry in std::fs::read_dir(found).into_iter().flatten() {
        (target.run)(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let inputs = (any::<usize>(), prop::collection::vec(change(), 1..6)).prop_map(|(which, changes)| changed(&seeds, which, &changes));
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        (target.run)(&input);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn any_mapping_is_refused_or_gives_json() {
    tried("mapping");
}

#[test]
fn any_json_text_is_refused_or_read_as_a_plain_reader_does() {
    tried("json");
}

#[test]
fn any_path_is_cut_as_the_language_says() {
    tried("path");
}
