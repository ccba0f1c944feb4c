//! A run, step by step: extract, seal, intent, send, answer, append, commit; and a crash at each of them.

use outflow_contract::Op;

use crate::config::Repeats;
use crate::rules::Rule;
use crate::search::Step;
use crate::settle::outcome;
use crate::state::{Accepted, At, Fate, Flight, KEYS, Line, Open, Record, Run, Said, Scope, Sealed, State, Truth, Value, insert, value};
use crate::world::World;

/// Is told of each state that may come next.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Step, State);

impl World {
    /// Begins a run: under the lock, and after recovery (rule 18). One of an earlier sync extracts nothing. `asked`: what is set aside
    /// is sent, too.
    pub(crate) fn start(&self, s: &State, m: usize, (scope, asked): (Scope, bool)) -> State {
        let mut next = s.clone();
        let together = self.config.shared && !self.without(Rule::SiblingsRecoverFirst);
        let recovers = !(scope.is_again() && self.without(Rule::RecoverBeforeReplay));
        for other in (0..s.mappings.len()).filter(|&other| recovers && (other == m || together)) {
            self.recover(&mut next, other);
        }
        let (at, head) = if scope.is_again() { (At::Seal, next.log.head()) } else { (At::Extract, 0) };
        next.run = Some(Run {
            mapping: m,
            scope,
            asked,
            at,
            head,
            fresh: false,
            open: None,
            durable: 0,
            request: 0,
            attempts: 0,
            in_doubt: false,
            had_unread: false,
            outcome: None,
        });
        next
    }

    /// What may come next in a run.
    pub(crate) fn run(&self, s: &State, run: &Run, each: Each<'_>) {
        let lines = run.open.as_ref().map_or(0, |open| open.journal.len());
        each(Step::Kill, self.crash(s, run, false));
        if run.durable < lines || run.fresh {
            each(Step::PowerCut, self.crash(s, run, true));
        }
        let mut next = s.clone();
        match (run.at, &run.open) {
            (At::Extract, _) => {
                let fresh = self.extract(&mut next) && self.without(Rule::VersionDurableFirst);
                let head = next.log.head();
                next.run = Some(Run { at: At::Seal, head, fresh, ..run.clone() });
                each(Step::Extract, next);
            }
            (At::Seal, _) => self.seal_step(s, run, each),
            (At::Intent, Some(open)) => self.intent_step(next, run, open, each),
            (At::Send, Some(open)) => {
                let mut open = open.clone();
                for &k in &open.requests[run.request].records {
                    open.truth[k] = Truth::MayHaveLanded;
                }
                if !open.journal[..run.durable].contains(&Line::Intent(run.request)) {
                    next.fail(|| "I1: a request leaves before its intent is durable".to_owned());
                }
                next.run = Some(Run { at: At::Await, attempts: run.attempts + 1, open: Some(open), ..run.clone() });
                each(Step::Send, next);
            }
            (At::Await, Some(open)) => self.answers(s, run, open, each),
            (At::Append, Some(open)) => self.append_step(s, run, open, each),
            (At::Commit, Some(open)) => {
                next.run = None;
                if open.requests.is_empty() {
                    self.on_seal(&mut next, run.mapping, run.head, &run.scope);
                }
                self.settle(&mut next, run.mapping, open, Some(run.had_unread));
                each(Step::Commit, next);
            }
            (_, None) => unreachable!("a run that delivers is sealed"),
        }
    }

    fn seal_step(&self, s: &State, run: &Run, each: Each<'_>) {
        let m = run.mapping;
        let hot = self.is_hot(s, m);
        let elsewhere = [Rule::Settle, Rule::HotOutlivesAck, Rule::SealedOnlyWhenCold].into_iter().any(|rule| self.without(rule));
        if hot && !elsewhere && !(run.scope.is_again() && self.without(Rule::ReplayWaits)) {
            return;
        }
        let mut next = s.clone();
        if !hot {
            // Passed is as good as none.
            next.mappings[m].hot = false;
        }
        let sealed = self.seal(s, m, run.head, (run.scope.clone(), run.asked), hot);
        if run.asked && sealed.items.iter().flatten().any(|item| item.work.entry.failed.set_aside) {
            next.fail(|| "a record was asked for, and is still set aside".to_owned());
        }
        let sent = |sealed: &Sealed| sealed.items.iter().flatten().any(|item| item.fate == Fate::Sent);
        let nothing = sealed.items.iter().all(Option::is_none) && s.mappings[m].cursor.is_some();
        if !sent(&sealed) && (run.scope.is_beside() || nothing) {
            // Nothing to commit, either.
            next.run = None;
            if run.scope == Scope::Sync {
                self.on_seal(&mut next, m, run.head, &run.scope);
            }
            each(Step::NothingToSend, next);
            return;
        }
        if run.scope.is_again() {
            self.check_replay(&mut next, m, &sealed);
        } else {
            self.check_operations(&mut next, &sealed);
        }
        let requests = self.requests(s, m, &sealed);
        if !requests.is_empty() {
            // Where nothing is sent, nothing is durable before the commit.
            self.on_seal(&mut next, m, run.head, &run.scope);
        }
        let at = if requests.is_empty() { At::Commit } else { At::Intent };
        let open = Open { sealed, requests, journal: Vec::new(), truth: [Truth::Nothing; KEYS] };
        next.run = Some(Run { at, open: Some(Box::new(open)), ..run.clone() });
        each(Step::Seal, next);
    }

