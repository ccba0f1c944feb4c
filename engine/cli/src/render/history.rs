//! Past syncs, a line each.

use outflow_contract::report::SyncReport;

use super::sync::{moment, number, tone};
use super::{Align, Console, Table, Tone, seconds};

/// Prints them. `more`: there are others that were not asked for.
pub(crate) fn print(console: &Console, reports: &[SyncReport], more: bool) {
    let right = Align::Right;
    let columns = [
        ("started", Align::Left),
        ("sync", Align::Left),
        ("mapping", Align::Give),
        ("destination", Align::Give),
        ("status", Align::Left),
        ("delivered", right),
        ("failed", right),
        ("requests", right),
        ("time", right),
    ];
    // A sync's id begins with the moment at which it started.
    let mut table = Table::new(&columns).drops(&["requests", "destination", "time", "started"]).drops_last(&["failed", "delivered"]);
    for report in reports {
        table.row(vec![
            (moment(&report.started_at), Some(Tone::Faint)),
            (report.sync_id.clone(), None),
            (report.mapping.clone(), Some(Tone::Strong)),
            (report.destination.clone(), None),
            (report.status.as_str().to_owned(), Some(tone(report.status))),
            number(report.counts.delivered.total, Some(Tone::Good)),
            number(report.counts.failed.total, Some(Tone::Bad)),
            number(report.requests, None),
            (seconds(report.timing.total), None),
        ]);
    }
    table.print(console);
    if more {
        console.line(&console.paint(Tone::Faint, "There are older ones: --limit NUMBER shows more."));
    }
}
