//! Progress while a run works, on standard error: bars on a terminal, a plain line now and then elsewhere, and JSON lines under
//! `--log-format json`. The same facts in each of them.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use outflow_contract::report::{Status, SyncReport};
use outflow_engine::extract::Extracted;
use outflow_engine::run::Observer;
use tokio::time::Instant;

use crate::project;
use crate::render::{self as words, Console, Tone, cut, paint, plain, thousands};

/// How often a bar looks at its counter.
const TICK: Duration = Duration::from_millis(100);
/// How often a line is written where there are no bars.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A terminal narrower than this shows bars without their figures at the end.
const WIDTH_MIN: usize = 76;

/// The bars on the screen, for whoever else writes to standard error.
static ON_SCREEN: OnceLock<MultiProgress> = OnceLock::new();

/// Standard error for the log: its lines stand above the bars.
pub(crate) struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let write = || std::io::stderr().lock().write_all(bytes);
        ON_SCREEN.get().map_or_else(write, |bars| bars.suspend(write))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// How progress is told.
enum Telling {
    Bars { bars: MultiProgress, color: bool, width: usize },
    Lines,
    Events,
    Not,
}

/// Shows how a run goes.
pub(crate) struct Progress {
    telling: Telling,
    /// Of the run, for programs that read its lines.
    run_id: String,
    /// Is a line left of each sync? One alone has its table.
    each: bool,
    /// Was any left yet?
    left: AtomicBool,
    /// When the extraction that is under way began.
    extracting: Mutex<Option<Instant>>,
    current: Mutex<Option<Watched>>,
}

/// A phase that is under way.
struct Watched {
    bar: Option<ProgressBar>,
    watching: tokio::task::JoinHandle<()>,
}

/// What a phase is about.
#[derive(Clone, Debug)]
struct Phase {
    name: &'static str,
    run_id: String,
    sync_id: Option<String>,
    mapping: Option<String>,
    model: String,
    total: Option<u64>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reached {
    records: u64,
    /// Records for each second of late.
    rate: u64,
}

impl Phase {
    /// The mapping, or the model while there is none.
    fn subject(&self) -> &str {
        self.mapping.as_deref().unwrap_or(&self.model)
    }

    /// `deliver people_to_crm: 12,000 of 30,000 records, 4,000/s, 5 s left`
    fn line(&self, Reached { records, rate }: Reached) -> String {
        let mut line = format!("{} {}: ", self.name, self.subject());
        match self.total {
            Some(total) => line.push_str(&format!("{} of {}", thousands(records), words::records(total))),
            None => line.push_str(&words::records(records)),
        }
        line.push_str(&format!(", {}/s", thousands(rate)));
        if let Some(left) = self.seconds_left(Reached { records, rate }) {
            line.push_str(&format!(", {} left", words::seconds_left(left)));
        }
        line
    }

    fn seconds_left(&self, Reached { records, rate }: Reached) -> Option<f64> {
        let rest = self.total?.checked_sub(records)?;
        (rate > 0).then(|| rest as f64 / rate as f64)
    }

    fn event(&self, reached: Reached, message: &str) {
        let Self { name: phase, run_id, sync_id, mapping, model, total } = self;
        let Reached { records, rate } = reached;
        let seconds_left = self.seconds_left(reached).map(|seconds| seconds.ceil() as u64);
        tracing::info!(run_id, sync_id, mapping, model, phase, records, total, rate, seconds_left, "{message}");
    }
}

impl Progress {
    /// For a command that is about one mapping, or sends nothing.
    pub(crate) fn new(console: &Console) -> Self {
        Self::of_run(console, project::run_id(), 1)
    }

