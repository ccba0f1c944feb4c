//! What people see. Standard output carries results, standard error everything else.

pub(crate) mod catalog;
mod cells;
pub(crate) mod diff;
mod error;
pub(crate) mod examined;
pub(crate) mod history;
pub(crate) mod pending;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod retained;
pub(crate) mod run;
mod say;
pub(crate) mod show;
pub(crate) mod suggest;
mod sync;
mod table;
pub(crate) mod text;
pub(crate) mod trial;
pub(crate) mod tried;

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use outflow_contract::Error;
use outflow_contract::secret::Redactor;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Color, Global, LogFormat, Output};
use crate::project::environment;

pub(crate) use error::{document_of, problem_as_json};
pub(crate) use outflow_contract::report::{counted, records, thousands};
pub(crate) use table::{Align, Table};
pub(crate) use text::{cut, fold, plain, wrap};

/// The width where there is no terminal to ask, and no `COLUMNS`.
const WIDTH: usize = 100;
/// Narrower terminals are written to as if they had so many columns, wider ones as if they had no more.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=200;

/// Where output goes, and how it may look.
pub(crate) struct Console {
    output: Output,
    quiet: bool,
    verbose: bool,
    /// On standard output.
    color: bool,
    /// On standard error.
    color_talk: bool,
    width: usize,
    /// The same of standard error.
    width_talk: usize,
    /// Standard error carries JSON lines, and nothing else.
    logs_json: bool,
    /// Takes secrets out of errors, once there is a project.
    redactor: OnceLock<Redactor>,
    /// There is an edge that a table must not run over.
    cuts: bool,
    /// Standard error has an edge.
    cuts_talk: bool,
}

/// A meaning; how it looks is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
    Faint,
    Strong,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }
}

#[allow(clippy::unused_self, reason = "what is printed goes through the console, whether it needs its state or not")]
impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        // `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM` and whether it is a terminal at all.
        let color = |choice: anstream::ColorChoice| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => choice != anstream::ColorChoice::Never,
        };
        let columns = environment("COLUMNS").and_then(|columns| columns.trim().parse::<usize>().ok()).filter(|&columns| columns > 0);
        let known = |size: Option<(terminal_size::Width, terminal_size::Height)>| size.map(|(width, _)| width.0.into()).or(columns);
        let within = |width: usize| width.clamp(*WIDTHS.start(), *WIDTHS.end());
        let out = known(terminal_size::terminal_size_of(std::io::stdout()));
        let err = known(terminal_size::terminal_size_of(std::io::stderr()));
        Self {
            redactor: OnceLock::new(),
            cuts: out.is_some(),
            cuts_talk: err.is_some(),
            output: global.output,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            logs_json: global.log_format == LogFormat::Json,
            color: color(anstream::AutoStream::choice(&std::io::stdout())),
            color_talk: color(anstream::AutoStream::choice(&std::io::stderr())),
            width: within(out.unwrap_or(WIDTH)),
            width_talk: within(err.unwrap_or(WIDTH)),
        }
    }

    /// From here on, errors are shown without these secrets.
    pub(crate) fn protect(&self, redactor: &Redactor) {
        // The first project is the only one.
        self.redactor.get_or_init(|| redactor.clone());
    }

    /// `text` without secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.redactor.get().map_or_else(|| text.to_owned(), |redactor| redactor.clean(text))
    }

    /// `value` without secrets.
    pub(crate) fn clean_value(&self, mut value: Value) -> Value {
        if let Some(redactor) = self.redactor.get() {
            outflow_engine::preview::redact(&mut value, redactor);
        }
        value
    }

    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    pub(crate) fn stdout_is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// May bars be drawn on standard error?
    pub(crate) fn draws_progress(&self) -> bool {
        let dumb = environment("TERM").is_some_and(|term| term == "dumb");
        std::io::stderr().is_terminal() && !dumb && self.tells_progress()
    }

    /// May plain lines of progress be written there?
    pub(crate) fn tells_progress(&self) -> bool {
        !self.quiet && !self.logs_json
    }

    /// Is only said what has gone wrong?
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Is more than results asked for?
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose && self.tells_progress()
    }

    /// Does standard error carry JSON lines, and nothing else?
    pub(crate) fn logs_json(&self) -> bool {
        self.logs_json
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The width of standard error.
    pub(crate) fn width_talk(&self) -> usize {
        self.width_talk
    }

    /// How wide a line may be there that is one line in a file.
    pub(crate) fn edge_talk(&self) -> usize {
        if self.cuts_talk { self.width_talk } else { usize::MAX }
    }

    /// Are there colours on standard error?
    pub(crate) fn paints_talk(&self) -> bool {
        self.color_talk
    }

    /// How wide a table may be.
    pub(crate) fn table_width(&self) -> usize {
        if self.cuts { self.width } else { usize::MAX }
    }

    /// `text` in a tone, for standard output.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.color, tone, text)
    }

    /// `text` in a tone, for standard error.
    pub(crate) fn paint_talk(&self, tone: Tone, text: &str) -> String {
        paint(self.color_talk, tone, text)
    }

    /// A line of results. A reader that has gone away is no error.
    pub(crate) fn line(&self, text: &str) {
        note_written(writeln!(std::io::stdout().lock(), "{text}"));
    }

    /// A part of a result, without a line break.
    pub(crate) fn part(&self, text: &str) {
        note_written(std::io::stdout().lock().write_all(text.as_bytes()));
    }

    /// Something on standard error, without a line break.
    pub(crate) fn talk(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
    }

    /// A document of results, where there is no console yet.
    pub(crate) fn print_json(document: &impl Serialize) {
        let text = serde_json::to_string_pretty(document).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        note_written(writeln!(std::io::stdout().lock(), "{text}"));
    }

    /// A document of results.
    pub(crate) fn json(&self, document: &impl Serialize) {
        Self::print_json(document);
    }
}

