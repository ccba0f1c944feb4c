//! What is too old goes, and what a mapping has not delivered yet does not.

use std::time::Duration;

use outflow_tests::{Act, Outflow, Server};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::{Shop, counts};

/// Beside the mirror, one that keeps the model moving while the mirror lags.
const WITH_DRIVER: &str = r"
  mirror:
    model: people
    destination: hook
    action: send
    records: all
    fields: { id: $.id, op: $.__op, name: $.name, email: $.email }
  driver: { model: people, destination: out, action: write, records: added_or_updated, fields: { id: $.id } }
";
const OUT: &str = "  out: { type: file, settings: { path: out } }";
/// Upserts and deletes by two mappings of one account.
const PAIR: &str = r"
  upserts:
    model: people
    destination: hook
    action: send
    records: added_or_updated
    fields: { id: $.id, op: $.__op, name: $.name, email: $.email }
  deletes: { model: people, destination: hook, action: send, records: deleted, fields: { id: $.id, op: $.__op } }
  driver: { model: people, destination: out, action: write, records: added_or_updated, fields: { id: $.id } }
";
/// One that sends no deletions, and lags.
const LAGGING: &str = r"
  lagging:
    model: people
    destination: hook
    action: send
    records: added_or_updated
    fields: { id: $.id, op: $.__op, name: $.name, email: $.email }
  driver: { model: people, destination: out, action: write, records: added_or_updated, fields: { id: $.id } }
";
const BATCHES: &str = "batch: { records: 10, body: array }";

impl Shop {
    fn lagging(mappings: &str, n: i64) -> Self {
        let shop = Self::with(n, Server::start(), mappings, BATCHES);
        shop.configure(mappings, BATCHES, OUT);
        shop
    }

    /// Everything is too old from the moment on in which something newer is there.
    fn keeps_nothing(&self) {
        self.project.edit("outflow.yml", "version: 1", "version: 1\nretention: { versions: 0s, syncs: 0s }");
    }

    fn keeps_the_usual(&self) {
        self.project.edit("outflow.yml", "\nretention: { versions: 0s, syncs: 0s }", "");
    }

    /// The body of the newest commit of a chain.
    pub(crate) fn head(&self, owner: &str) -> Value {
        let commits = self.project.files(&format!("state/{owner}/commits"));
        self.project.read_json(commits.last().unwrap())["body"].clone()
    }

    /// The state's files, without what comes and goes.
    fn state(&self) -> Vec<String> {
        let lasting = |path: &String| !path.starts_with("state/tmp") && !path.starts_with("state/locks");
        self.project.files("state").into_iter().filter(lasting).collect()
    }

    fn state_bytes(&self) -> u64 {
        self.state().iter().map(|path| std::fs::metadata(self.project.path(path)).unwrap().len()).sum()
    }

    #[track_caller]
    fn is_sound(&self) {
        let found = self.outflow("doctor --output json").expect(0).json();
        assert_eq!(found["sound"], true, "{found}");
    }
}

#[test]
fn what_is_set_aside_stays_so_when_versions_are_folded_and_what_changed_does_not() {
    let mut shop = Shop::lagging(WITH_DRIVER, 20);
    shop.server.refuse(["7", "8"]);
    shop.outflow("run").expect(3);
    shop.outflow("retry mirror --acknowledge --all").expect(0);
    shop.keeps_nothing();
    for name in ["x", "y"] {
        shop.table.set(1, "name", name);
        shop.table.set(8, "name", name);
        shop.write();
        shop.outflow("run --select driver").expect(0);
    }
    let folded = shop.head("mappings/mirror");
    assert!(folded["cursor"].as_u64() > folded["saw"]["version"].as_u64(), "{folded}");
    shop.server.take_requests();
    let result = shop.outflow("run --select mirror --output json").expect(3).json()["results"][0].clone();
    assert_eq!((&result["counts"]["set_aside"]["total"], &result["counts"]["failed"]["total"]), (&json!(1), &json!(1)), "{result}");
    assert!(!shop.sent().contains(&7));
    let pending = shop.outflow("pending mirror --output json").expect(0).json();
    let aside = pending["mappings"][0]["reasons"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&aside["set_aside"], &aside["code"], &aside["examples"][0]["id"]),
        (&json!(true), &json!("http_422"), &json!("7")),
        "{aside}"
    );
}

