//! How a handler says that it did not succeed.

use std::{any::Any, error::Error as StdError, fmt, time::Duration};

use crate::{
    BoxError,
    lifecycle::{Ending, Retry},
    limits::{DELAY_MAX, ERROR_BYTES_MAX, tame},
};

/// What the message of a panic begins with.
const PANICKED: &str = "panicked: ";

/// What a handler returns.
pub type TaskResult<T> = Result<T, TaskError>;

/// Why an attempt did not succeed, and what is to become of the task.
///
/// `?` lifts any [`std::error::Error`] into a [retryable](Self::retryable) failure, so that most
/// handlers never name this type. It deliberately is no such error itself, or `?` could not take all
/// the others.
///
/// Texts longer than 16 KiB are cut and marked, a NUL in them is replaced, and delays above 100
/// years count as 100 years.
///
/// ```
/// use std::time::Duration;
/// # use taskstore_core as taskstore;
/// use taskstore::{TaskError, TaskResult};
///
/// fn charge(card: &str, amount: &str) -> TaskResult<u32> {
///     if card.is_empty() {
///         return Err(TaskError::permanent("no card to charge"));
///     }
///     if card == "busy" {
///         return Err(TaskError::retry_in(Duration::from_secs(30), "the bank asks to wait"));
///     }
///     Ok(amount.parse()?)
/// }
///
/// assert_eq!(charge("4711", "12").unwrap(), 12);
/// assert_eq!(charge("4711", "x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TaskError {
    kind: TaskErrorKind,
    message: String,
}

/// What is to become of a task whose attempt did not succeed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskErrorKind {
    /// Tried again after the handler's backoff, while attempts are left.
    Retryable,
    /// Failed, whatever attempts are left.
    Permanent,
    /// Tried again after this delay, while attempts are left.
    RetryIn(Duration),
    /// No failure: runs again after this delay, and the attempt is not counted.
    Snooze(Duration),
    /// Canceled by its handler.
    Cancel,
    /// The handler panicked, or a middleware did: tried again like
    /// [`Retryable`](Self::Retryable).
    Panicked,
    /// The handler took longer than this, its time-out: tried again like
    /// [`Retryable`](Self::Retryable).
    TimedOut(Duration),
}

impl TaskError {
    /// A failure that may pass: tried again after the handler's backoff, while attempts are left.
    ///
    /// For what `?` cannot take: a text, or a boxed error.
    pub fn retryable(why: impl Into<BoxError>) -> Self {
        Self::because(TaskErrorKind::Retryable, why)
    }

    /// A failure that would come again: the task fails at once, whatever attempts are left.
    pub fn permanent(why: impl Into<BoxError>) -> Self {
        Self::because(TaskErrorKind::Permanent, why)
    }

    /// A failure to be tried again after `delay` instead of the handler's backoff, while attempts
    /// are left.
    pub fn retry_in(delay: Duration, why: impl Into<BoxError>) -> Self {
        Self::because(TaskErrorKind::RetryIn(delay.min(DELAY_MAX)), why)
    }

    /// No failure: the task runs again after `delay`, and this attempt is not counted.
    #[must_use]
    pub fn snooze(delay: Duration) -> Self {
        let delay = delay.min(DELAY_MAX);
        Self { kind: TaskErrorKind::Snooze(delay), message: format!("snoozed for {delay:?}") }
    }

    /// Ends the task as canceled, for this reason.
    pub fn cancel(reason: impl Into<BoxError>) -> Self {
        Self::because(TaskErrorKind::Cancel, reason)
    }

    /// Which of these it is, or a panic or a time-out, which only a runner can tell of.
    #[must_use]
    pub const fn kind(&self) -> TaskErrorKind {
        self.kind
    }

    /// What is stored: the error's own text and those of its sources, as `a: b: c`.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A handler that panicked.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("with something that is not a text");
        let message = tame(format!("{PANICKED}{message}"), ERROR_BYTES_MAX);
        Self { kind: TaskErrorKind::Panicked, message }
    }

    /// A handler that took too long.
    pub(crate) fn timed_out(after: Duration) -> Self {
        let message = format!("timed out after {after:?}");
        Self { kind: TaskErrorKind::TimedOut(after), message }
    }

    /// What was said without that it was a panic.
    pub(crate) fn bare_message(&self) -> &str {
        self.message.strip_prefix(PANICKED).unwrap_or(&self.message)
    }

    fn because(kind: TaskErrorKind, why: impl Into<BoxError>) -> Self {
        Self { kind, message: chain(&*why.into()) }
    }

    /// The end of the attempt that it stands for, with the message.
    pub(crate) fn into_ending(self) -> Ending {
        let failed = |retry, error| Ending::Failed { retry, error };
        match self.kind {
            TaskErrorKind::Retryable | TaskErrorKind::Panicked | TaskErrorKind::TimedOut(_) => {
                failed(Retry::ByBackoff, self.message)
            }
            TaskErrorKind::Permanent => failed(Retry::Never, self.message),
            TaskErrorKind::RetryIn(delay) => failed(Retry::After(delay), self.message),
            TaskErrorKind::Snooze(delay) => Ending::Snoozed(delay),
            TaskErrorKind::Cancel => Ending::Canceled { reason: self.message },
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self { kind: TaskErrorKind::Retryable, message: chain(&error) }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?})", self.kind, self.message)
    }
}

/// An error and its sources as one text. Many errors show their source themselves: what the text
/// ends with already is not said twice.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        if text.len() > ERROR_BYTES_MAX {
            break;
        }
        source = cause.source();
    }
    tame(text, ERROR_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (first, rest) = texts.split_first().unwrap();
        let source = (!rest.is_empty()).then(|| Box::new(layers(rest)));
        Layer { text: first, source }
    }

    #[test]
    fn a_lifted_error_is_retryable_and_tells_its_sources() {
        let error = TaskError::from(layers(&["a", "b", "c"]));
        assert_eq!(error.message(), "a: b: c");
        assert!(matches!(error.into_ending(), Ending::Failed { retry: Retry::ByBackoff, .. }));
    }

    #[test]
    fn a_source_that_is_shown_already_is_not_said_twice() {
        assert_eq!(TaskError::from(layers(&["a: b", "b", "c"])).message(), "a: b: c");
        let error = crate::Error::unavailable("gone");
        assert_eq!(TaskError::from(error).message(), "the database is not available: gone");
    }

    #[test]
    fn every_kind_ends_the_attempt_in_its_own_way() {
        let second = Duration::from_secs(1);
        let ending = |error: TaskError| format!("{:?}", error.into_ending());
        for (error, expected) in [
            (TaskError::retryable("no"), r#"Failed { retry: ByBackoff, error: "no" }"#),
            (TaskError::permanent("no"), r#"Failed { retry: Never, error: "no" }"#),
            (TaskError::retry_in(second, "no"), r#"Failed { retry: After(1s), error: "no" }"#),
            (TaskError::snooze(second), "Snoozed(1s)"),
            (TaskError::cancel("no"), r#"Canceled { reason: "no" }"#),
        ] {
            assert_eq!(ending(error), expected);
        }
    }

    #[test]
    fn texts_and_delays_that_no_engine_could_store_are_tamed() {
        let error = TaskError::permanent("x\0".repeat(ERROR_BYTES_MAX));
        assert!(error.message().len() <= ERROR_BYTES_MAX);
        assert!(!error.message().contains('\0'));
        let forever = TaskError::snooze(Duration::MAX).into_ending();
        assert!(matches!(forever, Ending::Snoozed(delay) if delay == DELAY_MAX));
    }
}
