//! What must hold of a world, whatever has happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use outflow_contract::report::{Status, SyncReport};
use outflow_contract::state_store::StateStore;
use outflow_ledger::chain::{Chain, Commit};
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::journal::{Answered, Answers, Frame, Frames, Intent};
use outflow_ledger::{paths, runs};

use crate::destination::{Exchange, account};
use crate::machine::{ALONE, Ended, MAPPINGS, PAIR};
use crate::store::SimStore;
use crate::world::{Process, World, lock};

/// What went wrong in a process that should have come to a good end.
pub(crate) fn failures(ended: &Ended) -> Vec<String> {
    let Ended::Lived { reports, errors } = ended else { return vec!["it died".to_owned()] };
    let bad = reports.iter().filter(|report| matches!(report.status, Status::Failed | Status::Blocked | Status::Cancelled));
    let bad = bad.filter(|report| !refused_all(report));
    errors.iter().cloned().chain(bad.map(|report| format!("{}: {:?} {:?}", report.mapping, report.status, report.message))).collect()
}

/// A sync whose every record the destination refuses has failed, and still done all that it could.
fn refused_all(report: &SyncReport) -> bool {
    report.counts.delivered.total == 0
        && !report.failures.is_empty()
        && report.failures.iter().all(|group| group.code == "refused" || group.code == "http_422")
}

/// I3, as people see it: what was selected is delivered or waits.
pub(crate) fn sums(ended: &Ended) -> Vec<String> {
    let Ended::Lived { reports, .. } = ended else { return Vec::new() };
    let ended_well = reports.iter().filter(|report| matches!(report.status, Status::Success | Status::PartialSuccess));
    let wrong = ended_well.filter(|report| report.counts.selected.total != report.counts.delivered.total + report.counts.failed.total);
    wrong.map(|report| format!("I3: {}: selected is not delivered and failed together: {:?}", report.mapping, report.counts)).collect()
}

/// The state: chains, what they name, what the journals say.
pub(crate) fn state(world: &Arc<Mutex<World>>) -> Vec<String> {
    let mut wrong = std::mem::take(&mut lock(world).violations);
    // What a power cut would leave has to make sense as much as what is visible.
    for (what, power) in [("visible", false), ("durable", true)] {
        let copy = Arc::new(Mutex::new(World { script: crate::world::Script::default(), ..lock(world).clone() }));
        lock(&copy).die(power);
        let store = SimStore::new(Process::start(&copy));
        if let Err(why) = chains(&store) {
            wrong.push(format!("{why} ({what})"));
        }
    }
    let world = lock(world);
    for (path, file) in world.files.iter().filter(|(path, _)| path.ends_with("/journal")) {
        wrong.extend(acknowledged(path, &file.body, &world.log));
    }
    wrong.extend(keys(&world.log));
    wrong
}

/// I4 and I6: gapless chains, cursors that go with their model, and everything there that a head or an open plan names.
fn chains(store: &SimStore) -> Result<(), String> {
    let fault = |error: outflow_contract::Error| error.to_string();
    let model: Option<ModelCommit> = chain(store, &Chain::of_model("people"), &paths::model("people"))?;
    let version = model.as_ref().map_or(0, |head| head.version);
    for mapping in MAPPINGS {
        let own = Chain::of_mapping(mapping);
        let head: Option<MappingCommit> = chain(store, &own, &paths::mapping(mapping))?;
        let mut closed = 0;
        for number in own.numbers(store).map_err(fault)? {
            let commit = own.read(store, number).map_err(fault)?.ok_or("a commit vanished")?;
            if commit.closed_through < closed {
                return Err(format!("I4: commit {number} of {mapping} opens runs again"));
            }
            closed = commit.closed_through;
        }
        if head.as_ref().and_then(|head| head.cursor).is_some_and(|cursor| cursor > version) {
            return Err(format!("the cursor of {mapping} is past version {version} of its model"));
        }
        for epoch in runs::open_runs(store, mapping, closed).map_err(fault)? {
            let plan = runs::read_plan(store, mapping, epoch).map_err(fault)?;
            runs::read_journal(store, &plan).map_err(fault)?;
            let named: Vec<&str> = plan.parts.iter().map(|part| part.path.as_str()).chain(plan.seen.as_deref()).collect();
            there(store, &named)?;
        }
    }
    Ok(())
}

fn chain<T: Commit>(store: &SimStore, chain: &Chain<T>, owner: &str) -> Result<Option<T>, String>
where
    Chain<T>: Clone,
{
    let head = chain.head(store).map_err(|error| format!("I4: {owner}: {error}"))?;
    if let Some(head) = &head {
        there(store, &head.paths()).map_err(|why| format!("{owner}: {why}"))?;
    }
    Ok(head)
}

fn there(store: &SimStore, named: &[&str]) -> Result<(), String> {
    for path in named {
        store.open(path).map_err(|error| format!("I6: {error}"))?;
    }
    Ok(())
}

