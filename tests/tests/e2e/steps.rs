//! Every step by which a run changes its state goes wrong once: the run is killed there, or the disk refuses it. Then two clean runs: the
//! destination holds the source, and the second sends nothing.
//!
//! As SQLite does it: the first step goes wrong, then the second, and so on, until a run comes to its end before the step.

use std::fmt::Debug;
use std::time::Duration;

use outflow_tests::{Act, Fault, Faults, Outflow, Run, Server, ServerOptions};
use serde_json::json;

use crate::{MIRROR, Shop, is_long};

/// Records at the start.
const RECORDS: i64 = 24;
/// More steps than a run can have.
const STEPS_MAX: u64 = 2_000;

/// What the destination does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    Accepts,
    /// Refuses two of the records that change.
    Refuses,
    /// Closes some connections without an answer, and takes what came over them in later; answers the rest late.
    IsLate,
}

impl Destination {
    fn begin(self, shop: &Shop) {
        shop.server.accept_all();
        match self {
            Self::Accepts => {}
            Self::Refuses => shop.server.refuse(["2", "9"]),
            Self::IsLate => {
                let late = Act::DropThenApply(Duration::from_millis(40));
                let slow = Act::Hold(Duration::from_millis(15));
                shop.server.script([slow.clone(), late, slow.clone()]);
                shop.server.next(20, &slow);
            }
        }
    }
}

/// How a step goes wrong.
#[derive(Clone, Copy, Debug)]
struct Mishap {
    fault: Fault,
    /// And so does every later one.
    lasting: bool,
    /// A step is a call that reads the state.
    reads: bool,
}

const ONCE: Mishap = Mishap { fault: Fault::Kill, lasting: false, reads: false };

fn shop() -> Shop {
    let server = Server::with(ServerOptions { deduplicate: true, ..ServerOptions::default() });
    Shop::with(RECORDS, server, MIRROR, "batch: { records: 4, body: array }")
}

/// Some records are updated, one is added and one deleted.
fn change(shop: &mut Shop, round: u64) {
    let at = |n: u64| 1 + (n % 12) as i64;
    for id in [2, 3, 9, at(round), at(round + 5)] {
        if shop.table.records().iter().any(|record| record["id"] == id) {
            shop.table.set(id, "name", format!("round {round}"));
        }
    }
    let ids: Vec<i64> = shop.table.records().iter().map(|record| record["id"].as_i64().unwrap()).collect();
    let last = ids.iter().copied().max().unwrap();
    shop.table.push(json!([last + 1, format!("new in {round}"), null, 0]));
    let victim = ids.into_iter().find(|id| *id > 12).unwrap();
    shop.table.delete(victim);
    shop.write();
}

/// Two clean runs: the first brings the destination to what the source holds, and the second has nothing to do.
#[track_caller]
fn converges(shop: &mut Shop, case: &dyn Debug) {
    shop.server.accept_all();
    let run = shop.outflow("run");
    assert_eq!(run.code, Some(0), "{case:?}: the next run\n{run}");
    shop.assert_mirrored();
    shop.server.take_requests();
    let run = shop.outflow("run");
    let sent = shop.server.take_requests().len();
    assert_eq!((run.code, sent), (Some(0), 0), "{case:?}: the run after the next has nothing to send\n{run}");
    assert_eq!(shop.result()["status"], "no_changes", "{case:?}");
    shop.assert_mirrored();
}

/// Runs with one step after the other going wrong, from `first` on and each time `stride` steps further; `begin` makes the next case. Returns how
/// many went wrong.
fn sweep(destination: Destination, mishap: Mishap, (first, stride): (u64, u64), mut begin: impl FnMut(u64, Option<Shop>) -> Shop) -> u64 {
    let (mut shop, mut hits) = (None, 0);
    for number in (first..STEPS_MAX).step_by(stride as usize) {
        let mut now = begin(number, shop.take());
        destination.begin(&now);
        let state = now.project.path("state");
        let faults = if mishap.reads { Faults::watch_reads(&state) } else { Faults::watch(&state) };
        let faults = faults.at(number, mishap.fault);
        let faults = if mishap.lasting { faults.lasting() } else { faults };
        let run = faults.on(Outflow::at(&now.project).args("run")).run();
        let Some(step) = faults.hit() else {
            let expected = if destination == Destination::Refuses { 3 } else { 0 };
            run.expect(expected);
            converges(&mut now, &(destination, mishap, "no step"));
            return hits;
        };
        hits += 1;
        let case = (destination, mishap, step);
        match mishap.fault {
            Fault::Kill | Fault::Torn => assert_eq!(run.code, None, "{case:?}: it was killed\n{run}"),
            _ => {
                tells(&mut now, &run, destination, &case);
                synced_once(&faults, &case);
            }
        }
        converges(&mut now, &case);
        shop = Some(now);
    }
    panic!("a run never ended by itself");
}

