//! A model whose commits were taken away or replaced by older ones: every run stops before it extracts, and no change is lost.

use std::fs;
use std::path::Path;

use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::object;
use outflow_ledger::store::LocalStore;
use outflow_tests::{Run, Server};
use serde_json::Value;

use crate::damage::copy_all;
use crate::{MIRROR, Shop};

const BATCHES: &str = "batch: { records: 10, body: array }";
const COMMITS: &str = "state/models/people/commits";

/// What somebody does to the state.
type Loss<'a> = &'a dyn Fn(&Shop);

/// Another mapping of the same records.
const OTHER: &str = r"
  other: { model: people, destination: out, action: write, records: all, fields: { id: $.id, op: $.__op, name: $.name } }
";
const OUT: &str = "  out: { type: file, settings: { path: out } }";
/// One that sends no deletions: a reset forgets all that it knows.
const UPSERTS: &str = r"
  mirror:
    model: people
    destination: hook
    action: send
    records: added_or_updated
    fields: { id: $.id, op: $.__op, name: $.name, email: $.email }
";

impl Shop {
    /// A model of three versions, all of them delivered.
    fn of_three_versions(mappings: &str) -> (Self, tempfile::TempDir) {
        let mut shop = Self::with(20, Server::start(), mappings, BATCHES);
        shop.configure(mappings, BATCHES, OUT);
        let older = tempfile::TempDir::with_prefix("outflow-test-").unwrap();
        for version in 1..=3 {
            shop.table.set(version, "name", format!("version {version}"));
            shop.write();
            shop.outflow("run").expect(0);
            if version == 1 {
                copy_all(&shop.project.path("state/models"), older.path());
            }
        }
        (shop, older)
    }

    fn lose_newest(&self, commits: usize) {
        let files = self.project.files(COMMITS);
        assert!(files.len() > commits, "{files:?}");
        files.iter().rev().take(commits).for_each(|file| fs::remove_file(self.project.path(file)).unwrap());
    }

    fn replace_models(&self, with: Option<&Path>) {
        let models = self.project.path("state/models");
        if models.exists() {
            fs::remove_dir_all(&models).unwrap();
        }
        if let Some(with) = with {
            copy_all(with, &models);
        }
    }

    /// Runs, twice and with more changes in between, and each time it must stop before it extracts.
    fn stops_every_run(&mut self, says: &str, case: &str) {
        let (models, requests) = (self.project.files("state/models"), self.server.arrived().requests);
        for round in 0..2 {
            self.table.set(4 + round, "name", format!("round {round}"));
            self.write();
            let run = self.outflow("run --log-format json").expect(1);
            let said = format!("{run}{}", self.project.read("target/run_results.json"));
            assert!(said.contains(says) && said.contains("outflow doctor --set-aside"), "{case}: {says}: {said}");
            assert!(!run.stderr.contains("\"extract"), "{case}: {run}");
            assert_eq!(self.project.files("state/models"), models, "{case}: nothing was committed");
            let found = self.outflow("doctor --output json").expect(1);
            assert!(found.stdout.contains(says), "{case}: {found}");
        }
        assert_eq!(self.server.arrived().requests, requests, "{case}: nothing was sent");
    }
}

fn tells(run: &Run, says: &str) {
    assert!(run.code != Some(0) && format!("{run}").contains(says), "{says}: {run}");
}

