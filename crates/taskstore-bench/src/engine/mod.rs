//! What is different on each engine: how an empty place is made and removed, what can be read of the
//! database while a case runs, and the naive queue. All else is the same on every engine.
//!
//! Architecture invariant: no room knows another, and nothing outside of them names a driver.

mod address;
mod mysql;
mod postgres;
mod sqlite;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

pub use address::without_password;
use async_trait::async_trait;

use crate::{Result, Sample, workload::naive};

/// How long the database may know somebody who has ended.
const LEAVE_MAX: Duration = Duration::from_secs(30);
/// How often it is asked whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Where the databases of the cases lie. Each case gets an empty one, and leaves nothing behind.
#[derive(Debug)]
pub struct Place(Box<dyn Engine>);

impl Place {
    /// At this URL: of a file that is not there yet, or of a server, on which a database will be made
    /// and removed for each case, beside the one that the URL names.
    ///
    /// # Errors
    /// There is no such engine, its server cannot be reached, the file is there already, or its
    /// folder is not.
    pub async fn at(url: &str) -> Result<Self> {
        match Kind::of(url)? {
            Kind::Sqlite => Ok(Self(Box::new(sqlite::File::at(url)?))),
            Kind::Postgres => Ok(Self(Box::new(postgres::Server::at(url).await?))),
            Kind::Mysql => Ok(Self(Box::new(mysql::Server::at(url).await?))),
        }
    }

    /// A file of SQLite in a temporary folder inside this one, which must be on a disk.
    ///
    /// # Errors
    /// The folder cannot be made, or is in memory, where a commit costs nothing.
    pub fn temporary_in(folder: &Path) -> Result<Self> {
        Ok(Self(Box::new(sqlite::File::temporary_in(folder)?)))
    }

    /// Removes what a case that was broken off has left. What is not there is removed already.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(&mut self) -> Result<()> {
        self.0.remove().await
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.0
    }

    pub(crate) fn engine_mut(&mut self) -> &mut dyn Engine {
        &mut *self.0
    }
}

/// What a report says about an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Product {
    /// With its version.
    pub(crate) name: String,
    /// What its commits wait for.
    pub(crate) durability: String,
    /// What else has to be known to read its figures.
    pub(crate) notes: Vec<String>,
}

/// An engine, and the place on it that the cases use, one after another.
#[async_trait]
pub(crate) trait Engine: fmt::Debug + Send + Sync {
    fn product(&self) -> &Product;

    /// Of the store in the place.
    fn url(&self) -> &str;

    /// Where its files lie, if that is known.
    fn folder(&self) -> Option<PathBuf>;

    /// By how much less is drained than on the fastest engine, so that a run does not take all day.
    fn slowness(&self) -> u64;

    /// Makes the place, empty.
    async fn make(&mut self) -> Result<()>;

    /// Removes the place, if it is there.
    async fn remove(&mut self) -> Result<()>;

    /// Looks at the place, which has been made.
    async fn meter(&self) -> Result<Box<dyn Meter>>;
}

/// Reads what an engine counts.
#[async_trait]
pub(crate) trait Meter: Send {
    /// As far as it is known, and each from wherever the engine begins to count.
    async fn read(&mut self) -> Result<Reading>;

    /// Waits until everybody else has left, and has told what they did.
    async fn alone(&mut self) -> Result<()>;

    /// What is counted for the tables of the place, since it was made.
    async fn tables(&mut self) -> Result<Reading>;
}

/// What an engine counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counter {
    /// Bytes of the log that makes commits durable.
    LogBytes,
    /// Bytes of the log that replicas read, where that is another.
    BinlogBytes,
    /// Whole pages in the log.
    PageImages,
    /// Transactions.
    Commits,
    /// Statements, without those of who counts.
    Statements,
    /// Transactions that were rolled back because they waited for one another.
    Deadlocks,
    /// CPU time of the server in microseconds, when it is on this machine.
    ServerMicros,
    /// Rows that were updated,
    Updates,
    /// and of these, without a new entry in an index.
    HotUpdates,
    /// Versions of rows that nobody can see and that still take room.
    DeadRows,
}

/// How far the counters have got. What is not known on this engine or machine is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reading(BTreeMap<Counter, f64>);

impl Reading {
    pub(crate) fn with(mut self, counter: Counter, value: impl Into<Option<f64>>) -> Self {
        if let Some(value) = value.into() {
            self.0.insert(counter, value);
        }
        self
    }

    pub(crate) fn with_time(self, of_server: Option<Duration>) -> Self {
        self.with(Counter::ServerMicros, of_server.map(|time| time.as_secs_f64() * 1e6))
    }

    /// What was counted between the two.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let grown = |(counter, now): (&Counter, &f64)| {
            Some((*counter, now - before.0.get(counter).copied()?))
        };
        Self(self.0.iter().filter_map(grown).collect())
    }

    pub(crate) fn get(&self, counter: Counter) -> Option<f64> {
        self.0.get(&counter).copied()
    }
}

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
    Mysql,
}

impl Kind {
    fn of(url: &str) -> Result<Self> {
        match url.split_once("://") {
            Some(("sqlite", _)) => Ok(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres),
            Some(("mysql" | "mariadb", _)) => Ok(Self::Mysql),
            _ => {
                Err("the URL is of no engine that can be measured; they look like sqlite://FILE, \
                      postgres://USER@HOST/DATABASE and mysql://USER@HOST/DATABASE"
                    .into())
            }
        }
    }
}

/// Ends a fill, so that what is measured next does not pay for it. In the process that filled.
pub(crate) async fn after_fill(url: &str) -> Result<()> {
    match Kind::of(url)? {
        Kind::Sqlite => sqlite::empty_log(url),
        // A server empties its log whenever it likes.
        Kind::Postgres | Kind::Mysql => Ok(()),
    }
}

/// Makes the naive queue.
pub(crate) async fn fill_naive(url: &str, rows: u64) -> Result<()> {
    match Kind::of(url)? {
        Kind::Sqlite => sqlite::naive::fill(url, rows),
        Kind::Postgres => postgres::naive::fill(url, rows).await,
        Kind::Mysql => mysql::naive::fill(url, rows).await,
    }
}

/// Runs the naive queue for a while.
pub(crate) async fn run_naive(url: &str, rows: u64, lasts: Duration) -> Result<Sample> {
    match Kind::of(url)? {
        Kind::Sqlite => {
            let connection = sqlite::naive::open(url)?;
            naive::run(sqlite::naive::Queue::new(&connection)?, rows, lasts).await
        }
        Kind::Postgres => naive::run(postgres::naive::Queue::open(url).await?, rows, lasts).await,
        Kind::Mysql => naive::run(mysql::naive::Queue::open(url).await?, rows, lasts).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_at_both_ends_is_not_known() {
        let before = Reading::default().with(Counter::LogBytes, 100.0);
        let after =
            Reading::default().with(Counter::LogBytes, 150.0).with(Counter::Commits, Some(7.0));
        let grown = after.since(&before);
        assert_eq!(grown.get(Counter::LogBytes), Some(50.0));
        assert_eq!(grown.get(Counter::Commits), None);
    }

    #[tokio::test]
    async fn an_engine_that_is_not_known_is_refused() {
        for url in ["oracle://x", "memory:", "", "tasks.db"] {
            let error = Place::at(url).await.unwrap_err();
            assert!(error.to_string().contains("of no engine"), "{error}");
        }
    }
}