    /// A present row is never deleted, an absent one never upserted.
    pub(crate) fn check_operations(&self, s: &mut State, sealed: &Sealed) {
        let values = s.log.at(sealed.head).values;
        for k in self.keys() {
            let Some(item) = sealed.items[k].as_ref().filter(|item| item.fate == Fate::Sent) else { continue };
            let op = self.op(&item.work.entry);
            if (op == Op::Deleted) != (values[k] == 0) {
                s.fail(|| format!("operation: {} is sent for record {k}, whose state is {}", op.as_str(), values[k]));
            }
        }
    }

    /// Unless it is forced, nothing older goes over something newer; it may be what the model has by now.
    fn check_replay(&self, s: &mut State, m: usize, sealed: &Sealed) {
        if let Scope::Again(_, true) = sealed.scope {
            return;
        }
        let destination = &s.destinations[self.destination(m)];
        for k in self.keys() {
            let Some(item) = sealed.items[k].as_ref().filter(|item| item.fate == Fate::Sent) else { continue };
            let (sent, due) = (item.work.entry, item.due.as_ref().map_or(item.work.entry, |due| due.entry));
            let older = destination.versions[k] > sent.version && destination.holds[k] != value(sent.after);
            if older && sent.after != due.after {
                let (holds, version) = (destination.holds[k], destination.versions[k]);
                s.fail(|| format!("replay: record {k} of version {} goes over {holds} of version {version}", sent.version));
                return;
            }
        }
    }

    fn intent_step(&self, mut next: State, run: &Run, open: &Open, each: Each<'_>) {
        // Rules that were tried instead of rule 13: to wait here.
        let travels = next.flights.iter().any(|flight| self.destination(flight.mapping) == self.destination(run.mapping));
        let before = |k: &usize| open.sealed.items[*k].as_ref().map(|item| item.work.entry.before);
        let unknown = open.requests[run.request].records.iter().any(|k| matches!(before(k), Some(outflow_contract::Before::Unknown(_))));
        let waits = self.without(Rule::SealedOnlyWhenCold) || self.without(Rule::HotOutlivesAck) && unknown;
        if travels && open.sealed.hot && waits {
            return;
        }
        if self.config.budget.remaps > 0 {
            let mut open = open.clone();
            let records = open.requests[run.request].records.clone();
            for &k in &records {
                open.truth[k] = Truth::Unmapped;
            }
            open.journal.push(Line::Unmapped(records));
            let more = run.request + 1 < open.requests.len();
            let at = if more { At::Intent } else { At::Commit };
            let run = Run { at, request: run.request + usize::from(more), open: Some(Box::new(open)), ..run.clone() };
            each(Step::CannotBeMapped, State { run: Some(run), ..next.clone() });
        }
        let mut open = open.clone();
        open.journal.push(Line::Intent(run.request));
        let durable = if self.without(Rule::IntentDurableFirst) { run.durable } else { open.journal.len() };
        next.run = Some(Run { at: At::Send, durable, attempts: 0, in_doubt: false, open: Some(Box::new(open)), ..run.clone() });
        each(Step::Intent, next);
    }

