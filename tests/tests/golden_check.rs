//! What `outflow check` says where much is wrong at once, word for word.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

use outflow_tests::{Outflow, Project, Run};

macro_rules! golden {
    ($name:literal, $run:expr) => {{
        let run: Run = $run;
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.add_filter(r"/tmp/outflow-test-\w+", "<folder>");
        let shown = format!("exit {}\n--- stdout\n{}--- stderr\n{}", run.code.unwrap_or(-1), run.stdout, run.stderr);
        settings.bind(|| insta::assert_snapshot!($name, shown));
    }};
}

/// One mistake in every entry, and one more in each mapping.
const WRONG: &str = "version: 1
sources:
  warehouse:
    type: files
    tables:
      people: people.csv
      orders: order.csv
      unread: { path: nowhere.txt }
models:
  people: { source: warehouse, table: people, id: id }
  typo: { source: warehouse, query: models/typo.sql, id: id }
  broken: { source: warehouse, query: SELECT id FRM people WHERE, id: id }
  jinja: { source: warehouse, query: \"SELECT * FROM {{ ref('people') }}\", id: id }
  orders: { source: warehouse, query: SELECT * FROM orders, id: id }
  lost: { source: warehouse, query: SELECT * FROM poeple, id: id }
  half: { source: warehouse, query: SELECT * FROM unread, id: id }
destinations:
  hook: { type: webhook, settings: { url: 'htp://user:p4ss@nowhere/in?key=s3cret' } }
  spare: { type: webhook, settings: { url: nowhere } }
  folder: { type: file, settings: { path: out } }
  segment: { type: segment, settings: { write_key: '${env:NOT_SET}' } }
mappings:
  one: { model: people, destination: hook, action: send, fields: { id: $.id, e_mail: $.e_mail } }
  two: { model: people, destination: hook, action: send, fields: { id: $.ID } }
  three: { model: typo, destination: folder, action: write, fields: { id: $.id, gone: $.gone } }
  four: { model: people, destination: segment, action: sendIdentify, fields: { userId: $.id, traits: { mail: $.mail } } }
  five: { model: broken, destination: folder, action: write, fields: { id: $.id } }
";

fn project(config: &str) -> Project {
    let project = Project::with(config);
    project.write("people.csv", "id,email,type,at\n1,a@x.no,new,2026-01-01T00:00:00Z x\n");
    project
}

fn check(project: &Project, args: &str) -> Run {
    Outflow::at(project).args(args).run()
}

#[test]
fn every_mistake_is_found_whatever_else_is_wrong() {
    let project = project(WRONG);
    project.write("models/typo.sql", "-- people by name\nSELECT id, nmae\nFROM people\nWHERE type = \"new\"\n");
    let run = check(&project, "check");
    assert!(!run.stderr.contains("p4ss") && !run.stderr.contains("s3cret"), "{run}");
    golden!("check_everything", run);
    golden!("check_everything_json", check(&project, "check --output json"));
    // What is mended is gone, and what it hid was there before.
    project.write("models/typo.sql", "SELECT id, \"nobody\" AS name FROM people\n");
    golden!("check_text_in_double_quotes", check(&project, "check"));
}

/// Nothing is wrong, and much deserves a look.
const DOUBTFUL: &str = "version: 1
sources:
  warehouse: { type: files, tables: { people: people.csv, later: later.csv } }
models:
  people: { source: warehouse, table: people, id: id, timestamp: at }
destinations:
  hook: { type: webhook, settings: { url: http://127.0.0.1:1/, auth: { type: bearer, token: very-secret-token } } }
mappings:
  everyone:
    model: people
    destination: hook
    action: send
    records: all
    fields:
      bare: email
      dollar: $email
      dotted: people.email
      braces: \"{{email}}\"
      asked: { '@if': { exists: email, then: known, else: '{{type}}' } }
      fine: { '@literal': email }
      type: customer
      url: www.example
      template: { '@template': '{{email}}' }
  told:
    model: people
    destination: hook
    action: send
    records: all
    fields: { email: $.email, gone: { '@if': { exists: $.__op, then: $.__op } } }
";

#[test]
fn what_deserves_a_look_is_told_by_check_and_elsewhere_only_when_asked_for() {
    let project = project(DOUBTFUL);
    golden!("check_warnings", check(&project, "check"));
    golden!("check_warnings_json", check(&project, "check --output json"));
    let plan = check(&project, "plan --select told");
    assert!(!plan.stderr.contains("warning"), "{plan}");
    let plan = check(&project, "plan --select told -v");
    let lines: Vec<&str> = plan.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert!(
        lines.contains(&"warning: outflow.yml:15:13: mapping `everyone` sends the text `email` itself, and the model has a column `email`")
    );
    assert!(!plan.stderr.contains("very-secret-token"), "{plan}");
}
