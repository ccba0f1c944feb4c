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
        settings.add_filter(r#""seconds":[0-9.e-]+"#, "\"seconds\":<s>");
        settings.add_filter(r"(requests|failed) +time", "$1 time");
        settings.add_filter(r" *\b\d+ ms\b", " <time>");
        settings.add_filter(r" *\b\d+\.\d s\b", " <time>");
        settings.add_filter(r"127\.0\.0\.1:\d+", "<address>");
        settings.add_filter(r"/tmp/outflow-test-\w+", "<folder>");
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

#[test]
fn help_is_help() {
    let project = Project::new();
    let run = |args: &str| Outflow::at(&project).args(args).run();
    golden!("help", run("--help"));
    let old = ["init", "check", "plan", "run", "history", "show", "reset", "schema"];
    let new = ["preview", "test", "catalog", "baseline", "rename", "pause", "resume", "completions", "man"];
    for command in old.into_iter().chain(new) {
        let help = run(&format!("{command} --help"));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("help_{command}"), shown(&help)));
    }
}
