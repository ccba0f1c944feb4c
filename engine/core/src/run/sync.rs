//! One sync: seal → map and deliver → commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use outflow_contract::plan::{Mapping, Tolerance};
use outflow_contract::report::{Status, SyncCounts, SyncReport, Tally, Timing, records};
use outflow_contract::{Counts, Error, Key, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::{MappingCommit, ModelCommit, decode_schema};
use outflow_ledger::journal::Journal;
use outflow_ledger::runs::{self, Again, Plan, fields_hash};
use outflow_ledger::{decide, paths};

use super::{Engine, Retry, RunOptions, identity, orphans, recover, waiting};
use crate::blocking;
use crate::cancel::{Cancel, GRACE};
use crate::commit::{Settled, Settling};
use crate::deliver::payloads::Reading;
use crate::deliver::{Delivery, Heard, Results, not_sent};
use crate::extract::Extracted;
use crate::map::{Mapper, SentBy};
use crate::seal::{Allowed, Guarded, Only, Replay, Sealed, Sealing, Sorted, Stopped, check_guards, seal_again};
use crate::snapshot::schema_of;
use crate::time::{parsed, rfc3339, sync_id, unix_ms};

mod again;
mod ahead;

/// One sync on its way.
pub(super) struct Sync<'a> {
    engine: &'a Engine,
    mapping: &'a Mapping,
    extracted: &'a Extracted,
    report: SyncReport,
    /// Nothing but these records, ahead of their sync.
    only: Option<Only>,
    /// The identifiers by which somebody has named them.
    named: BTreeMap<Key, String>,
    /// An earlier sync once more.
    again: Option<&'a Replay>,
    /// Is handed what the destination answers.
    heard: Option<Heard>,
    /// Once it has one.
    epoch: Option<u64>,
    started: Duration,
    extract_seconds: f64,
}

impl<'a> Sync<'a> {
    pub(super) fn new(engine: &'a Engine, mapping: &'a Mapping, extracted: &'a Extracted, extract_seconds: f64) -> Self {
        let mut report = new_report(engine, mapping, Status::Failed);
        report.version = Some(extracted.head.version);
        report.rejected.clone_from(&extracted.rejected);
        report.notices.clone_from(&extracted.notices);
        report.timing = Timing { extract: extract_seconds, ..Timing::default() };
        let changes = extracted.counts;
        report.counts = SyncCounts {
            extracted: extracted.extracted,
            added: changes.added,
            updated: changes.updated,
            deleted: changes.deleted,
            unchanged: extracted.unchanged,
            rejected: extracted.rejected.values().map(|rejected| rejected.records).sum(),
            ..SyncCounts::default()
        };
        Self {
            engine,
            mapping,
            extracted,
            report,
            only: None,
            named: BTreeMap::new(),
            again: None,
            heard: None,
            epoch: None,
            started: engine.clock.monotonic(),
            extract_seconds,
        }
    }

    /// With these notices in the report.
    pub(super) fn noting(mut self, notices: impl IntoIterator<Item = String>) -> Self {
        self.report.notices.extend(notices);
        self
    }

    /// Sends nothing but the record of `key`, whether it has changed or not; the rest waits for its sync.
    fn only(self, key: Key, heard: Heard) -> Self {
        Self { only: Some(Only { keys: [key].into(), unchanged: true }), heard: Some(heard), ..self }
    }

    /// Sends an earlier sync once more; nothing else.
    pub(super) fn again(mut self, replay: &'a Replay) -> Self {
        self.report.version = Some(replay.past.saw.version);
        Self { again: Some(replay), ..self }
    }

    /// Carries it out. What goes wrong is in the report.
    pub(super) async fn run(mut self, options: &RunOptions) -> SyncReport {
        if let Err(error) = self.carry_out(options).await {
            self.report.status = if error.kind() == Kind::Cancelled { Status::Cancelled } else { Status::Failed };
            self.report.message = Some(message(self.engine, &error));
        }
        self.report.timing.total = self.extract_seconds + self.since(self.started);
        keep_report(self.engine, self.epoch, &self.report).await;
        self.report
    }

    fn since(&self, start: Duration) -> f64 {
        self.engine.clock.monotonic().saturating_sub(start).as_secs_f64()
    }

