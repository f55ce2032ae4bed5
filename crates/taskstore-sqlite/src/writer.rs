//! The one thread of a process that writes to the file.
//!
//! What came in while the last transaction ran goes into the next one, so that 64 callers share one
//! wait for the disk. Never: an answer before its commit, a commit after an error.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use taskstore_core::{Error, Result};
use tokio::sync::oneshot;

use crate::{
    connection::without_waiting, error::Mapped, session::Session, sql::Texts,
    statements::Statements, wakeup::Wakeups,
};

/// Most requests in one transaction.
const GROUP_MAX: usize = 512;
/// How long after a write the log is copied into the file.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(1);
/// A log of so many bytes is copied earlier,
const CHECKPOINT_BYTES: u64 = 8 << 20;
/// but not more often than this, or one long reader would make every group try.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(100);

/// Sends requests to the writer thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    requests: mpsc::Sender<Box<dyn Request>>,
}

impl Writer {
    /// Starts the thread on this connection.
    pub(crate) fn start(
        connection: Connection,
        path: &std::path::Path,
        texts: Arc<Texts>,
        wakeups: Arc<Wakeups>,
    ) -> Result<Self> {
        let (requests, received) = mpsc::channel();
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let work = Work { received, wakeups, log: log.into() };
        thread::Builder::new()
            .name("taskstore-writer".into())
            .spawn(move || work.run(&connection, &texts))
            .map_err(Error::unavailable)?;
        Ok(Self { requests })
    }

    /// Runs `work` inside a transaction, perhaps twice if a neighbour in the group failed, and
    /// answers after the commit.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        work: impl Fn(&Session<'_>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Box::new(Call { work, answer: None, reply })).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::unavailable("the writer thread has ended")
}

/// One request, from its arrival to its answer.
trait Request: Send {
    /// Whether nobody waits for the answer any more: it may then be left undone.
    fn is_abandoned(&self) -> bool;
    /// Does the work and keeps the answer. Whether it succeeded.
    fn run(&mut self, session: &Session<'_>) -> bool;
    /// Gives the answer, or the reason why the transaction failed.
    fn answer(self: Box<Self>, failed: Option<&Error>);
}

struct Call<W, R> {
    work: W,
    answer: Option<Result<R>>,
    reply: oneshot::Sender<Result<R>>,
}

impl<R: Send, W: Fn(&Session<'_>) -> Result<R> + Send> Request for Call<W, R> {
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, session: &Session<'_>) -> bool {
        let answer = catch_unwind(AssertUnwindSafe(|| (self.work)(session)))
            .unwrap_or_else(|_| Err(Error::backend("a request panicked in the writer thread")));
        let succeeded = answer.is_ok();
        self.answer = Some(answer);
        succeeded
    }

    fn answer(self: Box<Self>, failed: Option<&Error>) {
        let answer = match (self.answer, failed) {
            // Its own error says more than that of the transaction which it brought down.
            (Some(Err(own)), _) => Err(own),
            (_, Some(error)) => Err(same(error)),
            (Some(answer), None) => answer,
            (None, None) => Err(gone()),
        };
        // A caller that has gone away does not need it.
        let _ = self.reply.send(answer);
    }
}

/// An error for each request of a group that failed as one.
fn same(error: &Error) -> Error {
    match error {
        Error::Schema { found, expected, advice } => {
            Error::Schema { found: *found, expected: *expected, advice }
        }
        Error::Unavailable { source } => Error::unavailable(source.to_string()),
        other => Error::backend(other.to_string()),
    }
}

struct Work {
    received: mpsc::Receiver<Box<dyn Request>>,
    wakeups: Arc<Wakeups>,
    log: PathBuf,
}

impl Work {
    fn run(self, connection: &Connection, texts: &Texts) {
        let session = Session::new(Statements::new(connection, texts));
        let mut checkpoint = Checkpoint::default();
        while let Some(group) = self.gather(checkpoint.wait()) {
            if !group.is_empty() {
                tracing::trace!(requests = group.len(), "group commit");
                self.serve(&session, group);
                checkpoint.written();
            }
            if checkpoint.is_due(&self.log) {
                run_checkpoint(connection, &self.log);
                checkpoint = Checkpoint::default();
            }
        }
    }

