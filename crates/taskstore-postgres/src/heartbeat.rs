//! The connection that keeps leases alive: its own, made in the runtime that uses it, so that neither
//! an exhausted pool nor blocked handlers stop it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use taskstore_core::{
    Heartbeat, LeaseId, Result,
    backend::{Beaten, Pulse},
};

use crate::{
    connection::{Connections, Job},
    convert::Uuid,
    options::PostgresOptions,
    sql::{Sql, Texts},
};

/// The connection that keeps leases alive.
pub(crate) struct PostgresHeartbeat {
    connections: Connections,
}

impl fmt::Debug for PostgresHeartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresHeartbeat").finish_non_exhaustive()
    }
}

impl PostgresHeartbeat {
    /// Opens it.
    pub(crate) async fn open(options: &PostgresOptions, texts: Arc<Texts>) -> Result<Self> {
        let connections = Connections::new(options, Job::Beat, 1, texts)?;
        connections.try_out().await?;
        Ok(Self { connections })
    }
}

#[async_trait]
impl Heartbeat for PostgresHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let keys: Vec<_> = leases.iter().map(|&lease| Uuid::of(lease.ulid())).collect();
        let keys = &keys;
        let mut answers = self
            .connections
            .run("a beat", |session| async move {
                session
                    .together(false, &[(Sql::Beat, &[keys]), (Sql::CancelRequests, &[])], false)
                    .await
            })
            .await?;
        let requests = answers.pop().unwrap_or_default();
        let pulses = answers.pop().unwrap_or_default();
        let pulse = |row: &tokio_postgres::Row| match row.get::<_, i32>(0) {
            0 => Pulse::Alive,
            1 => Pulse::Busy,
            _ => Pulse::Lost,
        };
        Ok(Beaten {
            leases: pulses.iter().map(pulse).collect(),
            cancel: requests.iter().map(|row| row.get::<_, Uuid>(0).id()).collect(),
        })
    }
}
