//! Guards: what looks like an accident in the warehouse stops before the first byte.

use outflow_contract::Counts;
use outflow_contract::expr::Columns;
use outflow_contract::plan::Guards;
use outflow_contract::report::thousands;
use outflow_ledger::commit::Sighting;

/// Guards that are passed once, from the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed {
    /// `--allow-deleted`
    pub deleted: bool,
    /// `--allow-changed`
    pub changed: bool,
    /// `--allow-empty`
    pub empty: bool,
    /// `--allow-null`
    pub null: bool,
}

/// Which guard stopped a sync, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// In words, with the figures.
    pub message: String,
    /// The flag that passes it once.
    pub flag: &'static str,
}

/// What guards look at.
#[derive(Clone, Copy, Debug)]
pub struct Guarded<'a> {
    /// What the mapping saw of its model in its last sync.
    pub saw: &'a Sighting,
    /// What the model has now.
    pub now: &'a Sighting,
    /// What has changed in between, as far as it concerns the mapping. What was pending before is not among it: it has passed the guards.
    pub fresh: Counts,
    /// The columns that the mapping reads.
    pub columns: &'a Columns,
}

/// Asks every guard.
pub fn check(guards: &Guards, Guarded { saw, now, fresh, columns }: Guarded<'_>, allowed: Allowed) -> Option<Stopped> {
    let known = saw.records;
    if known < guards.min_records.max(1) {
        return None;
    }
    if now.records == 0 && !guards.empty_result && !allowed.empty {
        let message = format!("the model returns no record; {} were known before", thousands(known));
        return Some(Stopped { message, flag: "--allow-empty" });
    }
    let share = |n: u64| n as f64 / known as f64;
    let deleted = share(fresh.deleted);
    // An empty result that is allowed deletes everything, and means to.
    if deleted > guards.deleted_share && !allowed.deleted && now.records > 0 {
        let limit = percent(guards.deleted_share);
        let (n, known) = (thousands(fresh.deleted), thousands(known));
        let message = format!("{n} of {known} known records would be deleted ({}); the limit is {limit}", percent(deleted));
        return Some(Stopped { message, flag: "--allow-deleted" });
    }
    let changed = share(fresh.updated);
    if changed > guards.changed_share && !allowed.changed {
        let limit = percent(guards.changed_share);
        let (n, known) = (thousands(fresh.updated), thousands(known));
        let message = format!("{n} of {known} known records have changed ({}); the limit is {limit}", percent(changed));
        return Some(Stopped { message, flag: "--allow-changed" });
    }
    if allowed.null { None } else { nulls(guards, saw, now, columns) }
}

