//! What the commands show that look at things or mend them, word for word, on narrow and on wide terminals.
//!
//! A change here is a change for every user: read the difference before accepting it.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use arrow::datatypes::DataType;
use outflow_tests::{Outflow, Project, Refusal, Run, Server, ServerOptions, Table};
use serde_json::json;

/// A model with a column of every sort, a webhook and a folder.
struct Shop {
    project: Project,
    server: Server,
    table: Table,
}

impl Shop {
    fn new() -> Self {
        let mut table = Table::new(&[
            ("id", DataType::Int64),
            ("name", DataType::Utf8),
            ("email", DataType::Utf8),
            ("total", DataType::Decimal128(12, 2)),
            ("vip", DataType::Boolean),
            ("joined", DataType::Date32),
            ("note", DataType::Utf8),
        ]);
        table.push(json!([
            1,
            "Ada Lovelace",
            "ada@example.com",
            "1234.50",
            true,
            "2024-02-29",
            "prefers letters; calls only in the afternoon"
        ]));
        table.push(json!([2, "佐藤 さくら", null, "0.00", false, "1999-12-31", ""]));
        table.push(json!([33, "null", "x@example.com", null, null, null, "two\nlines\u{1b}[31m"]));
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
    settings:
      url: '{url}'
      auth: {{ type: bearer, token: '${{env:HOOK_TOKEN}}' }}
      headers: {{ X-Api-Key: abc }}
      batch: {{ records: 10, body: array }}
      results: {{ items: $.results, index: $.index, ok: {{ field: $.status, values: [ok] }}, code: $.code, message: $.message }}
  folder: {{ type: file, settings: {{ path: out }} }}
mappings:
  people_to_hook:
    model: people
    destination: hook
    action: send
    records: all
    fields: {{ id: $.id, op: $.__op, name: $.name, contact: {{ email: $.email }} }}
"
        ));
        project.parquet("people.parquet", &table);
        Self { project, server, table }
    }

    fn run(&self, args: &str) -> Run {
        self.at(100, args)
    }

    /// The same on a terminal of so many columns.
    fn at(&self, columns: u16, args: &str) -> Run {
        let outflow = Outflow::at(&self.project).args(args).env("HOOK_TOKEN", "s3cret-token");
        outflow.env("COLUMNS", columns.to_string()).run()
    }
}

