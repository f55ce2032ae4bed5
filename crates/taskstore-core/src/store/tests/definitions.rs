//! Definitions, as people look at them and control them.

use super::*;
use crate::{DefinitionId, Status};

fn changed<T: std::fmt::Debug>(refused: Result<T>) {
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
}

fn exists<T: std::fmt::Debug>(refused: Result<T>) {
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
}

fn in_use<T: std::fmt::Debug>(refused: Result<T>) {
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
}

/// A store over a spy, and one definition.
async fn one(alias: &str) -> (Store, Spy, Definition) {
    let spy = Spy::default();
    let store = Store::new(spy.clone());
    let made = store.definitions().create(alias).await.unwrap();
    (store, spy, made)
}

#[tokio::test]
async fn what_is_made_is_found_by_its_id_and_its_alias() {
    let store = Store::new(Spy::default());
    let definitions = store.definitions();
    let made = definitions
        .create("report.build")
        .title("Report")
        .description("Builds it")
        .memo("Ask Ada")
        .await
        .unwrap();
    assert_eq!((&*made.title, &*made.description, &*made.memo), ("Report", "Builds it", "Ask Ada"));
    assert_eq!(made.status, DefinitionStatus::Active);
    assert_eq!(definitions.get(made.id).await.unwrap(), made);
    assert_eq!(definitions.find_by_alias("report.build").await.unwrap(), Some(made));
    assert_eq!(definitions.find_by_alias("report").await.unwrap(), None);
    assert_eq!(not_found(definitions.get(DefinitionId::new()).await), "task definition");
}

#[tokio::test]
async fn a_handler_finds_the_definition_that_was_made_for_it() {
    let (store, _, made) = one("count").await;
    assert_eq!(store.register_fn("count", count).await.unwrap(), made);
}

#[tokio::test]
async fn values_that_cannot_be_are_named_and_nothing_is_stored() {
    let (store, spy, made) = one("one").await;
    let definitions = store.definitions();
    let long = || "x".repeat(300);
    let huge = || "x".repeat((64 << 10) + 1);
    assert_eq!(field(definitions.create("").title("a").await), "alias");
    assert_eq!(field(definitions.create("two words").await), "alias");
    assert_eq!(field(definitions.create("two").title(long()).await), "title");
    assert_eq!(field(definitions.create("two").description(huge()).await), "description");
    assert_eq!(field(definitions.create("two").memo("a\0").await), "memo");
    assert_eq!(field(definitions.update(&made).alias("ä").await), "alias");
    assert_eq!(field(definitions.update(&made).title(long()).await), "title");
    assert_eq!(field(definitions.update(&made).description("\0").await), "description");
    assert_eq!(field(definitions.update(&made).memo(huge()).await), "memo");
    assert_eq!(field(definitions.update(&made).await), "update");
    assert_eq!(field(definitions.find_by_alias("").await), "alias");
    assert_eq!(field(definitions.list().limit(0).await), "limit");
    assert_eq!(field(definitions.list().limit(1_001).await), "limit");
    let nobodys = crate::backend::Cursor("nobody's".into());
    assert_eq!(field(definitions.list().after(nobodys).await), "cursor");
    assert_eq!(spy.count("put_definition"), 1, "the first one");
    assert_eq!(definitions.list().await.unwrap().items, [made]);
}

#[tokio::test]
async fn a_change_that_somebody_else_made_is_never_overwritten() {
    let (store, spy, read) = one("one").await;
    let definitions = store.definitions();
    change(&spy, "one", |theirs| theirs.title = "theirs".into()).await;
    changed(definitions.update(&read).title("ours").await);
    let theirs = definitions.get(read.id).await.unwrap();
    assert_eq!(theirs.title, "theirs");
    let ours = definitions.update(&theirs).memo("ours").await.unwrap();
    assert_eq!((&*ours.title, &*ours.memo), ("theirs", "ours"));
    assert_eq!(definitions.get(read.id).await.unwrap(), ours);
    assert!(ours.updated_at > theirs.updated_at && theirs.updated_at > read.updated_at);
}

#[tokio::test]
async fn a_change_whose_reply_was_lost_is_told_apart_from_one_of_somebody_else() {
    let (store, spy, read) = one("one").await;
    spy.fail("put_definition", Fault::After);
    let lost = store.definitions().update(&read).title("ours").await.unwrap_err();
    assert!(lost.is_retryable());
    changed(store.definitions().update(&read).title("ours").await);
    assert_eq!(store.definitions().get(read.id).await.unwrap().title, "ours");
}

#[tokio::test]
async fn a_move_touches_only_what_it_means_to_even_if_somebody_changes_the_texts_meanwhile() {
    let (store, _, read) = one("one").await;
    let definitions = store.definitions();
    let titles = async {
        let mut last = read.clone();
        for n in 0..20 {
            last = loop {
                let latest = definitions.get(read.id).await.unwrap();
                match definitions.update(&latest).title(format!("{n}")).await {
                    Err(Error::Changed { .. }) => {}
                    stored => break stored.unwrap(),
                }
            };
            tokio::task::yield_now().await;
        }
        last
    };
    let moves = async {
        for _ in 0..20 {
            definitions.cancel(read.id).await.unwrap();
            tokio::task::yield_now().await;
            definitions.activate(read.id).await.unwrap();
        }
        definitions.cancel(read.id).await.unwrap();
    };
    tokio::join!(titles, moves);
    let end = definitions.get(read.id).await.unwrap();
    assert_eq!((&*end.title, end.status), ("19", DefinitionStatus::Canceled));
}

