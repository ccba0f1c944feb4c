//! The diff as an operator of DataFusion: in go the records of a model, in any number of partitions, out come its changes, in one.
//!
//! The result is complete or an error. Counts, and records that were not accepted, are in [`DiffExec::tally`] once the stream has ended.
//! Memory: the table and what waits, both reserved in the task's memory pool; a batch for each partition; four batches of changes.
//!
//! All partitions are read at once, by tasks of this operator's own: a record can only be told to be deleted when all of them have ended,
//! so one that waited for its consumer's attention would keep the others waiting for ever.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, PlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricsSet, Time};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;
use outflow_contract::{Error, Result};
use outflow_ledger::changes::change_schema;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use super::compare::Lane;
use super::input::{carried, told};
use super::reject::Reason;
use super::rounds::{self, Budget, Later};
use super::table::Table;
use super::waiting::{Chunk, Missing, Waiting};
use super::{Comparison, Round, Tally};
use crate::snapshot::{Columns, segment_of};

/// Batches of changes that may wait for whoever writes them.
const CHANGES_AHEAD: usize = 4;

/// A partition of the result.
type Input = Arc<tokio::sync::Mutex<SendableRecordBatchStream>>;
type Changes = Sender<datafusion::error::Result<RecordBatch>>;

/// The changes between the snapshot of a model and its result.
pub struct DiffExec {
    input: Arc<dyn ExecutionPlan>,
    diff: Arc<Comparison>,
    tally: Arc<Mutex<Tally>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl DiffExec {
    /// Compares the records of `input`, whose schema is the comparison's.
    pub fn new(input: Arc<dyn ExecutionPlan>, diff: Arc<Comparison>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(change_schema(&diff.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Both,
            Boundedness::Bounded,
        );
        Self { input, diff, tally: Arc::default(), properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }

    /// What was counted. Complete once the stream has ended; empties what is kept of it.
    pub fn tally(&self) -> Tally {
        std::mem::take(&mut *lock(&self.tally))
    }
}

impl fmt::Debug for DiffExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for DiffExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { snapshot, schema, id, rebase, limits, .. } = &*self.diff;
        let id: Vec<&str> = id.iter().map(|&column| schema.field(column).name().as_str()).collect();
        let records = snapshot.all_records_at_most();
        write!(f, "DiffExec: id=[{}], snapshot_records={records}, snapshot_files={}", id.join(", "), snapshot.files())?;
        let rounds = rounds::rounds(snapshot, Budget::of(limits.memory_bytes, 0).table).len();
        write!(f, ", table_bytes={}, rounds={rounds}, compared={}", Table::bytes(records), if rebase.is_some() { "common" } else { "all" })
    }
}

impl ExecutionPlan for DiffExec {
    fn name(&self) -> &'static str {
        "DiffExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> datafusion::error::Result<TreeNodeRecursion>,
    ) -> datafusion::error::Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, Arc::clone(&self.diff)))),
            _ => Err(DataFusionError::Internal("a diff has one input".to_owned())),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> datafusion::error::Result<SendableRecordBatchStream> {
        if partition != 0 {
            return Err(DataFusionError::Internal(format!("a diff has one partition, not {}", partition + 1)));
        }
        let partitions = self.input.output_partitioning().partition_count();
        let inputs = (0..partitions).map(|i| self.input.execute(i, Arc::clone(&context))).collect::<Result<Vec<_>, _>>()?;
        let mut builder = RecordBatchReceiverStream::builder(self.schema(), CHANGES_AHEAD);
        let pool = context.memory_pool();
        let run = Run {
            diff: Arc::clone(&self.diff),
            tally: Arc::clone(&self.tally),
            waiting: Arc::default(),
            budget: Budget::of(self.diff.limits.memory_bytes, Table::bytes(self.diff.snapshot.all_records_at_most())),
            of_table: Arc::new(MemoryConsumer::new("DiffExec table").register(pool)),
            of_waiting: Arc::new(MemoryConsumer::new("DiffExec waiting").register(pool)),
            figures: Figures::new(&self.metrics),
            changes: builder.tx(),
        };
        builder.spawn(async move { run.run(inputs).await.map_err(carried) });
        Ok(builder.build())
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The operator's figures, as `EXPLAIN ANALYZE` shows them.
#[derive(Clone)]
struct Figures {
    load: Time,
    compare: Time,
    resolve: Time,
    table_bytes: Gauge,
    waited_rows: Count,
    passes: Count,
    spilled_rows: Count,
}

impl Figures {
    fn new(metrics: &ExecutionPlanMetricsSet) -> Self {
        let builder = || MetricBuilder::new(metrics);
        Self {
            load: builder().subset_time("load_time", 0),
            compare: builder().subset_time("compare_time", 0),
            resolve: builder().subset_time("resolve_time", 0),
            table_bytes: builder().gauge("table_bytes", 0),
            waited_rows: builder().counter("waited_rows", 0),
            passes: builder().counter("passes", 0),
            spilled_rows: builder().spilled_rows(0),
        }
    }
}

/// One execution. Clones share it.
#[derive(Clone)]
struct Run {
    diff: Arc<Comparison>,
    tally: Arc<Mutex<Tally>>,
    waiting: Arc<Mutex<Waiting>>,
    budget: Budget,
    of_table: Arc<MemoryReservation>,
    of_waiting: Arc<MemoryReservation>,
    figures: Figures,
    changes: Changes,
}

impl Run {
    async fn run(self, inputs: Vec<SendableRecordBatchStream>) -> Result<()> {
        let rounds = rounds::rounds(&self.diff.snapshot, self.budget.table);
        let turns = Arc::new(rounds.iter().zip(0..).flat_map(|(segments, turn)| segments.clone().map(move |_| turn)).collect::<Vec<u16>>());
        let mut inputs = Some(inputs);
        let mut kept: Vec<Vec<PathBuf>> = rounds.iter().map(|_| Vec::new()).collect();
        for (number, segments) in rounds.iter().enumerate() {
            let round = Round { of: rounds.len(), segments: segments.clone(), tables: Vec::new(), turns: Arc::clone(&turns) };
            let round = Arc::new(self.load(round).await?);
            let mut tasks = JoinSet::new();
            match inputs.take() {
                Some(inputs) => {
                    // Threads that outnumber the partitions take turns at them.
                    let inputs: Vec<Input> = inputs.into_iter().map(|input| Arc::new(tokio::sync::Mutex::new(input))).collect();
                    for lane in 0..inputs.len().max(self.diff.threads) {
                        let Some(input) = inputs.get(lane % inputs.len().max(1)) else { break };
                        tasks.spawn(self.clone().read(Arc::clone(&round), lane, Arc::clone(input)));
                    }
                }
                None => {
                    for path in std::mem::take(&mut kept[number]) {
                        let (run, round) = (self.clone(), Arc::clone(&round));
                        tasks.spawn_blocking(move || run.read_again(&round, &path));
                    }
                }
            }
            while let Some(ended) = tasks.join_next().await {
                let files = ended.map_err(|e| Error::bug("a thread of the diff stopped").caused_by(e))??;
                kept.iter_mut().zip(files).for_each(|(kept, file)| kept.extend(file));
            }
            self.resolve(round, true).await?;
            self.of_table.free();
        }
        Ok(())
    }

    /// Reads the segments of a round into tables.
    async fn load(&self, mut round: Round) -> Result<Round> {
        let records = round.segments.clone().map(|segment| self.diff.snapshot.records_at_most(segment)).sum();
        self.of_table.try_grow(Table::bytes(records)).map_err(told)?;
        self.figures.table_bytes.set_max(Table::bytes(records));
        let run = self.clone();
        crate::blocking(move || {
            let timer = run.figures.load.timer();
            let tables = run.diff.tables(&round)?;
            timer.done();
            round.tables = tables;
            Ok(round)
        })
        .await
    }

    /// One partition of the result, in the first round. Returns what it has kept for later ones.
    async fn read(self, round: Arc<Round>, lane: usize, input: Input) -> Result<Vec<Option<PathBuf>>> {
        let mut lane = Lane::new(&self.diff, Later::new(self.diff.scratch.path(), lane, round.of));
        loop {
            let Some(batch) = input.lock().await.next().await else { break };
            let batch = batch.map_err(told)?;
            let timer = self.figures.compare.timer();
            let chunks = lane.take(&round, &batch)?;
            timer.done();
            self.wait(&round, chunks).await?;
        }
        let chunks = lane.rest()?;
        self.wait(&round, chunks).await?;
        self.end(lane)
    }

    /// What one thread has kept for this round. Blocks.
    fn read_again(&self, round: &Arc<Round>, path: &std::path::Path) -> Result<Vec<Option<PathBuf>>> {
        let runtime = tokio::runtime::Handle::current();
        let mut lane = Lane::new(&self.diff, Later::new(self.diff.scratch.path(), 0, round.of));
        rounds::read(path, |batch| {
            let timer = self.figures.compare.timer();
            let chunks = lane.take_later(round, batch)?;
            timer.done();
            runtime.block_on(self.wait(round, chunks))
        })?;
        runtime.block_on(self.wait(round, lane.rest()?))?;
        self.end(lane)
    }

    fn end(&self, lane: Lane) -> Result<Vec<Option<PathBuf>>> {
        self.figures.spilled_rows.add(lane.later.records() as usize);
        lock(&self.waiting).refused.extend_from_slice(&lane.tally.refused);
        lock(&self.tally).merge(lane.tally);
        lane.later.finish()
    }

    /// Lets records wait; or, if there are too many of them, tells those apart that do.
    async fn wait(&self, round: &Arc<Round>, chunks: Vec<Chunk>) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        let full = {
            let mut waiting = lock(&self.waiting);
            for chunk in chunks {
                self.figures.waited_rows.add(chunk.keys.len());
                let bytes = chunk.bytes();
                if self.of_waiting.try_grow(bytes).is_ok() {
                    waiting.bytes += bytes;
                } else {
                    // Beyond what the pool has, they are told apart at once.
                    waiting.is_full = true;
                }
                waiting.chunks.push(chunk);
            }
            // Half, for others go on gathering meanwhile. Where nothing is known, nothing has to wait.
            waiting.is_full || waiting.bytes * 2 >= self.budget.waiting || self.diff.snapshot.is_empty()
        };
        if full { self.resolve(Arc::clone(round), false).await } else { Ok(()) }
    }

    /// Tells the records that wait apart, and sends the changes on. With `last`, those that were never returned are deleted.
    async fn resolve(&self, round: Arc<Round>, last: bool) -> Result<()> {
        let waiting = lock(&self.waiting).take(last);
        if !last && waiting.chunks.is_empty() {
            return Ok(());
        }
        let (run, bytes) = (self.clone(), waiting.bytes);
        crate::blocking(move || {
            let timer = run.figures.resolve.timer();
            run.figures.passes.add(1);
            // A record without an identifier may be any of those that are no longer returned.
            let nulls = lock(&run.tally).rejections.get(Reason::NullId);
            let missing = match last {
                false => Missing::Unknown,
                true if nulls > run.diff.null_ids => Missing::KeptBack,
                true => Missing::Deleted,
            };
            let mut tally = Tally::default();
            // If nobody listens any more, whoever wrote them has failed, and says so.
            let out = |batch| run.changes.blocking_send(Ok(batch)).map_err(|_| Error::bug("nobody takes the changes any more"));
            run.diff.resolve(&round, waiting, missing, &mut tally, &out)?;
            lock(&run.tally).merge(tally);
            timer.done();
            Ok(())
        })
        .await?;
        self.of_waiting.shrink(bytes);
        Ok(())
    }
}

