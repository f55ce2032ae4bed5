//! The naive queue on MySQL and MariaDB.

use mysql_async::{Conn, Statement, prelude::Queryable as _};

use super::{connect, options};
use crate::{
    Result,
    workload::naive::{Queue as Naive, Taken},
};

/// In the order of `run_at`, which no other index than the one that is meant can give: by `id` the
/// optimizer might walk past all rows that are done.
const TABLE: &str = "
    CREATE TABLE job (
        id BIGINT PRIMARY KEY,
        status VARCHAR(20) NOT NULL,
        payload MEDIUMTEXT NOT NULL,
        run_at BIGINT NOT NULL,
        started_at DATETIME(6),
        ended_at DATETIME(6),
        KEY job_by_status (status, run_at)
    ) ENGINE=InnoDB";
const FIRST: &str =
    "INSERT INTO job (id, status, payload, run_at) VALUES (0, 'queued', '{\"id\":0}', 0)";
/// As many again, numbered on.
const DOUBLE: &str = "
    INSERT INTO job (id, status, payload, run_at)
    SELECT id + ?, 'queued', CONCAT('{\"id\":', id + ?, '}'), run_at + ? FROM job WHERE id + ? < ?";
const TAKE: &str = "
    SELECT id, payload FROM job WHERE status = 'queued' ORDER BY run_at LIMIT 1
    FOR UPDATE SKIP LOCKED";
const START: &str = "UPDATE job SET status = 'running', started_at = NOW(6) WHERE id = ?";
const END: &str = "UPDATE job SET status = 'done', ended_at = NOW(6) WHERE id = ?";

pub(in crate::engine) async fn fill(url: &str, rows: u64) -> Result<()> {
    let mut connection = connect(&options(url)?).await?;
    connection.query_drop(TABLE).await?;
    connection.query_drop(FIRST).await?;
    let mut there = 1;
    while there < rows {
        connection.exec_drop(DOUBLE, (there, there, there, there, rows)).await?;
        there *= 2;
    }
    connection.query_drop("ANALYZE TABLE job").await?;
    Ok(connection.disconnect().await?)
}

/// The statements, prepared once, so that the baseline is no worse than it has to be.
pub(in crate::engine) struct Queue {
    connection: Conn,
    take: Statement,
    start: Statement,
    end: Statement,
}

impl Queue {
    pub(in crate::engine) async fn open(url: &str) -> Result<Self> {
        let mut connection = connect(&options(url)?).await?;
        let take = connection.prep(TAKE).await?;
        let (start, end) = (connection.prep(START).await?, connection.prep(END).await?);
        Ok(Self { connection, take, start, end })
    }
}

impl Naive for Queue {
    async fn take(&mut self) -> Result<Option<Taken>> {
        self.connection.query_drop("BEGIN").await?;
        let taken: Option<(i64, String)> = self.connection.exec_first(&self.take, ()).await?;
        let taken = taken.map(|(id, payload)| Taken { id, payload });
        if let Some(taken) = &taken {
            self.connection.exec_drop(&self.start, (taken.id,)).await?;
        }
        self.connection.query_drop("COMMIT").await?;
        Ok(taken)
    }

    async fn end(&mut self, id: i64) -> Result<()> {
        Ok(self.connection.exec_drop(&self.end, (id,)).await?)
    }
}
