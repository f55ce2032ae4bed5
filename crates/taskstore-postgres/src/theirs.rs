//! A transaction of the caller's: the store's own statements on the caller's connection, in a
//! savepoint, so that an error leaves nothing and the caller can go on.
//!
//! Never commits, and asks for no connection of the store's while it waits, but to learn where the store
//! is.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use futures_util::{FutureExt as _, future::join_all};
use taskstore_core::{
    Alias, Definition, Error, Result,
    backend::{DefinitionKey, Enqueue, Enqueued, NewTask},
    within::EnqueueIn,
};
use tokio_postgres::{Client, Row, error::SqlState};

use crate::{
    backend::PostgresBackend,
    error::Mapped,
    home::{Home, Place},
    read,
    session::{Param, Run, Step},
    sql::Sql,
    wakeup::News,
    write,
};

const SAVE: &str = "SAVEPOINT taskstore";
const KEEP: &str = "RELEASE SAVEPOINT taskstore";
const KEEP_AND_WAIT: &str = "SET LOCAL lock_timeout=0; RELEASE SAVEPOINT taskstore";
const UNDO: &str = "ROLLBACK TO SAVEPOINT taskstore; RELEASE SAVEPOINT taskstore";

/// A connection on which a transaction is open: a `Transaction` of `tokio_postgres` or
/// `deadpool_postgres`, or a client of theirs on which `BEGIN` was sent by hand.
pub trait Connection: sealed::Linked + Sync {}

impl<C: sealed::Linked + Sync> Connection for C {}

pub(crate) mod sealed {
    use tokio_postgres::Client;

    /// What is needed of a connection.
    #[derive(Clone, Copy)]
    pub struct Link<'t> {
        pub(crate) client: &'t Client,
        /// Whether its type says that a transaction is open.
        pub(crate) has_begun: bool,
    }

    pub trait Linked {
        fn link(&self) -> Link<'_>;
    }

    impl Linked for Client {
        fn link(&self) -> Link<'_> {
            Link { client: self, has_begun: false }
        }
    }

    impl Linked for tokio_postgres::Transaction<'_> {
        fn link(&self) -> Link<'_> {
            Link { client: tokio_postgres::GenericClient::client(self), has_begun: true }
        }
    }

    impl Linked for deadpool_postgres::ClientWrapper {
        fn link(&self) -> Link<'_> {
            (**self).link()
        }
    }

    impl Linked for deadpool_postgres::Object {
        fn link(&self) -> Link<'_> {
            (**self).link()
        }
    }

    impl Linked for deadpool_postgres::Transaction<'_> {
        fn link(&self) -> Link<'_> {
            (**self).link()
        }
    }
}

/// The transaction, as long as the store works in it.
pub(crate) struct Theirs<'t> {
    backend: &'t PostgresBackend,
    client: &'t Client,
    has_begun: bool,
    /// Whether what is asked of it needs to see what others have committed meanwhile.
    sees_others: bool,
    /// Where the store is; there once it is known that the transaction is there, too.
    home: OnceLock<Arc<Home>>,
    saved: AtomicBool,
    /// Whether it would wait for locks for ever, but for now.
    waits: AtomicBool,
    news: News,
}

/// What `within_begin` says of the transaction.
struct Begun {
    place: Place,
    isolation: String,
    waits: bool,
}

impl<'t> Theirs<'t> {
    pub(crate) fn new(backend: &'t PostgresBackend, connection: &'t impl Connection) -> Self {
        let sealed::Link { client, has_begun } = connection.link();
        Self {
            backend,
            client,
            has_begun,
            sees_others: false,
            home: OnceLock::new(),
            saved: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            news: News::default(),
        }
    }

    /// What is asked of it needs to see what others have committed since it began.
    pub(crate) const fn seeing_others(mut self) -> Self {
        self.sees_others = true;
        self
    }

    /// What came into which queues, once.
    pub(crate) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// The work has ended so: what it did stays, or all of it is undone.
    pub(crate) async fn end<R>(self, done: Result<R>) -> Result<R> {
        if !self.saved.load(Ordering::Relaxed) {
            return done;
        }
        let text = match (&done, self.waits.load(Ordering::Relaxed)) {
            (Ok(_), false) => KEEP,
            (Ok(_), true) => KEEP_AND_WAIT,
            (Err(_), _) => UNDO,
        };
        let ended = self.client.batch_execute(text).await.mapped();
        done.and_then(|answer| ended.map(|()| answer))
    }

