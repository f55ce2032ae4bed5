//! How the ends of attempts are saved.

use std::time::Duration;

use super::{
    super::{Action, Event, Lane},
    rig::{Rig, away, ids, success},
};
use crate::{
    Error,
    backend::{Claimed, Fate, Settled, Transition},
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn ends_wait_for_company_while_all_slots_are_busy_but_not_for_long() {
    let (mut rig, running) = Rig::prefetching(100);
    rig.finish(&running[0], MS);
    assert_eq!(rig.started().len(), 1, "the slot is used again");
    assert!(rig.try_exchange().is_none());
    assert_eq!(rig.sleep(), 5 * MS);
    assert_eq!(rig.exchange().settlements.len(), 1);
}

#[test]
fn what_ends_during_a_flight_goes_with_the_next() {
    let mut rig = Rig::new(|config| (config.concurrency, config.prefetch_max) = (10, 0));
    let tasks = rig.tasks(10);
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.finish(&running[0], MS);
    let first = rig.exchange();
    running[1..].iter().for_each(|task| rig.finish(task, MS));
    assert!(rig.try_exchange().is_none(), "one flight at a time");
    rig.answer(first, None);
    assert_eq!(rig.exchange().settlements.len(), 9);
}

#[test]
fn a_batch_whose_reply_was_lost_is_sent_again_as_it_was_before_anything_else() {
    let mut rig = Rig::new(|_| {});
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    let running = rig.started();
    rig.finish(&running[0], MS);
    let first = rig.exchange();
    let lease = first.then.as_ref().unwrap().lease;
    rig.finish(&running[1], MS);
    rig.refuse(first, away());
    rig.sleep();
    let again = rig.exchange();
    assert_eq!(again.settlements.len(), 1);
    assert_eq!(again.settlements[0].lease, running[0].lease);
    assert!(again.then.is_none(), "the claim is in doubt");
    rig.answer(again, None);
    rig.tell(Event::Recalled { lease, result: Ok(vec![]) });
    assert_eq!(rig.exchange().settlements[0].lease, running[1].lease);
}

#[test]
fn one_bad_value_harms_only_its_own_task() {
    let mut rig = Rig::new(|config| (config.concurrency, config.prefetch_max) = (8, 0));
    rig.answer_promote();
    let tasks = rig.tasks(8);
    rig.answer_claim(tasks);
    let running = rig.started();
    let bad = running[5].lease;
    for task in &running {
        rig.machine.take(rig.now, Event::Finished(success(task, MS)));
    }
    rig.advance();
    let mut saved = Vec::new();
    for _ in 0..40 {
        let Some(request) = rig.try_exchange() else {
            if rig.machine.wake_at().is_some_and(|at| at <= rig.now + MS) {
                rig.sleep();
                continue;
            }
            break;
        };
        let guilty = |s: &crate::backend::Settlement| {
            s.lease == bad && matches!(s.to, Transition::Success { .. })
        };
        if request.settlements.iter().any(guilty) {
            rig.refuse(request, Error::backend("row too large"));
        } else {
            saved.extend(
                request
                    .settlements
                    .iter()
                    .map(|s| (s.lease.task, matches!(s.to, Transition::Failed { .. }))),
            );
            rig.answer(request, None);
        }
    }
    saved.sort_unstable();
    let expected: Vec<_> = running.iter().map(|t| (t.lease.task, t.lease == bad)).collect();
    assert_eq!(saved, expected, "all are saved, and only the bad one as a failure");
}

#[test]
fn a_result_is_kept_however_long_the_store_is_away() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    let one = rig.tasks(1);
    rig.answer_claim(one);
    let running = rig.started();
    rig.answer_claim(vec![]);
    rig.finish(&running[0], MS);
    for _ in 0..500 {
        while rig.actions.is_empty() {
            rig.sleep();
        }
        if let Some(request) = rig.try_exchange() {
            rig.refuse(request, away());
        }
        if let Some(lease) =
            rig.find(|a| if let Action::Recall(lease) = a { Some(*lease) } else { None })
        {
            rig.tell(Event::Recalled { lease, result: Err(away()) });
        }
        rig.actions.clear();
    }
    while rig.try_exchange().is_none_or(|request| request.settlements.is_empty()) {
        rig.sleep();
    }
}

