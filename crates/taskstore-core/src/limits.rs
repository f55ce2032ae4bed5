//! Every limit that a user can meet, with the check that says so.
//!
//! A value past its limit is [`Error::Invalid`], which names the field, and nothing is written.

use std::time::Duration;

use crate::{Error, Result};

/// Most bytes of a task's parameters, as JSON: 1 MiB.
pub const PARAMETERS_BYTES_MAX: usize = 1 << 20;
/// Most bytes of a task's output, as JSON: 1 MiB.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Most bytes of one log line: 8 KiB. Longer lines are cut and marked.
pub const LOG_LINE_BYTES_MAX: usize = 8 << 10;
/// Most log lines that are kept of one attempt: 1,000. The newest win.
pub const LOG_LINES_MAX: u32 = 1_000;
/// Most bytes of an error or a reason: 16 KiB. Longer texts are cut and marked.
pub const ERROR_BYTES_MAX: usize = 16 << 10;
/// Most characters of a queue's name: 64.
pub const QUEUE_CHARS_MAX: usize = 64;
/// Most characters of an alias: 128.
pub const ALIAS_CHARS_MAX: usize = 128;
/// Most characters of a definition's title: 255.
pub const TITLE_CHARS_MAX: usize = 255;
/// Most bytes of a definition's description or memo: 64 KiB.
pub const DESCRIPTION_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a unique key or its scope: 1 KiB.
pub const UNIQUE_KEY_BYTES_MAX: usize = 1 << 10;
/// Most attempts that a task can be given: 10,000.
pub const ATTEMPTS_MAX: u32 = 10_000;
/// The longest delay, snooze or backoff: 100 years of 365 days.
pub const DELAY_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// Most tasks in one enqueue request: 10,000. `Store` cuts longer ones into several.
pub const ENQUEUE_TASKS_MAX: usize = 10_000;
/// Most bytes of parameters in one enqueue request: 4 MiB, far below what any server takes in one
/// packet. `Store` cuts longer ones into several; a single task may always go.
pub const ENQUEUE_BYTES_MAX: usize = 4 << 20;
/// Most ids in one request: 10,000.
pub const IDS_MAX: usize = 10_000;
/// Most tasks in one pass of a bulk action: 500.
pub const BULK_PASS_MAX: usize = 500;
/// The shortest time that a retention keeps a task: 1 minute, in which whoever waits for it, or
/// sends its enqueue again, still finds it.
pub const RETENTION_MIN: Duration = Duration::from_secs(60);
/// Most things on one page of a list: 1,000.
pub const PAGE_MAX: u32 = 1_000;
/// The shortest lease: 2 s.
pub const LEASE_MIN: Duration = Duration::from_secs(2);
/// The longest lease: one day.
pub const LEASE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Most tasks that a handler takes at once: 1,000.
pub const BATCH_TASKS_MAX: usize = 1_000;
/// The longest that a batch which is not full waits for more tasks: half a second.
pub const BATCH_WAIT_MAX: Duration = Duration::from_millis(500);
/// Most tasks that a runner runs at the same time: 10,000.
pub const CONCURRENCY_MAX: usize = 10_000;
/// The largest weight of a queue: 1,000.
pub const WEIGHT_MAX: u32 = 1_000;

/// Refuses a text that is too long in bytes, or holds a NUL, which not every engine can store.
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_text(field: &'static str, text: &str, bytes_max: usize) -> Result<()> {
    check_bytes(field, text.len(), bytes_max)?;
    if text.contains('\0') {
        return Err(Error::invalid(field, "it holds a NUL character"));
    }
    Ok(())
}

/// Refuses more bytes than a field may have.
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_bytes(field: &'static str, bytes: usize, bytes_max: usize) -> Result<()> {
    if bytes > bytes_max {
        return Err(Error::invalid(
            field,
            format!("it has {bytes} bytes, at most {bytes_max} are allowed"),
        ));
    }
    Ok(())
}

/// Refuses a delay above [`DELAY_MAX`].
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_delay(field: &'static str, delay: Duration) -> Result<()> {
    if delay > DELAY_MAX {
        return Err(Error::invalid(field, "it is longer than 100 years"));
    }
    Ok(())
}

/// Refuses a time-out of zero, within which nothing could ever run, or above [`DELAY_MAX`].
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_timeout(field: &'static str, timeout: Duration) -> Result<Duration> {
    if timeout.is_zero() {
        return Err(Error::invalid(field, "it is zero, so nothing could ever run"));
    }
    check_delay(field, timeout)?;
    // Stored in whole microseconds: less than one is one.
    Ok(timeout.max(Duration::from_micros(1)))
}

/// Refuses a number of attempts that is zero, or above [`ATTEMPTS_MAX`].
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_attempts(field: &'static str, attempts: u32) -> Result<u32> {
    if attempts == 0 {
        return Err(Error::invalid(field, "it is 0, but a task needs one attempt at least"));
    }
    if attempts > ATTEMPTS_MAX {
        return Err(Error::invalid(field, format!("it is more than {ATTEMPTS_MAX}")));
    }
    Ok(attempts)
}

/// Refuses a batch of no tasks, or of more than [`BATCH_TASKS_MAX`].
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_batch(field: &'static str, tasks: usize) -> Result<usize> {
    if !(1..=BATCH_TASKS_MAX).contains(&tasks) {
        let reason = format!("{tasks} is not between 1 and {BATCH_TASKS_MAX}");
        return Err(Error::invalid(field, reason));
    }
    Ok(tasks)
}

/// Refuses that a batch waits for longer than [`BATCH_WAIT_MAX`].
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_batch_wait(field: &'static str, wait: Duration) -> Result<Duration> {
    if wait > BATCH_WAIT_MAX {
        let reason = format!("{wait:?} is longer than {BATCH_WAIT_MAX:?}");
        return Err(Error::invalid(field, reason));
    }
    Ok(wait)
}

/// Refuses to run no task at a time, or more than [`CONCURRENCY_MAX`].
///
/// # Errors
/// [`Error::Invalid`] that names `field`.
pub fn check_concurrency(field: &'static str, tasks: usize) -> Result<usize> {
    if !(1..=CONCURRENCY_MAX).contains(&tasks) {
        return Err(Error::invalid(
            field,
            format!("{tasks} is not between 1 and {CONCURRENCY_MAX}"),
        ));
    }
    Ok(tasks)
}

/// Makes a text storable everywhere: NUL becomes the replacement character, and what is longer than
/// `bytes_max` is cut at a character and marked with `… [cut]`.
///
/// ```
/// assert_eq!(taskstore_core::limits::tame("a\0b".into(), 100), "a\u{FFFD}b");
/// assert!(taskstore_core::limits::tame("x".repeat(100), 20).ends_with("… [cut]"));
/// ```
#[must_use]
pub fn tame(mut text: String, bytes_max: usize) -> String {
    const MARK: &str = "… [cut]";
    if text.contains('\0') {
        text = text.replace('\0', "\u{FFFD}");
    }
    if text.len() > bytes_max {
        let mut keep = bytes_max.saturating_sub(MARK.len());
        while !text.is_char_boundary(keep) {
            keep -= 1;
        }
        text.truncate(keep);
        text.push_str(MARK);
    }
    text
}
