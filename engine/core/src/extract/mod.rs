//! extract: one pass over a model's result, and one new version of the model.
//!
//! ```text
//! source ─► batches ─┬─► worker 0 ─► part 0 (changed records with their values), spilled keys
//!                    └─► worker 1 ─► part 1
//! the stream has ended well ─► duplicates out ─► deletes ─► key index ─► commit of the version (durable)
//! ```
//!
//! A stream that ends in an error leaves nothing behind: parts without a commit are not part of the state (I7).
//! Memory: the key index of the snapshot, and a few batches for each worker.

mod duplicates;
mod publish;
mod rebase;
mod reject;
mod sizes;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use futures::StreamExt;
use outflow_contract::clock::Clock;
use outflow_contract::limits::Limits;
use outflow_contract::plan::{Model, OnBadId};
use outflow_contract::report::{Rejected, records};
use outflow_contract::source::RecordStream;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Counts, Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::ModelCommit;
use tokio::sync::mpsc;

use crate::blocking;
use crate::diff::{HASH_FORMAT, RecordHasher, Spill};
use crate::snapshot::schema_of;
use crate::snapshot::{KeyIndex, index_file};
pub(crate) use publish::hash_key;
use reject::{Reason, Rejections};
use worker::{Part, Shared, Worker};

/// Batches that may wait for a worker.
const QUEUE: usize = 2;

/// What an extraction works with.
pub struct Extraction<'a> {
    /// Where the state is.
    pub store: Arc<dyn StateStore>,
    /// Time and nonces.
    pub clock: &'a dyn Clock,
    /// The model.
    pub model: &'a Model,
    /// The project's limits.
    pub limits: &'a Limits,
    /// Threads that hash and compare.
    pub workers: usize,
    /// Counts records as they arrive, for the progress display.
    pub progress: Arc<AtomicU64>,
}

/// What an extraction found.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// The model's head now.
    pub head: ModelCommit,
    /// Records that the query returned.
    pub extracted: u64,
    /// Changes since the version before.
    pub counts: Counts,
    /// Records that are the same as before.
    pub unchanged: u64,
    /// Records that were not accepted.
    pub rejected: BTreeMap<String, Rejected>,
    /// Things worth knowing.
    pub notices: Vec<String>,
}

impl Extracted {
    /// Of the version that the state has, without another extraction.
    pub fn of(head: ModelCommit) -> Self {
        Self { head, extracted: 0, counts: Counts::default(), unchanged: 0, rejected: BTreeMap::new(), notices: Vec::new() }
    }
}

/// The sum of the workers.
#[derive(Default)]
struct Gathered {
    parts: Vec<Part>,
    spills: Vec<Spill>,
    rejections: Rejections,
    repeated: Vec<outflow_contract::Key>,
    counts: Counts,
    unchanged: u64,
    extracted: u64,
    nulls: Vec<u64>,
}

