//! Null and duplicate identifiers, and identifiers of several columns.

use arrow::datatypes::DataType;
use outflow_tests::Table;
use serde_json::json;

use crate::{MIRROR, Shop, counts};

#[test]
fn records_with_a_null_identifier_are_reported_and_the_rest_go_on() {
    let mut shop = Shop::new(5);
    shop.table.push(json!([null, "nobody", "nobody@example.com", 0]));
    shop.write();
    let run = shop.outflow("run").expect(0);
    let result = shop.result();
    assert_eq!(counts(&result, "delivered"), (5, 0, 0));
    assert_eq!(result["counts"]["rejected"], 1);
    assert_eq!(result["rejected"]["null_id"]["records"], 1);
    assert!(result["rejected"]["null_id"]["examples"][0].as_str().unwrap().contains("nobody@example.com"));
    assert!(run.stdout.contains("the identifier is null"), "{run}");
}

#[test]
fn no_delete_is_derived_while_more_identifiers_are_null_than_before() {
    let mut shop = Shop::new(5);
    shop.run(0);
    shop.table.records()[2].insert("id".into(), json!(null));
    shop.write();
    let result = shop.run(0);
    assert_eq!(counts(&result, "delivered"), (0, 0, 0));
    assert!(result["notices"][0].as_str().unwrap().contains("null identifier"), "{result}");
    assert_eq!(shop.server.records().len(), 5, "the record stays at the destination");
    // However often it is looked at: the record is still not known to be gone.
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 0));
    assert_eq!(shop.server.records().len(), 5);
    // Without the null it is.
    shop.table.records().remove(2);
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 1));
}

#[test]
fn records_that_share_an_identifier_are_all_rejected_and_keep_what_was_delivered() {
    let mut shop = Shop::new(5);
    shop.run(0);
    shop.table.push(json!([3, "a second three", null, 0]));
    shop.table.push(json!([77, "twin", null, 0]));
    shop.table.push(json!([77, "twin", null, 0]));
    shop.table.set(1, "name", "one");
    shop.write();
    let result = shop.run(0);
    assert_eq!(counts(&result, "delivered"), (0, 1, 0));
    assert_eq!(result["rejected"]["duplicate_id"]["records"], 4, "{result}");
    assert_eq!(shop.server.records()["3"]["name"], "name 3", "neither of the two wins");
    // Put right, they go on.
    shop.table.records().truncate(5);
    shop.table.push(json!([77, "twin", null, 0]));
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (1, 0, 0));
    shop.assert_mirrored();
}

#[test]
fn a_model_may_abort_on_bad_identifiers() {
    let mut shop = Shop::new(3);
    let config = shop.project.read("outflow.yml").replace("id: id }", "id: id, on_duplicate_id: abort }");
    shop.project.config(&config);
    shop.table.push(json!([3, "again", null, 0]));
    shop.write();
    let result = shop.run(1);
    assert_eq!(result["status"], "failed");
    assert!(result["message"].as_str().unwrap().contains("more than once"), "{result}");
    assert!(shop.server.records().is_empty());
}

#[test]
fn an_identifier_may_have_several_columns() {
    let mut shop = Shop::new(0);
    shop.table = Table::new(&[("id", DataType::Int64), ("name", DataType::Utf8), ("email", DataType::Utf8)])
        .record(json!([1, "a", "x"]))
        .record(json!([1, "b", "y"]))
        .record(json!([2, "a", "z"]));
    shop.write();
    let mapping = MIRROR.replace("id: $.id", "id: $.__segment_id");
    shop.configure(&mapping, "batch: { records: 10, body: array }", "");
    let config = shop.project.read("outflow.yml").replace("id: id }", "id: [id, name] }");
    shop.project.config(&config);
    assert_eq!(counts(&shop.run(0), "delivered"), (3, 0, 0));
    let sent = shop.server.take_requests();
    assert_eq!(sent[0].payloads[1]["id"], json!({ "id": 1, "name": "b" }));
    shop.table.records()[1].insert("email".into(), json!("changed"));
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
}

#[test]
fn a_changed_identifier_stops_and_asks() {
    let shop = Shop::new(3);
    shop.run(0);
    let config = shop.project.read("outflow.yml").replace("id: id }", "id: name }");
    shop.project.config(&config);
    let result = shop.run(1);
    assert!(result["message"].as_str().unwrap().contains("the identifier of model `people` was `id` and is now `name`"), "{result}");
    assert_eq!(shop.server.records().len(), 3);
}

#[test]
fn an_odd_value_that_makes_the_identifier_text_stops_and_asks() {
    let shop = Shop::new(0);
    let config = shop.project.read("outflow.yml").replace("people.parquet", "people.csv");
    shop.project.config(&config);
    shop.project.write("people.csv", "id,name,email\n1,a,x\n2,b,y\n");
    shop.run(0);
    shop.project.write("people.csv", "id,name,email\n1,a,x\n2,b,y\nodd,c,z\n");
    let result = shop.run(1);
    assert!(result["message"].as_str().unwrap().contains("the identifier `id` of model `people` was of type Int64"), "{result}");
    assert_eq!(shop.server.records().len(), 2);
}
