//! Queues: what is in them, and which of them have work.

use redb::ReadableTable;
use taskstore_core::{
    Queue, QueueCounts, QueueName, Result,
    backend::{
        Counted, Cursor, FindWork, Page, QUEUE_PRIORITIES_MAX, QUEUE_TASKS_MAX, QueueQuery,
        WorkFound,
    },
};

use crate::{
    claim::{all_of, from_until},
    error::refused,
    list::capped,
    record::State,
    view::View,
};

/// What the counters say of one queue.
#[derive(Default)]
struct Counts([u64; State::ALL.len()]);

impl Counts {
    fn of(&self, state: State) -> u64 {
        self.0.get(state as usize).copied().unwrap_or(0)
    }

    /// Told as far as every store tells it, although this one knows it all.
    fn counted(&self, state: State, at_most: u64) -> Counted {
        capped(self.of(state), at_most)
    }

    fn has_live(&self) -> bool {
        [State::Ready, State::Later, State::Leased, State::Paused]
            .iter()
            .any(|&state| self.of(state) > 0)
    }
}

pub fn list(view: &View, query: &QueueQuery, now: i64) -> Result<Page<Queue>> {
    let mut after = query.check()?.map(|name| name.as_str().to_owned()).unwrap_or_default();
    let (mut names, mut cursor) = (Vec::new(), None);
    if let Some(name) = &query.only {
        names.push(name.clone());
    }
    while let Some(name) = if query.only.is_none() { next(view, &after)? } else { None } {
        let is_set = view.get(&view.queue, &name, |_| ())?.is_some();
        if is_set || counts(view, &name)?.has_live() {
            if names.len() >= query.limit as usize {
                cursor = names.last().map(|last: &QueueName| Cursor(last.to_string()));
                break;
            }
            names.push(QueueName::new(&name)?);
        }
        after = name;
    }
    let each = query.count_each(names.len());
    let items = names.into_iter().map(|name| look(view, name, each, now));
    Ok(Page { items: items.collect::<Result<_>>()?, next: cursor })
}

/// The first queue after this name that has or had a task, or settings.
fn next(view: &View, after: &str) -> Result<Option<String>> {
    // The keys of a queue begin with its name; this is past all of them.
    let mut counted = view.count.range((after, u8::MAX, true)..).map_err(refused)?;
    let counted = counted.next().transpose().map_err(refused)?;
    let counted = counted.map(|(key, _)| key.value().0.to_owned());
    let mut set = view.queue.range(after..).map_err(refused)?.filter_map(|row| match row {
        Ok((key, _)) if key.value() == after => None,
        row => Some(row.map(|(key, _)| key.value().to_owned())),
    });
    let set = set.next().transpose().map_err(refused)?;
    Ok(counted.into_iter().chain(set).min())
}

fn counts(view: &View, queue: &str) -> Result<Counts> {
    let mut counts = Counts::default();
    for row in view.count.range((queue, 0, false)..=(queue, u8::MAX, true)).map_err(refused)? {
        let (key, count) = row.map_err(refused)?;
        if let Some(sum) = counts.0.get_mut(usize::from(key.value().1)) {
            *sum += count.value();
        }
    }
    Ok(counts)
}

fn look(view: &View, name: QueueName, each: u64, now: i64) -> Result<Queue> {
    let counts = counts(view, name.as_str())?;
    Ok(Queue {
        paused: is_paused(view, name.as_str())?,
        tasks: QueueCounts {
            ready: counts.counted(State::Ready, each),
            delayed: counts.counted(State::Later, each),
            running: counts.counted(State::Leased, QUEUE_TASKS_MAX),
            paused: counts.counted(State::Paused, QUEUE_TASKS_MAX),
        },
        oldest_ready: oldest(view, name.as_str())?.map(|run_at| from_until(run_at, now)),
        name,
    })
}

fn is_paused(view: &View, queue: &str) -> Result<bool> {
    Ok(view.get(&view.queue, queue, |paused| paused)?.unwrap_or(false))
}

/// The earliest time among the heads of the most urgent priorities.
fn oldest(view: &View, queue: &str) -> Result<Option<i64>> {
    let (mut from, end) = all_of(queue).into_inner();
    let mut oldest = None;
    for _ in 0..QUEUE_PRIORITIES_MAX {
        let mut rows = view.ready.range(from..=end).map_err(refused)?;
        let Some(head) = rows.next().transpose().map_err(refused)? else { break };
        let (_, priority, run_at, _) = head.0.value();
        oldest = Some(oldest.map_or(run_at, |oldest: i64| oldest.min(run_at)));
        from = (queue, priority, i64::MAX, i64::MAX);
    }
    Ok(oldest)
}

pub fn find_work(view: &View, request: &FindWork, now: i64) -> Result<WorkFound> {
    let mut found = WorkFound::default();
    let mut after = request.after.as_ref().map(QueueName::as_str).unwrap_or_default().to_owned();
    while let Some(queue) = next(view, &after)? {
        let name = QueueName::new(&queue)?;
        let is_found = request.wants(&name)
            && counts(view, &queue)?.of(State::Ready) > 0
            && !is_paused(view, &queue)?;
        if is_found {
            if found.queues.len() >= request.limit as usize {
                found.next = found.queues.last().cloned();
                break;
            }
            found.queues.push(name);
        }
        after = queue;
    }
    let next = view.later.first().map_err(refused)?;
    found.due_in = next.map(|(key, _)| from_until(now, key.value().0));
    Ok(found)
}
