//! The numbered migrations: applied in order, each once, under a lock of the server's. DDL ends its
//! own transaction here, so a migration is entered after its statements, and every one of them may
//! find its work done: one that was cut off is run again.

mod lock;

use std::time::Duration;

use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrationReport},
};
use taskstore_sql::{Applied, Migration, Migrations, READ_BOOK};

use self::lock::Lock;
use crate::{
    error::{is_denied, is_other_table},
    session::{Row, Session},
};

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
            may_lack: true,
        },
    ],
    book: include_str!("../migrations/0000_migration_table.sql"),
    book_down: include_str!("../migrations/0000_migration_table_down.sql"),
    enter: "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES({version},'{name}','{checksum}',{compatible_from},CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED)) ON DUPLICATE KEY UPDATE version=version;",
    may_be_cut_off: true,
};

/// How long migrations may take.
const MIGRATE_MAX: Duration = Duration::from_secs(120);

/// Applies, reverts or plans. Of two processes one waits and then finds nothing to do.
pub(crate) async fn migrate(
    session: &mut Session<'_>,
    request: &Migrate,
) -> Result<MigrationReport> {
    let report = plan(session, request).await?;
    if request.dry_run || report.sql.is_empty() {
        return Ok(report);
    }
    let lock = Lock::take(session).await?;
    let work = async {
        let report = plan(session, request).await?;
        run(session, report).await
    };
    let Ok(done) = tokio::time::timeout(MIGRATE_MAX, work).await else {
        return Err(Error::timed_out("migrate", MIGRATE_MAX));
    };
    lock.release(session).await;
    done
}

async fn run(session: &mut Session<'_>, mut report: MigrationReport) -> Result<MigrationReport> {
    let mut rest = report.sql.iter();
    while let Some(sql) = rest.next() {
        match session.run(sql).await {
            Ok(()) => {}
            Err(error) if is_denied(&error) => {
                let texts = session.texts();
                let lacks =
                    |step: &&Migration| step.may_lack && texts.prepare(step.name, step.up) == *sql;
                let Some(migration) = MIGRATIONS.steps.iter().find(lacks) else {
                    return Err(error);
                };
                let down = texts.prepare(migration.name, migration.down);
                tracing::warn!(%error, migration = migration.name, "the store goes on without it");
                match session.run(&down).await {
                    // Who may make nothing may remove nothing, and then nothing was made.
                    Err(error) if !is_denied(&error) => return Err(error),
                    _ => {}
                }
                report.applied.retain(|name| name != migration.name);
                // It is not entered, so it is tried again.
                rest.next();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

async fn plan(session: &mut Session<'_>, request: &Migrate) -> Result<MigrationReport> {
    let mut applied = read_book(session).await?;
    if applied.is_none()
        && let Some(table) = of_our_names(session).await?
    {
        // Unless another node of a cluster has just made it, and the book before it.
        applied = read_book(session).await?;
        if applied.is_none() {
            return Err(of_others(&table));
        }
    }
    let texts = session.texts();
    MIGRATIONS.plan(request.target, applied.as_deref(), &|name, text| texts.prepare(name, text))
}

/// A table that has one of our names. The book is made first and dropped last: where it is not, nothing
/// is ours, and such a table is somebody's own, which must not be written to.
async fn of_our_names(session: &mut Session<'_>) -> Result<Option<String>> {
    let names: Vec<_> = session.texts().made().map(|name| format!("'{name}'")).collect();
    let ask = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA=DATABASE() AND BINARY TABLE_NAME IN ({}) ORDER BY TABLE_NAME",
        names.join(",")
    );
    Ok(session.ask(&ask, |row| row.text(0)).await?.into_iter().next())
}

fn of_others(table: &str) -> Error {
    Error::invalid(
        "prefix",
        format!(
            "the database has a table {table} that is not ours: set a prefix, or use a database of its own"
        ),
    )
}

/// Whether this code can work with the tables that are there.
pub(crate) async fn check(session: &mut Session<'_>) -> Result<()> {
    MIGRATIONS.check(read_book(session).await?.as_deref())
}

/// Whether people can enqueue with plain SQL.
pub(crate) async fn has_plain_sql(session: &mut Session<'_>) -> Result<bool> {
    let sql = session.texts().prepare("plain_sql", "SELECT 1 FROM task_enqueue LIMIT 0;");
    match session.ask(&sql, |_| Ok(())).await {
        Ok(_) => Ok(true),
        Err(Error::Schema { .. }) => Ok(false),
        Err(error) if is_denied(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the book says; `None`: there is no book.
async fn read_book(session: &mut Session<'_>) -> Result<Option<Vec<Applied>>> {
    let sql = session.texts().prepare("migrations", READ_BOOK);
    let read = |row: &Row| {
        Ok(Applied { version: row.get(0)?, checksum: row.get(1)?, compatible_from: row.get(2)? })
    };
    match session.ask(&sql, read).await {
        Ok(applied) => Ok(Some(applied)),
        Err(Error::Schema { .. }) => Ok(None),
        Err(error) if is_other_table(&error) => {
            Err(of_others(&session.texts().prepare("book", "task_migration")))
        }
        Err(error) => Err(error),
    }
}
