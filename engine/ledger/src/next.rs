//! What the next commit of a mapping says: after a run, and after what people do to its state by hand. Pure; rules 6, 11 and 14 to 16.
//!
//! ```text
//!                    cursor      pending       deadline   generation
//!   after_run        sealed      what is left  later      stays
//!   after_some       stays       + those sent  later      stays
//!   after_replay     stays       + what left   later      + 1
//!   reset            stays       stays         stays      + 1, and `resend`
//!     .. upserts only  none      nothing       stays      + 1
//!   begun_anew       none        nothing       stays      stays
//!   baseline         the head    nothing       stays      stays
//!   folded           the oldest  + versions    stays      stays
//!   set_aside        stays       marked        stays      stays
//!   carried_over     stays       copied        stays      stays
//! ```
//!
//! Only a run raises the deadline, and nothing ever brings it forward: rule 11 is about requests, whatever becomes of the state.

use outflow_contract::Op;

use crate::commit::{Footing, MappingCommit, PendingFile, Sighting};

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// The run.
    pub epoch: u64,
    /// The sync, for people.
    pub sync_id: String,
    /// The model version that was sealed, as the run saw it.
    pub saw: Sighting,
    /// What stays pending.
    pub pending: Vec<PendingFile>,
    /// Why, for people.
    pub failures: Option<String>,
    /// Until when one of its requests may take effect: [`crate::decide::deadline_after`] or `deadline_after_recovery`.
    pub deadline_ms: Option<u64>,
}

impl MappingCommit {
    /// Is there anything that a sync has to be composed with? If not, everything that the model holds is new to the mapping.
    ///
    /// Records that were sent ahead of the first sync are such a thing, acknowledged or not: the destination may have them.
    pub fn has_begun(&self) -> bool {
        self.cursor.is_some() || !self.pending.is_empty()
    }

    /// After a run, ended or recovered (rule 6): the cursor is the version that was *sealed*, whatever the model's head is by now, and
    /// the run is closed.
    pub fn after_run(self, end: RunEnd) -> Self {
        let (cursor, footing) = (Some(end.saw.version), end.saw.footing.clone());
        let (saw, failures) = (Some(end.saw.clone()), end.failures.clone());
        Self { cursor, footing, saw, failures, resend: false, ahead: false, ..self.closed(end) }
    }

    /// After a run of nothing but some records ahead of their sync: the cursor stays, and so does a reset that waits for its sync.
    /// `ahead`: `end.pending` holds records of which nothing is to be done.
    pub fn after_some(self, end: RunEnd, ahead: bool) -> Self {
        let failures = end.failures.clone().or_else(|| self.failures.clone());
        let footing = self.footing_with(end.saw.footing.as_ref());
        Self { footing, failures, ahead, ..self.closed(end) }
    }

    /// After an earlier sync was sent once more (rule 23): as after records ahead, and what was sent had ids of the next generation
    /// (rule 22), as has whatever corrects it.
    pub fn after_replay(self, end: RunEnd, ahead: bool) -> Self {
        let generation = self.generation + 1;
        Self { generation, ..self.after_some(end, ahead) }
    }

    /// The footing of the same cursor, where the state knows of what `saw` stands on, too.
    fn footing_with(&self, saw: Option<&Footing>) -> Option<Footing> {
        let commit = self.footing.iter().chain(saw).map(|footing| footing.commit).max()?;
        Some(Footing { commit, version_id: self.footing.as_ref().and_then(|own| own.version_id.clone()) })
    }

    fn closed(self, end: RunEnd) -> Self {
        Self {
            number: self.number + 1,
            pending: end.pending,
            deadline_ms: end.deadline_ms,
            ended: None,
            carried: None,
            closed_through: end.epoch,
            sync_id: Some(end.sync_id),
            ..self
        }
    }

