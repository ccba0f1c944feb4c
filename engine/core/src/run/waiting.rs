//! What waits for a mapping's destination, and why; and setting some of it aside.
//!
//! ```text
//! lock ─► recover ─► the pending records, those that are meant with the mark ─► one commit
//! ```
//!
//! A record that is set aside stays pending as it is: what its destination holds or may hold of it is known as before, a request that was
//! never answered included. Only failed records can be set aside.

mod sampled;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use outflow_contract::limits::{REASONS_MAX, SAMPLES_PER_REASON};
use outflow_contract::plan::Mapping;
use outflow_contract::report::Tally;
use outflow_contract::secret::Redactor;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Entry, Error, Key, Kind, Op, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::changes::{EntryBuilder, EntryReader, Reason, Reasons, assemble, values_of};
use outflow_ledger::commit::{MappingCommit, ModelCommit, PendingFile};
use outflow_ledger::{paths, runs};
use serde::Serialize;

use super::Engine;
use super::identified::Identified;
use crate::blocking;
use crate::commit::PendingWriter;
use crate::map::is_same_id;
use crate::snapshot::{PartReader, PartsWriter};
use crate::time::rfc3339_of_ms;

/// The code of records that no sync has tried.
const NOT_TRIED: Reason<'_> = Reason { code: "not_attempted", message: "no sync has tried to send it yet", open: true };
/// The code of records for whose reasons there was no room left.
const OTHER: (&str, &str) = ("other", "failed for still other reasons");

/// Which of the pending records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All that have failed.
    All,
    /// Those with these identifiers, as JSON or as plain text.
    Ids(Vec<String>),
    /// Those that have failed with this code.
    Code(String),
}

/// What was set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Records that are set aside from now on.
    pub records: u64,
    /// Records that were meant, and had been set aside before.
    pub already: u64,
    /// Pending records that are not set aside: the next sync tries them.
    pub left: u64,
}

/// What waits for a mapping's destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Waiting {
    /// The mapping.
    pub mapping: String,
    /// Pending records, by operation.
    pub pending: Tally,
    /// Those of them that are set aside.
    pub set_aside: Tally,
    /// Versions of its model that no sync of it has looked at yet.
    pub versions_ahead: u64,
    /// A sync of it is under way, or was interrupted: what became of that is not known here yet.
    pub unsettled: bool,
    /// Why they wait, most records first.
    pub reasons: Vec<WaitingReason>,
}

/// Pending records that wait for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitingReason {
    /// The code, such as `http_422`.
    pub code: String,
    /// The message of the first of them.
    pub message: String,
    /// How many of them have other messages.
    pub other_messages: u64,
    /// They are set aside.
    pub set_aside: bool,
    /// How many.
    pub records: u64,
    /// How many of each operation.
    pub operations: Tally,
    /// In how many syncs in a row the one that has waited longest has failed.
    pub attempts: u32,
    /// When the first of them failed first, RFC 3339; `None` where none was tried.
    pub first_seen: Option<String>,
    /// When the last of them failed last.
    pub last_seen: Option<String>,
    /// A few of them.
    pub examples: Vec<WaitingRecord>,
}

/// One pending record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitingRecord {
    /// The identifier as JSON text.
    pub id: String,
    /// What is to be done with it.
    pub op: Op,
    /// Why it failed, in words.
    pub message: String,
    /// In how many syncs in a row it has failed.
    pub attempts: u32,
    /// When it failed first, RFC 3339; `None` where it was never tried.
    pub first_seen: Option<String>,
    /// When it failed last.
    pub last_seen: Option<String>,
    /// What was sent of it then, where that was kept: without secrets, and cut to size.
    pub payload: Option<String>,
}

impl Waiting {
    /// Takes the secrets of `redactor` out of what was kept: it may have been kept when they were not known.
    fn redact(&mut self, redactor: &Redactor) {
        for reason in &mut self.reasons {
            reason.message = redactor.clean(&reason.message);
            for record in &mut reason.examples {
                record.message = redactor.clean(&record.message);
                record.payload = record.payload.take().map(|payload| redactor.clean(&payload));
            }
        }
    }
}

