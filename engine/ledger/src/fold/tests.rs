use outflow_contract::{Key, Op, RowHash};
use proptest::prelude::*;

use super::*;
use crate::journal::Refused;

fn intent(sequence: u32, positions: impl Into<Positions>) -> Frame {
    let key = RequestKey(u128::from(sequence) + 100);
    Frame::Intent(Intent { sequence, origin_epoch: 7, origin_sequence: sequence, key, positions: positions.into() })
}

fn outcome(sequence: u32, result: Answers) -> Frame {
    Frame::Outcome(Outcome { sequence, result })
}

fn refused(message: &str) -> Answered {
    Answered::Refused { code: "http_422".into(), message: message.into() }
}

fn all(sequence: u32, answered: Answered) -> Frame {
    outcome(sequence, Answers::All(answered))
}

fn request(sequence: u32, records: u32, index: u32) -> AttemptRequest {
    AttemptRequest { key: RequestKey(u128::from(sequence) + 100), epoch: 7, sequence, records, index }
}

fn failure(message: &str, sequence: u32) -> Class<'_> {
    Class::Refused(Failure { code: "http_422", message, request: Some(request(sequence, 1, 0).key) })
}

fn classes(frames: &[Frame], n: usize) -> Classes {
    classify(frames.iter().cloned(), n)
}

fn sealed(before: Before) -> Entry {
    Entry::new(Key(1), before, Some(RowHash(2)), 5)
}

fn in_doubt(request: Option<AttemptRequest>) -> Before {
    Before::Unknown(Attempt { op: Op::Updated, after: Some(RowHash(1)), version: 3, request })
}

#[test]
fn each_record_is_what_the_journal_says_of_it() {
    let each = Answers::Each(vec![Answered::Acked, refused("a"), Answered::NotProcessed, Answered::Unknown]);
    let mapping = Frame::Refused(Refused { positions: (9..10).into(), code: "mapping".into(), message: "b".into() });
    let frames = [intent(0, 0..2), intent(1, 2..6), all(0, Answered::Acked), outcome(1, each), intent(2, 6..8), mapping];
    let classes = classes(&frames, 11);
    let local = Failure { code: "mapping", message: "b", request: None };
    let expected = [
        Class::Acked,
        Class::Acked,
        Class::Acked,
        failure("a", 1),
        Class::Unattempted,
        Class::Unknown(Some(request(1, 4, 3))),
        Class::Unknown(Some(request(2, 2, 0))),
        Class::Unknown(Some(request(2, 2, 1))),
        Class::Unattempted,
        Class::Refused(local),
        Class::Unattempted,
    ];
    assert_eq!(classes.iter().collect::<Vec<_>>(), expected);
    assert_eq!(classes.tally(), Tally { acked: 3, refused: 2, unattempted: 3, unknown: 3 });
    assert_eq!(classes.get(11), Class::Unattempted);
}

#[test]
fn recovery_is_hot_if_the_journal_holds_any_intent() {
    assert!(!classes(&[], 3).any_intent());
    assert!(!classes(&[Frame::Refused(Refused { positions: (0..1).into(), code: "c".into(), message: "m".into() })], 3).any_intent());
    assert!(classes(&[intent(0, 0..1), all(0, Answered::Acked)], 3).any_intent());
}

#[test]
fn unresolved_is_unknown_an_intent_without_an_outcome_is_not_unattempted() {
    assert_eq!(classes(&[intent(0, 0..1)], 1).get(0), Class::Unknown(Some(request(0, 1, 0))));
    assert_eq!(classes(&[], 1).get(0), Class::Unattempted);
    // Not even if a later request for the same record was definitely refused, or not processed.
    for answered in [refused("a"), Answered::NotProcessed] {
        let class = classes(&[intent(0, 0..1), intent(1, 0..1), all(1, answered)], 1);
        assert!(matches!(class.get(0), Class::Unknown(_)));
    }
}

