//! Queues that are not known by name.

use std::time::Duration;

use super::{
    super::{Action, Event},
    rig::{Rig, away, serve},
    weights::{named, weight},
};
use crate::{
    QueueName, QueueOptions,
    backend::{FindWork, Promoted, WorkFound},
};

const MS: Duration = Duration::from_millis(1);

fn rig(queues: &[(&str, QueueOptions)]) -> Rig {
    let mut rig = Rig::new(|config| {
        config.queues = queues.iter().map(|(name, options)| serve(name, *options)).collect();
        config.concurrency = 4;
    });
    rig.answer_promote();
    rig
}

fn all() -> Rig {
    rig(&[("*", QueueOptions::new())])
}

fn looks(rig: &mut Rig) -> Option<FindWork> {
    rig.find(|action| match action {
        Action::FindWork(request) => Some(request.clone()),
        _ => None,
    })
}

fn find_due(rig: &mut Rig, queues: &[&str], due_in: Option<Duration>) {
    assert!(looks(rig).is_some(), "no look among {:?}", rig.actions);
    let queues = queues.iter().map(|name| QueueName::new(name).unwrap()).collect();
    rig.tell(Event::WorkFound(Ok(WorkFound { queues, next: None, due_in })));
}

fn find(rig: &mut Rig, queues: &[&str]) {
    find_due(rig, queues, None);
}

/// Looks and finds nothing, listens and finds nothing again.
fn idle(rig: &mut Rig) {
    find(rig, &[]);
    assert!(rig.machine.is_listening(), "before the second look is sent");
    find(rig, &[]);
    assert!(rig.actions.is_empty(), "{:?}", rig.actions);
}

#[test]
fn a_look_comes_before_the_claim_which_asks_what_was_found() {
    let mut rig = all();
    assert!(rig.try_exchange().is_none(), "nobody to ask yet");
    find(&mut rig, &["b", "a"]);
    assert_eq!(named(&rig.claim().queues), [("a", 2), ("b", 2), ("a", 2), ("b", 2)]);
}

#[test]
fn queues_of_a_pattern_share_evenly_and_come_after_those_that_are_named_before_it() {
    let mut rig = rig(&[("first", QueueOptions::new()), ("m-*", QueueOptions::new())]);
    find(&mut rig, &["m-1", "m-2"]);
    assert_eq!(
        named(&rig.claim().queues),
        [("first", 4), ("m-1", 2), ("m-2", 2), ("m-1", 2), ("m-2", 2)]
    );
}

#[test]
fn each_queue_of_a_pattern_has_its_weight_and_its_limit_for_itself() {
    let limited = weight(2).concurrency(1);
    let mut rig = rig(&[("m-*", limited), ("other", weight(1))]);
    find(&mut rig, &["m-1", "m-2"]);
    assert_eq!(
        named(&rig.claim().queues),
        [("m-1", 1), ("m-2", 1), ("other", 2), ("other", 2)],
        "one each, and the rest for the other"
    );
}

#[test]
fn a_queue_that_is_named_keeps_what_it_was_named_with() {
    let mut rig = rig(&[("*", QueueOptions::new().concurrency(1)), ("big", QueueOptions::new())]);
    find(&mut rig, &["big", "small"]);
    assert_eq!(named(&rig.claim().queues), [("small", 1), ("big", 4)]);
}

#[test]
fn an_idle_runner_looks_once_a_poll_and_claims_nothing() {
    let mut rig = all();
    idle(&mut rig);
    for _ in 0..3 {
        assert_eq!(rig.sleep(), Duration::from_secs(1));
        find(&mut rig, &[]);
        assert!(rig.actions.is_empty(), "one look a poll: {:?}", rig.actions);
    }
}

#[test]
fn a_queue_never_seen_before_is_found_at_a_hint() {
    let mut rig = all();
    idle(&mut rig);
    rig.now += 300 * MS;
    rig.tell(Event::Hint);
    assert!(rig.machine.is_listening(), "again, before the look is sent");
    find(&mut rig, &["fresh"]);
    assert_eq!(named(&rig.claim().queues), [("fresh", 4)]);
}

#[test]
fn a_hint_during_a_look_is_not_lost() {
    let mut rig = all();
    find(&mut rig, &[]);
    rig.tell(Event::Hint);
    find(&mut rig, &[]);
    find(&mut rig, &["fresh"]);
    assert_eq!(named(&rig.claim().queues), [("fresh", 4)]);
}

#[test]
fn hints_for_others_are_believed_ever_less_often() {
    let mut rig = all();
    idle(&mut rig);
    let mut waits = Vec::new();
    for _ in 0..8 {
        rig.tell(Event::Hint);
        let before = rig.now;
        while rig.actions.is_empty() {
            rig.sleep();
        }
        waits.push((rig.now - before).as_millis());
        find(&mut rig, &[]);
    }
    assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16]);
}

#[test]
fn what_is_found_empty_is_not_asked_again_until_it_is_found_again() {
    let mut rig = all();
    find(&mut rig, &["a", "b"]);
    let mut one = rig.tasks(1);
    one[0].queue = QueueName::new("a").unwrap();
    rig.answer_claim(one);
    rig.started();
    find(&mut rig, &["b"]);
    assert_eq!(named(&rig.claim().queues), [("b", 3)]);
}

