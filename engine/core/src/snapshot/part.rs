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
/// Wanted rows of row groups that are read together.
const ROWS_AT_ONCE: usize = 64 << 10;

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
        let mut spans = match self.rows {
            Some(rows) => Spans::some(rows, &metadata),
            None => Spans::Whole,
        };
        let (file, batch) = (self.file, self.batch);
        let begin = {
            let file = file.clone();
            move |span: Span| {
                let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata.clone());
                let builder = builder.with_projection(mask.clone()).with_batch_size(batch);
                let builder = match span {
                    Span::Whole => builder,
                    Span::Some(groups, rows) => builder.with_row_groups(groups).with_row_selection(rows),
                };
                builder.build()
            }
        };
        let (mut batches, mut ended) = (None, false);
        Ok(std::iter::from_fn(move || {
            while !ended {
                if batches.is_none() {
                    batches = match spans.next() {
                        Some(span) => match begin(span) {
                            Ok(span) => Some(span),
                            Err(error) => {
                                ended = true;
                                return Some(Err(file.damaged(error)));
                            }
                        },
                        None => break,
                    };
                }
                let batch = batches.as_mut().and_then(Iterator::next);
                // Whatever the decoder made of it, an end included, it is no result.
                let result = file.check().and_then(|()| batch.transpose().map_err(|e| file.damaged(e))).transpose();
                // After an error the decoder would try again for as long as it is asked to.
                ended = matches!(result, Some(Err(_)));
                if result.is_some() {
                    return result;
                }
                batches = None;
            }
            None
        }))
    }
}

/// Row groups that are read together.
enum Span {
    /// All of them.
    Whole,
    /// These, and these rows of them.
    Some(Vec<usize>, RowSelection),
}

/// A file, or what is wanted of it: as many of its row groups at a time as have some records, so that telling which takes little memory.
enum Spans {
    Whole,
    Ended,
    Some {
        /// The wanted rows, and how many of them are done.
        rows: Vec<u32>,
        done: usize,
        /// The rows before each row group, and of all.
        starts: Vec<u64>,
    },
}

impl Spans {
    fn some(rows: Vec<u32>, metadata: &ArrowReaderMetadata) -> Self {
        let groups = metadata.metadata().row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0));
        let starts = std::iter::once(0).chain(groups.scan(0, |sum, rows| {
            *sum += rows;
            Some(*sum)
        }));
        Self::Some { rows, done: 0, starts: starts.collect() }
    }

    fn next(&mut self) -> Option<Span> {
        let (rows, done, starts) = match self {
            Self::Ended => return None,
            Self::Whole => {
                *self = Self::Ended;
                return Some(Span::Whole);
            }
            Self::Some { rows, done, starts } => (rows, done, starts),
        };
        let (mut groups, mut wanted, mut before) = (Vec::new(), Vec::new(), 0);
        while wanted.len() < ROWS_AT_ONCE
            && let Some(&row) = rows.get(*done)
        {
            let group = starts.partition_point(|&start| start <= u64::from(row)) - 1;
            // A row behind the last group is not there: whoever asks for it counts.
            let (Some(&start), Some(&end)) = (starts.get(group), starts.get(group + 1)) else { break };
            let to = *done + rows[*done..].partition_point(|&row| u64::from(row) < end);
            wanted.extend(rows[*done..to].iter().map(|&row| (u64::from(row) - start + before) as u32));
            before += end - start;
            groups.push(group);
            *done = to;
        }
        if groups.is_empty() { None } else { Some(Span::Some(groups, selection(&wanted))) }
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
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, StructArray, UInt32Array};
    use arrow::datatypes::{Field, Schema, UInt32Type};
    use outflow_ledger::changes::PartWriter;
    use outflow_ledger::store::MemoryStore;

    use super::*;

    #[test]
    fn rows_become_runs() {
        let runs = |rows: &[u32]| Vec::<RowSelector>::from(selection(rows)).into_iter().map(|s| (s.row_count, s.skip)).collect::<Vec<_>>();
        assert_eq!(runs(&[0, 1, 5, 6, 7]), vec![(2, false), (3, true), (3, false)]);
        assert_eq!(runs(&[3]), vec![(3, true), (1, false)]);
        assert_eq!(runs(&[]), vec![]);
    }

    #[test]
    fn the_wanted_rows_come_out_of_their_row_groups_in_order() {
        let store = MemoryStore::new();
        let n = 200_000;
        let column = StructArray::from(vec![(
            Arc::new(Field::new("n", DataType::UInt32, true)),
            Arc::new(UInt32Array::from_iter_values(0..n)) as Arc<dyn Array>,
        )]);
        let schema = Arc::new(Schema::new(vec![Field::new(VALUES, column.data_type().clone(), false)]));
        let mut writer = PartWriter::begin(&store, "a", Arc::clone(&schema)).unwrap();
        writer.write(&RecordBatch::try_new(schema, vec![Arc::new(column)]).unwrap()).unwrap();
        writer.finish().unwrap();
        let read = |rows: &[u32]| {
            let batches = PartReader::open(&store, "a").unwrap().select(rows).read().unwrap();
            let numbers = batches.flat_map(|batch| {
                let batch = batch.unwrap();
                let values = batch.column(0).as_struct().column(0).as_primitive::<UInt32Type>().values().to_vec();
                assert!(values.len() <= BATCH);
                values
            });
            numbers.collect::<Vec<u32>>()
        };
        for step in [1, 2, 7, 60_000, 199_999] {
            let rows: Vec<u32> = (0..n).step_by(step).collect();
            assert_eq!(read(&rows), rows, "every {step}th");
        }
        for rows in [vec![], vec![0], vec![n - 1], vec![65_535, 65_536], vec![3, 150_000]] {
            assert_eq!(read(&rows), rows);
        }
        assert_eq!(read(&[5, n, n + 70_000]), [5], "those that are not there do not come");
    }
}
