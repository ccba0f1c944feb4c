use std::collections::BTreeMap;

use outflow_contract::Key;
use proptest::prelude::*;

use super::*;

/// The state of one key: 0 is absent.
type Value = u8;

fn state(value: Value) -> Option<RowHash> {
    (value != 0).then(|| RowHash(u128::from(value)))
}

fn entry(before: Before, after: Value, version: u64) -> Entry {
    Entry::new(Key(1), before, state(after), version)
}

fn known(value: Value) -> Before {
    believed(state(value))
}

fn doubt(op: Op) -> Before {
    Before::Unknown(unrequested(op))
}

/// The entries that lead through `values`, in versions 1, 2, …; equal neighbours make none.
fn steps(values: &[Value]) -> Vec<Entry> {
    let pairs = values.windows(2).zip(1..);
    pairs.filter(|(pair, _)| pair[0] != pair[1]).map(|(pair, version)| entry(known(pair[0]), pair[1], version)).collect()
}

fn alone(selection: Selection) -> Options {
    Options { shared: false, selection, resend: false, asked_for: false }
}

fn shared(selection: Selection) -> Options {
    Options { shared: true, ..alone(selection) }
}

const ALL: [Selection; 5] = [Selection::Added, Selection::Updated, Selection::AddedOrUpdated, Selection::Deleted, Selection::All];

#[test]
fn before_is_that_of_the_first_and_after_that_of_the_last() {
    let net = compose_key(None, &steps(&[1, 2, 0, 3]), &alone(Selection::All)).unwrap();
    assert_eq!((net.before, net.after, net.version), (known(1), state(3), 3));
}

#[test]
fn what_came_back_to_where_it_was_needs_nothing() {
    assert_eq!(compose_key(None, &steps(&[1, 2, 1]), &alone(Selection::All)), None);
    assert_eq!(compose_key(None, &steps(&[0, 2, 0]), &alone(Selection::All)), None);
    assert_eq!(compose_key(None, &[], &alone(Selection::All)), None);
}

#[test]
fn what_was_sent_ahead_is_not_composed_with_the_versions_that_it_holds() {
    let acknowledged = entry(known(2), 2, 3);
    for options in [alone(Selection::AddedOrUpdated), shared(Selection::AddedOrUpdated)] {
        assert_eq!(compose_key(Some(acknowledged), &steps(&[0, 1, 0, 2]), &options), None);
        let next = compose_key(Some(acknowledged), &steps(&[0, 1, 0, 2, 1]), &options).unwrap();
        assert_eq!((next.before, next.after, next.version), (known(2), state(1), 4));
    }
    let refused = entry(known(1), 2, 3);
    assert_eq!(compose_key(Some(refused), &steps(&[1, 0, 1, 2]), &shared(Selection::AddedOrUpdated)), Some(refused));
}

#[test]
fn retention_folds_what_it_drops_and_leaves_what_was_sent_ahead() {
    let all = alone(Selection::Deleted);
    assert_eq!(fold_key(None, &steps(&[1, 2]), 1, &all), Some(entry(known(1), 2, 1)), "selected or not");
    assert_eq!(fold_key(Some(entry(known(1), 2, 1)), &[entry(known(2), 1, 2)], 2, &all), None);
    let ahead = entry(known(2), 2, 3);
    assert_eq!(fold_key(Some(ahead), &steps(&[0, 1]), 1, &all), Some(ahead));
    assert_eq!(fold_key(Some(ahead), &steps(&[0, 1, 0, 2]), 3, &all), None);
}

#[test]
fn a_refused_record_goes_out_with_its_newest_state_or_not_at_all() {
    let refused = entry(known(1), 2, 4);
    let newest = compose_key(Some(refused), &[entry(known(2), 3, 6)], &alone(Selection::Updated)).unwrap();
    assert_eq!((newest.before, newest.after, newest.version), (known(1), state(3), 6));
    assert_eq!(compose_key(Some(refused), &[entry(known(2), 1, 6)], &alone(Selection::Updated)), None);
    assert_eq!(compose_key(Some(refused), &[], &alone(Selection::Updated)), Some(refused));
}

#[test]
fn unknown_never_cancels() {
    for options in ALL.map(alone).into_iter().chain(ALL.map(shared)) {
        for after in 0..3 {
            let pending = entry(doubt(Op::Added), 1, 2);
            let net = compose_key(Some(pending), &[entry(known(1), after, 5)], &options).unwrap();
            assert_eq!((net.before, net.after), (pending.before, state(after)), "{options:?}");
            assert_eq!(compose_key(Some(pending), &[], &options), Some(pending));
        }
    }
    // Not even where it does not stand first.
    assert!(compose(entry(known(1), 2, 1), entry(doubt(Op::Updated), 1, 2)).is_some());
}

#[test]
fn fold_keeps_version_the_label_is_that_of_the_step_that_made_the_state() {
    let pending = entry(known(1), 2, 4);
    assert_eq!(compose_key(Some(pending), &[], &alone(Selection::All)).unwrap().version, 4);
    assert_eq!(compose_key(Some(pending), &[entry(known(2), 3, 9)], &alone(Selection::All)).unwrap().version, 9);
}

