//! What people do to a mapping by hand: one record sent ahead, baseline, rename, pause, resume.

use serde_json::{Value, json};

use crate::{MIRROR, Shop, counts};

#[test]
fn a_mapping_is_tried_on_one_record_and_nothing_is_sent() {
    let shop = Shop::new(5);
    let tried = shop.outflow("test mirror --output json").expect(0).json();
    assert_eq!((&tried["id"], &tried["op"], &tried["sent"]), (&1.into(), &"added".into(), &Value::Null));
    assert_eq!(tried["record"], json!({ "id": 1, "name": "name 1", "email": "p1@example.com", "score": 10 }));
    assert_eq!(tried["fields"], json!({ "id": 1, "op": "added", "name": "name 1", "email": "p1@example.com" }));
    let request = &tried["request"];
    assert_eq!((&request["method"], &request["url"]), (&"POST".into(), &shop.server.url("/records").into()));
    assert_eq!(request["body"], json!([tried["fields"]]));
    // The mapping sends deletes, too: what would differ is shown.
    let others: Vec<&Value> = tried["others"].as_array().unwrap().iter().map(|other| &other["payload"]["op"]).collect();
    assert_eq!(others, ["updated", "deleted"]);

    assert_eq!(shop.outflow("test mirror --record 4 --output json").expect(0).json()["record"]["name"], "name 4");
    let missing = shop.outflow("test mirror --record 44").expect(2);
    assert!(missing.stderr.contains("no record with the identifier 44"), "{missing}");
    assert!(shop.server.requests().is_empty() && shop.project.files("state").is_empty(), "nothing was sent, and nothing remembered");
}

#[test]
fn a_record_sent_ahead_counts_as_delivered() {
    let mut shop = Shop::new(5);
    let sent = shop.outflow("test mirror --record 3 --send --output json").expect(0).json();
    assert_eq!((&sent["sent"]["status"], &sent["sent"]["delivered"]), (&"success".into(), &1.into()));
    assert!(sent["sent"]["answer"].as_str().unwrap().starts_with("200"), "{sent}");
    assert_eq!(shop.server.records().len(), 1);
    shop.server.take_requests();
    assert_eq!(counts(&shop.run(0), "delivered"), (4, 0, 0));
    shop.assert_mirrored();

    shop.table.set(2, "name", "other");
    shop.write();
    shop.server.refuse(["2"]);
    let refused = shop.outflow("test mirror --record 2 --send");
    assert!(refused.code != Some(0) && refused.stdout.contains("422"), "{refused}");
    shop.server.accept_all();
    shop.run(0);
    shop.assert_mirrored();
}

#[test]
fn secrets_are_masked_in_the_request_that_is_shown() {
    let shop = Shop::new(1);
    let settings = "batch: { records: 10, body: array }, auth: { type: bearer, token: '${env:TOKEN}' }, headers: { X-Api-Key: 'abc', X-Team: '${env:TOKEN}-x' }";
    shop.configure(MIRROR, settings, "");
    let tried = |more: &str| {
        let command = outflow_tests::Outflow::at(&shop.project).args("test mirror").args(more).env("TOKEN", "very-s3cret");
        command.run().expect(0)
    };
    let text = tried("");
    assert!(text.stdout.contains("Bearer ***") && text.stdout.contains("X-Team: ***-x"), "{text}");
    let json = tried("--output json");
    assert_eq!(json.json()["request"]["headers"]["X-Api-Key"], "***");
    for run in [text, json] {
        assert!(!run.stdout.contains("s3cret") && !run.stdout.contains("abc"), "{run}");
    }
}

#[test]
fn a_baseline_sends_nothing_and_only_changes_are_sent_after_it() {
    let mut shop = Shop::new(20);
    let refused = shop.outflow("baseline mirror").expect(2);
    assert!(refused.stderr.contains("add --yes"), "{refused}");
    let done = shop.outflow("baseline mirror --yes --output json").expect(0).json();
    assert_eq!((&done["records"], &done["dropped_pending"]), (&20.into(), &0.into()));
    assert!(shop.server.requests().is_empty());
    assert_eq!(shop.run(0)["status"], "no_changes");
    shop.table.set(3, "name", "other");
    shop.table.delete(7);
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 1));
}

#[test]
fn a_renamed_mapping_goes_on_where_it_was() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.configure(&MIRROR.replace("mirror:", "reflection:"), "batch: { records: 10, body: array }", "");
    let unknown = shop.outflow("rename mirorr reflection --yes");
    assert!(unknown.code != Some(0) && !unknown.stderr.is_empty(), "{unknown}");
    let done = shop.outflow("rename mirror reflection --yes").expect(0);
    assert!(done.stdout.contains("`reflection` goes on where `mirror` was"), "{done}");
    shop.table.set(3, "name", "other");
    shop.write();
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_mirrored();
}

#[test]
fn a_paused_mapping_sends_nothing_until_it_is_resumed() {
    let mut shop = Shop::new(10);
    shop.run(0);
    shop.server.take_requests();
    shop.table.set(3, "name", "other");
    shop.write();
    assert!(shop.outflow("pause mirror --reason moving").expect(0).stdout.contains("`mirror` is paused"));
    assert!(shop.outflow("pause mirror").expect(0).stdout.contains("was paused before"));
    shop.outflow("pause mirror --reason moving").expect(0);
    let run = shop.outflow("run");
    assert!(shop.server.take_requests().is_empty(), "{run}");
    assert!(shop.outflow("test mirror --send").expect(2).stderr.contains("outflow resume mirror"));
    let resumed = shop.outflow("resume mirror").expect(0);
    assert!(resumed.stdout.contains("runs again") && resumed.stdout.contains("moving"), "{resumed}");
    assert!(shop.outflow("resume mirror").expect(0).stdout.contains("was not paused"));
    assert_eq!(counts(&shop.run(0), "delivered"), (0, 1, 0));
    shop.assert_mirrored();
}
