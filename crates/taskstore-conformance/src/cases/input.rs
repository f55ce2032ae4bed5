//! Hostile texts and values at their limits. They come in checked for length and free of NUL, and
//! must come out as they went in.

use taskstore_core::{
    Status,
    backend::{Claim, Known, Move},
    limits::{ERROR_BYTES_MAX, OUTPUT_BYTES_MAX, PARAMETERS_BYTES_MAX},
};

use crate::context::{Context, at, canceled, failed, ids, json, output, queue, requeue, success};

cases! { "input":
    given_hostile_texts_in_parameters_when_claimed_then_they_are_as_they_were ["input.text"];
    given_a_nul_escape_in_json_when_stored_then_it_comes_back ["input.text"];
    given_json_of_every_kind_when_stored_then_nobody_reformats_it ["input.json"];
    given_a_number_that_no_float_holds_when_stored_then_every_digit_is_kept ["input.json"];
    given_parameters_of_a_megabyte_when_stored_then_they_are_whole ["input.limits"];
    given_an_output_of_a_megabyte_when_settled_then_it_is_whole ["input.limits"];
    given_hostile_errors_and_reasons_when_settled_then_they_are_as_they_were ["input.text"];
    given_the_longest_error_when_settled_then_it_is_whole ["input.limits"];
    given_names_at_their_limit_when_used_then_tasks_are_found_under_them
        ["input.limits" "input.names"];
    given_hostile_queue_names_when_used_then_they_are_only_names ["input.names"];
    given_queue_names_that_are_patterns_when_claimed_then_only_the_equal_one_gives
        ["input.names" "claim.queues"];
    given_many_ids_in_one_call_when_moved_then_all_are_answered ["input.limits"];
    given_many_unknown_definitions_when_claimed_then_the_rest_is_taken
        ["claim.known" "input.limits"];
}

/// Texts that break what quotes, escapes, patterns or encodes carelessly.
pub(super) const HOSTILE: [&str; 14] = [
    "",
    " ",
    "'; DROP TABLE task; --",
    "\"quoted\" 'single' `back`",
    "back\\slash \\n \\0 \\u0000 \\",
    "%s %d {} {0} $1 ?1 :name @p",
    "100% _under_ *star* [set]",
    "line\nbreak\r\nand\ttab",
    "\u{1}\u{7f}\u{80}\u{9f}",
    "äöü ß é e\u{301} ﬁ",
    "🦀👩‍👩‍👧‍👦🇩🇪",
    "\u{feff}bom \u{200b}zero \u{202e}rtl",
    "\u{10ffff}\u{fffd}\u{e000}",
    "NULL",
];

/// The text as JSON.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Stores a task with these parameters, and sees that they come back the same, byte by byte.
async fn comes_back(c: &Context, parameters: &str) {
    let mut task = c.new_task().await;
    task.parameters = json(parameters);
    let id = c.store(task).await;
    assert_eq!(c.task(id).await.parameters.get(), parameters);
    let taken = c.take_one().await;
    assert_eq!(taken.parameters.get(), parameters);
    c.end(taken.lease, output(parameters), Status::Success).await;
    assert_eq!(c.task(id).await.output.unwrap().get(), parameters, "as an output, too");
}

async fn given_hostile_texts_in_parameters_when_claimed_then_they_are_as_they_were(c: &Context) {
    for text in HOSTILE {
        comes_back(c, &quoted(text)).await;
        comes_back(c, &format!("{{{}:[{}]}}", quoted(text), quoted(text))).await;
    }
}

