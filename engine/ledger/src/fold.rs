//! What a journal says about each sealed record, and what stays pending of it. Pure; rules 9 and 10.
//!
//! ```text
//!   any ack ──────────────────────────────────────► acked        dropped: the destination has it
//!   settled at the seal ──────────────────────────► seen         dropped: this mapping does not send it
//!   no intent ────────────────────────────────────► unattempted  as sealed (or refused, if it failed before any request)
//!   an intent without an outcome ─────────────────► unknown      before := Unknown, by that request
//!   else any refusal ─────────────────────────────► refused      as sealed
//!   else (every answer: not processed) ───────────► unattempted  as sealed
//! ```
//!
//! Every sealed record is exactly one of the five. More frames never give less knowledge about what was acknowledged, and a normal end
//! and a recovery are the same function. Memory: one byte a record, and 12 for each that is refused or unknown.

use std::collections::HashMap;

use outflow_contract::change::AttemptRequest;
use outflow_contract::{Attempt, Before, Entry, Failed, RequestKey};

use crate::journal::{Answered, Answers, Frame, Frames, Intent, Outcome, Positions};

/// More different refusals than this are kept by their code alone: a destination that repeats each record in its message must not
/// fill the memory.
const MESSAGES_MAX: usize = 100_000;
/// The code of a request that was turned away for its credentials: nobody has looked at what is in it.
const NOT_LET_IN: &str = "unauthorized";
const MESSAGE_LEFT_OUT: &str = "(one of too many different messages to keep)";

/// What became of one sealed record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class<'a> {
    /// The destination has it.
    Acked,
    /// Settled without being sent.
    Seen,
    /// The destination, or the mapping, does not take it.
    Refused(Failure<'a>),
    /// Nothing was sent, or nothing of it looked at.
    Unattempted,
    /// It may or may not have landed. With the request, where that is its latest attempt: only then may the key be used again.
    Unknown(Option<AttemptRequest>),
}

/// Why a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// A short, stable code to group by.
    pub code: &'a str,
    /// In words.
    pub message: &'a str,
    /// The request that it was refused under; `None` if it failed before any.
    pub request: Option<RequestKey>,
}

/// How many records are of each class. Their sum is the length of the change set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// See [`Class::Acked`].
    pub acked: u64,
    /// See [`Class::Refused`].
    pub refused: u64,
    /// See [`Class::Unattempted`].
    pub unattempted: u64,
    /// See [`Class::Unknown`].
    pub unknown: u64,
}

/// The class of every position of a sealed change set.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    flags: Vec<u8>,
    /// Sorted by position.
    refusals: Vec<Refusal>,
    reasons: Vec<(String, String)>,
    requests: Vec<RequestKey>,
    /// Sorted by position.
    doubts: Vec<Doubt>,
    unresolved: Vec<Unresolved>,
    any_intent: bool,
}

/// The last refusal of a position.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    position: u32,
    reason: u32,
    /// An index into `requests`, or `NONE`.
    request: u32,
}

/// The last unresolved intent of a position.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    position: u32,
    /// An index into `unresolved`, or `NONE` if the record was sent again after it.
    intent: u32,
    /// Which of the request's records.
    index: u32,
}

/// An intent of which some record has no outcome.
#[derive(Clone, Copy, Debug)]
struct Unresolved {
    sequence: u32,
    request: AttemptRequest,
}

const NONE: u32 = u32::MAX;

const SENT: u8 = 1;
const ACKED: u8 = 2;
const REFUSED: u8 = 4;
const UNRESOLVED: u8 = 8;

/// Classifies the `n` positions of a sealed change set by the frames of its journal, in their order (rule 9).
pub fn classify(frames: impl IntoIterator<Item = Frame>, n: usize) -> Classes {
    let mut fold = Fold { classes: Classes { flags: vec![0; n], ..Classes::default() }, ..Fold::default() };
    for frame in frames {
        match frame {
            Frame::Intent(intent) => fold.intent(intent),
            Frame::Outcome(outcome) => fold.outcome(outcome),
            Frame::Refused(refused) => fold.refused(&refused.positions, &refused.code, &refused.message, None),
        }
    }
    fold.finish()
}

