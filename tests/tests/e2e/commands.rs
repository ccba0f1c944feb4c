//! The commands that a person lives with.

use std::os::unix::fs::PermissionsExt;

use outflow_tests::Outflow;
use outflow_tests::outflow_bin::binary;
use serde_json::Value;

use crate::{MIRROR, Shop, counts};

#[test]
fn a_plan_shows_what_would_be_sent_and_changes_nothing() {
    let mut shop = Shop::new(25);
    let plan = shop.outflow("plan --output json").expect(0).json();
    assert_eq!(plan["plans"][0]["selected"]["added"], 25);
    assert_eq!(plan["plans"][0]["requests"], 3);
    shop.run(0);
    shop.server.take_requests();
    let before = shop.project.files("state");

    shop.table.set(3, "name", "other");
    shop.table.set(4, "score", 1);
    shop.table.delete(7);
    shop.write();
    let plan = shop.outflow("plan --output json").expect(0).json();
    let plan = &plan["plans"][0];
    assert_eq!((&plan["selected"]["added"], &plan["selected"]["updated"], &plan["selected"]["deleted"]), (&0.into(), &1.into(), &1.into()));
    assert_eq!(plan["skipped"], 1);
    let change = &plan["samples"][0]["changes"][0];
    assert_eq!((&change["column"], &change["before"], &change["after"]), (&"name".into(), &"\"name 3\"".into(), &"\"other\"".into()));
    assert!(shop.server.take_requests().is_empty());
    assert_eq!(shop.project.files("state"), before, "a plan leaves no trace");

    shop.outflow("plan --detailed-exitcode").expect(2);
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 1));
    shop.outflow("plan --detailed-exitcode").expect(0);
}

#[test]
fn history_and_show_tell_what_syncs_did() {
    let shop = Shop::new(20);
    assert!(shop.outflow("history").expect(0).stdout.contains("No sync has run yet"));
    shop.server.refuse(["5"]);
    shop.run(3);
    shop.server.accept_all();
    shop.run(0);
    let history = shop.outflow("history --output json").expect(0).json();
    let syncs = history["syncs"].as_array().unwrap();
    assert_eq!(syncs.len(), 2);
    assert_eq!((&syncs[0]["status"], &syncs[1]["status"]), (&"success".into(), &"partial_success".into()));
    let id = syncs[1]["sync_id"].as_str().unwrap();
    let shown = shop.outflow(&format!("show {id}")).expect(0).stdout;
    for wanted in ["partial_success", "http_422", "1 record failed", "do "] {
        assert!(shown.contains(wanted), "{wanted} is missing:\n{shown}");
    }
    assert_eq!(shop.outflow("show last --output json").expect(0).json()["status"], "success");
    assert!(shop.outflow("show nonsense").expect(2).stderr.contains("there is no sync `nonsense`"));
}

