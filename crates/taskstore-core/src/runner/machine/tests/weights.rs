//! Several queues in one runner: in strict order, or by weight.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::Event,
    rig::{Rig, serve, success},
};
use crate::{
    QueueName, QueueOptions,
    backend::{Claim, LeasedTask, QueueShare},
};

const MS: Duration = Duration::from_millis(1);
const NEVER_EMPTY: usize = usize::MAX;

pub(super) fn weight(weight: u32) -> QueueOptions {
    QueueOptions::new().weight(weight)
}

pub(super) fn named(shares: &[QueueShare]) -> Vec<(&str, u32)> {
    shares.iter().map(|share| (share.queue.as_str(), share.at_most)).collect()
}

/// What a store would give that has so many tasks in its queues.
pub(super) fn give(rig: &Rig, claim: &Claim, stock: &mut BTreeMap<&str, usize>) -> Vec<LeasedTask> {
    let mut given = Vec::new();
    for share in &claim.queues {
        let room = claim.at_most as usize - given.len();
        let Some(left) = stock.get_mut(share.queue.as_str()) else { continue };
        let taken = room.min(share.at_most as usize).min(*left);
        if *left != NEVER_EMPTY {
            *left -= taken;
        }
        let mut tasks = rig.tasks_under(claim.lease, taken);
        tasks.iter_mut().for_each(|task| task.queue = share.queue.clone());
        given.extend(tasks);
    }
    given
}

/// Runs so many tasks, each for no time at all, and counts them by queue.
fn run(rig: &mut Rig, stock: &mut BTreeMap<&str, usize>, tasks: usize) -> BTreeMap<String, usize> {
    let mut ran = BTreeMap::new();
    let mut number = 0;
    while number < tasks {
        if let Some(request) = rig.try_exchange() {
            let given = request.then.as_ref().map(|claim| give(rig, claim, stock));
            rig.answer(request, given);
        }
        rig.answer_promote();
        let started = rig.started();
        if started.is_empty() && rig.actions.is_empty() {
            rig.sleep();
        }
        for task in started {
            number += 1;
            *ran.entry(task.queue.to_string()).or_default() += 1;
            rig.machine.take(rig.now, Event::Finished(success(&task, MS)));
        }
        // What was held and let go: of no use here, and searched at each step.
        rig.actions.clear();
        rig.now += MS;
        rig.advance();
    }
    ran
}

fn rig(queues: &[(&str, QueueOptions)], concurrency: usize, prefetch: usize) -> Rig {
    Rig::new(|config| {
        config.queues = queues.iter().map(|(name, options)| serve(name, *options)).collect();
        (config.concurrency, config.prefetch_max) = (concurrency, prefetch);
    })
}

fn about(ran: &BTreeMap<String, usize>, queue: &str, expected: usize) {
    let number = ran.get(queue).copied().unwrap_or_default();
    let off = number.abs_diff(expected);
    assert!(off * 20 <= expected.max(20), "{queue}: {expected} expected of {ran:?}");
}

#[test]
fn without_a_weight_queues_are_served_strictly_in_the_order_named() {
    let plain = QueueOptions::new();
    let mut rig = rig(&[("slow", plain), ("fast", plain), ("other", plain)], 4, 0);
    assert_eq!(named(&rig.claim().queues), [("slow", 4), ("fast", 4), ("other", 4)]);
}

#[test]
fn one_weight_is_enough_and_who_says_nothing_has_the_weight_one() {
    let mut rig = rig(&[("a", QueueOptions::new()), ("b", weight(3))], 4, 0);
    let claim = rig.claim();
    assert_eq!(named(&claim.queues), [("a", 1), ("b", 3), ("a", 3), ("b", 1)]);
}

#[test]
fn over_many_claims_each_queue_that_has_work_gets_its_share_by_weight() {
    for (concurrency, prefetch) in [(1, 0), (1, 500), (3, 0), (10, 500)] {
        let queues = [("a", weight(6)), ("b", weight(3)), ("c", weight(1))];
        let mut rig = rig(&queues, concurrency, prefetch);
        let mut stock = ["a", "b", "c"].map(|name| (name, NEVER_EMPTY)).into();
        let ran = run(&mut rig, &mut stock, 4_000);
        about(&ran, "a", 2_400);
        about(&ran, "b", 1_200);
        about(&ran, "c", 400);
    }
}

#[test]
fn the_lightest_queue_does_not_starve() {
    let mut rig = rig(&[("a", weight(1_000)), ("b", weight(1))], 1, 0);
    let mut stock = ["a", "b"].map(|name| (name, NEVER_EMPTY)).into();
    let ran = run(&mut rig, &mut stock, 5_005);
    assert!((4..=6).contains(&ran["b"]), "{ran:?}");
}

#[test]
fn a_queue_without_work_leaves_its_share_to_the_others_by_their_weights() {
    for (concurrency, prefetch) in [(1, 0), (10, 500)] {
        let queues = [("a", weight(3)), ("b", weight(1)), ("idle", weight(100))];
        let mut rig = rig(&queues, concurrency, prefetch);
        let mut stock = [("a", NEVER_EMPTY), ("b", NEVER_EMPTY), ("idle", 0)].into();
        let ran = run(&mut rig, &mut stock, 2_000);
        about(&ran, "a", 1_500);
        about(&ran, "b", 500);
    }
}

#[test]
fn a_queue_that_had_no_work_for_long_saves_up_no_claim_on_it() {
    let mut rig = rig(&[("a", weight(1)), ("late", weight(1))], 1, 0);
    let mut stock = [("a", NEVER_EMPTY), ("late", 0)].into();
    run(&mut rig, &mut stock, 2_000);
    stock.insert("late", NEVER_EMPTY);
    let ran = run(&mut rig, &mut stock, 200);
    about(&ran, "a", 100);
    about(&ran, "late", 100);
}

#[test]
fn a_queue_with_little_work_gets_all_of_it_done_while_another_is_full() {
    let mut rig = rig(&[("a", weight(1)), ("b", weight(1))], 4, 100);
    let mut stock = [("a", NEVER_EMPTY), ("b", 10)].into();
    let ran = run(&mut rig, &mut stock, 600);
    assert_eq!(ran["b"], 10, "{ran:?}");
}

#[test]
fn tasks_of_a_queue_that_nobody_asked_for_do_no_harm() {
    let mut rig = rig(&[("a", weight(1))], 1, 0);
    let mut tasks = rig.tasks(1);
    tasks[0].queue = QueueName::new("moved").unwrap();
    rig.answer_claim(tasks);
    assert_eq!(rig.started().len(), 1);
}
