//! `outflow gc`: what is older than `retention` says is dropped.

use std::sync::Arc;

use outflow_engine::retain::{RetainOptions, Retained};
use serde_json::json;

use crate::args::{GcArgs, Global};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project;
use crate::render::{self, Console};

pub(crate) async fn run(global: &Global, args: &GcArgs, console: &Console) -> Result<Exit, Failure> {
    let loaded = project::load(global)?;
    console.protect(&loaded.project.redactor);
    let progress = Arc::new(Progress::new(console));
    let open = if args.dry_run { project::open_to_read } else { project::open };
    let engine = open(&loaded, Arc::clone(&progress) as Arc<_>)?;
    let retained = engine.retain(RetainOptions { dry_run: args.dry_run, wait: args.wait }).await;
    progress.clear();
    let retained = retained?;
    if console.is_json() {
        let total = retained.iter().map(Retained::total);
        let (files, bytes) = total.fold((0, 0), |(files, bytes), one| (files + one.files, bytes + one.bytes));
        console.json(&json!({ "dry_run": args.dry_run, "files": files, "bytes": bytes, "models": retained }));
    } else {
        render::retained::print(console, &retained, args.dry_run);
    }
    let busy = retained.iter().any(|model| model.busy.is_some());
    Ok(if busy { Exit::Busy } else { Exit::Ok })
}
