//! The sealed change set as mapped records, a chunk at a time, in order; each chunk is mapped on a thread that may compute.

use std::collections::{BTreeMap, HashMap, hash_map};
use std::sync::Arc;

use crate::snapshot::PartReader;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::{self, Stream, StreamExt};
use outflow_contract::destination::{Destination, RecordOrigin};
use outflow_contract::limits::Limits;
use outflow_contract::outcome::{Ids, Records, Rejection};
use outflow_contract::plan::Mapping;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Entry, Op, RecordId, Result};
use outflow_ledger::changes::{EntryReader, values_of};
use outflow_ledger::requests::{Identity, Rebuild, regroup};
use outflow_ledger::runs;
use tokio::sync::mpsc;

use super::batch::{Draft, TooLarge};
use crate::blocking;
use crate::map::{Mapped, Mapper, SentBy, Unmapped};
use crate::seal::Sealed;
use crate::snapshot::values::complete;
use crate::time;

/// Batches that are read ahead of the mapping.
const READ_AHEAD: usize = 2;

/// What the payloads of a sync are made of.
pub(crate) struct Reading {
    /// Where the sealed parts are.
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) mapping: Arc<Mapping>,
    /// It, compiled.
    pub(crate) mapper: Arc<Mapper>,
    /// Where they go: it may shape them further.
    pub(crate) destination: Arc<dyn Destination>,
    /// What ids are made with.
    pub(crate) identity: Identity,
    /// The run.
    pub(crate) epoch: u64,
    /// The columns of the records.
    pub(crate) schema: SchemaRef,
    /// What is to be sent.
    pub(crate) sealed: Arc<Sealed>,
    /// The sync.
    pub(crate) sync: SentBy,
    /// The identifier's columns, and the limits: for compiling it again where records have columns in older types.
    pub(crate) id: Vec<String>,
    pub(crate) limits: Limits,
}

impl Reading {
    /// Maps the records of `batch` at `rows` and shapes them as requests carry them. `ops` has the operation of every record of the
    /// batch, `ids` the id of each of `rows`; none where the destination shapes nothing.
    pub(crate) fn map(&self, batch: &RecordBatch, ops: &[Op], rows: &[u32], ids: &[RecordId]) -> Result<Mapped> {
        self.map_as(&self.sync, batch, ops, rows, ids)
    }

    /// The same as `sync` did it.
    fn map_as(&self, sync: &SentBy, batch: &RecordBatch, ops: &[Op], rows: &[u32], ids: &[RecordId]) -> Result<Mapped> {
        let mapper = self.mapper_for(batch.schema_ref())?;
        if mapper.writes_messages() {
            let mut all = vec![RecordId(0); batch.num_rows()];
            rows.iter().zip(ids).for_each(|(&row, &id)| all[row as usize] = id);
            return mapper.map_with_ids(batch, ops, &all, sync, rows);
        }
        let mapped = mapper.map(batch, ops, sync, rows)?;
        if !self.destination.shapes() {
            return Ok(mapped);
        }
        let place = |row: u32| rows.binary_search(&row).unwrap_or_default();
        let origin = |row: u32| RecordOrigin { id: ids.get(place(row)).copied().unwrap_or(RecordId(0)), op: ops[row as usize] };
        Ok(shape(self.destination.as_ref(), mapped, origin))
    }

    /// The id of an entry's record.
    pub(crate) fn record_id(&self, entry: &Entry) -> RecordId {
        if entry.is_settled() {
            self.identity.again_id(entry.key, entry.version, self.epoch)
        } else {
            self.identity.record_id(entry.key, entry.version)
        }
    }

    /// The mapper for records of `schema`: of the columns of now, in the types of then.
    pub(crate) fn mapper_for(&self, schema: &SchemaRef) -> Result<Arc<Mapper>> {
        if schema == &self.schema {
            return Ok(Arc::clone(&self.mapper));
        }
        let (Mapping { fields, declared, .. }, destination) = (self.mapping.as_ref(), self.destination.as_ref());
        Mapper::compile_for(destination, fields, declared.as_deref(), schema, &self.id, &self.limits).map(Arc::new)
    }
}

