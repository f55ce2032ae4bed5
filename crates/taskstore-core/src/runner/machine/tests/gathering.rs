//! Tasks of a handler that takes many at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    super::{Event, Gather},
    rig::{Rig, ids, is_release, serve, success},
};
use crate::{DefinitionId, backend::LeasedTask};

const NONE: [usize; 0] = [];

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A rig whose tasks are gathered, at most so many together.
fn gathering(slots: usize, at_most: usize, wait: Duration) -> Rig {
    let mut rig = Rig::new(|config| config.concurrency = slots);
    let handler = rig.definition;
    let gathers = HashMap::from([(handler, Gather { handler, at_most, wait })]);
    rig.tell(Event::Gathers(Arc::new(gathers)));
    rig
}

fn sizes(rig: &mut Rig) -> Vec<usize> {
    rig.batches().iter().map(Vec::len).collect()
}

/// Answers the claim that is under way with as many as it asked for; says how many.
fn fill(rig: &mut Rig) -> usize {
    let request = rig.exchange();
    let claim = request.then.clone().expect("a claim");
    let tasks = rig.tasks_under(claim.lease, claim.at_most as usize);
    rig.answer(request, Some(tasks));
    claim.at_most as usize
}

/// Answers whatever claims come, until there are none: the queue is empty.
fn nothing_more(rig: &mut Rig) {
    while let Some(request) = rig.try_exchange() {
        rig.answer(request, Some(Vec::new()));
    }
}

fn finish_all(rig: &mut Rig, tasks: &[LeasedTask], ran_for: Duration) {
    for task in tasks {
        rig.machine.take(rig.now, Event::Finished(success(task, ran_for)));
    }
    rig.advance();
}

#[test]
fn what_is_there_starts_as_one_batch_when_no_more_will_come() {
    let mut rig = gathering(10, 5, Duration::ZERO);
    // Fewer than were asked for: there are no more.
    let tasks = rig.tasks(3);
    rig.answer_claim(tasks.clone());
    let batches = rig.batches();
    assert_eq!(batches.len(), 1);
    assert_eq!(ids(&batches[0]), ids(&tasks), "in claim order");
    assert!(rig.started().is_empty());
}

#[test]
fn a_batch_that_is_not_full_waits_for_one_more_claim_which_asks_for_what_is_missing() {
    let mut rig = gathering(2, 10, Duration::ZERO);
    assert_eq!(fill(&mut rig), 2, "nothing is known yet");
    assert_eq!(sizes(&mut rig), NONE, "there are more where these came from");
    let claim = rig.exchange();
    // Both slots will be filled, and two tasks for them are here.
    assert_eq!(claim.then.as_ref().expect("it claims at once").at_most, 18);
    let lease = claim.then.as_ref().unwrap().lease;
    let tasks = rig.tasks_under(lease, 18);
    rig.answer(claim, Some(tasks));
    assert_eq!(sizes(&mut rig), [10, 10]);
}

#[test]
fn a_claim_that_brings_others_lets_the_batch_start_as_it_is() {
    let mut rig = gathering(4, 100, Duration::ZERO);
    assert_eq!(fill(&mut rig), 4);
    let request = rig.exchange();
    let claim = request.then.clone().unwrap();
    let mut others = rig.tasks_under(claim.lease, claim.at_most as usize);
    others.iter_mut().for_each(|task| task.definition = DefinitionId::new());
    rig.answer(request, Some(others));
    assert_eq!(sizes(&mut rig), [4], "it was waited for once");
    assert_eq!(rig.started().len(), 3, "a batch takes one slot, and the others one each");
}

#[test]
fn a_batch_takes_one_slot_until_its_last_task_has_ended() {
    let mut rig = gathering(1, 3, Duration::ZERO);
    assert_eq!(fill(&mut rig), 1);
    assert_eq!(fill(&mut rig), 2);
    let batch = rig.batches().remove(0);
    let slow = Duration::from_secs(60);
    finish_all(&mut rig, &batch[..2], slow);
    rig.pass(millis(10));
    let request = rig.exchange();
    assert_eq!((request.settlements.len(), request.then.is_none()), (2, true), "no slot is free");
    rig.answer(request, None);
    finish_all(&mut rig, &batch[2..], slow);
    let request = rig.exchange();
    assert_eq!((request.settlements.len(), request.then.is_some()), (1, true), "the slot is free");
}

#[test]
fn a_batch_lingers_as_long_as_its_handler_waits_and_no_longer() {
    let mut rig = gathering(2, 3, millis(200));
    let tasks = rig.tasks(1);
    rig.answer_claim(tasks);
    assert_eq!(sizes(&mut rig), NONE);
    // Meanwhile another comes.
    rig.pass(millis(50));
    rig.tell(Event::Hint);
    let tasks = rig.tasks(1);
    rig.answer_claim(tasks);
    assert_eq!(sizes(&mut rig), NONE);
    while rig.now < millis(200) {
        nothing_more(&mut rig);
        assert_eq!(sizes(&mut rig), NONE);
        rig.sleep();
    }
    assert_eq!((rig.now, sizes(&mut rig)), (millis(200), vec![2]));
}

#[test]
fn a_full_batch_lingers_not_at_all() {
    let mut rig = gathering(2, 3, millis(200));
    let tasks = rig.tasks(1);
    rig.answer_claim(tasks);
    rig.tell(Event::Hint);
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    assert_eq!(sizes(&mut rig), [3]);
}