#[test]
fn a_guard_looks_at_what_was_folded_too() {
    let mut shop = Shop::lagging(WITH_DRIVER, 100);
    shop.outflow("run").expect(0);
    shop.keeps_nothing();
    (1..=51).for_each(|id| shop.table.delete(id));
    shop.write();
    shop.outflow("run --select driver --allow-deleted").expect(0);
    shop.table.set(60, "name", "x");
    shop.write();
    shop.outflow("run --select driver").expect(0);
    assert_eq!(shop.head("models/people")["versions"].as_array().unwrap().len(), 1, "the version of the deletes is gone");
    shop.server.take_requests();
    let result = shop.outflow("run --select mirror --output json").expect(1).json()["results"][0].clone();
    assert_eq!(result["status"], "blocked", "{result}");
    assert!(shop.server.take_requests().is_empty());
    let result = shop.outflow("run --select mirror --allow-deleted --output json").expect(0).json()["results"][0].clone();
    assert_eq!(counts(&result, "delivered"), (0, 1, 51));
    shop.assert_mirrored();
}

#[test]
fn what_a_lagging_mapping_has_not_seen_is_folded_and_delivered_exactly() {
    let mut shop = Shop::lagging(WITH_DRIVER, 20);
    shop.server.refuse(["7"]);
    shop.outflow("run").expect(3);
    shop.keeps_nothing();
    shop.sent();
    // 1 changes and changes back, 2 changes twice, 3 goes, 4 goes and comes back changed, 21 comes, 22 comes and goes.
    let steps: [&dyn Fn(&mut Shop); 5] = [
        &|shop| {
            shop.table.set(1, "name", "x");
            shop.table.set(2, "name", "x");
            shop.table.delete(3);
            shop.table.delete(4);
        },
        &|shop| {
            shop.table.set(1, "name", "name 1");
            shop.table.push(json!([4, "again", "p4@example.com", 40]));
            shop.table.push(json!([22, "short", null, 0]));
        },
        &|shop| shop.table.set(2, "name", "y"),
        &|shop| {
            shop.table.push(json!([21, "new", null, 0]));
            shop.table.delete(22);
        },
        &|shop| shop.table.set(9, "score", 1),
    ];
    for step in steps {
        step(&mut shop);
        shop.write();
        shop.outflow("run --select driver").expect(0);
    }
    assert!(shop.sent().is_empty());
    let model = shop.head("models/people");
    assert_eq!(model["versions"].as_array().unwrap().len(), 1, "only the newest version is left: {model}");
    assert_eq!(model["dropped"]["through"], 5);
    let mapping = shop.head("mappings/mirror");
    assert_eq!(mapping["cursor"], 5, "{mapping}");

    shop.server.accept_all();
    let run = shop.outflow("run --select mirror").expect(0);
    assert_eq!(shop.result()["status"], "success", "{run}");
    assert_eq!(shop.sent(), [2, 3, 4, 7, 21], "the net changes, and what had been refused");
    shop.assert_mirrored();
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.is_sound();
}

