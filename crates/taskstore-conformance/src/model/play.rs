//! Asks both stores the same, and compares.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, Definition, DefinitionId, DefinitionStatus, Heartbeat, LeaseId, LogLevel,
    LogLine, MemoryBackend, Progress, QueueName, RunnerId, Task, TaskId, UniqueHash,
    backend::{
        AttemptIs, Claim, Control, DefinitionQuery, Enqueue, Expect, Isolate, Known, LateLease,
        Lease, LeasedTask, Move, NewTask, Promote, QueueSettings, QueueShare, Report, Requeue, Run,
        Settle, Settlement, TakeOver, Transition, When,
    },
    clock,
};
use time::UtcDateTime;

use super::{
    op::{
        ClaimSpec, MoveSpec, NewOrAgain, Op, Pick, SaySpec, SettleSpec, TaskSpec, ToSpec, WhenSpec,
    },
    trace::Trace,
};

/// How long every lease lives; nothing here waits for it.
const LEASE_FOR: Duration = Duration::from_secs(10);

/// A sequence that is being played.
pub(super) struct Play {
    memory: MemoryBackend,
    tested: Arc<dyn Backend>,
    memory_heart: Box<dyn Heartbeat>,
    tested_heart: Box<dyn Heartbeat>,
    trace: Trace,
    now: UtcDateTime,
    runner: RunnerId,
    definitions: Vec<Definition>,
    /// All that was ever sent.
    tasks: Vec<NewTask>,
    /// All rights that were ever given.
    held: Vec<Lease>,
    /// All leases that were ever made, and how often each has beaten.
    leases: Vec<LeaseId>,
    beats: BTreeMap<LeaseId, u64>,
    settles: Vec<Settle>,
    isolates: Vec<Isolate>,
    take_overs: Vec<TakeOver>,
    /// A report has no time of its own to stamp.
    reported: BTreeSet<TaskId>,
}

/// Asks both, and compares.
macro_rules! both {
    ($play:ident, $asked:expr, $method:ident($($argument:expr),*)) => {{
        let expected = $play.memory.$method($($argument),*).await;
        let found = $play.tested.$method($($argument),*).await;
        $play.trace.compare(&$asked, &expected, &found)?;
        expected
    }};
}

impl Play {
    pub(super) async fn new(tested: Arc<dyn Backend>) -> Result<Self, String> {
        let memory = MemoryBackend::new();
        let memory_heart = memory.heartbeat().await.map_err(|error| error.to_string())?;
        let tested_heart = tested.heartbeat().await.map_err(|error| error.to_string())?;
        let mut play = Self {
            memory,
            tested,
            memory_heart,
            tested_heart,
            trace: Trace::default(),
            now: clock::now(),
            runner: RunnerId::new(),
            definitions: Vec::new(),
            tasks: Vec::new(),
            held: Vec::new(),
            leases: Vec::new(),
            beats: BTreeMap::new(),
            settles: Vec::new(),
            isolates: Vec::new(),
            take_overs: Vec::new(),
            reported: BTreeSet::new(),
        };
        play.trace.name('r', &play.runner);
        for number in 0..3 {
            let alias =
                Alias::new(&format!("model.{number}")).map_err(|error| error.to_string())?;
            let definition = Definition::new(alias);
            play.trace.name('d', &definition.id);
            let asked = format!("put definition {}", definition.id);
            let _ = both!(play, asked, put_definition(&definition, Expect::Absent));
            play.definitions.push(definition);
        }
        Ok(play)
    }

