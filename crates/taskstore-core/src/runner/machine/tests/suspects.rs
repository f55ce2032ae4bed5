//! A task that may have killed its runner runs in a lease of its own.

use std::time::Duration;

use super::{
    super::Event,
    rig::{Rig, away, is_release},
};
use crate::backend::{Lease, LeasedTask};

fn with_suspect() -> (Rig, LeasedTask) {
    let mut rig = Rig::new(|_| {});
    let mut tasks = rig.tasks(2);
    tasks[0].suspect = true;
    let claim = rig.answer_claim(tasks.clone());
    tasks[0].lease.batch = claim.lease;
    let suspect = tasks.swap_remove(0);
    (rig, suspect)
}

fn alone(before: Lease, batch: crate::LeaseId) -> Lease {
    Lease { batch, turn: before.turn + 1, ..before }
}

#[test]
fn a_suspect_is_isolated_before_it_runs() {
    let (mut rig, suspect) = with_suspect();
    assert_eq!(rig.started().len(), 1, "its neighbour runs at once");
    let request = rig.isolate().expect("a lease of its own");
    let (before, batch) = request.tasks[0];
    assert_eq!(before, suspect.lease);
    rig.tell(Event::Isolated { request, result: Ok(vec![Some(alone(before, batch))]) });
    let started = rig.started();
    assert_eq!(started[0].lease, alone(before, batch));
}

#[test]
fn suspects_run_one_after_another_and_others_beside_them() {
    let mut rig = Rig::new(|config| config.concurrency = 4);
    let mut tasks = rig.tasks(4);
    tasks[0].suspect = true;
    tasks[1].suspect = true;
    rig.answer_claim(tasks);
    assert_eq!(rig.started().len(), 2, "those that are not suspects");
    let request = rig.isolate().unwrap();
    let (before, batch) = request.tasks[0];
    assert_eq!(request.tasks.len(), 1);
    rig.tell(Event::Isolated { request, result: Ok(vec![Some(alone(before, batch))]) });
    let first = rig.started();
    assert!(rig.isolate().is_none(), "the second waits until the first has ended");
    rig.finish(&first[0], Duration::from_millis(1));
    assert!(rig.isolate().is_none(), "and its end is saved");
    rig.land();
    let second = rig.isolate().unwrap().tasks[0].0;
    assert_ne!(second.task, before.task);
}

#[test]
fn a_suspect_keeps_its_turn_when_an_earlier_end_of_it_is_saved_late() {
    let mut rig = Rig::new(|_| {});
    let mut tasks = rig.tasks(3);
    tasks[2].suspect = true;
    let suspect = tasks[2].clone();
    rig.answer_claim(tasks);
    let running = rig.started();
    let cancel = vec![suspect.lease.task];
    rig.tell(Event::Beaten { at: rig.now, lost: Vec::new(), cancel });
    rig.sleep();
    let release = rig.exchange();
    assert!(is_release(&release.settlements[0]), "it was waiting, and goes back");
    running.iter().for_each(|task| rig.finish(task, Duration::from_millis(1)));

    // The reply is late, and meanwhile a claim in doubt turns out to have taken it again.
    let lease = crate::LeaseId::new();
    let mut again = rig.tasks_under(lease, 2);
    again.iter_mut().for_each(|task| task.suspect = true);
    again[0].lease = alone(suspect.lease, lease);
    rig.tell(Event::Recalled { lease, result: Ok(again.clone()) });
    let request = rig.isolate().expect("it has a slot");
    assert_eq!(request.tasks[0].0, again[0].lease);

    rig.answer(release, None);
    assert!(rig.isolate().is_none(), "the other one waits");
    let own = alone(again[0].lease, request.tasks[0].1);
    rig.tell(Event::Isolated { request, result: Ok(vec![Some(own)]) });
    assert_eq!(rig.started()[0].lease, own);
    assert!(rig.isolate().is_none(), "and still does");
}

#[test]
fn suspects_that_wait_for_one_another_keep_no_slot_empty() {
    let mut rig = Rig::new(|config| config.concurrency = 4);
    let mut tasks = rig.tasks(4);
    tasks.iter_mut().for_each(|task| task.suspect = true);
    rig.answer_claim(tasks);
    assert_eq!(rig.claim().at_most, 3, "one has a slot, three wait for it, three slots are free");
}

#[test]
fn a_lost_reply_asks_again_for_the_same_lease() {
    let (mut rig, _) = with_suspect();
    let request = rig.isolate().unwrap();
    let first = request.tasks.clone();
    rig.tell(Event::Isolated { request, result: Err(away()) });
    assert!(rig.isolate().is_none());
    rig.sleep();
    assert_eq!(rig.isolate().unwrap().tasks, first);
}

#[test]
fn a_suspect_whose_lease_was_lost_meanwhile_does_not_run() {
    let (mut rig, _) = with_suspect();
    rig.started();
    let request = rig.isolate().unwrap();
    rig.tell(Event::Isolated { request, result: Ok(vec![None]) });
    assert!(rig.started().is_empty());
}

