//! `outflow init`: a sample project.

use serde_json::json;

use crate::args::InitArgs;
use crate::exit::{Exit, Failure};
use crate::init::write_project;
use crate::render::{Console, thousands};

pub(crate) fn run(args: &InitArgs, console: &Console) -> Result<Exit, Failure> {
    let folder = std::path::absolute(&args.folder).unwrap_or_else(|_| args.folder.clone());
    let name = folder.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned());
    let written = write_project(&folder, &name, args.seed)?;
    if console.is_json() {
        console.json(&json!({ "folder": folder, "written": written }));
        return Ok(Exit::Ok);
    }
    let shown = args.folder.display();
    console.line(&format!(
        "Made the project `{name}` in {shown}: {} customers and {} orders of sample data, 2 models, 3 mappings.",
        thousands(written.customers),
        thousands(written.orders)
    ));
    console.line("");
    console.line("Try:");
    if args.folder.as_os_str() != "." {
        console.line(&format!("  cd {shown}"));
    }
    console.line("  outflow plan      # what would be sent");
    console.line("  outflow run       # send it, to files under out/");
    console.line("");
    console.line("README.md says what to try next.");
    Ok(Exit::Ok)
}
