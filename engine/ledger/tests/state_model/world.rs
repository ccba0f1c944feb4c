//! Source and model: what does not depend on the rules, and is no decision of theirs.

use std::ops::Range;

use outflow_contract::Op;
use outflow_ledger::decide;

use crate::config::Config;
use crate::rules::Rule;
use crate::settle::LIFETIME;
use crate::state::{Destination, KEYS, Log, Mapping, REJECTED, Snapshot, State};

/// A configuration, and all that follows from it.
pub(crate) struct World {
    pub(crate) config: Config,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self { config }
    }

    /// Is this rule left out?
    pub(crate) fn without(&self, rule: Rule) -> bool {
        self.config.without == Some(rule)
    }

    pub(crate) fn keys(&self) -> Range<usize> {
        0..self.config.keys
    }

    /// Nothing has happened yet.
    pub(crate) fn initial(&self) -> State {
        let mapping = Mapping {
            cursor: None,
            pending: [None, None],
            hot: false,
            generation: 0,
            resend: false,
            paused: false,
            committed: false,
            epoch: 1,
            name: 0,
            fields: 0,
            open: None,
            duty: [None; KEYS],
            aside: [None; KEYS],
            past: Vec::new(),
        };
        let mappings = self.config.mappings.len();
        State {
            source: [0; KEYS],
            log: Log { oldest: 0, kept: vec![Snapshot { values: [0; KEYS], versions: [0; KEYS] }] },
            mappings: vec![mapping; mappings],
            destinations: vec![Destination::default(); if self.config.shared { 1 } else { mappings }],
            flights: Vec::new(),
            run: None,
            left: self.config.budget,
            fault: None,
        }
    }

    /// A destination holds a state of that version.
    pub(crate) fn note_version(&self, s: &mut State, destination: usize, k: usize, version: u64) {
        if self.config.budget.replays > 0 {
            s.destinations[destination].versions[k] = version;
        }
    }

    /// The destination of a mapping.
    pub(crate) fn destination(&self, m: usize) -> usize {
        if self.config.shared { 0 } else { m }
    }

    /// Commits what changed in the source as the next version; false if nothing has. A rejected row keeps what the model has of it
    /// (rule 17).
    pub(crate) fn extract(&self, s: &mut State) -> bool {
        let last = s.log.at(s.log.head());
        let mut next = last;
        let version = s.log.head() + 1;
        for k in self.keys() {
            next.values[k] = match s.source[k] {
                REJECTED if self.without(Rule::RejectedKeepsEntry) => 0,
                REJECTED => last.values[k],
                value => value,
            };
            if next.values[k] != last.values[k] {
                next.versions[k] = version;
            }
        }
        if next.values == last.values {
            return false;
        }
        s.log.kept.push(next);
        // Somebody else fills the destination of a mapping that only deletes.
        if !self.config.shared {
            let deleting = (0..self.config.mappings.len()).find(|&m| self.selects(m, Op::Deleted) && !self.selects(m, Op::Added));
            for (k, m) in self.keys().filter_map(|k| Some((k, deleting?))) {
                if next.values[k] != 0 && last.values[k] == 0 {
                    s.destinations[m].holds[k] = next.values[k];
                    self.note_version(s, m, k, version);
                }
            }
        }
        true
    }

    /// Must a run of this mapping wait before it seals (rules 13 and 18)? Time passes when nothing travels any more.
    pub(crate) fn is_hot(&self, s: &State, m: usize) -> bool {
        let together = self.config.shared && !self.without(Rule::HotIsPerDestination);
        let concerns = |other: usize| other == m || together;
        let deadline = s.mappings.iter().enumerate().any(|(other, mapping)| mapping.hot && concerns(other)).then_some(LIFETIME);
        let travels = s.flights.iter().any(|flight| self.destination(flight.mapping) == self.destination(m));
        decide::wait_before_seal(deadline, if travels { 0 } else { LIFETIME }).is_some()
    }
}
