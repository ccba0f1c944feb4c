//! `outflow rename`: what is remembered of a mapping moves to its new name.

use std::sync::Arc;

use outflow_contract::Error;
use outflow_engine::run::Silent;
use serde_json::json;

use crate::args::{Global, RenameArgs};
use crate::commands::confirm::confirmed;
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::Console;

pub(crate) async fn run(global: &Global, args: &RenameArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let (old, new) = (&args.old, &args.new);
    if loaded.project.mapping(old).is_some() {
        let remedy = if loaded.project.mapping(new).is_some() {
            format!("to start `{new}` from where `{old}` is, take `{old}` out of outflow.yml first")
        } else {
            format!("write `{new}` instead of `{old}` in outflow.yml first, and then run this")
        };
        return Err(Error::invalid(format!("the project still has a mapping `{old}`")).remedy(remedy).into());
    }
    project::known_mapping(&loaded, new)?;
    let question = format!("What is remembered of `{old}` will be that of `{new}`.");
    if !confirmed(console, args.yes, &format!("outflow rename {old} {new}"), "moves what is remembered", &question)? {
        return Ok(Exit::Ok);
    }
    let engine = project::open(&loaded, Arc::new(Silent))?;
    engine.rename(old, new).await?;
    if console.is_json() {
        console.json(&json!({ "old": old, "new": new, "renamed": true }));
    } else {
        console.line(&format!("`{new}` goes on where `{old}` was: nothing is sent again."));
    }
    Ok(Exit::Ok)
}