    /// The next requests: at least one, unless there is a time to wait and it has passed. `None`:
    /// no more will come.
    fn gather(&self, wait: Option<Duration>) -> Option<Vec<Box<dyn Request>>> {
        let first = match wait {
            None => self.received.recv().ok()?,
            Some(wait) => match self.received.recv_timeout(wait) {
                Ok(first) => first,
                Err(mpsc::RecvTimeoutError::Timeout) => return Some(Vec::new()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            },
        };
        let mut group = vec![first];
        group.extend(self.received.try_iter().take(GROUP_MAX - 1));
        group.retain(|request| !request.is_abandoned());
        Some(group)
    }

    fn serve(&self, session: &Session<'_>, mut group: Vec<Box<dyn Request>>) {
        let alone = group.len() == 1;
        let mut failed = whole(session, &mut group).err();
        // No request is to blame for a lock that could not be had or a disk that is full, and none
        // that failed is `Unavailable` here: another try would make all of them wait once more.
        let blames_one = failed.as_ref().is_some_and(|error| !error.is_retryable());
        if blames_one && !alone {
            tracing::debug!(requests = group.len(), "a group failed; each gets a savepoint");
            failed = one_by_one(session, &mut group).err();
        }
        let news = session.take_news();
        if let Some(error) = &failed {
            session.forget();
            tracing::warn!(%error, "a transaction failed");
        } else {
            self.wakeups.publish(&news);
        }
        for request in group {
            request.answer(failed.as_ref());
        }
    }
}

/// The group as one transaction. An error of a request that has changed nothing is only its own.
fn whole(session: &Session<'_>, group: &mut [Box<dyn Request>]) -> Result<()> {
    transaction(session, || {
        for request in group {
            session.take_changed();
            if !request.run(session) && (session.take_changed() || is_over(session)) {
                return Err(Error::backend("a request of the group failed"));
            }
        }
        Ok(())
    })
}

/// The group as one transaction in which each request is undone alone.
fn one_by_one(session: &Session<'_>, group: &mut [Box<dyn Request>]) -> Result<()> {
    let connection = session.statements.connection();
    transaction(session, || {
        for request in group {
            connection.execute_batch("SAVEPOINT request").mapped()?;
            let succeeded = request.run(session);
            if is_over(session) {
                return Err(Error::unavailable("an error has ended the whole transaction"));
            }
            if !succeeded {
                connection.execute_batch("ROLLBACK TO request").mapped()?;
                session.forget();
            }
            connection.execute_batch("RELEASE request").mapped()?;
        }
        Ok(())
    })
}

/// Some errors end the transaction by themselves, with all that the neighbours have done in it.
fn is_over(session: &Session<'_>) -> bool {
    session.statements.connection().is_autocommit()
}

fn transaction(session: &Session<'_>, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let connection = session.statements.connection();
    connection.execute_batch("BEGIN IMMEDIATE").mapped()?;
    let done = session
        .begin()
        .and_then(|()| work())
        .and_then(|()| connection.execute_batch("COMMIT").mapped());
    if done.is_err() {
        session.forget();
        mem::drop(session.take_news());
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a rollback failed");
        }
    }
    done
}

/// When the log was last written to, and copied.
#[derive(Default)]
struct Checkpoint {
    written: Option<Instant>,
}

impl Checkpoint {
    fn written(&mut self) {
        self.written.get_or_insert_with(Instant::now);
    }

    fn is_due(&self, log: &std::path::Path) -> bool {
        let Some(since) = self.written.map(|written| written.elapsed()) else { return false };
        since >= CHECKPOINT_AFTER
            || (since >= CHECKPOINT_PAUSE
                && std::fs::metadata(log).is_ok_and(|log| log.len() >= CHECKPOINT_BYTES))
    }

    /// How long to wait for a request before it is due; `None`: for ever.
    fn wait(&self) -> Option<Duration> {
        self.written.map(|written| CHECKPOINT_AFTER.saturating_sub(written.elapsed()))
    }
}

/// Copies the log into the file and empties it, without waiting for anybody: if it waited, one open
/// reader would stop every writer. What cannot be done is done next time.
fn run_checkpoint(connection: &Connection, log: &std::path::Path) {
    // Emptying what is empty writes all the same, and every other process looks what has changed.
    if std::fs::metadata(log).is_ok_and(|log| log.len() == 0) {
        return;
    }
    let began = Instant::now();
    let done = without_waiting(|| {
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))
            .mapped()
    });
    match done {
        Ok(busy) => tracing::trace!(busy, took = ?began.elapsed(), "checkpoint"),
        Err(error) => tracing::debug!(%error, "a checkpoint failed; it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::{PATIENT, open_reader, open_writer},
        options::Synchronous,
    };

    #[test]
    fn an_idle_writer_leaves_the_file_alone_however_often_it_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let log = folder.path().join("t.db-wal");
        let connection = open_writer(&path, Synchronous::Full, PATIENT).unwrap();
        connection.execute_batch("CREATE TABLE t(a)").unwrap();
        let other = open_reader(&path).unwrap();
        let version =
            || -> i64 { other.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
        run_checkpoint(&connection, &log);
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
        let before = version();
        run_checkpoint(&connection, &log);
        assert_eq!(version(), before, "every other process would look what has changed");
    }
}
