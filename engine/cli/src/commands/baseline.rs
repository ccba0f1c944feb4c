//! `outflow baseline`: every record counts as delivered, and nothing is sent.

use std::sync::Arc;

use serde_json::json;

use crate::args::{BaselineArgs, Global};
use crate::commands::confirm::confirmed;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{Console, records, thousands};

pub(crate) async fn run(global: &Global, args: &BaselineArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let mapping = &args.mapping;
    project::known_mapping(&loaded, mapping)?;
    let question = format!("Every record that the model of `{mapping}` returns now will count as delivered, without being sent.");
    if !confirmed(console, args.yes, &format!("outflow baseline {mapping}"), "counts every record as delivered", &question)? {
        return Ok(Exit::Ok);
    }
    let progress = Arc::new(Progress::new(console));
    let engine = project::open(&loaded, Arc::clone(&progress) as Arc<_>)?;
    console.protect(&loaded.project.redactor);
    let done = engine.baseline(mapping, args.wait).await;
    progress.clear();
    let done = done?;
    if console.is_json() {
        console.json(&json!({
            "mapping": mapping,
            "version": done.version,
            "records": done.records,
            "dropped_pending": done.dropped_pending,
        }));
        return Ok(Exit::Ok);
    }
    let count = if done.records == 1 { "counts" } else { "count" };
    console.say(&format!(
        "{} of version {} {count} as delivered for `{mapping}`. Nothing was sent; from here on only changes are.",
        records(done.records),
        thousands(done.version)
    ));
    if done.dropped_pending > 0 {
        let waited = if done.dropped_pending == 1 { "that waited to be sent again is" } else { "that waited to be sent again are" };
        console.say(&format!("{} {waited} among them.", records(done.dropped_pending)));
    }
    Ok(Exit::Ok)
}
