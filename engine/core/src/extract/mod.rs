//! extract: one pass over a model's result, and one new version of the model.
//!
//! ```text
//! source ─► partitions ─► DiffExec ─► changes ─┬─► writer 0 ─► part 0 (changed records with their values), spilled keys
//!                                              └─► writer 1 ─► part 1
//! the stream has ended well ─► duplicates out ─► deletes ─► hash file ─► commit of the version (durable)
//! ```
//!
//! A stream that ends in an error leaves nothing behind: parts without a commit are not part of the state (I7).
//! Memory: that of [`crate::diff`], a row group for each writer, and the keys of a segment; keys of changed records, and deleted ones, wait in
//! [`crate::scratch`] until the stream has ended.

#[cfg(test)]
mod differential;
mod duplicates;
#[cfg(test)]
mod memory;
mod publish;
mod rebase;
mod segments;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use futures::StreamExt;
use futures::stream::BoxStream;
use outflow_contract::clock::Clock;
use outflow_contract::limits::Limits;
use outflow_contract::plan::{Model, OnBadId};
use outflow_contract::report::{Rejected, records};
use outflow_contract::source::{RecordStream, is_json};
use outflow_contract::state_store::StateStore;
use outflow_contract::{Counts, Error, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::ModelCommit;
use tokio::sync::mpsc;

use crate::blocking;
use crate::diff::{Comparison, DiffExec, HASH_FORMAT, Outdated, Reason, Rebase, RecordHasher, Tally, can_be_equal, source_of, told};
use crate::scratch::{ByPlace, Folder, Piles};
use crate::snapshot::{HashSnapshot, Indexed, SEGMENTS, schema_of};
pub(crate) use publish::hash_key;
use writer::{Part, Writer};

/// Batches that may wait for a writer.
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
    /// Threads that compare, and as many that write.
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

/// What the diff and the writers found.
#[derive(Default)]
struct Gathered {
    tally: Tally,
    parts: Vec<Part>,
    /// The state of each record that has changed, by segment of its key.
    keys: Vec<Piles<Indexed>>,
    /// Records that are no longer returned, with their state before.
    deleted: Vec<ByPlace<Indexed>>,
}

impl Gathered {
    /// What has changed in a segment, by key and then by place.
    fn changed(&self, segment: usize) -> Result<Vec<Indexed>> {
        let mut changed = Vec::new();
        for keys in &self.keys {
            keys.read(segment, &mut changed)?;
        }
        changed.sort_unstable_by_key(|record| (record.key, record.at));
        Ok(changed)
    }
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
        let scratch = Folder::new(self.store.as_ref(), self.limits.memory_bytes)?;
        let (snapshot, rebase) = self.snapshot(head.clone(), &schema, key, &scratch).await?;
        let common = known.as_deref().and_then(|known| rebase::common_columns(known, &schema));
        let mut notices = Vec::new();
        if rebase.is_some() {
            notices.push("the query returns other columns than last time: what is common to both was compared".to_owned());
        }
        let diff = Arc::new(Comparison {
            snapshot,
            hasher,
            id: self.model.id.iter().filter_map(|id| schema.index_of(id).ok()).collect(),
            schema: Arc::clone(&schema),
            limits: self.limits.clone(),
            version: head.as_ref().map_or(0, |head| head.version) + 1,
            null_ids: head.as_ref().map_or(0, |head| head.extraction.null_ids),
            rebase,
            outdated: Outdated::new(Arc::clone(&self.store), head.as_ref(), key, &schema, common),
            scratch,
            threads: self.workers,
        });
        let publication = publish::Publication::new(self, head, Arc::clone(&diff), salt, notices);
        let workers = self.workers.max(1);
        let writers = (0..workers).map(|i| {
            let (changes, snapshot) = (publication.output(i, "changes"), publication.output(workers + i, "snapshot"));
            let keys = Piles::new(&diff.scratch, "keys", SEGMENTS);
            let deleted = ByPlace::new(&diff.scratch, "deleted", publication.known_files());
            Writer::new(Arc::clone(&self.store), changes, snapshot, diff.rebase.is_some(), keys, deleted)
        });
        let writers = writers.collect();
        let gathered = self.gather(stream, diff, writers).await?;
        self.policies(&gathered.tally)?;
        blocking(move || publication.publish(gathered)).await
    }

    /// The snapshot to compare with, and what to compare by if the columns have changed.
    async fn snapshot(
        &self,
        head: Option<ModelCommit>,
        schema: &SchemaRef,
        key: [u8; 32],
        scratch: &Arc<Folder>,
    ) -> Result<(HashSnapshot, Option<Rebase>)> {
        let Some(head) = head else { return Ok((HashSnapshot::default(), None)) };
        let (store, schema, scratch) = (Arc::clone(&self.store), Arc::clone(schema), Arc::clone(scratch));
        blocking(move || {
            let snapshot = HashSnapshot::open(store.as_ref(), &head)?;
            let Some(common) = rebase::common_columns(&*schema_of(&head)?, &schema) else { return Ok((snapshot, None)) };
            let rebase = rebase::compare_common(store.as_ref(), &head, &snapshot, &key, &common, &schema, &scratch)?;
            Ok((snapshot, Some(rebase)))
        })
        .await
    }

    /// Compares every record, and hands what has changed to the writers.
    async fn gather(&self, stream: RecordStream, diff: Arc<Comparison>, writers: Vec<Writer>) -> Result<Gathered> {
        let plan = DiffExec::new(source_of(self.counted(stream), &diff.schema)?, diff);
        let mut changes = plan.execute(0, self.task()?).map_err(told)?;
        let (senders, tasks): (Vec<_>, Vec<_>) = writers.into_iter().map(spawn).unzip();
        let mut next = 0;
        while let Some(batch) = changes.next().await {
            // A writer that has failed has closed its queue: its error is told below.
            if senders[next].send(batch.map_err(told)?).await.is_err() {
                break;
            }
            next = (next + 1) % senders.len();
        }
        drop((senders, changes));
        let mut gathered = Gathered::default();
        for task in tasks {
            let (writer, parts) = task.await.map_err(|e| Error::bug("an extraction's writer stopped").caused_by(e))??;
            gathered.parts.extend(parts);
            gathered.keys.push(writer.keys);
            gathered.deleted.push(writer.deleted);
        }
        gathered.tally = plan.tally();
        tracing::debug!(model = self.model.name, "{}", DisplayableExecutionPlan::with_metrics(&plan).indent(true));
        Ok(gathered)
    }

    /// The stream, counted as it arrives: for the display, and for the limit.
    fn counted(&self, stream: RecordStream) -> RecordStream {
        let (model, limit) = (self.model.name.clone(), self.limits.records);
        let count = |batches: BoxStream<'static, Result<RecordBatch>>| {
            let (progress, model) = (Arc::clone(&self.progress), model.clone());
            let counted = batches.map(move |batch| {
                let batch = batch?;
                let more = batch.num_rows() as u64;
                if progress.fetch_add(more, Ordering::Relaxed) + more <= limit {
                    return Ok(batch);
                }
                Err(Error::new(Kind::Limit, format!("model `{model}` returns more than {limit} records"))
                    .remedy("narrow the query, or raise `limits: { records: … }`"))
            });
            counted.boxed()
        };
        RecordStream { schema: stream.schema, partitions: stream.partitions.into_iter().map(count).collect() }
    }

    fn task(&self) -> Result<Arc<TaskContext>> {
        let Some(bytes) = self.limits.memory_bytes else { return Ok(Arc::default()) };
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes))).build_arc().map_err(told)?;
        Ok(Arc::new(TaskContext::default().with_runtime(runtime)))
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
            if can_be_equal(old, new) {
                continue;
            }
            let kind = |field: &Field| if is_json(field) { "json".to_owned() } else { field.data_type().to_string() };
            let message = format!(
                "the identifier `{id}` of model `{}` was of type {} and is now {}: every record would look new and every known one deleted",
                self.model.name,
                kind(old),
                kind(new)
            );
            let remedy = format!("force its type in the table's `columns:` or with CAST in the query, or {START_AFRESH}");
            return Err(Error::invalid(message).remedy(remedy));
        }
        Ok(())
    }

    fn policies(&self, tally: &Tally) -> Result<()> {
        let nulls = tally.rejections.get(Reason::NullId);
        if self.model.on_null_id == OnBadId::Abort && nulls > 0 {
            return Err(Error::new(Kind::Refused, format!("{} of model `{}` with a null identifier", records(nulls), self.model.name))
                .remedy("mend the query, or let `on_null_id: reject` leave them out"));
        }
        Ok(())
    }
}

type WriterTask = tokio::task::JoinHandle<Result<(Writer, Vec<Part>)>>;

fn spawn(mut writer: Writer) -> (mpsc::Sender<RecordBatch>, WriterTask) {
    let (sender, mut batches) = mpsc::channel::<RecordBatch>(QUEUE);
    let task = tokio::task::spawn_blocking(move || {
        while let Some(batch) = batches.blocking_recv() {
            writer.take(&batch)?;
        }
        let parts = writer.finish()?;
        Ok((writer, parts))
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
