//! `outflow resume`: a paused mapping runs again.

use std::sync::Arc;

use serde_json::json;

use crate::args::{Global, ResumeArgs};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{Console, plain};

pub(crate) async fn run(global: &Global, args: &ResumeArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let mapping = &args.mapping;
    project::known_mapping(&loaded, mapping)?;
    // It waits for a run that is under way, and says so.
    let engine = project::open(&loaded, Arc::new(Progress::new(console)))?;
    let reason = engine.resume(mapping).await?;
    if console.is_json() {
        console.json(&json!({ "mapping": mapping, "was_paused": reason.is_some(), "reason": reason }));
        return Ok(Exit::Ok);
    }
    match reason {
        None => console.say(&format!("`{mapping}` was not paused.")),
        Some(reason) => {
            let why = if reason.is_empty() { String::new() } else { format!(" It was paused: {}.", plain(reason.trim_end_matches('.'))) };
            console.say(&format!("`{mapping}` runs again from its next sync on.{why}"));
        }
    }
    Ok(Exit::Ok)
}
