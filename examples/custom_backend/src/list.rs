//! Lists of tasks: which of them, in which order, page by page.

use std::ops::Bound::{Excluded, Unbounded};

use redb::{Key, ReadOnlyTable, ReadableTable, Value};
use taskstore_core::{
    Result, TaskId,
    backend::{Counted, Page, Spot, TaskFilter, TaskOrder, TaskQuery},
    clock,
};

use crate::{
    error::refused,
    record::{Record, State},
    view::View,
};

/// Most tasks that are looked at for one page or one count.
const LOOKS_MAX: usize = 10_000;

/// Numbers of tasks, in the order of a list.
type Numbers<'v> = Box<dyn Iterator<Item = Result<i64>> + 'v>;

/// The records of a page.
pub fn page(view: &View, query: &TaskQuery) -> Result<Page<Record>> {
    let from = match &query.after {
        Some(cursor) => Spot::read(cursor, query.order)?,
        None => Spot::start(),
    };
    let filter = query.whole_filter();
    let mut page = Page { items: Vec::new(), next: None };
    for (looked, number) in (1..).zip(numbers(view, query, &from)?) {
        let Some(record) = view.record(number?)? else { continue };
        let spot = spot(&record, query.order);
        if query.order.lists(record.state.status()) && matches(&filter, &record) {
            page.items.push(record);
        }
        if page.items.len() >= query.limit as usize || looked >= LOOKS_MAX {
            page.next = Some(spot.cursor(query.order));
            break;
        }
    }
    Ok(page)
}

pub fn count(view: &View, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
    filter.check()?;
    let mut seen = 0;
    if is_counted(filter) {
        for row in view.count.iter().map_err(refused)? {
            let (key, count) = row.map_err(refused)?;
            let (queue, state, deleted) = key.value();
            let status = State::ALL.into_iter().find(|is| *is as u8 == state).map(State::status);
            let is_wanted = status.is_some_and(|status| filter.wants(status))
                && (filter.with_deleted || !deleted)
                && wants_queue(filter, queue);
            seen += if is_wanted { count.value() } else { 0 };
        }
        return Ok(capped(seen, at_most));
    }
    let query = TaskQuery::new(filter.clone(), TaskOrder::NewestFirst, 1);
    for (looked, number) in numbers(view, &query, &Spot::start())?.enumerate() {
        if looked >= LOOKS_MAX {
            return Ok(Counted::AtLeast(seen));
        }
        let is_wanted = view.record(number?)?.is_some_and(|record| matches(filter, &record));
        seen += u64::from(is_wanted);
        if seen > at_most {
            break;
        }
    }
    Ok(capped(seen, at_most))
}

/// A number that is known, as far as it may be told.
pub const fn capped(seen: u64, at_most: u64) -> Counted {
    if seen > at_most { Counted::AtLeast(at_most) } else { Counted::Exactly(seen) }
}

/// Whether the counters say how many match.
const fn is_counted(filter: &TaskFilter) -> bool {
    filter.ids.is_none()
        && filter.definition.is_none()
        && filter.created.is_none()
        && filter.completed.is_none()
        && filter.deleted.is_none()
}

fn wants_queue(filter: &TaskFilter, queue: &str) -> bool {
    filter.queue.as_ref().is_none_or(|name| name.as_str() == queue)
        && filter.queues.as_ref().is_none_or(|all| all.iter().any(|name| name.as_str() == queue))
        && filter.except_queues.iter().all(|name| name.as_str() != queue)
}

/// Whether the filter wants it, but for the ids that it may name: others are not walked over.
fn matches(filter: &TaskFilter, record: &Record) -> bool {
    let within = |range: &Option<std::ops::Range<_>>, at: Option<i64>| match range {
        Some(range) => at.is_some_and(|at| range.contains(&clock::from_micros(at))),
        None => true,
    };
    filter.wants(record.state.status())
        && (filter.with_deleted || filter.deleted.is_some() || record.deleted_at.is_none())
        && filter.definition.is_none_or(|id| id == record.definition)
        && wants_queue(filter, &record.queue)
        && within(&filter.created, Some(record.created_at))
        && within(&filter.completed, record.completed_at)
        && within(&filter.deleted, record.deleted_at)
}

/// Where a task stands in a list.
fn spot(record: &Record, order: TaskOrder) -> Spot {
    let number = record.number;
    match order {
        TaskOrder::NewestFirst => Spot::newest(number),
        TaskOrder::OldestFirst => Spot::oldest(number),
        TaskOrder::ClaimOrder if record.state == State::Later => Spot::later(record.run_at, number),
        TaskOrder::ClaimOrder => {
            Spot::ready(record.queue.clone(), record.priority.into(), record.run_at, number)
        }
        TaskOrder::LastCompletedFirst => {
            Spot::completed(record.completed_at.unwrap_or(i64::MIN), number)
        }
        TaskOrder::LastDeletedFirst => Spot::deleted(record.deleted_at.unwrap_or(i64::MIN), number),
    }
}

