//! Mappings that the state has and the project does not: renamed, or taken out. What they sent may still travel, and their account may be
//! that of a mapping which the project has: for that one they count as siblings (rule 18) until they are carried over or forgotten.

use outflow_contract::plan::Mapping;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::MappingCommit;
use outflow_ledger::runs;

use super::{Engine, account};

/// Where a mapping of the state writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) model: String,
    pub(crate) account: String,
}

/// The names of orphans that write the same records of the same model to the account of `mapping`.
pub(crate) fn of(engine: &Engine, mapping: &Mapping) -> Result<Vec<String>> {
    let own = Place { model: mapping.model.clone(), account: account(engine, mapping)? };
    let store = engine.store.as_ref();
    let mut orphans = Vec::new();
    for name in runs::mappings(store)? {
        if engine.project.mapping(&name).is_none() && place(store, &name)? == Some(own.clone()) {
            orphans.push(name);
        }
    }
    Ok(orphans)
}

/// Where the mapping `name` writes; `None` if it has ended, or has no state at all. A first run that was killed has a plan only.
pub(crate) fn place(store: &dyn StateStore, name: &str) -> Result<Option<Place>> {
    let head: Option<MappingCommit> = Chain::of_mapping(name).head(store)?;
    if let Some(head) = head {
        return Ok(head.ended.is_none().then_some(Place { model: head.model, account: head.account }));
    }
    let Some(epoch) = runs::open_runs(store, name, 0)?.into_iter().next() else { return Ok(None) };
    let plan = runs::read_plan(store, name, epoch)?;
    Ok(Some(Place { model: plan.model, account: plan.account }))
}

/// Where the mapping `name` writes and wrote, by its head and by every run of it that has not ended: one of those may be under way, of a
/// project that is another one by now.
pub(crate) fn places(store: &dyn StateStore, name: &str) -> Result<Vec<Place>> {
    let head: Option<MappingCommit> = Chain::of_mapping(name).head(store)?;
    let closed = head.as_ref().map_or(0, |head| head.closed_through);
    let mut places: Vec<Place> = head.map(|head| Place { model: head.model, account: head.account }).into_iter().collect();
    for epoch in runs::open_runs(store, name, closed)? {
        let plan = runs::read_plan(store, name, epoch)?;
        places.push(Place { model: plan.model, account: plan.account });
    }
    Ok(places)
}

/// The head of a mapping that is to be left. Its interrupted runs are recovered.
pub(crate) fn head(store: &dyn StateStore, name: &str) -> Result<MappingCommit> {
    let head: Option<MappingCommit> = Chain::of_mapping(name).head(store)?;
    match head {
        Some(head) if head.ended.is_none() => Ok(head),
        Some(head) => {
            let goes_on = |name: String| format!("goes on as `{name}`");
            let now = head.ended.filter(|name| !name.is_empty()).map_or_else(|| "has ended".to_owned(), goes_on);
            Err(Error::new(Kind::NotFound, format!("mapping `{name}` {now} already")))
        }
        None => Err(unknown(store, name)?),
    }
}

/// There is no such mapping in the state.
pub(crate) fn unknown(store: &dyn StateStore, name: &str) -> Result<Error> {
    let names = runs::mappings(store)?;
    let known = if names.is_empty() { "no mapping at all".to_owned() } else { names.join(", ") };
    Ok(Error::new(Kind::NotFound, format!("the state holds no mapping `{name}`")).remedy(format!("it holds {known}")))
}