/// Classifies them by the journal as it lies on disk. If more of it is damaged than a torn end, what was not acknowledged before is unknown:
/// an intent may have stood there.
pub fn classify_journal(bytes: &[u8], n: usize) -> Classes {
    let mut frames = Frames::new(bytes);
    let mut classes = classify(frames.by_ref(), n);
    if frames.is_damaged() {
        classes.any_intent = true;
        classes.flags.iter_mut().filter(|flags| **flags & ACKED == 0).for_each(|flags| *flags |= UNRESOLVED);
    }
    classes
}

/// What stays pending of a sealed entry (rule 10); `None` if nothing does.
pub fn fold_entry(sealed: &Entry, class: Class<'_>) -> Option<Entry> {
    match class {
        Class::Acked | Class::Seen => None,
        Class::Unattempted => Some(*sealed),
        Class::Unknown(request) => {
            let attempt = Attempt { op: sealed.op(), after: sealed.after, version: sealed.version, request };
            Some(Entry { before: Before::Unknown(attempt), ..*sealed })
        }
        Class::Refused(failure) => {
            let mut entry = *sealed;
            if let Before::Unknown(attempt) = &mut entry.before {
                attempt.request = attempt.request.filter(|request| may_go_again(&failure, request));
            }
            Some(entry)
        }
    }
}

/// May a request in doubt still be built again after this refusal of one of its records? Under another request it was refused later: the
/// older key would let the destination drop what is new. Under the same one the destination has made up its mind: if it keeps its
/// answers by key it would repeat the refusal for ever. Only where it did not look at the record does the key still tell it something.
fn may_go_again(failure: &Failure<'_>, request: &AttemptRequest) -> bool {
    match failure.request {
        None => true,
        Some(key) => key == request.key && failure.code == NOT_LET_IN,
    }
}

/// What stays of a record that was sent ahead of its sync: an entry in any case, since the versions after the cursor are yet to
/// be composed onto it. Acknowledged, it says that the destination has what the model has, and cancels with them.
pub fn fold_ahead(sealed: &Entry, class: Class<'_>) -> Entry {
    let before = sealed.after.map_or(Before::Absent, Before::Known);
    let acknowledged = || Entry { before, failed: Failed::default(), ..*sealed };
    fold_entry(sealed, class).unwrap_or_else(acknowledged)
}

/// What stays pending of a record that was sent beside its sync, ahead of it or once more, so that the cursor stays (rule 23): the
/// destination has what was sent, if it acknowledged that, and what is due stays due.
///
/// `due`: the record's pending entry, or what the model has of it at the cursor; none where that is what was sent. `None` if the cursor
/// says as much as what would stay.
pub fn fold_beside(sealed: &Entry, class: Class<'_>, due: Option<&Entry>, cursor: Option<u64>) -> Option<Entry> {
    let nothing_else = Entry { failed: Failed::default(), ..*sealed };
    let sent = |before: Before| Entry { before, ..*due.unwrap_or(&nothing_else) };
    let entry = match (class, fold_entry(sealed, class)) {
        (Class::Acked, _) => sent(sealed.after.map_or(Before::Absent, Before::Known)),
        (Class::Unknown(_), Some(doubted)) => sent(doubted.before),
        // As it was, though a request that was refused is the latest attempt (rule 10).
        (class, _) => fold_entry(due?, if class == Class::Seen { Class::Unattempted } else { class })?,
    };
    let said = entry.is_settled() && cursor.is_some_and(|cursor| entry.version <= cursor);
    (!said).then_some(entry)
}

impl Classes {
    /// How many positions.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// Did the journal hold any intent? Then its recovery sets a deadline (rule 12).
    pub fn any_intent(&self) -> bool {
        self.any_intent
    }

