//! `outflow plan` as a process, against DuckDB counting the same three sets.
//!
//! A project whose mapping sends every column of every record to a webhook is told that the base counts as delivered. Then the later side
//! takes the base's place, and `outflow plan` has to say how many records would be sent: it reads, compares, fetches what was there before,
//! maps, and cuts requests. DuckDB joins and counts, and does no more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use outflow_contract::{Counts, Error, Result};
use serde_json::Value;

use crate::child::{Begin, Ran, run};
use crate::contest::{self, Contender, Report, contest};
use crate::data::Data;
use crate::diff::{Leaves, Peer, check};
use crate::figures::Figures;
use crate::project::{MAPPING, ProjectFile, TABLE, every_column};
use crate::setting::Setting;
use crate::sides::{Files, Sides};
use crate::work::Found;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// How.
    pub setting: Setting,
    /// What is compared.
    pub sides: Sides,
    /// The `outflow` binary.
    pub binary: PathBuf,
}

/// Measures.
///
/// # Errors
/// `Io` if the data cannot be made or there is no binary. What goes wrong with a contender is in the report.
pub fn measure(options: &Options) -> Result<Report> {
    let binary = fs::canonicalize(&options.binary).map_err(|error| {
        let message = format!("could not find the binary {}", options.binary.display());
        Error::io(message, error).remedy("build it first: cargo build --release --locked, and give its path with --outflow")
    })?;
    let (setting, sides) = (&options.setting, &options.sides);
    let place = setting.workplace()?;
    let files = sides.files(setting)?;
    files.warm()?;
    let plan = Plan { setting, sides, files: &files, binary: &binary, folder: place.path().join("project"), place: place.path() };
    let count = Peer {
        name: "duckdb-count",
        script: "duckdb_count.py",
        leaves: Leaves::Counts,
        setting,
        sides,
        files: &files,
        place: place.path(),
    };
    let Found { counts, .. } = sides.truth()?;
    let title = format!(
        "{} M records x {} columns: {} added, {} updated, {} deleted; medians of {} rounds, {} threads{}",
        sides.records as f64 / 1e6,
        sides.columns,
        counts.added,
        counts.updated,
        counts.deleted,
        setting.rounds,
        setting.threads,
        contest::REMARK,
    );
    Ok(contest(title, vec!["outflow plan"], vec![Box::new(plan), Box::new(count)], setting.rounds))
}

struct Plan<'a> {
    setting: &'a Setting,
    sides: &'a Sides,
    files: &'a Files,
    binary: &'a Path,
    /// The project.
    folder: PathBuf,
    place: &'a Path,
}

impl Plan<'_> {
    fn write_project(&self) -> Result<()> {
        let failed = |error: std::io::Error| Error::io(format!("could not write to {}", self.folder.display()), error);
        let later = Data::new(&self.sides.later())?;
        let schema = later.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let text = ProjectFile {
            columns: &columns,
            id: self.sides.identifier.columns(),
            records_max: later.places(),
            // Nothing is sent.
            destination: "type: webhook\n    settings: { url: \"http://127.0.0.1:9/records\" }".to_owned(),
            action: "send",
            records: "all",
            fields: every_column(&columns),
        }
        .text();
        fs::create_dir_all(self.folder.join("data")).map_err(failed)?;
        fs::write(self.folder.join("outflow.yml"), text).map_err(failed)
    }

    /// Puts a file where the source reads.
    fn put(&self, file: &Path) -> Result<()> {
        let (unfinished, table) = (self.folder.join("data/unfinished"), self.folder.join(TABLE));
        let put = fs::hard_link(file, &unfinished).and_then(|()| fs::rename(&unfinished, &table));
        put.map_err(|error| Error::io(format!("could not put {} into the project", file.display()), error))
    }

    fn outflow(&self, name: &str, arguments: &[&str]) -> Result<Ran> {
        let mut command = Command::new(self.binary);
        command.args(arguments).current_dir(&self.folder);
        run(command, &self.setting.watch(name, Begin::AtOnce, self.place))
    }
}

