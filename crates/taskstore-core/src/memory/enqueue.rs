//! Tasks on their way in.

use time::UtcDateTime;

use super::state::{Place, Record, State};
use crate::{
    DefinitionId, DefinitionStatus, Error, Result, Status,
    backend::{Enqueue, Enqueued, NewTask, When},
    clock,
};

impl State {
    pub(super) fn enqueue(&mut self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        let now = self.stamp(request.now);
        for task in request.tasks {
            // One that is sent again is stored already, whatever became of its definition.
            if !self.records.contains_key(&task.id) {
                self.accepts_tasks(task.definition)?;
            }
        }
        Ok(request.tasks.iter().map(|task| self.enqueue_one(task, now)).collect())
    }

    fn accepts_tasks(&self, id: DefinitionId) -> Result<()> {
        match self.definitions.get(&id) {
            Some(definition) if definition.deleted_at.is_none() => match definition.status {
                DefinitionStatus::Active => Ok(()),
                DefinitionStatus::Canceled => Err(Error::invalid(
                    "task definition",
                    format!("{} is canceled: activate it first", definition.alias),
                )),
            },
            _ => Err(Error::not_found("task definition", &id)),
        }
    }

    fn enqueue_one(&mut self, task: &NewTask, now: UtcDateTime) -> Enqueued {
        if self.records.contains_key(&task.id) {
            return Enqueued::Stored;
        }
        if let Some(key) = task.unique {
            if let Some(&holder) = self.keys.get(&key) {
                return Enqueued::Duplicate(holder);
            }
            self.keys.insert(key, task.id);
        }
        self.enqueued += 1;
        let record = Record {
            order: self.enqueued,
            definition: task.definition,
            queue: task.queue.clone(),
            parameters: task.parameters.clone(),
            priority: task.priority,
            max_attempts: task.max_attempts,
            expires_at: task.expires.map(|when| run_at(when, now)),
            timeout: task.timeout,
            unique: task.unique,
            status: Status::Queued,
            turn: 0,
            attempts: 0,
            suspect: false,
            progress: None,
            run_at: run_at(task.when, now),
            created_at: now,
            updated_at: now,
            started_at: None,
            completed_at: None,
            deleted_at: None,
            cancel_at: None,
            last_lease: None,
        };
        self.records.insert(task.id, record);
        self.place(task.id, Place::ByTime, now);
        Enqueued::Stored
    }
}

/// The time that a task waits for.
pub(super) fn run_at(when: When, now: UtcDateTime) -> UtcDateTime {
    match when {
        When::Now => now,
        When::After(delay) => clock::add(now, delay),
        When::At(at) => clock::truncate(at),
    }
}
