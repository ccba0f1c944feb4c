//! The reference's mapping kit, on Node.js.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use outflow_contract::{Error, Kind, Result};
use serde_json::json;

use super::work::{Task, identify_directives};
use super::{Modules, Options, counted, payloads};
use crate::child::{Begin, run};
use crate::contest::Contender;
use crate::figures::Figures;

pub(super) const NAME: &str = "mapping-kit";
const SCRIPT: &str = include_str!("../../peers/mapping_kit.js");
const PACKAGE: &str = include_str!("../../peers/package.json");
/// Records of one call, as the reference sends them.
const BATCH: usize = 1000;

pub(super) struct MappingKit<'a> {
    pub(super) options: &'a Options,
    pub(super) place: &'a Path,
}

impl MappingKit<'_> {
    fn records(&self) -> PathBuf {
        self.place.join("records.ndjson")
    }
}

impl Contender for MappingKit<'_> {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn prepare(&mut self) -> Result<()> {
        let script = self.place.join("mapping_kit.js");
        fs::write(&script, SCRIPT).map_err(|error| Error::io(format!("could not write {}", script.display()), error))?;
        // In a process of its own: whoever measures stays small.
        let mut command = self.options.setting.own("map-work");
        command.arg(format!("--task={}", Task::Records.name())).arg(format!("--records={}", self.options.records));
        command.args(["--threads=1", "--passes=1", "--payloads"]).arg(self.records());
        run(command, &self.options.setting.watch("records for mapping-kit", Begin::WhenTold, self.place)).map(drop)
    }

    fn round(&mut self) -> Result<Figures> {
        let Options { setting, records, passes, modules, .. } = self.options;
        let job = json!({
            "modules": installed(modules, self.options, self.place)?,
            "records": self.records(),
            "mapping": identify_directives(),
            "passes": passes,
            "batch": BATCH,
            "payloads": payloads(self.place, NAME),
        });
        let mut command = Command::new("node");
        command.arg("--max-old-space-size=8192").arg(self.place.join("mapping_kit.js")).arg(job.to_string());
        let ran = run(command, &setting.watch(NAME, Begin::WhenTold, self.place))?;
        counted(NAME, &ran.output, records * passes)?;
        Ok(ran.figures)
    }
}

/// The folder of the modules, which are installed if they are not there.
fn installed(modules: &Modules, options: &Options, place: &Path) -> Result<PathBuf> {
    let folder = match modules {
        Modules::Given(folder) => return Ok(folder.clone()),
        Modules::In(folder) => folder,
    };
    let (found, package) = (folder.join("node_modules"), folder.join("package.json"));
    if found.exists() && fs::read_to_string(&package).is_ok_and(|text| text == PACKAGE) {
        return Ok(found);
    }
    let failed = |error: std::io::Error| Error::io(format!("could not write to {}", folder.display()), error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut command = Command::new("npm");
    command.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--prefix"]).arg(folder);
    let unfinished = folder.join("package.json");
    fs::write(&unfinished, PACKAGE).map_err(failed)?;
    run(command, &options.setting.watch("npm install", Begin::AtOnce, place)).map_err(|error| {
        drop(fs::remove_file(&unfinished));
        error.remedy("install Node.js 20 with npm, or give --modules")
    })?;
    if found.exists() { Ok(found) } else { Err(Error::new(Kind::Refused, "npm installed nothing")) }
}
