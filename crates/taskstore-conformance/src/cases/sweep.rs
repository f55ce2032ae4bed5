//! What a store does about tasks that somebody has pushed out of their places by hand.

use taskstore_core::{
    Alias, Definition, Error, LeaseId, RunnerId, Status, TaskId,
    backend::{
        Cursor, DefinitionKey, Enqueued, Expect, LeasedTask, Missing, Stray, Sweep, Swept, When,
    },
};

use crate::{
    Damage,
    context::{
        Context, at, cancel, failed, ids, lost, ok, output, queue, release, requeue, retry, secs,
        success,
    },
};

cases! { "sweep":
    given_a_healthy_store_when_swept_then_nothing_is_found_and_nothing_changes ["sweep.healthy"];
    given_a_task_that_was_swept_when_swept_again_then_it_is_healthy
        needs Damage ["sweep.healthy" "sweep.finds"];
    given_a_ready_task_without_its_place_when_swept_then_it_can_be_put_back
        needs Damage ["sweep.finds" "task.one_place"];
    given_a_delayed_task_without_its_place_when_swept_then_it_still_knows_its_time
        needs Damage ["sweep.finds"];
    given_a_lease_that_is_gone_when_swept_then_its_tasks_are_found_and_its_holder_is_fenced
        needs Damage ["sweep.finds" "sweep.fenced"];
    given_a_cancel_request_when_its_stray_goes_back_then_it_ends_canceled
        needs Damage ["sweep.finds" "cancel.yields"];
    given_a_stray_with_a_key_when_swept_then_it_holds_the_key_until_it_ends
        needs Damage ["sweep.finds" "unique.held"];
    given_a_sweeper_that_dies_when_its_lease_is_taken_over_then_nothing_is_lost
        needs Damage ["sweep.finds" "take_over.rest"];
    given_strays_among_many_when_swept_page_by_page_then_each_is_found_once
        needs Damage ["sweep.pages" "sweep.finds"];
    given_many_healthy_tasks_when_swept_page_by_page_then_it_comes_to_an_end
        ["sweep.pages" "sweep.healthy"];
    given_a_place_without_a_task_when_swept_then_it_is_dropped needs Damage ["sweep.drops"];
    given_a_place_without_a_task_when_claimed_then_its_neighbours_are_taken
        needs Damage ["sweep.missing" "sweep.drops"];
    given_a_definition_that_is_gone_when_claimed_then_tasks_of_others_are_taken
        needs Damage ["sweep.missing"];
    given_a_definition_that_is_gone_when_swept_then_its_tasks_say_so needs Damage ["sweep.missing"];
    given_a_definition_that_is_gone_when_its_lease_is_taken_over_then_all_of_it_is
        needs Damage ["sweep.missing" "take_over.rest"];
    given_parameters_that_are_gone_when_claimed_then_its_neighbours_are_taken
        needs PlainSql ["sweep.missing"];
    given_parameters_that_are_gone_when_swept_then_the_task_says_so needs PlainSql ["sweep.missing"];
    given_a_lease_id_in_use_when_swept_then_it_is_refused ["sweep.finds"];
    given_a_cursor_that_nobody_made_when_swept_then_it_is_refused ["sweep.pages"];
}

/// More looks than any page of these cases can need.
const LOOKS_MAX: usize = 500;

impl Context {
    async fn look(&self, sweep: &Sweep) -> Swept {
        let swept = ok("sweep", self.backend().sweep(sweep).await);
        for Stray { task, .. } in &swept.strays {
            assert_eq!(task.lease.batch, sweep.lease, "under the caller's lease");
        }
        swept
    }

    /// Sweeps all of the store, by pages of so many.
    async fn sweep_by(&self, at_most: u32) -> Swept {
        let mut whole = Swept::default();
        let mut after = None;
        for _ in 0..LOOKS_MAX {
            let mut sweep = Sweep::new(self.runner, at_most).at(at(10));
            sweep.after = after;
            let swept = self.look(&sweep).await;
            whole.strays.extend(swept.strays);
            whole.dropped.extend(swept.dropped);
            after = swept.next;
            if after.is_none() {
                return whole;
            }
        }
        panic!("the sweep does not come to an end")
    }

