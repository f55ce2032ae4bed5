//! What a handler said while it ran.

use std::fmt;

use time::UtcDateTime;

use crate::{
    clock,
    limits::{self, LOG_LINE_BYTES_MAX},
};

/// One line of a task's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number within the attempt, from 0: a line sent again is kept once.
    pub n: u32,
    /// When it was written, by the clock of the process that ran the handler.
    pub at: UtcDateTime,
    /// How it is meant.
    pub level: LogLevel,
    /// The text: at most 8 KiB, without NUL.
    pub text: String,
}

impl LogLine {
    /// A line that every engine can store: a NUL is replaced, and more than 8 KiB is cut and marked.
    #[must_use]
    pub fn new(n: u32, at: UtcDateTime, level: LogLevel, text: String) -> Self {
        Self { n, at, level, text: limits::tame(text, LOG_LINE_BYTES_MAX) }
    }
}

/// As in the view `task`: `2026-03-01 07:00:00.000123 info the text`.
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", clock::to_text(self.at), self.level, self.text)
    }
}

/// How a log line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogLevel {
    /// Something that happened.
    Info,
    /// Something that went well.
    Success,
    /// Something that went wrong.
    Error,
}

impl LogLevel {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
