//! Is the chain of a model the one that a mapping's state stands on? Pure; rule 6.
//!
//! ```text
//! mapping   cursor 5 (id c), knows commit 7          stands on
//! model     commit 7: versions 3 4 5 (id c)          this, and on whatever follows it
//!           commit 6: versions 3 4                   not on this: its newest commit was taken away
//!           commit 9: versions 3 4 5 (id x) 6        nor on this: the number 5 was given a second time
//! ```
//!
//! Where a mapping stands on more than its model has, nothing of that model may be extracted: the next version would have a number that the
//! mapping has counted already, and what changed in it would never be sent.

use outflow_contract::{Error, Result};

use crate::commit::{Footing, MappingCommit, ModelCommit};
use crate::integrity::lost;

/// How a state departs from the chain of its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// In words.
    pub message: String,
    /// It will be told of every later head of this chain, too: the version has an id that the chain does not have.
    pub lasts: bool,
}

impl Departure {
    /// With what follows from it.
    #[must_use]
    pub fn so(self, what: &str) -> Self {
        Self { message: format!("{}: {what}", self.message), ..self }
    }

    /// As an error, with the way on.
    pub fn error(self, mapping: &str) -> Error {
        Error::corrupt(self.message).remedy(way_on(mapping))
    }
}

/// What to do where the state of `mapping` departs from its model's.
pub fn way_on(mapping: &str) -> String {
    let lost = lost(mapping);
    format!("files of the state were taken away or replaced by older ones: {lost}; `outflow baseline {mapping}` counts all as delivered")
}

/// Does the state of `mapping` depart from `head`, the newest commit of its model?
pub fn departs(mapping: &str, state: &MappingCommit, head: Option<&ModelCommit>) -> Option<Departure> {
    if state.ended.is_some() {
        return None;
    }
    let who = (format!("mapping `{mapping}`"), "has delivered");
    compare(who, &state.model, state.cursor, state.footing.as_ref(), head)
}

/// Is `head` the chain of which a sync of `mapping` has sealed `version`? An error if it is not.
pub fn check_sealed(mapping: &str, model: &str, (version, on): (u64, Option<&Footing>), head: Option<&ModelCommit>) -> Result<()> {
    let who = (format!("an interrupted run of mapping `{mapping}`"), "delivers");
    // What an earlier sync saw that is sent again may have been dropped since.
    let cursor = head.is_none_or(|head| version >= head.dropped.through).then_some(version);
    let departure = compare(who, model, cursor, on, head);
    departure.map_or(Ok(()), |departure| Err(Error::corrupt(departure.message).remedy(lost(mapping))))
}

fn compare(
    (who, has): (String, &str),
    model: &str,
    cursor: Option<u64>,
    on: Option<&Footing>,
    head: Option<&ModelCommit>,
) -> Option<Departure> {
    let id = on.and_then(|on| on.version_id.as_ref());
    let departs = |message: String, lasts: bool| Some(Departure { message, lasts });
    let Some(head) = head else {
        return match (cursor, on) {
            (Some(cursor), _) => departs(format!("{who} {has} version {cursor} of model `{model}`, which has no state"), id.is_some()),
            (None, Some(on)) => departs(format!("{who} knows commit {} of model `{model}`, which has no state", on.commit), false),
            (None, None) => None,
        };
    };
    if let Some(cursor) = cursor {
        let (oldest, newest) = (head.dropped.through + 1, head.version);
        if !(head.dropped.through..=newest).contains(&cursor) {
            let message = format!("{who} {has} version {cursor} of model `{model}`, whose state has versions {oldest} to {newest}");
            return departs(message, id.is_some());
        }
        if id.is_some() && head.version_id(cursor) != id {
            let message =
                format!("{who} {has} version {cursor} of model `{model}`, and the version {cursor} in the state now is another one");
            return departs(message, true);
        }
    }
    let known = on.map_or(0, |on| on.commit);
    if known > head.number {
        let message = format!("{who} knows commit {known} of model `{model}`, whose state ends with commit {}", head.number);
        return departs(message, false);
    }
    None
}

#[cfg(test)]
mod tests {
    use outflow_contract::{Counts, Selection};

    use super::*;
    use crate::commit::{Dropped, ExtractionInfo, VersionInfo};