#[tokio::test]
async fn tasks_of_a_canceled_definition_wait_until_it_is_active() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    let definition = definition(&spy, "count").await.unwrap();
    let canceled = store.definitions().cancel(definition.id).await.unwrap();
    assert_eq!(canceled.status, DefinitionStatus::Canceled);
    assert_eq!(store.definitions().cancel(definition.id).await.unwrap(), canceled, "fine again");
    assert_eq!(field(store.enqueue::<Count>(2).await), "task definition");
    assert_eq!(store.runner().run_once().await.unwrap().succeeded, 0);
    store.definitions().activate(definition.id).await.unwrap();
    assert_eq!(store.runner().run_once().await.unwrap().succeeded, 1);
    assert_eq!(store.tasks().get(id).await.unwrap().status, Status::Success);
}

#[tokio::test]
async fn a_soft_deleted_definition_is_hidden_and_comes_back_as_it_was() {
    let (store, _, made) = one("one").await;
    let definitions = store.definitions();
    assert_eq!(not_found(definitions.restore(made.id).await), "task definition");
    let gone = definitions.soft_delete(made.id).await.unwrap();
    assert!(gone.deleted_at.is_some());
    assert_eq!(definitions.find_by_alias("one").await.unwrap(), None);
    assert!(definitions.list().await.unwrap().items.is_empty());
    assert_eq!(definitions.list().with_deleted().await.unwrap().items, std::slice::from_ref(&gone));
    assert_eq!(not_found(definitions.soft_delete(made.id).await), "task definition");
    assert_eq!(not_found(definitions.cancel(made.id).await), "task definition");
    assert_eq!(not_found(definitions.activate(made.id).await), "task definition");
    assert_eq!(not_found(definitions.update(&gone).title("a").await), "task definition");
    changed(definitions.update(&made).title("a").await);
    assert_eq!(not_found(store.enqueue_by_alias("", "one", ()).await), "task definition");
    let back = definitions.restore(made.id).await.unwrap();
    assert_eq!(Definition { updated_at: made.updated_at, ..back }, made);
}

#[tokio::test]
async fn an_alias_is_unique_among_live_definitions() {
    let (store, _, first) = one("one").await;
    let definitions = store.definitions();
    exists(definitions.create("one").await);
    let other = definitions.create("two").await.unwrap();
    exists(definitions.update(&other).alias("one").await);
    definitions.soft_delete(first.id).await.unwrap();
    let second = definitions.update(&other).alias("one").await.unwrap();
    exists(definitions.restore(first.id).await);
    definitions.update(&second).alias("two").await.unwrap();
    assert_eq!(definitions.restore(first.id).await.unwrap().alias.as_str(), "one");
}

#[tokio::test]
async fn tasks_come_along_when_their_definition_is_renamed() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    let old = definition(&spy, "count").await.unwrap();
    store.definitions().update(&old).alias("number.count").await.unwrap();
    assert_eq!(not_found(store.enqueue::<Count>(2).await), "task definition");
    assert_eq!(store.tasks().get(id).await.unwrap().alias.as_str(), "number.count");
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!(summary.succeeded, 1, "by the handler that was there before");

    let id = store.enqueue_by_alias("", "number.count", 3).await.unwrap();
    let restarted = Store::new(spy.clone());
    restarted.register_fn("number.count", count).await.unwrap();
    assert_eq!(restarted.runner().run_once().await.unwrap().succeeded, 1, "by the new alias");
    assert_eq!(store.tasks().get(id).await.unwrap().status, Status::Success);
}

#[tokio::test]
async fn a_definition_is_deleted_for_good_only_when_no_live_task_needs_it() {
    let (store, spy) = store().await;
    let id = store.enqueue::<Count>(1).await.unwrap();
    let definition = definition(&spy, "count").await.unwrap();
    in_use(store.definitions().delete(definition.id).await);
    store.tasks().pause(id).await.unwrap();
    in_use(store.definitions().delete(definition.id).await);
    store.tasks().cancel(id).await.unwrap();
    store.definitions().delete(definition.id).await.unwrap();

    assert_eq!(not_found(store.definitions().delete(definition.id).await), "task definition");
    assert_eq!(not_found(store.definitions().get(definition.id).await), "task definition");
    assert_eq!(not_found(store.definitions().restore(definition.id).await), "task definition");
    assert_eq!(not_found(store.enqueue::<Count>(2).await), "task definition");
    assert_eq!(store.tasks().get(id).await.unwrap().alias.as_str(), "count");
    let refused = store.tasks().requeue(id).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidTransition { from: Status::Canceled, .. }));
}
