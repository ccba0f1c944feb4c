//! What can go wrong at one step of a simulated machine.

use std::fmt;

/// What kind of step it is that something happens at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// An object gets its name: `create`, or `finish` of a large one.
    Create,
    /// The first bytes of a large object.
    Write,
    /// A log is begun.
    Begin,
    /// One frame of a log.
    Append,
    /// A log is made durable.
    Sync,
    /// Anything that reads: `read`, `list`, `open`, a piece of an object.
    Read,
    /// An object is deleted.
    Delete,
    /// A lock is asked for.
    Lock,
    /// A request arrives at the edge of the machine.
    Request,
    /// A batch of the source.
    Batch,
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The process is killed before the step. What the kernel has been given stays.
    KillBefore,
    /// … in the middle of it: an object has its name, or has lost it, but not durably; of a frame a part is there.
    KillMiddle,
    /// … after it, before anybody has learnt of that.
    KillAfter,
    /// The power goes before the step. What was not made durable is gone, or torn.
    PowerBefore,
    /// … after it.
    PowerAfter,
    /// It fails, this once, and nothing has happened.
    Error,
    /// It fails, and so does every later step that writes: the disk is full. Of a frame a part is there.
    Full,
    /// It fails, and so does every later step that reads or deletes.
    Broken,
    /// It has happened, and the caller is told that it failed.
    Lost,
    /// It has happened, and the caller is told that nobody knows.
    UnknownDone,
    /// It has not happened, and the caller is told that nobody knows.
    UnknownNot,
    /// Somebody without a lock was faster by a moment, and has written the same under a nonce of his own.
    Theirs,
    /// A part of a frame is there, and the caller is told that it failed.
    Torn,
    /// An fsync fails, and the kernel has dropped what it was to store.
    SyncDropped,
    /// An fsync fails, and what it was to store can still be read until the power goes.
    SyncKept,
    /// The thread panics.
    Panic,
    /// The request takes effect, and the process is killed before its answer.
    KillTaken,
    /// The process is killed; the request takes effect just before its lifetime ends.
    KillTravels,
    /// The request takes effect, and the power goes before its answer.
    PowerTaken,
    /// The power goes; the request takes effect just before its lifetime ends.
    PowerTravels,
    /// No answer, and no effect.
    NoAnswer,
    /// The request takes effect, and its answer is lost.
    AnswerLost,
    /// No answer, and the request takes effect just before its lifetime ends.
    Travels,
    /// The same from here on: no answer is ever read, though everything takes effect.
    AnswersLost,
    /// The same from here on, and everything travels.
    AllTravel,
    /// The connection is refused.
    NotSent,
    /// The same from here on.
    Unreachable,
    /// Answered with 422 as a whole; no effect.
    Refused,
    /// Answered with 429 and a wait; no effect.
    Throttled,
    /// Answered with 429 from here on.
    ThrottledForever,
    /// Answered with 503; no effect.
    Unavailable,
    /// Answered with 503 though it takes effect.
    UnavailableTaken,
    /// Answered with 401 from here on.
    Unauthorized,
}

/// Deaths of the process, of which it learns nothing.
const DEATHS: [Fault; 9] = [
    Fault::KillBefore,
    Fault::KillMiddle,
    Fault::KillAfter,
    Fault::PowerBefore,
    Fault::PowerAfter,
    Fault::KillTaken,
    Fault::KillTravels,
    Fault::PowerTaken,
    Fault::PowerTravels,
];

impl Fault {
    /// Everything that can happen at a step of that class.
    pub(crate) fn at(class: Class) -> &'static [Self] {
        match class {
            Class::Create => &[
                Self::KillBefore,
                Self::KillMiddle,
                Self::KillAfter,
                Self::PowerBefore,
                Self::PowerAfter,
                Self::Error,
                Self::Full,
                Self::Lost,
                Self::UnknownDone,
                Self::UnknownNot,
                Self::Theirs,
                Self::Panic,
            ],
            Class::Write => &[Self::KillBefore, Self::Error, Self::Full, Self::Panic],
            Class::Begin => &[Self::KillBefore, Self::KillAfter, Self::PowerAfter, Self::Error, Self::Full, Self::Lost, Self::Panic],
            Class::Append => &[
                Self::KillBefore,
                Self::KillMiddle,
                Self::KillAfter,
                Self::PowerBefore,
                Self::PowerAfter,
                Self::Error,
                Self::Full,
                Self::Torn,
                Self::Lost,
                Self::Panic,
            ],
            Class::Sync => &[
                Self::KillBefore,
                Self::KillAfter,
                Self::PowerBefore,
                Self::PowerAfter,
                Self::SyncDropped,
                Self::SyncKept,
                Self::Lost,
                Self::Panic,
            ],
            Class::Read => &[Self::KillBefore, Self::PowerBefore, Self::Error, Self::Broken, Self::Panic],
            Class::Delete => &[
                Self::KillBefore,
                Self::KillMiddle,
                Self::KillAfter,
                Self::PowerBefore,
                Self::PowerAfter,
                Self::Error,
                Self::Broken,
                Self::Panic,
            ],
            Class::Lock => &[Self::KillBefore, Self::Error],
            Class::Request => &[
                Self::KillBefore,
                Self::KillTaken,
                Self::KillTravels,
                Self::PowerBefore,
                Self::PowerTaken,
                Self::PowerTravels,
                Self::NoAnswer,
                Self::AnswerLost,
                Self::Travels,
                Self::AnswersLost,
                Self::AllTravel,
                Self::NotSent,
                Self::Unreachable,
                Self::Refused,
                Self::Throttled,
                Self::ThrottledForever,
                Self::Unavailable,
                Self::UnavailableTaken,
                Self::Unauthorized,
                Self::Panic,
            ],
            Class::Batch => &[Self::KillBefore, Self::Error, Self::Panic],
        }
    }

    /// Does the process end of it?
    pub(crate) fn is_death(self) -> bool {
        DEATHS.contains(&self)
    }

    /// Does the machine lose what was not durable?
    pub(crate) fn is_power_cut(self) -> bool {
        matches!(self, Self::PowerBefore | Self::PowerAfter | Self::PowerTaken | Self::PowerTravels)
    }

    /// By the name that [`fmt::Display`] gives.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let classes = [
            Class::Create,
            Class::Write,
            Class::Begin,
            Class::Append,
            Class::Sync,
            Class::Read,
            Class::Delete,
            Class::Lock,
            Class::Request,
            Class::Batch,
        ];
        classes.into_iter().flat_map(Self::at).copied().find(|fault| fault.to_string() == name)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