impl Extraction<'_> {
    /// Reads `stream` to its end and commits what changed as the model's next version.
    pub async fn run(&self, stream: RecordStream) -> Result<Extracted> {
        let (store, chain) = (Arc::clone(&self.store), Chain::of_model(&self.model.name));
        let head: Option<ModelCommit> = blocking(move || chain.head(store.as_ref())).await?;
        let known = head.as_ref().map(schema_of).transpose()?;
        let schema = record_schema(&stream.schema, known.as_deref(), self.limits)?;
        if let Some(head) = &head {
            self.same_identity(head, &schema)?;
        }
        let salt = head.as_ref().map_or_else(|| publish::new_salt(self.clock), |head| head.salt);
        let key = publish::hash_key(salt);
        let hasher = RecordHasher::new(&key, &schema, &self.model.id, None)?;
        let (index, comparing) = self.snapshot(head.clone(), &schema, key).await?;
        let mut notices = Vec::new();
        if comparing.is_some() {
            notices.push("the query returns other columns than last time: what is common to both was compared".to_owned());
        }
        let scratch = self.store.scratch()?;
        let shared = Arc::new(Shared {
            store: Arc::clone(&self.store),
            index: Arc::new(index),
            hasher,
            id: self.model.id.iter().filter_map(|id| schema.index_of(id).ok()).collect(),
            schema: Arc::clone(&schema),
            limits: self.limits.clone(),
            version: head.as_ref().map_or(0, |head| head.version) + 1,
            comparing,
        });
        let publication = publish::Publication::new(self, head, Arc::clone(&shared), salt, notices);
        let workers = (0..self.workers).map(|i| {
            let spill = Spill::new(scratch.path(), i);
            Worker::new(Arc::clone(&shared), publication.output(i, "changes"), publication.output(self.workers + i, "snapshot"), spill)
        });
        let workers = workers.collect();
        let gathered = self.gather(stream, &schema, workers).await?;
        self.policies(&gathered)?;
        blocking(move || publication.publish(gathered)).await
    }

    /// The snapshot to compare with, and what to compare by if the columns have changed.
    async fn snapshot(&self, head: Option<ModelCommit>, schema: &SchemaRef, key: [u8; 32]) -> Result<(KeyIndex, Option<RecordHasher>)> {
        let Some(head) = head else { return Ok((KeyIndex::default(), None)) };
        let (store, schema) = (Arc::clone(&self.store), Arc::clone(schema));
        blocking(move || {
            let mut index = index_file::load(store.as_ref(), &head)?;
            let Some(common) = rebase::common_columns(&*schema_of(&head)?, &schema) else { return Ok((index, None)) };
            let shared: SchemaRef =
                Arc::new(Schema::new(schema.fields().iter().filter(|f| common.contains(f.name())).cloned().collect::<Vec<_>>()));
            let over_old = RecordHasher::projected(&key, &shared, &common)?;
            rebase::compare_common(store.as_ref(), &head, &mut index, &over_old, &shared)?;
            Ok((index, Some(RecordHasher::projected(&key, &schema, &common)?)))
        })
        .await
    }

    /// Feeds every batch to the workers and adds up what they found.
    async fn gather(&self, mut stream: RecordStream, schema: &SchemaRef, workers: Vec<Worker>) -> Result<Gathered> {
        let (senders, tasks): (Vec<_>, Vec<_>) = workers.into_iter().map(spawn).unzip();
        let mut total = 0u64;
        let mut next = 0;
        while let Some(batch) = stream.batches.next().await {
            let batch = relabel(&batch?, schema)?;
            total += batch.num_rows() as u64;
            self.progress.store(total, Ordering::Relaxed);
            if total > self.limits.records {
                return Err(Error::new(
                    Kind::Limit,
                    format!("model `{}` returns more than {} records", self.model.name, self.limits.records),
                )
                .remedy("narrow the query, or raise `limits: { records: … }`"));
            }
            // A worker that has failed has closed its queue: its error is told below.
            if senders[next].send(batch).await.is_err() {
                break;
            }
            next = (next + 1) % senders.len();
        }
        drop(senders);
        let mut gathered = Gathered { nulls: vec![0; schema.fields().len()], ..Gathered::default() };
        for task in tasks {
            let (worker, parts) = task.await.map_err(|e| Error::bug("an extraction worker stopped").caused_by(e))??;
            gathered.parts.extend(parts);
            gathered.spills.push(worker.spill);
            gathered.rejections.merge(worker.rejections);
            gathered.repeated.extend(worker.repeated);
            for op in outflow_contract::Op::ALL {
                gathered.counts.add(op, worker.counts.get(op));
            }
            gathered.unchanged += worker.unchanged;
            gathered.extracted += worker.extracted;
            gathered.nulls.iter_mut().zip(&worker.nulls).for_each(|(sum, nulls)| *sum += nulls);
        }
        Ok(gathered)
    }

    fn same_identity(&self, head: &ModelCommit, schema: &Schema) -> Result<()> {
        if head.hash_format != HASH_FORMAT {
            return Err(Error::corrupt(format!(
                "the state of model `{}` was hashed in form {}; this version knows {HASH_FORMAT}",
                self.model.name, head.hash_format
            ))
            .remedy("use the version of Outflow that wrote it, or start with a new state folder"));
        }
        if head.id == self.model.id {
            return self.same_kind_of_identity(&*schema_of(head)?, schema);
        }
        let (old, new) = (head.id.join(", "), self.model.id.join(", "));
        Err(Error::invalid(format!(
            "the identifier of model `{}` was `{old}` and is now `{new}`: every record would look new and every known one deleted",
            self.model.name
        ))
        .remedy(format!("put `id: {old}` back, or {START_AFRESH}")))
    }

    /// A number is never equal to a text: if one odd value made an identifier column text, every record would look new.
    fn same_kind_of_identity(&self, old: &Schema, new: &Schema) -> Result<()> {
        for id in &self.model.id {
            let (Ok(old), Ok(new)) = (old.field_with_name(id), new.field_with_name(id)) else { continue };
            let (was, is) = (kind_of(old.data_type()), kind_of(new.data_type()));
            if was != is && was != Comparable::Null && is != Comparable::Null {
                let message = format!(
                    "the identifier `{id}` of model `{}` was of type {} and is now {}: every record would look new and every known one deleted",
                    self.model.name,
                    old.data_type(),
                    new.data_type()
                );
                let remedy = format!("force its type in the table's `columns:` or with CAST in the query, or {START_AFRESH}");
                return Err(Error::invalid(message).remedy(remedy));
            }
        }
        Ok(())
    }

    fn policies(&self, gathered: &Gathered) -> Result<()> {
        let nulls = gathered.rejections.get(Reason::NullId);
        if self.model.on_null_id == OnBadId::Abort && nulls > 0 {
            return Err(Error::new(Kind::Refused, format!("{} of model `{}` with a null identifier", records(nulls), self.model.name))
                .remedy("mend the query, or let `on_null_id: reject` leave them out"));
        }
        Ok(())
    }
}

