//! Which records of a request are to blame that was refused as a whole?
//!
//! ```text
//! refused ─► halves ─► halves … ─► one record, refused: it is guilty; what is refused no more has been delivered meanwhile
//!               │
//!               └─ IN_A_ROW_MAX guilty ones, nothing taken meanwhile ─► single records by chance ─┬─ one is taken ─► on with halves
//!                                                                                                 └─ SINGLES_MAX are not ─► left
//! ```
//!
//! Some 2 · d · log₂(n / d) requests find d guilty ones of n, whatever d is. Where everything is refused nothing is gained by that, and it
//! ends after about a hundred: then it is not the records. What is left is unproven, is booked as such, and goes apart from all others in
//! the next sync, which proves more of it. So no number of guilty records keeps a good one back for ever.

use std::sync::{Mutex, MutexGuard, PoisonError};

use outflow_contract::Result;
use outflow_contract::outcome::{Answer, Outcome, Rejection};

use super::batch::Draft;
use super::request::{Prepared, Rest, prepare, send_whole};
use super::standing::Standing;
use super::{Delivery, Results};

/// The code of records that were refused among others, and not tried on their own.
pub(super) const REFUSED_TOGETHER: &str = "refused_together";
/// After so many records in a row that were not taken when they stood alone, it may be all of them.
const IN_A_ROW_MAX: u64 = 16;
/// So many more are then taken by chance and tried, at least: where one in ten is good, all of them are refused once in a thousand times.
const SINGLES_MAX: u64 = 64;
/// And one more for so many that were taken: then it is certainly not all of them.
const TAKEN_PER_SINGLE: u64 = 8;
/// Requests that are divided in any case, if that may help.
const DIVIDED_MAX: u64 = 8_192;
/// And so many more for each record that is taken: no sync spends most of its requests on records that are refused.
const DIVIDED_PER_TAKEN: u64 = 4;

/// The search among records of the same standing, in one sync. Shared by all its requests.
pub(super) struct Dividing {
    standing: Standing,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// Records that were not taken when they stood alone, one after another, with none taken in between.
    in_a_row: u64,
    /// Records that were taken.
    taken: u64,
    /// Requests that were divided.
    divided: u64,
}

/// What to send next of a request that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The next part of it.
    Part,
    /// One record by chance.
    Single,
    /// Nothing more.
    Leave,
}

/// A request was refused as a whole.
pub(super) struct Refused {
    pub(super) why: Rejection,
    pub(super) answer: Option<Answer>,
}

