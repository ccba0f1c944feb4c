//! `outflow preview`: the first records of a model.

use jiff::Timestamp;
use outflow_engine::preview::Preview;
use serde_json::{Map, Value, json};

use crate::args::{Global, PreviewArgs};
use crate::exit::{Exit, Failure};
use crate::render::{Console, Tone, preview, seconds};
use crate::waiting::Waiting;
use crate::{previews, project};

pub(crate) async fn run(global: &Global, args: &PreviewArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    let known = &loaded.project;
    let model = known.model(&args.model).ok_or_else(|| {
        let remedy =
            |model: &str| format!("preview its model: `outflow preview {model}`; or try the mapping: `outflow test {}`", args.model);
        project::unknown_model(known, &args.model, remedy)
    })?;
    console.warnings_in_brief(&loaded.warnings);
    console.protect(&known.redactor);
    let engine = project::open_sources(&loaded)?;
    let limit = args.limit as usize;
    // A file that was changed is another one.
    let data = known.source(&model.source).map(outflow_connectors::state).unwrap_or_default();
    let key = engine.preview_key(&model.name, limit, &data)?;
    let kept = if args.refresh { None } else { previews::read(&known.root, &key) };
    let is_kept = kept.is_some();
    let mut found = if let Some(kept) = kept {
        say_kept(console, &kept, engine.clock.wall());
        kept
    } else {
        let waiting = Waiting::new(console, format!("asking {}", model.source));
        let found = engine.preview(&model.name, limit).await?;
        drop(waiting);
        previews::keep(&known.root, &key, &found);
        found
    };
    // What was kept may be of another model with the same query, and older than a secret.
    found.model.clone_from(&model.name);
    found.redact(&known.redactor);
    if console.is_json() {
        console.json(&document(&found, is_kept));
    } else {
        preview::print(console, &found, limit);
    }
    Ok(Exit::Ok)
}

fn say_kept(console: &Console, kept: &Preview, now: std::time::SystemTime) {
    if !console.tells_progress() {
        return;
    }
    let taken: Option<Timestamp> = kept.taken_at.parse().ok();
    let age = taken.zip(Timestamp::try_from(now).ok()).map(|(taken, now)| now.duration_since(taken).as_secs_f64().max(0.0));
    let ago = age.map(|age| format!(", {} ago", seconds(age))).unwrap_or_default();
    let moment = taken.map_or_else(|| kept.taken_at.clone(), |taken| taken.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    let line = format!("kept from {moment}{ago}; --refresh asks {} again", kept.source);
    console.talk(&format!("{}\n", console.paint_talk(Tone::Faint, &line)));
}

fn document(preview: &Preview, is_kept: bool) -> Value {
    let names = || preview.columns.iter().map(|column| column.name.clone());
    let records: Vec<Map<String, Value>> = preview.records.iter().map(|record| names().zip(record.iter().cloned()).collect()).collect();
    let columns: Vec<Value> = preview.columns.iter().map(|column| json!({ "name": column.name, "type": column.kind })).collect();
    json!({
        "model": preview.model,
        "source": preview.source,
        "columns": columns,
        "records": records,
        "cached_at": is_kept.then_some(&preview.taken_at),
    })
}
