//! `outflow reset`: the next sync treats every record as added.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use outflow_contract::Error;
use outflow_engine::run::Silent;
use serde_json::json;

use crate::args::{Global, ResetArgs};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::Console;

pub(crate) async fn run(global: &Global, args: &ResetArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    project::known_mapping(&loaded, &args.mapping)?;
    if !args.yes && !confirmed(console, &args.mapping)? {
        console.line("Nothing was changed.");
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

fn confirmed(console: &Console, mapping: &str) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(
            Error::invalid(format!("`outflow reset {mapping}` sends every record again and wants to be confirmed")).remedy("add --yes")
        );
    }
    console.talk(&format!("The next sync of `{mapping}` will send every record of its model again. Go on? [y/N] "));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|e| Error::io("could not read the answer", e))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
