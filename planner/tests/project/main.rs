//! Projects through the planner's front door: what loads, what is refused, and what people read when it is.

mod golden;
mod hostile;
mod loads;
mod schema;
mod select;
mod support;
