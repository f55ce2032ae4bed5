//! Kinds of work.

use taskstore_core::{
    Alias, Definition, DefinitionId, DefinitionStatus, Error, Status, TaskId,
    backend::{Cursor, DefinitionKey, DefinitionQuery, Expect, Move, NewTask, Outcome, Page},
    limits::{DESCRIPTION_BYTES_MAX, TITLE_CHARS_MAX},
};

use crate::context::{Context, at, cancel, json, ok, output, requeue, retry, secs, success};

cases! { "definition":
    given_a_definition_when_stored_then_it_is_found_whole ["definition.whole"];
    given_no_such_definition_when_looked_for_then_none ["definition.whole"];
    given_its_id_is_there_when_stored_as_absent_then_it_exists_already ["definition.absent"];
    given_its_alias_is_taken_when_stored_as_absent_then_it_exists_already
        ["definition.absent" "definition.alias"];
    given_a_definition_when_changed_as_it_was_read_then_the_change_is_stored
        ["definition.unchanged"];
    given_a_definition_changed_meanwhile_when_changed_then_it_is_not_found
        ["definition.unchanged"];
    given_no_such_definition_when_changed_then_it_is_not_found ["definition.unchanged"];
    given_a_change_to_a_taken_alias_when_stored_then_it_exists_already ["definition.alias"];
    given_a_deleted_definition_when_its_alias_is_used_again_then_it_is_free
        ["definition.alias"];
    given_a_deleted_definition_when_looked_for_then_only_its_id_finds_it
        ["definition.alias" "definition.whole"];
    given_an_alias_used_again_when_the_former_is_restored_then_it_exists_already
        ["definition.alias"];
    given_aliases_that_differ_in_case_when_stored_then_they_are_two
        ["definition.alias" "input.names"];
    given_many_definitions_when_listed_then_page_by_page_in_the_order_of_their_ids
        ["definition.pages"];
    given_deleted_definitions_when_listed_then_only_if_asked_for ["definition.pages"];
    given_a_cursor_of_nobody_when_definitions_are_listed_then_it_is_invalid ["definition.pages"];
    given_a_definition_that_nothing_needs_when_deleted_for_good_then_nothing_finds_it
        ["definition.delete" "definition.alias"];
    given_no_such_definition_when_deleted_for_good_then_it_is_not_found ["definition.delete"];
    given_a_live_task_in_any_place_when_its_definition_is_deleted_for_good_then_it_is_in_use
        ["definition.delete"];
    given_a_soft_deleted_running_task_when_its_definition_is_deleted_for_good_then_it_is_in_use
        ["definition.delete"];
    given_only_ended_tasks_when_their_definition_is_deleted_for_good_then_they_stay_and_show_its_alias
        ["definition.delete" "look.task"];
    given_a_definition_deleted_for_good_when_a_task_is_requeued_or_enqueued_then_it_is_refused
        ["definition.delete" "enqueue.definition"];
    given_a_definition_deleted_for_good_when_changed_or_stored_then_it_stays_gone
        ["definition.delete" "definition.unchanged" "definition.absent"];
    given_an_alias_that_changes_when_a_task_is_looked_at_then_it_shows_the_present_one
        ["look.task"];
    given_hostile_and_longest_texts_when_stored_then_they_are_as_they_were
        ["input.text" "input.limits"];
}

async fn by_id(c: &Context, id: DefinitionId) -> Option<Definition> {
    ok("definition", c.backend().definition(&DefinitionKey::Id(id)).await)
}

async fn by_alias(c: &Context, alias: &Alias) -> Option<Definition> {
    ok("definition", c.backend().definition(&DefinitionKey::Alias(alias.clone())).await)
}

fn fresh(alias: &str) -> Definition {
    let made = Definition::new(Alias::new(alias).unwrap());
    Definition { created_at: at(0), updated_at: at(0), ..made }
}

async fn put(c: &Context, definition: &Definition, expect: Expect) -> Result<(), Error> {
    c.backend().put_definition(definition, expect).await
}

const fn as_it_was(was: &Definition) -> Expect {
    Expect::Unchanged { updated_at: was.updated_at }
}

