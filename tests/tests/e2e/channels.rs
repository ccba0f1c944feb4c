//! What goes where: one document on standard output for programs, results that are never those of an earlier run, a log without noise,
//! and no record in what a scheduler keeps.

use std::time::Duration;

use outflow_tests::{Act, Outflow, Run};
use serde_json::{Value, json};

use crate::{MIRROR, Shop};

/// The only document on standard output.
#[track_caller]
fn document(run: &Run) -> Value {
    let documents: Vec<Value> = serde_json::Deserializer::from_str(&run.stdout).into_iter().map(|one| one.unwrap()).collect();
    assert_eq!(documents.len(), 1, "{run}");
    documents[0].clone()
}

#[test]
fn with_output_json_every_outcome_is_one_document() {
    let shop = Shop::new(3);
    for (args, code) in [
        ("frobnicate --output json", 2),
        ("run --bogus --output=json", 2),
        ("--output json run subs", 2),
        ("show", 2),
        ("run --select nothing", 2),
        ("pause", 2),
        ("check --project nowhere", 2),
    ] {
        let args = if args.contains("json") { args.to_owned() } else { format!("{args} --output json") };
        let run = shop.outflow(&args).expect(code);
        let error = &document(&run)["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{args}: {run}");
        assert!(error["kind"].is_string() && error["context"].is_object(), "{args}: {run}");
        assert!(error["help"].is_string(), "{args}: {run}");
        assert_eq!(run.stderr, "", "{args}");
    }
    let usage = document(&shop.outflow("run --dry-run --output json"));
    assert_eq!(usage["error"]["kind"], "usage");
    assert!(usage["error"]["help"].as_str().unwrap().contains("`outflow plan`"), "{usage}");
}

#[test]
fn several_things_that_are_wrong_are_one_document_too() {
    let shop = Shop::new(3);
    shop.project.edit("outflow.yml", "people: people.parquet", "people: gone.parquet, more: lost.parquet");
    shop.project.edit("outflow.yml", "models:\n", "models:\n  others: { source: warehouse, query: SELECT * FROM more, id: id }\n");
    shop.project.edit(
        "outflow.yml",
        "mappings:",
        &format!("mappings:{}", MIRROR.replace("mirror", "other").replace("model: people", "model: others")),
    );
    let run = shop.outflow("check --output json").expect(2);
    let error = document(&run)["error"].clone();
    let problems = error["problems"].as_array().unwrap();
    assert!(problems.len() == 2 && problems.iter().all(|problem| problem["message"].is_string()), "{run}");
    assert!(run.stdout.contains("gone.parquet") && run.stdout.contains("lost.parquet"), "{run}");

    shop.project.edit("outflow.yml", "model: people", "model: poeple");
    let error = document(&shop.outflow("check --output json").expect(2))["error"].clone();
    assert!(error["message"].as_str().unwrap().starts_with("The project has "), "{error}");
    // Only what is selected is looked at in the sources.
    shop.project.edit("outflow.yml", "model: poeple", "model: people");
    let run = shop.outflow("check --select other").expect(2);
    assert!(run.stderr.contains("/lost.parquet") && !run.stderr.contains("/gone.parquet"), "{run}");
}

#[test]
fn the_results_of_a_run_that_never_began_are_not_those_of_the_run_before() {
    let shop = Shop::new(3);
    shop.run(0);
    let results = || shop.project.read_json("target/run_results.json");
    assert_eq!(results()["errors"], json!([]));
    for (args, breaking) in [("run --select nothing", None), ("run", Some(("model: people", "model: poeple")))] {
        if let Some((old, new)) = breaking {
            shop.project.edit("outflow.yml", old, new);
        }
        shop.outflow(args).expect(2);
        let results = results();
        assert_eq!(results["results"], json!([]), "{results}");
        assert!(
            results["errors"][0]["message"].as_str().is_some_and(|message| message.contains("nothing") || message.contains("poeple")),
            "{results}"
        );
    }
}

#[test]
fn the_log_holds_what_outflow_does_and_nothing_of_its_libraries() {
    let shop = Shop::new(3);
    let run = shop.outflow("run -vv --log-format json").expect(0);
    let lines: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "request" && line["status"].is_number()), "{run}");
    assert!(lines.len() < 20, "{run}");
    for foreign in ["log.file", "log.module_path", ".rs", "sqlparser", "cargo"] {
        assert!(!run.stderr.contains(foreign), "{foreign}\n{run}");
    }
    let run = shop.outflow("run -vv").expect(0);
    assert!(!run.stderr.contains("parsing expr") && run.stderr.lines().count() < 20, "{run}");
}

