//! Queues: what is in them, and which have work. Their names come from seek to seek over keys that
//! begin with them, so that a queue with a million tasks is one step; counts end at a limit.

use std::collections::{BTreeSet, HashMap};

use mysql_async::Value;
use taskstore_core::{
    Queue, QueueCounts, QueueName, Result,
    backend::{
        Counted, Cursor, FindWork, Page, QUEUE_PRIORITIES_MAX, QUEUE_TASKS_MAX, QueueQuery,
        WorkFound,
    },
};

use crate::{
    convert::{count, until},
    session::{Row, Session, values},
    sql::Sql,
};

/// Queues that one statement counts, or looks at the head of.
const AT_ONCE: usize = 64;

/// Which queues have something ready, and when the next task of any is due.
pub(crate) async fn find_work(session: &mut Session<'_>, request: &FindWork) -> Result<WorkFound> {
    let now = session.now(request.now).await?;
    let mut found = WorkFound {
        due_in: next_due(session).await?.map(|at| until(at, now)),
        ..WorkFound::default()
    };
    let stopped = session.all(Sql::QueuesStopped, Vec::new(), name).await?;
    let stopped: BTreeSet<QueueName> = stopped.into_iter().collect();
    let mut after = request.after.clone();
    loop {
        let names = next_names(session, Sql::QueuesReady, after.as_ref()).await?;
        let Some(last) = names.last() else { return Ok(found) };
        after = Some(last.clone());
        for name in names {
            if found.queues.len() == request.limit as usize {
                found.next = found.queues.last().cloned();
                return Ok(found);
            }
            if request.wants(&name) && !stopped.contains(&name) {
                found.queues.push(name);
            }
        }
    }
}

/// When the next task of any queue is due.
pub(crate) async fn next_due(session: &mut Session<'_>) -> Result<Option<i64>> {
    let due = session.first(Sql::NextDue, Vec::new(), |row| row.get::<Option<i64>>(0)).await?;
    Ok(due.flatten())
}

/// A page of queues.
pub(crate) async fn queues(session: &mut Session<'_>, query: &QueueQuery) -> Result<Page<Queue>> {
    let after = query.check()?;
    let now = session.now(query.now).await?;
    let running = Tally::read(session, Sql::QueuesRunning).await?;
    let paused = Tally::read(session, Sql::QueuesPaused).await?;
    let limit = query.limit as usize;
    let mut page: Vec<QueueName> = match &query.only {
        Some(only) => vec![only.clone()],
        None => {
            let mut all = BTreeSet::new();
            for sql in [Sql::QueuesReady, Sql::QueuesLater, Sql::QueuesSettings] {
                all.extend(names(session, sql, after.as_ref(), limit + 1).await?);
            }
            let few = running.names().chain(paused.names()).cloned();
            all.extend(few.filter(|name| after.as_ref().is_none_or(|after| name > after)));
            all.into_iter().collect()
        }
    };
    let has_more = page.len() > limit;
    page.truncate(limit);
    let each = query.count_each(page.len());
    let mut waiting = waiting(session, &page, each).await?;
    let mut oldest = oldest(session, &page).await?;
    let look = |name: QueueName| {
        let (ready, delayed, is_paused) = waiting.remove(&name).unwrap_or(NOTHING);
        Queue {
            paused: is_paused,
            tasks: QueueCounts {
                ready,
                delayed,
                running: running.of(&name),
                paused: paused.of(&name),
            },
            oldest_ready: oldest.remove(&name).map(|run_at| until(now, run_at)),
            name,
        }
    };
    let items: Vec<Queue> = page.into_iter().map(look).collect();
    let next = items.last().filter(|_| has_more && query.only.is_none());
    let next = next.map(|last| Cursor(last.name.as_str().to_owned()));
    Ok(Page { items, next })
}

fn name(row: &Row) -> Result<QueueName> {
    QueueName::new(&row.text(0)?)
}

/// Some names after this one, in their order; none: there are no more.
async fn next_names(
    session: &mut Session<'_>,
    sql: Sql,
    after: Option<&QueueName>,
) -> Result<Vec<QueueName>> {
    // Every name comes after the empty text.
    let after = after.map_or("", QueueName::as_str);
    let mut names = session.all(sql, values![after], name).await?;
    names.sort_unstable();
    Ok(names)
}