    fn append_step(&self, s: &State, run: &Run, open: &Open, each: Each<'_>) {
        let mut open = open.clone();
        let said = run.outcome.clone().unwrap_or_default();
        let all = |what: Said| !said.is_empty() && said.iter().all(|one| *one == what);
        if !said.is_empty() {
            open.journal.push(Line::Outcome(run.request, said.clone()));
        }
        let next_of = |open: Open, at: At, request: usize| {
            let mut next = s.clone();
            next.run = Some(Run { at, request, outcome: None, open: Some(Box::new(open)), ..run.clone() });
            next
        };
        let again = self.without(Rule::OutcomeIsTerminal) && all(Said::NotProcessed)
            || self.without(Rule::RefusedGoesOutAnew) && all(Said::Refused);
        if again && run.attempts < self.config.attempts {
            each(Step::AppendAndSendAgain, next_of(open.clone(), At::Send, run.request));
        }
        let whole = open.requests[run.request].clone();
        // One that was built again may have landed in an earlier run: what is not processed of it waits, and keeps its key.
        let anew = whole.origin == (s.mappings[run.mapping].epoch, run.request as u32) || self.without(Rule::ThrottledKeepsItsKey);
        let divides = all(Said::Refused) && whole.records.len() > 1 || all(Said::NotProcessed) && anew;
        if self.config.parts && divides && !whole.part {
            let mut open = open.clone();
            for &k in &whole.records {
                let number = open.requests.len();
                let mut part = self.new_request(s, run.mapping, &open.sealed, vec![k], number);
                part.part = true;
                open.requests.push(part);
            }
            each(Step::AppendAndDivide, next_of(open, At::Intent, run.request + 1));
        }
        let more = run.request + 1 < open.requests.len();
        let at = if more { At::Intent } else { At::Commit };
        each(Step::Append, next_of(open, at, run.request + usize::from(more)));
    }

    /// Every answer that a request may get, and none.
    fn answers(&self, s: &State, run: &Run, open: &Open, each: Each<'_>) {
        let request = &open.requests[run.request];
        let records = &request.records;
        let flight = Flight {
            mapping: run.mapping,
            key: request.key,
            records: self.records(s, run.mapping, &open.sealed, records),
            stale: [false; KEYS],
        };
        let again = self.answered_before(s, &flight).cloned();
        let answers = answers_of(&flight, again.as_deref());
        let step = if again.is_some() { Step::AnsweredAsBefore } else { Step::Acked };
        each(step, self.answer(s, run, open, &flight, &answers));
        each(Step::Refused, self.answer(s, run, open, &flight, &vec![Said::Refused; records.len()]));
        if records.len() > 1 && again.is_none() {
            each(Step::PartlyRefused, self.answer(s, run, open, &flight, &[Said::Acked, Said::Refused]));
        }
        each(Step::Throttled, self.answer(s, run, open, &flight, &vec![Said::NotProcessed; records.len()]));
        let retried = run.attempts < self.config.attempts;
        if self.config.parts && retried {
            // Throttled, and sent again under the same intent: nothing is appended.
            let mut next = s.clone();
            let truth = if run.in_doubt { Truth::MayHaveLanded } else { Truth::Nothing };
            let mut open = open.clone();
            for &k in records {
                open.truth[k] = truth;
            }
            next.run = Some(Run { at: At::Send, open: Some(Box::new(open)), ..run.clone() });
            each(Step::ThrottledAndRetried, next);
        }
        let mut landed = s.clone();
        self.land(&mut landed, &flight);
        let mut travelling = s.clone();
        travelling.flights.push(flight);
        travelling.flights.sort();
        for (step, after) in [(Step::Landed, landed), (Step::Dropped, s.clone()), (Step::Travels, travelling)] {
            let unread = Run { in_doubt: true, had_unread: true, outcome: None, ..run.clone() };
            if retried {
                each(step.retried(), State { run: Some(Run { at: At::Send, ..unread.clone() }), ..after.clone() });
            }
            each(step, State { run: Some(Run { at: At::Append, ..unread }), ..after });
        }
    }

    /// After an answer that was read. Only what it acknowledges lands.
    fn answer(&self, s: &State, run: &Run, open: &Open, flight: &Flight, answers: &[Said]) -> State {
        let mut next = s.clone();
        let mut open = open.clone();
        let pairs = || flight.records.iter().zip(answers);
        let acked: Vec<_> = pairs().filter(|(_, said)| **said == Said::Acked).map(|(record, _)| *record).collect();
        if !acked.is_empty() {
            self.land(&mut next, &Flight { records: acked.clone(), ..flight.clone() });
            for other in &mut next.flights {
                let same = self.destination(other.mapping) == self.destination(flight.mapping);
                for record in &acked {
                    let older = other.records.iter().any(|old| old.key == record.key && old.value != record.value);
                    other.stale[record.key] |= same && older;
                }
            }
            next.flights.sort();
        }
        for (record, said) in pairs() {
            open.truth[record.key] = match said {
                Said::Acked => Truth::Acked,
                _ if run.in_doubt => Truth::MayHaveLanded,
                Said::Refused => Truth::Refused,
                // A part of a request that was refused as a whole: the refusal stands.
                _ if open.requests[run.request].part && refused_before(&open, record.key) => Truth::Refused,
                _ => Truth::Nothing,
            };
        }
        let in_doubt = run.in_doubt && !self.without(Rule::DoubtOutlastsRefusal);
        let outcome = outcome(answers, in_doubt);
        next.run = Some(Run { at: At::Append, outcome, open: Some(Box::new(open)), ..run.clone() });
        next
    }

