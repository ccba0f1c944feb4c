//! The rules of the state, checked in every state that can be reached: a model of sources, destinations, travelling requests, crashes,
//! power cuts, retries, retention and what people do by hand, in which every *decision* is taken by the crate's own functions.
//!
//! ```text
//!   source ──► log of versions ──► seal ──► requests ──► journal ──► settle ──► cursor, pending, deadline
//!                                   │          │            │           │
//!                       compose, decide,   regroup,     conclude    classify, fold_entry, fold_beside,
//!                                          request_key              deadlines, MappingCommit::after_run …
//! ```
//!
//! A configuration says how many of everything there may be; all of it is explored, breadth first. A *mutant* is one with a rule
//! undone where the model calls the function; each must be caught, and its failure tells the shortest way to it.
//!
//! All mutants and a short selection of the configurations run always, everything with `OUTFLOW_LONG=1`. `STATE_MODEL=text` takes those whose name has the text, and prints
//! what it found.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::disallowed_methods, reason = "a test from end to end")]

mod admin;
mod config;
mod configurations;
mod delivery;
mod duty;
mod places;
mod rules;
mod seal;
mod search;
mod settle;
mod state;
mod world;

use std::time::Instant;

use config::Config;
use configurations::{CONFIGURATIONS, EXTENSIONS, MUTANTS, REPLAYS};
use rules::Rule;
use search::{Found, explore};

/// Those that this run of the tests is to explore.
fn chosen(all: &[Config]) -> Vec<Config> {
    let long = std::env::var_os("OUTFLOW_LONG").is_some();
    let wanted = std::env::var("STATE_MODEL").ok();
    let name = |config: &Config| config.without.map_or(config.name, Rule::name);
    let chosen = |config: &&Config| wanted.as_ref().map_or(long || config.short, |text| name(config).contains(text.as_str()));
    all.iter().filter(chosen).copied().collect()
}

/// What was found, and how long it took.
fn report(name: &str, found: &Found, began: Instant) -> String {
    let seconds = began.elapsed().as_secs_f64();
    match found {
        Found::Holds { states } => format!("{name}: holds, {states} states, {seconds:.1} s"),
        Found::Violated { states, why, way } => format!("{name}: {why}; after {states} states, {seconds:.1} s\n{way}"),
    }
}

fn all_hold(configs: &[Config]) {
    let mut wrong = Vec::new();
    for config in chosen(configs) {
        let began = Instant::now();
        let found = explore(config);
        let report = report(config.name, &found, began);
        eprintln!("{report}");
        if let Found::Violated { .. } = found {
            wrong.push(report);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_rule_holds_in_every_state() {
    all_hold(CONFIGURATIONS);
}

#[test]
fn every_rule_holds_for_what_the_reference_only_argues() {
    all_hold(EXTENSIONS);
}

#[test]
fn every_rule_holds_where_an_earlier_sync_goes_out_once_more() {
    all_hold(REPLAYS);
}

#[test]
fn without_any_one_rule_something_goes_wrong() {
    let mut missed = Vec::new();
    for config in chosen(MUTANTS) {
        let Some(rule) = config.without else { panic!("a mutant without a rule") };
        let began = Instant::now();
        let found = explore(config);
        let report = report(rule.name(), &found, began);
        eprintln!("{report}");
        if let Found::Holds { .. } = found {
            missed.push(report);
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

#[test]
fn every_rule_is_left_out_somewhere() {
    for rule in Rule::ALL {
        assert!(MUTANTS.iter().any(|mutant| mutant.without == Some(*rule)), "{}", rule.name());
    }
}
