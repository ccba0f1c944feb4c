//! `outflow init`: a sample project.

use std::path::{Path, PathBuf};

use outflow_contract::Error;
use serde_json::json;

use crate::args::InitArgs;
use crate::exit::{Exit, Failure};
use crate::init::write_project;
use crate::render::{Console, thousands};

pub(crate) fn run(args: &InitArgs, console: &Console) -> Result<Exit, Failure> {
    let wanted = args.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    if args.folder.is_none() && !is_empty(&wanted) {
        return Err(Error::invalid("this folder is not empty, and no other was named")
            .remedy("name the folder to make, as in `outflow init shop`; `outflow init .` takes this one")
            .into());
    }
    let folder = std::path::absolute(&wanted).unwrap_or_else(|_| wanted.clone());
    let name = folder.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned());
    let written = write_project(&folder, &name, args.seed)?;
    if console.is_json() {
        console.json(&json!({ "folder": folder, "written": written }));
        return Ok(Exit::Ok);
    }
    let shown = wanted.display();
    console.line(&format!("Made the project `{name}` in {shown}: 2 models and 3 mappings,"));
    console.line(&format!("with {} customers and {} orders of sample data.", thousands(written.customers), thousands(written.orders)));
    console.line("");
    console.line("Try:");
    if wanted.as_os_str() != "." {
        console.line(&format!("  cd {shown}"));
    }
    console.line("  outflow plan      # what would be sent");
    console.line("  outflow run       # send it, to files under out/");
    console.line("");
    console.line("README.md says what to try next.");
    Ok(Exit::Ok)
}

/// Is nothing in the folder? One that cannot be read is left to whoever writes into it.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}
