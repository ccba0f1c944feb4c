//! The simulated source: a small table, two records to a batch.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::StreamExt;
use outflow_contract::source::{Probe, Query, RecordStream, Source};
use outflow_contract::{Blame, Error, Kind, Result};

use crate::fault::{Class, Fault};
use crate::world::{Process, panic_here};

/// Records in a batch.
const BATCH: usize = 2;

/// The source, as one process has it.
pub(crate) struct SimSource(pub(crate) Process);

impl SimSource {
    fn columns() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("name", DataType::Utf8, false)]))
    }

    fn batch(process: &Process, rows: &[(i64, String)]) -> Result<RecordBatch> {
        let mut world = process.world()?;
        match world.step(Class::Batch, "batch") {
            None => {}
            Some(Fault::Panic) => {
                drop(world);
                panic_here()
            }
            Some(fault) if fault.is_death() => return Err(process.die(&mut world, fault)),
            Some(_) => return Err(Error::new(Kind::Io, "the source failed midway").blame(Blame::Source)),
        }
        let ids = Int64Array::from_iter_values(rows.iter().map(|(id, _)| *id));
        let names = StringArray::from_iter_values(rows.iter().map(|(_, name)| name));
        RecordBatch::try_new(Self::columns(), vec![Arc::new(ids), Arc::new(names)]).map_err(|error| Error::bug(error.to_string()))
    }
}

#[async_trait]
impl Source for SimSource {
    async fn probe(&self) -> Result<Probe> {
        Ok(Probe { version: "simulated".to_owned(), details: Vec::new() })
    }

    async fn schema(&self, _: &Query) -> Result<SchemaRef> {
        Ok(Self::columns())
    }

    async fn stream(&self, _: &Query) -> Result<RecordStream> {
        let rows: Vec<(i64, String)> = self.0.world()?.rows.clone().into_iter().collect();
        let batches: Vec<Vec<(i64, String)>> = rows.chunks(BATCH).map(<[_]>::to_vec).collect();
        let process = self.0.clone();
        // After an error it yields nothing more.
        let batches = futures::stream::iter(batches).scan(false, move |ended, rows| {
            let batch = (!*ended).then(|| Self::batch(&process, &rows));
            *ended |= batch.as_ref().is_some_and(Result::is_err);
            std::future::ready(batch)
        });
        Ok(RecordStream::single(Self::columns(), batches.boxed()))
    }
}
