//! `outflow rename`: what is remembered of a mapping moves to its new name, or is forgotten.

use std::sync::Arc;

use outflow_contract::Error;
use outflow_engine::run::Engine;
use outflow_planner::Loaded;
use serde_json::json;

use crate::args::{Global, RenameArgs};
use crate::commands::confirm::confirmed;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{Console, records};

pub(crate) async fn run(global: &Global, args: &RenameArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    if loaded.project.mapping(&args.old).is_some() {
        return Err(still_there(&loaded, args).into());
    }
    if let Some(new) = &args.new {
        project::known_mapping(&loaded, new)?;
    }
    if !agreed(args, console)? {
        return Ok(Exit::Ok);
    }
    let engine = project::open(&loaded, Arc::new(Progress::new(console)))?;
    console.protect(&loaded.project.redactor);
    match &args.new {
        Some(new) => rename(&engine, args, new, console).await,
        None => forget(&engine, args, console).await,
    }
}

async fn rename(engine: &Engine, args: &RenameArgs, new: &str, console: &Console) -> Result<Exit, Failure> {
    let old = &args.old;
    let done = engine.rename(old, new, args.wait).await?;
    if console.is_json() {
        console.json(&json!({ "old": old, "new": new, "version": done.cursor, "pending": done.pending }));
        return Ok(Exit::Ok);
    }
    let at = done.cursor.map(|version| format!(", at version {version} of its model")).unwrap_or_default();
    let waiting = match done.pending {
        0 => String::new(),
        1 => " 1 record waits for its next sync.".to_owned(),
        n => format!(" {} wait for its next sync.", records(n)),
    };
    console.say(&format!("`{new}` goes on where `{old}` was{at}: what was delivered is not sent again.{waiting}"));
    Ok(Exit::Ok)
}

async fn forget(engine: &Engine, args: &RenameArgs, console: &Console) -> Result<Exit, Failure> {
    let old = &args.old;
    let pending = engine.forget(old, args.wait).await?;
    if console.is_json() {
        console.json(&json!({ "old": old, "new": null, "dropped_pending": pending }));
        return Ok(Exit::Ok);
    }
    let dropped = if pending == 0 { String::new() } else { format!(" {} that waited to be sent are dropped.", records(pending)) };
    console.say(&format!("`{old}` is forgotten; what it delivered stays where it is.{dropped}"));
    Ok(Exit::Ok)
}

fn agreed(args: &RenameArgs, console: &Console) -> Result<bool, Error> {
    let old = &args.old;
    if let Some(new) = &args.new {
        let question = format!("What is remembered of `{old}` will be that of `{new}`.");
        confirmed(console, args.yes, &format!("outflow rename {old} {new}"), "moves what is remembered", &question)
    } else {
        let question = format!("What was delivered by `{old}` will be forgotten: a mapping of that name would send everything again.");
        confirmed(console, args.yes, &format!("outflow rename {old} --forget"), "forgets what was delivered", &question)
    }
}

fn still_there(loaded: &Loaded, args: &RenameArgs) -> Error {
    let old = &args.old;
    let remedy = match &args.new {
        None => format!("take `{old}` out of outflow.yml first; to start over with it, run `outflow reset {old}`"),
        Some(new) if loaded.project.mapping(new).is_some() => {
            format!("to let `{new}` go on where `{old}` is, take `{old}` out of outflow.yml first")
        }
        Some(new) => format!("write `{new}` instead of `{old}` in outflow.yml first, and then run this"),
    };
    Error::invalid(format!("the project still has a mapping `{old}`")).remedy(remedy)
}
