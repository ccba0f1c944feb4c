//! compare: what changed between two versions of a model. Reads the state, and asks no source.
//!
//! ```text
//!   version     3 ──────► 4 ──────► 5 ──────► 6      3 to 6: compose(4, 5, 6), by key, as sealing composes
//!                                                    6 to 3: the same, turned round
//!   a record    A         B         A         A      no change
//!               -         A         -         -      no change
//!               A         B         -         B      updated, A to B
//!   values      before: where the first entry says   after: where the last entry stands
//! ```
//!
//! A version is one change set, so nothing is needed of the version that is begun with but what the ones after it say of it: the
//! last that retention has dropped can still be begun with, and 0 is before the first.
//!
//! Where a query's columns have changed in between, hashes of before and after are over different columns. Such an update is one only
//! if a column differs that both have; which columns are new or gone is told of the whole.
//!
//! Memory: entries of one range of keys, as in sealing, and the values of a few records. A single version, in which each record is
//! once, is read as it stands.

mod net;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use outflow_contract::secret::Redactor;
use outflow_contract::state_store::StateStore;
use outflow_contract::{Counts, Error, Kind, Op, Result};
use outflow_ledger::changes::open_named;
use outflow_ledger::commit::{ModelCommit, ValueFile, VersionInfo};

pub use record::{Changed, ColumnChange, Shown};

use crate::snapshot::values::FileColumns;
use net::Net;

/// Records whose values are held at once.
const RECORDS_AT_ONCE: usize = 1024;

/// Two versions of a model, in the order in which they are compared. 0 is before the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it begins with.
    pub from: u64,
    /// What it ends with; backwards if that is the earlier one.
    pub to: u64,
}

impl Span {
    /// Without `from` the version before the newest, without `to` the newest. An error that says what there is, if one of them is not there.
    pub fn new(head: &ModelCommit, model: &str, from: Option<u64>, to: Option<u64>) -> Result<Self> {
        let newest = head.version;
        let span = Self { from: from.unwrap_or(newest.saturating_sub(1)), to: to.unwrap_or(newest) };
        span.versions().try_for_each(|version| is_there(head, model, version))?;
        Ok(span)
    }

    /// Does it lead from a version to an earlier one?
    pub fn is_backwards(self) -> bool {
        self.from > self.to
    }

    fn versions(self) -> impl Iterator<Item = u64> {
        [self.from, self.to].into_iter()
    }

    /// Is the change set of `version` between the two?
    fn spans(self, version: u64) -> bool {
        (self.from.min(self.to) + 1..=self.from.max(self.to)).contains(&version)
    }
}

fn is_there(head: &ModelCommit, model: &str, version: u64) -> Result<()> {
    let (newest, dropped) = (head.version, head.dropped.through);
    if version > newest {
        return Err(Error::new(Kind::NotFound, format!("there is no version {version} of model `{model}`: the newest is {newest}"))
            .remedy(format!("`outflow diff {model} --versions` lists those that there are")));
    }
    if version >= dropped {
        return Ok(());
    }
    let what = if version == 0 { "the beginning".to_owned() } else { format!("version {version}") };
    let gone = if dropped == 1 { "version 1".to_owned() } else { format!("versions 1 to {dropped}") };
    Err(Error::new(Kind::NotFound, format!("{what} of model `{model}` is no longer kept: `retention` has dropped {gone}")).remedy(format!(
        "the earliest to begin with is {dropped}: `outflow diff {model} {dropped} {newest}`; `retention: {{ versions: … }}` in outflow.yml says how long they are kept"
    )))
}

/// Columns that one of two versions has and the other has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherColumns {
    /// Only the one that is ended with.
    pub new: Vec<String>,
    /// Only the one that is begun with.
    pub dropped: Vec<String>,
}

/// What changed over a span.
pub struct Comparison<'a> {
    store: &'a dyn StateStore,
    head: &'a ModelCommit,
    span: Span,
    redactor: &'a Redactor,
    /// The versions in between, ascending.
    versions: Vec<&'a VersionInfo>,
    /// The columns of value files that were looked at.
    columns: FileColumns,
}

