//! Several runs of one project at the same time, on one machine: a lock of the operating system lets one through, however the others come.

use std::time::{Duration, Instant};

use outflow_tests::{Fault, Faults, Outflow, Running, Server};
use rustix::process::Signal;

use crate::{MIRROR, Shop, counts, is_long};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_mins(1);

fn spawn(shop: &Shop, args: &str) -> Running {
    // The log of programs says when an extraction begins.
    Outflow::at(&shop.project).args(args).args("--log-format json").spawn()
}

#[track_caller]
fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn change(shop: &mut Shop, round: usize) {
    for id in 1..=3 {
        shop.table.set(id, "name", format!("round {round}"));
    }
    shop.write();
}

#[test]
fn of_two_runs_that_start_together_one_works_and_the_other_is_told_before_it_extracts() {
    let mut shop = Shop::new(30);
    shop.run(0);
    for round in 0..if is_long() { 200 } else { 8 } {
        change(&mut shop, round);
        let before = shop.server.applied().0;
        // Nothing is answered, so that whoever works is at it until the other has ended.
        shop.server.hold();
        let mut both = [spawn(&shop, "run"), spawn(&shop, "run")];
        wait_for("one of the two ends", || both.iter_mut().any(|run| !run.is_running()));
        let first_is_busy = !both[0].is_running();
        let [one, other] = both;
        let (busy, works) = if first_is_busy { (one, other) } else { (other, one) };
        let busy = busy.wait().expect(4);
        assert!(busy.stderr.contains("another run holds the lock of `mirror`"), "{busy}");
        assert!(!busy.stderr.contains("extract"), "it ends before it extracts\n{busy}");
        shop.server.release();
        let works = works.wait().expect(0);
        assert!(works.stderr.contains("extracted"), "{works}");
        assert_eq!(shop.server.applied().0 - before, 3, "round {round}: each change is sent once");
        shop.assert_mirrored();
    }
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn of_two_runs_that_wait_for_each_other_the_second_has_nothing_to_do() {
    let mut shop = Shop::new(30);
    for round in 0..if is_long() { 50 } else { 4 } {
        change(&mut shop, round);
        let before = shop.server.applied().0;
        let both = [spawn(&shop, "run --wait"), spawn(&shop, "run --wait")];
        for run in both {
            run.wait().expect(0);
        }
        let expected = if round == 0 { 30 } else { 3 };
        assert_eq!(shop.server.applied().0 - before, expected, "round {round}: each change is sent once");
        shop.assert_mirrored();
    }
}

#[test]
fn mappings_of_different_accounts_run_side_by_side() {
    let mut shop = Shop::new(30);
    let mut elsewhere = Server::start();
    let url = elsewhere.url("/records");
    let other = format!(
        "  elsewhere:
    type: webhook
    request_timeout: 2s
    request_lifetime: 100ms
    settings: {{ url: '{url}', batch: {{ records: 10, body: array }} }}"
    );
    let both = format!("{MIRROR}{}", MIRROR.replace("mirror:", "copy:").replace("destination: hook", "destination: elsewhere"));
    shop.configure(&both, "batch: { records: 10, body: array }", &other);
    for round in 0..if is_long() { 50 } else { 4 } {
        change(&mut shop, round);
        let before = (shop.server.applied().0, elsewhere.applied().0);
        // One is kept in the midst of its delivery; the other ends all the same. Both extract the same model, one after the other.
        shop.server.hold();
        let slow = spawn(&shop, "run --select mirror");
        let quick = spawn(&shop, "run --select copy");
        quick.wait().expect(0);
        shop.server.release();
        slow.wait().expect(0);
        let expected = if round == 0 { 30 } else { 3 };
        assert_eq!((shop.server.applied().0 - before.0, elsewhere.applied().0 - before.1), (expected, expected), "round {round}");
        shop.assert_mirrored();
        assert_eq!(shop.server.records(), elsewhere.records(), "round {round}");
    }
    shop.server.take_requests();
    elsewhere.take_requests();
    shop.outflow("run").expect(0);
    assert!(shop.server.take_requests().is_empty() && elsewhere.take_requests().is_empty());
    elsewhere.stop();
}

#[test]
fn a_run_that_is_stopped_for_a_while_is_not_taken_over() {
    let mut shop = Shop::new(30);
    shop.server.hold();
    let mut stopped = spawn(&shop, "run");
    assert!(stopped.until(|| shop.server.arrived().requests > 0), "requests are under way");
    stopped.signal(Signal::STOP);
    wait_for("it stops", || stopped.is_stopped());
    // Its answers come while it cannot read them, and others come for its work.
    shop.server.release();
    let busy = shop.outflow("run").expect(4);
    assert!(busy.stderr.contains("another run holds the lock of `mirror`"), "{busy}");
    let waits = spawn(&shop, "run --wait");
    wait_for("the other waits", || waits.stderr().contains("another run holds its lock"));
    stopped.signal(Signal::CONT);
    stopped.wait().expect(0);
    waits.wait().expect(0);
    assert_eq!(shop.server.applied(), (30, 0), "nothing was sent twice");
    shop.assert_mirrored();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

/// A run whose requests are under way until the server lets them go.
fn held(shop: &Shop) -> Running {
    shop.server.hold();
    let arrived = shop.server.arrived().requests;
    let mut run = spawn(shop, "run");
    assert!(run.until(|| shop.server.arrived().requests > arrived), "requests are under way");
    run
}

/// A run has read the project, which is edited while it is under way: whoever comes with the new one writes to another account, or from
/// another model, and to the same state.
fn is_kept_off_by_a_live_run(from: &str, to: &str, is_first: bool) {
    let mut shop = Shop::new(30);
    shop.project.edit("outflow.yml", "request_timeout: 2s", "request_timeout: 60s");
    shop.project.edit(
        "outflow.yml",
        "models:\n",
        "models:\n  backwards: { source: warehouse, query: SELECT * FROM people ORDER BY id DESC, id: id }\n",
    );
    if !is_first {
        shop.run(0);
        change(&mut shop, 0);
    }
    let (before, wanted) = (shop.server.applied(), if is_first { 30 } else { 3 });
    let live = held(&shop);
    shop.project.edit("outflow.yml", from, to);
    let commands = ["run", "plan", "retry mirror", "retry mirror --acknowledge --all", "test mirror --record 1 --send"];
    let by_hand = ["reset mirror --yes", "baseline mirror --yes", "doctor --set-aside mirror --yes"];
    for args in commands.iter().chain(&by_hand) {
        let busy = shop.outflow(args).expect(4);
        assert!(busy.stderr.contains("another run holds the lock of `mirror`"), "{args}: {busy}");
    }
    let waiting = spawn(&shop, "pause mirror");
    wait_for("a pause waits", || waiting.stderr().contains("another run holds its lock"));
    waiting.kill();
    shop.server.release();
    live.wait().expect(0);
    let after = shop.server.applied();
    assert_eq!((after.0 - before.0, after.1 - before.1), (wanted, 0), "each record is sent once");
    shop.project.edit("outflow.yml", to, from);
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert_eq!(shop.server.applied(), after);
    shop.assert_mirrored();
}

#[test]
fn a_run_is_not_taken_over_where_the_model_of_its_mapping_is_edited_meanwhile() {
    is_kept_off_by_a_live_run("model: people", "model: backwards", true);
    is_kept_off_by_a_live_run("model: people", "model: backwards", false);
}

#[test]
fn a_run_is_not_taken_over_where_the_address_of_its_destination_is_edited_meanwhile() {
    is_kept_off_by_a_live_run("/records'", "/records?other'", true);
    is_kept_off_by_a_live_run("/records'", "/records?other'", false);
}

#[test]
fn a_state_that_a_live_run_writes_is_neither_renamed_nor_dropped_from_by_an_edited_project() {
    let mut shop = Shop::new(30);
    shop.project.edit("outflow.yml", "request_timeout: 2s", "request_timeout: 60s");
    shop.run(0);
    change(&mut shop, 0);
    let live = held(&shop);
    shop.project.edit("outflow.yml", "/records'", "/records?other'");
    shop.project.edit("outflow.yml", "  mirror:", "  other:");
    let busy = shop.outflow("rename mirror other --yes").expect(4);
    assert!(busy.stderr.contains("another run holds the lock of `mirror`"), "{busy}");
    let busy = shop.outflow("gc").expect(4);
    assert!(busy.stdout.contains("another run holds the lock of `mirror`"), "{busy}");
    shop.server.release();
    live.wait().expect(0);
    shop.project.edit("outflow.yml", "  other:", "  mirror:");
    shop.project.edit("outflow.yml", "/records?other'", "/records'");
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.assert_mirrored();
}

/// Two projects that have two mappings the other way round want the same locks: whoever comes second waits, and neither for ever.
#[test]
fn runs_of_two_projects_that_want_the_locks_of_each_other_both_end() {
    let mut shop = Shop::new(30);
    let url = shop.server.url("/other");
    let other = format!("  other:\n    type: webhook\n    request_lifetime: 100ms\n    settings: {{ url: '{url}' }}");
    let copy = MIRROR.replace("mirror:", "copy:").replace("destination: hook", "destination: other");
    shop.configure(&format!("{MIRROR}{copy}"), "batch: { records: 10, body: array }", &other);
    shop.run(0);
    for round in 0..if is_long() { 50 } else { 4 } {
        change(&mut shop, round);
        let of_one = spawn(&shop, "run --wait");
        let of_both = [("/records'", "/x'"), ("/other'", "/records'"), ("/x'", "/other'")];
        for (from, to) in of_both {
            shop.project.edit("outflow.yml", from, to);
        }
        let of_other = [spawn(&shop, "run --wait"), spawn(&shop, "gc --wait"), spawn(&shop, "plan --wait")];
        for run in of_other {
            assert!(run.wait().code.is_some(), "round {round}");
        }
        assert!(of_one.wait().code.is_some(), "round {round}");
        for (from, to) in of_both.into_iter().rev() {
            shop.project.edit("outflow.yml", to, from);
        }
        shop.outflow("run --wait").expect(0);
    }
}

/// Old values must not land over newer ones: the stopped run has what the source held before.
#[test]
fn a_stopped_run_is_not_taken_over_by_a_reset_of_an_edited_project() {
    let mut shop = Shop::new(30);
    let mut stopped = held(&shop);
    stopped.signal(Signal::STOP);
    wait_for("it stops", || stopped.is_stopped());
    change(&mut shop, 0);
    shop.project.edit("outflow.yml", "/records'", "/records?other'");
    shop.outflow("reset mirror --yes").expect(4);
    shop.project.edit("outflow.yml", "/records?other'", "/records'");
    shop.server.release();
    stopped.signal(Signal::CONT);
    stopped.wait().expect(0);
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 3, 0));
    shop.assert_mirrored();
}

