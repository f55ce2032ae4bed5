//! What redb says, as an error that a caller of taskstore can act on.

use taskstore_core::Error;

/// The version of the tables that this code works with.
pub const VERSION: u32 = 1;

/// Maps what redb says. Nothing is worth trying again: after an I/O error it refuses all else until the
/// file is opened anew.
pub fn refused(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        // Tables are made by `migrate`, all at once.
        redb::Error::TableDoesNotExist(_) => no_tables(),
        // Another process has the file, and may be about to end.
        error @ redb::Error::DatabaseAlreadyOpen => Error::unavailable(error),
        error => Error::backend(error),
    }
}

/// There are no tables.
pub const fn no_tables() -> Error {
    Error::Schema { found: 0, expected: VERSION, advice: "call migrate() first" }
}

/// What is stored is not what was stored.
pub fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::backend(error)
}