impl<'a> Comparison<'a> {
    /// Of versions that there are: see [`Span::new`]. Their change sets must be as they were written.
    pub fn new(store: &'a dyn StateStore, head: &'a ModelCommit, span: Span, redactor: &'a Redactor) -> Result<Self> {
        let versions: Vec<&VersionInfo> = head.versions.iter().filter(|info| span.spans(info.version)).collect();
        if versions.len() as u64 != span.from.abs_diff(span.to) {
            return Err(Error::corrupt(format!("some versions between {} and {} are not in the model's commit", span.from, span.to))
                .remedy("restore the state from a backup; `outflow doctor` says what else is wrong"));
        }
        let comparison = Self { store, head, span, redactor, versions, columns: FileColumns::default() };
        for file in comparison.parts() {
            let file = comparison.file(file)?;
            open_named(store, &file.path)?.verify(&file.blake3)?;
        }
        Ok(comparison)
    }

    /// The change sets in between: numbers of value files, in order of time.
    fn parts(&self) -> impl Iterator<Item = u32> {
        self.versions.iter().flat_map(|info| info.files.iter().copied())
    }

    fn file(&self, id: u32) -> Result<&ValueFile> {
        self.head.files.iter().find(|file| file.id == id).ok_or_else(|| unlisted(id))
    }

    /// The columns of a value file.
    fn columns_of(&self, id: u32) -> Result<Arc<BTreeSet<String>>> {
        self.columns.of(self.store, &self.head.files, id)?.ok_or_else(|| unlisted(id))
    }

    /// How many records are added, updated and deleted.
    pub fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        self.each_chunk(self.entries(), |nets| {
            for net in &nets {
                counts.add(net.op, 1);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(counts)
    }

    /// Hands out so many of the changed records of each operation, or as many as there are.
    pub fn records(&self, wanted: Counts, mut each: impl FnMut(Changed) -> Result<()>) -> Result<()> {
        let mut given = Counts::default();
        let left = |given: &Counts, op: Op| wanted.get(op) - given.get(op);
        if wanted.total() == 0 {
            return Ok(());
        }
        self.each_chunk(self.entries(), |mut nets| {
            nets.retain(|net| {
                let wanted = left(&given, net.op) > 0;
                given.add(net.op, u64::from(wanted));
                wanted
            });
            for nets in nets.chunks(RECORDS_AT_ONCE) {
                self.changed(nets)?.into_iter().try_for_each(&mut each)?;
            }
            let done = Op::ALL.into_iter().all(|op| left(&given, op) == 0);
            Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }

    /// The columns that only one of the two versions has; none of a version whose own change set is no longer kept.
    pub fn other_columns(&self) -> Result<OtherColumns> {
        let columns = |version: u64| {
            let info = self.head.versions.iter().find(|info| info.version == version);
            // Deleted records stand in a file of their own, without values.
            let mut with_values = info.into_iter().flat_map(|info| &info.files).map(|&file| self.columns_of(file));
            with_values.find(|columns| columns.as_ref().map_or(true, |columns| !columns.is_empty())).transpose()
        };
        let (Some(from), Some(to)) = (columns(self.span.from)?, columns(self.span.to)?) else { return Ok(OtherColumns::default()) };
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        Ok(OtherColumns { new: only(&to, &from), dropped: only(&from, &to) })
    }

    /// Entries in all change sets in between.
    fn entries(&self) -> u64 {
        self.versions.iter().map(|info| info.counts.total()).sum()
    }
}

fn unlisted(id: u32) -> Error {
    Error::corrupt(format!("the commit of a model does not list its file {id}"))
}

impl Net {
    /// As a comparison in the other direction has it.
    fn turned(self) -> Self {
        let op = match self.op {
            Op::Added => Op::Deleted,
            Op::Updated => Op::Updated,
            Op::Deleted => Op::Added,
        };
        Self { op, from: self.to, to: self.from }
    }
}
