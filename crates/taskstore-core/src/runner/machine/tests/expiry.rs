//! Tasks that it may be too late to start.

use std::time::Duration;

use super::{
    super::{Action, Event},
    rig::{Rig, away, ids, is_release},
};
use crate::{
    TaskId,
    backend::{AttemptIs, LeasedTask, Settlement, StartBy, Transition},
    clock,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn within(task: &mut LeasedTask, within: Duration) {
    task.start_by = Some(StartBy { at: clock::from_micros(1_700_000_000_000_000), within });
}

fn is_discard(settlement: &Settlement) -> bool {
    matches!(&settlement.to, Transition::Canceled { reason, attempt: AttemptIs::Refunded }
        if reason == "expired: not started by 2023-11-14 22:13:20.000000")
}

fn told(rig: &mut Rig) -> Option<TaskId> {
    rig.find(|action| match action {
        Action::Expired(task) => Some(task.lease.task),
        _ => None,
    })
}

#[test]
fn what_it_is_too_late_to_start_is_discarded_and_takes_no_slot() {
    let mut rig = Rig::new(|config| config.concurrency = 2);
    let mut tasks = rig.tasks(4);
    within(&mut tasks[0], Duration::ZERO);
    within(&mut tasks[1], millis(1));
    within(&mut tasks[2], Duration::ZERO);
    rig.answer_claim(tasks.clone());
    assert_eq!(ids(&rig.started()), ids(&[tasks[1].clone(), tasks[3].clone()]));
    assert_eq!(told(&mut rig), Some(tasks[0].lease.task));
    assert_eq!(told(&mut rig), Some(tasks[2].lease.task));
    rig.pass(millis(10));
    let ends = rig.exchange().settlements;
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(is_discard), "{ends:?}");
}

#[test]
fn what_the_answer_took_and_the_task_waited_here_is_taken_off() {
    let (mut rig, running) = Rig::prefetching(0);
    rig.finish(&running[0], Duration::from_micros(10));
    let request = rig.exchange();
    assert!(request.then.is_some());
    // Three tasks for the one slot that is free.
    let mut tasks = rig.tasks(3);
    within(&mut tasks[0], millis(30));
    within(&mut tasks[1], millis(130));
    within(&mut tasks[2], millis(1_000));
    rig.now += millis(20);
    rig.answer(request, Some(tasks.clone()));
    assert_eq!(ids(&rig.started()), [tasks[0].lease.task], "10 ms were left");
    rig.now += millis(110);
    rig.finish(&running[1], Duration::from_micros(10));
    assert_eq!(ids(&rig.started()), [tasks[2].lease.task]);
    assert_eq!(told(&mut rig), Some(tasks[1].lease.task), "its time was over that very moment");
}

#[test]
fn what_was_recalled_is_judged_by_what_the_recall_said() {
    let mut rig = Rig::new(|_| {});
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    let mut tasks = rig.tasks_under(lease, 2);
    within(&mut tasks[0], millis(5));
    within(&mut tasks[1], Duration::ZERO);
    rig.now += millis(500);
    rig.refuse(request, away());
    rig.sleep();
    rig.find(|action| matches!(action, Action::Recall(_)).then_some(())).expect("a recall");
    rig.tell(Event::Recalled { lease, result: Ok(tasks.clone()) });
    assert_eq!(ids(&rig.started()), [tasks[0].lease.task]);
    assert_eq!(told(&mut rig), Some(tasks[1].lease.task));
}

#[test]
fn what_may_have_begun_is_started_however_late() {
    let mut rig = Rig::new(|config| config.concurrency = 2);
    let mut tasks = rig.tasks(2);
    within(&mut tasks[0], Duration::ZERO);
    within(&mut tasks[1], Duration::ZERO);
    tasks[0].suspect = true;
    tasks[1].attempts = 1;
    rig.answer_claim(tasks.clone());
    assert_eq!(rig.isolate().expect("it runs alone").tasks[0].0.task, tasks[0].lease.task);
    assert_eq!(ids(&rig.started()), [tasks[1].lease.task]);
    assert_eq!(told(&mut rig), None);
}

#[test]
fn a_runner_that_stops_discards_nothing() {
    let mut rig = Rig::new(|_| {});
    let request = rig.exchange();
    rig.tell(Event::Stop);
    let mut tasks = rig.tasks(1);
    within(&mut tasks[0], Duration::ZERO);
    rig.answer(request, Some(tasks));
    assert!(rig.exchange().settlements.iter().all(is_release));
}
