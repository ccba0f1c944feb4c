//! What may be dropped. Pure: facts in, decisions out.
//!
//! ```text
//! versions   1 2 3 │ 4 5 6        older than `retention: versions` │ kept; the newest always is
//! commits    1 2 │ 3 4 5          a chain loses its oldest, never its newest two
//! runs       r r │ r r r          their reports older than `retention: syncs`; what a kept commit names stays
//! files      the snapshot's share is small ─► its records move ─► retired ─► no version is left that may name it ─► dropped
//! ```
//!
//! Nothing here is about what mappings still need of the versions: that is composed onto their pending records first (rule 14).

/// Commits of a chain that are kept however old they are: the head, and the one that somebody may be reading who has just looked.
pub const COMMITS_KEPT_MIN: usize = 2;
/// How long commits are kept that `versions` would keep for longer, in milliseconds: only readers without a lock look at any but the head,
/// and whatever a kept commit names takes up space.
pub const COMMITS_KEPT_MS: u64 = 60 * 60 * 1000;
/// A file is copied once its records that count are fewer than one in so many: then no record is copied for which not at least one has
/// gone, and the files hold at most this many times what counts.
pub const ROWS_PER_LIVE_ROW_MAX: u64 = 2;
/// More files than this, none of them a version's, are brought together: each is opened when its values are read.
pub const FILES_MAX: usize = 64;
/// A run applies retention of its own accord once an eighth of the versions have come of age: dropping some costs a pass over the
/// snapshot. `outflow gc` does not wait for that.
pub const DUE_SHARE: usize = 8;
/// … or once so many commits have.
pub const DUE_COMMITS: usize = 16;

/// Something numbered, and when it was made: milliseconds since 1970, if that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// Its number.
    pub number: u64,
    /// When.
    pub at_ms: Option<u64>,
}

impl Dated {
    /// Was it made before `cutoff_ms`? Of what cannot be told it is not assumed.
    fn is_before(&self, cutoff_ms: u64) -> bool {
        self.at_ms.is_some_and(|at| at < cutoff_ms)
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A person: whatever is of age goes.
    ByHand,
    /// The end of a run: only if it is worth the work.
    ByRun,
}

/// Up to which version all may be dropped; `versions` ascend. The newest stays: it is what the model is.
pub fn versions_through(versions: &[Dated], cutoff_ms: u64, asked: Asked) -> Option<u64> {
    let (_, earlier) = versions.split_last()?;
    let old: Vec<u64> = earlier.iter().take_while(|version| version.is_before(cutoff_ms)).map(|version| version.number).collect();
    let worth = asked == Asked::ByHand || old.len() * DUE_SHARE >= versions.len();
    old.last().copied().filter(|_| worth)
}

/// Which commits of a chain of `count` go: the oldest ones of age. `oldest_first` is asked no further than needed.
pub fn commits_to_drop(count: usize, oldest_first: impl IntoIterator<Item = Dated>, cutoff_ms: u64) -> Vec<u64> {
    let may_go = count.saturating_sub(COMMITS_KEPT_MIN);
    oldest_first.into_iter().take(may_go).take_while(|commit| commit.is_before(cutoff_ms)).map(|commit| commit.number).collect()
}

/// Before when commits may go, where versions may before `versions_cutoff_ms`.
pub fn commits_cutoff(now_ms: u64, versions_cutoff_ms: u64) -> u64 {
    versions_cutoff_ms.max(now_ms.saturating_sub(COMMITS_KEPT_MS))
}

/// A run that lies in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub epoch: u64,
    /// It has a plan or a journal.
    pub planned: bool,
    /// It has a report, which says that it began then.
    pub reported: Option<Dated>,
}

/// Does the run go, but for the files of it that a kept commit names? `closed_through` as the head says it; `newest`: the last epoch that
/// was used, by which the next is counted, and of which people ask first.
pub fn run_goes(run: &Run, closed_through: u64, newest: u64, cutoff_ms: u64) -> bool {
    let is_open = run.planned && run.epoch > closed_through;
    // Without a report nobody is told of it: it was killed before it had a plan, or just after its commit.
    !is_open && run.epoch != newest && run.reported.is_none_or(|reported| reported.is_before(cutoff_ms))
}

