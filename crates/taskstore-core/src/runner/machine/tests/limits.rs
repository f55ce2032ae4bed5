//! Queues with limits of their own.

use std::time::Duration;

use super::{
    super::Event,
    rig::{Rig, serve, success},
    weights::named,
};
use crate::{
    QueueName, QueueOptions,
    backend::{LeasedTask, Settle},
};

const MS: Duration = Duration::from_millis(1);

fn at_most(tasks: usize) -> QueueOptions {
    QueueOptions::new().concurrency(tasks)
}

/// `mail` with this limit, and `other` without, for ten slots.
fn rig(limit: usize, prefetch: usize) -> Rig {
    let mut rig = Rig::new(|config| {
        config.queues = vec![serve("mail", at_most(limit)), serve("other", QueueOptions::new())];
        (config.concurrency, config.prefetch_max) = (10, prefetch);
    });
    rig.answer_promote();
    rig
}

fn of(rig: &Rig, queue: &str, tasks: usize) -> Vec<LeasedTask> {
    let mut tasks = rig.tasks(tasks);
    tasks.iter_mut().for_each(|task| task.queue = QueueName::new(queue).unwrap());
    tasks
}

fn both(rig: &Rig, mail: usize, other: usize) -> Vec<LeasedTask> {
    let mut tasks = of(rig, "mail", mail);
    tasks.extend(of(rig, "other", other));
    tasks
}

fn asked(request: &Settle) -> Vec<(&str, u32)> {
    request.then.as_ref().map(|claim| named(&claim.queues)).unwrap_or_default()
}

#[test]
fn a_queue_is_asked_for_no_more_than_its_limit() {
    let mut rig = rig(3, 0);
    let claim = rig.claim();
    assert_eq!((claim.at_most, named(&claim.queues)), (10, vec![("mail", 3), ("other", 10)]));
}

#[test]
fn a_queue_that_is_full_is_not_asked_and_the_others_have_the_rest() {
    let mut rig = rig(3, 0);
    let tasks = both(&rig, 3, 2);
    rig.answer_claim(tasks);
    assert_eq!(rig.started().len(), 5);
    let claim = rig.claim();
    assert_eq!((claim.at_most, named(&claim.queues)), (5, vec![("other", 5)]));
}

#[test]
fn when_one_of_a_full_queue_ends_the_next_is_claimed_in_the_same_round_trip() {
    let mut rig = rig(1, 0);
    let tasks = of(&rig, "mail", 1);
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.land();
    rig.finish(&running[0], MS);
    let request = rig.exchange();
    assert_eq!(request.settlements.len(), 1);
    assert_eq!(asked(&request), [("mail", 1), ("other", 10)]);
}

#[test]
fn a_keyed_end_in_a_full_queue_makes_room_for_a_claim_by_itself() {
    let mut rig = rig(1, 0);
    let mut tasks = of(&rig, "mail", 1);
    tasks[0].keyed = true;
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.land();
    assert!(rig.try_exchange().is_none(), "nothing more can be taken");
    rig.finish(&running[0], MS);
    rig.answer_keyed();
    assert_eq!(named(&rig.claim().queues), [("mail", 1), ("other", 10)]);
}

#[test]
fn no_more_than_its_limit_run_however_many_were_claimed() {
    let mut rig = rig(2, 0);
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    rig.refuse(request, super::rig::away());
    rig.sleep();
    let mut recalled = rig.tasks_under(lease, 6);
    recalled.iter_mut().for_each(|task| task.queue = QueueName::new("mail").unwrap());
    rig.tell(Event::Recalled { lease, result: Ok(recalled) });
    let running = rig.started();
    assert_eq!(running.len(), 2);
    rig.finish(&running[0], MS);
    assert_eq!(rig.started().len(), 1, "one for one");
}