    /// A model at `number`, with versions of these ids after those that were dropped.
    fn model(number: u64, through: u64, ids: &[Option<&str>]) -> ModelCommit {
        let info = |(version, id): (u64, Option<&str>)| VersionInfo {
            version,
            at: String::new(),
            counts: Counts::default(),
            files: Vec::new(),
            id: id.map(str::to_owned),
        };
        ModelCommit {
            number,
            version: through + ids.len() as u64,
            at: String::new(),
            schema: None,
            id: Vec::new(),
            salt: 0,
            hash_format: 1,
            query_hash: String::new(),
            files: Vec::new(),
            hashes: Vec::new(),
            versions: (through + 1..).zip(ids.iter().copied()).map(info).collect(),
            dropped: Dropped { through, id: Some("gone".into()) },
            next_file: 0,
            extraction: ExtractionInfo::default(),
        }
    }

    fn mapping(cursor: Option<u64>, on: Option<(u64, Option<&str>)>) -> MappingCommit {
        let fresh = MappingCommit::nothing("m", "users", "d", String::new(), Selection::All, Vec::new());
        let footing = on.map(|(commit, id)| Footing { commit, version_id: id.map(str::to_owned) });
        MappingCommit { cursor, footing, ..fresh }
    }

    fn found(state: &MappingCommit, head: &ModelCommit) -> Option<(String, bool)> {
        departs("m", state, Some(head)).map(|departure| (departure.message, departure.lasts))
    }

    #[test]
    fn a_mapping_stands_on_its_version_and_on_all_that_follows() {
        let head = model(9, 2, &[Some("a"), Some("b"), Some("c")]);
        for cursor in 2..=5 {
            let state = mapping(Some(cursor), Some((7, head.version_id(cursor).map(String::as_str))));
            assert_eq!(found(&state, &head), None, "{cursor}");
        }
        assert_eq!(found(&mapping(None, None), &head), None);
        assert_eq!(head.footing(4), Footing { commit: 9, version_id: Some("b".into()) });
        assert_eq!(head.footing(2), Footing { commit: 9, version_id: Some("gone".into()) });
    }

    #[test]
    fn a_version_that_the_model_no_longer_has_or_has_given_twice_is_a_departure() {
        let head = model(9, 2, &[Some("a"), Some("b")]);
        let (message, lasts) = found(&mapping(Some(5), Some((7, Some("c")))), &head).unwrap();
        assert!(message.contains("has delivered version 5 of model `users`, whose state has versions 3 to 4") && lasts, "{message}");
        let (message, lasts) = found(&mapping(Some(4), Some((7, Some("x")))), &head).unwrap();
        assert!(message.contains("the version 4 in the state now is another one") && lasts, "{message}");
        assert!(found(&mapping(Some(1), Some((7, Some("x")))), &head).is_some());
        assert!(found(&mapping(Some(4), Some((7, Some("x")))), &model(9, 2, &[None, None])).is_some());
        let none = departs("m", &mapping(Some(4), None), None).unwrap();
        assert!(none.message.contains("which has no state") && !none.lasts, "{}", none.message);
    }

    #[test]
    fn a_commit_that_the_model_no_longer_has_is_a_departure_even_where_its_version_is_there() {
        let head = model(9, 2, &[Some("a"), Some("b")]);
        for state in [mapping(Some(4), Some((10, Some("b")))), mapping(None, Some((10, None)))] {
            let (message, lasts) = found(&state, &head).unwrap();
            assert!(message.contains("knows commit 10 of model `users`, whose state ends with commit 9") && !lasts, "{message}");
        }
        assert!(departs("m", &mapping(None, Some((1, None))), None).is_some());
    }

    #[test]
    fn a_state_of_before_there_were_ids_is_known_by_its_number_alone() {
        let head = model(9, 2, &[Some("a"), Some("b")]);
        assert_eq!(found(&mapping(Some(4), None), &head), None);
        let (_, lasts) = found(&mapping(Some(5), None), &head).unwrap();
        assert!(!lasts, "another version 5 would be taken for this one");
    }

    #[test]
    fn a_mapping_that_has_ended_stands_on_nothing() {
        let ended = MappingCommit { ended: Some(String::new()), ..mapping(Some(9), None) };
        assert_eq!(departs("m", &ended, None), None);
    }

    #[test]
    fn a_run_that_was_sealed_on_another_chain_is_not_taken_up() {
        let head = model(9, 2, &[Some("a"), Some("b")]);
        let on = |id: &str| Footing { commit: 9, version_id: Some(id.to_owned()) };
        let check = |version, on: &Footing, head| check_sealed("m", "users", (version, Some(on)), head);
        check(4, &on("b"), Some(&head)).unwrap();
        check(1, &on("x"), Some(&head)).unwrap();
        for refused in [check(4, &on("x"), Some(&head)), check(5, &on("x"), Some(&head)), check(4, &on("b"), None)] {
            let error = refused.unwrap_err();
            assert!(error.remedy_text().unwrap().contains("outflow doctor --set-aside m"), "{error}");
        }
    }
}
