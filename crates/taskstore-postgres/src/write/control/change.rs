//! The moves, each with all its tasks at once.

use taskstore_core::{
    QueueName, Result, Status,
    backend::{Outcome, When},
};

use super::{Allowed, Made, Place, Sql, Subject};
use crate::write::enqueue::time_of;
use crate::{
    convert::{Uuid, duration, here, later, status_code},
    session::{Param, Session, Step},
    wakeup::News,
};

/// A move at work.
pub(super) struct Change<'a> {
    pub(super) session: &'a Session,
    pub(super) news: &'a mut News,
}

/// Whether tasks of this status are listed aside.
const fn is_aside(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Canceled | Status::Paused)
}

impl Change<'_> {
    async fn run(&self, steps: &[Step<'_>]) -> Result<()> {
        self.session.together(false, steps, false).await.map(drop)
    }

    /// Takes tasks from wherever they wait or are listed.
    pub(super) async fn leave(&self, tasks: &[Allowed]) -> Result<()> {
        let ready =
            Spots::of(tasks.iter().map(|(.., s)| s).filter(|s| s.place == Some(Place::Ready)));
        let wait =
            Spots::of(tasks.iter().map(|(.., s)| s).filter(|s| s.place == Some(Place::Later)));
        let aside: (Vec<i16>, Vec<i64>) = tasks
            .iter()
            .filter(|(_, from, _)| is_aside(*from))
            .map(|(_, from, s)| (status_code(*from), s.seq))
            .unzip();
        let ended = Ended::of(tasks);
        let mut steps: Vec<Step<'_>> = Vec::new();
        let (from_ready, from_later) = (ready.key(), wait.later_key());
        let from_aside: [Param<'_>; 2] = [&aside.0, &aside.1];
        let from_ended = ended.key();
        if !wait.tasks.is_empty() {
            steps.push((Sql::LaterDelete, &from_later));
        }
        if !ready.tasks.is_empty() {
            steps.push((Sql::ReadyDelete, &from_ready));
        }
        if !aside.1.is_empty() {
            steps.push((Sql::AsideDelete, &from_aside));
        }
        if !ended.tasks.is_empty() {
            steps.push((Sql::EndedDelete, &from_ended));
        }
        self.run(&steps).await
    }

    async fn set_status(&self, tasks: &[Allowed], to: Status, delete: bool) -> Result<()> {
        let seqs = seqs(tasks);
        let (to, now) = (status_code(to), now(tasks));
        self.session.execute(Sql::ControlStatus, &[&seqs, &to, &now, &delete]).await.map(drop)
    }

    pub(super) async fn cancel(
        self,
        tasks: Vec<Allowed>,
        reason: Option<&str>,
        delete: bool,
    ) -> Result<Made> {
        let (running, waiting): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|(_, from, _)| *from == Status::Running);
        let mut made: Made = running.iter().map(|&(at, ..)| (at, Outcome::Requested)).collect();
        if !running.is_empty() {
            let (seqs, now) = (seqs(&running), now(&running));
            self.session.execute(Sql::ControlRequest, &[&seqs, &now, &delete]).await?;
        }
        if waiting.is_empty() {
            return Ok(made);
        }
        self.leave(&waiting).await?;
        self.set_status(&waiting, Status::Canceled, delete).await?;
        self.free_keys(&waiting).await?;
        let (seqs, now, canceled) = (seqs(&waiting), now(&waiting), status_code(Status::Canceled));
        let turns: Vec<_> = waiting.iter().map(|(.., s)| s.turn).collect();
        let aside: [Param<'_>; 2] = [&canceled, &seqs];
        let ended: [Param<'_>; 4] = [&seqs, &canceled, &now, &delete];
        let result: [Param<'_>; 5] = [&seqs, &turns, &canceled, &now, &reason];
        let mut steps: Vec<Step<'_>> = vec![(Sql::EndedInsert, &ended), (Sql::AsideInsert, &aside)];
        if reason.is_some() {
            steps.push((Sql::ResultInsert, &result));
        }
        self.run(&steps).await?;
        made.extend(moved(&waiting, Status::Canceled));
        Ok(made)
    }

    async fn free_keys(&self, tasks: &[Allowed]) -> Result<()> {
        let (keys, seqs): (Vec<_>, Vec<_>) =
            tasks.iter().filter_map(|(.., s)| Some((s.key.as_deref()?, s.seq))).unzip();
        if keys.is_empty() {
            return Ok(());
        }
        self.session.execute(Sql::UniqueDelete, &[&keys, &seqs]).await.map(drop)
    }

    pub(super) async fn delete(self, tasks: Vec<Allowed>) -> Result<Made> {
        let (ended, live): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|(_, from, _)| from.has_ended());
        let Self { session, news } = self;
        let mut made = Made::new();
        if !live.is_empty() {
            made.extend(Change { session, news }.cancel(live, None, true).await?);
        }
        if !ended.is_empty() {
            made.extend(Change { session, news }.hide(ended, true).await?);
        }
        Ok(made)
    }

    /// Hides tasks, or shows them again.
    pub(super) async fn hide(self, tasks: Vec<Allowed>, hide: bool) -> Result<Made> {
        let (seqs, now) = (seqs(&tasks), now(&tasks));
        let at = hide.then_some(now);
        self.session.execute(Sql::ControlHide, &[&seqs, &at, &now]).await?;
        Ok(unmoved(&tasks))
    }

    /// Removes every row of them. A lease's list may keep a pair that matches no record any more.
    pub(super) async fn purge(self, tasks: Vec<Allowed>, before: Option<i64>) -> Result<Made> {
        let is_over = |(.., s): &Allowed| {
            let over_since = s.completed_at.max(s.deleted_at);
            before.is_none_or(|before| over_since.is_some_and(|at| at < before))
        };
        let (tasks, kept): (Vec<_>, Vec<_>) = tasks.into_iter().partition(is_over);
        let mut made: Made =
            kept.iter().map(|&(at, from, _)| (at, Outcome::Refused(from))).collect();
        if tasks.is_empty() {
            return Ok(made);
        }
        self.leave(&tasks).await?;
        self.free_keys(&tasks).await?;
        let seqs = seqs(&tasks);
        let of: [Param<'_>; 1] = [&seqs];
        let rows = [Sql::PurgeLog, Sql::PurgeResults, Sql::PurgePayload, Sql::PurgeRecord];
        self.run(&rows.map(|rows| (rows, &of[..]))).await?;
        made.extend(unmoved(&tasks));
        Ok(made)
    }

    pub(super) async fn pause(self, tasks: Vec<Allowed>) -> Result<Made> {
        self.leave(&tasks).await?;
        self.set_status(&tasks, Status::Paused, false).await?;
        let (seqs, paused) = (seqs(&tasks), status_code(Status::Paused));
        self.session.execute(Sql::AsideInsert, &[&paused, &seqs]).await?;
        Ok(moved(&tasks, Status::Paused))
    }

    pub(super) async fn resume(mut self, tasks: Vec<Allowed>) -> Result<Made> {
        self.leave(&tasks).await?;
        self.set_status(&tasks, Status::Queued, false).await?;
        self.place(tasks.iter().map(|(.., s)| (s, false))).await?;
        Ok(moved(&tasks, Status::Queued))
    }

    /// Puts tasks where their times say, or into ready whatever those are.
    pub(super) async fn place(
        &mut self,
        tasks: impl Iterator<Item = (&Subject, bool)>,
    ) -> Result<()> {
        let (ready, wait): (Vec<_>, Vec<_>) =
            tasks.partition(|(s, anyway)| *anyway || s.run_at <= s.now);
        for (s, _) in &ready {
            self.news.ready(&s.queue);
        }
        for (s, _) in &wait {
            // By this machine's clock, by which runners wait.
            self.news.later(&s.queue, later(here(), duration(s.run_at - s.now)));
        }
        let ready = Spots::of(ready.into_iter().map(|(s, _)| s));
        let wait = Spots::of(wait.into_iter().map(|(s, _)| s));
        let (to_ready, to_later) = (ready.row(), wait.row());
        let mut steps: Vec<Step<'_>> = Vec::new();
        if !ready.tasks.is_empty() {
            steps.push((Sql::ReadyInsert, &to_ready));
        }
        if !wait.tasks.is_empty() {
            steps.push((Sql::LaterInsert, &to_later));
        }
        self.run(&steps).await
    }

    pub(super) async fn reschedule(
        mut self,
        tasks: Vec<Allowed>,
        when: Option<When>,
        priority: Option<i16>,
        queue: Option<&QueueName>,
    ) -> Result<Made> {
        let change = |s: &Subject| Subject {
            queue: queue.unwrap_or(&s.queue).clone(),
            priority: priority.unwrap_or(s.priority),
            run_at: when.map_or(s.run_at, |when| time_of(when, s.now)),
            ..s.clone()
        };
        let changed: Vec<_> = tasks.iter().map(|(.., s)| change(s)).collect();
        let (waiting, _): (Vec<_>, Vec<_>) =
            tasks.iter().cloned().partition(|(.., s)| s.place.is_some());
        self.leave(&waiting).await?;
        let spots = Spots::of(changed.iter());
        let now = now(&tasks);
        let row: [Param<'_>; 5] =
            [&spots.tasks, &spots.queues, &spots.priorities, &spots.run_at, &now];
        self.session.execute(Sql::ControlReschedule, &row).await?;
        let stays = |s: &Subject| when.is_none() && s.place == Some(Place::Ready);
        let waiting = changed.iter().filter(|s| s.place.is_some());
        self.place(waiting.map(|s| (s, stays(s)))).await?;
        Ok(unmoved(&tasks))
    }
}

pub(super) fn seqs(tasks: &[Allowed]) -> Vec<i64> {
    tasks.iter().map(|(.., subject)| subject.seq).collect()
}

/// The time of the transaction.
pub(super) fn now(tasks: &[Allowed]) -> i64 {
    tasks.first().map_or(0, |(.., subject)| subject.now)
}

pub(super) fn moved(tasks: &[Allowed], to: Status) -> Made {
    tasks.iter().map(|&(at, from, _)| (at, Outcome::Moved { from, to })).collect()
}

fn unmoved(tasks: &[Allowed]) -> Made {
    tasks.iter().map(|&(at, from, _)| (at, Outcome::Moved { from, to: from })).collect()
}

/// Keys of places, column by column.
#[derive(Default)]
struct Spots<'a> {
    queues: Vec<&'a str>,
    priorities: Vec<i16>,
    run_at: Vec<i64>,
    tasks: Vec<i64>,
    definitions: Vec<Uuid>,
}

impl<'a> Spots<'a> {
    fn of(subjects: impl Iterator<Item = &'a Subject>) -> Self {
        let mut spots = Self::default();
        for subject in subjects {
            spots.queues.push(subject.queue.as_str());
            spots.priorities.push(subject.priority);
            spots.run_at.push(subject.run_at);
            spots.tasks.push(subject.seq);
            spots.definitions.push(subject.definition);
        }
        spots
    }

    fn row(&self) -> [Param<'_>; 5] {
        [&self.queues, &self.priorities, &self.run_at, &self.tasks, &self.definitions]
    }

    fn key(&self) -> [Param<'_>; 4] {
        [&self.queues, &self.priorities, &self.run_at, &self.tasks]
    }

    fn later_key(&self) -> [Param<'_>; 2] {
        [&self.run_at, &self.tasks]
    }
}

/// Keys of what has ended, column by column.
struct Ended {
    tasks: Vec<i64>,
    statuses: Vec<i16>,
    completed_at: Vec<i64>,
}

impl Ended {
    fn of(tasks: &[Allowed]) -> Self {
        let mut ended = Self { tasks: Vec::new(), statuses: Vec::new(), completed_at: Vec::new() };
        for (_, from, subject) in tasks {
            if let Some(at) = subject.completed_at.filter(|_| from.has_ended()) {
                ended.tasks.push(subject.seq);
                ended.statuses.push(subject.status);
                ended.completed_at.push(at);
            }
        }
        ended
    }

    fn key(&self) -> [Param<'_>; 3] {
        [&self.tasks, &self.statuses, &self.completed_at]
    }
}