/// So many names after this one, or all that there are.
async fn names(
    session: &mut Session<'_>,
    sql: Sql,
    after: Option<&QueueName>,
    enough: usize,
) -> Result<Vec<QueueName>> {
    let mut all = next_names(session, sql, after).await?;
    while all.len() < enough {
        let more = next_names(session, sql, all.last().or(after)).await?;
        if more.is_empty() {
            break;
        }
        all.extend(more);
    }
    Ok(all)
}

/// What is ready in a queue and what delayed, and whether it is paused.
type Waiting = (Counted, Counted, bool);

const NOTHING: Waiting = (Counted::Exactly(0), Counted::Exactly(0), false);

async fn waiting(
    session: &mut Session<'_>,
    queues: &[QueueName],
    each: u64,
) -> Result<HashMap<QueueName, Waiting>> {
    let limit = count(each.saturating_add(1));
    let mut all = HashMap::new();
    for some in queues.chunks(AT_ONCE) {
        let of_each = |name: &QueueName| {
            let name = name.as_str();
            values![name, name, limit, name, limit, name]
        };
        let values = some.iter().flat_map(of_each).collect();
        let read = |row: &Row| {
            let paused = row.get::<Option<bool>>(3)?.unwrap_or_default();
            Ok((name(row)?, (counted(row.get(1)?, each), counted(row.get(2)?, each), paused)))
        };
        all.extend(session.union(Sql::QueueCounts, some.len(), values, read).await?);
    }
    Ok(all)
}

fn counted(seen: i64, at_most: u64) -> Counted {
    let seen = u64::try_from(seen).unwrap_or_default();
    if seen > at_most { Counted::AtLeast(at_most) } else { Counted::Exactly(seen) }
}

/// When the task of each of these queues is due that is due longest, among the heads of the most
/// urgent priorities. Queues that have nothing ready are left out.
async fn oldest(
    session: &mut Session<'_>,
    queues: &[QueueName],
) -> Result<HashMap<QueueName, i64>> {
    let mut oldest: HashMap<QueueName, i64> = HashMap::new();
    for some in queues.chunks(AT_ONCE) {
        let mut rest: Vec<(QueueName, i64)> =
            some.iter().map(|name| (name.clone(), i64::MIN)).collect();
        for _ in 0..QUEUE_PRIORITIES_MAX {
            let of_each = |(name, before): &(QueueName, i64)| values![name.as_str(), *before];
            let values: Vec<Value> = rest.iter().flat_map(of_each).collect();
            let read = |row: &Row| Ok((name(row)?, row.get::<i64>(1)?, row.get::<i64>(2)?));
            let heads = session.union(Sql::QueueHead, rest.len(), values, read).await?;
            rest.clear();
            for (name, priority, run_at) in heads {
                oldest
                    .entry(name.clone())
                    .and_modify(|oldest| *oldest = run_at.min(*oldest))
                    .or_insert(run_at);
                rest.push((name, priority));
            }
            if rest.is_empty() {
                break;
            }
        }
    }
    Ok(oldest)
}

/// Tasks counted by their queue, all of one kind at once.
struct Tally {
    by_queue: HashMap<QueueName, u64>,
    is_all: bool,
}

impl Tally {
    async fn read(session: &mut Session<'_>, sql: Sql) -> Result<Self> {
        let limit = count(QUEUE_TASKS_MAX + 1);
        let read = |row: &Row| Ok((name(row)?, row.get::<u64>(1)?));
        let by_queue: HashMap<_, _> =
            session.all(sql, values![limit], read).await?.into_iter().collect();
        let is_all = by_queue.values().sum::<u64>() <= QUEUE_TASKS_MAX;
        Ok(Self { by_queue, is_all })
    }

    fn names(&self) -> impl Iterator<Item = &QueueName> {
        self.by_queue.keys()
    }

    fn of(&self, queue: &QueueName) -> Counted {
        let seen = self.by_queue.get(queue).copied().unwrap_or_default();
        if self.is_all { Counted::Exactly(seen) } else { Counted::AtLeast(seen) }
    }
}
