//! What a project that is right becomes.

use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use outflow_contract::Selection;
use outflow_contract::expr::{Columns, Expr};
use outflow_contract::plan::{ColumnType, FileFormat, OnBadId, Schedule, SourceKind, Tolerance};
use outflow_planner::{Options, load_unfinished};
use serde_json::json;

use crate::support::{FULL, SMALL, descriptors, env, folder, load_target, load_text, loaded, shown, small_with};

#[test]
fn a_full_project_becomes_what_it_says() {
    let project = loaded(FULL).project;
    let source = project.source("warehouse").unwrap();
    assert_eq!((source.max_concurrent_extractions, source.query_timeout), (2, Some(Duration::from_mins(10))));
    let SourceKind::Files { tables } = &source.kind;
    assert_eq!(tables[0].path, project.root.join("data/customers.parquet").display().to_string());
    assert_eq!((tables[0].format, tables[1].format), (FileFormat::Parquet, FileFormat::Csv));
    let types = [("items".to_owned(), ColumnType::Json), ("total".to_owned(), ColumnType::Sql("DECIMAL(12, 2)".into()))];
    assert_eq!(tables[1].columns, types);
    let customers = project.model("customers").unwrap();
    assert_eq!(customers.sql, "SELECT * FROM customers");
    assert_eq!((customers.on_null_id, customers.on_duplicate_id), (OnBadId::Reject, OnBadId::Abort));
    assert_eq!((customers.timestamp.as_deref(), customers.tags.as_slice()), (Some("updated_at"), &["daily".to_owned()][..]));
    assert_eq!(project.model("orders").unwrap().sql, "SELECT * FROM \"orders\"");
    assert_eq!(project.model("orders").unwrap().id, ["customer_id", "order_no"]);
    assert_eq!(project.state, project.root.join("state"));
    assert_eq!((project.limits.interval_min_seconds, project.limits.columns, project.limits.records), (300, 100, 30_000_000));
    assert_eq!(project.retention.versions, Duration::from_hours(7 * 24));
}

#[test]
fn destinations_have_their_defaults_filled_in() {
    let project = loaded(FULL).project;
    let crm = project.destination("crm").unwrap();
    assert_eq!(json!(crm.settings.0), json!({"access_token": "tok-123456", "region": "eu", "workers": 2}));
    assert_eq!((crm.concurrency, crm.request_timeout, crm.request_lifetime), (4, Duration::from_secs(10), Duration::from_mins(1)));
    assert_eq!(crm.rate_limit.map(|rate| (rate.requests, rate.per)), Some((100, Duration::from_secs(1))));
    let hook = project.destination("hook").unwrap();
    let settings = json!({"url": "https://example.com/in", "method": "POST", "headers": {"X-Team": "growth"}, "batch": {"records": 100}});
    assert_eq!(json!(hook.settings.0), settings);
    assert_eq!((hook.enabled, hook.concurrency, hook.request_timeout), (false, 8, Duration::from_secs(30)));
    let quick = loaded(&FULL.replace("    request_lifetime: 1m\n", "")).project;
    assert_eq!(quick.destination("crm").unwrap().request_lifetime, Duration::from_secs(10));
}

#[test]
fn mappings_have_their_defaults_and_inherit_guards() {
    let project = loaded(FULL).project;
    let crm = project.mapping("customers_to_crm").unwrap();
    assert_eq!(crm.selection, Selection::AddedOrUpdated);
    assert_eq!(crm.columns(), Columns::Named(vec!["email".into(), "first_name".into(), "plan".into()]));
    let Expr::Object(members) = &crm.fields else { panic!("{:?}", crm.fields) };
    assert_eq!(members.last(), Some(&("source".to_owned(), Expr::Literal(json!("outflow")))));
    assert_eq!((crm.guards.deleted_share, crm.guards.changed_share, crm.guards.min_records), (0.1, 0.9, 10));
    assert_eq!((crm.tolerate_failed, crm.schedule.clone()), (Tolerance::Share(0.01), Some(Schedule::Every(Duration::from_hours(1)))));
    let hook = project.mapping("orders_to_hook").unwrap();
    let days = Schedule::Days { days: vec![0, 3], at_minutes: 570, timezone: "Europe/Oslo".into() };
    assert_eq!((hook.schedule.clone(), hook.guards.changed_share, hook.tolerate_failed), (Some(days), 0.9, Tolerance::Count(0)));
    assert_eq!(hook.columns(), Columns::Named(vec!["items".into()]));
    assert!(hook.enabled);
}

#[test]
fn a_target_is_laid_over_the_rest() {
    let project = load_target(FULL, Some("dev")).unwrap().project;
    assert_eq!(project.state, project.root.join("state-dev"));
    assert_eq!(project.destination("crm").unwrap().gateway.as_deref(), Some("http://localhost:9001"));
    assert_eq!(project.destination("crm").unwrap().concurrency, 4);
    assert_eq!(project.target.as_deref(), Some("dev"));
}

