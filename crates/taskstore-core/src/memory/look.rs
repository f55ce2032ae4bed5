//! What people look at.

use super::state::{Record, State};
use crate::{
    Alias, Attempt, Definition, DefinitionId, DefinitionStatus, Error, Holder, LogLine, Result,
    Status, Task, TaskId,
    backend::{Cursor, DefinitionKey, DefinitionQuery, Expect, Page},
    clock,
};

impl State {
    pub(super) fn task(&self, id: TaskId) -> Option<Task> {
        let record = self.records.get(&id)?;
        let status = self.status(record);
        let last_turn = record.turn.checked_sub(1);
        let ending = last_turn.and_then(|turn| self.results.get(&(id, turn)));
        let errors = self.results.range((id, 0)..=(id, u32::MAX)).rev();
        Some(Task {
            id,
            status,
            queue: record.queue.clone(),
            definition: record.definition,
            alias: self.alias(record.definition)?.clone(),
            parameters: record.parameters.clone(),
            output: ending.and_then(|ending| ending.output.clone()),
            last_error: errors.filter_map(|(_, ending)| ending.error.clone()).next(),
            progress: record.progress,
            priority: record.priority,
            attempts: record.attempts + u32::from(status == Status::Running),
            max_attempts: record.max_attempts,
            suspect: record.suspect,
            run_at: record.run_at,
            expires_at: record.expires_at,
            timeout: record.timeout,
            created_at: record.created_at,
            updated_at: record.updated_at,
            started_at: record.started_at,
            completed_at: record.completed_at,
            deleted_at: record.deleted_at,
            cancel_requested_at: record.cancel_at,
            held_by: self.holder(id),
        })
    }

    fn alias(&self, id: DefinitionId) -> Option<&Alias> {
        let there = self.definitions.get(&id).map(|definition| &definition.alias);
        there.or_else(|| self.gone.get(&id))
    }

    fn holder(&self, id: TaskId) -> Option<Holder> {
        let row = self.leases.values().find(|row| row.open.iter().any(|&(task, _)| task == id))?;
        Some(Holder { runner: row.runner, claimed_at: row.claimed_at, last_beat_at: row.beat_at })
    }

    pub(super) fn attempts(&self, id: TaskId) -> Vec<Attempt> {
        let Some(record) = self.records.get(&id) else { return Vec::new() };
        let mut attempts: Vec<_> = self
            .results
            .range((id, 0)..=(id, u32::MAX))
            // What was canceled while it waited was no attempt: it has a reason and no runner.
            .filter(|(_, ending)| ending.runner.is_some())
            .map(|(&(_, turn), ending)| Attempt {
                turn,
                status: ending.status,
                runner: ending.runner,
                started_at: ending.started_at,
                ended_at: ending.ended_at,
                output: ending.output.clone(),
                error: ending.error.clone(),
            })
            .collect();
        // A success without output left nothing but the record's times.
        if let (Status::Success, Some(ended_at), Some(turn)) =
            (record.status, record.completed_at, record.turn.checked_sub(1))
            && !self.results.contains_key(&(id, turn))
        {
            attempts.push(Attempt {
                turn,
                status: Status::Success,
                runner: None,
                started_at: record.started_at.unwrap_or(ended_at),
                ended_at,
                output: None,
                error: None,
            });
        }
        attempts
    }

    pub(super) fn log(&self, id: TaskId, skip: u64, limit: u32) -> Vec<LogLine> {
        let lines = self.logs.get(&id).into_iter().flat_map(|log| log.values());
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        lines.skip(skip).take(limit as usize).cloned().collect()
    }

    pub(super) fn put_definition(&mut self, definition: &Definition, expect: Expect) -> Result<()> {
        let id = definition.id;
        let stored = self.definitions.get(&id);
        match expect {
            Expect::Absent if stored.is_some() || self.gone.contains_key(&id) => {
                return Err(Error::already_exists("task definition", &id));
            }
            Expect::Unchanged { updated_at }
                if stored.map(|stored| stored.updated_at) != Some(clock::truncate(updated_at)) =>
            {
                return Err(Error::not_found("task definition", &id));
            }
            _ => {}
        }
        if definition.deleted_at.is_none()
            && self.live(&definition.alias).is_some_and(|other| other.id != id)
        {
            return Err(Error::already_exists("task definition", &definition.alias));
        }
        let definition = Definition {
            created_at: clock::truncate(definition.created_at),
            updated_at: clock::truncate(definition.updated_at),
            deleted_at: definition.deleted_at.map(clock::truncate),
            ..definition.clone()
        };
        if definition.status == DefinitionStatus::Active {
            self.waiters.hint_all();
        }
        self.definitions.insert(id, definition);
        Ok(())
    }

    pub(super) fn delete_definition(&mut self, id: DefinitionId) -> Result<()> {
        if !self.definitions.contains_key(&id) {
            return Err(Error::not_found("task definition", &id));
        }
        let needed = |record: &Record| record.definition == id && !record.status.has_ended();
        if self.records.values().any(needed) {
            return Err(Error::definition_in_use(&id));
        }
        if let Some(definition) = self.definitions.remove(&id) {
            self.gone.insert(id, definition.alias);
        }
        Ok(())
    }

    fn live(&self, alias: &Alias) -> Option<&Definition> {
        self.definitions
            .values()
            .find(|definition| definition.deleted_at.is_none() && definition.alias == *alias)
    }

    pub(super) fn definition(&self, key: &DefinitionKey) -> Option<Definition> {
        match key {
            DefinitionKey::Id(id) => self.definitions.get(id),
            DefinitionKey::Alias(alias) => self.live(alias),
        }
        .cloned()
    }

    pub(super) fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        let after: Option<DefinitionId> = match &query.after {
            Some(Cursor(text)) => Some(text.parse().map_err(|error: Error| {
                Error::invalid("cursor", format!("it was not made by this store: {error}"))
            })?),
            None => None,
        };
        let mut rest = self
            .definitions
            .values()
            .filter(|definition| after.is_none_or(|after| definition.id > after))
            .filter(|definition| query.with_deleted || definition.deleted_at.is_none());
        let items: Vec<_> = rest.by_ref().take(query.limit as usize).cloned().collect();
        let next = match (items.last(), rest.next()) {
            (Some(last), Some(_)) => Some(Cursor(last.id.to_string())),
            _ => None,
        };
        Ok(Page { items, next })
    }
}
