//! When to wait, until when a mapping stays in doubt, and which answers are definite. Pure; rules 5, 8 and 11 to 13.
//!
//! All times are milliseconds since the Unix epoch, so that they outlive the process. Nothing here reads a clock.

use std::time::Duration;

use outflow_contract::{Op, Selection};

use crate::journal::{Answered, Answers};

/// What a run knows at its end about the requests that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Some attempt's answer was never read, whether or not a later attempt of the same request was acknowledged (rule 11).
    pub had_unread: bool,
    /// How long a request of this destination may still take effect.
    pub lifetime_ms: u64,
    /// Now.
    pub now_ms: u64,
}

/// What a sync does with a sealed entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Sent,
    /// It is settled without being sent.
    Seen,
    /// It stays pending as it is: somebody has set it aside.
    Held,
}

/// What becomes of a sealed entry of `op`. What is not selected is settled as seen, with whatever its state before is (rule 5); that is
/// safe only since nothing is sealed while a request travels (rule 13). `unused`: it changes nothing that the mapping sends.
///
/// What was set aside is neither sent nor seen: the destination does not have it.
pub fn fate(selection: Selection, op: Op, unused: bool, set_aside: bool) -> Fate {
    if !selection.contains(op) || unused {
        Fate::Seen
    } else if set_aside {
        Fate::Held
    } else {
        Fate::Sent
    }
}

/// How long a run must wait before it seals anything (rule 13): nothing is settled as seen, and nothing sent, while an older
/// request may still take effect. `None` if it may go on at once.
pub fn wait_before_seal(deadline_ms: Option<u64>, now_ms: u64) -> Option<Duration> {
    deadline_ms.filter(|&deadline| deadline > now_ms).map(|deadline| Duration::from_millis(deadline - now_ms))
}

/// The deadline to commit at the end of a run (rule 11): it outlives acknowledgements, and is never brought forward.
pub fn deadline_after(run: &Ended, previous: Option<u64>) -> Option<u64> {
    let own = run.had_unread.then(|| run.now_ms.saturating_add(run.lifetime_ms));
    previous.max(own)
}

/// The deadline to commit when a run is recovered (rule 12): if its journal holds any intent, whatever the outcomes say, since
/// attempts that went unanswered before a later one was acknowledged have left no trace.
pub fn deadline_after_recovery(any_intent: bool, lifetime_ms: u64, now_ms: u64, previous: Option<u64>) -> Option<u64> {
    deadline_after(&Ended { had_unread: any_intent, lifetime_ms, now_ms }, previous)
}

/// Is what the last attempt of a request was answered of a record the last word about it (rule 8)? What is not is unknown.
///
/// `in_doubt`: an earlier attempt of this request was never answered. Then only an acknowledgement is definite: a record that this
/// attempt was refused may have landed by the other.
pub fn is_definite(answer: &Answered, in_doubt: bool) -> bool {
    match answer {
        Answered::Acked => true,
        Answered::Refused { .. } | Answered::NotProcessed => !in_doubt,
        Answered::Unknown => false,
    }
}

/// The outcome to append for a request, when no further attempt will be made under its intent: of what is definite ([`is_definite`]).
/// `None` if the answers prove nothing: the intent stays open.
pub fn conclude(answers: Vec<Answered>) -> Option<Answers> {
    let first = answers.first()?.clone();
    if answers.iter().all(|answer| *answer == first) {
        (first != Answered::Unknown).then_some(Answers::All(first))
    } else {
        Some(Answers::Each(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Answered {
        Answered::Refused { code: "http_422".into(), message: "no".into() }
    }

    #[test]
    fn unselected_is_seen_and_so_is_what_changes_nothing_that_is_sent() {
        assert_eq!(fate(Selection::Updated, Op::Updated, false, false), Fate::Sent);
        assert_eq!(fate(Selection::Updated, Op::Updated, true, false), Fate::Seen);
        assert_eq!(fate(Selection::Updated, Op::Deleted, false, false), Fate::Seen);
    }

    #[test]
    fn what_is_set_aside_is_held_unless_there_is_nothing_to_send_of_it() {
        assert_eq!(fate(Selection::All, Op::Added, false, true), Fate::Held);
        assert_eq!(fate(Selection::All, Op::Updated, true, true), Fate::Seen);
        assert_eq!(fate(Selection::Added, Op::Deleted, false, true), Fate::Seen);
    }

    #[test]
    fn sealed_only_when_cold_a_run_waits_for_the_deadline_and_not_longer() {
        assert_eq!(wait_before_seal(None, 5), None);
        assert_eq!(wait_before_seal(Some(5), 5), None);
        assert_eq!(wait_before_seal(Some(4), 5), None);
        assert_eq!(wait_before_seal(Some(6), 5), Some(Duration::from_millis(1)));
    }

    #[test]
    fn hot_outlives_ack_a_deadline_is_never_brought_forward() {
        let run = |had_unread| Ended { had_unread, lifetime_ms: 30, now_ms: 100 };
        assert_eq!(deadline_after(&run(false), None), None);
        assert_eq!(deadline_after(&run(false), Some(500)), Some(500));
        assert_eq!(deadline_after(&run(true), None), Some(130));
        assert_eq!(deadline_after(&run(true), Some(120)), Some(130));
        assert_eq!(deadline_after(&run(true), Some(500)), Some(500));
    }

    #[test]
    fn recovery_is_hot_if_anything_may_have_left() {
        assert_eq!(deadline_after_recovery(true, 30, 100, None), Some(130));
        assert_eq!(deadline_after_recovery(false, 30, 100, Some(7)), Some(7));
    }

    #[test]
    fn doubt_outlasts_refusal_after_an_unanswered_attempt_only_an_acknowledgement_is_definite() {
        let definite =
            |in_doubt| [Answered::Acked, refused(), Answered::NotProcessed, Answered::Unknown].map(|a| is_definite(&a, in_doubt));
        assert_eq!(definite(false), [true, true, true, false]);
        assert_eq!(definite(true), [true, false, false, false]);
    }

    #[test]
    fn answers_that_agree_are_one_outcome() {
        assert_eq!(conclude(vec![refused(), refused()]), Some(Answers::All(refused())));
        assert_eq!(conclude(vec![Answered::Acked, Answered::Acked]), Some(Answers::All(Answered::Acked)));
        let mixed = conclude(vec![Answered::Acked, refused()]);
        assert_eq!(mixed, Some(Answers::Each(vec![Answered::Acked, refused()])));
    }

    #[test]
    fn an_answer_that_proves_nothing_is_no_outcome() {
        assert_eq!(conclude(vec![]), None);
        assert_eq!(conclude(vec![Answered::Unknown, Answered::Unknown]), None);
    }
}