#[test]
fn advance_by_acks_only_what_was_acknowledged_or_seen_is_dropped() {
    let entry = sealed(Before::Known(RowHash(1)));
    assert_eq!(fold_entry(&entry, Class::Acked), None);
    assert_eq!(fold_entry(&entry, Class::Seen), None);
    assert_eq!(fold_entry(&entry, Class::Unattempted), Some(entry));
    assert_eq!(fold_entry(&entry, failure("a", 1)), Some(entry));
    assert!(fold_entry(&entry, Class::Unknown(None)).is_some());
}

#[test]
fn an_acknowledgement_outweighs_everything_else() {
    let frames = [intent(0, 0..1), intent(1, 0..1), all(1, Answered::Acked)];
    assert_eq!(classes(&frames, 1).get(0), Class::Acked);
    let frames = [intent(0, 0..1), all(0, Answered::Acked), intent(1, 0..1), all(1, refused("a"))];
    assert_eq!(classes(&frames, 1).get(0), Class::Acked);
}

#[test]
fn an_unknown_record_carries_the_attempt_as_it_was_sealed() {
    let entry = sealed(Before::Known(RowHash(1)));
    let folded = fold_entry(&entry, Class::Unknown(Some(request(0, 1, 0)))).unwrap();
    let attempt = Attempt { op: Op::Updated, after: Some(RowHash(2)), version: 5, request: Some(request(0, 1, 0)) };
    assert_eq!(folded, Entry { before: Before::Unknown(attempt), ..entry });
    // A delete that was attempted for a record in doubt.
    let gone = Entry { after: None, ..sealed(in_doubt(None)) };
    let Before::Unknown(attempt) = fold_entry(&gone, Class::Unknown(None)).unwrap().before else { panic!() };
    assert_eq!((attempt.op, attempt.after), (Op::Deleted, None));
}

#[test]
fn doubt_outlasts_refusal_a_refused_record_in_doubt_stays_in_doubt() {
    let entry = sealed(in_doubt(Some(request(9, 1, 0))));
    assert!(matches!(fold_entry(&entry, failure("a", 1)).unwrap().before, Before::Unknown(_)));
    assert_eq!(fold_entry(&entry, Class::Unattempted), Some(entry));
}

#[test]
fn a_refusal_strikes_out_the_request_in_doubt_and_not_the_doubt() {
    let entry = sealed(in_doubt(Some(request(9, 1, 0))));
    assert_eq!(fold_entry(&entry, failure("a", 1)).unwrap().before, in_doubt(None), "refused under another request");
    assert_eq!(fold_entry(&entry, failure("a", 9)).unwrap().before, in_doubt(None), "refused under the same one");
    let local = Class::Refused(Failure { code: "mapping", message: "b", request: None });
    assert_eq!(fold_entry(&entry, local), Some(entry), "never sent");
    let not_let_in = |sequence| Failure { code: NOT_LET_IN, message: "b", request: Some(request(sequence, 1, 0).key) };
    assert_eq!(fold_entry(&entry, Class::Refused(not_let_in(9))), Some(entry), "not looked at: an earlier attempt may have landed");
    assert_eq!(fold_entry(&entry, Class::Refused(not_let_in(1))).unwrap().before, in_doubt(None));
}

#[test]
fn key_has_first_intent_a_request_built_again_keeps_its_origin() {
    let again = Intent { sequence: 0, origin_epoch: 3, origin_sequence: 44, key: RequestKey(1), positions: (0..1).into() };
    let expected = AttemptRequest { key: RequestKey(1), epoch: 3, sequence: 44, records: 1, index: 0 };
    assert_eq!(classes(&[Frame::Intent(again)], 1).get(0), Class::Unknown(Some(expected)));
}