    async fn carry_out(&mut self, options: &RunOptions) -> Result<()> {
        let engine = self.engine;
        let account = account(engine, self.mapping)?;
        // The sync of another mapping in this same run may have ended without its commit, and writes to the same account (rule 18).
        recover::mappings(engine, &[self.mapping]).await?;
        let state = identity::state_of(engine, self.mapping).await?;
        wait_for_travelling_requests(engine, self.mapping, state.as_ref()).await?;
        let edited = self.again.is_none() && state.as_ref().is_some_and(|state| self.is_edited(state));
        let retry = options.retry.as_ref();
        if let Some(Retry { ids, .. }) = retry.filter(|retry| !retry.ids.is_empty()) {
            self.named = waiting::keys_of(engine, self.mapping, &self.extracted.head, state.as_ref(), ids).await?;
            self.only = Some(Only { keys: self.named.keys().copied().collect(), unchanged: false });
        }

        let began = engine.clock.monotonic();
        let (store, name) = (Arc::clone(&engine.store), self.mapping.name.clone());
        let epoch = blocking(move || runs::next_epoch(store.as_ref(), &name)).await?;
        self.epoch = Some(epoch);
        let (sealed, sorted) = self.seal(state.clone(), retry.is_some_and(|retry| retry.set_aside), epoch).await?;
        let settling = Settling {
            store: Arc::clone(&engine.store),
            mapping: self.mapping.name.clone(),
            destination: self.mapping.destination.clone(),
            id: engine.project.model(&self.mapping.model).map(|model| model.id.clone()).unwrap_or_default(),
            selection: self.mapping.selection,
            base: state.clone(),
            plan: self.plan(state.as_ref(), (&sealed, sorted.again.clone()), epoch, account),
            sealed: Arc::clone(&sealed),
            schema: schema_of(&self.extracted.head)?,
            nonce: engine.clock.random(),
            now: engine.clock.wall(),
        };
        self.report.timing.plan = self.since(began);
        self.report.counts.selected = sealed.selected.into();
        self.report.counts.set_aside = sealed.set_aside.into();
        self.report.counts.skipped = sealed.net.total() - sealed.selected.total() - sealed.set_aside.total();
        let (records, phase) = (sealed.selected.total(), "plan");
        let (sync_id, mapping, model) = (&self.report.sync_id, &self.report.mapping, &self.report.model);
        tracing::info!(sync_id, mapping, model, phase, records, epoch, "sealed");

        if self.ends_before_sending((&sealed, &sorted), state.as_ref(), options)? {
            return Ok(());
        }
        if edited && self.only.is_none() {
            self.note_edited();
        }
        if sealed.selected.total() == 0 {
            return self.nothing_to_send(settling, state.as_ref(), edited).await;
        }
        let waiting = state.as_ref().map(MappingCommit::waiting).unwrap_or_default();
        let waited = match (&self.only, retry) {
            (Some(Only { unchanged: true, .. }), _) => 0,
            _ if self.again.is_some() => 0,
            (_, Some(retry)) if retry.set_aside || !retry.ids.is_empty() => waiting.all.total(),
            _ => waiting.all.total() - waiting.set_aside.total(),
        };
        let settled = self.send(settling, &sealed, waited, epoch).await?;
        if let Some(replay) = self.again {
            self.tell_again(replay, &sorted, &settled);
        }
        Ok(())
    }

    /// Does it end here: is nothing of an earlier sync to go out, or does a guard stop it?
    fn ends_before_sending(
        &mut self,
        (sealed, sorted): (&Sealed, &Sorted),
        state: Option<&MappingCommit>,
        options: &RunOptions,
    ) -> Result<bool> {
        if let Some(replay) = self.again {
            return Ok(self.tell_sorted(replay, sorted, sealed));
        }
        if self.only.is_some() {
            return self.sends_some(sealed).map(|()| false);
        }
        Ok(self.stopped_by_guard(sealed, state, options))
    }

    fn note_edited(&mut self) {
        let name = &self.mapping.name;
        self.report.notices.push(format!(
            "the fields were edited: records that do not change keep what was sent before; `outflow reset {name}` sends all of them again"
        ));
    }

