//! The diff as an operator of DataFusion: in go the records of a model, in any number of partitions, out come its changes, in one.
//!
//! The result is complete or an error. Counts, and records that were not accepted, are in [`DiffExec::tally`] once the stream has ended.
//! Memory: the table and what waits, both reserved in the task's memory pool; what waits beyond that, and what belongs to a later round, goes
//! to disk. A chunk for each thread, blocks of what goes to disk, and four batches of changes are not reserved.
//!
//! All partitions are read at once, by tasks of this operator's own: a record can only be told to be deleted when all of them have ended,
//! so one that waited for its consumer's attention would keep the others waiting for ever.

use std::fmt;
use std::sync::{Arc, Mutex};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, PlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricsSet, Time};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties};
use outflow_ledger::changes::change_schema;

use super::input::carried;
use super::rounds::{self, Budget};
use super::run::{Run, lock};
use super::table::Table;
use super::waiting::Waiting;
use super::{Comparison, Tally};

/// Batches of changes that may wait for whoever writes them.
const CHANGES_AHEAD: usize = 4;

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
            waiting: Arc::new(Mutex::new(Waiting::new(&self.diff.scratch))),
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
pub(super) struct Figures {
    pub(super) load: Time,
    pub(super) compare: Time,
    pub(super) resolve: Time,
    pub(super) table_bytes: Gauge,
    /// Records that were not found as they are.
    pub(super) waited_rows: Count,
    pub(super) passes: Count,
    /// Records that went to disk, to wait there or for a later round.
    pub(super) spilled_rows: Count,
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
