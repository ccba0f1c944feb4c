//! What a run knows of its failed records beyond its journal: for people, and it decides nothing. Memory: bounded by reasons, and a range
//! for each stretch of neighbouring records with the same one.

use std::collections::{BTreeMap, HashMap};

use outflow_contract::limits::REASONS_MAX;
use outflow_contract::outcome::Rejection;

/// Payload and answer of a few failed records, by their positions in the sealed change set.
pub type Samples = HashMap<u32, Sample>;

/// Payload and answer of one failed record, for people: without secrets, and cut to size.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// What was sent of it, if it came so far.
    pub payload: Option<String>,
    /// What the destination said, if it did.
    pub answer: Option<String>,
}

/// All of it. Nothing where the run is recovered: its process is gone.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Samples of failed records.
    pub samples: Samples,
    /// Why records have failed whose fate the answers leave open.
    pub open: OpenReasons,
}

/// So many stretches are kept; of those that are beyond, only what the journal says is known.
const STRETCHES_MAX: usize = 1 << 18;

/// Why records have failed of which the journal only says that nothing is proven.
#[derive(Clone, Debug, Default)]
pub struct OpenReasons {
    known: Vec<Known>,
    /// By their first position: the end of a stretch, and the place of its reason.
    stretches: BTreeMap<u32, (u32, usize)>,
}

#[derive(Clone, Debug)]
struct Known {
    why: Rejection,
    /// The message without secrets.
    clean: String,
}

impl OpenReasons {
    /// This is why the record at `position` has failed; `clean` makes of a message what may be kept.
    pub fn note(&mut self, position: u32, why: &Rejection, clean: impl Fn(&str) -> String) {
        let Some(reason) = self.place_of(why, clean) else { return };
        let before = self.stretches.range_mut(..position).next_back();
        if let Some((_, (end, _))) = before.filter(|(_, (end, its))| *end == position && *its == reason) {
            *end += 1;
        } else if self.stretches.len() < STRETCHES_MAX || self.stretches.contains_key(&position) {
            self.stretches.insert(position, (position.saturating_add(1), reason));
        }
    }

    /// Code and message of the record at `position`.
    pub fn get(&self, position: u32) -> Option<(&str, &str)> {
        let (_, &(end, reason)) = self.stretches.range(..=position).next_back()?;
        let known = self.known.get(reason).filter(|_| position < end)?;
        Some((&known.why.code, &known.clean))
    }

    /// Of more reasons than are kept, the first with its code stands for it.
    fn place_of(&mut self, why: &Rejection, clean: impl Fn(&str) -> String) -> Option<usize> {
        if let Some(place) = self.known.iter().position(|known| known.why == *why) {
            return Some(place);
        }
        if self.known.len() < REASONS_MAX {
            self.known.push(Known { why: why.clone(), clean: clean(&why.message) });
            return Some(self.known.len() - 1);
        }
        self.known.iter().position(|known| known.why.code == why.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(code: &str, message: &str) -> Rejection {
        Rejection { code: code.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn each_record_has_its_own_reason_and_neighbours_share_a_stretch() {
        let mut open = OpenReasons::default();
        let unclear = why("unclear_answer", "the answer to t0ken is not JSON");
        for position in [5, 6, 7, 20, 0, 21] {
            open.note(position, &unclear, |message| message.replace("t0ken", "***"));
        }
        open.note(8, &why("throttled", "later"), str::to_owned);
        assert_eq!(open.get(6), Some(("unclear_answer", "the answer to *** is not JSON")));
        assert_eq!(open.get(8), Some(("throttled", "later")));
        assert_eq!([open.get(4), open.get(1), open.get(9), open.get(22)], [None; 4]);
        assert_eq!(open.stretches.len(), 4);
    }

    #[test]
    fn reasons_without_end_are_told_by_their_codes() {
        let mut open = OpenReasons::default();
        for position in 0..1000 {
            open.note(position, &why("busy", &position.to_string()), str::to_owned);
        }
        assert_eq!(open.known.len(), REASONS_MAX);
        assert_eq!((open.get(3), open.get(999)), (Some(("busy", "3")), Some(("busy", "0"))));
    }
}
