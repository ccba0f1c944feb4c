//! Where everything lies in the state. The only place that knows; paths found inside objects are checked against it.
//!
//! ```text
//! models/<model>/commits/<n>.json          the chain
//! models/<model>/versions/<n>/<file>       change sets
//! models/<model>/snapshots/<n>/<file>      what the versions up to n add up to
//! mappings/<mapping>/commits/<n>.json      the chain
//! mappings/<mapping>/runs/<epoch>/<file>   plan.json, the sealed parts, journal, failures.parquet, report.json, pending parts
//! ```
//!
//! Numbers have twelve digits, so that names sort as numbers do. Names of models and mappings have been checked by the planner.

/// The sealed plan of a run.
pub const PLAN: &str = "plan.json";
/// The journal of a run.
pub const JOURNAL: &str = "journal";
/// The failed records of a run.
pub const FAILURES: &str = "failures.parquet";
/// The report of a run.
pub const REPORT: &str = "report.json";
/// The positions of a run that were settled at its seal.
pub const SEEN: &str = "seen";
/// The folder of all mappings.
pub const MAPPINGS: &str = "mappings";

/// The folder of all models.
pub const MODELS: &str = "models";

/// The folder of a model.
pub fn model(model: &str) -> String {
    format!("models/{model}")
}

/// The folder of a model's change sets.
pub fn versions(model: &str) -> String {
    format!("models/{model}/versions")
}

/// A file of a model's version.
pub fn version_file(model: &str, version: u64, file: &str) -> String {
    format!("models/{model}/versions/{version:012}/{file}")
}

/// The folder of a model's snapshots.
pub fn snapshots(model: &str) -> String {
    format!("models/{model}/snapshots")
}

/// A file of a model's snapshot.
pub fn snapshot_file(model: &str, version: u64, file: &str) -> String {
    format!("models/{model}/snapshots/{version:012}/{file}")
}

/// The folder of a mapping.
pub fn mapping(mapping: &str) -> String {
    format!("{MAPPINGS}/{mapping}")
}

/// The folder of all runs of a mapping.
pub fn runs(mapping: &str) -> String {
    format!("{MAPPINGS}/{mapping}/runs")
}

/// The folder of a run.
pub fn run(mapping: &str, epoch: u64) -> String {
    format!("{MAPPINGS}/{mapping}/runs/{epoch:012}")
}

/// A file of a run: [`PLAN`], [`JOURNAL`], a [`part`], …
pub fn run_file(mapping: &str, epoch: u64, file: &str) -> String {
    format!("{MAPPINGS}/{mapping}/runs/{epoch:012}/{file}")
}

/// The folder of a chain of commits, in the folder of its model or mapping.
pub fn commits(owner: &str) -> String {
    format!("{owner}/commits")
}

/// A commit, in the folder of its model or mapping.
pub fn commit(owner: &str, number: u64) -> String {
    format!("{owner}/commits/{number:012}.json")
}

/// The name of a Parquet file. The nonce keeps it apart from what a run that was killed has left under the same number.
pub fn part(kind: &str, nonce: u64, index: u32) -> String {
    format!("{kind}-{nonce:016x}-{index:03}.parquet")
}

/// The number of a commit, from the last segment of its path.
pub fn commit_number(path: &str) -> Option<u64> {
    number(path.rsplit('/').next()?.strip_suffix(".json")?)
}

/// The epoch of a run and the file in it, from a path below [`runs`] of the mapping.
pub fn epoch_and_file<'a>(mapping: &str, path: &'a str) -> Option<(u64, &'a str)> {
    let rest = path.strip_prefix(&runs(mapping))?.strip_prefix('/')?;
    let (epoch, file) = rest.split_once('/')?;
    Some((number(epoch)?, file))
}

/// The lock that an extraction of the model holds.
pub fn extraction_lock(model: &str) -> String {
    lock("extract", &[model])
}

/// The lock of a mapping's state: whoever changes it holds this one, wherever the mapping writes.
pub fn mapping_lock(mapping: &str) -> String {
    lock("mapping", &[mapping])
}

/// The lock that a delivery holds: one for all mappings of the model that write to the same account (rule 18).
pub fn delivery_lock(model: &str, account: &str) -> String {
    lock("deliver", &[model, account])
}

/// Names may be of any length and account names hold any character, so they are hashed.
fn lock(kind: &str, names: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in names {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    format!("{kind}-{}", &hasher.finalize().to_hex()[..32])
}

/// Twelve digits or more, as written here, and nothing else.
fn number(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (format!("{number:012}") == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_as_documented() {
        assert_eq!(commit(&model("users"), 7), "models/users/commits/000000000007.json");
        assert_eq!(version_file("users", 7, "a.parquet"), "models/users/versions/000000000007/a.parquet");
        assert_eq!(snapshot_file("users", 7, "a.parquet"), "models/users/snapshots/000000000007/a.parquet");
        assert_eq!(commit(&mapping("m"), 1), "mappings/m/commits/000000000001.json");
        assert_eq!(run_file("m", 3, PLAN), "mappings/m/runs/000000000003/plan.json");
        assert_eq!(part("changes", 255, 2), "changes-00000000000000ff-002.parquet");
    }

    #[test]
    fn numbers_are_read_back_and_odd_names_are_not_numbers() {
        assert_eq!(commit_number(&commit("models/users", u64::MAX)), Some(u64::MAX));
        for name in ["7.json", "000000000007", "+00000000007.json", "0000000000007.json", "000000000007.json.bak", ""] {
            assert_eq!(commit_number(name), None, "{name}");
        }
        assert_eq!(epoch_and_file("m", &run_file("m", 3, PLAN)), Some((3, PLAN)));
        assert_eq!(epoch_and_file("m", &run_file("mm", 3, PLAN)), None);
    }

    #[test]
    fn locks_are_told_apart_by_every_name() {
        let locks = [delivery_lock("a", "bc"), delivery_lock("ab", "c"), extraction_lock("a"), extraction_lock("b"), mapping_lock("a")];
        assert!(locks.iter().enumerate().all(|(i, a)| locks[i + 1..].iter().all(|b| a != b)));
        assert!(locks.iter().all(|lock| lock.len() < 64 && !lock.contains('/')));
    }
}