async fn given_a_definition_when_stored_then_it_is_found_whole(c: &Context) {
    let whole = Definition {
        title: "A title".into(),
        description: "What it does".into(),
        memo: "Ask Ada".into(),
        status: DefinitionStatus::Canceled,
        created_at: at(1),
        updated_at: at(2) + std::time::Duration::from_micros(345_678),
        ..fresh("mail.send")
    };
    ok("put", put(c, &whole, Expect::Absent).await);
    assert_eq!(by_id(c, whole.id).await.as_ref(), Some(&whole));
    assert_eq!(by_alias(c, &whole.alias).await, Some(whole));
}

async fn given_no_such_definition_when_looked_for_then_none(c: &Context) {
    c.define("other").await;
    assert_eq!(by_id(c, DefinitionId::new()).await, None);
    assert_eq!(by_alias(c, &Alias::new("othe").unwrap()).await, None);
}

async fn given_its_id_is_there_when_stored_as_absent_then_it_exists_already(c: &Context) {
    let first = c.define("one").await;
    let same_id = Definition { id: first.id, ..fresh("two") };
    let error = put(c, &same_id, Expect::Absent).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(by_id(c, first.id).await.unwrap(), first);
}

async fn given_its_alias_is_taken_when_stored_as_absent_then_it_exists_already(c: &Context) {
    let first = c.define("one").await;
    let second = fresh("one");
    let error = put(c, &second, Expect::Absent).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(by_id(c, second.id).await, None);
    assert_eq!(by_alias(c, &first.alias).await.unwrap(), first);
}

async fn given_a_definition_when_changed_as_it_was_read_then_the_change_is_stored(c: &Context) {
    let was = c.define("one").await;
    let changed = Definition {
        alias: Alias::new("two").unwrap(),
        title: "changed".into(),
        updated_at: was.updated_at + secs(1),
        ..was.clone()
    };
    ok("put", put(c, &changed, as_it_was(&was)).await);
    assert_eq!(by_id(c, was.id).await.as_ref(), Some(&changed));
    assert_eq!(by_alias(c, &was.alias).await, None);
    assert_eq!(by_alias(c, &changed.alias).await, Some(changed));
}

