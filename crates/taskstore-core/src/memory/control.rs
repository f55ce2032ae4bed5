//! What anyone may ask for, without a lease.

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::{
    enqueue::run_at,
    state::{Ending, Place, State},
};
use crate::{
    QueueName, Status, TaskId,
    backend::{Control, Move, Outcome, When},
};

impl State {
    pub(super) fn control(&mut self, request: &Control) -> Vec<Outcome> {
        let now = self.stamp(request.now);
        request.ids.iter().map(|&task| self.move_one(task, request, now)).collect()
    }

    fn move_one(&mut self, task: TaskId, request: &Control, now: UtcDateTime) -> Outcome {
        let restores = matches!(request.to, Move::Restore);
        let Some(record) = self.records.get(&task) else { return Outcome::Missing };
        let purges = matches!(request.to, Move::Purge { .. });
        if record.deleted_at.is_some() != restores && !purges {
            return Outcome::Missing;
        }
        let from = self.status(record);
        if !request.from.contains(&from) {
            return Outcome::Refused(from);
        }
        match &request.to {
            Move::Cancel { reason } => self.cancel(task, from, Some(reason), now),
            Move::Pause => self.pause(task, from, now),
            Move::Resume => self.resume(task, from, now),
            Move::Requeue { parameters } => self.requeue(task, from, parameters.as_deref(), now),
            Move::Reschedule { when, priority, queue } => {
                self.reschedule(task, from, (*when, *priority, queue.as_ref()), now)
            }
            Move::Delete => self.delete(task, from, now),
            Move::Restore => self.restore(task, from, now),
            Move::Purge { before } => self.purge(task, from, *before),
        }
    }

    fn cancel(
        &mut self,
        task: TaskId,
        from: Status,
        reason: Option<&String>,
        now: UtcDateTime,
    ) -> Outcome {
        let Some(record) = self.records.get_mut(&task) else { return Outcome::Missing };
        if from == Status::Running {
            record.cancel_at.get_or_insert(now);
            record.updated_at = now;
            return Outcome::Requested;
        }
        self.unplace(task);
        let Some(record) = self.records.get_mut(&task) else { return Outcome::Missing };
        let turn = record.turn;
        record.status = Status::Canceled;
        record.turn += 1;
        record.suspect = false;
        record.completed_at = Some(now);
        record.updated_at = now;
        if let Some(reason) = reason {
            let ending = Ending {
                status: Status::Canceled,
                runner: None,
                started_at: now,
                ended_at: now,
                output: None,
                error: Some(reason.clone()),
            };
            self.results.insert((task, turn), ending);
        }
        self.free_key(task);
        Outcome::Moved { from, to: Status::Canceled }
    }

    fn pause(&mut self, task: TaskId, from: Status, now: UtcDateTime) -> Outcome {
        self.unplace(task);
        let Some(record) = self.records.get_mut(&task) else { return Outcome::Missing };
        record.status = Status::Paused;
        record.turn += 1;
        record.updated_at = now;
        Outcome::Moved { from, to: Status::Paused }
    }

    fn resume(&mut self, task: TaskId, from: Status, now: UtcDateTime) -> Outcome {
        let Some(record) = self.records.get_mut(&task) else { return Outcome::Missing };
        record.status = Status::Queued;
        record.turn += 1;
        record.updated_at = now;
        self.place(task, Place::ByTime, now);
        Outcome::Moved { from, to: Status::Queued }
    }

    fn requeue(
        &mut self,
        task: TaskId,
        from: Status,
        parameters: Option<&RawValue>,
        now: UtcDateTime,
    ) -> Outcome {
        let Some(record) = self.records.get_mut(&task) else { return Outcome::Missing };
        if self.gone.contains_key(&record.definition) {
            return Outcome::Refused(from);
        }
        if let Some(key) = record.unique {
            if let Some(&holder) = self.keys.get(&key) {
                return Outcome::KeyHeldBy(holder);
            }
            self.keys.insert(key, task);
        }
        if let Some(parameters) = parameters {
            record.parameters = parameters.to_owned();
        }
        record.status = Status::Queued;
        record.turn += 1;
        record.attempts = 0;
        record.expires_at = None;
        record.progress = None;
        record.suspect = false;
        record.run_at = now;
        record.completed_at = None;
        record.updated_at = now;
        self.place(task, Place::ByTime, now);
        Outcome::Moved { from, to: Status::Queued }
    }

    fn reschedule(
        &mut self,
        task: TaskId,
        from: Status,
        (when, priority, queue): (Option<When>, Option<i16>, Option<&QueueName>),
        now: UtcDateTime,
    ) -> Outcome {
        let was_ready = self.unplace(task);
        let Some(record) = self.records.get_mut(&task) else { return Outcome::Missing };
        if let Some(when) = when {
            record.run_at = run_at(when, now);
        }
        record.priority = priority.unwrap_or(record.priority);
        if let Some(queue) = queue {
            record.queue = queue.clone();
        }
        record.updated_at = now;
        if from == Status::Queued {
            // What was ready is due, whatever the clock says meanwhile, unless it gets another time.
            let stays = was_ready && when.is_none();
            self.place(task, if stays { Place::Ready } else { Place::ByTime }, now);
        }
        Outcome::Moved { from, to: from }
    }

    fn delete(&mut self, task: TaskId, from: Status, now: UtcDateTime) -> Outcome {
        let outcome = if from.has_ended() {
            Outcome::Moved { from, to: from }
        } else {
            self.cancel(task, from, None, now)
        };
        if let Some(record) = self.records.get_mut(&task) {
            record.deleted_at = Some(now);
            record.updated_at = now;
        }
        outcome
    }

    fn restore(&mut self, task: TaskId, from: Status, now: UtcDateTime) -> Outcome {
        if let Some(record) = self.records.get_mut(&task) {
            record.deleted_at = None;
            record.updated_at = now;
        }
        Outcome::Moved { from, to: from }
    }

    fn purge(&mut self, task: TaskId, from: Status, before: Option<UtcDateTime>) -> Outcome {
        let Some(record) = self.records.get(&task) else { return Outcome::Missing };
        let over_since = record.completed_at.max(record.deleted_at);
        if before.is_some_and(|before| over_since.is_none_or(|at| at >= before)) {
            return Outcome::Refused(from);
        }
        self.free_key(task);
        self.records.remove(&task);
        let endings: Vec<_> =
            self.results.range((task, 0)..=(task, u32::MAX)).map(|(&key, _)| key).collect();
        for key in endings {
            self.results.remove(&key);
        }
        self.logs.remove(&task);
        Outcome::Moved { from, to: from }
    }
}
