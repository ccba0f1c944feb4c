//! What is wrong with a template, and with a value that it meets.

use std::fmt;

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line where it begins, from 1.
    pub line: usize,
    /// The character of that line, from 1.
    pub column: usize,
    /// A name that nothing has, and those that there are.
    pub unknown: Option<(String, Vec<&'static str>)>,
    at: usize,
}

impl Problem {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, line: 1, column: 1, unknown: None, at }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn unknown(mut self, name: &str, known: Vec<&'static str>) -> Self {
        self.unknown = Some((name.to_owned(), known));
        self
    }

    /// With its line and column in `text`.
    pub(crate) fn placed(mut self, text: &str) -> Self {
        let before = text.get(..self.at).unwrap_or(text);
        self.line = before.matches('\n').count() + 1;
        self.column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {}, column {})", self.message, self.line, self.column)
    }
}

/// Why a template gives nothing for a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It makes a longer text than it may.
    TooLong,
    /// It takes more work than it may.
    TooMuch,
    /// A filter cannot use what it is given.
    Filter {
        /// Its name.
        name: &'static str,
        /// Why.
        reason: String,
    },
}