async fn given_a_definition_changed_meanwhile_when_changed_then_it_is_not_found(c: &Context) {
    let was = c.define("one").await;
    let theirs = Definition {
        title: "theirs".into(),
        updated_at: was.updated_at + std::time::Duration::from_micros(1),
        ..was.clone()
    };
    ok("put", put(c, &theirs, as_it_was(&was)).await);
    let ours = Definition { title: "ours".into(), updated_at: at(9), ..was.clone() };
    let error = put(c, &ours, as_it_was(&was)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert_eq!(by_id(c, was.id).await, Some(theirs), "never overwritten");
}

async fn given_no_such_definition_when_changed_then_it_is_not_found(c: &Context) {
    let never = fresh("one");
    let error = put(c, &never, as_it_was(&never)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert_eq!(by_id(c, never.id).await, None);
}

async fn given_a_change_to_a_taken_alias_when_stored_then_it_exists_already(c: &Context) {
    let (one, two) = (c.define("one").await, c.define("two").await);
    let clash = Definition { alias: one.alias.clone(), ..two.clone() };
    let error = put(c, &clash, as_it_was(&two)).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(by_id(c, two.id).await, Some(two));
}

/// Soft-deletes it.
async fn delete(c: &Context, was: &Definition) -> Definition {
    let gone = Definition { deleted_at: Some(at(5)), ..was.clone() };
    ok("put", put(c, &gone, as_it_was(was)).await);
    gone
}

async fn given_a_deleted_definition_when_its_alias_is_used_again_then_it_is_free(c: &Context) {
    let first = delete(c, &c.define("one").await).await;
    let second = delete(c, &c.define("one").await).await;
    let third = c.define("one").await;
    assert_eq!(by_alias(c, &third.alias).await, Some(third));
    assert_eq!(by_id(c, first.id).await, Some(first));
    assert_eq!(by_id(c, second.id).await, Some(second));
}

async fn given_a_deleted_definition_when_looked_for_then_only_its_id_finds_it(c: &Context) {
    let gone = delete(c, &c.define("one").await).await;
    assert_eq!(by_alias(c, &gone.alias).await, None);
    assert_eq!(by_id(c, gone.id).await, Some(gone));
}

async fn given_an_alias_used_again_when_the_former_is_restored_then_it_exists_already(c: &Context) {
    let gone = delete(c, &c.define("one").await).await;
    let live = c.define("one").await;
    let back = Definition { deleted_at: None, ..gone.clone() };
    let error = put(c, &back, as_it_was(&gone)).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    delete(c, &live).await;
    ok("put", put(c, &back, as_it_was(&gone)).await);
    assert_eq!(by_alias(c, &back.alias).await, Some(back));
}

async fn given_aliases_that_differ_in_case_when_stored_then_they_are_two(c: &Context) {
    let (small, large) = (c.define("mail.send").await, c.define("Mail.Send").await);
    assert_eq!(by_alias(c, &small.alias).await, Some(small));
    assert_eq!(by_alias(c, &large.alias).await, Some(large));
}

/// All pages, each of at most so many, one after another.
async fn all_pages(c: &Context, limit: u32, with_deleted: bool) -> Vec<Definition> {
    let mut all = Vec::new();
    let mut query = DefinitionQuery::new(limit);
    query.with_deleted = with_deleted;
    for _ in 0..20 {
        let page: Page<_> = ok("definitions", c.backend().definitions(&query).await);
        assert!(page.items.len() <= limit as usize);
        all.extend(page.items);
        match page.next {
            Some(cursor) => query = query.after(cursor),
            None => return all,
        }
    }
    panic!("the pages have no end");
}

async fn given_many_definitions_when_listed_then_page_by_page_in_the_order_of_their_ids(
    c: &Context,
) {
    let mut made: Vec<_> = (0..7).map(|n| fresh(&format!("z{}", 9 - n))).collect();
    for i in [3, 0, 6, 2, 5, 1, 4] {
        c.put_definition(&made[i]).await;
    }
    made.sort_by_key(|definition| definition.id);
    for limit in [1, 2, 3, 7, 100] {
        assert_eq!(all_pages(c, limit, false).await, made, "by {limit}");
    }
}

async fn given_deleted_definitions_when_listed_then_only_if_asked_for(c: &Context) {
    assert!(all_pages(c, 2, true).await.is_empty());
    let (one, two, three) = (c.define("a").await, c.define("b").await, c.define("c").await);
    let gone = delete(c, &two).await;
    assert_eq!(all_pages(c, 1, false).await, [one.clone(), three.clone()]);
    assert_eq!(all_pages(c, 1, true).await, [one, gone, three]);
}

async fn given_an_alias_that_changes_when_a_task_is_looked_at_then_it_shows_the_present_one(
    c: &Context,
) {
    let was = c.define("one").await;
    let id = c.store(NewTask::new(was.id, json("{}"))).await;
    let changed = Definition { alias: Alias::new("two").unwrap(), ..was.clone() };
    ok("put", put(c, &changed, as_it_was(&was)).await);
    assert_eq!(c.task(id).await.alias, changed.alias);
    delete(c, &changed).await;
    assert_eq!(c.task(id).await.alias, changed.alias, "also of a deleted one");
}

async fn given_a_cursor_of_nobody_when_definitions_are_listed_then_it_is_invalid(c: &Context) {
    c.define("one").await;
    for text in ["", "nobody's", "'; DROP TABLE task; --"] {
        let query = DefinitionQuery::new(10).after(Cursor(text.into()));
        let error = c.backend().definitions(&query).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "cursor", .. }), "{text:?}: {error}");
    }
}

async fn delete_for_good(c: &Context, id: DefinitionId) -> Result<(), Error> {
    c.backend().delete_definition(id).await
}

async fn given_a_definition_that_nothing_needs_when_deleted_for_good_then_nothing_finds_it(
    c: &Context,
) {
    let (one, two) = (c.define("one").await, delete(c, &c.define("two").await).await);
    let other = c.define("other").await;
    c.store(NewTask::new(other.id, json("{}"))).await;
    for gone in [&one, &two] {
        ok("delete_definition", delete_for_good(c, gone.id).await);
        assert_eq!(by_id(c, gone.id).await, None);
        assert_eq!(by_alias(c, &gone.alias).await, None);
    }
    assert_eq!(all_pages(c, 10, true).await, [other]);
    let again = c.define("one").await;
    assert_eq!(by_alias(c, &one.alias).await, Some(again), "its alias is free");
}

async fn given_no_such_definition_when_deleted_for_good_then_it_is_not_found(c: &Context) {
    let one = c.define("one").await;
    let error = delete_for_good(c, DefinitionId::new()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    ok("delete_definition", delete_for_good(c, one.id).await);
    let error = delete_for_good(c, one.id).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "a second time: {error}");
}