    /// For `run_id`, a run of `mappings` mappings.
    pub(crate) fn of_run(console: &Console, run_id: String, mappings: usize) -> Self {
        let telling = if console.logs_json() {
            Telling::Events
        } else if console.draws_progress() {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            // There is one run in a process; were there another, its log would be drawn over its bars, and that is all.
            let bars = ON_SCREEN.get_or_init(|| bars).clone();
            Telling::Bars { bars, color: console.paints_talk(), width: console.width_talk() }
        } else if console.tells_progress() && !console.is_json() {
            Telling::Lines
        } else {
            Telling::Not
        };
        Self { telling, run_id, each: mappings > 1, left: AtomicBool::new(false), extracting: Mutex::default(), current: Mutex::new(None) }
    }

    /// Takes the bars off the screen, and parts the lines that stay there from what follows.
    pub(crate) fn clear(&self) {
        self.replace(None);
        if let (Telling::Bars { bars, .. }, true) = (&self.telling, self.left.load(Ordering::Relaxed)) {
            drop(bars.println(""));
        }
    }

    fn replace(&self, next: Option<Watched>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *current, next) {
            old.watching.abort();
            if let Some(bar) = old.bar {
                bar.finish_and_clear();
            }
        }
    }

    fn of_model(&self, name: &'static str, model: &str) -> Phase {
        Phase { name, run_id: self.run_id.clone(), sync_id: None, mapping: None, model: model.to_owned(), total: None }
    }

    fn of_sync(&self, name: &'static str, sync: &SyncReport, total: u64) -> Phase {
        let (sync_id, mapping) = (Some(sync.sync_id.clone()), Some(sync.mapping.clone()));
        Phase { sync_id, mapping, total: Some(total), ..self.of_model(name, &sync.model) }
    }

    /// A phase begins. `counter` counts its records, where it has any.
    fn begin(&self, phase: Phase, counter: Option<Arc<AtomicU64>>) {
        let watched = match (&self.telling, counter) {
            (Telling::Bars { bars, width, .. }, counter) => Some(draw(bars, &phase, counter, *width)),
            (Telling::Lines, Some(counter)) => Some(watch(phase, counter, |phase, reached| tell(&phase.line(reached)))),
            (Telling::Events, Some(counter)) => Some(watch(phase, counter, |phase, reached| phase.event(reached, "under way"))),
            _ => None,
        };
        self.replace(watched);
    }

    fn line(&self, line: &str) {
        if matches!(self.telling, Telling::Lines) {
            tell(line);
        }
    }

    fn event(&self, phase: &Phase, message: &str) {
        if matches!(self.telling, Telling::Events) {
            phase.event(Reached { records: 0, rate: 0 }, message);
        }
    }

    fn finished_event(&self, sync: &SyncReport) {
        let SyncReport { sync_id, mapping, model, destination, counts, requests, bytes, .. } = sync;
        let (run_id, status, phase, message) = (&self.run_id, sync.status.as_str(), "finished", sync.message.as_deref());
        let (records, failed, seconds) = (counts.delivered.total, counts.failed.total, sync.timing.total);
        let (total, rate) = (counts.selected.total, per_second(records, sync.timing.deliver));
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    run_id,
                    sync_id,
                    mapping,
                    model,
                    destination,
                    phase,
                    status,
                    records,
                    total,
                    failed,
                    rate,
                    requests,
                    bytes,
                    seconds,
                    reason = message,
                    "sync finished"
                )
            };
        }
        match sync.status {
            Status::Failed | Status::Blocked | Status::Cancelled => log!(error),
            Status::PartialSuccess | Status::Paused => log!(warn),
            Status::Success | Status::NoChanges | Status::Skipped => log!(info),
        }
    }
}

/// A command that ends early leaves no bar behind.
impl Drop for Progress {
    fn drop(&mut self) {
        self.replace(None);
    }
}

fn per_second(records: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (records as f64 / seconds).round() as u64 } else { 0 }
}

fn tell(line: &str) {
    // A reader that has gone away is no reason to stop.
    drop(writeln!(std::io::stderr().lock(), "{}", plain(line)));
}