/// The column whose share of nulls has grown most, where that is too much.
fn nulls(guards: &Guards, saw: &Sighting, now: &Sighting, columns: &Columns) -> Option<Stopped> {
    let share = |sighting: &Sighting, nulls: u64| nulls as f64 / sighting.extracted.max(1) as f64;
    let grown = |column: &str, nulls: u64| {
        let before = saw.nulls.get(column).copied().unwrap_or(0);
        // In whole numbers up to the division, so that a share at the limit is not past it by a rounding.
        let [a, b, n, m] = [nulls, before, saw.extracted, now.extracted].map(i128::from);
        (n > 0 && m > 0).then(|| ((a * n - b * m) as f64 / (n * m) as f64, before))
    };
    let is_used = |column: &str| match columns {
        Columns::All => true,
        Columns::Named(names) => names.iter().any(|name| name == column),
    };
    let used = now.nulls.iter().filter(|(column, _)| is_used(column));
    let grown = used.filter_map(|(column, &nulls)| grown(column, nulls).map(|(growth, before)| (growth, column, before, nulls)));
    let (growth, column, before, nulls) = grown.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (growth > guards.null_share).then(|| Stopped {
        message: format!(
            "the column `{column}` is null in {} of the records, and was in {}; the limit of the growth is {}",
            percent(share(now, nulls)),
            percent(share(saw, before)),
            percent(guards.null_share)
        ),
        flag: "--allow-null",
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: u64, nulls: &[(&str, u64)]) -> Sighting {
        let nulls = nulls.iter().map(|(column, n)| ((*column).to_owned(), *n)).collect();
        Sighting { version: 1, extracted: records, records, nulls, footing: None }
    }

    /// The flag of the guard that stops `known` records becoming `left`, with these changes.
    fn stops(guards: &Guards, (known, left): (u64, u64), updated: u64, allowed: Allowed) -> Option<&'static str> {
        let fresh = Counts { added: 0, updated, deleted: known.saturating_sub(left) };
        let guarded = Guarded { saw: &of(known, &[]), now: &of(left, &[]), fresh, columns: &Columns::All };
        check(guards, guarded, allowed).map(|stopped| stopped.flag)
    }

    #[test]
    fn a_guard_lets_its_share_pass_and_stops_one_record_more() {
        let guards = Guards::default();
        let none = Allowed::default();
        assert_eq!(stops(&guards, (100, 50), 0, none), None);
        assert_eq!(stops(&guards, (100, 49), 0, none), Some("--allow-deleted"));
        assert_eq!(stops(&guards, (100, 49), 0, Allowed { deleted: true, ..none }), None);
        assert_eq!(stops(&guards, (99, 1), 0, none), None, "too few records to guard");
        let guards = Guards { deleted_share: 0.29, ..guards };
        assert_eq!(stops(&guards, (100, 71), 0, none), None, "a share is not past its limit by a rounding");
    }

    #[test]
    fn an_empty_result_stops_unless_it_is_allowed() {
        let guards = Guards::default();
        assert_eq!(stops(&guards, (100, 0), 0, Allowed::default()), Some("--allow-empty"));
        assert_eq!(stops(&guards, (100, 0), 0, Allowed { empty: true, ..Allowed::default() }), None);
        assert_eq!(stops(&Guards { empty_result: true, ..guards }, (100, 0), 0, Allowed::default()), None);
        assert_eq!(stops(&guards, (0, 0), 0, Allowed::default()), None, "it was empty before");
    }

    #[test]
    fn changed_records_stop_past_their_share() {
        let guards = Guards { changed_share: 0.2, ..Guards::default() };
        assert_eq!(stops(&guards, (100, 100), 20, Allowed::default()), None);
        assert_eq!(stops(&guards, (100, 100), 21, Allowed::default()), Some("--allow-changed"));
        assert_eq!(stops(&guards, (100, 100), 21, Allowed { changed: true, ..Allowed::default() }), None);
    }

    #[test]
    fn nulls_stop_past_the_growth_of_their_share_in_columns_that_are_used() {
        let stops = |before: u64, now: u64, columns: &Columns, allowed| {
            let (saw, now) = (of(1_000, &[("email", before), ("other", 0)]), of(100, &[("email", now), ("other", 100)]));
            check(&Guards::default(), Guarded { saw: &saw, now: &now, fresh: Counts::default(), columns }, allowed)
        };
        let email = Columns::Named(["email".to_owned()].into());
        for before in [0, 100, 200, 350] {
            let now = (before + 500) / 10;
            assert_eq!(stops(before, now, &email, Allowed::default()), None, "{before}");
            assert_eq!(stops(before, now + 1, &email, Allowed::default()).unwrap().flag, "--allow-null", "{before}");
        }
        assert_eq!(stops(0, 51, &email, Allowed { null: true, ..Allowed::default() }), None);
        assert_eq!(stops(0, 0, &Columns::Named(["id".to_owned()].into()), Allowed::default()), None, "a column that is not used");
        assert!(stops(0, 51, &Columns::All, Allowed::default()).unwrap().message.contains("`other`"), "the worst is told");
    }
}
