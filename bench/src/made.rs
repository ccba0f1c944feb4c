//! A source whose records are made when they are asked for: as many as one likes, without a file.
//!
//! Several threads make batches, each for a partition, at most two ahead. Those of a partition come in the order of their places.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::{StreamExt, stream};
use outflow_contract::Result;
use outflow_contract::source::{Probe, Query, RecordStream, Source};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::data::Data;

/// Places of one batch: as many records as the `files` source has in one.
const BATCH_PLACES: u64 = 8 * 1024;
/// How far a thread may be ahead.
const BATCHES_AHEAD: usize = 2;

/// A source of made records. Whatever the query, it returns all of them.
pub struct MadeSource {
    data: Arc<Data>,
    threads: u64,
}

impl MadeSource {
    /// A source of `data`, made on so many threads.
    pub fn new(data: Data, threads: usize) -> Self {
        Self { data: Arc::new(data), threads: threads.max(1) as u64 }
    }

    fn batches(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let places = self.data.places();
        (0..places).step_by(BATCH_PLACES as usize).map(move |from| from..(from + BATCH_PLACES).min(places))
    }

    /// The batches of one thread, in order.
    fn lane(&self, lane: u64) -> Receiver<Result<RecordBatch>> {
        let (sender, receiver): (Sender<Result<RecordBatch>>, _) = channel(BATCHES_AHEAD);
        let (data, mine) = (Arc::clone(&self.data), self.batches().skip(lane as usize).step_by(self.threads as usize));
        std::thread::spawn(move || {
            for places in mine {
                let batch = data.batch(places);
                let stop = batch.is_err();
                if sender.blocking_send(batch).is_err() || stop {
                    return;
                }
            }
        });
        receiver
    }
}

#[async_trait]
impl Source for MadeSource {
    async fn probe(&self) -> Result<Probe> {
        let details = vec![("records".to_owned(), self.data.records().to_string())];
        Ok(Probe { version: "made records".to_owned(), details })
    }

    async fn schema(&self, _query: &Query) -> Result<SchemaRef> {
        Ok(self.data.schema())
    }

    async fn stream(&self, _query: &Query) -> Result<RecordStream> {
        let lane = |lane| stream::unfold(self.lane(lane), async |mut lane| Some((lane.recv().await?, lane))).boxed();
        Ok(RecordStream { schema: self.data.schema(), partitions: (0..self.threads).map(lane).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Spec;

    #[tokio::test]
    async fn the_records_are_those_of_the_data_on_any_number_of_threads() {
        let spec = Spec { records: 3 * BATCH_PLACES + 7, deleted: 0.1, shuffle: Some(1), ..Spec::default() };
        let data = Data::new(&spec).unwrap();
        let whole = data.batch(0..data.places()).unwrap();
        for threads in [1, 2, 3, 8] {
            let source = MadeSource::new(data.clone(), threads);
            let stream = source.stream(&Query { sql: String::new(), timeout: None }).await.unwrap();
            let mut lanes = Vec::new();
            for partition in stream.partitions {
                lanes.push(partition.map(Result::unwrap).collect::<Vec<RecordBatch>>().await);
            }
            let batches: Vec<RecordBatch> = (0..4).map(|i| lanes[i % threads][i / threads].clone()).collect();
            assert_eq!(lanes.iter().map(Vec::len).sum::<usize>(), 4, "{threads}");
            assert_eq!(arrow::compute::concat_batches(&whole.schema(), &batches).unwrap(), whole, "{threads}");
        }
    }
}
