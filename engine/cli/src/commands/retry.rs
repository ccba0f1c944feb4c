//! `outflow retry`: a run without an extraction; or failed records are set aside.

use std::sync::Arc;

use outflow_contract::Error;
use outflow_engine::run::{Retry, Which};
use outflow_planner::list;
use serde_json::json;

use crate::args::{Global, RetryArgs, Selecting};
use crate::commands::run::{self, Wanted};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{Console, records};

pub(crate) async fn run(global: &Global, args: &RetryArgs, console: &Console) -> Result<Exit, Failure> {
    if args.acknowledge {
        return acknowledge(global, args, console).await;
    }
    if !args.id.is_empty() {
        the_only_mapping(global, args, "--id")?;
    }
    let selecting = selecting(&args.selecting, &args.mappings);
    let retry = Some(Retry { ids: args.id.clone(), set_aside: args.acknowledged });
    run::recorded(global, Wanted { selecting: &selecting, allowing: args.allowing, wait: args.wait, retry }, console).await
}

/// Patterns and names together.
pub(super) fn selecting(selecting: &Selecting, mappings: &[String]) -> Selecting {
    let mut selecting = selecting.clone();
    selecting.select.extend_from_slice(mappings);
    selecting
}

/// The one mapping that is meant: identifiers and codes are of one.
fn the_only_mapping(global: &Global, args: &RetryArgs, option: &str) -> Result<String, Failure> {
    let loaded = project::load(global)?;
    let mut selected = project::select(&loaded.project, &selecting(&args.selecting, &args.mappings))?;
    match (selected.pop(), selected.as_slice()) {
        (Some(one), []) => Ok(one),
        (last, others) => {
            let names = list(others.iter().map(String::as_str).chain(last.as_deref()));
            Err(Error::invalid(format!("{option} wants one mapping, and {} are selected", others.len() + usize::from(last.is_some())))
                .remedy(format!("name one of them: {names}"))
                .into())
        }
    }
}

async fn acknowledge(global: &Global, args: &RetryArgs, console: &Console) -> Result<Exit, Failure> {
    let name = the_only_mapping(global, args, "--acknowledge")?;
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    let which = match (&args.code, args.all) {
        (Some(code), _) => Which::Code(code.clone()),
        (None, true) => Which::All,
        (None, false) => Which::Ids(args.id.clone()),
    };
    let progress = Arc::new(Progress::new(console));
    let engine = project::open(&loaded, Arc::clone(&progress) as Arc<_>)?;
    let done = engine.acknowledge(&name, which, args.wait).await;
    progress.clear();
    let done = done?;
    if console.is_json() {
        console.json(&json!({ "mapping": name, "set_aside": done.records, "already": done.already, "left": done.left }));
        return Ok(Exit::Ok);
    }
    let are = |n: u64| if n == 1 { "is" } else { "are" };
    let told = match (done.records, done.already) {
        (0, already) => format!("{} of `{name}` {} set aside already.", records(already), are(already)),
        (n, 0) => format!("{} of `{name}` {} set aside", records(n), are(n)),
        (n, already) => {
            format!("{} of `{name}` {} set aside, beside {} that {} already", records(n), are(n), records(already), are(already))
        }
    };
    let until = format!(": not attempted until it changes, or `outflow retry {name} --acknowledged` asks for it.");
    let until = if done.records == 1 { until } else { until.replace("it changes", "they change").replace("for it", "for them") };
    console.say(&if done.records == 0 { told } else { format!("{told}{until}") });
    if done.left > 0 {
        console.say(&format!("{} still {}: the next sync tries again.", records(done.left), if done.left == 1 { "waits" } else { "wait" }));
    }
    Ok(Exit::Ok)
}