impl Engine {
    /// What waits for the destination of `name`, and why. Reads the state as it stands.
    pub async fn waiting(&self, name: &str) -> Result<Waiting> {
        let mapping = self.mapping(name)?;
        let model = self.project.model(&mapping.model).ok_or_else(|| Error::bug("a mapping without a model"))?;
        let (state, head) = (self.state_of(mapping).await?, self.head_of(model).await?);
        let (store, name, redactor) = (Arc::clone(&self.store), name.to_owned(), self.project.redactor.clone());
        blocking(move || {
            let closed = state.as_ref().map_or(0, |state| state.closed_through);
            let unsettled = !runs::open_runs(store.as_ref(), &name, closed)?.is_empty();
            let mut waiting = listed(store.as_ref(), name, state.as_ref(), head.as_ref(), unsettled)?;
            waiting.redact(&redactor);
            Ok(waiting)
        })
        .await
    }

    /// Sets failed records of `name` aside: they stay pending, and are not attempted before they change or are asked for.
    pub async fn acknowledge(&self, name: &str, which: Which, wait: bool) -> Result<Acknowledged> {
        let mapping = self.mapping(name)?;
        let _locks = self.lock_and_recover(&[mapping], wait).await?;
        let (store, name, nonce) = (Arc::clone(&self.store), name.to_owned(), self.clock.random());
        self.amend(mapping, move |head| {
            let (store, name) = (store.as_ref(), name.as_str());
            let Some(head) = head else { return Err(nothing_waits(name)) };
            let epoch = runs::next_epoch(store, name)?;
            let marked = mark(store, (name, epoch, nonce), &head, &which)?;
            if marked.done.records + marked.done.already == 0 {
                return Err(none_meant(name, &which));
            }
            if !marked.missing.is_empty() {
                return Err(not_waiting(name, &marked.missing));
            }
            let next = (marked.done.records > 0).then(|| head.set_aside(marked.pending, epoch));
            Ok((next, marked.done))
        })
        .await
    }
}

/// Pending records with the mark.
struct Marked {
    pending: Vec<PendingFile>,
    done: Acknowledged,
    /// Identifiers that none of them has.
    missing: Vec<String>,
}

fn mark(store: &dyn StateStore, (name, epoch, nonce): (&str, u64, u64), head: &MappingCommit, which: &Which) -> Result<Marked> {
    let path = |i: usize| paths::run_file(name, epoch, &paths::part("pending", nonce, i as u32));
    let mut writer = PendingWriter::new(PartsWriter::new(store, path));
    let mut done = Acknowledged::default();
    let mut missing: BTreeSet<&String> = if let Which::Ids(ids) = which { ids.iter().collect() } else { BTreeSet::new() };
    let model: Option<ModelCommit> = Chain::of_model(&head.model).head(store)?;
    let identified = Identified::new(store, model.as_ref(), &head.id)?;
    for file in &head.pending {
        for batch in PartReader::open(store, &file.path)?.read()? {
            let batch = batch?;
            let (entries, reasons, values) = (EntryReader::new(&batch)?, Reasons::of(&batch)?, values_of(&batch)?);
            let ids = if let Which::Ids(_) = which { identified.of(&batch, &entries)? } else { Vec::new() };
            let mut builder = EntryBuilder::of_pending();
            for i in 0..entries.len() {
                let (mut entry, before_at) = entries.get(i);
                let meant = match which {
                    Which::All => true,
                    Which::Code(code) => reasons.get(i).is_some_and(|reason| reason.code == code),
                    Which::Ids(wanted) => {
                        let meant: Vec<&String> =
                            wanted.iter().filter(|wanted| ids.get(i).is_some_and(|id| is_same_id(id, wanted))).collect();
                        missing.retain(|id| !meant.contains(id));
                        !meant.is_empty()
                    }
                };
                if meant && has_failed(&entry) {
                    let before = std::mem::replace(&mut entry.failed.set_aside, true);
                    *(if before { &mut done.already } else { &mut done.records }) += 1;
                }
                done.left += u64::from(!entry.is_settled() && !entry.failed.set_aside);
                builder.push(&entry, before_at);
            }
            writer.write(&reasons.beside(&assemble(builder.finish(), &values)?)?)?;
        }
    }
    let (pending, _) = writer.finish()?;
    Ok(Marked { pending, done, missing: missing.into_iter().cloned().collect() })
}

