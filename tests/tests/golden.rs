//! What people see, word for word. A change here is a change for every user: read the difference before accepting it.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use arrow::datatypes::DataType;
use outflow_tests::{Outflow, Project, Refusal, Run, Server, ServerOptions, Table};
use serde_json::json;

/// A small project with a webhook that refuses record 3, and a file destination.
struct Small {
    project: Project,
    server: Server,
    table: Table,
}

impl Small {
    fn new() -> Self {
        let mut table = Table::new(&[("id", DataType::Int64), ("name", DataType::Utf8), ("plan", DataType::Utf8)]);
        for id in 1..=5 {
            table.push(json!([id, format!("name {id}"), "free"]));
        }
        let server = Server::with(ServerOptions { refusal: Refusal::PerRecord, ..ServerOptions::default() });
        let project = Project::new();
        let url = server.url("/records");
        project.config(&format!(
            "version: 1
sources:
  warehouse: {{ type: files, tables: {{ people: people.parquet }} }}
models:
  people: {{ source: warehouse, query: SELECT * FROM people, id: id }}
destinations:
  hook:
    type: webhook
    rate_limit: 10/s
    settings:
      url: '{url}'
      batch: {{ records: 10, body: array }}
      results: {{ items: $.results, index: $.index, ok: {{ field: $.status, values: [ok] }}, code: $.code, message: $.message }}
  folder: {{ type: file, settings: {{ path: out }} }}
mappings:
  people_to_hook:
    model: people
    destination: hook
    action: send
    records: all
    fields: {{ id: $.id, op: $.__op, name: $.name }}
  people_gone:
    model: people
    destination: folder
    action: write
    records: deleted
    fields: {{ id: $.__segment_id, name: $.name }}
"
        ));
        let small = Self { project, server, table };
        small.write();
        small
    }

    fn write(&self) {
        self.project.parquet("people.parquet", &self.table);
    }

    fn run(&self, args: &str) -> Run {
        Outflow::at(&self.project).args(args).run()
    }
}

/// As wide as `columns`, as a terminal would say.
fn at(small: &Small, columns: u32, args: &str) -> Run {
    Outflow::at(&small.project).args(args).env("COLUMNS", columns.to_string()).run()
}

/// Both channels and the code, with what differs from run to run replaced.
fn shown(run: &Run) -> String {
    format!("exit {}\n--- stdout\n{}--- stderr\n{}", run.code.unwrap_or(-1), run.stdout, run.stderr)
}

macro_rules! golden {
    ($name:literal, $run:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.add_filter(r"\d{8}-\d{6}-[0-9a-f]{7}", "<sync id>");
        settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "<moment>");
        settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[0-9.]*Z", "<moment>");
        settings.add_filter(r#""(seconds|from|share)": ?[0-9.e-]+"#, "\"$1\":<s>");
        settings.add_filter(r": \d+\.\d+(e-\d+)?", ": <s>");
        settings.add_filter(r#""(rate|records_per_second)": ?\d+"#, "\"$1\":<n>");
        settings.add_filter(r"[0-9,]+ records?/s", "<n> records/s");
        settings.add_filter(r"(?m)^phase .*\n(?:(?:extract|plan|deliver|commit|waiting|total) .*\n)+", "<timeline>\n");
        settings.add_filter(r"(requests|failed) +time", "$1 time");
        settings.add_filter(r" *\b\d+ ms\b", " <time>");
        settings.add_filter(r" *\b\d+\.\d s\b", " <time>");
        settings.add_filter(r"127\.0\.0\.1:\d+", "<address>");
        settings.add_filter(r"/tmp/outflow-test-\w+", "<folder>");
        settings.add_filter(r"outflow-test-\w+", "<project>");
        settings.bind(|| insta::assert_snapshot!($name, shown(&$run)));
    }};
}