    /// Delivers what was sealed, and commits what comes of it. `waited`: records that were pending before.
    async fn send(&mut self, settling: Settling, sealed: &Sealed, waited: u64, epoch: u64) -> Result<Settled> {
        let engine = self.engine;
        let delivery = self.delivery(&settling, epoch)?;
        let began = engine.clock.monotonic();
        let results = delivery.run().await;
        let closed = delivery.journal.close();
        self.report.timing.deliver = self.since(began);

        let began = engine.clock.monotonic();
        let had_unread = results.as_ref().map_or(true, Results::had_unread);
        let ended = decide::Ended {
            had_unread,
            lifetime_ms: self.engine.request_lifetime(self.mapping).as_millis() as u64,
            now_ms: unix_ms(engine.clock.wall()),
        };
        let deadline = decide::deadline_after(&ended, settling.base.as_ref().and_then(|state| state.deadline_ms));
        let told = results.as_ref().map(Results::told).unwrap_or_default();
        let settled = blocking(move || settling.settle_run(deadline, &told)).await?;
        self.report.timing.commit = self.since(began);
        closed?;
        self.conclude(&results?, &settled, sealed, waited)?;
        Ok(settled)
    }

    /// What is sealed before the first byte leaves.
    fn plan(&self, state: Option<&MappingCommit>, (sealed, again): (&Sealed, Option<Again>), epoch: u64, account: String) -> Plan {
        let mapping = self.mapping;
        let (saw, schema, id) = if let Some(Replay { past, .. }) = self.again {
            (past.saw.clone(), past.schema.clone(), past.id.clone())
        } else {
            let head = &self.extracted.head;
            (head.sighting(), head.schema.clone().unwrap_or_default(), head.id.clone())
        };
        Plan {
            epoch,
            sync_id: self.report.sync_id.clone(),
            mapping: mapping.name.clone(),
            model: mapping.model.clone(),
            account,
            base: state.map_or(0, |state| state.number),
            cursor: state.and_then(|state| state.cursor),
            saw,
            only: self.only.as_ref().map(|only| only.keys.clone()),
            again,
            selection: mapping.selection,
            action: mapping.action.clone(),
            fields: mapping.fields_written.clone(),
            schema,
            id,
            parts: sealed.parts.clone(),
            seen: (!sealed.unused.is_empty()).then(|| paths::run_file(&mapping.name, epoch, paths::SEEN)),
            selected: sealed.selected,
            started_at: self.report.started_at.clone(),
            request_lifetime_ms: self.engine.request_lifetime(mapping).as_millis() as u64,
            journaled: true,
        }
    }

    async fn seal(&self, state: Option<MappingCommit>, asked_for: bool, epoch: u64) -> Result<(Arc<Sealed>, Sorted)> {
        let (store, head, mapping) = (Arc::clone(&self.engine.store), self.extracted.head.clone(), self.mapping.clone());
        let (shared, only, again) = (!siblings(self.engine, &mapping)?.is_empty(), self.only.clone(), self.again.cloned());
        blocking(move || {
            let (store, state, only) = (store.as_ref(), state.as_ref(), only.as_ref());
            let sealing = Sealing { store, head: &head, state, mapping: &mapping, shared, only, asked_for, epoch };
            let (sealed, sorted) = match &again {
                Some(replay) => seal_again(&sealing, replay)?,
                None => (sealing.seal()?, Sorted::default()),
            };
            Ok((Arc::new(sealed), sorted))
        })
        .await
    }

    /// Are the fields other than those of the last sync?
    fn is_edited(&self, state: &MappingCommit) -> bool {
        !state.fields.is_empty() && state.fields != fields_hash(&self.mapping.fields_written)
    }

    /// Asks the guards; true if one stopped the sync.
    fn stopped_by_guard(&mut self, sealed: &Sealed, state: Option<&MappingCommit>, options: &RunOptions) -> bool {
        let Some(stopped) = stopped_by_guard(self.mapping, &self.extracted.head, state, sealed, options.allowed) else { return false };
        self.report.status = Status::Blocked;
        self.report.message = Some(format!("{}; nothing was sent. If it is right, run once with {}", stopped.message, stopped.flag));
        self.report.counts.failed = Counts::default().into();
        self.report.counts.pending = Some(Tally::from(sealed.selected).with(sealed.set_aside.into()));
        true
    }