#[test]
fn mappings_are_selected_by_name_and_by_what_they_belong_to() {
    let shop = Shop::new(3);
    let both = format!("{MIRROR}{}", MIRROR.replace("mirror:", "other:").replace("model: people", "model: people\n    tags: [slow]"));
    shop.configure(&both, "batch: { records: 10, body: array }", "");
    let ran = |args: &str| -> Vec<String> {
        shop.outflow(&format!("run {args}")).expect(0);
        let results = shop.project.read_json("target/run_results.json");
        results["results"].as_array().unwrap().iter().map(|r: &Value| r["unique_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ran("--select tag:slow"), ["mapping.other"]);
    assert_eq!(ran("--select mirr*"), ["mapping.mirror"]);
    assert_eq!(ran("--select destination:hook --exclude other"), ["mapping.mirror"]);
    let wrong = shop.outflow("run --select miror").expect(2);
    assert!(wrong.stderr.contains("mirror"), "a near name is suggested: {wrong}");
}

#[test]
fn a_guard_stops_before_the_first_byte_and_can_be_passed_once() {
    let mut shop = Shop::new(200);
    shop.run(0);
    shop.server.take_requests();
    shop.table.records().truncate(99);
    shop.write();
    let result = shop.run(1);
    assert_eq!(result["status"], "blocked");
    assert!(result["message"].as_str().unwrap().contains("--allow-deleted"), "{result}");
    assert!(shop.server.take_requests().is_empty());
    shop.outflow("run --allow-deleted").expect(0);
    shop.assert_mirrored();

    shop.table.records().clear();
    shop.write();
    // 99 records are too few to be guarded.
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 99));
}

#[test]
fn a_column_that_the_query_does_not_return_is_refused_with_its_place() {
    let shop = Shop::new(3);
    shop.configure(&MIRROR.replace("$.email", "$.emial"), "batch: { records: 10 }", "");
    for command in ["check", "run", "plan"] {
        let run = shop.outflow(command).expect(2);
        assert!(run.stderr.contains("emial") && run.stderr.contains("email"), "{run}");
        assert!(run.stderr.contains("outflow.yml"), "{run}");
    }
    assert!(shop.server.requests().is_empty());
}

#[test]
fn the_last_line_of_a_run_is_a_summary_for_programs() {
    let shop = Shop::new(3);
    let summary = shop.outflow("run").expect(0).summary();
    assert_eq!((&summary["delivered"], &summary["failed"], &summary["statuses"]["success"]), (&3.into(), &0.into(), &1.into()));
}

#[test]
fn the_sample_project_runs_as_it_stands() {
    let project = outflow_tests::Project::new();
    outflow_tests::Outflow::at(&project).args("init shop").run().expect(0);
    let shop = |args: &str| outflow_tests::Outflow::in_folder(project.path("shop")).args(args).run();
    shop("check").expect(0);
    shop("plan").expect(0);
    shop("run").expect(0);
    let results = project.read_json("shop/target/run_results.json");
    let first = &results["results"][0];
    assert_eq!((&first["status"], &first["counts"]["delivered"]["added"]), (&"success".into(), &20_000.into()));
    assert!(!project.files("shop/out").is_empty());
    let again = shop("run").expect(0).summary();
    assert_eq!((&again["delivered"], &again["statuses"]["no_changes"]), (&0.into(), &3.into()));
    assert!(shop("init .").expect(2).stderr.contains("outflow.yml"), "an existing project is not overwritten");
}

#[test]
fn a_plan_tells_the_models_that_can_be_asked_and_why_records_would_be_refused() {
    let shop = Shop::new(5);
    let two = format!(
        "{}{}",
        crate::MIRROR,
        "
  lost:
    model: gone
    destination: hook
    action: send
    fields: { id: $.id }
"
    );
    shop.configure(&two, "batch: { records: 10, body: array }", "");
    shop.project.edit("outflow.yml", "people: people.parquet", "people: people.parquet, gone: gone.parquet");
    shop.project.edit("outflow.yml", "models:", "models:\n  gone: { source: warehouse, table: gone, id: id }");
    shop.project.edit("outflow.yml", "mappings:", "limits: { value_bytes: 6 }\nmappings:");
    let plan = shop.outflow("plan --output json").expect(1).json();
    let of = |name: &str| plan["plans"].as_array().unwrap().iter().find(|plan| plan["mapping"] == name).unwrap().clone();
    assert!(of("lost")["notices"][0].as_str().unwrap().contains("gone.parquet"), "{plan}");
    let told = of("mirror");
    assert!(told["refusals"][0]["message"].is_string() || told["rejections"].as_object().is_some_and(|r| !r.is_empty()), "{told}");
}

#[test]
fn results_that_cannot_be_written_are_an_error_and_a_reader_that_has_gone_away_is_none() {
    let shop = Shop::new(3);
    let outflow = |rest: &str| Outflow::at(&shop.project).program("/bin/sh").arg("-c").arg(format!("{} {rest}", binary().display())).run();
    for command in ["run", "history", "show", "history --output json"] {
        let run = outflow(&format!("{command} > /dev/full")).expect(1);
        assert!(run.stderr.contains("could not be written to standard output"), "{run}");
    }
    assert_eq!(shop.server.records().len(), 3, "what was done is done");
    let gone = outflow("history --output json | true").expect(0);
    assert_eq!(gone.stderr, "");
}

#[test]
fn the_results_of_a_run_are_private_to_its_user() {
    let shop = Shop::new(3);
    shop.server.refuse(["2"]);
    shop.outflow("run").expect(3);
    let path = shop.project.path("target/run_results.json");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