#[test]
fn while_queues_are_full_new_ones_are_looked_for_now_and_then() {
    let mut rig = all();
    find(&mut rig, &["a"]);
    let mut looked = 0;
    for _ in 0..20 {
        rig.now += 100 * MS;
        if looks(&mut rig).is_some() {
            looked += 1;
            let queues = vec![QueueName::new("a").unwrap()];
            rig.tell(Event::WorkFound(Ok(WorkFound { queues, ..WorkFound::default() })));
        }
        let Some(request) = rig.try_exchange() else { continue };
        let wanted = request.then.as_ref().map_or(0, |claim| claim.at_most as usize);
        let mut tasks = rig.tasks(wanted);
        tasks.iter_mut().for_each(|task| task.queue = QueueName::new("a").unwrap());
        rig.answer(request, Some(tasks));
        for task in rig.started() {
            rig.finish(&task, MS);
        }
        rig.answer_promote();
    }
    assert!((2..=5).contains(&looked), "in two seconds: {looked}");
}

#[test]
fn the_sleep_ends_when_the_next_task_of_whatever_queue_is_due() {
    let mut rig = all();
    find_due(&mut rig, &[], Some(120 * MS));
    find_due(&mut rig, &[], Some(120 * MS));
    assert_eq!(rig.sleep(), 120 * MS);
    assert!(rig.promotes());
    rig.tell(Event::Promoted(Ok(Promoted { moved: 1, due_in: None })));
    find(&mut rig, &["due"]);
    assert_eq!(named(&rig.claim().queues), [("due", 4)]);
}

#[test]
fn of_very_many_queues_a_hundred_are_asked_at_a_time_and_none_is_forgotten() {
    let mut rig = all();
    let names: Vec<_> = (0..250).map(|n| format!("q{n:03}")).collect();
    find(&mut rig, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut seen = std::collections::BTreeSet::new();
    for expected in [100, 100, 50] {
        let claim = rig.answer_claim(vec![]);
        let asked: std::collections::BTreeSet<_> =
            claim.queues.iter().map(|share| share.queue.to_string()).collect();
        assert_eq!(asked.len(), expected);
        seen.extend(asked);
    }
    assert_eq!(seen.len(), 250);
    assert!(looks(&mut rig).is_some(), "all of them were empty");
}

#[test]
fn a_look_that_fails_is_tried_again_ever_less_often() {
    let mut rig = all();
    let mut waits = Vec::new();
    for _ in 0..4 {
        assert!(looks(&mut rig).is_some());
        rig.tell(Event::WorkFound(Err(away())));
        assert!(rig.find(|a| matches!(a, Action::Failed(_)).then_some(())).is_some());
        waits.push(rig.sleep().as_millis());
    }
    assert_eq!(waits, [100, 200, 400, 800]);
    find(&mut rig, &["a"]);
    rig.claim();
}

#[test]
fn a_stop_waits_for_the_look_and_claims_nothing() {
    let mut rig = all();
    rig.tell(Event::Stop);
    assert_eq!(rig.stopped(), None);
    find(&mut rig, &["a"]);
    assert!(rig.try_exchange().is_none());
    assert_eq!(rig.stopped(), Some(vec![]));
}

#[test]
fn a_run_once_finds_what_its_tasks_enqueued_into_queues_never_seen_before() {
    let mut rig = Rig::new(|config| {
        config.queues = vec![serve("*", QueueOptions::new())];
        config.once = true;
    });
    rig.answer_promote();
    find(&mut rig, &["a"]);
    let mut one = rig.tasks(2);
    one.iter_mut().for_each(|task| task.queue = QueueName::new("a").unwrap());
    rig.answer_claim(one);
    let running = rig.started();
    running.iter().for_each(|task| rig.finish(task, MS));
    while let Some(request) = rig.try_exchange() {
        rig.answer(request, None);
    }
    assert_eq!(rig.stopped(), None, "what ended may have enqueued more");
    find(&mut rig, &["child"]);
    rig.answer_claim(vec![]);
    while rig.stopped().is_none() {
        find(&mut rig, &[]);
    }
}

#[test]
fn found_queues_that_are_all_full_make_no_busy_loop() {
    let mut rig = rig(&[("*", QueueOptions::new().concurrency(1))]);
    find(&mut rig, &["a", "b", "c", "d"]);
    let claim = rig.claim();
    let mut tasks = rig.tasks_under(claim.lease, 4);
    for (task, share) in tasks.iter_mut().zip(&claim.queues) {
        task.queue = share.queue.clone();
    }
    rig.answer(crate::backend::Settle::new(Vec::new()).then(claim), Some(tasks));
    let running = rig.started();
    assert_eq!(running.len(), 4);
    rig.finish(&running[0], MS);
    for _ in 0..10 {
        let landed = rig.try_exchange().map(|request| rig.answer(request, None)).is_some();
        let looked = looks(&mut rig).is_some();
        if looked {
            let queues = ["b", "c", "d"].map(|name| QueueName::new(name).unwrap()).to_vec();
            rig.tell(Event::WorkFound(Ok(WorkFound { queues, ..WorkFound::default() })));
        }
        rig.answer_promote();
        if !landed && !looked {
            break;
        }
    }
    assert!(looks(&mut rig).is_none() && rig.try_exchange().is_none(), "{:?}", rig.actions);
    assert!(rig.machine.wake_at().is_some_and(|at| at > rig.now), "{:?}", rig.machine.wake_at());
}
