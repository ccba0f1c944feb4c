//! Failures that the caller cannot decide by matching on a value: what failed, on what, whose fault it is, what to do next.

use std::{fmt, io};

/// The result of everything fallible in Outflow.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure, by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The project, a setting or the command line is wrong.
    Invalid,
    /// Something named does not exist.
    NotFound,
    /// A file, a network or a disk failed.
    Io,
    /// Another run holds the lock.
    Busy,
    /// A limit would be exceeded.
    Limit,
    /// Stored state is damaged, or written by a newer version.
    Corrupt,
    /// A source or destination refused the credentials.
    Unauthorized,
    /// The other side answered, and said no.
    Refused,
    /// The work was cancelled.
    Cancelled,
    /// An invariant of Outflow does not hold.
    Bug,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The person who wrote the project or runs the command.
    Operator,
    /// The source.
    Source,
    /// The destination.
    Destination,
    /// The machine: disk, memory, network.
    Machine,
    /// Outflow itself.
    Bug,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not without a change.
    No,
    /// It may.
    May,
}

/// One failure. `Display` is one sentence; `remedy` and `context` are printed below it by whoever renders it.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    blame: Blame,
    retry: Retry,
    message: String,
    remedy: Option<String>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of `kind`; `message` says what failed, on what.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (blame, retry) = match kind {
            Kind::Invalid | Kind::NotFound | Kind::Limit | Kind::Unauthorized => (Blame::Operator, Retry::No),
            Kind::Io => (Blame::Machine, Retry::May),
            Kind::Busy | Kind::Cancelled => (Blame::Operator, Retry::May),
            Kind::Refused => (Blame::Destination, Retry::No),
            Kind::Corrupt => (Blame::Machine, Retry::No),
            Kind::Bug => (Blame::Bug, Retry::No),
        };
        let inner = Inner { kind, blame, retry, message: message.into(), remedy: None, context: Vec::new(), source: None };
        Self { inner: Box::new(inner) }
    }

    /// The project or the command line is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// A file, network or disk failed: `what` was being done when `source` happened. If that is one of these already, which a reader or a
    /// writer could only return as an [`io::Error`], it is taken out: it says itself what failed, and what to do.
    pub fn io(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        if !source.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>) {
            return Self::new(Kind::Io, what).caused_by(source);
        }
        let inner = source.downcast::<io::Error>().ok().and_then(|error| error.into_inner());
        inner.and_then(|inner| inner.downcast().ok()).map_or_else(|| Self::new(Kind::Io, what), |error| *error)
    }

    /// Stored state is damaged.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    /// An invariant of Outflow does not hold.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// What the person who reads it can do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.inner.remedy = Some(remedy.into());
        self
    }

    /// One more fact, such as `("model", "customers")`. Outer facts come later.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.inner.context.push((name, value.into()));
        self
    }

    /// Whose fault it is, where the kind does not say.
    #[must_use]
    pub fn blame(mut self, blame: Blame) -> Self {
        self.inner.blame = blame;
        self
    }

    /// Whether trying again can help, where the kind does not say.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.inner.retry = retry;
        self
    }

    /// The failure below this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// What kind of failure.
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// Whose fault.
    pub fn blamed(&self) -> Blame {
        self.inner.blame
    }

    /// Can trying again help?
    pub fn may_retry(&self) -> bool {
        self.inner.retry == Retry::May
    }

    /// The message alone, without what lies below it.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// What to do, if it is known.
    pub fn remedy_text(&self) -> Option<&str> {
        self.inner.remedy.as_deref()
    }

    /// The facts that were added on the way up.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.inner.context
    }
}

/// One line: the message, then each cause after a colon.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        let mut below = std::error::Error::source(self);
        while let Some(cause) = below {
            let text = cause.to_string();
            // Many libraries repeat their cause in their own text.
            if !self.inner.message.contains(&text) {
                write!(f, ": {text}")?;
            }
            // Our own `Display` has already walked the rest.
            below = if cause.is::<Self>() { None } else { cause.source() };
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.inner.kind)?;
        for (name, value) in &self.inner.context {
            write!(f, "\n  {name}: {value}")?;
        }
        if let Some(remedy) = &self.inner.remedy {
            write!(f, "\n  help: {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_one_line_with_its_causes() {
        let low = std::io::Error::other("No space left on device");
        let error = Error::io("could not write state/x", low).with("mapping", "m").remedy("free some space");
        assert_eq!(error.to_string(), "could not write state/x: No space left on device");
        assert_eq!(error.remedy_text(), Some("free some space"));
        assert!(error.may_retry());
    }

    #[test]
    fn an_error_of_ours_that_came_through_a_writer_is_told_once() {
        let full = Error::io("could not write state/x", io::Error::from(io::ErrorKind::StorageFull)).remedy("free some space");
        let told = full.to_string();
        let through = Error::io("could not finish x", io::Error::new(io::ErrorKind::StorageFull, full));
        assert_eq!((through.to_string(), through.remedy_text()), (told, Some("free some space")));
        let other = Error::io("could not finish x", io::Error::other("odd"));
        assert_eq!(other.to_string(), "could not finish x: odd");
    }
}
