//! A state that was damaged or robbed of a file: `doctor` finds it, a run refuses or is right, and there is a way on.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use outflow_contract::state_store::StateStore;
use outflow_ledger::integrity::{self, Options, Severity};
use outflow_ledger::store::MemoryStore;
use outflow_tests::{Act, Outflow};
use serde_json::json;

use crate::Shop;

impl Shop {
    /// A state with an object of every class, an interrupted run among them.
    fn eventful() -> Self {
        let mut shop = Self::new(30);
        shop.server.refuse(["3"]);
        shop.run(3);
        shop.table.set(1, "name", "x");
        shop.table.set(2, "score", 7);
        shop.table.delete(9);
        shop.write();
        shop.run(3);
        shop.table.set(4, "name", "x");
        shop.table.set(5, "score", 8);
        for id in 10..=29 {
            shop.table.set(id, "name", "y");
        }
        shop.write();
        shop.server.accept_all();
        shop.server.script([Act::Usual, Act::Hold(Duration::from_secs(20)), Act::Hold(Duration::from_secs(20))]);
        let arrived = shop.server.arrived().requests;
        let mut running = Outflow::at(&shop.project).args("run").spawn();
        assert!(running.until(|| shop.server.arrived().requests >= arrived + 3), "requests are under way");
        running.kill();
        shop.server.accept_all();
        shop
    }

    /// The lasting files of the state, a representative of each class with its class.
    fn classes(&self) -> BTreeMap<String, String> {
        let mut classes = BTreeMap::new();
        for path in self.project.files("state") {
            let segments: Vec<&str> = path.split('/').collect();
            if segments.len() < 5 {
                continue;
            }
            let name = segments[segments.len() - 1];
            let file = name.split('-').next().unwrap().trim_end_matches(".json");
            let kind = if segments[3] == "commits" { "commit" } else { file };
            let class = format!("{} {kind} {}", segments[1], if segments[1] == "models" { segments[4] } else { "" });
            classes.insert(class, path);
        }
        classes
    }

    fn copy(&self) -> tempfile::TempDir {
        let folder = tempfile::TempDir::with_prefix("outflow-test-").unwrap();
        copy_all(self.project.root(), folder.path());
        folder
    }
}

pub(crate) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// What an examination of the state finds of `path`, at least as bad as a warning.
fn finds(store: &MemoryStore, path: &str, quick: bool) -> Vec<String> {
    let options = Options { quick, now_ms: now_ms(), parse_ms: outflow_engine::time::parsed_ms };
    let found = integrity::examine(store, options).unwrap().findings;
    let of_it = found.iter().filter(|finding| finding.severity > Severity::Note && finding.path == path);
    of_it.map(|finding| finding.message.clone()).collect()
}

#[test]
fn a_flip_of_any_byte_of_any_object_is_found_and_named() {
    let shop = Shop::eventful();
    let store = MemoryStore::new();
    let path_of = |file: &str| file.strip_prefix("state/").unwrap().to_owned();
    for file in shop.project.files("state").iter().filter(|file| !file.starts_with("state/locks") && !file.starts_with("state/tmp")) {
        store.create(&path_of(file), fs::read(shop.project.path(file)).unwrap().into()).unwrap();
    }
    let classes = shop.classes();
    assert!(classes.len() >= 9, "{classes:#?}");
    for path in classes.values().map(|file| path_of(file)) {
        assert_eq!(finds(&store, &path, false), [""; 0], "{path} is whole");
        let whole = store.read(&path).unwrap().unwrap();
        // Every byte of a small object, some of a large one.
        let large = path.ends_with(".parquet") || path.contains("/hashes-");
        let stride = if large { (whole.len() / 20).max(1) } else { 1 };
        for at in (0..whole.len()).step_by(stride) {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1 << (at % 8);
            store.delete(&path).unwrap();
            store.create(&path, damaged.into()).unwrap();
            // The end of a journal may look like that of one whose writer was killed; pages of failures are for people.
            let may_pass = path.ends_with("/journal") || path.contains("/failures-");
            assert!(may_pass || !finds(&store, &path, !large).is_empty(), "byte {at} of {path}");
        }
        store.delete(&path).unwrap();
        store.create(&path, whole).unwrap();
    }
}

#[test]
fn a_run_on_a_damaged_state_refuses_or_is_right() {
    let shop = Shop::eventful();
    let held = shop.server.records();
    for path in shop.classes().values() {
        for part in [3, 2] {
            let copy = shop.copy();
            let file = copy.path().join(path);
            let mut bytes = fs::read(&file).unwrap();
            let at = bytes.len() / part;
            bytes[at] ^= 0x10;
            fs::write(&file, &bytes).unwrap();
            let run = Outflow::in_folder(copy.path()).args("run").run();
            assert!(!run.stderr.contains("panicked"), "{path}: {run}");
            let records = shop.server.records();
            if run.code == Some(0) {
                assert_eq!(records.len(), shop.table.clone().records().len(), "{path} at {at}: {run}");
            } else {
                assert_eq!(run.code, Some(1), "{path} at {at}: {run}");
                let results = fs::read_to_string(copy.path().join("target/run_results.json")).unwrap();
                assert!(results.contains(path.strip_prefix("state/").unwrap()), "{path} at {at} is not named: {run}");
                assert!(records.len() >= held.len() - 1, "{path} at {at}: nothing was deleted that should not be");
            }
        }
    }
}