    /// The class of a position. Positions beyond the change set are unattempted.
    pub fn get(&self, position: usize) -> Class<'_> {
        let flags = self.flags.get(position).copied().unwrap_or(0);
        match flags {
            _ if flags & ACKED != 0 => Class::Acked,
            _ if flags & UNRESOLVED != 0 => Class::Unknown(self.request_in_doubt(position)),
            _ if flags & REFUSED != 0 => self.refusal(position).map_or(Class::Unattempted, Class::Refused),
            _ => Class::Unattempted,
        }
    }

    /// The classes of all positions, in order.
    pub fn iter(&self) -> impl Iterator<Item = Class<'_>> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// How many records are of each class.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for class in self.iter() {
            match class {
                Class::Acked => tally.acked += 1,
                Class::Seen => {}
                Class::Refused(_) => tally.refused += 1,
                Class::Unattempted => tally.unattempted += 1,
                Class::Unknown(_) => tally.unknown += 1,
            }
        }
        tally
    }

    fn refusal(&self, position: usize) -> Option<Failure<'_>> {
        let found = self.refusals.binary_search_by_key(&position, |refusal| refusal.position as usize).ok()?;
        let refusal = self.refusals[found];
        let (code, message) = self.reasons.get(refusal.reason as usize)?;
        Some(Failure { code, message, request: self.requests.get(refusal.request as usize).copied() })
    }

    fn request_in_doubt(&self, position: usize) -> Option<AttemptRequest> {
        let found = self.doubts.binary_search_by_key(&position, |doubt| doubt.position as usize).ok()?;
        let doubt = self.doubts[found];
        let unresolved = self.unresolved.get(doubt.intent as usize)?;
        Some(AttemptRequest { index: doubt.index, ..unresolved.request })
    }
}

/// A fold under way.
#[derive(Default)]
struct Fold {
    classes: Classes,
    /// Intents without an outcome so far, by number.
    open: HashMap<u32, Intent>,
    /// The last intent of the positions that had several.
    latest: HashMap<u32, u32>,
    reasons: HashMap<(String, String), u32>,
}

impl Fold {
    fn intent(&mut self, intent: Intent) {
        self.classes.any_intent = true;
        for position in within(&intent.positions, self.classes.len()) {
            let flags = &mut self.classes.flags[position as usize];
            if *flags & SENT != 0 {
                self.latest.insert(position, intent.sequence);
            }
            *flags |= SENT;
        }
        // A number used twice would hide the first of the two: it stays unresolved.
        if let Some(first) = self.open.insert(intent.sequence, intent) {
            self.doubt(&first);
        }
    }

    fn outcome(&mut self, outcome: Outcome) {
        let Some(intent) = self.open.remove(&outcome.sequence) else { return };
        match outcome.result {
            Answers::All(answered) => self.answered_all(&intent, &answered),
            Answers::Each(answers) if answers.len() == intent.positions.len() as usize => self.answered_each(&intent, answers),
            // It does not fit its request, so it proves nothing.
            Answers::Each(_) => self.doubt(&intent),
        }
    }

    fn answered_all(&mut self, intent: &Intent, answered: &Answered) {
        match answered {
            Answered::Acked => {
                for position in within(&intent.positions, self.classes.len()) {
                    self.classes.flags[position as usize] |= ACKED;
                }
            }
            Answered::Refused { code, message } => self.refused(&intent.positions, code, message, Some(intent.key)),
            Answered::NotProcessed => {}
            Answered::Unknown => self.doubt(intent),
        }
    }

    fn answered_each(&mut self, intent: &Intent, answers: Vec<Answered>) {
        let request = self.request(intent.key);
        let mut unresolved = None;
        for ((index, position), answered) in (0..).zip(intent.positions.iter()).zip(answers) {
            let Some(flags) = self.classes.flags.get_mut(position as usize) else { continue };
            match answered {
                Answered::Acked => *flags |= ACKED,
                Answered::NotProcessed => {}
                Answered::Refused { code, message } => {
                    *flags |= REFUSED;
                    let reason = self.reason(&code, &message);
                    self.classes.refusals.push(Refusal { position, reason, request });
                }
                Answered::Unknown => {
                    *flags |= UNRESOLVED;
                    let number = *unresolved.get_or_insert_with(|| add_unresolved(&mut self.classes, intent));
                    self.classes.doubts.push(Doubt { position, intent: number, index });
                }
            }
        }
    }