#[test]
fn a_stopped_run_that_is_killed_leaves_its_work_to_the_next() {
    let mut shop = Shop::new(30);
    shop.server.hold();
    let mut stopped = spawn(&shop, "run");
    assert!(stopped.until(|| shop.server.arrived().requests > 0), "requests are under way");
    stopped.signal(Signal::STOP);
    wait_for("it stops", || stopped.is_stopped());
    stopped.kill();
    shop.server.release();
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
    assert_eq!(shop.run(0)["status"], "no_changes");
}

/// Stopped before any of its steps, and another run comes and goes meanwhile.
#[test]
fn wherever_a_run_is_stopped_another_one_does_no_harm() {
    let mut shop = Shop::new(30);
    shop.run(0);
    let stride = if is_long() { 1 } else { 9 };
    let (mut busy, mut round) = (0, 0);
    loop {
        change(&mut shop, round);
        let faults = Faults::watch(&shop.project.path("state")).at(2 + (round * stride) as u64, Fault::Stop);
        let mut stopped = faults.on(Outflow::at(&shop.project).args("run")).spawn();
        wait_for("it stops or ends", || stopped.is_stopped() || !stopped.is_running());
        let step = if stopped.is_running() { faults.hit() } else { None };
        let meanwhile = shop.outflow("run");
        match meanwhile.code {
            Some(4) => busy += 1,
            Some(0) => {}
            _ => panic!("{step:?}\n{meanwhile}"),
        }
        stopped.signal(Signal::CONT);
        let ended = stopped.wait();
        assert_eq!(ended.code, Some(0), "{step:?}\n{ended}");
        shop.assert_mirrored();
        shop.server.take_requests();
        assert_eq!(shop.run(0)["status"], "no_changes", "{step:?}");
        assert!(shop.server.take_requests().is_empty(), "{step:?}");
        if step.is_none() {
            break;
        }
        round += 1;
    }
    assert!(busy >= 3, "of {round} places, {busy} were under the lock");
}