#[test]
fn a_folded_delete_that_nobody_sends_stays_pending_beside_a_record_that_is_sent_ahead() {
    let mut shop = Shop::lagging(LAGGING, 10);
    shop.outflow("run").expect(0);
    shop.keeps_nothing();
    shop.table.delete(4);
    shop.table.set(5, "name", "x");
    shop.write();
    shop.outflow("run --select driver").expect(0);
    shop.table.set(9, "name", "y");
    shop.write();
    shop.outflow("run --select driver").expect(0);
    shop.sent();
    let waiting = |shop: &Shop| {
        let pending = shop.outflow("pending lagging --output json").expect(0).json();
        let examples =
            pending["mappings"][0]["reasons"].as_array().unwrap().iter().flat_map(|reason| reason["examples"].as_array().unwrap());
        let mut ids: Vec<String> = examples.map(|example| example["id"].as_str().unwrap().to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(waiting(&shop), ["4", "5"]);
    shop.outflow("retry lagging --id 5").expect(0);
    assert_eq!((shop.sent(), waiting(&shop)), (vec![5], vec!["4".to_owned()]));
    shop.outflow("run --select lagging").expect(0);
    assert_eq!((shop.sent(), waiting(&shop)), (vec![9], Vec::new()));
    shop.is_sound();
}

#[test]
fn a_record_that_waits_as_what_its_mapping_does_not_send_is_no_record_to_retry() {
    let mut shop = Shop::lagging(LAGGING, 10);
    shop.outflow("run").expect(0);
    shop.table.delete(4);
    shop.table.delete(7);
    shop.table.set(5, "name", "x");
    shop.write();
    shop.outflow("run --select driver").expect(0);
    shop.sent();
    for (ids, says) in [
        ("4", "the record 4 waits as deleted, and mapping `lagging` sends added_or_updated records only"),
        ("4 5", "the record 4 waits as deleted, and mapping `lagging` sends added_or_updated records only"),
        ("4 5 7", "of these wait 4 as deleted, 7 as deleted"),
    ] {
        shop.outflow(&format!("retry lagging --id {ids}")).expect(1);
        let result = shop.result();
        let message = result["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
        assert!(message.contains("the next sync passes over") && !message.contains("stopped"), "what to do: {message}");
        assert_eq!((&result["status"], shop.sent()), (&json!("failed"), vec![]), "all of them or none: {result}");
    }
    shop.outflow("retry lagging --id 5").expect(0);
    assert_eq!(shop.sent(), [5]);
    // As it was told: the next sync has nothing to send, and nothing waits.
    shop.outflow("run --select lagging").expect(0);
    assert_eq!((shop.sent(), &shop.result()["counts"]["pending"]["total"]), (vec![], &json!(0)));
}

#[test]
fn a_mapping_that_begins_beside_another_of_its_account_after_versions_were_dropped_begins_with_the_oldest_snapshot() {
    let mut shop = Shop::lagging(PAIR, 12);
    shop.outflow("run --select upserts driver").expect(0);
    shop.keeps_nothing();
    // `deletes` has never run: what comes and goes meanwhile is at the destination by `upserts`.
    for round in 0..4 {
        shop.table.push(json!([100 + round, "short", null, 0]));
        shop.table.delete(if round == 0 { 1 } else { 99 + round });
        shop.write();
        shop.outflow("run --select upserts driver").expect(0);
    }
    assert!(shop.server.records().len() > shop.table.records().len(), "what is gone is still there");
    assert!(shop.head("models/people")["dropped"]["through"].as_u64().unwrap() >= 3);
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
    shop.is_sound();
}

#[test]
fn disk_use_stays_bounded_however_often_records_change() {
    let mut shop = Shop::new(300);
    shop.keeps_nothing();
    let mut random = StdRng::seed_from_u64(20_261_129);
    let mut sizes = Vec::new();
    for round in 0..50 {
        for _ in 0..60 {
            let at = random.random_range(0..300);
            shop.table.set(at + 1, "name", format!("{:032x}", random.random::<u128>()));
        }
        shop.write();
        assert_eq!(shop.run(0)["status"], "success", "round {round}");
        sizes.push(shop.state_bytes());
    }
    let (early, late) = (*sizes[5..15].iter().max().unwrap(), *sizes[40..].iter().max().unwrap());
    assert!(late < early * 3 / 2, "{early} bytes at first, {late} in the end: {sizes:?}");
    assert!(shop.state().len() < 60, "{:#?}", shop.state());
    shop.assert_mirrored();
    shop.is_sound();
}

#[test]
fn a_dry_run_says_what_goes_and_changes_nothing() {
    let mut shop = Shop::lagging(WITH_DRIVER, 30);
    shop.outflow("run").expect(0);
    for round in 0..6 {
        shop.table.set(round % 3 + 1, "name", format!("round {round}"));
        shop.write();
        shop.outflow("run --select driver").expect(0);
    }
    assert!(shop.outflow("gc").expect(0).stdout.contains("Nothing is older"), "within thirty days");
    shop.keeps_nothing();
    let before = shop.state();
    let said = shop.outflow("gc --dry-run --output json").expect(0).json();
    assert_eq!(shop.state(), before);
    assert_eq!(said["models"][0]["versions"], 6, "{said}");
    let mirror = said["models"][0]["mappings"].as_array().unwrap().iter().find(|mapping| mapping["mapping"] == "mirror").unwrap().clone();
    assert_eq!(mirror["folded"], 3, "{said}");
    let done = shop.outflow("gc --output json").expect(0).json();
    assert_eq!(
        (&done["models"][0]["versions"], &done["models"][0]["mappings"]),
        (&said["models"][0]["versions"], &said["models"][0]["mappings"])
    );
    let gone = before.iter().filter(|path| !shop.state().contains(path)).count() as u64;
    assert_eq!(done["files"].as_u64().unwrap(), gone, "{done}");
    assert!(gone > 10, "{gone}");
    let text = shop.outflow("gc").expect(0).stdout;
    assert!(text.contains("people") || text.contains("Nothing"), "{text}");
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
    shop.is_sound();
}

#[test]
fn while_a_run_holds_its_lock_nothing_of_its_model_is_dropped() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.table.set(1, "name", "x");
    shop.write();
    shop.run(0);
    shop.keeps_nothing();
    shop.table.set(1, "name", "y");
    shop.write();
    shop.server.script([Act::Hold(Duration::from_secs(3))]);
    let arrived = shop.server.arrived().requests;
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.arrived().requests > arrived));
    let before = shop.state();
    let busy = shop.outflow("gc").expect(4);
    assert!(busy.stdout.contains("Model `people` is left as it is: another run holds the lock of `mirror`"), "{busy}");
    assert_eq!(shop.state(), before);
    shop.outflow("gc --wait").expect(0);
    running.wait().expect(0);
    assert_eq!(shop.head("models/people")["versions"].as_array().unwrap().len(), 1);
    shop.assert_mirrored();
    shop.is_sound();
}

