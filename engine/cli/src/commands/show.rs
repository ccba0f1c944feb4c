//! `outflow show`: one sync in full.

use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::history::History;
use outflow_ledger::runs::PastSync;
use outflow_planner::{Loaded, nearest};

use crate::args::{Global, ShowArgs};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, show};

pub(crate) fn run(global: &Global, args: &ShowArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    let store = project::open_state(&loaded)?;
    let report = find(&loaded, store.as_ref(), args.sync.trim())?.report;
    if console.is_json() {
        let document = show::document(&report).map_err(|error| Error::bug("a report is no JSON").caused_by(error))?;
        console.json(&document);
    } else {
        show::print(console, &report);
    }
    Ok(Exit::Ok)
}

/// The sync that `wanted` names: by its id or a start of it, by `last`, or by its mapping.
pub(super) fn find(loaded: &Loaded, store: &dyn StateStore, wanted: &str) -> Result<PastSync> {
    let mut history = History::of_all(store)?;
    let had: Vec<String> = history.mappings().map(str::to_owned).collect();
    if wanted == "last" {
        let last = history.next();
        return last.ok_or_else(|| Error::new(Kind::NotFound, "no sync has run yet").remedy("start one with `outflow run`"));
    }
    if had.iter().any(|mapping| mapping == wanted) {
        history.retain(|mapping| mapping == wanted);
        let last = history.next();
        return last.ok_or_else(|| Error::corrupt(format!("none of the reports of mapping `{wanted}` can be read")));
    }
    if loaded.project.mapping(wanted).is_some() {
        let none = Error::new(Kind::NotFound, format!("mapping `{wanted}` has no sync yet"));
        return Err(none.remedy(format!("start one with `outflow run --select {wanted}`")));
    }
    by_id(loaded, history, wanted, &had)
}

/// Ids sort by time, so that whatever begins with `wanted` stands together, and its neighbours are those nearest in time.
fn by_id(loaded: &Loaded, history: History<'_>, wanted: &str, had: &[String]) -> Result<PastSync> {
    /// So many are named where several fit.
    const NAMED: usize = 4;
    let mut found: Vec<PastSync> = Vec::new();
    let (mut newer, mut older) = (None, None);
    for sync in history {
        let id = sync.report.sync_id.as_str();
        if id == wanted {
            return Ok(sync);
        }
        if !wanted.is_empty() && id.starts_with(wanted) {
            found.push(sync);
        } else if id > wanted {
            newer = Some(sync);
        } else {
            older = Some(sync);
            break;
        }
    }
    let named = |PastSync { report, .. }: &PastSync| format!("{} ({}, {})", report.sync_id, report.mapping, report.status.as_str());
    match found.len() {
        0 => {}
        1 => return Ok(found.swap_remove(0)),
        n => {
            let mut names: Vec<String> = found.iter().take(NAMED).map(named).collect();
            if n > NAMED {
                names.push(format!("{} more", n - NAMED));
            }
            return Err(Error::invalid(format!("`{wanted}` is the start of {n} syncs"))
                .remedy(format!("give more of the id: {}", names.join(", "))));
        }
    }
    let mappings = loaded.project.mappings.iter().map(|mapping| mapping.name.as_str()).chain(had.iter().map(String::as_str));
    let remedy = if let Some(mapping) = nearest(wanted, mappings) {
        format!("did you mean the last sync of mapping `{mapping}`? `outflow history` lists all syncs")
    } else if wanted.starts_with(|c: char| c.is_ascii_digit()) {
        let near: Vec<String> = [older, newer].iter().flatten().map(named).collect();
        if near.is_empty() {
            "no sync has run yet: start one with `outflow run`".to_owned()
        } else {
            format!("near it are {}; `outflow history` lists all", near.join(" and "))
        }
    } else {
        "give an id or the start of one, a mapping's name, or `last`; `outflow history` lists all syncs".to_owned()
    };
    Err(Error::new(Kind::NotFound, format!("there is no sync `{wanted}`")).remedy(remedy))
}
