//! Everything that outlives a process: the disk, the destinations, the source, time. And the script of what goes wrong.
//!
//! ```text
//!   World ── one process at a time, by its number ──► Process: StateStore, Clock, Carrier, Source
//!     disk · accounts · source · time · script           a process that has died does nothing more, whatever its threads still try
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use outflow_contract::{Error, Kind, Result};
use tokio::sync::Notify;

use crate::destination::{Account, Exchange, Travelling};
use crate::fault::{Class, Fault};

/// One file of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// What a process reads.
    pub(crate) body: Bytes,
    /// So many of its bytes are durable.
    pub(crate) synced: usize,
    /// Its name is durable.
    pub(crate) named: bool,
}

/// What goes wrong, where, and what has happened so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// To happen at this step, once.
    pub(crate) at: Option<(Trigger, Fault)>,
    /// The other one, where there are two.
    pub(crate) then: Option<(Trigger, Fault)>,
    /// Whether anything has happened.
    pub(crate) fired: Vec<(String, Fault)>,
    /// What goes on happening.
    pub(crate) lasting: BTreeSet<Fault>,
    /// Steps by their labels.
    counts: HashMap<String, u32>,
    /// All steps, in order.
    pub(crate) trace: Vec<Step>,
}

/// When.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// At the step of this label, the nth from 0.
    Step(String, u32),
    /// At step number n of the process, if that can happen to it: else at the first later one to which it can.
    Number(usize),
}

/// One step that something can happen at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    /// What it does, to what. Numbers that are drawn are left out.
    pub(crate) label: String,
    /// The nth of that label in this process.
    pub(crate) nth: u32,
    /// What can happen at it.
    pub(crate) class: Class,
}

/// Everything that outlives a process. A clone is a copy of it all.
#[derive(Clone)]
pub(crate) struct World {
    /// The living process.
    pub(crate) process: u64,
    pub(crate) files: BTreeMap<String, File>,
    /// Deleted, but not durably: a power cut may bring it back.
    pub(crate) deleted: Vec<(String, File)>,
    pub(crate) locks: HashSet<String>,
    /// A list of commits lacks the newest one.
    pub(crate) lists_lag: bool,
    /// Folders whose names this process has made durable.
    pub(crate) durable_folders: HashSet<String>,
    /// The bytes of each object when it became durable: they must never change.
    pub(crate) ever: HashMap<String, Bytes>,
    /// Since the beginning.
    pub(crate) time: Duration,
    /// The clock on the wall is so far ahead, in milliseconds.
    pub(crate) ahead_ms: i64,
    pub(crate) seed: u64,
    /// The source: names by identifier.
    pub(crate) rows: BTreeMap<i64, String>,
    /// The destination's accounts by path.
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Identifiers that the destination refuses.
    pub(crate) refused: BTreeSet<String>,
    pub(crate) travelling: Vec<Travelling>,
    /// Every request that has arrived.
    pub(crate) log: Vec<Exchange>,
    pub(crate) script: Script,
    /// What must not be, found on the way.
    pub(crate) violations: Vec<String>,
}

impl World {
    /// An empty one.
    pub(crate) fn new(seed: u64, accounts: BTreeMap<String, Account>) -> Self {
        Self {
            process: 0,
            files: BTreeMap::new(),
            deleted: Vec::new(),
            locks: HashSet::new(),
            lists_lag: false,
            durable_folders: HashSet::new(),
            ever: HashMap::new(),
            time: Duration::ZERO,
            ahead_ms: 0,
            seed,
            rows: BTreeMap::new(),
            accounts,
            refused: BTreeSet::new(),
            travelling: Vec::new(),
            log: Vec::new(),
            script: Script::default(),
            violations: Vec::new(),
        }
    }

    /// The next number of the generator (splitmix64).
    pub(crate) fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A step begins: what happens at it, if anything.
    pub(crate) fn step(&mut self, class: Class, label: &str) -> Option<Fault> {
        let label = without_numbers_drawn(label);
        let script = &mut self.script;
        let nth = script.counts.entry(label.clone()).or_default();
        let step = Step { label, nth: *nth, class };
        *nth += 1;
        let number = script.trace.len();
        let happens = |at: &Option<(Trigger, Fault)>| match at {
            Some((Trigger::Step(label, nth), _)) => *label == step.label && *nth == step.nth,
            Some((Trigger::Number(n), fault)) => *n <= number && Fault::at(class).contains(fault),
            None => false,
        };
        let fault = if happens(&script.at) {
            script.at.take().map(|(_, fault)| fault)
        } else if script.at.is_none() && happens(&script.then) {
            script.then.take().map(|(_, fault)| fault)
        } else {
            None
        };
        if let Some(fault) = fault {
            script.fired.push((format!("{} #{}", step.label, step.nth), fault));
            if matches!(
                fault,
                Fault::Full
                    | Fault::Broken
                    | Fault::AnswersLost
                    | Fault::AllTravel
                    | Fault::Unreachable
                    | Fault::ThrottledForever
                    | Fault::Unauthorized
            ) {
                script.lasting.insert(fault);
            }
        }
        script.trace.push(step);
        fault.or_else(|| self.lasting(class))
    }

