//! `outflow pending`: what waits for each destination, and why.

use std::sync::Arc;

use serde_json::json;

use crate::args::{Global, PendingArgs};
use crate::commands::retry::selecting;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{Console, pending};

pub(crate) async fn run(global: &Global, args: &PendingArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    let names = project::select(&loaded.project, &selecting(&args.selecting, &args.mappings))?;
    let engine = project::open_to_read(&loaded, Arc::new(Progress::new(console)))?;
    let mut all = Vec::with_capacity(names.len());
    for name in &names {
        all.push(engine.waiting(name).await?);
    }
    if console.is_json() {
        console.json(&json!({ "mappings": all }));
    } else {
        pending::print(console, &all);
    }
    Ok(Exit::Ok)
}