    async fn sweep(&self) -> Swept {
        self.sweep_by(1_000).await
    }

    async fn sweep_finds_nothing(&self) {
        let swept = self.sweep().await;
        assert!(swept.strays.is_empty() && swept.dropped.is_empty(), "{swept:?}");
    }

    /// Sweeps; exactly this one must be found.
    async fn sweep_finds(&self, id: TaskId) -> Stray {
        let swept = self.sweep().await;
        let found: Vec<_> = swept.strays.iter().map(|stray| stray.task.lease.task).collect();
        assert_eq!(found, [id]);
        swept.strays[0].clone()
    }

    /// Another definition, and a task of it.
    async fn of_another_definition(&self) -> (Definition, TaskId) {
        let other = Definition::new(ok("alias", Alias::new("case.other")));
        ok("put_definition", self.backend().put_definition(&other, Expect::Absent).await);
        let mut task = self.new_task().await;
        task.definition = other.id;
        let id = self.store(task).await;
        (other, id)
    }
}

fn found(swept: &Swept) -> Vec<TaskId> {
    let mut ids: Vec<_> = swept.strays.iter().map(|stray| stray.task.lease.task).collect();
    ids.sort();
    ids
}

/// A task in every place, and one that has ended in every way.
async fn one_of_each(c: &Context) -> (Vec<TaskId>, LeasedTask) {
    let mut all = c.ready(7).await;
    let mut taken = c.take(7).await;
    c.end(taken[0].lease, success(), Status::Success).await;
    c.end(taken[1].lease, output("1"), Status::Success).await;
    c.end(taken[2].lease, failed("no"), Status::Failed).await;
    c.end(taken[3].lease, release(), Status::Queued).await;
    c.end(taken[4].lease, retry(60), Status::Queued).await;
    c.isolate_one(taken[5].lease).await;
    let running = taken.remove(6);
    let more = c.ready(3).await;
    c.control(more[0], cancel()).await;
    c.control(more[1], taskstore_core::backend::Move::Pause).await;
    all.extend(more);
    all.push(c.later(90).await);
    let deleted = c.ready(1).await[0];
    c.control(deleted, taskstore_core::backend::Move::Delete).await;
    all.push(deleted);
    (all, running)
}

async fn given_a_healthy_store_when_swept_then_nothing_is_found_and_nothing_changes(c: &Context) {
    let (all, running) = one_of_each(c).await;
    let mut before = Vec::new();
    for &id in &all {
        before.push(c.whole(id).await);
    }
    c.sweep_finds_nothing().await;
    for (&id, before) in all.iter().zip(&before) {
        assert_eq!(&c.whole(id).await, before);
    }
    c.end(running.lease, success(), Status::Success).await;
    c.sweep_finds_nothing().await;
}

async fn given_a_task_that_was_swept_when_swept_again_then_it_is_healthy(c: &Context) {
    let id = c.ready(1).await[0];
    c.damage(Damage::Place(id)).await;
    let stray = c.sweep_finds(id).await;
    c.sweep_finds_nothing().await;
    c.end(stray.task.lease, lost(), Status::Queued).await;
    c.sweep_finds_nothing().await;
    assert_eq!(ids(&c.take(1).await), [id]);
}

