//! What the driver says, as what a caller can act on. The only place that reads its codes.

use rusqlite::ErrorCode;
use taskstore_core::{BoxError, Error, Result};

use crate::migrate::MIGRATIONS;

/// What may pass (a lock, a full, failing or read-only disk) is worth another try; the rest would come again.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> Error {
    if let Some(missing) = missing_table(&error) {
        return missing;
    }
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SchemaChanged
            | ErrorCode::CannotOpen,
        ) => Error::unavailable(error),
        _ => Error::backend(error),
    }
}

/// Whether somebody else has the lock.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether this came of somebody else's lock.
pub(crate) fn came_of_a_lock(source: &BoxError) -> bool {
    source.downcast_ref::<rusqlite::Error>().is_some_and(is_busy)
}

/// Whether a constraint refused a row.
pub(crate) fn is_constraint(error: &Error) -> bool {
    let Error::Backend { source } = error else { return false };
    source
        .downcast_ref::<rusqlite::Error>()
        .and_then(rusqlite::Error::sqlite_error_code)
        .is_some_and(|code| code == ErrorCode::ConstraintViolation)
}

/// The code for it is the general one, so the words must be read.
fn missing_table(error: &rusqlite::Error) -> Option<Error> {
    let words = match error {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        _ => return None,
    };
    words.contains("no such table").then_some(no_tables())
}

/// A file that was never migrated, or not with this prefix.
pub(crate) const fn no_tables() -> Error {
    MIGRATIONS.not_migrated(0)
}

/// A background task of the runtime that did not finish.
pub(crate) fn joined<T>(answer: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    answer.map_err(Error::backend)?
}

/// `?` on what the driver answers.
pub(crate) trait Mapped<T> {
    /// See [`from_sqlite`].
    fn mapped(self) -> Result<T>;
}

impl<T> Mapped<T> for rusqlite::Result<T> {
    fn mapped(self) -> Result<T> {
        self.map_err(from_sqlite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32) -> Error {
        from_sqlite(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
    }

    #[test]
    fn what_an_operator_can_mend_is_worth_another_try_and_a_bad_value_is_not() {
        use rusqlite::ffi::{
            SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY, SQLITE_TOOBIG,
        };
        for code in [SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY] {
            assert!(of(code).is_retryable(), "{code}");
        }
        assert!(!of(SQLITE_TOOBIG).is_retryable());
    }
}
