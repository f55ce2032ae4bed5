//! Tasks on their way to a runner.

use taskstore_core::{
    DefinitionStatus, Error, LeaseId, RunnerId, Status,
    backend::{Claim, Known, NewTask, Pulse, QueueShare, When},
};

use crate::context::{Context, at, ids, json, queue, release, secs, success};

cases! { "claim":
    given_priorities_when_claimed_then_the_lowest_number_comes_first ["claim.order"];
    given_equal_priorities_when_claimed_then_the_earliest_run_at_comes_first ["claim.order"];
    given_equal_times_when_claimed_then_the_order_of_enqueue_holds ["claim.order"];
    given_all_three_keys_when_claimed_one_by_one_then_the_order_is_the_same ["claim.order"];
    given_the_lowest_and_highest_priority_when_claimed_then_they_are_in_order
        ["claim.order" "input.limits"];
    given_more_tasks_than_asked_for_when_claimed_then_exactly_so_many_are_taken ["claim.at_most"];
    given_several_queues_when_claimed_then_they_are_served_strictly_in_order
        ["claim.queues"];
    given_shares_when_claimed_then_each_queue_gives_no_more_than_its_own ["claim.queues"];
    given_a_queue_named_again_when_claimed_then_it_gives_from_where_it_had_stopped ["claim.queues"];
    given_another_queue_when_claimed_then_its_tasks_are_left ["claim.queues"];
    given_a_list_of_known_definitions_when_claimed_then_no_other_is_taken ["claim.known"];
    given_a_list_of_unknown_definitions_when_claimed_then_those_are_left ["claim.known"];
    given_a_canceled_definition_when_claimed_then_its_tasks_wait_until_it_is_active
        ["claim.definition"];
    given_large_tasks_when_claimed_then_the_bytes_are_bounded ["claim.bytes"];
    given_one_task_above_the_bound_when_claimed_then_it_is_taken_alone ["claim.bytes"];
    given_a_lease_in_use_when_claimed_under_again_then_it_exists_already ["claim.lease_once"];
    given_nothing_to_take_when_claimed_then_no_lease_is_left ["claim.empty"];
    given_room_for_none_when_claimed_then_nothing_is_taken ["claim.empty" "claim.at_most"];
    given_a_claimed_task_when_others_claim_then_they_never_get_it ["claim.once"];
    given_a_claim_when_taken_then_it_carries_all_that_a_handler_needs ["claim.carries"];
    given_a_claim_when_taken_then_people_see_who_runs_it ["look.held_by" "look.attempts_count"];
    given_a_claim_when_taken_then_neither_turn_nor_attempts_change
        ["turn.when" "claim.changes_nothing"];
    given_a_clock_that_stepped_back_when_claimed_then_what_was_ready_is_taken ["claim.clock"];
    given_only_delayed_tasks_when_claimed_then_it_says_when_the_next_is_due ["claim.due_in"];
    given_nothing_delayed_when_claimed_then_nothing_is_due ["claim.due_in"];
    given_a_full_claim_when_taken_then_it_does_not_say_what_is_due ["claim.due_in"];
    given_a_claim_when_it_comes_back_then_it_says_when_it_took_the_tasks ["claim.at"];
    given_a_lease_when_recalled_then_it_names_what_it_still_holds ["claim.recall"];
    given_no_such_lease_when_recalled_then_nothing ["claim.recall"];
}

/// Tasks of these priorities, enqueued one by one.
async fn of_priorities(c: &Context, priorities: &[i16]) -> Vec<NewTask> {
    let mut tasks = c.new_tasks(priorities.len()).await;
    for (task, priority) in tasks.iter_mut().zip(priorities) {
        task.priority = *priority;
        c.enqueue(std::slice::from_ref(task)).await;
    }
    tasks
}