#[test]
fn a_gc_that_is_killed_leaves_a_state_that_works_and_the_next_goes_on() {
    let mut random = StdRng::seed_from_u64(7);
    let rounds = if crate::is_long() { 60 } else { 8 };
    let mut shop = Shop::lagging(WITH_DRIVER, 200);
    shop.server.refuse(["3"]);
    shop.outflow("run").expect(3);
    for round in 0..rounds {
        for _ in 0..3 {
            for _ in 0..80 {
                shop.table.set(random.random_range(1..=200), "name", format!("{:016x}", random.random::<u64>()));
            }
            shop.write();
            shop.outflow("run --select driver").expect(0);
        }
        shop.keeps_nothing();
        let mut gc = Outflow::at(&shop.project).args("gc").spawn();
        let (start, delay) = (std::time::Instant::now(), Duration::from_millis(random.random_range(20..160)));
        gc.until(move || start.elapsed() > delay);
        gc.kill();
        shop.is_sound();
        shop.keeps_the_usual();
        if round % 3 == 2 {
            shop.outflow("run --select mirror").expect(3);
        }
    }
    shop.keeps_nothing();
    shop.outflow("gc").expect(0);
    shop.is_sound();
    shop.server.accept_all();
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
    shop.is_sound();
}

#[test]
fn a_pending_record_does_not_keep_the_file_that_it_once_stood_in() {
    let mut shop = Shop::new(100);
    shop.run(0);
    shop.keeps_nothing();
    shop.server.refuse(["5"]);
    for round in 0..6 {
        for id in 1..=100 {
            if id != 6 {
                shop.table.set(id, "name", format!("round {round} of {id}"));
            }
        }
        shop.write();
        shop.run(3);
    }
    let model = shop.head("models/people");
    let files: Vec<u64> = model["files"].as_array().unwrap().iter().map(|file| file["rows"].as_u64().unwrap()).collect();
    assert!(files.iter().sum::<u64>() <= 310, "no more than the newest versions and what still counts: {files:?}");
    shop.is_sound();
    // Its update is compared with what the destination was last told, by its place in a file that has moved.
    shop.server.accept_all();
    shop.table.set(5, "name", "name 5");
    shop.write();
    shop.sent();
    shop.run(0);
    assert_eq!(shop.sent(), [] as [i64; 0], "back to where it was: nothing to be sent");
    shop.assert_mirrored();
}

