//! `outflow history`: past syncs.

use serde_json::json;

use crate::args::{Global, HistoryArgs};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, sync};

pub(crate) fn run(global: &Global, args: &HistoryArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    if let Some(name) = &args.mapping {
        project::known_mapping(&loaded, name)?;
    }
    let store = project::open_state(&loaded)?;
    let syncs = outflow_ledger::runs::history(store.as_ref(), args.mapping.as_deref(), args.limit)?;
    let reports: Vec<_> = syncs.into_iter().map(|sync| sync.report).collect();
    if console.is_json() {
        console.json(&json!({ "syncs": reports }));
    } else if reports.is_empty() {
        console.line("No sync has run yet. Start one with `outflow run`.");
    } else {
        sync::history(console, &reports);
    }
    Ok(Exit::Ok)
}
