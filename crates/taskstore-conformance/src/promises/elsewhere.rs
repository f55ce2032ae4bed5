//! Promises that only a runner, the watcher or the lifecycle can keep, and the tests that prove them.
//!
//! To add one, name the promise, the file in the workspace, and the test function in it. A test
//! fails when the file has no such function.

/// A test outside the suite that proves a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The id of the promise.
    pub promise: &'static str,
    /// The file, from the root of the workspace.
    pub file: &'static str,
    /// The test function.
    pub test: &'static str,
}

macro_rules! elsewhere {
    ($(in $file:literal { $($promise:literal by $test:ident;)+ })+) => {
        /// Every one of them, file by file.
        pub const ELSEWHERE: &[Elsewhere] = &[$($(Elsewhere {
            promise: $promise,
            file: $file,
            test: stringify!($test),
        }),+),+];
    };
}

elsewhere! {
    in "crates/taskstore-core/src/lifecycle.rs" {
        "lifecycle.table" by the_transition_table;
        "lifecycle.table" by moves_are_allowed_from_the_statuses_of_the_table;
        "lifecycle.attempts" by the_last_attempt_fails_for_good;
        "lifecycle.attempts" by a_permanent_failure_is_never_tried_again;
        "cancel.yields" by what_would_go_back_yields_to_a_cancel_request_and_an_end_does_not;
    }
    in "crates/taskstore-core/src/lifecycle/ending.rs" {
        "lifecycle.lost" by a_lost_lease_says_so;
        "sweep.put_back" by what_was_astray_goes_back_uncharged_and_suspect;
    }
    in "crates/taskstore-core/src/watcher.rs" {
        "watcher.dead" by a_lease_is_dead_after_its_whole_length_without_a_beat;
        "watcher.dead" by a_lease_that_beats_never_dies;
        "watcher.gap" by a_gap_in_the_reads_starts_the_watch_anew;
        "watcher.gap" by a_slow_read_is_a_gap;
        "watcher.gap" by a_failed_read_starts_the_watch_anew;
        "watcher.gap" by a_lease_that_was_out_of_sight_is_watched_anew;
        "watcher.gap" by a_refused_take_over_starts_the_watch_anew;
        "watcher.soon" by a_crash_is_seen_within_one_and_a_half_lengths;
    }
    in "crates/taskstore-core/src/store/tests/bulk.rs" {
        "bulk.all" by every_verb_moves_all_that_match_and_nothing_else;
        "bulk.all" by what_is_enqueued_meanwhile_is_left_alone;
        "bulk.once" by a_requeue_of_failures_that_fail_again_meanwhile_ends;
        "bulk.counts" by ids_are_answered_one_by_one_each_once;
        "bulk.counts" by a_status_that_moved_on_is_a_refusal;
        "bulk.goes_on" by an_outage_says_how_far_it_came_and_saying_it_again_goes_on;
        "bulk.asked" by bad_input_is_named_and_nothing_is_done;
    }
    in "crates/taskstore-core/src/retention.rs" {
        "retention.idle" by a_walk_goes_on_where_it_ended;
        "retention.kept" by queues_that_keep_as_long_are_one_walk_and_those_that_keep_for_ever_are_none;
        "retention.refused" by what_cannot_be_is_refused_and_named;
    }
    in "crates/taskstore-core/src/store/tests/retention.rs" {
        "retention.kept" by each_status_and_queue_is_kept_for_as_long_as_was_said;
        "retention.kept" by a_task_that_is_requeued_begins_its_time_anew;
        "retention.live" by what_waits_runs_or_is_paused_is_never_touched;
        "retention.deleted" by soft_deleted_tasks_have_a_time_of_their_own_which_begins_when_they_are_deleted;
        "retention.runners" by runners_purge_what_is_over_once_for_each_process_and_stop_with_the_last_one;
        "retention.runners" by an_outage_in_a_round_is_made_up_for_in_the_next;
        "retention.idle" by with_nothing_over_it_asks_a_few_times_an_hour_and_not_at_all_without_a_policy;
        "retention.idle" by what_was_looked_through_is_not_looked_at_again;
        "retention.refused" by a_retention_that_cannot_be_opens_no_store;
    }
    in "crates/taskstore-core/tests/runner/modes.rs" {
        "runner.serial" by serial_means_one_at_a_time_in_order;
        "runner.concurrency" by ten_run_at_the_same_time_by_default_and_never_more;
        "runner.queues" by several_queues_are_served_in_the_order_named;
        "runner.once" by the_same_queue_is_not_served_twice_until_it_was_stopped;
        "runner.once" by a_pattern_overlaps_what_it_could_serve_and_stops_with_each_of_its_queues;
        "runner.weights" by queues_with_weights_share_a_runner_and_none_starves;
        "runner.limits" by a_queue_with_a_limit_never_runs_more_and_keeps_no_others_out;
        "runner.patterns" by queues_of_a_pattern_are_served_also_those_that_appear_later;
        "runner.resumes" by a_queue_that_is_resumed_is_served_at_once;
        "runner.wakes" by a_task_enqueued_while_the_runner_sleeps_is_picked_up_at_once;
        "runner.due" by a_delayed_task_runs_when_it_is_due_and_not_before;
    }
    in "crates/taskstore-core/tests/runner/outcomes.rs" {
        "runner.retries" by a_task_is_retried_until_it_succeeds;
        "runner.retries" by a_task_that_fails_too_often_fails;
        "runner.failures" by panics_time_outs_and_parameters_that_do_not_fit_are_failures_that_are_told;
        "runner.unknown" by an_unknown_alias_stays_queued_for_a_runner_that_knows_it;
        "runner.unknown" by a_definition_made_while_the_runner_runs_is_left_to_others;
        "runner.cancel" by a_cancel_reaches_a_running_task_and_it_ends_canceled;
        "runner.says" by what_a_handler_says_is_stored_while_it_runs;
    }
    in "crates/taskstore-core/tests/runner/middleware.rs" {
        "middleware.order" by the_first_that_was_added_is_the_outermost_of_every_kind_of_handler;
        "middleware.order" by a_command_line_and_a_test_store_run_within_it_too;
        "middleware.sees" by every_way_in_which_a_run_can_end_is_seen;
        "middleware.sees" by an_error_may_be_turned_into_another_or_into_a_success;
        "middleware.sees" by without_its_handler_a_task_ends_as_the_middleware_says_and_the_attempt_counts;
        "middleware.panic" by a_panic_in_a_middleware_is_a_failure_of_its_task_and_seen_by_those_around_it;
        "middleware.limits" by the_time_out_of_a_handler_does_not_count_what_is_around_it;
        "middleware.limits" by a_middleware_with_a_limit_of_its_own_drops_what_is_within;
        "middleware.limits" by a_blocking_handler_that_a_middleware_gave_up_is_told_and_waited_for;
        "middleware.dropped" by a_stop_that_drops_a_run_drops_the_middleware_too;
    }
    in "crates/taskstore-core/tests/runner/sweeping.rs" {
        "sweep.put_back" by what_lost_its_place_is_put_back_by_a_runner_and_told;
        "sweep.put_back" by what_can_never_run_fails_and_is_told;
        "sweep.put_back" by a_sweep_by_hand_says_what_it_did_and_a_healthy_store_has_nothing_to_say;
    }
    in "crates/taskstore-core/tests/runner/endings.rs" {
        "runner.snooze" by a_snooze_puts_a_task_off_without_costing_an_attempt;
        "runner.retry_in" by a_failure_may_name_its_own_delay;
        "runner.permanent" by a_permanent_failure_fails_at_once;
        "runner.cancel_inside" by a_handler_may_cancel_its_task_from_inside;
        "runner.former_alias" by a_renamed_handler_runs_the_tasks_that_wait_under_its_former_alias;
        "runner.told" by a_handler_is_told_everything_about_its_run;
    }
    in "crates/taskstore-core/tests/runner/terms.rs" {
        "runner.expires" by a_task_that_nobody_began_in_time_is_discarded_unrun_and_is_no_failure;
        "runner.expires" by a_task_that_has_begun_in_time_is_retried_long_after;
        "runner.expires" by an_expired_task_that_a_person_asks_for_again_runs;
        "runner.expires" by what_was_dropped_in_its_run_has_begun;
        "runner.timeout" by a_tasks_own_time_out_wins_over_its_handlers;
    }
    in "crates/taskstore-core/tests/runner/batches.rs" {
        "runner.batches" by a_thousand_tasks_take_little_more_than_a_tenth_of_the_runs;
        "runner.batches" by tasks_of_a_former_alias_go_with_the_others;
        "runner.batch_ends" by each_task_of_a_batch_ends_by_its_own_answer;
        "runner.batch_ends" by what_ends_the_whole_run_is_the_end_of_each;
        "runner.batch_ends" by a_task_whose_parameters_do_not_fit_fails_alone;
        "runner.batch_ends" by keyed_tasks_of_a_batch_free_their_keys;
        "runner.batch_cancel" by a_cancel_reaches_its_own_task_only;
        "runner.batch_cancel" by a_stop_that_drops_a_batch_gives_each_task_back;
        "middleware.sees" by middleware_is_around_each_task_and_keeps_its_own_from_running;
        "middleware.limits" by middleware_that_lets_tasks_through_one_by_one_holds_up_nobody_for_ever;
        "middleware.limits" by a_task_that_middleware_gives_up_ends_only_when_its_batch_has_ended;
    }
    in "crates/taskstore-core/tests/runner/stopping.rs" {
        "runner.stop" by stop_lets_running_tasks_finish_and_gives_back_the_rest;
        "runner.deadline" by a_handler_that_ignores_the_stop_is_dropped_and_its_task_goes_back;
        "runner.named" by a_blocking_handler_that_ignores_the_stop_is_named_and_saved_when_it_ends;
    }
    in "crates/taskstore-core/tests/tracing/main.rs" {
        "trace.follows" by a_task_is_followed_by_its_id_from_the_producer_to_the_end;
        "trace.follows" by each_attempt_has_a_span_and_its_failure_is_told_in_it;
        "trace.follows" by a_handler_that_blocks_is_in_its_span_on_its_own_thread;
        "trace.follows" by a_run_that_was_dropped_ends_released_in_its_span;
        "trace.follows" by many_tasks_share_a_span_in_which_each_has_its_id_and_a_duplicate_says_so;
    }
    in "crates/taskstore-core/src/runner/machine/tests/claiming.rs" {
        "runner.hints" by a_hint_during_a_claim_that_comes_back_empty_is_not_lost;
        "runner.due" by the_sleep_ends_exactly_when_the_next_task_is_due;
        "runner.never_hoards" by slow_tasks_are_not_claimed_ahead;
        "runner.never_hoards" by prefetched_tasks_that_wait_too_long_go_back;
        "runner.recalls" by a_claim_whose_reply_was_lost_is_recalled_and_never_sent_again;
        "runner.backs_off" by a_store_that_is_away_is_asked_ever_less_often_and_loudly;
        "runner.drain" by a_run_once_ends_when_nothing_is_due_and_all_is_saved;
    }
    in "crates/taskstore-core/src/runner/machine/tests/expiry.rs" {
        "runner.expires" by what_it_is_too_late_to_start_is_discarded_and_takes_no_slot;
        "runner.expires" by what_the_answer_took_and_the_task_waited_here_is_taken_off;
        "runner.expires" by what_may_have_begun_is_started_however_late;
    }
    in "crates/taskstore-core/src/runner/machine/tests/gathering.rs" {
        "runner.batches" by what_is_there_starts_as_one_batch_when_no_more_will_come;
        "runner.batches" by a_batch_that_is_not_full_waits_for_one_more_claim_which_asks_for_what_is_missing;
        "runner.batches" by a_claim_that_brings_others_lets_the_batch_start_as_it_is;
        "runner.batches" by a_batch_takes_one_slot_until_its_last_task_has_ended;
        "runner.batches" by a_batch_lingers_as_long_as_its_handler_waits_and_no_longer;
        "runner.batches" by the_pace_counts_tasks_and_not_batches;
        "runner.batch_ends" by a_suspect_runs_alone_and_its_batch_without_it;
        "runner.batch_cancel" by a_lost_lease_and_a_cancel_reach_their_own_tasks_only;
        "runner.batch_cancel" by a_stop_gives_back_what_waits_for_company_and_drops_a_batch_task_by_task;
    }
    in "crates/taskstore-core/src/runner/machine/tests/weights.rs" {
        "runner.queues" by without_a_weight_queues_are_served_strictly_in_the_order_named;
        "runner.weights" by over_many_claims_each_queue_that_has_work_gets_its_share_by_weight;
        "runner.weights" by the_lightest_queue_does_not_starve;
        "runner.weights" by a_queue_without_work_leaves_its_share_to_the_others_by_their_weights;
        "runner.weights" by a_queue_that_had_no_work_for_long_saves_up_no_claim_on_it;
    }
    in "crates/taskstore-core/src/runner/machine/tests/limits.rs" {
        "runner.limits" by no_more_than_its_limit_run_however_many_were_claimed;
        "runner.limits" by what_a_full_queue_holds_keeps_no_other_work_out;
        "runner.limits" by a_full_queue_is_prefetched_at_its_own_pace_and_others_at_theirs;
    }
    in "crates/taskstore-core/src/runner/machine/tests/patterns.rs" {
        "runner.patterns" by a_queue_never_seen_before_is_found_at_a_hint;
        "runner.patterns" by while_queues_are_full_new_ones_are_looked_for_now_and_then;
        "runner.idle" by an_idle_runner_looks_once_a_poll_and_claims_nothing;
        "runner.drain" by a_run_once_finds_what_its_tasks_enqueued_into_queues_never_seen_before;
    }
    in "crates/taskstore-core/src/runner/machine/tests/saving.rs" {
        "complete.together" by what_its_handler_has_saved_itself_is_counted_and_saved_by_nobody_else;
        "runner.repeats" by a_batch_whose_reply_was_lost_is_sent_again_as_it_was_before_anything_else;
        "runner.bisects" by one_bad_value_harms_only_its_own_task;
        "runner.keeps" by a_result_is_kept_however_long_the_store_is_away;
        "runner.keeps" by a_lease_is_kept_alive_until_its_last_task_is_saved;
        "runner.lost" by what_waits_under_a_lost_lease_is_forgotten_and_what_runs_is_told;
        "runner.silent" by nothing_starts_that_was_not_heard_of_for_the_length_of_its_lease;
        "runner.silent" by what_was_recalled_starts_when_a_heartbeat_says_that_it_is_alive;
        "runner.never_two" by a_task_that_came_back_waits_until_its_former_run_here_has_ended;
        "runner.cancel" by a_cancel_request_fires_the_token_of_what_runs_once_and_gives_back_what_waits;
    }
    in "crates/taskstore-core/src/runner/machine/tests/stopping.rs" {
        "runner.stop" by a_stop_gives_back_what_waits_and_lets_what_runs_finish;
        "runner.stop" by stopping_twice_is_stopping_once;
        "runner.deadline" by tokens_fire_at_the_deadline_and_futures_are_dropped_after_the_grace;
        "runner.named" by what_cannot_be_dropped_is_named_and_saved_when_it_ends;
        "runner.saved" by a_stop_waits_for_the_store;
    }
    in "crates/taskstore-core/src/runner/machine/tests/suspects.rs" {
        "runner.isolates" by a_suspect_is_isolated_before_it_runs;
        "runner.isolates" by a_suspect_whose_lease_was_lost_meanwhile_does_not_run;
        "runner.isolates" by suspects_run_one_after_another_and_others_beside_them;
    }
    in "crates/taskstore-core/src/runner/simulation/mod.rs" {
        "runner.fleet" by whatever_fails_everything_ends_once_and_nothing_is_charged_that_did_not_start;
    }
    in "crates/taskstore/tests/run.rs" {
        "runner.batches" by a_thousand_tasks_on_sqlite_take_few_runs_with_default_settings;
    }
    in "tests/tests/metrics/main.rs" {
        "metrics.ends" by tasks_are_counted_from_enqueue_to_every_end;
        "metrics.ends" by a_cancel_from_elsewhere_and_a_release_are_counted_as_what_they_came_to;
        "metrics.holds" by gauges_show_what_runs_and_what_is_held_and_fall_back_to_nothing;
        "metrics.wait" by a_wait_is_the_time_since_the_task_was_due_by_the_clock_of_the_store;
        "metrics.trouble" by claims_their_sizes_and_errors_of_the_store_are_counted;
        "metrics.trouble" by a_lease_that_is_lost_and_taken_over_is_counted_on_both_sides;
    }
    in "tests/tests/faults/outage.rs" {
        "runner.keeps" by an_outage_longer_than_the_lease_loses_no_result_and_runs_nothing_twice;
        "runner.saved" by a_stop_during_an_outage_returns_when_everything_is_saved;
    }
    in "tests/tests/faults/replies.rs" {
        "runner.repeats" by lost_requests_and_replies_run_nothing_twice_and_lose_nothing;
        "runner.recalls" by lost_requests_and_replies_run_nothing_twice_and_lose_nothing;
    }
    in "tests/tests/faults/lost_lease.rs" {
        "runner.lost" by a_runner_that_is_not_heard_of_loses_its_tasks_and_is_told;
    }
    in "tests/tests/faults/user_transaction.rs" {
        "runner.elsewhere" by a_long_transaction_elsewhere_costs_no_living_runner_its_lease;
    }
    in "crates/taskstore-postgres/tests/server/within.rs" {
        "within.ours" by a_connection_without_a_transaction_is_refused;
        "within.ours" by a_transaction_in_another_database_is_refused;
        "complete.open" by a_transaction_that_stays_open_costs_nobody_else_a_lease;
        "unique.held" by who_waits_for_a_key_waits_alone_and_not_for_ever;
    }
    in "crates/taskstore-postgres/tests/server/pay.rs" {
        "complete.crash" by a_process_killed_between_effect_and_end_has_done_it_once;
    }
    in "crates/taskstore-core/src/runner/machine/tests/alone.rs" {
        "complete.open" by a_task_that_runs_gets_a_lease_of_its_own_which_is_kept_alive_and_settled_by;
        "complete.open" by an_end_waits_until_it_is_known_under_which_lease_it_is_to_be_saved;
        "complete.open" by a_shared_lease_that_ends_because_its_last_task_left_it_cancels_nobody;
    }
    in "crates/taskstore-sqlite/tests/within.rs" {
        "within.ours" by a_connection_without_a_transaction_is_refused;
        "within.ours" by a_connection_to_another_file_is_refused;
        "within.checked" by an_error_half_way_leaves_nothing_and_the_transaction_goes_on;
        "within.notice" by a_notice_wakes_a_runner_that_hears_nothing_else;
        "runner.elsewhere" by a_lock_that_cannot_be_had_is_an_error_that_says_what_to_do;
    }
    in "crates/taskstore-mysql/tests/within.rs" {
        "within.ours" by a_connection_without_a_transaction_is_refused;
        "within.ours" by a_transaction_of_another_database_is_refused;
        "within.checked" by an_error_half_way_leaves_nothing_and_the_transaction_goes_on;
        "within.unique" by an_old_snapshot_does_not_hide_what_has_been_committed_since;
        "within.again" by an_old_snapshot_does_not_hide_what_has_been_committed_since;
        "within.notice" by a_notice_wakes_a_runner_that_looks_once_an_hour;
        "complete.together" by many_transactions_at_once_lose_nothing_and_do_nothing_twice;
    }
    in "crates/taskstore-mysql/tests/within_locks.rs" {
        "complete.neighbours" by an_open_completion_at_repeatable_read_holds_up_nobody;
        "complete.neighbours" by an_open_completion_at_read_committed_holds_up_nobody;
        "complete.rolled_back" by a_completion_that_is_rolled_back_late_costs_no_lease;
        "runner.elsewhere" by an_open_enqueue_at_repeatable_read_holds_up_nobody;
    }
    in "tests/tests/fleet/complete.rs" {
        "complete.crash" by a_process_killed_between_effect_and_end_has_done_it_once;
    }
    in "tests/tests/fleet/kill.rs" {
        "runner.fleet" by a_fleet_loses_nothing_to_kills_and_stops;
    }
    in "tests/tests/fleet/ctrl_c.rs" {
        "runner.impatient" by a_second_ctrl_c_ends_the_process_at_once_and_the_first_does_not;
    }
    in "tests/tests/fleet/bulk.rs" {
        "bulk.goes_on" by bulk_actions_killed_half_way_leave_nothing_half_done_and_go_on;
    }
    in "tests/tests/fleet/poison.rs" {
        "runner.guilty" by a_task_that_kills_its_process_fails_and_costs_its_neighbours_nothing;
    }
    in "tests/tests/fleet/burn.rs" {
        "runner.beats" by handlers_that_burn_every_thread_lose_no_lease;
    }
}
