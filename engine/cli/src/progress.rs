//! Progress while a run works: bars on a terminal, plain lines elsewhere, both on standard error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use outflow_contract::report::SyncReport;
use outflow_engine::extract::Extracted;
use outflow_engine::run::Observer;

use crate::render::{self as words, Console, thousands};

/// How often a bar looks at its counter.
const TICK: Duration = Duration::from_millis(100);

/// Shows how a run goes.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    lines: bool,
    current: Mutex<Option<Bar>>,
}

struct Bar {
    bar: ProgressBar,
    watching: tokio::task::JoinHandle<()>,
}

impl Progress {
    pub(crate) fn new(console: &Console) -> Self {
        let bars = console.draws_progress().then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { lines: bars.is_none() && console.tells_progress() && !console.is_json(), bars, current: Mutex::new(None) }
    }

    /// Takes the bars off the screen.
    pub(crate) fn clear(&self) {
        self.replace(None);
    }

    fn replace(&self, next: Option<Bar>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *current, next) {
            old.watching.abort();
            old.bar.finish_and_clear();
        }
    }

    fn start(&self, bar: ProgressBar, template: &str, message: String, counter: Arc<AtomicU64>) {
        let Some(bars) = &self.bars else { return };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        // Whole records: nobody reads the digits behind the point.
        let rate = |state: &ProgressState, into: &mut dyn std::fmt::Write| {
            // A bar without its rate is still a bar.
            into.write_str(&format!("{}/s", thousands(state.per_sec() as u64))).unwrap_or_default();
        };
        let style = style.with_key("rate", rate).progress_chars("━╸ ");
        let bar = bars.add(bar).with_style(style).with_message(message);
        let shown = bar.clone();
        let watching = tokio::spawn(async move {
            loop {
                shown.set_position(counter.load(Ordering::Relaxed));
                tokio::time::sleep(TICK).await;
            }
        });
        self.replace(Some(Bar { bar, watching }));
    }

    fn tell(&self, line: &str) {
        if self.lines {
            anstream::eprintln!("{line}");
        }
    }
}

impl Observer for Progress {
    fn extracting(&self, model: &str, records: Arc<AtomicU64>) {
        self.tell(&format!("extracting {model}"));
        let template = "{spinner} extract  {msg}  {human_pos} records  {rate}";
        self.start(ProgressBar::new_spinner(), template, model.to_owned(), records);
    }

    fn extracted(&self, model: &str, extracted: &Extracted) {
        let counts = extracted.counts;
        self.tell(&format!(
            "extracted {model}: {}, {} added, {} updated, {} deleted",
            words::records(extracted.extracted),
            thousands(counts.added),
            thousands(counts.updated),
            thousands(counts.deleted)
        ));
    }

    fn waiting(&self, mapping: &str, why: &str) {
        self.tell(&format!("{mapping}: {why}"));
        if let Some(bars) = &self.bars {
            // The line stays above the bars. A terminal that has gone away is no reason to stop.
            drop(bars.println(format!("{mapping}: {why}")));
        }
    }

    fn delivering(&self, mapping: &str, total: u64, records: Arc<AtomicU64>) {
        self.tell(&format!("delivering {mapping}: {}", words::records(total)));
        let template = "{spinner} deliver  {msg}  {bar:24}  {human_pos}/{human_len}  {rate}  {eta} left";
        self.start(ProgressBar::new(total), template, mapping.to_owned(), records);
    }

    fn finished(&self, report: &SyncReport) {
        self.replace(None);
        self.tell(&format!("{}: {}", report.mapping, report.status.as_str()));
    }
}
