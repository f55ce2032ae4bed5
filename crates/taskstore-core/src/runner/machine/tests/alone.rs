//! A handler that settles its task in a transaction of its own has a lease to itself before.

use std::time::Duration;

use super::{
    super::{Action, Event},
    rig::{Rig, away},
};
use crate::{
    Error, Result, TaskId,
    backend::{Isolate, Lease, LeasedTask},
};

const SHORT: Duration = Duration::from_millis(1);

/// Two tasks of one lease that run, of which the first wants to be alone, and what is asked for it.
fn asking() -> (Rig, Vec<LeasedTask>, Isolate) {
    let mut rig = Rig::new(|_| {});
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.tell(Event::WantsAlone(running[0].lease.task));
    let request = rig.isolate().expect("a lease of its own");
    assert_eq!(request.tasks.len(), 1);
    assert_eq!(request.tasks[0].0, running[0].lease);
    (rig, running, request)
}

fn own_of(request: &Isolate) -> Lease {
    let (before, own) = request.tasks[0];
    Lease { batch: own, turn: before.turn + 1, ..before }
}

impl Rig {
    fn alone(&mut self) -> Option<(TaskId, Result<Lease>)> {
        let at = self.actions.iter().position(|action| matches!(action, Action::Alone { .. }))?;
        match self.actions.remove(at) {
            Action::Alone { task, result } => Some((task, result)),
            _ => None,
        }
    }

    fn answer_isolate(&mut self, request: Isolate) {
        let own = own_of(&request);
        self.tell(Event::Isolated { request, result: Ok(vec![Some(own)]) });
    }

    fn holds_alone(&mut self) -> Option<crate::LeaseId> {
        self.find(|action| match action {
            Action::HoldAlone(lease) => Some(*lease),
            _ => None,
        })
    }

    fn lets_go(&mut self) -> Option<crate::LeaseId> {
        self.find(|action| if let Action::LetGo(lease) = action { Some(*lease) } else { None })
    }
}

#[test]
fn a_task_that_runs_gets_a_lease_of_its_own_which_is_kept_alive_and_settled_by() {
    let (mut rig, running, request) = asking();
    let own = own_of(&request);
    rig.answer_isolate(request);
    let (task, result) = rig.alone().unwrap();
    assert_eq!((task, result.unwrap()), (own.task, own));
    assert_eq!(rig.holds_alone(), Some(own.batch));
    assert_eq!(rig.lets_go(), None, "its neighbour is under the old one");
    rig.finish(&running[1], SHORT);
    rig.land();
    assert_eq!(rig.lets_go(), Some(running[1].lease.batch));
    // Whatever lease its run remembers.
    rig.finish(&running[0], SHORT);
    let saved = rig.exchange();
    assert_eq!(saved.settlements[0].lease, own);
    rig.answer(saved, None);
    assert_eq!(rig.lets_go(), Some(own.batch));
    assert_eq!(rig.machine.summary().succeeded, 2);
}

#[test]
fn a_task_that_shares_its_lease_with_no_other_has_it_to_itself() {
    let mut rig = Rig::new(|_| {});
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.finish(&running[1], SHORT);
    rig.land();
    rig.tell(Event::WantsAlone(running[0].lease.task));
    assert!(rig.isolate().is_none());
    assert_eq!(rig.alone().unwrap().1.unwrap(), running[0].lease);
    assert_eq!(rig.holds_alone(), Some(running[0].lease.batch));
}

#[test]
fn one_that_is_alone_already_is_not_moved_again() {
    let (mut rig, running, request) = asking();
    let own = own_of(&request);
    rig.answer_isolate(request);
    rig.alone().unwrap().1.unwrap();
    rig.tell(Event::WantsAlone(running[0].lease.task));
    assert!(rig.isolate().is_none());
    assert_eq!(rig.alone().unwrap().1.unwrap(), own);
}

#[test]
fn an_end_waits_until_it_is_known_under_which_lease_it_is_to_be_saved() {
    let (mut rig, running, request) = asking();
    rig.finish(&running[0], SHORT);
    assert!(rig.try_exchange().is_none_or(|request| request.settlements.is_empty()));
    rig.tell(Event::Stop);
    assert!(rig.stopped().is_none());
    let own = own_of(&request);
    rig.answer_isolate(request);
    let saved = rig.exchange();
    assert_eq!(saved.settlements[0].lease, own);
}

#[test]
fn a_store_that_is_away_is_told_at_once_and_asked_again_for_the_same_lease() {
    let (mut rig, running, request) = asking();
    let first = request.tasks.clone();
    rig.tell(Event::Isolated { request, result: Err(away()) });
    let error = rig.alone().unwrap().1.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    rig.finish(&running[0], SHORT);
    rig.sleep();
    let again = rig.isolate().unwrap();
    assert_eq!(again.tasks, first, "it may have happened");
    let own = own_of(&again);
    rig.answer_isolate(again);
    assert_eq!(rig.exchange().settlements[0].lease, own);
}

#[test]
fn a_lease_that_was_lost_is_told_and_the_end_is_saved_nowhere() {
    let (mut rig, running, request) = asking();
    rig.tell(Event::Isolated { request, result: Ok(vec![None]) });
    let (task, result) = rig.alone().unwrap();
    assert!(matches!(result, Err(Error::LeaseLost { task: lost }) if lost == task));
    rig.finish(&running[0], SHORT);
    assert_eq!(rig.exchange().settlements[0].lease, running[0].lease, "the store refuses it");
}

#[test]
fn a_shared_lease_that_ends_because_its_last_task_left_it_cancels_nobody() {
    let (mut rig, running, request) = asking();
    let shared = running[0].lease.batch;
    rig.finish(&running[1], SHORT);
    rig.land();
    // The heartbeat is quicker than the answer.
    rig.tell(Event::Beaten { at: rig.now, lost: vec![shared], cancel: Vec::new() });
    assert_eq!(rig.canceled(), None);
    let own = own_of(&request);
    rig.answer_isolate(request);
    assert_eq!(rig.alone().unwrap().1.unwrap(), own);
    rig.tell(Event::Beaten { at: rig.now, lost: vec![own.batch], cancel: Vec::new() });
    assert_eq!(rig.canceled(), Some(own.task));
}

#[test]
fn a_task_that_is_completed_in_its_own_lease_leaves_it() {
    let (mut rig, running, request) = asking();
    let own = own_of(&request);
    rig.answer_isolate(request);
    let done = super::rig::success(&running[0], SHORT);
    rig.tell(Event::Completed(done));
    assert_eq!(rig.lets_go(), Some(own.batch));
    assert_eq!(rig.machine.summary().succeeded, 1);
}

#[test]
fn several_that_want_it_are_moved_together() {
    let mut rig = Rig::new(|config| config.concurrency = 4);
    let tasks = rig.tasks(4);
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.tell(Event::WantsAlone(running[0].lease.task));
    let first = rig.isolate().unwrap();
    for task in &running[1..3] {
        rig.tell(Event::WantsAlone(task.lease.task));
        // Sent twice is asked once.
        rig.tell(Event::WantsAlone(task.lease.task));
        assert!(rig.isolate().is_none(), "one request at a time");
    }
    rig.answer_isolate(first);
    assert_eq!(rig.isolate().unwrap().tasks.len(), 2);
}