/// I2: whatever a journal calls acknowledged, the destination has acknowledged in an answer that was read.
fn acknowledged(path: &str, journal: &Bytes, log: &[Exchange]) -> Vec<String> {
    let mut intents: BTreeMap<u32, Intent> = BTreeMap::new();
    let mut wrong = Vec::new();
    for frame in Frames::new(journal) {
        match frame {
            Frame::Intent(intent) => drop(intents.insert(intent.sequence, intent)),
            Frame::Refused(_) => {}
            Frame::Outcome(outcome) => {
                let Some(intent) = intents.get(&outcome.sequence) else {
                    wrong.push(format!("{path}: an outcome without an intent"));
                    continue;
                };
                let is_acked = |i: usize| match &outcome.result {
                    Answers::All(all) => *all == Answered::Acked,
                    Answers::Each(each) => each.get(i) == Some(&Answered::Acked),
                };
                let key = intent.key.to_string();
                let answers: Vec<&Vec<bool>> = log.iter().filter(|one| one.key == key).filter_map(|one| one.answered.as_ref()).collect();
                let proven = |i: usize| answers.iter().any(|answer| answer.get(i) == Some(&true));
                if (0..intent.positions.iter().count()).any(|i| is_acked(i) && !proven(i)) {
                    wrong.push(format!("I2: {path}: request {} counts as acknowledged, and no answer says so", outcome.sequence));
                }
            }
        }
    }
    wrong
}

/// A key stands for the same bytes at the same place, whenever it is used.
fn keys(log: &[Exchange]) -> Vec<String> {
    let mut first: BTreeMap<&str, &Exchange> = BTreeMap::new();
    let mut wrong = Vec::new();
    for one in log {
        let other = first.entry(&one.key).or_insert(one);
        if (&other.path, &other.body) != (&one.path, &one.body) {
            wrong.push(format!("key {} was used for two requests: {:?} and {:?}", one.key, other.payloads, one.payloads));
        }
    }
    wrong
}

/// The keys of the requests that open journals have no outcome for.
pub(crate) fn unresolved(world: &Arc<Mutex<World>>) -> BTreeSet<String> {
    let copy = Arc::new(Mutex::new(lock(world).clone()));
    lock(&copy).calm();
    let store = SimStore::new(Process::start(&copy));
    let mut keys = BTreeSet::new();
    for mapping in MAPPINGS {
        let head: Option<MappingCommit> = Chain::of_mapping(mapping).head(&store).unwrap_or_default();
        let closed = head.map_or(0, |head| head.closed_through);
        for epoch in runs::open_runs(&store, mapping, closed).unwrap_or_default() {
            let journal = store.read(&paths::run_file(mapping, epoch, paths::JOURNAL)).ok().flatten().unwrap_or_default();
            let mut open: BTreeMap<u32, String> = BTreeMap::new();
            for frame in Frames::new(&journal) {
                match frame {
                    Frame::Intent(intent) => drop(open.insert(intent.sequence, intent.key.to_string())),
                    Frame::Outcome(outcome) => drop(open.remove(&outcome.sequence)),
                    Frame::Refused(_) => {}
                }
            }
            keys.extend(open.into_values());
        }
    }
    keys
}

/// The destination holds what the source does, in both accounts, and nothing travels any more.
pub(crate) fn mirrored(world: &Arc<Mutex<World>>) -> Vec<String> {
    let mut world = lock(world);
    world.time += crate::machine::REQUEST_LIFETIME;
    world.land();
    let expected: BTreeMap<String, String> = world.rows.iter().map(|(id, name)| (id.to_string(), name.clone())).collect();
    let mut wrong = Vec::new();
    for path in [PAIR, ALONE] {
        let held = account(&world, path);
        let held: BTreeMap<String, String> =
            held.iter().map(|(id, record)| (id.clone(), record["name"].as_str().unwrap_or_default().to_owned())).collect();
        if held != expected {
            wrong.push(format!("{path} holds {held:?}, the source {expected:?}"));
        }
    }
    wrong
}

/// Records that were sent again though the process had read that they were taken: `log` up to `fault_end` is what was sent until the fault.
pub(crate) fn sent_again(log: &[Exchange], fault_end: usize) -> usize {
    let mut held: BTreeMap<(&str, String), (&serde_json::Value, bool)> = BTreeMap::new();
    let mut again = 0;
    for (i, one) in log.iter().enumerate() {
        for (at, payload) in one.payloads.iter().enumerate() {
            let record = (one.path.as_str(), payload["id"].to_string());
            let read = one.answered.as_ref().is_some_and(|answer| answer.get(at) == Some(&true));
            if i >= fault_end && held.get(&record) == Some(&(payload, true)) {
                again += 1;
            }
            held.insert(record, (payload, read));
        }
    }
    again
}