    /// A reset (rule 15): the next sync sends every record. `fresh`: the mapping as the project has it now, without a state.
    ///
    /// Where nothing is ever deleted, or what was delivered is elsewhere, forgetting comes to the same as doubting all of it.
    pub fn reset(self, fresh: Self) -> Self {
        let moved = (&self.model, &self.account, &self.id) != (&fresh.model, &fresh.account, &fresh.id);
        let only_upserts = !fresh.selection.contains(Op::Deleted);
        let generation = self.generation + 1;
        let next = Self { generation, model: fresh.model, account: fresh.account, id: fresh.id, ..self };
        if moved || only_upserts {
            Self { cursor: None, footing: None, saw: None, pending: Vec::new(), ahead: false, ..next }
        } else {
            Self { resend: true, ..next }
        }
    }

    /// The state of a mapping of which nothing was ever delivered, in a new place or of a new model: it begins there.
    pub fn begun_anew(self, fresh: Self) -> Self {
        let next =
            Self { cursor: None, footing: None, saw: None, pending: Vec::new(), failures: None, ahead: false, resend: false, ..self };
        Self { model: fresh.model, destination: fresh.destination, account: fresh.account, id: fresh.id, ..next }
    }

    /// A baseline (rule 16): what the model holds at the version that it `saw` counts as delivered. Only after recovery, and once no request
    /// travels.
    pub fn baseline(self, fresh: Self, saw: Sighting) -> Self {
        Self {
            model: fresh.model,
            destination: fresh.destination,
            account: fresh.account,
            id: fresh.id,
            cursor: Some(saw.version),
            footing: saw.footing.clone(),
            saw: Some(saw),
            pending: Vec::new(),
            failures: None,
            resend: false,
            ahead: false,
            ..self
        }
    }

    /// From which version on retention composes the versions that it drops onto `pending`, before it drops them (rule 14); `None` if
    /// the mapping loses nothing by it: it has not begun, and the snapshot that stays says as much.
    ///
    /// Where mappings share a destination none may miss what came and went (rule 19), so there each begins at the empty model.
    pub fn folds_from(&self, shared: bool) -> Option<u64> {
        self.cursor.or_else(|| (shared || self.has_begun()).then_some(0))
    }

    /// After that, with `pending` as [`crate::compose::fold_key`] has it: up to a version, which stands on something. `ahead`: it holds records
    /// of which nothing is to be done. `epoch`: the run in whose folder they lie, never used before nor after.
    pub fn folded(self, (version, on): (u64, Option<Footing>), pending: Vec<PendingFile>, ahead: bool, epoch: u64) -> Self {
        Self { number: self.number + 1, cursor: Some(version), footing: on, pending, ahead, carried: None, closed_through: epoch, ..self }
    }

    /// After some of the pending records were set aside, or are no longer: `pending` says which.
    ///
    /// `epoch`: the one that they were written under; the next run goes on after it.
    pub fn set_aside(self, pending: Vec<PendingFile>, epoch: u64) -> Self {
        Self { pending, closed_through: epoch, ..self }
    }

    /// The commit under another name: the same state and the same origin, so that what is sent again is recognised (rules 21 and 22).
    /// `onto`: what the new name has, which is blank or was carried over before; a pause of either stays. `epoch`: one that neither name
    /// has used; the new one goes on after it.
    pub fn carried_over(self, from: &str, onto: Option<&Self>, destination: String, pending: Vec<PendingFile>, epoch: u64) -> Self {
        Self {
            number: onto.map_or(0, |onto| onto.number) + 1,
            carried: Some((from.to_owned(), self.number)),
            paused: onto.and_then(|onto| onto.paused.clone()).or_else(|| self.paused.clone()),
            destination,
            pending,
            // Failures are for people: what is known of them stays with the old name.
            failures: None,
            closed_through: epoch,
            ..self
        }
    }

    /// What a renaming finds under the new name, where `old` is at `number`.
    pub fn receives(&self, old: &str, number: u64) -> Receives {
        match &self.carried {
            Some((from, at)) if from == old && *at == number => Receives::Already,
            Some((from, _)) if from == old => Receives::Anew,
            _ if self.is_blank() => Receives::Anew,
            _ => Receives::Nothing,
        }
    }
}

/// How a state under the new name takes in that of the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receives {
    /// It has it: a renaming did not come to its end.
    Already,
    /// It has nothing of its own.
    Anew,
    /// It has one of its own, or has gone on since.
    Nothing,
}

#[cfg(test)]
mod tests {
    use outflow_contract::{Counts, Selection};