/// A disk that refuses a step ends the run with an error that names the state and a way out, unless nothing hung on the step.
#[track_caller]
fn tells(shop: &mut Shop, run: &Run, destination: Destination, case: &dyn Debug) {
    // Whatever the width of the terminal has made of it.
    let said = format!("{} {}", run.stderr, run.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    match run.code {
        Some(0 | 3) => {
            if destination == Destination::Accepts {
                shop.assert_mirrored();
            }
        }
        Some(1) => {
            assert!(said.contains("state"), "{case:?}: what failed\n{run}");
            let why = ["o space left", "nput/output error", "I/O error"];
            assert!(why.iter().any(|why| said.contains(why)), "{case:?}: why\n{run}");
            assert!(!said.contains("o space left") || said.contains("free some"), "{case:?}: what to do\n{run}");
        }
        _ => panic!("{case:?}: it ends in an orderly way\n{run}"),
    }
    assert!(!said.contains("bug") && !said.contains("panic"), "{case:?}\n{run}");
}

/// A file whose fsync has failed is not fsynced again: the system may have dropped what it could not write, and would report success.
#[track_caller]
fn synced_once(faults: &Faults, case: &dyn Debug) {
    let Some(failed) = faults.hit().filter(|step| step.call == "fsync" && step.path.contains("/object-")) else { return };
    let again = faults.steps().into_iter().find(|step| step.number > failed.number && step.call == "fsync" && step.path == failed.path);
    assert_eq!(again, None, "{case:?}");
}

/// The first sync, with a state folder that is not there yet.
fn first_sync(_: u64, _: Option<Shop>) -> Shop {
    shop()
}

/// A later sync, each on the state that the one before has left.
fn later_sync(number: u64, before: Option<Shop>) -> Shop {
    let mut shop = before.unwrap_or_else(|| {
        let mut shop = shop();
        shop.run(0);
        shop.assert_mirrored();
        shop
    });
    change(&mut shop, number);
    shop
}

/// Every step with `OUTFLOW_LONG=1`; else a selection, that begins elsewhere in each sweep.
fn steps(selection: (u64, u64)) -> (u64, u64) {
    if is_long() { (1, 1) } else { selection }
}

#[test]
fn a_first_sync_that_is_killed_at_any_step_loses_nothing() {
    for (destination, first) in [(Destination::Accepts, 3), (Destination::Refuses, 11), (Destination::IsLate, 20)] {
        let hits = sweep(destination, ONCE, steps((first, 25)), first_sync);
        assert!(hits >= 3, "{destination:?}: {hits}");
    }
}

#[test]
fn a_sync_that_is_killed_at_any_step_loses_nothing() {
    for (destination, first) in [(Destination::Accepts, 2), (Destination::Refuses, 7), (Destination::IsLate, 12)] {
        let hits = sweep(destination, ONCE, steps((first, 17)), later_sync);
        assert!(hits >= 3, "{destination:?}: {hits}");
    }
}

#[test]
fn a_sync_that_is_killed_in_the_midst_of_any_write_loses_nothing() {
    for (destination, first) in [(Destination::Accepts, 5), (Destination::Refuses, 10), (Destination::IsLate, 15)] {
        let hits = sweep(destination, Mishap { fault: Fault::Torn, ..ONCE }, steps((first, 17)), later_sync);
        assert!(hits >= 3, "{destination:?}: {hits}");
    }
}

#[test]
fn a_disk_that_is_full_from_any_step_on_is_told_and_loses_nothing() {
    let mishap = Mishap { fault: Fault::NoSpace, lasting: true, ..ONCE };
    for (destination, first) in [(Destination::Accepts, 4), (Destination::Refuses, 9), (Destination::IsLate, 14)] {
        let hits = sweep(destination, mishap, steps((first, 17)), later_sync);
        assert!(hits >= 3, "{destination:?}: {hits}");
    }
    let hits = sweep(Destination::Accepts, mishap, steps((1, 25)), first_sync);
    assert!(hits >= 3, "{hits}");
}

#[test]
fn a_disk_that_fails_at_any_step_is_told_and_loses_nothing() {
    for (lasting, destination, first) in [
        (false, Destination::Accepts, 3),
        (true, Destination::Accepts, 8),
        (false, Destination::Refuses, 13),
        (false, Destination::IsLate, 6),
    ] {
        let hits = sweep(destination, Mishap { fault: Fault::Io, lasting, ..ONCE }, steps((first, 17)), later_sync);
        assert!(hits >= 3, "{destination:?}: {hits}");
    }
    let hits = sweep(Destination::Accepts, Mishap { fault: Fault::Io, ..ONCE }, steps((2, 25)), first_sync);
    assert!(hits >= 3, "{hits}");
}

#[test]
fn a_state_that_cannot_be_read_at_any_place_is_told_and_loses_nothing() {
    for (lasting, first) in [(false, 1), (true, 3)] {
        let hits = sweep(Destination::Accepts, Mishap { fault: Fault::Io, lasting, reads: true }, steps((first, 29)), later_sync);
        assert!(hits >= 3, "{hits}");
    }
}

/// What a run does to the state is what this file says that it does: the kinds of steps, and the order that durability hangs on.
#[test]
fn every_object_is_durable_before_it_has_its_name() {
    let shop = shop();
    let faults = Faults::watch(&shop.project.path("state"));
    faults.on(Outflow::at(&shop.project).args("run")).run().expect(0);
    let steps = faults.steps();
    let mut dirty: Vec<&str> = Vec::new();
    let mut named = 0;
    for step in &steps {
        match step.call.as_str() {
            "write" if !dirty.contains(&step.path.as_str()) => dirty.push(&step.path),
            "fsync" => dirty.retain(|path| *path != step.path),
            "link" => {
                let folder = step.path.rsplit_once('/').unwrap().0;
                let synced = steps.iter().any(|later| later.number > step.number && later.call == "fsync" && later.path == folder);
                assert!(synced, "the name {} is made durable", step.path);
                named += 1;
            }
            _ => {}
        }
    }
    assert!(named > 5, "{steps:?}");
    assert!(dirty.iter().all(|path| path.ends_with("/journal")), "what was written and never made durable: {dirty:?}");
    for call in ["create", "write", "fsync", "link", "remove", "mkdir"] {
        assert!(steps.iter().any(|step| step.call == call), "no {call} was seen: {steps:?}");
    }
}

/// Does something by hand with one step after the other going wrong, until it comes to its end by itself: `before` makes the case, and `after` looks
/// at what came of doing it once more.
fn by_hand(command: &str, mut before: impl FnMut(&mut Shop, u64), mut after: impl FnMut(&mut Shop)) {
    let mut shop = shop();
    shop.run(0);
    let mut hits = 0;
    for number in (1..STEPS_MAX).step_by(if is_long() { 1 } else { 5 }) {
        before(&mut shop, number);
        let faults = Faults::watch(&shop.project.path("state")).at(number, Fault::Kill);
        let run = faults.on(Outflow::at(&shop.project).args(command)).run();
        let hit = faults.hit();
        if hit.is_some() {
            hits += 1;
            assert_eq!(run.code, None, "{command}: {hit:?}\n{run}");
            let again = shop.outflow(command);
            assert_eq!(again.code, Some(0), "{command} once more, after {hit:?}\n{again}");
        } else {
            run.expect(0);
        }
        after(&mut shop);
        if hit.is_none() {
            assert!(hits >= 2, "{command}: {hits}");
            return;
        }
    }
    panic!("{command} never ended by itself");
}

#[test]
fn what_is_done_by_hand_and_killed_at_any_step_can_be_done_again() {
    let settled = |shop: &mut Shop| converges(shop, &"by hand");
    by_hand("pause mirror", change, |shop| {
        assert_eq!(shop.run(0)["status"], "skipped");
        shop.outflow("resume mirror").expect(0);
        settled(shop);
    });
    let pause = |shop: &mut Shop, number| {
        change(shop, number);
        shop.outflow("pause mirror").expect(0);
    };
    by_hand("resume mirror", pause, settled);
    by_hand(
        "reset mirror --yes",
        |_, _| {},
        |shop| {
            assert_eq!(crate::counts(&shop.run(0), "delivered"), (RECORDS as u64, 0, 0));
            settled(shop);
        },
    );
    by_hand("baseline mirror --yes", change, |shop| {
        shop.server.take_requests();
        assert_eq!(shop.run(0)["status"], "no_changes");
        assert!(shop.server.take_requests().is_empty());
    });
    by_hand("test mirror --record 3 --send", change, settled);
}

#[test]
fn a_renaming_that_is_killed_at_any_step_goes_on() {
    let mut names = ["mirror", "second"];
    let mut shop = shop();
    shop.run(0);
    for number in (1..STEPS_MAX).step_by(if is_long() { 1 } else { 5 }) {
        let [old, new] = names;
        change(&mut shop, number);
        shop.project.edit("outflow.yml", &format!("\n  {old}:"), &format!("\n  {new}:"));
        let command = format!("rename {old} {new} --yes");
        let faults = Faults::watch(&shop.project.path("state")).at(number, Fault::Kill);
        let run = faults.on(Outflow::at(&shop.project).args(&command)).run();
        let Some(step) = faults.hit() else {
            run.expect(0);
            converges(&mut shop, &"no step");
            return;
        };
        assert_eq!(run.code, None, "{step:?}\n{run}");
        let again = shop.outflow(&command);
        // It may have been done but for the last word.
        assert!(matches!(again.code, Some(0 | 2)), "{step:?}\n{again}");
        converges(&mut shop, &step);
        names = [new, old];
    }
    panic!("a renaming never ended by itself");
}