#[test]
fn latest_request_only_a_request_that_was_followed_by_another_is_spent() {
    // The whole request went unanswered; then one record was sent alone.
    let frames = [intent(0, 0..2), intent(1, 1..2), all(1, Answered::NotProcessed)];
    let classified = classes(&frames, 2);
    assert_eq!(classified.get(0), Class::Unknown(Some(request(0, 2, 0))));
    assert_eq!(classified.get(1), Class::Unknown(None));
    // The later one is in doubt too: it is the one to build again, whichever was concluded first.
    let unknown = outcome(1, Answers::Each(vec![Answered::Unknown]));
    for frames in [vec![intent(0, 0..1), intent(1, 0..1)], vec![intent(0, 0..1), intent(1, 0..1), unknown]] {
        assert_eq!(classes(&frames, 1).get(0), Class::Unknown(Some(request(1, 1, 0))));
    }
}

#[test]
fn the_last_refusal_is_the_one_that_counts() {
    let frames =
        [intent(0, 0..2), all(0, refused("both")), intent(1, 0..1), all(1, refused("alone")), intent(2, 1..2), all(2, Answered::Acked)];
    let classes = classes(&frames, 2);
    assert_eq!(classes.get(0), failure("alone", 1));
    assert_eq!(classes.get(1), Class::Acked);
}

#[test]
fn an_outcome_that_does_not_fit_its_request_proves_nothing() {
    let short = outcome(0, Answers::Each(vec![Answered::Acked]));
    let classified = classes(&[intent(0, 0..2), short], 2);
    assert!(classified.iter().all(|class| matches!(class, Class::Unknown(_))));
    assert_eq!(classes(&[all(0, Answered::Acked)], 1).get(0), Class::Unattempted, "an outcome without an intent");
}

#[test]
fn too_many_messages_are_kept_by_their_code() {
    let n = MESSAGES_MAX as u32 + 2;
    let answers = (0..n).map(|i| refused(&i.to_string())).collect();
    let classes = classes(&[intent(0, 0..n), outcome(0, Answers::Each(answers))], n as usize);
    let Class::Refused(last) = classes.get(n as usize - 1) else { panic!() };
    assert_eq!((last.code, last.message), ("http_422", MESSAGE_LEFT_OUT));
    assert!(matches!(classes.get(5), Class::Refused(Failure { message: "5", .. })));
}

#[test]
fn what_was_sent_beside_its_sync_is_believed_and_what_is_due_stays_due() {
    let entry = |before, after: u128, version| Entry::new(Key(1), before, Some(RowHash(after)), version);
    let known = |row| Before::Known(RowHash(row));
    let old = entry(Before::Absent, 1, 1);
    // Older than what the model has at the cursor, and acknowledged: the next sync sends the newer state again.
    let due = entry(known(2), 2, 4);
    assert_eq!(fold_beside(&old, Class::Acked, Some(&due), Some(4)), Some(entry(known(1), 2, 4)));
    let Some(doubted) = fold_beside(&old, Class::Unknown(None), Some(&due), Some(4)) else { panic!() };
    assert!(matches!(doubted.before, Before::Unknown(attempt) if attempt.after == old.after && attempt.version == 1));
    assert_eq!((doubted.after, doubted.version), (due.after, due.version));
    // Refused: as before, and the cursor says that.
    let refusal = Failure { code: "no", message: "", request: None };
    for class in [Class::Refused(refusal), Class::Unattempted, Class::Seen] {
        assert_eq!(fold_beside(&old, class, Some(&due), Some(4)), None, "{class:?}");
        assert_eq!(fold_beside(&old, class, None, Some(4)), None, "{class:?}");
        let waiting = entry(known(2), 3, 4);
        assert_eq!(fold_beside(&old, class, Some(&waiting), Some(4)), Some(waiting), "{class:?}");
    }
    // The very state of the cursor: nothing to remember, unless the cursor is not there yet.
    assert_eq!(fold_beside(&old, Class::Acked, None, Some(1)), None);
    assert_eq!(fold_beside(&old, Class::Acked, None, None), Some(entry(known(1), 1, 1)));
    assert_eq!(fold_beside(&old, Class::Acked, Some(&entry(known(9), 1, 5)), Some(4)), Some(entry(known(1), 1, 5)), "ahead of its sync");
}