    /// Changes that this mapping does not send are settled as seen; often there are none at all.
    async fn nothing_to_send(&mut self, settling: Settling, state: Option<&MappingCommit>, edited: bool) -> Result<()> {
        let first = state.is_none_or(|state| state.cursor.is_none());
        self.report.status = Status::NoChanges;
        let skipped = self.report.counts.skipped;
        let selection = self.mapping.selection.as_str();
        self.report.message = match (first, skipped) {
            (true, 1..) => {
                Some(format!("first sync: every record counts as added, and this mapping sends {selection} ones only. It starts from here"))
            }
            (false, 1..) => Some("nothing has changed that this mapping sends".to_owned()),
            (_, 0) => None,
        };
        self.tell_set_aside();
        let kept: u64 = state.iter().flat_map(|state| &state.pending).map(|file| file.rows).sum();
        // What has come back to where it was no longer waits.
        if skipped == 0 && !first && !edited && kept == u64::from(settling.sealed.entries) {
            let waiting = state.map(MappingCommit::waiting).unwrap_or_default();
            self.report.counts.pending = Some(waiting.all.into());
            return Ok(());
        }
        let settled = blocking(move || settling.settle_as_seen()).await?;
        self.report.counts.pending = Some(settled.pending.all.into());
        Ok(())
    }

    /// That some records are set aside is worth a word, whatever else there is to say.
    fn tell_set_aside(&mut self) {
        let set_aside = self.report.counts.set_aside.total;
        if set_aside == 0 {
            return;
        }
        let (are, name) = (if set_aside == 1 { "is" } else { "are" }, &self.mapping.name);
        let told = format!("{} {are} set aside: `outflow retry {name} --acknowledged` tries again", records(set_aside));
        self.report.message = Some(match self.report.message.take() {
            Some(message) => format!("{message}; {told}"),
            None => told,
        });
    }

    fn delivery(&self, settling: &Settling, epoch: u64) -> Result<Arc<Delivery>> {
        let engine = self.engine;
        let destination = engine.destinations.get(&self.mapping.name);
        let destination =
            Arc::clone(destination.ok_or_else(|| Error::bug(format!("the destination of `{}` was not opened", self.mapping.name)))?);
        let config = engine.project.destination(&self.mapping.destination).ok_or_else(|| Error::bug("a mapping without a destination"))?;
        let model = engine.project.model(&self.mapping.model).ok_or_else(|| Error::bug("a mapping without a model"))?;
        // An earlier sync goes out with the columns of then, and ids of a generation of its own (rule 22).
        let schema = self.again.map_or_else(|| Ok(Arc::clone(&settling.schema)), |replay| decode_schema(&replay.past.schema))?;
        let mut identity = identity::of(self.mapping, settling.base.as_ref());
        identity.generation += u64::from(self.again.is_some());
        let (fields, declared) = (&self.mapping.fields, self.mapping.declared.as_deref());
        let mapper = Mapper::compile_for(destination.as_ref(), fields, declared, &schema, &model.id, &engine.project.limits)
            .map_err(|error| error.with("mapping", &self.mapping.name))?;
        let started_at = parsed(&self.report.started_at).ok_or_else(|| Error::bug("a report without the time of its start"))?;
        let link = engine.link(config)?;

        let log = settling.seal_plan()?;
        let progress = Arc::new(AtomicU64::new(0));
        engine.observer.delivering(&self.report, settling.sealed.selected.total(), Arc::clone(&progress));
        Ok(Arc::new(Delivery {
            reading: Arc::new(Reading {
                store: Arc::clone(&engine.store),
                mapping: Arc::new(self.mapping.clone()),
                mapper: Arc::new(mapper),
                destination: Arc::clone(&destination),
                identity,
                epoch,
                schema,
                sealed: Arc::clone(&settling.sealed),
                sync: SentBy::new(&self.report.sync_id, started_at),
                id: model.id.clone(),
                limits: engine.project.limits.clone(),
            }),
            clock: Arc::clone(&engine.clock),
            destination,
            link,
            journal: Journal::begin(log)?,
            epoch,
            redactor: engine.project.redactor.clone(),
            progress,
            sequence: AtomicU32::new(0),
            stopped: Cancel::default(),
            cancel: engine.cancel.clone(),
            heard: self.heard.clone(),
        }))
    }