/// A value file of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its number.
    pub id: u32,
    /// Records in it.
    pub rows: u64,
    /// Of those, the ones that the snapshot names.
    pub indexed: u64,
    /// … and pending records of some mapping.
    pub pending: u64,
    /// It is a part of a version that is kept.
    pub of_version: bool,
    /// Since which version the snapshot does not name it.
    pub retired: Option<u64>,
}

/// What becomes of a value file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Kept,
    /// Its records that count are copied elsewhere. It stays until no version is left that may name it.
    Copied,
    /// The snapshot no longer names it, and some version may.
    Retired,
    /// What pending records name of it is copied, and it goes.
    Dropped,
}

/// What becomes of each file, in their order. `newest`: the version that the snapshot is of; `oldest`: the first version that is kept.
pub fn file_fates(files: &[File], oldest: u64, newest: u64) -> Vec<Fate> {
    let mut fates: Vec<Fate> = files.iter().map(|file| fate(file, oldest, newest)).collect();
    let mut single: Vec<usize> = (0..files.len()).filter(|&i| fates[i] == Fate::Kept && !files[i].of_version).collect();
    if single.len() > FILES_MAX {
        // The smaller half into one.
        single.sort_by_key(|&i| files[i].rows);
        single[..FILES_MAX / 2].iter().for_each(|&i| fates[i] = Fate::Copied);
    }
    fates
}