async fn given_a_nul_escape_in_json_when_stored_then_it_comes_back(c: &Context) {
    comes_back(c, r#"{"a\u0000b":"\u0000","c":"\ud83e\udd80 \ud800"}"#).await;
}

async fn given_json_of_every_kind_when_stored_then_nobody_reformats_it(c: &Context) {
    for text in [
        "null",
        "true",
        "0",
        "-0",
        "\"\"",
        "[]",
        "{}",
        "[ 1,2 ,  3 ]",
        r#"{"b":1,"a":2,"b":3}"#,
        "{\n\t\"a\" : 1\r\n}",
    ] {
        comes_back(c, text).await;
    }
}

async fn given_a_number_that_no_float_holds_when_stored_then_every_digit_is_kept(c: &Context) {
    for text in ["12345678901234567890123", "0.1000000000000000055511151231257827", "1e400"] {
        comes_back(c, text).await;
    }
}

async fn given_parameters_of_a_megabyte_when_stored_then_they_are_whole(c: &Context) {
    comes_back(c, &quoted(&"p".repeat(PARAMETERS_BYTES_MAX - 2))).await;
    comes_back(c, &quoted(&"🦀".repeat((PARAMETERS_BYTES_MAX - 2) / 4))).await;
}

async fn given_an_output_of_a_megabyte_when_settled_then_it_is_whole(c: &Context) {
    let running = c.running().await;
    let whole = quoted(&"o".repeat(OUTPUT_BYTES_MAX - 2));
    c.end(running.lease, output(&whole), Status::Success).await;
    assert!(c.task(running.lease.task).await.output.unwrap().get() == whole);
    let attempts = c.attempts(running.lease.task).await;
    assert!(attempts[0].output.as_ref().unwrap().get() == whole);
}

async fn given_hostile_errors_and_reasons_when_settled_then_they_are_as_they_were(c: &Context) {
    for text in HOSTILE.into_iter().filter(|text| !text.is_empty()) {
        let running = c.running().await;
        c.end(running.lease, failed(text), Status::Failed).await;
        assert_eq!(c.task(running.lease.task).await.last_error.as_deref(), Some(text));
        let running = c.running().await;
        c.end(running.lease, canceled(text), Status::Canceled).await;
        assert_eq!(c.attempts(running.lease.task).await[0].error.as_deref(), Some(text));
        let waiting = c.ready(1).await[0];
        c.control(waiting, Move::Cancel { reason: text.to_owned() }).await;
        assert_eq!(c.task(waiting).await.last_error.as_deref(), Some(text));
    }
}

async fn given_the_longest_error_when_settled_then_it_is_whole(c: &Context) {
    for text in ["e".repeat(ERROR_BYTES_MAX), "🦀".repeat(ERROR_BYTES_MAX / 4)] {
        let running = c.running().await;
        c.end(running.lease, failed(&text), Status::Failed).await;
        assert_eq!(c.task(running.lease.task).await.last_error, Some(text));
    }
}

/// A task in the queue of this name is found there, and says so.
async fn found_under(c: &Context, name: &str) {
    let mut task = c.new_task().await;
    task.queue = queue(name);
    let id = c.store(task).await;
    c.put_queue(&queue(name), true).await;
    let claim = || Claim::new(c.runner, [queue(name)], 5).at(at(0));
    assert!(c.claim(&claim()).await.tasks.is_empty(), "{name:?} is paused");
    c.put_queue(&queue(name), false).await;
    let taken = c.claim(&claim()).await.tasks;
    assert_eq!(ids(&taken), [id], "{name:?}");
    assert_eq!(taken[0].queue.as_str(), name);
    assert_eq!(c.task(id).await.queue.as_str(), name);
}

async fn given_names_at_their_limit_when_used_then_tasks_are_found_under_them(c: &Context) {
    found_under(c, &"q".repeat(64)).await;
    found_under(c, &format!("{}r", "q".repeat(63))).await;
    found_under(c, "q").await;
    let long = c.define(&"a".repeat(128)).await;
    let task = taskstore_core::backend::NewTask::new(long.id, json("{}"));
    let id = c.store(task).await;
    assert_eq!(c.task(id).await.alias, long.alias);
}

async fn given_hostile_queue_names_when_used_then_they_are_only_names(c: &Context) {
    for name in ["';--", "\"", "`", "\\", "$1", "?", "%", "_", "*", "NULL", "null", "0", "[x]"] {
        found_under(c, name).await;
    }
}

async fn given_queue_names_that_are_patterns_when_claimed_then_only_the_equal_one_gives(
    c: &Context,
) {
    c.ready(1).await;
    for name in ["%", "_efault", "d*", "DEFAULT", "default%", "def"] {
        let claim = Claim::new(c.runner, [queue(name)], 5).at(at(0));
        assert!(c.claim(&claim).await.tasks.is_empty(), "{name:?}");
    }
    c.take(1).await;
}

async fn given_many_ids_in_one_call_when_moved_then_all_are_answered(c: &Context) {
    use taskstore_core::backend::{Control, Outcome};
    let all = c.ready(2_000).await;
    let outcomes = c.control_all(&Control::new(all.clone(), Move::Pause)).await;
    let moved = Outcome::Moved { from: Status::Queued, to: Status::Paused };
    assert_eq!(outcomes, vec![moved; 2_000]);
    let outcomes = c.control_all(&Control::new(all.clone(), requeue())).await;
    assert_eq!(outcomes, vec![Outcome::Refused(Status::Paused); 2_000]);
    c.control_all(&Control::new(all.clone(), Move::Resume).at(at(0))).await;
    c.promote(2_000, at(0)).await;
    assert_eq!(ids(&c.take(2_000).await), all);
}

async fn given_many_unknown_definitions_when_claimed_then_the_rest_is_taken(c: &Context) {
    let nobody_s: Vec<_> = (0..500).map(|_| taskstore_core::DefinitionId::new()).collect();
    let id = c.ready(1).await[0];
    let mut claim = c.claim_of(5);
    claim.known = Known::Only(nobody_s.clone());
    assert!(c.claim(&claim).await.tasks.is_empty());
    let mut claim = c.claim_of(5);
    claim.known = Known::Except(nobody_s);
    let taken = c.claim(&claim).await.tasks;
    assert_eq!(ids(&taken), [id]);
    c.end(taken[0].lease, success(), Status::Success).await;
}
