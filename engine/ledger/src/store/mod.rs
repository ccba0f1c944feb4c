//! Implementations of the `StateStore` seam.
//!
//! | store | for |
//! |---|---|
//! | [`LocalStore`] | state on local disk: durable, private, locked by the operating system |
//! | [`MemoryStore`] | tests and dry runs: the same promises, except that nothing outlives the process |
//!
//! Both pass `conformance.rs`, which says in code what the trait says in prose.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod disk;
mod health;
mod local;
mod memory;

use outflow_contract::state_store::{Create, StateStore};
use outflow_contract::{Error, Result};

pub use health::examine_folder;
pub use local::LocalStore;
pub use memory::MemoryStore;

/// Folders of a store's root that are its own business: temporary files and locks.
const RESERVED: [&str; 2] = ["tmp", "locks"];
/// The longest segment of a path, in bytes: what common file systems take.
const SEGMENT_BYTES_MAX: usize = 255;

/// Refuses every path that could leave the store, or mean different things on different file systems.
pub(crate) fn check_path(path: &str) -> Result<()> {
    let mut segments = path.split('/');
    let reserved = segments.clone().next().is_some_and(|first| RESERVED.contains(&first));
    if reserved || !segments.all(is_segment) {
        return Err(Error::invalid(format!("{path:?} is not a path of the state")));
    }
    Ok(())
}

/// Like [`check_path`], for a lock's name, which is one segment.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if !is_segment(name) || name.contains('/') {
        return Err(Error::invalid(format!("{name:?} is not a name for a lock")));
    }
    Ok(())
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.len() <= SEGMENT_BYTES_MAX
        && !segment.contains(|c: char| c.is_control() || c == '\\' || c == ':')
}

/// Creates `path`, which nobody else may have written: a lock is held, or the name carries a nonce.
///
/// An answer other than `Created` or `Ours` is an error, because there is nothing sensible left to do.
pub(crate) fn create_own(store: &dyn StateStore, path: &str, body: bytes::Bytes) -> Result<()> {
    expect_own(path, &store.create(path, body)?)
}

/// The same judgement for a create that has been done already.
pub(crate) fn expect_own(path: &str, created: &Create) -> Result<()> {
    match created {
        Create::Created | Create::Ours => Ok(()),
        Create::Theirs(_) => Err(Error::new(outflow_contract::Kind::Busy, format!("{path} was written by somebody else"))
            .remedy("another run may use the same state without holding its lock: let it end, then run again")),
        Create::Unknown => Err(Error::new(outflow_contract::Kind::Io, format!("it cannot be told whether {path} was written"))
            .remedy("run again: what was begun is found and carried on")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_refused() {
        for path in ["", "/", "/a", "a/", "a//b", "..", "a/../b", ".", "a/./b", "a\0b", "a\nb", "a\\b", "c:a", "tmp/x", "locks/x", "tmp"] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        assert!(check_path(&"x".repeat(SEGMENT_BYTES_MAX + 1)).is_err());
        assert!(check_path(&"x".repeat(SEGMENT_BYTES_MAX)).is_ok());
        for path in ["a", "models/users/commits/000000000001.json", "a/tmp", "models/Ünïcode name/x"] {
            assert!(check_path(path).is_ok(), "{path:?}");
        }
    }
}