#[test]
fn a_store_that_refuses_everything_for_a_while_costs_no_result() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    let running = rig.started();
    for task in &running {
        rig.machine.take(rig.now, Event::Finished(success(task, MS)));
    }
    rig.advance();
    // Not away, but read-only, out of permissions, or without its tables.
    for _ in 0..50 {
        match rig.try_exchange() {
            Some(request) => rig.refuse(request, Error::backend("the database is read-only")),
            None => drop(rig.sleep()),
        }
        rig.answer_promote();
    }
    for _ in 0..20 {
        match rig.try_exchange() {
            Some(request) => rig.answer(request, None),
            None => drop(rig.sleep()),
        }
    }
    assert_eq!(rig.machine.summary().succeeded, 2, "{:?}", rig.machine.summary());
}

#[test]
fn missing_tables_are_no_fault_of_a_result() {
    let mut rig = Rig::new(|_| {});
    rig.answer_promote();
    let one = rig.tasks(1);
    rig.answer_claim(one);
    let running = rig.started();
    rig.answer_claim(vec![]);
    rig.finish(&running[0], MS);
    let without_claim = |rig: &mut Rig| loop {
        match rig.try_exchange() {
            Some(request) if request.then.is_none() => return request,
            Some(request) => rig.refuse(request, no_tables()),
            None => drop(rig.sleep()),
        }
    };
    let request = without_claim(&mut rig);
    rig.refuse(request, no_tables());
    assert!(rig.try_exchange().is_none(), "it waits before it tries again");
    let again = without_claim(&mut rig);
    assert!(matches!(again.settlements[0].to, Transition::Success { .. }));
}

fn no_tables() -> Error {
    Error::Schema { found: 0, expected: 1, advice: "run the migrations" }
}

#[test]
fn keyed_tasks_are_settled_apart() {
    let mut rig = Rig::new(|_| {});
    let mut tasks = rig.tasks(2);
    tasks[0].keyed = true;
    rig.answer_claim(tasks);
    let running = rig.started();
    running.iter().for_each(|task| rig.machine.take(rig.now, Event::Finished(success(task, MS))));
    rig.advance();
    let keyed = rig.find(|action| match action {
        Action::Exchange { lane: Lane::Keyed, request } => Some((**request).clone()),
        _ => None,
    });
    let keyed = keyed.expect("a flight of its own");
    assert_eq!(keyed.settlements[0].lease, running[0].lease);
    assert!(keyed.then.is_none());
    let plain = rig.exchange();
    assert_eq!(plain.settlements[0].lease, running[1].lease);
    rig.answer(plain, None);
    rig.tell(Event::Exchanged {
        lane: Lane::Keyed,
        request: Box::new(keyed),
        result: Ok(Settled {
            fates: vec![Fate::Applied { status: crate::Status::Success }],
            claimed: None,
        }),
    });
    assert_eq!(rig.machine.summary().succeeded, 2);
}

#[test]
fn a_lease_is_kept_alive_until_its_last_task_is_saved() {
    let mut rig = Rig::new(|_| {});
    let tasks = rig.tasks(2);
    let lease = rig.answer_claim(tasks).lease;
    let held =
        |rig: &mut Rig| rig.find(|a| if let Action::Hold(lease) = a { Some(*lease) } else { None });
    let let_go = |rig: &mut Rig| {
        rig.find(|a| if let Action::LetGo(lease) = a { Some(*lease) } else { None })
    };
    assert_eq!(held(&mut rig), Some(lease));
    let running = rig.started();
    rig.finish(&running[0], MS);
    rig.land();
    assert_eq!(let_go(&mut rig), None);
    rig.finish(&running[1], MS);
    rig.land();
    assert_eq!(let_go(&mut rig), Some(lease));
}

#[test]
fn a_refused_result_is_told_and_counted_as_lost() {
    let mut rig = Rig::new(|_| {});
    let one = rig.tasks(1);
    rig.answer_claim(one);
    let running = rig.started();
    let verify = rig.try_exchange();
    if let Some(request) = verify {
        rig.answer(request, None);
    }
    rig.finish(&running[0], MS);
    let request = rig.exchange();
    let claimed = request.then.as_ref().map(|_| Claimed::default());
    rig.tell(Event::Exchanged {
        lane: Lane::Plain,
        request: Box::new(request),
        result: Ok(Settled { fates: vec![Fate::Lost], claimed }),
    });
    let lost = rig.find(|a| if let Action::Lost(task) = a { Some(*task) } else { None });
    assert_eq!(lost, Some(running[0].lease.task));
    assert_eq!(rig.machine.summary().lost, 1);
}

