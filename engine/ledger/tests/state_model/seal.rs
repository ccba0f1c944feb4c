//! What a run seals, and the requests that it is cut into: the crate's `compose`, `decide::is_sent` and `requests`.

use outflow_contract::{Attempt, Before, Entry, Op, RecordId, RequestKey, Selection};
use outflow_ledger::compose::{Options, compose_key, fold_key, snapshot_entry, unchanged_entry};
use outflow_ledger::decide;
use outflow_ledger::replay::{self, Mapped, Standing};
use outflow_ledger::requests::{Identity, regroup, request_key};

use crate::config::Repeats;
use crate::rules::Rule;
use crate::settle::any_settled;
use crate::state::{Fate, Item, KEYS, Mapping, Record, Request, Scope, Sealed, State, Work, key, known, row, value};
use crate::world::World;

/// `entry` as what has become of pending work.
fn continued(pending: Option<&Work>, entry: Entry) -> Work {
    let earlier = pending.map(|work| work.earlier.clone()).unwrap_or_default();
    Work { entry, earlier, forced: pending.is_some_and(|work| work.forced && work.entry.version == entry.version) }
}

/// The model's entries of record `k` after version `from`, up to `to`. For a mapping that has not begun, what the oldest snapshot
/// holds is the first of them.
fn steps(s: &State, from: Option<u64>, to: u64, k: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let oldest = s.log.at(s.log.oldest);
    if from.is_none() && oldest.values[k] != 0 {
        entries.push(Entry::new(key(k), Before::Absent, row(oldest.values[k]), oldest.versions[k]));
    }
    for version in from.unwrap_or(0).max(s.log.oldest) + 1..=to {
        let (old, new) = (s.log.at(version - 1).values[k], s.log.at(version).values[k]);
        if old != new {
            entries.push(Entry::new(key(k), known(old), row(new), version));
        }
    }
    entries
}

impl World {
    fn options(&self, m: usize, resend: bool, asked: bool) -> Options {
        let shared = self.config.shared && !self.without(Rule::SeenStepByStep);
        let asked_for = asked && !self.without(Rule::SetAsideUntilAskedFor);
        Options { shared, selection: self.config.mappings[m], resend, asked_for }
    }

    /// What is to be done for record `k` at version `to`.
    fn compose(&self, s: &State, m: usize, k: usize, to: u64, (resend, asked): (bool, bool)) -> Option<Work> {
        let mapping = &s.mappings[m];
        let pending = mapping.pending[k].as_ref();
        let mut first = pending.map(|work| work.entry);
        if self.without(Rule::WorkAheadIsComposedOnce) {
            first = first.map(|first| Entry { version: 0, ..first });
        }
        let mut entry = compose_key(first, &steps(s, mapping.cursor, to, k), &self.options(m, resend, asked))?;
        if self.without(Rule::SetAsideEndsWithAChange) && !asked {
            entry.failed.set_aside = first.is_some_and(|first| first.failed.set_aside);
        }
        if let (0, Some(pending)) = (entry.version, pending) {
            entry.version = pending.entry.version;
        }
        let work = continued(pending, entry);
        if let Before::Unknown(attempt) = entry.before {
            let of_no_request = Attempt { op: Op::Updated, after: None, version: 0, request: None };
            if self.without(Rule::NoCancelAmongSiblings) && attempt == of_no_request {
                return None;
            }
            if self.without(Rule::UnknownNeverCancels) && work.earlier.first().is_some_and(|first| first.0 == value(entry.after)) {
                return None;
            }
        }
        Some(work)
    }

    /// What stays of record `k` when retention drops the versions before `to`.
    pub(crate) fn fold(&self, s: &State, m: usize, k: usize, to: u64) -> Option<Work> {
        let mapping = &s.mappings[m];
        let pending = mapping.pending[k].as_ref();
        let entry = pending.map(|work| work.entry);
        let mut work = continued(pending, fold_key(entry, &steps(s, mapping.cursor, to, k), to, &self.options(m, false, false))?);
        if self.without(Rule::FoldKeepsVersion) {
            work.entry.version = to;
        }
        if self.without(Rule::FoldIgnoresSelection) && !self.selects(m, self.op(&work.entry)) {
            return None;
        }
        if self.without(Rule::FoldKeepsWorkAhead) && work.entry.is_settled() {
            return None;
        }
        Some(work)
    }

