//! What belongs nowhere. This store loses no place by itself; a test may [take one
//! away](MemoryBackend::lose).

use std::collections::BTreeSet;

use time::UtcDateTime;

use super::{
    MemoryBackend,
    state::{LeaseRow, Place, State},
};
use crate::{
    Alias, DefinitionId, Error, LeaseId, Result, TaskId,
    backend::{Cursor, Missing, Stray, Sweep, Swept},
};

/// What a test may take away, as a person could by hand from the tables of an engine that has some.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Lose {
    /// Where a task waits.
    Place(TaskId),
    /// A lease, with all that it holds.
    Lease(LeaseId),
    /// A task, but not its place.
    Record(TaskId),
    /// A definition, but not its tasks.
    Definition(DefinitionId),
}

impl MemoryBackend {
    /// Breaks the store. For tests of the sweep.
    #[doc(hidden)]
    pub fn lose(&self, what: Lose) {
        let mut state = self.state();
        match what {
            Lose::Place(task) => {
                state.unplace(task);
            }
            Lose::Lease(lease) => {
                state.leases.remove(&lease);
            }
            Lose::Record(task) => {
                state.records.remove(&task);
            }
            Lose::Definition(definition) => {
                // What shows such a task wants an alias; an engine with tables has none to show either.
                if state.definitions.remove(&definition).is_some()
                    && let Ok(alias) = Alias::new("?")
                {
                    state.gone.insert(definition, alias);
                }
            }
        }
    }
}

impl State {
    pub(super) fn sweep(&mut self, request: &Sweep) -> Result<Swept> {
        self.lease_is_unused(request.lease)?;
        let after: Option<TaskId> = match &request.after {
            None => None,
            Some(Cursor(text)) => Some(text.parse().map_err(|_| {
                Error::invalid("cursor", "it was not made by this store for a sweep")
            })?),
        };
        // Places are few enough to be looked at all at once, with the first page of the records.
        let dropped = if after.is_none() { self.drop_places_of_nobody() } else { Vec::new() };
        let now = self.stamp(request.now);
        let page: Vec<_> = self
            .records
            .keys()
            .filter(|id| after.is_none_or(|after| **id > after))
            .take(request.at_most.max(1) as usize)
            .copied()
            .collect();
        let strays = self.adopt(&page, request, now);
        let more = page.last().is_some_and(|last| self.records.keys().any(|id| id > last));
        let next = page.last().filter(|_| more).map(|last| Cursor(last.to_string()));
        Ok(Swept { strays, dropped, next })
    }

    /// Leases those of these tasks that are in no place.
    fn adopt(&mut self, page: &[TaskId], request: &Sweep, now: UtcDateTime) -> Vec<Stray> {
        let held: BTreeSet<_> =
            self.leases.values().flat_map(|row| row.open.iter().copied()).collect();
        let mut open = Vec::new();
        for &id in page {
            let Some(record) = self.records.get(&id) else { continue };
            let waits = self.status(record) == record.status;
            if !record.is_active() || waits || held.contains(&(id, record.turn)) {
                continue;
            }
            if let Some(record) = self.records.get_mut(&id) {
                record.turn += 1;
                record.updated_at = now;
                open.push((id, record.turn));
            }
        }
        if !open.is_empty() {
            let row = LeaseRow {
                runner: request.runner,
                beat: 0,
                beat_at: now,
                lease_for: request.lease_for,
                claimed_at: now,
                alone: false,
                replaced: None,
                open,
            };
            self.leases.insert(request.lease, row);
        }
        let tasks = self.leased(request.lease, now).into_iter();
        tasks
            .map(|task| {
                let there = self.definitions.contains_key(&task.definition);
                Stray { task, missing: (!there).then_some(Missing::Definition) }
            })
            .collect()
    }

    /// Drops the places whose task is not there, does not wait there, or can never run.
    fn drop_places_of_nobody(&mut self) -> Vec<String> {
        let bad = |id: &TaskId, is_here: &dyn Fn(&super::state::Record) -> bool| {
            let good = self.records.get(id).is_some_and(|record| {
                record.is_active()
                    && is_here(record)
                    && self.definitions.contains_key(&record.definition)
            });
            !good
        };
        let ready: Vec<_> = self
            .ready
            .iter()
            .filter(|(key, id)| bad(id, &|record| record.ready_key() == **key))
            .map(|(key, id)| (key.clone(), *id))
            .collect();
        let later: Vec<_> = self
            .later
            .iter()
            .filter(|(key, id)| bad(id, &|record| record.later_key() == **key))
            .map(|(key, id)| (*key, *id))
            .collect();
        let mut dropped = Vec::new();
        for (key, id) in ready {
            self.ready.remove(&key);
            dropped.push(format!("{:?}: task {id} of queue {}", Place::Ready, key.0));
        }
        for (key, id) in later {
            self.later.remove(&key);
            dropped.push(format!("Later: task {id}"));
        }
        dropped
    }
}
