//! What MySQL and MariaDB count, all of it for the whole server.

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use async_trait::async_trait;
use mysql_async::{Conn, Row, prelude::Queryable as _};

use super::named_values;
use crate::{
    Result,
    engine::{Counter, LEAVE_MAX, LOOK_EVERY, Meter, Reading},
    meter,
};

/// As its process is called.
const PROGRAMS: [&str; 2] = ["mariadbd", "mysqld"];
const STATUS: &str = "SHOW GLOBAL STATUS";
/// How far InnoDB's log has got; the first that the server knows, as MariaDB, MySQL and old ones
/// name it.
const LOG_BYTES: [&str; 3] =
    ["Innodb_lsn_current", "Innodb_redo_log_current_lsn", "Innodb_os_log_written"];
/// Where there is no such status.
const DEADLOCKS: &str =
    "SELECT `count` FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'";
const BINARY_LOGS: &str = "SHOW BINARY LOGS";
const OTHERS: &str = "SELECT count(*) FROM information_schema.processlist WHERE db = ";

pub(super) struct Counters {
    connection: Conn,
    database: String,
    /// How many statements this connection has run.
    own: u32,
    has_binary_log: bool,
    process: Option<u32>,
}

impl Counters {
    pub(super) async fn new(mut connection: Conn, database: String) -> Result<Self> {
        let settings = named_values(&mut connection, "SHOW GLOBAL VARIABLES").await?;
        let has_binary_log = settings.get("log_bin").is_some_and(|on| on == "ON");
        Ok(Self { connection, database, own: 1, has_binary_log, process: process(&settings) })
    }

    async fn binlog_bytes(&mut self) -> Result<Option<f64>> {
        if !self.has_binary_log {
            return Ok(None);
        }
        self.own += 1;
        let files: Vec<Row> = self.connection.query(BINARY_LOGS).await?;
        let sizes = files.iter().map(|file| file.get::<u64, _>(1).unwrap_or_default());
        Ok(Some(sizes.sum::<u64>() as f64))
    }

    async fn deadlocks(&mut self) -> Result<Option<f64>> {
        self.own += 1;
        Ok(self.connection.query_first(DEADLOCKS).await?)
    }
}

#[async_trait]
impl Meter for Counters {
    async fn read(&mut self) -> Result<Reading> {
        let binlog_bytes = self.binlog_bytes().await?;
        let counted = self.deadlocks().await?;
        self.own += 1;
        let status = named_values(&mut self.connection, STATUS).await?;
        let value = |name: &str| status.get(name)?.parse::<f64>().ok();
        Ok(Reading::default()
            .with(Counter::LogBytes, LOG_BYTES.iter().find_map(|name| value(name)))
            .with(Counter::BinlogBytes, binlog_bytes)
            .with(Counter::Commits, value("Com_commit"))
            .with(Counter::Statements, value("Questions").map(|all| all - f64::from(self.own)))
            .with(Counter::Deadlocks, value("Innodb_deadlocks").or(counted))
            .with_time(self.process.and_then(meter::cpu_of_process)))
    }

    async fn alone(&mut self) -> Result<()> {
        let began = Instant::now();
        let others = format!("{OTHERS}'{}'", self.database);
        while began.elapsed() < LEAVE_MAX {
            self.own += 1;
            if self.connection.query_first::<u64, _>(&others).await? == Some(0) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(format!("somebody is still in the database after {LEAVE_MAX:?}").into())
    }

    async fn tables(&mut self) -> Result<Reading> {
        Ok(Reading::default())
    }
}

/// That of the server, if it is on this machine and says where it wrote it down.
fn process(settings: &BTreeMap<String, String>) -> Option<u32> {
    let folder = Path::new(settings.get("datadir")?);
    let written = fs::read_to_string(folder.join(settings.get("pid_file")?)).ok()?;
    let process = written.trim().parse().ok()?;
    PROGRAMS.iter().any(|program| meter::is(process, program)).then_some(process)
}