#[test]
fn a_refused_replay_strikes_out_the_request_that_was_in_doubt_before() {
    let Class::Unknown(request) = classes(&[intent(1, 0..1)], 1).get(0) else { panic!() };
    let attempt = Attempt { op: Op::Added, after: Some(RowHash(1)), version: 1, request };
    let due = Entry::new(Key(1), Before::Unknown(attempt), Some(RowHash(1)), 1);
    let refused = Failure { code: "no", message: "", request: Some(RequestKey(99)) };
    let left = fold_beside(&due, Class::Refused(refused), Some(&due), Some(1));
    assert!(matches!(left, Some(Entry { before: Before::Unknown(Attempt { request: None, .. }), .. })), "{left:?}");
    assert_eq!(fold_beside(&due, Class::Seen, Some(&due), Some(1)), Some(due));
}

fn answered() -> impl Strategy<Value = Answered> {
    prop_oneof![Just(Answered::Acked), Just(refused("a")), Just(Answered::NotProcessed), Just(Answered::Unknown)]
}

fn frame() -> impl Strategy<Value = Frame> {
    let positions = prop::collection::vec(0..12_u32, 0..5).prop_map(|list| list.into_iter().collect::<Positions>());
    prop_oneof![
        (0..4_u32, positions.clone()).prop_map(|(sequence, positions)| intent(sequence, positions)),
        (0..4_u32, answered()).prop_map(|(sequence, answered)| all(sequence, answered)),
        (0..4_u32, prop::collection::vec(answered(), 0..5)).prop_map(|(sequence, each)| outcome(sequence, Answers::Each(each))),
        positions.prop_map(|positions| Frame::Refused(Refused { positions, code: "c".into(), message: "m".into() })),
    ]
}

proptest! {
    #[test]
    fn every_journal_classifies_every_record_and_more_of_it_never_takes_an_acknowledgement_back(
        frames in prop::collection::vec(frame(), 0..12), cut in 0..12_usize,
    ) {
        let whole = classes(&frames, 10);
        let tally = whole.tally();
        prop_assert_eq!(tally.acked + tally.refused + tally.unattempted + tally.unknown, 10);
        let again = classes(&frames, 10);
        prop_assert!(whole.iter().eq(again.iter()));
        let part = classes(&frames[..cut.min(frames.len())], 10);
        for (before, after) in part.iter().zip(whole.iter()) {
            prop_assert!(before != Class::Acked || after == Class::Acked);
        }
    }
}

#[test]
fn behind_a_damaged_place_of_the_journal_everything_that_was_not_acknowledged_is_in_doubt() {
    let frames = [intent(0, 0..1), all(0, Answered::Acked), intent(1, 1..3), all(1, Answered::Acked)];
    let encoded: Vec<Vec<u8>> = frames.iter().map(|frame| crate::journal::encode(frame).unwrap()).collect();
    let classes = |journal: &[u8]| classify_journal(journal, 4);
    let mut journal = encoded.concat();
    assert_eq!(classes(&journal).iter().collect::<Vec<_>>(), [Class::Acked, Class::Acked, Class::Acked, Class::Unattempted]);
    // In the middle: what stands before it is known, and of the rest nothing is, not even that it was never sent.
    journal[encoded[0].len() + encoded[1].len()] ^= 1;
    let doubt = Class::Unknown(None);
    assert_eq!(classes(&journal).iter().collect::<Vec<_>>(), [Class::Acked, doubt, doubt, doubt]);
    assert!(classes(&journal).any_intent(), "so that its recovery waits");
    // Cut off: what is not there was not sent.
    let cut = &encoded.concat()[..encoded[0].len() + encoded[1].len() + 3];
    assert_eq!(classes(cut).iter().collect::<Vec<_>>(), [Class::Acked, Class::Unattempted, Class::Unattempted, Class::Unattempted]);
}
