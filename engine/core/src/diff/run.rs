//! One execution of a diff: its rounds, and the threads that read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;
use outflow_contract::{Error, Kind, Result};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use super::compare::Lane;
use super::exec::Figures;
use super::input::told;
use super::reject::Reason;
use super::rounds::{self, Budget, Later};
use super::table::Table;
use super::waiting::{Chunk, Missing, Waiting};
use super::{Comparison, Round, Tally};
use crate::scratch::BatchFile;

/// A partition of the result.
type Input = Arc<tokio::sync::Mutex<SendableRecordBatchStream>>;
type Changes = Sender<datafusion::error::Result<RecordBatch>>;
/// What one thread has kept for each round.
type Kept = Vec<Option<BatchFile>>;

/// Clones share it.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) diff: Arc<Comparison>,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) waiting: Arc<Mutex<Waiting>>,
    pub(super) budget: Budget,
    pub(super) of_table: Arc<MemoryReservation>,
    pub(super) of_waiting: Arc<MemoryReservation>,
    pub(super) figures: Figures,
    pub(super) changes: Changes,
}

impl Run {
    pub(super) async fn run(self, inputs: Vec<SendableRecordBatchStream>) -> Result<()> {
        let rounds = rounds::rounds(&self.diff.snapshot, self.budget.table);
        let turns = Arc::new(rounds.iter().zip(0..).flat_map(|(segments, turn)| segments.clone().map(move |_| turn)).collect::<Vec<u16>>());
        let mut inputs = Some(inputs);
        let mut kept: Vec<Vec<BatchFile>> = rounds.iter().map(|_| Vec::new()).collect();
        for (number, segments) in rounds.iter().enumerate() {
            let round = Round { of: rounds.len(), segments: segments.clone(), tables: Vec::new(), turns: Arc::clone(&turns) };
            let round = Arc::new(self.load(round).await?);
            let mut tasks = JoinSet::new();
            match inputs.take() {
                Some(inputs) => {
                    // Threads that outnumber the partitions take turns at them.
                    let inputs: Vec<Input> = inputs.into_iter().map(|input| Arc::new(tokio::sync::Mutex::new(input))).collect();
                    let lanes = inputs.len().max(self.diff.threads);
                    for lane in 0..lanes {
                        let Some(input) = inputs.get(lane % inputs.len().max(1)) else { break };
                        tasks.spawn(self.clone().read(Arc::clone(&round), self.later(lanes, rounds.len()), Arc::clone(input)));
                    }
                }
                None => {
                    for file in std::mem::take(&mut kept[number]) {
                        let (run, round) = (self.clone(), Arc::clone(&round));
                        tasks.spawn_blocking(move || run.read_again(&round, file));
                    }
                }
            }
            while let Some(ended) = tasks.join_next().await {
                let files = ended.map_err(|e| Error::bug("a thread of the diff stopped").caused_by(e))??;
                kept.iter_mut().zip(files).for_each(|(kept, file)| kept.extend(file));
            }
            self.resolve(round).await?;
            self.of_table.free();
        }
        Ok(())
    }

    /// What one of so many threads keeps for later rounds.
    fn later(&self, lanes: usize, rounds: usize) -> Later {
        Later::new(&self.diff.scratch, rounds, self.budget.later / (lanes * rounds).max(1))
    }

