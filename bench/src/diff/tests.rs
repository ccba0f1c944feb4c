//! Goal: the harness tells right from wrong, whoever works. Shell scripts stand in for our own program and for Python.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::columns::Identifier;
use crate::data::{Data, Spec};
use crate::parquet_file;
use crate::setting::Python;

/// 1,000 records: 10 changed, 5 added, 5 deleted.
const SIDES: Sides =
    Sides { records: 1_000, columns: 12, identifier: Identifier::Composite, seed: 1, changed: 0.01, added: 0.005, deleted: 0.005 };

/// Stands in for our own program: it finds in the base what is in it, and in the later side what `$FOUND` says. A state must be that of
/// the base whenever the later side is compared with it.
const OWN: &str = r#"
for word in "$@"; do
  case $word in --state) wants=1;; --file=*) file=${word#--file=};; *) [ -z "${wants-}" ] || state=$word; wants=;; esac
done
case $1 in
  generate) echo "$*" >> HERE/generated; echo data > "${@: -1}"; exit;;
  bound) echo ready 0; read -r sign; echo '{"records":1000,"added":0,"updated":0,"deleted":0}'; exit;;
esac
case $* in *--id=composite*) ;; *) exit 4;; esac
case $state in *-limited) [[ $* == *--memory=402653184* ]];; *) [[ $* != *--memory* ]];; esac
echo ready 0; read -r sign
case $file in
  *base-*) mkdir "$state" && touch "$state/of-base"; echo '{"records":1000,"added":1000,"updated":0,"deleted":0}';;
  *later-*) [ -e "$state/of-base" ] && [ ! -e "$state/of-later" ] && touch "$state/of-later"; echo "$FOUND";;
esac
"#;
const RIGHT: &str = r#"FOUND='{"records":1000,"added":5,"updated":10,"deleted":5}'"#;

