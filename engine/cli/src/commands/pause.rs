//! `outflow pause`: nothing is sent for a mapping until it is resumed.

use std::sync::Arc;

use serde_json::json;

use crate::args::{Global, PauseArgs};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::Console;

pub(crate) async fn run(global: &Global, args: &PauseArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let mapping = &args.mapping;
    project::known_mapping(&loaded, mapping)?;
    // It waits for a run that is under way, and says so.
    let engine = project::open(&loaded, Arc::new(Progress::new(console)))?;
    let was_running = engine.pause(mapping, args.reason.as_deref()).await?;
    if console.is_json() {
        console.json(&json!({ "mapping": mapping, "paused": true, "was_paused": !was_running, "reason": args.reason }));
    } else if was_running {
        console.say(&format!("`{mapping}` is paused: its changes wait until `outflow resume {mapping}`."));
    } else {
        let reason = args.reason.as_ref().map(|_| ", and has a new reason").unwrap_or_default();
        console.say(&format!("`{mapping}` was paused before{reason}. `outflow resume {mapping}` lets it run again."));
    }
    Ok(Exit::Ok)
}
