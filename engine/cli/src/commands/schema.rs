//! `outflow schema`: the JSON Schema of outflow.yml.

use crate::app::{Exit, Failure};
use crate::project;
use crate::render::Console;

pub(crate) fn run(console: &Console) -> Result<Exit, Failure> {
    console.json(&outflow_planner::schema::schema(&project::descriptors()));
    Ok(Exit::Ok)
}