    /// Sets the savepoint and makes sure where it is. The first statements go along where it is known
    /// that a transaction is open: without one they would be committed at once.
    async fn open(&self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>> {
        let mut home = self.backend.home().await?;
        let mut begun = None;
        loop {
            let early = if self.has_begun { steps } else { &[] };
            let (now, answers) = futures_util::join!(self.save(&home), self.ask(&home, early));
            let Begun { place, isolation, waits } = now?;
            if home.is(place) {
                self.waits.store(waits, Ordering::Relaxed);
                let home = self.home.get_or_init(|| home);
                if self.sees_others && isolation != "read committed" {
                    return Err(Error::invalid(
                        "transaction",
                        format!(
                            "it is {isolation}, and a task is completed in one that is read committed"
                        ),
                    ));
                }
                return if self.has_begun { answers } else { self.ask(home, steps).await };
            }
            // The server may have been started anew since it was asked.
            let undone = self.client.batch_execute(UNDO).await.mapped();
            self.saved.store(false, Ordering::Relaxed);
            undone?;
            home = self.backend.look_home().await?;
            if !home.is(place) || begun.replace(place).is_some() {
                return Err(Error::invalid(
                    "transaction",
                    "its connection is to another database than that of the tasks",
                ));
            }
        }
    }

    async fn save(&self, home: &Home) -> Result<Begun> {
        let (saved, rows) = futures_util::join!(
            self.client.batch_execute(SAVE),
            self.client.query_typed(home.text(Sql::WithinBegin), &[])
        );
        saved.map_err(|error| match error.code() {
            Some(&SqlState::NO_ACTIVE_SQL_TRANSACTION) => {
                Error::invalid("transaction", "none is open on this connection: begin one before")
            }
            Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {
                Error::invalid("transaction", "it has failed already: roll it back")
            }
            _ => crate::error::from_postgres(error),
        })?;
        self.saved.store(true, Ordering::Relaxed);
        let rows = rows.mapped()?;
        let row = rows.first().ok_or_else(|| Error::backend("a transaction is in no database"))?;
        Ok(Begun {
            place: Place { server: row.try_get(0).mapped()?, database: row.try_get(1).mapped()? },
            isolation: row.try_get(2).mapped()?,
            waits: row.try_get(3).mapped()?,
        })
    }

    /// Runs statements in one round trip.
    async fn ask(&self, home: &Home, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>> {
        let steps: Vec<_> = steps
            .iter()
            .map(|(sql, params)| {
                let types = home.types(*sql).iter().cloned();
                (home.text(*sql), params.iter().copied().zip(types).collect::<Vec<_>>())
            })
            .collect();
        let asked = steps.iter().map(|(text, params)| self.client.query_typed(text, params));
        let answers = join_all(asked).await;
        answers.into_iter().collect::<std::result::Result<_, _>>().mapped()
    }
}

impl Run for Theirs<'_> {
    async fn rows(&self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<Row>> {
        Ok(self.together(false, &[(sql, params)], false).await?.pop().unwrap_or_default())
    }

    /// Begins nothing and ends nothing: that is the caller's.
    async fn together(&self, _: bool, steps: &[Step<'_>], _: bool) -> Result<Vec<Vec<Row>>> {
        // Boxed, or the future of an enqueue is so deep that the compiler gives up.
        match self.home.get() {
            Some(home) => self.ask(home, steps).boxed().await,
            None => self.open(steps).boxed().await,
        }
    }

    async fn begin(&self) -> Result<()> {
        Ok(())
    }

    async fn commit(&self) -> Result<()> {
        Ok(())
    }
}

impl EnqueueIn for Theirs<'_> {
    async fn definition(&mut self, alias: &Alias) -> Result<Option<Definition>> {
        read::definition(&*self, &DefinitionKey::Alias(alias.clone())).await
    }

    async fn enqueue(&mut self, tasks: &[NewTask]) -> Result<Vec<Enqueued>> {
        let (answers, news) = write::enqueue(&*self, &Enqueue::new(tasks)).await?;
        self.news.merge(&news);
        Ok(answers)
    }
}
