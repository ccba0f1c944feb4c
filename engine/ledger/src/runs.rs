//! Runs: the sealed plan, the positions settled at the seal, the report, and the history.
//!
//! ```text
//!   epoch 41   parts · plan · journal · report     closed: the head's closed_through is 41 or more
//!   epoch 42   parts · plan · journal              open: recovered before anything else happens
//!   epoch 43   parts · journal, empty              no plan, so nothing was sent: left to garbage collection
//! ```
//!
//! An epoch is never used twice. A plan is durable before the first byte is sent, and names its parts by their hashes. The journal is durable,
//! and empty, before the plan: so one of them without the other, but for an empty journal, was taken away.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use outflow_contract::report::SyncReport;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Counts, Error, Key, Kind, Result, Selection};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chain::Chain;
use crate::commit::Sighting;
use crate::integrity::lost;
use crate::store::create_own;
use crate::{object, paths};

/// What a run is going to do, sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The run.
    pub epoch: u64,
    /// The sync, for people.
    pub sync_id: String,
    /// The mapping.
    pub mapping: String,
    /// The mapping commit that it starts from; 0 if there is none.
    pub base: u64,
    /// The model.
    pub model: String,
    /// The cursor that it starts from.
    pub cursor: Option<u64>,
    /// The model version that it delivers, as it saw it: the cursor of the commit that closes it, whatever the head is by then (rule 6).
    pub saw: Sighting,
    /// Nothing but these records, ahead of their sync: the cursor stays where it is.
    pub only: Option<BTreeSet<Key>>,
    /// Records of an earlier sync, once more: the cursor stays where it is.
    pub again: Option<Again>,
    /// What it sends.
    pub selection: Selection,
    /// The action of its destination.
    pub action: String,
    /// The mapping's fields as written, without secrets.
    pub fields: Value,
    /// The columns of the records: see [`crate::commit::encode_schema`].
    pub schema: String,
    /// The identifier's columns.
    pub id: Vec<String>,
    /// The sealed change set, in order: positions count through all parts.
    pub parts: Vec<SealedPart>,
    /// The file of the positions settled as seen ([`Seen`]), if there are any.
    pub seen: Option<String>,
    /// The records to be sent.
    pub selected: Counts,
    /// When, RFC 3339.
    pub started_at: String,
    /// The account at the destination.
    pub account: String,
    /// How long its requests may take effect, for whoever recovers it: the project may say something else by then (rule 12).
    pub request_lifetime_ms: u64,
    /// Its journal was durable before it, so that it is never without one; not so in states of before.
    #[serde(default)]
    pub journaled: bool,
}

/// An earlier sync that is sent once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Its id.
    pub sync_id: String,
    /// The mapping in whose runs its parts lie: it may have another name by now.
    pub mapping: String,
    /// What is due of its records, as entries without values: of those that go out, are not pending, and have another state at the cursor.
    pub due: Vec<SealedPart>,
}

impl Plan {
    /// The mapping in whose runs its parts lie, where they are no version's.
    pub fn owner(&self) -> &str {
        self.again.as_ref().map_or(&self.mapping, |again| &again.mapping)
    }

    /// The length of the sealed change set.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }
}

/// The hash of a mapping's fields as they are written: tells whether they were edited since.
pub fn fields_hash(fields: &Value) -> String {
    blake3::hash(fields.to_string().as_bytes()).to_hex()[..32].to_owned()
}

/// One part of a sealed change set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPart {
    /// Where it lies.
    pub path: String,
    /// Records in it.
    pub rows: u64,
    /// The hash of its bytes, hexadecimal.
    pub blake3: String,
}

/// The next epoch of a mapping, never used before. Call it under the mapping's lock.
pub fn next_epoch(store: &dyn StateStore, mapping: &str) -> Result<u64> {
    let closed = Chain::of_mapping(mapping).head(store)?.map_or(0, |head| head.closed_through);
    let begun = store.list(&paths::runs(mapping))?;
    let last = begun.iter().filter_map(|path| paths::epoch_and_file(mapping, path)).map(|(epoch, _)| epoch).max();
    Ok(closed.max(last.unwrap_or(0)) + 1)
}

