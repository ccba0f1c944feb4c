//! One record of a mapping, tried out: what would be sent of it; and, where that is asked for, sending it ahead of its sync.
//!
//! Looking at it touches no state. Sending it is a sync of one record: under the mapping's lock, with a sealed plan, a journal and a
//! commit, so that it counts as delivered once the destination has acknowledged it, and is not forgotten where it has not.

mod origins;
mod standing;

use std::sync::{Arc, PoisonError};

use arrow::array::RecordBatch;
use futures::StreamExt;
use outflow_contract::destination::{Field, Origin, RecordOrigin};
use outflow_contract::expr::{Expr, Path};
use outflow_contract::limits::SAMPLE_BYTES_MAX;
use outflow_contract::outcome::{Answer, Ids, Records, Rejection, Request};
use outflow_contract::plan::{Mapping, Model};
use outflow_contract::report::{SyncReport, counted, records};
use outflow_contract::secret::Secret;
use outflow_contract::source::Query;
use outflow_contract::{Error, Key, Kind, Op, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::ModelCommit;
use outflow_ledger::requests::request_key;
use outflow_ledger::runs;
use serde_json::Value;

use crate::blocking;
use crate::deliver::{Heard, with_key};
use crate::map::{Mapper, SentBy, identifiers, is_same_id};
use crate::run::{Engine, RunOptions, identity};
use crate::time;

pub use origins::FieldOrigin;
use standing::{Standing, hashes_of};

/// What would be sent of one record.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Its identifier as JSON text.
    pub id: String,
    /// What it would count as.
    pub op: Op,
    /// All its columns, as a JSON object.
    pub record: String,
    /// The mapped fields, as JSON; empty if they could not be mapped.
    pub fields: String,
    /// Where each of them comes from.
    pub origins: Vec<FieldOrigin>,
    /// What the request carries for it, as JSON; empty if the destination's rules refuse it.
    pub payload: String,
    /// The request that carries it alone; header values may be secrets.
    pub request: Option<Request>,
    /// Why it would not be sent.
    pub refused: Option<Rejection>,
    /// What would be different if it counted as another operation that the mapping sends.
    pub others: Vec<Other>,
}

/// The same record as another operation.
#[derive(Clone, Debug)]
pub struct Other {
    /// The operation.
    pub op: Op,
    /// What the request carries for it, as JSON.
    pub payload: String,
    /// The request that carries it alone; header values may be secrets.
    pub request: Request,
}

/// What sending one record came to.
#[derive(Clone, Debug)]
pub struct SentOne {
    /// The record.
    pub tried: Tried,
    /// The sync of this one record.
    pub report: SyncReport,
    /// What the destination answered, secrets removed, if it did.
    pub answer: Option<String>,
}

impl Engine {
    /// Shows what would be sent of the record with that identifier (as text, or as JSON), or of the first that the model returns.
    pub async fn try_mapping(&self, name: &str, record: Option<&str>) -> Result<Tried> {
        let (mapping, model) = self.mapping_and_model(name)?;
        let found = self.find(model, record).await?;
        self.show(mapping, model, &found).await
    }

    /// Sends the same record, now, whether it has changed or not.
    pub async fn send_one(&self, name: &str, record: Option<&str>, wait: bool) -> Result<SentOne> {
        let (mapping, model) = self.mapping_and_model(name)?;
        if !self.is_enabled(mapping) {
            return Err(Error::invalid(format!("mapping `{name}`, or its destination, is disabled")).remedy("enable it first"));
        }
        let found = self.find(model, record).await?;
        let tried = self.show(mapping, model, &found).await?;
        let heard = Heard::default();
        let report = self
            .sync_one(mapping, model, |head| hashes_of(&found, model, head).map(|(key, _)| key), Arc::clone(&heard), &tried.id, wait)
            .await?;
        let answer = heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answer = answer.map(|answer| self.project.redactor.clean(&said(&answer)));
        Ok(SentOne { tried, report, answer })
    }