    /// Reads the segments of a round into tables.
    async fn load(&self, mut round: Round) -> Result<Round> {
        let records = round.segments.clone().map(|segment| self.diff.snapshot.records_at_most(segment)).sum();
        let bytes = Table::bytes(records);
        self.of_table.try_grow(bytes).map_err(|_| self.too_little(bytes))?;
        self.figures.table_bytes.set_max(bytes);
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

    /// A single segment of the snapshot does not fit: there are no smaller rounds.
    fn too_little(&self, segment_bytes: usize) -> Error {
        let records = outflow_contract::report::records(self.diff.snapshot.all_records_at_most() as u64);
        let needed = rounds::least_memory(segment_bytes).div_ceil(1 << 20);
        Error::new(Kind::Limit, format!("the limit on memory is too small to compare {records}"))
            .remedy(format!("give it {needed} MiB or more: `--memory`, or `limits: {{ memory_bytes: … }}`"))
    }

    /// One partition of the result, in the first round. Returns what it has kept for later ones.
    async fn read(self, round: Arc<Round>, later: Later, input: Input) -> Result<Kept> {
        let mut lane = Lane::new(&self.diff, later);
        loop {
            let Some(batch) = input.lock().await.next().await else { break };
            let batch = batch.map_err(told)?;
            let timer = self.figures.compare.timer();
            let chunks = lane.take(&round, &batch)?;
            timer.done();
            self.wait(chunks).await?;
        }
        let chunks = lane.rest()?;
        self.wait(chunks).await?;
        self.end(lane)
    }

    /// What one thread has kept for this round. Blocks.
    fn read_again(&self, round: &Arc<Round>, file: BatchFile) -> Result<Kept> {
        let runtime = tokio::runtime::Handle::current();
        let mut lane = Lane::new(&self.diff, self.later(1, round.of));
        file.read(|batch| {
            let timer = self.figures.compare.timer();
            let chunks = lane.take_later(round, &batch)?;
            timer.done();
            runtime.block_on(self.wait(chunks))
        })?;
        runtime.block_on(self.wait(lane.rest()?))?;
        self.end(lane)
    }

    fn end(&self, lane: Lane) -> Result<Kept> {
        self.figures.spilled_rows.add(lane.later.records() as usize);
        lock(&self.waiting).refuse(&lane.tally.refused);
        lock(&self.tally).merge(lane.tally);
        lane.later.finish()
    }

    /// Lets records wait; if there are too many of them, on disk.
    async fn wait(&self, chunks: Vec<Chunk>) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.figures.waited_rows.add(chunks.iter().map(|chunk| chunk.keys.len()).sum());
        if self.diff.snapshot.is_empty() {
            // Where nothing is known, nothing has to wait.
            return self.blocking(move |run, tally| run.diff.added(chunks, tally, &|batch| run.send(batch))).await;
        }
        let surplus = {
            let mut waiting = lock(&self.waiting);
            for chunk in chunks {
                let bytes = chunk.bytes();
                if self.of_waiting.try_grow(bytes).is_ok() {
                    waiting.bytes += bytes;
                } else {
                    // Beyond what the pool has, they go to disk at once.
                    waiting.is_full = true;
                }
                waiting.push(chunk)?;
            }
            // Half, for others go on gathering meanwhile.
            let full = waiting.is_full || waiting.bytes * 2 >= self.budget.waiting;
            full.then(|| waiting.surplus())
        };
        let Some(surplus) = surplus else { return Ok(()) };
        self.figures.spilled_rows.add(surplus.records());
        let (run, bytes) = (self.clone(), surplus.bytes);
        let kept = crate::blocking(move || surplus.keep(&run.diff.scratch)).await?;
        lock(&self.waiting).kept(kept);
        self.of_waiting.shrink(bytes);
        Ok(())
    }

    /// Tells the records that wait apart, once all of the round were read, and those that were never returned.
    async fn resolve(&self, round: Arc<Round>) -> Result<()> {
        let waiting = lock(&self.waiting).take(&self.diff.scratch);
        let bytes = waiting.bytes;
        self.blocking(move |run, tally| {
            // A record without an identifier may be any of those that are no longer returned.
            let nulls = lock(&run.tally).rejections.get(Reason::NullId);
            let missing = if nulls > run.diff.null_ids { Missing::KeptBack } else { Missing::Deleted };
            run.figures.passes.add(1);
            run.diff.resolve(&round, waiting, missing, tally, &|batch| run.send(batch))
        })
        .await?;
        self.of_waiting.shrink(bytes);
        Ok(())
    }

    /// Work that finds changes, and counts them.
    async fn blocking(&self, work: impl FnOnce(&Self, &mut Tally) -> Result<()> + Send + 'static) -> Result<()> {
        let run = self.clone();
        crate::blocking(move || {
            let timer = run.figures.resolve.timer();
            let mut tally = Tally::default();
            work(&run, &mut tally)?;
            lock(&run.tally).merge(tally);
            timer.done();
            Ok(())
        })
        .await
    }

    /// Hands a batch of changes on. Blocks. If nobody listens any more, whoever wrote them has failed, and says so.
    fn send(&self, batch: RecordBatch) -> Result<()> {
        self.changes.blocking_send(Ok(batch)).map_err(|_| Error::bug("nobody takes the changes any more"))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