/// The runs after `closed_through` that have a plan, oldest first: what has to be recovered. One with a journal that says anything had a
/// plan, and if that is gone, reading it says so.
pub fn open_runs(store: &dyn StateStore, mapping: &str, closed_through: u64) -> Result<Vec<u64>> {
    let mut epochs = epochs_with(store, mapping, paths::PLAN)?;
    for epoch in epochs_with(store, mapping, paths::JOURNAL)?.into_iter().filter(|&epoch| epoch > closed_through) {
        if !epochs.contains(&epoch) && !is_before_its_plan(store, &paths::run_file(mapping, epoch, paths::JOURNAL))? {
            epochs.push(epoch);
        }
    }
    epochs.sort_unstable();
    epochs.retain(|&epoch| epoch > closed_through);
    Ok(epochs)
}

/// Is a journal without a plan that of a run which never came so far as to have one?
pub fn is_before_its_plan(store: &dyn StateStore, journal: &str) -> Result<bool> {
    Ok(store.read(journal)?.is_none_or(|bytes| bytes.is_empty()))
}

/// What the journal of a run says. An error of kind `Corrupt` if it is gone: what was sent is not known then.
pub fn read_journal(store: &dyn StateStore, plan: &Plan) -> Result<Bytes> {
    let path = paths::run_file(&plan.mapping, plan.epoch, paths::JOURNAL);
    match store.read(&path)? {
        Some(bytes) => Ok(bytes),
        None if plan.journaled => {
            Err(Error::corrupt(format!("{path} is missing, though its run has a plan: what it has sent is not known"))
                .remedy(lost(&plan.mapping)))
        }
        None => Ok(Bytes::new()),
    }
}

/// Makes a plan durable. From here on the run is open. `nonce` is a number that nobody else draws.
pub fn seal(store: &dyn StateStore, plan: &Plan, nonce: u64) -> Result<()> {
    let path = paths::run_file(&plan.mapping, plan.epoch, paths::PLAN);
    check(&path, plan, &plan.mapping, plan.epoch).map_err(|error| Error::bug("a plan names what is not its own").caused_by(error))?;
    create_own(store, &path, object::encode(plan, nonce)?)
}

/// The plan of a run. An error of kind `NotFound` if it has none, `Corrupt` if it is damaged.
pub fn read_plan(store: &dyn StateStore, mapping: &str, epoch: u64) -> Result<Plan> {
    let path = paths::run_file(mapping, epoch, paths::PLAN);
    let bytes = store.read(&path)?.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no {path}")))?;
    let plan = object::decode(&path, &bytes)?;
    check(&path, &plan, mapping, epoch)?;
    Ok(plan)
}

/// The plan of run `epoch` of a mapping, whatever name the mapping had then: epochs go on counting when it is renamed.
/// `None` where its plan is no longer kept, or cannot be understood.
pub fn plan_of(store: &dyn StateStore, mapping: &str, epoch: u64) -> Result<Option<Plan>> {
    let mut names = vec![mapping.to_owned()];
    let mut looked = 0;
    while let Some(name) = names.get(looked).cloned() {
        match read_plan(store, &name, epoch) {
            Ok(plan) => return Ok(Some(plan)),
            Err(error) if error.kind() == Kind::Io => return Err(error),
            Err(_) => looked += 1,
        }
        for other in mappings(store)?.into_iter().filter(|other| !names.contains(other)).collect::<Vec<_>>() {
            let head = Chain::of_mapping(&other).head(store)?;
            if head.and_then(|head| head.ended).is_some_and(|to| to == name) {
                names.push(other);
            }
        }
    }
    Ok(None)
}

/// Paths inside an object are never trusted: a plan names only parts of its own mapping's runs, of those of the name that the mapping had,
/// and of its model's versions.
fn check(path: &str, plan: &Plan, mapping: &str, epoch: u64) -> Result<()> {
    let folders = [paths::runs(mapping), paths::runs(plan.owner()), paths::versions(&plan.model)].map(|folder| format!("{folder}/"));
    let below = |path: &String| folders.iter().any(|folder| path.starts_with(folder.as_str())) && !path.contains("..");
    let due = plan.again.iter().flat_map(|again| &again.due);
    let parts = plan.parts.iter().chain(due).map(|part| &part.path);
    let own = !plan.owner().contains('/') && parts.chain(&plan.seen).all(below);
    // Positions are 32-bit numbers.
    let countable = plan.rows() < u64::from(u32::MAX);
    if plan.mapping == mapping && plan.epoch == epoch && own && countable { Ok(()) } else { Err(object::damaged(path)) }
}