async fn given_a_ready_task_without_its_place_when_swept_then_it_can_be_put_back(c: &Context) {
    let mut task = c.new_task().await;
    (task.queue, task.priority, task.max_attempts) = (queue("mail"), -3, Some(9));
    let id = c.store(task).await;
    let turn = 0;
    c.damage(Damage::Place(id)).await;
    c.ready(2).await;
    let Stray { task, missing } = c.sweep_finds(id).await;
    assert_eq!((missing, task.lease.turn), (None, turn + 1));
    assert_eq!((&task.queue, task.priority, task.run_at), (&queue("mail"), -3, at(0)));
    assert_eq!((task.attempts, task.max_attempts), (0, Some(9)));
    assert_eq!(task.definition, c.definition().await.id);
    assert_eq!(ids(&c.recall(task.lease.batch).await), [id]);
    c.end(task.lease, lost(), Status::Queued).await;
    let seen = c.task(id).await;
    assert!(seen.suspect);
    assert_eq!((seen.attempts, seen.run_at), (0, at(0)));
    let mut claim = c.claim_of(5);
    claim.queues[0].queue = queue("mail");
    assert_eq!(ids(&c.claim(&claim).await.tasks), [id]);
}

async fn given_a_delayed_task_without_its_place_when_swept_then_it_still_knows_its_time(
    c: &Context,
) {
    let id = c.later(60).await;
    c.damage(Damage::Place(id)).await;
    let stray = c.sweep_finds(id).await;
    assert_eq!(stray.task.run_at, at(60));
    c.end_at(stray.task.lease, retry(50), Status::Queued, at(10)).await;
    c.nothing_to_claim().await;
    assert_eq!(c.take_due(at(60)).await.lease.task, id);
}

async fn given_a_lease_that_is_gone_when_swept_then_its_tasks_are_found_and_its_holder_is_fenced(
    c: &Context,
) {
    c.ready(3).await;
    let taken = c.take(3).await;
    let ended = taken[1].lease;
    c.end(ended, success(), Status::Success).await;
    c.ready(1).await;
    let other = c.take_one().await;
    c.damage(Damage::Lease(taken[0].lease.batch)).await;
    let swept = c.sweep().await;
    let mut left = vec![taken[0].lease.task, taken[2].lease.task];
    left.sort();
    assert_eq!(found(&swept), left);
    for task in [&taken[0], &taken[2]] {
        c.cannot_end(task.lease).await;
    }
    for stray in &swept.strays {
        assert_eq!(stray.task.lease.turn, 1);
        c.end(stray.task.lease, lost(), Status::Queued).await;
    }
    for task in &taken {
        c.changes_nothing(task.lease).await;
    }
    c.end(other.lease, success(), Status::Success).await;
    assert_eq!(c.take(2).await.len(), 2);
}

async fn given_a_cancel_request_when_its_stray_goes_back_then_it_ends_canceled(c: &Context) {
    let running = c.running().await;
    c.control(running.lease.task, cancel()).await;
    c.damage(Damage::Lease(running.lease.batch)).await;
    let stray = c.sweep_finds(running.lease.task).await;
    c.end(stray.task.lease, lost(), Status::Canceled).await;
    c.sweep_finds_nothing().await;
}

async fn given_a_stray_with_a_key_when_swept_then_it_holds_the_key_until_it_ends(c: &Context) {
    let task = c.keyed_task("k").await;
    let id = c.store(task).await;
    c.damage(Damage::Place(id)).await;
    let stray = c.sweep_finds(id).await;
    assert!(stray.task.keyed);
    let again = c.keyed_task("k").await;
    assert_eq!(c.enqueue(std::slice::from_ref(&again)).await, [Enqueued::Duplicate(id)]);
    c.end(stray.task.lease, failed("never"), Status::Failed).await;
    assert_eq!(c.enqueue(&[again]).await, [Enqueued::Stored]);
}

async fn given_a_sweeper_that_dies_when_its_lease_is_taken_over_then_nothing_is_lost(c: &Context) {
    let id = c.ready(1).await[0];
    c.damage(Damage::Place(id)).await;
    let stray = c.sweep_finds(id).await;
    let taken = c.take_over(stray.task.lease.batch, RunnerId::new()).await;
    assert_eq!((ids(&taken.tasks), taken.from), (vec![id], c.runner));
    assert!(!taken.alone, "nobody isolated it");
    c.cannot_end(stray.task.lease).await;
    c.end(taken.tasks[0].lease, lost(), Status::Queued).await;
}

