//! What people and retention do to a mapping's state, under its lock and after recovery (rules 14 to 16): the crate's `next`.

use outflow_contract::Op;
use outflow_ledger::commit::{MappingCommit, Sighting};

use crate::delivery::Each;
use crate::rules::Rule;
use crate::search::Step;
use crate::settle::{any_settled, beliefs, files};
use crate::state::{KEYS, State, Work};
use crate::world::World;

impl World {
    /// What may be done by hand.
    pub(crate) fn by_hand(&self, s: &State, each: Each<'_>) {
        for m in 0..s.mappings.len() {
            if s.left.resets > 0 && self.selects(m, Op::Added) && s.mappings[m].committed {
                let mut next = self.reset(s, m);
                next.left.resets -= 1;
                let mut emptied = next.clone();
                let destination = &mut emptied.destinations[self.destination(m)];
                (destination.holds, destination.versions) = ([0; KEYS], [0; KEYS]);
                each(Step::EmptyAndReset(m), emptied);
                each(Step::Reset(m), next);
            }
            if s.left.baselines > 0
                && let Some(mut next) = self.baseline(s, m)
            {
                next.left.baselines -= 1;
                each(Step::Baseline(m), next);
            }
            if s.left.renames > 0 && s.mappings[m].committed {
                let mut next = self.rename(s, m);
                next.left.renames -= 1;
                each(Step::Rename(m), next);
            }
            if s.left.remaps > 0 {
                let mut next = s.clone();
                next.mappings[m].fields += 1;
                next.left.remaps -= 1;
                each(Step::EditMapping(m), next);
            }
            for k in self.keys().filter(|_| s.left.asides > 0) {
                if let Some(mut next) = self.set_aside(s, m, k) {
                    next.left.asides -= 1;
                    each(Step::SetAside(m, k), next);
                }
            }
            if s.left.pauses > 0 {
                let mut next = s.clone();
                self.recover(&mut next, m);
                let head = self.commit_of(m, &next.mappings[m]);
                let paused = head.paused.is_none().then(String::new);
                self.adopt_alike(&mut next, m, &MappingCommit { paused, ..head });
                next.left.pauses -= 1;
                each(Step::PauseOrResume(m), next);
            }
        }
    }

    /// Commits `next` with the pending records that the mapping has.
    pub(crate) fn adopt_alike(&self, s: &mut State, m: usize, next: &MappingCommit) {
        let pending = s.mappings[m].pending.clone();
        self.adopt(s, m, next, pending);
    }

    /// `None` where the record does not wait.
    fn set_aside(&self, s: &State, m: usize, k: usize) -> Option<State> {
        let mut next = s.clone();
        self.recover(&mut next, m);
        let work = next.mappings[m].pending[k].as_mut().filter(|work| !work.entry.is_settled() && !work.entry.failed.set_aside)?;
        work.entry.failed.set_aside = true;
        let version = work.entry.version;
        let commit = self.commit_of(m, &next.mappings[m]).set_aside(files(&next.mappings[m].pending), next.mappings[m].epoch);
        self.adopt_alike(&mut next, m, &commit);
        next.mappings[m].aside[k] = Some(version);
        Some(next)
    }

    fn reset(&self, s: &State, m: usize) -> State {
        let mut next = s.clone();
        if !self.without(Rule::RecoverBeforeReset) {
            self.recover(&mut next, m);
        }
        let mut commit = self.commit_of(m, &next.mappings[m]).reset(self.nothing(m));
        if self.without(Rule::ResetMakesUnknown) {
            commit = MappingCommit { cursor: None, pending: Vec::new(), ahead: false, resend: false, ..commit };
        }
        if self.without(Rule::HotSurvivesReset) {
            commit.deadline_ms = None;
        }
        self.adopt_alike(&mut next, m, &commit);
        next.mappings[m].duty = [None; KEYS];
        next
    }

    /// `None` while it has to wait.
    fn baseline(&self, s: &State, m: usize) -> Option<State> {
        let mut next = s.clone();
        if !self.without(Rule::BaselineRecoversAndWaits) {
            let others = 0..if self.config.shared { s.mappings.len() } else { 0 };
            others.chain([m]).for_each(|other| self.recover(&mut next, other));
        }
        self.extract(&mut next);
        if !self.without(Rule::BaselineRecoversAndWaits) {
            if self.is_hot(&next, m) {
                return None;
            }
            next.mappings[m].hot = false;
        }
        let head = next.log.head();
        let commit = self.commit_of(m, &next.mappings[m]).baseline(self.nothing(m), Sighting { version: head, ..Sighting::default() });
        self.adopt_alike(&mut next, m, &commit);
        self.on_baseline(&mut next, m);
        Some(next)
    }

    fn rename(&self, s: &State, m: usize) -> State {
        let mut next = s.clone();
        self.recover(&mut next, m);
        let mapping = &next.mappings[m];
        let head = self.commit_of(m, mapping);
        let commit = head.clone().carried_over("m", None, String::new(), head.pending, mapping.epoch);
        self.adopt_alike(&mut next, m, &commit);
        next.mappings[m].name += 1;
        if self.without(Rule::EpochsGoOn) {
            next.mappings[m].epoch = 1;
        }
        next
    }

    /// Retention drops the versions before `oldest`.
    pub(crate) fn retain(&self, s: &State, oldest: u64) -> State {
        let mut next = s.clone();
        for m in 0..s.mappings.len() {
            if !self.without(Rule::RecoverBeforeFold) {
                self.recover(&mut next, m);
            }
            let head = self.commit_of(m, &next.mappings[m]);
            if head.folds_from(self.config.shared).is_none_or(|from| from >= oldest) {
                continue;
            }
            let pending: [Option<Work>; KEYS] = std::array::from_fn(|k| self.fold(&next, m, k, oldest));
            let before = beliefs(&next, m);
            let epoch = head.closed_through;
            let commit = head.folded((oldest, None), files(&pending), any_settled(&pending), epoch);
            self.adopt(&mut next, m, &commit, pending);
            let after = beliefs(&next, m);
            if !self.config.shared && before != after {
                next.fail(|| format!("factoring: folding to {oldest} changed what is known from {before:?} to {after:?}"));
            }
        }
        next.log.kept.drain(..(oldest - next.log.oldest) as usize);
        next.log.oldest = oldest;
        next
    }
}