#[test]
fn the_life_of_a_small_project() {
    let mut small = Small::new();
    golden!("check", small.run("check"));
    golden!("history_empty", small.run("history"));
    golden!("plan_first", small.run("plan"));
    small.server.refuse(["3"]);
    golden!("run_partial", small.run("run"));
    golden!("show_partial", small.run("show last --quiet"));
    small.server.accept_all();
    small.table.set(1, "name", "renamed");
    small.table.set(2, "plan", "pro");
    small.table.delete(5);
    small.table.push(json!([null, "nobody", null]));
    small.write();
    golden!("plan_changes", small.run("plan"));
    golden!("run_changes", small.run("run"));
    golden!("run_no_changes", small.run("run --select people_to_hook"));
    golden!("history", small.run("history"));
    golden!("reset", small.run("reset people_to_hook --yes"));
    golden!("reset_of_deletes", small.run("reset people_gone --yes"));
    golden!("reset_unconfirmed", small.run("reset people_to_hook"));
}

#[test]
fn what_goes_wrong_is_said_so_that_one_can_act() {
    let small = Small::new();
    golden!("no_project", Outflow::in_folder(std::env::temp_dir()).args("check --project does-not-exist").run());
    golden!("unknown_mapping", small.run("reset poeple_to_hook --yes"));
    golden!("unknown_sync", small.run("show 2020"));
    golden!("unknown_command", small.run("rum"));
    small.project.edit("outflow.yml", "SELECT * FROM people", "SELECT * FROM poeple");
    golden!("unknown_table", small.run("check"));
    small.project.edit("outflow.yml", "SELECT * FROM poeple", "'SELECT id, nmae FROM people'");
    golden!("unknown_column", small.run("check"));
    small.project.edit("outflow.yml", "'SELECT id, nmae FROM people'", "DELETE FROM people");
    golden!("not_a_query", small.run("run"));
    small.project.edit("outflow.yml", "DELETE FROM people", "SELECT * FROM people");
    std::fs::remove_file(small.project.path("people.parquet")).unwrap();
    golden!("missing_file", small.run("run"));
}

/// A life with every outcome, for the two widths.
fn eventful() -> Small {
    let mut small = Small::new();
    small.project.edit("outflow.yml", "people_to_hook:", "people_to_the_hook:");
    small.server.refuse(["3"]);
    small.run("run").expect(3);
    small.table.set(1, "name", "日本の顧客 with a name that is too long to be shown on one line of a terminal");
    small.table.set(2, "plan", "pro");
    small.table.delete(5);
    small.table.push(json!([null, "nobody", null]));
    small.write();
    small
}

#[test]
fn a_terminal_of_80_columns_has_room_for_what_matters() {
    let small = eventful();
    golden!("plan_80", at(&small, 80, "plan"));
    golden!("run_80", at(&small, 80, "run"));
    golden!("history_80", at(&small, 80, "history"));
    let history = at(&small, 103, "history").stdout;
    assert!(history.contains("started") && !history.contains("time"), "when it was matters more than how long it took:\n{history}");
    golden!("show_80", at(&small, 80, "show people_to_the_hook"));
    for (columns, args) in [(60, "plan"), (60, "history"), (60, "show people_to_the_hook"), (80, "run"), (80, "history")] {
        let run = at(&small, columns, args);
        let too_wide: Vec<&str> = run.stdout.lines().filter(|line| !line.starts_with('{') && columns_of(line) > columns as usize).collect();
        let commands_only = too_wide.iter().all(|line| line.starts_with("  outflow "));
        assert!(commands_only, "{args} at {columns} columns:\n{}", too_wide.join("\n"));
    }
}

/// The columns that a line of these tests takes; of the letters outside ASCII only a few are wide.
fn columns_of(line: &str) -> usize {
    line.chars().map(|c| if ('\u{3000}'..'\u{a000}').contains(&c) { 2 } else { 1 }).sum()
}

#[test]
fn a_terminal_of_140_columns_shows_more() {
    let small = eventful();
    golden!("plan_140", at(&small, 140, "plan"));
    golden!("run_140", at(&small, 140, "run"));
    golden!("history_140", at(&small, 140, "history"));
    golden!("show_140", at(&small, 140, "show people_to_the_hook"));
}

