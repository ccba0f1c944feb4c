//! `outflow doctor`: is the state sound? And a way out where it is not.

use std::sync::Arc;

use outflow_contract::Error;
use outflow_contract::clock::Clock;
use outflow_engine::clock::SystemClock;
use outflow_engine::run::Aside;
use outflow_engine::time::{parsed_ms, unix_ms};
use outflow_ledger::integrity::{self, Examined, Finding, Severity};
use outflow_ledger::store::{LocalStore, examine_folder};
use outflow_planner::Loaded;
use serde_json::json;

use crate::args::{DoctorArgs, Global};
use crate::commands::confirm::confirmed;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{self, Console};

pub(crate) async fn run(global: &Global, args: &DoctorArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    if let Some(name) = &args.set_aside {
        return set_aside(&loaded, name, args, console).await;
    }
    let examined = examine(&loaded, args.quick)?;
    let sound = examined.findings.iter().all(|finding| finding.severity != Severity::Error);
    let state = loaded.project.state.display().to_string();
    if console.is_json() {
        console.json(&json!({
            "sound": sound,
            "state": state,
            "format": outflow_ledger::object::FORMAT,
            "quick": args.quick,
            "objects": examined.objects,
            "bytes": examined.bytes,
            "findings": examined.findings,
        }));
    } else {
        render::examined::print(console, &state, &examined, sound);
    }
    Ok(if sound { Exit::Ok } else { Exit::Failed })
}

fn examine(loaded: &Loaded, quick: bool) -> Result<Examined, Error> {
    let root = &loaded.project.state;
    let mut findings = examine_folder(root);
    if !root.exists() {
        let remedy = "nothing: the first run makes it";
        findings.push(Finding::new(Severity::Note, root.display().to_string(), "there is no state yet", remedy));
        return Ok(Examined { findings, ..Examined::default() });
    }
    let mut examined = match LocalStore::open(root) {
        Ok(store) => {
            findings.extend(store.probe()?);
            let now_ms = unix_ms(SystemClock::new().wall());
            integrity::examine(&store, integrity::Options { quick, now_ms, parse_ms: parsed_ms })?
        }
        Err(error) => {
            let remedy = error.remedy_text().unwrap_or("make sure that this user may write there");
            findings.push(Finding::new(Severity::Error, root.display().to_string(), error.to_string(), remedy));
            Examined::default()
        }
    };
    findings.append(&mut examined.findings);
    Ok(Examined { findings, ..examined })
}

async fn set_aside(loaded: &Loaded, name: &str, args: &DoctorArgs, console: &Console) -> Result<Exit, Failure> {
    let engine = project::open(loaded, Arc::new(Progress::new(console)))?;
    let aside = engine.to_be_set_aside(name).await?;
    if !confirmed(console, args.yes, &format!("outflow doctor --set-aside {name}"), "forgets what was delivered", &question(&aside))? {
        return Ok(Exit::Ok);
    }
    let folder = engine.set_aside(&aside, args.wait).await?;
    if console.is_json() {
        console.json(&json!({ "model": aside.model, "mappings": aside.mappings, "folder": folder }));
        return Ok(Exit::Ok);
    }
    console.say(&format!("{} set aside in {folder}; delete that folder once nothing of it is needed.", what(&aside)));
    console.say("The next sync sends every record of the model as added, unless `outflow baseline` says that they are there already.");
    Ok(Exit::Ok)
}

fn question(aside: &Aside) -> String {
    format!(
        "{} will be forgotten: what was delivered, what waits to be sent again, and the history. The next sync sends every record as added; \
         a record that is gone from the model by then is never deleted at the destination.",
        what(aside)
    )
}

fn what(aside: &Aside) -> String {
    let quoted: Vec<String> = aside.mappings.iter().map(|name| format!("`{name}`")).collect();
    let mappings = match quoted.len() {
        0 => String::new(),
        1 => format!("the state of mapping {}", quoted[0]),
        _ => format!("the states of mappings {}", quoted.join(", ")),
    };
    match (&aside.model, mappings.is_empty()) {
        (Some(model), true) => format!("The state of model `{model}`"),
        (Some(model), false) => format!("The state of model `{model}`, with {mappings},"),
        (None, _) => format!("T{}", &mappings[1..]),
    }
}
