//! `outflow test MAPPING`: what exactly is sent for one record; and sends it, if asked to.

use std::sync::Arc;

use outflow_contract::plan::Mapping;
use outflow_contract::report::Status;
use outflow_engine::run::Engine;
use outflow_engine::try_one::{SentOne, Tried};
use outflow_planner::Loaded;
use serde_json::json;

use crate::args::TestArgs;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{Console, tried};
use crate::waiting::Waiting;

pub(super) async fn run(loaded: &Loaded, mapping: &Mapping, args: &TestArgs, console: &Console) -> Result<Exit, Failure> {
    let engine = project::open_for_one(loaded, args.send, Arc::new(Progress::new(console)))?;
    if let Some(error) = project::check_columns(loaded, &engine, std::slice::from_ref(&mapping.name)).await?.failed.pop() {
        return Err(error.into());
    }
    let waiting = Waiting::new(console, format!("{} {}", if args.send { "sending" } else { "mapping" }, mapping.name));
    if args.send {
        let sent = engine.send_one(&mapping.name, args.record.as_deref(), args.wait).await;
        drop(waiting);
        return Ok(sent_one(mapping, &sent?, &engine, console));
    }
    let found = engine.try_mapping(&mapping.name, args.record.as_deref()).await;
    drop(waiting);
    Ok(only_tried(mapping, &found?, &engine, console))
}

fn only_tried(mapping: &Mapping, found: &Tried, engine: &Engine, console: &Console) -> Exit {
    let gateway = gateway(engine, mapping);
    if console.is_json() {
        console.json(&tried::document(console, mapping, found, gateway));
    } else {
        tried::print(console, mapping, found, gateway);
        tried::others(console, found);
        console.line("");
        let enabled = mapping.enabled && engine.project.destination(&mapping.destination).is_some_and(|destination| destination.enabled);
        let remark = match enabled {
            _ if found.refused.is_some() => "Nothing was sent.".to_owned(),
            true => format!("Nothing was sent. `outflow test {} --send` sends this one record.", tried::named(mapping, found)),
            false => "Nothing was sent, and nothing would be: the mapping, or its destination, is disabled.".to_owned(),
        };
        console.say(&remark);
    }
    if found.refused.is_some() { Exit::Failed } else { Exit::Ok }
}

fn sent_one(mapping: &Mapping, sent: &SentOne, engine: &Engine, console: &Console) -> Exit {
    let gateway = gateway(engine, mapping);
    if console.is_json() {
        let mut document = tried::document(console, mapping, &sent.tried, gateway);
        document["sent"] = json!({
            "status": sent.report.status.as_str(),
            "delivered": sent.report.counts.delivered.total,
            "answer": sent.answer.as_deref().map(|answer| console.clean(answer)),
            "sync": sent.report,
        });
        console.json(&document);
    } else {
        tried::print(console, mapping, &sent.tried, gateway);
        tried::sent(console, &sent.report, sent.answer.as_deref());
    }
    match sent.report.status {
        Status::Success | Status::NoChanges | Status::Skipped => Exit::Ok,
        Status::PartialSuccess | Status::Paused => Exit::Partial,
        Status::Failed | Status::Blocked | Status::Cancelled => Exit::Failed,
    }
}

/// Where requests really go, if it is not where they say.
fn gateway<'a>(engine: &'a Engine, mapping: &Mapping) -> Option<&'a str> {
    engine.project.destination(&mapping.destination).and_then(|destination| destination.gateway.as_deref())
}