async fn given_priorities_when_claimed_then_the_lowest_number_comes_first(c: &Context) {
    of_priorities(c, &[5, -5, 0, 7, -9]).await;
    let taken: Vec<i16> = c.take(5).await.iter().map(|task| task.priority).collect();
    assert_eq!(taken, [-9, -5, 0, 5, 7]);
}

async fn given_equal_priorities_when_claimed_then_the_earliest_run_at_comes_first(c: &Context) {
    let tasks = c.new_tasks(3).await;
    for (task, enqueued) in tasks.iter().zip([30, 10, 20]) {
        c.enqueue_at(std::slice::from_ref(task), at(enqueued)).await;
    }
    let taken = ids(&c.take(3).await);
    assert_eq!(taken, [tasks[1].id, tasks[2].id, tasks[0].id]);
}

async fn given_equal_times_when_claimed_then_the_order_of_enqueue_holds(c: &Context) {
    let mut all = c.ready(3).await;
    all.extend(c.ready(1).await);
    all.extend(c.ready(2).await);
    assert_eq!(ids(&c.take(6).await), all);
}

async fn given_all_three_keys_when_claimed_one_by_one_then_the_order_is_the_same(c: &Context) {
    let mut tasks = c.new_tasks(6).await;
    for (task, (priority, due)) in
        tasks.iter_mut().zip([(1, 0), (0, 2), (0, 1), (0, 1), (-1, 9), (1, 0)])
    {
        task.priority = priority;
        c.enqueue_at(std::slice::from_ref(task), at(due)).await;
    }
    for expected in [4, 2, 3, 1, 0, 5] {
        assert_eq!(c.take_one().await.lease.task, tasks[expected].id, "number {expected}");
    }
}

async fn given_the_lowest_and_highest_priority_when_claimed_then_they_are_in_order(c: &Context) {
    of_priorities(c, &[i16::MAX, 0, i16::MIN]).await;
    let taken: Vec<i16> = c.take(3).await.iter().map(|task| task.priority).collect();
    assert_eq!(taken, [i16::MIN, 0, i16::MAX]);
}

async fn given_more_tasks_than_asked_for_when_claimed_then_exactly_so_many_are_taken(c: &Context) {
    let all = c.ready(5).await;
    assert_eq!(ids(&c.take(2).await), all[..2]);
    assert_eq!(ids(&c.take(2).await), all[2..4]);
    let rest = c.claim(&c.claim_of(2)).await.tasks;
    assert_eq!(ids(&rest), all[4..]);
}

/// So many tasks in each of the queues, later queues first.
async fn in_queues(c: &Context, queues: &[(&str, usize)]) {
    for (name, n) in queues.iter().rev() {
        let mut tasks = c.new_tasks(*n).await;
        for task in &mut tasks {
            task.queue = queue(name);
        }
        c.enqueue(&tasks).await;
    }
}

async fn names(c: &Context, claim: &Claim) -> Vec<String> {
    c.claim(claim).await.tasks.iter().map(|task| task.queue.to_string()).collect()
}

async fn given_several_queues_when_claimed_then_they_are_served_strictly_in_order(c: &Context) {
    in_queues(c, &[("a", 2), ("b", 2), ("c", 2)]).await;
    let claim = Claim::new(c.runner, ["a", "b", "c"].map(queue), 5).at(at(0));
    assert_eq!(names(c, &claim).await, ["a", "a", "b", "b", "c"]);
}

async fn given_shares_when_claimed_then_each_queue_gives_no_more_than_its_own(c: &Context) {
    in_queues(c, &[("a", 4), ("b", 4), ("c", 4)]).await;
    let mut claim = c.claim_of(5);
    claim.queues = [("c", 2), ("a", 1), ("b", 9)]
        .map(|(name, at_most)| QueueShare { queue: queue(name), at_most })
        .to_vec();
    assert_eq!(names(c, &claim).await, ["c", "c", "a", "b", "b"]);
}