macro_rules! golden {
    ($name:expr, $run:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.add_filter(r"\d{8}-\d{6}-[0-9a-f]{7}", "<sync id>");
        settings.add_filter(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z", "<moment>");
        settings.add_filter(r#"("(seconds|total|extract|plan|deliver|commit)": ?)[0-9.e-]+"#, "$1<s>");
        // The column is as wide as what was measured.
        settings.add_filter(r"(requests|failed) +time", "$1 time");
        settings.add_filter(r" *\b\d+ ms\b", " <time>");
        settings.add_filter(r" *\b\d+\.\d s\b", " <time>");
        settings.add_filter(r"127\.0\.0\.1:\d+", "<address>");
        settings.add_filter(r"/tmp/outflow-test-\w+", "<folder>");
        settings.add_filter(r"Idempotency-Key: \w+", "Idempotency-Key: <key>");
        settings.add_filter(r#""Idempotency-Key": "\w+""#, "\"Idempotency-Key\": \"<key>\"");
        settings.add_filter(r"\d+ bytes", "<n> bytes");
        let run: &Run = &$run;
        let shown = format!("exit {}\n--- stdout\n{}--- stderr\n{}", run.code.unwrap_or(-1), run.stdout, run.stderr);
        settings.bind(|| insta::assert_snapshot!($name, shown));
    }};
}

#[test]
fn a_preview_fits_its_terminal() {
    let shop = Shop::new();
    for columns in [60, 80, 140] {
        golden!(format!("preview_{columns}"), shop.at(columns, "preview people --refresh"));
    }
    golden!("preview_kept", shop.run("preview people --limit 3"));
    golden!("preview_json", shop.run("preview people --limit 2 --output json"));
    golden!("preview_unknown", shop.run("preview peple"));
    shop.project.edit("outflow.yml", "SELECT * FROM people", "SELECT * FROM people WHERE id < 0");
    golden!("preview_none", shop.run("preview people"));
    std::fs::remove_file(shop.project.path("people.parquet")).unwrap();
    golden!("preview_failed", shop.run("preview people --refresh"));
}

#[test]
fn a_source_or_destination_is_tried_in_few_words() {
    let shop = Shop::new();
    for columns in [80, 140] {
        golden!(format!("test_source_{columns}"), shop.at(columns, "test warehouse"));
    }
    golden!("test_source_json", shop.run("test warehouse --output json"));
    golden!("test_destination", shop.run("test hook"));
    golden!("test_destination_json", shop.run("test hook --output json"));
    golden!("test_folder", shop.run("test folder"));
    golden!("test_unknown", shop.run("test wearhouse"));
}

#[test]
fn the_catalogue_fits_its_terminal() {
    let shop = Shop::new();
    for columns in [80, 140] {
        golden!(format!("catalog_webhook_{columns}"), shop.at(columns, "catalog webhook"));
        golden!(format!("catalog_webhook_send_{columns}"), shop.at(columns, "catalog webhook send"));
    }
    golden!("catalog_file_json", shop.run("catalog file --output json"));
    golden!("catalog_file_write_json", shop.run("catalog file write --output json"));
    golden!("catalog_unknown", shop.run("catalog flie"));
}

#[test]
fn a_mapping_is_tried_on_a_record_and_sent_ahead() {
    let shop = Shop::new();
    for columns in [80, 140] {
        golden!(format!("test_mapping_{columns}"), shop.at(columns, "test people_to_hook"));
    }
    golden!("test_mapping_json", shop.run("test people_to_hook --record 33 --output json"));
    golden!("test_mapping_missing", shop.run("test people_to_hook --record 34"));
    golden!("test_mapping_send", shop.run("test people_to_hook --record 2 --send"));
    shop.server.refuse(["33"]);
    golden!("test_mapping_send_refused", shop.run("test people_to_hook --record 33 --send"));
}

#[test]
fn what_is_mended_is_said_in_a_line() {
    let shop = Shop::new();
    golden!("baseline_unconfirmed", shop.run("baseline people_to_hook"));
    golden!("baseline", shop.run("baseline people_to_hook --yes"));
    golden!("baseline_json", shop.run("baseline people_to_hook --yes --output json"));
    golden!("pause", shop.run("pause people_to_hook --reason moving"));
    golden!("pause_again", shop.run("pause people_to_hook --reason tidying"));
    golden!("run_paused", shop.run("run --quiet"));
    golden!("resume", shop.run("resume people_to_hook"));
    golden!("resume_json", shop.run("resume people_to_hook --output json"));
    golden!("pause_json", shop.run("pause people_to_hook --output json"));
    golden!("rename_too_early", shop.run("rename people_to_hook people_to_crm --yes"));
    shop.project.edit("outflow.yml", "people_to_hook:", "people_to_crm:");
    golden!("rename_unconfirmed", shop.run("rename people_to_hook people_to_crm"));
    golden!("rename_unknown", shop.run("rename peeple_to_hook people_to_crm --yes"));
    golden!("rename", shop.run("rename people_to_hook people_to_crm --yes"));
    golden!("rename_again", shop.run("rename people_to_hook people_to_crm --yes"));
    golden!("resume_renamed", shop.run("resume people_to_crm"));
    shop.project.edit("outflow.yml", "people_to_crm:", "people_elsewhere:");
    golden!("rename_forget", shop.run("rename people_to_crm --forget --yes --output json"));
}

#[test]
fn a_replay_says_what_goes_out_and_what_is_kept_back() {
    let mut shop = Shop::new();
    golden!("replay_before_any", shop.run("replay last"));
    shop.run("run").expect(0);
    let first = shop.project.read_json("target/run_results.json")["results"][0]["sync_id"].as_str().unwrap().to_owned();
    golden!("replay", shop.run(&format!("replay {first}")));
    golden!("replay_none_failed", shop.run(&format!("replay {first} --failed")));
    for id in [1, 2] {
        shop.table.set(id, "name", "somebody else");
        shop.project.parquet("people.parquet", &shop.table);
        shop.run("run").expect(0);
    }
    golden!("replay_kept_back", shop.run(&format!("replay {first}")));
    golden!("replay_forced", shop.run(&format!("replay {first} --force")));
    golden!("run_after_replay_forced", shop.run("run"));
    shop.server.refuse(["33"]);
    golden!("replay_refused", shop.run(&format!("replay {first} --force")));
    golden!("replay_unknown", shop.run("replay peeple_to_hook"));
}

#[test]
fn what_changed_between_versions_fits_its_terminal() {
    let mut shop = Shop::new();
    golden!("diff_no_version", shop.run("diff people"));
    shop.run("run").expect(0);
    golden!("diff_first", shop.run("diff people"));
    shop.table.set(1, "note", "prefers calls; writes only in the evening, and never reads what is longer than a line");
    shop.table.set(1, "total", "1234.5");
    shop.table.set(1, "vip", json!(null));
    shop.table.set(33, "name", "");
    shop.table.set(33, "note", "one\rline\u{7}");
    shop.table.delete(2);
    shop.table.push(json!([4, "Dora", "", "7.25", true, "2020-02-20", "null"]));
    shop.project.parquet("people.parquet", &shop.table);
    shop.run("run").expect(0);
    for columns in [60, 80, 140] {
        golden!(format!("diff_{columns}"), shop.at(columns, "diff people"));
    }
    golden!("diff_json", shop.run("diff people --output json"));
    golden!("diff_backwards", shop.run("diff people 2 1"));
    golden!("diff_limited", shop.run("diff people 0 2 --limit 1"));
    golden!("diff_itself", shop.run("diff people 2"));
    golden!("diff_itself_json", shop.run("diff people 2 --output json"));
    golden!("diff_versions", shop.run("diff people --versions"));
    golden!("diff_versions_json", shop.run("diff people --versions --limit 1 --output json"));
    golden!("diff_never", shop.run("diff people 1 7"));
    golden!("diff_unknown", shop.run("diff peple"));
    golden!("diff_of_mapping", shop.run("diff people_to_hook"));
    shop.project.edit("outflow.yml", "version: 1", "version: 1\nretention: { versions: 0s }");
    shop.run("gc").expect(0);
    golden!("diff_dropped", shop.run("diff people 0"));
    golden!("diff_versions_dropped", shop.run("diff people --versions"));
}
