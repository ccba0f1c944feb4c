//! Goal: whoever takes part does all of the work, and payloads that differ are not compared by their speed.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::setting::Python;

fn stage(own: &str) -> (tempfile::TempDir, Options) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own");
    std::fs::write(&path, format!("#!/bin/bash\nset -eu\n{own}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let limit = Duration::from_mins(2);
    let (kept, python) = (folder.path().join("kept"), Python::Given("/nowhere".into()));
    let setting = Setting { own: path, folder: kept, python, rounds: 2, limit, threads: 1 };
    let options = Options { setting, modules: Modules::Given("/nowhere".into()), records: 10, passes: 3, suite: Suite::All };
    (folder, options)
}

#[test]
fn who_maps_every_record_as_often_as_asked_is_measured() {
    let (_folder, options) = stage(r#"echo ready 0; read -r sign; echo '{"records": 30}'"#);
    let report = measure(&options).unwrap();
    assert!(report.figures("outflow").is_some() && report.figures("arrow-json").is_some(), "{report:?}");
    assert!(speeds(&report, &options).lines().all(|line| line.ends_with(" records/s")));
    let (_folder, options) = stage(r#"echo ready 0; read -r sign; echo '{"records": 29}'"#);
    let error = measure(&options).unwrap().into_result().unwrap_err();
    assert_eq!(error.message(), "outflow mapped 29 records, not 30");
}

#[test]
fn payloads_that_differ_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(payloads(place.path(), name), text).unwrap();
    write("a", "{\"x\":1}\n{}\n");
    write("b", "{\"x\":1}\n{}\n");
    assert!(are_alike(place.path(), &["a", "b"]).is_ok());
    write("b", "{\"x\":1}\n");
    assert!(are_alike(place.path(), &["a", "b"]).unwrap_err().message().contains("as many"));
    write("b", "{\"x\":2}\n{}\n");
    assert!(are_alike(place.path(), &["a", "b"]).unwrap_err().message().contains("different"));
}

#[test]
fn an_identify_message_has_its_ten_fields() {
    let data = crate::data::Data::new(&crate::data::Spec { records: 20, ..Default::default() }).unwrap();
    let batch = data.batch(0..20).unwrap();
    let (bytes, ends) = work::payloads_of(Task::Identify, &data, &batch).unwrap();
    let first: serde_json::Value = serde_json::from_slice(&bytes[..ends[0]]).unwrap();
    assert_eq!(first["traits"]["email"].as_str(), first["email"].as_str().map(str::to_lowercase).as_deref());
    assert_eq!((ends.len(), first["traits"].as_object().unwrap().len() + first.as_object().unwrap().len() - 1), (20, 10));
}
