//! `outflow plan`: what a run would send.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use crate::args::{Global, PlanArgs};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{Console, plan};

pub(crate) async fn run(global: &Global, args: &PlanArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let mappings = project::select(&loaded.project, &args.selecting)?;
    let progress = Arc::new(Progress::new(console));
    let engine = project::open_to_read(&loaded, Arc::clone(&progress) as Arc<_>)?;
    console.protect(&loaded.project.redactor);
    let mut columns = project::check_columns(&loaded, &engine, &mappings).await?;
    let models: BTreeSet<&str> =
        loaded.project.mappings.iter().filter(|mapping| mappings.contains(&mapping.name)).map(|mapping| mapping.model.as_str()).collect();
    // One model that cannot be asked does not keep the plans of the others back.
    if columns.failed.len() >= models.len()
        && let Some(error) = columns.failed.pop()
    {
        return Err(error.into());
    }
    console.warnings_in_brief(&loaded.warnings);
    console.warnings_in_brief(&columns.warnings);
    let plans = engine.plan(&project::run_options(mappings, args.allowing, args.wait)).await;
    progress.clear();
    let plans = plans?;
    if console.is_json() {
        console.json(&json!({ "plans": plans }));
    } else {
        plan::print(console, &plans);
    }
    let something = plans.iter().any(|plan| plan.selected.total > 0 && !plan.disabled && !plan.paused);
    let blocked = plans.iter().any(|plan| plan.blocked);
    Ok(match (args.detailed_exitcode, blocked, something) {
        (_, true, _) => Exit::Failed,
        (true, false, true) => Exit::Invalid,
        _ => Exit::Ok,
    })
}
