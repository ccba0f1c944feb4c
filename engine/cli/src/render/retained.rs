//! What retention dropped, or would.

use outflow_engine::retain::Retained;

use super::sync::number;
use super::{Align, Console, Table, Tone, bytes, counted, records};

/// Prints it: a line for each model and mapping.
pub(crate) fn print(console: &Console, retained: &[Retained], dry_run: bool) {
    for model in retained.iter().filter_map(|model| model.busy.as_ref().map(|busy| (&model.model, busy))) {
        console.say(&format!("Model `{}` is left as it is: {}. With --wait, this waits for it.", model.0, model.1));
    }
    let done: Vec<&Retained> = retained.iter().filter(|model| model.busy.is_none()).collect();
    if done.iter().all(|model| model.is_nothing()) {
        if retained.len() == done.len() {
            console.say("Nothing is older than `retention` says.");
        }
        return;
    }
    let right = Align::Right;
    let columns = [
        ("model", Align::Give),
        ("mapping", Align::Give),
        ("versions", right),
        ("runs", right),
        ("commits", right),
        ("files", right),
        ("bytes", right),
    ];
    let mut table = Table::new(&columns).drops(&["commits"]);
    for model in &done {
        let deleted = model.deleted;
        table.row(vec![
            (model.model.clone(), Some(Tone::Strong)),
            (String::new(), None),
            number(model.versions, None),
            number(0, None),
            number(deleted.commits, None),
            number(deleted.files, None),
            (bytes(deleted.bytes), None),
        ]);
        for mapping in &model.mappings {
            let deleted = mapping.deleted;
            table.row(vec![
                (String::new(), None),
                (mapping.mapping.clone(), None),
                number(0, None),
                number(mapping.runs, None),
                number(deleted.commits, None),
                number(deleted.files, None),
                (bytes(deleted.bytes), None),
            ]);
        }
    }
    table.print(console);
    for model in &done {
        for (mapping, waiting) in model.mappings.iter().filter_map(|mapping| Some((&mapping.mapping, mapping.folded?))) {
            let have = if dry_run { "would move" } else { "moved" };
            console.say(&format!("What `{mapping}` has not delivered yet {have} to its pending records: {}.", records(waiting)));
        }
        if model.copied > 0 {
            let have = if dry_run { "would be copied" } else { "were copied" };
            console.say(&format!("{} of `{}` {have} out of files that hold little else.", records(model.copied), model.model));
        }
    }
    let (files, size) = done.iter().map(|model| model.total()).fold((0, 0), |(n, size), one| (n + one.files, size + one.bytes));
    let verb = if dry_run { "would be deleted; nothing was" } else { "deleted" };
    console.say(&format!("{}, {}, {verb}.", counted(files, "file"), bytes(size)));
}
