//! Queues: what is in them, and which have work.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Record, State, until};
use crate::{
    Queue, QueueCounts, QueueName, Result, Status,
    backend::{
        Counted, Cursor, FindWork, Page, QUEUE_PRIORITIES_MAX, QueueQuery, QueueSettings, WorkFound,
    },
};

impl State {
    pub(super) fn put_queue(&mut self, settings: &QueueSettings) {
        self.queues.insert(settings.name.clone(), settings.paused);
        if !settings.paused {
            self.waiters.hint(&settings.name, std::time::Duration::ZERO);
        }
    }

    pub(super) fn is_paused(&self, queue: &QueueName) -> bool {
        self.queues.get(queue).copied().unwrap_or_default()
    }

    pub(super) fn find_work(&self, request: &FindWork) -> WorkFound {
        let now = self.stamp(request.now);
        let names: BTreeSet<&QueueName> = self
            .ready
            .keys()
            .map(|key| &key.0)
            .filter(|name| request.after.as_ref().is_none_or(|after| *name > after))
            .filter(|name| request.wants(name) && !self.is_paused(name))
            .collect();
        let limit = request.limit as usize;
        let queues: Vec<_> = names.iter().take(limit).copied().cloned().collect();
        let next = queues.last().filter(|_| names.len() > limit).cloned();
        let due_in = self.later.keys().next().map(|&(run_at, _)| until(run_at, now));
        WorkFound { queues, next, due_in }
    }

    pub(super) fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        let after = query.check()?;
        let mut all: BTreeMap<&QueueName, Queue> = BTreeMap::new();
        for (name, &paused) in &self.queues {
            all.insert(name, Queue { paused, ..Queue::empty(name.clone()) });
        }
        for record in self.records.values() {
            let status = self.status(record);
            if status.has_ended() {
                continue;
            }
            let queue =
                all.entry(&record.queue).or_insert_with(|| Queue::empty(record.queue.clone()));
            let kind = self.kind(record, status, &mut queue.tasks);
            *kind = Counted::Exactly(kind.seen() + 1);
        }
        if let Some(only) = &query.only {
            let one = all.remove(only).unwrap_or_else(|| Queue::empty(only.clone()));
            return Ok(Page { items: vec![self.finish(one, query, 1)], next: None });
        }
        let wanted = |name: &QueueName| after.as_ref().is_none_or(|after| name > after);
        let mut items: Vec<_> = all.into_values().filter(|queue| wanted(&queue.name)).collect();
        let has_more = items.len() > query.limit as usize;
        items.truncate(query.limit as usize);
        let number = items.len();
        let items: Vec<_> =
            items.into_iter().map(|queue| self.finish(queue, query, number)).collect();
        let next = items.last().filter(|_| has_more);
        let next = next.map(|last| Cursor(last.name.as_str().to_owned()));
        Ok(Page { items, next })
    }

    /// What a task that has not ended counts as.
    fn kind<'a>(
        &self,
        record: &Record,
        status: Status,
        counts: &'a mut QueueCounts,
    ) -> &'a mut Counted {
        match status {
            Status::Running => &mut counts.running,
            Status::Paused => &mut counts.paused,
            _ if self.ready.contains_key(&record.ready_key()) => &mut counts.ready,
            _ => &mut counts.delayed,
        }
    }

    /// Cuts what was counted, and looks for the oldest.
    fn finish(&self, mut queue: Queue, query: &QueueQuery, of: usize) -> Queue {
        let most = query.count_each(of);
        for counted in [&mut queue.tasks.ready, &mut queue.tasks.delayed] {
            if counted.seen() > most {
                *counted = Counted::AtLeast(most);
            }
        }
        let now = self.stamp(query.now);
        let mut heads = BTreeMap::new();
        for (_, priority, run_at, _) in self.ready.keys().filter(|key| key.0 == queue.name) {
            heads.entry(*priority).or_insert(*run_at);
        }
        let oldest = heads.into_values().take(QUEUE_PRIORITIES_MAX).min();
        queue.oldest_ready = oldest.map(|run_at| until(now, run_at));
        queue
    }
}