/// Mapped records, and those that could not be.
pub(crate) struct Chunk {
    pub(crate) draft: Draft,
    pub(crate) failed: Vec<Failed>,
}

/// A record that is refused before any request.
pub(crate) struct Failed {
    pub(crate) position: u32,
    pub(crate) op: Op,
    /// Its identifier as JSON text.
    pub(crate) id: String,
    pub(crate) why: Rejection,
}

impl Failed {
    /// One that no request has room for.
    pub(crate) fn too_large(TooLarge { position, op, id, why }: TooLarge) -> Self {
        Self { position, op, id, why }
    }
}

/// Mapped records as requests carry them; what the destination's rules refuse has failed.
fn shape(destination: &dyn Destination, mapped: Mapped, origin: impl Fn(u32) -> RecordOrigin) -> Mapped {
    let mut shaped = Mapped {
        bytes: Vec::with_capacity(mapped.bytes.len() * 2),
        ends: Vec::with_capacity(mapped.ends.len()),
        rows: Vec::with_capacity(mapped.rows.len()),
        ids: Ids::default(),
        failed: mapped.failed,
    };
    let mut start = 0;
    for (i, (end, row)) in mapped.ends.into_iter().zip(mapped.rows).enumerate() {
        let before = shaped.bytes.len();
        match destination.shape(&mapped.bytes[start..end], &origin(row), &mut shaped.bytes) {
            Ok(()) => {
                shaped.ends.push(shaped.bytes.len());
                shaped.rows.push(row);
                shaped.ids.push(&mapped.ids[i]);
            }
            Err(rejection) => {
                shaped.bytes.truncate(before);
                shaped.failed.push(Unmapped { row, id: mapped.ids[i].to_owned(), rejection });
            }
        }
        start = end;
    }
    shaped
}

/// A batch of sealed entries that are to be sent.
struct Selected {
    values: RecordBatch,
    rows: Vec<u32>,
    positions: Vec<u32>,
    ops: Vec<Op>,
    /// The id of each; none where the destination shapes nothing.
    ids: Vec<RecordId>,
}

impl Selected {
    /// As one batch for each sync that first sent some of them.
    fn by_sync(self, syncs: &HashMap<u32, SentBy>) -> Vec<(SentBy, Self)> {
        let mut parts: BTreeMap<SentBy, Self> = BTreeMap::new();
        for (i, position) in self.positions.iter().enumerate() {
            let Some(sync) = syncs.get(position) else { continue };
            let part = parts.entry(sync.clone()).or_insert_with(|| Self {
                values: self.values.clone(),
                rows: Vec::new(),
                positions: Vec::new(),
                ops: Vec::new(),
                ids: Vec::new(),
            });
            part.rows.push(self.rows[i]);
            part.positions.push(*position);
            part.ops.push(self.ops[i]);
            part.ids.extend(self.ids.get(i));
        }
        parts.into_iter().collect()
    }
}

/// Mapped records by position: bytes, operation and identifier.
type Payloads = HashMap<u32, (bytes::Bytes, Op, String)>;

/// Which records go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    All,
    Deletes,
    /// What is not deleted.
    Others,
}

impl Pass {
    pub(crate) fn takes(self, op: Op) -> bool {
        match self {
            Self::All => true,
            Self::Deletes => op == Op::Deleted,
            Self::Others => op != Op::Deleted,
        }
    }
}