/// It is refused, and everything stays as it was.
async fn is_in_use(c: &Context, definition: &Definition, task: TaskId) {
    let before = c.whole(task).await;
    let error = delete_for_good(c, definition.id).await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert_eq!(by_id(c, definition.id).await.as_ref(), Some(definition));
    assert_eq!(c.whole(task).await, before);
}

async fn given_a_live_task_in_any_place_when_its_definition_is_deleted_for_good_then_it_is_in_use(
    c: &Context,
) {
    let definition = c.definition().await;
    let task = c.later(10).await;
    is_in_use(c, definition, task).await;
    c.promote(10, at(10)).await;
    is_in_use(c, definition, task).await;
    let held = c.take_one_at(at(10)).await;
    is_in_use(c, definition, task).await;
    c.end_at(held.lease, retry(5), Status::Queued, at(10)).await;
    is_in_use(c, definition, task).await;
    c.control(task, Move::Pause).await;
    is_in_use(c, definition, task).await;
    c.control(task, cancel()).await;
    ok("delete_definition", delete_for_good(c, definition.id).await);
}

async fn given_a_soft_deleted_running_task_when_its_definition_is_deleted_for_good_then_it_is_in_use(
    c: &Context,
) {
    let definition = c.definition().await;
    let held = c.running().await;
    assert_eq!(c.control(held.lease.task, Move::Delete).await, Outcome::Requested);
    is_in_use(c, definition, held.lease.task).await;
    c.end(held.lease, success(), Status::Success).await;
    ok("delete_definition", delete_for_good(c, definition.id).await);
}

async fn given_only_ended_tasks_when_their_definition_is_deleted_for_good_then_they_stay_and_show_its_alias(
    c: &Context,
) {
    let definition = c.definition().await;
    let held = c.running().await;
    let waits = c.ready(1).await[0];
    c.end(held.lease, output("7"), Status::Success).await;
    c.control(waits, cancel()).await;
    let before = [c.whole(held.lease.task).await, c.whole(waits).await];
    ok("delete_definition", delete_for_good(c, definition.id).await);
    assert_eq!([c.whole(held.lease.task).await, c.whole(waits).await], before);
    assert_eq!(c.task(waits).await.alias, definition.alias);
}

async fn given_a_definition_deleted_for_good_when_a_task_is_requeued_or_enqueued_then_it_is_refused(
    c: &Context,
) {
    let definition = c.definition().await;
    let mut keyed = c.keyed_task("key").await;
    let task = c.store(keyed.clone()).await;
    let held = c.take_one().await;
    c.end(held.lease, success(), Status::Success).await;
    ok("delete_definition", delete_for_good(c, definition.id).await);
    c.refuses(task, requeue()).await;
    keyed.id = TaskId::new();
    let error = c.try_enqueue(&[keyed], at(1)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    c.nothing_to_claim().await;
    assert!(matches!(c.control(task, Move::Delete).await, Outcome::Moved { .. }));
    assert!(matches!(c.control(task, Move::Restore).await, Outcome::Moved { .. }));
}

async fn given_a_definition_deleted_for_good_when_changed_or_stored_then_it_stays_gone(
    c: &Context,
) {
    let one = c.define("one").await;
    ok("delete_definition", delete_for_good(c, one.id).await);
    let error = put(c, &one, as_it_was(&one)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let error = put(c, &one, Expect::Absent).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "an id is never used again: {error}");
    assert_eq!(by_id(c, one.id).await, None);
}

async fn given_hostile_and_longest_texts_when_stored_then_they_are_as_they_were(c: &Context) {
    let longest = |n: usize| ["x".repeat(n), "🦀".repeat(n / 4)];
    let mut texts: Vec<String> = super::input::HOSTILE.map(str::to_owned).to_vec();
    texts.extend(longest(DESCRIPTION_BYTES_MAX));
    for (text, n) in texts.into_iter().zip(0..) {
        let title = text.chars().take(TITLE_CHARS_MAX).collect();
        let (description, memo) = (text.clone(), text);
        let definition = Definition { title, description, memo, ..fresh(&format!("d{n}")) };
        c.put_definition(&definition).await;
        assert!(by_id(c, definition.id).await == Some(definition), "text number {n}");
    }
}