async fn given_a_queue_named_again_when_claimed_then_it_gives_from_where_it_had_stopped(
    c: &Context,
) {
    in_queues(c, &[("a", 4), ("b", 2)]).await;
    let mut claim = c.claim_of(9);
    claim.queues = [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 9)]
        .map(|(name, at_most)| QueueShare { queue: queue(name), at_most })
        .to_vec();
    assert_eq!(names(c, &claim).await, ["a", "b", "a", "a", "b"]);
    let all = Claim::new(c.runner, ["a", "b"].map(queue), 9).at(at(0));
    assert_eq!(names(c, &all).await, ["a"], "each task once");
}

async fn given_another_queue_when_claimed_then_its_tasks_are_left(c: &Context) {
    in_queues(c, &[("a", 1), ("A", 1), ("ab", 1)]).await;
    let claim = |name| Claim::new(c.runner, [queue(name)], 9).at(at(0));
    assert_eq!(names(c, &claim("b")).await, Vec::<String>::new());
    assert_eq!(names(c, &claim("a")).await, ["a"]);
    assert_eq!(names(c, &claim("A")).await, ["A"], "names are compared byte by byte");
    assert_eq!(names(c, &claim("ab")).await, ["ab"]);
}

async fn given_a_list_of_known_definitions_when_claimed_then_no_other_is_taken(c: &Context) {
    let (one, two) = (c.define("one").await, c.define("two").await);
    for definition in [&one, &two, &one] {
        c.store(NewTask::new(definition.id, json("{}"))).await;
    }
    let mut claim = c.claim_of(10);
    claim.known = Known::Only(Vec::new());
    assert!(c.claim(&claim).await.tasks.is_empty(), "it knows none");
    let mut claim = c.claim_of(10);
    claim.known = Known::Only(vec![one.id]);
    let tasks = c.claim(&claim).await.tasks;
    assert!(tasks.iter().all(|task| task.definition == one.id));
    assert_eq!(tasks.len(), 2);
    assert_eq!(c.take_one().await.definition, two.id);
}

async fn given_a_list_of_unknown_definitions_when_claimed_then_those_are_left(c: &Context) {
    let (one, two) = (c.define("one").await, c.define("two").await);
    for definition in [&one, &one, &two, &one] {
        c.store(NewTask::new(definition.id, json("{}"))).await;
    }
    let mut claim = c.claim_of(1);
    claim.known = Known::Except(vec![one.id]);
    let tasks = c.claim(&claim).await.tasks;
    assert_eq!(tasks.len(), 1, "what is unknown at the head does not hide the rest");
    assert_eq!(tasks[0].definition, two.id);
    let mut claim = c.claim_of(10);
    claim.known = Known::Except(Vec::new());
    assert_eq!(c.claim(&claim).await.tasks.len(), 3);
}

async fn given_a_canceled_definition_when_claimed_then_its_tasks_wait_until_it_is_active(
    c: &Context,
) {
    let was = c.define("off").await;
    let id = c.store(NewTask::new(was.id, json("{}"))).await;
    let other = c.ready(1).await[0];
    let mut off = was.clone();
    off.status = DefinitionStatus::Canceled;
    off.updated_at = was.updated_at + secs(1);
    c.change_definition(&off, &was).await;
    assert_eq!(ids(&c.claim(&c.claim_of(10)).await.tasks), [other], "it is passed by");
    assert_eq!(c.status(id).await, Status::Queued);
    c.change_definition(&was, &off).await;
    assert_eq!(c.take_one().await.lease.task, id);
}

/// So many tasks whose parameters have exactly so many bytes.
async fn of_bytes(c: &Context, n: usize, bytes: usize) {
    let mut tasks = c.new_tasks(n).await;
    for task in &mut tasks {
        task.parameters = json(&format!("\"{}\"", "x".repeat(bytes - 2)));
    }
    c.enqueue(&tasks).await;
}

async fn given_large_tasks_when_claimed_then_the_bytes_are_bounded(c: &Context) {
    of_bytes(c, 7, 100).await;
    for (bytes_max, expected) in [(250, 2), (300, 3), (usize::MAX, 2)] {
        let mut claim = c.claim_of(10);
        claim.bytes_max = bytes_max;
        assert_eq!(c.claim(&claim).await.tasks.len(), expected, "of at most {bytes_max} bytes");
    }
}

