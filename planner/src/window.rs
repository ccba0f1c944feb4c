//! A problem in a line too long to show: the same problem with a piece of the line.
//!
//! Without it a file of one line would be printed whole, and columns beyond 65,535 cannot be drawn at all.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::problem::Problem;

/// Lines up to this length are shown as they are.
const LINE_BYTES_MAX: usize = 1000;
/// What is shown on either side of the place.
const AROUND_BYTES: usize = 60;

/// A problem with a piece of its line.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    problem: &'a Problem,
    piece: Piece,
    label: LabeledSpan,
}

impl<'a> Window<'a> {
    /// The window that `problem` needs, if it does.
    pub(crate) fn of(problem: &'a Problem) -> Option<Self> {
        let text = problem.text()?;
        let (range, label) = problem.label()?;
        let before = text.get(..range.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[range.start..].find('\n').map_or(text.len(), |at| range.start + at);
        // The neighbours are shown too, so one of them may be the long one.
        let above = text[..line_start.saturating_sub(1)].rfind('\n').map_or(0, |at| at + 1);
        let below = text[line_end..].char_indices().filter(|(_, c)| *c == '\n').nth(1).map_or(text.len(), |(at, _)| line_end + at);
        if text[above..below].split('\n').all(|line| line.len() <= LINE_BYTES_MAX) {
            return None;
        }
        let start = text.floor_char_boundary(range.start.saturating_sub(AROUND_BYTES).max(line_start));
        let end = text.ceil_char_boundary((range.start + AROUND_BYTES).min(line_end));
        let (line, column) = (before.matches('\n').count(), before[line_start..].chars().count());
        let piece = Piece { name: problem.file().unwrap_or_default().to_owned(), text: text[start..end].to_owned(), line, column };
        let covered = range.start - start..range.end.clamp(range.start, end) - start;
        let label = LabeledSpan::new_primary_with_span(label.map(str::to_owned), covered);
        Some(Self { problem, piece, label })
    }
}

/// A piece of one line.
#[derive(Debug)]
struct Piece {
    name: String,
    text: String,
    /// Of the place, from 0.
    line: usize,
    column: usize,
}

impl SourceCode for Piece {
    fn read_span<'a>(&'a self, span: &SourceSpan, _before: usize, _after: usize) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = SourceSpan::new(0.into(), self.text.len());
        if span.offset() + span.len() > self.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let contents = MietteSpanContents::new_named(self.name.clone(), self.text.as_bytes(), whole, self.line, self.column, 1);
        Ok(Box::new(contents))
    }
}

impl fmt::Display for Window<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Window<'_> {}

impl Diagnostic for Window<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Diagnostic::severity(self.problem)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Diagnostic::help(self.problem)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.piece)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}
