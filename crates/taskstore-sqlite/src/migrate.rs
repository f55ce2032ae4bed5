//! The numbered migrations: applied in order, each once, inside one transaction that holds the
//! file's lock, so that of two processes one waits and then finds nothing to do.

use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrationReport},
};
use taskstore_sql::{Applied, Migration, Migrations, READ_BOOK};

use crate::{error::Mapped, sql::Texts};

/// The migrations.
pub(crate) const MIGRATIONS: Migrations = Migrations {
    steps: &[
        Migration {
            version: 1,
            name: "0001_initial",
            up: include_str!("../migrations/0001_initial.sql"),
            down: include_str!("../migrations/0001_initial_down.sql"),
            compatible_from: 1,
            may_lack: false,
        },
        Migration {
            version: 2,
            name: "0002_plain_sql",
            up: include_str!("../migrations/0002_plain_sql.sql"),
            down: include_str!("../migrations/0002_plain_sql_down.sql"),
            compatible_from: 1,
            may_lack: false,
        },
    ],
    book: include_str!("../migrations/0000_migration_table.sql"),
    book_down: include_str!("../migrations/0000_migration_table_down.sql"),
    enter: "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES({version},'{name}','{checksum}',{compatible_from},CAST(strftime('%s','now') AS INTEGER)*1000000);",
    may_be_cut_off: false,
};

/// Applies, reverts or plans. `connection` may write, unless it is a dry run.
pub(crate) fn migrate(
    connection: &rusqlite::Connection,
    texts: &Texts,
    request: &Migrate,
) -> Result<MigrationReport> {
    if request.dry_run {
        return plan(connection, texts, request);
    }
    connection.execute_batch("BEGIN IMMEDIATE").mapped()?;
    let done = plan(connection, texts, request).and_then(|report| {
        for sql in &report.sql {
            connection.execute_batch(sql).mapped()?;
        }
        connection.execute_batch("COMMIT").mapped().map(|()| report)
    });
    if done.is_err()
        && !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::warn!(%error, "a rollback failed");
    }
    done
}

fn plan(
    connection: &rusqlite::Connection,
    texts: &Texts,
    request: &Migrate,
) -> Result<MigrationReport> {
    let applied = read_book(connection, texts)?;
    MIGRATIONS.plan(request.target, applied.as_deref(), &|name, text| texts.prepare(name, text))
}

/// Whether this code can work with the tables that are there.
pub(crate) fn check(connection: &rusqlite::Connection, texts: &Texts) -> Result<()> {
    MIGRATIONS.check(read_book(connection, texts)?.as_deref())
}

/// What the book says; `None`: there is no book.
fn read_book(connection: &rusqlite::Connection, texts: &Texts) -> Result<Option<Vec<Applied>>> {
    let sql = texts.prepare("migrations", READ_BOOK);
    let mut statement = match connection.prepare(&sql).mapped() {
        Ok(statement) => statement,
        Err(Error::Schema { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let rows = statement
        .query_map([], |row| {
            Ok(Applied {
                version: row.get(0)?,
                checksum: row.get(1)?,
                compatible_from: row.get(2)?,
            })
        })
        .mapped()?;
    rows.collect::<rusqlite::Result<Vec<_>>>().mapped().map(Some)
}