impl Contender for Plan<'_> {
    fn name(&self) -> String {
        "outflow plan".to_owned()
    }

    fn prepare(&mut self) -> Result<()> {
        self.write_project()?;
        self.put(&self.files.base)?;
        self.outflow("outflow baseline", &["baseline", MAPPING, "--yes"])?;
        self.put(&self.files.later)
    }

    fn round(&mut self) -> Result<Figures> {
        let name = self.name();
        let ran = self.outflow(&name, &["plan", "--output", "json", "--allow-changed", "--allow-deleted"])?;
        let unclear = || Error::bug(format!("{name} did not tell what would be sent: {:?}", ran.output));
        let told: Value = serde_json::from_str(&ran.output).map_err(|error| unclear().caused_by(error))?;
        let plan = &told["plans"][0];
        let number = |value: &Value| value.as_u64().ok_or_else(unclear);
        let selected = &plan["selected"];
        let counts =
            Counts { added: number(&selected["added"])?, updated: number(&selected["updated"])?, deleted: number(&selected["deleted"])? };
        check(&name, self.sides.truth()?, Found { records: number(&plan["extracted"])?, counts })?;
        Ok(ran.figures)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::columns::Identifier;
    use crate::setting::Python;

    /// Stands in for `outflow`: what counts as delivered is what is there at the baseline.
    const OUTFLOW: &str = r#"
case $1 in
  baseline) cp data/records.parquet known;;
  plan)
    [ "$(cat known data/records.parquet)" = "the base
the later side" ]
    grep -q 'records: all' outflow.yml; grep -q 'id: \[id\]' outflow.yml; grep -q 'external_id: $.external_id' outflow.yml
    echo '{"plans": [{"extracted": 1000, "selected": {"added": 5, "updated": 10, "deleted": 5, "total": 20}}]}';;
esac
"#;
    const PYTHON: &str = r#"
[ "$2" = prepare ] || { echo ready 0; read -r sign; echo '{"added": 5, "updated": 10, "deleted": 5}'; }
"#;
    const OWN: &str = r#"case $* in *--shuffle*) echo "the later side";; *) echo "the base";; esac > "${@: -1}""#;

    fn measured(outflow: &str, python: &str) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/bash\nset -eu\n{text}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let (own, python) = (script("own", OWN), Python::Given(script("python", python)));
        let limit = Duration::from_mins(2);
        let setting = Setting { own, folder: folder.path().join("kept"), python, rounds: 2, limit, threads: 1 };
        let (identifier, changed) = (Identifier::Int, 0.01);
        let sides = Sides { records: 1_000, columns: 12, identifier, seed: 1, changed, added: 0.005, deleted: 0.005 };
        measure(&Options { setting, sides, binary: script("outflow", outflow) }).unwrap()
    }

    #[test]
    fn both_have_to_count_the_same() {
        let report = measured(OUTFLOW, PYTHON);
        assert!(report.figures("outflow plan").is_some() && report.figures("duckdb-count").is_some(), "{report:?}");
        assert!(report.into_result().is_ok());
        for (from, to) in [(r#""updated": 10"#, r#""updated": 9"#), (r#""extracted": 1000"#, r#""extracted": 999"#)] {
            let error = measured(&OUTFLOW.replace(from, to), PYTHON).into_result().unwrap_err();
            assert!(error.message().starts_with("outflow plan found"), "{error}");
        }
        let error = measured(OUTFLOW, &PYTHON.replace("5}", "6}")).into_result().unwrap_err();
        assert!(error.message().starts_with("duckdb-count found"), "{error}");
    }

    #[test]
    fn a_binary_that_fails_or_says_nothing_is_an_error() {
        let error = measured("echo 'the project is broken' >&2; exit 2", PYTHON).into_result().unwrap_err();
        assert!(error.context().iter().any(|(_, text)| text.contains("the project is broken")), "{error:?}");
        assert!(measured("true", PYTHON).into_result().unwrap_err().message().contains("did not tell"));
    }
}