#[test]
fn a_file_that_was_taken_away_is_named_and_there_is_a_way_on() {
    let shop = Shop::eventful();
    for (class, path) in shop.classes() {
        // What changes afterwards must arrive, too; and what changes after a run that refused.
        let mut table = shop.table.clone();
        table.set(6, "name", format!("{class}, changed since"));
        shop.project.parquet("people.parquet", &table);
        table.set(7, "name", format!("{class}, changed later"));
        shop.project.parquet("later.parquet", &table);
        let copy = shop.copy();
        fs::remove_file(copy.path().join(&path)).unwrap();
        let outflow = |args: &str| Outflow::in_folder(copy.path()).args(args).run();
        let run = outflow("run");
        fs::copy(copy.path().join("later.parquet"), copy.path().join("people.parquet")).unwrap();
        let again = outflow("run");
        assert_eq!(again.code, run.code, "{class}: what is not repaired stops every run\n{again}");
        if run.code != Some(0) {
            let said = format!(
                "{}{}{}",
                run.stderr,
                run.stdout,
                fs::read_to_string(copy.path().join("target/run_results.json")).unwrap_or_default()
            );
            let name = path.strip_prefix("state/").unwrap();
            let version = class.contains("commit")
                && ["delivers version", "has delivered version", "has no state"].iter().any(|words| said.contains(words));
            assert!(said.contains(name) || version, "{class}: {name} is not named\n{run}");
            assert!(said.contains("outflow doctor"), "{class}: {run}");
        }
        // A run may be right without it, since nothing that it did asked for it. It is damage all the same, if the head names it.
        let found = outflow("doctor --output json");
        assert!(run.code == Some(0) || found.code == Some(1), "{class}: {found}");
        if found.code != Some(0) {
            assert!(run.code != Some(0) || found.stdout.contains(path.strip_prefix("state/").unwrap()), "{class}: {found}");
            let aside = if path.starts_with("state/models") { "model:people" } else { "mapping:mirror" };
            outflow(&format!("doctor --set-aside {aside} --yes")).expect(0);
            outflow("run").expect(0);
        }
        outflow("doctor").expect(0);
        let held = shop.server.records();
        for record in table.records() {
            let there = held.get(&record["id"].to_string()).unwrap_or_else(|| panic!("{class}: {} is missing", record["id"]));
            assert_eq!(there["name"], record["name"], "{class}");
        }
    }
}

#[test]
fn a_plan_whose_journal_is_gone_stops_every_run_since_what_it_sent_is_not_known() {
    let mut shop = Shop::new(40);
    shop.server.script([Act::Usual, Act::Usual, Act::Hold(Duration::from_secs(20)), Act::Hold(Duration::from_secs(20))]);
    let mut running = Outflow::at(&shop.project).args("run").spawn();
    assert!(running.until(|| shop.server.applied().0 >= 20), "some records have arrived");
    running.kill();
    shop.server.accept_all();
    let journal = shop.project.files("state").into_iter().find(|file| file.ends_with("/journal")).unwrap();
    let bytes = fs::read(shop.project.path(&journal)).unwrap();
    fs::remove_file(shop.project.path(&journal)).unwrap();
    // What has arrived and is gone since: only the journal says that it is there.
    (1..=20).for_each(|id| shop.table.delete(id));
    shop.write();
    let (name, requests) = (journal.strip_prefix("state/").unwrap(), shop.server.arrived().requests);
    for _ in 0..2 {
        let run = shop.outflow("run").expect(1);
        let said = format!("{run}").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(name) && said.contains("is missing") && said.contains("outflow doctor --set-aside mirror"), "{run}");
        let found = shop.outflow("doctor --output json").expect(1);
        assert!(found.stdout.contains(name) && found.stdout.contains("this journal is missing"), "{found}");
    }
    assert_eq!(shop.server.arrived().requests, requests, "nothing was sent");
    fs::write(shop.project.path(&journal), bytes).unwrap();
    shop.run(0);
    shop.assert_mirrored();
}

#[test]
fn a_journal_whose_run_never_had_a_plan_is_nothing_and_goes_with_the_rest() {
    let mut shop = Shop::new(10);
    shop.run(0);
    let journal = format!("state/{}", outflow_ledger::paths::run_file("mirror", 2, "journal"));
    shop.project.write(&journal, "");
    shop.outflow("doctor").expect(0);
    shop.table.set(1, "name", "x");
    shop.write();
    shop.run(0);
    shop.assert_mirrored();
    shop.outflow("gc").expect(0);
    assert!(!shop.project.path(&journal).exists());
}

