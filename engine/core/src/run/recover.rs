//! Runs that were interrupted: their journals are folded before anything new is read. The same function as the normal end,
//! from what is on disk alone.

use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::{Counts, Error, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::journal::{Frame, Frames};
use outflow_ledger::runs::{self, Plan, Seen};
use outflow_ledger::{decide, paths};

use super::{Engine, orphans, siblings};
use crate::blocking;
use crate::commit::{Samples, Settling};
use crate::seal::Sealed;
use crate::snapshot::schema_of;
use crate::time::{rfc3339, unix_ms};

/// Recovers these mappings and every other that writes to one of their accounts (rule 18). Their locks are held.
pub(crate) async fn mappings(engine: &Engine, mappings: &[&Mapping]) -> Result<()> {
    let mut done: Vec<&str> = Vec::new();
    for mapping in mappings {
        for one in siblings(engine, mapping)?.into_iter().chain([*mapping]) {
            if !done.contains(&one.name.as_str()) {
                done.push(&one.name);
                recover(engine, one).await?;
            }
        }
        for orphan in orphans::of(engine, mapping)? {
            leaving(engine, &orphan).await?;
        }
    }
    Ok(())
}

/// Recovers a mapping of the state that the project no longer has, so that its state can be left. Its lock is held.
pub(super) async fn leaving(engine: &Engine, name: &str) -> Result<()> {
    runs_of(engine, name, "").await
}

async fn recover(engine: &Engine, mapping: &Mapping) -> Result<()> {
    runs_of(engine, &mapping.name, &mapping.destination).await?;
    // A name whose state went on elsewhere, and that is used again, begins anew; its numbers go on, so that no id is made twice.
    let (name, fresh) = (mapping.name.clone(), engine.nothing_yet(mapping)?);
    if engine.state_of(mapping).await?.is_some_and(|head| head.ended.is_some()) {
        let begin = move |head: Option<MappingCommit>| {
            let Some(head) = head else { return Ok((None, ())) };
            let origin = format!("{name}~{}", head.number);
            Ok((Some(MappingCommit { origin, closed_through: head.closed_through, ..fresh }), ()))
        };
        engine.amend(mapping, begin).await?;
    }
    Ok(())
}

/// Folds the open runs of the mapping `name`. `destination` where it has no state yet.
async fn runs_of(engine: &Engine, name: &str, destination: &str) -> Result<()> {
    let now = unix_ms(engine.clock.wall());
    let (store, name) = (Arc::clone(&engine.store), name.to_owned());
    let (nonce, at) = (engine.clock.random(), rfc3339(engine.clock.wall()));
    let destination = destination.to_owned();
    blocking(move || {
        loop {
            let base: Option<MappingCommit> = Chain::of_mapping(&name).head(store.as_ref())?;
            let closed = base.as_ref().map_or(0, |base| base.closed_through);
            // The lock lets one run through at a time, so that at most one is open; an older one would be folded first.
            let Some(epoch) = runs::open_runs(store.as_ref(), &name, closed)?.into_iter().next() else { return Ok(()) };
            let plan = runs::read_plan(store.as_ref(), &name, epoch)?;
            let previous = base.as_ref().and_then(|base| base.deadline_ms);
            let journal = store.read(&paths::run_file(&name, epoch, paths::JOURNAL))?.unwrap_or_default();
            let any_intent = Frames::new(&journal).any(|frame| matches!(frame, Frame::Intent(_)));
            let deadline = decide::deadline_after_recovery(any_intent, plan.request_lifetime_ms, now, previous);
            let sealed = sealed_of(store.as_ref(), &plan)?;
            let model: Option<ModelCommit> = Chain::of_model(&plan.model).head(store.as_ref())?;
            let model = model.ok_or_else(|| {
                Error::corrupt(format!("mapping `{name}` has an interrupted run of model `{}`, which has no state", plan.model))
            })?;
            let settling = Settling {
                store: Arc::clone(&store),
                mapping: name.clone(),
                destination: base.as_ref().map_or_else(|| destination.clone(), |base: &MappingCommit| base.destination.clone()),
                id: base.as_ref().map_or_else(|| model.id.clone(), |base: &MappingCommit| base.id.clone()),
                selection: plan.selection,
                base,
                plan,
                sealed: Arc::new(sealed),
                schema: schema_of(&model)?,
                nonce,
                at: at.clone(),
            };
            let settled = settling.settle_run(deadline, &Samples::new())?;
            tracing::info!(mapping = name, epoch, pending = settled.pending.total(), "recovered an interrupted sync");
        }
    })
    .await
}

/// As much of the sealed change set as folding needs.
fn sealed_of(store: &dyn outflow_contract::state_store::StateStore, plan: &Plan) -> Result<Sealed> {
    let unused = plan.seen.as_ref().map_or_else(|| Ok(Seen::new()), |path| Seen::read(store, path))?;
    Ok(Sealed {
        parts: plan.parts.clone(),
        entries: plan.rows() as u32,
        net: Counts::default(),
        selected: plan.selected,
        unused,
        unknown: false,
    })
}
