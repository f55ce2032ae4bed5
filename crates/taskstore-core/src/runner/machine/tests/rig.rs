//! A machine with the actions that wait to be answered.

use std::time::Duration;

use serde_json::value::RawValue;

use super::super::{Action, Config, Event, Lane, Machine, Moment};
use crate::{
    DefinitionId, Error, LeaseId, QueueName, QueueOptions, QueuePattern, RunnerId, Status, TaskId,
    backend::{
        Claim, Claimed, Fate, Isolate, Known, Lease, LeasedTask, Run, Settle, Settled, Settlement,
        Transition,
    },
    runner::Served,
};

pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) now: Moment,
    /// What the machine asked for and nobody has looked at yet.
    pub(super) actions: Vec<Action>,
    pub(super) definition: DefinitionId,
}

impl Rig {
    pub(super) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            runner: RunnerId::new(),
            queues: vec![serve("default", QueueOptions::new())],
            concurrency: 2,
            prefetch_max: 500,
            lease_for: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            notified: true,
            drain_deadline: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            once: false,
            known: Known::All,
            gathers: Default::default(),
            new_lease: LeaseId::new,
        };
        change(&mut config);
        let mut rig = Self {
            machine: Machine::new(config),
            now: Moment::ZERO,
            actions: Vec::new(),
            definition: DefinitionId::new(),
        };
        rig.advance();
        rig
    }

    /// A rig whose buffer holds `ahead` tasks beyond the two that run.
    pub(super) fn prefetching(ahead: usize) -> (Self, Vec<LeasedTask>) {
        let mut rig = Self::new(|_| {});
        let tasks = rig.tasks(2);
        rig.answer_claim(tasks);
        for task in rig.started() {
            rig.machine.take(rig.now, Event::Finished(success(&task, Duration::from_micros(10))));
        }
        rig.advance();
        let request = rig.exchange();
        let claim = request.then.clone().expect("a claim goes along");
        let tasks = rig.tasks_under(claim.lease, 2 + ahead);
        rig.answer(request, Some(tasks));
        let running = rig.started();
        assert_eq!(running.len(), 2);
        if let Some(request) = rig.try_exchange() {
            rig.answer(request, None);
        }
        rig.answer_promote();
        (rig, running)
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.machine.take(self.now, event);
        self.advance();
    }

    pub(super) fn advance(&mut self) {
        let actions = self.machine.advance(self.now);
        self.actions.extend(actions);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.tell(Event::Tick);
    }

    /// Sleeps until the machine wants to be woken; says for how long.
    pub(super) fn sleep(&mut self) -> Duration {
        let at = self.machine.wake_at().expect("it sleeps for ever");
        let time = at.saturating_sub(self.now);
        self.pass(time);
        time
    }

    /// Takes out the first action for which `pick` finds something.
    pub(super) fn find<T>(&mut self, pick: impl Fn(&Action) -> Option<T>) -> Option<T> {
        let at = self.actions.iter().position(|action| pick(action).is_some())?;
        pick(&self.actions.remove(at))
    }

    pub(super) fn try_exchange(&mut self) -> Option<Settle> {
        self.find(|action| match action {
            Action::Exchange { lane: Lane::Plain, request } => Some((**request).clone()),
            _ => None,
        })
    }

    pub(super) fn exchange(&mut self) -> Settle {
        self.try_exchange().unwrap_or_else(|| panic!("no exchange among {:?}", self.actions))
    }

    /// The claim that was sent by itself.
    pub(super) fn claim(&mut self) -> Claim {
        let request = self.exchange();
        assert!(request.settlements.is_empty(), "{request:?}");
        request.then.expect("a claim")
    }

    pub(super) fn started(&mut self) -> Vec<LeasedTask> {
        let mut tasks = Vec::new();
        while let Some(task) = self.find(|action| match action {
            Action::Start { task, .. } => Some((**task).clone()),
            _ => None,
        }) {
            tasks.push(task);
        }
        tasks
    }

    /// The batches that were started.
    pub(super) fn batches(&mut self) -> Vec<Vec<LeasedTask>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.find(|action| match action {
            Action::StartBatch(tasks) => Some(tasks.iter().map(|(task, _)| task.clone()).collect()),
            _ => None,
        }) {
            batches.push(batch);
        }
        batches
    }

    pub(super) fn canceled(&mut self) -> Option<TaskId> {
        self.find(|action| if let Action::Cancel(task) = action { Some(*task) } else { None })
    }

    pub(super) fn dropped(&mut self) -> Option<TaskId> {
        self.find(|action| if let Action::Drop(task) = action { Some(*task) } else { None })
    }

    pub(super) fn isolate(&mut self) -> Option<Isolate> {
        self.find(
            |action| {
                if let Action::Isolate(request) = action { Some(request.clone()) } else { None }
            },
        )
    }

    pub(super) fn stopped(&mut self) -> Option<Vec<TaskId>> {
        self.find(
            |action| if let Action::Stopped { left } = action { Some(left.clone()) } else { None },
        )
    }

    /// Whether it asks for a promotion.
    pub(super) fn promotes(&mut self) -> bool {
        self.find(|action| matches!(action, Action::Promote(_)).then_some(())).is_some()
    }

    /// Answers promotions: nothing is later.
    pub(super) fn answer_promote(&mut self) {
        if self.promotes() {
            self.tell(Event::Promoted(Ok(Default::default())));
        }
    }

    pub(super) fn answer_claim(&mut self, tasks: Vec<LeasedTask>) -> Claim {
        self.answer_claim_due(tasks, None)
    }

    pub(super) fn answer_claim_due(
        &mut self,
        mut tasks: Vec<LeasedTask>,
        due_in: Option<Duration>,
    ) -> Claim {
        let request = self.exchange();
        let claim = request.then.clone().expect("a claim");
        for task in &mut tasks {
            task.lease.batch = claim.lease;
        }
        let fates = request.settlements.iter().map(applied).collect();
        let claimed = Some(Claimed { tasks, at: None, due_in });
        let result = Ok(Settled { fates, claimed });
        self.tell(Event::Exchanged { lane: Lane::Plain, request: Box::new(request), result });
        claim
    }

    pub(super) fn answer(&mut self, request: Settle, claimed: Option<Vec<LeasedTask>>) {
        let fates = request.settlements.iter().map(applied).collect();
        let claimed = request
            .then
            .as_ref()
            .map(|_| Claimed { tasks: claimed.unwrap_or_default(), ..Claimed::default() });
        let result = Ok(Settled { fates, claimed });
        self.tell(Event::Exchanged { lane: Lane::Plain, request: Box::new(request), result });
    }

    /// Answers the flight of keyed tasks.
    pub(super) fn answer_keyed(&mut self) {
        let request = self.find(|action| match action {
            Action::Exchange { lane: Lane::Keyed, request } => Some((**request).clone()),
            _ => None,
        });
        let request = request.expect("a flight of keyed tasks");
        let fates = request.settlements.iter().map(applied).collect();
        let result = Ok(Settled { fates, claimed: None });
        self.tell(Event::Exchanged { lane: Lane::Keyed, request: Box::new(request), result });
    }

    pub(super) fn refuse(&mut self, request: Settle, error: Error) {
        self.tell(Event::Exchanged {
            lane: Lane::Plain,
            request: Box::new(request),
            result: Err(error),
        });
    }

    /// Answers flights, which bring nothing, until none is under way.
    pub(super) fn land(&mut self) {
        while let Some(request) = self.try_exchange() {
            self.answer(request, None);
        }
    }

    pub(super) fn tasks(&self, count: usize) -> Vec<LeasedTask> {
        self.tasks_under(LeaseId::new(), count)
    }

    pub(super) fn tasks_under(&self, batch: LeaseId, count: usize) -> Vec<LeasedTask> {
        let task = |_| LeasedTask {
            lease: Lease { task: TaskId::new(), batch, turn: 0 },
            definition: self.definition,
            queue: QueueName::default(),
            parameters: RawValue::NULL.to_owned(),
            priority: 0,
            run_at: crate::clock::now(),
            attempts: 0,
            max_attempts: None,
            suspect: false,
            keyed: false,
            start_by: None,
            timeout: None,
        };
        (0..count).map(task).collect()
    }

    pub(super) fn finish(&mut self, task: &LeasedTask, ran_for: Duration) {
        self.tell(Event::Finished(success(task, ran_for)));
    }
}

