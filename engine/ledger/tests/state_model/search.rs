//! Every state that can be reached, breadth first, so that the first that is wrong is reached by a shortest way.
//!
//! A state is kept only until its successors are known; after that its fingerprint, and how it was reached: by which successor of
//! which state. The way is walked once more to tell it.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;

use outflow_contract::Before;

use crate::config::Config;
use crate::rules::Rule;
use crate::state::{Item, Mapping, REJECTED, Scope, State, fingerprint, value};
use crate::world::World;

/// More states are a mistake in the model.
const STATES_MAX: usize = 12_000_000;

/// What happened between two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Source(usize, u8),
    LateLands,
    LateIsLost,
    Start(usize),
    StartOne(usize, usize),
    StartAskedForAll(usize),
    SetAside(usize, usize),
    /// Mapping, run, only what failed of it, forced.
    Replay(usize, usize, bool, bool),
    Reset(usize),
    EmptyAndReset(usize),
    Baseline(usize),
    Rename(usize),
    EditMapping(usize),
    PauseOrResume(usize),
    Drop(u64),
    AnotherExtracts,
    Kill,
    PowerCut,
    Extract,
    NothingToSend,
    Seal,
    CannotBeMapped,
    Intent,
    Send,
    Acked,
    AnsweredAsBefore,
    Refused,
    PartlyRefused,
    Throttled,
    ThrottledAndRetried,
    Landed,
    Dropped,
    Travels,
    LandedAndRetried,
    DroppedAndRetried,
    TravelsAndRetried,
    Append,
    AppendAndSendAgain,
    AppendAndDivide,
    Commit,
}

impl Step {
    /// The same, and the request goes out once more.
    pub(crate) fn retried(self) -> Self {
        match self {
            Self::Landed => Self::LandedAndRetried,
            Self::Dropped => Self::DroppedAndRetried,
            Self::Travels => Self::TravelsAndRetried,
            other => other,
        }
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing is wrong in any state.
    Holds { states: usize },
    /// The first that is wrong, and the way to it.
    Violated { states: usize, why: String, way: String },
}

impl World {
    /// Every state that may come next.
    fn successors(&self, s: &State, each: &mut dyn FnMut(Step, State)) {
        if s.left.edits > 0 {
            for k in self.keys() {
                let bad = (self.config.rejects && s.source[k] != 0).then_some(REJECTED);
                for value in [0, 1, 2].into_iter().chain(bad).filter(|&value| value != s.source[k]) {
                    let mut next = s.clone();
                    next.source[k] = value;
                    next.left.edits -= 1;
                    each(Step::Source(k, value), next);
                }
            }
        }
        for place in 0..s.flights.len() {
            let mut lost = s.clone();
            let flight = lost.flights.remove(place);
            let mut landed = lost.clone();
            self.land(&mut landed, &flight);
            each(Step::LateLands, landed);
            each(Step::LateIsLost, lost);
        }
        match &s.run {
            None => {
                self.starts(s, each);
                self.by_hand(s, each);
            }
            Some(run) if self.config.parallel && run.open.is_some() => {
                let mut next = s.clone();
                if self.extract(&mut next) {
                    each(Step::AnotherExtracts, next);
                }
            }
            Some(_) => {}
        }
        if s.left.drops > 0 && (s.run.is_none() || self.without(Rule::FoldTakesTheLock)) {
            for oldest in s.log.oldest + 1..=s.log.head() {
                let mut next = self.retain(s, oldest);
                next.left.drops -= 1;
                each(Step::Drop(oldest), next);
            }
        }
        if let Some(run) = &s.run {
            self.run(s, run, each);
        }
    }