/// Writes the report of a run. `nonce` is a number that nobody else draws.
pub fn write_report(store: &dyn StateStore, epoch: u64, report: &SyncReport, nonce: u64) -> Result<()> {
    create_own(store, &paths::run_file(&report.mapping, epoch, paths::REPORT), object::encode(report, nonce)?)
}

/// The report of a run; `None` if it has none, because it was killed or is under way.
pub fn read_report(store: &dyn StateStore, mapping: &str, epoch: u64) -> Result<Option<SyncReport>> {
    let path = paths::run_file(mapping, epoch, paths::REPORT);
    store.read(&path)?.map(|bytes| object::decode(&path, &bytes)).transpose()
}

/// One sync of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct PastSync {
    /// Its run.
    pub epoch: u64,
    /// What it did.
    pub report: SyncReport,
}

/// The runs of a mapping that have a report, oldest first.
pub fn reported(store: &dyn StateStore, mapping: &str) -> Result<Vec<u64>> {
    epochs_with(store, mapping, paths::REPORT)
}

/// The files of each run of a mapping, by epoch.
pub fn folders(store: &dyn StateStore, mapping: &str) -> Result<BTreeMap<u64, Vec<String>>> {
    let mut folders: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for path in store.list(&paths::runs(mapping))? {
        if let Some((epoch, _)) = paths::epoch_and_file(mapping, &path) {
            folders.entry(epoch).or_default().push(path);
        }
    }
    Ok(folders)
}

/// The mappings that have any state, by name.
pub fn mappings(store: &dyn StateStore) -> Result<Vec<String>> {
    let below = format!("{}/", paths::MAPPINGS);
    let names = |path: &String| Some(path.strip_prefix(&below)?.split_once('/')?.0.to_owned());
    let mut names: Vec<String> = store.list(paths::MAPPINGS)?.iter().filter_map(names).collect();
    names.dedup();
    Ok(names)
}

fn epochs_with(store: &dyn StateStore, mapping: &str, file: &str) -> Result<Vec<u64>> {
    let paths = store.list(&paths::runs(mapping))?;
    let mut epochs: Vec<u64> = paths
        .iter()
        .filter_map(|path| paths::epoch_and_file(mapping, path))
        .filter(|(_, name)| *name == file)
        .map(|(epoch, _)| epoch)
        .collect();
    epochs.sort_unstable();
    Ok(epochs)
}

/// The positions of a sealed change set that were settled as seen: one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    bits: Vec<u8>,
    count: u64,
}

/// The first bytes of the file, and its version.
const SEEN_MAGIC: &[u8; 8] = b"OFSEEN\x001";
const CHECKSUM_BYTES: usize = 32;

impl Seen {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn insert(&mut self, position: u32) {
        let (byte, bit) = (position as usize / 8, 1 << (position % 8));
        if self.bits.len() <= byte {
            self.bits.resize(byte + 1, 0);
        }
        self.count += u64::from(self.bits[byte] & bit == 0);
        self.bits[byte] |= bit;
    }

    /// Is it one of them?
    pub fn contains(&self, position: u32) -> bool {
        self.bits.get(position as usize / 8).is_some_and(|byte| byte & (1 << (position % 8)) != 0)
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let set = |(byte, bits): (u32, u8)| (0..8).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| byte * 8 + bit);
        (0..).zip(self.bits.iter().copied()).flat_map(set)
    }

    /// Writes the file of a run and returns its path, for the plan. Before the seal.
    pub fn write(&self, store: &dyn StateStore, mapping: &str, epoch: u64) -> Result<String> {
        let path = paths::run_file(mapping, epoch, paths::SEEN);
        let mut bytes = SEEN_MAGIC.to_vec();
        bytes.extend_from_slice(&self.bits);
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        create_own(store, &path, Bytes::from(bytes))?;
        Ok(path)
    }

    /// Reads the file of a plan.
    pub fn read(store: &dyn StateStore, path: &str) -> Result<Self> {
        let bytes = store.read(path)?.ok_or_else(|| object::damaged(path))?;
        let end = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or_else(|| object::damaged(path))?;
        let (body, checksum) = bytes.split_at(end);
        if blake3::hash(body).as_bytes() != checksum {
            return Err(object::damaged(path));
        }
        let bits = body.strip_prefix(SEEN_MAGIC).ok_or_else(|| object::damaged(path))?.to_vec();
        let count = bits.iter().map(|byte| u64::from(byte.count_ones())).sum();
        Ok(Self { bits, count })
    }
}

#[cfg(test)]
mod tests;