    fn mapping_and_model(&self, name: &str) -> Result<(&Mapping, &Model)> {
        let mapping = self.mapping(name)?;
        let model = self.project.model(&mapping.model).ok_or_else(|| Error::bug("a mapping without a model"))?;
        Ok((mapping, model))
    }

    /// The record, as a batch of one. Reads no further than it has to.
    async fn find(&self, model: &Model, wanted: Option<&str>) -> Result<RecordBatch> {
        let source = self.sources.get(&model.source);
        let source = source.ok_or_else(|| Error::bug(format!("the source `{}` was not opened", model.source)))?;
        let timeout = self.project.source(&model.source).and_then(|source| source.query_timeout);
        let mut batches = source.stream(&Query { sql: model.sql.clone(), timeout }).await?.into_batches();
        let mut looked = 0;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let ids = identifiers(&batch, &model.id)?;
            let is_wanted = |id: &String| !id.is_empty() && wanted.is_none_or(|wanted| is_same_id(id, wanted));
            if let Some(row) = ids.iter().position(is_wanted) {
                return Ok(batch.slice(row, 1));
            }
            looked += batch.num_rows() as u64;
        }
        let (ids, model) = (&model.id, &model.name);
        Err(match wanted {
            Some(wanted) => Error::new(
                Kind::NotFound,
                format!("model `{model}` returns no record with the identifier {wanted} ({} looked at)", records(looked)),
            )
            .remedy(if ids.len() > 1 && !wanted.starts_with('{') {
                let members: Vec<String> = ids.iter().map(|id| format!("{}: …", Value::from(id.as_str()))).collect();
                format!("its identifier has several columns: give {{{}}}", members.join(", "))
            } else {
                format!("`outflow preview {model}` shows some that it returns")
            }),
            None => Error::new(Kind::NotFound, format!("model `{model}` returns no record")).remedy("mend the query, or its data"),
        })
    }

    /// Maps, shapes and encodes it.
    async fn show(&self, mapping: &Mapping, model: &Model, record: &RecordBatch) -> Result<Tried> {
        let destination = self.destinations.get(&mapping.name).ok_or_else(|| Error::bug("a mapping without a destination"))?;
        let state = self.state_of(mapping).await?;
        let identity = identity::of(mapping, state.as_ref());
        let (head, epoch) = self.head_and_epoch(mapping).await?;
        let Standing { op, id } = match head {
            Some(head) => self.standing(mapping, model, record, head, state, (&identity, epoch)).await?,
            // Whatever the record is, its hashes are not known before the first extraction.
            None => Standing { op: Op::Added, id: identity.record_id(Key(0), 1) },
        };
        // What the mapping does not send of it is shown as what it would send.
        let selected = |op: Op| mapping.selection.contains(op);
        let op = if selected(op) { op } else { Op::ALL.into_iter().find(|&op| selected(op)).unwrap_or(op) };
        let sync = SentBy::new("test", time::timestamp(self.clock.wall()));
        let json = |expr: &Expr, declared: Option<&[Field]>, op: Op| -> Result<_> {
            let mapper = Mapper::compile(expr, declared, record.schema_ref(), &model.id, &self.project.limits)?;
            mapper.map(record, &[op], &sync, &[0])
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let columns = json(&Expr::Path(Path { segments: Vec::new() }), None, op)?;
        let mapped = json(&mapping.fields, mapping.declared.as_deref(), op)?;
        let names: Vec<&str> = record.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        let as_mapped: Value = serde_json::from_slice(&mapped.bytes).unwrap_or_default();
        let mut tried = Tried {
            id: mapped.ids.get(0).or(columns.ids.get(0)).unwrap_or_default().to_owned(),
            op,
            record: text(&columns.bytes),
            fields: text(&mapped.bytes),
            origins: origins::origins(&mapping.fields, &mapping.fields_written, &as_mapped, &names),
            payload: String::new(),
            request: None,
            refused: mapped.failed.into_iter().next().map(|failed| failed.rejection),
            others: Vec::new(),
        };
        if tried.refused.is_some() {
            return Ok(tried);
        }
        let mapper = Mapper::compile(&mapping.fields, mapping.declared.as_deref(), record.schema_ref(), &model.id, &self.project.limits)?;
        let schema = mapper.payload_schema().cloned();
        let request = |mapped: &[u8], op: Op| -> Result<Result<(String, Request), Rejection>> {
            let mut payload = Vec::new();
            if let Err(rejection) = destination.shape(mapped, &RecordOrigin { id, op }, &mut payload) {
                return Ok(Err(rejection));
            }
            let (shown, ends) = (text(&payload), vec![payload.len()]);
            let ids = Ids::from_iter([&tried.id]);
            let carried = Records { bytes: payload.into(), ends, ops: vec![op], ids, schema: schema.clone() };
            let request = destination.encode(&carried, &Origin { mapping: identity.origin.clone(), epoch, sequence: 0 })?;
            let key = request_key(&identity.origin, epoch, 0, request.body());
            let mut request = with_key(request, destination.idempotency_header(), key);
            if let (Some(grant), Request::Http(http)) = (destination.token_grant(), &mut request) {
                grant.authorize(&Secret::new("issued when it is sent"), http);
            }
            Ok(Ok((shown, request)))
        };
        let (first, mut others) = (request(&mapped.bytes, op)?, Vec::new());
        for other in Op::ALL.into_iter().filter(|&other| other != op && mapping.selection.contains(other)) {
            let mapped = json(&mapping.fields, mapping.declared.as_deref(), other)?;
            if let (true, Ok((payload, request))) = (mapped.failed.is_empty(), request(&mapped.bytes, other)?)
                && first.as_ref().is_ok_and(|(_, first)| !is_same_request(first, &request))
            {
                others.push(Other { op: other, payload, request });
            }
        }
        match first {
            Ok((payload, request)) => (tried.payload, tried.request, tried.others) = (payload, Some(request), others),
            Err(rejection) => tried.refused = Some(rejection),
        }
        Ok(tried)
    }

    async fn head_and_epoch(&self, mapping: &Mapping) -> Result<(Option<ModelCommit>, u64)> {
        let (store, model, mapping) = (Arc::clone(&self.store), mapping.model.clone(), mapping.name.clone());
        blocking(move || Ok((Chain::of_model(&model).head(store.as_ref())?, runs::next_epoch(store.as_ref(), &mapping)?))).await
    }

    /// A sync of nothing but the record whose key `key` tells, once the model's version is there.
    async fn sync_one(
        &self,
        mapping: &Mapping,
        model: &Model,
        key: impl FnOnce(&ModelCommit) -> Result<Key>,
        heard: Heard,
        id: &str,
        wait: bool,
    ) -> Result<SyncReport> {
        let _locks = self.lock_and_recover(&[mapping], wait).await?;
        if self.state_of(mapping).await?.is_some_and(|state| state.paused.is_some()) {
            let name = &mapping.name;
            return Err(Error::invalid(format!("mapping `{name}` is paused")).remedy(format!("`outflow resume {name}` ends the pause")));
        }
        let extracted = self.extract(model).await?;
        let key = key(&extracted.head)?;
        let options = RunOptions { mappings: vec![mapping.name.clone()], wait, ..RunOptions::default() };
        let note = format!("a test: {} with the identifier {id}, sent ahead of its sync", counted(1, "record"));
        Ok(self.sync_of_one(mapping, &extracted, key, heard, note, &options).await)
    }
}

/// Do both go to the same place with the same body?
fn is_same_request(a: &Request, b: &Request) -> bool {
    let place = |request: &Request| match request {
        Request::Http(http) => Some((http.method.clone(), http.url.clone())),
        Request::File(_) => None,
    };
    place(a) == place(b) && a.body() == b.body()
}

/// An answer in words.
fn said(answer: &Answer) -> String {
    match answer {
        Answer::Written => "written".to_owned(),
        Answer::Http(response) => {
            let cut = response.body.len().min(SAMPLE_BYTES_MAX);
            format!("{}\n{}", response.status, String::from_utf8_lossy(&response.body[..cut])).trim_end().to_owned()
        }
    }
}
