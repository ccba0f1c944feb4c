//! seal: what a sync has to do, fixed before its first byte leaves.
//!
//! `compose(pending, versions after the cursor)` as a list of change-set parts. Where that is what some version or the
//! pending records already say, their own parts are named, and nothing is written; otherwise the composition is written into
//! the run's folder. A record's *position* is its place in these parts, one after another: the journal speaks of positions.
//!
//! ```text
//! never synced, one version          ─► the version's parts
//! never synced, several versions     ─► the snapshot as added records   (written)
//! nothing pending, one version ahead ─► the version's parts
//! pending, nothing ahead             ─► the pending parts
//! pending and versions ahead         ─► their composition               (written)
//! beside others, first versions gone ─► what the oldest snapshot held, and what came after (written)
//! any of it lacks a newer column     ─► the same, with the values of now  (written)
//! deletions are sent                 ─► their last values                 (written)
//! some records ahead of their sync   ─► those, or what waits of them      (written)
//! what is set aside is asked for     ─► the composition, without the mark (written)
//! an earlier sync once more          ─► its own parts
//! ```

mod again;
mod ahead;
mod compose;
mod copy;
mod deleted;
mod fold;
mod guard;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;
mod unused;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::snapshot::PartReader;
use crate::snapshot::schema_of;
use arrow::datatypes::SchemaRef;
use outflow_contract::plan::Mapping;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Before, Counts, Entry, Error, Key, Op, Result, Selection};
use outflow_ledger::changes::{EntryReader, PartInfo, open_named};
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::decide::{self, Fate};
use outflow_ledger::footing;
use outflow_ledger::runs::{SealedPart, Seen};

pub use again::{Kept, Replay, Sorted, seal as seal_again};
pub(crate) use fold::Fold;
pub use guard::{Allowed, Guarded, Stopped, check as check_guards};

/// What is needed to seal a sync.
pub struct Sealing<'a> {
    /// Where the state is.
    pub store: &'a dyn StateStore,
    /// The model's head, which is sealed.
    pub head: &'a ModelCommit,
    /// The mapping's head, if it has ever synced.
    pub state: Option<&'a MappingCommit>,
    /// The mapping.
    pub mapping: &'a Mapping,
    /// Other mappings write to the same account: rules 19 and 20.
    pub shared: bool,
    /// Nothing but these records, ahead of their sync.
    pub only: Option<&'a Only>,
    /// What is set aside is asked for.
    pub asked_for: bool,
    /// The run that it is sealed for.
    pub epoch: u64,
}

/// Records that are sent ahead of their sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// Which.
    pub keys: BTreeSet<Key>,
    /// Those, too, of which nothing is to be done.
    pub unchanged: bool,
}

/// What a sync has to do.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// The change set, in parts.
    pub parts: Vec<SealedPart>,
    /// Entries in all parts.
    pub entries: u32,
    /// All net changes since the mapping's last sync.
    pub net: Counts,
    /// Those of them that the mapping's last sync had not seen, and that change a column of the mapping: what guards look at.
    pub fresh: Counts,
    /// Those that are to be sent.
    pub selected: Counts,
    /// Those that would be, and are set aside.
    pub set_aside: Counts,
    /// Those that change no column of the mapping: settled as seen, like operations that it does not send.
    pub unused: Seen,
    /// Some entry has a request whose fate was never learnt.
    pub unknown: bool,
    /// Of records that are to be sent ahead of their sync: those that the mapping does not send as what they count as.
    pub unsendable: Vec<(Key, Op)>,
}

