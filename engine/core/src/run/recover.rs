//! Runs that were interrupted: their journals are folded before anything new is read. The same function as the normal end,
//! from what is on disk alone.

use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::report::{Status, SyncCounts, SyncReport, Tally, Timing, records};
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::footing::check_sealed;
use outflow_ledger::integrity::lost;
use outflow_ledger::journal::{Frame, Frames};
use outflow_ledger::runs::{self, Plan, Seen};
use outflow_ledger::{decide, paths};

use super::{Engine, orphans, siblings};
use crate::blocking;
use crate::commit::{Settled, Settling, Told};
use crate::seal::Sealed;
use crate::snapshot::schema_of;
use crate::time::unix_ms;

/// An interrupted sync that was taken up.
#[derive(Clone, Debug)]
pub(crate) struct Recovered {
    /// Its mapping.
    pub(crate) mapping: String,
    /// In words.
    pub(crate) notice: String,
}

/// Recovers these mappings and every other that writes to one of their accounts (rule 18). Their locks are held.
pub(crate) async fn mappings(engine: &Engine, mappings: &[&Mapping]) -> Result<Vec<Recovered>> {
    let mut done: Vec<&str> = Vec::new();
    let mut recovered = Vec::new();
    for mapping in mappings {
        for one in siblings(engine, mapping)?.into_iter().chain([*mapping]) {
            if !done.contains(&one.name.as_str()) {
                done.push(&one.name);
                recovered.extend(recover(engine, one).await?);
            }
        }
        for orphan in orphans::of(engine, mapping)? {
            leaving(engine, &orphan).await?;
        }
    }
    Ok(recovered)
}

/// Recovers a mapping of the state that the project no longer has, so that its state can be left. Its lock is held.
pub(crate) async fn leaving(engine: &Engine, name: &str) -> Result<()> {
    runs_of(engine, name, "").await.map(|_| ())
}

async fn recover(engine: &Engine, mapping: &Mapping) -> Result<Vec<Recovered>> {
    let recovered = runs_of(engine, &mapping.name, &mapping.destination).await?;
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
    Ok(recovered)
}

/// Folds the open runs of the mapping `name`. `destination` where it has no state yet.
async fn runs_of(engine: &Engine, name: &str, destination: &str) -> Result<Vec<Recovered>> {
    let now = unix_ms(engine.clock.wall());
    let (store, name) = (Arc::clone(&engine.store), name.to_owned());
    let (nonce, at) = (engine.clock.random(), engine.clock.wall());
    let destination = destination.to_owned();
    let report_nonce = engine.clock.random();
    blocking(move || {
        let mut recovered = Vec::new();
        loop {
            let base: Option<MappingCommit> = Chain::of_mapping(&name).head(store.as_ref())?;
            let closed = base.as_ref().map_or(0, |base| base.closed_through);
            // The lock lets one run through at a time, so that at most one is open; an older one would be folded first.
            let Some(epoch) = runs::open_runs(store.as_ref(), &name, closed)?.into_iter().next() else { return Ok(recovered) };
            let plan = runs::read_plan(store.as_ref(), &name, epoch).map_err(|error| match error.kind() {
                Kind::NotFound => Error::corrupt(format!("{}, though its run has a journal", error.message())).remedy(lost(&name)),
                _ => error,
            })?;
            let previous = base.as_ref().and_then(|base| base.deadline_ms);
            let journal = runs::read_journal(store.as_ref(), &plan)?;
            follows(&name, &plan, base.as_ref())?;
            let mut frames = Frames::new(&journal);
            let any_intent = frames.any(|frame| matches!(frame, Frame::Intent(_))) || frames.is_damaged();
            let deadline = decide::deadline_after_recovery(any_intent, plan.request_lifetime_ms, now, previous);
            let sealed = sealed_of(store.as_ref(), &plan)?;
            let model: Option<ModelCommit> = Chain::of_model(&plan.model).head(store.as_ref())?;
            check_sealed(&name, &plan.model, (plan.saw.version, plan.saw.footing.as_ref()), model.as_ref())?;
            let model = model.ok_or_else(|| Error::bug("an interrupted run of a model without a state was taken up"))?;
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
                now: at,
            };
            let settled = settling.settle_run(deadline, &Told::default())?;
            tracing::info!(mapping = name, epoch, pending = settled.left.all.total(), "recovered an interrupted sync");
            let report = interrupted(&settling, &settled);
            recovered.push(Recovered { mapping: name.clone(), notice: notice(&report) });
            // Nothing hangs on it; a run that was killed while it ended has one already.
            if runs::read_report(store.as_ref(), &name, epoch).is_ok_and(|report| report.is_none())
                && let Err(error) = runs::write_report(store.as_ref(), epoch, &report, report_nonce)
            {
                tracing::warn!(mapping = name, epoch, %error, "the report of an interrupted sync could not be kept");
            }
        }
    })
    .await
}

/// An interrupted run goes on from the commit that it began with: if that is not the head, commits were taken away.
fn follows(name: &str, plan: &Plan, base: Option<&MappingCommit>) -> Result<()> {
    let number = base.map_or(0, |base| base.number);
    if plan.base == number {
        return Ok(());
    }
    let missing = paths::commit(&paths::mapping(name), plan.base.max(number + 1));
    Err(Error::corrupt(format!("{missing} is missing, though a run of mapping `{name}` began with it")).remedy(lost(name)))
}

/// What a sync did that did not live to say so.
fn interrupted(settling: &Settling, settled: &Settled) -> SyncReport {
    let plan = &settling.plan;
    let acked = records(settled.acked.total());
    let rest = match plan.again {
        Some(_) => format!("`outflow replay {} --failed` sends the rest again", plan.sync_id),
        None => "the rest goes out next time".to_owned(),
    };
    let counts = SyncCounts {
        selected: plan.selected.into(),
        delivered: settled.acked.into(),
        failed: Tally::from(settled.left.all).without(settled.left.set_aside.into()),
        pending: Some(settled.pending.all.into()),
        set_aside: settled.pending.set_aside.into(),
        ..SyncCounts::default()
    };
    SyncReport {
        sync_id: plan.sync_id.clone(),
        mapping: plan.mapping.clone(),
        model: plan.model.clone(),
        destination: settling.destination.clone(),
        status: Status::Failed,
        message: Some(format!("interrupted: the program ended before the sync did; {acked} had been acknowledged, {rest}")),
        notices: Vec::new(),
        started_at: plan.started_at.clone(),
        version: Some(plan.saw.version),
        counts,
        requests: 0,
        bytes: 0,
        timing: Timing::default(),
        failures: Vec::new(),
        rejected: std::collections::BTreeMap::default(),
    }
}

fn notice(report: &SyncReport) -> String {
    let (delivered, left) = (records(report.counts.delivered.total), records(report.counts.failed.total));
    format!("took up the interrupted sync {}: {delivered} had been acknowledged, {left} had not", report.sync_id)
}

/// As much of the sealed change set as folding needs.
fn sealed_of(store: &dyn outflow_contract::state_store::StateStore, plan: &Plan) -> Result<Sealed> {
    let unused = plan.seen.as_ref().map_or_else(|| Ok(Seen::new()), |path| Seen::read(store, path))?;
    Ok(Sealed { parts: plan.parts.clone(), entries: plan.rows() as u32, selected: plan.selected, unused, ..Sealed::default() })
}