/// What values of an identifier can be equal to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparable {
    Null,
    Number,
    Text,
    Other(std::mem::Discriminant<DataType>),
}

fn kind_of(kind: &DataType) -> Comparable {
    match kind {
        DataType::Null => Comparable::Null,
        DataType::Dictionary(_, value) => kind_of(value),
        DataType::RunEndEncoded(_, value) => kind_of(value.data_type()),
        kind if kind.is_numeric() => Comparable::Number,
        kind if kind.is_string() => Comparable::Text,
        kind => Comparable::Other(std::mem::discriminant(kind)),
    }
}

type WorkerTask = tokio::task::JoinHandle<Result<(Worker, Vec<Part>)>>;

fn spawn(mut worker: Worker) -> (mpsc::Sender<RecordBatch>, WorkerTask) {
    let (sender, mut batches) = mpsc::channel::<RecordBatch>(QUEUE);
    let task = tokio::task::spawn_blocking(move || {
        while let Some(batch) = batches.blocking_recv() {
            worker.take(&batch)?;
        }
        let parts = worker.finish()?;
        Ok((worker, parts))
    });
    (sender, task)
}

/// What to do where a model is meant to have another identifier.
const START_AFRESH: &str = "give the model a new name, and send everything of its mappings again with `outflow reset MAPPING`, or count \
                            it as delivered with `outflow baseline MAPPING`";

/// The columns of a record, as the state keeps them: all nullable, since a column that is new has no older values. One that comes without a
/// type, as those of a text file without a record do, has the type that is `known` of it.
fn record_schema(schema: &Schema, known: Option<&Schema>, limits: &Limits) -> Result<SchemaRef> {
    if schema.fields().len() > limits.columns {
        return Err(Error::new(
            Kind::Limit,
            format!("the query returns {} columns; the limit is {}", schema.fields().len(), limits.columns),
        )
        .remedy("name the columns that you need, or raise `limits: { columns: … }`"));
    }
    let mut seen = std::collections::HashSet::new();
    for field in schema.fields() {
        let name = field.name();
        if name.chars().count() > limits.column_name {
            return Err(Error::new(Kind::Limit, format!("the column name `{name}` is longer than {} characters", limits.column_name))
                .remedy("give it a shorter alias in the query"));
        }
        if !seen.insert(name) {
            return Err(
                Error::invalid(format!("the query returns two columns named `{name}`")).remedy("give one of them another name with AS")
            );
        }
    }
    if let Some(field) = schema.fields().iter().find(|field| has_interval(field.data_type())) {
        let name = field.name();
        return Err(Error::invalid(format!("the column `{name}` holds intervals, which the state cannot keep"))
            .remedy(format!("send them as text: CAST({name} AS VARCHAR) AS {name}")));
    }
    let typed = |field: &Field| {
        let known = known.filter(|_| field.data_type() == &DataType::Null).and_then(|known| known.field_with_name(field.name()).ok());
        known.unwrap_or(field).clone().with_nullable(true)
    };
    let fields: Vec<_> = schema.fields().iter().map(|field| typed(field)).collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// Parquet has no such type.
fn has_interval(data_type: &DataType) -> bool {
    match data_type {
        DataType::Interval(_) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::Map(item, _) => {
            has_interval(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_interval(field.data_type())),
        _ => false,
    }
}

/// The same columns under the record schema.
fn relabel(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let typed = |(column, field): (&ArrayRef, &FieldRef)| match column.data_type() {
        DataType::Null => new_null_array(field.data_type(), batch.num_rows()),
        _ => Arc::clone(column),
    };
    RecordBatch::try_new(Arc::clone(schema), batch.columns().iter().zip(schema.fields()).map(typed).collect())
        .map_err(|e| Error::bug("the source returned a batch of another schema").caused_by(e))
}
