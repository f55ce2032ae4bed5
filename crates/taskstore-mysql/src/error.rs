//! What the server and the driver say, as what a caller can act on. The only place that reads codes.

use mysql_async as driver;
use taskstore_core::{Error, Result};

use crate::migrate::MIGRATIONS;

/// `ER_DUP_ENTRY`.
const DUPLICATE: u16 = 1062;

/// A transaction that lost against another, or waited too long, and goes through when done anew:
/// deadlock, lock wait, snapshot isolation of MariaDB 11.6, certification on clusters.
const ONCE_MORE: &[u16] = &[1213, 1205, 1020, 3101];

/// An error of the storage engine at COMMIT. Only with [`DEADLOCK_INSIDE`] it says that nothing was kept.
const AT_COMMIT: u16 = 1180;
const DEADLOCK_INSIDE: &str = "149";

/// What passes when the server has come back, has been failed over, or has room again: too many
/// connections, shutting down, killed, interrupted, read-only, full, a cluster without a majority.
const PASSES: &[u16] = &[
    1021, 1030, 1037, 1038, 1040, 1041, 1047, 1053, 1077, 1079, 1080, 1114, 1152, 1158, 1159, 1160,
    1161, 1180, 1184, 1203, 1226, 1290, 1317, 1792, 1836, 1927, 1969, 2006, 2013, 3024, 3032, 3100,
    3168, 4031,
];

/// Of the server's own answers these end the connection, or say that this server is not the one to ask:
/// a primary that became a replica, a node that lost its cluster. A new connection may lead elsewhere.
const ENDS: &[u16] = &[
    1040, 1047, 1053, 1077, 1079, 1080, 1152, 1153, 1158, 1159, 1160, 1161, 1180, 1184, 1290, 1836,
    1927, 3032, 3100, 3168, 4031,
];

/// More bytes at once than the server takes; it closes the connection then.
const PACKET_TOO_LARGE: u16 = 1153;

/// A table or view that is not there.
const NO_TABLE: &[u16] = &[1146, 1356];

/// What may pass is worth another try; the rest would come again.
pub(crate) fn from_driver(error: driver::Error) -> Error {
    match &error {
        driver::Error::Server(server) => {
            let code = server.code;
            if NO_TABLE.contains(&code) {
                no_tables()
            } else if code == PACKET_TOO_LARGE {
                too_large()
            } else if ONCE_MORE.contains(&code) || PASSES.contains(&code) {
                Error::unavailable(error)
            } else {
                Error::backend(error)
            }
        }
        driver::Error::Io(driver::IoError::Io(io)) if is_packet(io) => too_large(),
        driver::Error::Io(_) => Error::unavailable(error),
        driver::Error::Driver(driver::DriverError::PacketTooLarge) => too_large(),
        driver::Error::Driver(
            driver::DriverError::ConnectionClosed
            | driver::DriverError::PacketOutOfOrder
            | driver::DriverError::PoolDisconnected
            | driver::DriverError::UnexpectedPacket { .. },
        ) => Error::unavailable(error),
        _ => Error::backend(error),
    }
}

fn code(error: &Error) -> Option<u16> {
    let (Error::Backend { source } | Error::Unavailable { source }) = error else { return None };
    match source.downcast_ref::<driver::Error>()? {
        driver::Error::Server(server) => Some(server.code),
        _ => None,
    }
}

/// Whether the driver refuses to send what the server would not take. It says so in words only.
fn is_packet(io: &std::io::Error) -> bool {
    io.kind() == std::io::ErrorKind::Other && io.to_string().contains("max_allowed_packet")
}

/// A value that is larger than what the server takes at once. What is made of many values is cut to fit.
fn too_large() -> Error {
    Error::invalid(
        "max_allowed_packet",
        "the server takes less at once than a value has: it is a setting of the server, 16 MB or more \
         are advised",
    )
}

/// Whether the same transaction may well go through when it is done anew. A duplicate is one of them:
/// what is there already is looked for first, so it came meanwhile, and is found now.
pub(crate) fn is_once_more(error: &Error) -> bool {
    code(error).is_some_and(|code| ONCE_MORE.contains(&code) || code == DUPLICATE)
}

/// Whether the server says with this answer to COMMIT that it has kept nothing. Anything else leaves
/// open what became of the transaction, so it is not for us to do it anew.
pub(crate) fn is_undone(error: &Error) -> bool {
    let inside = || error.to_string().contains(DEADLOCK_INSIDE);
    code(error).is_some_and(|code| ONCE_MORE.contains(&code) || (code == AT_COMMIT && inside()))
}

/// Its number, for people and counters; 0: it is none of the server's.
pub(crate) fn number_of(error: &Error) -> u16 {
    code(error).unwrap_or_default()
}

/// Whether a table has other columns than ours.
pub(crate) fn is_other_table(error: &Error) -> bool {
    code(error) == Some(1054)
}

/// Whether the server does not let this user do it: triggers need a right of their own, and where there
/// is a binary log, on MySQL, `log_bin_trust_function_creators` or `SUPER`.
pub(crate) fn is_denied(error: &Error) -> bool {
    code(error).is_some_and(|code| [1142, 1227, 1370, 1419].contains(&code))
}

