//! Mistakes planted in the statements themselves, on a real server: the suite must notice each. What any
//! engine could get wrong is planted in `taskstore-conformance`; here is what only SQL can. That the suite
//! notices nothing without a mistake is the test `conformance`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{path::Path, sync::Arc};

use common::Mysql;
use taskstore_conformance::mutants::notice_each;

common::server_tests!(every_mistake_is_in_a_file, every_mistake_is_noticed);

taskstore_conformance::sql_mutants! {
    "queue_paused": "paused<>0" => "paused<0", "A claim takes from a paused queue."
        ["pause::given_a_paused_queue_when_claimed_then_nothing_is_taken"];
    "queues_stopped": "paused<>0" => "paused>1", "Paused queues are named as having work."
        ["queue::given_a_paused_queue_when_work_is_looked_for_then_it_is_not_named"];
    "claim_ready": "priority,run_at,task LIMIT" => "run_at,priority,task LIMIT",
        "A claim goes by time before priority."
        ["promote::given_promoted_tasks_when_claimed_then_in_claim_order"];
    "lease_count_down": "l.open-j.n" => "l.open", "The count of a lease's open tasks is not lowered."
        ["settle::given_a_batch_when_settled_one_by_one_then_the_lease_lives_until_the_last"];
    "settle": "t.turn=t.turn+1" => "t.turn=t.turn", "A settlement leaves the turn as it was."
        ["retry::given_each_end_of_a_claim_when_claimed_again_then_the_turn_is_one_more"];
    "settle": "t.attempts+j.attempts" => "t.attempts+1", "A refunded attempt is counted."
        ["retry::given_counted_and_refunded_attempts_when_claimed_then_only_the_counted_show"];
    "settle": "t.suspect=j.suspect" => "t.suspect=t.suspect",
        "What a settlement says of a suspect is forgotten."
        ["retry::given_a_suspect_when_claimed_then_the_claim_says_so"];
    "settle": "t.cancel_at=0" => "t.cancel_at=t.cancel_at", "The end of a claim keeps a cancel request."
        ["cancel::given_a_request_when_the_handler_succeeds_then_the_success_stands"];
    "settle": "t.last_lease=UNHEX(j.lease)" => "t.last_lease=t.last_lease",
        "Which lease settled a task is not stored."
        ["settle::given_a_repeated_settlement_when_counted_then_the_rest_of_the_lease_lives"];
    "settle": "CASE WHEN j.began=0 THEN t.started_at ELSE j.began END" => "j.ended",
        "A task begins when it ends."
        ["settle::given_a_run_when_settled_then_its_times_are_the_handlers_own"];
    "lease_tasks": " AND t.turn=j.turn" => "", "A lease still holds what has left it."
        ["lease::given_a_half_settled_lease_when_taken_over_then_only_the_rest_moves"];
    "late_leases": " OR beat_at>?" => " AND beat_at<>?", "A lease whose last beat lies in the future is not late."
        ["lease::given_a_lease_of_the_future_when_asked_then_it_is_late"];
    "beat": "l.beat=l.beat+1" => "l.beat=l.beat", "A beat is not counted."
        ["lease::given_a_lease_that_beat_meanwhile_when_taken_over_then_it_is_left_alone"];
    "isolate": "t.turn=t.turn+1" => "t.turn=t.turn", "An isolation leaves the turn as it was."
        ["isolate::given_a_batch_when_one_is_isolated_then_it_has_a_lease_of_its_own"];
    "promote_read": "run_at<=?" => "run_at<=?+60000000", "A promotion comes a minute early."
        ["promote::given_due_and_other_tasks_when_promoted_then_only_the_due_move"];
    "definition_by_alias": "live_alias=?" => "alias=?", "A deleted definition is found by its alias."
        ["definition::given_a_deleted_definition_when_looked_for_then_only_its_id_finds_it"];
    "definition_in_use": "a.status=5" => "a.status=9", "A definition that a paused task needs is deleted."
        ["definition::given_a_live_task_in_any_place_when_its_definition_is_deleted_for_good_then_it_is_in_use"];
    "task_by_id": "o.turn=t.turn-1" => "o.turn=t.turn", "The output of a task is sought at the wrong turn."
        ["settle::given_a_success_with_output_when_settled_then_the_output_is_kept"];
    "task_by_seq": "w.task IS NOT NULL" => "FALSE", "A delayed task of a list is shown as running."
        ["query::given_a_page_when_read_then_its_tasks_are_as_when_looked_at_one_by_one"];
    "queue_head": "priority>?" => "priority>=?", "The oldest ready task is sought at one priority alone."
        ["queue::given_priorities_when_listed_then_the_oldest_ready_is_found_at_any"];
    "log": "g.turn,g.n LIMIT" => "g.turn DESC,g.n LIMIT", "A log begins with the last attempt."
        ["control::given_a_requeue_when_looked_at_then_earlier_attempts_and_lines_are_kept"];
    "lease_lock_list": " FOR UPDATE;" => ";",
        "A handler's transaction looks for its lease in a snapshot that is older than the lease."
        ["complete::given_a_batch_when_one_completes_itself_then_its_neighbours_end_as_ever"];
    "record_lock": " FOR UPDATE;" => ";",
        "A handler's transaction looks for the turn of its task in a snapshot that is older than the turn."
        ["complete::given_a_batch_when_one_completes_itself_then_its_neighbours_end_as_ever"];
    "enqueue_plain": "expires_in,expires_at" => "expires_at,expires_in",
        "The statement for other drivers takes a length of time for a time."
        ["within::given_every_option_when_enqueued_by_sql_then_it_is_a_task_like_any_other"];
    "list": "c.task<?" => "c.task<=?", "A page begins with the last task of the one before."
        ["query::given_many_tasks_when_paged_then_each_comes_once_in_every_order"];
}

async fn every_mistake_is_in_a_file() {
    for mutant in MUTANTS {
        // Lists are composed, so no file has them.
        let is_composed = mutant.file == "list";
        assert!(is_composed || mutant.is_in_a_file(env!("CARGO_MANIFEST_DIR")), "{mutant:?}");
    }
}

async fn every_mistake_is_noticed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mutants_sql_mysql.md");
    let server = || Mysql::from_env().unwrap();
    // Each case has a runtime of its own.
    let hunt = || {
        notice_each(&page, "MySQL and MariaDB", MUTANTS, |patch| Arc::new(server().patched(patch)));
    };
    std::thread::scope(|scope| scope.spawn(hunt).join()).unwrap();
}
