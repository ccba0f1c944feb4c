//! Points: a step, a fault, and what follows. Each is checked from a copy of the world before its stage.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use outflow_contract::report::Status;

use crate::check;
use crate::fault::{Class, Fault};
use crate::machine::{Act, Ended, REQUEST_RECORDS, process};
use crate::scenario::{Golden, golden, named};
use crate::world::{Trigger, World, lock};

/// All worlds begin with it.
const SEED: u64 = 20_261_129;

/// An object is read in many small pieces; the first few stand for all.
const READS_OF_A_KIND: u32 = 3;

/// Something that goes wrong, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Of the scenario.
    stage: usize,
    /// Of the stage's steps, sorted.
    step: usize,
    fault: Fault,
    /// The source has moved on when the stage is run again.
    moved: bool,
    second: Second,
}

/// What goes wrong besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    /// Nothing.
    None,
    /// This, at that step of the same process or later.
    Also(usize, Fault),
    /// This, at that step of the recovery or later.
    InRecovery(usize, Fault),
    /// The clock on the wall is this many milliseconds ahead when the stage is run again.
    Clock(i64),
}

/// A point within its scenario, as a failure names it and `SWEEP` takes it.
struct Named<'a>(&'a Golden, &'a Point);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(golden, point) = self;
        let stage = golden.scenario.stages[point.stage].name;
        let source = if point.moved { "moved" } else { "still" };
        write!(f, "{}/{stage}/{}/{}/{source}", golden.scenario.name, point.step, point.fault)?;
        match point.second {
            Second::None => Ok(()),
            Second::Also(n, fault) => write!(f, "/also/{n}/{fault}"),
            Second::InRecovery(n, fault) => write!(f, "/recovery/{n}/{fault}"),
            Second::Clock(ahead) => write!(f, "/clock/{ahead}/-"),
        }
    }
}

impl Point {
    /// What [`Named`] writes, back again.
    fn parse(golden: &Golden, text: &str) -> Option<Self> {
        let mut parts = text.split('/').skip(1);
        let stage = parts.next()?;
        let stage = golden.scenario.stages.iter().position(|one| one.name == stage)?;
        let step = parts.next()?.parse().ok()?;
        let fault = Fault::named(parts.next()?)?;
        let moved = parts.next()? == "moved";
        let second = match parts.next() {
            None => Second::None,
            Some(kind) => match (kind, parts.next()?, parts.next()?) {
                ("also", n, fault) => Second::Also(n.parse().ok()?, Fault::named(fault)?),
                ("recovery", n, fault) => Second::InRecovery(n.parse().ok()?, Fault::named(fault)?),
                ("clock", ahead, _) => Second::Clock(ahead.parse().ok()?),
                _ => return None,
            },
        };
        Some(Self { stage, step, fault, moved, second })
    }
}

/// What came of a point.
struct Verdict {
    /// Its step was reached.
    reached: bool,
    /// What must not be.
    wrong: Vec<String>,
}

/// One point on its way.
struct Trial<'a> {
    golden: &'a Golden,
    point: &'a Point,
    world: Arc<Mutex<World>>,
    wrong: Vec<String>,
}

impl<'a> Trial<'a> {
    fn new(golden: &'a Golden, point: &'a Point) -> Self {
        let mut world = golden.before[point.stage].clone();
        let step = &golden.steps[point.stage][point.step];
        world.script.at = Some((Trigger::Step(step.label.clone(), step.nth), point.fault));
        if let Second::Also(n, fault) = point.second {
            world.script.then = Some((Trigger::Number(n), fault));
        }
        Self { golden, point, world: Arc::new(Mutex::new(world)), wrong: Vec::new() }
    }

    fn note(&mut self, when: &str, wrong: Vec<String>) {
        self.wrong.extend(wrong.into_iter().map(|what| format!("{when}: {what}")));
    }

    /// A process of this point's stage, and the invariants after it.
    fn process(&mut self, when: &str, act: Act) -> Ended {
        let ended = process(&self.world, self.golden.scenario.stages[self.point.stage].setup, act);
        self.note(when, check::state(&self.world));
        self.note(when, check::sums(&ended));
        ended
    }

    /// One in which nothing goes wrong, and that therefore ends well.
    fn good(&mut self, when: &str, act: Act) {
        lock(&self.world).calm();
        let ended = self.process(when, act);
        self.note(when, check::failures(&ended));
    }

