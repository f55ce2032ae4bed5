//! What a command line is answered.

use std::fmt;

use serde_json::value::RawValue;

use crate::{Alias, LogLine, handler::Registered};

/// What [`execute_cli`](crate::Store::execute_cli) did. As text it is what a person wants to see:
/// the list, or the output of the handler as JSON, which is empty where there is none.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum CliReport {
    /// The handlers that there are, by alias.
    Handlers(Vec<HandlerInfo>),
    /// A handler ran and succeeded.
    Ran {
        /// Its alias.
        alias: Alias,
        /// What it returned, or else what it set as output.
        output: Option<Box<RawValue>>,
        /// What it logged: at most the newest 1,000 lines.
        log: Vec<LogLine>,
    },
}

/// A handler that can be run.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerInfo {
    /// Its alias.
    pub alias: Alias,
    /// Its short name; may be empty.
    pub title: String,
    /// What it does; may be empty.
    pub description: String,
}

impl HandlerInfo {
    pub(super) fn of(handler: &Registered) -> Self {
        Self {
            alias: handler.alias.clone(),
            title: handler.title.clone(),
            description: handler.description.clone(),
        }
    }
}

impl CliReport {
    /// What the handler returned as JSON, if it ran and returned anything.
    #[must_use]
    pub fn output(&self) -> Option<&RawValue> {
        match self {
            Self::Ran { output, .. } => output.as_deref(),
            Self::Handlers(_) => None,
        }
    }

    /// What the handler logged.
    #[must_use]
    pub fn log(&self) -> &[LogLine] {
        match self {
            Self::Ran { log, .. } => log,
            Self::Handlers(_) => &[],
        }
    }
}

impl fmt::Display for CliReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ran { output: Some(output), .. } => f.write_str(output.get()),
            Self::Ran { output: None, .. } => Ok(()),
            Self::Handlers(list) if list.is_empty() => f.write_str("no handlers"),
            Self::Handlers(list) => {
                for (n, handler) in list.iter().enumerate() {
                    let line_end = if n == 0 { "" } else { "\n" };
                    write!(f, "{line_end}{}. {}", n + 1, handler.alias)?;
                    for text in [&handler.title, &handler.description] {
                        if !text.is_empty() {
                            write!(f, "\n   {}", text.replace('\n', "\n   "))?;
                        }
                    }
                }
                Ok(())
            }
        }
    }
}
