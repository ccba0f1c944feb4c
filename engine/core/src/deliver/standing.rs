//! Who may travel with whom. A record that was refused, and is as it was then, is likely to be refused again, and a request that is refused
//! as a whole keeps back all that is in it: so those go apart, after the others.
//!
//! ```text
//! never refused as it is now ─► clear     first
//! refused among others       ─► accused   apart, then
//! refused on its own         ─► guilty    apart, at the end
//! ```
//!
//! Why a record failed is kept for people. Read here it says in which company a record goes, and nothing else: all of them go in every sync.
//! Memory: up to two bits for each record that waits.

use outflow_contract::Result;
use outflow_ledger::changes::{REASON, Reason, Reasons};
use outflow_ledger::runs::Seen;

use super::divide::REFUSED_TOGETHER;
use super::payloads::Reading;
use crate::snapshot::PartReader;

/// Codes of failures that say nothing against a record, whatever its request was answered with.
const OF_NO_RECORD: [&str; 6] = ["no_answer", "not_attempted", "unauthorized", "redirect", "http_404", "http_405"];

/// How a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As it is now, nothing speaks against it.
    Clear,
    /// It was in a request that was refused, and nobody knows because of which record.
    Accused,
    /// It was refused on its own.
    Guilty,
}

impl Standing {
    fn after(reason: Reason<'_>) -> Self {
        match reason.code {
            _ if reason.open => Self::Clear,
            REFUSED_TOGETHER => Self::Accused,
            code if OF_NO_RECORD.contains(&code) => Self::Clear,
            _ => Self::Guilty,
        }
    }
}

/// How the records of a sync stand, by position.
#[derive(Default)]
pub(super) struct Standings {
    entries: u64,
    accused: Seen,
    guilty: Seen,
}

impl Standings {
    /// Of what is sealed.
    pub(super) fn read(reading: &Reading) -> Result<Self> {
        let mut standings = Self { entries: u64::from(reading.sealed.entries), ..Self::default() };
        let mut position = 0u32;
        for part in &reading.sealed.parts {
            for batch in PartReader::open(reading.store.as_ref(), &part.path)?.reasons().read()? {
                let batch = batch?;
                // A model's versions have none.
                if batch.column_by_name(REASON).is_some() {
                    let reasons = Reasons::of(&batch)?;
                    (0..batch.num_rows()).for_each(|i| standings.note(position + i as u32, reasons.get(i)));
                }
                position += batch.num_rows() as u32;
            }
        }
        Ok(standings)
    }

    fn note(&mut self, position: u32, reason: Option<Reason<'_>>) {
        match reason.map_or(Standing::Clear, Standing::after) {
            Standing::Clear => {}
            Standing::Accused => self.accused.insert(position),
            Standing::Guilty => self.guilty.insert(position),
        }
    }

    pub(super) fn of(&self, position: u32) -> Standing {
        match position {
            _ if self.guilty.contains(position) => Standing::Guilty,
            _ if self.accused.contains(position) => Standing::Accused,
            _ => Standing::Clear,
        }
    }

    /// Those that there are, in the order in which they go.
    pub(super) fn present(&self) -> impl Iterator<Item = Standing> {
        let clear = self.entries.saturating_sub(self.accused.len() + self.guilty.len());
        let counted = [(Standing::Clear, clear), (Standing::Accused, self.accused.len()), (Standing::Guilty, self.guilty.len())];
        counted.into_iter().filter(|&(_, records)| records > 0).map(|(standing, _)| standing)
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Accused, Clear, Guilty};
    use super::*;

    fn refused(code: &str) -> Reason<'_> {
        Reason { code, message: "", open: false }
    }

    #[test]
    fn what_was_refused_goes_apart_and_after_what_was_not() {
        let mut standings = Standings { entries: 7, ..Standings::default() };
        let codes = [Some("http_422"), None, Some(REFUSED_TOGETHER), Some("no_answer"), Some("unauthorized"), Some("too_old")];
        for (position, code) in (0..).zip(codes) {
            standings.note(position, code.map(refused));
        }
        // What no answer settles says nothing against a record, whatever its code.
        standings.note(6, Some(Reason { open: true, ..refused("http_422") }));
        let stand: Vec<Standing> = (0..7).map(|position| standings.of(position)).collect();
        assert_eq!(stand, [Guilty, Clear, Accused, Clear, Clear, Guilty, Clear]);
        assert!(standings.present().eq([Clear, Accused, Guilty]));
    }

    #[test]
    fn what_is_not_there_is_not_looked_for() {
        let mut standings = Standings { entries: 2, ..Standings::default() };
        assert!(standings.present().eq([Standing::Clear]));
        (0..2).for_each(|position| standings.note(position, Some(refused("http_400"))));
        assert!(standings.present().eq([Standing::Guilty]));
    }
}
