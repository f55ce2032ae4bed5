//! The connection that keeps leases alive. It never waits for a lock: a lease whose row somebody
//! holds is busy, and a take-over skips it too.

use async_trait::async_trait;
use taskstore_core::{
    Heartbeat, LeaseId, Result,
    backend::{Beaten, Pulse},
};

use crate::{
    connection::Connector,
    convert::{lease_id, leases_json},
    session::{Session, values},
    sql::Sql,
};

/// The connection that keeps leases alive.
#[derive(Debug)]
pub(crate) struct MysqlHeartbeat {
    session: Session<'static>,
}

impl MysqlHeartbeat {
    /// Opens it, in the runtime of the caller.
    pub(crate) async fn open(connector: &Connector) -> Result<Self> {
        Ok(Self { session: connector.open().await? })
    }

    async fn beat_all(&mut self, leases: &[LeaseId]) -> Result<Vec<Pulse>> {
        let list = leases_json(leases.iter().copied());
        let id = |row: &crate::session::Row| row.get::<Vec<u8>>(0).and_then(lease_id);
        self.session.run("BEGIN").await?;
        let free = self.session.all(Sql::BeatLock, values![list.as_str()], id).await?;
        if !free.is_empty() {
            let list = leases_json(free.iter().copied());
            self.session.execute(Sql::Beat, values![list]).await?;
        }
        self.session.run("COMMIT").await?;
        let rest = leases.iter().copied().filter(|lease| !free.contains(lease));
        let rest = leases_json(rest);
        let held = if rest == "[]" {
            Vec::new()
        } else {
            self.session.all(Sql::BeatFind, values![rest], id).await?
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
}

#[async_trait]
impl Heartbeat for MysqlHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let pulses = if leases.is_empty() { Vec::new() } else { self.beat_all(leases).await? };
        let cancel = self
            .session
            .all(Sql::CancelRequests, Vec::new(), |row| row.get::<String>(0)?.parse())
            .await?;
        Ok(Beaten { leases: pulses, cancel })
    }
}