fn fate(file: &File, oldest: u64, newest: u64) -> Fate {
    match file {
        // Other versions may name its records as what was there before them.
        File { of_version: true, .. } => Fate::Kept,
        File { indexed: 0, retired, .. } if retired.unwrap_or(newest) < oldest => Fate::Dropped,
        File { indexed: 0, .. } => Fate::Retired,
        File { rows, indexed, pending, .. } if (indexed + pending) * ROWS_PER_LIVE_ROW_MAX < *rows => Fate::Copied,
        _ => Fate::Kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dated(at: &[u64]) -> Vec<Dated> {
        (1..).zip(at).map(|(number, &at)| Dated { number, at_ms: (at != 0).then_some(at) }).collect()
    }

    #[test]
    fn versions_of_age_go_from_the_first_on_and_the_newest_never_does() {
        let through = |at: &[u64], cutoff| versions_through(&dated(at), cutoff, Asked::ByHand);
        assert_eq!(through(&[], 9), None);
        assert_eq!(through(&[1], 9), None, "the only one is the newest");
        assert_eq!(through(&[1, 2, 3], 9), Some(2));
        assert_eq!(through(&[1, 2, 3], 2), Some(1), "at the bound it is kept");
        assert_eq!(through(&[1, 2, 3], 1), None);
        assert_eq!(through(&[1, 9, 2, 10], 5), Some(1), "after one that is kept all are: a clock was set back");
        assert_eq!(through(&[0, 1, 2], 9), None, "of unknown age");
    }

    #[test]
    fn a_run_drops_versions_once_an_eighth_are_of_age_and_a_person_always() {
        let mut at = vec![1, 1];
        at.resize(17, 9);
        let versions = dated(&at);
        assert_eq!(versions_through(&versions, 5, Asked::ByRun), None, "2 of 17");
        assert_eq!(versions_through(&versions, 5, Asked::ByHand), Some(2));
        assert_eq!(versions_through(&versions[..16], 5, Asked::ByRun), Some(2), "2 of 16");
    }

    #[test]
    fn a_chain_loses_its_oldest_commits_and_never_its_newest_two() {
        let at = dated(&[1, 2, 3, 4, 5]);
        let dropped = |count: usize, cutoff| commits_to_drop(count, at[..count].iter().copied(), cutoff);
        assert_eq!(dropped(5, 4), [1, 2, 3]);
        assert_eq!(dropped(5, 99), [1, 2, 3]);
        assert_eq!(dropped(5, 2), [1]);
        assert!(dropped(2, 99).is_empty());
        assert!(dropped(0, 99).is_empty());
        assert_eq!(
            commits_cutoff(10 * COMMITS_KEPT_MS, COMMITS_KEPT_MS),
            9 * COMMITS_KEPT_MS,
            "an hour, where versions are kept for longer"
        );
        assert_eq!(commits_cutoff(10 * COMMITS_KEPT_MS, 10 * COMMITS_KEPT_MS), 10 * COMMITS_KEPT_MS);
    }

    #[test]
    fn every_run_has_its_fate() {
        let (young, old) = (Some(Dated { number: 0, at_ms: Some(9) }), Some(Dated { number: 0, at_ms: Some(1) }));
        let undated = Some(Dated { number: 0, at_ms: None });
        // closed through 5, the newest is 7, what began before 5 ms is of age
        for (epoch, planned, reported, goes) in [
            (3, true, old, true),
            (3, true, young, false),
            (3, true, undated, false),
            (3, false, old, true),
            (3, true, None, true),
            (3, false, None, true),
            (5, true, old, true),
            (6, true, old, false),
            (6, true, None, false),
            (6, false, None, true),
            (6, false, old, true),
            (6, false, young, false),
            (7, false, old, false),
            (7, false, None, false),
            (7, true, old, false),
        ] {
            assert_eq!(run_goes(&Run { epoch, planned, reported }, 5, 7, 5), goes, "{epoch} {planned} {reported:?}");
        }
        assert!(!run_goes(&Run { epoch: 5, planned: true, reported: old }, 5, 5, 5), "the last one is there to be shown");
    }

    #[test]
    fn every_value_file_has_its_fate() {
        let fate = |indexed, pending, of_version, retired| {
            let file = File { id: 1, rows: 10, indexed, pending, of_version, retired };
            file_fates(&[file], 4, 7)[0]
        };
        assert_eq!(fate(10, 0, false, None), Fate::Kept);
        assert_eq!(fate(5, 0, false, None), Fate::Kept, "half");
        assert_eq!(fate(4, 0, false, None), Fate::Copied, "less than half");
        assert_eq!(fate(4, 1, false, None), Fate::Kept, "pending records count");
        assert_eq!(fate(1, 3, false, None), Fate::Copied);
        assert_eq!(fate(0, 0, true, None), Fate::Kept, "a version is made of it");
        assert_eq!(fate(1, 0, true, None), Fate::Kept);
        assert_eq!(fate(0, 0, false, None), Fate::Retired, "from now on, at version 7, and 4 may name it");
        assert_eq!(fate(0, 9, false, Some(4)), Fate::Retired);
        assert_eq!(fate(0, 9, false, Some(3)), Fate::Dropped, "no version before 4 is left");
        assert_eq!(fate(0, 0, false, Some(3)), Fate::Dropped);
        assert_eq!(file_fates(&[File { id: 1, rows: 1, indexed: 0, pending: 0, of_version: false, retired: None }], 8, 7), [Fate::Dropped]);
    }

    #[test]
    fn many_small_files_are_brought_together() {
        let files = |n: u64| -> Vec<File> {
            (0..n).map(|i| File { id: i as u32, rows: 100 - i, indexed: 100 - i, pending: 0, of_version: false, retired: None }).collect()
        };
        let copied = |n| file_fates(&files(n), 1, 1).iter().filter(|fate| **fate == Fate::Copied).count();
        assert_eq!(copied(FILES_MAX as u64), 0);
        assert_eq!(copied(FILES_MAX as u64 + 1), FILES_MAX / 2);
        assert_eq!(file_fates(&files(65), 1, 1)[64], Fate::Copied, "the smallest is among them");
        let mut with_versions = files(FILES_MAX as u64 + 1);
        with_versions[0].of_version = true;
        assert!(file_fates(&with_versions, 1, 1).iter().all(|fate| *fate == Fate::Kept), "parts of versions do not count");
    }
}
