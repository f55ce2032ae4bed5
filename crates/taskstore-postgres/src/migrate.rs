//! The numbered migrations: applied in order, each once, all in one transaction that holds a lock of
//! its own, so that of two processes one waits and then finds nothing to do.

use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrationReport},
};
use taskstore_sql::{Applied, Migration, Migrations, READ_BOOK};

use crate::{
    convert::number,
    error::{NOT_OURS, is_undefined_column},
    session::Session,
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
            may_lack: false,
        },
    ],
    book: include_str!("../migrations/0000_migration_table.sql"),
    book_down: include_str!("../migrations/0000_migration_table_down.sql"),
    enter: "INSERT INTO task_migration(version,name,checksum,compatible_from,applied_at) VALUES({version},'{name}','{checksum}',{compatible_from},(extract(epoch FROM now())*1000000)::bigint);",
    may_be_cut_off: false,
};

/// Among stores of the same schema and prefix. The name is a text of the crate's own, so that the prefix is in it.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('taskstore '||current_schema()||'.'||$name$task_migration$name$,0));";

/// Applies, reverts or plans.
pub(crate) async fn migrate(session: &Session, request: &Migrate) -> Result<MigrationReport> {
    if request.dry_run {
        return plan(session, request).await;
    }
    // Of two that migrate at once one waits here, and then finds nothing to do.
    session.begin().await?;
    session.batch(&session.texts().prepare("migrate_lock", LOCK)).await?;
    let report = plan(session, request).await?;
    for sql in &report.sql {
        session.batch(sql).await?;
    }
    session.commit().await?;
    Ok(report)
}

async fn plan(session: &Session, request: &Migrate) -> Result<MigrationReport> {
    let applied = read_book(session).await?;
    let texts = session.texts();
    MIGRATIONS.plan(request.target, applied.as_deref(), &|name, text| texts.prepare(name, text))
}

/// Whether this code can work with the tables that are there.
pub(crate) async fn check(session: &Session) -> Result<()> {
    MIGRATIONS.check(read_book(session).await?.as_deref())
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
    let sql = texts.prepare("migrations", READ_BOOK);
    let rows = session.rows_of(&sql, &[]).await.map_err(|error| {
        if is_undefined_column(&error) {
            Error::invalid("prefix", format!("a table task_migration: {NOT_OURS}"))
        } else {
            error
        }
    })?;
    let applied = |row: &tokio_postgres::Row| {
        Ok(Applied {
            version: number(row.get::<_, i32>(0))?,
            checksum: row.get(1),
            compatible_from: number(row.get::<_, i32>(2))?,
        })
    };
    rows.iter().map(applied).collect::<Result<_>>().map(Some)
}