/// Says how far a phase is, now and then.
fn watch(phase: Phase, counter: Arc<AtomicU64>, say: impl Fn(&Phase, Reached) + Send + 'static) -> Watched {
    let watching = tokio::spawn(async move {
        let (mut before, mut at) = (0, Instant::now());
        loop {
            tokio::time::sleep(LINE_EVERY).await;
            let (records, now) = (counter.load(Ordering::Relaxed), Instant::now());
            let rate = per_second(records.saturating_sub(before), (now - at).as_secs_f64());
            (before, at) = (records, now);
            say(&phase, Reached { records, rate });
        }
    });
    Watched { bar: None, watching }
}

/// Draws a bar, or a spinner where the end is not known.
fn draw(bars: &MultiProgress, phase: &Phase, counter: Option<Arc<AtomicU64>>, width: usize) -> Watched {
    let bar = phase.total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let figures = if width < WIDTH_MIN { "" } else { "  {rate}" };
    let template = match (phase.total, &counter) {
        (Some(_), _) if width > 120 => "{spinner} {prefix}  {msg}  {bar:40}  {done}{figures}  {left}".to_owned(),
        (Some(_), _) => "{spinner} {prefix}  {msg}  {wide_bar}  {done}{figures}  {left}".to_owned(),
        (None, Some(_)) => "{spinner} {prefix}  {msg}  {done} records{figures}".to_owned(),
        (None, None) => "{spinner} {prefix}  {msg}".to_owned(),
    };
    let style = ProgressStyle::with_template(&template.replace("{figures}", figures)).unwrap_or_else(|_| ProgressStyle::default_bar());
    // A bar without one of its figures is still a bar.
    let write = |into: &mut dyn std::fmt::Write, text: String| into.write_str(&text).unwrap_or_default();
    let style = style
        .with_key("rate", move |state: &ProgressState, into: &mut dyn std::fmt::Write| {
            write(into, format!("{}/s", thousands(state.per_sec() as u64)));
        })
        .with_key("done", move |state: &ProgressState, into: &mut dyn std::fmt::Write| {
            let total = state.len().map(|total| format!("/{}", thousands(total))).unwrap_or_default();
            write(into, format!("{}{total}", thousands(state.pos())));
        })
        .with_key("left", move |state: &ProgressState, into: &mut dyn std::fmt::Write| {
            let known = state.pos() > 0 && state.len() > Some(state.pos());
            write(into, if known { format!("{} left", words::seconds_left(state.eta().as_secs_f64())) } else { String::new() });
        })
        .progress_chars("━╸ ");
    let name = cut(&plain(phase.subject()), width / 3);
    let bar = bars.add(bar).with_style(style).with_prefix(phase.name).with_message(name);
    let shown = bar.clone();
    let watching = tokio::spawn(async move {
        loop {
            match &counter {
                Some(counter) => shown.set_position(counter.load(Ordering::Relaxed)),
                None => shown.tick(),
            }
            tokio::time::sleep(TICK).await;
        }
    });
    Watched { bar: Some(bar), watching }
}

/// The line that a sync leaves above the bars.
fn finished_line(color: bool, width: usize, sync: &SyncReport) -> String {
    let (sign, tone) = match sync.status {
        Status::Success => ("✓", Tone::Good),
        Status::NoChanges | Status::Skipped => ("·", Tone::Faint),
        Status::PartialSuccess | Status::Paused => ("!", Tone::Warn),
        Status::Failed | Status::Blocked | Status::Cancelled => ("✗", Tone::Bad),
    };
    let counts = &sync.counts;
    let failed = if counts.failed.total > 0 { format!(", {} failed", thousands(counts.failed.total)) } else { String::new() };
    let delivered = if counts.delivered.total > 0 { format!("  {} delivered", thousands(counts.delivered.total)) } else { String::new() };
    let name = cut(&plain(&sync.mapping), width / 2);
    let rest = format!("{}{delivered}{failed}  {}", sync.status.as_str(), words::seconds(sync.timing.total));
    let rest = cut(&rest, width.saturating_sub(words::text::width(&name) + 4));
    format!("{} {name}  {}", paint(color, tone, sign), paint(color, Tone::Faint, &rest))
}

