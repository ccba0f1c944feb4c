//! What people read when something is wrong. Each message is a file in `snapshots/`; review it as its reader.

use arrow::datatypes::{DataType, Field, Schema};
use insta::assert_snapshot;

use crate::support::{FULL, SMALL, load_target, load_text, loaded, refused, shown, small_with};

#[test]
fn unknown_key() {
    assert_snapshot!(refused(&small_with("    model: customers", "    modle: customers")));
}

#[test]
fn duplicate_key() {
    assert_snapshot!(refused(&small_with("    id: customer_id\n", "    id: customer_id\n    id: email\n")));
}

#[test]
fn two_mappings_of_one_name() {
    let again = SMALL.split_once("mappings:\n").unwrap().1;
    assert_snapshot!(refused(&format!("{SMALL}{again}")));
}

#[test]
fn names_that_differ_in_case() {
    let again = SMALL.split_once("mappings:\n").unwrap().1.replace("customers_to_crm", "Customers_to_CRM");
    assert_snapshot!(refused(&format!("{SMALL}{again}")));
}

#[test]
fn missing_reference() {
    assert_snapshot!(refused(&small_with("    model: customers", "    model: custmers")));
}

#[test]
fn missing_source() {
    assert_snapshot!(refused(&small_with("    source: warehouse", "    source: lake")));
}

#[test]
fn wrong_action() {
    assert_snapshot!(refused(&small_with("upsertContact", "upsertContacts")));
}

#[test]
fn records_that_the_action_does_not_take() {
    assert_snapshot!(refused(&small_with("records: added_or_updated", "records: deleted")));
}

#[test]
fn missing_required_field() {
    assert_snapshot!(refused(&small_with("      email: $.email", "      lifecycle: lead")));
}

#[test]
fn unknown_field_and_choice() {
    assert_snapshot!(refused(&small_with("      email: $.email", "      email: $.email\n      e_mail: $.email\n      lifecycle: customr")));
}

#[test]
fn a_column_that_the_query_does_not_return() {
    let project =
        loaded(&small_with("      email: $.email", "      email: $.emial\n      properties: { plan: { \"@template\": \"{{plan}}\" } }"));
    let schema = Schema::new(vec![Field::new("CUSTOMER_ID", DataType::Int64, false), Field::new("email", DataType::Utf8, true)]);
    assert_snapshot!(shown(&project.check_columns("customers", &schema)));
}

#[test]
fn several_at_once() {
    let text = FULL
        .replace("timestamp: updated_at", "timestmp: updated_at")
        .replace("action: upsertContact", "action: upsert")
        .replace("rate_limit: 100/s", "rate_limit: 100")
        .replace("model: orders\n", "model: order\n")
        .replace("Europe/Oslo", "Europe/Osslo");
    assert_snapshot!(refused(&text));
}

#[test]
fn syntax_error() {
    assert_snapshot!(refused(&small_with("    id: customer_id", "    id: [customer_id")));
}

#[test]
fn tab_indentation() {
    assert_snapshot!(refused(&small_with("    id: customer_id", "\tid: customer_id")));
}

#[test]
fn colon_in_plain_text() {
    assert_snapshot!(refused(&small_with("    id: customer_id", "    id: customer_id\n    description: note: all of them")));
}

#[test]
fn alias_bomb() {
    let mut text = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        text.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
    }
    assert_snapshot!(refused(&text));
}

#[test]
fn deep_nesting() {
    assert_snapshot!(refused(&format!("version: 1\nalerts: {}{}\n", "[".repeat(80), "]".repeat(80))));
}

#[test]
fn several_documents() {
    assert_snapshot!(refused(&format!("{SMALL}---\nversion: 1\n")));
}

#[test]
fn unset_variable() {
    assert_snapshot!(refused(&small_with("${env:CRM_TOKEN}", "${env:CRM_TOKEN}-${env:CRM_TOKEN_2}")));
}

#[test]
fn second_sql_statement() {
    assert_snapshot!(refused(&small_with("FROM customers", "FROM customers; DROP TABLE customers")));
}

#[test]
fn delete_instead_of_a_query() {
    let block = "query: |\n      -- tidy up\n      DELETE FROM customers\n      WHERE email IS NULL";
    assert_snapshot!(refused(&small_with("query: SELECT customer_id, email FROM customers", block)));
}

#[test]
fn sql_that_cannot_be_read_in_its_own_file() {
    let folder = crate::support::folder(&small_with("query: SELECT customer_id, email FROM customers", "query: models/customers.sql"));
    std::fs::write(folder.path().join("models/customers.sql"), "SELECT customer_id,\n  email FRM customers\nWHERE true\n").unwrap();
    let descriptors = crate::support::descriptors();
    let options = outflow_planner::Options { root: folder.path(), target: None, env: &crate::support::env, descriptors: &descriptors };
    assert_snapshot!(shown(&outflow_planner::load(&options).err().unwrap().0));
}

#[test]
fn missing_query_file() {
    assert_snapshot!(refused(&small_with("query: SELECT customer_id, email FROM customers", "query: models/custmers.sql")));
}

#[test]
fn unknown_directive() {
    assert_snapshot!(refused(&small_with("email: $.email", "email: { \"@pathh\": $.email }")));
}