    use super::*;

    fn head(selection: Selection) -> MappingCommit {
        let file = PendingFile {
            path: "p".into(),
            rows: 1,
            bytes: 1,
            blake3: String::new(),
            counts: Counts::default(),
            set_aside: Counts::default(),
        };
        MappingCommit {
            number: 7,
            cursor: Some(4),
            pending: vec![file],
            failures: Some("f".into()),
            deadline_ms: Some(9),
            generation: 2,
            ahead: true,
            paused: Some("why".into()),
            closed_through: 5,
            ..fresh(selection)
        }
    }

    fn fresh(selection: Selection) -> MappingCommit {
        MappingCommit::nothing("m", "model", "d", "account".into(), selection, vec!["id".into()])
    }

    fn end(version: u64) -> RunEnd {
        let saw = Sighting { version, records: 3, ..Sighting::default() };
        RunEnd { epoch: 6, sync_id: "s".into(), saw, pending: Vec::new(), failures: None, deadline_ms: Some(12) }
    }

    #[test]
    fn a_run_takes_the_cursor_to_what_was_sealed_and_ends_a_reset() {
        let next = MappingCommit { resend: true, ..head(Selection::All) }.after_run(end(8));
        assert_eq!((next.number, next.cursor, next.closed_through, next.deadline_ms), (8, Some(8), 6, Some(12)));
        assert_eq!(next.saw.as_ref().map(|saw| (saw.version, saw.records)), Some((8, 3)));
        assert!(!next.resend && !next.ahead && next.pending.is_empty() && next.failures.is_none());
        assert_eq!((next.generation, next.paused.as_deref()), (2, Some("why")));
    }

    #[test]
    fn records_ahead_leave_cursor_and_reset_as_they_are() {
        let next = MappingCommit { resend: true, ..head(Selection::All) }.after_some(end(8), true);
        assert_eq!((next.number, next.cursor, next.closed_through, next.deadline_ms), (8, Some(4), 6, Some(12)));
        assert!(next.resend && next.ahead);
        assert_eq!(next.failures.as_deref(), Some("f"));
    }

    #[test]
    fn a_mapping_that_sent_one_record_ahead_has_begun() {
        assert!(!fresh(Selection::All).has_begun());
        assert!(MappingCommit { cursor: Some(0), ..fresh(Selection::All) }.has_begun());
        assert!(MappingCommit { cursor: None, ahead: false, ..head(Selection::All) }.has_begun());
    }

    #[test]
    fn a_reset_doubts_or_forgets_and_keeps_the_deadline() {
        let doubts = head(Selection::All).reset(fresh(Selection::All));
        assert_eq!((doubts.cursor, doubts.pending.len(), doubts.resend, doubts.generation), (Some(4), 1, true, 3));
        let forgets = head(Selection::AddedOrUpdated).reset(fresh(Selection::AddedOrUpdated));
        assert_eq!((forgets.cursor, forgets.pending.len(), forgets.resend, forgets.generation), (None, 0, false, 3));
        let elsewhere = MappingCommit { account: "other".into(), ..fresh(Selection::All) };
        let moved = head(Selection::All).reset(elsewhere);
        assert_eq!((moved.cursor, moved.account.as_str(), moved.resend), (None, "other", false));
        assert!([doubts, forgets, moved].iter().all(|next| next.deadline_ms == Some(9) && next.paused.is_some()));
    }

    #[test]
    fn a_baseline_drops_what_is_pending_and_keeps_the_deadline() {
        let next = MappingCommit { resend: true, ..head(Selection::All) }
            .baseline(fresh(Selection::All), Sighting { version: 11, ..Sighting::default() });
        assert_eq!((next.cursor, next.pending.len(), next.deadline_ms, next.generation), (Some(11), 0, Some(9), 2));
        assert!(!next.resend && !next.ahead && next.failures.is_none());
    }

