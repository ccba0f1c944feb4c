//! What was sent of records that wait: from the files of failures that runs have left. Memory: bounded by what those files hold.

use std::collections::HashMap;

use outflow_contract::state_store::StateStore;
use outflow_contract::{Key, Kind, Result};
use outflow_ledger::chain::Chain;
use outflow_ledger::commit::MappingCommit;
use outflow_ledger::failures::read_failures;

/// So many files are looked into: what is set aside may have failed some syncs ago.
const FILES_MAX: usize = 4;
/// So many commits are looked at for them.
const COMMITS_MAX: u64 = 64;

/// The payloads by record; of several the newest.
pub(super) fn payloads(store: &dyn StateStore, mapping: &str, state: &MappingCommit) -> Result<HashMap<Key, String>> {
    // A newer failure without a payload hides an older one, which was of other values.
    let mut newest: HashMap<Key, Option<String>> = HashMap::new();
    for path in files(store, mapping, state)? {
        let failures = match read_failures(store, &path) {
            Ok(failures) => failures,
            Err(error) if error.kind() == Kind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for failure in failures {
            let failure = failure?;
            newest.entry(failure.key).or_insert(failure.payload);
        }
    }
    Ok(newest.into_iter().filter_map(|(key, payload)| Some((key, payload?))).collect())
}

/// The files, newest first.
fn files(store: &dyn StateStore, mapping: &str, state: &MappingCommit) -> Result<Vec<String>> {
    let mut files: Vec<String> = state.failures.iter().cloned().collect();
    let chain = Chain::<MappingCommit>::of_mapping(mapping);
    for number in (state.number.saturating_sub(COMMITS_MAX).max(1)..state.number).rev() {
        if files.len() >= FILES_MAX {
            break;
        }
        // What retention has removed is not there any more.
        let Some(commit) = chain.read(store, number)? else { break };
        files.extend(commit.failures.filter(|path| !files.contains(path)));
    }
    Ok(files)
}