#[test]
fn bad_durations() {
    let text = FULL.replace("request_timeout: 10s", "request_timeout: 10").replace("query_timeout: 10m", "query_timeout: 10 minutes");
    assert_snapshot!(refused(&text));
}

#[test]
fn bad_schedules() {
    let text = FULL
        .replace("schedule: { every: 1h }", "schedule: { every: 1m, at: \"09:00\" }")
        .replace("{ days: [thu, mon], at: \"09:30\", timezone: Europe/Oslo }", "{ days: [monday], at: \"25:00\", cron: \"* * * * *\" }");
    assert_snapshot!(refused(&text));
}

#[test]
fn bad_cron_lines() {
    let text = FULL
        .replace("schedule: { every: 1h }", "schedule: { cron: \"0 9 31 feb *\" }")
        .replace("{ days: [thu, mon], at: \"09:30\", timezone: Europe/Oslo }", "{ cron: \"* * * * *\" }");
    assert_snapshot!(refused(&text));
}

#[test]
fn unknown_source_type() {
    assert_snapshot!(refused(&small_with("type: files", "type: file")));
}

#[test]
fn source_type_of_a_later_version() {
    assert_snapshot!(refused(&small_with(
        "    type: files\n    tables: { customers: data/customers.parquet }",
        "    type: postgres\n    uri: x"
    )));
}

#[test]
fn destination_settings() {
    let text = FULL
        .replace("region: eu", "region: asia, workres: 3")
        .replace("batch: { records: 100 }", "batch: { records: many, size: 1 }")
        .replace("      url: https://example.com/in\n", "");
    assert_snapshot!(refused(&text));
}

#[test]
fn unknown_destination_type() {
    assert_snapshot!(refused(&small_with("type: crm", "type: crn")));
}

#[test]
fn literal_secret() {
    let loaded = loaded(&small_with("\"${env:CRM_TOKEN}\"", "very-secret-value"));
    let text = shown(&loaded.warnings);
    assert!(!text.contains("very-secret-value"));
    assert_snapshot!(text);
}

#[test]
fn missing_project() {
    let folder = tempfile::tempdir().unwrap();
    let descriptors = crate::support::descriptors();
    let options = outflow_planner::Options { root: folder.path(), target: None, env: &crate::support::env, descriptors: &descriptors };
    assert_snapshot!(crate::support::named_shop(&outflow_planner::load(&options).err().unwrap(), folder.path()));
}

#[test]
fn unknown_target() {
    assert_snapshot!(shown(&load_target(FULL, Some("prod")).err().unwrap().0));
}

#[test]
fn empty_and_wrong_files() {
    let shown_of = |text: &str| shown(&load_text(text).err().unwrap().0);
    assert_snapshot!(format!("{}\n{}\n{}", shown_of(""), shown_of("- a\n- b\n"), shown_of("sources:\n")));
}

#[test]
fn alerts_and_object_storage() {
    let text = small_with("version: 1\n", "version: 1\nstate: s3://bucket/state\nalerts: [{ email: a@b.c }]\n");
    assert_snapshot!(refused(&text));
}

#[test]
fn a_line_too_long_to_show() {
    let filler = "filler, ".repeat(20_000);
    assert_snapshot!(refused(&small_with("version: 1\n", &format!("version: 1\nalerts: [{filler}ü, \"${{env:NOT_SET}}\", {filler}x]\n"))));
}

#[test]
fn a_colon_without_a_space() {
    let alone = small_with("      email: $.email", "      email:$.email");
    let among = small_with("      email: $.email", "      email:$.email\n      lifecycle: lead");
    assert_snapshot!(format!("{}\n{}", refused(&alone), refused(&among)));
}

#[test]
fn a_version_between_quotes() {
    assert_snapshot!(refused(&small_with("version: 1", "version: \"1\"")));
}

#[test]
fn keys_of_the_destination_among_its_settings() {
    let text = small_with("settings: {", "settings: { gateway: http://localhost, enabled: true,");
    assert_snapshot!(refused(&text));
}

#[test]
fn what_other_dialects_write() {
    let query = |sql: &str| refused(&small_with("SELECT customer_id, email FROM customers", sql));
    assert_snapshot!(format!("{}\n{}", query("SELECT TOP 10 * FROM customers"), query("\"SELECT * FROM {{ ref('customers') }}\"")));
}

#[test]
fn a_variable_that_is_used_in_many_places() {
    let text =
        small_with("      email: $.email", "      email: $.email\n      lifecycle: ${env:STAGE}\n      source: ${env:STAGE} ${env:STAGE}");
    assert_snapshot!(refused(&text.replace("version: 1\n", "version: 1\nstate: ${env:STAGE}\n")));
}

#[test]
fn deletions_that_an_action_cannot_tell() {
    let mut descriptors = crate::support::descriptors();
    descriptors[0].actions[0].ops = outflow_contract::Op::ALL.to_vec();
    let load = |text: &str| {
        let folder = crate::support::folder(text);
        let options = outflow_planner::Options { root: folder.path(), target: None, env: &crate::support::env, descriptors: &descriptors };
        shown(&outflow_planner::load(&options).ok().unwrap().warnings)
    };
    let all = small_with("records: added_or_updated", "records: all");
    assert_snapshot!(load(&all));
    assert_eq!(load(&all.replace("email: $.email", "email: $.email\n      properties: { state: $.__op }")), "");
    assert_eq!(load(SMALL), "");
}
