//! Queues: what is in them, and which have work. Their names come from seek to seek over keys that
//! begin with them, so that a queue with a million tasks is one step; counts end at a limit.

use std::collections::{BTreeSet, HashMap};

use taskstore_core::{
    Queue, QueueCounts, QueueName, Result,
    backend::{
        Counted, Cursor, FindWork, Page, QUEUE_PRIORITIES_MAX, QUEUE_TASKS_MAX, QueueQuery,
        WorkFound,
    },
    clock,
};
use time::UtcDateTime;

use crate::{
    convert::{count, stamp, until},
    error::Mapped,
    session::Session,
    sql::Sql,
};

/// The time by which everything is stamped.
pub(crate) async fn now(session: &Session) -> Result<UtcDateTime> {
    server_now(session).await.map(clock::from_micros)
}

async fn server_now(session: &Session) -> Result<i64> {
    let row = session.first(Sql::Now, &[]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose().mapped()?.unwrap_or_default())
}

/// Which queues have something ready, and when the next task of any is due.
pub(crate) async fn find_work(session: &Session, request: &FindWork) -> Result<WorkFound> {
    let mut found = WorkFound { due_in: due_in(session, request.now).await?, ..Default::default() };
    let mut after = request.after.clone();
    loop {
        let rows = seek(session, Sql::QueuesReady, after.as_ref(), request.limit).await?;
        let is_last = rows.len() < request.limit as usize;
        for row in rows {
            if found.queues.len() == request.limit as usize {
                found.next = found.queues.last().cloned();
                return Ok(found);
            }
            let name = QueueName::new(row.try_get::<_, &str>(0).mapped()?)?;
            let is_paused: bool = row.try_get(1).mapped()?;
            after = Some(name.clone());
            if request.wants(&name) && !is_paused {
                found.queues.push(name);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// In how long the next task of any queue is due, by the server's clock or the caller's.
async fn due_in(
    session: &Session,
    now: Option<UtcDateTime>,
) -> Result<Option<std::time::Duration>> {
    let Some(row) = session.first(Sql::NextDue, &[]).await? else { return Ok(None) };
    let (at, server_now): (Option<i64>, i64) = (row.try_get(0).mapped()?, row.try_get(1).mapped()?);
    Ok(at.map(|at| until(at, stamp(now).unwrap_or(server_now))))
}

/// A page of queues, read at one moment.
pub(crate) async fn queues(session: &Session, query: &QueueQuery) -> Result<Page<Queue>> {
    let after = query.check()?;
    session.snapshot().await?;
    let now = match stamp(query.now) {
        Some(now) => now,
        None => server_now(session).await?,
    };
    let running = Tally::read(session, Sql::QueuesRunning).await?;
    let paused = Tally::read(session, Sql::QueuesPaused).await?;
    let mut page = match &query.only {
        Some(only) => vec![only.clone()],
        None => {
            let mut all = BTreeSet::new();
            for sql in [Sql::QueuesReady, Sql::QueuesLater, Sql::QueuesSettings] {
                let limit = query.limit.saturating_add(1);
                for row in seek(session, sql, after.as_ref(), limit).await? {
                    all.insert(QueueName::new(row.try_get::<_, &str>(0).mapped()?)?);
                }
            }
            let few = running.names()?.into_iter().chain(paused.names()?);
            all.extend(few.filter(|name| after.as_ref().is_none_or(|after| name > after)));
            all.into_iter().collect()
        }
    };
    let has_more = page.len() > query.limit as usize;
    page.truncate(query.limit as usize);
    let items = looked_at(session, page, query, now, [&running, &paused]).await?;
    let next = items.last().filter(|_| has_more && query.only.is_none());
    let next = next.map(|last| Cursor(last.name.as_str().to_owned()));
    Ok(Page { items, next })
}

/// What is in each queue of a page.
async fn looked_at(
    session: &Session,
    page: Vec<QueueName>,
    query: &QueueQuery,
    now: i64,
    [running, paused]: [&Tally; 2],
) -> Result<Vec<Queue>> {
    let each = query.count_each(page.len());
    let names: Vec<&str> = page.iter().map(QueueName::as_str).collect();
    let priorities = i32::try_from(QUEUE_PRIORITIES_MAX).unwrap_or(i32::MAX);
    let one_more = count(each).saturating_add(1);
    let counts = session.rows(Sql::QueueCounts, &[&names, &one_more]).await?;
    let heads = session.rows(Sql::QueueHead, &[&names, &priorities]).await?;
    let look = |((name, counts), head): ((&QueueName, _), _)| -> Result<Queue> {
        let (counts, head): (&tokio_postgres::Row, &tokio_postgres::Row) = (counts, head);
        let oldest: Option<i64> = head.try_get(0).mapped()?;
        Ok(Queue {
            paused: counts.try_get(2).mapped()?,
            tasks: QueueCounts {
                ready: counted(counts.try_get(0).mapped()?, each),
                delayed: counted(counts.try_get(1).mapped()?, each),
                running: running.of(name),
                paused: paused.of(name),
            },
            oldest_ready: oldest.map(|run_at| until(now, run_at)),
            name: name.clone(),
        })
    };
    page.iter().zip(&counts).zip(&heads).map(look).collect()
}

/// Rows that begin with the name of a queue, after this one.
async fn seek(
    session: &Session,
    sql: Sql,
    after: Option<&QueueName>,
    limit: u32,
) -> Result<Vec<tokio_postgres::Row>> {
    // Every name comes after the empty text.
    let after = after.map_or("", QueueName::as_str);
    session.rows(sql, &[&after, &i64::from(limit)]).await
}

fn counted(seen: i64, at_most: u64) -> Counted {
    let seen = u64::try_from(seen).unwrap_or_default();
    if seen > at_most { Counted::AtLeast(at_most) } else { Counted::Exactly(seen) }
}

/// Tasks counted by their queue, all of one kind at once.
struct Tally {
    by_queue: HashMap<String, u64>,
    is_all: bool,
}

impl Tally {
    async fn read(session: &Session, sql: Sql) -> Result<Self> {
        let mut by_queue = HashMap::new();
        for row in session.rows(sql, &[&(count(QUEUE_TASKS_MAX) + 1)]).await? {
            let seen: i64 = row.try_get(1).mapped()?;
            by_queue.insert(row.try_get(0).mapped()?, seen.unsigned_abs());
        }
        let is_all = by_queue.values().sum::<u64>() <= QUEUE_TASKS_MAX;
        Ok(Self { by_queue, is_all })
    }

    fn names(&self) -> Result<Vec<QueueName>> {
        self.by_queue.keys().map(|name| QueueName::new(name)).collect()
    }

    fn of(&self, queue: &QueueName) -> Counted {
        let seen = self.by_queue.get(queue.as_str()).copied().unwrap_or_default();
        if self.is_all { Counted::Exactly(seen) } else { Counted::AtLeast(seen) }
    }
}