async fn given_strays_among_many_when_swept_page_by_page_then_each_is_found_once(c: &Context) {
    let ready = c.ready(60).await;
    let mut delayed = c.new_tasks(20).await;
    delayed.iter_mut().for_each(|task| task.when = When::After(secs(60)));
    c.enqueue(&delayed).await;
    let taken = c.take(10).await;
    c.end(taken[0].lease, success(), Status::Success).await;
    let mut strays: Vec<_> = ready[10..].iter().step_by(7).copied().collect();
    strays.extend(delayed.iter().step_by(6).map(|task| task.id));
    for &id in &strays {
        c.damage(Damage::Place(id)).await;
    }
    c.damage(Damage::Lease(taken[0].lease.batch)).await;
    strays.extend(ids(&taken[1..]));
    strays.sort();
    let swept = c.sweep_by(3).await;
    assert_eq!(found(&swept), strays);
    assert!(swept.dropped.is_empty());
    c.sweep_finds_nothing().await;
}

async fn given_many_healthy_tasks_when_swept_page_by_page_then_it_comes_to_an_end(c: &Context) {
    let ready = c.ready(40).await;
    c.later(60).await;
    c.take(5).await;
    let mut elsewhere = c.new_tasks(5).await;
    elsewhere.iter_mut().for_each(|task| task.queue = queue("else"));
    c.enqueue(&elsewhere).await;
    let swept = c.sweep_by(1).await;
    assert!(swept.strays.is_empty() && swept.dropped.is_empty(), "{swept:?}");
    assert_eq!(ids(&c.take(35).await), ready[5..]);
}

async fn given_a_place_without_a_task_when_swept_then_it_is_dropped(c: &Context) {
    let ids_ready = c.ready(2).await;
    let later = c.later(60).await;
    c.damage(Damage::Record(ids_ready[0])).await;
    c.damage(Damage::Record(later)).await;
    let swept = c.sweep().await;
    assert_eq!((swept.strays.len(), swept.dropped.len()), (0, 2), "{swept:?}");
    c.sweep_finds_nothing().await;
    assert_eq!(c.promote(10, at(60)).await.moved, 0);
    assert_eq!(ids(&c.take(1).await), ids_ready[1..]);
    c.nothing_to_claim().await;
}

async fn given_a_place_without_a_task_when_claimed_then_its_neighbours_are_taken(c: &Context) {
    let all = c.ready(5).await;
    for gone in [0, 2, 4] {
        c.damage(Damage::Record(all[gone])).await;
    }
    let taken = c.claim(&c.claim_of(10)).await.tasks;
    assert_eq!(ids(&taken), [all[1], all[3]]);
    let swept = c.sweep().await;
    assert!(swept.strays.is_empty());
    for task in taken {
        c.end(task.lease, success(), Status::Success).await;
    }
    c.nothing_to_claim().await;
}

async fn given_a_definition_that_is_gone_when_claimed_then_tasks_of_others_are_taken(c: &Context) {
    let (other, first) = c.of_another_definition().await;
    let mine = c.ready(2).await;
    c.damage(Damage::Definition(other.id)).await;
    // However many of them stand at the head.
    let taken = c.claim(&c.claim_of(1)).await.tasks;
    let taken = if taken.is_empty() { c.claim(&c.claim_of(1)).await.tasks } else { taken };
    assert_eq!(ids(&taken), [mine[0]]);
    assert_eq!(ids(&c.claim(&c.claim_of(10)).await.tasks), [mine[1]]);
    assert_eq!(found(&c.sweep().await), [first]);
}