impl Sealing<'_> {
    /// The columns of the model's records.
    pub fn schema(&self) -> Result<SchemaRef> {
        schema_of(self.head)
    }

    /// Composes what this mapping has to do, up to the model's head.
    pub fn seal(&self) -> Result<Sealed> {
        let parts = deleted::complete(self, self.parts()?)?;
        for part in &parts {
            // Before anything trusts what a damaged disk may have changed.
            open_named(self.store, &part.path)?.verify(&part.blake3)?;
        }
        let mut sealed = Sealed { parts, ..Sealed::default() };
        if self.only.is_none() {
            sealed.unused = unused::positions(self, &sealed.parts)?;
        }
        self.count(&mut sealed)?;
        Ok(sealed)
    }

    fn parts(&self) -> Result<Vec<SealedPart>> {
        self.knows_its_versions()?;
        if let Some(only) = self.only {
            return ahead::write(self, only);
        }
        let state = self.state.filter(|state| state.has_begun());
        let Some(state) = state else {
            return match self.head.versions.as_slice() {
                [] => Ok(Vec::new()),
                [only] if self.head.dropped.through == 0 && !self.lack_columns(&self.version_parts(only.version)?)? => {
                    self.version_parts(only.version)
                }
                // What came and went before this mapping began has been at the account of its siblings (rule 19).
                all if self.shared => compose::write(self, &[], &all.iter().map(|version| version.version).collect::<Vec<_>>(), false),
                _ => snapshot::write(self, None),
            };
        };
        if state.resend {
            return snapshot::write(self, Some(state));
        }
        let ahead = self.ahead(state);
        let there = match (state.pending.as_slice(), ahead.as_slice()) {
            ([], []) => return Ok(Vec::new()),
            _ if self.begins_at_the_oldest() => None,
            ([], [one]) => Some(self.version_parts(*one)?),
            (pending, []) if !state.ahead && !self.asked_for => {
                Some(pending.iter().map(|p| SealedPart { path: p.path.clone(), rows: p.rows, blake3: p.blake3.clone() }).collect())
            }
            _ => None,
        };
        match there {
            Some(parts) if !self.lack_columns(&parts)? => Ok(parts),
            _ => compose::write(self, &state.pending, &ahead, false),
        }
    }

    fn lack_columns(&self, parts: &[SealedPart]) -> Result<bool> {
        lack_columns(self.store, self.head, parts)
    }

    /// Every version that the mapping has not seen must be there: what it goes on from is a version that the model has.
    fn knows_its_versions(&self) -> Result<()> {
        let name = &self.mapping.name;
        // Of another model it says nothing; whether it may go on with this one is asked elsewhere.
        let state = self.state.filter(|state| state.model == self.mapping.model);
        let departure = state.and_then(|state| footing::departs(name, state, Some(self.head)));
        departure.map_or(Ok(()), |departure| Err(departure.error(name)))
    }

    /// The mapping has seen no version, and the first ones are gone: it begins with what the oldest snapshot held.
    fn begins_at_the_oldest(&self) -> bool {
        self.head.dropped.through > 0 && self.state.is_none_or(|state| state.cursor.is_none())
    }

    /// The versions that the mapping has not seen yet.
    fn ahead(&self, state: &MappingCommit) -> Vec<u64> {
        let cursor = state.cursor.unwrap_or_default();
        self.head.versions.iter().map(|version| version.version).filter(|&version| version > cursor).collect()
    }

    fn version_parts(&self, version: u64) -> Result<Vec<SealedPart>> {
        let info = self.head.versions.iter().find(|info| info.version == version);
        let files = info.map(|info| info.files.as_slice()).unwrap_or_default();
        files.iter().map(|&id| file_part(self.head, id)).collect()
    }

    /// Counts by operation, over the narrow columns alone.
    fn count(&self, sealed: &mut Sealed) -> Result<()> {
        let seen = self.state.and_then(|state| state.saw.as_ref()).map_or(0, |saw| saw.version);
        let mut position = 0u32;
        for part in &sealed.parts {
            for batch in PartReader::open(self.store, &part.path)?.narrow().read()? {
                let batch = batch?;
                let entries = EntryReader::new(&batch)?;
                for i in 0..entries.len() {
                    let (entry, _) = entries.get(i);
                    let op = entry.op();
                    sealed.net.add(op, 1);
                    sealed.unknown |= matches!(entry.before, Before::Unknown(_));
                    if entry.version > seen && !sealed.unused.contains(position) {
                        sealed.fresh.add(op, 1);
                    }
                    match sealed.fate(self.mapping.selection, &entry, position) {
                        Fate::Sent => sealed.selected.add(op, 1),
                        Fate::Held => sealed.set_aside.add(op, 1),
                        Fate::Seen if self.only.is_some() => sealed.unsendable.push((entry.key, op)),
                        Fate::Seen => {}
                    }
                    position += 1;
                }
            }
        }
        sealed.entries = position;
        Ok(())
    }
}

/// Is one of these parts from before a column was added? Then it does not have the newest values of its records.
fn lack_columns(store: &dyn StateStore, head: &ModelCommit, parts: &[SealedPart]) -> Result<bool> {
    let schema = schema_of(head)?;
    for part in parts {
        let has = PartReader::open(store, &part.path)?.value_columns()?;
        // Deleted records have no values here, of any column.
        if !has.is_empty() && schema.fields().iter().any(|field| !has.contains(field.name())) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A value file of the model as a part.
fn file_part(head: &ModelCommit, id: u32) -> Result<SealedPart> {
    let file = head.files.iter().find(|file| file.id == id);
    let file = file.ok_or_else(|| Error::corrupt(format!("the commit of a model does not list its file {id}")))?;
    Ok(SealedPart { path: file.path.clone(), rows: file.rows, blake3: file.blake3.clone() })
}

impl Sealed {
    /// What becomes of the entry at `position`?
    pub fn fate(&self, selection: Selection, entry: &Entry, position: u32) -> Fate {
        decide::fate(selection, entry.op(), self.unused.contains(position), entry.failed.set_aside)
    }

    /// Is the entry at `position` to be sent?
    pub fn is_selected(&self, mapping: &Mapping, entry: &Entry, position: u32) -> bool {
        self.fate(mapping.selection, entry, position) == Fate::Sent
    }
}

/// The columns of a mapping that the model has, in the model's order; `None` if it reads all of them.
fn mapped_columns(mapping: &Mapping, schema: &SchemaRef) -> Option<Vec<String>> {
    use outflow_contract::expr::Columns;
    let Columns::Named(names) = mapping.columns() else { return None };
    let mapped: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).filter(|name| names.contains(name)).collect();
    (mapped.len() < schema.fields().len()).then_some(mapped)
}

/// A schema of some of the columns.
fn project(schema: &SchemaRef, names: &[String]) -> SchemaRef {
    let fields: Vec<_> = schema.fields().iter().filter(|field| names.contains(field.name())).cloned().collect();
    Arc::new(arrow::datatypes::Schema::new(fields))
}

/// A part that was written, as a plan names it.
fn sealed_part(info: PartInfo) -> SealedPart {
    SealedPart { path: info.path, rows: info.rows, blake3: info.blake3 }
}