async fn given_one_task_above_the_bound_when_claimed_then_it_is_taken_alone(c: &Context) {
    of_bytes(c, 2, 1_000).await;
    for _ in 0..2 {
        let mut claim = c.claim_of(10);
        claim.bytes_max = 10;
        assert_eq!(c.claim(&claim).await.tasks.len(), 1);
    }
    c.nothing_to_claim().await;
}

async fn given_a_lease_in_use_when_claimed_under_again_then_it_exists_already(c: &Context) {
    c.ready(3).await;
    let claim = c.claim_of(1);
    let first = c.claim(&claim).await.tasks;
    let error = c.backend().claim(&claim).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(ids(&c.recall(claim.lease).await), ids(&first), "it holds what it held");
    c.take(2).await;
}

async fn given_nothing_to_take_when_claimed_then_no_lease_is_left(c: &Context) {
    let claim = c.claim_of(5);
    assert!(c.claim(&claim).await.tasks.is_empty());
    assert_eq!(c.beat(&[claim.lease]).await.leases, [Pulse::Lost]);
    assert!(c.late_leases().await.is_empty());
}

async fn given_room_for_none_when_claimed_then_nothing_is_taken(c: &Context) {
    c.ready(1).await;
    let claim = c.claim_of(0);
    assert!(c.claim(&claim).await.tasks.is_empty());
    let mut claim = c.claim_of(5);
    claim.queues[0].at_most = 0;
    assert!(c.claim(&claim).await.tasks.is_empty());
    assert_eq!(c.beat(&[claim.lease]).await.leases, [Pulse::Lost]);
    let mut claim = c.claim_of(5);
    claim.queues.clear();
    assert!(c.claim(&claim).await.tasks.is_empty(), "from no queue");
    c.take(1).await;
}

async fn given_a_claimed_task_when_others_claim_then_they_never_get_it(c: &Context) {
    let running = c.running().await;
    c.nothing_to_claim().await;
    c.promote(100, at(1_000)).await;
    c.nothing_to_claim_at(at(1_000)).await;
    c.end(running.lease, success(), Status::Success).await;
    c.nothing_to_claim().await;
}

