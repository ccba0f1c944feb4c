//! Which records of an earlier sync go out once more. Pure; rule 24.
//!
//! ```text
//!                     due: what is pending, or what the model has at the cursor
//!                      │
//!   the very state ────┼──────────────────────────────────────────► goes out again
//!   another of them, and the destination has been given
//!        none since ───┼──────────────────────────────────────────► goes out again; what is due follows
//!        a newer one, or perhaps ──► kept back, unless it is forced and this mapping sends what corrects it
//! ```
//!
//! What an entry says of the destination has no version: where it is not the state in question, it counts as newer. So nothing older
//! goes out by mistake, and what is kept back needlessly is told.

use outflow_contract::{Before, Entry, Op, RowHash, Selection};

/// What the model has of a record: its state and the version in which that appeared; `None` if it is not there.
pub type Present = Option<(RowHash, u64)>;

/// What is known of a record when it is to go out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its pending entry.
    pub pending: Option<Entry>,
    /// What the model has of it at the mapping's cursor; at its head, where there is no cursor.
    pub at_cursor: Present,
    /// What the model has of it at its head.
    pub at_head: Present,
}

/// What the mapping is like, whose records they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Up to which version it has delivered.
    pub cursor: Option<u64>,
    /// What it sends now: what was sent then may be something else.
    pub selection: Selection,
    /// Other mappings of the same model write to the same destination account.
    pub shared: bool,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out again.
    Sends,
    /// The destination has been given a newer state since, or may have been. The next sync would correct what is sent over it.
    Newer,
    /// The same, and no sync of this mapping would correct it.
    NewerForGood,
}

impl Verdict {
    /// Does it go out? Where others share the destination, they would take its state for what it was: then not even if it is forced.
    pub fn goes_out(self, forced: bool, shared: bool) -> bool {
        match self {
            Self::Sends => true,
            Self::Newer => forced,
            Self::NewerForGood => forced && !shared,
        }
    }
}

/// Does the record of an earlier sync go out again (rule 24)?
pub fn judge(record: &Entry, standing: &Standing, mapped: Mapped) -> Verdict {
    // A mapping that shares its destination does not know what the others have delivered.
    let elsewhere = mapped.shared && !is_same(record, standing.at_head);
    if is_current(record, standing) && !elsewhere {
        Verdict::Sends
    } else if is_corrected(record, standing.at_head, mapped.selection) {
        Verdict::Newer
    } else {
        Verdict::NewerForGood
    }
}

/// What is due of the record, for [`crate::fold::fold_beside`]; `None` where that is what goes out, or nothing is known of it.
pub fn due(record: &Entry, standing: &Standing, mapped: Mapped) -> Option<Entry> {
    if standing.pending.is_some() {
        return standing.pending;
    }
    let cursor = mapped.cursor?;
    let due = match standing.at_cursor {
        Some((row, version)) => Entry::new(record.key, Before::Known(row), Some(row), version),
        // In which version it went is not known, and not needed: that it is gone there.
        None => Entry::new(record.key, Before::Absent, None, cursor),
    };
    let same = due.after == record.after && (due.version == record.version || due.after.is_none());
    (!same).then_some(due)
}

fn is_current(record: &Entry, standing: &Standing) -> bool {
    let Some(pending) = standing.pending else { return is_same(record, standing.at_cursor) };
    let same = pending.after == record.after || pending.version == record.version;
    if pending.after.is_some() != record.after.is_some() || same {
        return same;
    }
    match pending.before {
        Before::Absent => false,
        Before::Known(row) => record.after == Some(row),
        // Doubt that no request is behind has no version: it may be about any.
        Before::Unknown(attempt) => attempt.version != 0 && attempt.version <= record.version,
    }
}

/// Is this the record's state? A changed list of columns gives another hash to the same version.
fn is_same(record: &Entry, there: Present) -> bool {
    match (record.after, there) {
        (None, None) => true,
        (Some(row), Some((now, version))) => row == now || record.version == version,
        _ => false,
    }
}

/// Once it has gone out, does this mapping's sync send what the model has, whatever the answer was?
fn is_corrected(record: &Entry, at_head: Present, selection: Selection) -> bool {
    let after = at_head.map(|(row, _)| row);
    let landed = Entry { before: record.after.map_or(Before::Absent, Before::Known), after, ..*record };
    let doubted = match (after, record.op()) {
        (None, _) => Op::Deleted,
        (Some(_), Op::Deleted) => Op::Added,
        (Some(_), op) => op,
    };
    (landed.is_settled() || selection.contains(landed.op())) && selection.contains(doubted)
}

#[cfg(test)]
mod tests {
    use outflow_contract::{Attempt, Key};

    use super::*;

    fn entry(before: Before, after: Option<u128>, version: u64) -> Entry {
        Entry::new(Key(1), before, after.map(RowHash), version)
    }

    fn known(row: u128) -> Before {
        Before::Known(RowHash(row))
    }

