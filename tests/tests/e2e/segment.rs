//! The Segment destinations against a server that keeps the API's limits and takes each message once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arrow::datatypes::DataType;
use outflow_tests::segment_server::{MESSAGES_MAX, REQUEST_BYTES_MAX, SegmentServer};
use outflow_tests::{Act, Outflow, Project, Run, Table};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::counts;

/// A write key, and the same with a colon in base64.
const KEY: &str = "s3gm3nt-k3y";
const CREDENTIALS: &str = "czNnbTNudC1rM3k6";

const IDENTIFY: &str =
    "{ model: people, destination: segment, action: sendIdentify, fields: { user_id: $.id, traits: { name: $.name, plan: $.plan } } }";

/// A project of one table and one mapping, and the server behind it.
struct Workspace {
    project: Project,
    server: SegmentServer,
    table: Table,
}

impl Workspace {
    fn new(n: i64, mapping: &str) -> Self {
        let mut table =
            Table::new(&[("id", DataType::Int64), ("name", DataType::Utf8), ("plan", DataType::Utf8), ("seen_at", DataType::Utf8)]);
        for id in 1..=n {
            table.push(json!([id, format!("name {id}"), "free", "2024-06-01 10:00:00"]));
        }
        let workspace = Self { project: Project::new(), server: SegmentServer::start(CREDENTIALS), table };
        workspace.configure("segment, settings: { source_write_key: '${env:KEY}' }", mapping, "");
        workspace.write();
        workspace
    }

    fn configure(&self, destination: &str, mapping: &str, model: &str) {
        let url = self.server.url();
        self.project.config(&format!(
            "version: 1
sources: {{ warehouse: {{ type: files, tables: {{ people: people.parquet }} }} }}
models: {{ people: {{ source: warehouse, table: people, id: id{model} }} }}
destinations:
  segment: {{ gateway: '{url}', request_timeout: 2s, request_lifetime: 100ms, concurrency: 4, type: {destination} }}
mappings:
  people: {mapping}
"
        ));
    }

    fn write(&self) {
        self.project.parquet("people.parquet", &self.table);
    }

    fn program(&self, args: &str) -> Outflow {
        Outflow::at(&self.project).args(args).env("KEY", KEY)
    }

    fn outflow(&self, args: &str) -> Run {
        self.program(args).run()
    }

    #[track_caller]
    fn run(&self, code: i32) -> Value {
        self.outflow("run").expect(code);
        self.project.read_json("target/run_results.json")["results"][0].clone()
    }

    /// Fails unless the workspace knows every user of the table as the table has them, and nothing went wrong in silence.
    #[track_caller]
    fn assert_same(&mut self) {
        let held = self.server.held();
        let expected: BTreeMap<String, Value> =
            self.table.records().iter().map(|r| (r["id"].to_string(), json!({ "name": r["name"], "plan": r["plan"] }))).collect();
        for (id, traits) in &expected {
            assert_eq!(held.traits.get(id), Some(traits), "user {id}");
        }
        assert_eq!(held.conflicts, Vec::<String>::new(), "an id came again with other content");
        assert_eq!(held.dropped, Vec::<Value>::new(), "a message was thrown away in silence");
    }
}

