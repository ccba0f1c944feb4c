//! The real program on real files, with a destination that remembers what it was given.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests: time is real here, and what is missing is a failure"
)]

mod administration;
mod answers;
mod changes;
mod channels;
mod columns;
mod commands;
mod crashes;
mod damage;
mod diff;
mod disk;
mod dividing;
mod failures;
mod footing;
mod guards;
mod hostile;
mod identifiers;
mod inspect;
mod objects;
mod renaming;
mod replay;
mod retention;
mod schema;
mod segment;
mod steps;
mod suggest;
mod tables;
mod together;
mod waiting;

use arrow::datatypes::DataType;
use outflow_tests::{Outflow, Project, Run, Server, Table};
use serde_json::{Value, json};

/// A project of one table, one model and one webhook, and the server behind it.
pub(crate) struct Shop {
    pub(crate) project: Project,
    pub(crate) server: Server,
    pub(crate) table: Table,
}

/// The default mapping of a [`Shop`]: upserts and deletes, so that the destination mirrors the model.
const MIRROR: &str = r"
  mirror:
    model: people
    destination: hook
    action: send
    records: all
    fields: { id: $.id, op: $.__op, name: $.name, email: $.email }
";

impl Shop {
    /// `n` people: `id` 1 to n, a name, an e-mail, and a score that the default mapping does not use.
    pub(crate) fn new(n: i64) -> Self {
        Self::with(n, Server::start(), MIRROR, "batch: { records: 10, body: array }")
    }

    pub(crate) fn with(n: i64, server: Server, mappings: &str, settings: &str) -> Self {
        let mut table =
            Table::new(&[("id", DataType::Int64), ("name", DataType::Utf8), ("email", DataType::Utf8), ("score", DataType::Int64)]);
        for id in 1..=n {
            table.push(json!([id, format!("name {id}"), format!("p{id}@example.com"), id * 10]));
        }
        let project = Project::new();
        let shop = Self { project, server, table };
        shop.configure(mappings, settings, "");
        shop.write();
        shop
    }

    /// Writes `outflow.yml`; `more` stands below the destination.
    pub(crate) fn configure(&self, mappings: &str, settings: &str, more: &str) {
        let url = self.server.url("/records");
        self.project.config(&format!(
            "version: 1
sources:
  warehouse: {{ type: files, tables: {{ people: people.parquet }} }}
models:
  people: {{ source: warehouse, query: SELECT * FROM people, id: id }}
destinations:
  hook:
    type: webhook
    request_timeout: 2s
    request_lifetime: 100ms
    settings: {{ url: '{url}', {settings} }}
{more}
mappings:{mappings}"
        ));
    }

    /// Writes the table to its file.
    pub(crate) fn write(&self) {
        self.project.parquet("people.parquet", &self.table);
    }

    pub(crate) fn outflow(&self, args: &str) -> Run {
        Outflow::at(&self.project).args(args).run()
    }

    /// Runs, expects the code, and returns the result of the only mapping.
    #[track_caller]
    pub(crate) fn run(&self, code: i32) -> Value {
        self.outflow("run").expect(code);
        self.result()
    }

    /// The first result of the last run.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        self.project.read_json("target/run_results.json")["results"][0].clone()
    }

    /// Fails unless the destination holds exactly the table, as the default mapping sends it.
    #[track_caller]
    pub(crate) fn assert_mirrored(&mut self) {
        let mut expected: Vec<(String, Value, Value)> =
            self.table.records().iter().map(|r| (r["id"].to_string(), r["name"].clone(), r["email"].clone())).collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let held = self.server.records();
        let held: Vec<_> = held.into_iter().map(|(id, record)| (id, record["name"].clone(), record["email"].clone())).collect();
        assert_eq!(held, expected, "the destination does not hold what the source does");
    }
}

/// Is this a run of the long tests, `.ci/long`?
pub(crate) fn is_long() -> bool {
    std::env::var_os("OUTFLOW_LONG").is_some()
}

/// `{added, updated, deleted}` of a count.
pub(crate) fn counts(result: &Value, name: &str) -> (u64, u64, u64) {
    let count = |op: &str| result["counts"][name][op].as_u64().unwrap();
    (count("added"), count("updated"), count("deleted"))
}
