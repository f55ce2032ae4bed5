//! The pool of connections that read and cannot write.

use std::{path::PathBuf, sync::Arc, time::Duration};

use r2d2::{ManageConnection, Pool};
use rusqlite::Connection;
use taskstore_core::{Error, Result};

use crate::{
    connection::open_reader,
    error::{Mapped, joined},
    sql::Texts,
    statements::Statements,
};

/// How long a read waits for a connection.
const GET_WAIT_MAX: Duration = Duration::from_secs(10);

/// Reads from the file.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    pool: Pool<Manager>,
    texts: Arc<Texts>,
}

#[derive(Debug)]
struct Manager {
    path: PathBuf,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> Result<Connection, Self::Error> {
        open_reader(&self.path)
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), Self::Error> {
        connection.execute_batch("SELECT 1")
    }

    /// A transaction that is left open would stop every checkpoint.
    fn has_broken(&self, connection: &mut Connection) -> bool {
        !connection.is_autocommit()
    }
}

impl Readers {
    /// So many at most, made when they are needed.
    pub(crate) fn new(path: PathBuf, at_most: u32, texts: Arc<Texts>) -> Self {
        let pool = Pool::builder()
            .max_size(at_most)
            .min_idle(Some(0))
            .max_lifetime(None)
            .idle_timeout(None)
            .test_on_check_out(false)
            .connection_timeout(GET_WAIT_MAX)
            .build_unchecked(Manager { path });
        Self { pool, texts }
    }

    /// Runs a look at the file in a read transaction of its own, away from the runtime's threads.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Statements<'_>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let readers = self.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let connection = readers.pool.get().map_err(Error::unavailable)?;
            let view = connection.unchecked_transaction().mapped()?;
            let answer = look(&Statements::new(&connection, &readers.texts));
            view.finish().mapped()?;
            answer
        });
        joined(answer.await)
    }
}