fn has_failed(entry: &Entry) -> bool {
    !entry.is_settled() && entry.failed.attempts > 0
}

fn listed(
    store: &dyn StateStore,
    mapping: String,
    state: Option<&MappingCommit>,
    head: Option<&ModelCommit>,
    unsettled: bool,
) -> Result<Waiting> {
    let mut reasons: BTreeMap<(String, bool), WaitingReason> = BTreeMap::new();
    let identified = Identified::new(store, head, state.map(|state| state.id.as_slice()).unwrap_or_default())?;
    let payloads = match state.filter(|state| !state.pending.is_empty()) {
        Some(state) => sampled::payloads(store, &mapping, state)?,
        None => HashMap::new(),
    };
    for file in state.iter().flat_map(|state| &state.pending) {
        for batch in PartReader::open(store, &file.path)?.read()? {
            add(&mut reasons, &batch?, &identified, &payloads)?;
        }
    }
    let mut reasons: Vec<WaitingReason> = reasons.into_values().collect();
    reasons.sort_by(|a, b| (a.set_aside, b.records).cmp(&(b.set_aside, a.records)).then_with(|| a.code.cmp(&b.code)));
    let waiting = state.map(MappingCommit::waiting).unwrap_or_default();
    let cursor = state.and_then(|state| state.cursor).unwrap_or(0);
    let versions_ahead = head.map_or(0, |head| head.version.saturating_sub(cursor));
    Ok(Waiting { mapping, pending: waiting.all.into(), set_aside: waiting.set_aside.into(), versions_ahead, unsettled, reasons })
}

/// Adds the pending records of a batch to the reasons for which they wait.
fn add(
    groups: &mut BTreeMap<(String, bool), WaitingReason>,
    batch: &RecordBatch,
    identified: &Identified<'_>,
    payloads: &HashMap<Key, String>,
) -> Result<()> {
    let (entries, reasons) = (EntryReader::new(batch)?, Reasons::of(batch)?);
    // Identifiers are only asked for where an example is wanted.
    let mut ids: Option<Vec<String>> = None;
    for i in 0..entries.len() {
        let (entry, _) = entries.get(i);
        if entry.is_settled() {
            continue;
        }
        let failed = entry.failed;
        let Reason { code, message, .. } = if failed.attempts == 0 { NOT_TRIED } else { reasons.get(i).unwrap_or(NOT_TRIED) };
        let key = (code.to_owned(), failed.set_aside);
        let is_known = groups.contains_key(&key) || groups.len() < REASONS_MAX;
        let (key, message) = if is_known { (key, message) } else { ((OTHER.0.to_owned(), failed.set_aside), OTHER.1) };
        let group = groups.entry(key).or_insert_with_key(|(code, set_aside)| WaitingReason {
            code: code.clone(),
            message: message.to_owned(),
            other_messages: 0,
            set_aside: *set_aside,
            records: 0,
            operations: Tally::default(),
            attempts: 0,
            first_seen: None,
            last_seen: None,
            examples: Vec::new(),
        });
        let seen = |ms: u64| (failed.attempts > 0).then(|| rfc3339_of_ms(ms));
        let (first_seen, last_seen) = (seen(failed.first_ms), seen(failed.last_ms));
        group.records += 1;
        group.other_messages += u64::from(group.message != message);
        group.operations.add(entry.op(), 1);
        group.attempts = group.attempts.max(failed.attempts);
        group.first_seen = group.first_seen.take().into_iter().chain(first_seen.clone()).min();
        group.last_seen = group.last_seen.take().into_iter().chain(last_seen.clone()).max();
        let payload = payloads.get(&entry.key).filter(|_| failed.attempts > 0).cloned();
        let place = place_for(&group.examples, payload.is_some());
        if let Some(place) = place {
            if ids.is_none() {
                ids = Some(identified.of(batch, &entries)?);
            }
            let id = ids.as_ref().and_then(|ids| ids.get(i)).cloned().unwrap_or_default();
            let (op, attempts) = (entry.op(), failed.attempts);
            let record = WaitingRecord { id, op, message: message.to_owned(), attempts, first_seen, last_seen, payload };
            group.examples.truncate(SAMPLES_PER_REASON - 1);
            group.examples.insert(place, record);
        }
    }
    Ok(())
}

