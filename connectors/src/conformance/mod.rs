//! What every implementation of a seam must do, as suites that return what is violated: nothing, for a good one.
//!
//! They take the traits, so that they run on whatever the registry holds, and return text rather than panic, so that a
//! caller can say which implementation it was.

pub mod destination;
pub mod source;
