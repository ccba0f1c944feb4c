//! The JSON Schema agrees with the loader.

use jsonschema::Validator;
use outflow_planner::schema::schema;
use serde_json::Value;

use crate::support::{FULL, SMALL, descriptors, load_text, small_with};

fn validator() -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema(&descriptors())).unwrap()
}

/// YAML to JSON by way of the loader's own reading: a project that is right keeps its tree in a mapping's fields.
fn json(text: &str) -> Value {
    let quoted: String = text.lines().map(|line| format!("      {line}\n")).collect();
    let host = format!(
        "{}    fields:\n{quoted}",
        SMALL.split("    fields:").next().unwrap().replace("upsertContact", "send").replace(
            "type: crm\n    settings: { access_token: \"${env:CRM_TOKEN}\" }",
            "type: webhook\n    settings: { url: \"http://x\" }"
        )
    );
    match load_text(&host.replace("${env:NOT_SET}", "x")) {
        Ok(loaded) => loaded.project.mappings[0].fields_written.clone(),
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn projects_that_load_pass_the_schema() {
    let validator = validator();
    let delimited = |delimiter: &str| small_with("data/customers.parquet", &format!("{{ path: a.csv, delimiter: {delimiter} }}"));
    let delimited = ["\";\"", "'|'", "\"\\t\"", "'\\t'", "tab", "\" \"", "']'", "'^'"].map(delimited);
    let limited =
        ["workers: 1", "workers: 64", "contact: ops@example.com"].map(|one| small_with("settings: {", &format!("settings: {{ {one},")));
    for text in [FULL, SMALL].into_iter().chain(delimited.iter().chain(&limited).map(String::as_str)) {
        load_text(text).unwrap_or_else(|problems| panic!("{problems}"));
        let instance = json(text);
        let errors: Vec<String> = validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn what_the_loader_refuses_for_its_shape_the_schema_refuses_too() {
    let validator = validator();
    let wrong = [
        small_with("version: 1\n", ""),
        small_with("version: 1\n", "version: 2\n"),
        small_with("version: 1\n", "version: 1\ncolour: red\n"),
        small_with("    model: customers", "    modle: customers"),
        small_with("    id: customer_id\n", ""),
        small_with("    id: customer_id\n", "    id: []\n"),
        small_with("    id: customer_id\n", "    id: customer_id\n    table: x\n"),
        small_with("    type: files", "    type: mysql"),
        small_with("    type: crm", "    type: crn"),
        small_with("records: added_or_updated", "records: some"),
        small_with("access_token", "acces_token"),
        small_with("settings: {", "settings: { region: asia,"),
        small_with("settings: {", "settings: { workers: many,"),
        small_with("settings: {", "settings: { workers: 0,"),
        small_with("settings: {", "settings: { workers: 65,"),
        small_with("settings: {", "settings: { contact: nobody,"),
        small_with("settings: {", "settings: { contact: somebody-with-a-very-long-name@example.com,"),
        small_with("    type: crm", "    type: crm\n    rate_limit: 100"),
        small_with("    type: crm", "    type: crm\n    request_timeout: 30"),
        small_with("    type: crm", "    type: crm\n    concurrency: 0"),
        small_with("    type: crm", "    type: crm\n    enabled: \"yes\""),
        small_with("    action:", "    schedule: { every: 1h, cron: \"0 0 * * *\" }\n    action:"),
        small_with("    action:", "    schedule: { days: [monday] }\n    action:"),
        small_with("    action:", "    guards: { deleted_share: 2 }\n    action:"),
        small_with("  customers_to_crm:", "  customers to crm:"),
        small_with("data/customers.parquet", "{ path: a.csv, delimiter: ab }"),
        small_with("data/customers.parquet", "{ path: a.csv, delimiter: x }"),
        small_with("data/customers.parquet", "{ path: a.csv, delimiter: \"\\\"\" }"),
        format!("{SMALL}targets: {{ dev: {{ stat: x }} }}\n"),
    ];
    for text in wrong {
        assert!(load_text(&text).is_err(), "the loader takes\n{text}");
        assert!(!validator.is_valid(&json(&text)), "the schema takes\n{text}");
    }
}

#[test]
fn every_key_is_described_and_the_schema_is_one_itself() {
    fn undescribed(schema: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                if property.get("description").is_none() && name != "settings" && name != "type" {
                    found.push(format!("{path}/{name}"));
                }
                undescribed(property, &format!("{path}/{name}"), found);
            }
        }
        if let Some(inner) = schema.get("additionalProperties") {
            undescribed(inner, &format!("{path}/*"), found);
        }
    }
    let schema = schema(&descriptors());
    let mut found = Vec::new();
    undescribed(&schema, "", &mut found);
    assert_eq!(found, Vec::<String>::new());
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
}
