//! When and how much is claimed.

use std::time::Duration;

use super::{
    super::Event,
    rig::{Rig, away, ids, is_release},
};
use crate::{DefinitionId, backend::Known};

const MS: Duration = Duration::from_millis(1);

#[test]
fn the_first_claim_asks_for_free_slots_only() {
    let mut rig = Rig::new(|config| config.concurrency = 10);
    assert_eq!(rig.claim().at_most, 10, "the rate is not known yet");
}

#[test]
fn an_idle_runner_claims_again_once_it_listens_and_then_sleeps_for_the_poll() {
    let mut rig = Rig::new(|_| {});
    assert!(!rig.machine.is_listening());
    rig.answer_promote();
    rig.answer_claim(vec![]);
    assert!(rig.machine.is_listening(), "before the second claim is sent");
    rig.answer_claim(vec![]);
    assert!(rig.machine.is_listening());
    assert_eq!(rig.sleep(), Duration::from_secs(1));
    rig.answer_claim(vec![]);
    assert_eq!(rig.sleep(), Duration::from_secs(1), "one claim a poll");
}

#[test]
fn a_runner_whose_store_tells_nothing_polls_soon_and_then_ever_later() {
    let mut rig = Rig::new(|config| config.notified = false);
    rig.answer_promote();
    rig.answer_claim(vec![]);
    let mut sleeps = Vec::new();
    for _ in 0..8 {
        rig.answer_claim(vec![]);
        sleeps.push(rig.sleep().as_millis());
    }
    assert_eq!(sleeps, [40, 80, 160, 320, 640, 1_000, 1_000, 1_000]);
}

#[test]
fn a_hint_wakes_an_idle_runner_at_once() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim(vec![]);
    rig.answer_claim(vec![]);
    assert!(rig.try_exchange().is_none());
    rig.now += 300 * MS;
    rig.tell(Event::Hint);
    assert!(rig.machine.is_listening(), "again, before the claim is sent");
    rig.claim();
}

#[test]
fn a_hint_during_a_claim_that_comes_back_empty_is_not_lost() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim(vec![]);
    rig.tell(Event::Hint);
    rig.answer_claim(vec![]);
    rig.claim();
}

#[test]
fn hints_that_come_to_nothing_are_believed_ever_less_often_until_one_is_true() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim(vec![]);
    rig.answer_claim(vec![]);
    let mut waits = Vec::new();
    for _ in 0..14 {
        rig.tell(Event::Hint);
        let before = rig.now;
        while rig.actions.is_empty() {
            rig.sleep();
        }
        waits.push((rig.now - before).as_millis());
        rig.answer_claim(vec![]);
    }
    assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 250, 250, 250]);
    rig.pass(300 * MS);
    rig.tell(Event::Hint);
    let one = rig.tasks(1);
    rig.answer_claim(one);
    rig.tell(Event::Hint);
    rig.claim();
}

#[test]
fn a_look_at_definitions_that_are_as_before_is_no_hint() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim(vec![]);
    rig.answer_claim(vec![]);
    rig.tell(Event::Known(Known::All));
    assert!(rig.try_exchange().is_none(), "nothing has changed");
    rig.tell(Event::Known(Known::Except(vec![DefinitionId::new()])));
    rig.claim();
}

#[test]
fn what_is_due_but_held_by_somebody_else_is_not_asked_for_in_a_tight_loop() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim_due(vec![], Some(Duration::ZERO));
    assert!(rig.promotes());
    let held = crate::backend::Promoted { moved: 0, due_in: Some(Duration::ZERO) };
    rig.tell(Event::Promoted(Ok(held)));
    assert!(!rig.promotes(), "not again at once");
    rig.pass(50 * MS);
    assert!(rig.promotes());
}

#[test]
fn a_recalled_task_starts_only_when_a_beat_of_its_own_lease_was_answered() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    rig.refuse(request, away());
    // Other leases are beaten meanwhile.
    rig.now += Duration::from_secs(20);
    rig.tell(Event::Beaten { at: rig.now, lost: vec![], cancel: vec![] });
    rig.now += MS;
    let tasks = rig.tasks_under(lease, 1);
    rig.tell(Event::Recalled { lease, result: Ok(tasks) });
    assert!(rig.started().is_empty(), "it may be somebody else's by now");
    rig.now += MS;
    rig.tell(Event::Beaten { at: rig.now, lost: vec![], cancel: vec![] });
    assert_eq!(rig.started().len(), 1);
}

