//! A backend that writes down what is asked of another one, and that can lose requests and replies.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use taskstore_core::{
    Attempt, Backend, Definition, DefinitionId, Error, Heartbeat, LeaseId, LogLine, Queue,
    QueuePattern, Result, Task, TaskId,
    backend::{
        Beaten, Capabilities, Claim, Claimed, Control, Counted, DefinitionKey, DefinitionQuery,
        Enqueue, Enqueued, Expect, Fate, FindWork, Isolate, LateLease, Lease, LeasedTask, Migrate,
        MigrationReport, Outcome, Page, Promote, Promoted, QueueQuery, QueueSettings, Report,
        Settle, Settled, Sweep, Swept, TakeOver, TakenOver, TaskFilter, TaskQuery, WorkFound,
    },
};

use super::history::{self, Answer, Ended, Event, Given, NO_ANSWER, Seen, Taken, What, micros};

/// Writes down what is asked of a backend, and otherwise is that backend.
///
/// An event is written when the call begins, so that a call whose future is dropped, or that never
/// returns, is in the history as one whose outcome nobody knows.
#[derive(Clone)]
pub struct Recorded {
    backend: Arc<dyn Backend>,
    by: u32,
    history: Arc<Mutex<Vec<Event>>>,
    faults: Option<Arc<Faults>>,
}

struct Faults {
    chance: f64,
    random: Mutex<fastrand::Rng>,
}

/// The positions of one request in the history.
#[derive(Clone, Copy)]
struct Open {
    from: usize,
    count: usize,
}

impl Recorded {
    /// Records as this participant.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, by: u32) -> Self {
        Self { backend, by, history: Arc::default(), faults: None }
    }

    /// Loses a request, and as often a reply, with this chance in `0.0..1.0`.
    #[must_use]
    pub fn losing(mut self, chance: f64, seed: u64) -> Self {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        self.faults = Some(Arc::new(Faults { chance, random }));
        self
    }

    /// What was recorded so far.
    #[must_use]
    pub fn history(&self) -> Vec<Event> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The backend itself.
    pub(crate) fn unrecorded(&self) -> &dyn Backend {
        &*self.backend
    }

    fn is_lost(&self) -> bool {
        self.faults.as_ref().is_some_and(|faults| {
            let mut random = faults.random.lock().unwrap_or_else(PoisonError::into_inner);
            random.f64() < faults.chance
        })
    }

    fn begin(&self, whats: Vec<What>) -> Open {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let open = Open { from: history.len(), count: whats.len() };
        let started = micros();
        history.extend(whats.into_iter().map(|what| Event {
            by: self.by,
            started,
            ended: None,
            what,
        }));
        open
    }

    fn end<T>(&self, open: Open, result: &Result<T>, say: impl FnOnce(&T, &mut [Event])) {
        let ended = micros();
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(events) = history.get_mut(open.from..open.from + open.count) else { return };
        match result {
            Ok(answer) => say(answer, events),
            Err(error) => events.iter_mut().for_each(|event| event.what.fail(error)),
        }
        events.iter_mut().for_each(|event| event.ended = Some(ended));
    }

    async fn call<T>(
        &self,
        whats: Vec<What>,
        call: impl Future<Output = Result<T>> + Send,
        say: impl FnOnce(&T, &mut [Event]) + Send,
    ) -> Result<T> {
        let open = self.begin(whats);
        let result = if self.is_lost() {
            Err(Error::unavailable("the request was lost on purpose"))
        } else {
            let result = call.await;
            if self.is_lost() {
                Err(Error::unavailable("the reply was lost on purpose"))
            } else {
                result
            }
        };
        self.end(open, &result, say);
        result
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("backend", &self.backend).field("by", &self.by).finish()
    }
}

fn pending<T>() -> Answer<T> {
    Answer::Unknown(NO_ANSWER.to_owned())
}

