//! What each selection answers for, and whether a clean run brings it about.
//!
//! - `added_or_updated`, `all`: the destination has what the model has, unless a baseline said so of that value.
//! - `added`: a present record was added since it was last seen absent.
//! - `updated`: a present record is as the model has it, if it has changed since it was first seen, or was ever updated since.
//! - `deleted`: a record that was seen present, and is gone, is gone from the destination.
//! - Mappings that share a destination: it has what the model has.

use outflow_contract::Selection;

use crate::config::Repeats;
use crate::delivery::answers_of;
use crate::state::{Duty, Fate, Flight, KEYS, Line, Open, REJECTED, Said, Scope, State, Truth, Value};
use crate::world::World;

/// What a mapping owes for a record that it sees as `value`.
fn after_seal(selection: Selection, duty: Duty, value: Value) -> Duty {
    match selection {
        Selection::AddedOrUpdated | Selection::All => duty.filter(|duty| duty.0 == value),
        Selection::Added => duty.filter(|_| value != 0),
        Selection::Updated if value == 0 => None,
        Selection::Updated => duty.or(Some((value, false))),
        Selection::Deleted if value != 0 => Some((0, true)),
        Selection::Deleted => duty,
    }
}

/// Is `holds` wrong at the destination, for a record that the model has as `value`?
fn is_owed(selection: Selection, duty: Duty, value: Value, holds: Value) -> bool {
    match selection {
        Selection::AddedOrUpdated => value != 0 && duty.is_none_or(|duty| duty.0 != value) && holds != value,
        Selection::All => duty.is_none_or(|duty| duty.0 != value) && holds != value,
        Selection::Added => value != 0 && duty.is_none(),
        Selection::Updated => value != 0 && duty.is_some_and(|(first, updated)| updated || first != value) && holds != value,
        Selection::Deleted => value == 0 && duty.is_some() && holds != 0,
    }
}

/// Is the record pending and set aside, and still as it was when somebody did that?
fn is_set_aside(s: &State, m: usize, k: usize) -> bool {
    let mapping = &s.mappings[m];
    let marked = mapping.pending[k].as_ref().is_some_and(|work| work.entry.failed.set_aside);
    marked && mapping.aside[k] == Some(s.log.at(s.log.head()).versions[k])
}

impl World {
    /// A run has sealed what it saw at `head`.
    pub(crate) fn on_seal(&self, s: &mut State, m: usize, head: u64, scope: &Scope) {
        let values = s.log.at(head).values;
        let sees = |k: usize| match scope {
            Scope::Sync => true,
            Scope::One(only) => *only == k,
            // It looks at nothing anew.
            Scope::Again(..) => false,
        };
        for k in self.keys().filter(|&k| sees(k)) {
            let duty = &mut s.mappings[m].duty[k];
            *duty = after_seal(self.config.mappings[m], *duty, values[k]);
        }
    }

    /// A record has landed.
    pub(crate) fn on_land(&self, s: &mut State, m: usize, k: usize) {
        let duty = &mut s.mappings[m].duty[k];
        *duty = match (self.config.mappings[m], *duty) {
            (Selection::Updated, Some((first, _))) => Some((first, true)),
            (Selection::Added, _) => Some((0, true)),
            _ => None,
        };
    }

    /// A person says that the destination has what the model has.
    pub(crate) fn on_baseline(&self, s: &mut State, m: usize) {
        let values = s.log.at(s.log.head()).values;
        for k in self.keys() {
            let value = values[k];
            s.mappings[m].duty[k] = match self.config.mappings[m] {
                Selection::Updated => (value != 0).then_some((value, false)),
                Selection::Added | Selection::Deleted => (value != 0).then_some((0, true)),
                Selection::AddedOrUpdated | Selection::All => Some((value, false)),
            };
        }
        if matches!(self.config.mappings[m], Selection::AddedOrUpdated | Selection::All) {
            let versions = s.log.at(s.log.head()).versions;
            s.destinations[self.destination(m)].holds = values;
            self.keys().for_each(|k| self.note_version(s, self.destination(m), k, versions[k]));
        }
    }

    /// A run in which nothing goes wrong. Returns how many records it sent.
    fn clean_run(&self, s: &mut State, m: usize) -> usize {
        self.recover(s, m);
        self.extract(s);
        let head = s.log.head();
        let sealed = self.seal(s, m, head, (Scope::Sync, false), false);
        let requests = self.requests(s, m, &sealed);
        self.on_seal(s, m, head, &Scope::Sync);
        self.check_operations(s, &sealed);
        if sealed.items.iter().all(Option::is_none) && s.mappings[m].cursor.is_some() {
            return 0;
        }
        let mut open = Open { sealed, requests, journal: Vec::new(), truth: [Truth::Nothing; KEYS] };
        for (number, request) in open.requests.iter().enumerate() {
            let records = self.records(s, m, &open.sealed, &request.records);
            let flight = Flight { mapping: m, key: request.key, records, stale: [false; KEYS] };
            let said = answers_of(&flight, self.answered_before(s, &flight).map(Vec::as_slice));
            self.land(s, &flight);
            for (&k, said) in request.records.iter().zip(&said) {
                open.truth[k] = if *said == Said::Acked { Truth::Acked } else { Truth::Refused };
            }
            open.journal.extend([Line::Intent(number), Line::Outcome(number, said)]);
        }
        self.settle(s, m, &open, Some(false));
        open.sealed.items.iter().flatten().filter(|item| item.fate == Fate::Sent).count()
    }

    /// What is wrong with a state, if anything is. Where nothing is under way, that includes what clean runs make of it.
    pub(crate) fn wrong(&self, s: &State) -> Option<String> {
        if s.fault.is_some() || s.run.is_some() || !s.flights.is_empty() {
            return s.fault.clone();
        }
        let mut end = s.clone();
        for mapping in &mut end.mappings {
            mapping.paused = false;
        }
        // What a destination answers as before may be a refusal of a part: that takes one run more.
        let rounds = if self.config.repeats == Repeats::DropsRequests && self.config.batch { 2 } else { 1 };
        for m in (0..s.mappings.len()).cycle().take(rounds * s.mappings.len()) {
            self.clean_run(&mut end, m);
            if let Some(fault) = &end.fault {
                return Some(format!("in a clean run, {fault}"));
            }
        }
        let (before, after) = (s.log.at(s.log.head()).values, end.log.at(end.log.head()).values);
        for (m, &selection) in self.config.mappings.iter().enumerate() {
            for k in self.keys() {
                let (value, holds) = (after[k], end.destinations[self.destination(m)].holds[k]);
                let owed = is_owed(selection, end.mappings[m].duty[k], value, holds);
                let here = |other: usize| other == m || self.config.shared;
                let excused = (0..s.mappings.len()).any(|other| here(other) && is_set_aside(&end, other, k));
                let wrong = if self.config.shared { value != holds } else { owed };
                if wrong && !excused {
                    let selection = selection.as_str();
                    return Some(format!(
                        "loss: after a clean run of {selection} the model has record {k} as {value}, the destination as {holds}"
                    ));
                }
                if s.source[k] == REJECTED && before[k] != value {
                    return Some(format!("a rejected row: the entry of record {k} is gone"));
                }
            }
        }
        for m in 0..s.mappings.len() {
            let sent = self.clean_run(&mut end, m);
            if sent > 0 {
                return Some(format!("I8: a second clean run of {} sends {sent} records", self.config.mappings[m].as_str()));
            }
        }
        None
    }
}
