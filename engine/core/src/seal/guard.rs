//! Guards: what looks like an accident in the warehouse stops before the first byte.

use outflow_contract::plan::Guards;
use outflow_contract::report::thousands;

use super::Sealed;

/// Guards that are passed once, from the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// `--allow-deleted`
    pub deleted: bool,
    /// `--allow-changed`
    pub changed: bool,
    /// `--allow-empty`
    pub empty: bool,
}

/// Which guard stopped a sync, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// In words, with the figures.
    pub message: String,
    /// The flag that passes it once.
    pub flag: &'static str,
}

/// Asks every guard. `known`: records that the mapping knew before these changes; 0 before its first sync.
pub fn check(guards: &Guards, sealed: &Sealed, known: u64, allowed: Allowed) -> Option<Stopped> {
    if known < guards.min_records.max(1) {
        return None;
    }
    let share = |n: u64| n as f64 / known as f64;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let remaining = known + sealed.net.added - sealed.net.deleted;
    if remaining == 0 && !guards.empty_result && !allowed.empty {
        let message = format!("the model returns no record; {} were known before", thousands(known));
        return Some(Stopped { message, flag: "--allow-empty" });
    }
    let deleted = share(sealed.net.deleted);
    // An empty result that is allowed deletes everything, and means to.
    if deleted > guards.deleted_share && !allowed.deleted && remaining > 0 {
        let limit = percent(guards.deleted_share);
        let (n, known) = (thousands(sealed.net.deleted), thousands(known));
        let message = format!("{n} of {known} known records would be deleted ({}); the limit is {limit}", percent(deleted));
        return Some(Stopped { message, flag: "--allow-deleted" });
    }
    let changed = share(sealed.net.updated);
    if changed > guards.changed_share && !allowed.changed {
        let limit = percent(guards.changed_share);
        let (n, known) = (thousands(sealed.net.updated), thousands(known));
        let message = format!("{n} of {known} known records have changed ({}); the limit is {limit}", percent(changed));
        return Some(Stopped { message, flag: "--allow-changed" });
    }
    None
}

#[cfg(test)]
mod tests {
    use outflow_contract::Counts;

    use super::*;

    fn sealed(added: u64, updated: u64, deleted: u64) -> Sealed {
        Sealed { net: Counts { added, updated, deleted }, ..Sealed::default() }
    }

    #[test]
    fn a_guard_lets_its_share_pass_and_stops_one_record_more() {
        let guards = Guards::default();
        assert_eq!(check(&guards, &sealed(0, 0, 50), 100, Allowed::default()), None);
        assert_eq!(check(&guards, &sealed(0, 0, 51), 100, Allowed::default()).unwrap().flag, "--allow-deleted");
        assert_eq!(check(&guards, &sealed(0, 0, 51), 100, Allowed { deleted: true, ..Allowed::default() }), None);
        assert_eq!(check(&guards, &sealed(0, 0, 99), 99, Allowed::default()), None, "too few records to guard");
    }

    #[test]
    fn an_empty_result_stops_unless_it_is_allowed() {
        let guards = Guards::default();
        assert_eq!(check(&guards, &sealed(0, 0, 100), 100, Allowed::default()).unwrap().flag, "--allow-empty");
        assert_eq!(check(&Guards { empty_result: true, ..guards }, &sealed(0, 0, 100), 100, Allowed::default()), None);
    }

    #[test]
    fn changed_records_stop_past_their_share() {
        let guards = Guards { changed_share: 0.2, ..Guards::default() };
        assert_eq!(check(&guards, &sealed(0, 20, 0), 100, Allowed::default()), None);
        assert_eq!(check(&guards, &sealed(0, 21, 0), 100, Allowed::default()).unwrap().flag, "--allow-changed");
    }
}
