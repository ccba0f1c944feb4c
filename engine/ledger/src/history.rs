//! The reports of past syncs, newest first, of one mapping or of many.
//!
//! Reports are read one at a time and only as far as somebody asks: of each mapping the newest is looked at, and the newest of
//! those comes out first. So the last twenty syncs cost twenty reports and one for each mapping, however many thousands there are.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use outflow_contract::Result;
use outflow_contract::state_store::StateStore;

use crate::paths;
use crate::runs::{PastSync, read_report};

/// Past syncs, newest first. A report that cannot be read is left out with a warning: nothing hangs on it.
pub struct History<'a> {
    store: &'a dyn StateStore,
    /// The epochs that have a report and were not read yet, of each mapping, ascending.
    unread: BTreeMap<String, Vec<u64>>,
    /// The newest sync of each mapping that did not come out yet. `None` before the first was asked for.
    newest: Option<BinaryHeap<ById>>,
}

/// Ids sort by time.
struct ById(PastSync);

impl ById {
    fn key(&self) -> (&str, &str, u64) {
        (&self.0.report.sync_id, &self.0.report.mapping, self.0.epoch)
    }
}

impl Ord for ById {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ById {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ById {}

impl<'a> History<'a> {
    /// The syncs of all mappings.
    pub fn of_all(store: &'a dyn StateStore) -> Result<Self> {
        let mut history = Self { store, unread: BTreeMap::new(), newest: None };
        let below = format!("{}/", paths::MAPPINGS);
        for path in store.list(paths::MAPPINGS)? {
            if let Some((mapping, _)) = path.strip_prefix(&below).and_then(|rest| rest.split_once('/')) {
                history.take_in(mapping, &path);
            }
        }
        Ok(history.sorted())
    }

    /// The syncs of one mapping.
    pub fn of_mapping(store: &'a dyn StateStore, mapping: &str) -> Result<Self> {
        let mut history = Self { store, unread: BTreeMap::new(), newest: None };
        for path in store.list(&paths::runs(mapping))? {
            history.take_in(mapping, &path);
        }
        Ok(history.sorted())
    }

    /// The mappings that have any.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.unread.keys().map(String::as_str)
    }

    /// Leaves out the mappings that are not wanted, unread.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.unread.retain(|mapping, _| wanted(mapping));
    }

    fn take_in(&mut self, mapping: &str, path: &str) {
        if let Some((epoch, paths::REPORT)) = paths::epoch_and_file(mapping, path) {
            self.unread.entry(mapping.to_owned()).or_default().push(epoch);
        }
    }

    fn sorted(mut self) -> Self {
        self.unread.values_mut().for_each(|epochs| epochs.sort_unstable());
        self
    }

    /// The newest report of a mapping that was not read yet.
    fn read_next(&mut self, mapping: &str) -> Option<ById> {
        while let Some(epoch) = self.unread.get_mut(mapping)?.pop() {
            match read_report(self.store, mapping, epoch) {
                Ok(Some(report)) => return Some(ById(PastSync { epoch, report })),
                Ok(None) => {}
                Err(error) => tracing::warn!(mapping, epoch, %error, "a report is left out of the history"),
            }
        }
        None
    }
}

impl Iterator for History<'_> {
    type Item = PastSync;

    fn next(&mut self) -> Option<PastSync> {
        if self.newest.is_none() {
            let mappings: Vec<String> = self.unread.keys().cloned().collect();
            let first = mappings.iter().filter_map(|mapping| self.read_next(mapping)).collect();
            self.newest = Some(first);
        }
        let ById(sync) = self.newest.as_mut()?.pop()?;
        if let Some(following) = self.read_next(&sync.report.mapping) {
            self.newest.as_mut()?.push(following);
        }
        Some(sync)
    }
}

#[cfg(test)]
mod tests {
    use outflow_contract::report::{Status, SyncCounts, SyncReport, Timing};

    use super::*;
    use crate::runs::write_report;
    use crate::store::MemoryStore;

    fn write(store: &MemoryStore, mapping: &str, epoch: u64, sync_id: String) {
        let report = SyncReport {
            sync_id,
            mapping: mapping.into(),
            model: "users".into(),
            destination: "crm".into(),
            status: Status::Success,
            message: None,
            notices: Vec::new(),
            started_at: String::new(),
            version: None,
            counts: SyncCounts::default(),
            requests: 0,
            bytes: 0,
            timing: Timing::default(),
            failures: Vec::new(),
            rejected: BTreeMap::default(),
        };
        write_report(store, epoch, &report, epoch).unwrap();
    }

    #[test]
    fn only_what_is_asked_for_is_read() {
        let store = MemoryStore::new();
        for epoch in 1..=100 {
            // Turn and turn about.
            write(&store, "a", epoch, format!("{:04}", 2 * epoch));
            write(&store, "b", epoch, format!("{:04}", 2 * epoch + 1));
        }
        let mut history = History::of_all(&store).unwrap();
        assert_eq!(history.mappings().collect::<Vec<_>>(), ["a", "b"]);
        let ids: Vec<String> = history.by_ref().take(3).map(|sync| sync.report.sync_id).collect();
        assert_eq!(ids, ["0201", "0200", "0199"]);
        assert_eq!((history.unread["a"].len(), history.unread["b"].len()), (98, 97), "one ahead of each, and no more");
        assert_eq!(history.count(), 197);

        let mut only = History::of_all(&store).unwrap();
        only.retain(|mapping| mapping == "b");
        assert!(only.all(|sync| sync.report.mapping == "b"));
        assert_eq!(History::of_mapping(&store, "a").unwrap().count(), 100);
        assert_eq!(History::of_mapping(&store, "c").unwrap().count(), 0);
    }
}
