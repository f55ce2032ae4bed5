//! How a connection to the file is opened, for each of its jobs.
//!
//! Only `BEGIN IMMEDIATE` writes: a read that turns into a write is refused at once when somebody
//! else has written meanwhile, whatever the busy handler says.

use std::{
    cell::Cell,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use taskstore_core::{Error, Result};

use crate::{
    error::{Mapped, is_busy},
    options::Synchronous,
};

/// How long a write waits for the file's one lock.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a beat waits for it: it must not keep the others from beating.
const BEAT_WAIT_MAX: Duration = Duration::from_millis(200);

/// How a connection behaves when somebody else has the lock.
pub(crate) type BusyHandler = fn(i32) -> bool;

/// Waits for the lock like everybody else.
pub(crate) const PATIENT: BusyHandler = |tries| wait(tries, LOCK_WAIT_MAX);
/// Gives up soon.
pub(crate) const HASTY: BusyHandler = |tries| wait(tries, BEAT_WAIT_MAX);

thread_local! {
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    static NEVER_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Runs this with the busy handlers of this thread's connections switched off.
pub(crate) fn without_waiting<R>(run: impl FnOnce() -> R) -> R {
    NEVER_WAIT.set(true);
    let answer = run();
    NEVER_WAIT.set(false);
    answer
}

/// Short even waits: SQLite's own grow to 100 ms, and then whoever waited longest comes last
/// (of 100,000 tasks four processes got 86, 14, 0.3 and 0 %; so 23, 24, 25 and 28).
fn wait(tries: i32, at_most: Duration) -> bool {
    if NEVER_WAIT.get() {
        return false;
    }
    if tries == 0 {
        SINCE.set(Some(Instant::now()));
    }
    let waited = SINCE.get().map_or(Duration::MAX, |since| since.elapsed());
    if waited >= at_most {
        return false;
    }
    std::thread::sleep(Duration::from_micros(if tries < 3 { 200 } else { 1_000 }));
    true
}

/// Opens the file to write, makes it if it is not there, and puts it into WAL mode.
pub(crate) fn open_writer(
    path: &Path,
    synchronous: Synchronous,
    busy: BusyHandler,
) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[allow(unused_mut, reason = "older drivers set a busy handler without it")]
    let mut connection = Connection::open_with_flags(path, flags).mapped()?;
    connection.busy_handler(Some(busy)).mapped()?;
    enter_wal_mode(&connection)?;
    common(&connection)?;
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous={}; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0;
             PRAGMA journal_size_limit=16777216;",
            synchronous.as_sql()
        ))
        .mapped()?;
    Ok(connection)
}

/// Opens the file to read only.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    // Not opened read-only: such a connection may not recover a log that a crash has left.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[allow(unused_mut, reason = "older drivers set a busy handler without it")]
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(PATIENT))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096;
         PRAGMA wal_autocheckpoint=0;",
    )?;
    Ok(connection)
}

fn common(connection: &Connection) -> Result<()> {
    // Without it a statement with new bindings may be planned, and so parsed, again at every use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).mapped()?;
    connection.execute_batch("PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384;").mapped()
}

/// The change of mode takes the file for itself and does not ask the busy handler.
fn enter_wal_mode(connection: &Connection) -> Result<()> {
    let began = Instant::now();
    loop {
        let mode =
            connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(Error::invalid(
                    "url",
                    format!(
                        "the file cannot be put into WAL mode (it stays in {mode}); SQLite needs a local file"
                    ),
                ));
            }
            Err(error) if is_busy(&error) && began.elapsed() < LOCK_WAIT_MAX => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error).mapped(),
        }
    }
}
