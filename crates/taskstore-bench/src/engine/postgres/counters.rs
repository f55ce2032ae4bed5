//! What PostgreSQL counts: for the server, the database and its tables.

use std::time::Instant;

use async_trait::async_trait;
use tokio_postgres::{Client, Config};

use super::connect;
use crate::{
    Result,
    engine::{Counter, LEAVE_MAX, LOOK_EVERY, Meter, Reading},
    meter,
};

/// As its processes are called.
const PROGRAM: &str = "postgres";
/// For the server and the database. From another database, so that looking is not counted.
const COUNT: &str = "
    SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8,
           d.xact_commit::float8,
           d.deadlocks::float8
    FROM pg_stat_database d WHERE d.datname = $1";
/// Since version 14.
const PAGE_IMAGES: &str = "SELECT wal_fpi::float8 FROM pg_stat_wal";
const PAGE_IMAGES_SINCE: i32 = 140_000;
/// For the tables, from within the database.
const TABLES: &str = "
    SELECT coalesce(sum(n_tup_upd), 0)::float8,
           coalesce(sum(n_tup_hot_upd), 0)::float8,
           coalesce(sum(n_dead_tup), 0)::float8
    FROM pg_stat_user_tables";
const OTHERS: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = $1 AND backend_type = 'client backend'";
const SERVER: &str = "
    SELECT pg_backend_pid(),
           current_setting('server_version_num')::int,
           coalesce(host(inet_server_addr()) IN ('127.0.0.1', '::1'), true)";

pub(super) struct Counters {
    client: Client,
    inside: Config,
    database: String,
    version: i32,
    /// The process that all of the server's processes come from, if it is on this machine.
    parent: Option<u32>,
}

impl Counters {
    /// Of this database, by a client that is in another.
    pub(super) async fn new(client: Client, inside: Config, database: String) -> Result<Self> {
        let row = client.query_one(SERVER, &[]).await?;
        let (process, version, here): (i32, i32, bool) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let process = u32::try_from(process)?;
        let parent = here.then(|| meter::parent_of(process, PROGRAM)).flatten();
        Ok(Self { client, inside, database, version, parent })
    }
}

#[async_trait]
impl Meter for Counters {
    async fn read(&mut self) -> Result<Reading> {
        let row = self.client.query_one(COUNT, &[&self.database]).await?;
        let reading = Reading::default()
            .with(Counter::LogBytes, row.try_get::<_, f64>(0)?)
            .with(Counter::Commits, row.try_get::<_, f64>(1)?)
            .with(Counter::Deadlocks, row.try_get::<_, f64>(2)?)
            .with_time(self.parent.and_then(meter::cpu_of_family));
        if self.version < PAGE_IMAGES_SINCE {
            return Ok(reading);
        }
        let row = self.client.query_one(PAGE_IMAGES, &[]).await?;
        Ok(reading.with(Counter::PageImages, row.try_get::<_, f64>(0)?))
    }

    /// Who leaves tells the statistics first what it did.
    async fn alone(&mut self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < LEAVE_MAX {
            let others: i64 = self.client.query_one(OTHERS, &[&self.database]).await?.try_get(0)?;
            if others == 0 {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(format!("somebody is still in the database after {LEAVE_MAX:?}").into())
    }

    async fn tables(&mut self) -> Result<Reading> {
        let row = connect(&self.inside).await?.query_one(TABLES, &[]).await?;
        Ok(Reading::default()
            .with(Counter::Updates, row.try_get::<_, f64>(0)?)
            .with(Counter::HotUpdates, row.try_get::<_, f64>(1)?)
            .with(Counter::DeadRows, row.try_get::<_, f64>(2)?))
    }
}
