//! Tasks that people enqueue with plain SQL, without a line of the project's code.

use std::time::Duration;

use taskstore_core::{
    DefinitionStatus, Status, Task, TaskId, UniqueHash,
    backend::{Enqueued, Expect, TaskFilter, TaskOrder, TaskQuery, When},
    clock,
    limits::PARAMETERS_BYTES_MAX,
};

use super::input::HOSTILE;
use crate::{
    Plain, PlainEnd,
    context::{Context, at, ids, json, ok, queue, secs, success},
};

cases! { "plain":
    given_an_alias_and_parameters_when_inserted_then_it_is_a_task_like_any_other
        needs PlainSql ["plain.stored"];
    given_every_column_when_inserted_then_all_of_them_are_kept needs PlainSql ["plain.stored"];
    given_nulls_when_inserted_then_they_mean_the_defaults needs PlainSql ["plain.stored"];
    given_a_delay_when_inserted_then_it_waits_so_many_seconds needs PlainSql ["plain.stored"];
    given_times_as_text_when_inserted_then_it_runs_at_them_to_the_microsecond
        needs PlainSql ["plain.stored"];
    given_terms_when_inserted_then_the_claim_tells_them needs PlainSql ["plain.stored"];
    given_hostile_texts_when_inserted_then_they_are_as_they_were
        needs PlainSql ["plain.stored" "input.text"];
    given_several_in_a_transaction_when_claimed_then_they_come_in_their_order
        needs PlainSql ["plain.order" "plain.transaction"];
    given_a_transaction_that_is_rolled_back_when_looked_for_then_there_is_nothing
        needs PlainSql ["plain.transaction"];
    given_values_that_cannot_be_when_inserted_then_they_are_refused_by_name
        needs PlainSql ["plain.checked"];
    given_values_at_their_limits_when_inserted_then_they_are_stored
        needs PlainSql ["plain.checked" "plain.stored"];
    given_an_alias_that_cannot_be_enqueued_when_inserted_then_it_is_refused
        needs PlainSql ["plain.checked"];
    given_a_good_row_before_a_bad_one_when_inserted_then_neither_is_there
        needs PlainSql ["plain.checked" "plain.transaction"];
    given_an_id_that_is_there_when_inserted_again_then_nothing_changes
        needs PlainSql ["plain.again"];
    given_a_unique_key_when_inserted_then_it_holds_or_is_refused needs PlainSql ["plain.unique"];
}

fn text(text: impl Into<String>) -> Plain {
    Plain::Text(text.into())
}

