//! The last way out: a damaged state is moved out of the way, and what it was the state of begins anew.
//!
//! A mapping's cursor counts the versions of its model, so where a model goes, its mappings go with it. What begins anew makes its ids
//! with another origin than before, and waits for requests of before that may still travel: a destination that remembers must not take
//! new records for old ones (rules 11, 21 and 22).

use outflow_contract::state_store::StateStore;
use outflow_contract::{Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::MappingCommit;
use outflow_ledger::integrity::SET_ASIDE;
use outflow_ledger::{paths, runs};

use super::locks::Reach;
use super::{Engine, orphans};
use crate::blocking;
use crate::time::{rfc3339, sync_id, unix_ms};

/// What is to be set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// A model, if one is.
    pub model: Option<String>,
    /// Mappings.
    pub mappings: Vec<String>,
}

impl Engine {
    /// What `name` stands for: `mapping:…`, `model:…`, or a name that only one of them has.
    pub async fn to_be_set_aside(&self, name: &str) -> Result<Aside> {
        let (engine, name) = (self.clone(), name.to_owned());
        blocking(move || engine.find_aside(&name)).await
    }

    fn find_aside(&self, name: &str) -> Result<Aside> {
        let store = self.store.as_ref();
        let is_mapping = |name: &str| runs::mappings(store).map(|names| names.iter().any(|mapping| mapping == name));
        let is_model = |name: &str| store.list(&paths::model(name)).map(|paths| !paths.is_empty());
        let (mapping, model) = match name.split_once(':') {
            Some(("mapping", name)) => (Some(name).filter(|name| is_mapping(name).unwrap_or_default()), None),
            Some(("model", name)) => (None, Some(name).filter(|name| is_model(name).unwrap_or_default())),
            _ => (
                Some(name).filter(|name| is_mapping(name).unwrap_or_default()),
                Some(name).filter(|name| is_model(name).unwrap_or_default()),
            ),
        };
        match (mapping, model) {
            (Some(mapping), None) => Ok(Aside { model: None, mappings: vec![mapping.to_owned()] }),
            (None, Some(model)) => Ok(Aside { model: Some(model.to_owned()), mappings: self.mappings_of(model)? }),
            (Some(_), Some(_)) => Err(Error::invalid(format!("the state has a mapping and a model `{name}`"))
                .remedy(format!("say which one: `mapping:{name}` or `model:{name}`"))),
            (None, None) => Err(Error::new(Kind::NotFound, format!("the state has no mapping and no model `{name}`"))
                .remedy("`outflow doctor` names what is damaged")),
        }
    }

    /// The mappings whose states count the versions of `model`, as far as they can be read; else the project says so.
    fn mappings_of(&self, model: &str) -> Result<Vec<String>> {
        let store = self.store.as_ref();
        let of_model = |name: &String| match orphans::place(store, name) {
            Ok(Some(place)) => place.model == model,
            Ok(None) => false,
            Err(_) => self.project.mapping(name).is_some_and(|mapping| mapping.model == model),
        };
        Ok(runs::mappings(store)?.into_iter().filter(of_model).collect())
    }

    /// Moves it out of the way, under its locks, and returns the folder that it is in now.
    pub async fn set_aside(&self, aside: &Aside, wait: bool) -> Result<String> {
        let of_model = self.project.mappings.iter().filter(|mapping| Some(&mapping.model) == aside.model.as_ref());
        let names = aside.mappings.iter().cloned().chain(of_model.map(|mapping| mapping.name.clone())).collect();
        let mut locks = self.lock_states(names, Reach::Own, wait).await?;
        if let Some(model) = &aside.model {
            locks.push(self.lock_extraction(model, wait).await?);
        }
        let (engine, aside) = (self.clone(), aside.clone());
        let folder = blocking(move || engine.move_aside(&aside)).await;
        drop(locks);
        folder
    }

    fn move_aside(&self, aside: &Aside) -> Result<String> {
        let store = self.store.as_ref();
        let to = format!("{SET_ASIDE}/{}", sync_id(self.clock.wall(), self.clock.random()));
        // Mappings first: a model without its mappings is one that they could not go on with.
        for name in &aside.mappings {
            store.set_aside(&paths::mapping(name), &format!("{to}/{}", paths::mapping(name)))?;
            self.begin_anew(store, name)?;
        }
        if let Some(model) = &aside.model {
            store.set_aside(&paths::model(model), &format!("{to}/{}", paths::model(model)))?;
        }
        Ok(format!("{}/{to}", store.location()))
    }

    fn begin_anew(&self, store: &dyn StateStore, name: &str) -> Result<()> {
        let Some(mapping) = self.project.mapping(name) else { return Ok(()) };
        let now = self.clock.wall();
        let lifetime = u64::try_from(self.request_lifetime(mapping).as_millis()).unwrap_or(u64::MAX);
        let first = MappingCommit {
            number: 1,
            at: rfc3339(now),
            origin: format!("{name}~{:016x}", self.clock.random()),
            deadline_ms: Some(unix_ms(now).saturating_add(lifetime)),
            ..self.nothing_yet(mapping)?
        };
        Chain::of_mapping(name).commit(store, &first, self.clock.random(), &format!("mapping `{name}`"))
    }
}