/// Every selected record that is `wanted`, by position and operation, mapped.
pub(crate) fn stream(reading: Arc<Reading>, wanted: impl Fn(u32, Op) -> bool + Send + 'static) -> impl Stream<Item = Result<Chunk>> + Send {
    let (sender, receiver) = mpsc::channel::<Result<Selected>>(READ_AHEAD);
    let for_task = Arc::clone(&reading);
    let task = tokio::task::spawn_blocking(move || {
        let sent = read(&for_task, &wanted, &mut |selected| sender.blocking_send(Ok(selected)).is_ok());
        if let Err(error) = sent {
            // Nobody may be listening any more; then there is nobody to tell.
            drop(sender.blocking_send(Err(error)));
        }
    });
    let batches = stream::unfold((receiver, Some(task)), |(mut receiver, mut task)| async move {
        if let Some(selected) = receiver.recv().await {
            return Some((selected, (receiver, task)));
        }
        let ended = task.take()?.await;
        let error = ended.err().map(|e| outflow_contract::Error::bug("reading the sealed changes stopped").caused_by(e))?;
        Some((Err(error), (receiver, task)))
    });
    batches
        .map(move |selected| {
            let reading = Arc::clone(&reading);
            async move {
                let selected = selected?;
                blocking(move || map(&reading, &reading.sync, &selected)).await
            }
        })
        .buffered(super::chunks_ahead())
}

