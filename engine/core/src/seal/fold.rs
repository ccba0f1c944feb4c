//! Rule 14: what retention drops is composed onto what is pending, whatever the mapping selects, before it is dropped.
//!
//! ```text
//! cursor 3, pending k1        versions 4 5 6 │ 7 8        retention drops up to 6
//! cursor 6, pending k1 ∘ 4 ∘ 5 ∘ 6           │ 7 8        one commit; then the versions go
//! ```

use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::changes::{EntryReader, PartInfo};
use outflow_ledger::commit::{MappingCommit, ModelCommit, PendingCounts, PendingFile};
use outflow_ledger::compose::Options;
use outflow_ledger::paths;

use super::compose::Composing;
use crate::snapshot::PartReader;

/// A mapping of which versions are to be folded.
pub(crate) struct Fold<'a> {
    /// Where the state is.
    pub(crate) store: &'a dyn StateStore,
    /// The model's head.
    pub(crate) head: &'a ModelCommit,
    /// The mapping's name.
    pub(crate) mapping: &'a str,
    /// Its state; number 0 if it has none.
    pub(crate) state: &'a MappingCommit,
    /// Other mappings write to the same account (rules 19 and 20).
    pub(crate) shared: bool,
    /// The run in whose folder the pending parts are written: one that was never used.
    pub(crate) epoch: u64,
    /// A number that nobody else draws.
    pub(crate) nonce: u64,
}

impl Fold<'_> {
    /// The version that it is folded to when those up to `through` are dropped; `None` if it loses nothing by that.
    ///
    /// One that has seen nothing yet goes to the head, so that what it begins with is the snapshot of one version.
    pub(crate) fn target(&self, through: u64) -> Option<u64> {
        let from = self.state.folds_from(self.shared)?;
        let to = if self.state.cursor.is_none() { self.head.version } else { through };
        (from < to).then_some(to)
    }

    /// The state with the versions up to `to` in its pending records.
    pub(crate) fn write(&self, to: u64) -> Result<MappingCommit> {
        let from = self.state.cursor.unwrap_or_default();
        let path = |name: &str| paths::run_file(self.mapping, self.epoch, &format!("pending-{name}-{:016x}.parquet", self.nonce));
        let ahead = self.head.versions.iter().map(|version| version.version).filter(|&version| version > from && version <= to);
        let parts = Composing {
            store: self.store,
            head: self.head,
            pending: &self.state.pending,
            ahead: ahead.collect(),
            options: Options { shared: self.shared, selection: self.state.selection, resend: false, asked_for: false },
            only: None,
            fold_to: Some(to),
            from_oldest: self.state.cursor.is_none() && self.head.dropped.through > 0,
            path: &path,
        }
        .write()?;
        let (pending, ahead) = counted(self.store, parts)?;
        Ok(self.state.clone().folded((to, Some(self.head.footing(to))), pending, ahead, self.epoch))
    }
}

/// Parts as a commit names them; and is there a record in them of which nothing is to be done?
fn counted(store: &dyn StateStore, parts: Vec<PartInfo>) -> Result<(Vec<PendingFile>, bool)> {
    let (mut files, mut ahead) = (Vec::with_capacity(parts.len()), false);
    for part in parts {
        let mut counts = PendingCounts::default();
        for batch in PartReader::open(store, &part.path)?.narrow().read()? {
            let entries = EntryReader::new(&batch?)?;
            (0..entries.len()).for_each(|i| counts.add(&entries.get(i).0));
        }
        ahead |= counts.ahead;
        files.push(PendingFile::of(part, counts));
    }
    Ok((files, ahead))
}