    /// What has gone on happening since an earlier step.
    fn lasting(&self, class: Class) -> Option<Fault> {
        self.script.lasting.iter().copied().find(|fault| Fault::at(class).contains(fault))
    }

    /// The process is gone. Its locks with it, and what was not durable if the power went.
    pub(crate) fn die(&mut self, power: bool) {
        self.process += 1;
        self.locks.clear();
        self.durable_folders.clear();
        if power {
            self.cut_power();
        }
    }

    /// Only what was durable is left. Of a log's other bytes a part may be, and the last of those may be wrong.
    fn cut_power(&mut self) {
        self.files.retain(|_, file| file.named);
        for (path, file) in std::mem::take(&mut self.deleted) {
            if self.random() & 1 == 1 {
                self.files.entry(path).or_insert(file);
            }
        }
        let torn: Vec<String> = self.files.iter().filter(|(_, file)| file.synced < file.body.len()).map(|(path, _)| path.clone()).collect();
        for path in torn {
            let random = self.random();
            let Some(file) = self.files.get_mut(&path) else { continue };
            let tail = file.body.len() - file.synced;
            let kept = file.synced + (random >> 8) as usize % (tail + 1);
            let mut body = file.body[..kept].to_vec();
            if random & 1 == 1 && kept > file.synced {
                body[kept - 1] ^= 0x40;
            }
            file.body = Bytes::from(body);
        }
        for file in self.files.values_mut() {
            file.synced = file.body.len();
        }
    }

    /// What a power cut would certainly leave.
    pub(crate) fn durable(&self) -> BTreeMap<String, Bytes> {
        let named = self.files.iter().filter(|(_, file)| file.named);
        named.map(|(path, file)| (path.clone(), file.body.slice(..file.synced))).collect()
    }

    /// An object's name has become durable.
    pub(crate) fn name_is_durable(&mut self, path: &str) {
        let Some(file) = self.files.get_mut(path) else { return };
        file.named = true;
        let (body, whole) = (file.body.clone(), file.synced == file.body.len());
        if whole && !path.ends_with("/journal") {
            let before = self.ever.entry(path.to_owned()).or_insert_with(|| body.clone());
            if *before != body {
                self.violations.push(format!("I6: {path} was durable with other bytes before"));
            }
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&mut self) {
        self.script = Script::default();
    }
}

/// `…-00ff00ff00ff00ff-…` becomes `…-#-…`: nonces in names are no part of what a step is.
fn without_numbers_drawn(label: &str) -> String {
    let drawn = |part: &str| part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let segments = label.split('/').map(|segment| {
        let parts: Vec<&str> = segment.split('-').map(|part| if drawn(part) { "#" } else { part }).collect();
        parts.join("-")
    });
    segments.collect::<Vec<_>>().join("/")
}

/// A process: the right to do something to the world, until it dies. Clones are the same process.
#[derive(Clone)]
pub(crate) struct Process {
    world: Arc<Mutex<World>>,
    number: u64,
    /// Told once it has died.
    pub(crate) died: Arc<Notify>,
}

impl Process {
    /// A new one; the one before is no more.
    pub(crate) fn start(world: &Arc<Mutex<World>>) -> Self {
        let mut here = lock(world);
        here.die(false);
        let number = here.process;
        drop(here);
        Self { world: Arc::clone(world), number, died: Arc::default() }
    }

    /// The world, if this process still lives.
    pub(crate) fn world(&self) -> Result<MutexGuard<'_, World>> {
        let world = lock(&self.world);
        if world.process == self.number { Ok(world) } else { Err(dead()) }
    }

    /// The process dies here.
    pub(crate) fn die(&self, world: &mut World, fault: Fault) -> Error {
        world.die(fault.is_power_cut());
        self.died.notify_one();
        dead()
    }
}

/// A lock that a panic elsewhere leaves usable: every change to the world is whole.
pub(crate) fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dead() -> Error {
    Error::new(Kind::Io, "the simulated process has died")
}

/// Ends this thread's work as a panic does, without its message on the terminal.
pub(crate) fn panic_here() -> ! {
    std::panic::resume_unwind(Box::new("a simulated panic"))
}
