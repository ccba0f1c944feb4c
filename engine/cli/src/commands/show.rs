//! `outflow show`: one sync in full.

use outflow_contract::report::SyncReport;
use outflow_contract::{Error, Kind};

use crate::args::{Global, ShowArgs};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::{Console, sync};

pub(crate) fn run(global: &Global, args: &ShowArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let store = project::open_state(&loaded)?;
    let syncs = outflow_ledger::runs::history(store.as_ref(), None, usize::MAX)?;
    let reports: Vec<SyncReport> = syncs.into_iter().map(|sync| sync.report).collect();
    let report = find(&reports, &args.sync)?;
    if console.is_json() {
        console.json(report);
    } else {
        sync::show(console, report);
    }
    Ok(Exit::Ok)
}

fn find<'a>(reports: &'a [SyncReport], wanted: &str) -> Result<&'a SyncReport, Error> {
    if wanted == "last" {
        return reports.first().ok_or_else(|| Error::new(Kind::NotFound, "no sync has run yet").remedy("start one with `outflow run`"));
    }
    let found: Vec<&SyncReport> = reports.iter().filter(|report| report.sync_id.starts_with(wanted)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::new(Kind::NotFound, format!("there is no sync `{wanted}`"))
            .remedy("`outflow history` lists them; `outflow show last` shows the newest")),
        [first, second, ..] => {
            Err(Error::invalid(format!("`{wanted}` could be {} or {}", first.sync_id, second.sync_id)).remedy("give more of the id"))
        }
    }
}
