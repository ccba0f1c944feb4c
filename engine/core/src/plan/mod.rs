//! plan: what a run would do. The same path as a run, over a state that is thrown away, up to the point where the first byte would leave.

mod overlay;
mod samples;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use outflow_contract::outcome::Rejection;
use outflow_contract::plan::Mapping;
use outflow_contract::report::Tally;
use outflow_contract::{Error, Kind, Op, Result};
use outflow_ledger::requests::Identity;
use serde::Serialize;

use crate::blocking;
use crate::deliver::batch::Batcher;
use crate::deliver::payloads;
use crate::extract::Extracted;
use crate::map::{Mapper, SentBy};
use crate::run::{Engine, RunOptions, identity, siblings, stopped_by_guard};
use crate::seal::{Sealed, Sealing};
use crate::snapshot::schema_of;
use crate::time;

pub use overlay::Overlay;

/// What a run of one mapping would do.
#[derive(Clone, Debug, Serialize)]
pub struct MappingPlan {
    /// The mapping.
    pub mapping: String,
    /// Its model.
    pub model: String,
    /// Its destination.
    pub destination: String,
    /// Records that the model returned.
    pub extracted: u64,
    /// Records that were not accepted.
    pub rejected: u64,
    /// Records that would be sent.
    pub selected: Tally,
    /// Records that would be, and are set aside.
    pub set_aside: Tally,
    /// Changes that this mapping does not send.
    pub skipped: u64,
    /// Requests that they make.
    pub requests: u64,
    /// Bytes of the payloads.
    pub bytes: u64,
    /// Seconds that the destination's rate limit asks for, if there is one.
    pub seconds_at_rate_limit: Option<f64>,
    /// Records that would be refused before they are sent.
    pub refused: u64,
    /// Why, by code.
    pub refusals: Vec<Refusal>,
    /// Records that were not accepted, by reason.
    pub rejections: BTreeMap<String, u64>,
    /// What would stop it, or is worth knowing.
    pub notices: Vec<String>,
    /// A guard would stop it.
    pub blocked: bool,
    /// It would send nothing, since it is disabled.
    pub disabled: bool,
    /// It would send nothing, since it is paused.
    pub paused: bool,
    /// A few records of each operation.
    pub samples: Vec<Sample>,
}

/// Records that would be refused before they are sent, for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// The code, such as `missing_field`.
    pub code: String,
    /// What is wrong with the first of them.
    pub message: String,
    /// The identifier of the first of them, as JSON text.
    pub id: String,
    /// How many.
    pub records: u64,
}

/// One record that would be sent.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// What would happen to it.
    pub op: Op,
    /// Its identifier as JSON text.
    pub id: String,
    /// What would be sent, as JSON text.
    pub payload: String,
    /// For an update: the columns that differ.
    pub changes: Vec<FieldChange>,
}

/// A column of an updated record.
#[derive(Clone, Debug, Serialize)]
pub struct FieldChange {
    /// Its name.
    pub column: String,
    /// Its value before, as JSON text.
    pub before: String,
    /// Its value now, as JSON text.
    pub after: String,
    /// The mapping uses it.
    pub mapped: bool,
}

impl Engine {
    /// Extracts and diffs, and says what a run would send. The state stays as it is.
    pub async fn plan(&self, options: &RunOptions) -> Result<Vec<MappingPlan>> {
        let shadow = Self { store: Arc::new(Overlay::new(Arc::clone(&self.store))?), ..self.clone() };
        let mut plans = Vec::new();
        for (model, mappings) in shadow.by_model(&options.mappings) {
            let locks = shadow.lock_and_recover(&mappings, options.wait).await?;
            match shadow.extract(model).await {
                Ok(extracted) => {
                    for mapping in mappings {
                        plans.push(shadow.plan_mapping(mapping, &extracted, options).await?);
                    }
                }
                // The others can be told all the same.
                Err(error) => plans.extend(mappings.into_iter().map(|mapping| MappingPlan::failed(mapping, &error))),
            }
            drop(locks);
        }
        Ok(plans)
    }