    fn run(mut self) -> Verdict {
        let stage = self.golden.scenario.stages[self.point.stage];
        let ended = self.process("with the fault", stage.act);
        let fired = lock(&self.world).script.fired.clone();
        if fired.is_empty() {
            return Verdict { reached: false, wrong: self.wrong };
        }
        let died = matches!(ended, Ended::Died);
        if !died && fired.iter().any(|(_, fault)| fault.is_death()) {
            self.wrong.push("a dead process has come to an end".to_owned());
        }
        self.is_told(&ended, &fired);
        let sent = lock(&self.world).log.len();
        let unresolved = if died { check::unresolved(&self.world) } else { Default::default() };
        self.recover(stage.act);
        self.good("run", Act::Run);
        self.keys_are_kept(sent, &unresolved);
        lock(&self.world).refused.clear();
        self.good("run again", Act::Run);
        self.bounded(sent, &fired);
        let before = lock(&self.world).log.len();
        self.good("third run", Act::Run);
        let extra = lock(&self.world).log.len() - before;
        if extra > 0 {
            self.wrong.push(format!("I8: the third run sends {extra} requests"));
        }
        let mirrored = check::mirrored(&self.world);
        self.note("in the end", mirrored);
        Verdict { reached: true, wrong: self.wrong }
    }

    /// An object of which it is not certain that it is there, and ours, ends the sync and is told. Nothing hangs on a report.
    fn is_told(&mut self, ended: &Ended, fired: &[(String, Fault)]) {
        let told = match ended {
            Ended::Died => true,
            Ended::Lived { reports, errors } => !errors.is_empty() || reports.iter().any(|report| report.status == Status::Failed),
        };
        let doubtful = [Fault::Error, Fault::Full, Fault::Lost, Fault::UnknownDone, Fault::UnknownNot, Fault::Theirs];
        let step = &self.golden.steps[self.point.stage][self.point.step];
        // What has no nonce inside is never somebody else's.
        let ours = self.point.fault == Fault::Theirs && !step.label.ends_with(".json");
        // What a run drops of old state at its end fails no sync; the next one tries again.
        let aside = step.label.ends_with("/report.json") || step.label.contains("/snapshots/");
        if !told && !ours && step.class == Class::Create && !aside && doubtful.contains(&self.point.fault) {
            self.wrong.push(format!("nobody is told of {fired:?}"));
        }
    }

    /// What a person does before the next run: the same again, if it was not a run; then the source moves on, or not.
    fn recover(&mut self, act: Act) {
        lock(&self.world).calm();
        if !matches!(act, Act::Run | Act::Pause | Act::Resume) {
            // It may have been done already, and then says so.
            self.process("once more", act);
        }
        if self.point.moved
            && let Some(next) = self.golden.scenario.stages.get(self.point.stage + 1)
        {
            (next.edit)(&mut lock(&self.world));
        }
        match self.point.second {
            Second::InRecovery(n, fault) => {
                lock(&self.world).script.at = Some((Trigger::Number(n), fault));
                self.process("in the recovery", Act::Run);
            }
            Second::Clock(ahead) => lock(&self.world).ahead_ms = ahead,
            Second::None | Second::Also(..) => {}
        }
        if !self.golden.scenario.only_runs() {
            self.good("resume", Act::Resume);
        }
    }

    /// A request whose outcome is not in the journal goes out again under its key, as long as it still says what is so.
    fn keys_are_kept(&mut self, sent: usize, unresolved: &std::collections::BTreeSet<String>) {
        if self.point.moved || self.point.second != Second::None || !self.golden.scenario.only_runs() {
            return;
        }
        let world = lock(&self.world);
        let again: Vec<&String> = world.log[sent..].iter().map(|one| &one.key).collect();
        let missing: Vec<&String> = unresolved.iter().filter(|key| !again.contains(key)).collect();
        if !missing.is_empty() {
            let missing = format!("unanswered requests went out under other keys, or not at all: {missing:?}");
            drop(world);
            self.wrong.push(missing);
        }
    }

    /// After a kill or an error of the disk: what was in flight is sent again, no more; after a power cut one group of the journal besides.
    fn bounded(&mut self, sent: usize, fired: &[(String, Fault)]) {
        let setup = self.golden.scenario.stages[self.point.stage].setup;
        let class = self.golden.steps[self.point.stage][self.point.step].class;
        let of_requests = class == Class::Request && !self.point.fault.is_death();
        if of_requests || self.point.second != Second::None || !self.golden.scenario.only_runs() {
            return;
        }
        let lossy = fired.iter().any(|(_, fault)| fault.is_power_cut() || *fault == Fault::SyncDropped);
        let bound = setup.concurrency * REQUEST_RECORDS * if lossy && setup.concurrency > 1 { 2 } else { 1 };
        let again = check::sent_again(&lock(&self.world).log, sent);
        if again > bound {
            self.wrong.push(format!("{again} records that were taken are sent again; at most {bound} may be"));
        }
    }
}

/// A sweep over points of a scenario.
pub(crate) struct Sweep {
    golden: Golden,
    points: Vec<Point>,
}