    /// The process dies. What travels goes on; of the journal remains what was written, or only what was durable.
    fn crash(&self, s: &State, run: &Run, power_cut: bool) -> State {
        let mut next = s.clone();
        next.run = None;
        let Some(open) = &run.open else {
            lose_version(&mut next, run, power_cut);
            return next;
        };
        if run.at == At::Await {
            let request = &open.requests[run.request];
            next.flights.push(Flight {
                mapping: run.mapping,
                key: request.key,
                records: self.records(s, run.mapping, &open.sealed, &request.records),
                stale: [false; KEYS],
            });
            next.flights.sort();
        }
        // A plan is only written where something is sent.
        if !open.requests.is_empty() {
            let mut open = open.clone();
            open.journal.truncate(if power_cut { run.durable } else { open.journal.len() });
            next.mappings[run.mapping].open = Some(open);
        }
        lose_version(&mut next, run, power_cut);
        next
    }

    /// The records of this request that were accepted, if it was before: such a destination answers as it did then.
    pub(crate) fn answered_before<'a>(&self, s: &'a State, flight: &Flight) -> Option<&'a Vec<Accepted>> {
        let destination = &s.destinations[self.destination(flight.mapping)];
        destination.requests.iter().find(|(key, _)| *key == flight.key).map(|(_, records)| records)
    }

    /// A request reaches its destination.
    pub(crate) fn land(&self, s: &mut State, flight: &Flight) {
        let said = |record: &Record| (record.key, record.value, record.fields);
        if let Some(before) = self.answered_before(s, flight) {
            if flight.records.iter().any(|record| before.iter().any(|old| old.0 == record.key && *old != said(record))) {
                s.fail(|| "one key for two different requests".to_owned());
            }
            return;
        }
        let d = self.destination(flight.mapping);
        if self.config.repeats == Repeats::DropsRequests {
            let records = flight.records.iter().map(said).collect();
            insert(&mut s.destinations[d].requests, (flight.key, records));
        }
        for record in &flight.records {
            if self.config.repeats == Repeats::DropsRecords && !insert(&mut s.destinations[d].ids, record.id) {
                continue;
            }
            let k = record.key;
            if self.config.repeats != Repeats::Upserts && !record.forced {
                let appeared = appeared(s, k, record.value, record.version);
                let appended = (flight.mapping, k, record.value, appeared, record.generation, record.fields);
                if !insert(&mut s.destinations[d].appended, appended) && self.config.once {
                    s.fail(|| format!("duplicate: record {k} is appended twice as {}", record.value));
                }
            }
            if flight.stale[k] && s.destinations[d].holds[k] != record.value {
                s.fail(|| format!("order: an older request for record {k} lands after a newer one was acknowledged"));
            }
            s.destinations[d].holds[k] = record.value;
            self.note_version(s, d, k, record.version);
            self.on_land(s, flight.mapping, k);
        }
    }
}

/// A power cut takes back a version that was not durable.
fn lose_version(s: &mut State, run: &Run, power_cut: bool) {
    if power_cut && run.fresh && s.log.head() == run.head {
        s.log.kept.pop();
    }
}

/// What a destination answers that finds nothing wrong: what it accepts, or what it accepted before.
pub(crate) fn answers_of(flight: &Flight, before: Option<&[Accepted]>) -> Vec<Said> {
    let accepts = |k: usize| before.is_none_or(|before| before.iter().any(|old| old.0 == k));
    flight.records.iter().map(|record| if accepts(record.key) { Said::Acked } else { Said::Refused }).collect()
}

/// Was the record refused before, in a request that it was part of?
fn refused_before(open: &Open, k: usize) -> bool {
    open.journal.iter().any(|line| match line {
        Line::Outcome(number, said) => {
            let place = open.requests[*number].records.iter().position(|&record| record == k);
            place.is_some_and(|place| said[place] == Said::Refused)
        }
        Line::Intent(_) | Line::Unmapped(_) => false,
    })
}

/// The version in which a state appeared: its label, unless a broken rule has moved that.
fn appeared(s: &State, k: usize, value: Value, label: u64) -> u64 {
    let kept = (s.log.oldest..=s.log.head()).contains(&label);
    let snapshot = s.log.at(label);
    if kept && snapshot.values[k] == value { snapshot.versions[k] } else { label }
}
