//! The gapless chain of commits of a model or a mapping: number 1, 2, 3, …; the highest is the head.
//!
//! ```text
//!   commits/…005.json   kept
//!   commits/…006.json   kept
//!   commits/…007.json   head ── append 8: exclusive create, one winner for each number
//! ```
//!
//! The oldest may be removed by retention. Nothing else may be missing: a hole or damage is an error with instructions, never skipped,
//! because an older commit's view of what was delivered is wrong.

use std::marker::PhantomData;

use outflow_contract::state_store::{Create, StateStore};
use outflow_contract::{Error, Kind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commit::{MappingCommit, ModelCommit};
use crate::{object, paths};

/// What a chain can hold.
pub trait Commit: Serialize + DeserializeOwned {
    /// Its place in the chain, from 1.
    fn number(&self) -> u64;
    /// When it was made, RFC 3339.
    fn at(&self) -> &str;
    /// Every path that it names.
    fn paths(&self) -> Vec<&str>;
}

impl Commit for ModelCommit {
    fn number(&self) -> u64 {
        self.number
    }

    fn at(&self) -> &str {
        &self.at
    }

    fn paths(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.path.as_str()).chain(self.hashes.iter().map(|file| file.path.as_str())).collect()
    }
}

impl Commit for MappingCommit {
    fn number(&self) -> u64 {
        self.number
    }

    fn at(&self) -> &str {
        &self.at
    }

    fn paths(&self) -> Vec<&str> {
        self.pending.iter().map(|file| file.path.as_str()).collect()
    }
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CommitResult {
    /// It is the head, durably.
    Committed,
    /// Somebody else has committed under this number.
    Superseded,
    /// It cannot be told. Nothing may be deleted; the next run finds out by reading.
    Unknown,
}

/// The chain of one model or mapping.
#[derive(Clone, Debug)]
pub struct Chain<T> {
    /// The folder of the model or mapping. Every path in a commit lies below it.
    owner: String,
    commit: PhantomData<fn() -> T>,
}

impl Chain<ModelCommit> {
    /// The chain of a model.
    pub fn of_model(model: &str) -> Self {
        Self { owner: paths::model(model), commit: PhantomData }
    }
}

impl Chain<MappingCommit> {
    /// The chain of a mapping.
    pub fn of_mapping(mapping: &str) -> Self {
        Self { owner: paths::mapping(mapping), commit: PhantomData }
    }
}

impl<T: Commit> Chain<T> {
    /// The newest commit; `None` if there is none yet. An error of kind `Corrupt` for a hole, damage, or a newer version's commit.
    pub fn head(&self, store: &dyn StateStore) -> Result<Option<T>> {
        let numbers = self.numbers(store)?;
        if let Some(hole) = numbers.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
            return Err(self.missing(hole[0] + 1));
        }
        let mut head = match numbers.last() {
            Some(&last) => Some(self.read(store, last)?.ok_or_else(|| self.missing(last))?),
            None => None,
        };
        // By name too, since a list may be older than what it lists.
        while let Some(next) = self.read(store, head.as_ref().map_or(0, Commit::number) + 1)? {
            head = Some(next);
        }
        Ok(head)
    }

    /// A commit by its number.
    pub fn read(&self, store: &dyn StateStore, number: u64) -> Result<Option<T>> {
        let path = paths::commit(&self.owner, number);
        let Some(bytes) = store.read(&path)? else { return Ok(None) };
        let commit: T = object::decode(&path, &bytes)?;
        let below = format!("{}/", self.owner);
        if commit.number() != number || commit.paths().iter().any(|path| !path.starts_with(&below)) {
            return Err(object::damaged(&path));
        }
        Ok(Some(commit))
    }

    /// Where a commit lies.
    pub fn path(&self, number: u64) -> String {
        paths::commit(&self.owner, number)
    }