    /// What a run seals for record `k`.
    fn work(&self, s: &State, m: usize, k: usize, head: u64, (ahead, asked): (bool, bool)) -> Option<Work> {
        let mapping = &s.mappings[m];
        let mut begun = self.commit_of(m, mapping).has_begun();
        if self.without(Rule::WorkAheadIsKept) {
            begun = mapping.cursor.is_some() || any_settled(&mapping.pending);
        }
        let snapshot = s.log.at(head);
        let record = row(snapshot.values[k]).map(|row| (row, snapshot.versions[k]));
        let plain = |entry| Some(continued(None, entry));
        if ahead {
            let composed = if mapping.committed && !mapping.resend { self.compose(s, m, k, head, (false, true)) } else { None };
            let mut work = composed.or_else(|| match record? {
                (row, version) if mapping.resend => plain(snapshot_entry(key(k), row, version, true)),
                (row, version) if begun => plain(unchanged_entry(key(k), row, version)),
                (row, version) => plain(snapshot_entry(key(k), row, version, false)),
            })?;
            work.forced |= work.entry.is_settled();
            return Some(work);
        }
        match record {
            _ if !begun && self.config.shared => self.compose(s, m, k, head, (false, asked)),
            Some((row, version)) if !begun || mapping.resend => plain(snapshot_entry(key(k), row, version, begun)),
            None if !begun => None,
            _ => self.compose(s, m, k, head, (mapping.resend, asked)),
        }
    }

    /// Rule 4.
    pub(crate) fn op(&self, entry: &Entry) -> Op {
        match entry.before {
            Before::Unknown(attempt) if self.without(Rule::NoDeleteOfAPresentRow) && entry.after.is_some() => attempt.op,
            _ => entry.op(),
        }
    }

    /// Seals a run; `asked`: what is set aside, too.
    pub(crate) fn seal(&self, s: &State, m: usize, head: u64, (scope, asked): (Scope, bool), hot: bool) -> Sealed {
        if let Scope::Again(past, forced) = &scope {
            let items = std::array::from_fn(|k| Some(self.again(s, m, k, past.records[k].clone()?, *forced)));
            return Sealed { head, scope, items, hot };
        }
        let mut items: [Option<Item>; KEYS] = [None, None];
        for k in self.keys().filter(|&k| !matches!(scope, Scope::One(only) if only != k)) {
            items[k] = self.work(s, m, k, head, (scope.is_beside(), asked)).map(|work| {
                let set_aside = work.entry.failed.set_aside;
                let fate = match decide::fate(self.config.mappings[m], self.op(&work.entry), false, set_aside) {
                    decide::Fate::Seen if self.without(Rule::UnselectedIsSeen) => Fate::Held,
                    decide::Fate::Held if self.without(Rule::SetAsideIsNotDelivered) => Fate::Seen,
                    decide::Fate::Sent => Fate::Sent,
                    decide::Fate::Seen => Fate::Seen,
                    decide::Fate::Held => Fate::Held,
                };
                Item { work, fate, due: None }
            });
        }
        Sealed { head, scope, items, hot }
    }

    /// What becomes of record `k` of an earlier run.
    fn again(&self, s: &State, m: usize, k: usize, work: Work, forced: bool) -> Item {
        let mapping = &s.mappings[m];
        let at = |version: u64| {
            let snapshot = s.log.at(version);
            row(snapshot.values[k]).map(|row| (row, snapshot.versions[k]))
        };
        let (pending, at_head) = (mapping.pending[k].as_ref().map(|work| work.entry), at(s.log.head()));
        let standing = Standing { pending, at_cursor: mapping.cursor.map_or(at_head, at), at_head };
        let mapped = Mapped { cursor: mapping.cursor, selection: self.config.mappings[m], shared: self.config.shared };
        let forced = forced || self.without(Rule::NewerIsKeptBack);
        let shared = self.config.shared && !self.without(Rule::SiblingsAreNotLeftWithIt);
        let sends = replay::judge(&work.entry, &standing, mapped).goes_out(forced, shared);
        let due = replay::due(&work.entry, &standing, mapped).map(|entry| Work { entry, earlier: Vec::new(), forced: false });
        let due = mapping.pending[k].clone().or(due);
        Item { work, fate: if sends { Fate::Sent } else { Fate::Seen }, due }
    }

    /// What the ids of a mapping's requests and records are made with.
    fn identity(&self, m: usize, mapping: &Mapping, scope: &Scope) -> Identity {
        let mut identity = Identity { origin: self.commit_of(m, mapping).origin, generation: mapping.generation };
        if self.without(Rule::IdOutlivesRenaming) {
            identity.origin = format!("{} {}", identity.origin, mapping.name);
        }
        identity.generation += u64::from(self.raises(scope));
        if self.without(Rule::IdHasGeneration) {
            identity.generation = 0;
        }
        identity
    }

