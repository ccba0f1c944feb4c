//! The mappings that a model's versions are kept for: those of the project, and those that only the state still has.

use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::state_store::Lock;
use outflow_contract::{Error, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::MappingCommit;
use outflow_ledger::runs;

use crate::blocking;
use crate::run::locks::Reach;
use crate::run::{Engine, orphans, siblings};

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The project has it.
    pub(crate) in_project: bool,
    /// It writes to an account that others write to (rules 19 and 20).
    pub(crate) shared: bool,
    /// Its state if it has none yet; `None` where it must not be given one.
    pub(crate) fresh: Option<MappingCommit>,
}

/// Where a mapping of the state or of the project belongs.
struct Standing {
    name: String,
    head: Option<MappingCommit>,
    /// Model and account of its state, or of its interrupted first run.
    place: Option<(String, String)>,
}

impl Standing {
    fn is_ended(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.ended.is_some())
    }
}

/// The mappings of `model`, by name.
pub(crate) async fn of(engine: &Engine, model: &str) -> Result<Vec<Member>> {
    let (store, project) = (Arc::clone(&engine.store), Arc::clone(&engine.project));
    let standings = blocking(move || {
        let mut names = runs::mappings(store.as_ref())?;
        names.extend(project.mappings.iter().map(|mapping| mapping.name.clone()));
        names.sort_unstable();
        names.dedup();
        let standing = |name: String| {
            let head: Option<MappingCommit> = Chain::of_mapping(&name).head(store.as_ref())?;
            let place = match &head {
                Some(head) => Some((head.model.clone(), head.account.clone())),
                None => orphans::place(store.as_ref(), &name)?.map(|place| (place.model, place.account)),
            };
            Ok(Standing { name, head, place })
        };
        names.into_iter().map(standing).collect::<Result<Vec<Standing>>>()
    })
    .await?;
    let mut members = Vec::new();
    for standing in &standings {
        if let Some(member) = member(engine, model, standing, &standings)? {
            members.push(member);
        }
    }
    Ok(members)
}

fn member(engine: &Engine, model: &str, standing: &Standing, all: &[Standing]) -> Result<Option<Member>> {
    let name = &standing.name;
    let mapping = engine.project.mapping(name);
    let state_model = standing.place.as_ref().map(|(model, _)| model.as_str());
    if state_model.or(mapping.map(|mapping| mapping.model.as_str())) != Some(model) {
        return Ok(None);
    }
    let mut fresh = None;
    if let Some(mapping) = mapping {
        // One that may only have changed its name must stay without a state until somebody says so.
        if orphans::of(engine, mapping)?.is_empty() {
            fresh = Some(engine.nothing_yet(mapping)?);
        }
    }
    let beside = |other: &Standing| other.name != *name && !other.is_ended() && other.place.is_some() && other.place == standing.place;
    let shared = mapping.map_or(Ok(false), |mapping| siblings(engine, mapping).map(|others| !others.is_empty()))? || all.iter().any(beside);
    Ok(Some(Member { name: name.clone(), in_project: mapping.is_some(), shared, fresh }))
}

/// Their locks, the extraction's after them as everybody takes them, and their interrupted runs folded (rules 14 and 18).
pub(crate) async fn lock_and_recover(engine: &Engine, model: &str, members: &[Member], wait: bool) -> Result<Vec<Lock>> {
    let names = members.iter().map(|member| member.name.clone()).collect();
    let mut locks = engine.lock_states(names, Reach::Beside, wait).await?;
    locks.push(engine.lock_extraction(model, wait).await?);
    let of_project: Vec<&Mapping> = members.iter().filter_map(|member| engine.project.mapping(&member.name)).collect();
    crate::run::recover::mappings(engine, &of_project).await?;
    for member in members.iter().filter(|member| !member.in_project) {
        crate::run::recover::leaving(engine, &member.name).await.map_err(|error: Error| error.with("mapping", &member.name))?;
    }
    Ok(locks)
}
