//! Before a model is extracted: does every mapping of it stand on the chain that is there (rule 6)?
//!
//! Another version must not get a number that some mapping has counted already, whether that mapping takes part in this run or not: what
//! changed in it would never be sent. So nothing is extracted, now or ever after, until the state is repaired.

use std::sync::Arc;

use outflow_contract::plan::Model;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::footing::{self, Departure};
use outflow_ledger::runs;

use super::Engine;
use crate::blocking;

/// For whom a model is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For<'a> {
    /// For its mappings, all of which must stand on its chain.
    All,
    /// For a mapping that is put on what the model has now, whatever it stood on. Others that depart from that and will always be told so
    /// need not keep it back: each is put on it in its turn.
    Anew(&'a str),
}

impl Engine {
    /// An error if a mapping of the state does not stand on the chain that the state has of `model`.
    pub(crate) async fn all_stand(&self, model: &Model, asked: For<'_>) -> Result<()> {
        let (store, model) = (Arc::clone(&self.store), model.name.clone());
        let anew = match asked {
            For::All => None,
            For::Anew(name) => Some(name.to_owned()),
        };
        blocking(move || all_stand(store.as_ref(), &model, anew.as_deref())).await
    }

    /// How the state of mapping `name` departs from the chain of its model, if it does.
    pub(crate) async fn departure(&self, name: &str) -> Result<Option<Departure>> {
        let (store, name) = (Arc::clone(&self.store), name.to_owned());
        blocking(move || {
            let state: Option<MappingCommit> = Chain::of_mapping(&name).head(store.as_ref())?;
            let Some(state) = state else { return Ok(None) };
            let head: Option<ModelCommit> = Chain::of_model(&state.model).head(store.as_ref())?;
            Ok(footing::departs(&name, &state, head.as_ref()))
        })
        .await
    }
}

fn all_stand(store: &dyn StateStore, model: &str, anew: Option<&str>) -> Result<()> {
    let head: Option<ModelCommit> = Chain::of_model(model).head(store)?;
    for name in runs::mappings(store)?.into_iter().filter(|name| Some(name.as_str()) != anew) {
        let state: Option<MappingCommit> = match Chain::of_mapping(&name).head(store) {
            Ok(state) => state,
            // A damaged one is told to those who run it.
            Err(error) if error.kind() == Kind::Corrupt => continue,
            Err(error) => return Err(error),
        };
        let Some(state) = state.filter(|state| state.model == model) else { continue };
        let departure = footing::departs(&name, &state, head.as_ref()).filter(|departure| anew.is_none() || !departure.lasts);
        if let Some(departure) = departure {
            return Err(departure.so("nothing is extracted or sent").error(&name));
        }
    }
    Ok(())
}
