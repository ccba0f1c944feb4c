//! `outflow history`: past syncs.

use serde_json::json;

use crate::app::{Exit, Failure};
use crate::args::{Global, HistoryArgs};
use crate::project;
use crate::render::{Console, sync};

pub(crate) fn run(global: &Global, args: &HistoryArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    if let Some(name) = &args.mapping {
        project::known_mapping(&loaded, name)?;
    }
    let store = project::open_state(&loaded)?;
    let mut reports = outflow_ledger::runs::history(store.as_ref(), args.mapping.as_deref())?;
    reports.truncate(args.limit);
    if console.is_json() {
        console.json(&json!({ "syncs": reports }));
    } else if reports.is_empty() {
        console.line("No sync has run yet. Start one with `outflow run`.");
    } else {
        sync::history(console, &reports);
    }
    Ok(Exit::Ok)
}
