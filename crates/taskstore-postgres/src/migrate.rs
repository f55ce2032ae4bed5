//! The numbered migrations: applied in order, each once, all in one transaction that holds a lock of
//! its own, so that of two processes one waits and then finds nothing to do.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrateTo, MigrationReport},
};

use crate::{convert::number, error::no_tables, session::Session, sql::Texts};

/// One step from a schema to the next.
struct Migration {
    version: u32,
    name: &'static str,
    up: &'static str,
    down: &'static str,
    /// The newest migration that the oldest code knows which still works with the tables after this.
    compatible_from: u32,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "0001_initial",
        up: include_str!("../migrations/0001_initial.sql"),
        down: include_str!("../migrations/0001_initial_down.sql"),
        compatible_from: 1,
    },
    Migration {
        version: 2,
        name: "0002_plain_sql",
        up: include_str!("../migrations/0002_plain_sql.sql"),
        down: include_str!("../migrations/0002_plain_sql_down.sql"),
        compatible_from: 1,
    },
];

/// The newest migration that this code knows.
pub(crate) const LATEST: u32 = 2;

const BOOK: &str = include_str!("../migrations/0000_migration_table.sql");
const BOOK_DOWN: &str = include_str!("../migrations/0000_migration_table_down.sql");

/// A row of the book of migrations.
struct Applied {
    version: u32,
    checksum: String,
    compatible_from: u32,
}

/// Applies, reverts or plans.
pub(crate) async fn migrate(session: &Session, request: &Migrate) -> Result<MigrationReport> {
    let plan = |applied| match request.target {
        MigrateTo::Latest => up(session.texts(), applied),
        MigrateTo::Nothing => down(session.texts(), applied),
    };
    if request.dry_run {
        return plan(read_book(session).await?);
    }
    // Of two that migrate at once one waits here, and then finds nothing to do.
    session.begin().await?;
    session.batch(&session.texts().prepare("migrate_lock", LOCK)).await?;
    let report = plan(read_book(session).await?)?;
    for sql in &report.sql {
        session.batch(sql).await?;
    }
    session.commit().await?;
    Ok(report)
}

/// Among stores of the same schema and prefix. The name is a text of the crate's own, so that the prefix is in it.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('taskstore '||current_schema()||'.'||$name$task_migration$name$,0));";

fn up(texts: &Texts, applied: Option<Vec<Applied>>) -> Result<MigrationReport> {
    let mut report = MigrationReport::default();
    match &applied {
        None => report.sql.push(texts.prepare("0000_migration_table", BOOK)),
        Some(applied) => check_compatible(applied)?,
    }
    let there = applied.unwrap_or_default();
    for migration in MIGRATIONS.iter().filter(|m| !there.iter().any(|a| a.version == m.version)) {
        report.sql.push(texts.prepare(migration.name, migration.up));
        report.sql.push(texts.prepare("migration_insert", &entry(migration)));
        report.applied.push(migration.name.to_owned());
    }
    Ok(report)
}

/// Its row, as a statement that a person could run too. All of its values are this crate's own.
fn entry(migration: &Migration) -> String {
    format!(
        "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES({},'{}','{}',{},(extract(epoch FROM now())*1000000)::bigint);",
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
            report.sql.push(texts.prepare(migration.name, migration.down));
        }
    }
    report.sql.push(texts.prepare("0000_migration_table", BOOK_DOWN));
    Ok(report)
}

/// Whether this code can work with the tables that are there.
pub(crate) async fn check(session: &Session) -> Result<()> {
    let applied = read_book(session).await?.ok_or_else(no_tables)?;
    check_compatible(&applied)?;
    match newest(&applied) {
        0 => Err(no_tables()),
        found if found < LATEST => Err(Error::Schema {
            found,
            expected: LATEST,
            advice: "run the migrations with Store::migrate, or connect with auto_migrate",
        }),
        _ => Ok(()),
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
async fn read_book(session: &Session) -> Result<Option<Vec<Applied>>> {
    let texts = session.texts();
    // Asked for first: an error would end the transaction.
    let there = texts
        .prepare("migration_table", "SELECT to_regclass($name$task_migration$name$) IS NOT NULL;");
    let there = session.rows_of(&there, &[]).await?;
    if !there.first().is_some_and(|row| row.get(0)) {
        return Ok(None);
    }
    let sql = texts.prepare(
        "migrations",
        "SELECT version,checksum,compatible_from FROM task_migration ORDER BY version;",
    );
    let rows = session.rows_of(&sql, &[]).await?;
    let applied = |row: &tokio_postgres::Row| {
        Ok(Applied {
            version: number(row.get::<_, i32>(0))?,
            checksum: row.get(1),
            compatible_from: number(row.get::<_, i32>(2))?,
        })
    };
    rows.iter().map(applied).collect::<Result<_>>().map(Some)
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
