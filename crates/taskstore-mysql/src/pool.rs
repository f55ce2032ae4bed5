//! The connections of a store, and the transactions on them.
//!
//! A pool of our own, because a connection may go back only after its transaction has ended well: a
//! call that was dropped, or ran into its deadline, leaves one in the middle of an answer. Made when
//! needed and used in the runtime of the call that made it.

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher as _, RandomState},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use taskstore_core::{Error, Result};
use tokio::sync::Semaphore;

use crate::{
    connection::Connector,
    error::{is_broken, is_key_busy, is_once_more, is_undone, number_of},
    session::Session,
    wakeup::Wakeups,
};

/// How often a transaction is tried that loses against others. On a cluster every node lets its own
/// claims go ahead, and at COMMIT all but one have lost.
const TRIES_MAX: u32 = 20;
/// The longest pause before the next try.
const PAUSE_MAX: Duration = Duration::from_millis(50);
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

/// A transaction that was not done, or of which nobody knows.
struct Failed {
    error: Error,
    at_commit: bool,
    /// Surely nothing of it was kept, and it may well go through when it is done anew.
    once_more: bool,
}

impl Failed {
    /// Before COMMIT was sent.
    fn early(error: Error) -> Self {
        Self { at_commit: false, once_more: is_once_more(&error), error }
    }

    /// The answer to COMMIT.
    fn at_commit(error: Error) -> Self {
        Self { at_commit: true, once_more: is_undone(&error), error }
    }
}

/// How long to wait before the next try: longer each time, and not as long as the one that it lost
/// against.
fn pause(tries: u32) -> Duration {
    let longest = Duration::from_millis(2 << tries.min(8)).min(PAUSE_MAX);
    let random = RandomState::new().hash_one(tries) % 1_000;
    longest.mul_f64(0.25 + 0.75 * f64::from(u32::try_from(random).unwrap_or_default()) / 1_000.0)
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

    /// How long a call may take.
    pub(crate) const fn call_timeout(&self) -> Duration {
        self.call_timeout
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
        // In milliseconds; for ever, as long as there is none.
        let waited = AtomicU64::new(u64::MAX);
        let done = async {
            let (mut tries, mut waits) = (1, 0);
            loop {
                match self.once(kind, request, work, &waited).await {
                    Err(Failed { error, .. }) if is_key_busy(&error) => {
                        // Without a connection meanwhile: it may take as long as the holder likes.
                        waits = (waits + 1).min(10);
                        tokio::time::sleep(KEY_WAIT * waits).await;
                    }
                    Err(Failed { error, at_commit, once_more: true }) if tries < TRIES_MAX => {
                        let code = number_of(&error);
                        tracing::debug!(%error, code, at_commit, call, tries, "a transaction is done anew");
                        tokio::time::sleep(pause(tries)).await;
                        tries += 1;
                    }
                    Err(Failed { error, .. }) => return Err(error),
                    Ok(answer) => return Ok(answer),
                }
            }
        };
        match tokio::time::timeout(self.call_timeout, done).await {
            Ok(answer) => answer,
            Err(_)
                if u128::from(waited.load(Ordering::Relaxed)) * 2
                    < self.call_timeout.as_millis() =>
            {
                // What made this one wait, a connection that was cut without a word, has most likely
                // happened to the idle ones too.
                self.forget_idle();
                Err(Error::timed_out(call, self.call_timeout))
            }
            Err(_) => Err(Error::unavailable(format!(
                "{call} did not answer within {:?}: all connections of the pool were in use",
                self.call_timeout
            ))),
        }
    }

    async fn once<Q: Sync + ?Sized, T>(
        &self,
        kind: Kind,
        request: &Q,
        work: for<'s> fn(&'s mut Session<'static>, &'s Q) -> Work<'s, T>,
        waited: &AtomicU64,
    ) -> Result<T, Failed> {
        let began = Instant::now();
        let permit = self.permits.acquire().await;
        let _permit = permit.map_err(|error| Failed::early(Error::unavailable(error)))?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        waited.store(took, Ordering::Relaxed);
        let mut session = self.begin(kind).await.map_err(Failed::early)?;
        // From here on the session is dropped, and with it its connection, unless all goes well.
        let done = match work(&mut session, request).await {
            Ok(answer) => session.run("COMMIT").await.map(|()| answer).map_err(Failed::at_commit),
            Err(error) => Err(Failed::early(error)),
        };
        let news = session.take_news();
        match done {
            Ok(answer) => {
                self.give_back(session);
                self.wakeups.publish(&news);
                Ok(answer)
            }
            Err(failed) => {
                // Never a COMMIT after an error: after a deadlock the server says OK to it.
                if is_broken(&failed.error) {
                    self.forget_idle();
                } else if session.run("ROLLBACK").await.is_ok() {
                    self.give_back(session);
                }
                Err(failed)
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

    /// Closes the connections that nobody uses.
    fn forget_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Makes an idle connection of one that is in no transaction.
    pub(crate) fn give_back(&self, session: Session<'static>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((session, Instant::now()));
    }
}