#[test]
fn no_delete_of_a_present_row_after_an_attempted_delete_the_record_is_added() {
    let deleted = Attempt { op: Op::Deleted, after: None, version: 3, request: None };
    let pending = entry(Before::Unknown(deleted), 0, 3);
    let net = compose_key(Some(pending), &[entry(known(0), 2, 4)], &alone(Selection::Deleted)).unwrap();
    assert_eq!(net.op(), Op::Added);
    let gone = compose_key(Some(entry(doubt(Op::Added), 1, 3)), &[entry(known(1), 0, 4)], &alone(Selection::All)).unwrap();
    assert_eq!(gone.op(), Op::Deleted);
}

#[test]
fn seen_step_by_step_what_a_sibling_delivered_in_between_is_deleted() {
    // Appeared and gone before the mapping of deleted records ran: the one of added records may have delivered it.
    let net = compose_key(None, &steps(&[0, 1, 0]), &shared(Selection::Deleted)).unwrap();
    assert_eq!((net.before, net.after, net.op()), (known(1), None, Op::Deleted));
    assert_eq!(compose_key(None, &steps(&[0, 1, 0]), &alone(Selection::Deleted)), None);
    // Gone and back before the mapping of added records ran: the one of deleted records may have deleted it.
    let net = compose_key(None, &steps(&[1, 0, 1]), &shared(Selection::AddedOrUpdated)).unwrap();
    assert_eq!((net.before, net.op()), (known(0), Op::Added));
}

#[test]
fn no_cancel_among_siblings_there_and_back_is_sent_as_an_update() {
    let net = compose_key(None, &steps(&[1, 2, 1]), &shared(Selection::Updated)).unwrap();
    assert_eq!((net.before, net.after, net.op()), (doubt(Op::Updated), state(1), Op::Updated));
    let refused = entry(known(1), 2, 4);
    let net = compose_key(Some(refused), &[entry(known(2), 1, 5)], &shared(Selection::AddedOrUpdated)).unwrap();
    assert_eq!((net.before, net.op()), (doubt(Op::Updated), Op::Updated));
    assert_eq!(compose_key(None, &steps(&[1, 2, 1]), &shared(Selection::Deleted)), None);
}

#[test]
fn reset_makes_unknown_whatever_may_be_there_and_leaves_what_is_not() {
    let options = Options { resend: true, ..alone(Selection::All) };
    let still = Entry { before: known(1), ..entry(known(1), 1, 3) };
    assert_eq!((reset_entry(still).before, reset_entry(still).op()), (doubt(Op::Added), Op::Added));
    // Known, and gone since: still to be deleted.
    let gone = compose_key(None, &steps(&[1, 0]), &options).unwrap();
    assert_eq!((gone.before, gone.op()), (doubt(Op::Added), Op::Deleted));
    // Absent, and never there.
    assert_eq!(compose_key(None, &steps(&[0, 1, 0]), &options), None);
    assert_eq!(compose_key(None, &steps(&[0, 1]), &options).unwrap().before, Before::Absent);
    // An attempt loses its request, since a new generation sends other bytes.
    let request =
        outflow_contract::change::AttemptRequest { key: outflow_contract::RequestKey(5), epoch: 1, sequence: 0, records: 1, index: 0 };
    let attempt = Attempt { op: Op::Updated, after: state(1), version: 2, request: Some(request) };
    let net = compose_key(Some(entry(Before::Unknown(attempt), 1, 2)), &[], &options).unwrap();
    assert_eq!(net.before, Before::Unknown(Attempt { op: Op::Added, request: None, ..attempt }));
}

/// A chain of entries of one key, each beginning where the last ended, some of them in doubt.
fn chain() -> impl Strategy<Value = Vec<Entry>> {
    (0..4_u8, prop::collection::vec((0..4_u8, prop::bool::weighted(0.2), 0..3_usize), 1..8)).prop_map(|(first, rest)| {
        let mut last = first;
        let mut entries = Vec::new();
        for (version, (value, in_doubt, op)) in (1..).zip(rest) {
            let attempt = Attempt { version, ..unrequested(Op::ALL[op]) };
            let before = if in_doubt { Before::Unknown(attempt) } else { known(last) };
            let made = entry(before, value, version);
            last = value;
            if !made.is_settled() {
                entries.push(made);
            }
        }
        entries
    })
}

fn fold(entries: &[Entry]) -> Option<Entry> {
    entries.iter().copied().fold(None, |net: Option<Entry>, next| match net {
        None => Some(next),
        Some(net) => compose(net, next),
    })
}

fn join(a: Option<Entry>, b: Option<Entry>) -> Option<Entry> {
    match (a, b) {
        (Some(a), Some(b)) => compose(a, b),
        (a, b) => a.or(b),
    }
}

type Snapshot = BTreeMap<u8, (RowHash, u64)>;

