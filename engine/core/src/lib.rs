//! The engine: runs a plan. Its modules are the path of the data, in order:
//!
//! | module | does |
//! |---|---|
//! | [`run`] | the path on one page: which models, which mappings, which locks |
//! | [`extract`] | one pass over a model's result becomes one version |
//! | [`diff`] | hashes, equality, what changed |
//! | [`snapshot`] | what a model's versions add up to: keys, hashes, places of values |
//! | [`scratch`] | what does not fit in memory |
//! | [`seal`] | what one sync has to do, fixed before its first byte leaves |
//! | [`map`] | records to bytes |
//! | [`deliver`] | bytes to requests, answers to outcomes |
//! | [`commit`] | outcomes to the mapping's next state; recovery is the same |
//! | [`retain`] | what is too old to be kept goes |
//! | [`plan`] | what a run would do, without doing it |
//! | [`try_one`] | one record of a mapping, looked at or sent ahead |
//! | [`preview`] | the first records of a model |
//! | [`compare`] | what changed between two versions of a model |
//! | [`check`] | tries a destination, without changing anything there |
//! | [`cancel`] | how what is under way is asked to end |
//! | [`clock`], [`time`] | the real clock; moments as text |

pub mod cancel;
pub mod check;
pub mod clock;
pub mod commit;
pub mod compare;
pub mod deliver;
pub mod diff;
pub mod extract;
pub mod map;
pub mod plan;
pub mod preview;
pub mod retain;
pub mod run;
pub mod scratch;
pub mod seal;
pub mod snapshot;
pub mod time;
pub mod try_one;

use outflow_contract::{Error, Result};

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::bug("a task of the engine stopped").caused_by(e))?
}
