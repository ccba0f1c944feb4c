//! What a journal makes of a mapping: the crate's `fold`, `decide` and `next`. The normal end of a run and its recovery are the same.

use outflow_contract::{Before, Entry, Op, Selection};
use outflow_ledger::commit::{MappingCommit, PendingFile, Sighting};
use outflow_ledger::compose::reset_entry;
use outflow_ledger::decide::{self, Ended};
use outflow_ledger::fold::{Class, Classes, classify, fold_ahead, fold_beside, fold_entry};
use outflow_ledger::journal::{Answered, Answers, Frame, Intent, Outcome, Refused};
use outflow_ledger::next::RunEnd;

use crate::config::Repeats;
use crate::rules::Rule;
use crate::state::{Fate, Item, KEYS, Line, Mapping, Open, Past, Request, Said, Scope, State, Truth, Value, Work, key, known, row, value};
use crate::world::World;

/// What a destination is believed to hold of a record: a value, or [`UNKNOWN`].
pub(crate) type Belief = Value;
/// No value.
pub(crate) const UNKNOWN: Belief = Value::MAX;

/// All times: a deadline is one tick away, and has passed at the next.
pub(crate) const LIFETIME: u64 = 1;

fn belief(before: Before) -> Belief {
    match before {
        Before::Absent => 0,
        Before::Known(row) => value(Some(row)),
        Before::Unknown(_) => UNKNOWN,
    }
}

/// An answer in the journal's words.
pub(crate) fn answered(said: Said) -> Answered {
    match said {
        Said::Acked => Answered::Acked,
        Said::Refused => Answered::Refused { code: "no".into(), message: String::new() },
        Said::NotProcessed => Answered::NotProcessed,
        Said::Unknown => Answered::Unknown,
    }
}

fn said(answered: &Answered) -> Said {
    match answered {
        Answered::Acked => Said::Acked,
        Answered::Refused { .. } => Said::Refused,
        Answered::NotProcessed => Said::NotProcessed,
        Answered::Unknown => Said::Unknown,
    }
}

/// What is appended for a request after its last attempt (rule 8): one for each record; `None` if nothing is.
pub(crate) fn outcome(answers: &[Said], in_doubt: bool) -> Option<Vec<Said>> {
    let proven = |answer: Answered| if decide::is_definite(&answer, in_doubt) { answer } else { Answered::Unknown };
    match decide::conclude(answers.iter().copied().map(answered).map(proven).collect())? {
        Answers::All(all) => Some(vec![said(&all); answers.len()]),
        Answers::Each(each) => Some(each.iter().map(said).collect()),
    }
}

fn frame(line: &Line, requests: &[Request]) -> Frame {
    match line {
        Line::Intent(number) => {
            let Request { key, origin, records, .. } = &requests[*number];
            Frame::Intent(Intent {
                sequence: *number as u32,
                origin_epoch: origin.0,
                origin_sequence: origin.1,
                key: *key,
                positions: records.iter().map(|&k| k as u32).collect(),
            })
        }
        Line::Unmapped(records) => Frame::Refused(Refused {
            positions: records.iter().map(|&k| k as u32).collect(),
            code: "unmapped".into(),
            message: String::new(),
        }),
        Line::Outcome(number, said) => {
            let same = said.iter().all(|one| *one == said[0]);
            let each = || Answers::Each(said.iter().copied().map(answered).collect());
            let result = if same { Answers::All(answered(said[0])) } else { each() };
            Frame::Outcome(Outcome { sequence: *number as u32, result })
        }
    }
}

/// The pending records as a commit names them. The model needs no more of them than whether there are any.
pub(crate) fn files(pending: &[Option<Work>; KEYS]) -> Vec<PendingFile> {
    let file = |_: &Work| PendingFile {
        path: String::new(),
        rows: 1,
        bytes: 0,
        blake3: String::new(),
        counts: outflow_contract::Counts::default(),
        set_aside: outflow_contract::Counts::default(),
    };
    pending.iter().flatten().map(file).collect()
}

/// Is there a record of which nothing is to be done?
pub(crate) fn any_settled(pending: &[Option<Work>; KEYS]) -> bool {
    pending.iter().flatten().any(|work| work.entry.is_settled())
}

/// What the mapping believes of each record.
pub(crate) fn beliefs(s: &State, m: usize) -> [Belief; KEYS] {
    let mapping = &s.mappings[m];
    std::array::from_fn(|k| {
        let before = match (&mapping.pending[k], mapping.cursor) {
            (Some(work), _) => work.entry,
            (None, cursor) => {
                let value = cursor.map_or(0, |cursor| s.log.at(cursor).values[k]);
                Entry::new(key(k), known(value), row(value), 0)
            }
        };
        belief(if mapping.resend { reset_entry(before) } else { before }.before)
    })
}

