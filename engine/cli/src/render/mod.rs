//! What people see. Standard output carries results, standard error everything else.

pub(crate) mod catalog;
mod cells;
mod error;
pub(crate) mod plan;
pub(crate) mod preview;
mod say;
pub(crate) mod sync;
mod table;
pub(crate) mod trial;
pub(crate) mod tried;

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use outflow_contract::secret::Redactor;
use serde::Serialize;

use crate::args::{Color, Global, Output};
use crate::project::environment;

pub(crate) use outflow_contract::report::{counted, records, thousands};
pub(crate) use table::{Align, Table};

/// The width where there is no terminal to ask, and no `COLUMNS`.
const WIDTH: usize = 100;

/// Where output goes, and how it may look.
pub(crate) struct Console {
    output: Output,
    quiet: bool,
    /// On standard output.
    color: bool,
    /// On standard error.
    color_talk: bool,
    width: usize,
    /// Takes secrets out of errors, once there is a project.
    redactor: std::sync::OnceLock<Redactor>,
    /// There is an edge that a table must not run over.
    cuts: bool,
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
        let color = |choice: anstream::ColorChoice, terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && choice != anstream::ColorChoice::Never,
        };
        let out = color(anstream::AutoStream::choice(&std::io::stdout()), std::io::stdout().is_terminal());
        let err = color(anstream::AutoStream::choice(&std::io::stderr()), std::io::stderr().is_terminal());
        let columns = environment("COLUMNS").and_then(|columns| columns.trim().parse::<usize>().ok()).filter(|&columns| columns > 0);
        let terminal = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0)).or(columns);
        let width = terminal.unwrap_or(WIDTH).clamp(60, 200);
        Self {
            redactor: std::sync::OnceLock::new(),
            cuts: terminal.is_some(),
            output: global.output,
            quiet: global.quiet,
            color: out,
            color_talk: err,
            width,
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

    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    pub(crate) fn stdout_is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// May bars be drawn on standard error?
    pub(crate) fn draws_progress(&self) -> bool {
        std::io::stderr().is_terminal() && !self.quiet
    }

    /// May plain lines of progress be written there?
    pub(crate) fn tells_progress(&self) -> bool {
        !self.quiet
    }

    pub(crate) fn width(&self) -> usize {
        self.width
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
        drop(writeln!(std::io::stdout().lock(), "{text}"));
    }

    /// Something on standard error, without a line break.
    pub(crate) fn talk(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
    }

    /// A document of results.
    pub(crate) fn json(&self, document: &impl Serialize) {
        let text = serde_json::to_string_pretty(document).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        self.line(&text);
    }
}

fn paint(color: bool, tone: Tone, text: &str) -> String {
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

/// `text` without control characters, so that data cannot drive a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// At most `width` characters of `text`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width { text.to_owned() } else { text.chars().take(width.saturating_sub(1)).chain(['…']).collect() }
}

/// `text` broken into lines of at most `width` characters, at spaces.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().map(|line| line.chars().count()).unwrap_or_default();
        if last > 0 && last + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else if let Some(line) = lines.last_mut() {
            if last > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well_at_every_size() {
        assert_eq!([0.85, 3.21, 245.0, 3725.0].map(seconds), ["850 ms", "3.2 s", "4 min 05 s", "1 h 02 min"]);
        assert_eq!([12, 3400, 12_400_000, 999_999].map(bytes), ["12 B", "3.4 kB", "12 MB", "1.0 MB"]);
    }

    #[test]
    fn long_text_wraps_at_words_and_controls_do_not_reach_the_terminal() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(plain("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
