//! The agenda and the faults. Everything that takes time is a happening in the future.

mod handlers;
mod leases;
mod machines;
mod mail;

use std::{collections::BTreeMap, time::Duration};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;

use super::{
    ledger::Ledger,
    process::{LEASE, Life, Process},
};
use crate::{
    Alias, Backend, Definition, MemoryBackend, QueueName, QueueOptions, QueuePattern, TaskId,
    backend::{Control, Enqueue, Expect, LateLease, LeasedTask, Move, NewTask, When},
    runner::{
        Served,
        machine::{Action, Event, Gather, Moment},
    },
    testing::START,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Faults happen until then.
const FAULTS_UNTIL: Moment = Moment::from_secs(40);
/// By then everything must be over.
const END: Moment = Moment::from_secs(400);
const PROCESSES: usize = 3;
const TASKS: usize = 40;
const MAX_ATTEMPTS: u32 = 4;
const QUEUES: [&str; 3] = ["a", "a2", "b"];

/// Something that happens at its time.
#[derive(Debug)]
enum Happening {
    Start(usize),
    Crash(usize),
    Pause(usize),
    Stop(usize),
    Outage(bool),
    Enqueue(usize),
    Cancel,
    /// For a machine.
    Event(Life, Event),
    /// A request reaches the store.
    Asked(Life, Action),
    /// A handler is done.
    Ends(Life, Box<LeasedTask>, Moment),
    Beat(Life),
    Watch(Life),
    WatchRead(Life, Moment, Vec<LateLease>),
    Sweep(Life),
}

/// One simulated world.
pub(super) struct World {
    random: fastrand::Rng,
    now: Moment,
    agenda: BTreeMap<(Moment, u64), Happening>,
    made: u64,
    store: MemoryBackend,
    definition: Definition,
    processes: Vec<Option<Process>>,
    starts: u32,
    tasks: Vec<TaskId>,
    away: bool,
    trace: bool,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) ledger: Ledger,
}

/// The memory backend answers at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the memory backend never waits")
}

impl World {
    pub(super) fn run(seed: u64, trace: bool) -> Self {
        let mut world = Self {
            random: fastrand::Rng::with_seed(seed),
            now: Moment::ZERO,
            agenda: BTreeMap::new(),
            made: 0,
            store: MemoryBackend::stopped_at(START),
            definition: Definition::new(Alias::new("simulated").expect("a good alias")),
            processes: (0..PROCESSES).map(|_| None).collect(),
            starts: 0,
            tasks: Vec::new(),
            away: false,
            trace,
            faults: BTreeMap::new(),
            ledger: Ledger::default(),
        };
        at_once(world.store.put_definition(&world.definition, Expect::Absent)).expect("it is new");
        world.plan();
        world.play();
        world.judge();
        world
    }

    fn plan(&mut self) {
        for process in 0..PROCESSES {
            self.at(self.now, Happening::Start(process));
        }
        for _ in 0..8 {
            let (at, count) = (self.soon(FAULTS_UNTIL), TASKS / 8);
            self.at(at, Happening::Enqueue(count));
        }
        for _ in 0..self.random.u32(0..6) {
            let (at, process) = (self.soon(FAULTS_UNTIL), self.random.usize(..PROCESSES));
            let happening = match self.random.u8(..4) {
                0 => Happening::Pause(process),
                1 => Happening::Stop(process),
                _ => Happening::Crash(process),
            };
            self.at(at, happening);
        }
        for _ in 0..self.random.u32(0..4) {
            let at = self.soon(FAULTS_UNTIL);
            self.at(at, Happening::Cancel);
        }
        if self.random.bool() {
            let (from, long) = (self.soon(FAULTS_UNTIL), self.soon(LEASE * 3));
            self.at(from, Happening::Outage(true));
            self.at(from + long, Happening::Outage(false));
        }
    }

    fn soon(&mut self, within: Duration) -> Moment {
        MS * self.random.u32(..u32::try_from(within.as_millis()).unwrap_or(u32::MAX))
    }

    fn at(&mut self, at: Moment, happening: Happening) {
        self.made += 1;
        self.agenda.insert((at.max(self.now), self.made), happening);
    }

    /// How long a message is under way.
    fn latency(&mut self) -> Duration {
        MS * if self.random.u8(..50) == 0 {
            self.random.u32(1..1_500)
        } else {
            self.random.u32(1..10)
        }
    }

    fn fault(&mut self, what: &'static str) {
        *self.faults.entry(what).or_default() += 1;
    }

    fn play(&mut self) {
        while let Some(((at, _), happening)) = self.agenda.pop_first() {
            if at > END {
                break;
            }
            self.store.advance(at - self.now);
            self.now = at;
            if self.trace {
                println!("{:>8.3} {happening:?}", at.as_secs_f64());
            }
            self.happen(happening);
            if self.now > FAULTS_UNTIL + SECOND && self.is_over() {
                break;
            }
        }
    }