    fn starts(&self, s: &State, each: &mut dyn FnMut(Step, State)) {
        for m in (0..s.mappings.len()).filter(|&m| !s.mappings[m].paused) {
            if s.left.runs > 0 {
                let mut next = self.start(s, m, (Scope::Sync, false));
                next.left.runs -= 1;
                each(Step::Start(m), next);
            }
            if s.left.asks > 0 && s.mappings[m].pending.iter().flatten().any(|work| work.entry.failed.set_aside) {
                let mut next = self.start(s, m, (Scope::Sync, true));
                next.left.asks -= 1;
                each(Step::StartAskedForAll(m), next);
            }
            if s.left.ones > 0 {
                for k in self.keys() {
                    let mut next = self.start(s, m, (Scope::One(k), true));
                    next.left.ones -= 1;
                    each(Step::StartOne(m, k), next);
                }
            }
            if s.left.replays > 0 {
                self.replays(s, m, each);
            }
        }
    }
}

impl World {
    /// Every earlier run once more, or what failed of it, forced or not.
    fn replays(&self, s: &State, m: usize, each: &mut dyn FnMut(Step, State)) {
        for (nth, past) in s.mappings[m].past.iter().enumerate() {
            let mut failed = past.clone();
            self.keys().filter(|&k| !past.failed[k]).for_each(|k| failed.records[k] = None);
            let some = failed.records.iter().any(Option::is_some) && failed != *past;
            for (past, only_failed) in [(past.clone(), false)].into_iter().chain(some.then_some((failed, true))) {
                for forced in [false, true] {
                    let mut next = self.start(s, m, (Scope::Again(Box::new(past.clone()), forced), false));
                    next.left.replays -= 1;
                    if next.left.replays == 0 {
                        next.mappings.iter_mut().for_each(|mapping| mapping.past.clear());
                    }
                    each(Step::Replay(m, nth, only_failed, forced), next);
                }
            }
        }
    }
}

/// Looks at every state of a configuration.
pub(crate) fn explore(config: Config) -> Found {
    let world = World::new(config);
    let first = world.initial();
    let mut seen = HashSet::from([fingerprint(&first)]);
    // Of each state: which one it came from, and which successor of that it is.
    let mut origins: Vec<(u32, u16)> = vec![(0, 0)];
    let mut queue = VecDeque::from([(0u32, first)]);
    let mut looked_at = 0;
    while let Some((number, state)) = queue.pop_front() {
        looked_at += 1;
        if let Some(why) = world.wrong(&state) {
            let way = tell(&world, &origins, number);
            return Found::Violated { states: looked_at, why, way };
        }
        let mut nth = 0u16;
        world.successors(&state, &mut |_, next| {
            if seen.insert(fingerprint(&next)) {
                queue.push_back((origins.len() as u32, next));
                origins.push((number, nth));
            }
            nth += 1;
        });
        assert!(origins.len() < STATES_MAX, "{}: too many states", config.name);
    }
    Found::Holds { states: looked_at }
}

/// The way to a state, a line for each step.
fn tell(world: &World, origins: &[(u32, u16)], mut number: u32) -> String {
    let mut way = Vec::new();
    while number != 0 {
        let (from, nth) = origins[number as usize];
        way.push(nth);
        number = from;
    }
    let mut state = world.initial();
    let mut text = String::new();
    for nth in way.into_iter().rev() {
        let mut successors = Vec::new();
        world.successors(&state, &mut |step, next| successors.push((step, next)));
        let (step, next) = successors.swap_remove(nth as usize);
        writeln!(text, "    {step:?}{}", detail(step, &state, &next)).unwrap();
        state = next;
    }
    text
}

/// More about some steps.
fn detail(step: Step, before: &State, after: &State) -> String {
    let open = |state: &State| state.run.as_ref().and_then(|run| Some((run.request, run.open.clone()?)));
    match (step, open(before), open(after)) {
        (Step::Seal, _, Some((_, open))) => {
            let item = |item: &Item| {
                let entry = item.work.entry;
                let before = match entry.before {
                    Before::Unknown(attempt) => format!("unknown ({} {})", attempt.op.as_str(), value(attempt.after)),
                    Before::Known(row) => value(Some(row)).to_string(),
                    Before::Absent => "0".to_owned(),
                };
                format!("{:?} {} {before} -> {} of version {}", item.fate, entry.op().as_str(), value(entry.after), entry.version)
            };
            format!(" {:?}", open.sealed.items.iter().flatten().map(item).collect::<Vec<_>>())
        }
        (Step::Send, _, Some((number, open))) => {
            let request = &open.requests[number];
            format!(" records {:?} under {}", request.records, &request.key.to_string()[..6])
        }
        (Step::Commit, ..) => {
            let state = |m: &Mapping| format!("cursor {:?}, pending {}", m.cursor, m.pending.iter().flatten().count());
            format!(" {:?}", after.mappings.iter().map(state).collect::<Vec<_>>())
        }
        (Step::LateLands | Step::Acked | Step::Landed | Step::LandedAndRetried, ..) => {
            format!(" destinations hold {:?}", after.destinations.iter().map(|d| d.holds).collect::<Vec<_>>())
        }
        _ => String::new(),
    }
}
