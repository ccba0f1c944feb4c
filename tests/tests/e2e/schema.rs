//! The columns of a query change; the records do not.

use arrow::datatypes::DataType;
use outflow_tests::Table;
use serde_json::json;

use crate::{Shop, counts};

fn with_city(n: i64) -> Table {
    let mut table = Table::new(&[
        ("city", DataType::Utf8),
        ("score", DataType::Int32),
        ("id", DataType::Int32),
        ("email", DataType::LargeUtf8),
        ("name", DataType::Utf8),
    ]);
    for id in 1..=n {
        table.push(json!(["Oslo", id * 10, id, format!("p{id}@example.com"), format!("name {id}")]));
    }
    table
}

#[test]
fn a_new_column_other_types_and_another_order_send_nothing() {
    let mut shop = Shop::new(30);
    shop.run(0);
    shop.table = with_city(30);
    shop.write();
    let result = shop.run(0);
    assert_eq!(result["status"], "no_changes", "{result}");
    assert!(result["notices"][0].as_str().unwrap().contains("other columns"), "{result}");
    assert_eq!(shop.run(0)["status"], "no_changes");
}

#[test]
fn what_really_changed_together_with_the_columns_is_sent() {
    let mut shop = Shop::new(30);
    shop.run(0);
    shop.table = with_city(30);
    shop.table.records()[4].insert("name".into(), json!("changed"));
    shop.table.records().remove(9);
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 1));
    // The new column is compared from here on, and a deleted record carries it.
    let uses_city = "
  mirror:
    model: people
    destination: hook
    action: send
    records: all
    fields: { id: $.id, op: $.__op, name: $.name, email: $.email, city: $.city }
";
    shop.configure(uses_city, "batch: { records: 10, body: array }", "");
    assert_eq!(shop.run(0)["status"], "no_changes", "an edited mapping resends nothing by itself");
    shop.table.records()[0].insert("city".into(), json!("Bergen"));
    shop.table.records().remove(20);
    shop.write();
    shop.server.take_requests();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 1));
    let deleted = shop.server.take_requests().iter().flat_map(|r| r.payloads.clone()).find(|p| p["op"] == "deleted").unwrap();
    assert_eq!(deleted["city"], "Oslo");
}

/// A mapping that uses the column that [`with_city`] adds.
const USES_CITY: &str = "
  late:
    model: people
    destination: hook
    action: send
    records: added_or_updated
    fields: { id: $.id, city: $.city }
";

#[test]
fn a_mapping_that_is_added_with_a_new_column_sends_its_values() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.table = with_city(10);
    shop.write();
    shop.configure(&format!("{}{USES_CITY}", crate::MIRROR), "batch: { records: 100, body: array }", "");
    shop.server.take_requests();
    shop.outflow("run --select late").expect(0);
    assert_eq!(counts(&shop.result(), "delivered"), (10, 0, 0));
    assert!(shop.server.take_requests()[0].payloads.iter().all(|payload| payload["city"] == "Oslo"));
}

#[test]
fn what_was_pending_before_a_new_column_goes_out_with_its_values() {
    let mut shop = Shop::new(10);
    let all: Vec<String> = (1..=10).map(|id| id.to_string()).collect();
    shop.server.refuse(all.iter().map(String::as_str));
    shop.run(1);
    shop.server.accept_all();
    shop.table = with_city(10);
    shop.write();
    shop.configure(&USES_CITY.replace("late:", "mirror:").replace("added_or_updated", "all"), "batch: { records: 100, body: array }", "");
    shop.server.take_requests();
    assert_eq!(counts(&shop.run(0), "delivered"), (10, 0, 0));
    assert!(shop.server.take_requests()[0].payloads.iter().all(|payload| payload["city"] == "Oslo"));
}

#[test]
fn a_dropped_column_sends_nothing() {
    let mut shop = Shop::new(10);
    shop.run(0);
    let config = shop.project.read("outflow.yml").replace("SELECT * FROM people", "'SELECT email, id, name FROM people'");
    shop.project.config(&config);
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.table.set(2, "name", "two");
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_mirrored();
}

#[test]
fn a_column_that_changes_its_type_sends_what_really_changed() {
    let shop = Shop::new(0);
    shop.configure(
        "
  prices:
    model: people
    destination: hook
    action: send
    records: all
    fields: { id: $.id, op: $.__op, price: $.price }
",
        "batch: { records: 10, body: array }",
        "",
    );
    let config = shop.project.read("outflow.yml").replace("people.parquet", "people.csv");
    shop.project.config(&config);
    shop.project.write("people.csv", "id,price,other\n1,99.5,a\n2,10,b\n3,7.25,c\n");
    shop.run(0);
    // All prices are whole now: the column is read as integers. Only the first has changed, and the third is gone.
    shop.project.write("people.csv", "id,price,other\n1,99,a\n2,10,b\n");
    shop.server.take_requests();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 1));
    let mut sent: Vec<_> = shop.server.take_requests().iter().flat_map(|request| request.payloads.clone()).collect();
    sent.sort_by_key(|payload| payload["id"].as_i64());
    assert_eq!(sent, [json!({ "id": 1, "op": "updated", "price": 99 }), json!({ "id": 3, "op": "deleted", "price": 7.25 })]);
}