#[test]
fn commits_of_a_model_that_are_gone_stop_every_run_until_they_are_back_and_nothing_is_lost() {
    let (mut shop, older) = Shop::of_three_versions(MIRROR);
    let kept = tempfile::TempDir::with_prefix("outflow-test-").unwrap();
    copy_all(&shop.project.path("state/models"), kept.path());
    let lost: [(&str, Loss<'_>); 4] = [
        ("the newest", &|shop| shop.lose_newest(1)),
        ("the two newest", &|shop| shop.lose_newest(2)),
        ("all of them", &|shop| shop.replace_models(None)),
        ("an older copy was put back", &|shop| shop.replace_models(Some(older.path()))),
    ];
    for (case, lose) in lost {
        lose(&shop);
        shop.stops_every_run("has delivered version 3 of model `people`", case);
        shop.replace_models(Some(kept.path()));
        shop.outflow("doctor").expect(0);
    }
    shop.table.delete(9);
    shop.write();
    shop.run(0);
    shop.assert_mirrored();
}

#[test]
fn what_people_do_by_hand_stops_as_well_where_the_newest_commit_of_a_model_is_gone() {
    let (mut shop, _) = Shop::of_three_versions(MIRROR);
    let sync = shop.outflow("history --output json").expect(0).json();
    let sync = sync["syncs"][0]["sync_id"].as_str().unwrap().to_owned();
    shop.lose_newest(1);
    shop.table.set(4, "name", "changed since");
    shop.write();
    let (models, requests) = (shop.project.files("state/models"), shop.server.arrived().requests);
    let by_hand = ["plan", "retry mirror", "retry mirror --id 4", "test mirror --record 4 --send", "reset mirror --yes", "gc"];
    for command in by_hand.into_iter().map(str::to_owned).chain([format!("replay {sync}")]) {
        tells(&shop.outflow(&command), "has delivered version 3 of model `people`");
    }
    assert_eq!((shop.project.files("state/models"), shop.server.arrived().requests), (models, requests));
}

#[test]
fn a_mapping_that_lags_is_kept_back_too_or_it_would_give_a_number_away_that_another_has_counted() {
    let (mut shop, _) = Shop::of_three_versions(&format!("{MIRROR}{OTHER}"));
    shop.table.set(4, "name", "seen by one of them");
    shop.write();
    shop.outflow("run --select other").expect(0);
    shop.lose_newest(1);
    // The mirror stands on version 3, which is there.
    tells(&shop.outflow("run --select mirror"), "mapping `other` has delivered version 4 of model `people`");
    shop.stops_every_run("mapping `other` has delivered version 4 of model `people`", "one of two");
    // The way on: what the other one has delivered is no longer known, and the mirror has lost nothing.
    shop.outflow("doctor --set-aside mapping:other --yes").expect(0);
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
    shop.outflow("doctor").expect(0);
}

#[test]
fn a_version_number_that_is_given_twice_is_not_taken_for_the_first_one() {
    let (mut shop, _) = Shop::of_three_versions(&format!("{MIRROR}{OTHER}"));
    shop.lose_newest(1);
    shop.stops_every_run("has delivered version 3 of model `people`", "both");
    // It is put on what there is now, which is another version 3.
    shop.outflow("baseline other --yes").expect(0);
    shop.stops_every_run(
        "mapping `mirror` has delivered version 3 of model `people`, and the version 3 in the state now is another one",
        "twice",
    );
    shop.outflow("baseline mirror --yes").expect(0);
    shop.outflow("doctor").expect(0);
    for (id, name) in [(4, "after the baseline"), (5, "after the baseline"), (12, "new")] {
        shop.table.set(id, "name", name);
    }
    shop.write();
    shop.outflow("run").expect(0);
    shop.assert_mirrored();
}

#[test]
fn a_reset_is_a_way_on_where_nothing_is_deleted() {
    let (mut shop, older) = Shop::of_three_versions(UPSERTS);
    shop.replace_models(Some(older.path()));
    shop.stops_every_run("has delivered version 3 of model `people`", "an older copy");
    shop.outflow("reset mirror --yes").expect(0);
    shop.run(0);
    shop.assert_mirrored();
    shop.outflow("doctor").expect(0);
}

/// The state as it was written before versions had ids.
fn forget_ids(shop: &Shop) {
    let commits = ["state/models/people/commits", "state/mappings/mirror/commits"];
    for file in commits.iter().flat_map(|folder| shop.project.files(folder)) {
        let bytes = fs::read(shop.project.path(&file)).unwrap();
        let mut body: Value = object::decode(&file, &bytes).unwrap();
        let commit = body.as_object_mut().unwrap();
        commit.remove("footing");
        if let Some(saw) = commit.get_mut("saw").and_then(Value::as_object_mut) {
            saw.remove("footing");
        }
        for version in commit.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
            assert!(version.as_object_mut().unwrap().remove("id").is_some());
        }
        fs::write(shop.project.path(&file), object::encode(&body, 7).unwrap()).unwrap();
    }
}

#[test]
fn a_state_of_before_versions_had_ids_goes_on_and_gets_them() {
    let (mut shop, _) = Shop::of_three_versions(MIRROR);
    forget_ids(&shop);
    shop.outflow("doctor").expect(0);
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.table.set(4, "name", "the first with an id");
    shop.write();
    shop.run(0);
    shop.assert_mirrored();
    let store = LocalStore::open(&shop.project.path("state")).unwrap();
    let model: ModelCommit = Chain::of_model("people").head(&store).unwrap().unwrap();
    let mapping: MappingCommit = Chain::of_mapping("mirror").head(&store).unwrap().unwrap();
    assert_eq!(model.versions.iter().map(|version| version.id.is_some()).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(mapping.footing, Some(model.footing(4)));
}

#[test]
fn a_state_of_before_versions_had_ids_is_known_to_be_robbed_by_its_numbers() {
    let (mut shop, _) = Shop::of_three_versions(MIRROR);
    forget_ids(&shop);
    shop.lose_newest(1);
    shop.stops_every_run("has delivered version 3 of model `people`", "of before");
}
