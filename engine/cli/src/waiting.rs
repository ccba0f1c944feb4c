//! A sign of life while one thing is waited for: on a terminal, on standard error, gone afterwards.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::render::Console;

/// How often the sign moves.
const TICK: Duration = Duration::from_millis(100);

/// Shows a sign until it is dropped.
pub(crate) struct Waiting(Option<ProgressBar>);

impl Waiting {
    /// `what` is going on: `asking warehouse`.
    pub(crate) fn new(console: &Console, what: String) -> Self {
        Self(console.draws_progress().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style).with_message(what);
            bar.enable_steady_tick(TICK);
            bar
        }))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