#[test]
fn problems_are_drawn_as_wide_as_the_terminal() {
    let small = Small::new();
    small.project.edit("outflow.yml", "model: people\n    destination: hook", "model: poeple\n    destination: hook");
    small.project.edit("outflow.yml", "action: write", "action: wirte");
    small.project.edit("outflow.yml", "rate_limit: 10/s", "rate_limit: quickly");
    golden!("problems_80", at(&small, 80, "check"));
    golden!("problems_140", at(&small, 140, "check"));
    golden!("problems_json", small.run("check --output json"));
    golden!("problems_log", small.run("check --log-format json"));
}

#[test]
fn programs_read_documents_and_lines_of_json() {
    let small = eventful();
    golden!("plan_json", small.run("plan --output json"));
    golden!("run_json", small.run("run --output json"));
    golden!("history_json", small.run("history --output json --limit 1"));
    golden!("show_json", small.run("show people_to_the_hook --output json"));
    let run = small.run("run --log-format json");
    for line in run.stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{run}"));
        assert!(["timestamp", "level", "message"].iter().all(|field| line[field].is_string()), "{line}");
    }
    golden!("log_json", run);
    golden!("log_json_error", small.run("show 2020 --log-format json"));
    golden!("log_json_usage", small.run("rum --log-format json"));
}

#[test]
fn an_empty_list_says_which_filter_emptied_it() {
    let small = eventful();
    golden!("history_failed", small.run("history --failed"));
    golden!("history_none_of_status", small.run("history --model people --status success"));
    golden!("history_none_since", small.run("history --mapping people_gone --until 2020-01-01"));
    golden!("history_unknown_name", small.run("history --mapping poeple_gone"));
    golden!("history_wrong_moment", small.run("history --since yesterday"));
    golden!("show_ambiguous", small.run("show 20"));
    golden!("show_near_name", small.run("show people_gnoe"));
    let select = small.run("history --select people_g* --output json").json();
    assert_eq!(select["syncs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_waits_is_listed_and_may_be_set_aside() {
    let small = eventful();
    golden!("pending", small.run("pending"));
    golden!("retry", small.run("retry people_to_the_hook"));
    golden!("set_aside_none", small.run("retry people_to_the_hook --acknowledge --code http_422"));
    golden!("set_aside", small.run("retry people_to_the_hook --acknowledge --code refused"));
    golden!("set_aside_again", small.run("retry people_to_the_hook --acknowledge --all"));
    golden!("pending_set_aside", at(&small, 80, "pending"));
    golden!("pending_json", small.run("pending --output json"));
    golden!("retry_nothing", small.run("retry people_to_the_hook"));
    golden!("retry_two_mappings", small.run("retry --id 3"));
    golden!("retry_unknown_record", small.run("retry people_to_the_hook --id 77"));
}

#[test]
fn colours_come_and_go_as_asked() {
    let small = eventful();
    let colored = |args: &str, env: &[(&str, &str)]| {
        let command = env.iter().fold(Outflow::at(&small.project).args(args), |command, (name, value)| command.env(*name, *value));
        let run = command.run();
        (run.stdout + &run.stderr).contains('\u{1b}')
    };
    let (off, forced) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"));
    for args in ["history", "show people_to_the_hook", "show nothing"] {
        assert!(!colored(args, &[("NO_COLOR", "")]), "{args}: a file is no terminal");
        assert!(colored(args, &[("NO_COLOR", ""), forced]), "{args}");
        assert!(!colored(args, &[off, forced]), "{args}");
        assert!(!colored(&format!("{args} --color never"), &[("NO_COLOR", ""), forced]), "{args}");
        assert!(colored(&format!("{args} --color always"), &[off]), "{args}");
    }
    let mut run = at(&small, 80, "history --color always");
    run.stdout = run.stdout.replace('\u{1b}', "^");
    golden!("history_colours", run);
}

#[test]
fn help_is_help() {
    let project = Project::new();
    let run = |args: &str| Outflow::at(&project).args(args).run();
    golden!("help", run("--help"));
    let old = ["init", "check", "plan", "run", "history", "show", "reset", "schema"];
    let new =
        ["preview", "test", "catalog", "baseline", "rename", "pause", "resume", "completions", "man", "doctor", "gc", "retry", "pending"];
    for command in old.into_iter().chain(new).chain(["diff", "suggest"]) {
        let help = run(&format!("{command} --help"));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("help_{command}"), shown(&help)));
    }
}