    #[test]
    fn what_a_cursor_stands_on_goes_with_it_and_the_newest_commit_that_was_seen_is_kept() {
        let footing = |commit, id: Option<&str>| Footing { commit, version_id: id.map(str::to_owned) };
        let saw = |version| Sighting { version, footing: Some(footing(9, Some("new"))), ..Sighting::default() };
        let end = || RunEnd { saw: saw(8), ..end(8) };
        let stood = MappingCommit { footing: Some(footing(6, Some("old"))), ..head(Selection::All) };
        assert_eq!(stood.clone().after_run(end()).footing, Some(footing(9, Some("new"))));
        assert_eq!(stood.clone().after_some(end(), true).footing, Some(footing(9, Some("old"))));
        assert_eq!(stood.clone().after_replay(end(), true).footing, Some(footing(9, Some("old"))));
        assert_eq!(stood.clone().folded((7, Some(footing(8, Some("mid")))), Vec::new(), false, 6).footing, Some(footing(8, Some("mid"))));
        assert_eq!(stood.clone().baseline(fresh(Selection::All), saw(8)).footing, Some(footing(9, Some("new"))));
        assert_eq!(stood.clone().carried_over("m", None, "d".into(), Vec::new(), 6).footing, stood.footing);
        assert_eq!(stood.clone().reset(fresh(Selection::All)).footing, stood.footing);
        assert_eq!(stood.clone().reset(fresh(Selection::AddedOrUpdated)).footing, None);
        assert_eq!(stood.begun_anew(fresh(Selection::All)).footing, None);
    }

    #[test]
    fn setting_records_aside_changes_nothing_but_the_pending_ones_and_uses_up_an_epoch() {
        let before = head(Selection::All);
        let next = before.clone().set_aside(Vec::new(), 9);
        assert_eq!((next.pending.len(), next.closed_through), (0, 9));
        assert_eq!(MappingCommit { pending: before.pending.clone(), closed_through: before.closed_through, ..next }, before);
    }

    #[test]
    fn retention_folds_from_the_cursor_and_from_the_start_where_something_hangs_on_it() {
        let new = fresh(Selection::All);
        assert_eq!((new.folds_from(false), new.folds_from(true)), (None, Some(0)));
        assert_eq!(head(Selection::All).folds_from(false), Some(4));
        let ahead = MappingCommit { cursor: None, ..head(Selection::All) };
        assert_eq!(ahead.folds_from(false), Some(0));
        let folded = ahead.folded((3, None), Vec::new(), false, 6);
        assert_eq!((folded.cursor, folded.pending.len(), folded.deadline_ms), (Some(3), 0, Some(9)));
        assert_eq!((folded.number, folded.closed_through), (8, 6));
    }

    #[test]
    fn a_renamed_mapping_keeps_origin_cursor_and_deadline_and_goes_on_counting() {
        let next = head(Selection::All).carried_over("m", None, "d2".into(), Vec::new(), 6);
        assert_eq!((next.number, next.origin.as_str(), next.destination.as_str(), next.closed_through), (1, "m", "d2", 6));
        assert_eq!((next.cursor, next.deadline_ms, next.generation, next.failures.clone()), (Some(4), Some(9), 2, None));
        let paused = MappingCommit { paused: Some("why".into()), number: 3, ..fresh(Selection::All) };
        let onto = head(Selection::All).carried_over("m", Some(&paused), "d2".into(), Vec::new(), 6);
        assert_eq!((onto.number, onto.paused.as_deref()), (4, Some("why")));
    }

    #[test]
    fn a_renaming_that_stopped_goes_on_only_where_nothing_has_happened_since() {
        let old = head(Selection::All);
        let moved = old.clone().carried_over("m", None, "d2".into(), Vec::new(), 6);
        assert_eq!(moved.receives("m", old.number), Receives::Already);
        assert_eq!(moved.receives("m", old.number + 1), Receives::Anew);
        assert_eq!(moved.receives("other", old.number), Receives::Nothing);
        let end =
            RunEnd { epoch: 7, sync_id: String::new(), saw: Sighting::default(), pending: Vec::new(), failures: None, deadline_ms: None };
        assert_eq!(moved.after_run(end).receives("m", old.number), Receives::Nothing);
        assert_eq!(fresh(Selection::All).receives("m", old.number), Receives::Anew);
        let ended = MappingCommit { ended: Some("x".into()), ..old.clone() };
        assert_eq!(ended.receives("m", old.number), Receives::Anew);
    }
}