#[test]
fn doctor_names_what_is_gone_of_a_past_sync() {
    let mut shop = Shop::new(10);
    shop.server.refuse(["3"]);
    shop.run(3);
    shop.server.accept_all();
    shop.table.set(1, "name", "x");
    shop.write();
    shop.run(0);
    let past = [
        ("/plan.json", "this plan is missing"),
        ("/journal", "this journal is missing"),
        ("/report.json", "this report is missing"),
        ("/failures", "this file is missing"),
    ];
    for (file, says) in past {
        let files = shop.project.files("state/mappings/mirror/runs");
        let path = files.iter().find(|path| path.contains(file)).unwrap();
        let kept = shop.project.path("kept");
        fs::rename(shop.project.path(path), &kept).unwrap();
        let found = shop.outflow("doctor --output json").expect(0).json();
        let findings = found["findings"].as_array().unwrap();
        let named = findings.iter().find(|finding| finding["path"] == path.strip_prefix("state/").unwrap()).unwrap();
        assert_eq!(named["severity"], "warning", "{found}");
        assert!(named["message"].as_str().unwrap().contains(says), "{found}");
        fs::rename(kept, shop.project.path(path)).unwrap();
    }
    assert!(!shop.outflow("doctor --output json").expect(0).stdout.contains("is missing"));
}

#[test]
fn what_is_set_aside_begins_anew_with_keys_of_its_own_and_asks_first() {
    let shop = Shop::new(10);
    shop.run(0);
    let first: Vec<_> = shop.server.take_requests().into_iter().map(|request| request.idempotency_key).collect();
    let asked = shop.outflow("doctor --set-aside mirror").expect(2);
    assert!(asked.stderr.contains("--yes"), "{asked}");
    shop.outflow("doctor --set-aside nobody --yes").expect(2);
    let done = shop.outflow("doctor --set-aside mirror --yes --output json").expect(0).json();
    assert_eq!(done["mappings"], json!(["mirror"]));
    assert!(Path::new(done["folder"].as_str().unwrap()).join("mappings/mirror/commits").is_dir(), "{done}");
    shop.run(0);
    let again: Vec<_> = shop.server.take_requests().into_iter().map(|request| request.idempotency_key).collect();
    assert_eq!(again.len(), 1);
    assert!(first.iter().all(|key| !again.contains(key)), "a destination that remembers would take them for the old ones");
    shop.outflow("doctor").expect(0);
    let done = shop.outflow("doctor --set-aside model:people --yes --output json").expect(0).json();
    assert_eq!((&done["model"], &done["mappings"]), (&json!("people"), &json!(["mirror"])));
    shop.run(0);
    shop.outflow("doctor").expect(0);
}

#[test]
fn doctor_tells_rights_strange_files_clocks_and_what_waits() {
    let shop = Shop::eventful();
    let found = |shop: &Shop, code| shop.outflow("doctor --output json").expect(code).json();
    let sound = found(&shop, 0);
    let messages = |found: &serde_json::Value| -> Vec<String> {
        found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| format!("{}: {}", finding["path"].as_str().unwrap(), finding["message"]))
            .collect()
    };
    assert!(messages(&sound).iter().any(|text| text.contains("plan.json") && text.contains("waits for recovery")), "{sound}");
    let commit = shop.project.path("state/models/people/commits/000000000001.json");
    fs::set_permissions(&commit, fs::Permissions::from_mode(0o644)).unwrap();
    shop.project.write("state/models/people/notes.txt", "x");
    let warned = found(&shop, 0);
    assert!(messages(&warned).iter().any(|text| text.contains("others have rights") && text.contains("000000000001.json")), "{warned}");
    shop.project.write("state/notes.txt", "x");
    let warned = found(&shop, 0);
    assert!(messages(&warned).iter().any(|text| text.starts_with("notes.txt") && text.contains("no part of a state")), "{warned}");
    fs::remove_file(&commit).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &commit).unwrap();
    let linked = found(&shop, 1);
    assert!(messages(&linked).iter().any(|text| text.contains("it is a link")), "{linked}");
    let newer = shop.project.read("state/models/people/commits/000000000002.json").replacen("\"format\":2", "\"format\":3", 1);
    shop.project.write("state/models/people/commits/000000000002.json", newer);
    let newer = found(&shop, 1);
    assert!(messages(&newer).iter().any(|text| text.contains("newer version of Outflow (format 3")), "{newer}");
}

#[test]
fn the_state_of_a_project_that_never_ran_is_sound_and_is_not_made() {
    let shop = Shop::new(3);
    let text = shop.outflow("doctor").expect(0).stdout;
    assert!(text.contains("there is no state yet"), "{text}");
    assert!(!shop.project.path("state").exists());
}