#[test]
fn a_target_that_was_not_chosen_needs_no_variable_but_its_keys_are_checked() {
    let with = |target: &str| format!("{SMALL}targets: {{ prod: {target} }}\n");
    assert!(load_text(&with("{ state: \"${env:NOT_SET}\" }")).is_ok());
    let problems = load_text(&with("{ models: { customers: { idd: x } } }")).err().unwrap();
    assert_eq!(problems.0[0].message(), "model `customers` has no key `idd`");
    assert!(load_target(&with("{ state: \"${env:NOT_SET}\" }"), Some("prod")).is_err());
}

#[test]
fn secrets_are_redacted_and_never_in_what_is_written_down() {
    let text = small_with("      email: $.email", "      email: $.email\n      source: \"by ${env:CRM_TOKEN}\"");
    let project = loaded(&text).project;
    assert_eq!(project.redactor.clean("a tok-123456 b"), "a *** b");
    let mapping = project.mapping("customers_to_crm").unwrap();
    assert_eq!(mapping.fields_written, json!({"email": "$.email", "source": "by ${env:CRM_TOKEN}"}));
    assert!(!format!("{project:?}").contains("access_token\": \"tok"));
}

#[test]
fn no_message_and_no_excerpt_shows_a_secret() {
    let hidden = ["tok-123456", "literal-secret", "mistyped-secret", "other-secret"];
    let text = small_with(
        "    settings: { access_token: \"${env:CRM_TOKEN}\" }",
        "    settings: { access_token: literal-secret, region: \"${env:CRM_TOKEN}\", access_tokn: mistyped-secret, zzz: other-secret }\n    gateway: ${env:CRM_TOKEN}",
    );
    let problems = load_text(&text).err().unwrap();
    let shown = format!(
        "{}{problems}{:?}",
        crate::support::shown(&problems.0),
        problems.0.iter().map(|p| (p.help(), p.excerpt())).collect::<Vec<_>>()
    );
    assert!(problems.errors() >= 4, "{shown}");
    for secret in hidden {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn what_the_environment_brings_is_never_language_or_structure() {
    let env = |name: &str| Some(if name == "PATHY" { "$.email" } else { "{ a: 1 }\nb: 2" }.to_owned());
    let text = small_with("      email: $.email", "      email: ${env:PATHY}\n      properties: { x: \"${env:OTHER}\" }");
    let folder = crate::support::folder(&text);
    let descriptors = crate::support::descriptors();
    let loaded =
        outflow_planner::load(&outflow_planner::Options { root: folder.path(), target: None, env: &env, descriptors: &descriptors });
    let project = loaded.unwrap().project;
    let Expr::Object(members) = &project.mappings[0].fields else { panic!() };
    assert_eq!(members[0].1, Expr::Literal(json!("$.email")));
    assert_eq!(members[1].1, Expr::Literal(json!({"x": "{ a: 1 }\nb: 2"})));
}

#[test]
fn any_mapping_will_do_where_an_action_has_no_fields() {
    for fields in ["$.", "{ \"@path\": \"$.items\" }", "[1, $.a]", "{ \"@if\": { exists: $.a, then: { b: $.b } } }"] {
        let text = FULL.replace(
            "    fields:\n      id: $.__segment_id\n      items: { \"@arrayPath\": [$.items, { sku: $.sku }] }\n      op: $.__op\n",
            &format!("    fields: {fields}\n"),
        );
        assert!(text.contains(fields));
        loaded(&text);
    }
    let none = FULL.replace(
        "    fields:\n      id: $.__segment_id\n      items: { \"@arrayPath\": [$.items, { sku: $.sku }] }\n      op: $.__op\n",
        "",
    );
    assert_eq!(load_text(&none).err().unwrap().0[0].message(), "mapping `orders_to_hook` has no `fields`");
}

#[test]
fn columns_are_checked_against_the_schema_of_the_query() {
    let loaded = loaded(&FULL.replace("columns: 100", "columns: 4, column_name: 12"));
    let schema = |names: &[&str]| Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>());
    let messages = |model: &str, names: &[&str]| -> Vec<String> {
        loaded.check_columns(model, &schema(names)).iter().map(|problem| problem.message().to_owned()).collect()
    };
    assert_eq!(messages("orders", &["customer_id", "order_no", "items"]), Vec::<String>::new());
    assert_eq!(
        messages("orders", &["customer_id", "items"]),
        ["model `orders` is identified by column `order_no`, which the query does not return"]
    );
    assert_eq!(
        messages("orders", &["customer_id", "order_no", "items", "items"]),
        ["the query of model `orders` returns two columns named `items`"]
    );
    assert_eq!(
        messages("orders", &["customer_id", "order_no", "items", "a", "b"]),
        ["the query of model `orders` returns 5 columns, and the limit is 4"]
    );
    let long = ["customer_id", "order_no", "items", "thirteen_long"];
    assert_eq!(messages("orders", &long).len(), 1);
    let reserved = messages("orders", &["customer_id", "order_no", "items", "__op"]);
    assert_eq!(reserved, ["the query of model `orders` returns a column named `__op`, which Outflow reserves"]);
    let missing = messages("customers", &["customer_id", "email", "plan"]);
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(messages("no_such_model", &[]).is_empty());
}

#[test]
fn limits_on_names_and_queries_are_enforced_and_settable() {
    let long = "c".repeat(192);
    let text = small_with("    id: customer_id", &format!("    id: {long}"));
    let message = |text: &str| load_text(text).err().map(|problems| problems.0[0].message().to_owned());
    assert_eq!(message(&text).unwrap(), "the name of the identifier column has 192 characters, and the limit is 191");
    assert_eq!(message(&format!("{text}limits: {{ id_column_name: 192 }}\n")), None);
    assert_eq!(message(&format!("{SMALL}limits: {{ query_length: 40 }}\n")), None);
    let problem = message(&format!("{SMALL}limits: {{ query_length: 39 }}\n")).unwrap();
    assert_eq!(problem, "the query of model `customers` has 40 characters, and the limit is 39");
}

#[test]
fn position_and_excerpt_are_those_of_the_mistake() {
    let problems = load_text(&small_with("    model: customers", "    modle: customers")).err().unwrap();
    let unknown = problems.0.iter().find(|problem| problem.message().contains("modle")).unwrap();
    assert_eq!((unknown.file(), unknown.position(), unknown.excerpt()), (Some("outflow.yml"), Some((17, 5)), Some("    modle: customers")));
}

#[test]
fn anchors_and_merge_keys_work_in_a_project() {
    let text = small_with(
        "    fields:\n      email: $.email\n",
        "    fields: &fields\n      email: $.email\n  second:\n    model: customers\n    destination: crm\n    action: upsertContact\n    fields: { <<: *fields, lifecycle: lead }\n",
    );
    assert_eq!(loaded(&text).project.mapping("second").unwrap().columns(), Columns::Named(vec!["email".into()]));
}

#[test]
fn a_table_says_where_its_files_are_and_what_stands_between_their_values() {
    let table = |written: &str| {
        let project = loaded(&small_with("data/customers.parquet", written)).project;
        let SourceKind::Files { tables } = &project.source("warehouse").unwrap().kind;
        (project.root.clone(), tables[0].clone())
    };
    for path in ["../x/./../data/*.csv", "a/../../data/*.csv", "./../../NAME/../data/*.csv"] {
        let (root, table) = table(path);
        let wanted = if path.contains("NAME") { root.parent().unwrap().parent().unwrap() } else { root.parent().unwrap() };
        assert_eq!(table.path, wanted.join("data/*.csv").display().to_string(), "{path}");
        assert_eq!((table.format, table.delimiter), (FileFormat::Csv, None));
    }
    for (written, delimiter) in [("\";\"", b';'), ("'|'", b'|'), ("\"\\t\"", b'\t'), ("'\\t'", b'\t'), ("tab", b'\t'), ("\" \"", b' ')] {
        let (_, table) = table(&format!("{{ path: a.csv, delimiter: {written} }}"));
        assert_eq!(table.delimiter, Some(delimiter), "{written}");
    }
    assert_eq!(table("a.tsv").1.format, FileFormat::Csv);
    assert_eq!(table("a.JSON").1.format, FileFormat::Ndjson);
}

#[test]
fn a_mapping_that_is_still_to_be_filled_in_can_be_looked_at_and_nothing_else_is_let_through() {
    let unfinished = |project: &str| {
        let folder = folder(project);
        load_unfinished(&Options { root: folder.path(), target: None, env: &env, descriptors: &descriptors() })
    };
    for fields in ["fields: { lifecycle: $.stage }", "fields: {}", "fields:"] {
        let project = small_with("fields:\n      email: $.email", fields);
        assert!(load_text(&project).is_err(), "it cannot run");
        let loaded = unfinished(&project).unwrap_or_else(|problems| panic!("{fields}: {}", shown(&problems.0)));
        assert!(loaded.project.mapping("customers_to_crm").is_some() && loaded.warnings.is_empty(), "{fields}");
    }
    for wrong in ["fields: { emial: $.email }", "fields: $.", "fields: { email: $.email, properties: 5 }"] {
        let problems = unfinished(&small_with("fields:\n      email: $.email", wrong)).err();
        assert!(problems.is_some_and(|problems| problems.0.iter().all(|problem| !problem.is_gap())), "{wrong}");
    }
}