fn claim_of(claim: &Claim) -> What {
    What::Claim { lease: claim.lease.ulid(), answer: pending() }
}

fn given(tasks: &[LeasedTask]) -> Vec<Given> {
    tasks.iter().map(Given::from).collect()
}

impl What {
    fn fail(&mut self, error: &Error) {
        fn failed<T>(error: &Error) -> Answer<T> {
            match error {
                Error::Unavailable { .. } | Error::Backend { .. } => {
                    Answer::Unknown(error.to_string())
                }
                _ => Answer::Refused(error.to_string()),
            }
        }
        match self {
            Self::Enqueue { answer, .. } => *answer = failed(error),
            Self::Claim { answer, .. } | Self::Recall { answer, .. } => *answer = failed(error),
            Self::Settle { answer, .. } | Self::Report { answer, .. } => *answer = failed(error),
            Self::Isolate { answer, .. } => *answer = failed(error),
            Self::Beat { answer, .. } => *answer = failed(error),
            Self::TakeOver { answer, .. } => *answer = failed(error),
            Self::Control { answer, .. } => *answer = failed(error),
            Self::Look { answer, .. } => *answer = failed(error),
            Self::Attempts { answer, .. } => *answer = failed(error),
        }
    }
}

/// Sets the answers by position; what gets none stays [`NO_ANSWER`], which the check complains of.
macro_rules! say {
    ($variant:ident, $convert:expr) => {
        |answers: &Vec<_>, events: &mut [Event]| {
            for (event, said) in events.iter_mut().zip(answers.iter()) {
                if let What::$variant { answer, .. } = &mut event.what {
                    *answer = Answer::Said($convert(said));
                }
            }
        }
    };
}

#[async_trait]
impl Backend for Recorded {
    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn as_any(&self) -> &dyn Any {
        self.backend.as_any()
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        self.backend.migrate(request).await
    }

    async fn check_schema(&self) -> Result<()> {
        self.backend.check_schema().await
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        let whats = request.tasks.iter().map(|task| What::Enqueue {
            task: task.id,
            key: task.unique.map(|key| format!("{key:?}")),
            answer: pending(),
        });
        let say = say!(Enqueue, |said: &Enqueued| history::enqueued(*said));
        self.call(whats.collect(), self.backend.enqueue(request), say).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        self.call(vec![claim_of(claim)], self.backend.claim(claim), |claimed, events| {
            for event in events {
                if let What::Claim { answer, .. } = &mut event.what {
                    *answer = Answer::Said(given(&claimed.tasks));
                }
            }
        })
        .await
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        let what = What::Recall { lease: lease.ulid(), answer: pending() };
        self.call(vec![what], self.backend.recall(lease), |tasks, events| {
            for event in events {
                if let What::Recall { answer, .. } = &mut event.what {
                    *answer = Answer::Said(given(tasks));
                }
            }
        })
        .await
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        let settlements = request.settlements.iter().map(|one| What::Settle {
            held: one.lease.into(),
            to: (&one.to).into(),
            answer: pending(),
        });
        let whats = settlements.chain(request.then.as_ref().map(claim_of)).collect();
        self.call(whats, self.backend.settle(request), |settled, events| {
            let mut fates = settled.fates.iter();
            for event in events {
                match &mut event.what {
                    What::Settle { answer, .. } => {
                        if let Some(&fate) = fates.next() {
                            *answer = Answer::Said(history::fate(fate));
                        }
                    }
                    What::Claim { answer, .. } => {
                        if let Some(claimed) = &settled.claimed {
                            *answer = Answer::Said(given(&claimed.tasks));
                        }
                    }
                    _ => {}
                }
            }
        })
        .await
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        let whats = request.tasks.iter().map(|&(lease, apart)| What::Isolate {
            held: lease.into(),
            apart: apart.ulid(),
            answer: pending(),
        });
        let say = say!(Isolate, |said: &Option<Lease>| said.map(Into::into));
        self.call(whats.collect(), self.backend.isolate(request), say).await
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        self.call(Vec::new(), self.backend.promote(request), |_, _| {}).await
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        let whats = reports
            .iter()
            .map(|report| What::Report { held: report.lease.into(), answer: pending() });
        let say = say!(Report, |said: &Fate| history::fate(*said));
        self.call(whats.collect(), self.backend.report(reports), say).await
    }