async fn given_a_definition_that_is_gone_when_swept_then_its_tasks_say_so(c: &Context) {
    let (other, id) = c.of_another_definition().await;
    let mine = c.ready(1).await;
    c.damage(Damage::Definition(other.id)).await;
    let stray = c.sweep_finds(id).await;
    assert_eq!(stray.missing, Some(Missing::Definition));
    let key = DefinitionKey::Id(stray.task.definition);
    assert!(ok("definition", c.backend().definition(&key).await).is_none(), "no definition has it");
    c.end(stray.task.lease, failed("its definition is gone"), Status::Failed).await;
    assert_eq!(c.task(id).await.last_error.as_deref(), Some("its definition is gone"));
    assert_eq!(
        c.control(id, requeue()).await,
        taskstore_core::backend::Outcome::Refused(Status::Failed)
    );
    c.sweep_finds_nothing().await;
    assert_eq!(ids(&c.take(1).await), mine);
}

async fn given_a_definition_that_is_gone_when_its_lease_is_taken_over_then_all_of_it_is(
    c: &Context,
) {
    let (other, id) = c.of_another_definition().await;
    let mine = c.ready(1).await;
    let taken = c.take(2).await;
    c.damage(Damage::Definition(other.id)).await;
    let taken = c.take_over(taken[0].lease.batch, RunnerId::new()).await;
    assert_eq!(ids(&taken.tasks), [id, mine[0]]);
    for task in &taken.tasks {
        c.end(task.lease, lost(), Status::Queued).await;
    }
    assert_eq!(found(&c.sweep().await), [id]);
}

async fn given_parameters_that_are_gone_when_claimed_then_its_neighbours_are_taken(c: &Context) {
    let all = c.ready(4).await;
    c.damage(Damage::Parameters(all[1])).await;
    c.damage(Damage::Parameters(all[3])).await;
    assert_eq!(ids(&c.claim(&c.claim_of(10)).await.tasks), [all[0], all[2]]);
    let mut expected = vec![all[1], all[3]];
    expected.sort();
    assert_eq!(found(&c.sweep().await), expected);
}

async fn given_parameters_that_are_gone_when_swept_then_the_task_says_so(c: &Context) {
    let running = c.running().await;
    let waiting = c.ready(1).await[0];
    let later = c.later(60).await;
    let leased = running.lease.task;
    for id in [waiting, later, leased] {
        c.damage(Damage::Parameters(id)).await;
    }
    c.damage(Damage::Lease(running.lease.batch)).await;
    let swept = c.sweep().await;
    let mut all = vec![waiting, later, leased];
    all.retain(|id| swept.strays.iter().any(|stray| stray.task.lease.task == *id));
    assert_eq!(all, [waiting, later, leased]);
    for stray in swept.strays {
        assert_eq!(stray.missing, Some(Missing::Parameters));
        assert_eq!(stray.task.parameters.get(), "null");
        let id = stray.task.lease.task;
        c.end(stray.task.lease, failed("its parameters are gone"), Status::Failed).await;
        assert_eq!(c.task(id).await.parameters.get(), "null");
    }
    c.sweep_finds_nothing().await;
}

async fn given_a_lease_id_in_use_when_swept_then_it_is_refused(c: &Context) {
    let running = c.running().await;
    let mut sweep = Sweep::new(c.runner, 10);
    sweep.lease = running.lease.batch;
    let error = c.backend().sweep(&sweep).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { what: "lease", .. }), "{error}");
    c.end(running.lease, success(), Status::Success).await;
    sweep.lease = LeaseId::new();
    assert!(c.look(&sweep).await.strays.is_empty());
}

async fn given_a_cursor_that_nobody_made_when_swept_then_it_is_refused(c: &Context) {
    for text in ["", "nonsense", "r.x", "1.2.3", "🦀", "'; DROP TABLE task; --"] {
        let sweep = Sweep::new(c.runner, 10).after(Cursor(text.to_owned()));
        let error = c.backend().sweep(&sweep).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "cursor", .. }), "{text:?}: {error}");
    }
}