impl Context {
    /// Enqueues a row that must be stored, and finds the task.
    async fn insert(&self, columns: &[(&'static str, Plain)]) -> Task {
        let before: Vec<TaskId> = self.newest().await.iter().map(|task| task.id).collect();
        let row = self.plain_row(columns).await;
        ok_plain(self.plain(&[row], PlainEnd::Commit).await);
        let mut fresh = self.newest().await;
        fresh.retain(|task| !before.contains(&task.id));
        assert_eq!(fresh.len(), 1, "one task came");
        fresh.remove(0)
    }

    /// Enqueues a row that must be refused with a word that names `field`, and leaves nothing.
    async fn refuses_plain(&self, field: &str, columns: &[(&'static str, Plain)]) {
        let before = self.newest().await.len();
        let row = self.plain_row(columns).await;
        match self.plain(&[row], PlainEnd::Commit).await {
            Ok(()) => panic!("{columns:?} was stored"),
            Err(why) => assert!(why.contains(field), "{columns:?}: {why:?} does not name {field}"),
        }
        assert_eq!(self.newest().await.len(), before, "{columns:?} left a task");
    }

    async fn newest(&self) -> Vec<Task> {
        let query = TaskQuery::new(TaskFilter::default(), TaskOrder::NewestFirst, 1_000);
        ok("tasks", self.backend().tasks(&query).await).items
    }
}

fn ok_plain(answer: Result<(), String>) {
    if let Err(why) = answer {
        panic!("plain SQL was refused: {why}");
    }
}

async fn given_an_alias_and_parameters_when_inserted_then_it_is_a_task_like_any_other(c: &Context) {
    let given = r#"{"to": "me",  "n": 1.50}"#;
    let seen = c.insert(&[("parameters", text(given))]).await;
    assert_eq!(seen.parameters.get(), given, "byte by byte");
    assert_eq!((seen.status, &seen.queue), (Status::Queued, &queue("default")));
    assert_eq!(seen.definition, c.definition().await.id);
    assert_eq!((seen.priority, seen.max_attempts, seen.attempts), (0, None, 0));
    let off = (clock::now() - seen.created_at).abs();
    assert!(off < secs(600), "the engine's clock is {off} off");
    assert_eq!((seen.run_at, seen.updated_at), (seen.created_at, seen.created_at));
    let made = seen.id.ulid().timestamp_ms();
    let stamped = u64::try_from(clock::to_micros(seen.created_at) / 1_000).unwrap();
    assert_eq!(made, stamped, "the id is of the time of enqueue");
    let taken = c.take_one().await;
    assert_eq!((taken.lease.task, taken.parameters.get()), (seen.id, given));
    assert!(!taken.keyed);
    c.end(taken.lease, success(), Status::Success).await;
    c.nothing_to_claim().await;
}

async fn given_every_column_when_inserted_then_all_of_them_are_kept(c: &Context) {
    let id = TaskId::new();
    let columns = [
        ("id", text(id.to_string())),
        ("queue", text("mail")),
        ("priority", Plain::Integer(-7)),
        ("max_attempts", Plain::Integer(3)),
        ("delay", Plain::Integer(60)),
    ];
    let seen = c.insert(&columns).await;
    assert_eq!((seen.id, &seen.queue), (id, &queue("mail")));
    assert_eq!((seen.priority, seen.max_attempts), (-7, Some(3)));
    assert_eq!(seen.run_at, seen.created_at + secs(60));
}

async fn given_nulls_when_inserted_then_they_mean_the_defaults(c: &Context) {
    let names = ["id", "parameters", "queue", "priority", "delay", "run_at", "max_attempts"];
    let nulls: Vec<_> = names.iter().chain(&["unique_key"]).map(|n| (*n, Plain::Null)).collect();
    let seen = c.insert(&nulls).await;
    assert_eq!(seen.parameters.get(), "null");
    assert_eq!((seen.queue, seen.priority, seen.max_attempts), (queue("default"), 0, None));
    assert_eq!(seen.run_at, seen.created_at);
    assert_eq!(c.insert(&[("queue", text(""))]).await.queue, queue("default"));
}

async fn given_a_delay_when_inserted_then_it_waits_so_many_seconds(c: &Context) {
    let seen = c.insert(&[("delay", Plain::Real(90.5))]).await;
    assert_eq!(seen.run_at, seen.created_at + Duration::from_micros(90_500_000));
    assert_eq!(seen.status, Status::Queued);
    c.nothing_to_claim().await;
    c.promote(10, seen.run_at - Duration::from_micros(1)).await;
    c.nothing_to_claim().await;
    assert_eq!(c.take_due(seen.run_at).await.lease.task, seen.id);
    let now = c.insert(&[("delay", Plain::Integer(0))]).await;
    assert_eq!(c.take_one().await.lease.task, now.id);
}

async fn given_times_as_text_when_inserted_then_it_runs_at_them_to_the_microsecond(c: &Context) {
    // What has passed is ready at once.
    let past = [
        ("2023-11-14 22:13:20", 0),
        ("2023-11-14 22:13:20.000001", 1),
        ("2023-11-14 22:13:19.999999", -1),
        ("2023-11-14 22:13:20.5", 500_000),
    ];
    for (given, micros) in past {
        let seen = c.insert(&[("run_at", text(given))]).await;
        let expected = clock::from_micros(clock::to_micros(at(0)) + micros);
        assert_eq!(seen.run_at, expected, "{given}");
        assert_eq!(c.take_one().await.lease.task, seen.id, "{given} has passed");
    }
    let to_come = clock::truncate(clock::now() + secs(3_600));
    let given = format!(
        "{} {:02}:{:02}:{:02}.{:06}",
        to_come.date(),
        to_come.hour(),
        to_come.minute(),
        to_come.second(),
        to_come.microsecond()
    );
    let seen = c.insert(&[("run_at", text(given))]).await;
    assert_eq!(seen.run_at, to_come);
    c.nothing_to_claim().await;
    assert_eq!(c.take_due(to_come).await.lease.task, seen.id);
}

async fn given_terms_when_inserted_then_the_claim_tells_them(c: &Context) {
    let terms = [("expires_in", Plain::Real(30.25)), ("timeout", Plain::Real(1.5))];
    let seen = c.insert(&terms).await;
    let taken = c.take_one().await;
    assert_eq!(taken.timeout, Some(Duration::from_millis(1_500)));
    assert_eq!(
        taken.start_by.map(|start| start.at),
        Some(seen.created_at + Duration::from_micros(30_250_000))
    );
    let at_last = [
        ("delay", Plain::Integer(60)),
        ("expires_at", text("2099-12-31 23:59:59.000001")),
        ("timeout", Plain::Integer(7)),
    ];
    let seen = c.insert(&at_last).await;
    let taken = c.take_due(seen.run_at).await;
    let last = clock::from_micros(4_102_444_799_000_001);
    assert_eq!(taken.start_by.map(|start| start.at), Some(last));
    assert_eq!(taken.timeout, Some(secs(7)));
    c.insert(&[("expires_at", Plain::Null), ("expires_in", Plain::Null), ("timeout", Plain::Null)])
        .await;
    let taken = c.take_one().await;
    assert_eq!((taken.start_by.is_none(), taken.timeout), (true, None));
}

async fn given_hostile_texts_when_inserted_then_they_are_as_they_were(c: &Context) {
    for hostile in HOSTILE {
        let given = serde_json::to_string(hostile).unwrap();
        let seen = c.insert(&[("parameters", text(given.clone()))]).await;
        assert_eq!(seen.parameters.get(), given);
        assert_eq!(c.take_one().await.parameters.get(), given);
    }
}

async fn given_several_in_a_transaction_when_claimed_then_they_come_in_their_order(c: &Context) {
    let mut rows = Vec::new();
    // So many that some are stored within the same millisecond.
    for n in 0..200 {
        rows.push(c.plain_row(&[("parameters", text(n.to_string()))]).await);
    }
    let before = c.plain(&rows[..100], PlainEnd::Commit).await;
    ok_plain(before.and(c.plain(&rows[100..], PlainEnd::Commit).await));
    let taken = c.take(200).await;
    let order: Vec<_> = taken.iter().map(|task| task.parameters.get().to_owned()).collect();
    let expected: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    assert_eq!(order, expected);
    assert!(ids(&taken).is_sorted_by(|a, b| a < b), "their ids sort so too");
}

async fn given_a_transaction_that_is_rolled_back_when_looked_for_then_there_is_nothing(
    c: &Context,
) {
    let row = c.plain_row(&[]).await;
    ok_plain(c.plain(&[row.clone(), row], PlainEnd::Rollback).await);
    assert!(c.newest().await.is_empty());
    c.nothing_to_claim().await;
    c.insert(&[]).await;
    c.take_one().await;
}

async fn given_values_that_cannot_be_when_inserted_then_they_are_refused_by_name(c: &Context) {
    use Plain::{Integer, Null, Real};
    let too_long = format!("\"{}\"", "x".repeat(PARAMETERS_BYTES_MAX - 1));
    let bad = [
        ("alias", Null),
        ("alias", text("")),
        ("alias", text("nobody.has.it")),
        ("alias", text("'; DROP TABLE task; --")),
        ("id", text("")),
        ("id", text("nonsense")),
        ("id", text("81ARZ3NDEKTSV4RRFFQ69G5FAV")),
        ("id", text("01ARZ3NDEKTSV4RRFFQ69G5FAU")),
        ("parameters", text("")),
        ("parameters", text("not json")),
        ("parameters", text("{\"a\":1")),
        ("parameters", text("{a:1}")),
        ("parameters", text("{} {}")),
        ("parameters", text("NaN")),
        ("parameters", text(too_long)),
        ("queue", text(" ")),
        ("queue", text("two words")),
        ("queue", text("ä")),
        ("queue", text("🦀")),
        ("queue", text("line\nbreak")),
        ("queue", text("q".repeat(65))),
        ("priority", Integer(-32_769)),
        ("priority", Integer(32_768)),
        ("priority", Integer(i64::MAX)),
        ("delay", Integer(-1)),
        ("delay", Real(-0.001)),
        ("delay", Integer(100 * 365 * 24 * 60 * 60 + 1)),
        ("delay", Integer(i64::MAX)),
        ("run_at", text("")),
        ("run_at", text("tomorrow")),
        ("run_at", text("2026-13-01 00:00:00")),
        ("run_at", text("2026-02-30 00:00:00")),
        ("run_at", text("2026-03-01 25:00:00")),
        ("run_at", text("9999-01-01 00:00:00")),
        ("expires_in", Integer(0)),
        ("expires_in", Real(-1.5)),
        ("expires_in", Integer(100 * 365 * 24 * 60 * 60 + 1)),
        ("expires_at", text("tomorrow")),
        ("expires_at", text("2026-02-30 00:00:00")),
        ("expires_at", text("9999-01-01 00:00:00")),
        ("timeout", Integer(0)),
        ("timeout", Integer(-1)),
        ("timeout", Integer(100 * 365 * 24 * 60 * 60 + 1)),
        ("max_attempts", Integer(0)),
        ("max_attempts", Integer(-1)),
        ("max_attempts", Integer(10_001)),
    ];
    for (field, value) in bad {
        c.refuses_plain(field, &[(field, value)]).await;
    }
    let both = [("delay", Integer(1)), ("run_at", text("2026-03-01 00:00:00"))];
    c.refuses_plain("run_at", &both).await;
    let both = [("expires_in", Integer(1)), ("expires_at", text("2099-01-01 00:00:00"))];
    c.refuses_plain("expires_at", &both).await;
    let never = [("delay", Integer(60)), ("expires_in", Integer(60))];
    c.refuses_plain("expires_in", &never).await;
    let never =
        [("run_at", text("2099-01-01 00:00:01")), ("expires_at", text("2099-01-01 00:00:00"))];
    c.refuses_plain("expires_at", &never).await;
    c.nothing_to_claim().await;
    c.insert(&[]).await;
}

async fn given_values_at_their_limits_when_inserted_then_they_are_stored(c: &Context) {
    use Plain::Integer;
    let longest = format!("\"{}\"", "x".repeat(PARAMETERS_BYTES_MAX - 2));
    let seen = c.insert(&[("parameters", text(longest.clone()))]).await;
    assert!(seen.parameters.get() == longest, "a megabyte is whole");
    let name = "~!".repeat(32);
    assert_eq!(c.insert(&[("queue", text(name.clone()))]).await.queue, queue(&name));
    for priority in [i16::MIN, i16::MAX] {
        let seen = c.insert(&[("priority", Integer(priority.into()))]).await;
        assert_eq!(seen.priority, priority);
    }
    for attempts in [1, 10_000] {
        let seen = c.insert(&[("max_attempts", Integer(attempts.into()))]).await;
        assert_eq!(seen.max_attempts, Some(attempts));
    }
    let seconds = 100 * 365 * 24 * 60 * 60;
    let seen = c.insert(&[("delay", Integer(seconds))]).await;
    assert_eq!(seen.run_at - seen.created_at, time::Duration::seconds(seconds));
}

async fn given_an_alias_that_cannot_be_enqueued_when_inserted_then_it_is_refused(c: &Context) {
    let mut definition = c.definition().await.clone();
    let mut change = |set: &dyn Fn(&mut taskstore_core::Definition)| {
        let expect = Expect::Unchanged { updated_at: definition.updated_at };
        set(&mut definition);
        definition.updated_at = clock::add(definition.updated_at, secs(1));
        (definition.clone(), expect)
    };
    let (canceled, expect) = change(&|is| is.status = DefinitionStatus::Canceled);
    ok("put_definition", c.backend().put_definition(&canceled, expect).await);
    c.refuses_plain("definition", &[]).await;
    let (deleted, expect) = change(&|is| {
        is.status = DefinitionStatus::Active;
        is.deleted_at = Some(is.updated_at);
    });
    ok("put_definition", c.backend().put_definition(&deleted, expect).await);
    c.refuses_plain("alias", &[]).await;
    let (restored, expect) = change(&|is| is.deleted_at = None);
    ok("put_definition", c.backend().put_definition(&restored, expect).await);
    c.insert(&[]).await;
    ok(
        "cancel",
        c.backend()
            .control(&taskstore_core::backend::Control::new(
                c.newest().await.iter().map(|task| task.id).collect(),
                crate::context::cancel(),
            ))
            .await,
    );
    ok("delete_definition", c.backend().delete_definition(definition.id).await);
    c.refuses_plain("alias", &[]).await;
}

async fn given_a_good_row_before_a_bad_one_when_inserted_then_neither_is_there(c: &Context) {
    let good = c.plain_row(&[]).await;
    let bad = c.plain_row(&[("priority", Plain::Integer(99_999))]).await;
    let answer = c.plain(&[good.clone(), bad], PlainEnd::Commit).await;
    assert!(answer.is_err_and(|why| why.contains("priority")));
    assert!(c.newest().await.is_empty());
    ok_plain(c.plain(&[good], PlainEnd::Commit).await);
    c.take_one().await;
}

async fn given_an_id_that_is_there_when_inserted_again_then_nothing_changes(c: &Context) {
    let id = TaskId::new();
    let row = [("id", text(id.to_string())), ("priority", Plain::Integer(1))];
    assert_eq!(c.insert(&row).await.id, id);
    let again = [
        ("id", text(id.to_string())),
        ("priority", Plain::Integer(2)),
        ("queue", text("other")),
        ("delay", Plain::Integer(9)),
    ];
    let again = c.plain_row(&again).await;
    let before = c.whole(id).await;
    ok_plain(c.plain(std::slice::from_ref(&again), PlainEnd::Commit).await);
    assert_eq!(c.whole(id).await, before);
    let taken = c.take_one().await;
    assert_eq!(taken.lease.task, id);
    c.end(taken.lease, success(), Status::Success).await;
    let before = c.whole(id).await;
    // The rest of what is sent with it is stored.
    let other = c.plain_row(&[("parameters", text("1"))]).await;
    ok_plain(c.plain(&[again, other], PlainEnd::Commit).await);
    assert_eq!(c.whole(id).await, before, "it stays ended");
    assert_eq!(c.take_one().await.parameters.get(), "1");
    c.nothing_to_claim().await;
    c.promote(10, clock::now() + secs(60)).await;
    c.nothing_to_claim().await;
}

async fn given_a_unique_key_when_inserted_then_it_holds_or_is_refused(c: &Context) {
    let keyed = c.plain_row(&[("unique_key", text("day 1"))]).await;
    match c.plain(&[keyed], PlainEnd::Commit).await {
        Err(why) => {
            assert!(why.contains("unique_key"), "{why}");
            assert!(c.newest().await.is_empty());
        }
        Ok(()) => {
            let seen = c.newest().await.remove(0);
            let mut task = c.new_task().await;
            let scope = c.definition().await.id.to_string();
            task.unique = Some(ok("unique key", UniqueHash::new(&scope, "day 1")));
            (task.when, task.parameters) = (When::Now, json("1"));
            assert_eq!(c.enqueue(&[task]).await, [Enqueued::Duplicate(seen.id)]);
        }
    }
}