/// A queue, or those that match, served like this.
pub(super) fn serve(queues: &str, options: QueueOptions) -> Served {
    options.serve(QueuePattern::new(queues).unwrap()).unwrap()
}

pub(super) fn success(task: &LeasedTask, ran_for: Duration) -> Settlement {
    let run = Some(Run { started_after: Duration::ZERO, ran_for });
    Settlement { run, ..Settlement::new(task.lease, Transition::Success { output: None }) }
}

pub(super) fn is_release(settlement: &Settlement) -> bool {
    use crate::backend::{AttemptIs, Requeue};
    matches!(
        settlement.to,
        Transition::Requeue { to: Requeue::AsBefore, attempt: AttemptIs::Refunded, .. }
    )
}

pub(super) fn ids(tasks: &[LeasedTask]) -> Vec<TaskId> {
    tasks.iter().map(|task| task.lease.task).collect()
}

pub(super) fn away() -> Error {
    Error::unavailable("away")
}

fn applied(settlement: &Settlement) -> Fate {
    let status = match settlement.to {
        Transition::Success { .. } => Status::Success,
        Transition::Failed { .. } => Status::Failed,
        Transition::Canceled { .. } => Status::Canceled,
        Transition::Requeue { .. } => Status::Queued,
    };
    Fate::Applied { status }
}