impl Sweep {
    /// Every step of the scenario at which one of `faults` can happen; every step of every class if there are none.
    pub(crate) fn over(scenario: &str, faults: &[Fault]) -> Self {
        Self::filtered(scenario, |_, fault| faults.contains(&fault))
    }

    /// Every step and fault that `wanted` says.
    pub(crate) fn filtered(scenario: &str, wanted: impl Fn(&crate::world::Step, Fault) -> bool) -> Self {
        let golden = golden(named(scenario).unwrap(), SEED);
        let mut points = Vec::new();
        for (stage, steps) in golden.steps.iter().enumerate() {
            for (step, what) in steps.iter().enumerate().filter(|(_, what)| what.class != Class::Read || what.nth < READS_OF_A_KIND) {
                for fault in Fault::at(what.class).iter().copied().filter(|fault| wanted(what, *fault)) {
                    // Both ways in a long sweep, in turn in a sample.
                    points.push(Point { stage, step, fault, moved: false, second: Second::None });
                    points.push(Point { stage, step, fault, moved: true, second: Second::None });
                }
            }
        }
        assert!(!points.is_empty(), "there is nothing to sweep over");
        Self { golden, points }
    }

    /// With a second thing that goes wrong, drawn for each point.
    pub(crate) fn with(mut self, second: impl Fn(&mut World) -> Second) -> Self {
        let mut random = World::new(SEED, Default::default());
        for point in &mut self.points {
            point.second = second(&mut random);
        }
        self
    }

    /// Only those points after which the source moves on.
    pub(crate) fn when_the_source_moves_on(mut self) -> Self {
        self.points.retain(|point| point.moved);
        self
    }

    /// So many of the points, spread evenly; all of them in a long sweep.
    fn chosen(&self, sample: usize) -> Vec<&Point> {
        let points = &self.points;
        if is_long() || sample >= points.len() {
            return points.iter().collect();
        }
        // An odd stride meets every fault, and both ways in turn.
        let stride = (points.len() / sample) | 1;
        (0..sample).map(|i| &points[i * stride % points.len()]).collect()
    }

    /// Checks `sample` of the points, or all of them in a long sweep. Fails with those that went wrong.
    pub(crate) fn run(&self, sample: usize) {
        let chosen = self.chosen(sample);
        let (golden, long) = (&self.golden, is_long());
        let threads = if long { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
        let (next, failed, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(point) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Verdict { reached, wrong } = Trial::new(golden, point).run();
                        missed.fetch_add(usize::from(!reached), Ordering::Relaxed);
                        if !wrong.is_empty() {
                            failed.lock().unwrap().push(explain(golden, point, &wrong));
                        }
                    }
                });
            }
        });
        let (failed, missed) = (failed.into_inner().unwrap(), missed.into_inner());
        println!("{}: {} of {} points, {missed} not reached", golden.scenario.name, chosen.len(), self.points.len());
        assert!(failed.is_empty(), "{} of {} points went wrong:\n\n{}", failed.len(), chosen.len(), shown(&failed));
        // With several requests under way, steps come in another order now and then.
        let missed_max = if golden.scenario.name == "parallel" { chosen.len() / 4 } else { 0 };
        assert!(missed <= missed_max, "{missed} of {} points were not reached", chosen.len());
    }
}

fn is_long() -> bool {
    std::env::var_os("OUTFLOW_LONG").is_some()
}

/// The first failures.
fn shown(failed: &[String]) -> String {
    const SHOWN: usize = 8;
    let more = failed.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("\n… and {more} more") } else { String::new() };
    format!("{}{more}", failed[..failed.len().min(SHOWN)].join("\n"))
}

fn explain(golden: &Golden, point: &Point, wrong: &[String]) -> String {
    let step = &golden.steps[point.stage][point.step];
    format!("SWEEP={}\n  at {} #{}\n  {}\n", Named(golden, point), step.label, step.nth, wrong.join("\n  "))
}

/// A fault, drawn.
pub(crate) fn any_fault(random: &mut World) -> Fault {
    let classes = [Class::Create, Class::Write, Class::Append, Class::Sync, Class::Read, Class::Request, Class::Request];
    let faults = Fault::at(classes[random.random() as usize % classes.len()]);
    faults[random.random() as usize % faults.len()]
}