#[test]
fn the_sleep_ends_exactly_when_the_next_task_is_due() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim_due(vec![], Some(120 * MS));
    rig.answer_claim_due(vec![], Some(120 * MS));
    assert_eq!(rig.sleep(), 120 * MS);
    assert!(
        rig.find(|action| matches!(action, super::super::Action::Promote(_)).then_some(()))
            .is_some()
    );
    rig.tell(Event::Promoted(Ok(crate::backend::Promoted { moved: 1, due_in: None })));
    rig.claim();
}

#[test]
fn what_becomes_due_while_the_queues_are_full_is_promoted_also_by_a_runner_that_was_idle() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    rig.answer_claim(vec![]);
    rig.answer_claim(vec![]);
    rig.tell(Event::Hint);
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    rig.now += Duration::from_millis(500);
    rig.tell(Event::Tick);
    assert!(rig.promotes(), "both slots are busy, more may be ready, and retries come due");
}

#[test]
fn what_ends_is_saved_together_with_the_next_claim() {
    let mut rig = Rig::new(|_| {});
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    let running = rig.started();
    assert_eq!(running.len(), 2);
    rig.now += 100 * MS;
    rig.finish(&running[0], 100 * MS);
    let request = rig.exchange();
    assert_eq!(request.settlements.len(), 1);
    let wanted = request.then.as_ref().unwrap().at_most;
    assert!(wanted >= 1, "the slot is free when the claim is sized");
}

#[test]
fn claims_keep_their_size_under_steady_load() {
    let mut rig = Rig::new(|config| (config.concurrency, config.prefetch_max) = (10, 0));
    let tasks = rig.tasks(10);
    rig.answer_claim(tasks);
    for _ in 0..5 {
        let running = rig.started();
        for task in &running {
            rig.machine.take(rig.now, Event::Finished(super::rig::success(task, MS)));
        }
        rig.advance();
        let request = rig.exchange();
        let claim = request.then.clone().unwrap();
        assert_eq!((request.settlements.len(), claim.at_most), (10, 10));
        let tasks = rig.tasks_under(claim.lease, 10);
        rig.answer(request, Some(tasks));
    }
}

#[test]
fn slow_tasks_are_not_claimed_ahead() {
    let mut rig = Rig::new(|_| {});
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.now += Duration::from_secs(60);
    rig.finish(&running[0], Duration::from_secs(60));
    assert_eq!(rig.exchange().then.unwrap().at_most, 1);
}

#[test]
fn prefetched_tasks_that_wait_too_long_go_back() {
    let (mut rig, _running) = Rig::prefetching(100);
    rig.pass(999 * MS);
    assert!(rig.try_exchange().is_none());
    rig.pass(MS);
    // They wait for company for a moment, and go with the next flight.
    rig.pass(5 * MS);
    let request = rig.exchange();
    assert_eq!(request.settlements.len(), 100);
    assert!(request.settlements.iter().all(is_release));
    assert!(request.then.is_none(), "and are not claimed again at once");
}

#[test]
fn a_claim_whose_reply_was_lost_is_recalled_and_never_sent_again() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    rig.refuse(request, away());
    assert!(rig.try_exchange().is_none());
    rig.sleep();
    assert!(rig.try_exchange().is_none(), "no claim while the first is in doubt");
    let recalled = rig.find(|action| {
        if let super::super::Action::Recall(lease) = action { Some(*lease) } else { None }
    });
    assert_eq!(recalled, Some(lease));
    let tasks = rig.tasks_under(lease, 2);
    rig.tell(Event::Recalled { lease, result: Ok(tasks.clone()) });
    assert_eq!(ids(&rig.started()), ids(&tasks));
}

#[test]
fn a_claim_in_doubt_that_took_nothing_is_followed_by_one_under_another_id() {
    let mut rig = Rig::new(|_| {});
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    rig.refuse(request, away());
    rig.sleep();
    rig.tell(Event::Recalled { lease, result: Ok(vec![]) });
    assert_ne!(rig.claim().lease, lease);
}

