//! Writes records whose columns may have changed their types meanwhile: a part for each run of batches of one schema.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::changes::{PartInfo, PartWriter};

/// One part after another.
pub struct PartsWriter<'a> {
    store: &'a dyn StateStore,
    path: Box<dyn Fn(usize) -> String + 'a>,
    current: Option<(SchemaRef, PartWriter)>,
    done: Vec<PartInfo>,
}

impl<'a> PartsWriter<'a> {
    /// Parts at `path(0)`, `path(1)`, …; none if nothing is written.
    pub fn new(store: &'a dyn StateStore, path: impl Fn(usize) -> String + 'a) -> Self {
        Self { store, path: Box::new(path), current: None, done: Vec::new() }
    }

    /// Appends a batch, and says to which part.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<usize> {
        match &mut self.current {
            Some((schema, part)) if schema == batch.schema_ref() => part.write(batch)?,
            _ => {
                self.end_part()?;
                let mut part = PartWriter::begin(self.store, &(self.path)(self.done.len()), batch.schema())?;
                part.write(batch)?;
                self.current = Some((batch.schema(), part));
            }
        }
        Ok(self.done.len())
    }

    fn end_part(&mut self) -> Result<()> {
        if let Some((_, part)) = self.current.take() {
            self.done.push(part.finish()?);
        }
        Ok(())
    }

    /// Makes them durable.
    pub fn finish(mut self) -> Result<Vec<PartInfo>> {
        self.end_part()?;
        Ok(self.done)
    }
}
