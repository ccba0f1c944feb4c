//! `outflow schema`: the JSON Schema of outflow.yml.

use crate::exit::Exit;
use crate::project;
use crate::render::Console;

pub(crate) fn run(console: &Console) -> Exit {
    console.json(&outflow_planner::schema::schema(&project::descriptors()));
    Exit::Ok
}