    /// From what was delivered to a status. `waited`: records that were pending before.
    fn conclude(&mut self, results: &Results, settled: &Settled, sealed: &Sealed, waited: u64) -> Result<()> {
        if let Some(error) = results.take_error() {
            return Err(error);
        }
        let report = &mut self.report;
        let (requests, retried, bytes) = results.traffic();
        let delivered = results.delivered();
        report.notices.extend(results.contract_notice(&report.destination));
        (report.requests, report.bytes, report.counts.retried) = (requests, bytes, retried);
        report.counts.delivered = delivered.into();
        report.counts.failed = Tally::from(settled.left.all).without(settled.left.set_aside.into());
        report.counts.pending = Some(settled.pending.all.into());
        report.counts.set_aside = settled.pending.set_aside.into();
        report.failures = results.failures(settled);
        let failed = report.counts.failed.total;
        let told = report.failures.iter().fold(Tally::default(), |told, group| told.with(group.operations));
        let rest = report.counts.failed.without(told);
        if rest.total > 0 {
            report.failures.push(not_sent(rest, self.engine.cancel.is_asked()));
        }
        let stopped = results.stopped_because().is_some();
        let tolerated = !stopped && is_tolerated(self.mapping.tolerate_failed, failed, sealed.selected.total());
        let cancelled = self.engine.cancel.is_asked();
        report.status = match (failed, delivered.total()) {
            (0, _) => Status::Success,
            _ if cancelled => Status::Cancelled,
            _ if tolerated => Status::Success,
            (_, 1..) => Status::PartialSuccess,
            // Nothing new has failed: what is still pending was so before.
            _ if sealed.selected.total() <= waited && !stopped => Status::PartialSuccess,
            _ => Status::Failed,
        };
        if failed > 0 {
            let waiting = format!("{} pending: the next sync tries again", records(failed));
            let told = |code: &str, message: &str| {
                // An answer's own words mean little without its status.
                let status = code.strip_prefix("http_").filter(|status| !message.contains(status));
                let said = status.map_or_else(|| message.to_owned(), |status| format!("answered with the status {status}: {message}"));
                let remedy = results.remedy(code).map(|remedy| format!("{remedy}; ")).unwrap_or_default();
                format!("{said}; {remedy}{waiting}")
            };
            report.message = Some(match results.stopped_because() {
                _ if cancelled && results.had_unread() => {
                    format!("asked to end: what was not answered within {} s was given up, and {waiting}", GRACE.as_secs())
                }
                _ if cancelled => format!("asked to end: what was under way is finished, and {waiting}"),
                Some(why) => format!("stopped: {}", told(&why.code, &why.message)),
                None => report.failures.first().map_or_else(|| waiting.clone(), |group| told(&group.code, &group.message)),
            });
        }
        self.tell_set_aside();
        Ok(())
    }
}

/// Are so many failed records of those that were to be sent still success? What was pending from before and failed again counts with the
/// rest, on both sides; what is set aside does not.
fn is_tolerated(tolerance: Tolerance, failed: u64, selected: u64) -> bool {
    match tolerance {
        Tolerance::Count(count) => failed <= count,
        Tolerance::Share(share) => failed as f64 / selected.max(1) as f64 <= share,
    }
}

/// The guard that stops a sync of `sealed` at `head`, if one does: from the second sync on.
pub(crate) fn stopped_by_guard(
    mapping: &Mapping,
    head: &ModelCommit,
    state: Option<&MappingCommit>,
    sealed: &Sealed,
    allowed: Allowed,
) -> Option<Stopped> {
    let saw = state.filter(|state| state.cursor.is_some())?.saw.as_ref()?;
    let guarded = Guarded { saw, now: &head.sighting(), fresh: sealed.fresh, columns: &mapping.columns() };
    check_guards(&mapping.guards, guarded, allowed)
}

/// A request of an earlier sync whose answer was never read may still take effect: nothing is sealed before it no longer can (rule 13).
pub(super) async fn wait_for_travelling_requests(engine: &Engine, mapping: &Mapping, state: Option<&MappingCommit>) -> Result<()> {
    let mut heads: Vec<MappingCommit> = state.cloned().into_iter().collect();
    for sibling in siblings(engine, mapping)? {
        heads.extend(engine.state_of(sibling).await?);
    }
    for orphan in orphans::of(engine, mapping)? {
        heads.extend(Chain::of_mapping(&orphan).head(engine.store.as_ref())?);
    }
    wait_until_cold(engine, &mapping.name, &heads).await
}

