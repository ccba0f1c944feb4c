//! What a mapping has to send: its pending entries composed with its model's versions after the cursor. Pure; rules 2, 3, 14, 15, 19 and 20.
//!
//! ```text
//!   pending   before ─► after₀                       Option<Entry>
//!   version 8           after₀ ─► after₁                steps, oldest first
//!   version 9                     after₁ ─► after₂
//!   result    before ──────────────────────► after₂     nothing, if before is Known and equal
//! ```
//!
//! - `Unknown` never cancels: only an acknowledgement settles what a destination may or may not hold.
//! - The version of `after` is that of the step which made it, whatever composes it later.
//! - `compose` is associative in before and after, so versions may be composed in any grouping. The label is exact only from the oldest to
//!   the newest: a group that cancels out (A, gone, A again) leaves no entry to carry the later label. So compose version by version
//!   onto a snapshot or a pending entry, as [`compose_key`] does.
//!
//! Nothing here looks at the selection, except for mappings that share a destination: what is selected is asked of the result, with
//! [`Entry::op`] and [`Selection::contains`].

use outflow_contract::{Attempt, Before, Entry, Failed, Key, Op, RowHash, Selection};

/// How a mapping composes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Other mappings of the same model write to the same destination account.
    pub shared: bool,
    /// What this mapping sends.
    pub selection: Selection,
    /// The mapping was reset, and has not run since (rule 15).
    pub resend: bool,
    /// Somebody asks for what was set aside.
    pub asked_for: bool,
}

/// The net of two entries of one key, `a` before `b`; `None` if nothing remains.
pub fn compose(a: Entry, b: Entry) -> Option<Entry> {
    debug_assert_eq!(a.key, b.key, "entries of different records do not compose");
    // Where requests are composed `Unknown` stands first. Anywhere else it must survive too, or doubt would be forgotten.
    let before = match (a.before, b.before) {
        (Before::Unknown(_), _) => a.before,
        (_, Before::Unknown(_)) => b.before,
        _ => a.before,
    };
    unsettled(Entry { before, failed: Failed { set_aside: b.failed.set_aside, ..a.failed }, ..b })
}

/// What remains to be done for one key: its pending entry, if there is one, with its entries in the model's versions after
/// the cursor, in order. `None` if nothing is.
///
/// Before is that of the first, after and its version those of the last (rules 2 and 3), whatever composes them later. A record that
/// was sent ahead of its sync is pending with a state from beyond the cursor: the steps up to that state are in it already.
///
/// That it was set aside is said of one state of a record: it ends with the next step, with a reset, or when somebody asks for it. How
/// often it has failed, and since when, goes on.
pub fn compose_key(pending: Option<Entry>, steps: &[Entry], options: &Options) -> Option<Entry> {
    let held = pending.map_or(0, |pending| steps.partition_point(|step| step.version <= pending.version));
    let steps = &steps[held..];
    let mut first = pending.or_else(|| steps.first().copied())?;
    let last = steps.last().copied().unwrap_or(first);
    if options.resend {
        first = reset_entry(first);
    }
    let set_aside = last.failed.set_aside && !options.resend && !options.asked_for;
    let mut entry = Entry { before: first.before, failed: Failed { set_aside, ..first.failed }, ..last };
    if options.shared && !matches!(first.before, Before::Unknown(_)) {
        entry.before = seen_step_by_step(&entry, pending.iter().chain(steps), options.selection);
    } else if !matches!(first.before, Before::Unknown(_)) {
        // As in `compose`: an `Unknown` further on is not lost.
        entry.before = steps.iter().map(|step| step.before).find(|before| matches!(before, Before::Unknown(_))).unwrap_or(first.before);
    }
    unsettled(entry)
}

/// What stays of a key once retention has composed the versions up to `to` onto it, before it drops them (rule 14): whatever the mapping
/// selects, so that what is sent does not depend on retention. What was sent ahead, with a state from beyond `to`, stays as it is.
pub fn fold_key(pending: Option<Entry>, steps: &[Entry], to: u64, options: &Options) -> Option<Entry> {
    match pending {
        Some(pending) if pending.version > to => Some(pending),
        _ => compose_key(pending, steps, options),
    }
}

/// The belief of a mapping that was reset, where adds are selected (rule 15): whatever the destination is believed to hold
/// becomes unknown, and is added again. What it certainly does not hold stays so.
///
/// For a record without pending work or later versions, give `Known(hash)` as before and the same hash as after.
pub fn reset_entry(entry: Entry) -> Entry {
    let attempt = match entry.before {
        Before::Absent => return entry,
        Before::Known(_) => unrequested(Op::Added),
        Before::Unknown(attempt) => Attempt { op: Op::Added, request: None, ..attempt },
    };
    Entry { before: Before::Unknown(attempt), ..entry }
}

/// A record of the model's snapshot as an entry of its own: where a mapping has not begun, and the destination has nothing of it; or
/// after a reset, where it may have any state of it (rule 15).
pub fn snapshot_entry(key: Key, row: RowHash, version: u64, resend: bool) -> Entry {
    let doubt = || Before::Unknown(Attempt { op: Op::Added, after: Some(row), version, request: None });
    Entry::new(key, if resend { doubt() } else { Before::Absent }, Some(row), version)
}

/// A record of the model's snapshot that is sent ahead of its sync though nothing is to be done for it: the destination has it already.
pub fn unchanged_entry(key: Key, row: RowHash, version: u64) -> Entry {
    Entry::new(key, Before::Known(row), Some(row), version)
}

/// Rules 19 and 20: the destination's other mappings act on the versions one by one, so an operation that this mapping does not
/// send has happened where it stands, and what came back to where it was may have been somewhere else in between.
fn seen_step_by_step<'a>(entry: &Entry, steps: impl Iterator<Item = &'a Entry>, selection: Selection) -> Before {
    let (mut before, mut moved) = (entry.before, false);
    for step in steps {
        let here = Entry { before, ..*step };
        if here.is_settled() {
            continue;
        }
        moved = selection.contains(here.op());
        if !moved {
            before = believed(step.after);
        }
    }
    let returned = moved && entry.after.is_some() && believed(entry.after) == before;
    if returned && selection.contains(Op::Updated) { Before::Unknown(unrequested(Op::Updated)) } else { before }
}

/// Doubt that no request of ours is behind.
fn unrequested(op: Op) -> Attempt {
    Attempt { op, after: None, version: 0, request: None }
}

fn believed(state: Option<RowHash>) -> Before {
    state.map_or(Before::Absent, Before::Known)
}

fn unsettled(entry: Entry) -> Option<Entry> {
    (!entry.is_settled()).then_some(entry)
}

#[cfg(test)]
mod tests;