    async fn wait_for_work(&self, queues: &[QueuePattern], at_most: Duration) {
        self.backend.wait_for_work(queues, at_most).await;
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        self.backend.find_work(request).await
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        let heart = self.backend.heartbeat().await?;
        Ok(Box::new(RecordedHeartbeat { recorded: self.clone(), heart }))
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        self.backend.late_leases(limit).await
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        let whats = request.leases.iter().map(|(seen, lease)| What::TakeOver {
            seen: seen.lease.ulid(),
            beat: seen.beat,
            lease: lease.ulid(),
            answer: pending(),
        });
        let say = say!(TakeOver, |said: &Option<TakenOver>| said.as_ref().map(Taken::from));
        self.call(whats.collect(), self.backend.take_over(request), say).await
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        self.backend.sweep(request).await
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        let whats = request.ids.iter().map(|&task| What::Control {
            task,
            to: (&request.to).into(),
            answer: pending(),
        });
        let say = say!(Control, |said: &Outcome| (*said).into());
        self.call(whats.collect(), self.backend.control(request), say).await
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        self.call(Vec::new(), self.backend.put_queue(settings), |(), _| {}).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        let what = What::Look { task: id, answer: pending() };
        self.call(vec![what], self.backend.task(id), |task, events| {
            for event in events {
                if let What::Look { answer, .. } = &mut event.what {
                    *answer = Answer::Said(task.as_ref().map(|task| Seen {
                        status: task.status,
                        attempts: task.attempts,
                        suspect: task.suspect,
                        cancel_requested: task.cancel_requested_at.is_some(),
                        deleted: task.deleted_at.is_some(),
                    }));
                }
            }
        })
        .await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        self.backend.tasks(query).await
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        self.backend.task_ids(query).await
    }

    async fn now(&self) -> Result<time::UtcDateTime> {
        self.backend.now().await
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        self.backend.count(filter, at_most).await
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        self.backend.queues(query).await
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        let what = What::Attempts { task: id, answer: pending() };
        self.call(vec![what], self.backend.attempts(id), |attempts, events| {
            let ended = |attempt: &Attempt| Ended {
                turn: attempt.turn,
                status: attempt.status,
                text: attempt
                    .error
                    .clone()
                    .or_else(|| attempt.output.as_ref().map(|output| output.get().to_owned())),
            };
            for event in events {
                if let What::Attempts { answer, .. } = &mut event.what {
                    *answer = Answer::Said(attempts.iter().map(ended).collect());
                }
            }
        })
        .await
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        self.backend.log(id, skip, limit).await
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        self.backend.put_definition(definition, expect).await
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        self.backend.delete_definition(id).await
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        self.backend.definition(key).await
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        self.backend.definitions(query).await
    }
}

struct RecordedHeartbeat {
    recorded: Recorded,
    heart: Box<dyn Heartbeat>,
}

#[async_trait]
impl Heartbeat for RecordedHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let whats = leases
            .iter()
            .map(|lease| What::Beat { lease: lease.ulid(), answer: pending() })
            .collect();
        let open = self.recorded.begin(whats);
        let result = self.heart.beat(leases).await;
        self.recorded.end(open, &result, |beaten, events| {
            for (event, &pulse) in events.iter_mut().zip(&beaten.leases) {
                if let What::Beat { answer, .. } = &mut event.what {
                    *answer = Answer::Said(history::pulse(pulse));
                }
            }
        });
        result
    }
}