/// The one point that `SWEEP` names, if it names one.
#[test]
fn the_point_that_was_asked_for() {
    #[allow(clippy::disallowed_methods, reason = "how to ask for one point")]
    let Ok(text) = std::env::var("SWEEP") else { return };
    let golden = golden(named(text.split('/').next().unwrap_or_default()).expect("a scenario"), SEED);
    let point = Point::parse(&golden, &text).expect("scenario/stage/step/fault/still|moved[/also|recovery|clock/…/…]");
    assert_eq!(Named(&golden, &point).to_string(), text);
    let trial = Trial::new(&golden, &point);
    let world = Arc::clone(&trial.world);
    let Verdict { reached, wrong } = trial.run();
    let world = lock(&world);
    for one in &world.log {
        println!("{} {} {} {:?} taken {} answered {:?}", one.process, one.path, &one.key[..8], one.payloads, one.taken, one.answered);
    }
    world.files.iter().for_each(|(path, file)| println!("{path} {} bytes, {} durable, named {}", file.body.len(), file.synced, file.named));
    assert!(reached, "the step was not reached");
    assert!(wrong.is_empty(), "{}", explain(&golden, &point, &wrong));
}

/// A failure can be looked at again only if it happens again.
#[test]
fn one_seed_gives_one_history() {
    let golden = golden(named("serial").unwrap(), SEED);
    let last = golden.steps.iter().zip(0..).filter(|(steps, _)| !steps.is_empty());
    for (steps, stage) in last {
        for step in (0..steps.len()).step_by(steps.len() / 3 + 1) {
            // A report of a panic names the task by a number that is the runtime's own.
            let faults: Vec<Fault> = Fault::at(steps[step].class).iter().copied().filter(|fault| *fault != Fault::Panic).collect();
            let point = Point { stage, step, fault: faults[step % faults.len()], moved: step % 2 == 1, second: Second::None };
            let history = || {
                let trial = Trial::new(&golden, &point);
                let world = Arc::clone(&trial.world);
                trial.run();
                lock(&world).clone()
            };
            let (one, other) = (history(), history());
            assert_eq!(one.log, other.log, "{}", Named(&golden, &point));
            let differ: Vec<&String> = one.files.keys().filter(|&path| one.files.get(path) != other.files.get(path)).collect();
            assert!(differ.is_empty() && one.files.len() == other.files.len(), "{}: {differ:?}", Named(&golden, &point));
            assert_eq!((one.time, one.seed), (other.time, other.seed), "{}", Named(&golden, &point));
        }
    }
}

/// Nothing is diffed of a result that was not read to its end, whatever batch it failed at: no version, no commit, no request (I7).
#[test]
fn a_source_that_fails_at_any_batch_changes_nothing() {
    let golden = golden(named("serial").unwrap(), SEED);
    let heads = |world: &World| -> Vec<String> { world.files.keys().filter(|path| path.contains("/commits/")).cloned().collect() };
    let mut batches = 0;
    for (stage, steps) in golden.steps.iter().enumerate() {
        for step in (0..steps.len()).filter(|&step| steps[step].class == Class::Batch) {
            let point = Point { stage, step, fault: Fault::Error, moved: false, second: Second::None };
            let mut trial = Trial::new(&golden, &point);
            let before = golden.before[stage].clone();
            let ended = trial.process("with the fault", Act::Run);
            let Ended::Lived { reports, .. } = &ended else { panic!("{} died", Named(&golden, &point)) };
            assert!(reports.len() == 3 && reports.iter().all(|report| report.status == Status::Failed), "{reports:?}");
            {
                let world = lock(&trial.world);
                assert_eq!(world.log.len(), before.log.len(), "nothing is sent");
                assert_eq!(heads(&world), heads(&before), "and nothing is committed");
            }
            let Verdict { wrong, .. } = Trial::new(&golden, &point).run();
            assert!(wrong.is_empty(), "{}", explain(&golden, &point, &wrong));
            batches += 1;
        }
    }
    assert!(batches > 20, "{batches} batches");
}

/// A commit that is there is found, though its writer was told otherwise; one that is not is made again from the journal. Either way what
/// was acknowledged is not sent again, and nothing is deleted.
#[test]
fn a_commit_whose_answer_was_lost_costs_nothing() {
    let sweep = Sweep::filtered("serial", |step, fault| {
        step.label.starts_with("create mappings/")
            && step.label.contains("/commits/")
            && matches!(fault, Fault::Lost | Fault::UnknownDone | Fault::UnknownNot)
    });
    for point in sweep.chosen(20).into_iter().filter(|point| !point.moved) {
        let mut trial = Trial::new(&sweep.golden, point);
        let ended = trial.process("with the fault", Act::Run);
        let Ended::Lived { reports, .. } = &ended else { panic!("it died") };
        assert!(reports.iter().any(|report| report.status == Status::Failed), "{reports:?}");
        let sent = lock(&trial.world).log.len();
        trial.good("run", Act::Run);
        trial.good("run again", Act::Run);
        assert_eq!(check::sent_again(&lock(&trial.world).log, sent), 0, "{}", Named(&sweep.golden, point));
        assert!(trial.wrong.is_empty(), "{}", explain(&sweep.golden, point, &trial.wrong));
    }
}