impl Observer for Progress {
    fn extracting(&self, model: &str, records: Arc<AtomicU64>) {
        let phase = self.of_model("extract", model);
        self.line(&format!("extract {model}"));
        self.event(&phase, "extraction started");
        *self.extracting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.begin(phase, Some(records));
    }

    fn extracted(&self, model: &str, extracted: &Extracted) {
        let counts = extracted.counts;
        self.line(&format!(
            "extracted {model}: {}, {} added, {} updated, {} deleted",
            words::records(extracted.extracted),
            thousands(counts.added),
            thousands(counts.updated),
            thousands(counts.deleted)
        ));
        if matches!(self.telling, Telling::Events) {
            let began = self.extracting.lock().unwrap_or_else(PoisonError::into_inner).take();
            let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
            let (run_id, phase, records, rate) = (&self.run_id, "extract", extracted.extracted, per_second(extracted.extracted, seconds));
            let (added, updated, deleted, unchanged) = (counts.added, counts.updated, counts.deleted, extracted.unchanged);
            tracing::info!(run_id, model, phase, records, total = records, added, updated, deleted, unchanged, rate, seconds, "extracted");
        }
        self.begin(self.of_model("plan", model), None);
    }

    fn waiting(&self, mapping: &str, why: &str) {
        self.line(&format!("{mapping}: {why}"));
        match &self.telling {
            // The line stays above the bars. A terminal that has gone away is no reason to stop.
            Telling::Bars { bars, .. } => drop(bars.println(plain(&format!("{mapping}: {why}")))),
            Telling::Events => {
                let (run_id, phase) = (&self.run_id, "wait");
                tracing::info!(run_id, mapping, phase, "{why}");
            }
            Telling::Lines | Telling::Not => {}
        }
    }

    fn delivering(&self, sync: &SyncReport, total: u64, records: Arc<AtomicU64>) {
        let phase = self.of_sync("deliver", sync, total);
        self.line(&format!("deliver {}: {}", sync.mapping, words::records(total)));
        self.event(&phase, "delivery started");
        self.begin(phase, Some(records));
    }

    fn finished(&self, sync: &SyncReport) {
        self.replace(None);
        match &self.telling {
            Telling::Bars { bars, color, width } if self.each => {
                self.left.store(true, Ordering::Relaxed);
                drop(bars.println(finished_line(*color, *width, sync)));
            }
            Telling::Lines => {
                let delivered = words::records(sync.counts.delivered.total);
                tell(&format!("{}: {}, {delivered} delivered, {}", sync.mapping, sync.status.as_str(), words::seconds(sync.timing.total)));
            }
            Telling::Events => self.finished_event(sync),
            Telling::Bars { .. } | Telling::Not => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_how_fast_and_how_long_it_takes() {
        let deliver = Phase {
            name: "deliver",
            run_id: "r".into(),
            sync_id: None,
            mapping: Some("people_to_crm".into()),
            model: "people".into(),
            total: Some(30_000),
        };
        let at = |records, rate| Reached { records, rate };
        assert_eq!(deliver.line(at(12_000, 4_000)), "deliver people_to_crm: 12,000 of 30,000 records, 4,000/s, 5 s left");
        assert_eq!(deliver.line(at(12_000, 0)), "deliver people_to_crm: 12,000 of 30,000 records, 0/s", "who knows");
        let extract = Phase { name: "extract", mapping: None, total: None, ..deliver };
        assert_eq!(extract.line(at(1, 1)), "extract people: 1 record, 1/s");
        assert_eq!((per_second(10, 4.0), per_second(10, 0.0)), (3, 0));
    }
}
