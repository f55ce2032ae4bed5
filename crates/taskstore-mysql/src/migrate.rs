//! The numbered migrations: applied in order, each once, under a lock of the server's. DDL ends its
//! own transaction here, so a migration is entered after its statements, and every one of them may
//! find its work done: one that was cut off is run again.

use std::{fmt::Write as _, time::Duration};

use sha2::{Digest, Sha256};
use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrateTo, MigrationReport},
};

use crate::{
    error::{is_denied, no_tables},
    session::{Row, Session},
    sql::Texts,
};

/// One step from a schema to the next.
struct Migration {
    version: u32,
    name: &'static str,
    up: &'static str,
    down: &'static str,
    /// The newest migration that the oldest code knows which still works with the tables after this.
    compatible_from: u32,
    /// The store works without it: the server may not let the user do what it does.
    may_lack: bool,
}

const MIGRATIONS: &[Migration] = &[
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
];

/// The newest migration that this code knows.
pub(crate) const LATEST: u32 = 2;
/// The newest one that the store cannot do without.
const NEEDED: u32 = 1;

/// How long a migration waits for another.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(50);
/// How long migrations may take.
const MIGRATE_MAX: Duration = Duration::from_secs(120);

const BOOK: &str = include_str!("../migrations/0000_migration_table.sql");
const BOOK_DOWN: &str = include_str!("../migrations/0000_migration_table_down.sql");

/// A row of the book of migrations.
struct Applied {
    version: u32,
    checksum: String,
    compatible_from: u32,
}

/// Applies, reverts or plans. Of two processes one waits and then finds nothing to do.
pub(crate) async fn migrate(
    session: &mut Session<'_>,
    request: &Migrate,
) -> Result<MigrationReport> {
    if request.dry_run {
        return plan(session, request.target).await;
    }
    let work = async {
        lock(session).await?;
        let done = match plan(session, request.target).await {
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
                let lacks = |m: &&Migration| m.may_lack && texts.prepare(m.name, m.up) == *sql;
                let Some(migration) = MIGRATIONS.iter().find(lacks) else { return Err(error) };
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

async fn plan(session: &mut Session<'_>, target: MigrateTo) -> Result<MigrationReport> {
    let applied = read_book(session).await?;
    match target {
        MigrateTo::Latest => up(session.texts(), applied),
        MigrateTo::Nothing => down(session.texts(), applied),
    }
}

fn up(texts: &Texts, applied: Option<Vec<Applied>>) -> Result<MigrationReport> {
    let mut report = MigrationReport::default();
    match &applied {
        None => report.sql.push(texts.prepare("0000_migration_table", BOOK)),
        Some(applied) => check_compatible(applied)?,
    }
    let there = applied.unwrap_or_default();
    let pending = MIGRATIONS.iter().filter(|m| !there.iter().any(|a| a.version == m.version));
    for migration in pending {
        report.sql.push(texts.prepare(migration.name, migration.up));
        report.sql.push(texts.prepare("migration_insert", &entry(migration)));
        report.applied.push(migration.name.to_owned());
    }
    Ok(report)
}

/// Its row, as a statement that a person could run too. All of its values are this crate's own.
fn entry(migration: &Migration) -> String {
    format!(
        "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES({},'{}','{}',{},CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED)) ON DUPLICATE KEY UPDATE version=version;",
        migration.version,
        migration.name,
        checksum(migration.up),
        migration.compatible_from,
    )
}

fn down(texts: &Texts, applied: Option<Vec<Applied>>) -> Result<MigrationReport> {
    let mut report = MigrationReport::default();
    let Some(applied) = applied else { return Ok(report) };
    if let Some(newer) = applied.iter().find(|applied| applied.version > LATEST) {
        return Err(Error::Schema {
            found: newer.version,
            expected: LATEST,
            advice: "revert it with the newer code that made it",
        });
    }
    for migration in MIGRATIONS.iter().rev() {
        if applied.iter().any(|applied| applied.version == migration.version) {
            report.applied.push(migration.name.to_owned());
        }
        // Also of one that was cut off before it was entered.
        report.sql.push(texts.prepare(migration.name, migration.down));
    }
    report.sql.push(texts.prepare("0000_migration_table", BOOK_DOWN));
    Ok(report)
}

/// Whether this code can work with the tables that are there.
pub(crate) async fn check(session: &mut Session<'_>) -> Result<()> {
    let applied = read_book(session).await?.ok_or_else(no_tables)?;
    check_compatible(&applied)?;
    match newest(&applied) {
        0 => Err(no_tables()),
        found if found < NEEDED => Err(Error::Schema {
            found,
            expected: LATEST,
            advice: "run the migrations with Store::migrate, or connect with auto_migrate",
        }),
        _ => Ok(()),
    }
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

fn newest(applied: &[Applied]) -> u32 {
    applied.iter().map(|applied| applied.version).max().unwrap_or_default()
}

/// No migration that this code knows may differ, and none that it does not know may exclude it.
fn check_compatible(applied: &[Applied]) -> Result<()> {
    let refuse = |advice| Err(Error::Schema { found: newest(applied), expected: LATEST, advice });
    for row in applied {
        match MIGRATIONS.iter().find(|migration| migration.version == row.version) {
            Some(known) if checksum(known.up) != row.checksum => {
                return refuse(
                    "a migration was changed after it was applied: its checksum differs from this build's",
                );
            }
            None if row.compatible_from > LATEST => {
                return refuse("the tables were made for newer code: update this program");
            }
            _ => {}
        }
    }
    Ok(())
}

/// What the book says; `None`: there is no book.
async fn read_book(session: &mut Session<'_>) -> Result<Option<Vec<Applied>>> {
    let sql = session.texts().prepare(
        "migrations",
        "SELECT version,checksum,compatible_from FROM task_migration ORDER BY version;",
    );
    let read = |row: &Row| {
        Ok(Applied { version: row.get(0)?, checksum: row.get(1)?, compatible_from: row.get(2)? })
    };
    match session.ask(&sql, read).await {
        Ok(applied) => Ok(Some(applied)),
        Err(Error::Schema { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