/// Waits until no request of these states can take effect any more. `who` is told to the observer.
pub(super) async fn wait_until_cold(engine: &Engine, who: &str, heads: &[MappingCommit]) -> Result<()> {
    let deadline = heads.iter().filter_map(|head| head.deadline_ms).max();
    let Some(wait) = decide::wait_before_seal(deadline, unix_ms(engine.clock.wall())) else { return Ok(()) };
    // A clock that was set back must not make this wait for ever: no wait is longer than it was when it was written down.
    let longest = heads.iter().filter_map(longest_wait).max().unwrap_or_default();
    let wait = wait.min(longest);
    let why = format!("a request of an earlier sync may still take effect; waiting {:.0} s", wait.as_secs_f64().ceil());
    engine.observer.waiting(who, &why);
    engine.cancel.or_after(engine.clock.sleep(wait)).await
}

/// How long the deadline of a commit was away when it was committed.
fn longest_wait(head: &MappingCommit) -> Option<Duration> {
    let at: jiff::Timestamp = head.at.parse().ok()?;
    let committed = u64::try_from(at.as_millisecond()).ok()?;
    Some(Duration::from_millis(head.deadline_ms?.saturating_sub(committed)))
}

/// The account that a mapping writes to, with the kind of destination before it.
pub(crate) fn account(engine: &Engine, mapping: &Mapping) -> Result<String> {
    let destination = engine.destinations.get(&mapping.name);
    let config = engine.project.destination(&mapping.destination);
    match (destination, config) {
        (Some(destination), Some(config)) => Ok(format!("{}:{}", config.kind, destination.account())),
        _ => Err(Error::bug(format!("the destination of `{}` was not opened", mapping.name))),
    }
}

impl Engine {
    /// A sync of nothing but the record of `key`. Its lock is held. `note` is told in the report.
    pub(crate) async fn sync_of_one(
        &self,
        mapping: &Mapping,
        extracted: &Extracted,
        key: Key,
        heard: Heard,
        note: String,
        options: &RunOptions,
    ) -> SyncReport {
        let report = Sync::new(self, mapping, extracted, 0.0).only(key, heard).noting([note]).run(options).await;
        self.observer.finished(&report);
        report
    }
}

/// The other mappings of the model that write to the same account.
pub(crate) fn siblings<'a>(engine: &'a Engine, mapping: &Mapping) -> Result<Vec<&'a Mapping>> {
    let own = account(engine, mapping)?;
    let mut siblings = Vec::new();
    for other in engine.project.mappings.iter().filter(|other| other.model == mapping.model && other.name != mapping.name) {
        if account(engine, other)? == own {
            siblings.push(other);
        }
    }
    Ok(siblings)
}

/// An empty report of a sync that starts now.
pub(super) fn new_report(engine: &Engine, mapping: &Mapping, status: Status) -> SyncReport {
    let now = engine.clock.wall();
    SyncReport {
        sync_id: sync_id(now, engine.clock.random()),
        mapping: mapping.name.clone(),
        model: mapping.model.clone(),
        destination: mapping.destination.clone(),
        status,
        message: None,
        notices: Vec::new(),
        started_at: rfc3339(now),
        version: None,
        counts: SyncCounts::default(),
        requests: 0,
        bytes: 0,
        timing: Timing::default(),
        failures: Vec::new(),
        rejected: std::collections::BTreeMap::default(),
    }
}

/// An error as a report says it: with its remedy, without secrets.
pub(super) fn message(engine: &Engine, error: &Error) -> String {
    let text = match error.remedy_text() {
        Some(remedy) => format!("{error}; {remedy}"),
        None => error.to_string(),
    };
    engine.project.redactor.clean(&text)
}

/// Keeps a report in the state, under the sync's run or one of its own. A report that cannot be kept changes nothing about the
/// sync: it is only logged.
pub(super) async fn keep_report(engine: &Engine, epoch: Option<u64>, report: &SyncReport) {
    let (store, report, nonce) = (Arc::clone(&engine.store), report.clone(), engine.clock.random());
    let name = report.sync_id.clone();
    let kept = blocking(move || {
        let epoch = epoch.map_or_else(|| runs::next_epoch(store.as_ref(), &report.mapping), Ok)?;
        runs::write_report(store.as_ref(), epoch, &report, nonce)
    });
    if let Err(error) = kept.await {
        tracing::warn!(sync = name, %error, "the report of the sync could not be kept");
    }
}
