//! `outflow replay`: an earlier sync once more, as it was then.

use std::sync::Arc;

use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result};
use outflow_engine::run::replay::{name_now, plan_of};
use outflow_engine::seal::Replay;
use outflow_planner::{Loaded, Then};

use super::begun::Begun;
use super::show;
use crate::args::{Global, ReplayArgs};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::render::Console;
use crate::{project, signals};

pub(crate) async fn run(global: &Global, args: &ReplayArgs, console: &Console) -> Result<Exit, Failure> {
    let begun = Begun::now(global);
    let ended = Box::pin(replay(global, args, console, &begun)).await;
    begun.end(console, ended)
}

async fn replay(global: &Global, args: &ReplayArgs, console: &Console, begun: &Begun<'_>) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    let store = project::open_state(&loaded)?;
    let sync = show::find(&loaded, store.as_ref(), args.sync.trim())?;
    let past = plan_of(store.as_ref(), &sync)?;
    let name = mapping(&loaded, store.as_ref(), &past.mapping, past.epoch)?;
    let selection = loaded.project.mapping(&name).map_or(past.selection, |mapping| mapping.selection);
    drop(store);

    let then = Then { mapping: &name, action: &past.action, records: past.selection.as_str(), fields: &past.fields };
    let loaded = project::load_as_it_was(global, &then)?;
    console.protect(&loaded.project.redactor);
    let progress = Arc::new(Progress::of_run(console, begun.id.clone(), 1));
    let engine = project::open(&loaded, Arc::clone(&progress) as Arc<_>)?;
    signals::end_gracefully(&engine.cancel);
    let replay = Replay { past, selection, failed: args.failed, force: args.force };
    let report = engine.replay(&name, &replay, args.wait).await;
    progress.clear();
    Ok(begun.tell(console, &loaded.project, &[report?], Vec::new()))
}

/// The mapping of the project whose sync it was.
fn mapping(loaded: &Loaded, store: &dyn StateStore, then: &str, epoch: u64) -> Result<String> {
    let now = name_now(store, then, epoch)?;
    match now {
        Some(name) if loaded.project.mapping(&name).is_some() => Ok(name),
        Some(name) => Err(Error::new(Kind::NotFound, format!("mapping `{name}` of that sync is no longer in the project"))
            .remedy(format!("bring it back; or, if it has another name now, carry its state over with `outflow rename {name} NEW`"))),
        None => Err(Error::new(Kind::NotFound, format!("what was delivered by mapping `{then}` of that sync was forgotten"))
            .remedy("`outflow reset MAPPING` sends every record of a mapping as it is now")),
    }
}
