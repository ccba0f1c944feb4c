//! What is explored: how many of everything there may be, and which rule is left out.

use outflow_contract::Selection;

use crate::rules::Rule;

/// What a destination does with something that it has seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It takes a record by its key: the same once more changes nothing.
    Upserts,
    /// It appends, and answers a request whose key it has accepted as it did then.
    DropsRequests,
    /// It appends, and drops a record whose id it has.
    DropsRecords,
}

/// How often a thing may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Changes of the source.
    pub(crate) edits: u8,
    /// Runs.
    pub(crate) runs: u8,
    /// One record sent ahead of its sync.
    pub(crate) ones: u8,
    /// An earlier sync sent once more.
    pub(crate) replays: u8,
    /// Resets.
    pub(crate) resets: u8,
    /// Baselines.
    pub(crate) baselines: u8,
    /// Retention drops versions.
    pub(crate) drops: u8,
    /// A mapping gets another name.
    pub(crate) renames: u8,
    /// A mapping's fields are edited: the same row has another payload, or none that can be mapped.
    pub(crate) remaps: u8,
    /// A mapping is paused, or resumed.
    pub(crate) pauses: u8,
    /// A pending record is set aside.
    pub(crate) asides: u8,
    /// A run is asked to send what is set aside, too.
    pub(crate) asks: u8,
}

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    /// Records.
    pub(crate) keys: usize,
    /// What each mapping sends.
    pub(crate) mappings: &'static [Selection],
    pub(crate) repeats: Repeats,
    /// All records of a run go out in one request.
    pub(crate) batch: bool,
    /// Attempts for each request.
    pub(crate) attempts: u8,
    pub(crate) budget: Budget,
    /// The mappings write to one account.
    pub(crate) shared: bool,
    /// Extraction may reject rows.
    pub(crate) rejects: bool,
    /// Other mappings of the model extract during a run.
    pub(crate) parallel: bool,
    /// One state of a record must be appended only once.
    pub(crate) once: bool,
    /// A request that is refused or throttled as a whole may go out again in parts, each a new request.
    pub(crate) parts: bool,
    /// The rule that is left out.
    pub(crate) without: Option<Rule>,
    /// Explored in every test run, and not in the long one only.
    pub(crate) short: bool,
}

const NONE: Budget = Budget {
    edits: 0,
    runs: 0,
    ones: 0,
    replays: 0,
    resets: 0,
    baselines: 0,
    drops: 0,
    renames: 0,
    remaps: 0,
    pauses: 0,
    asides: 0,
    asks: 0,
};

/// What the others are made of.
pub(crate) const BASE: Config = Config {
    name: "",
    keys: 1,
    mappings: &[Selection::AddedOrUpdated],
    repeats: Repeats::Upserts,
    batch: false,
    attempts: 2,
    budget: Budget { edits: 3, runs: 3, ..NONE },
    shared: false,
    rejects: false,
    parallel: false,
    once: true,
    parts: false,
    without: None,
    short: false,
};

impl Config {
    pub(crate) const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
    pub(crate) const fn short(self) -> Self {
        Self { short: true, ..self }
    }
    pub(crate) const fn of(self, mappings: &'static [Selection]) -> Self {
        Self { mappings, ..self }
    }
    pub(crate) const fn shared(self, mappings: &'static [Selection]) -> Self {
        Self { shared: true, mappings, ..self }
    }
    pub(crate) const fn repeats(self, repeats: Repeats) -> Self {
        Self { repeats, ..self }
    }
    pub(crate) const fn keys(self, keys: usize) -> Self {
        Self { keys, ..self }
    }
    pub(crate) const fn batch(self) -> Self {
        Self { keys: 2, batch: true, ..self }
    }
    pub(crate) const fn attempts(self, attempts: u8) -> Self {
        Self { attempts, ..self }
    }
    pub(crate) const fn parallel(self) -> Self {
        Self { parallel: true, ..self }
    }
    pub(crate) const fn rejects(self) -> Self {
        Self { rejects: true, ..self }
    }
    pub(crate) const fn parts(self) -> Self {
        Self { parts: true, ..self }
    }
    pub(crate) const fn repeats_allowed(self) -> Self {
        Self { once: false, ..self }
    }
    pub(crate) const fn runs(mut self, runs: u8) -> Self {
        self.budget.runs = runs;
        self
    }
    pub(crate) const fn edits(mut self, edits: u8) -> Self {
        self.budget.edits = edits;
        self
    }
    pub(crate) const fn ones(mut self, ones: u8) -> Self {
        self.budget.ones = ones;
        self
    }
    pub(crate) const fn replay(mut self) -> Self {
        self.budget.replays = 1;
        self
    }
    pub(crate) const fn reset(mut self) -> Self {
        self.budget.resets = 1;
        self
    }
    pub(crate) const fn baseline(mut self) -> Self {
        self.budget.baselines = 1;
        self
    }
    pub(crate) const fn retention(mut self) -> Self {
        self.budget.drops = 1;
        self
    }
    pub(crate) const fn rename(mut self) -> Self {
        self.budget.renames = 1;
        self
    }
    pub(crate) const fn remap(mut self) -> Self {
        self.budget.remaps = 1;
        self
    }
    pub(crate) const fn aside(mut self) -> Self {
        self.budget.asides = 1;
        self.budget.asks = 1;
        self
    }
    pub(crate) const fn pause(mut self) -> Self {
        self.budget.pauses = 2;
        self
    }
}