/// Reads the sealed parts from start to end, and hands over what is to be sent, until `each` says stop.
fn read(reading: &Reading, wanted: &dyn Fn(u32, Op) -> bool, each: &mut dyn FnMut(Selected) -> bool) -> Result<()> {
    let mut position = 0u32;
    let shapes = reading.destination.shapes();
    let columns: Vec<String> = reading.mapper.columns().iter().map(|&i| reading.schema.field(i).name().clone()).collect();
    for part in &reading.sealed.parts {
        for batch in PartReader::open(reading.store.as_ref(), &part.path)?.with_values(&columns).read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            let (mut rows, mut positions, mut ops, mut ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for i in 0..entries.len() {
                let at = position + i as u32;
                let entry = entries.get(i).0;
                let op = entry.op();
                if reading.sealed.is_selected(&reading.mapping, &entry, at) && wanted(at, op) {
                    if shapes {
                        ids.push(reading.record_id(&entry));
                    }
                    rows.push(i as u32);
                    positions.push(at);
                    ops.push(op);
                }
            }
            position += entries.len() as u32;
            if rows.is_empty() {
                continue;
            }
            let values = complete(&values_of(&batch)?, &reading.schema)?;
            if !each(Selected { values, rows, positions, ops, ids }) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn map(reading: &Reading, sync: &SentBy, selected: &Selected) -> Result<Chunk> {
    let ops = full_ops(selected);
    let mapped = reading.map_as(sync, &selected.values, &ops, &selected.rows, &selected.ids)?;
    // Rows ascend, so the position of each is found by search; where nothing failed they are the same list.
    let place = |row: u32| selected.rows.binary_search(&row).map_or(0, |i| i);
    let failed = mapped.failed.into_iter().map(|unmapped| {
        let i = place(unmapped.row);
        Failed { position: selected.positions[i], op: selected.ops[i], id: unmapped.id, why: unmapped.rejection }
    });
    let failed: Vec<Failed> = failed.collect();
    let (positions, ops) = if failed.is_empty() {
        (selected.positions.clone(), selected.ops.clone())
    } else {
        mapped.rows.iter().map(|&row| (selected.positions[place(row)], ops[row as usize])).unzip()
    };
    let schema = reading.mapper.payload_schema().cloned();
    let records = Records { bytes: mapped.bytes.into(), ends: mapped.ends, ops, ids: mapped.ids, schema };
    Ok(Chunk { draft: Draft { positions, records }, failed })
}

/// An operation for each record of the batch; those that are not selected do not matter.
fn full_ops(selected: &Selected) -> Vec<Op> {
    let mut ops = vec![Op::Added; selected.values.num_rows()];
    for (&row, &op) in selected.rows.iter().zip(&selected.ops) {
        ops[row as usize] = op;
    }
    ops
}

/// The requests of earlier runs that can be built again, with where they came from: all their records are still to be sent as they were.
pub(crate) async fn rebuild(reading: Arc<Reading>) -> Result<Vec<(Rebuild, Draft)>> {
    blocking(move || {
        let groups = unanswered(&reading)?;
        let syncs = first_syncs(&reading, &groups)?;
        if syncs.is_empty() {
            return Ok(Vec::new());
        }
        let mut payloads = Payloads::new();
        let mut failure = None;
        read(&reading, &|position, _| syncs.contains_key(&position), &mut |selected| {
            let mapped = selected.by_sync(&syncs).iter().try_for_each(|(sync, part)| {
                let Chunk { draft, .. } = map(&reading, sync, part)?;
                for (i, &position) in draft.positions.iter().enumerate() {
                    let payload = draft.records.bytes.slice_ref(draft.records.payload(i));
                    payloads.insert(position, (payload, draft.records.ops[i], draft.records.ids[i].to_owned()));
                }
                Ok(())
            });
            failure = mapped.err();
            failure.is_none()
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        Ok(groups
            .into_iter()
            .filter_map(|group| Some((draft_of(&group, &payloads, reading.mapper.payload_schema())?, group)))
            .map(|(draft, group)| (group, draft))
            .collect())
    })
    .await
}

/// The sync that first sent each record of these requests, by position: its id and its start may stand in the bytes. What no plan tells
/// any more is taken for a record of this sync; if that is not what was sent, the request is not the same, and a new one is made.
fn first_syncs(reading: &Reading, groups: &[Rebuild]) -> Result<HashMap<u32, SentBy>> {
    let mut of_epochs: HashMap<u64, SentBy> = HashMap::new();
    let mut of_positions = HashMap::new();
    for group in groups {
        let sync = match of_epochs.entry(group.epoch) {
            hash_map::Entry::Occupied(known) => known.get().clone(),
            hash_map::Entry::Vacant(new) => {
                let plan = runs::plan_of(reading.store.as_ref(), &reading.mapping.name, group.epoch)?;
                let sync = plan.and_then(|plan| Some(SentBy::new(&plan.sync_id, time::parsed(&plan.started_at)?)));
                new.insert(sync.unwrap_or_else(|| reading.sync.clone())).clone()
            }
        };
        of_positions.extend(group.positions.iter().map(|&position| (position, sync.clone())));
    }
    Ok(of_positions)
}

fn unanswered(reading: &Reading) -> Result<Vec<Rebuild>> {
    let mut unknown = Vec::new();
    let mut position = 0u32;
    for part in &reading.sealed.parts {
        for batch in PartReader::open(reading.store.as_ref(), &part.path)?.narrow().read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            for i in 0..entries.len() {
                let (entry, _) = entries.get(i);
                let at = position + i as u32;
                let is_unknown = matches!(entry.before, Before::Unknown(attempt) if attempt.request.is_some());
                if is_unknown && reading.sealed.is_selected(&reading.mapping, &entry, at) {
                    unknown.push((at, entry));
                }
            }
            position += entries.len() as u32;
        }
    }
    Ok(regroup(unknown).0)
}

/// The records of a request in their old order; `None` if one of them can no longer be mapped.
fn draft_of(group: &Rebuild, payloads: &Payloads, schema: Option<&SchemaRef>) -> Option<Draft> {
    let records = Records { schema: schema.cloned(), ..Records::default() };
    let mut draft = Draft { positions: group.positions.clone(), records };
    let mut bytes = Vec::new();
    for position in &group.positions {
        let (payload, op, id) = payloads.get(position)?;
        bytes.extend_from_slice(payload);
        draft.records.ends.push(bytes.len());
        draft.records.ops.push(*op);
        draft.records.ids.push(id);
    }
    draft.records.bytes = bytes.into();
    Some(draft)
}