    fn refused(&mut self, positions: &Positions, code: &str, message: &str, key: Option<RequestKey>) {
        let request = key.map_or(NONE, |key| self.request(key));
        let reason = self.reason(code, message);
        for position in within(positions, self.classes.len()) {
            self.classes.flags[position as usize] |= REFUSED;
            self.classes.refusals.push(Refusal { position, reason, request });
        }
    }

    /// None of the intent's records has an outcome.
    fn doubt(&mut self, intent: &Intent) {
        let number = add_unresolved(&mut self.classes, intent);
        for (index, position) in (0..).zip(intent.positions.iter()) {
            if let Some(flags) = self.classes.flags.get_mut(position as usize) {
                *flags |= UNRESOLVED;
                self.classes.doubts.push(Doubt { position, intent: number, index });
            }
        }
    }

    fn finish(mut self) -> Classes {
        let mut open: Vec<Intent> = self.open.drain().map(|(_, intent)| intent).collect();
        open.sort_unstable_by_key(|intent| intent.sequence);
        for intent in &open {
            self.doubt(intent);
        }
        let mut classes = self.classes;
        // Of each position the last remains. Refusals were pushed in the journal's order, which a stable sort keeps.
        classes.refusals.sort_by_key(|refusal| refusal.position);
        keep_last(&mut classes.refusals, |refusal| refusal.position);
        let sequence = |doubt: &Doubt| classes.unresolved[doubt.intent as usize].sequence;
        classes.doubts.sort_by_key(|doubt| (doubt.position, sequence(doubt)));
        keep_last(&mut classes.doubts, |doubt| doubt.position);
        for doubt in &mut classes.doubts {
            // Sent again after it: this request is not the record's latest attempt, so its key is spent (rule 21).
            if self.latest.get(&doubt.position).is_some_and(|&latest| latest != classes.unresolved[doubt.intent as usize].sequence) {
                doubt.intent = NONE;
            }
        }
        classes
    }

    fn request(&mut self, key: RequestKey) -> u32 {
        self.classes.requests.push(key);
        (self.classes.requests.len() - 1) as u32
    }

    fn reason(&mut self, code: &str, message: &str) -> u32 {
        let reason = (code.to_owned(), message.to_owned());
        if let Some(&known) = self.reasons.get(&reason) {
            return known;
        }
        let full = self.reasons.len() >= MESSAGES_MAX && message != MESSAGE_LEFT_OUT;
        if full {
            return self.reason(code, MESSAGE_LEFT_OUT);
        }
        let number = self.classes.reasons.len() as u32;
        self.classes.reasons.push(reason.clone());
        self.reasons.insert(reason, number);
        number
    }
}

/// The positions below `n`. A journal that names others is not this change set's, and they are ignored.
fn within(positions: &Positions, n: usize) -> impl Iterator<Item = u32> + '_ {
    let n = u32::try_from(n).unwrap_or(u32::MAX);
    positions.ranges().iter().flat_map(move |range| range.start.min(n)..range.end.min(n))
}

/// Keeps the last of each run of items with the same position.
fn keep_last<T: Copy>(items: &mut Vec<T>, position: impl Fn(&T) -> u32) {
    items.dedup_by(|next, kept| {
        let same = position(next) == position(kept);
        if same {
            *kept = *next;
        }
        same
    });
}

fn add_unresolved(classes: &mut Classes, intent: &Intent) -> u32 {
    let request = AttemptRequest {
        key: intent.key,
        epoch: intent.origin_epoch,
        sequence: intent.origin_sequence,
        records: intent.positions.len(),
        index: 0,
    };
    classes.unresolved.push(Unresolved { sequence: intent.sequence, request });
    (classes.unresolved.len() - 1) as u32
}

#[cfg(test)]
mod tests;