/// What may be on the list after a spot. Walks only those tables where it can be.
fn numbers<'v>(view: &'v View, query: &TaskQuery, from: &Spot) -> Result<Numbers<'v>> {
    if let Some(ids) = &query.filter.ids {
        return named(view, query, from, ids);
    }
    let states = State::ALL.into_iter().filter(|state| query.wants(state.status()));
    let by_time = |table| {
        let [at, number] = from.after_time();
        walk(table, (Unbounded, Excluded((at, number))), |(_, number)| number)
            .map(|rows| Box::new(rows.rev()) as Numbers<'v>)
    };
    match query.order {
        TaskOrder::OldestFirst => {
            let walks = states.map(|state| {
                let state = state as u8;
                let range = (Excluded((state, from.after_number(false))), Excluded((state + 1, 0)));
                walk(&view.state, range, |(_, number)| number)
            });
            Ok(Box::new(Merged::new(walks.collect::<Result<_>>()?, false)))
        }
        TaskOrder::NewestFirst => {
            let walks = states.map(|state| {
                let state = state as u8;
                let range = (Excluded((state, 0)), Excluded((state, from.after_number(true))));
                walk(&view.state, range, |(_, number)| number).map(Iterator::rev)
            });
            Ok(Box::new(Merged::new(walks.collect::<Result<_>>()?, true)))
        }
        TaskOrder::ClaimOrder if states.count() == 0 => Ok(Box::new(std::iter::empty())),
        TaskOrder::ClaimOrder => {
            let (queue, [priority, run_at, number]) = from.after_ready();
            // Beyond all that a task can have stands where nothing was read yet, or all was.
            let end = if priority < 0 { i16::MIN } else { i16::MAX };
            let priority = i16::try_from(priority).unwrap_or(end);
            let ready = (Excluded((queue, priority, run_at, number)), Unbounded);
            let [run_at, number] = from.after_later();
            let later = (Excluded((run_at, number)), Unbounded);
            Ok(Box::new(walk(&view.ready, ready, |(.., number)| number)?.chain(walk(
                &view.later,
                later,
                |(_, number)| number,
            )?)))
        }
        TaskOrder::LastCompletedFirst => by_time(&view.ended),
        TaskOrder::LastDeletedFirst => by_time(&view.deleted),
    }
}

/// The tasks with these ids.
fn named<'v>(view: &View, query: &TaskQuery, from: &Spot, ids: &[TaskId]) -> Result<Numbers<'v>> {
    let mut found = Vec::new();
    for &id in ids {
        if let Some(record) = view.record_of(id)? {
            found.push((spot(&record, query.order), record.number));
        }
    }
    found.retain(|(spot, _)| spot > from);
    found.sort();
    found.dedup();
    Ok(Box::new(found.into_iter().map(|(_, number)| Ok(number))))
}

fn walk<'a, K: Key, V: Value>(
    table: &ReadOnlyTable<K, V>,
    range: impl std::ops::RangeBounds<K::SelfType<'a>>,
    number: fn(K::SelfType<'_>) -> i64,
) -> Result<impl DoubleEndedIterator<Item = Result<i64>> + 'static> {
    let rows = table.range(range).map_err(refused)?;
    Ok(rows.map(move |row| row.map(|(key, _)| number(key.value())).map_err(refused)))
}

/// Several walks by number, as one.
struct Merged<I: Iterator> {
    walks: Vec<std::iter::Peekable<I>>,
    newest_first: bool,
}

impl<I: Iterator<Item = Result<i64>>> Merged<I> {
    fn new(walks: Vec<I>, newest_first: bool) -> Self {
        Self { walks: walks.into_iter().map(Iterator::peekable).collect(), newest_first }
    }
}

impl<I: Iterator<Item = Result<i64>>> Iterator for Merged<I> {
    type Item = Result<i64>;

    fn next(&mut self) -> Option<Self::Item> {
        let newest_first = self.newest_first;
        let heads = self.walks.iter_mut().filter_map(|walk| {
            // An error comes first.
            let number = walk.peek()?.as_ref().map_or(None, |&number| Some(number));
            Some((number.map(|number| if newest_first { -number } else { number }), walk))
        });
        heads.min_by_key(|(number, _)| *number)?.1.next()
    }
}
