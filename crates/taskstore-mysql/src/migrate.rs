//! The numbered migrations: applied in order, each once, under a lock of the server's. DDL ends its
//! own transaction here, so a migration is entered after its statements, and every one of them may
//! find its work done: one that was cut off is run again.

use std::time::Duration;

use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrationReport},
};
use taskstore_sql::{Applied, Migration, Migrations, READ_BOOK};

use crate::{
    error::is_denied,
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

/// How long a migration waits for another.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(50);
/// How long migrations may take.
const MIGRATE_MAX: Duration = Duration::from_secs(120);

/// Applies, reverts or plans. Of two processes one waits and then finds nothing to do.
pub(crate) async fn migrate(
    session: &mut Session<'_>,
    request: &Migrate,
) -> Result<MigrationReport> {
    if request.dry_run {
        return plan(session, request).await;
    }
    let work = async {
        lock(session).await?;
        let done = match plan(session, request).await {
            Ok(report) => run(session, report).await,
            Err(error) => Err(error),
        };
        // It goes with the connection, too, should this fail.
        let _ =
            session.ask(&format!("SELECT RELEASE_LOCK({})", lock_name(session)), |_| Ok(())).await;
        done
    };
    match tokio::time::timeout(MIGRATE_MAX, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::timed_out("migrate", MIGRATE_MAX)),
    }
}

/// The name of the lock that a migration holds, as SQL: one for each database and prefix. On a
/// cluster it is each node's own; but then two at once do the same twice, which every statement allows.
/// Not by MD5, which MySQL 9.6 no longer has.
fn lock_name(session: &Session<'_>) -> String {
    let prefix = session.texts().prefix();
    format!("CONCAT('taskstore {prefix} ',LEFT(SHA2(DATABASE(),256),32))")
}

async fn lock(session: &mut Session<'_>) -> Result<()> {
    let ask = format!("SELECT GET_LOCK({},{})", lock_name(session), LOCK_WAIT_MAX.as_secs());
    let got = session.ask(&ask, |row| row.get::<Option<i64>>(0)).await?;
    if got == [Some(1)] {
        return Ok(());
    }
    Err(Error::unavailable(format!("another migration did not end within {LOCK_WAIT_MAX:?}")))
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
                session.run(&down).await?;
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
    let applied = read_book(session).await?;
    let texts = session.texts();
    MIGRATIONS.plan(request.target, applied.as_deref(), &|name, text| texts.prepare(name, text))
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
        Err(error) => Err(error),
    }
}
