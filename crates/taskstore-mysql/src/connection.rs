//! How a connection is opened: what is set on each, and which servers are refused.

use std::{fmt, sync::Arc, time::Duration};

use driver::prelude::Queryable;
use mysql_async as driver;
use taskstore_core::{Error, Result};

use crate::{
    error::{Mapped, at_connect},
    options::MysqlOptions,
    session::Session,
    settings::Settings,
    sql::Texts,
};

/// How many statements a connection keeps prepared: more than there are.
const STATEMENTS_MAX: usize = 1_000;

/// What is set on every connection, whatever the server's own defaults. READ COMMITTED: at REPEATABLE
/// READ claims and settlements lock gaps and deadlock (100 to 220 times in 20,000 tasks). UTC, because
/// NOW() is ambiguous when summer time ends. A lock that is not given within 3 s is asked for anew. A
/// session that says nothing for longer than a connection is kept idle is one whose machine is gone: its
/// locks go with it, on MariaDB soon when it was in the middle of a transaction.
const SETUP: &str = "SET NAMES utf8mb4; \
     SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; \
     SET SESSION time_zone='+00:00',innodb_lock_wait_timeout=3,autocommit=1,completion_type=0,\
     wait_timeout=90/*M!,idle_transaction_timeout=15*/,\
     sql_safe_updates=0,sql_big_selects=1,sql_select_limit=18446744073709551615,\
     sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE'";

/// On a cluster whose nodes all take writes (Galera), what another node has committed is there a moment
/// later. So a transaction begins when this node has seen what was committed before: else a paused queue
/// is claimed from, and a lease that was made through another node counts as lost.
const SEE_WHAT_IS_COMMITTED: &str = "SET SESSION wsrep_sync_wait=1";

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    /// Encrypted first, where both will do.
    options: Vec<driver::Opts>,
    texts: Arc<Texts>,
    timeout: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    /// # Errors
    /// [`Error::Invalid`] that names `url`: the authorities to believe cannot be read.
    pub(crate) fn new(options: &MysqlOptions, texts: Arc<Texts>) -> Result<Self> {
        let timeout = options.connect_timeout;
        let tls = &options.tls;
        let encrypted = tls.options()?.map(Some);
        let plain = tls.may_be_plain().then_some(None);
        let server = driver::OptsBuilder::default()
            .ip_or_hostname(options.host.clone())
            .tcp_port(options.port)
            .user(Some(options.user.clone()))
            .pass(options.password.clone())
            .db_name(Some(options.database.clone()))
            .stmt_cache_size(STATEMENTS_MAX)
            .prefer_socket(false)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_secs(30)));
        let with = |tls: Option<driver::SslOpts>| server.clone().ssl_opts(tls).into();
        let options = encrypted.into_iter().chain(plain).map(with).collect();
        Ok(Self { options, texts, timeout })
    }

    /// Opens one, ready to work.
    pub(crate) async fn open(&self) -> Result<Session<'static>> {
        let open = async {
            let mut conn = self.connect().await.map_err(at_connect)?;
            conn.query_drop(SETUP).await.mapped()?;
            let settings = Settings::read(&mut conn).await?;
            if settings.is_cluster {
                conn.query_drop(SEE_WHAT_IS_COMMITTED).await.mapped()?;
            }
            Ok(Session::new(conn, self.texts.clone(), settings))
        };
        match tokio::time::timeout(self.timeout, open).await {
            Ok(opened) => opened,
            Err(_) => Err(Error::timed_out("connect", self.timeout)),
        }
    }

    /// Plain only where the server cannot encrypt, not where encrypting has failed.
    async fn connect(&self) -> driver::Result<driver::Conn> {
        let mut all = self.options.iter().peekable();
        while let Some(options) = all.next() {
            match driver::Conn::new(options.clone()).await {
                Err(driver::Error::Driver(driver::DriverError::NoClientSslFlagFromServer))
                    if all.peek().is_some() => {}
                connected => return connected,
            }
        }
        Err(driver::DriverError::PoolDisconnected.into())
    }
}

/// Refuses servers on which the statements would not mean what they say.
pub(crate) async fn check_server(session: &mut Session<'_>) -> Result<()> {
    let (version, comment, innodb) = session.server().await?;
    refuse(&version, &comment, &innodb)
        .or_else(|| session.settings().refuse())
        .map_or(Ok(()), |why| Err(Error::invalid("url", format!("the server is {version}: {why}"))))
}

fn refuse(version: &str, comment: &str, innodb: &str) -> Option<&'static str> {
    let all = format!("{version} {comment}").to_ascii_lowercase();
    if all.contains("tidb") {
        return Some("TiDB takes SKIP LOCKED and ignores it, so two runners would claim one task");
    }
    if ["vitess", "oceanbase", "singlestore", "memsql", "doris", "starrocks"]
        .iter()
        .any(|name| all.contains(name))
    {
        return Some("it is neither MySQL nor MariaDB, whose locks the store relies on");
    }
    if !matches!(innodb, "YES" | "DEFAULT") {
        return Some("it has no InnoDB, and no other engine locks rows");
    }
    let (major, minor) = numbers(version);
    if all.contains("mariadb") {
        return ((major, minor) < (10, 6))
            .then_some("MariaDB 10.6 or newer is needed, for SKIP LOCKED");
    }
    ((major, minor) < (8, 0)).then_some("MySQL 8.0 or newer is needed, for SKIP LOCKED")
}

/// `10.11.19-MariaDB-0+deb12u1`, which some proxies show as `5.5.5-10.11.19-MariaDB`.
fn numbers(version: &str) -> (u32, u32) {
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_lock_rows_pass_and_the_rest_is_told_why_not() {
        for (version, comment) in [
            ("10.6.0-MariaDB", "mariadb.org"),
            ("10.11.19-MariaDB-0+deb12u1", "Debian 12"),
            ("5.5.5-11.4.2-MariaDB", ""),
            ("8.0.36", "MySQL Community Server - GPL"),
            ("9.7.0", "MySQL"),
            ("8.0.35-27", "Percona Server (GPL)"),
        ] {
            assert_eq!(refuse(version, comment, "DEFAULT"), None, "{version}");
        }
        for (version, comment) in [
            ("10.5.26-MariaDB", ""),
            ("5.7.44", "MySQL Community Server (GPL)"),
            ("8.0.11-TiDB-v7.5.0", "TiDB Server (Apache License 2.0)"),
            ("8.0.30-Vitess", ""),
        ] {
            assert!(refuse(version, comment, "DEFAULT").is_some(), "{version}");
        }
        assert!(refuse("8.0.36", "", "NO").is_some());
    }
}
