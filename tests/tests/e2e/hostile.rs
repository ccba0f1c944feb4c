//! Data that is odd on purpose: it arrives as it is, or is refused; and it is never sent twice.

use arrow::datatypes::DataType;
use outflow_tests::{Server, Table};
use serde_json::{Value, json};

use crate::{Shop, counts};

/// Sends every column of a record, whatever its name.
const ALL_COLUMNS: &str = r"
  mirror:
    model: people
    destination: hook
    action: send
    records: all
    fields: { id: $.id, op: $.__op, record: { '@path': '$.' } }
";

#[test]
fn odd_identifiers_are_each_their_own_and_arrive_as_they_are() {
    let odd = [
        "a",
        "A",
        "a ",
        " a",
        "a\u{0}",
        "a\u{0}b",
        "\u{e9}",
        "e\u{301}",
        "\u{feff}a",
        "a\u{200b}",
        "\u{202e}cba",
        "\u{2028}",
        "\r\n",
        "\u{1b}[2J",
        "\"\\",
        "${env:HOME}",
        "$.id",
        "../../etc/passwd",
        "1",
        "1.0",
        "01",
        "null",
        "\u{1f9d1}\u{200d}\u{1f680}",
        "\u{10ffff}",
    ];
    let mut shop = Shop::new(0);
    shop.table = Table::new(&[("id", DataType::Utf8), ("name", DataType::Utf8), ("email", DataType::Utf8)]);
    for id in odd {
        shop.table.push(json!([id, format!("<{id}>"), null]));
    }
    shop.table.push(json!(["x".repeat(50_000), "long", null]));
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (odd.len() as u64 + 1, 0, 0));
    let held = shop.server.records();
    for id in odd {
        assert_eq!(held.get(id).map(|record| &record["name"]), Some(&json!(format!("<{id}>"))), "{id:?}");
    }
    assert_eq!(shop.run(0)["status"], "no_changes");
    // Each is found again by itself.
    shop.server.take_requests();
    for id in ["A", "e\u{301}", "a\u{0}"] {
        shop.table.set(id, "name", "other");
        shop.write();
        assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0), "{id:?}");
        assert_eq!(shop.server.take_requests()[0].payloads[0]["id"], id);
    }
    shop.table.delete("\u{202e}cba");
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 0, 1));
    assert!(!shop.server.records().contains_key("\u{202e}cba"));
}

#[test]
fn numbers_at_the_edge_arrive_as_they_are_and_only_once() {
    let shop = Shop::with(1, Server::start(), ALL_COLUMNS, "batch: { records: 10, body: array }");
    shop.project.edit(
        "outflow.yml",
        "SELECT * FROM people",
        "\"SELECT id, 9223372036854775807 AS most, -9223372036854775807 - 1 AS least, arrow_cast(18446744073709551615, 'UInt64') AS large,
           CAST('NaN' AS DOUBLE) AS none, CAST('Infinity' AS DOUBLE) AS endless, CAST('-0.0' AS DOUBLE) AS zero, 5e-324 AS tiny, 1.7976931348623157e308 AS huge,
           CAST('123456789012345678901234567890.12345678' AS DECIMAL(38, 8)) AS exact, CAST('9999-12-31' AS DATE) AS late FROM people\"",
    );
    shop.run(0);
    let body = String::from_utf8(shop.server.take_requests()[0].body.to_vec()).unwrap();
    for part in [
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "123456789012345678901234567890.12345678",
        "9999-12-31",
        "5e-324",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let record = &serde_json::from_str::<Value>(&body).unwrap()[0]["record"];
    assert_eq!((&record["none"], &record["endless"], &record["zero"]), (&Value::Null, &Value::Null, &json!(0)), "{body}");
    assert_eq!(shop.run(0)["status"], "no_changes", "not even NaN differs from itself");
}

#[test]
fn a_column_name_that_comes_twice_is_refused() {
    let shop = Shop::new(3);
    shop.project.edit("outflow.yml", "SELECT * FROM people", "\"SELECT id, name, email AS name, email FROM people\"");
    let run = shop.outflow("run");
    assert!(matches!(run.code, Some(1 | 2)), "{run}");
    assert!(run.to_string().contains("name"), "{run}");
    assert!(shop.server.take_requests().is_empty());
}