fn ids(messages: &[Value]) -> BTreeSet<String> {
    messages.iter().map(|message| message["messageId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_first_sync_sends_every_record_within_the_limits() {
    let mut workspace = Workspace::new(6_000, IDENTIFY);
    assert_eq!(counts(&workspace.run(0), "delivered"), (6_000, 0, 0));
    workspace.assert_same();
    let batches = workspace.server.take_batches();
    assert_eq!(batches.len(), 3, "as few requests as the limits allow");
    assert!(batches.iter().all(|batch| batch.messages.len() <= MESSAGES_MAX && batch.bytes <= REQUEST_BYTES_MAX));
    let messages: Vec<Value> = batches.into_iter().flat_map(|batch| batch.messages).collect();
    let ids = ids(&messages);
    assert_eq!(ids.len(), 6_000);
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    assert!(messages.iter().all(|message| message["userId"].is_string()), "a number becomes text");
    assert_eq!(workspace.run(0)["status"], "no_changes");
}

#[test]
fn a_value_that_changes_and_changes_back_arrives_each_time() {
    let mut workspace = Workspace::new(5, IDENTIFY);
    workspace.run(0);
    let mut seen = ids(&workspace.server.take_batches()[0].messages);
    for plan in ["pro", "free", "pro"] {
        workspace.table.set(3, "plan", plan);
        workspace.write();
        assert_eq!(counts(&workspace.run(0), "delivered"), (0, 1, 0));
        let sent = ids(&workspace.server.take_batches()[0].messages);
        assert!(seen.is_disjoint(&sent), "a state that came back is sent under a new id");
        seen.extend(sent);
        workspace.assert_same();
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_no_message_counts_twice() {
    let mut random = StdRng::seed_from_u64(20_261_121);
    let mut workspace = Workspace::new(3_000, IDENTIFY);
    // Long names, so that the first sync is of many requests.
    workspace.table.records().iter_mut().for_each(|record| drop(record.insert("name".into(), json!("n".repeat(1_500)))));
    workspace.write();
    let kills = if crate::is_long() { 100 } else { 8 };
    for round in 0..kills {
        let acts = [
            Act::Usual,
            Act::Hold(Duration::from_millis(40)),
            Act::DropAfter,
            Act::Status(503),
            Act::Throttle(Some("0".to_owned())),
            Act::Answer(200, "{}".into()),
        ];
        workspace.server.behave();
        workspace.server.script((0..6).map(|_| acts[random.random_range(0..acts.len())].clone()));
        // Killed with requests under way: so many have come in, and then a moment.
        let wanted = workspace.server.arrived() + random.random_range(1..4);
        let delay = Duration::from_millis(random.random_range(0..30));
        let mut running = workspace.program("run").spawn();
        running.until(|| workspace.server.arrived() >= wanted);
        let start = std::time::Instant::now();
        running.until(|| start.elapsed() > delay);
        running.kill();
        for _ in 0..200 {
            let at = random.random_range(0..workspace.table.records().len());
            // A state that comes back would be sent again, and rightly.
            workspace.table.records()[at].insert("plan".into(), json!(format!("plan {round}")));
        }
        workspace.table.push(json!([100_000 + round, "new", "free", null]));
        workspace.write();
    }
    workspace.server.behave();
    workspace.run(0);
    workspace.assert_same();
    let held = workspace.server.held();
    assert!(held.repeated > 0, "requests whose answers were lost have been sent again");
    assert_eq!(held.doubled, Vec::<String>::new(), "one state of a record has one id, however often it is sent");
    workspace.server.take_batches();
    assert_eq!(workspace.run(0)["status"], "no_changes");
    assert_eq!(workspace.server.arrived(), 0);
}

#[test]
fn a_busy_api_is_waited_for() {
    let mut workspace = Workspace::new(10, IDENTIFY);
    workspace.server.script([Act::Status(503), Act::Throttle(Some("0".to_owned())), Act::Status(500)]);
    assert_eq!(counts(&workspace.run(0), "delivered"), (10, 0, 0));
    let statuses: Vec<_> = workspace.server.take_batches().iter().map(|batch| batch.status).collect();
    assert_eq!(statuses, [503, 429, 500, 200].map(Some));
    workspace.assert_same();
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again_under_the_same_ids() {
    let mut workspace = Workspace::new(10, IDENTIFY);
    workspace.server.script(vec![Act::Answer(200, "<html>".into()); 8]);
    assert_ne!(workspace.outflow("run").code, Some(0), "an answer that proves nothing acknowledges nothing");
    let first = workspace.server.take_batches();
    workspace.server.behave();
    workspace.run(0);
    let again = workspace.server.take_batches();
    assert_eq!(ids(&first[0].messages), ids(&again[0].messages));
    workspace.assert_same();
}

#[test]
fn a_test_of_an_edited_mapping_is_taken_in_though_the_record_was_delivered_before() {
    let mut workspace = Workspace::new(3, IDENTIFY);
    workspace.run(0);
    workspace.configure("segment, settings: { source_write_key: '${env:KEY}' }", &IDENTIFY.replace("plan: $.plan", "plan: pro"), "");
    workspace.outflow("test people --record 2 --send").expect(0);
    let held = workspace.server.held();
    assert_eq!((held.applied, held.conflicts.len()), (4, 0), "an id of its own");
    assert_eq!(held.traits["2"]["plan"], "pro");
    workspace.table.set(2, "name", "changed");
    workspace.write();
    workspace.run(0);
    assert_eq!(workspace.server.held().traits["2"]["name"], "changed");
}

#[test]
fn a_reset_sends_everything_under_new_ids() {
    let mut workspace = Workspace::new(20, IDENTIFY);
    workspace.run(0);
    let first = ids(&workspace.server.take_batches()[0].messages);
    workspace.outflow("reset people --yes").expect(0);
    workspace.run(0);
    let second = ids(&workspace.server.take_batches()[0].messages);
    assert_eq!(second.len(), 20);
    assert!(first.is_disjoint(&second));
    assert_eq!(workspace.server.held().applied, 40);
    workspace.assert_same();
}

#[test]
fn records_that_segment_would_throw_away_fail_here_and_the_others_go_on() {
    let mapping = "{ model: people, destination: segment, action: sendIdentify, fields: { user_id: $.name, traits: { plan: $.plan } } }";
    let mut workspace = Workspace::new(40, mapping);
    workspace.table.set(7, "name", Value::Null);
    workspace.table.set(8, "plan", "x".repeat(40_000));
    for id in 10..=40 {
        workspace.table.set(id, "plan", "y".repeat(25_000));
    }
    workspace.write();
    let result = workspace.run(3);
    assert_eq!(counts(&result, "delivered"), (38, 0, 0));
    assert_eq!(counts(&result, "failed"), (2, 0, 0));
    let mut codes: Vec<&str> = result["failure_groups"].as_array().unwrap().iter().map(|group| group["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["missing_user", "record_too_large"]);
    let batches = workspace.server.take_batches();
    assert!(batches.len() > 1 && batches.iter().all(|batch| batch.status == Some(200)), "requests are cut by their bytes");
    assert!(workspace.server.held().dropped.is_empty());
}

#[test]
fn a_wrong_key_is_refused_and_the_right_one_never_shown() {
    let workspace = Workspace::new(3, IDENTIFY);
    let run = workspace.program("run").env("KEY", "wr0ng-wr0ng").run().expect(1);
    assert!(run.to_string().contains("source_write_key"), "{run}");
    let shown = format!("{run}{}", workspace.outflow("show").stdout);
    for secret in ["wr0ng-wr0ng", KEY, CREDENTIALS, "d3Iwbmctd3Iwbmc6"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    for file in workspace.project.files("state").into_iter().chain(workspace.project.files("target")) {
        let bytes = std::fs::read(workspace.project.path(&file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("wr0ng-wr0ng") && !text.contains("d3Iwbmctd3Iwbmc6"), "{file}");
    }
}

#[test]
fn events_happened_when_the_models_timestamp_says() {
    let mapping = "{ model: people, destination: segment, action: sendTrack, records: added, fields: { user_id: $.id, event_name: Signed Up, properties: { plan: $.plan } } }";
    let workspace = Workspace::new(2, mapping);
    workspace.configure("segment, settings: { source_write_key: '${env:KEY}' }", mapping, ", timestamp: seen_at");
    workspace.run(0);
    let events = workspace.server.held().events;
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["timestamp"], &events[0]["event"]), (&json!("2024-06-01 10:00:00"), &json!("Signed Up")));
    assert_eq!(events[0]["properties"], json!({"plan": "free"}));
}

#[test]
fn subscriptions_reach_the_space_whose_key_the_mapping_has() {
    let mapping = "{ model: people, destination: segment, action: sendSubscription, fields: { engage_space: '${env:KEY}', user_id: $.id, email: $.name, email_subscription_status: $.plan } }";
    let mut workspace = Workspace::new(4, mapping);
    workspace.configure("segment-profiles", mapping, "");
    for (id, plan) in [(1, "true"), (2, "Unsubscribed"), (3, ""), (4, "perhaps")] {
        workspace.table.set(id, "plan", plan);
    }
    workspace.write();
    let result = workspace.run(3);
    assert_eq!(counts(&result, "delivered"), (3, 0, 0));
    assert_eq!(result["failure_groups"][0]["code"], "missing_status");
    let mut statuses: Vec<Value> = workspace.server.take_batches()[0]
        .messages
        .iter()
        .map(|message| message["context"]["messaging_subscriptions"][0]["status"].clone())
        .collect();
    statuses.sort_by_key(ToString::to_string);
    assert_eq!(statuses, ["INVALID", "SUBSCRIBED", "UNSUBSCRIBED"]);
    for file in workspace.project.files("state").into_iter().chain(workspace.project.files("target")) {
        let bytes = std::fs::read(workspace.project.path(&file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{file}");
    }
}

#[test]
fn a_moment_that_is_none_and_a_consent_that_says_nothing_fail_their_records_alone() {
    let mapping = "{ model: people, destination: segment, action: sendTrack, records: added, fields: { user_id: $.id, event_name: Seen, \
                   consent: { categoryPreferences: { Ads: { '@if': { exists: $.plan, then: true } }, Text: $.name }, more: kept } } }";
    let mut workspace = Workspace::new(4, mapping);
    workspace.configure("segment, settings: { source_write_key: '${env:KEY}' }", mapping, ", timestamp: seen_at");
    for id in 1..=4 {
        workspace.table.set(id, "name", Value::Null);
    }
    workspace.table.set(1, "seen_at", "not a time");
    workspace.table.set(2, "name", "yes");
    workspace.table.set(3, "plan", Value::Null);
    workspace.write();
    let result = workspace.run(3);
    assert_eq!((counts(&result, "delivered"), counts(&result, "failed")), ((2, 0, 0), (2, 0, 0)));
    let group = |code: &str| result["failure_groups"].as_array().unwrap().iter().find(|group| group["code"] == code).unwrap().clone();
    assert!(group("wrong_type")["message"].as_str().unwrap().contains("`timestamp` takes a moment"));
    assert!(group("invalid_consent")["message"].as_str().unwrap().contains("the category `Text`"));
    assert!(group("invalid_consent")["action"].as_str().unwrap().contains("categoryPreferences"));
    let messages = &workspace.server.take_batches()[0].messages;
    let consent = |user: &str| messages.iter().find(|message| message["userId"] == user).unwrap()["context"]["consent"].clone();
    assert_eq!(consent("3"), json!({"categoryPreferences": {}, "more": "kept"}));
    assert_eq!(consent("4"), json!({"categoryPreferences": {"Ads": true}, "more": "kept"}));
}

#[test]
fn a_consent_without_its_categories_is_a_mistake_of_the_project() {
    let mapping = |consent: &str| {
        format!("{{ model: people, destination: segment, action: sendIdentify, fields: {{ user_id: $.id, consent: {{ {consent} }} }} }}")
    };
    let workspace = Workspace::new(1, &mapping("Analytics: true"));
    let run = workspace.outflow("check").expect(2);
    assert!(run.to_string().contains("consent.categoryPreferences"), "{run}");
    workspace.configure(
        "segment, settings: { source_write_key: '${env:KEY}' }",
        &mapping("categoryPreferences: { Ads: true }, more: 1"),
        "",
    );
    workspace.outflow("check").expect(0);
}

#[test]
fn a_value_that_came_back_a_reset_and_a_replay_all_count_as_new_messages() {
    let mut workspace = Workspace::new(5, IDENTIFY);
    workspace.run(0);
    for plan in ["pro", "free"] {
        workspace.table.set(3, "plan", plan);
        workspace.write();
        workspace.run(0);
        workspace.assert_same();
    }
    workspace.outflow("reset people --yes").expect(0);
    let all = workspace.run(0)["sync_id"].as_str().unwrap().to_owned();
    let before = workspace.server.held();
    assert_eq!((before.applied, before.repeated), (5 + 2 + 5, 0));
    for again in 1..=2 {
        workspace.outflow(&format!("replay {all}")).expect(0);
        let held = workspace.server.held();
        assert_eq!((held.applied, held.repeated), (before.applied + 5 * again, 0), "replay {again}");
    }
    workspace.assert_same();
    // A forced replay of what is older, and the sync that corrects it, are two more.
    workspace.table.set(3, "plan", "pro");
    workspace.write();
    workspace.run(0);
    workspace.outflow(&format!("replay {all} --force")).expect(0);
    assert_eq!(workspace.server.held().traits["3"]["plan"], "free");
    assert_eq!(counts(&workspace.run(0), "delivered"), (0, 1, 0));
    workspace.assert_same();
    assert_eq!(workspace.server.held().repeated, 0);
}

#[test]
fn a_field_that_no_record_could_fill_is_refused_with_its_place_before_anything_is_extracted() {
    let workspace = Workspace::new(3, &IDENTIFY.replace("traits: { name: $.name, plan: $.plan }", "traits: $.name"));
    for args in ["check", "plan", "run", "test people"] {
        let refused = workspace.outflow(args).expect(2);
        let told = format!("{}{}", refused.stdout, refused.stderr);
        assert!(told.contains("field `traits` takes an object, and the mapping gives it text"), "{args}: {refused}");
        assert!(told.contains("outflow.yml:7:"), "{args}: {refused}");
    }
    assert!(!workspace.project.path("state/models").exists(), "nothing was extracted");
    assert_eq!(workspace.server.arrived(), 0);
}