#[test]
fn a_store_that_is_away_is_asked_ever_less_often_and_loudly() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    let mut waits = Vec::new();
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    rig.refuse(request, away());
    for _ in 0..8 {
        waits.push(rig.sleep().as_millis());
        rig.tell(Event::Recalled { lease, result: Err(away()) });
        assert!(rig.find(|a| matches!(a, super::super::Action::Failed(_)).then_some(())).is_some());
    }
    assert_eq!(
        waits,
        [100, 200, 400, 800, 1_600, 3_200, 3_750, 3_750],
        "at most a quarter of the lease"
    );
}

#[test]
fn a_run_once_ends_when_nothing_is_due_and_all_is_saved() {
    let mut rig = Rig::new(|config| config.once = true);
    rig.answer_promote();
    let one = rig.tasks(1);
    rig.answer_claim_due(one, Some(Duration::from_secs(60)));
    let running = rig.started();
    rig.answer_claim_due(vec![], Some(Duration::from_secs(60)));
    assert_eq!(rig.stopped(), None);
    rig.finish(&running[0], MS);
    assert_eq!(rig.stopped(), None, "its end is not saved yet");
    rig.answer_claim_due(vec![], Some(Duration::from_secs(60)));
    assert_eq!(rig.stopped(), Some(vec![]));
    assert!(rig.machine.is_over());
    assert_eq!(rig.machine.summary().succeeded, 1);
}

#[test]
fn a_run_once_looks_again_after_a_keyed_task_which_may_have_enqueued_more() {
    let mut rig = Rig::new(|config| config.once = true);
    rig.answer_promote();
    let mut one = rig.tasks(1);
    one[0].keyed = true;
    rig.answer_claim(one);
    let running = rig.started();
    rig.answer_claim(vec![]);
    rig.finish(&running[0], MS);
    rig.answer_keyed();
    assert_eq!(rig.stopped(), None, "it has not looked since");
    rig.answer_claim(vec![]);
    assert_eq!(rig.stopped(), Some(vec![]));
}

#[test]
fn a_run_once_takes_what_becomes_due_meanwhile() {
    let mut rig = Rig::new(|config| config.once = true);
    rig.answer_promote();
    rig.answer_claim_due(vec![], Some(Duration::ZERO));
    assert_eq!(rig.stopped(), None);
    rig.tell(Event::Promoted(Ok(crate::backend::Promoted { moved: 1, due_in: None })));
    let one = rig.tasks(1);
    rig.answer_claim(one);
    assert_eq!(rig.stopped(), None);
    assert_eq!(rig.started().len(), 1);
}

#[test]
fn the_machine_never_asks_to_be_woken_for_nothing() {
    let (mut rig, running) = Rig::prefetching(100);
    for step in 0..1_000 {
        let Some(at) = rig.machine.wake_at() else { break };
        if at <= rig.now {
            let before = rig.actions.len();
            rig.tell(Event::Tick);
            assert!(
                rig.actions.len() > before || rig.machine.wake_at().is_none_or(|at| at > rig.now),
                "step {step} spins"
            );
        } else {
            rig.now = at;
        }
        if step == 10 {
            rig.finish(&running[0], MS);
        }
        if let Some(request) = rig.try_exchange() {
            rig.answer(request, None);
        }
        rig.answer_promote();
    }
}

#[test]
fn a_claim_that_is_refused_for_good_is_asked_for_ever_less_often_while_results_are_saved() {
    let mut rig = Rig::new(|config| config.concurrency = 100);
    let tasks = rig.tasks(100);
    rig.answer_claim(tasks);
    let mut running = rig.started();
    let (mut refused, mut saved) = (0, 0);
    for _ in 0..200 {
        rig.now += 50 * MS;
        if let Some(task) = running.pop() {
            rig.finish(&task, MS);
        }
        rig.tell(Event::Tick);
        while let Some(request) = rig.try_exchange() {
            if request.then.is_some() {
                refused += 1;
                rig.refuse(request, crate::Error::backend("no permission"));
            } else {
                saved += request.settlements.len();
                rig.answer(request, None);
            }
        }
        rig.actions.clear();
    }
    assert_eq!(saved, 100, "every result is saved");
    assert!((2..=10).contains(&refused), "{refused} claims in ten seconds");
}
