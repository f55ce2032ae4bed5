//! Queues: what is in them, and which have work. Their names come from seek to seek over keys that
//! begin with them, so that a queue with a million tasks is one step; counts end at a limit.

use std::collections::{BTreeSet, HashMap};

use taskstore_core::{
    Queue, QueueCounts, QueueName, Result,
    backend::{
        Counted, Cursor, FindWork, Page, QUEUE_PRIORITIES_MAX, QUEUE_TASKS_MAX, QueueQuery,
        WorkFound,
    },
};

use crate::{
    convert::{count, until},
    sql::Sql,
    statements::Statements,
};

/// Which queues have something ready, and when the next task of any is due.
pub(crate) fn find_work(
    statements: &Statements<'_>,
    request: &FindWork,
    now: i64,
) -> Result<WorkFound> {
    let mut found = WorkFound {
        due_in: next_due(statements)?.map(|at| until(at, now)),
        ..WorkFound::default()
    };
    let mut after = request.after.clone();
    loop {
        let names = names(statements, Sql::QueuesReady, after.as_ref(), request.limit)?;
        let is_last = names.len() < request.limit as usize;
        for name in names {
            if found.queues.len() == request.limit as usize {
                found.next = found.queues.last().cloned();
                return Ok(found);
            }
            after = Some(name.clone());
            if request.wants(&name) && !statements.finds(Sql::QueuePaused, [name.as_str()])? {
                found.queues.push(name);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// When the next task of any queue is due.
pub(crate) fn next_due(statements: &Statements<'_>) -> Result<Option<i64>> {
    Ok(statements.first(Sql::NextDue, [], |row| row.get(0))?.flatten())
}

/// A page of queues.
pub(crate) fn queues(
    statements: &Statements<'_>,
    query: &QueueQuery,
    now: i64,
) -> Result<Page<Queue>> {
    let after = query.check()?;
    let running = Tally::read(statements, Sql::QueuesRunning)?;
    let paused = Tally::read(statements, Sql::QueuesPaused)?;
    let limit = query.limit as usize;
    let mut page: Vec<QueueName> = match &query.only {
        Some(only) => vec![only.clone()],
        None => {
            let mut all = BTreeSet::new();
            for sql in [Sql::QueuesReady, Sql::QueuesLater, Sql::QueuesSettings] {
                all.extend(names(statements, sql, after.as_ref(), query.limit.saturating_add(1))?);
            }
            let few = running.names()?.into_iter().chain(paused.names()?);
            all.extend(few.filter(|name| after.as_ref().is_none_or(|after| name > after)));
            all.into_iter().collect()
        }
    };
    let has_more = page.len() > limit;
    page.truncate(limit);
    let each = query.count_each(page.len());
    let look = |name: QueueName| -> Result<Queue> {
        let row = statements.first(Sql::QueueCounts, (name.as_str(), count(each) + 1), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<bool>>(2)?))
        })?;
        let (ready, delayed, is_paused) = row.unwrap_or_default();
        Ok(Queue {
            paused: is_paused.unwrap_or_default(),
            tasks: QueueCounts {
                ready: counted(ready, each),
                delayed: counted(delayed, each),
                running: running.of(&name),
                paused: paused.of(&name),
            },
            oldest_ready: if ready == 0 { None } else { oldest(statements, &name, now)? },
            name,
        })
    };
    let items: Vec<Queue> = page.into_iter().map(look).collect::<Result<_>>()?;
    let next = items.last().filter(|_| has_more && query.only.is_none());
    let next = next.map(|last| Cursor(last.name.as_str().to_owned()));
    Ok(Page { items, next })
}

fn names(
    statements: &Statements<'_>,
    sql: Sql,
    after: Option<&QueueName>,
    limit: u32,
) -> Result<Vec<QueueName>> {
    // Every name comes after the empty text.
    let after = after.map_or("", QueueName::as_str);
    let names = statements.all(sql, (after, limit), |row| row.get::<_, String>(0))?;
    names.iter().map(|name| QueueName::new(name)).collect()
}

fn counted(seen: i64, at_most: u64) -> Counted {
    let seen = u64::try_from(seen).unwrap_or_default();
    if seen > at_most { Counted::AtLeast(at_most) } else { Counted::Exactly(seen) }
}

/// How long the task that is due longest has waited, among the heads of the most urgent priorities.
fn oldest(
    statements: &Statements<'_>,
    queue: &QueueName,
    now: i64,
) -> Result<Option<std::time::Duration>> {
    let (mut priority, mut oldest) = (i64::MIN, None::<i64>);
    for _ in 0..QUEUE_PRIORITIES_MAX {
        let head = statements.first(Sql::QueueHead, (queue.as_str(), priority), |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?))
        })?;
        let Some((its, run_at)) = head else { break };
        priority = its;
        oldest = Some(oldest.map_or(run_at, |oldest| oldest.min(run_at)));
    }
    Ok(oldest.map(|run_at| until(now, run_at)))
}

/// Tasks counted by their queue, all of one kind at once.
struct Tally {
    by_queue: HashMap<String, u64>,
    is_all: bool,
}

impl Tally {
    fn read(statements: &Statements<'_>, sql: Sql) -> Result<Self> {
        let mut tally = Self { by_queue: HashMap::new(), is_all: true };
        let mut seen = 0;
        statements.each(sql, [count(QUEUE_TASKS_MAX) + 1], |row| {
            seen += 1;
            if seen > QUEUE_TASKS_MAX {
                tally.is_all = false;
                return Ok(std::ops::ControlFlow::Break(()));
            }
            let queue = row.get_ref(0)?.as_str()?;
            match tally.by_queue.get_mut(queue) {
                Some(number) => *number += 1,
                None => drop(tally.by_queue.insert(queue.to_owned(), 1)),
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(tally)
    }

    fn names(&self) -> Result<Vec<QueueName>> {
        self.by_queue.keys().map(|name| QueueName::new(name)).collect()
    }

    fn of(&self, queue: &QueueName) -> Counted {
        let seen = self.by_queue.get(queue.as_str()).copied().unwrap_or_default();
        if self.is_all { Counted::Exactly(seen) } else { Counted::AtLeast(seen) }
    }
}