    pub(super) async fn play(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Advance { millis } => {
                self.now = clock::add(self.now, Duration::from_millis((*millis).into()));
                Ok(())
            }
            Op::Enqueue { tasks } => self.enqueue(tasks).await,
            Op::Promote { limit } => {
                let request = Promote::new((*limit).into()).at(self.now);
                let _ = both!(self, format!("{request:?}"), promote(&request));
                Ok(())
            }
            Op::Claim(spec) => {
                let claim = self.claim(spec);
                self.send_claim(&claim).await
            }
            Op::ClaimInUse { lease } => self.claim_in_use(*lease).await,
            Op::Recall { lease } => self.recall(*lease).await,
            Op::Settle { settlements, then } => self.settle(settlements, then.as_ref()).await,
            Op::SettleAgain { which } => {
                let Some(request) = pick(&self.settles, *which).cloned() else { return Ok(()) };
                let _ = both!(self, format!("again {request:?}"), settle(&request));
                Ok(())
            }
            Op::Isolate { held } => self.isolate(held).await,
            Op::IsolateAgain { which } => {
                let Some(request) = pick(&self.isolates, *which).cloned() else { return Ok(()) };
                let _ = both!(self, format!("again {request:?}"), isolate(&request));
                Ok(())
            }
            Op::Report { reports } => self.report(reports).await,
            Op::Beat { leases } => self.beat(leases).await,
            Op::TakeOver { leases } => self.take_over(leases).await,
            Op::TakeOverAgain { which } => {
                let Some(request) = pick(&self.take_overs, *which).cloned() else { return Ok(()) };
                let _ = both!(self, format!("again {request:?}"), take_over(&request));
                Ok(())
            }
            Op::Control { tasks, to } => self.control(tasks, to).await,
            Op::PauseQueue { queue, paused } => {
                let settings = QueueSettings { name: name(*queue), paused: *paused };
                let _ = both!(self, format!("{settings:?}"), put_queue(&settings));
                Ok(())
            }
            Op::CancelDefinition { definition, canceled } => {
                self.cancel_definition(*definition, *canceled).await
            }
            Op::Look { task } => match pick(&self.tasks, *task).map(|task| task.id) {
                Some(task) => self.look(task).await,
                None => Ok(()),
            },
        }
    }

    /// What both hold in the end.
    pub(super) async fn compare_all(&mut self) -> Result<(), String> {
        let mut ids: Vec<_> = self.tasks.iter().map(|task| task.id).collect();
        ids.push(TaskId::new());
        for id in ids {
            self.look(id).await?;
            let _ = both!(self, format!("attempts {id}"), attempts(id));
            let _ = both!(self, format!("log {id}"), log(id, 0, 10_000));
            let _ = both!(self, format!("two lines of the log {id}"), log(id, 1, 2));
        }
        for lease in self.leases.clone() {
            let _ = both!(self, format!("recall {lease}"), recall(lease));
        }
        let query = DefinitionQuery::new(10);
        let pages = (self.memory.definitions(&query).await, self.tested.definitions(&query).await);
        let items = (pages.0.map(|page| page.items), pages.1.map(|page| page.items));
        self.trace.compare("definitions", &items.0, &items.1)
    }

    async fn enqueue(&mut self, specs: &[NewOrAgain]) -> Result<(), String> {
        let mut tasks = Vec::new();
        for spec in specs {
            match spec {
                NewOrAgain::New(spec) => tasks.push(self.new_task(spec)),
                NewOrAgain::Again(which) => tasks.extend(pick(&self.tasks, *which).cloned()),
            }
        }
        for task in &tasks {
            self.trace.name('t', &task.id);
        }
        let request = Enqueue::new(&tasks).at(self.now);
        let _ = both!(self, format!("{request:?}"), enqueue(&request));
        self.tasks.extend(tasks);
        Ok(())
    }

    fn new_task(&self, spec: &TaskSpec) -> NewTask {
        let definition = self.definitions.get(usize::from(spec.definition));
        let definition = definition.map_or_else(DefinitionId::new, |definition| definition.id);
        let mut task = NewTask::new(definition, json(spec.bytes));
        task.queue = name(spec.queue);
        task.priority = spec.priority.into();
        task.when = self.when(spec.when);
        task.max_attempts = spec.max_attempts.map(u32::from);
        task.unique = spec.key.and_then(|key| UniqueHash::new("model", &key.to_string()).ok());
        task
    }

    fn when(&self, spec: WhenSpec) -> When {
        match spec {
            WhenSpec::Now => When::Now,
            WhenSpec::After(millis) => When::After(Duration::from_millis(millis.into())),
            WhenSpec::At(millis) => {
                When::At(self.now + time::Duration::milliseconds(i64::from(millis)))
            }
        }
    }

    fn claim(&mut self, spec: &ClaimSpec) -> Claim {
        let mut claim = Claim::new(self.runner, [], spec.at_most.into()).at(self.now);
        claim.queues = spec
            .queues
            .iter()
            .map(|&(queue, at_most)| QueueShare { queue: name(queue), at_most: at_most.into() })
            .collect();
        claim.lease_for = LEASE_FOR;
        let ids = self.definitions.iter().map(|definition| definition.id);
        claim.known = match spec.known {
            0 => Known::Only(ids.take(2).collect()),
            1 => Known::Except(ids.take(1).collect()),
            2 => Known::Except(vec![DefinitionId::new()]),
            _ => Known::All,
        };
        if let Some(bytes) = spec.bytes_max {
            claim.bytes_max = bytes.into();
        }
        self.made(claim.lease);
        claim
    }

    fn made(&mut self, lease: LeaseId) {
        self.trace.name('l', &lease);
        self.leases.push(lease);
    }

    fn given(&mut self, tasks: &[LeasedTask]) {
        self.held.extend(tasks.iter().map(|task| task.lease));
    }

    async fn send_claim(&mut self, claim: &Claim) -> Result<(), String> {
        let claimed = both!(self, format!("{claim:?}"), claim(claim));
        self.given(&claimed.unwrap_or_default().tasks);
        Ok(())
    }

    /// Only of a lease that is there: no store can know an id that is gone.
    async fn claim_in_use(&mut self, lease: Pick) -> Result<(), String> {
        let Some(&lease) = pick(&self.leases, lease) else { return Ok(()) };
        if self.memory.recall(lease).await.is_ok_and(|tasks| tasks.is_empty()) {
            return Ok(());
        }
        let mut claim = Claim::new(self.runner, (0..3).map(name), 3).at(self.now);
        claim.lease = lease;
        self.send_claim(&claim).await
    }

    async fn recall(&mut self, lease: Pick) -> Result<(), String> {
        if let Some(&lease) = pick(&self.leases, lease) {
            let _ = both!(self, format!("recall {lease}"), recall(lease));
        }
        Ok(())
    }

    fn lines(&self, spec: &SaySpec) -> Vec<LogLine> {
        let line = |&n: &u8| LogLine::new(n.into(), self.now, LogLevel::Info, format!("line {n}"));
        spec.lines.iter().map(line).collect()
    }

    fn settlement(&self, spec: &SettleSpec) -> Option<Settlement> {
        let lease = *pick(&self.held, spec.say.held)?;
        let to = match spec.to {
            ToSpec::Success { output } => {
                Transition::Success { output: output.then(|| RawValue::TRUE.to_owned()) }
            }
            ToSpec::Failed => Transition::Failed { error: "failed".into() },
            ToSpec::Canceled { counted } => Transition::Canceled {
                reason: "canceled".into(),
                attempt: if counted { AttemptIs::Counted } else { AttemptIs::Refunded },
            },
            ToSpec::Back { after, counted, suspect, error } => Transition::Requeue {
                to: after.map_or(Requeue::AsBefore, |millis| {
                    Requeue::After(Duration::from_millis(millis.into()))
                }),
                attempt: if counted { AttemptIs::Counted } else { AttemptIs::Refunded },
                suspect,
                error: error.then(|| "again".into()),
            },
        };
        let mut settlement = Settlement::new(lease, to);
        settlement.run = spec.run.map(|(started_after, ran_for)| Run {
            started_after: Duration::from_millis(started_after.into()),
            ran_for: Duration::from_millis(ran_for.into()),
        });
        settlement.progress = progress(&spec.say);
        settlement.log = self.lines(&spec.say);
        Some(settlement)
    }

    async fn settle(
        &mut self,
        specs: &[SettleSpec],
        then: Option<&ClaimSpec>,
    ) -> Result<(), String> {
        let settlements = specs.iter().filter_map(|spec| self.settlement(spec)).collect();
        let mut request = Settle::new(settlements).at(self.now);
        request.then = then.map(|spec| self.claim(spec));
        let settled = both!(self, format!("{request:?}"), settle(&request));
        if let Ok(settled) = settled {
            self.given(&settled.claimed.unwrap_or_default().tasks);
        }
        request.then = None;
        self.settles.push(request);
        Ok(())
    }

    async fn isolate(&mut self, held: &[Pick]) -> Result<(), String> {
        let leases: Vec<_> =
            held.iter().filter_map(|&held| pick(&self.held, held).copied()).collect();
        let tasks: Vec<_> = leases.into_iter().map(|lease| (lease, LeaseId::new())).collect();
        for &(_, apart) in &tasks {
            self.made(apart);
        }
        let mut request = Isolate::new(tasks);
        request.now = Some(self.now);
        let isolated = both!(self, format!("{request:?}"), isolate(&request));
        self.held.extend(isolated.into_iter().flatten().flatten());
        self.isolates.push(request);
        Ok(())
    }

    async fn report(&mut self, specs: &[SaySpec]) -> Result<(), String> {
        let reports: Vec<_> = specs
            .iter()
            .filter_map(|spec| {
                let lease = *pick(&self.held, spec.held)?;
                Some(Report { lease, progress: progress(spec), log: self.lines(spec) })
            })
            .collect();
        self.reported.extend(reports.iter().map(|report| report.lease.task));
        let _ = both!(self, format!("{reports:?}"), report(&reports));
        Ok(())
    }

    async fn beat(&mut self, leases: &[Pick]) -> Result<(), String> {
        let leases: BTreeSet<_> =
            leases.iter().filter_map(|&lease| pick(&self.leases, lease).copied()).collect();
        let leases: Vec<_> = leases.into_iter().collect();
        let expected = self.memory_heart.beat(&leases).await;
        let mut found = self.tested_heart.beat(&leases).await;
        if let (Ok(expected), Ok(found)) = (&expected, &mut found) {
            // Tasks of other leases may be named too.
            found.cancel.retain(|task| expected.cancel.contains(task));
            for (&lease, pulse) in leases.iter().zip(&expected.leases) {
                if *pulse == taskstore_core::backend::Pulse::Alive {
                    *self.beats.entry(lease).or_default() += 1;
                }
            }
        }
        let sorted = |beaten: taskstore_core::backend::Beaten| {
            (beaten.leases, beaten.cancel.into_iter().collect::<BTreeSet<_>>())
        };
        let asked = format!("beat {leases:?}");
        self.trace.compare(&asked, &expected.map(sorted), &found.map(sorted))
    }

    async fn take_over(&mut self, specs: &[(Pick, bool)]) -> Result<(), String> {
        let mut leases = Vec::new();
        for &(which, as_it_is) in specs {
            let Some(&lease) = pick(&self.leases, which) else { continue };
            let beat = self.beats.get(&lease).copied().unwrap_or_default();
            let beat = if as_it_is { beat } else { beat + 1 };
            leases.push((LateLease { lease, beat, lease_for: LEASE_FOR }, LeaseId::new()));
        }
        for &(_, lease) in &leases {
            self.made(lease);
        }
        let mut request = TakeOver::new(RunnerId::new(), leases);
        self.trace.name('r', &request.runner);
        request.now = Some(self.now);
        let taken = both!(self, format!("{request:?}"), take_over(&request));
        for taken in taken.into_iter().flatten().flatten() {
            self.given(&taken.tasks);
        }
        self.take_overs.push(request);
        Ok(())
    }

    async fn control(&mut self, tasks: &[Pick], to: &MoveSpec) -> Result<(), String> {
        let ids: Vec<_> =
            tasks.iter().filter_map(|&task| pick(&self.tasks, task)).map(|task| task.id).collect();
        let to = match to {
            MoveSpec::Cancel => Move::Cancel { reason: "not needed".into() },
            MoveSpec::Pause => Move::Pause,
            MoveSpec::Resume => Move::Resume,
            MoveSpec::Requeue { parameters } => Move::Requeue { parameters: parameters.map(json) },
            MoveSpec::Reschedule { when, priority, queue } => Move::Reschedule {
                when: when.map(|when| self.when(when)),
                priority: priority.map(i16::from),
                queue: queue.map(name),
            },
            MoveSpec::Delete => Move::Delete,
            MoveSpec::Restore => Move::Restore,
            MoveSpec::Purge => Move::Purge { before: None },
        };
        let request = Control::new(ids, to).at(self.now);
        let _ = both!(self, format!("{request:?}"), control(&request));
        Ok(())
    }

    async fn cancel_definition(&mut self, which: u8, canceled: bool) -> Result<(), String> {
        let Some(definition) = self.definitions.get_mut(usize::from(which)) else { return Ok(()) };
        let updated_at = definition.updated_at;
        definition.updated_at = self.now;
        definition.status =
            if canceled { DefinitionStatus::Canceled } else { DefinitionStatus::Active };
        let (definition, expect) = (definition.clone(), Expect::Unchanged { updated_at });
        let asked = format!("put definition {} {:?}", definition.id, definition.status);
        let _ = both!(self, asked, put_definition(&definition, expect));
        Ok(())
    }

    async fn look(&mut self, id: TaskId) -> Result<(), String> {
        let reported = self.reported.contains(&id);
        let tame = |task: Option<Task>| {
            task.map(|mut task| {
                // Beats and reports are stamped by the clock of whoever stores them.
                if let Some(holder) = &mut task.held_by {
                    holder.last_beat_at = holder.claimed_at;
                }
                if reported {
                    task.updated_at = task.created_at;
                }
                task
            })
        };
        let expected = self.memory.task(id).await.map(tame);
        let found = self.tested.task(id).await.map(tame);
        self.trace.compare(&format!("look at {id}"), &expected, &found)
    }
}

/// The newest is number 0.
fn pick<T>(things: &[T], which: Pick) -> Option<&T> {
    let which = usize::from(which).checked_rem(things.len())?;
    things.iter().rev().nth(which)
}

fn name(queue: u8) -> QueueName {
    QueueName::new(&format!("model-{queue}")).unwrap_or_default()
}

fn json(bytes: u8) -> Box<RawValue> {
    let text = format!("\"{}\"", "x".repeat(bytes.into()));
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn progress(spec: &SaySpec) -> Option<Progress> {
    spec.progress.map(|done| Progress { done: done.into(), total: 100 })
}
