//! One line for everything that is refused and has no golden file of its own.

use crate::support::{FULL, SMALL, load_text, small_with};

/// The messages of all problems.
fn messages(text: &str) -> Vec<String> {
    match load_text(text) {
        Ok(loaded) => loaded.warnings.iter().map(|problem| format!("warning: {}", problem.message())).collect(),
        Err(problems) => problems.0.iter().map(|problem| problem.message().to_owned()).collect(),
    }
}

/// [`SMALL`] with a piece replaced is refused for exactly this.
#[track_caller]
fn small(old: &str, new: &str, message: &str) {
    assert_eq!(messages(&small_with(old, new)), [message]);
}

/// [`FULL`] with a piece replaced is refused for exactly this.
#[track_caller]
fn full(old: &str, new: &str, message: &str) {
    assert!(FULL.contains(old), "{old}");
    assert_eq!(messages(&FULL.replacen(old, new, 1)), [message]);
}

#[test]
fn a_model_has_exactly_one_query_of_a_kind_that_there_is() {
    let query = "    query: SELECT customer_id, email FROM customers\n";
    small(query, "", "model `customers` has neither `query` nor `table`");
    small(query, &format!("{query}    table: customers\n"), "model `customers` has both `query` and `table`");
    small(query, "    dbt: { project: x, model: y }\n", "dbt models are not available in this version");
    small(query, "    table: custmers\n", "model `customers` refers to table `custmers`, which does not exist");
    small(query, "    table: a..b\n", "`table` of model `customers` is no name of a table: `a..b`");
    small(query, "    query: models\n", "model `customers`: `models` does not begin a query");
    small(query, "    query: models/..sql/x.sql\n", "the query file of model `customers`, `models/..sql/x.sql`, does not exist");
    full("values: keep", "values: none", "`values: none` is not available in this version");
}

#[test]
fn an_identifier_names_columns_and_each_once() {
    small("id: customer_id", "id: []", "`id` of model `customers` is an empty list");
    small("id: customer_id", "id: [a, a]", "`id` of model `customers` names the column `a` twice");
    small("id: customer_id", "id: 5", "`id` of model `customers` holds a number, and should hold text");
    small("    id: customer_id\n", "    id:\n", "model `customers` has no `id`");
}

#[test]
fn a_table_is_a_local_path_of_a_known_format() {
    let path = "data/customers.parquet";
    small(path, "\"s3://bucket/c.parquet\"", "files on object storage or on the web are not available in this version");
    small(path, "\"HTTPS://example.com/c.parquet\"", "files on object storage or on the web are not available in this version");
    small(path, "data/customers.txt", "the path of table `customers` of source `warehouse` does not tell its format");
    small(path, "data/customers", "the path of table `customers` of source `warehouse` does not tell its format");
    small(
        path,
        "data/customers.XLSX",
        "the path of table `customers` of source `warehouse` is a workbook, which this version does not read",
    );
    small(
        path,
        "data/customers.csv.gz",
        "the path of table `customers` of source `warehouse` is a compressed file, which this version does not read",
    );
    let owner = "`delimiter` of table `customers` of source `warehouse`";
    for wrong in ["ab", "x", "7", "é"] {
        small(path, &format!("{{ path: a.csv, delimiter: \"{wrong}\" }}"), &format!("{owner} cannot be `{wrong}`"));
    }
    small(path, "{ path: a.json, delimiter: \";\" }", &format!("{owner} is of no use: its format is ndjson"));
    small(path, "[a, b]", "table `customers` of source `warehouse` must be a path or a mapping with `path`, and this is a list");
    small(path, "{ format: csv }", "table `customers` of source `warehouse` has no `path`");
    small("{ customers: data/customers.parquet }", "{}", "source `warehouse` has no tables");
    full("items: json", "items: jsonn", "`jsonn` is no type for column `items` of table `orders` of source `warehouse`");
    full("format: csv", "format: tsv", "`format` of table `orders` of source `warehouse` cannot be `tsv`");
}