#[test]
fn reports_older_than_syncs_says_go_and_younger_ones_stay() {
    let mut shop = Shop::new(10);
    for round in 0..4 {
        shop.table.set(1, "name", format!("round {round}"));
        shop.write();
        shop.run(0);
    }
    let syncs = |shop: &Shop| shop.outflow("history --output json").expect(0).json()["syncs"].as_array().unwrap().len();
    assert_eq!(syncs(&shop), 4);
    shop.keeps_nothing();
    shop.run(0);
    assert_eq!(syncs(&shop), 1, "the last one");
    assert_eq!(counts(&shop.result(), "delivered"), (0, 0, 0));
}

/// What happened to one of two worlds happens to the other; only one of them forgets.
#[test]
fn whatever_happens_the_destination_ends_as_it_would_without_retention() {
    let (seeds, steps) = if crate::is_long() { (20, 25) } else { (3, 9) };
    for seed in 0..seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let mut worlds = [Shop::lagging(PAIR, 8), Shop::lagging(PAIR, 8)];
        let mut next = 100;
        for step in 0..steps {
            let acts: Vec<(u32, i64, u32)> =
                (0..random.random_range(1..6)).map(|_| (random.random_range(0..4), random.random_range(0..12), random.random())).collect();
            next += 10;
            let (what, refused, gc) = (random.random_range(0..6), random.random_range(1..9).to_string(), random.random_bool(0.5));
            for (world, shop) in worlds.iter_mut().enumerate() {
                change(shop, &acts, next);
                shop.server.accept_all();
                if step % 3 == 1 {
                    shop.server.refuse([refused.as_str()]);
                }
                let command = [
                    "run",
                    "run --select driver",
                    "run --select upserts",
                    "run --select deletes",
                    "run --select driver",
                    "reset upserts --yes",
                ][what];
                shop.outflow(command);
                if world == 1 && gc {
                    shop.keeps_nothing();
                    shop.outflow("gc").expect(0);
                    shop.keeps_the_usual();
                }
            }
        }
        for shop in &mut worlds {
            shop.server.accept_all();
            shop.outflow("run").expect(0);
            shop.outflow("run").expect(0);
            shop.assert_mirrored();
            shop.is_sound();
        }
        assert_eq!(worlds[0].server.records(), worlds[1].server.records(), "seed {seed}");
    }
}

fn change(shop: &mut Shop, acts: &[(u32, i64, u32)], next: i64) {
    for (i, &(what, at, value)) in acts.iter().enumerate() {
        let records = shop.table.records();
        let at = usize::try_from(at).unwrap() % records.len().max(1);
        match what {
            0 if records.len() > 3 => drop(records.remove(at)),
            // Often back to where it was.
            1 => drop(records[at].insert("name".into(), json!(format!("name {}", value % 2)))),
            2 => drop(records[at].insert("score".into(), json!(value))),
            _ => shop.table.push(json!([next + i as i64, "new", null, 0])),
        }
    }
    shop.write();
}

#[test]
fn a_run_with_nothing_due_drops_nothing() {
    let shop = Shop::new(3);
    shop.run(0);
    let before = shop.state();
    assert_eq!(shop.run(0)["status"], "no_changes");
    assert_eq!(shop.state().len(), before.len() + 1, "a run with nothing due writes its report, and touches nothing");
}
