//! Problems: what is wrong in a project, where, and what to do about it.
//!
//! While a project is checked, a [`Log`] gathers drafts, each with a place in one of its [`Files`]. At the end the log
//! becomes a sorted list of [`Problem`]s, which know their source text and render themselves.
//!
//! Invariant: nothing that leaves here shows a secret. Messages pass through the project's `Redactor`, and the source
//! text that excerpts are cut from has every literal secret overwritten (`mask.rs`).

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use outflow_contract::secret::Redactor;

use crate::mask;
use crate::window::Window;

/// More problems than this are counted rather than shown.
const PROBLEMS_MAX: usize = 500;

/// A range of bytes in one of the project's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    /// Which file, by its number in [`Files`].
    pub(crate) file: u32,
    /// The first byte.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
}

impl Span {
    /// A range of bytes of file number `file`.
    pub(crate) fn new(file: u32, start: usize, end: usize) -> Self {
        Self { file, start: start as u32, end: end.max(start) as u32 }
    }

    /// The part of this span from byte `start` of it, `length` bytes long.
    pub(crate) fn part(self, start: usize, length: usize) -> Self {
        Self::new(self.file, self.start as usize + start, self.start as usize + start + length)
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The project cannot be used.
    Error,
    /// It can, but something in it deserves a look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A problem on its way into the log.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    severity: Severity,
    span: Option<Span>,
    message: String,
    label: Option<String>,
    help: Option<String>,
    also: Vec<(Span, String)>,
    gap: bool,
}

impl Draft {
    pub(crate) fn new(severity: Severity, span: Option<Span>, message: impl Into<String>) -> Self {
        Self { severity, span, message: message.into(), label: None, help: None, also: Vec::new(), gap: false }
    }

    /// A word or two at the place itself.
    pub(crate) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// `did you mean …?` at the place, if a name is near.
    pub(crate) fn meant(&mut self, nearest: Option<&str>) -> &mut Self {
        if let Some(name) = nearest {
            self.label = Some(format!("did you mean `{name}`?"));
        }
        self
    }

    /// What to do about it.
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// It only says that something is still to be filled in.
    pub(crate) fn gap(&mut self) -> &mut Self {
        self.gap = true;
        self
    }

    /// A second place that belongs to it.
    pub(crate) fn also(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.also.push((span, label.into()));
        self
    }
}

/// The texts that places refer to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files(Vec<(String, String)>);

impl Files {
    /// Adds a file and returns its number.
    pub(crate) fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> u32 {
        self.0.push((name.into(), text.into()));
        (self.0.len() - 1) as u32
    }

    /// The text of a place.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.0.get(span.file as usize).and_then(|(_, text)| text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }
}

/// Gathers the problems of one load.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// The texts read so far.
    pub(crate) files: Files,
    /// Every secret of the project.
    pub(crate) redactor: Redactor,
    drafts: Vec<Draft>,
    masks: Vec<Span>,
    /// Texts of which nothing more is to be said, by their beginning: their end, and the number of drafts that came before.
    silenced: BTreeMap<(u32, u32), (u32, usize)>,
    /// Variables that are not set: the draft that says so, and where else they are used.
    unset: BTreeMap<String, (usize, Vec<Span>)>,
}