#[test]
fn a_suspect_that_was_isolated_when_the_runner_stops_goes_back_as_a_suspect() {
    let (mut rig, suspect) = with_suspect();
    let running = rig.started();
    let request = rig.isolate().unwrap();
    rig.tell(Event::Stop);
    let (before, batch) = request.tasks[0];
    rig.tell(Event::Isolated { request, result: Ok(vec![Some(alone(before, batch))]) });
    assert!(rig.started().is_empty());
    rig.finish(&running[0], Duration::from_millis(1));
    let mut settled = Vec::new();
    while let Some(request) = rig.try_exchange() {
        settled.extend(request.settlements.clone());
        rig.answer(request, None);
    }
    let back = settled.iter().find(|s| s.lease.task == suspect.lease.task).expect("it goes back");
    assert!(is_release(back));
    assert_eq!(back.lease, alone(before, batch));
    assert!(matches!(back.to, crate::backend::Transition::Requeue { suspect: true, .. }));
}

#[test]
fn a_suspect_whose_lease_was_granted_long_ago_does_not_start() {
    let (mut rig, suspect) = with_suspect();
    rig.started();
    let request = rig.isolate().unwrap();
    let (before, batch) = request.tasks[0];
    rig.tell(Event::Isolated { request, result: Err(away()) });
    rig.pass(Duration::from_secs(15));
    let request = rig.isolate().expect("it is asked for again");
    rig.tell(Event::Isolated { request, result: Ok(vec![Some(alone(before, batch))]) });
    assert!(rig.started().is_empty(), "it may have been taken over since");
    rig.pass(Duration::from_millis(5));
    let back = std::iter::from_fn(|| rig.try_exchange()).flat_map(|request| request.settlements);
    let back: Vec<_> = back.filter(|s| s.lease.task == suspect.lease.task).collect();
    assert!(back.len() == 1 && is_release(&back[0]));
}

#[test]
fn suspects_are_held_for_longer_than_others_but_not_for_ever() {
    let mut rig = Rig::new(|config| config.concurrency = 1);
    rig.answer_promote();
    let request = rig.exchange();
    let mut tasks = rig.tasks_under(request.then.as_ref().unwrap().lease, 3);
    (tasks[0].suspect, tasks[1].suspect) = (true, true);
    rig.answer(request, Some(tasks.clone()));
    assert!(rig.isolate().is_some(), "the first has the slot");
    rig.pass(Duration::from_secs(1));
    let given_back = |rig: &mut Rig| {
        rig.pass(Duration::from_millis(5));
        let all = std::iter::from_fn(|| rig.try_exchange()).collect::<Vec<_>>();
        let all = all.iter().flat_map(|request| &request.settlements);
        all.filter(|end| is_release(end)).map(|end| end.lease.task).collect::<Vec<_>>()
    };
    assert_eq!(given_back(&mut rig), [tasks[2].lease.task], "others wait for a second");
    assert_eq!(rig.machine.wake_at(), Some(Duration::from_secs(10)));
}

#[test]
fn no_more_than_a_thousand_suspects_are_held() {
    let mut rig = Rig::new(|config| (config.concurrency, config.prefetch_max) = (400, 0));
    rig.answer_promote();
    let mut held = 0;
    for _ in 0..20 {
        let Some(request) = rig.try_exchange() else { break };
        let Some(claim) = request.then.clone() else {
            rig.answer(request, None);
            continue;
        };
        let mut tasks = rig.tasks_under(claim.lease, claim.at_most as usize);
        tasks.iter_mut().for_each(|task| task.suspect = true);
        held += tasks.len();
        rig.answer(request, Some(tasks));
    }
    // One of them has a slot and waits for its lease.
    assert!((1_000..=1_001).contains(&held), "{held}");
    assert!(rig.try_exchange().is_none());
    assert!(rig.machine.wake_at().is_none_or(|at| at > rig.now), "and it does not spin");
}

#[test]
fn an_isolation_that_is_refused_for_good_is_asked_for_ever_less_often() {
    let (mut rig, _) = with_suspect();
    let mut running = rig.started();
    let mut asked = 0;
    // The other slot is never idle, and what ends there is saved.
    while rig.now < Duration::from_secs(10) {
        if let Some(request) = rig.isolate() {
            asked += 1;
            let result = Err(crate::Error::backend("no permission"));
            rig.tell(Event::Isolated { request, result });
        }
        rig.pass(Duration::from_millis(5));
        for task in std::mem::take(&mut running) {
            rig.finish(&task, Duration::from_millis(5));
        }
        while let Some(request) = rig.try_exchange() {
            let one = rig.tasks(1);
            rig.answer(request, Some(one));
        }
        running.extend(rig.started());
    }
    assert!((2..=10).contains(&asked), "{asked} times in ten seconds");
}
