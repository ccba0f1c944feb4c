//! What a replay says of itself: which records went out again, which were kept back, and what the next sync will do.

use outflow_contract::report::{Status, counted, records};

use super::Sync;
use crate::commit::Settled;
use crate::seal::{Kept, Replay, Sealed, Sorted};

impl Sync<'_> {
    /// Notes what was kept back and what goes over newer values; true if nothing goes out.
    pub(super) fn tell_sorted(&mut self, replay: &Replay, sorted: &Sorted, sealed: &Sealed) -> bool {
        let report = &mut self.report;
        let what = if replay.failed { "what was not acknowledged of" } else { "the records of" };
        report.notices.push(format!("a replay: {what} sync {}, once more", replay.past.sync_id));
        report.notices.extend(kept_back(replay, sorted));
        if sorted.corrected > 0 {
            let is = if sorted.corrected == 1 { "goes" } else { "go" };
            report.notices.push(format!("{} {is} out over newer values: the next sync sends those again", records(sorted.corrected)));
        }
        if sorted.left > 0 {
            let (is, selection) = (if sorted.left == 1 { "goes" } else { "go" }, replay.selection.as_str());
            report.notices.push(format!(
                "{} {is} out over newer values, and stay so until they change: the mapping sends {selection} records only",
                records(sorted.left)
            ));
        }
        if sealed.selected.total() > 0 {
            return false;
        }
        let kept = kept_back(replay, sorted);
        (report.status, report.message) = match kept.is_empty() {
            false => (Status::Blocked, Some(format!("nothing was sent: {}", kept.join("; ")))),
            true if replay.failed => (Status::NoChanges, Some("nothing was sent: every record of that sync was acknowledged".to_owned())),
            true => (Status::NoChanges, Some("nothing was sent: that sync had nothing to send".to_owned())),
        };
        report.notices.retain(|notice| !kept.contains(notice));
        true
    }

    /// The status of a replay, and what becomes of the records that were not acknowledged: they are no work of the next sync.
    pub(super) fn tell_again(&mut self, replay: &Replay, sorted: &Sorted, settled: &Settled) {
        let report = &mut self.report;
        report.counts.pending = Some(settled.pending.all.into());
        let left = settled.left.all.total();
        if left > 0 {
            let why = report.failures.first().map_or_else(String::new, |group| format!("{}; ", group.message));
            let (are, sync) = (if left == 1 { "was" } else { "were" }, &report.sync_id);
            let stopped = if report.status == Status::Cancelled { "asked to end: " } else { "" };
            report.message = Some(format!(
                "{stopped}{} {are} not acknowledged: {why}`outflow replay {sync} --failed` sends {} again",
                records(left),
                if left == 1 { "it" } else { "them" }
            ));
        }
        let kept = kept_back(replay, sorted);
        if report.status == Status::Success && !kept.is_empty() {
            report.status = Status::PartialSuccess;
            report.notices.retain(|notice| !kept.contains(notice));
            report.message = Some(kept.join("; "));
        }
        tracing::info!(sync_id = report.sync_id, again = replay.past.sync_id, "replayed");
    }
}

/// What was kept back, in words.
fn kept_back(replay: &Replay, sorted: &Sorted) -> Vec<String> {
    let named = |kept: &Kept| {
        let such = if kept.records as usize > kept.examples.len() { "such as" } else { "with the identifier" };
        let such = if kept.records > 1 && such != "such as" { "with the identifiers" } else { such };
        format!("{} ({such} {})", counted(kept.records, "record"), kept.examples.join(", "))
    };
    let have = |kept: &Kept| if kept.records == 1 { "has" } else { "have" };
    let mut told = Vec::new();
    if sorted.newer.records > 0 {
        let (kept, have) = (&sorted.newer, have(&sorted.newer));
        let (sync, failed) = (&replay.past.sync_id, if replay.failed { " --failed" } else { "" });
        told.push(format!(
            "{} {have} been delivered with newer values since, or may have been: kept back. `outflow replay {sync}{failed} --force` sends the \
             older ones over them",
            named(kept)
        ));
    }
    if sorted.for_good.records > 0 {
        let (kept, have) = (&sorted.for_good, have(&sorted.for_good));
        told.push(format!(
            "{} {have} been delivered with newer values since by another mapping that shares the destination, and no sync would correct \
             the older ones: kept back, even with `--force`",
            named(kept)
        ));
    }
    told
}