impl Log {
    /// Something that makes the project unusable.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Draft {
        self.push(Draft::new(Severity::Error, Some(span), message))
    }

    /// The same, of no place in a file.
    pub(crate) fn error_nowhere(&mut self, message: impl Into<String>) -> &mut Draft {
        self.push(Draft::new(Severity::Error, None, message))
    }

    /// Something that deserves a look.
    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) -> &mut Draft {
        self.push(Draft::new(Severity::Warning, Some(span), message))
    }

    fn push(&mut self, draft: Draft) -> &mut Draft {
        let at = self.drafts.len();
        self.drafts.push(draft);
        &mut self.drafts[at]
    }

    /// Says nothing more of this place: what is wrong with it has been said, and the rest would follow from that.
    pub(crate) fn silence(&mut self, span: Span) {
        self.silenced.entry((span.file, span.start)).or_insert((span.end, self.drafts.len()));
    }

    /// A variable of the environment that is not set is reported once, wherever it is used.
    pub(crate) fn unset(&mut self, name: &str, place: Span) {
        if let Some((_, more)) = self.unset.get_mut(name) {
            more.push(place);
            return;
        }
        self.unset.insert(name.to_owned(), (self.drafts.len(), Vec::new()));
        self.error(place, format!("the environment variable `{name}` is not set"))
            .label("used here")
            .help(format!("set it before the run, for example `export {name}=…`; it may be empty, but it must be set"));
    }

    /// Tells of the other places of variables that are not set.
    fn tell_unset(&mut self) {
        const LINES_MAX: usize = 10;
        for (draft, more) in std::mem::take(&mut self.unset).into_values() {
            let Some(draft) = self.drafts.get_mut(draft) else { continue };
            let line = |span: &Span| {
                let text = self.files.0.get(span.file as usize).and_then(|(_, text)| text.get(..span.start as usize)).unwrap_or("");
                text.matches('\n').count() + 1
            };
            let first = draft.span.as_ref().map(line);
            let lines: std::collections::BTreeSet<usize> = more.iter().map(line).filter(|line| Some(*line) != first).collect();
            if lines.is_empty() {
                continue;
            }
            let shown: Vec<String> = lines.iter().take(LINES_MAX).map(ToString::to_string).collect();
            let rest = if lines.len() > LINES_MAX { format!(" and {} more", lines.len() - LINES_MAX) } else { String::new() };
            let noun = if lines.len() == 1 { "line" } else { "lines" };
            draft.help = draft.help.take().map(|help| format!("{help}. It is also used in {noun} {}{rest}", shown.join(", ")));
        }
    }

    /// Where errors begin.
    pub(crate) fn error_starts(&self) -> std::collections::BTreeSet<(u32, u32)> {
        let errors = self.drafts.iter().filter(|draft| draft.severity == Severity::Error);
        errors.filter_map(|draft| draft.span).map(|span| (span.file, span.start)).collect()
    }

    /// Hides a place in every excerpt.
    pub(crate) fn mask(&mut self, span: Span) {
        self.masks.push(span);
    }

    /// Has anything made the project unusable?
    pub(crate) fn failed(&self) -> bool {
        self.drafts.iter().any(|draft| draft.severity == Severity::Error)
    }

    /// The problems sorted by place, and the means to make more of them later.
    pub(crate) fn finish(mut self) -> (Vec<Problem>, Renderer) {
        self.tell_unset();
        let sources = self.files.0.into_iter().enumerate().map(|(number, (name, text))| {
            let hidden = self.masks.iter().filter(|span| span.file as usize == number);
            let text = mask::mask(text, hidden.map(|span| span.start as usize..span.end as usize));
            Arc::new(NamedSource::new(name, text))
        });
        let renderer = Renderer { sources: sources.collect(), redactor: self.redactor };
        let silenced = |number: usize, span: Span| {
            let nearest = self.silenced.range(..=(span.file, span.start)).next_back();
            nearest.is_some_and(|((file, _), (end, before))| *file == span.file && span.end <= *end && number >= *before)
        };
        let drafts = self.drafts.into_iter().enumerate();
        let kept = drafts.filter(|(number, draft)| draft.span.is_none_or(|span| !silenced(*number, span)));
        (renderer.problems(kept.map(|(_, draft)| draft).collect()), renderer)
    }
}

/// Turns drafts into problems once all texts and secrets are known.
#[derive(Clone)]
pub(crate) struct Renderer {
    sources: Vec<Arc<NamedSource<String>>>,
    redactor: Redactor,
}

impl Renderer {
    /// Sorted by place, each once.
    pub(crate) fn problems(&self, mut drafts: Vec<Draft>) -> Vec<Problem> {
        drafts.sort_by_key(|draft| draft.span);
        // An anchor that is used several times repeats its problems at the same place.
        let mut seen = HashSet::new();
        drafts.retain(|draft| seen.insert((draft.span, draft.message.clone())));
        let more = drafts.len().saturating_sub(PROBLEMS_MAX);
        drafts.truncate(PROBLEMS_MAX);
        let mut problems: Vec<Problem> = drafts.into_iter().map(|draft| self.problem(draft)).collect();
        if more > 0 {
            let mut draft = Draft::new(Severity::Error, None, format!("there are {more} more problems"));
            draft.help("mend these first");
            problems.push(self.problem(draft));
        }
        problems
    }

