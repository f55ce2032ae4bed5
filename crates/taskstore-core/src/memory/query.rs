//! Many tasks: found by looking at every one, and sorted.

use std::ops::Range;

use time::UtcDateTime;

use super::state::{Record, State};
use crate::{
    Result, Task, TaskId,
    backend::{Counted, Page, Spot, TaskFilter, TaskOrder, TaskQuery},
    clock::to_micros,
};

impl State {
    pub(super) fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        query.check()?;
        let Page { items, next } = self.page(query)?;
        Ok(Page { items: items.into_iter().filter_map(|id| self.task(id)).collect(), next })
    }

    pub(super) fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        query.check_ids()?;
        self.page(query)
    }

    fn page(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        let filter = query.whole_filter();
        let after = query.after.as_ref().map(|cursor| Spot::read(cursor, query.order));
        let after = after.transpose()?.unwrap_or_else(Spot::start);
        let mut found: Vec<(Spot, TaskId)> = self
            .matching(&filter)
            .filter_map(|(id, record)| Some((self.spot(query.order, record)?, id)))
            .filter(|(spot, _)| *spot > after)
            .collect();
        found.sort_unstable();
        let limit = query.limit as usize;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| has_more);
        let next = last.map(|(spot, _)| spot.cursor(query.order));
        Ok(Page { items: found.into_iter().map(|(_, id)| id).collect(), next })
    }

    pub(super) fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        filter.check()?;
        let found = self.matching(filter).count() as u64;
        Ok(if found > at_most { Counted::AtLeast(at_most) } else { Counted::Exactly(found) })
    }

    fn matching<'a>(
        &'a self,
        filter: &'a TaskFilter,
    ) -> impl Iterator<Item = (TaskId, &'a Record)> + 'a {
        let within = |range: &Range<UtcDateTime>, at| range.contains(&at);
        self.records.iter().map(|(&id, record)| (id, record)).filter(move |(id, record)| {
            filter.ids.as_ref().is_none_or(|ids| ids.contains(id))
                && filter.wants(self.status(record))
                && filter.queue.as_ref().is_none_or(|queue| record.queue == *queue)
                && filter.queues.as_ref().is_none_or(|queues| queues.contains(&record.queue))
                && !filter.except_queues.contains(&record.queue)
                && filter.definition.is_none_or(|definition| record.definition == definition)
                && filter.created.as_ref().is_none_or(|range| within(range, record.created_at))
                && filter
                    .completed
                    .as_ref()
                    .is_none_or(|range| record.completed_at.is_some_and(|at| within(range, at)))
                && match (&filter.deleted, record.deleted_at) {
                    (Some(range), deleted_at) => deleted_at.is_some_and(|at| within(range, at)),
                    (None, deleted_at) => filter.with_deleted || deleted_at.is_none(),
                }
        })
    }

    /// Where it stands in this order, if anywhere.
    fn spot(&self, order: TaskOrder, record: &Record) -> Option<Spot> {
        if !order.lists(self.status(record)) {
            return None;
        }
        let number = i64::try_from(record.order).unwrap_or(i64::MAX);
        let run_at = to_micros(record.run_at);
        match order {
            TaskOrder::NewestFirst => Some(Spot::newest(number)),
            TaskOrder::OldestFirst => Some(Spot::oldest(number)),
            TaskOrder::ClaimOrder if self.ready.contains_key(&record.ready_key()) => {
                let queue = record.queue.as_str().to_owned();
                Some(Spot::ready(queue, record.priority.into(), run_at, number))
            }
            TaskOrder::ClaimOrder => Some(Spot::later(run_at, number)),
            TaskOrder::LastCompletedFirst => {
                Some(Spot::completed(to_micros(record.completed_at?), number))
            }
            TaskOrder::LastDeletedFirst => {
                Some(Spot::deleted(to_micros(record.deleted_at?), number))
            }
        }
    }
}
