//! Is the state that of this mapping? What would send or delete everything again stops and asks.
//!
//! | in the project | the state | then |
//! |---|---|---|
//! | the same model, identifier and account | has it | goes on |
//! | another of them | nothing was ever delivered | begins with the new one |
//! | another of them | something was | stops |
//! | a new name | an old name that the project lacks wrote the same records there | stops |
//! | a new name | | begins |

use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Error, Result};
use outflow_ledger::changes::EntryReader;
use outflow_ledger::commit::MappingCommit;
use outflow_ledger::requests::Identity;

use super::{Engine, account, orphans};
use crate::blocking;
use crate::snapshot::PartReader;

/// The state that a sync of `mapping` goes on from; an error if it is not clear that it is its own.
pub(crate) async fn state_of(engine: &Engine, mapping: &Mapping) -> Result<Option<MappingCommit>> {
    let Some(state) = engine.state_of(mapping).await?.filter(|state| !state.is_blank()) else {
        no_new_name(engine, mapping)?;
        return engine.state_of(mapping).await;
    };
    let Some(changed) = changed(engine, mapping, &state)? else { return Ok(Some(state)) };
    let known = state.cursor.and(state.saw.as_ref()).map_or(0, |saw| saw.records);
    let (store, fresh) = (Arc::clone(&engine.store), engine.nothing_yet(mapping)?);
    blocking(move || if never_delivered(store.as_ref(), &state, known)? { Ok(Some(state.begun_anew(fresh))) } else { Err(changed) }).await
}

/// What the ids of a mapping's requests and records are made with.
pub(crate) fn of(mapping: &Mapping, state: Option<&MappingCommit>) -> Identity {
    match state {
        Some(state) => Identity { origin: state.origin.clone(), generation: state.generation },
        None => Identity { origin: mapping.name.clone(), generation: 0 },
    }
}

/// What is not as it was when the state was written.
fn changed(engine: &Engine, mapping: &Mapping, state: &MappingCommit) -> Result<Option<Error>> {
    let name = &mapping.name;
    let id = engine.project.model(&mapping.model).map(|model| model.id.clone()).unwrap_or_default();
    let account = account(engine, mapping)?;
    let error = |what: &str, was: &str| {
        Error::invalid(format!("{what} of mapping `{name}` {was}: everything would be sent or deleted again")).remedy(format!(
            "change it back; or send everything again with `outflow reset {name}`; or, where the records are there already, count them as \
             delivered with `outflow baseline {name}`"
        ))
    };
    let other = |what: &str, old: &str, new: &str| Some(error(what, &format!("was {old} and is now {new}")));
    Ok(if state.model != mapping.model {
        other("the model", &state.model, &mapping.model)
    } else if state.id != id {
        other("the identifier", &state.id.join(", "), &id.join(", "))
    } else if state.account == account {
        None
    } else {
        match (state.account.split_once(" #"), account.split_once(" #")) {
            // What comes after the host may be a secret.
            (Some((old, _)), Some((new, _))) if old == new => {
                Some(error("the destination's account", &format!("is another at {old} (the path, the query or the key has changed)")))
            }
            _ => other("the destination's account", &state.account, &account),
        }
    })
}

/// Has no record of the `known` ones ever reached the destination, nor may any have? Then all of them wait, and nothing of them is there.
fn never_delivered(store: &dyn StateStore, state: &MappingCommit, known: u64) -> Result<bool> {
    let waiting: u64 = state.pending.iter().map(|file| file.counts.added).sum();
    let rows: u64 = state.pending.iter().map(|file| file.rows).sum();
    if waiting != known || rows != known {
        return Ok(false);
    }
    for file in &state.pending {
        for batch in PartReader::open(store, &file.path)?.narrow().read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            if (0..entries.len()).any(|i| entries.get(i).0.before != Before::Absent) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A mapping without a state must not be one that has only changed its name: it would send everything again.
fn no_new_name(engine: &Engine, mapping: &Mapping) -> Result<()> {
    let name = &mapping.name;
    let Some(old) = orphans::of(engine, mapping)?.into_iter().next() else { return Ok(()) };
    Err(Error::invalid(format!(
        "mapping `{name}` is new, while the state holds `{old}`, which the project no longer has, of the same model and destination: if it was \
         renamed, everything would be sent again"
    ))
    .remedy(format!("carry its state over with `outflow rename {old} {name}`, or end it with `outflow rename {old} --forget`")))
}