    fn is_over(&mut self) -> bool {
        let ended = |id: &TaskId| {
            at_once(self.store.task(*id)).ok().flatten().is_some_and(|t| t.status.has_ended())
        };
        self.tasks.len() == TASKS && self.tasks.iter().all(ended)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start(process) => self.start(process),
            Happening::Crash(process) => self.crash(process),
            Happening::Pause(process) => self.pause(process),
            Happening::Stop(process) => self.stop(process),
            Happening::Outage(away) => {
                self.away = away;
                self.fault("outage");
            }
            Happening::Enqueue(count) => self.enqueue(count),
            Happening::Cancel => self.cancel(),
            Happening::Event(life, event) => self.tell(life, event),
            Happening::Asked(life, action) => self.asked(life, action),
            Happening::Ends(life, task, began) => self.handler_ends(life, &task, began),
            Happening::Beat(life) => self.beat(life),
            Happening::Watch(life) => self.watch(life),
            Happening::WatchRead(life, began, late) => self.watch_read(life, began, &late),
            Happening::Sweep(life) => self.sweep(life),
        }
    }

    /// The process of this life, if it still lives. What reaches a paused one waits.
    fn living(&mut self, life: Life) -> Option<&mut Process> {
        self.processes.get_mut(life.process)?.as_mut().filter(|process| process.life == life)
    }

    fn paused_until(&mut self, life: Life) -> Option<Moment> {
        let now = self.now;
        self.living(life).map(|process| process.paused_until).filter(|until| *until > now)
    }

    fn start(&mut self, process: usize) {
        self.starts += 1;
        let life = Life { process, start: self.starts };
        let (concurrency, notified) = (self.random.usize(1..5), self.random.bool());
        let gather = Gather {
            handler: self.definition.id,
            at_most: self.random.usize(2..5),
            wait: MS * self.random.u32(..300),
        };
        let gathers = self.random.bool().then_some((self.definition.id, gather));
        let queues = self.draw_queues();
        let Some(slot) = self.processes.get_mut(process) else { return };
        *slot = Some(Process::start(life, self.now, queues, concurrency, notified, gathers));
        self.at(self.now, Happening::Event(life, Event::Tick));
        self.at(self.now + SECOND, Happening::Beat(life));
        self.at(self.now + LEASE / 8, Happening::Watch(life));
        self.at(self.now + SECOND, Happening::Sweep(life));
    }

    /// How a runner serves the queues, which are all served by each: by name in strict order, by
    /// weight, or whatever there is, with and without limits.
    fn draw_queues(&mut self) -> Vec<Served> {
        let mut options = QueueOptions::new();
        if self.random.bool() {
            options = options.concurrency(self.random.usize(1..3));
        }
        let serve = |queues: &str, options: QueueOptions| {
            let queues = QueuePattern::new(queues).expect("a good pattern");
            options.serve(queues).expect("good options")
        };
        match self.random.u8(..3) {
            0 => QUEUES.map(|queue| serve(queue, options)).to_vec(),
            1 => vec![serve("a*", options.weight(3)), serve("b*", options)],
            _ => vec![serve("*", options)],
        }
    }

    fn crash(&mut self, process: usize) {
        let Some(crashed) = self.processes.get_mut(process).and_then(Option::take) else { return };
        self.fault("crash");
        self.ledger.harmed(crashed.life);
        let back = self.soon(LEASE * 2);
        self.at(self.now + back, Happening::Start(process));
    }

    fn pause(&mut self, process: usize) {
        let long = self.soon(LEASE * 3);
        let now = self.now;
        let Some(Some(paused)) = self.processes.get_mut(process) else { return };
        paused.paused_until = now + long;
        let life = paused.life;
        self.fault("pause");
        // Shorter ones cannot cost it a lease, and so excuse nothing: a beat is at most a second
        // old when it stops, and a request a second and a half under way.
        if long + SECOND * 3 > LEASE {
            self.ledger.harmed(life);
        }
    }

    fn stop(&mut self, process: usize) {
        let Some(Some(stopping)) = self.processes.get_mut(process) else { return };
        if !std::mem::replace(&mut stopping.stopping, true) {
            let life = stopping.life;
            self.fault("stop");
            self.at(self.now, Happening::Event(life, Event::Stop));
        }
    }

    fn enqueue(&mut self, count: usize) {
        let mut tasks = Vec::new();
        for _ in 0..count {
            let mut task = NewTask::new(self.definition.id, RawValue::NULL.to_owned());
            task.priority = self.random.i16(-1..2);
            let queue = QUEUES[self.random.usize(..QUEUES.len())];
            task.queue = QueueName::new(queue).expect("a good name");
            task.max_attempts = Some(MAX_ATTEMPTS);
            if self.random.u8(..4) == 0 {
                task.when = When::After(self.soon(SECOND * 5));
            }
            self.tasks.push(task.id);
            tasks.push(task);
        }
        at_once(self.store.enqueue(&Enqueue::new(&tasks))).expect("the memory backend stores them");
        self.hint();
    }

    /// Half of those who listen hear of it: polling alone is always correct.
    fn hint(&mut self) {
        let listening = self.processes.iter().flatten().filter(|p| p.machine.is_listening());
        for life in listening.map(|process| process.life).collect::<Vec<_>>() {
            if self.random.bool() {
                let at = self.now + self.latency();
                self.at(at, Happening::Event(life, Event::Hint));
            }
        }
    }

    fn cancel(&mut self) {
        if !self.tasks.is_empty() {
            let id = self.tasks.swap_remove(self.random.usize(..self.tasks.len()));
            self.tasks.push(id);
            self.fault("cancel");
            let control = Control::new(vec![id], Move::Cancel { reason: "simulated".into() });
            at_once(self.store.control(&control)).expect("the memory backend answers");
        }
    }

    fn judge(&mut self) {
        for &id in &self.tasks {
            match at_once(self.store.task(id)) {
                Ok(Some(task)) => self.ledger.judge(&task),
                other => self.ledger.violation(format!("{id} is gone: {other:?}")),
            }
        }
    }
}
