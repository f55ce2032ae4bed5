//! Stopping.

use std::time::Duration;

use super::{
    super::{Action, Event},
    rig::{Rig, away, ids, is_release},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_stop_gives_back_what_waits_and_lets_what_runs_finish() {
    let (mut rig, running) = Rig::prefetching(10);
    rig.tell(Event::Stop);
    let request = rig.exchange();
    assert_eq!(request.settlements.len(), 10);
    assert!(request.settlements.iter().all(is_release));
    assert!(request.then.is_none(), "no claims any more");
    rig.answer(request, None);
    assert_eq!(rig.stopped(), None);
    for task in &running {
        rig.machine.take(rig.now, Event::Finished(super::rig::success(task, MS)));
    }
    rig.advance();
    assert_eq!(rig.stopped(), None, "not before it is saved");
    let request = rig.exchange();
    assert_eq!(request.settlements.len(), 2);
    rig.answer(request, None);
    assert_eq!(rig.stopped(), Some(vec![]));
    assert!(rig.machine.is_over());
    assert_eq!(rig.machine.wake_at(), None);
}

#[test]
fn stopping_twice_is_stopping_once() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim(vec![]);
    rig.answer_claim(vec![]);
    rig.tell(Event::Stop);
    rig.tell(Event::Stop);
    assert_eq!(rig.stopped(), Some(vec![]));
    assert_eq!(rig.stopped(), None);
}

#[test]
fn a_claim_under_way_when_the_runner_stops_goes_back() {
    let mut rig = Rig::new(|_| {});
    rig.tell(Event::Stop);
    assert_eq!(rig.stopped(), None, "it may still take tasks");
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    assert!(rig.started().is_empty());
    let request = rig.exchange();
    assert!(request.settlements.len() == 2 && request.settlements.iter().all(is_release));
    rig.answer(request, None);
    assert_eq!(rig.stopped(), Some(vec![]));
}

#[test]
fn a_claim_in_doubt_when_the_runner_stops_is_resolved_first() {
    let mut rig = Rig::new(|_| {});
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    rig.tell(Event::Stop);
    rig.refuse(request, away());
    assert_eq!(rig.stopped(), None);
    rig.sleep();
    assert!(rig.find(|a| matches!(a, Action::Recall(_)).then_some(())).is_some());
    let one = rig.tasks_under(lease, 1);
    rig.tell(Event::Recalled { lease, result: Ok(one) });
    let request = rig.exchange();
    assert!(is_release(&request.settlements[0]));
    rig.answer(request, None);
    assert_eq!(rig.stopped(), Some(vec![]));
}

#[test]
fn tokens_fire_at_the_deadline_and_futures_are_dropped_after_the_grace() {
    let (mut rig, running) = Rig::prefetching(0);
    rig.tell(Event::Stop);
    rig.pass(30 * SECOND - MS);
    assert_eq!(rig.canceled(), None);
    rig.pass(MS);
    assert_eq!(rig.canceled(), Some(ids(&running)[0]));
    assert_eq!(rig.canceled(), Some(ids(&running)[1]));
    rig.pass(5 * SECOND);
    assert_eq!(rig.dropped(), Some(ids(&running)[0]));
    assert_eq!(rig.dropped(), Some(ids(&running)[1]));
    assert_eq!(rig.stopped(), None);
}

#[test]
fn what_cannot_be_dropped_is_named_and_saved_when_it_ends() {
    let (mut rig, running) = Rig::prefetching(0);
    rig.tell(Event::Stop);
    rig.pass(30 * SECOND);
    rig.pass(5 * SECOND);
    rig.finish(&running[0], MS);
    let request = rig.exchange();
    rig.answer(request, None);
    assert_eq!(rig.stopped(), None);
    rig.pass(SECOND);
    let stuck = running[1].lease.task;
    assert_eq!(rig.stopped(), Some(vec![stuck]));
    assert!(!rig.machine.is_over(), "its lease is kept alive");
    rig.pass(3_600 * SECOND);
    rig.finish(&running[1], 3_600 * SECOND);
    let request = rig.exchange();
    assert_eq!(request.settlements[0].lease.task, stuck);
    rig.answer(request, None);
    assert!(rig.machine.is_over());
    assert_eq!(rig.stopped(), None, "that was said before");
}

#[test]
fn a_stop_waits_for_the_store() {
    let (mut rig, running) = Rig::prefetching(0);
    rig.tell(Event::Stop);
    for task in &running {
        rig.machine.take(rig.now, Event::Finished(super::rig::success(task, MS)));
    }
    rig.advance();
    for _ in 0..50 {
        let request = rig.exchange();
        rig.refuse(request, away());
        assert_eq!(rig.stopped(), None);
        while !rig.actions.iter().any(|action| matches!(action, Action::Exchange { .. })) {
            rig.sleep();
        }
    }
    let request = rig.exchange();
    assert_eq!(request.settlements.len(), 2);
    rig.answer(request, None);
    assert_eq!(rig.stopped(), Some(vec![]));
}