#[test]
fn what_waits_under_a_lost_lease_is_forgotten_and_what_runs_is_told() {
    let (mut rig, running) = Rig::prefetching(10);
    rig.tell(Event::Beaten { at: rig.now, lost: vec![running[0].lease.batch], cancel: vec![] });
    let told: Vec<_> = std::iter::from_fn(|| rig.canceled()).collect();
    let mut expected = ids(&running);
    expected.sort_unstable();
    let mut told = told;
    told.sort_unstable();
    assert_eq!(told, expected);
    rig.finish(&running[0], MS);
    assert!(rig.started().is_empty(), "the other ten belong to somebody else");
}

#[test]
fn a_task_that_came_back_waits_until_its_former_run_here_has_ended() {
    let mut rig = Rig::new(|_| {});
    let one = rig.tasks(1);
    rig.answer_claim(one);
    let running = rig.started();
    rig.tell(Event::Beaten { at: rig.now, lost: vec![running[0].lease.batch], cancel: vec![] });
    let mut again = running.clone();
    again[0].lease.turn = 1;
    rig.answer_claim(again);
    assert!(rig.started().is_empty(), "never two runs by one runner");
    rig.finish(&running[0], MS);
    assert_eq!(rig.started()[0].lease.turn, 1);
}

#[test]
fn a_cancel_request_fires_the_token_of_what_runs_once_and_gives_back_what_waits() {
    let (mut rig, running) = Rig::prefetching(10);
    let runs = running[0].lease.task;
    rig.tell(Event::Beaten { at: rig.now, lost: vec![], cancel: vec![runs] });
    rig.tell(Event::Beaten { at: rig.now, lost: vec![], cancel: vec![runs] });
    assert_eq!(rig.canceled(), Some(runs));
    assert_eq!(rig.canceled(), None);
}

#[test]
fn nothing_starts_that_was_not_heard_of_for_the_length_of_its_lease() {
    let (mut rig, running) = Rig::prefetching(10);
    // The process was stopped, or its machine slept.
    rig.now += Duration::from_secs(15);
    rig.finish(&running[0], MS);
    assert!(rig.started().is_empty(), "it may run elsewhere by now");
}

#[test]
fn what_was_recalled_starts_when_a_heartbeat_says_that_it_is_alive() {
    let mut rig = Rig::new(|_| {});
    let request = rig.exchange();
    let lease = request.then.as_ref().unwrap().lease;
    rig.refuse(request, away());
    rig.now += Duration::from_secs(60);
    rig.tell(Event::Tick);
    let tasks = rig.tasks_under(lease, 2);
    rig.tell(Event::Recalled { lease, result: Ok(tasks) });
    assert!(rig.started().is_empty());
    rig.tell(Event::Beaten { at: rig.now, lost: vec![], cancel: vec![] });
    assert_eq!(rig.started().len(), 2);
}

#[test]
fn what_its_handler_has_saved_itself_is_counted_and_saved_by_nobody_else() {
    let mut rig = Rig::new(|config| config.prefetch_max = 0);
    let tasks = rig.tasks(2);
    rig.answer_claim(tasks);
    let running = rig.started();
    let let_go = |rig: &mut Rig| {
        rig.find(|action| if let Action::LetGo(lease) = action { Some(*lease) } else { None })
    };
    rig.tell(Event::Completed(success(&running[0], MS)));
    assert_eq!(rig.machine.summary().succeeded, 1);
    assert_eq!(let_go(&mut rig), None, "its neighbour still runs under the lease");
    rig.tell(Event::Completed(success(&running[1], MS)));
    assert_eq!(rig.machine.summary().succeeded, 2);
    assert_eq!(let_go(&mut rig), Some(running[0].lease.batch));
    while let Some(request) = rig.try_exchange() {
        assert!(request.settlements.is_empty(), "{request:?}");
    }
}