impl World {
    /// A mapping's state as the crate's functions take it.
    pub(crate) fn commit_of(&self, m: usize, mapping: &Mapping) -> MappingCommit {
        MappingCommit {
            number: u64::from(mapping.committed),
            cursor: mapping.cursor,
            pending: files(&mapping.pending),
            ahead: any_settled(&mapping.pending),
            deadline_ms: mapping.hot.then_some(LIFETIME),
            generation: mapping.generation,
            resend: mapping.resend,
            paused: mapping.paused.then(String::new),
            closed_through: mapping.epoch.saturating_sub(1),
            ..self.nothing(m)
        }
    }

    /// The same before its first commit.
    pub(crate) fn nothing(&self, m: usize) -> MappingCommit {
        let selection: Selection = self.config.mappings[m];
        MappingCommit::nothing(&format!("m{m}"), "", "", String::new(), selection, Vec::new())
    }

    /// Commits `next` with these pending records.
    pub(crate) fn adopt(&self, s: &mut State, m: usize, next: &MappingCommit, pending: [Option<Work>; KEYS]) {
        let pending = if next.pending.is_empty() { [None, None] } else { pending };
        assert_eq!(next.ahead, any_settled(&pending), "`ahead` tells whether there are records of which nothing is to be done");
        assert_eq!(next.origin, self.nothing(m).origin);
        let mapping = &mut s.mappings[m];
        mapping.cursor = next.cursor;
        mapping.pending = pending;
        mapping.hot = next.deadline_ms.is_some();
        mapping.generation = next.generation;
        mapping.resend = next.resend;
        mapping.paused = next.paused.is_some();
        mapping.committed = true;
        if self.config.repeats == Repeats::DropsRequests {
            mapping.epoch = next.closed_through + 1;
        }
    }

    /// Ends a run. `had_unread`: whether some attempt went unanswered; `None` in a recovery, when nobody knows.
    pub(crate) fn settle(&self, s: &mut State, m: usize, open: &Open, had_unread: Option<bool>) {
        let classes = classify(open.journal.iter().map(|line| frame(line, &open.requests)), KEYS);
        let mut believed = beliefs(s, m);
        let beside = open.sealed.scope.is_beside();
        let mut pending = if beside { s.mappings[m].pending.clone() } else { [None, None] };
        self.remember(s, m, open, &classes);
        for k in self.keys() {
            let Some(item) = &open.sealed.items[k] else {
                if self.config.shared && !beside {
                    // What was not selected is seen where it stands (rule 19).
                    believed[k] = s.log.at(open.sealed.head).values[k];
                }
                continue;
            };
            let class = self.class(s, open, k, item, &classes);
            (pending[k], believed[k]) = if open.sealed.scope.is_again() {
                self.folded_again(s.mappings[m].cursor, item, class, believed[k])
            } else {
                self.folded(open, item, class)
            };
        }
        let deadline_ms = self.deadline(open, &classes, &pending, had_unread);
        let version = if self.without(Rule::CursorIsWhatWasSealed) { s.log.head() } else { open.sealed.head };
        let saw = Sighting { version, ..Sighting::default() };
        let end = RunEnd { epoch: s.mappings[m].epoch, sync_id: String::new(), saw, pending: files(&pending), failures: None, deadline_ms };
        let head = self.commit_of(m, &s.mappings[m]);
        let next = match open.sealed.scope {
            Scope::Sync => head.after_run(end),
            Scope::Again(..) if self.raises(&open.sealed.scope) => head.after_replay(end, any_settled(&pending)),
            Scope::One(_) | Scope::Again(..) => head.after_some(end, any_settled(&pending)),
        };
        self.adopt(s, m, &next, pending);
        if next.resend {
            // What was sent ahead of a reset's sync goes out with that once more.
            believed = believed.map(|believed| if believed == 0 { 0 } else { UNKNOWN });
        }
        if !self.without(Rule::JournalFoldedOnce) {
            s.mappings[m].open = None;
        }
        self.check_factoring(s, m, believed);
    }

    /// (cursor, pending) says what a plain map from record to belief would say.
    fn check_factoring(&self, s: &mut State, m: usize, expected: [Belief; KEYS]) {
        let kept = s.mappings[m].cursor.is_none_or(|cursor| (s.log.oldest..=s.log.head()).contains(&cursor));
        let found = beliefs(s, m);
        if kept && !self.without(Rule::CursorIsWhatWasSealed) && found != expected {
            s.fail(|| format!("factoring: cursor and pending say {found:?}, the map says {expected:?}"));
        }
    }

