//! `outflow reset`: the next sync treats every record as added.

use std::sync::Arc;

use outflow_engine::run::Silent;
use serde_json::json;

use crate::args::{Global, ResetArgs};
use crate::commands::confirm::confirmed;
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::Console;

pub(crate) async fn run(global: &Global, args: &ResetArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    project::known_mapping(&loaded, &args.mapping)?;
    let mapping = &args.mapping;
    let question = format!("The next sync of `{mapping}` will send every record of its model again.");
    if !confirmed(console, args.yes, &format!("outflow reset {mapping}"), "sends every record again", &question)? {
        return Ok(Exit::Ok);
    }
    let engine = project::open(&loaded, Arc::new(Silent))?;
    let had_synced = engine.reset(&args.mapping, args.wait).await?;
    if console.is_json() {
        console.json(&json!({ "mapping": args.mapping, "reset": had_synced }));
    } else if had_synced {
        console.line(&format!("The next sync of `{}` sends every record as added.", args.mapping));
    } else {
        console.line(&format!("`{}` has never synced: its next sync sends every record as added anyway.", args.mapping));
    }
    Ok(Exit::Ok)
}
