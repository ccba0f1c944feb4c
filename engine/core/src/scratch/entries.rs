//! Entries of change sets as records of a fixed size.

use outflow_contract::change::AttemptRequest;
use outflow_contract::{Attempt, Before, Entry, Failed, Key, Op, RequestKey, RowHash};

use super::{Stored, numbers, put};

/// In the word of flags: what was there before …
const KNOWN: u64 = 1;
const UNKNOWN: u64 = 2;
/// … and which of the rest is there.
const AFTER: u64 = 1 << 2;
const ATTEMPT_AFTER: u64 = 1 << 3;
const REQUEST: u64 = 1 << 4;
const SET_ASIDE: u64 = 1 << 5;
/// Behind them the operation of the attempt.
const OP_SHIFT: u32 = 8;

impl Stored for Entry {
    const BYTES: usize = 16 * 8;

    fn store(&self, into: &mut Vec<u8>) {
        let attempt = if let Before::Unknown(attempt) = self.before { Some(attempt) } else { None };
        let request = attempt.and_then(|attempt| attempt.request);
        let flag = |is: bool, flag: u64| if is { flag } else { 0 };
        let (tag, before) = match self.before {
            Before::Absent => (0, None),
            Before::Known(row) => (KNOWN, Some(row)),
            Before::Unknown(attempt) => (UNKNOWN, attempt.after),
        };
        let flags = tag
            | flag(self.after.is_some(), AFTER)
            | flag(attempt.is_some_and(|attempt| attempt.after.is_some()), ATTEMPT_AFTER)
            | flag(request.is_some(), REQUEST)
            | flag(self.failed.set_aside, SET_ASIDE)
            | attempt.map_or(0, |attempt| Op::ALL.iter().position(|op| *op == attempt.op).unwrap_or(0) as u64) << OP_SHIFT;
        let halves = |row: Option<RowHash>| row.map_or((0, 0), RowHash::halves);
        let (key, before, after) = (self.key.halves(), halves(before), halves(self.after));
        let request_key = request.map_or((0, 0), |request| request.key.halves());
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let words = [
            key.0,
            key.1,
            flags,
            before.0,
            before.1,
            after.0,
            after.1,
            self.version,
            attempt.map_or(0, |attempt| attempt.version),
            request_key.0,
            request_key.1,
            request.map_or(0, |request| request.epoch),
            request.map_or(0, |request| pair(request.sequence, request.records)),
            pair(request.map_or(0, |request| request.index), self.failed.attempts),
            self.failed.first_ms,
            self.failed.last_ms,
        ];
        put(into, &words);
    }

    fn load(bytes: &[u8]) -> Self {
        let mut next = numbers(bytes);
        let (key, flags) = (Key::from_halves(next(), next()), next());
        let has = |flag: u64| flags & flag != 0;
        let row = |is: bool, high: u64, low: u64| is.then(|| RowHash::from_halves(high, low));
        let before = (next(), next());
        let after = row(has(AFTER), next(), next());
        let (version, attempt_version) = (next(), next());
        let request_key = RequestKey::from_halves(next(), next());
        let (epoch, sequence, index) = (next(), next(), next());
        let request = has(REQUEST).then_some(AttemptRequest {
            key: request_key,
            epoch,
            sequence: (sequence >> 32) as u32,
            records: sequence as u32,
            index: (index >> 32) as u32,
        });
        let before = if has(UNKNOWN) {
            let op = Op::ALL.get((flags >> OP_SHIFT) as usize).copied().unwrap_or(Op::Deleted);
            Before::Unknown(Attempt { op, after: row(has(ATTEMPT_AFTER), before.0, before.1), version: attempt_version, request })
        } else {
            row(has(KNOWN), before.0, before.1).map_or(Before::Absent, Before::Known)
        };
        let failed = Failed { attempts: index as u32, first_ms: next(), last_ms: next(), set_aside: has(SET_ASIDE) };
        Self { key, before, after, version, failed }
    }
}

impl Stored for Key {
    const BYTES: usize = 16;

    fn store(&self, into: &mut Vec<u8>) {
        let (high, low) = self.halves();
        put(into, &[high, low]);
    }

    fn load(bytes: &[u8]) -> Self {
        let mut next = numbers(bytes);
        Self::from_halves(next(), next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_as_it_was_whatever_it_has() {
        let request = AttemptRequest { key: RequestKey(1 << 100 | 7), epoch: u64::MAX, sequence: 2, records: u32::MAX, index: 4 };
        let mut states = vec![Before::Absent, Before::Known(RowHash(3 << 90 | 1))];
        for op in Op::ALL {
            for after in [None, Some(RowHash(5 << 80 | 2))] {
                states.extend([None, Some(request)].map(|request| Before::Unknown(Attempt { op, after, version: 9, request })));
            }
        }
        for before in states {
            for after in [None, Some(RowHash(u128::MAX))] {
                for failed in [Failed::default(), Failed { attempts: 3, first_ms: 1 << 40, last_ms: 1 << 41, set_aside: true }] {
                    let entry = Entry { key: Key(6 << 70 | 5), before, after, version: 1 << 50, failed };
                    let mut bytes = Vec::new();
                    entry.store(&mut bytes);
                    assert_eq!((bytes.len(), Entry::load(&bytes)), (Entry::BYTES, entry));
                }
            }
        }
    }
}
