//! Projects through the planner's front door: what loads, what is refused, and what people read when it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::format_collect, clippy::format_push_string, reason = "tests build small texts")]

mod declared;
mod golden;
mod hostile;
mod loads;
mod refusals;
mod schema;
mod select;
mod support;