/// Whether a unique key refused a row.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE)
}

/// A unique key is asked for that somebody has in a transaction which is still open.
#[derive(Debug, thiserror::Error)]
#[error("the unique key is held by a transaction that is still open")]
struct KeyBusy;

/// Of the error of a statement that does not wait for a lock: whether it would have to.
pub(crate) fn or_key_busy(error: Error) -> Error {
    match code(&error) {
        Some(1205 | 3572) => Error::unavailable(KeyBusy),
        _ => error,
    }
}

/// Whether a key was busy.
pub(crate) fn is_key_busy(error: &Error) -> bool {
    matches!(error, Error::Unavailable { source } if source.is::<KeyBusy>())
}

/// Whether a savepoint was not there: no transaction is open, or the server has rolled it back.
pub(crate) fn is_no_savepoint(error: &Error) -> bool {
    code(error) == Some(1305)
}

/// Whether a row is newer than the snapshot of a transaction that is to see no such row.
pub(crate) fn is_too_new(error: &Error) -> bool {
    code(error) == Some(1020)
}

/// Whether it has no table of that name, or no database selected at all.
pub(crate) fn is_not_there(error: &Error) -> bool {
    matches!(error, Error::Schema { .. }) || code(error) == Some(1046)
}

/// Whether the transaction was begun as one that only reads.
pub(crate) fn is_read_only(error: &Error) -> bool {
    code(error) == Some(1792)
}

/// Whether the connection is of no more use: the error is not one that the server answered with,
/// which leaves it as it was.
pub(crate) fn is_broken(error: &Error) -> bool {
    let (Error::Backend { source } | Error::Unavailable { source }) = error else { return false };
    match source.downcast_ref::<driver::Error>() {
        Some(driver::Error::Server(server)) => ENDS.contains(&server.code),
        Some(_) => true,
        None => false,
    }
}

/// Why a connection could not be opened: a server that is away comes back, a name or password that
/// is wrong does not.
pub(crate) fn at_connect(error: driver::Error) -> Error {
    if let driver::Error::Server(server) = &error {
        match server.code {
            1044 | 1045 | 1049 | 1251 | 1524 | 1698 | 3118 | 3159 | 4151 => {
                return Error::invalid("url", server.message.clone());
            }
            _ => {}
        }
    }
    // Encryption that failed, and not the connection under it: a certificate that is not believed.
    if let driver::Error::Io(driver::IoError::Io(io)) = &error
        && io.kind() == std::io::ErrorKind::InvalidData
    {
        return Error::invalid("url", io.to_string());
    }
    match error {
        driver::Error::Driver(driver::DriverError::NoClientSslFlagFromServer) => {
            Error::invalid("url", "the server does not encrypt, and ssl-mode asks for it")
        }
        error => from_driver(error),
    }
}

/// A database that was never migrated, or not with this prefix.
pub(crate) const fn no_tables() -> Error {
    MIGRATIONS.not_migrated(0)
}

/// `?` on what the driver answers.
pub(crate) trait Mapped<T> {
    /// See [`from_driver`].
    fn mapped(self) -> Result<T>;
}

impl<T> Mapped<T> for driver::Result<T> {
    fn mapped(self) -> Result<T> {
        self.map_err(from_driver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u16) -> Error {
        let (message, state) = (String::from("words"), String::from("HY000"));
        from_driver(driver::Error::Server(driver::ServerError { code, message, state }))
    }

    #[test]
    fn what_passes_is_worth_another_try_and_a_bad_value_is_not() {
        for code in [1213, 1205, 1020, 3101, 1180, 1040, 1047, 1053, 1290, 2006, 2013] {
            assert!(of(code).is_retryable(), "{code}");
        }
        for code in [1406, 1366, 1062, 1064] {
            assert!(!of(code).is_retryable(), "{code}");
        }
        assert!(matches!(of(1146), Error::Schema { found: 0, .. }));
    }

    #[test]
    fn a_deadlock_leaves_the_connection_and_a_shutdown_does_not() {
        assert!(is_once_more(&of(1213)) && !is_broken(&of(1213)));
        assert!(!is_once_more(&of(1053)) && is_broken(&of(1053)));
        assert!(is_duplicate(&of(1062)));
        assert!(is_key_busy(&or_key_busy(of(3572))) && is_key_busy(&or_key_busy(of(1205))));
        assert!(!is_key_busy(&or_key_busy(of(1213))));
        assert!(is_broken(&of(1290)), "a replica by now: another connection may find the primary");
    }

    #[test]
    fn only_a_commit_that_surely_kept_nothing_is_done_anew() {
        let says = |code, words: &str| {
            let (message, state) = (words.to_owned(), String::from("HY000"));
            from_driver(driver::Error::Server(driver::ServerError { code, message, state }))
        };
        assert!(is_undone(&of(1213)) && is_undone(&of(3101)));
        assert!(is_undone(&says(1180, "Got error 149 \"Lock deadlock\" during COMMIT")));
        for unknown in [says(1180, "Got error 5 \"I/O error\" during COMMIT"), of(1047), of(2013)] {
            assert!(!is_undone(&unknown) && unknown.is_retryable(), "{unknown}");
        }
    }
}