    /// Rule 9, against what really happened (I2 and I3).
    fn class<'a>(&self, s: &mut State, open: &Open, k: usize, item: &Item, classes: &'a Classes) -> Class<'a> {
        match item.fate {
            Fate::Seen => return Class::Seen,
            Fate::Held => return Class::Unattempted,
            Fate::Sent => {}
        }
        let class = match classes.get(k) {
            Class::Unknown(_) if self.without(Rule::UnresolvedIsUnknown) => Class::Unattempted,
            class => class,
        };
        let truth = open.truth[k];
        let true_to_it = match class {
            Class::Acked => truth == Truth::Acked,
            Class::Refused(_) => matches!(truth, Truth::Refused | Truth::Unmapped),
            // That it could not be mapped is said without an fsync, and may be forgotten.
            Class::Unattempted => matches!(truth, Truth::Nothing | Truth::Unmapped),
            Class::Unknown(_) => true,
            Class::Seen => false,
        };
        if !true_to_it {
            s.fail(|| format!("I2, I3: record {k} is folded as {class:?}, and in truth is {truth:?}"));
        }
        match class {
            Class::Refused(_) | Class::Unattempted if self.without(Rule::AdvanceByAcks) => Class::Acked,
            Class::Refused(_) if self.without(Rule::LatestRequestOnly) => Class::Unattempted,
            class => class,
        }
    }

    /// Rule 10: what stays pending, and what is believed.
    fn folded(&self, open: &Open, item: &Item, class: Class<'_>) -> (Option<Work>, Belief) {
        let entry = &item.work.entry;
        let left = fold_entry(entry, class);
        let believed = left.map_or(value(entry.after), |left| belief(left.before));
        let folded = if open.sealed.scope.is_beside() { Some(fold_ahead(entry, class)) } else { left };
        (folded.map(|folded| self.left(item, class, folded)), believed)
    }

    /// Rule 23: the same of what was sent once more. `before`: what was believed until then.
    fn folded_again(&self, cursor: Option<u64>, item: &Item, class: Class<'_>, before: Belief) -> (Option<Work>, Belief) {
        let sent = &item.work.entry;
        let believed = match class {
            Class::Acked if self.without(Rule::WhatWasReplayedIsBelieved) => return (None, before),
            Class::Acked => value(sent.after),
            Class::Unknown(_) => UNKNOWN,
            Class::Seen | Class::Refused(_) | Class::Unattempted => before,
        };
        let due = item.due.as_ref();
        if class == Class::Seen {
            // What was not sent is not touched.
            return (due.cloned().filter(|due| !due.entry.is_settled()), believed);
        }
        let left = fold_beside(sent, class, due.map(|due| &due.entry), cursor);
        let forced = due.is_some_and(|due| due.forced);
        (left.map(|left| Work { forced, ..self.left(item, class, left) }), believed)
    }

    /// What stays of an item, as `folded` has it.
    fn left(&self, item: &Item, class: Class<'_>, mut folded: Entry) -> Work {
        let entry = &item.work.entry;
        let mut earlier = item.work.earlier.clone();
        if let (Class::Unknown(request), Before::Unknown(attempt)) = (class, &mut folded.before) {
            attempt.op = self.op(entry);
            if self.without(Rule::UnknownNeverCancels) && !matches!(entry.before, Before::Unknown(_)) {
                earlier = vec![(belief(entry.before), 0)];
            }
            if let (true, Some(request)) = (self.without(Rule::LatestRequestOnly), request) {
                earlier.push((value(entry.after), request.key.0));
            }
            if self.config.repeats == Repeats::Upserts {
                // Which request it was makes no difference there.
                attempt.request = None;
            }
        }
        Work { entry: folded, earlier, forced: item.work.forced }
    }

    /// Keeps what a run has sent, as long as it may be sent once more: its operation, state and version.
    fn remember(&self, s: &mut State, m: usize, open: &Open, classes: &Classes) {
        if s.left.replays == 0 {
            return;
        }
        let fields = if let Scope::Again(past, _) = &open.sealed.scope { past.fields } else { s.mappings[m].fields };
        let mut past = Past { records: [None, None], fields, failed: [false; KEYS] };
        for k in self.keys() {
            let Some(item) = open.sealed.items[k].as_ref().filter(|item| item.fate == Fate::Sent) else { continue };
            let before = if item.work.entry.op() == Op::Added { Before::Absent } else { known(Value::MAX) };
            past.records[k] = Some(Work { entry: Entry { before, ..item.work.entry }, earlier: Vec::new(), forced: true });
            past.failed[k] = classes.get(k) != Class::Acked;
        }
        if past.records.iter().any(Option::is_some) && !s.mappings[m].past.contains(&past) {
            s.mappings[m].past.push(past);
        }
    }

    /// Rules 11 and 12.
    fn deadline(&self, open: &Open, classes: &Classes, pending: &[Option<Work>; KEYS], had_unread: Option<bool>) -> Option<u64> {
        let unknown = || pending.iter().flatten().any(|work| matches!(work.entry.before, Before::Unknown(_)));
        if self.without(Rule::HotOutlivesAck) {
            return unknown().then_some(LIFETIME);
        }
        let previous = open.sealed.hot.then_some(LIFETIME);
        let Some(had_unread) = had_unread else {
            let any = if self.without(Rule::RecoveryIsHot) { classes.tally().unknown > 0 } else { classes.any_intent() };
            return decide::deadline_after_recovery(any, LIFETIME, 0, previous);
        };
        decide::deadline_after(&Ended { had_unread, lifetime_ms: LIFETIME, now_ms: 0 }, previous)
    }

    /// Folds the journal of a run that was interrupted.
    pub(crate) fn recover(&self, s: &mut State, m: usize) {
        if let Some(open) = s.mappings[m].open.clone() {
            self.settle(s, m, &open, None);
        }
    }
}
