//! Which crate may know which: `cli → {engine, planner, connectors} → contract`, `engine → ledger → contract`, `{engine, planner} → liquid`.
//!
//! Reads the workspace's manifests, dependencies for tests and for building included, and names every edge that is not there in the drawing.

#![allow(clippy::unwrap_used, reason = "a test from end to end")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::MetadataCommand;

/// What each crate may depend on. A crate that is not listed here may depend on none.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("outflow-contract", &[]),
    ("outflow-liquid", &[]),
    ("outflow-ledger", &["outflow-contract"]),
    ("outflow-planner", &["outflow-contract", "outflow-liquid"]),
    ("outflow-connectors", &["outflow-contract"]),
    ("outflow-engine", &["outflow-contract", "outflow-ledger", "outflow-liquid"]),
    ("outflow", &["outflow-contract", "outflow-ledger", "outflow-engine", "outflow-planner", "outflow-connectors"]),
    ("outflow-bench", &["outflow-contract", "outflow-ledger", "outflow-engine", "outflow-planner", "outflow-connectors"]),
    ("outflow-fuzz", &["outflow-contract", "outflow-engine", "outflow-planner", "outflow-connectors"]),
    ("outflow-tests", &["outflow-contract", "outflow-ledger", "outflow-engine", "outflow-planner", "outflow-connectors", "outflow-bench"]),
];

/// The crates of the workspace, each with those of the workspace that it depends on.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let names: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let ours = |package: &cargo_metadata::Package| {
        package.dependencies.iter().map(|dependency| dependency.name.clone()).filter(|name| names.contains(name)).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), ours(package))).collect()
}

/// The edges that are not allowed, as messages.
fn forbidden(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let may = |from: &str, to: &str| allowed.get(from).is_some_and(|to_any| to_any.contains(&to));
    let all = edges.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    all.filter(|(from, to)| !may(from, to)).map(|(from, to)| format!("{from} must not depend on {to}")).collect()
}

#[test]
fn no_crate_knows_what_it_should_not() {
    let edges = edges();
    for (name, _) in ALLOWED {
        assert!(edges.contains_key(name), "there is no crate {name} in the workspace any more");
    }
    assert_eq!(forbidden(&edges), Vec::<String>::new());
}

#[test]
fn a_forbidden_edge_is_named() {
    let edge = |from: &str, to: &str| BTreeMap::from([(from.to_owned(), BTreeSet::from([to.to_owned()]))]);
    assert_eq!(forbidden(&edge("outflow-engine", "outflow-planner")), ["outflow-engine must not depend on outflow-planner"]);
    assert_eq!(forbidden(&edge("outflow-contract", "outflow-ledger")), ["outflow-contract must not depend on outflow-ledger"]);
    assert_eq!(forbidden(&edge("outflow-new", "outflow-contract")), ["outflow-new must not depend on outflow-contract"]);
    assert!(forbidden(&edge("outflow-engine", "outflow-ledger")).is_empty());
}