    pub(crate) fn problem(&self, draft: Draft) -> Problem {
        let clean = |text: String| mask::printable(&self.redactor.clean(&text));
        let source = draft.span.and_then(|span| self.sources.get(span.file as usize)).cloned();
        // A label covers one line: a whole block under one says no more.
        let label = |span: Span, text: Option<String>| {
            let (start, end) = (span.start as usize, span.end as usize);
            let covered = source.as_deref().and_then(|source| source.inner().get(start..end)).unwrap_or("");
            Label { start, end: start + covered.lines().next().unwrap_or("").len(), text }
        };
        let mut labels: Vec<Label> = draft.span.map(|span| label(span, draft.label.map(clean))).into_iter().collect();
        let same_file = |span: &Span| Some(span.file) == draft.span.map(|span| span.file);
        labels.extend(draft.also.into_iter().filter(|(span, _)| same_file(span)).map(|(span, text)| label(span, Some(clean(text)))));
        let (severity, place) = (draft.severity, draft.span);
        Problem { severity, message: clean(draft.message), help: draft.help.map(clean), labels, source, place, gap: draft.gap }
    }
}

#[derive(Clone, Debug)]
struct Label {
    start: usize,
    end: usize,
    text: Option<String>,
}

/// One thing that is wrong: what, where, and what to do about it. Renders through `miette`.
#[derive(Clone, Debug)]
pub struct Problem {
    severity: Severity,
    message: String,
    help: Option<String>,
    labels: Vec<Label>,
    source: Option<Arc<NamedSource<String>>>,
    place: Option<Span>,
    gap: bool,
}

impl Problem {
    /// Does it only say that a required field of a mapping is still to be filled in?
    pub fn is_gap(&self) -> bool {
        self.gap
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, if that is known: the suggestion at the place first, then the help.
    pub fn help(&self) -> Option<String> {
        let label = self.labels.first().and_then(|label| label.text.as_deref()).filter(|text| text.starts_with("did you mean"));
        match (label, &self.help) {
            (Some(label), Some(help)) => Some(format!("{label} {help}")),
            (Some(text), None) => Some(text.to_owned()),
            (None, help) => help.clone(),
        }
    }

    /// The file as the project names it, such as `outflow.yml`.
    pub fn file(&self) -> Option<&str> {
        self.source.as_deref().map(NamedSource::name)
    }

    /// The line and the column in characters, both from 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        let before = self.text()?.get(..self.labels.first()?.start)?;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((before.matches('\n').count() + 1, column))
    }

    /// The line of the file at that place, literal secrets hidden.
    pub fn excerpt(&self) -> Option<&str> {
        let (line, _) = self.position()?;
        self.text()?.lines().nth(line - 1)
    }

    /// The first label's bytes and text.
    pub(crate) fn label(&self) -> Option<(std::ops::Range<usize>, Option<&str>)> {
        self.labels.first().map(|label| (label.start..label.end, label.text.as_deref()))
    }

    /// The whole text of the file, literal secrets hidden.
    pub(crate) fn text(&self) -> Option<&str> {
        self.source.as_deref().map(|source| source.inner().as_str())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = |(number, label): (usize, &Label)| {
            let (text, range) = (label.text.clone(), label.start..label.end);
            if number == 0 { LabeledSpan::new_primary_with_span(text, range) } else { LabeledSpan::new_with_span(text, range) }
        };
        Some(Box::new(self.labels.iter().enumerate().map(span)))
    }
}

/// Everything that is wrong with a project, sorted by place. At least one of them is an error.
#[derive(Clone, Debug)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// All of them for a terminal of `width` columns.
    pub fn render(&self, theme: &GraphicalTheme, width: usize) -> String {
        render(&self.0, theme, width)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            let gap = if number == 0 { "" } else { "\n" };
            let place = match (problem.file(), problem.position()) {
                (Some(file), Some((line, column))) => format!("{file}:{line}:{column}: "),
                _ => String::new(),
            };
            write!(f, "{gap}{place}{}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// All of them, sorted by place, each once.
pub fn merged(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.place);
    let mut seen = HashSet::new();
    problems.retain(|problem| seen.insert((problem.place, problem.message.clone())));
    problems
}

/// `problems` for a terminal of `width` columns, with their excerpts.
pub fn render(problems: &[Problem], theme: &GraphicalTheme, width: usize) -> String {
    let handler = GraphicalReportHandler::new_themed(theme.clone())
        .with_width(width)
        .with_context_lines(1)
        // A path is copied whole, or not at all.
        .with_break_words(false)
        .with_word_separator(textwrap::WordSeparator::AsciiSpace)
        .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
        .without_syntax_highlighting();
    let mut text = String::new();
    for (number, problem) in problems.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        let window = Window::of(problem);
        let report: &dyn Diagnostic = window.as_ref().map_or(problem as &dyn Diagnostic, |window| window);
        // Writing to a string cannot fail; a problem that cannot be drawn is still named.
        if handler.render_report(&mut text, report).is_err() {
            text.push_str(&problem.message);
            text.push('\n');
        }
    }
    text
}
