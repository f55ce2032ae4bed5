//! The naive queue on SQLite, in the file of the place, with the durability that its URL says.

use rusqlite::{Connection, OptionalExtension as _, Row, Statement, params};

use super::{Durability, empty_log, path};
use crate::{
    Result,
    job::Job,
    workload::naive::{Queue as Naive, Taken},
};

const TABLE: &str = "
    CREATE TABLE job (
        id INTEGER PRIMARY KEY,
        status TEXT NOT NULL,
        payload TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT
    );
    CREATE INDEX job_by_status ON job (status, id);";
const INSERT: &str = "INSERT INTO job (id, status, payload) VALUES (?1, 'queued', ?2)";
const TAKE: &str = "SELECT id, payload FROM job WHERE status = 'queued' ORDER BY id LIMIT 1";
const START: &str = "UPDATE job SET status = 'running', started_at = datetime('now') WHERE id = ?1";
const END: &str = "UPDATE job SET status = 'done', ended_at = datetime('now') WHERE id = ?1";

/// Makes the table, and leaves an empty log behind.
pub(in crate::engine) fn fill(url: &str, rows: u64) -> Result<()> {
    let connection = open(url)?;
    connection.execute_batch(TABLE)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut insert = connection.prepare(INSERT)?;
    for id in 0..rows {
        let payload = serde_json::to_string(&Job::sized(id, 0))?;
        insert.execute(params![id as i64, payload])?;
    }
    connection.execute_batch("COMMIT")?;
    empty_log(url)
}

pub(in crate::engine) fn open(url: &str) -> Result<Connection> {
    let connection = Connection::open(path(url)?)?;
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))?;
    let durability = Durability::of(url).as_sql();
    connection.execute_batch(&format!("PRAGMA synchronous={durability}"))?;
    Ok(connection)
}

/// The statements, parsed once, so that the baseline is no worse than it has to be.
pub(in crate::engine) struct Queue<'c> {
    begin: Statement<'c>,
    take: Statement<'c>,
    start: Statement<'c>,
    commit: Statement<'c>,
    end: Statement<'c>,
}

impl<'c> Queue<'c> {
    pub(in crate::engine) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            take: connection.prepare(TAKE)?,
            start: connection.prepare(START)?,
            commit: connection.prepare("COMMIT")?,
            end: connection.prepare(END)?,
        })
    }
}

impl Naive for Queue<'_> {
    async fn take(&mut self) -> Result<Option<Taken>> {
        self.begin.execute([])?;
        let row = |row: &Row<'_>| Ok(Taken { id: row.get(0)?, payload: row.get(1)? });
        let taken = self.take.query_row([], row).optional()?;
        if let Some(taken) = &taken {
            self.start.execute([taken.id])?;
        }
        self.commit.execute([])?;
        Ok(taken)
    }

    async fn end(&mut self, id: i64) -> Result<()> {
        self.end.execute([id])?;
        Ok(())
    }
}