#[test]
fn what_a_full_queue_holds_keeps_no_other_work_out() {
    let mut rig = rig(3, 100);
    let tasks = of(&rig, "mail", 3);
    rig.answer_claim(tasks);
    let first = rig.started();
    rig.land();
    first.iter().for_each(|task| rig.machine.take(rig.now, Event::Finished(success(task, MS))));
    rig.advance();
    let request = rig.exchange();
    let (mail, at_most) = asked(&request)[0];
    assert_eq!((mail, at_most), ("mail", 103), "a quarter of a second of it, as far as 100");
    let tasks = of(&rig, "mail", 103);
    rig.answer(request, Some(tasks));
    assert_eq!(rig.started().len(), 3);

    assert!(rig.try_exchange().is_none(), "other was empty, and mail is full");
    rig.tell(Event::Hint);
    let claim = rig.claim();
    assert_eq!(named(&claim.queues), [("other", 7)], "the slots that mail may not have");
    let tasks = of(&rig, "other", 7);
    rig.answer(Settle::new(Vec::new()).then(claim), Some(tasks));
    let started = rig.started();
    assert_eq!(started.len(), 7);
    assert!(started.iter().all(|task| task.queue.as_str() == "other"));
}

#[test]
fn a_full_queue_is_prefetched_at_its_own_pace_and_others_at_theirs() {
    let mut rig = rig(2, 500);
    let tasks = both(&rig, 2, 8);
    rig.answer_claim(tasks);
    let running = rig.started();
    // Mail takes ten seconds each, the others a millisecond.
    for task in &running {
        let slow = task.queue.as_str() == "mail";
        let took = if slow { Duration::from_secs(10) } else { MS };
        rig.machine.take(rig.now, Event::Finished(success(task, took)));
    }
    rig.advance();
    let request = rig.exchange();
    assert_eq!(asked(&request)[0], ("mail", 2), "slow tasks are never hoarded");
    assert_eq!(asked(&request)[1], ("other", 510), "and slow no others down");
}

#[test]
fn a_limit_larger_than_the_runner_changes_nothing() {
    let mut rig = rig(500, 0);
    assert_eq!(named(&rig.claim().queues), [("mail", 10), ("other", 10)]);
}

#[test]
fn suspects_count_towards_the_limit_when_they_run() {
    let mut rig = rig(1, 0);
    let mut tasks = of(&rig, "mail", 2);
    tasks.iter_mut().for_each(|task| task.suspect = true);
    rig.answer_claim(tasks);
    let request = rig.isolate().expect("a lease of its own");
    assert_eq!(request.tasks.len(), 1);
    assert_eq!(named(&rig.claim().queues), [("other", 9)], "mail is full");
}

#[test]
fn a_run_once_goes_on_until_a_queue_with_a_limit_is_empty() {
    let mut rig = Rig::new(|config| {
        config.queues = vec![serve("mail", at_most(1))];
        (config.concurrency, config.once) = (5, true);
    });
    rig.answer_promote();
    for left in (0..4).rev() {
        let mut one = of(&rig, "mail", 1);
        one[0].keyed = left % 2 == 0;
        rig.answer_claim(one);
        let running = rig.started();
        assert_eq!((running.len(), rig.stopped()), (1, None));
        rig.finish(&running[0], MS);
        if running[0].keyed {
            rig.answer_keyed();
        }
        assert_eq!(rig.stopped(), None);
    }
    while rig.stopped().is_none() {
        rig.answer_claim(vec![]);
    }
}

#[test]
fn a_full_queue_makes_no_busy_loop() {
    let mut rig = Rig::new(|config| {
        config.queues = vec![serve("mail", at_most(2))];
        config.concurrency = 10;
    });
    rig.answer_promote();
    let tasks = of(&rig, "mail", 2);
    rig.answer_claim(tasks);
    rig.started();
    assert!(rig.try_exchange().is_none(), "there is nothing to ask");
    assert!(rig.machine.wake_at().is_none_or(|at| at > rig.now), "{:?}", rig.machine.wake_at());
}