/// Why results could not be written, once that has happened.
static UNWRITTEN: OnceLock<Error> = OnceLock::new();

fn note_written(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        UNWRITTEN.get_or_init(|| {
            Error::io("what the command did is done and recorded, but its results could not be written to standard output", error)
                .remedy("see that there is room where the output goes; `outflow history` and `outflow show` tell what was done")
        });
    }
}

/// Why results of this command did not reach standard output, if that is so. To be asked at its end.
pub(crate) fn unwritten() -> Option<&'static Error> {
    note_written(std::io::stdout().lock().flush());
    UNWRITTEN.get()
}

/// `text` in a tone, if there are colours.
pub(crate) fn paint(color: bool, tone: Tone, text: &str) -> String {
    if !color || text.is_empty() {
        return text.to_owned();
    }
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

/// `850 ms`, `3.2 s`, `4 min 05 s`, `1 h 02 min`
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{:.0} min {:02.0} s", (s / 60.0).floor(), s % 60.0),
        s => format!("{:.0} h {:02.0} min", (s / 3600.0).floor(), (s % 3600.0 / 60.0).floor()),
    }
}

/// How long something will take, `5 s`, `1 min 05 s`: nobody knows that to the tenth.
pub(crate) fn seconds_left(seconds: f64) -> String {
    if seconds < 60.0 { format!("{:.0} s", seconds.ceil()) } else { self::seconds(seconds.ceil()) }
}

/// `512 B`, `3.4 kB`, `12 MB`
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut size = n as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    if size < 10.0 { format!("{size:.1} {}", UNITS[unit]) } else { format!("{size:.0} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well_at_every_size() {
        assert_eq!([0.85, 3.21, 245.0, 3725.0].map(seconds), ["850 ms", "3.2 s", "4 min 05 s", "1 h 02 min"]);
        assert_eq!([0.2, 4.0, 59.5, 64.2].map(seconds_left), ["1 s", "4 s", "60 s", "1 min 05 s"]);
        assert_eq!([12, 3400, 12_400_000, 999_999].map(bytes), ["12 B", "3.4 kB", "12 MB", "1.0 MB"]);
    }
}
