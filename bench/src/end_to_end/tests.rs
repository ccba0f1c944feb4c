//! Goal: the harness tells a good run from a bad one. A shell script stands in for the binary.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A stand-in for the binary, in a folder of its own. It is told where to send by the project's file.
fn options(script: &str) -> (tempfile::TempDir, Options) {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("outflow");
    fs::write(&binary, format!("#!/bin/bash\nset -eu\nmkdir -p target state\n{script}\n")).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    let project = folder.path().join("project");
    (
        folder,
        Options { destination: Destination::Webhook, binary, folder: project, records: 3, columns: 10, seed: 1, rounds: 2, threads: 1 },
    )
}

/// Sends so many lines, and leaves the results that a run leaves.
const SEND: &str = r#"
send() {
  address=$(sed -n 's|.*url: http://\([^/]*\)/.*|\1|p' outflow.yml)
  exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
  printf 'POST /records HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' $((3 * $1)) >&3
  for _ in $(seq "$1"); do printf '{}\n' >&3; done
  cat <&3 > /dev/null
}
results() { echo "{\"results\": [{\"status\": \"$1\", \"timing\": [{\"name\": \"extract\", \"seconds\": 0.5}, {\"name\": \"deliver\", \"seconds\": 1.5}]}]}" > target/run_results.json; }
"#;

#[test]
fn a_run_that_does_what_it_should_is_measured() {
    let script =
        format!("{SEND}\nsleep 0.2; if [ -e state/done ]; then results no_changes; else send 3; results success; touch state/done; fi");
    let (_folder, options) = options(&script);
    let report = measure(&options).unwrap();
    assert_eq!((report.first.received.records, report.second.received.records), (3, 0));
    assert_eq!(report.first.phases, [("extract".to_owned(), 0.5), ("deliver".to_owned(), 1.5)]);
    assert!(report.first.seconds > 0.0 && report.first.peak_bytes > Some(0), "{report:?}");
    assert!(report.to_string().contains("medians of 2 rounds"), "{report}");
}

#[test]
fn a_run_that_loses_a_record_is_an_error() {
    let (_folder, options) = options(&format!("{SEND}\nsend 2; results success"));
    let error = measure(&options).unwrap_err();
    assert!(error.message().contains("3 records received") && error.message().contains("2 received"), "{error}");
}

#[test]
fn a_second_run_that_sends_something_is_an_error() {
    let (_folder, options) = options(&format!("{SEND}\nsend 3; results success"));
    let error = measure(&options).unwrap_err();
    assert!(error.message().contains("no_changes"), "{error}");
}

#[test]
fn a_failing_run_shows_the_end_of_its_output() {
    let (_folder, options) = options("echo 'no such table' >&2; exit 1");
    let error = measure(&options).unwrap_err();
    assert!(error.context().iter().any(|(_, text)| text.contains("no such table")), "{error:?}");
}

#[test]
fn a_binary_that_is_not_there_is_named_with_how_to_build_it() {
    let (_folder, mut options) = options("");
    options.binary = PathBuf::from("/nowhere/outflow");
    let error = measure(&options).unwrap_err();
    assert!(error.to_string().contains("/nowhere/outflow") && error.remedy_text().is_some(), "{error}");
}

#[test]
fn the_peak_is_read_from_the_status_of_a_process() {
    assert_eq!(peak_of("Name:\toutflow\nVmPeak:\t  99 kB\nVmHWM:\t    2048 kB\n"), Some(2 << 20));
    assert_eq!(peak_of("Name:\toutflow\n"), None);
}