#[test]
fn a_destination_is_reached_in_a_way_that_exists() {
    full("gateway: http://localhost:9000", "gateway: localhost", "`gateway` of destination `crm` is no URL: `localhost`");
    full("gateway: http://localhost:9000", "gateway: ftp://x", "`gateway` of destination `crm` is no URL: `ftp://x`");
    full("    concurrency: 4\n", "    tls: { ca_file: no.pem }\n", "the `ca_file` of destination `crm` does not exist: `no.pem`");
    full("request_timeout: 10s", "request_timeout: 0s", "`request_timeout` of destination `crm` is zero");
    full(
        "concurrency: 4",
        "concurrency: 0",
        "`concurrency` of destination `crm` must be a whole number from 1 to 1024, and this is a number `0`",
    );
    full("enabled: false", "enabled: no", "`enabled` of destination `hook` must be true or false, and this is text `no`");
    full("headers: { X-Team: growth }", "auth: { bearr: \"${env:CRM_TOKEN}\" }", "destination `hook` has no setting `auth.bearr`");
    full("headers: { X-Team: growth }", "auth: 5", "setting `auth` of destination `hook` must be text or a mapping, and this is a number");
    full(
        "headers: { X-Team: growth }",
        "auth: { bearer: abcd }",
        "warning: setting `auth.bearer` of destination `hook` is a secret, and it stands in the project file",
    );
    small("    settings: { access_token: \"${env:CRM_TOKEN}\" }\n", "", "destination `crm` has no setting `access_token`");
}

#[test]
fn a_mapping_says_what_its_action_can_do() {
    small("records: added_or_updated", "mode: mirror", "mapping `customers_to_crm` sets a `mode`, and action `upsertContact` has none");
    small(
        "records: added_or_updated",
        "records: all",
        "mapping `customers_to_crm` sends `all` records, which action `upsertContact` does not take",
    );
    small(
        "upsertContact\n    records: added_or_updated",
        "deleteContact",
        "mapping `customers_to_crm` does not say which records action `deleteContact` is sent",
    );
    small(
        "fields:\n      email: $.email",
        "fields: $.",
        "`fields` of mapping `customers_to_crm` must name the fields of action `upsertContact`",
    );
    small(
        "    fields:\n      email: $.email\n",
        "",
        "mapping `customers_to_crm` does not map the field `email`, which action `upsertContact` requires",
    );
    full(
        "tolerate_failed: 0.01",
        "tolerate_failed: some",
        "`tolerate_failed` of mapping `customers_to_crm` is neither a count nor a share: `some`",
    );
    full(
        "deleted_share: 0.1",
        "deleted_share: 50",
        "`deleted_share` of `guards` of mapping `customers_to_crm` must be a share from 0 to 1, and this is a number `50`",
    );
    assert_eq!(messages(&small_with("    records: added_or_updated\n", "")), Vec::<String>::new());
}

#[test]
fn a_schedule_says_when_and_not_too_often() {
    full("{ every: 1h }", "{}", "the schedule of mapping `customers_to_crm` does not say when");
    full("{ every: 1h }", "{ every: 299s }", "mapping `customers_to_crm` runs every 299s, and the shortest interval is 5m");
    full("{ every: 1h }", "{ every: 1h, timezone: UTC }", "`timezone` of mapping `customers_to_crm` has no meaning beside `every`");
    full("[thu, mon]", "[]", "`days` of mapping `orders_to_hook` is an empty list");
    full("[thu, mon]", "[thu, thu]", "`days` of mapping `orders_to_hook` names `thu` twice");
    full("\"09:30\"", "\"24:00\"", "`at` of mapping `orders_to_hook` is no time of day: `24:00`");
    full("interval_min: 5m", "interval_min: 500ms", "`interval_min` must be whole seconds, at least one, and this is `500ms`");
    assert_eq!(messages(&FULL.replace("{ every: 1h }", "{ every: 5m }")), Vec::<String>::new());
}

#[test]
fn names_are_plain_and_short() {
    small("  customers_to_crm:", "  customers to crm:", "`customers to crm` cannot be the name of a mapping");
    small("  customers_to_crm:", "  ../x:", "`../x` cannot be the name of a mapping");
    small("  customers_to_crm:", "  -x:", "`-x` cannot be the name of a mapping");
    let long = "x".repeat(65);
    small("  customers_to_crm:", &format!("  {long}:"), &format!("`{long}` cannot be the name of a mapping"));
    assert_eq!(messages(&small_with("  customers_to_crm:", &format!("  {}:", "x".repeat(64)))), Vec::<String>::new());
}

#[test]
fn the_top_of_a_project_is_what_it_must_be() {
    small("version: 1\n", "version: 2\n", "`version` of the project must be 1, and this is a number `2`");
    small("version: 1\n", "version: \"1\"\n", "`version` of the project must be 1, and this is text `1`");
    small("version: 1\n", "version: 1\nstate: gs://b/p\n", "state on object storage is not available in this version");
    small("version: 1\n", "version: 1\nstate: file:///x\n", "`state` is a folder, and `file:///x` is a URL");
    small("version: 1\n", "version: 1\nalerts: [x]\n", "warning: this version does not send alerts yet");
    small("version: 1\n", "version: 1\nalerts: x\n", "`alerts` of the project must be a list, and this is text `x`");
    assert_eq!(messages(&format!("{SMALL}alerts: []\n")), Vec::<String>::new());
}
