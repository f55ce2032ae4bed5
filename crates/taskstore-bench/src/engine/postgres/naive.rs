//! The naive queue on PostgreSQL.

use tokio_postgres::{Client, Statement};

use super::{config, connect};
use crate::{
    Result,
    workload::naive::{Queue as Naive, Taken},
};

/// In the order of `run_at`, which no other index than the one that is meant can give: by `id` the
/// planner might walk past all rows that are done.
const TABLE: &str = "
    CREATE TABLE job (
        id bigint PRIMARY KEY,
        status text NOT NULL,
        payload text NOT NULL,
        run_at bigint NOT NULL,
        started_at timestamptz,
        ended_at timestamptz
    );
    CREATE INDEX job_by_status ON job (status, run_at);";
const INSERT: &str = "
    INSERT INTO job (id, status, payload, run_at)
    SELECT n, 'queued', '{\"id\":' || n || '}', n FROM generate_series(0, $1::bigint - 1) n";
const TAKE: &str = "
    SELECT id, payload FROM job WHERE status = 'queued' ORDER BY run_at LIMIT 1
    FOR UPDATE SKIP LOCKED";
const START: &str = "UPDATE job SET status = 'running', started_at = now() WHERE id = $1";
const END: &str = "UPDATE job SET status = 'done', ended_at = now() WHERE id = $1";

pub(in crate::engine) async fn fill(url: &str, rows: u64) -> Result<()> {
    let client = connect(&config(url)?).await?;
    client.batch_execute(TABLE).await?;
    client.execute(INSERT, &[&i64::try_from(rows)?]).await?;
    // As the server does by itself, a while after so many rows came.
    Ok(client.batch_execute("VACUUM ANALYZE job").await?)
}

/// The statements, planned once, so that the baseline is no worse than it has to be.
pub(in crate::engine) struct Queue {
    client: Client,
    take: Statement,
    start: Statement,
    end: Statement,
}

impl Queue {
    pub(in crate::engine) async fn open(url: &str) -> Result<Self> {
        let client = connect(&config(url)?).await?;
        let take = client.prepare(TAKE).await?;
        let (start, end) = (client.prepare(START).await?, client.prepare(END).await?);
        Ok(Self { client, take, start, end })
    }
}

impl Naive for Queue {
    async fn take(&mut self) -> Result<Option<Taken>> {
        self.client.batch_execute("BEGIN").await?;
        let taken = match self.client.query_opt(&self.take, &[]).await? {
            Some(row) => Some(Taken { id: row.try_get(0)?, payload: row.try_get(1)? }),
            None => None,
        };
        if let Some(taken) = &taken {
            self.client.execute(&self.start, &[&taken.id]).await?;
        }
        self.client.batch_execute("COMMIT").await?;
        Ok(taken)
    }

    async fn end(&mut self, id: i64) -> Result<()> {
        self.client.execute(&self.end, &[&id]).await?;
        Ok(())
    }
}
