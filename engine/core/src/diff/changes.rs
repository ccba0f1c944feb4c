//! Records of which it was told what they are, as a change set.

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use outflow_contract::{Before, Entry, Error, Op, Result};
use outflow_ledger::changes::{EntryBuilder, assemble};

use super::segments::{State, Told};
use super::waiting::{Chunk, Out};
use super::{Comparison, Tally};

impl Comparison {
    /// Records that are all new.
    pub(super) fn added(&self, chunks: Vec<Chunk>, tally: &mut Tally, out: Out<'_>) -> Result<()> {
        chunks.into_iter().try_for_each(|chunk| self.changes(chunk, &[], tally, out))
    }

    /// A chunk as a change set: `told` is what is told of its records, in their order. The others are new.
    pub(super) fn changes(&self, chunk: Chunk, told: &[Told], tally: &mut Tally, out: Out<'_>) -> Result<()> {
        let known = |told: &Told| if let State::Known { at, .. } = told.state { Some((told.record as usize, at)) } else { None };
        let outdated = self.outdated.same(&chunk.values, told.iter().filter_map(known))?;
        let mut entries = EntryBuilder::new();
        let mut kept = vec![true; chunk.keys.len()];
        let mut told = told.iter().peekable();
        for (i, (&key, &row)) in chunk.keys.iter().zip(&chunk.rows).enumerate() {
            match told.next_if(|told| told.record as usize == i).map(|told| told.state) {
                None => {
                    tally.counts.add(Op::Added, 1);
                    entries.push(&Entry::new(key, Before::Absent, Some(row), self.version), None);
                }
                // It was known by other columns: its state before is the one it has, under today's.
                Some(State::Known { version, same, .. }) if outdated.get(&i).copied().unwrap_or(same) => {
                    tally.unchanged += 1;
                    entries.push(&Entry::new(key, Before::Known(row), Some(row), u64::from(version)), None);
                }
                Some(State::Known { row: before, at, .. }) => {
                    tally.counts.add(Op::Updated, 1);
                    entries.push(&Entry::new(key, Before::Known(before), Some(row), self.version), Some(at));
                }
                Some(State::Again) => {
                    tally.again(key, &chunk.values, i);
                    kept[i] = false;
                }
            }
        }
        if told.next().is_some() {
            return Err(Error::bug("what was told of records that wait does not fit them"));
        }
        if entries.is_empty() {
            return Ok(());
        }
        let mut values = chunk.values;
        if entries.len() < kept.len() {
            values = filter_record_batch(&values, &BooleanArray::from(kept))
                .map_err(|e| Error::bug("could not leave repeated records out").caused_by(e))?;
        }
        out(assemble(entries.finish(), &values)?)
    }
}