impl Dividing {
    pub(super) fn new(standing: Standing) -> Self {
        Self { standing, found: Mutex::default() }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request of so many records has come to its end.
    pub(super) fn note(&self, records: usize, outcomes: &[Outcome]) {
        let taken = outcomes.iter().filter(|outcome| **outcome == Outcome::Acked).count();
        let mut found = self.found();
        found.taken += taken as u64;
        if taken > 0 {
            found.in_a_row = 0;
        } else if records == 1 {
            found.in_a_row = found.in_a_row.saturating_add(1);
        }
    }

    /// Why records remain that were refused together, for as long as nothing else is known of them. Each of those that are guilty already
    /// has been refused on its own, and stays so.
    pub(super) fn reason(&self, why: Rejection) -> Rejection {
        if self.standing == Standing::Guilty {
            return why;
        }
        let status = why.code.strip_prefix("http_").filter(|status| !why.message.contains(status));
        let status = status.map(|status| format!(" with the status {status}")).unwrap_or_default();
        let message = format!("refused{status} together with other records, and not tried alone: {}", why.message);
        Rejection { code: REFUSED_TOGETHER.to_owned(), message }
    }

    /// `tried`: a single record of this request was tried already.
    fn step(&self, tried: bool) -> Step {
        let found = self.found();
        if found.divided > DIVIDED_MAX + DIVIDED_PER_TAKEN * found.taken {
            return Step::Leave;
        }
        let singles = SINGLES_MAX + (found.taken / TAKEN_PER_SINGLE).min(DIVIDED_MAX);
        match found.in_a_row {
            ..IN_A_ROW_MAX => Step::Part,
            // However many were refused before: every request gets one chance.
            row if row < IN_A_ROW_MAX + singles || !tried => Step::Single,
            _ => Step::Leave,
        }
    }
}

/// Sends a new request. If it is refused as a whole, its parts follow one after another, each a request with an intent of its own.
pub(super) async fn send(delivery: &Delivery, prepared: Prepared, dividing: &Dividing, results: &Results) -> Result<()> {
    match send_whole(delivery, prepared, dividing, results).await? {
        Rest::Divide(draft, refused) => divide(delivery, draft, refused, dividing, results).await,
        Rest::Done | Rest::Later(_) => Ok(()),
    }
}

/// Divides what was refused as a whole, for as long as that may help.
pub(super) async fn divide(delivery: &Delivery, draft: Draft, refused: Refused, dividing: &Dividing, results: &Results) -> Result<()> {
    let (mut open, mut refused, mut tried) = (halves(&draft, dividing), refused, false);
    while !delivery.is_ending() {
        let next = match dividing.step(tried) {
            Step::Part => open.pop(),
            Step::Single => single(&mut open, delivery.clock.random()),
            Step::Leave => None,
        };
        let Some(part) = next else { break };
        tried |= part.positions.len() == 1;
        let Some(prepared) = prepare(delivery, part, results).await? else { continue };
        if let Rest::Divide(part, again) = send_whole(delivery, prepared, dividing, results).await? {
            open.extend(halves(&part, dividing));
            refused = again;
        }
    }
    // Their outcome is in the journal already.
    for part in &open {
        results.refused_together(part, &refused.why, refused.answer.as_ref());
    }
    Ok(())
}

/// The halves of what was refused as a whole, the first one last.
fn halves(part: &Draft, dividing: &Dividing) -> Vec<Draft> {
    dividing.found().divided += 1;
    let all: Vec<usize> = (0..part.positions.len()).collect();
    let (first, second) = all.split_at(all.len() / 2);
    vec![pick(part, second), pick(part, first)]
}

/// Takes one record out of what is open, each with the same chance. `random` is any number.
fn single(open: &mut Vec<Draft>, random: u64) -> Option<Draft> {
    let all: usize = open.iter().map(|part| part.positions.len()).sum();
    let mut which = usize::try_from(random % u64::try_from(all).ok()?.max(1)).ok()?;
    let place = open.iter().position(|part| {
        let here = which < part.positions.len();
        which -= if here { 0 } else { part.positions.len() };
        here
    })?;
    let part = &open[place];
    let one = pick(part, &[which]);
    let others: Vec<usize> = (0..part.positions.len()).filter(|&i| i != which).collect();
    if others.is_empty() {
        open.remove(place);
    } else {
        open[place] = pick(part, &others);
    }
    Some(one)
}

/// Some records of a draft, in order.
pub(super) fn pick(draft: &Draft, which: &[usize]) -> Draft {
    let mut picked = Draft::default();
    picked.records.schema.clone_from(&draft.records.schema);
    let mut bytes = Vec::new();
    for &i in which {
        bytes.extend_from_slice(draft.records.payload(i));
        picked.positions.push(draft.positions[i]);
        picked.records.ends.push(bytes.len());
        picked.records.ops.push(draft.records.ops[i]);
        picked.records.ids.push(&draft.records.ids[i]);
    }
    picked.records.bytes = bytes.into();
    picked
}

#[cfg(test)]
mod tests {
    use outflow_contract::Op;

    use super::*;

    fn draft(positions: std::ops::Range<u32>) -> Draft {
        let mut draft = Draft::default();
        let mut bytes = Vec::new();
        for position in positions {
            bytes.extend_from_slice(position.to_string().as_bytes());
            draft.positions.push(position);
            draft.records.ends.push(bytes.len());
            draft.records.ops.push(Op::Added);
            draft.records.ids.push(position.to_string());
        }
        draft.records.bytes = bytes.into();
        draft
    }

    fn refused(status: u16, message: &str) -> Rejection {
        Rejection { code: format!("http_{status}"), message: message.to_owned() }
    }