fn diff(old: &Snapshot, new: &Snapshot, version: u64) -> Vec<Entry> {
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let states = keys.into_iter().map(|key| (key, old.get(key).map(|s| s.0), new.get(key).map(|s| s.0)));
    let changed = states.filter(|(_, before, after)| before != after);
    changed.map(|(key, before, after)| Entry::new(Key(u128::from(*key)), believed(before), after, version)).collect()
}

fn apply(snapshot: &mut Snapshot, changes: &[Entry]) {
    for change in changes {
        let key = change.key.0 as u8;
        assert_eq!(change.before, believed(snapshot.get(&key).map(|s| s.0)));
        match change.after {
            Some(hash) => snapshot.insert(key, (hash, change.version)),
            None => snapshot.remove(&key),
        };
    }
}

fn snapshot() -> impl Strategy<Value = BTreeMap<u8, u8>> {
    prop::collection::btree_map(0..6_u8, 1..4_u8, 0..6)
}

proptest! {
    #[test]
    fn composing_is_associative(entries in chain(), cut in 0..8_usize) {
        let (left, right) = entries.split_at(cut.min(entries.len()));
        let net = |entry: Option<Entry>| entry.map(|entry| (entry.key, entry.before, entry.after));
        prop_assert_eq!(net(join(fold(left), fold(right))), net(fold(&entries)));
        let from_the_right = entries.iter().rev().fold(None, |net, &next| join(Some(next), net));
        prop_assert_eq!(net(from_the_right), net(fold(&entries)));
    }

    #[test]
    fn composing_all_at_once_is_composing_one_by_one(entries in chain(), with_pending: bool) {
        let (pending, steps) = match entries.split_first() {
            Some((first, rest)) if with_pending => (Some(*first), rest),
            _ => (None, &entries[..]),
        };
        prop_assert_eq!(compose_key(pending, steps, &alone(Selection::All)), fold(&entries));
    }

    #[test]
    fn doubt_survives_every_composition(entries in chain()) {
        let in_doubt = entries.iter().any(|e| matches!(e.before, Before::Unknown(_)));
        let net = fold(&entries);
        prop_assert_eq!(in_doubt, net.is_some_and(|e| matches!(e.before, Before::Unknown(_))));
    }

    #[test]
    fn applying_composed_versions_gives_the_last_model(models in prop::collection::vec(snapshot(), 1..6)) {
        let (mut log, mut last) = (Vec::new(), Snapshot::new());
        for (version, model) in (1..).zip(&models) {
            let mut next = Snapshot::new();
            for (&key, &value) in model {
                let hash = RowHash(u128::from(value));
                let label = last.get(&key).filter(|s| s.0 == hash).map_or(version, |s| s.1);
                next.insert(key, (hash, label));
            }
            let changes = diff(&last, &next, version);
            apply(&mut last, &changes);
            prop_assert_eq!(&last, &next, "apply(S, diff(S, M)) == M, labels included");
            log.push(changes);
        }
        for from in 0..log.len() {
            let mut start = Snapshot::new();
            log[..from].iter().for_each(|changes| apply(&mut start, changes));
            let mut by_key: BTreeMap<Key, Vec<Entry>> = BTreeMap::new();
            log[from..].iter().flatten().for_each(|change| by_key.entry(change.key).or_default().push(*change));
            let net: Vec<Entry> = by_key.values().filter_map(|steps| compose_key(None, steps, &alone(Selection::All))).collect();
            apply(&mut start, &net);
            let hashes = |s: &Snapshot| s.iter().map(|(k, v)| (*k, v.0)).collect::<Vec<_>>();
            prop_assert_eq!(hashes(&start), hashes(&last));
        }
    }
}

#[test]
fn set_aside_is_said_of_one_state_and_how_often_it_failed_of_the_record() {
    let failed = Failed { attempts: 3, first_ms: 5, last_ms: 9, set_aside: true };
    let pending = Some(Entry { failed, ..entry(known(1), 2, 4) });
    let options = |resend, asked_for| Options { shared: false, selection: Selection::All, resend, asked_for };
    let (plain, reset, asked) = (options(false, false), options(true, false), options(false, true));
    assert_eq!(compose_key(pending, &[], &plain).unwrap().failed, failed, "nothing has happened to it");
    let tried_again = Failed { set_aside: false, ..failed };
    for options in [plain, reset, asked] {
        assert_eq!(compose_key(pending, &[entry(known(2), 3, 5)], &options).unwrap().failed, tried_again, "it has changed");
    }
    assert_eq!(compose_key(pending, &[], &reset).unwrap().failed, tried_again);
    assert_eq!(compose_key(pending, &[], &asked).unwrap().failed, tried_again);
    // Sent ahead of its sync, it holds this step already.
    assert_eq!(compose_key(pending, &[entry(known(1), 2, 4)], &plain).unwrap().failed, failed);
    assert_eq!(fold_key(pending, &[], 4, &plain).unwrap().failed, failed);
    assert_eq!(compose_key(pending, &[entry(known(2), 1, 5)], &plain), None, "it is back to where it was");
}
