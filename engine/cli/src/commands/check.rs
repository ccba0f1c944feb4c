//! `outflow check`: everything that can be known without running.

use std::sync::Arc;

use outflow_engine::run::Silent;
use serde_json::json;

use crate::args::{CheckArgs, Global};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, counted};

pub(crate) async fn run(global: &Global, args: &CheckArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let engine = project::open_for_check(&loaded, Arc::new(Silent))?;
    // A project without mappings is as fine as what it has.
    let selected = if loaded.project.mappings.is_empty() { Vec::new() } else { project::select(&loaded, &args.selecting)? };
    console.protect(&loaded.project.redactor);
    let failed = project::check_columns(&loaded, &engine, &selected).await?;
    if !failed.is_empty() {
        return Err(Failure::Errors(failed));
    }
    let project = &loaded.project;
    if console.is_json() {
        let warnings: Vec<String> = loaded.warnings.iter().map(|warning| warning.message().to_owned()).collect();
        console.json(&json!({
            "valid": true,
            "sources": project.sources.len(),
            "models": project.models.len(),
            "destinations": project.destinations.len(),
            "mappings": project.mappings.len(),
            "warnings": warnings,
        }));
        return Ok(Exit::Ok);
    }
    console.warnings(&loaded.warnings);
    console.line(&format!(
        "The project is fine: {}, {}, {}, {}.",
        counted(project.sources.len() as u64, "source"),
        counted(project.models.len() as u64, "model"),
        counted(project.destinations.len() as u64, "destination"),
        counted(project.mappings.len() as u64, "mapping"),
    ));
    Ok(Exit::Ok)
}