impl Comparison {
    /// The tables of a round's segments. Shared out among threads.
    fn tables(&self, round: &Round) -> Result<Vec<Table>> {
        let threads = self.threads.max(1);
        let of = |lane: usize| -> Result<Vec<(usize, Table)>> {
            let mut buffer = Vec::new();
            let segments = round.segments.clone().skip(lane).step_by(threads);
            segments.map(|segment| Ok((segment, self.table(segment, &mut buffer)?))).collect()
        };
        let mut tables = std::thread::scope(|scope| {
            let of = &of;
            let others: Vec<_> = (1..threads).map(|lane| scope.spawn(move || of(lane))).collect();
            let mut tables = of(0)?;
            for other in others {
                tables.extend(other.join().map_err(|_| Error::bug("a thread of the diff stopped"))??);
            }
            Ok::<_, Error>(tables)
        })?;
        tables.sort_unstable_by_key(|(segment, _)| *segment);
        Ok(tables.into_iter().map(|(_, table)| table).collect())
    }

    fn table(&self, segment: usize, buffer: &mut Vec<u8>) -> Result<Table> {
        if self.snapshot.is_empty() {
            return Ok(Table::default());
        }
        let merged = self.snapshot.segment_in(segment, Columns::Upper, std::mem::take(buffer))?;
        let table = match &self.rebase {
            None => Table::of(&merged),
            Some(rebase) => {
                let (mut table, mut next) = (Table::with_room(merged.records_at_most()), 0);
                let mut hashes = rebase.hashes[rebase.starts[segment]..].iter();
                merged.each(|key_high, _| next = table.put(next, key_high, hashes.next().copied().unwrap_or_default()));
                table
            }
        };
        *buffer = merged.into_buffer();
        Ok(table)
    }
}

impl Round {
    /// In which round a key's turn is.
    pub(super) fn round_of(&self, key_high: u64) -> usize {
        self.turns[segment_of(key_high)].into()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
