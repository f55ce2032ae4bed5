//! The connection that keeps leases alive.
//!
//! It blocks the thread it is used on, for a fifth of a second at most: that thread is there for
//! nothing else, and a pool of threads could be exhausted by others.

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use rusqlite::Connection;
use taskstore_core::{
    Heartbeat, LeaseId, Result, TaskId,
    backend::{Beaten, Pulse},
    clock,
};

use crate::{
    connection::{HASTY, open_writer},
    convert::lease_key,
    error::{Mapped, is_busy},
    options::Synchronous,
    sql::{Sql, Texts},
    statements::Statements,
};

/// The connection that keeps leases alive.
pub(crate) struct SqliteHeartbeat {
    connection: Connection,
    texts: Arc<Texts>,
}

impl fmt::Debug for SqliteHeartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteHeartbeat").finish_non_exhaustive()
    }
}

impl SqliteHeartbeat {
    /// Opens it.
    pub(crate) fn open(path: &Path, texts: Arc<Texts>) -> Result<Self> {
        // A beat need not outlive a loss of power, for no runner does. So it does not wait for the
        // disk, and lets go of the lock at once.
        let connection = open_writer(path, Synchronous::Normal, HASTY)?;
        Ok(Self { connection, texts })
    }

    fn beat_all(&self, statements: &Statements<'_>, leases: &[LeaseId]) -> Result<Vec<Pulse>> {
        let now = clock::to_micros(clock::now());
        let mut pulses = Vec::with_capacity(leases.len());
        for &lease in leases {
            let alive = statements.execute(Sql::Beat, (lease_key(lease), now))? > 0;
            pulses.push(if alive { Pulse::Alive } else { Pulse::Lost });
        }
        self.connection.execute_batch("COMMIT").mapped()?;
        Ok(pulses)
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a rollback failed");
        }
    }
}

#[async_trait]
impl Heartbeat for SqliteHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let statements = Statements::new(&self.connection, &self.texts);
        let leases = match self.connection.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => self.beat_all(&statements, leases).inspect_err(|_| self.roll_back())?,
            Err(error) if is_busy(&error) => {
                tracing::debug!(leases = leases.len(), "no beat: somebody else has the lock");
                vec![Pulse::Busy; leases.len()]
            }
            Err(error) => return Err(error).mapped(),
        };
        // A read needs no lock, so requests are heard also when no beat could be written.
        let cancel = statements.all(Sql::CancelRequests, [], |row| row.get::<_, String>(0))?;
        let cancel = cancel.iter().map(|id| id.parse::<TaskId>()).collect::<Result<_>>()?;
        Ok(Beaten { leases, cancel })
    }
}
