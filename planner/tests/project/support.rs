//! A project folder of a test, and the kinds of destinations that it may use.

use miette::GraphicalTheme;
use outflow_contract::Op;
use outflow_contract::destination::{Action, Descriptor, Field, FieldKind, Format};
use outflow_planner::{Loaded, Options, Problem, Problems, load, render};

/// A project that uses most of what there is.
pub(crate) const FULL: &str = r#"version: 1
state: ./state
sources:
  warehouse:
    type: files
    tables:
      customers: data/customers.parquet
      orders: { path: "data/orders/*.csv", format: csv, columns: { items: json, total: "DECIMAL(12, 2)" } }
    max_concurrent_extractions: 2
    query_timeout: 10m
models:
  customers:
    source: warehouse
    query: models/customers.sql
    id: customer_id
    timestamp: updated_at
    description: Everyone who ever bought
    tags: [daily]
    on_null_id: reject
    on_duplicate_id: abort
    values: keep
  orders:
    source: warehouse
    table: orders
    id: [customer_id, order_no]
destinations:
  crm:
    type: crm
    settings: { access_token: "${env:CRM_TOKEN}", region: eu }
    rate_limit: 100/s
    concurrency: 4
    request_timeout: 10s
    request_lifetime: 1m
    gateway: http://localhost:9000
  hook:
    type: webhook
    enabled: false
    settings:
      url: https://example.com/in
      headers: { X-Team: growth }
      batch: { records: 100 }
mappings:
  customers_to_crm:
    model: customers
    destination: crm
    action: upsertContact
    records: added_or_updated
    fields:
      email: $.email
      properties:
        plan: { "@if": { exists: $.plan, then: $.plan, else: free } }
        greeting: { "@template": "Hi {{first_name}}" }
    schedule: { every: 1h }
    tags: [crm]
    guards: { deleted_share: 0.1, min_records: 10 }
    tolerate_failed: 0.01
  orders_to_hook:
    model: orders
    destination: hook
    action: send
    records: all
    fields:
      id: $.__segment_id
      items: { "@arrayPath": [$.items, { sku: $.sku }] }
      op: $.__op
    schedule: { days: [thu, mon], at: "09:30", timezone: Europe/Oslo }
guards: { changed_share: 0.9 }
limits: { interval_min: 5m, columns: 100, monthly_records: 1000000 }
retention: { versions: 7d, syncs: 30d }
targets:
  dev: { state: ./state-dev, destinations: { crm: { gateway: "http://localhost:9001" } } }
"#;

/// The smallest project that says something; `{…}` of the golden tests are changes to it.
pub(crate) const SMALL: &str = r#"version: 1
sources:
  warehouse:
    type: files
    tables: { customers: data/customers.parquet }
models:
  customers:
    source: warehouse
    query: SELECT customer_id, email FROM customers
    id: customer_id
destinations:
  crm:
    type: crm
    settings: { access_token: "${env:CRM_TOKEN}" }
mappings:
  customers_to_crm:
    model: customers
    destination: crm
    action: upsertContact
    records: added_or_updated
    fields:
      email: $.email
"#;

pub(crate) fn descriptors() -> Vec<Descriptor> {
    let text = |name: &str, description: &str| Field::new(name, FieldKind::String, description);
    let crm = Descriptor {
        name: "crm".into(),
        title: "CRM".into(),
        description: "A CRM of the tests.".into(),
        settings: vec![
            text("access_token", "The token of a private app.").required().secret(),
            text("region", "Where the account is.").default("us").choices(&["us", "eu"]),
            Field::new("workers", FieldKind::Integer, "How many.").default(2).minimum(1.0).maximum(64.0),
            text("contact", "Who is told of changes.").format(Format::Email).maximum(40.0),
        ],
        actions: vec![
            Action {
                name: "upsertContact".into(),
                title: "Upsert contact".into(),
                description: "Creates or updates a contact.".into(),
                ops: vec![Op::Added, Op::Updated],
                deletes: false,
                fields: Some(vec![
                    text("email", "The contact's e-mail address.").required(),
                    text("lifecycle", "The stage.").choices(&["lead", "customer"]),
                    text("source", "Where the contact comes from.").default("outflow"),
                    Field::new("properties", FieldKind::Object, "Any other properties."),
                ]),
            },
            Action {
                name: "deleteContact".into(),
                title: "Delete contact".into(),
                description: "Deletes a contact.".into(),
                ops: vec![Op::Deleted],
                deletes: true,
                fields: Some(vec![text("email", "The contact's e-mail address.").required()]),
            },
        ],
    };
    let webhook = Descriptor {
        name: "webhook".into(),
        title: "Webhook".into(),
        description: "Any URL.".into(),
        settings: vec![
            text("url", "Where requests go.").required(),
            text("method", "The HTTP method.").default("POST").choices(&["POST", "PUT"]),
            Field::new("headers", FieldKind::Object, "Further headers."),
            Field::new("batch", FieldKind::Object, "How records are batched.")
                .properties(vec![Field::new("records", FieldKind::Integer, "Records in one request.").default(1)]),
            Field::new("auth", FieldKind::StringOrObject, "How requests are signed in.")
                .properties(vec![text("bearer", "A token.").secret()]),
        ],
        actions: vec![Action {
            name: "send".into(),
            title: "Send".into(),
            description: "Sends records.".into(),
            ops: Op::ALL.to_vec(),
            deletes: true,
            fields: None,
        }],
    };
    vec![crm, webhook]
}

pub(crate) fn env(name: &str) -> Option<String> {
    (name == "CRM_TOKEN").then(|| "tok-123456".to_owned())
}

/// A folder with this project in it, and the query of [`FULL`].
pub(crate) fn folder(project: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("outflow.yml"), project).unwrap();
    std::fs::create_dir(folder.path().join("models")).unwrap();
    std::fs::write(folder.path().join("models/customers.sql"), "-- all\nSELECT * FROM customers;\n").unwrap();
    folder
}

pub(crate) fn load_target(project: &str, target: Option<&str>) -> Result<Loaded, Problems> {
    let folder = folder(project);
    load(&Options { root: folder.path(), target, env: &env, descriptors: &descriptors() })
}

pub(crate) fn load_text(project: &str) -> Result<Loaded, Problems> {
    load_target(project, None)
}

pub(crate) fn loaded(project: &str) -> Loaded {
    load_text(project).unwrap_or_else(|problems| panic!("{}", shown(&problems.0)))
}

/// Problems as a person reads them, the test's own folder taken out.
pub(crate) fn shown(problems: &[Problem]) -> String {
    render(problems, &GraphicalTheme::unicode_nocolor(), 100)
}

/// What a person reads of a project that is refused.
pub(crate) fn refused(project: &str) -> String {
    let folder = folder(project);
    let result = load(&Options { root: folder.path(), target: None, env: &env, descriptors: &descriptors() });
    let problems = result.err().expect("the project is refused");
    named_shop(&problems, folder.path())
}

/// Problems with the test's own folder taken out. On lines long enough that its length does not matter.
pub(crate) fn named_shop(problems: &Problems, folder: &std::path::Path) -> String {
    let folder = folder.display().to_string();
    let text = shown(&problems.0);
    if problems.0.iter().all(|problem| !format!("{problem:?}").contains(&folder)) {
        return text;
    }
    problems.render(&GraphicalTheme::unicode_nocolor(), 1000).replace(&folder, "/shop")
}

/// [`SMALL`] with a piece of it replaced.
pub(crate) fn small_with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old}");
    SMALL.replacen(old, new, 1)
}
