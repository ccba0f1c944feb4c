//! Reads a part: whole, some of its columns, or some of its records.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::changes::{PartFile, REASON, VALUES, open_named};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::file::metadata::PageIndexPolicy;

/// Records of one batch.
const BATCH: usize = 8 * 1024;

/// A part that is about to be read.
pub struct PartReader {
    file: PartFile,
    columns: Columns,
    rows: Option<Vec<u32>>,
    batch: usize,
}

enum Columns {
    All,
    /// Everything but the values, and the reasons of failures.
    Narrow,
    /// The reasons alone.
    Reasons,
    /// Only these of the values; with the rest of the part, or alone.
    Values(Vec<String>, bool),
}

impl PartReader {
    /// Opens the part at `path`, which a commit or a plan names.
    pub fn open(store: &dyn StateStore, path: &str) -> Result<Self> {
        let file = open_named(store, path)?;
        Ok(Self { file, columns: Columns::All, rows: None, batch: BATCH })
    }

    /// Without the values: what composing and counting need.
    pub fn narrow(mut self) -> Self {
        self.columns = Columns::Narrow;
        self
    }

    /// Only why records have failed, where they are pending.
    pub fn reasons(mut self) -> Self {
        self.columns = Columns::Reasons;
        self
    }

    /// The values only, and of them only the columns of these names.
    pub fn values(mut self, names: &[String]) -> Self {
        self.columns = Columns::Values(names.to_vec(), false);
        self
    }

    /// All but the values, and of them only the columns of these names.
    pub fn with_values(mut self, names: &[String]) -> Self {
        self.columns = Columns::Values(names.to_vec(), true);
        self
    }

    /// Only the records at these rows, which ascend.
    pub fn select(mut self, rows: &[u32]) -> Self {
        self.rows = Some(rows.to_vec());
        self
    }

    /// At most so many records in a batch.
    pub fn batch_size(mut self, records: usize) -> Self {
        self.batch = records;
        self
    }

    /// The names of the columns of its values.
    pub fn value_columns(&self) -> Result<Vec<String>> {
        let metadata = ArrowReaderMetadata::load(&self.file, ArrowReaderOptions::new()).map_err(|e| self.file.damaged(e))?;
        let values = metadata.schema().column_with_name(VALUES).map(|(_, field)| field.data_type().clone());
        Ok(match values {
            Some(DataType::Struct(fields)) => fields.iter().map(|field| field.name().clone()).collect(),
            _ => Vec::new(),
        })
    }

    /// The batches, in order. The first error is the last item.
    pub fn read(self) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        // The page index lets pages without a wanted record be skipped.
        let pages = if self.rows.is_some() { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let options = ArrowReaderOptions::new().with_page_index_policy(pages);
        let metadata = ArrowReaderMetadata::load(&self.file, options).map_err(|e| self.file.damaged(e))?;
        let schema = metadata.parquet_schema();
        let wanted = |leaf: &usize| {
            let path = schema.column(*leaf);
            let path = path.path().parts();
            let root = path.first().map_or("", String::as_str);
            match &self.columns {
                Columns::All => true,
                Columns::Narrow => root != VALUES && root != REASON,
                Columns::Reasons => root == REASON,
                Columns::Values(names, _) if root == VALUES => path.get(1).is_some_and(|name| names.contains(name)),
                Columns::Values(_, narrow) => *narrow && root != REASON,
            }
        };
        let mask = ProjectionMask::leaves(schema, (0..schema.num_columns()).filter(wanted).collect::<Vec<_>>());
        let file = self.file.clone();
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, metadata).with_projection(mask).with_batch_size(self.batch);
        if let Some(rows) = &self.rows {
            builder = builder.with_row_selection(selection(rows));
        }
        let reader = builder.build().map_err(|e| file.damaged(e))?;
        let mut batches = Some(reader);
        Ok(std::iter::from_fn(move || {
            let batch = batches.as_mut()?.next();
            let result = match file.check() {
                // Whatever the decoder made of it, an end included, it is no result.
                Err(error) => Some(Err(error)),
                Ok(()) => batch.map(|batch| batch.map_err(|e| file.damaged(e))),
            };
            if !matches!(result, Some(Ok(_))) {
                // The decoder would try again for as long as it is asked to.
                batches = None;
            }
            result
        }))
    }
}

/// Ascending rows as runs to skip and to take.
fn selection(rows: &[u32]) -> RowSelection {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut next = 0usize;
    for &row in rows {
        let row = row as usize;
        if row > next {
            selectors.push(RowSelector::skip(row - next));
        }
        match selectors.last_mut() {
            Some(last) if !last.skip => last.row_count += 1,
            _ => selectors.push(RowSelector::select(1)),
        }
        next = row + 1;
    }
    RowSelection::from(selectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_runs() {
        let runs = |rows: &[u32]| Vec::<RowSelector>::from(selection(rows)).into_iter().map(|s| (s.row_count, s.skip)).collect::<Vec<_>>();
        assert_eq!(runs(&[0, 1, 5, 6, 7]), vec![(2, false), (3, true), (3, false)]);
        assert_eq!(runs(&[3]), vec![(3, true), (1, false)]);
        assert_eq!(runs(&[]), vec![]);
    }
}
