//! Old commits, old runs, and every file that no kept commit names.

use std::collections::HashSet;

use outflow_contract::Result;
use outflow_contract::state_store::StateStore;
use outflow_ledger::chain::{Chain, Commit};
use outflow_ledger::commit::{MappingCommit, ModelCommit};
use outflow_ledger::retention::{self, DUE_COMMITS, Dated, Run};
use outflow_ledger::{paths, runs};

use super::members::Member;
use super::{Deleted, Retained, Retaining};
use crate::time::parsed_ms;

/// The models that have any state, by name.
pub(super) fn models(store: &dyn StateStore) -> Result<Vec<String>> {
    let below = format!("{}/", paths::MODELS);
    let name = |path: &String| Some(path.strip_prefix(&below)?.split_once('/')?.0.to_owned());
    let mut names: Vec<String> = store.list(paths::MODELS)?.iter().filter_map(name).collect();
    names.dedup();
    Ok(names)
}

impl Retaining {
    /// Is there so much of age that it is worth dropping? Reads commits and one report of each mapping.
    pub(super) fn is_due(&self) -> Result<bool> {
        let store = self.store.as_ref();
        let chain = Chain::of_model(&self.model);
        if chain.head(store)?.is_some_and(|head| self.versions_through(&head).is_some()) || self.commits_are_due(&chain)? {
            return Ok(true);
        }
        for member in &self.members {
            if self.commits_are_due(&Chain::of_mapping(&member.name))? || self.oldest_report_is_due(member)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn commits_are_due<T: Commit>(&self, chain: &Chain<T>) -> Result<bool> {
        let numbers = chain.numbers(self.store.as_ref())?;
        // If that one may go, so may those before it.
        let Some(&last) = numbers.get(DUE_COMMITS - 1) else { return Ok(false) };
        let count = numbers.len() + 1 - DUE_COMMITS;
        Ok(!retention::commits_to_drop(count, self.dated(chain, &[last]), self.cutoffs.commits).is_empty())
    }

    fn oldest_report_is_due(&self, member: &Member) -> Result<bool> {
        let closed = self.state_of(member)?.map_or(0, |head| head.closed_through);
        let epochs = runs::reported(self.store.as_ref(), &member.name)?;
        let (Some(&oldest), Some(&newest)) = (epochs.first(), epochs.last()) else { return Ok(false) };
        let run = Run { epoch: oldest, planned: false, reported: Some(self.reported(member, oldest)) };
        Ok(retention::run_goes(&run, closed, newest, self.cutoffs.syncs))
    }

    pub(super) fn sweep(&self, retained: &mut Retained) -> Result<()> {
        retained.deleted = self.sweep_model()?;
        for (member, retained) in self.members.iter().zip(&mut retained.mappings) {
            (retained.runs, retained.deleted) = self.sweep_mapping(member)?;
        }
        Ok(())
    }

    fn sweep_model(&self) -> Result<Deleted> {
        let store = self.store.as_ref();
        let chain: Chain<ModelCommit> = Chain::of_model(&self.model);
        let (kept, mut deleted) = self.drop_commits(&chain)?;
        let mut named: HashSet<String> = HashSet::new();
        for number in kept {
            named.extend(chain.read(store, number)?.iter().flat_map(|commit| commit.paths().into_iter().map(str::to_owned)));
        }
        for folder in [paths::versions(&self.model), paths::snapshots(&self.model)] {
            for path in store.list(&folder)?.into_iter().filter(|path| !named.contains(path)) {
                deleted = deleted.with(self.delete(&path)?);
            }
        }
        Ok(deleted)
    }

    fn sweep_mapping(&self, member: &Member) -> Result<(u64, Deleted)> {
        let store = self.store.as_ref();
        let chain: Chain<MappingCommit> = Chain::of_mapping(&member.name);
        let (kept, mut deleted) = self.drop_commits(&chain)?;
        let mut named: HashSet<String> = HashSet::new();
        for number in kept {
            let commit = chain.read(store, number)?;
            named.extend(commit.iter().flat_map(|commit| commit.paths().into_iter().map(str::to_owned)));
            named.extend(commit.and_then(|commit| commit.failures));
        }
        let closed = chain.head(store)?.map_or(0, |head| head.closed_through);
        let mut gone = 0;
        let folders = runs::folders(store, &member.name)?;
        let newest = folders.keys().next_back().copied().unwrap_or_default();
        for (epoch, files) in folders {
            let has = |name: &str| files.iter().any(|path| path.ends_with(&format!("/{name}")));
            let reported = has(paths::REPORT).then(|| self.reported(member, epoch));
            let began = has(paths::JOURNAL) && !runs::is_before_its_plan(store, &paths::run_file(&member.name, epoch, paths::JOURNAL))?;
            let run = Run { epoch, planned: has(paths::PLAN) || began, reported };
            if !retention::run_goes(&run, closed, newest, self.cutoffs.syncs) {
                continue;
            }
            let mut any = false;
            for path in files.iter().filter(|path| !named.contains(*path)) {
                deleted = deleted.with(self.delete(path)?);
                any = true;
            }
            gone += u64::from(any);
        }
        Ok((gone, deleted))
    }

    /// Removes the oldest commits of a chain; those that are kept, and what went.
    fn drop_commits<T: Commit>(&self, chain: &Chain<T>) -> Result<(Vec<u64>, Deleted)> {
        let store = self.store.as_ref();
        let numbers = chain.numbers(store)?;
        let going = retention::commits_to_drop(numbers.len(), self.dated(chain, &numbers), self.cutoffs.commits);
        let mut deleted = Deleted::default();
        for &number in &going {
            let bytes = store.open(&chain.path(number))?.size();
            deleted = deleted.with(Deleted { commits: 1, files: 1, bytes });
        }
        chain.drop_oldest(store, &going)?;
        Ok((numbers[going.len()..].to_vec(), deleted))
    }

    /// Commits with their moments; one that cannot be read has none, and stays for whoever mends it.
    fn dated<'a, T: Commit>(&'a self, chain: &'a Chain<T>, numbers: &'a [u64]) -> impl Iterator<Item = Dated> + 'a {
        numbers.iter().map(move |&number| {
            let commit = chain.read(self.store.as_ref(), number).ok().flatten();
            Dated { number, at_ms: commit.and_then(|commit| parsed_ms(commit.at())) }
        })
    }

    /// When the run began that the report tells of. A damaged report is of no known age.
    fn reported(&self, member: &Member, epoch: u64) -> Dated {
        let report = runs::read_report(self.store.as_ref(), &member.name, epoch).ok().flatten();
        Dated { number: epoch, at_ms: report.and_then(|report| parsed_ms(&report.started_at)) }
    }

    fn delete(&self, path: &str) -> Result<Deleted> {
        let bytes = self.store.open(path)?.size();
        self.store.delete(path)?;
        Ok(Deleted { commits: 0, files: 1, bytes })
    }
}