    /// The numbers of all commits that are kept, in order.
    pub fn numbers(&self, store: &dyn StateStore) -> Result<Vec<u64>> {
        let paths = store.list(&paths::commits(&self.owner))?;
        let mut numbers: Vec<u64> = paths.iter().filter_map(|path| paths::commit_number(path)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes these commits, which are the oldest, in order: one after the other durably, so that a power cut leaves no hole.
    pub fn drop_oldest(&self, store: &dyn StateStore, numbers: &[u64]) -> Result<()> {
        numbers.iter().try_for_each(|&number| store.delete(&paths::commit(&self.owner, number)))
    }

    /// Appends a commit, which must be the head's successor. `nonce` is a number that nobody else draws.
    pub fn append(&self, store: &dyn StateStore, commit: &T, nonce: u64) -> Result<CommitResult> {
        let number = commit.number();
        let gapless = match number {
            0 => false,
            1 => true,
            _ => store.read(&paths::commit(&self.owner, number - 1))?.is_some(),
        };
        if !gapless {
            return Err(Error::bug(format!("commit {number} of {} has no predecessor", self.owner)));
        }
        let created = store.create(&paths::commit(&self.owner, number), object::encode(commit, nonce)?)?;
        Ok(match created {
            Create::Created | Create::Ours => CommitResult::Committed,
            Create::Theirs(_) => CommitResult::Superseded,
            Create::Unknown => CommitResult::Unknown,
        })
    }

    /// Appends a commit, or says in words why it is not the head. `owner` such as "mapping `m`".
    pub fn commit(&self, store: &dyn StateStore, commit: &T, nonce: u64, owner: &str) -> Result<()> {
        match self.append(store, commit, nonce)? {
            CommitResult::Committed => Ok(()),
            CommitResult::Superseded => Err(Error::new(Kind::Busy, format!("another run has committed {owner} meanwhile"))),
            CommitResult::Unknown => Err(Error::new(Kind::Io, format!("it is not known whether the new state of {owner} was stored"))
                .remedy("run again: the next run finds out")),
        }
    }

    fn missing(&self, number: u64) -> Error {
        Error::corrupt(format!("{} is missing, though there are later ones", paths::commit(&self.owner, number)))
            .remedy("restore this file from a backup; where there is none, `outflow doctor` says how to go on without it")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use outflow_contract::Selection;

    use super::*;
    use crate::store::MemoryStore;

    fn commit(number: u64) -> MappingCommit {
        MappingCommit {
            number,
            at: "2026-01-01T00:00:00Z".into(),
            model: "users".into(),
            destination: "crm".into(),
            account: "crm:1".into(),
            selection: Selection::AddedOrUpdated,
            origin: "m".to_owned(),
            ahead: false,
            paused: None,
            ended: None,
            id: vec!["id".into()],
            cursor: Some(number),
            footing: None,
            saw: None,
            pending: vec![],
            failures: None,
            deadline_ms: None,
            generation: 0,
            resend: false,
            closed_through: number,
            sync_id: None,
            carried: None,
            fields: String::new(),
        }
    }

    fn chain(last: u64) -> (MemoryStore, Chain<MappingCommit>) {
        let (store, chain) = (MemoryStore::new(), Chain::of_mapping("m"));
        for number in 1..=last {
            assert_eq!(chain.append(&store, &commit(number), number).unwrap(), CommitResult::Committed);
        }
        (store, chain)
    }

    #[test]
    fn the_head_is_the_last_commit() {
        assert_eq!(chain(0).1.head(&chain(0).0).unwrap(), None);
        let (store, chain) = chain(12);
        assert_eq!(chain.head(&store).unwrap(), Some(commit(12)));
        assert_eq!(chain.read(&store, 4).unwrap(), Some(commit(4)));
    }

    #[test]
    fn one_commit_wins_each_number_and_a_retry_of_it_finds_itself() {
        let (store, chain) = chain(1);
        assert_eq!(chain.append(&store, &commit(2), 7).unwrap(), CommitResult::Committed);
        assert_eq!(chain.append(&store, &commit(2), 7).unwrap(), CommitResult::Committed);
        assert_eq!(chain.append(&store, &commit(2), 8).unwrap(), CommitResult::Superseded);
    }

    #[test]
    fn a_hole_is_an_error_and_what_retention_removed_is_not() {
        let (store, chain) = chain(4);
        store.delete("mappings/m/commits/000000000001.json").unwrap();
        assert_eq!(chain.head(&store).unwrap(), Some(commit(4)));
        store.delete("mappings/m/commits/000000000003.json").unwrap();
        let error = chain.head(&store).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.message().contains("mappings/m/commits/000000000003.json"), "{error}");
        assert!(error.remedy_text().is_some());
    }

    #[test]
    fn a_damaged_or_newer_head_is_an_error_and_never_skipped() {
        for body in [&b"{"[..], br#"{"format":3}"#] {
            let (store, chain) = chain(2);
            store.create("mappings/m/commits/000000000003.json", Bytes::from_static(body)).unwrap();
            assert_eq!(chain.head(&store).unwrap_err().kind(), Kind::Corrupt);
        }
    }

    #[test]
    fn a_commit_under_another_number_or_with_paths_of_others_is_damaged() {
        let outside = |path: &str| {
            let file = crate::commit::PendingFile {
                path: path.into(),
                rows: 0,
                bytes: 0,
                blake3: String::new(),
                counts: outflow_contract::Counts::default(),
                set_aside: outflow_contract::Counts::default(),
            };
            MappingCommit { pending: vec![file], ..commit(1) }
        };
        for body in [commit(2), outside("mappings/n/runs/1/a"), outside("mappings/mm/a"), outside("/etc/passwd")] {
            let (store, chain) = chain(0);
            store.create("mappings/m/commits/000000000001.json", object::encode(&body, 1).unwrap()).unwrap();
            assert_eq!(chain.head(&store).unwrap_err().kind(), Kind::Corrupt);
        }
    }

    #[test]
    fn a_commit_without_its_predecessor_is_refused() {
        let (store, chain) = chain(1);
        for number in [0, 3] {
            assert_eq!(chain.append(&store, &commit(number), 1).unwrap_err().kind(), Kind::Bug);
        }
    }

    /// Lists nothing, like a store whose list lags behind.
    struct Stale(MemoryStore);

    impl StateStore for Stale {
        fn create(&self, path: &str, body: Bytes) -> Result<Create> {
            self.0.create(path, body)
        }
        fn read(&self, path: &str) -> Result<Option<Bytes>> {
            self.0.read(path)
        }
        fn list(&self, prefix: &str) -> Result<Vec<String>> {
            let mut paths = self.0.list(prefix)?;
            paths.pop();
            Ok(paths)
        }
        fn delete(&self, path: &str) -> Result<()> {
            self.0.delete(path)
        }
        fn writer(&self, path: &str) -> Result<Box<dyn outflow_contract::state_store::ObjectWriter>> {
            self.0.writer(path)
        }
        fn open(&self, path: &str) -> Result<std::sync::Arc<dyn outflow_contract::state_store::ObjectReader>> {
            self.0.open(path)
        }
        fn append(&self, path: &str) -> Result<Box<dyn outflow_contract::state_store::AppendLog>> {
            self.0.append(path)
        }
        fn try_lock(&self, name: &str) -> Result<Option<outflow_contract::state_store::Lock>> {
            self.0.try_lock(name)
        }
        fn scratch(&self) -> Result<outflow_contract::state_store::Scratch> {
            self.0.scratch()
        }
        fn location(&self) -> String {
            self.0.location()
        }
    }

    #[test]
    fn a_head_that_a_list_does_not_show_yet_is_found_by_name() {
        let (store, chain) = chain(3);
        assert_eq!(chain.head(&Stale(store)).unwrap(), Some(commit(3)));
        let (store, chain) = self::chain(1);
        assert_eq!(chain.head(&Stale(store)).unwrap(), Some(commit(1)));
    }
}