async fn given_a_claim_when_taken_then_it_carries_all_that_a_handler_needs(c: &Context) {
    let mut task = c.keyed_task("k").await;
    task.queue = queue("mail");
    task.parameters = json(r#"[ 1, {"a":null} ]"#);
    task.priority = 3;
    task.max_attempts = Some(4);
    task.when = When::At(at(-5));
    let id = c.store(task).await;
    let claim = Claim::new(c.runner, [queue("mail")], 1).at(at(0));
    let taken = c.claim(&claim).await.tasks.pop().unwrap();
    assert_eq!((taken.lease.task, taken.lease.batch), (id, claim.lease));
    assert_eq!(taken.definition, c.definition().await.id);
    assert_eq!(taken.queue, queue("mail"));
    assert_eq!(taken.parameters.get(), r#"[ 1, {"a":null} ]"#);
    assert_eq!((taken.priority, taken.attempts, taken.max_attempts), (3, 0, Some(4)));
    assert_eq!(taken.run_at, c.task(id).await.run_at);
    assert_eq!((taken.suspect, taken.keyed), (false, true));
    let plain = c.running().await;
    assert_eq!((plain.keyed, plain.max_attempts), (false, None));
}

async fn given_a_claim_when_taken_then_people_see_who_runs_it(c: &Context) {
    let id = c.ready(1).await[0];
    assert_eq!(c.task(id).await.held_by, None);
    let taken = c.take_one_at(at(7)).await;
    let seen = c.task(id).await;
    let holder = seen.held_by.unwrap();
    assert_eq!((seen.status, seen.attempts), (Status::Running, 1), "it is on its first attempt");
    assert_eq!((holder.runner, holder.claimed_at), (c.runner, at(7)));
    assert_eq!(holder.last_beat_at, at(7));
    c.end(taken.lease, success(), Status::Success).await;
    assert_eq!(c.task(id).await.held_by, None);
}

async fn given_a_claim_when_taken_then_neither_turn_nor_attempts_change(c: &Context) {
    let first = c.running().await;
    c.end(first.lease, release(), Status::Queued).await;
    let second = c.take_one().await;
    assert_eq!(second.lease.turn, first.lease.turn + 1, "the end of a claim, and nothing else");
    assert_eq!((first.attempts, second.attempts), (0, 0));
}

async fn given_a_clock_that_stepped_back_when_claimed_then_what_was_ready_is_taken(c: &Context) {
    let id = c.ready(1).await[0];
    assert_eq!(c.take_one_at(at(-3_600)).await.lease.task, id);
}

async fn given_only_delayed_tasks_when_claimed_then_it_says_when_the_next_is_due(c: &Context) {
    let mut elsewhere = c.new_task().await;
    elsewhere.queue = queue("elsewhere");
    elsewhere.when = When::After(secs(20));
    c.store(elsewhere).await;
    c.later(30).await;
    let due_in = async |now| c.claim(&c.claim_of(5).at(at(now))).await.due_in;
    assert_eq!(due_in(0).await, Some(secs(20)), "in any queue");
    assert_eq!(due_in(15).await, Some(secs(5)));
    assert_eq!(due_in(20).await, Some(secs(0)), "due, but not promoted");
    assert_eq!(due_in(99).await, Some(secs(0)), "long due, but not promoted");
}

async fn given_a_claim_when_it_comes_back_then_it_says_when_it_took_the_tasks(c: &Context) {
    c.ready(1).await;
    let claimed = c.claim(&c.claim_of(1).at(at(99))).await;
    assert_eq!((claimed.tasks.len(), claimed.at), (1, Some(at(99))));
    c.enqueue(&c.new_tasks(1).await).await;
    let claimed = c.claim(&c.claim_of(1)).await;
    assert!(claimed.at >= Some(claimed.tasks[0].run_at), "by the clock that stamped the task");
}

async fn given_nothing_delayed_when_claimed_then_nothing_is_due(c: &Context) {
    c.ready(1).await;
    let claimed = c.claim(&c.claim_of(5)).await;
    assert_eq!((claimed.tasks.len(), claimed.due_in), (1, None));
}

async fn given_a_full_claim_when_taken_then_it_does_not_say_what_is_due(c: &Context) {
    c.ready(2).await;
    c.later(30).await;
    assert_eq!(c.claim(&c.claim_of(1)).await.due_in, None);
    assert_eq!(c.claim(&c.claim_of(9)).await.due_in, Some(secs(30)), "it came back short");
}

async fn given_a_lease_when_recalled_then_it_names_what_it_still_holds(c: &Context) {
    let queues = ["b", "a"].map(queue);
    in_queues(c, &[("a", 1), ("b", 2)]).await;
    let taken = c.claim(&Claim::new(RunnerId::new(), queues, 5).at(at(0))).await.tasks;
    let lease = taken[0].lease.batch;
    let recalled = c.recall(lease).await;
    assert_eq!(format!("{recalled:?}"), format!("{taken:?}"), "the same, in claim order");
    c.end(taken[1].lease, success(), Status::Success).await;
    c.end(taken[0].lease, release(), Status::Queued).await;
    assert_eq!(ids(&c.recall(lease).await), [taken[2].lease.task]);
    c.end(taken[2].lease, success(), Status::Success).await;
    assert!(c.recall(lease).await.is_empty(), "it has ended");
}

async fn given_no_such_lease_when_recalled_then_nothing(c: &Context) {
    c.running().await;
    assert!(c.recall(LeaseId::new()).await.is_empty());
}