    async fn plan_mapping(&self, mapping: &Mapping, extracted: &Extracted, options: &RunOptions) -> Result<MappingPlan> {
        let shared = !siblings(self, mapping)?.is_empty();
        let (state, asks) = match identity::state_of(self, mapping).await {
            Ok(state) => (state, None),
            Err(error) if error.kind() == Kind::Invalid => (self.state_of(mapping).await?, Some(error)),
            Err(error) => return Err(error),
        };
        let (store, head, owned, base) = (Arc::clone(&self.store), extracted.head.clone(), mapping.clone(), state.clone());
        let sealed = blocking(move || {
            let (store, state) = (store.as_ref(), base.as_ref());
            Sealing { store, head: &head, state, mapping: &owned, shared, only: None, asked_for: false, epoch: 0 }.seal()
        })
        .await?;
        let mut plan = MappingPlan {
            mapping: mapping.name.clone(),
            model: mapping.model.clone(),
            destination: mapping.destination.clone(),
            extracted: extracted.extracted,
            rejected: extracted.rejected.values().map(|rejected| rejected.records).sum(),
            selected: sealed.selected.into(),
            set_aside: sealed.set_aside.into(),
            skipped: sealed.net.total() - sealed.selected.total() - sealed.set_aside.total(),
            requests: 0,
            bytes: 0,
            seconds_at_rate_limit: None,
            refused: 0,
            refusals: Vec::new(),
            rejections: extracted.rejected.iter().map(|(reason, rejected)| (reason.clone(), rejected.records)).collect(),
            notices: extracted.notices.clone(),
            blocked: false,
            disabled: !self.is_enabled(mapping),
            paused: false,
            samples: Vec::new(),
        };
        if let Some(error) = asks {
            plan.blocked = true;
            let remedy = error.remedy_text().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            plan.notices.push(format!("a run would stop here: {error}{remedy}"));
        }
        if let Some(reason) = state.as_ref().and_then(|state| state.paused.as_ref()) {
            plan.paused = true;
            let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            plan.notices.push(format!("paused{reason}: a run would send nothing until `outflow resume {}`", mapping.name));
        }
        if let Some(stopped) = stopped_by_guard(mapping, &extracted.head, state.as_ref(), &sealed, options.allowed) {
            plan.blocked = true;
            plan.notices.push(format!("a guard would stop this: {}; {} passes it once", stopped.message, stopped.flag));
        }
        let sealed = Arc::new(sealed);
        self.estimate(&mut plan, mapping, extracted, &sealed, identity::of(mapping, state.as_ref())).await?;
        Ok(plan)
    }

    /// Maps everything that would be sent and cuts it into requests, without sending any.
    async fn estimate(
        &self,
        plan: &mut MappingPlan,
        mapping: &Mapping,
        extracted: &Extracted,
        sealed: &Arc<Sealed>,
        identity: Identity,
    ) -> Result<()> {
        let destination = self.destinations.get(&mapping.name).ok_or_else(|| Error::bug("a mapping without a destination"))?;
        let model = self.project.model(&mapping.model).ok_or_else(|| Error::bug("a mapping without a model"))?;
        let schema = schema_of(&extracted.head)?;
        let (fields, declared) = (&mapping.fields, mapping.declared.as_deref());
        let mapper = Mapper::compile_for(destination.as_ref(), fields, declared, &schema, &model.id, &self.project.limits)?;
        let reading = Arc::new(payloads::Reading {
            store: Arc::clone(&self.store),
            mapping: Arc::new(mapping.clone()),
            mapper: Arc::new(mapper),
            destination: Arc::clone(destination),
            identity,
            epoch: 0,
            schema,
            sealed: Arc::clone(sealed),
            sync: SentBy::new("plan", time::timestamp(self.clock.wall())),
            id: model.id.clone(),
            limits: self.project.limits.clone(),
        });
        let mut batcher = Batcher::new(destination.limits());
        let mut chunks = Box::pin(payloads::stream(Arc::clone(&reading), |_, _| true));
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            plan.refuse(chunk.failed.into_iter().map(|failed| (failed.id, failed.why)));
            plan.bytes += chunk.draft.records.bytes.len() as u64;
            plan.requests += batcher.push(chunk.draft).len() as u64;
            plan.refuse(batcher.take_rejected().into_iter().map(|large| (large.id, large.why)));
        }
        plan.requests += u64::from(batcher.finish().is_some());
        let rate = self.project.destination(&mapping.destination).and_then(|destination| destination.rate_limit);
        plan.seconds_at_rate_limit = rate.map(|rate| plan.requests as f64 * rate.per.as_secs_f64() / f64::from(rate.requests.max(1)));
        let files = extracted.head.files.clone();
        plan.samples = blocking(move || samples::take(&reading, &files)).await?;
        for sample in &mut plan.samples {
            sample.payload = self.project.redactor.clean(&sample.payload);
        }
        Ok(())
    }
}

impl MappingPlan {
    /// Records that would be refused, with their identifiers.
    fn refuse(&mut self, records: impl Iterator<Item = (String, Rejection)>) {
        for (id, why) in records {
            self.refused += 1;
            match self.refusals.iter_mut().find(|refusal| refusal.code == why.code) {
                Some(refusal) => refusal.records += 1,
                None => self.refusals.push(Refusal { code: why.code, message: why.message, id, records: 1 }),
            }
        }
    }

    /// Of a mapping whose model could not be asked.
    fn failed(mapping: &Mapping, error: &Error) -> Self {
        let remedy = error.remedy_text().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        Self {
            mapping: mapping.name.clone(),
            model: mapping.model.clone(),
            destination: mapping.destination.clone(),
            extracted: 0,
            rejected: 0,
            selected: Tally::default(),
            set_aside: Tally::default(),
            skipped: 0,
            requests: 0,
            bytes: 0,
            seconds_at_rate_limit: None,
            refused: 0,
            refusals: Vec::new(),
            rejections: BTreeMap::new(),
            notices: vec![format!("a run would fail here: {error}{remedy}")],
            blocked: true,
            disabled: false,
            paused: false,
            samples: Vec::new(),
        }
    }
}