    /// Searches `records` for those that a destination refuses that refuses every request with one of them: how many requests it took,
    /// who was found guilty, and who was left.
    fn search(records: u32, is_guilty: impl Fn(u32) -> bool, seed: u64) -> (usize, Vec<u32>, Vec<u32>) {
        let dividing = Dividing::new(Standing::Clear);
        let (mut requests, mut random) = (0, seed);
        let (mut guilty, mut left) = (Vec::new(), Vec::new());
        for start in (0..records).step_by(1000) {
            let mut open = vec![draft(start..records.min(start + 1000))];
            let (mut first, mut tried) = (true, false);
            loop {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let next = match dividing.step(tried) {
                    Step::Part => open.pop(),
                    _ if std::mem::take(&mut first) => open.pop(),
                    Step::Single => single(&mut open, random >> 16),
                    Step::Leave => None,
                };
                first = false;
                let Some(part) = next else { break };
                requests += 1;
                tried |= part.positions.len() == 1;
                let taken = !part.positions.iter().any(|&position| is_guilty(position));
                let outcomes = if taken { vec![Outcome::Acked; part.positions.len()] } else { Vec::new() };
                dividing.note(part.positions.len(), &outcomes);
                match (taken, part.positions.len()) {
                    (true, _) => {}
                    (false, 1) => guilty.extend(&part.positions),
                    (false, _) => open.extend(halves(&part, &dividing)),
                }
            }
            left.extend(open.iter().flat_map(|part| part.positions.clone()));
        }
        guilty.sort_unstable();
        (requests, guilty, left)
    }

    #[test]
    fn however_many_are_guilty_no_other_is_left() {
        for n in [1, 16, 17, 150, 500, 900] {
            // At the front, at the end, and here and there.
            let places: [&dyn Fn(u32) -> bool; 3] = [&|i| i < n, &|i| i >= 1000 - n, &|i| i * 7 % 1000 < n];
            for is_guilty in places {
                let (requests, guilty, left) = search(1000, is_guilty, u64::from(n));
                assert!(left.iter().all(|&i| is_guilty(i)), "{n}: {left:?}");
                assert!(guilty.iter().all(|&i| is_guilty(i)) && guilty.len() + left.len() == n as usize, "{n}");
                assert!(left.is_empty() || n > 80, "{n}: {left:?}");
                assert!(requests <= 1 + 2 * n as usize * 11, "{requests} requests for {n}");
            }
        }
    }

    #[test]
    fn more_guilty_records_than_there_are_divisions_in_any_case_are_found_where_others_are_taken() {
        let (_, guilty, left) = search(30_000, |i| i % 3 != 0, 5);
        assert_eq!((guilty.len(), left.len()), (20_000, 0));
    }

    #[test]
    fn where_all_are_refused_it_ends_after_a_hundred_requests_and_one_or_two_for_each_batch() {
        let (requests, guilty, left) = search(20_000, |_| true, 1);
        assert!(requests < 40 + 80 + 2 * 20, "{requests}");
        assert_eq!(guilty.len() + left.len(), 20_000);
    }

    #[test]
    fn every_record_is_as_likely_to_be_taken_out_alone_and_none_is_lost() {
        let mut seen = Vec::new();
        for random in 0..10 {
            let mut open = vec![draft(0..3), draft(3..4), draft(4..10)];
            let one = single(&mut open, random).unwrap();
            let mut all: Vec<u32> = open.iter().flat_map(|part| part.positions.clone()).chain(one.positions.clone()).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..10) && open.iter().all(|part| !part.positions.is_empty()));
            assert_eq!(one.records.payload(0), one.positions[0].to_string().as_bytes());
            seen.extend(one.positions);
        }
        assert!(seen.into_iter().eq(0..10));
        assert!(single(&mut Vec::new(), 7).is_none());
    }

    #[test]
    fn what_was_refused_among_others_only_is_never_booked_as_refused_itself() {
        for standing in [Standing::Clear, Standing::Accused] {
            let why = Dividing::new(standing).reason(refused(422, "no such plan"));
            assert_eq!(why.code, REFUSED_TOGETHER);
            assert_eq!(why.message, "refused with the status 422 together with other records, and not tried alone: no such plan");
        }
        // Each of them has been refused alone before.
        assert_eq!(Dividing::new(Standing::Guilty).reason(refused(422, "no")), refused(422, "no"));
    }
}