    /// Is this a run with a generation of its own?
    pub(crate) fn raises(&self, scope: &Scope) -> bool {
        scope.is_again() && !self.without(Rule::ReplayRaisesGeneration)
    }

    /// The records of a request, as it carries them.
    pub(crate) fn records(&self, s: &State, m: usize, sealed: &Sealed, records: &[usize]) -> Vec<Record> {
        let mapping = &s.mappings[m];
        let identity = self.identity(m, mapping, &sealed.scope);
        let fields = if let Scope::Again(past, _) = &sealed.scope { past.fields } else { mapping.fields };
        let works = records.iter().filter_map(|&k| Some((k, &sealed.items[k].as_ref()?.work)));
        let record = |(k, Work { entry, forced, .. }): (usize, &Work)| {
            let version = if self.without(Rule::IdHasVersion) { 0 } else { entry.version };
            let with_id = self.config.repeats == Repeats::DropsRecords;
            Record {
                key: k,
                value: if self.op(entry) == Op::Deleted { 0 } else { value(entry.after) },
                version: entry.version,
                generation: identity.generation,
                fields,
                id: if with_id { identity.record_id(key(k), version) } else { RecordId(0) },
                forced: *forced,
            }
        };
        works.map(record).collect()
    }

    /// The bytes of a request: what its records say, and to a destination that knows records by their ids those.
    fn body(&self, s: &State, m: usize, sealed: &Sealed, records: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in self.records(s, m, sealed, records) {
            bytes.extend([record.key as u8, record.value, record.fields]);
            bytes.extend(record.id.0.to_be_bytes());
        }
        bytes
    }

    /// A new request, number `number` of its run.
    pub(crate) fn new_request(&self, s: &State, m: usize, sealed: &Sealed, records: Vec<usize>, number: usize) -> Request {
        let mapping = &s.mappings[m];
        let origin = if self.without(Rule::KeyHasFirstIntent) { (0, 0) } else { (mapping.epoch, number as u32) };
        let body = self.body(s, m, sealed, &records);
        let key = request_key(&self.identity(m, mapping, &sealed.scope).origin, origin.0, origin.1, &body);
        Request { key, origin, records, part: false }
    }

    /// Unanswered requests that can be built again, byte for byte, go first, under their first keys; the rest in new ones.
    pub(crate) fn requests(&self, s: &State, m: usize, sealed: &Sealed) -> Vec<Request> {
        let sent = |k: usize| sealed.items[k].as_ref().filter(|item| item.fate == Fate::Sent).map(|item| &item.work);
        let mut rest: Vec<usize> = self.keys().filter(|&k| sent(k).is_some()).collect();
        let mut requests: Vec<Request> = Vec::new();
        if self.without(Rule::LatestRequestOnly) {
            let old = |k: usize| {
                let work = sent(k).filter(|work| matches!(work.entry.before, Before::Unknown(_)))?;
                let (_, key) = work.earlier.iter().rfind(|earlier| earlier.0 == value(work.entry.after))?;
                Some(Request { key: RequestKey(*key), origin: (0, 0), records: vec![k], part: false })
            };
            requests.extend(rest.iter().filter_map(|&k| old(k)));
            rest.retain(|&k| old(k).is_none());
        }
        let entry = |k: usize| {
            let mut entry = sent(k)?.entry;
            if let (true, Before::Unknown(attempt)) = (self.without(Rule::KeyIsForOneVersion), entry.before) {
                entry.version = attempt.version;
            }
            Some((k as u32, entry))
        };
        // What goes out once more is never taken for what it was: it has keys of its own.
        let in_doubt = if sealed.scope.is_again() { &[] } else { rest.as_slice() };
        let (groups, _) = regroup(in_doubt.iter().filter_map(|&k| entry(k)));
        for group in groups {
            let records: Vec<usize> = group.positions.iter().map(|&position| position as usize).collect();
            let body = self.body(s, m, sealed, &records);
            let matches =
                group.matches(&self.identity(m, &s.mappings[m], &sealed.scope).origin, &body) || self.without(Rule::SameBytesOnly);
            if matches && !self.without(Rule::KeySurvivesCrash) {
                rest.retain(|k| !records.contains(k));
                requests.push(Request { key: group.key, origin: (group.epoch, group.sequence), records, part: false });
            }
        }
        let size = if self.config.batch { KEYS } else { 1 };
        for records in rest.chunks(size) {
            requests.push(self.new_request(s, m, sealed, records.to_vec(), requests.len()));
        }
        requests
    }

    /// Does this mapping send `op`?
    pub(crate) fn selects(&self, m: usize, op: Op) -> bool {
        let selection: Selection = self.config.mappings[m];
        selection.contains(op)
    }
}
