//! The thread that writes.
//!
//! redb has one writer at a time, and a commit waits for the disk. So all writes of the process go
//! through one thread, which puts what came in meanwhile into one transaction and answers after
//! its commit: many callers share one wait.

use std::{
    cell::Cell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    slice,
    sync::{Arc, mpsc},
    thread,
};

use redb::Database;
use taskstore_core::{Error, Result};
use tokio::sync::oneshot;

use crate::{beats::Beats, error::refused, hints::Hints, tx::Tx};

/// Most jobs of one transaction.
const GROUP_MAX: usize = 256;

/// Something to be done in a transaction, perhaps more than once: what was not committed did not happen.
trait Job: Send {
    fn work(&mut self, tx: &mut Tx<'_>) -> Result<()>;
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Asked<T, W> {
    work: W,
    made: Option<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T: Send, W: FnMut(&mut Tx<'_>) -> Result<T> + Send> Job for Asked<T, W> {
    fn work(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        self.made = Some((self.work)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { made, answer, .. } = *self;
        // Whoever asked may have gone away.
        let _ = answer.send(committed.and_then(|()| made.ok_or_else(ended)));
    }
}

/// The way to the thread, which ends when this is dropped and all that was asked for is done.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub fn start(
        database: Arc<Database>,
        beats: Arc<Beats>,
        hints: Arc<Hints>,
    ) -> io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Box<dyn Job>>();
        let thread = thread::Builder::new().name("taskstore-redb".to_owned()).spawn(move || {
            while let Ok(first) = jobs.recv() {
                let mut group = vec![first];
                group.extend(jobs.try_iter().take(GROUP_MAX - 1));
                answer(group, |jobs| commit(jobs, &database, &beats, &hints));
            }
        })?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    /// Has this done, and answers when it is on the disk.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Asked { work, made: None, answer });
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(ended)?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        // The file is free when this returns. A panic of the thread was told to those it concerned.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

fn ended() -> Error {
    Error::backend("the thread that writes has ended")
}

/// Commits the group and answers each. One that fails must not harm its neighbours: then nothing of the
/// group is committed, and each is done again by itself.
fn answer(mut group: Vec<Box<dyn Job>>, commit: impl Fn(&mut [Box<dyn Job>]) -> Result<()>) {
    let together = group.len() > 1 && commit(&mut group).is_ok();
    for mut job in group {
        let committed = if together { Ok(()) } else { commit(slice::from_mut(&mut job)) };
        job.answer(committed);
    }
}

/// A bug in one job must not end the thread for all: what panics is dropped uncommitted.
fn commit(
    jobs: &mut [Box<dyn Job>],
    database: &Database,
    beats: &Beats,
    hints: &Hints,
) -> Result<()> {
    let committed = catch_unwind(AssertUnwindSafe(|| attempt(jobs, database, beats, hints)));
    committed.unwrap_or_else(|_| Err(Error::backend("a panic in the store: see its message")))
}

fn attempt(
    jobs: &mut [Box<dyn Job>],
    database: &Database,
    beats: &Beats,
    hints: &Hints,
) -> Result<()> {
    let txn = database.begin_write().map_err(refused)?;
    let touched = Cell::new(false);
    let mut tx = Tx::open(&txn, &touched, beats)?;
    let worked = jobs.iter_mut().try_for_each(|job| job.work(&mut tx));
    let (held, news) = (std::mem::take(&mut tx.held), std::mem::take(&mut tx.hints));
    drop(tx);
    // What is dropped uncommitted never happened.
    let committed = worked.and_then(|()| match touched.get() {
        true => txn.commit().map_err(refused),
        false => Ok(()),
    });
    beats.release(&held);
    if committed.is_ok() {
        hints.tell(news);
    }
    committed
}