#[test]
fn tasks_of_former_aliases_go_with_their_handlers_and_those_of_another_time_out_do_not() {
    let mut rig = Rig::new(|config| config.concurrency = 8);
    let (handler, former) = (rig.definition, DefinitionId::new());
    let gather = Gather { handler, at_most: 10, wait: Duration::ZERO };
    rig.tell(Event::Gathers(Arc::new(HashMap::from([(handler, gather), (former, gather)]))));
    let mut tasks = rig.tasks(6);
    tasks[1].definition = former;
    tasks[2].timeout = Some(millis(5));
    tasks[4].timeout = Some(millis(5));
    tasks[5].timeout = Some(millis(6));
    rig.answer_claim(tasks.clone());
    let batches: Vec<_> = rig.batches().iter().map(|batch| ids(batch)).collect();
    let those = |at: &[usize]| -> Vec<_> { at.iter().map(|&n| tasks[n].lease.task).collect() };
    assert_eq!(batches, [those(&[0, 1, 3]), those(&[2, 4]), those(&[5])]);
}

#[test]
fn a_suspect_runs_alone_and_its_batch_without_it() {
    let mut rig = gathering(4, 10, Duration::ZERO);
    let mut tasks = rig.tasks(3);
    tasks[1].suspect = true;
    rig.answer_claim(tasks.clone());
    assert_eq!(ids(&rig.batches()[0]), [tasks[0].lease.task, tasks[2].lease.task]);
    let request = rig.isolate().expect("a lease of its own");
    let (before, batch) = request.tasks[0];
    let alone = crate::backend::Lease { batch, turn: before.turn + 1, ..before };
    rig.tell(Event::Isolated { request, result: Ok(vec![Some(alone)]) });
    assert_eq!(ids(&rig.started()), [tasks[1].lease.task]);
}

#[test]
fn what_it_is_too_late_to_start_takes_no_place_in_a_batch() {
    let mut rig = gathering(4, 2, Duration::ZERO);
    let mut tasks = rig.tasks(3);
    for late in [0, 1] {
        let at = crate::clock::from_micros(0);
        tasks[late].start_by = Some(crate::backend::StartBy { at, within: Duration::ZERO });
    }
    // One before the first of the batch, and one after.
    tasks.swap(1, 2);
    let in_time = tasks[1].lease.task;
    rig.answer_claim(tasks);
    assert_eq!(rig.batches().iter().map(|batch| ids(batch)).collect::<Vec<_>>(), [vec![in_time]]);
    rig.pass(millis(10));
    assert_eq!(rig.exchange().settlements.len(), 2, "both are discarded");
}

#[test]
fn a_lost_lease_and_a_cancel_reach_their_own_tasks_only() {
    let mut rig = gathering(4, 10, Duration::ZERO);
    let mut tasks = rig.tasks(3);
    let claim = rig.answer_claim(tasks.clone());
    tasks.iter_mut().for_each(|task| task.lease.batch = claim.lease);
    assert_eq!(sizes(&mut rig), [3]);
    let cancel = vec![tasks[1].lease.task];
    rig.tell(Event::Beaten { at: rig.now, lost: Vec::new(), cancel });
    assert_eq!(rig.canceled(), Some(tasks[1].lease.task));
    assert_eq!(rig.canceled(), None);
}

#[test]
fn a_stop_gives_back_what_waits_for_company_and_drops_a_batch_task_by_task() {
    let mut rig = gathering(2, 3, millis(400));
    let tasks = rig.tasks(1);
    rig.answer_claim(tasks);
    nothing_more(&mut rig);
    rig.pass(millis(400));
    let running = rig.batches().remove(0);
    rig.tell(Event::Hint);
    let tasks = rig.tasks(1);
    rig.answer_claim(tasks);
    nothing_more(&mut rig);
    rig.tell(Event::Stop);
    let request = rig.exchange();
    assert!(request.settlements.len() == 1 && request.settlements.iter().all(is_release));
    rig.answer(request, None);
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.canceled(), Some(running[0].lease.task));
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.dropped(), Some(running[0].lease.task));
}

#[test]
fn what_was_gathered_starts_as_it_is_while_the_store_is_away() {
    let mut rig = gathering(2, 10, Duration::ZERO);
    assert_eq!(fill(&mut rig), 2);
    assert_eq!(sizes(&mut rig), NONE);
    let request = rig.exchange();
    rig.refuse(request, super::rig::away());
    assert_eq!(sizes(&mut rig), [2]);
}

#[test]
fn the_pace_counts_tasks_and_not_batches() {
    let mut rig = gathering(1, 100, Duration::ZERO);
    assert_eq!(fill(&mut rig), 1);
    assert_eq!(fill(&mut rig), 99);
    let batch = rig.batches().remove(0);
    assert_eq!(batch.len(), 100);
    finish_all(&mut rig, &batch, Duration::from_secs(1));
    let request = rig.exchange();
    // A batch for the slot, and the 25 tasks that go in a quarter of a second.
    let asked = request.then.unwrap().at_most;
    assert!((124..=125).contains(&asked), "{asked}");
}

#[test]
fn a_queue_with_a_limit_gives_a_batch_no_more_tasks_than_may_run() {
    let mut rig = Rig::new(|config| {
        config.concurrency = 10;
        config.queues = vec![serve("default", crate::QueueOptions::new().concurrency(3))];
    });
    let handler = rig.definition;
    let gather = Gather { handler, at_most: 100, wait: Duration::ZERO };
    rig.tell(Event::Gathers(Arc::new(HashMap::from([(handler, gather)]))));
    let tasks = rig.tasks(5);
    rig.answer_claim(tasks);
    assert_eq!(sizes(&mut rig), [3], "no more may run, so none is waited for");
}
