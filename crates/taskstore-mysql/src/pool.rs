//! The connections of a store, and the transactions on them.
//!
//! A pool of our own, because a connection may go back only after its transaction has ended well: a
//! call that was dropped, or ran into its deadline, leaves one in the middle of an answer. Made when
//! needed and used in the runtime of the call that made it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use taskstore_core::{Error, Result};
use tokio::sync::Semaphore;

use crate::{
    connection::Connector,
    error::{is_broken, is_key_busy, is_once_more},
    session::Session,
    wakeup::Wakeups,
};

/// How often a transaction is tried that loses against others.
const TRIES_MAX: u32 = 10;
/// How soon, at first, a key is asked for again that somebody has in an open transaction.
const KEY_WAIT: Duration = Duration::from_millis(10);
/// A connection that nobody has used for so long may have been cut on the way.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// A transaction at work.
pub(crate) type Work<'s, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 's>>;

/// How a transaction begins.
#[derive(Clone, Copy)]
enum Kind {
    Write,
    /// At one moment, without locks.
    Read,
}

impl Kind {
    const fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN",
            Self::Read => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY"
            }
        }
    }
}

/// The connections of a store.
pub(crate) struct Pool {
    connector: Connector,
    idle: Mutex<Vec<(Session<'static>, Instant)>>,
    permits: Semaphore,
    wakeups: Arc<Wakeups>,
    call_timeout: Duration,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) fn new(
        connector: Connector,
        connections: u32,
        wakeups: Arc<Wakeups>,
        call_timeout: Duration,
    ) -> Self {
        Self {
            connector,
            idle: Mutex::default(),
            permits: Semaphore::new(connections as usize),
            wakeups,
            call_timeout,
        }
    }

    /// Opens connections like those of the pool.
    pub(crate) const fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Does this in one transaction that may write, anew if it lost against another.
    pub(crate) async fn write<Q: Sync + ?Sized, T>(
        &self,
        call: &'static str,
        request: &Q,
        work: for<'s> fn(&'s mut Session<'static>, &'s Q) -> Work<'s, T>,
    ) -> Result<T> {
        self.transaction(Kind::Write, call, request, work).await
    }

    /// Does this in one transaction that sees the store at one moment, and writes nothing.
    pub(crate) async fn read<Q: Sync + ?Sized, T>(
        &self,
        call: &'static str,
        request: &Q,
        work: for<'s> fn(&'s mut Session<'static>, &'s Q) -> Work<'s, T>,
    ) -> Result<T> {
        self.transaction(Kind::Read, call, request, work).await
    }

    async fn transaction<Q: Sync + ?Sized, T>(
        &self,
        kind: Kind,
        call: &'static str,
        request: &Q,
        work: for<'s> fn(&'s mut Session<'static>, &'s Q) -> Work<'s, T>,
    ) -> Result<T> {
        let done = async {
            let (mut tries, mut waits) = (1, 0);
            loop {
                match self.once(kind, request, work).await {
                    Err(error) if is_key_busy(&error) => {
                        // Without a connection meanwhile: it may take as long as the holder likes.
                        waits = (waits + 1).min(10);
                        tokio::time::sleep(KEY_WAIT * waits).await;
                    }
                    Err(error) if is_once_more(&error) && tries < TRIES_MAX => {
                        tracing::debug!(%error, call, tries, "a transaction is done anew");
                        tokio::time::sleep(Duration::from_millis(u64::from(tries) * 2)).await;
                        tries += 1;
                    }
                    answer => return answer,
                }
            }
        };
        match tokio::time::timeout(self.call_timeout, done).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::timed_out(call, self.call_timeout)),
        }
    }

    async fn once<Q: Sync + ?Sized, T>(
        &self,
        kind: Kind,
        request: &Q,
        work: for<'s> fn(&'s mut Session<'static>, &'s Q) -> Work<'s, T>,
    ) -> Result<T> {
        let _permit = self.permits.acquire().await.map_err(Error::unavailable)?;
        let mut session = self.begin(kind).await?;
        // From here on the session is dropped, and with it its connection, unless all goes well.
        let done = match work(&mut session, request).await {
            Ok(answer) => session.run("COMMIT").await.map(|()| answer),
            Err(error) => Err(error),
        };
        let news = session.take_news();
        match done {
            Ok(answer) => {
                self.give_back(session);
                self.wakeups.publish(&news);
                Ok(answer)
            }
            Err(error) => {
                // Never a COMMIT after an error: after a deadlock the server says OK to it.
                if !is_broken(&error) && session.run("ROLLBACK").await.is_ok() {
                    self.give_back(session);
                }
                Err(error)
            }
        }
    }

    /// A connection in a new transaction. One that was cut while it was idle is replaced: nothing was
    /// asked of it yet.
    async fn begin(&self, kind: Kind) -> Result<Session<'static>> {
        while let Some(mut session) = self.take_idle() {
            match session.run(kind.begin()).await {
                Ok(()) => return Ok(session),
                Err(error) => tracing::debug!(%error, "an idle connection is of no more use"),
            }
        }
        let mut session = self.connector.open().await?;
        session.run(kind.begin()).await?;
        Ok(session)
    }

    fn take_idle(&self) -> Option<Session<'static>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE_MAX);
        idle.pop().map(|(session, _)| session)
    }

    /// Makes an idle connection of one that is in no transaction.
    pub(crate) fn give_back(&self, session: Session<'static>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((session, Instant::now()));
    }
}
