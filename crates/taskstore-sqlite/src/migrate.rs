//! The numbered migrations: applied in order, each once, inside one transaction that holds the
//! file's lock, so that of two processes one waits and then finds nothing to do.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrateTo, MigrationReport},
};

use crate::{
    error::{Mapped, no_tables},
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

/// Applies, reverts or plans. `connection` may write, unless it is a dry run.
pub(crate) fn migrate(
    connection: &rusqlite::Connection,
    texts: &Texts,
    request: &Migrate,
) -> Result<MigrationReport> {
    let plan = match request.target {
        MigrateTo::Latest => up,
        MigrateTo::Nothing => down,
    };
    if request.dry_run {
        return plan(connection, texts, false);
    }
    connection.execute_batch("BEGIN IMMEDIATE").mapped()?;
    let done = plan(connection, texts, true)
        .and_then(|report| connection.execute_batch("COMMIT").mapped().map(|()| report));
    if done.is_err()
        && !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::warn!(%error, "a rollback failed");
    }
    done
}

fn up(connection: &rusqlite::Connection, texts: &Texts, run: bool) -> Result<MigrationReport> {
    let applied = read_book(connection, texts)?;
    let mut report = MigrationReport::default();
    let mut step = |sql: String| -> Result<()> {
        if run {
            connection.execute_batch(&sql).mapped()?;
        }
        report.sql.push(sql);
        Ok(())
    };
    match &applied {
        None => step(texts.prepare("0000_migration_table", BOOK))?,
        Some(applied) => check_compatible(applied)?,
    }
    let there = applied.unwrap_or_default();
    let pending = MIGRATIONS.iter().filter(|m| !there.iter().any(|a| a.version == m.version));
    let mut names = Vec::new();
    for migration in pending {
        step(texts.prepare(migration.name, migration.up))?;
        step(texts.prepare("migration_insert", &entry(migration)))?;
        names.push(migration.name.to_owned());
    }
    report.applied = names;
    Ok(report)
}

/// Its row, as a statement that a person could run too. All of its values are this crate's own.
fn entry(migration: &Migration) -> String {
    format!(
        "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES({},'{}','{}',{},CAST(strftime('%s','now') AS INTEGER)*1000000);",
        migration.version,
        migration.name,
        checksum(migration.up),
        migration.compatible_from,
    )
}

fn down(connection: &rusqlite::Connection, texts: &Texts, run: bool) -> Result<MigrationReport> {
    let mut report = MigrationReport::default();
    let Some(applied) = read_book(connection, texts)? else { return Ok(report) };
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
    if run {
        for sql in &report.sql {
            connection.execute_batch(sql).mapped()?;
        }
    }
    Ok(report)
}

/// Whether this code can work with the tables that are there.
pub(crate) fn check(connection: &rusqlite::Connection, texts: &Texts) -> Result<()> {
    let applied = read_book(connection, texts)?.ok_or_else(no_tables)?;
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
fn read_book(connection: &rusqlite::Connection, texts: &Texts) -> Result<Option<Vec<Applied>>> {
    let sql = texts.prepare(
        "migrations",
        "SELECT version,checksum,compatible_from FROM task_migration ORDER BY version;",
    );
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

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