    fn doubt(version: u64) -> Before {
        Before::Unknown(Attempt { op: Op::Updated, after: Some(RowHash(9)), version, request: None })
    }

    fn alone(cursor: Option<u64>) -> Mapped {
        Mapped { cursor, selection: Selection::All, shared: false }
    }

    /// What the model has at the cursor and at its head; nothing is pending.
    fn settled(there: Present) -> Standing {
        Standing { pending: None, at_cursor: there, at_head: there }
    }

    fn pending(before: Before, after: Option<u128>, version: u64) -> Standing {
        let there = after.map(|row| (RowHash(row), version));
        Standing { pending: Some(entry(before, after, version)), ..settled(there) }
    }

    #[test]
    fn the_very_state_goes_out_again_and_an_older_one_does_not() {
        let record = entry(Before::Absent, Some(1), 3);
        for there in [(1, 3), (1, 7), (2, 3)] {
            let there = Some((RowHash(there.0), there.1));
            assert_eq!(judge(&record, &settled(there), alone(Some(8))), Verdict::Sends, "the same values, or the same version: {there:?}");
        }
        for there in [Some((RowHash(2), 4)), None] {
            assert_eq!(judge(&record, &settled(there), alone(Some(8))), Verdict::Newer, "{there:?}");
        }
        let deleted = entry(known(1), None, 3);
        assert_eq!(judge(&deleted, &settled(None), alone(Some(8))), Verdict::Sends);
        assert_eq!(judge(&deleted, &settled(Some((RowHash(1), 5))), alone(Some(8))), Verdict::Newer, "it is back");
    }

    #[test]
    fn what_waits_tells_what_the_destination_was_given() {
        let record = entry(known(5), Some(1), 3);
        let of = |standing: Standing| judge(&record, &standing, alone(Some(8)));
        assert_eq!(of(pending(known(5), Some(1), 3)), Verdict::Sends, "it failed then, and nothing came since");
        assert_eq!(of(pending(known(1), Some(2), 4)), Verdict::Sends, "delivered then, and what came since failed");
        assert_eq!(of(pending(known(6), Some(2), 5)), Verdict::Newer, "something else was delivered since, or before");
        assert_eq!(of(pending(doubt(3), Some(2), 4)), Verdict::Sends);
        assert_eq!(of(pending(doubt(4), Some(2), 5)), Verdict::Newer, "a newer one may have landed");
        assert_eq!(of(pending(doubt(0), Some(2), 5)), Verdict::Newer, "doubt of no version");
        assert_eq!(of(pending(known(1), None, 5)), Verdict::Newer, "it is to be deleted");
        assert_eq!(of(pending(Before::Absent, Some(2), 5)), Verdict::Newer, "a delete may have come between");
    }

    #[test]
    fn forcing_sends_over_newer_values_unless_only_a_sibling_would_correct_it() {
        let record = entry(Before::Absent, Some(1), 3);
        let gone = settled(None);
        let of = |selection, shared| judge(&record, &gone, Mapped { cursor: Some(8), selection, shared });
        assert_eq!(of(Selection::All, true), Verdict::Newer);
        assert_eq!(of(Selection::AddedOrUpdated, true), Verdict::NewerForGood);
        let goes_out =
            |verdict: Verdict| [(false, false), (true, false), (true, true)].map(|(forced, shared)| verdict.goes_out(forced, shared));
        assert_eq!(goes_out(Verdict::Sends), [true, true, true]);
        assert_eq!(goes_out(Verdict::Newer), [false, true, true]);
        assert_eq!(goes_out(Verdict::NewerForGood), [false, true, false]);
    }

    #[test]
    fn a_sibling_may_have_delivered_what_the_mapping_has_not_seen_yet() {
        let record = entry(Before::Absent, Some(1), 3);
        let standing = Standing { pending: None, at_cursor: Some((RowHash(1), 3)), at_head: None };
        let of = |shared| judge(&record, &standing, Mapped { cursor: Some(3), selection: Selection::AddedOrUpdated, shared });
        assert_eq!(of(false), Verdict::Sends);
        assert_eq!(of(true), Verdict::NewerForGood);
    }

    #[test]
    fn what_is_due_is_the_pending_entry_or_the_state_at_the_cursor() {
        let record = entry(Before::Absent, Some(1), 3);
        let of = |standing: Standing, cursor| due(&record, &standing, alone(cursor));
        let waiting = pending(known(6), Some(2), 5);
        assert_eq!(of(waiting, Some(8)), waiting.pending);
        assert_eq!(of(settled(Some((RowHash(1), 3))), Some(8)), None, "what goes out");
        assert_eq!(of(settled(Some((RowHash(1), 7))), Some(8)), Some(entry(known(1), Some(1), 7)));
        assert_eq!(of(settled(None), Some(8)), Some(entry(Before::Absent, None, 8)));
        assert_eq!(of(settled(Some((RowHash(2), 7))), None), None, "without a cursor nothing is known to be due");
    }
}