/// Stands in for Python: what it writes has as many records as the three files beside it.
const PYTHON: &str = r#"
out=$(sed 's/.*"out":"\([^"]*\)".*/\1/' <<< "$3")
case $3 in *'"id":["account","id"]'*) ;; *) exit 4;; esac
case $2 in
  prepare) touch "$(sed 's/.*"snapshot":"\([^"]*\)".*/\1/' <<< "$3")";;
  run) [ -e "$(sed 's/.*"snapshot":"\([^"]*\)".*/\1/' <<< "$3")" ]; echo ready 0; read -r sign; cp HERE/sets/*.parquet "$out/";;
esac
"#;

struct Stage {
    folder: tempfile::TempDir,
    options: Options,
}

impl Stage {
    fn new(own: &str, python: &str, only: &[Name]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| -> PathBuf {
            let (path, here) = (folder.path().join(name), folder.path().display().to_string());
            fs::write(&path, format!("#!/bin/bash\nset -eu\n{}\n", text.replace("HERE", &here))).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let (own, python) = (script("own", own), Python::Given(script("python", python)));
        let limit = Duration::from_mins(2);
        let setting = Setting { own, folder: folder.path().join("kept"), python, rounds: 2, limit, threads: 1 };
        let stage = Self { folder, options: Options { setting, sides: SIDES, only: only.to_vec(), memory: None } };
        stage.sets([5, 10, 5]);
        stage
    }

    /// What the peers write: so many added, updated and deleted records.
    fn sets(&self, counts: [u64; 3]) {
        let folder = self.folder.path().join("sets");
        fs::create_dir_all(&folder).unwrap();
        for (name, records) in ["added", "updated", "deleted"].into_iter().zip(counts) {
            let data = Data::new(&Spec { records, columns: 2, ..Spec::default() }).unwrap();
            parquet_file::write(&data, &folder.join(format!("{name}.parquet")), 1).unwrap();
        }
    }

    #[track_caller]
    fn error(&self) -> Error {
        measure(&self.options).unwrap().into_result().unwrap_err()
    }
}

fn own(found: &str) -> String {
    format!("{found}\n{OWN}")
}

#[test]
fn whoever_finds_the_right_counts_is_measured() {
    let stage = Stage::new(&own(RIGHT), PYTHON, &[]);
    let report = measure(&stage.options).unwrap();
    for name in ["bound", "outflow", "duckdb", "duckdb-hashes", "polars"] {
        let figures = report.figures(name).unwrap_or_else(|| panic!("{name}: {report:?}"));
        assert!(figures.seconds > 0.0 && figures.peak_bytes > 0, "{name}: {figures:?}");
    }
    let text = report.to_string();
    assert!(
        text.starts_with("0.001 M records x 12 columns, identifier composite: 5 added, 10 updated, 5 deleted; medians of 2 rounds"),
        "{text}"
    );
    assert!(text.lines().nth(1).unwrap().ends_with("x outflow  x bound"), "{text}");
    assert!(report.into_result().is_ok());
}

#[test]
fn data_is_made_once_and_everything_else_is_gone_afterwards() {
    let stage = Stage::new(&own(RIGHT), PYTHON, &[Name::Outflow]);
    for _ in 0..2 {
        measure(&stage.options).unwrap().into_result().unwrap();
    }
    let generated = fs::read_to_string(stage.folder.path().join("generated")).unwrap();
    assert_eq!(generated.lines().count(), 2, "{generated}");
    let mut kept: Vec<String> =
        fs::read_dir(&stage.options.setting.folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    assert_eq!(kept, ["base-1000-12-composite-1.parquet", "later-1000-12-composite-1-0.01-0.005-0.005.parquet"]);
}

#[test]
fn wrong_counts_are_an_error_and_the_others_go_on() {
    let wrong = r#"FOUND='{"records":1000,"added":5,"updated":9,"deleted":5}'"#;
    let stage = Stage::new(&own(wrong), PYTHON, &[]);
    let report = measure(&stage.options).unwrap();
    assert!(report.figures("outflow").is_none() && report.figures("polars").is_some(), "{report:?}");
    assert!(report.to_string().contains("failed"), "{report}");
    let error = report.into_result().unwrap_err();
    assert!(error.message().contains("9 updated") && error.message().contains("10 updated"), "{error}");

    for sets in [[6, 10, 5], [5, 11, 5], [5, 10, 4]] {
        let stage = Stage::new(&own(RIGHT), PYTHON, &[Name::Duckdb]);
        stage.sets(sets);
        assert!(stage.error().message().starts_with("duckdb found"), "{sets:?}");
    }
    let lost = own(RIGHT).replace(r#"{"records":1000,"added":0"#, r#"{"records":999,"added":0"#);
    assert!(Stage::new(&lost, PYTHON, &[Name::Bound]).error().message().starts_with("bound found 999"));
}

#[test]
fn a_peer_that_writes_no_sets_or_fails_is_an_error() {
    let nothing = PYTHON.replace("cp HERE", "true HERE");
    assert!(Stage::new(&own(RIGHT), &nothing, &[Name::Polars]).error().to_string().contains("added.parquet"));
    let broken = "echo 'no module named polars' >&2; exit 1";
    let error = Stage::new(&own(RIGHT), broken, &[Name::Polars]).error();
    assert!(error.context().iter().any(|(_, text)| text.contains("no module named polars")), "{error:?}");
}

#[test]
fn a_contender_that_hangs_is_ended_and_is_an_error() {
    let mut stage = Stage::new(&own(RIGHT), "exec sleep 1000", &[Name::DuckdbHashes]);
    // The data is there, so that nothing but the peer takes its time.
    SIDES.files(&stage.options.setting).unwrap();
    stage.options.setting.limit = Duration::from_millis(300);
    let error = stage.error();
    assert!(error.kind() == Kind::Limit && error.message().starts_with("duckdb-hashes on the base took longer"), "{error}");
}

#[test]
fn a_limit_on_memory_is_measured_against_none() {
    let mut stage = Stage::new(&own(RIGHT), PYTHON, &[]);
    stage.options.memory = Some(384 << 20);
    let report = measure(&stage.options).unwrap();
    let names: Vec<&str> = report.standings.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["bound", "outflow", "outflow-limited"]);
    report.into_result().unwrap();

    stage.options.memory = None;
    stage.options.only = vec![Name::OutflowLimited];
    assert!(measure(&stage.options).unwrap_err().remedy_text().is_some());
}

#[test]
fn no_rounds_are_refused() {
    let mut stage = Stage::new(&own(RIGHT), PYTHON, &[]);
    stage.options.setting.rounds = 0;
    assert!(measure(&stage.options).unwrap_err().remedy_text().is_some());
}
