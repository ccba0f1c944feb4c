//! What happens to a world in turn: the source changes, somebody does something.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::machine::{Act, Setup, empty_world, process};
use crate::world::{Step, World, lock};

/// One thing that happens.
#[derive(Clone, Copy)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// What becomes of the source and of what is refused before it.
    pub(crate) edit: fn(&mut World),
    pub(crate) act: Act,
    pub(crate) setup: Setup,
}

/// A name, and what happens in turn.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) stages: Vec<Stage>,
}

impl Scenario {
    /// Is nothing done in it but running?
    pub(crate) fn only_runs(&self) -> bool {
        self.stages.iter().all(|stage| stage.act == Act::Run)
    }
}

/// One request at a time: every step has its place.
const SERIAL: Setup = Setup { concurrency: 1, renamed: false, forgetful: false };
/// Three at a time.
const PARALLEL: Setup = Setup { concurrency: 3, ..SERIAL };

fn put(world: &mut World, rows: &[(i64, &str)]) {
    world.rows.extend(rows.iter().map(|(id, name)| (*id, (*name).to_owned())));
}

fn take(world: &mut World, ids: &[i64]) {
    world.rows.retain(|id, _| !ids.contains(id));
}

fn refuse(world: &mut World, ids: &[i64]) {
    world.refused = ids.iter().map(ToString::to_string).collect();
}

fn first(world: &mut World) {
    put(world, &[(1, "a"), (2, "a"), (3, "a"), (4, "a"), (5, "a"), (6, "a"), (7, "a")]);
    refuse(world, &[5]);
}

fn changes(world: &mut World) {
    put(world, &[(1, "b"), (2, "b"), (8, "a")]);
    take(world, &[3]);
}

/// 1 is what it was at first, and so is 3, which was gone meanwhile; what is refused changes, and so does who.
fn back_again(world: &mut World) {
    put(world, &[(1, "a"), (3, "a"), (5, "b"), (9, "a")]);
    take(world, &[4, 8]);
    refuse(world, &[5, 9, 2]);
}

fn accepted(world: &mut World) {
    put(world, &[(6, "b")]);
    take(world, &[9]);
    refuse(world, &[]);
}

fn nothing(_: &mut World) {}

fn emptied(world: &mut World) {
    world.rows.retain(|id, _| *id == 1);
}

fn filled(world: &mut World) {
    put(world, &[(1, "c"), (2, "a"), (3, "b"), (4, "a"), (5, "a")]);
}

/// Syncs of every kind: the first, updates, deletes, records that are refused and are accepted later, one that comes back to what it was.
pub(crate) fn syncs(setup: Setup) -> Scenario {
    let run = |name, edit| Stage { name, edit, act: Act::Run, setup };
    let stages = vec![
        run("first", first),
        run("changes", changes),
        run("back-again", back_again),
        run("accepted", accepted),
        run("still", nothing),
        run("emptied", emptied),
        run("filled", filled),
    ];
    Scenario { name: if setup.concurrency == 1 { "serial" } else { "parallel" }, stages }
}

/// What people do by hand, between syncs.
fn by_hand() -> Scenario {
    let stage = |name, edit, act, renamed| Stage { name, edit, act, setup: Setup { renamed, ..SERIAL } };
    let stages = vec![
        stage("first", first, Act::Run, false),
        stage("paused", changes, Act::Pause, false),
        stage("while-paused", back_again, Act::Run, false),
        stage("resumed", nothing, Act::Resume, false),
        stage("after-pause", accepted, Act::Run, false),
        stage("reset", nothing, Act::Reset, false),
        stage("after-reset", nothing, Act::Run, false),
        stage("baseline", nothing, Act::Baseline, false),
        stage("after-baseline", emptied, Act::Run, false),
        stage("reset-again", filled, Act::Reset, false),
        stage("renamed", changes, Act::Rename, true),
        stage("after-rename", nothing, Act::Run, true),
    ];
    Scenario { name: "by-hand", stages }
}

/// So much later that everything is of age.
fn much_later(world: &mut World) {
    world.time += Duration::from_secs(24 * 60 * 60);
}

/// What is older than it needs to be is dropped, while a mapping lags behind and after it has caught up.
fn forgetful() -> Scenario {
    let stage = |name, edit, act| Stage { name, edit, act, setup: Setup { forgetful: true, ..SERIAL } };
    let stages = vec![
        stage("first", first, Act::Run),
        stage("paused", changes, Act::Pause),
        stage("while-paused", back_again, Act::Run),
        stage("dropped", much_later, Act::Retain),
        stage("resumed", nothing, Act::Resume),
        stage("caught-up", accepted, Act::Run),
        stage("emptied", emptied, Act::Run),
        stage("dropped-again", much_later, Act::Retain),
        stage("filled", filled, Act::Run),
    ];
    Scenario { name: "forgetful", stages }
}

/// The scenario of that name.
pub(crate) fn named(name: &str) -> Option<Scenario> {
    match name {
        "serial" => Some(syncs(SERIAL)),
        "parallel" => Some(syncs(PARALLEL)),
        "by-hand" => Some(by_hand()),
        "forgetful" => Some(forgetful()),
        _ => None,
    }
}

/// A scenario in which nothing goes wrong: the world before each stage, and the steps of the stage.
pub(crate) struct Golden {
    pub(crate) scenario: Scenario,
    /// One for each stage, its edit done.
    pub(crate) before: Vec<World>,
    /// Sorted, so that each has its number.
    pub(crate) steps: Vec<Vec<Step>>,
}

/// Carries a scenario out.
pub(crate) fn golden(scenario: Scenario, seed: u64) -> Golden {
    let world = Arc::new(Mutex::new(empty_world(seed)));
    let (mut before, mut steps) = (Vec::new(), Vec::new());
    for stage in &scenario.stages {
        {
            let mut world = lock(&world);
            world.calm();
            (stage.edit)(&mut world);
            before.push(world.clone());
        }
        let ended = process(&world, stage.setup, stage.act);
        let mut world = lock(&world);
        assert!(world.violations.is_empty(), "{}: {:?}", stage.name, world.violations);
        let failed = crate::check::failures(&ended);
        assert!(failed.is_empty(), "{}: {failed:?}", stage.name);
        let mut trace = world.script.trace.clone();
        trace.sort();
        steps.push(trace);
        world.calm();
    }
    Golden { scenario, before, steps }
}
