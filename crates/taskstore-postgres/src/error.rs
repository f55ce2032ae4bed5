//! What the driver says, as what a caller can act on. The only place that reads its codes.

use deadpool_postgres::{PoolError, TimeoutType};
use taskstore_core::{Error, Result};
use tokio_postgres::error::SqlState;

use crate::migrate::MIGRATIONS;

/// What may pass (a lock, a server that is away, starting, full or a standby) is worth another try;
/// the rest would come again.
pub(crate) fn from_postgres(error: tokio_postgres::Error) -> Error {
    let Some(code) = error.code() else {
        // No answer of the server's: the connection was cut, or a value could not be written or
        // read, which would come again.
        let is_ours =
            std::error::Error::source(&error).is_some_and(|source| !source.is::<std::io::Error>());
        return if is_ours && !error.is_closed() {
            Error::backend(Told(error))
        } else {
            Error::unavailable(Told(error))
        };
    };
    if *code == SqlState::UNDEFINED_TABLE {
        return no_tables();
    }
    if is_of_a_pooler(&error) {
        return Error::invalid("url", format!("{}: {POOLER}", Told(error)));
    }
    if *code == SqlState::INVALID_SCHEMA_NAME {
        return Error::invalid("schema", "there is no such schema: CREATE SCHEMA makes it");
    }
    if is_taken(code) {
        return Error::invalid("prefix", format!("{}: {NOT_OURS}", Told(error)));
    }
    if may_pass(code.code()) {
        Error::unavailable(Told(error))
    } else {
        Error::backend(Told(error))
    }
}

/// What to do about a table that a store did not make.
pub(crate) const NOT_OURS: &str = "it is there and not of this store; choose a prefix, or a schema of \
    its own";

/// Whether something of this name was there before a migration would make it.
fn is_taken(code: &SqlState) -> bool {
    [&SqlState::DUPLICATE_TABLE, &SqlState::DUPLICATE_FUNCTION, &SqlState::DUPLICATE_OBJECT]
        .contains(&code)
}

/// Whether a table does not have the columns that it should.
pub(crate) fn is_undefined_column(error: &Error) -> bool {
    code_of(error) == Some(&SqlState::UNDEFINED_COLUMN)
}

/// What to do about a pooler that nobody has spoken of.
const POOLER: &str = "a pooler is between that lends a connection for each transaction; say so with \
    pooler=transaction";

/// Whether it is what somebody hears whose settings a pooler refuses, or whose prepared statement is on
/// another connection.
fn is_of_a_pooler(error: &tokio_postgres::Error) -> bool {
    let Some(said) = error.as_db_error() else { return false };
    matches!(said.code().code(), "26000" | "42P05")
        || said.message().contains("unsupported startup parameter")
}

/// By the class of the code: connection, rollback by the engine, resources, an operator's doing.
fn may_pass(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58"))
        // A standby; a lock not had in time; a plan that a migration has changed.
        || matches!(code, "25006" | "55P03" | "55006" | "0A000" | "XX000" | "25P02")
}

/// Shows what the server said, and what to do; the driver's own error says only `db error`.
#[derive(Debug)]
struct Told(tokio_postgres::Error);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_db_error() {
            Some(said) => write!(f, "{} ({})", said.message(), said.code().code()),
            None => match std::error::Error::source(&self.0) {
                Some(source) => write!(f, "{}: {source}", self.0),
                None => write!(f, "{}", self.0),
            },
        }
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The code that the server gave, if this error is one of its answers.
fn code_of(error: &Error) -> Option<&SqlState> {
    let (Error::Unavailable { source } | Error::Backend { source }) = error else { return None };
    source.downcast_ref::<Told>()?.0.code()
}

/// Whether the server has undone the transaction for another's sake: the same once more may succeed.
pub(crate) fn is_rolled_back(error: &Error) -> bool {
    matches!(
        code_of(error),
        Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE)
    )
}

/// Whether the connection is of no more use: cut, to a server that ends, or that has become a standby; or
/// it keeps a plan that a migration has changed. Not when only a lock or a statement took too long.
pub(crate) fn spoils_the_connection(error: &Error) -> bool {
    matches!(error, Error::Unavailable { .. })
        && !is_rolled_back(error)
        && !matches!(
            code_of(error),
            Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED)
        )
}

/// Whether somebody else held a lock for too long.
pub(crate) fn is_locked(error: &Error) -> bool {
    code_of(error) == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

/// Whether a constraint refused a row.
pub(crate) fn is_unique_violation(error: &Error) -> bool {
    code_of(error) == Some(&SqlState::UNIQUE_VIOLATION)
}

/// No connection to be had.
pub(crate) fn from_pool(error: PoolError) -> Error {
    match error {
        PoolError::Backend(error) => at_connect(error),
        PoolError::Timeout(TimeoutType::Wait) => {
            Error::unavailable("every connection of the pool is in use")
        }
        PoolError::Timeout(_) => {
            Error::unavailable("the server did not accept a connection in time")
        }
        other => Error::unavailable(other),
    }
}

/// What is wrong with a log-in or with encryption will not mend itself: the URL says what this server
/// does not have or take. A server that is away comes back.
fn at_connect(error: tokio_postgres::Error) -> Error {
    if is_of_a_pooler(&error) {
        return Error::invalid("url", format!("{}: {POOLER}", Told(error)));
    }
    let passes = match (error.code(), std::error::Error::source(&error)) {
        (Some(code), _) => may_pass(code.code()),
        // A certificate that is not believed comes as bad data; a connection that is cut does not.
        (None, Some(source)) => source
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() != std::io::ErrorKind::InvalidData),
        (None, None) => true,
    };
    if passes {
        Error::unavailable(Told(error))
    } else {
        Error::invalid("url", Told(error).to_string())
    }
}

/// A database that was never migrated, or not with this prefix or schema.
pub(crate) const fn no_tables() -> Error {
    MIGRATIONS.not_migrated(0)
}

/// `?` on what the driver answers.
pub(crate) trait Mapped<T> {
    /// See [`from_postgres`].
    fn mapped(self) -> Result<T>;
}

impl<T> Mapped<T> for std::result::Result<T, tokio_postgres::Error> {
    fn mapped(self) -> Result<T> {
        self.map_err(from_postgres)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_worth_another_try_and_a_bad_value_is_not() {
        for code in
            ["08006", "40P01", "40001", "53300", "57P01", "57P03", "25006", "55P03", "57014"]
        {
            assert!(may_pass(code), "{code}");
        }
        for code in ["22021", "23505", "42601", "28P01", "3D000", "22003"] {
            assert!(!may_pass(code), "{code}");
        }
    }
}
