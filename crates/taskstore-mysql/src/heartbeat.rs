//! The connection that keeps leases alive. It never waits for a lock: a lease whose row somebody
//! holds is busy, and a take-over skips it too.

use std::time::Duration;

use async_trait::async_trait;
use taskstore_core::{
    Error, Heartbeat, LeaseId, Result,
    backend::{Beaten, Pulse},
};

use crate::{
    connection::Connector,
    convert::{lease_id, leases_json},
    error::is_once_more,
    session::{Session, values},
    sql::Sql,
};

/// A beat that takes longer is given up, however long other calls may take: the next one goes over
/// another connection, and leases are short.
const BEAT_MAX: Duration = Duration::from_secs(4);
/// How often a beat is tried that loses against others, as it may on a cluster.
const TRIES_MAX: u32 = 10;

/// The connection that keeps leases alive.
#[derive(Debug)]
pub(crate) struct MysqlHeartbeat {
    connector: Connector,
    /// `None`: it was of no more use.
    session: Option<Session<'static>>,
    deadline: Duration,
}

impl MysqlHeartbeat {
    /// Opens it, in the runtime of the caller.
    pub(crate) async fn open(connector: &Connector, call_timeout: Duration) -> Result<Self> {
        let session = Some(connector.open().await?);
        let deadline = call_timeout.min(BEAT_MAX);
        Ok(Self { connector: connector.clone(), session, deadline })
    }

    /// Beats on a connection that is only kept if all goes well.
    async fn beat_or_again(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let mut tries = 1;
        loop {
            let mut session = match self.session.take() {
                Some(session) => session,
                None => self.connector.open().await?,
            };
            match beat(&mut session, leases).await {
                Ok(beaten) => {
                    self.session = Some(session);
                    return Ok(beaten);
                }
                Err(error) if tries < TRIES_MAX && is_once_more(&error) => {
                    tries += 1;
                    if session.run("ROLLBACK").await.is_ok() {
                        self.session = Some(session);
                    }
                }
                // One that was idle for long may have been cut: nothing is lost by beating twice.
                Err(error) if tries == 1 && error.is_retryable() => tries = TRIES_MAX,
                Err(error) => return Err(error),
            }
        }
    }
}

async fn beat(session: &mut Session<'_>, leases: &[LeaseId]) -> Result<Beaten> {
    let pulses = if leases.is_empty() { Vec::new() } else { beat_all(session, leases).await? };
    let id = |row: &crate::session::Row| row.get::<String>(0)?.parse();
    let cancel = session.all(Sql::CancelRequests, Vec::new(), id).await?;
    Ok(Beaten { leases: pulses, cancel })
}

async fn beat_all(session: &mut Session<'_>, leases: &[LeaseId]) -> Result<Vec<Pulse>> {
    let list = leases_json(leases.iter().copied());
    let id = |row: &crate::session::Row| row.get::<Vec<u8>>(0).and_then(lease_id);
    session.run("BEGIN").await?;
    let free = session.all(Sql::BeatLock, values![list.as_str()], id).await?;
    if !free.is_empty() {
        let list = leases_json(free.iter().copied());
        session.execute(Sql::Beat, values![list]).await?;
    }
    session.run("COMMIT").await?;
    let rest = leases.iter().copied().filter(|lease| !free.contains(lease));
    let rest = leases_json(rest);
    let held = if rest == "[]" {
        Vec::new()
    } else {
        session.all(Sql::BeatFind, values![rest], id).await?
    };
    let pulse = |lease| {
        if free.contains(lease) {
            Pulse::Alive
        } else if held.contains(lease) {
            Pulse::Busy
        } else {
            Pulse::Lost
        }
    };
    Ok(leases.iter().map(pulse).collect())
}

#[async_trait]
impl Heartbeat for MysqlHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        match tokio::time::timeout(self.deadline, self.beat_or_again(leases)).await {
            Ok(beaten) => beaten,
            Err(_) => Err(Error::timed_out("the heartbeat", self.deadline)),
        }
    }
}