#[test]
fn a_run_prints_no_record_and_names_what_was_not_accepted_once() {
    let mut shop = Shop::new(3);
    let both = format!("{MIRROR}{}", MIRROR.replace("mirror:", "other:"));
    shop.configure(&both, "batch: { records: 10, body: array }", "");
    shop.table.push(json!([null, "nobody", "secret@example.com", 1]));
    shop.table.push(json!([2, "twice", "twice@example.com", 1]));
    shop.write();
    for args in ["run", "run -q"] {
        let run = shop.outflow(args);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains("@example.com") && !said.contains("nobody"), "{run}");
        let lines = said.matches("not accepted").count();
        assert_eq!(lines, if args == "run" { 2 } else { 0 }, "{run}");
        assert_eq!(said.contains("the identifier is shared, such as 2"), args == "run", "{run}");
    }
    assert!(shop.outflow("show mirror").expect(0).stdout.contains("secret@example.com"), "there they are");
}

#[test]
fn what_a_message_names_as_the_way_out_is_what_is_offered_below_it() {
    let shop = Shop::new(3);
    shop.run(0);
    shop.project.edit("outflow.yml", "  mirror:", "  people_to_hook:");
    let run = shop.outflow("run").expect(1);
    assert!(run.stdout.contains("\n  outflow rename mirror people_to_hook"), "{run}");
    assert!(run.stdout.contains("\n  outflow rename mirror --forget") && !run.stdout.contains("outflow check"), "{run}");
    let next = shop.outflow("show --output json").expect(0).json()["next"].clone();
    assert_eq!(next[0]["command"], "outflow rename mirror people_to_hook");
    std::fs::remove_file(shop.project.path("people.parquet")).unwrap();
    shop.outflow("run").expect(1);
    let shown = shop.outflow("show").expect(0).stdout;
    assert!(shown.contains("records ") && !shown.contains("phase "), "what never began has no phases:\n{shown}");
}

#[test]
fn while_a_lock_is_held_every_mapping_that_did_not_run_is_named() {
    let shop = Shop::new(3);
    let both = format!("{MIRROR}{}", MIRROR.replace("mirror:", "other:"));
    shop.configure(&both, "batch: { records: 10, body: array }", "");
    shop.server.script([Act::Hold(Duration::from_secs(2))]);
    let mut first = Outflow::at(&shop.project).args("run").spawn();
    assert!(first.until(|| shop.server.arrived().requests == 1));
    let second = shop.outflow("run --output json").expect(4);
    assert_eq!(document(&second)["errors"][0]["context"]["not run"], "mirror, other", "{second}");
    first.wait().expect(0);
}

#[test]
fn a_project_is_found_by_its_file_and_one_above_is_named() {
    let shop = Shop::new(1);
    shop.project.write("models/a.sql", "SELECT 1");
    shop.outflow("check --project outflow.yml").expect(0);
    let below = Outflow::in_folder(shop.project.path("models")).args("check").run().expect(2);
    let root = shop.project.root().display().to_string();
    assert!(below.stderr.contains(&format!("--project {root}")), "{below}");
    let narrow = Outflow::in_folder(shop.project.path("models"))
        .args("rename nothing mirror --yes --project ..")
        .env("COLUMNS", "60")
        .run()
        .expect(2);
    assert!(narrow.stderr.lines().all(|line| line.chars().count() <= 60), "a long message is broken at words: {narrow}");
}

#[test]
fn neither_a_path_in_a_message_nor_a_name_of_the_catalogue_is_broken_on_a_narrow_terminal() {
    let shop = Shop::new(1);
    let long = format!("{}.parquet", "a_very_long_name_of_a_file_".repeat(3));
    shop.project.edit("outflow.yml", "people.parquet", &long);
    let narrow = |args: &str| Outflow::at(&shop.project).args(args).env("COLUMNS", "60").run();
    let check = narrow("check").expect(2);
    assert!(check.stderr.contains(&format!("/{long}")), "{check}");
    let document = shop.outflow("catalog file --output json").expect(0).json();
    let shown = narrow("catalog file").expect(0).stdout;
    let (table, _) = shown.split_once("actions\n").unwrap();
    let names = table.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    assert!(document.is_object() && names.clone().count() > 5 && names.clone().all(|name| !name.ends_with('…')), "{table}");
}

#[test]
fn a_sample_is_not_made_in_the_midst_of_other_files_unasked() {
    let project = outflow_tests::Project::new();
    project.write("notes.txt", "mine");
    let refused = Outflow::at(&project).args("init").run().expect(2);
    assert!(refused.stderr.contains("outflow init shop"), "{refused}");
    assert_eq!(project.files(".").len(), 1, "nothing was written");
    let made = Outflow::at(&project).args("init .").run().expect(0);
    assert!(made.stdout.lines().all(|line| line.len() <= 80), "{made}");
    std::fs::create_dir(project.path("empty")).unwrap();
    Outflow::in_folder(project.path("empty")).args("init").run().expect(0);
}

#[test]
fn at_a_terminal_the_manual_says_how_to_read_it() {
    let command = format!("{} man", outflow_tests::outflow_bin::binary().display());
    let output = std::process::Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("outflow man | man -l -") && !said.contains(".TH"), "{said}");
}
