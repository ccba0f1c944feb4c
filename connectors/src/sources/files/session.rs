//! One query's session: what it may see, what it may do, how much it may hold.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::prelude::{SessionConfig, SessionContext};
use outflow_contract::plan::FileTable;
use outflow_contract::{Error, Kind, Result};

use super::failure::{duplicate, listed, planning};
use super::paths::nearest;
use super::tables::{self, OpenTable};
use super::told::{self, Named};
use super::{BATCH_RECORDS, FilesOptions};

/// The names that DataFusion gives to the one catalog and schema there are.
const CATALOG: &str = "datafusion";
const SCHEMA: &str = "public";
/// Values in one batch of many columns.
const BATCH_VALUES: usize = 256 << 10;
const BATCH_RECORDS_MIN: usize = 256;

/// One query's session.
pub(super) struct Session {
    context: SessionContext,
    memory_limited: bool,
}

/// A query, ready to run.
pub(super) struct Planned {
    /// What it returns.
    pub(super) schema: SchemaRef,
    /// How.
    pub(super) plan: Arc<dyn ExecutionPlan>,
}

impl Session {
    /// A session without any table.
    pub(super) fn new(options: &FilesOptions) -> Result<Self> {
        let mut config = SessionConfig::new()
            .with_batch_size(BATCH_RECORDS)
            .with_target_partitions(options.target_partitions.max(1))
            .with_information_schema(false)
            .with_default_catalog_and_schema(CATALOG, SCHEMA);
        config.options_mut().execution.parquet.schema_force_view_types = true;
        // What TIMESTAMP WITH TIME ZONE means; without it, DataFusion drops the zone.
        config.options_mut().execution.time_zone = Some("+00:00".to_owned());
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(bytes) = options.memory_limit_bytes {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        }
        if let Some(folder) = &options.spill_dir {
            let mode = DiskManagerMode::Directories(vec![folder.clone()]);
            runtime = runtime.with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode));
        }
        let runtime = runtime.build_arc().map_err(planning)?;
        let context = SessionContext::new_with_config_rt(config, runtime);
        Ok(Self { context, memory_limited: options.memory_limit_bytes.is_some() })
    }

    /// The table, opened, for this session.
    pub(super) async fn open(&self, table: &FileTable) -> Result<OpenTable> {
        tables::open(table, &self.context.state()).await
    }

    /// Plans `sql` over those of `tables` that it names. Nothing is run.
    pub(super) async fn plan(&self, tables: &[FileTable], sql: &str) -> Result<Planned> {
        let mut named = Vec::new();
        match self.physical(tables, sql, &mut named).await {
            Ok(planned) => Ok(planned),
            Err(error) => Err(told::explain(error, sql, &named, &self.context).await),
        }
    }

    /// The same; `named` takes the tables that were opened.
    async fn physical<'t>(&self, tables: &'t [FileTable], sql: &str, named: &mut Vec<Named<'t>>) -> Result<Planned> {
        let logical = self.logical(tables, sql, named).await?;
        let mut state = self.context.state();
        let mut plan = state.create_physical_plan(&logical).await.map_err(planning)?;
        // Under a memory limit a repartition that spills can hang for ever; on one partition there is none.
        if self.memory_limited && repartitions(plan.as_ref()) {
            state.config_mut().options_mut().execution.target_partitions = 1;
            plan = state.create_physical_plan(&logical).await.map_err(planning)?;
        }
        Ok(Planned { schema: returned(&logical, plan.as_ref())?, plan })
    }

    async fn logical<'t>(&self, tables: &'t [FileTable], sql: &str, opened: &mut Vec<Named<'t>>) -> Result<LogicalPlan> {
        let state = self.context.state();
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect).map_err(planning)?;
        for reference in state.resolve_table_references(&statement).map_err(planning)? {
            let table = match named(&reference, tables) {
                Ok(table) => table,
                // `range` and `generate_series`, which read nothing.
                Err(_) if state.table_functions().contains_key(reference.table()) => continue,
                Err(error) => return Err(error),
            };
            let open = self.open(table).await?;
            opened.push((reference.clone(), table, open.schema.clone()));
            self.context.register_table(reference, open.provider).map_err(planning)?;
        }
        let logical = self.context.state().statement_to_plan(statement).await.map_err(planning)?;
        let reads_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reads_only.verify_plan(&logical).map_err(planning)?;
        if matches!(logical, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_)) {
            return Err(Error::invalid("the query explains, and returns no records").remedy("a model's query is one SELECT"));
        }
        Ok(logical)
    }

    /// What running a plan needs that returns so many columns.
    pub(super) fn task(&self, columns: usize) -> Arc<TaskContext> {
        let mut state = self.context.state();
        *state.config_mut() = state.config().clone().with_batch_size(batch_records(columns));
        Arc::new(TaskContext::from(&state))
    }
}

/// Records in one batch: fewer where there are many columns, so that a batch stays as small as others are.
fn batch_records(columns: usize) -> usize {
    (BATCH_VALUES / columns.max(1)).clamp(BATCH_RECORDS_MIN, BATCH_RECORDS)
}

/// The configured table that a query means: by its exact name, or else whatever its case, since SQL folds names.
fn named<'a>(reference: &TableReference, tables: &'a [FileTable]) -> Result<&'a FileTable> {
    let name = reference.table();
    let here = reference.schema().is_none_or(|schema| schema == SCHEMA) && reference.catalog().is_none_or(|catalog| catalog == CATALOG);
    let exact = tables.iter().find(|table| table.name == name);
    let found = exact.or_else(|| tables.iter().find(|table| table.name.to_lowercase() == name.to_lowercase()));
    if let (true, Some(table)) = (here, found) {
        return Ok(table);
    }
    let error = Error::new(Kind::NotFound, format!("the query reads from `{reference}`, which is no table of the source"));
    let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    Err(match nearest(name, names.iter().cloned()) {
        Some(near) => error.remedy(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.remedy("the source has no tables: add one under `tables:`"),
        None => error.remedy(format!("the tables are {}", listed(&names))),
    })
}

fn repartitions(plan: &dyn ExecutionPlan) -> bool {
    plan.downcast_ref::<RepartitionExec>().is_some_and(|repartition| repartition.partitioning().partition_count() > 1)
        || plan.children().into_iter().any(|child| repartitions(child.as_ref()))
}

/// The types of the physical plan, with the marks that the logical one keeps.
fn returned(logical: &LogicalPlan, plan: &dyn ExecutionPlan) -> Result<SchemaRef> {
    let marked = logical.schema().as_arrow();
    let physical = plan.schema();
    let mut names = std::collections::HashSet::new();
    let fields = physical.fields().iter().enumerate().map(|(i, field)| {
        if !names.insert(field.name().clone()) {
            return Err(duplicate(field.name()));
        }
        let metadata = marked.fields().get(i).map(|field| field.metadata().clone()).unwrap_or_default();
        Ok(Field::new(field.name(), field.data_type().clone(), field.is_nullable()).with_metadata(metadata))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?)))
}