/// Where an example goes, if there is room for it: those with a payload stand before the others.
fn place_for(examples: &[WaitingRecord], has_payload: bool) -> Option<usize> {
    let with_payload = examples.iter().take_while(|record| record.payload.is_some()).count();
    let place = if has_payload { with_payload } else { examples.len() };
    (place < SAMPLES_PER_REASON).then_some(place)
}

/// The keys of the records with these identifiers, each with the identifier as it was given, among those that wait: pending, or changed in
/// a version that the mapping has not seen. An error if one of them does not.
pub(super) async fn keys_of(
    engine: &Engine,
    mapping: &Mapping,
    head: &ModelCommit,
    state: Option<&MappingCommit>,
    wanted: &[String],
) -> Result<BTreeMap<Key, String>> {
    let (store, name, wanted) = (Arc::clone(&engine.store), mapping.name.clone(), wanted.to_vec());
    let (head, state) = (head.clone(), state.cloned());
    blocking(move || keys(store.as_ref(), &name, &head, state.as_ref(), &wanted)).await
}

fn keys(
    store: &dyn StateStore,
    name: &str,
    head: &ModelCommit,
    state: Option<&MappingCommit>,
    wanted: &[String],
) -> Result<BTreeMap<Key, String>> {
    // Where nothing was delivered, or all of it is in doubt, every record of the model waits.
    let cursor = state.filter(|state| !state.resend).and_then(|state| state.cursor);
    let changed: BTreeSet<u32> =
        head.versions.iter().filter(|version| Some(version.version) > cursor).flat_map(|version| version.files.iter().copied()).collect();
    let ahead = head.files.iter().filter(|file| cursor.is_none() || changed.contains(&file.id)).map(|file| &file.path);
    let pending = state.iter().flat_map(|state| &state.pending).map(|file| &file.path);
    let identified = Identified::new(store, Some(head), &head.id)?;
    let mut keys = BTreeMap::new();
    let mut missing: BTreeSet<&String> = wanted.iter().collect();
    for path in pending.chain(ahead) {
        for batch in PartReader::open(store, path)?.with_values(&head.id).read()? {
            let batch = batch?;
            let entries = EntryReader::new(&batch)?;
            for (i, found) in identified.of(&batch, &entries)?.iter().enumerate() {
                for id in wanted.iter().filter(|wanted| is_same_id(found, wanted)) {
                    missing.remove(id);
                    keys.insert(entries.key(i), id.clone());
                }
            }
        }
    }
    let missing: Vec<String> = missing.into_iter().cloned().collect();
    if missing.is_empty() { Ok(keys) } else { Err(not_waiting(name, &missing)) }
}

fn nothing_waits(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("nothing waits for mapping `{name}`")).remedy("`outflow history` lists what its syncs have done")
}

fn none_meant(name: &str, which: &Which) -> Error {
    let error = match which {
        Which::All => return nothing_waits(name),
        Which::Code(code) => format!("no record of mapping `{name}` waits that has failed with the code `{code}`"),
        Which::Ids(ids) => return not_waiting(name, ids),
    };
    Error::new(Kind::NotFound, error).remedy(format!("`outflow pending {name}` lists what waits, and why"))
}

fn not_waiting(name: &str, ids: &[String]) -> Error {
    /// So many are named.
    const NAMED: usize = 4;
    let mut named: Vec<String> = ids.iter().take(NAMED).cloned().collect();
    if ids.len() > NAMED {
        named.push(format!("{} more", ids.len() - NAMED));
    }
    let message = match ids {
        [one] => format!("no record with the identifier {one} waits for mapping `{name}`"),
        _ => format!("no records with the identifiers {} wait for mapping `{name}`", named.join(", ")),
    };
    Error::new(Kind::NotFound, message)
        .remedy(format!("`outflow pending {name}` lists what waits; `outflow test {name} --record ID --send` sends a record that does not"))
}

#[cfg(test)]
mod tests;
