//! Hears that another process has written to the file, and looks whether that is work for somebody
//! who waits here.
//!
//! By inotify on the log, which every commit appends to; where there is none, by the file's version
//! every 25 ms while somebody waits. Costs no statement while nothing happens. The beats of other
//! processes are seen too, and end at the look.
//!
//! A commit is written to the log first, then synced, and only then there for others to read. So what
//! inotify tells is that something is about to come, and the file's version tells when it has.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use taskstore_core::{Error, QueueName, QueuePattern, Result, backend::FindWork};

use crate::{
    connection::open_reader,
    error::Mapped,
    options::Wakeup,
    read,
    sql::{Sql, Texts},
    statements::Statements,
    wakeup::Wakeups,
};

/// How often the file's version is read where inotify cannot be had.
const POLL_EVERY: Duration = Duration::from_millis(25);
/// How long after a write its commit is waited for: longer than a disk takes to sync. One that takes
/// longer is found when a runner's own wait has ended.
const COMMIT_LAG_MAX: Duration = Duration::from_millis(250);
/// The pauses between looks at the version meanwhile.
const COMMIT_PAUSE_MIN: Duration = Duration::from_micros(100);
const COMMIT_PAUSE_MAX: Duration = Duration::from_millis(4);

/// Starts the thread that watches; it ends when `wakeups` is closed and [`Watch`] is dropped.
pub(crate) fn start(
    path: &Path,
    how: Wakeup,
    texts: Arc<Texts>,
    wakeups: Arc<Wakeups>,
) -> Result<Watch> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let ears = if how == Wakeup::Auto { Ears::open(&PathBuf::from(log)) } else { None };
    let watch = Watch::new(ears.as_ref(), wakeups.clone());
    if how == Wakeup::Off {
        return Ok(watch);
    }
    let path = path.to_owned();
    thread::Builder::new()
        .name("taskstore-watch".into())
        .spawn(move || {
            if let Err(error) = run(&path, ears, &texts, &wakeups) {
                tracing::warn!(%error, "work of other processes is no longer heard of at once");
            }
        })
        .map_err(Error::unavailable)?;
    Ok(watch)
}

/// Ends the thread when dropped.
pub(crate) struct Watch {
    wakeups: Arc<Wakeups>,
    #[cfg(target_os = "linux")]
    watched: Option<(inotify::Watches, inotify::WatchDescriptor)>,
}

impl Watch {
    #[cfg(target_os = "linux")]
    fn new(ears: Option<&Ears>, wakeups: Arc<Wakeups>) -> Self {
        let watched = ears.map(|ears| (ears.inotify.watches(), ears.watched.clone()));
        Self { wakeups, watched }
    }

    #[cfg(not(target_os = "linux"))]
    fn new(_ears: Option<&Ears>, wakeups: Arc<Wakeups>) -> Self {
        Self { wakeups }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.wakeups.close();
        // The kernel tells the reading thread that the watch has gone, which ends its wait.
        #[cfg(target_os = "linux")]
        if let Some((mut watches, watched)) = self.watched.take() {
            let _ = watches.remove(watched);
        }
    }
}

fn run(path: &Path, ears: Option<Ears>, texts: &Texts, wakeups: &Wakeups) -> Result<()> {
    let connection = open_reader(path).mapped()?;
    let statements = Statements::new(&connection, texts);
    let mut version = Version::default();
    if let Some(mut ears) = ears {
        while ears.hear() {
            expect_commit(&statements, wakeups, &mut version);
        }
    }
    while !wakeups.is_closed() && wakeups.wait_for_waiters(POLL_EVERY) {
        if version.has_changed(&statements) {
            wakeups.changed();
            look(&statements, wakeups);
        }
    }
    Ok(())
}

/// The log was written to: looks at what is committed from then on, until what was written must be
/// there. What is written meanwhile is heard of afterwards, and waited for in turn.
fn expect_commit(statements: &Statements<'_>, wakeups: &Wakeups, version: &mut Version) {
    // Also before it can be seen: a claim in between may not have seen it.
    wakeups.changed();
    let written = Instant::now();
    loop {
        if version.has_changed(statements) {
            wakeups.changed();
            look(statements, wakeups);
        }
        let waited = written.elapsed();
        if waited >= COMMIT_LAG_MAX || wakeups.is_closed() {
            return;
        }
        thread::sleep((waited / 8).clamp(COMMIT_PAUSE_MIN, COMMIT_PAUSE_MAX));
    }
}

/// What the file's version was when it was last read: it changes with every commit of others.
#[derive(Default)]
struct Version(Option<i64>);

impl Version {
    /// Whether it is another one than last time. One that cannot be read is no news.
    fn has_changed(&mut self, statements: &Statements<'_>) -> bool {
        let version = statements.first(Sql::DataVersion, [], |row| row.get(0));
        let Some(version) = version.ok().flatten() else { return false };
        self.0.replace(version) != Some(version)
    }
}

/// Wakes those for whom there is work. An error (a file not migrated yet, a lock) is no news.
fn look(statements: &Statements<'_>, wakeups: &Wakeups) {
    let queues = wakeups.queues();
    if queues.is_empty() {
        return;
    }
    match work_in(statements, queues) {
        Ok((ready, next_due)) => wakeups.found(&ready, next_due),
        Err(error) => tracing::debug!(%error, "could not look for work"),
    }
}

/// Which of these queues have something to claim, and when the next task of any is due.
pub(crate) fn work_in(
    statements: &Statements<'_>,
    queues: Vec<QueuePattern>,
) -> Result<(Vec<QueueName>, Option<i64>)> {
    let (named, alike): (Vec<_>, Vec<_>) =
        queues.into_iter().partition(|queue| queue.name().is_some());
    let mut candidates: Vec<_> = named.iter().filter_map(QueuePattern::name).cloned().collect();
    if !alike.is_empty() {
        // A thousand of them are enough for a hint.
        candidates.extend(read::find_work(statements, &FindWork::new(alike), 0)?.queues);
    }
    let mut ready = Vec::new();
    for queue in candidates {
        if statements.finds(Sql::QueueHasWork, [queue.as_str()])? {
            ready.push(queue);
        }
    }
    Ok((ready, read::next_due(statements)?))
}

/// Hears writes to one file.
#[cfg(target_os = "linux")]
struct Ears {
    inotify: inotify::Inotify,
    watched: inotify::WatchDescriptor,
}

#[cfg(target_os = "linux")]
impl Ears {
    fn open(log: &Path) -> Option<Self> {
        let opened = inotify::Inotify::init().and_then(|inotify| {
            let watched = inotify.watches().add(log, inotify::WatchMask::MODIFY)?;
            Ok(Self { inotify, watched })
        });
        opened
            .inspect_err(|error| tracing::info!(%error, "no inotify; the file is polled instead"))
            .ok()
    }

    /// Returns once the file was written to; false when it is watched no more.
    fn hear(&mut self) -> bool {
        let mut buffer = [0; 1024];
        match self.inotify.read_events_blocking(&mut buffer) {
            Ok(mut events) => !events.any(|event| event.mask.contains(inotify::EventMask::IGNORED)),
            Err(error) => error.kind() == std::io::ErrorKind::Interrupted,
        }
    }
}

/// There is no inotify here.
#[cfg(not(target_os = "linux"))]
struct Ears;

#[cfg(not(target_os = "linux"))]
impl Ears {
    fn open(_log: &Path) -> Option<Self> {
        None
    }

    fn hear(&mut self) -> bool {
        false
    }
}
